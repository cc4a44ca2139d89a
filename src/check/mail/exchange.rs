//! The mail exchangers of a domain (RFC 5321, section 5.1), and the first of them that can be reached.

use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RData, RecordType};
use serde_json::{Value, json};

use crate::address::Host;
use crate::check::counted::Counted;
use crate::check::fault::Fault;
use crate::check::lines::shown;
use crate::check::network::Network;
use crate::check::progress::{Progress, Step};
use crate::check::resolve::ResolverOptions;
use crate::check::resolve::clients::{Client, Clients};
use crate::check::resolve::lookup::fault_of;
use crate::outcome::{Cause, Detail, Verdict};
use crate::target::Target;

/// How long name servers have to answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Exchangers that are tried at most.
const TRIED: usize = 10;

/// A host that takes mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exchanger {
    preference: u16,
    /// Without the last dot; empty when the domain takes no mail (RFC 7505).
    name: String,
}

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
    let found = look_up(network, target, domain).await?;
    let lap = progress.lap();
    progress.finding.phases.resolve.add(lap);
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
    let mut names: Vec<String> = found.into_iter().map(|one| one.name).collect();
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

/// The exchangers of `domain`, the preferred ones first; none when there are no records.
async fn look_up(
    network: &Network,
    target: &Target,
    domain: &str,
) -> Result<Vec<Exchanger>, Fault> {
    let Ok(name) = Name::from_ascii(format!("{}.", domain.trim_end_matches('.'))) else {
        return Err(Fault::new(Cause::Dns, Detail::NoSuchName));
    };
    let options = &network.options;
    let options = ResolverOptions {
        servers: options.resolvers.clone(),
        max_lookups: options.max_lookups,
        max_names: options.max_names,
        limit: LIMIT,
    };
    let client = Clients::new(options).of(target.plan.resolver).ok_or(Fault::unanswered())?;
    let asked = tokio::time::timeout(LIMIT, ask(&client, name)).await;
    let mut found =
        asked.unwrap_or(Err(Fault::unanswered())).map_err(|fault| client.blame(fault))?;
    found.sort_by_key(|one| one.preference);
    Ok(found)
}

async fn ask(client: &Client, name: Name) -> Result<Vec<Exchanger>, Fault> {
    let answer = match client.resolver.lookup(name, RecordType::MX).await {
        Ok(answer) => answer,
        Err(error) => {
            return match fault_of(&error).0 {
                // There is the name, and no record of this type.
                fault if fault.detail == Detail::NoAddress => Ok(Vec::new()),
                fault => Err(fault),
            };
        }
    };
    let exchangers = answer.answers().iter().filter_map(|record| match &record.data {
        RData::MX(mx) => Some(Exchanger {
            preference: mx.preference,
            name: mx.exchange.to_ascii().trim_end_matches('.').to_ascii_lowercase(),
        }),
        _ => None,
    });
    Ok(exchangers.collect())
}
