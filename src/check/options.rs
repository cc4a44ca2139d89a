//! `HttpOptions`: how polls over HTTP are made, whatever the target.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::check::policy::Policy;

/// How polls over HTTP are made.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Bytes of a body that are read at most, also when it is decompressed.
    pub max_body: u64,
    /// What we call ourselves where an entry gives no header of its own.
    pub user_agent: String,
    /// PEM file with roots that are trusted beside the built-in ones and the system's.
    pub ca: Option<PathBuf>,
    /// Name servers; none: the system's.
    pub resolvers: Vec<SocketAddr>,
    /// Look-ups in flight at most.
    pub max_lookups: usize,
    /// Names whose addresses are remembered at most.
    pub max_names: usize,
    /// Connections that are kept open between polls at most, over all targets.
    pub max_idle: usize,
    /// Where targets that are given through the API may lead.
    pub policy: Policy,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            max_body: 16 << 20,
            user_agent: concat!("poller/", env!("CARGO_PKG_VERSION")).to_owned(),
            ca: None,
            resolvers: Vec::new(),
            max_lookups: 256,
            max_names: 1 << 17,
            max_idle: 1 << 12,
            policy: Policy::default(),
        }
    }
}

/// Why the check cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file with further roots cannot be used; its name and the reason follow.
    #[error("{0}; name a PEM file with certificates")]
    Roots(String),
    /// The name given to us cannot go into a header.
    #[error("the user agent {0:?} holds a control character; remove it")]
    UserAgent(String),
}
