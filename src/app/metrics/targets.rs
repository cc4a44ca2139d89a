//! `Chosen`: the targets that have figures of their own, and these figures.

use std::sync::Arc;

use parking_lot::Mutex;

use super::machine::seconds;
use crate::app::live::Live;
use crate::outcome::Code;
use crate::roster::Roster;
use crate::store::Record;
use crate::target::{State, Target};
use crate::view::series::{Family, Labels, Unit};

/// Targets that are looked at while nobody else gets at the ledger or the roster.
const SLICE: usize = 500;

/// The targets that have figures of their own.
pub(super) struct Chosen {
    labels: Vec<(String, String)>,
    most: usize,
    known: Mutex<Known>,
}

/// Who was chosen of the targets that were there.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The state of the roster that was looked through.
    changes: Option<u64>,
    numbers: Arc<[u32]>,
    omitted: u64,
}

impl Chosen {
    /// Those that have one of `labels`, `most` of them.
    pub(super) fn by(labels: Vec<(String, String)>, most: usize) -> Self {
        Self { labels, most, known: Mutex::default() }
    }

    /// Their figures.
    pub(super) fn families(&self, live: &Live) -> Vec<Family> {
        let omitted = |count: u64| {
            Family::gauge(
                "poller_metrics_targets_omitted",
                "Targets that are left out because too many are to have figures of their own",
            )
            .of(count)
        };
        if self.labels.is_empty() {
            return vec![omitted(0)];
        }
        let known = self.look(live);
        let mut told = Told::new();
        for numbers in known.numbers.chunks(SLICE) {
            let roster = live.roster.read();
            let ledger = live.ledger.lock();
            for target in numbers.iter().filter_map(|number| roster.target(*number)) {
                told.tell(target, ledger.record(target.number));
            }
        }
        let mut families = told.into_families();
        families.push(omitted(known.omitted));
        families
    }

    /// Who is chosen; they are looked for again when the targets are others.
    fn look(&self, live: &Live) -> Known {
        let mut known = self.known.lock();
        let changes = live.roster.read().changes();
        if known.changes == Some(changes) {
            return known.clone();
        }
        let (mut numbers, mut omitted, mut seen) = (Vec::new(), 0, Some(0));
        while let Some(after) = seen {
            seen = self.slice(&live.roster.read(), after, &mut numbers, &mut omitted);
        }
        *known = Known { changes: Some(changes), numbers: numbers.into(), omitted };
        known.clone()
    }

    /// Looks at the targets behind `after`; tells where to go on.
    fn slice(
        &self,
        roster: &Roster,
        after: u32,
        numbers: &mut Vec<u32>,
        omitted: &mut u64,
    ) -> Option<u32> {
        let mut last = None;
        for target in roster.after(after).take(SLICE) {
            last = Some(target.number);
            if !self.wants(target) {
                continue;
            }
            if numbers.len() < self.most {
                numbers.push(target.number);
            } else {
                *omitted += 1;
            }
        }
        last
    }

    fn wants(&self, target: &Target) -> bool {
        let pairs = &target.labels.pairs;
        self.labels
            .iter()
            .any(|(name, value)| pairs.get(name.as_str()).is_some_and(|own| **own == **value))
    }
}

/// Figures of single targets, while they are put together.
struct Told([Family; 8]);

impl Told {
    fn new() -> Self {
        Self([
            Family::gauge(
                "poller_target_up",
                "Whether a target is up, or up with a warning; not told while nobody knows",
            ),
            Family::gauge(
                "poller_target_state",
                "1 for the state that a target is in, 0 for all others",
            ),
            Family::gauge(
                "poller_target_state_since_timestamp",
                "Since when a target is in its state, in Unix time",
            )
            .in_unit(Unit::Seconds),
            Family::gauge("poller_target_latency", "How long the last poll of a target took")
                .in_unit(Unit::Seconds),
            Family::gauge(
                "poller_target_last_check_timestamp",
                "When a target was last polled, in Unix time",
            )
            .in_unit(Unit::Seconds),
            Family::gauge(
                "poller_target_status_code",
                "The status that the last poll of a target got, 0 when none",
            ),
            Family::gauge(
                "poller_target_certificate_expiry_timestamp",
                "When the certificate of a target runs out, in Unix time",
            )
            .in_unit(Unit::Seconds),
            Family::gauge("poller_target_interval", "How often a target is polled")
                .in_unit(Unit::Seconds),
        ])
    }

    fn into_families(self) -> Vec<Family> {
        self.0.into()
    }

    fn tell(&mut self, target: &Target, record: Option<&Record>) {
        let labels = labels(target);
        let [up, state, since, latency, last, code, certificate, interval] = &mut self.0;
        interval.push(labels.clone(), f64::from(target.every_ms) / 1e3);
        let now = record.map_or(State::Pending, |record| record.health.state);
        for &other in State::ALL {
            let mut labels = labels.clone();
            labels.push(("state", other.as_str().to_owned()));
            state.push(labels, other == now);
        }
        match now {
            State::Up | State::Warning => up.push(labels.clone(), true),
            State::Down => up.push(labels.clone(), false),
            State::Unknown | State::Pending | State::Paused => {}
        }
        let Some(record) = record.filter(|record| record.last.0 != 0) else { return };
        since.push(labels.clone(), seconds(record.health.since_ms));
        latency.push(labels.clone(), f64::from(record.last_latency_us) / 1e6);
        last.push(labels.clone(), seconds(record.last.at_ms()));
        let status = match Code::from_stored(record.last_code) {
            Code::Status(status) => u64::from(status),
            Code::Cause(_) => 0,
        };
        code.push(labels.clone(), status);
        if record.certificate_until != 0 {
            certificate.push(labels, seconds(record.certificate_until.saturating_mul(1_000)));
        }
    }
}

/// What tells a target from others.
fn labels(target: &Target) -> Labels {
    let text = |given: Option<&str>| given.unwrap_or_default().to_owned();
    vec![
        ("id", target.shown_id()),
        ("url", target.address.to_string()),
        ("name", text(target.name.as_deref())),
        ("group", text(target.labels.group.as_deref())),
    ]
}
