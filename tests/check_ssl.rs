//! Checks of certificates: what is told of each, what is wrong with it, and when it runs out.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "support/pki.rs"]
mod pki;
#[path = "support/real.rs"]
mod real;
#[path = "support/site.rs"]
mod site;

#[path = "check_ssl/days.rs"]
mod days;
#[path = "check_ssl/handshake.rs"]
mod handshake;
#[path = "check_ssl/servers.rs"]
mod servers;
#[path = "check_ssl/starttls.rs"]
mod starttls;
#[path = "check_ssl/trust.rs"]
mod trust;

use std::sync::Arc;

use pki::{Authority, Shown, config, secure};
use poller::address::Address;
use poller::check::{Check as _, Checks, Facts, HttpOptions, Telling};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{Plan, Probe, SslProbe, Target, TlsPlan, Verify};
use serde_json::Value;
use tempfile::TempDir;

/// What a check found and told.
struct Found {
    finding: Finding,
    facts: Facts,
}

impl Found {
    /// Verdict, cause and detail.
    fn verdict(&self) -> (Verdict, Option<Cause>, Detail) {
        (self.finding.verdict, self.finding.cause, self.finding.detail)
    }

    fn fact(&self, name: &str) -> &Value {
        self.facts.data.get(name).unwrap_or_else(|| panic!("no {name}: {:#?}", self.facts))
    }

    fn text(&self, name: &str) -> &str {
        self.fact(name).as_str().unwrap_or_else(|| panic!("{name} is no text: {:#?}", self.facts))
    }

    /// That it is up.
    fn is_up(&self) {
        assert_eq!(self.verdict(), (Verdict::Up, None, Detail::None), "{:#?}", self.facts);
    }

    /// That the target is down by `detail` of TLS.
    fn is_down(&self, detail: Detail) {
        let down = (Verdict::Down, Some(Cause::Tls), detail);
        assert_eq!(self.verdict(), down, "{:#?}", self.facts);
    }
}

/// What trusts an authority, and how it checks.
struct Checker {
    checks: Telling,
    probe: SslProbe,
    verify: Verify,
    host: &'static str,
    timeout_ms: u32,
    _directory: TempDir,
}

impl Checker {
    fn trusting(authority: &Authority) -> Self {
        let directory = TempDir::new().expect("a directory");
        let file = directory.path().join("ca.pem");
        pki::write_pem(&file, &[authority]);
        let options = HttpOptions { ca: Some(file), ..HttpOptions::default() };
        Self {
            checks: Telling::new(Arc::new(Checks::new(options).expect("good options"))),
            probe: SslProbe::default(),
            verify: Verify::Strict,
            host: "127.0.0.1",
            timeout_ms: 10_000,
            _directory: directory,
        }
    }

    fn probing(self, probe: SslProbe) -> Self {
        Self { probe, ..self }
    }

    fn verifying(self, verify: Verify) -> Self {
        Self { verify, ..self }
    }

    fn target(&self, port: u16) -> Target {
        let plan = Plan {
            probe: Probe::Ssl(self.probe),
            tls: TlsPlan { verify: self.verify, ..TlsPlan::default() },
            ..Plan::default()
        };
        let text = format!("ssl://{}:{port}", self.host);
        let address = Address::parse_any(&text).expect("a good address");
        let timeout_ms = self.timeout_ms;
        Target { address, timeout_ms, ..site::target("https://127.0.0.1/", plan) }
    }

    /// What it finds at `port`.
    async fn look(&self, port: u16) -> Found {
        let (finding, facts) = self.checks.check(Arc::new(self.target(port))).await;
        Found { finding, facts }
    }

    /// What it finds of a site that shows `shown`.
    async fn judge(&self, shown: Shown) -> Found {
        let site = secure(config(shown), "").await;
        self.look(site.address.port()).await
    }
}
