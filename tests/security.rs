//! Who may do what over the network, tried over real ports: tokens of every kind, browsers, pages
//! of others, and visitors who ask for too much, too slowly, or for nothing at all.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "what was skipped is told")]

#[path = "support/asked.rs"]
mod asked;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/facts.rs"]
mod facts;
#[path = "support/home.rs"]
mod home;

#[path = "security/browser.rs"]
mod browser;
#[path = "security/crowd.rs"]
mod crowd;
#[path = "security/forged.rs"]
mod forged;
#[path = "security/injected.rs"]
mod injected;
#[path = "security/limits.rs"]
mod limits;
#[path = "security/roles.rs"]
mod roles;
#[path = "security/tls.rs"]
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use daemon::{Daemon, text};
use facts::FakeFacts;
use poller::api::{ApiOptions, Server, Services, socket_path};
use serde_json::{Value, json};

/// A daemon that listens at a port of its own, and where.
fn listening(arguments: &[&str]) -> (Daemon, SocketAddr) {
    listening_at("127.0.0.1:0", arguments)
}

fn listening_at(place: &str, arguments: &[&str]) -> (Daemon, SocketAddr) {
    let daemon = Daemon::start(&list(), &[&["--listen", place], arguments].concat());
    let address = address(&daemon);
    (daemon, address)
}

/// A list that asks nobody anything for an hour.
fn list() -> Value {
    json!([{"url": "http://127.0.0.1:9/", "interval": 3600}])
}

/// Where a daemon listens.
fn address(daemon: &Daemon) -> SocketAddr {
    let summary = daemon.summary();
    let listen = summary["listen"].as_str().expect("it listens").to_owned();
    listen.split_once("://").expect("an address").1.parse().expect("an address")
}

/// A token of this role, made by the command.
fn token(daemon: &Daemon, role: &str, more: &[&str]) -> String {
    let asked = [&["token", "create", "--role", role], more].concat();
    let output = daemon.asking(&asked).output().expect("it runs");
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// What is known of all tokens.
fn tokens(daemon: &Daemon) -> Value {
    let output = daemon.asking(&["token", "list", "--json"]).output().expect("it runs");
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn revoke(daemon: &Daemon, token: &str) {
    let id = token.split('_').nth(1).expect("an id");
    let output = daemon.asking(&["token", "revoke", id]).output().expect("it runs");
    assert!(output.status.success(), "{}", text(&output));
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A server of invented facts in this process, with options of its own.
struct House {
    facts: Arc<FakeFacts>,
    address: SocketAddr,
    _server: Server,
    _folder: tempfile::TempDir,
}

fn house(options: ApiOptions) -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let facts = Arc::new(FakeFacts::default());
    let network = poller::api::listen("127.0.0.1:0".parse().unwrap()).expect("a port");
    let services = Services { options: Arc::new(options), ..Services::of(facts.clone()) };
    let socket = socket_path(folder.path(), |_| None);
    let server = Server::start(&socket, Some(network), &services).expect("a server");
    let address = server.address().expect("it listens");
    House { facts, address, _server: server, _folder: folder }
}
