//! Probes of a real daemon against the fleet, over HTTP, as Prometheus asks for them.

#![expect(clippy::expect_used, reason = "a test ends where it fails")]
#![expect(clippy::float_cmp, reason = "figures that are told exactly are compared so")]
#![allow(clippy::print_stdout, reason = "what was skipped is told")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/home.rs"]
mod home;
#[path = "support/scrape.rs"]
mod scrape;

#[path = "probe/access.rs"]
mod access;
#[path = "probe/modules.rs"]
mod modules;
#[path = "probe/others.rs"]
mod others;
#[path = "probe/web.rs"]
mod web;

use serde_json::{Value, json};

use fleet::{Fleet, Options};
use home::{Attached, Home};
use scrape::{Answer, address, ask, encoded};

/// A daemon that polls one target, and probes what it is asked for.
struct Asked {
    fleet: Fleet,
    home: Home,
    daemon: Attached,
    address: String,
}

/// A daemon that polls `/listed` of target 9 and more, with a file of modules and further
/// arguments.
fn asked_with(modules: &str, more: &[Value], arguments: &[&str]) -> Asked {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let home = Home::new();
    let ca = home.write("ca.pem", fleet.ca_pem());
    let mut list =
        vec![json!({"url": fleet.url(9, "/b9"), "id": "listed", "interval": 1, "retries": 0})];
    list.extend_from_slice(more);
    home.list(&list);
    let dns = fleet.dns_address().to_string();
    let ca = ca.to_str().expect("text").to_owned();
    let mut all = vec!["--listen", "127.0.0.1:0", "--resolver", &dns, "--ca", &ca];
    if !modules.is_empty() {
        home.write("blackbox.yml", modules);
        all.extend(["--modules", "blackbox.yml"]);
    }
    all.extend(arguments);
    let daemon = home.attach(&all);
    let address = address(&home);
    Asked { fleet, home, daemon, address }
}

/// The same, which probes anything for anybody.
fn open(modules: &str) -> Asked {
    asked_with(modules, &[], &["--open-probe"])
}

impl Asked {
    fn ask(&self, query: &str, headers: &[&str]) -> Answer {
        ask(&self.address, &format!("/probe?{query}"), headers)
    }

    /// The figures of a probe of `target`.
    fn probe(&self, target: &str, module: &str) -> Answer {
        let answer = self.ask(&format!("target={}&module={module}", encoded(target)), &[]);
        assert_eq!(answer.status, 200, "{answer:#?}");
        answer
    }

    /// The same, which must fail or succeed.
    fn probe_to(&self, is_success: bool, target: &str, module: &str) -> Answer {
        let answer = self.probe(target, module);
        let told = answer.figure("probe_success");
        assert_eq!(told, f64::from(u8::from(is_success)), "{target} {module}: {}", answer.body);
        answer
    }
}
