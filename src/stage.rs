//! The stages: small loops that move polls along. A scheduler turns time into jobs, a worker jobs
//! into outcomes, a recorder outcomes into rows.

pub mod brake;
pub mod dispatch;
pub mod docket;
pub mod governor;
pub mod lateness;
pub mod recorder;
pub mod scheduler;
pub mod shortage;
mod starved;
mod tended;
pub mod throttle;
pub mod worker;
