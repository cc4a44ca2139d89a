//! Whether the daemon is well, in one line and an exit code.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::out::Out;
use crate::api::client::{AskError, Client, is_unready};
use crate::view::text::{clean, count, one_line};
use crate::view::{Lists, Summary};

/// The codes of the Nagios plugins.
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;
const UNKNOWN: u8 = 3;

/// What counts as healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// A daemon that polls on time and stores.
    Whole,
    /// A daemon that polls: a restart would not cure the rest.
    Live,
}

/// Says how the daemon is, within `limit`: 0 when it polls on time and stores, 1 when it is late,
/// short of something, holds judgement or does not store, 2 when it does not poll, 3 when that cannot be known.
pub fn health(client: &Client, limit: Duration, strictness: Strictness, out: &mut Out) -> ExitCode {
    let began = Instant::now();
    let client = client.clone().with_patience(limit);
    let (code, line) = match client.ready() {
        Ok(()) => {
            let left = limit.saturating_sub(began.elapsed());
            told(client.with_patience(left).summary(Lists::Short))
        }
        Err(error) if is_unready(&error) => (CRITICAL, format!("CRITICAL - {error}")),
        Err(error) => match &error {
            AskError::NoPermission { .. } | AskError::Unusable { .. } | AskError::Runtime(_) => {
                (UNKNOWN, format!("UNKNOWN - {error}"))
            }
            _ => (CRITICAL, format!("CRITICAL - {error}")),
        },
    };
    match out.result(&format!("{line}\n")) {
        Err(error) if !Out::is_over(&error) => {
            out.word(&format!("cannot write: {error}"));
            ExitCode::from(UNKNOWN)
        }
        _ if code == WARNING && strictness == Strictness::Live => ExitCode::SUCCESS,
        _ => ExitCode::from(code),
    }
}

/// What the summary of a daemon that polls says of its health.
fn told(summary: Result<Summary, AskError>) -> (u8, String) {
    let summary = match summary {
        Ok(summary) => summary,
        Err(error) => return (WARNING, format!("WARNING - it polls, but {error}")),
    };
    let figures = one_line(&summary);
    match complaint(&summary) {
        Some(complaint) => (WARNING, format!("WARNING - {complaint}; {figures}")),
        None => (0, format!("OK - {figures}")),
    }
}

/// What is not as it should be with a daemon that polls; the gravest alone.
fn complaint(summary: &Summary) -> Option<String> {
    let (storage, places, judgement) = (&summary.storage, &summary.places, &summary.judgement);
    let because = |reason: &Option<String>| {
        let reason = reason.as_deref().unwrap_or("no reason is known");
        format!("({})", clean(reason))
    };
    if storage.is_degraded() {
        return Some(format!("it does not store {}", because(&storage.reason)));
    }
    if judgement.is_held() {
        let reason = because(&judgement.reason);
        return Some(format!(
            "it is probably not the targets that fail, judgement is held {reason}"
        ));
    }
    if places.state == "held" {
        return Some(format!("no poll begins for now {}", because(&places.reason)));
    }
    if !places.is_ok() {
        let (limit, most) = (count(places.limit), count(places.most));
        let reason = because(&places.reason);
        return Some(format!("{limit} polls at most run at once instead of {most} {reason}"));
    }
    (summary.schedule.state == "saturated")
        .then(|| "polls run late, all places are taken".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Judgement, Places, Schedule, Storage};

    fn code_and_start(summary: Summary) -> (u8, String) {
        let (code, line) = told(Ok(summary));
        (code, line.split("; ").next().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_daemon_that_says_nothing_of_trouble_is_well() {
        assert_eq!(told(Ok(Summary::default())).0, 0);
        let places = Places { state: "ok".into(), limit: 7, most: 7, ..Places::default() };
        assert_eq!(told(Ok(Summary { places, ..Summary::default() })).0, 0);
    }

    #[test]
    fn what_is_short_or_held_is_a_warning_the_gravest_first() {
        let mut summary = Summary {
            schedule: Schedule { state: "saturated".into(), ..Schedule::default() },
            ..Summary::default()
        };
        let mut expect = |change: &dyn Fn(&mut Summary), words: &str| {
            change(&mut summary);
            let told = code_and_start(summary.clone());
            assert_eq!(told, (WARNING, format!("WARNING - {words}")));
        };
        expect(&|_| (), "polls run late, all places are taken");
        let shrunk = |reason| Places {
            state: "shrunk".into(),
            limit: 412,
            most: 1_000,
            reason,
            ..Places::default()
        };
        expect(
            &|summary| summary.places = shrunk(Some("the runtimes are late".to_owned())),
            "412 polls at most run at once instead of 1,000 (the runtimes are late)",
        );
        expect(
            &|summary| summary.places.state = "held".into(),
            "no poll begins for now (the runtimes are late)",
        );
        expect(
            &|summary| {
                let reason = Some("98 of 100 targets fail together".to_owned());
                summary.judgement =
                    Judgement { state: "held".into(), reason, ..Judgement::default() };
            },
            "it is probably not the targets that fail, judgement is held (98 of 100 targets fail \
             together)",
        );
        expect(
            &|summary| summary.storage = Storage { state: "degraded".into(), ..Storage::default() },
            "it does not store (no reason is known)",
        );
    }
}
