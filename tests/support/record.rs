//! Looks at DNS records, as one check makes them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::net::SocketAddr;
use std::sync::Arc;

use poller::address::Address;
use poller::check::{Check, Checks, Facts, HttpOptions, Telling};
use poller::outcome::{Cause, Detail, Finding};
use poller::target::{
    CheckKind, DnsProbe, Labels, Look, Origin, Plan, Priority, Probe, RecordType, Seat, Target,
    TargetId,
};
use serde_json::Value;

/// A look at a record, and how it is made.
#[derive(Clone)]
pub struct LookAt {
    pub host: String,
    pub probe: DnsProbe,
    pub server: Option<SocketAddr>,
    pub options: HttpOptions,
    pub timeout_ms: u32,
}

/// What a look found.
#[derive(Debug)]
pub struct Seen {
    pub finding: Finding,
    pub facts: Facts,
}

impl LookAt {
    /// A look at a record of `host` by the name server `server`, within 10 seconds.
    pub fn new(host: &str, record: RecordType, server: SocketAddr) -> Self {
        let probe = DnsProbe {
            record,
            expected: Vec::new(),
            resolvers: Vec::new(),
            propagation_threshold: 80,
            authoritative: Look::No,
            dnssec: Look::No,
        };
        Self {
            host: host.to_owned(),
            probe,
            server: Some(server),
            options: HttpOptions::default(),
            timeout_ms: 10_000,
        }
    }

    pub fn expecting(mut self, values: &[&str]) -> Self {
        self.probe.expected = values.iter().map(|&value| value.into()).collect();
        self
    }

    pub fn within(self, timeout_ms: u32) -> Self {
        Self { timeout_ms, ..self }
    }

    /// The same, and the name server is the one of the settings.
    pub fn by_settings(mut self) -> Self {
        self.options.resolvers = self.server.take().into_iter().collect();
        self
    }

    pub async fn run(self) -> Seen {
        let url = format!("dns://{}", self.host);
        let plan = Plan {
            probe: Probe::Dns(Box::new(self.probe)),
            resolver: self.server,
            ..Plan::default()
        };
        let target = Target {
            number: 1,
            id: TargetId::of_address(CheckKind::Dns, "", &url, 0),
            given_id: None,
            name: None,
            address: Address::parse_any(&url).expect("the test's own address is right"),
            every_ms: 60_000,
            timeout_ms: self.timeout_ms,
            priority: Priority::Normal,
            plan: Arc::new(plan),
            labels: Arc::new(Labels::default()),
            origin: Origin::default(),
            seat: Seat::default(),
        };
        let checks = Checks::new(self.options).expect("the options are right");
        let (finding, facts) = Telling::new(Arc::new(checks)).check(Arc::new(target)).await;
        Seen { finding, facts }
    }
}

impl Seen {
    /// The fact at `path`, as in `dnssec/status`.
    pub fn fact(&self, path: &str) -> &Value {
        let mut words = path.split('/');
        let first = words.next().expect("a path");
        let fact = self.facts.data.get(first).unwrap_or(&Value::Null);
        words.fold(fact, |fact, word| match word.parse::<usize>() {
            Ok(number) => &fact[number],
            Err(_) => &fact[word],
        })
    }

    /// The text of the fact at `path`.
    pub fn text(&self, path: &str) -> &str {
        self.fact(path).as_str().unwrap_or_else(|| panic!("{path} is no text: {self:?}"))
    }

    /// The values that were found, in the order of their letters.
    pub fn values(&self) -> Vec<&str> {
        let values = self.fact("values").as_array().expect("always a list");
        let mut values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        values
    }

    /// Cause and detail of what is not as it should be.
    pub fn fault(&self) -> (Cause, Detail) {
        let cause = self.finding.cause.unwrap_or_else(|| panic!("no fault: {self:?}"));
        (cause, self.finding.detail)
    }

    /// Nothing is wrong with it.
    #[track_caller]
    pub fn is_up(&self) {
        assert_eq!(self.finding.cause, None, "{self:?}");
    }
}
