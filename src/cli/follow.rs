//! Every finished poll as a line, as it finishes.

use std::ops::ControlFlow;
use std::process::ExitCode;

use super::out::Out;
use crate::api::client::Client;
use crate::view::text::count;

/// Prints a line for every finished poll until Ctrl-C or until the daemon ends; the number of
/// those that were too many to print goes to standard error.
///
/// Returns 0, or 1 and says why when the daemon cannot be followed.
pub fn follow(client: &Client, out: &mut Out) -> ExitCode {
    let mut failure = None;
    let followed = client.follow(|line| {
        if line.is_empty() {
            return ControlFlow::Continue(());
        }
        if let Some(more) = line.strip_prefix("# ").and_then(|rest| rest.strip_suffix(" more")) {
            let more = more.parse().map_or_else(|_| more.to_owned(), count);
            out.word(&format!("and {more} more polls that are not shown"));
            return ControlFlow::Continue(());
        }
        match out.result(&format!("{line}\n")) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    match (followed, failure) {
        (Err(error), _) => {
            out.word(&error.to_string());
            ExitCode::FAILURE
        }
        (Ok(()), Some(error)) if !Out::is_over(&error) => {
            out.word(&format!("cannot write the polls: {error}"));
            ExitCode::FAILURE
        }
        (Ok(()), _) => ExitCode::SUCCESS,
    }
}
