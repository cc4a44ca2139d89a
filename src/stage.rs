//! The stages: small loops that move polls along. A scheduler turns time into jobs, a worker jobs
//! into outcomes, a recorder outcomes into rows.

pub mod recorder;
pub mod scheduler;
pub mod throttle;
pub mod worker;
