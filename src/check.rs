//! The port `Check`: one look at one target, whatever its kind; its edges live in `check/`.

mod answer;
mod body;
mod certificate;
mod connect;
mod content;
mod exchange;
mod fault;
mod gateway;
mod head;
mod http;
mod http2;
mod idle;
mod judge;
mod options;
mod progress;
mod proxy;
mod redirect;
mod request;
mod resolve;
mod roots;
mod stream;
mod tls;
mod unpack;

use std::future::Future;
use std::sync::Arc;

use crate::outcome::Finding;
use crate::target::Target;

pub use http::HttpCheck;
pub use options::{HttpOptions, SetupError};
pub use roots::client_tls;

/// Looks at a target once.
pub trait Check: Send + Sync + 'static {
    /// Checks `target` within its timeout and says what it found.
    ///
    /// A target that fails is a finding like any other; so is a fault of ours. The check ends at
    /// the target's deadline at the latest, however the target behaves.
    fn check(&self, target: Arc<Target>) -> impl Future<Output = Finding> + Send;
}
