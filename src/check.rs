//! The port `Check`: one look at one target, whatever its kind; its edges live in `check/`.

mod answer;
mod body;
mod certificate;
mod connect;
mod content;
mod counted;
mod dns;
mod every;
mod exchange;
mod facts;
mod fault;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gateway;
mod head;
mod http;
mod http2;
mod icmp;
mod idle;
mod judge;
mod lines;
mod links;
mod mail;
mod meter;
mod network;
mod options;
mod plugin;
mod policy;
mod progress;
mod proxy;
mod race;
mod redirect;
mod request;
mod resolve;
mod roots;
mod ssl;
mod starttls;
mod stream;
mod tcp;
mod tls;
mod told;
mod unpack;
mod watch;

use std::future::Future;
use std::sync::Arc;

use crate::outcome::Finding;
use crate::target::Target;

pub use every::{Checks, Telling};
pub use facts::Facts;
pub use http::HttpCheck;
pub use meter::{Traffic, held_bytes, traffic};
pub use options::{HttpOptions, SetupError};
pub use plugin::{Context, Listener, Plugin, Report};
pub use policy::{Forbidden, Policy};
pub use resolve::{NamesFacts, Whereabouts};
pub use roots::client_tls;

/// Looks at a target once.
pub trait Check: Send + Sync + 'static {
    /// What is told beside the finding.
    type Facts: Default + Send + 'static;

    /// Checks `target` within its timeout and says what it found.
    ///
    /// A target that fails is a finding like any other; so is a fault of ours. The check ends at
    /// the target's deadline at the latest, however the target behaves.
    fn check(&self, target: Arc<Target>) -> impl Future<Output = (Finding, Self::Facts)> + Send;
}
