//! Real servers answer as real servers do: what other tests poll is what these show it to be.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/pki.rs"]
mod pki;
#[path = "support/real.rs"]
mod real;
#[path = "support/site.rs"]
mod site;

#[path = "real_servers/dns.rs"]
mod dns;
#[path = "real_servers/mail.rs"]
mod mail;
#[path = "real_servers/processes.rs"]
mod processes;
#[path = "real_servers/web.rs"]
mod web;
