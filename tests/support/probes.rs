//! Checks of every kind with what they tell, and scripted servers that speak by lines.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use poller::address::Address;
use poller::check::{Check as _, Checks, Facts, HttpOptions, Telling};
use poller::outcome::Finding;
use poller::target::{Plan, Target};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use crate::site::{self, Site};

/// A target of any kind that is checked by `plan`, within 10 seconds.
pub fn target(url: &str, plan: Plan) -> Target {
    let address = Address::parse_any(url).expect("the test's own address is right");
    Target { address, ..site::target("http://unused.example/", plan) }
}

/// What one check of `url` by `plan` finds and tells.
pub async fn look(url: &str, plan: Plan) -> (Finding, Facts) {
    look_with(HttpOptions::default(), target(url, plan)).await
}

/// What one check of `target` finds and tells, by `options`.
pub async fn look_with(options: HttpOptions, target: Target) -> (Finding, Facts) {
    let checks = Checks::new(options).expect("good options");
    Telling::new(Arc::new(checks)).check(Arc::new(target)).await
}

/// An address that refuses connections.
pub fn refusing() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a bound listener has an address")
}

/// The fact `name`; null when it is not told.
pub fn fact(facts: &Facts, name: &str) -> Value {
    facts.data.get(name).cloned().unwrap_or_default()
}

/// What a server does when it hears a line that begins so: it says something, and where that begins
/// with `TLS:`, it goes on inside TLS. `CLOSE` hangs up; what begins with `354` takes a message.
pub type Rules = &'static [(&'static str, &'static str)];

/// A connection, whatever it goes over.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A server that speaks by lines, as its rules say.
pub struct Speaker {
    pub site: Site,
    heard: Arc<Mutex<Vec<String>>>,
}

/// How a server speaks.
pub struct Manners {
    /// What it says first.
    pub greeting: &'static str,
    /// Earlier ones go first.
    pub rules: Vec<Rules>,
    /// How it makes handshakes.
    pub tls: Option<ServerConfig>,
    /// Whether it does so first of all.
    pub is_implicit: bool,
}

impl Speaker {
    /// A server without TLS.
    pub async fn plain(greeting: &'static str, rules: &[Rules]) -> Self {
        Self::new(Manners { greeting, rules: rules.to_vec(), tls: None, is_implicit: false }).await
    }

    pub async fn new(manners: Manners) -> Self {
        let Manners { greeting, rules, tls, is_implicit } = manners;
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let site = Site::serve(move |tcp, _| {
            let (rules, acceptor, heard) = (rules.clone(), acceptor.clone(), Arc::clone(&ear));
            async move {
                let mut wire: Box<dyn Wire> = Box::new(tcp);
                if is_implicit {
                    let Some(inside) = secured(wire, acceptor.as_ref()).await else { return };
                    wire = inside;
                }
                let _ = wire.write_all(greeting.as_bytes()).await;
                let _ = wire.flush().await;
                converse(wire, &rules, acceptor.as_ref(), &heard).await;
            }
        })
        .await;
        Self { site, heard }
    }

    /// The lines that it heard so far; a message is one.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panicked").clone()
    }

    /// Its address with `scheme`.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.site.address)
    }
}

async fn secured(wire: Box<dyn Wire>, acceptor: Option<&TlsAcceptor>) -> Option<Box<dyn Wire>> {
    let inside = acceptor.expect("a server with TLS").accept(wire).await;
    inside.ok().map(|inside| Box::new(inside) as Box<dyn Wire>)
}

async fn converse(
    mut wire: Box<dyn Wire>,
    rules: &[Rules],
    acceptor: Option<&TlsAcceptor>,
    heard: &Mutex<Vec<String>>,
) {
    while let Some(line) = hear(&mut wire).await {
        heard.lock().expect("nobody panicked").push(line.clone());
        let rule = rules.iter().copied().flatten().find(|(start, _)| line.starts_with(start));
        let says = rule.map_or("500 what?\r\n", |(_, says)| *says);
        if says == "CLOSE" {
            return;
        }
        let (words, begins_tls) =
            says.strip_prefix("TLS:").map_or((says, false), |words| (words, true));
        let _ = wire.write_all(words.as_bytes()).await;
        let _ = wire.flush().await;
        if begins_tls {
            let Some(inside) = secured(wire, acceptor).await else { return };
            wire = inside;
        }
        if words.starts_with("354") {
            let mut message = String::new();
            while !message.ends_with("\r\n.\r\n") {
                let Some(line) = hear(&mut wire).await else { return };
                message += &(line + "\r\n");
            }
            heard.lock().expect("nobody panicked").push(message);
            let _ = wire.write_all(b"250 2.0.0 queued as 1\r\n").await;
            let _ = wire.flush().await;
        }
    }
}

/// The next line, without its end; none when no more come.
async fn hear(wire: &mut Box<dyn Wire>) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(wire.read_u8().await.ok()?);
    }
    line.truncate(line.len() - 2);
    Some(String::from_utf8(line).expect("lines are text"))
}
