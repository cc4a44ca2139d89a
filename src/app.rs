//! The composition root: puts settings, edges, stages and faces together, and takes them down.

mod amend;
mod boot;
mod check;
mod crowd;
mod door;
mod engine;
mod explain;
mod files;
mod fit;
mod gauges;
mod governing;
mod heartbeat;
mod judgement;
mod keeper;
mod list;
mod live;
mod metrics;
mod minute;
mod once;
mod plan;
mod probe;
mod pulse;
mod reload;
mod sd;
mod services;
mod stored;

pub use boot::{Booted, StartError, boot};
pub use check::check;
pub use explain::explain;
pub use keeper::Keeper;
pub use list::Listing;
pub use once::setting;
pub use stored::{show_sql, show_targets, stored_summary};
