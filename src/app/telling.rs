//! What is told of polls as they are recorded: lines to followers, events to readers.

use std::sync::Arc;

use super::live::Live;
use super::pages::told_detail;
use crate::api::{Broadcast, Events, Feed, finished_line};
use crate::clock::rfc3339;
use crate::health::Transition;
use crate::outcome::{Outcome, SampleKind};
use crate::roster::Roster;
use crate::stage::recorder::Tap;
use crate::target::Target;
use crate::view::recent::seconds;
use crate::view::{ToldOutcome, ToldTransition, words};

/// What sees all that is recorded, and tells it to whoever wants to know.
pub(super) fn tap(live: &Arc<Live>, feed: &Arc<Feed>) -> Tap {
    let (live, feed) = (Arc::clone(live), Arc::clone(feed));
    Box::new(move |outcomes, transitions| {
        live.note(outcomes);
        tell_lines(&feed, &live, outcomes);
        if live.broadcast.has_readers() {
            tell_events(&live, outcomes, transitions);
        }
    })
}

fn tell_lines(feed: &Feed, live: &Live, outcomes: &[Outcome]) {
    if !feed.has_followers() {
        return;
    }
    let roster = live.roster.read();
    for outcome in outcomes {
        if let Some(target) = roster.target(outcome.target) {
            let second = outcome.finished_us.div_euclid(1_000_000);
            feed.publish(second, || finished_line(&target.address.to_string(), outcome));
        }
    }
}

/// Tells changes of state that no poll brought about.
pub(super) fn tell_transitions(live: &Live, transitions: &[Transition]) {
    if live.broadcast.has_readers() {
        tell_events(live, &[], transitions);
    }
}

fn tell_events(live: &Live, outcomes: &[Outcome], transitions: &[Transition]) {
    let roster = live.roster.read();
    for transition in transitions {
        live.broadcast.transition(transition.target, || told_transition(&roster, transition));
    }
    live.broadcast.outcomes(outcomes, live.clock.monotonic_us(), |outcome| {
        roster.target(outcome.target).map(|target| told_outcome(target, outcome))
    });
}

fn told_transition(roster: &Roster, transition: &Transition) -> Option<ToldTransition> {
    let target = roster.target(transition.target)?;
    Some(ToldTransition {
        at: rfc3339(transition.at_ms),
        target_id: target.shown_id(),
        url: target.address.to_string(),
        name: target.name.as_deref().map(Into::into),
        from: transition.from.as_str().into(),
        to: transition.to.as_str().into(),
        cause: transition.cause.map(|cause| cause.as_str().into()),
        detail: told_detail(transition.detail),
    })
}

fn told_outcome(target: &Target, outcome: &Outcome) -> ToldOutcome {
    let finding = &outcome.finding;
    let kind = match outcome.kind {
        SampleKind::Slot => "slot",
        SampleKind::Recheck => "recheck",
        SampleKind::Manual => "manual",
    };
    ToldOutcome {
        at: rfc3339(outcome.finished_us.div_euclid(1_000)),
        target_id: target.shown_id(),
        url: target.address.to_string(),
        verdict: words::verdict(finding.verdict).into(),
        code: outcome.code().to_string(),
        cause: finding.cause.map(|cause| cause.as_str().into()),
        detail: told_detail(finding.detail),
        latency_seconds: seconds(outcome.latency_us.into()),
        bytes: finding.bytes,
        lag_seconds: seconds(outcome.lag_us.into()),
        kind: kind.into(),
    }
}

impl Events for Live {
    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    fn number_of(&self, id: &str) -> Option<u32> {
        let found = self.annex.find(&self.roster, &[id.to_owned()]);
        found.into_iter().flatten().next().map(|target| target.number)
    }
}
