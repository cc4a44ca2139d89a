//! Whether the daemon is well, in one line and an exit code.

use std::process::ExitCode;
use std::time::Duration;

use super::out::Out;
use crate::api::client::{AskError, Client, is_unready};
use crate::view::text::one_line;
use crate::view::{Lists, Summary};

/// The codes of the Nagios plugins.
const CRITICAL: u8 = 2;
const UNKNOWN: u8 = 3;

/// Says how the daemon is: 0 when it polls, 2 when it does not, 3 when that cannot be known.
pub fn health(client: &Client, limit: Duration, out: &mut Out) -> ExitCode {
    let client = client.clone().with_patience(limit);
    let (code, line) = match client.ready() {
        Ok(()) => (0, told(client.summary(Lists::Short))),
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
        _ => ExitCode::from(code),
    }
}

fn told(summary: Result<Summary, AskError>) -> String {
    match summary {
        Ok(summary) => format!("OK - {}", one_line(&summary)),
        Err(_) => "OK - it polls".to_owned(),
    }
}
