//! `Families`: for which addresses name servers are asked, and what both answers say together.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RecordType};

use super::exchange::Asker;
use super::records::{Found, NEGATIVE, Said, addresses};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};
use crate::target::IpVersion;

/// How long the answer for one family waits for the other one.
const OTHER: Duration = Duration::from_millis(250);
/// Aliases of which servers say nothing beside them, that are asked for at most.
const ALIASES: usize = 8;

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// The families that are asked for, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Families {
    One(Family),
    /// Both at once.
    Both,
    /// The first, and the other one where a name has no address of it.
    First(Family),
}

/// The addresses of a name, and the family of which it has none while it has of the other.
#[derive(Debug)]
pub(super) struct Addressed {
    pub(super) found: Found<Vec<IpAddr>>,
    pub(super) lacks: Option<Family>,
}

impl Families {
    /// Those that are asked for where `wanted` are; `lacks` is the family of which the name had no
    /// address lately.
    pub(super) const fn of(wanted: IpVersion, has_ipv6: bool, lacks: Option<Family>) -> Self {
        match (wanted, lacks) {
            (IpVersion::V4, _) => Self::One(Family::V4),
            (IpVersion::V6, _) => Self::One(Family::V6),
            (IpVersion::Any, Some(Family::V4)) => Self::First(Family::V6),
            (IpVersion::Any, None) if has_ipv6 => Self::Both,
            (IpVersion::Any, _) => Self::First(Family::V4),
        }
    }

    /// Asks for the addresses of `name`.
    pub(super) async fn ask(self, asker: &Asker, name: &Name) -> Addressed {
        let ask = |family| ask_family(asker, name.clone(), family);
        match self {
            Self::One(family) => Addressed { found: ask(family).await, lacks: None },
            Self::First(family) => {
                match ask(family).await {
                    // It may have one that is near; whether there is a way shows when it is tried.
                    Err((fault, _)) if fault.detail == Detail::NoAddress => {
                        let found = ask(family.other()).await;
                        let lacks = found.is_ok().then_some(family);
                        Addressed { found, lacks }
                    }
                    found => Addressed { found, lacks: None },
                }
            }
            Self::Both => ask_both(ask(Family::V4), ask(Family::V6)).await,
        }
    }
}

impl Family {
    const fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    const fn kind(self) -> RecordType {
        match self {
            Self::V4 => RecordType::A,
            Self::V6 => RecordType::AAAA,
        }
    }
}

async fn ask_both(
    v4: impl Future<Output = Found<Vec<IpAddr>>>,
    v6: impl Future<Output = Found<Vec<IpAddr>>>,
) -> Addressed {
    tokio::pin!(v4, v6);
    let patience = |first: &Found<Vec<IpAddr>>| if first.is_ok() { OTHER } else { Duration::MAX };
    let (v4, v6) = tokio::select! {
        first = &mut v4 => {
            let second = tokio::time::timeout(patience(&first), v6).await.ok();
            (Some(first), second)
        }
        first = &mut v6 => {
            let second = tokio::time::timeout(patience(&first), v4).await.ok();
            (second, Some(first))
        }
    };
    let is_none = |found: &Option<Found<Vec<IpAddr>>>| matches!(found, Some(Err((fault, _))) if fault.detail == Detail::NoAddress);
    let lacks = match (is_none(&v4), is_none(&v6)) {
        (true, false) => Some(Family::V4),
        (false, true) => Some(Family::V6),
        _ => None,
    };
    let found = match (v4, v6) {
        (Some(v4), Some(v6)) => both(v4, v6),
        (Some(found), None) | (None, Some(found)) => found,
        (None, None) => Err((Fault::unanswered(), NEGATIVE.0)),
    };
    let lacks = lacks.filter(|_| found.is_ok());
    Addressed { found, lacks }
}

/// What the answers for two families say together.
fn both(one: Found<Vec<IpAddr>>, other: Found<Vec<IpAddr>>) -> Found<Vec<IpAddr>> {
    match (one, other) {
        (Ok((mut addresses, hold)), Ok((more, more_hold))) => {
            // IPv6 goes first (RFC 6724), as it does in browsers.
            addresses.extend(more);
            addresses.sort_by_key(IpAddr::is_ipv4);
            Ok((addresses, hold.min(more_hold)))
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        // That there is no such address is an answer; a failure beside it is the graver news.
        (Err((fault, hold)), Err(other)) => {
            Err(if fault.detail == Detail::NoAddress { other } else { (fault, hold) })
        }
    }
}

async fn ask_family(asker: &Asker, mut name: Name, family: Family) -> Found<Vec<IpAddr>> {
    let kind = family.kind();
    for _ in 0..ALIASES {
        let answer = asker.ask(&name, kind).await;
        let message = answer.map_err(|fault| (fault, super::records::FAILURE))?;
        match addresses(&message, &name, kind) {
            Said::Found(found) => return found,
            Said::Alias(next) => name = next,
        }
    }
    Err((Fault::new(Cause::Dns, Detail::NoAddress), NEGATIVE.1))
}
