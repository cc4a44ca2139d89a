//! The mail exchangers of a domain (RFC 5321, section 5.1), and the first of them that can be reached.

use serde_json::{Value, json};

use crate::address::Host;
use crate::check::counted::Counted;
use crate::check::fault::Fault;
use crate::check::lines::shown;
use crate::check::network::Network;
use crate::check::progress::{Progress, Step};
use crate::outcome::{Cause, Detail, Verdict};
use crate::target::Target;

/// Exchangers that are tried at most.
const TRIED: usize = 10;

/// Connects to the first exchanger of `domain` that accepts it, in the order of preference; its
/// name comes along.
///
/// # Errors
/// The domain takes no mail, nobody says who takes it, or none of them accepts.
pub(super) async fn connect(
    network: &Network,
    target: &Target,
    domain: &str,
    progress: &mut Progress,
) -> Result<(Counted, String), Fault> {
    progress.step = Step::Resolving;
    let found = network.exchangers(target, domain, progress).await?;
    progress.tell(|facts| {
        let records = found.iter().map(
            |one| json!({ "preference": one.preference, "exchange": shown(one.name.as_bytes()) }),
        );
        facts.put("mx_records", records.collect::<Vec<Value>>());
    });
    if !found.is_empty() && found.iter().all(|one| one.name.is_empty()) {
        progress.tell(|facts| facts.message = format!("{domain} takes no mail: its MX is \".\""));
        return Err(Fault::new(Cause::Dns, Detail::NoMail));
    }
    let mut names: Vec<String> = found.iter().map(|one| one.name.clone()).collect();
    names.retain(|name| !name.is_empty());
    if names.is_empty() {
        names.push(domain.to_owned());
    }
    reach(network, target, names, progress).await
}

async fn reach(
    network: &Network,
    target: &Target,
    mut names: Vec<String>,
    progress: &mut Progress,
) -> Result<(Counted, String), Fault> {
    names.truncate(TRIED);
    let (count, port) = (names.len(), target.address.port());
    let mut left = count;
    let mut failed: Option<Fault> = None;
    for name in names {
        // One that is silent must leave time for the others.
        let share = progress.left(target.timeout()) / u32::try_from(left).unwrap_or(1).max(1);
        let connecting = network.connect(target, Host::Name(&name), port, progress);
        let result = match left {
            1 => connecting.await,
            _ => match tokio::time::timeout(share, connecting).await {
                Ok(result) => result,
                Err(_) => Err(progress.timeout()),
            },
        };
        match result {
            Ok(tcp) => return Ok((tcp, name)),
            // What is ours says nothing of the domain.
            Err(fault) => match failed {
                Some(earlier) if earlier.cause.verdict() != Verdict::Unknown => {}
                _ => failed = Some(fault),
            },
        }
        left -= 1;
    }
    if count > 1 {
        progress.tell(|facts| {
            facts.message = format!("none of {count} mail exchangers accepts a connection");
        });
    }
    Err(failed.unwrap_or(Fault::new(Cause::Dns, Detail::NoAddress)))
}
