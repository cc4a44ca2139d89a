//! Makes lists of targets of the fleet: the same wishes give the same list.

use serde_json::{Value, json};

use super::address::fraction;
use super::{Certificate, Fleet};

/// What a list shall hold.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    /// How many targets; the first ones of the fleet.
    pub(crate) targets: u32,
    /// Seconds between two polls of a target.
    pub(crate) interval_seconds: u64,
    /// The share (0 to 1) that is called by name; the rest by address.
    pub(crate) names: f64,
    /// Bounds of the delay of each answer in milliseconds.
    pub(crate) latency_ms: (u32, u32),
    /// Statuses with their weights; 200 alone when there are none.
    pub(crate) statuses: Vec<(u16, f64)>,
    /// The share over TLS with a good certificate; they are called by name.
    pub(crate) tls: f64,
    /// The share that misbehaves in one way or another.
    pub(crate) faults: f64,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            targets: 1000,
            interval_seconds: 10,
            names: 0.0,
            latency_ms: (0, 0),
            statuses: Vec::new(),
            tls: 0.0,
            faults: 0.0,
        }
    }
}

/// What the targets that misbehave do, in turn; the one after these answers no SYN.
const FAULTS: [&str; 10] = [
    "/silent",
    "/reset",
    "/close",
    "/short",
    "/reset-mid",
    "/garbage",
    "/hang-head",
    "/bad-chunk",
    "/drip",
    "/loop",
];

/// The certificates that a part of them have.
const BAD: [Certificate; 7] = [
    Certificate::Expired,
    Certificate::NotYetValid,
    Certificate::SelfSigned,
    Certificate::WrongName,
    Certificate::MissingIntermediate,
    Certificate::UnknownIssuer,
    Certificate::Alert,
];

impl Fleet {
    /// The URLs of the targets, by number.
    pub(crate) fn list(&self, wishes: &Wishes) -> Vec<String> {
        (0..wishes.targets).map(|number| self.wish(wishes, number)).collect()
    }

    fn wish(&self, wishes: &Wishes, number: u32) -> String {
        let drawn = |what| fraction(what, u64::from(number));
        if drawn(1) < wishes.faults {
            if drawn(2) < wishes.tls {
                return self.https_url(number, BAD[number as usize % BAD.len()], "/");
            }
            return match FAULTS.get(number as usize % (FAULTS.len() + 1)) {
                Some(fault) => self.url(number, fault),
                None => self.blackhole_url(number),
            };
        }
        let mut path = match wishes.latency_ms {
            (0, 0) => String::new(),
            (low, high) if low == high => format!("/d{low}"),
            (low, high) => format!("/d{low}-{high}"),
        };
        match status(&wishes.statuses, drawn(3)) {
            200 => {}
            status => path = format!("{path}/s{status}"),
        }
        if path.is_empty() {
            path.push('/');
        }
        if drawn(2) < wishes.tls {
            self.https_url(number, Certificate::Good, &path)
        } else if drawn(4) < wishes.names {
            self.named_url(number, &path)
        } else {
            self.url(number, &path)
        }
    }

    /// The list as poller reads it: `[{"url": …, "interval": …}, …]`.
    pub(crate) fn list_json(&self, wishes: &Wishes) -> String {
        let entries = self.list(wishes).into_iter();
        let entries = entries.map(|url| json!({"url": url, "interval": wishes.interval_seconds}));
        format!("{:#}\n", Value::Array(entries.collect()))
    }
}

/// The status that `drawn` (0 to 1) falls on.
fn status(statuses: &[(u16, f64)], drawn: f64) -> u16 {
    let total: f64 = statuses.iter().map(|(_, weight)| weight).sum();
    let mut left = drawn * total;
    for (status, weight) in statuses {
        left -= weight;
        if left < 0.0 {
            return *status;
        }
    }
    200
}
