//! Whether the daemon is well, in one line and an exit code.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::out::Out;
use crate::api::client::{AskError, Client, is_unready};
use crate::view::text::one_line;
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

/// Says how the daemon is, within `limit`: 0 when it polls on time and stores, 1 when it is late or
/// does not store, 2 when it does not poll, 3 when that cannot be known.
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
    if summary.storage.is_degraded() {
        let reason = summary.storage.reason.as_deref().unwrap_or("no reason is known");
        return (WARNING, format!("WARNING - it does not store ({reason}); {figures}"));
    }
    if summary.schedule.state == "saturated" {
        return (WARNING, format!("WARNING - polls run late, all places are taken; {figures}"));
    }
    (0, format!("OK - {figures}"))
}
