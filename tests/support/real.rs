//! Real servers from Debian on loopback: each a child of the test, in a folder of its own.
//!
//! Each `start` is `None` where its program is not installed, and says so; with
//! `POLLER_REAL_SERVERS=required` it panics instead. Who uses it declares `pki` and `site` too.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "real/certificates.rs"]
pub(crate) mod certificates;
#[path = "real/dovecot.rs"]
mod dovecot;
#[path = "real/nginx.rs"]
mod nginx;
#[path = "real/nsd.rs"]
mod nsd;
#[path = "real/server.rs"]
pub(crate) mod server;
#[path = "real/smtp.rs"]
mod smtp;
#[path = "real/talk.rs"]
pub(crate) mod talk;
#[path = "real/unbound.rs"]
mod unbound;
#[path = "real/zones.rs"]
pub(crate) mod zones;

#[allow(unused_imports, reason = "each test file uses a part of it")]
pub(crate) use self::{
    certificates::Pki,
    dovecot::Dovecot,
    nginx::{Nginx, PAGE, Shows},
    nsd::Nsd,
    smtp::Smtp,
    unbound::Unbound,
};

/// The user of every mail server here.
pub(crate) const USER: &str = "probe";

/// The user's password.
pub(crate) const PASSWORD: &str = "right-pass";
