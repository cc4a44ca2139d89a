//! `Visitor`: who asks, and what they may.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do; each may all that those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at everything.
    Read,
    /// Have checks run.
    Run,
    /// Change targets, settings and tokens.
    Admin,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Run, Self::Admin];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// The role that was stored under this name; one that nobody knows any more allows the least.
    #[must_use]
    pub(super) fn of_stored(name: &str) -> Self {
        Self::named(name).unwrap_or(Self::Read)
    }
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// The socket of the data directory: whoever may open its file may do everything.
    Socket,
    /// The network.
    Network(SocketAddr),
}

impl Peer {
    /// Whether it is of this machine.
    pub(super) fn is_local(self) -> bool {
        match self {
            Self::Socket => true,
            Self::Network(address) => address.ip().to_canonical().is_loopback(),
        }
    }
}

/// By what somebody came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// The socket of the data directory.
    Socket,
    /// Loopback, with no token.
    Loopback,
    /// The token with this id.
    Token(String),
    /// A JWT of this subject.
    Jwt(String),
    /// A session in a browser, begun with the token with this id.
    Session(String),
    /// Nothing: a stranger.
    Nothing,
}

impl Via {
    /// What it is called.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Loopback => "loopback",
            Self::Token(_) => "token",
            Self::Jwt(_) => "jwt",
            Self::Session(_) => "session",
            Self::Nothing => "nothing",
        }
    }
}

/// Who asks; it stands in the extensions of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// What they may; none: nothing that is not open to everybody.
    pub role: Option<Role>,
    /// By what they came in.
    pub via: Via,
}

impl Visitor {
    /// Whether they may do what `role` may.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        self.role.is_some_and(|own| own >= role)
    }
}
