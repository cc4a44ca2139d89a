//! `poller db export`: the targets of the cluster as a list.

use std::ops::ControlFlow;

use crate::app::role::RoleError;
use crate::config::targets::written::{Secrets, as_listed, read};
use crate::store::postgres::Database;
use crate::target::{Target, TargetId};

/// Entries that poll the same thing, as far as they are counted.
const MOST_EQUAL: u32 = 100_000;

/// The targets that are polled, as entries of a list, one a line.
///
/// # Errors
/// The database cannot be reached or refuses, or holds something that is no entry.
pub(super) async fn export(database: &Database, secrets: bool) -> Result<String, RoleError> {
    database.cluster().await?;
    let secrets = if secrets { Secrets::Told } else { Secrets::Hidden };
    let (mut text, mut later, mut fault) = (String::new(), Vec::new(), None);
    let take = |id: TargetId, given: Option<&str>, entry: &str| {
        match line(id, given, entry, secrets) {
            Ok((0, line)) => {
                text.push_str(&line);
                text.push('\n');
            }
            Ok(numbered) => later.push(numbered),
            Err(reason) => {
                fault = Some(format!("the database holds an entry for {id} that {reason}"));
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    database.entries(take).await?;
    if let Some(reason) = fault {
        return Err(RoleError { code: 1, reason });
    }
    // What polls the same is told apart by its order.
    later.sort();
    for (_, line) in later {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

/// An entry as a line, and how many that poll the same stand before it.
fn line(
    id: TargetId,
    given: Option<&str>,
    entry: &str,
    secrets: Secrets,
) -> Result<(u32, String), String> {
    let ordinal = match given {
        Some(_) => 0,
        None => ordinal(&read(entry.as_bytes(), id)?),
    };
    Ok((ordinal, as_listed(entry, secrets)?))
}

fn ordinal(target: &Target) -> u32 {
    let (kind, method) = (target.plan.probe.kind(), &target.plan.method);
    let of = |ordinal| TargetId::of_address(kind, method, target.address.written(), ordinal);
    (0..MOST_EQUAL).find(|ordinal| of(*ordinal) == target.id).unwrap_or(MOST_EQUAL)
}
