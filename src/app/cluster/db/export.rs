//! `poller db export`: the targets of the cluster as a list.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use crate::app::edit::merge::EXPIRES;
use crate::app::role::RoleError;
use crate::clock::rfc3339;
use crate::config::targets::written::{Secrets, as_listed, read};
use crate::store::postgres::Database;
use crate::store::postgres::import::Origin;
use crate::store::postgres::status::Exported;
use crate::target::{Target, TargetId};

/// Entries that poll the same thing, as far as they are counted.
const MOST_EQUAL: u32 = 100_000;

/// The targets that are polled and that `origin` wants, as entries: those of lists as one list, one a
/// line, and those of the API as the array that it takes.
///
/// # Errors
/// The database cannot be reached or refuses, or holds something that is no entry.
pub(super) async fn export(
    database: &Database,
    origin: Origin,
    secrets: Secrets,
) -> Result<String, RoleError> {
    database.cluster().await?;
    let (mut lines, mut later, mut fault) = (Vec::new(), Vec::new(), None);
    let take = |exported: Exported<'_>| {
        // A list says nothing of when its targets go.
        let expires_ms = exported.expires_ms.filter(|_| origin == Origin::Api);
        match line(&Exported { expires_ms, ..exported }, secrets) {
            Ok((0, line)) => lines.push(line),
            Ok(numbered) => later.push(numbered),
            Err(reason) => {
                let id = exported.id;
                fault = Some(format!("the database holds an entry for {id} that {reason}"));
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    database.entries(origin, take).await?;
    if let Some(reason) = fault {
        return Err(RoleError { code: 1, reason });
    }
    // What polls the same is told apart by its order.
    later.sort();
    lines.extend(later.into_iter().map(|(_, line)| line));
    Ok(match origin {
        Origin::List => lines.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect(),
        Origin::Api => format!("[\n{}\n]\n", lines.join(",\n")),
    })
}

/// An entry as a line, and how many that poll the same stand before it.
fn line(exported: &Exported<'_>, secrets: Secrets) -> Result<(u32, String), String> {
    let Exported { id, given_id, entry, expires_ms } = *exported;
    let ordinal = match given_id {
        Some(_) => 0,
        None => ordinal(&read(entry.as_bytes(), id)?),
    };
    let line = as_listed(entry, secrets)?;
    Ok(match expires_ms {
        Some(at_ms) => (ordinal, with_end(&line, at_ms)?),
        None => (ordinal, line),
    })
}

/// The entry `line` of a target that is to go at `at_ms` (Unix milliseconds).
fn with_end(line: &str, at_ms: i64) -> Result<String, String> {
    let mut keys: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("is no entry: {error}"))?;
    keys.insert(EXPIRES.to_owned(), rfc3339(at_ms).into());
    Ok(Value::Object(keys).to_string())
}

fn ordinal(target: &Target) -> u32 {
    let (kind, method) = (target.plan.probe.kind(), &target.plan.method);
    let of = |ordinal| TargetId::of_address(kind, method, target.address.written(), ordinal);
    (0..MOST_EQUAL).find(|ordinal| of(*ordinal) == target.id).unwrap_or(MOST_EQUAL)
}
