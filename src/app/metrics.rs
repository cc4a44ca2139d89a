//! `Figures`: what a running daemon tells monitoring systems, from memory.

pub(super) mod machine;
mod targets;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::live::Live;
use crate::api::Metrics;
use crate::check::Checks;
use crate::config::settings::ApiSettings;
use crate::outcome::Phases;
use crate::stats::Counters;
use crate::view::series::{Family, Unit};
use crate::view::{Lists, Summary};
use targets::Chosen;

/// What a running daemon tells monitoring systems.
pub(super) struct Figures {
    live: Arc<Live>,
    check: Arc<Checks>,
    chosen: Chosen,
}

impl Figures {
    /// The figures of the daemon that is `live` and looks at targets by `check`; `settings` say
    /// which targets have figures of their own.
    pub(super) fn new(live: Arc<Live>, check: Arc<Checks>, settings: &ApiSettings) -> Self {
        let chosen = Chosen::by(settings.metrics_labels.clone(), settings.metrics_targets);
        Self { live, check, chosen }
    }
}

impl Metrics for Figures {
    fn families(&self) -> Vec<Family> {
        let summary = self.live.summary(Lists::Short);
        let counters = self.live.counters.lock().clone();
        let mut families = Vec::with_capacity(96);
        families.extend(fleet(&summary));
        families.extend(checks(&summary, &counters));
        families.extend(schedule(&summary, &counters));
        families.extend(machine::storage(&summary));
        families.extend(machine::own(&summary));
        families.extend(machine::network(&summary, self.check.names()));
        families.extend(machine::process(&self.live, &summary));
        families.extend(probes(&self.live));
        families.extend(self.chosen.families(&self.live));
        families
    }
}

/// Probes that somebody asked for.
fn probes(live: &Live) -> [Family; 2] {
    let [failed, succeeded] = live.shelf.done();
    [
        Family::counter("poller_probes", "Probes that were asked for, by what came of them")
            .by("result", [("success", succeeded), ("failure", failed)]),
        Family::counter(
            "poller_probe_module_unknown",
            "How often a module was asked for that there is not",
        )
        .of(live.shelf.unknown.load(Relaxed)),
    ]
}

/// The targets.
pub(super) fn fleet(summary: &Summary) -> [Family; 4] {
    let of = &summary.targets;
    let states = [
        ("up", of.up),
        ("warning", of.warning),
        ("down", of.down),
        ("unknown", of.unknown),
        ("pending", of.pending),
        ("paused", of.paused),
    ];
    [
        Family::gauge("poller_targets", "Targets that are polled, by their state")
            .by("state", states),
        Family::gauge("poller_targets_unique", "Different addresses among the targets")
            .of(of.unique),
        Family::gauge("poller_targets_rejected", "Entries of the list that cannot be used")
            .of(of.rejected),
        Family::gauge(
            "poller_certificates_expiring",
            "Targets whose certificate is valid for fewer days than expected of it",
        )
        .of(summary.certificates_expiring_total),
    ]
}

fn checks(summary: &Summary, counters: &Counters) -> [Family; 6] {
    let causes = counters.causes.iter().map(|(cause, count)| (cause.as_str(), *count));
    [
        Family::counter("poller_checks", "Polls that finished, by what they found")
            .by("verdict", Counters::VERDICTS.into_iter().zip(counters.verdicts)),
        Family::counter("poller_checks_by_kind", "Polls that finished, by why they were made")
            .by("kind", Counters::KINDS.into_iter().zip(counters.kinds)),
        Family::counter(
            "poller_check_causes",
            "Polls that did not find their target up, by the cause",
        )
        .by("cause", causes),
        Family::counter("poller_check_body", "Body bytes of answers")
            .in_unit(Unit::Bytes)
            .of(summary.checks.bytes),
        Family::histogram("poller_check_latency", "How long polls took that got an answer")
            .of(&counters.latency),
        Family::histogram("poller_check_phase", "How long the phases of polls took")
            .by("phase", Phases::NAMES.into_iter().zip(&counters.phases)),
    ]
}

fn schedule(summary: &Summary, counters: &Counters) -> [Family; 10] {
    let missed = &summary.checks.missed_by;
    let reasons = [
        ("running", missed.running),
        ("saturated", missed.saturated),
        ("politeness", missed.politeness),
        ("standstill", missed.standstill),
    ];
    let gauge = |name, help, value: u64| Family::gauge(name, help).of(value);
    [
        Family::counter(
            "poller_slots_missed",
            "Slots that came round while the last one of their target waited or ran, by the reason",
        )
        .by("reason", reasons),
        Family::counter(
            "poller_slots_backed_off",
            "Slots that were left out because their target has been down for long",
        )
        .of(summary.checks.backed_off),
        Family::histogram("poller_schedule_lag", "How late polls began after they fell due")
            .of(&counters.lag),
        gauge(
            "poller_schedule_waiting",
            "Due targets that wait for a place",
            summary.schedule.waiting,
        ),
        gauge(
            "poller_schedule_polite",
            "Due targets that wait for the sake of their host",
            summary.schedule.polite,
        ),
        gauge("poller_checks_in_flight", "Polls that run", summary.in_flight.count),
        gauge("poller_places_limit", "Polls that may run at once now", summary.places.limit),
        gauge(
            "poller_places_most",
            "Polls that may run at once while all is well",
            summary.places.most,
        ),
        Family::counter(
            "poller_places_shrunk",
            "How often the places became fewer for want of something",
        )
        .of(summary.places.shrunk),
        Family::gauge("poller_places_held", "Whether no poll begins, for want of memory")
            .of(summary.places.state == "held"),
    ]
}
