//! The daemon as a process: detached or not, known to systemd, and stopped from outside.

mod detach;
mod notify;
mod stop;

pub use detach::{Detached, Ready, StartError, detach, refusal};
pub use notify::Notifier;
pub use stop::{StopError, Stopped, reload, stop};
