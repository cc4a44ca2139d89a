//! `MemberFacts`: what a member of a cluster says it is.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

/// What a member of a cluster says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberFacts {
    /// What it is called, `[A-Za-z0-9._-]`; no other member is called so.
    pub name: String,
    /// Its role.
    pub role: &'static str,
    /// Where it polls from; empty: it polls nothing.
    pub location: String,
    /// Its host.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it was started, in Unix milliseconds.
    pub started_at_ms: i64,
}

impl MemberFacts {
    /// What leases call this process: its name, and what tells it from another one of that name,
    /// which may be its own former life and be about to write yet.
    pub(super) fn owner(&self) -> String {
        let own = RandomState::new().hash_one((self.started_at_ms, self.pid));
        format!("{}#{own:016x}", self.name)
    }
}
