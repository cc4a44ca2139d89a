//! Checks that are run once, now: a list of them or a stream, side by side, with every result.
//!
//! The checks are those of the daemon, and so is the worker that runs them: its source is a list,
//! and its sink collects. Nothing that goes wrong with one check touches another; it stands in the
//! result of that check, with `raw_data.error` and `raw_data.error_type`.
//!
//! ```
//! use poller::run::{CheckSpec, RunOptions, Runner, run_checks_in_parallel};
//!
//! # async fn of() -> Result<(), Box<dyn std::error::Error>> {
//! let checks = [
//!     CheckSpec::new("website_status").with("url", "https://example.com/"),
//!     CheckSpec::new("ssl_certificate").with("hostname", "example.com").with("warning_days", 21),
//! ];
//! let results = run_checks_in_parallel(&Runner::new()?, checks, RunOptions::default()).await;
//! for result in results {
//!     println!("{}: {:?}, {}", result.id, result.status, result.message);
//! }
//! # Ok(())
//! # }
//! ```

mod desk;
mod event;
#[cfg(fuzzing)]
pub mod fuzzing;
mod options;
mod order;
mod resume;
mod runner;
mod source;
mod spec;
mod stoppable;
mod together;

pub use event::{Event, EventKind};
pub use options::{MAX_WORKERS, OnError, RunOptions};
pub use order::InOrder;
pub use resume::{Resume, ResumeError};
pub use runner::{Ended, Placed, Runner};
pub use spec::CheckSpec;
pub(crate) use together::Listing;
pub use together::{BatchError, run_check_batch, run_checks_in_parallel};

pub use crate::check::{Context, Plugin, Report};
pub use crate::view::result::{CheckResult, Status};
