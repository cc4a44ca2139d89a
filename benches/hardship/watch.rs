//! What is seen of the daemon's places, second by second.

use serde_json::Value;

use super::figure;
use super::rig::{Poller, pause};

/// The extremes of some seconds, and the last summary of them.
pub(crate) struct Watched {
    fewest_places: f64,
    most_down: f64,
    most_unknown: f64,
    latest_ms: f64,
    reason: String,
    last: Value,
}

impl Watched {
    /// Watches `poller` for so many seconds.
    pub(crate) fn of(poller: &Poller, seconds: u32) -> Self {
        let mut watched = Self {
            fewest_places: f64::INFINITY,
            most_down: 0.0,
            most_unknown: 0.0,
            latest_ms: 0.0,
            reason: String::new(),
            last: Value::Null,
        };
        for _ in 0..seconds {
            pause(1.0);
            watched.look(poller.summary());
        }
        watched
    }

    fn look(&mut self, summary: Value) {
        if summary.is_null() {
            return;
        }
        self.fewest_places = self.fewest_places.min(figure(&summary, "/places/limit"));
        self.most_down = self.most_down.max(figure(&summary, "/targets/down"));
        self.most_unknown = self.most_unknown.max(figure(&summary, "/targets/unknown"));
        let late_ms = figure(&summary, "/resources/runtime_lag_max") * 1e3;
        self.latest_ms = self.latest_ms.max(late_ms);
        if let Some(reason) = summary.pointer("/places/reason").and_then(Value::as_str) {
            reason.clone_into(&mut self.reason);
        }
        self.last = summary;
    }

    /// Prints it as what was so at that time.
    pub(crate) fn tell(&self, when: &str) {
        let reason = if self.reason.is_empty() { "nothing is lacking" } else { &self.reason };
        println!(
            "  {when}: {} places at least ({reason}), {} down and {} unknown at most, {} in \
             flight, {} slots missed so far, runtimes {:.0} ms late at most in a minute, lag p99 \
             of five {:.0} ms",
            self.fewest_places,
            self.most_down,
            self.most_unknown,
            figure(&self.last, "/in_flight/count"),
            figure(&self.last, "/checks/missed"),
            self.latest_ms,
            figure(&self.last, "/schedule/lag_p99") * 1e3,
        );
    }
}

/// What polls found, in all.
pub(crate) fn tell_verdicts(poller: &Poller) {
    let count = |verdict: &str| {
        poller.number(&format!("SELECT count(*) FROM checks WHERE verdict = '{verdict}'"))
    };
    println!(
        "  polls: {} up, {} down, {} unknown; {} outages; longest {:.0} ms",
        count("up"),
        count("down"),
        count("unknown"),
        poller.number("SELECT count(*) FROM incidents"),
        poller.number("SELECT max(latency_ms) FROM checks"),
    );
}
