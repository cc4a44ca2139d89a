//! Counts that add up, and what they say: sketches, tallies, one-second windows.

mod histogram;
mod minutes;
mod recent;
mod sketch;
mod tally;
mod uptime;
mod window;

pub use histogram::{BOUNDS_US, Counters, Histogram};
pub use minutes::{KEPT_MINUTES, Minutes};
pub use recent::{Recent, SPAN_S};
pub use sketch::{DecodeError, Dense, Grain, Sketch};
pub use tally::Tally;
pub use uptime::{Spans, uptime};
pub use window::{Extreme, SLOWEST, Window};
