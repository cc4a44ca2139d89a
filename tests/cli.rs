//! The command line as its users meet it: what it refuses, what it prints, and what it keeps quiet.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/home.rs"]
mod home;

#[path = "cli/limits.rs"]
mod limits;
#[path = "cli/lists.rs"]
mod lists;
#[path = "cli/output.rs"]
mod output;
#[path = "cli/refusals.rs"]
mod refusals;
#[cfg(feature = "distributed")]
#[path = "cli/roles.rs"]
mod roles;
#[path = "cli/secrets.rs"]
mod secrets;
