//! Look-ups: one thread with a small runtime that asks name servers and fills the cache.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use rustix::io::Errno;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::cache::Cache;
use super::clients::{Client, Clients};
use super::lanes::{Lane, Lanes};
use super::system::Hosts;
use super::way::WayToIpv6;
use super::{Addresses, Answer, Question, ResolverOptions};
use crate::check::fault::{self, Fault};
use crate::outcome::{Cause, Detail};
use crate::target::IpVersion;

/// How long an answer holds, whatever its TTL says.
const POSITIVE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));
/// How long it holds that there is no such name or address.
const NEGATIVE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a failure of a name server is not tried again.
const FAILURE: Duration = Duration::from_secs(2);
/// How long an address from `/etc/hosts` holds.
const HOSTS: Duration = Duration::from_secs(5);
/// How long the answer for IPv4 holds at most where there is no way to IPv6: it may come.
const WITHOUT_IPV6: Duration = Duration::from_mins(5);
/// How long the answer for one family waits for the other one.
const OTHER_FAMILY: Duration = Duration::from_millis(250);

/// A look-up that is to be made.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) question: Question,
    /// Whether the last one for the same question failed.
    pub(super) is_suspect: bool,
    pub(super) done: watch::Sender<Option<Answer>>,
}

/// Starts the thread that makes look-ups; it ends when the returned sender is dropped.
pub(super) fn start(options: ResolverOptions, cache: Arc<Cache>) -> io::Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel(super::QUEUE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name("resolver".to_owned())
        .spawn(move || runtime.block_on(serve(options, cache, jobs)))?;
    Ok(sender)
}

async fn serve(options: ResolverOptions, cache: Arc<Cache>, mut jobs: mpsc::Receiver<Job>) {
    let mut lanes = Lanes::new(options.max_lookups, super::QUEUE);
    let mut clients = Clients::new(options);
    let mut hosts = Hosts::new("/etc/hosts".into());
    let mut ipv6 = WayToIpv6::default();
    let mut running = JoinSet::new();
    let mut begun = HashMap::new();
    loop {
        while let Some((lane, Job { question, done, .. })) = lanes.next() {
            let client = clients.of(question.server);
            let families = Families::of(question.family, ipv6.is_there(Instant::now()));
            let (cache, limit) = (Arc::clone(&cache), clients.options.limit);
            let task = running.spawn(async move {
                let answer = ask(client, &question, families, limit).await;
                let answer = cache.keep(&question, answer, Instant::now());
                done.send_replace(Some(answer));
            });
            begun.insert(task.id(), lane);
        }
        tokio::select! {
            Some(ended) = running.join_next_with_id(), if !running.is_empty() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                if let Some(lane) = begun.remove(&id) {
                    lanes.end(lane);
                }
            }
            job = jobs.recv() => {
                let Some(job) = job else { return };
                match hosts.answer(&job.question) {
                    Some(answer) => {
                        let answer = cache.keep(&job.question, answer, Instant::now());
                        job.done.send_replace(Some(answer));
                    }
                    None => lanes.push(Lane::of(&job), job),
                }
            }
        }
    }
}

impl Lane {
    fn of(job: &Job) -> Self {
        Self { server: job.question.server, is_suspect: job.is_suspect }
    }
}

impl Hosts {
    /// The answer that needs no name server, if there is one.
    fn answer(&mut self, question: &Question) -> Option<Answer> {
        let now = Instant::now();
        let addresses = self.find(&question.name, now).filter(|_| question.server.is_none())?;
        let is_wanted = |address: &IpAddr| match question.family {
            IpVersion::Any => true,
            IpVersion::V4 => address.is_ipv4(),
            IpVersion::V6 => address.is_ipv6(),
        };
        let addresses: Addresses = addresses.into_iter().filter(is_wanted).collect();
        let result = if addresses.is_empty() {
            Err(Fault::new(Cause::Dns, Detail::NoAddress))
        } else {
            Ok(addresses)
        };
        Some(Answer { result, until: now + HOSTS })
    }
}

async fn ask(
    client: Option<Client>,
    question: &Question,
    families: Families,
    limit: Duration,
) -> Answer {
    let unanswered = || Err((Fault::unanswered(), FAILURE));
    let result = match client {
        Some(client) => {
            let names = client.names(&question.name);
            let asked = first_found(names, |name| ask_families(&client.resolver, name, families));
            let found = tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| unanswered());
            found.map_err(|(fault, hold)| (client.blame(fault), hold))
        }
        None => unanswered(),
    };
    let now = Instant::now();
    match result {
        Ok((addresses, hold)) => Answer { result: Ok(addresses.into()), until: now + hold },
        Err((fault, hold)) => Answer { result: Err(fault), until: now + hold },
    }
}

/// What is found of the first of `names` that there is.
async fn first_found<F: Future<Output = Found>>(
    names: Vec<Name>,
    ask: impl Fn(Name) -> F,
) -> Found {
    // A name that cannot be asked for is nobody's.
    let mut failed = (Fault::new(Cause::Dns, Detail::NoSuchName), NEGATIVE.1);
    for (number, name) in names.into_iter().enumerate() {
        match ask(name).await {
            Err((fault, hold)) if fault.cause == Cause::Dns => {
                // That there is no such name is no news beside another failure.
                if number == 0 || failed.0.detail == Detail::NoSuchName {
                    failed = (fault, hold);
                }
            }
            ended => return ended,
        }
    }
    Err(failed)
}

type Found = Result<(Vec<IpAddr>, Duration), (Fault, Duration)>;

/// The families that are asked for, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Families {
    V4,
    V6,
    /// Both at once.
    Both,
    /// IPv6 only where a name has no address of the other family.
    V4First,
}

impl Families {
    const fn of(wanted: IpVersion, has_ipv6: bool) -> Self {
        match (wanted, has_ipv6) {
            (IpVersion::V4, _) => Self::V4,
            (IpVersion::V6, _) => Self::V6,
            (IpVersion::Any, true) => Self::Both,
            (IpVersion::Any, false) => Self::V4First,
        }
    }
}

async fn ask_families(client: &TokioResolver, name: Name, families: Families) -> Found {
    let v4 = ask_family(client, name.clone(), RecordType::A);
    let v6 = ask_family(client, name, RecordType::AAAA);
    match families {
        Families::V4 => return v4.await,
        Families::V6 => return v6.await,
        Families::V4First => {
            return match v4.await {
                Ok((addresses, hold)) => Ok((addresses, hold.min(WITHOUT_IPV6))),
                // It may have one that is near; whether there is a way shows when it is tried.
                Err((fault, _)) if fault.detail == Detail::NoAddress => v6.await,
                Err(failed) => Err(failed),
            };
        }
        Families::Both => {}
    }
    tokio::pin!(v4, v6);
    let (first, second) = tokio::select! {
        first = &mut v4 => {
            let wait = if first.is_ok() { OTHER_FAMILY } else { Duration::MAX };
            (first, tokio::time::timeout(wait, v6).await.ok())
        }
        first = &mut v6 => {
            let wait = if first.is_ok() { OTHER_FAMILY } else { Duration::MAX };
            (first, tokio::time::timeout(wait, v4).await.ok())
        }
    };
    match second {
        None => first,
        Some(second) => both(first, second),
    }
}

/// What the answers for two families say together.
fn both(one: Found, other: Found) -> Found {
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

async fn ask_family(client: &TokioResolver, name: Name, kind: RecordType) -> Found {
    match client.lookup(name, kind).await {
        Ok(lookup) => {
            let addresses: Vec<IpAddr> = lookup
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::A(address) => Some(address.0.into()),
                    RData::AAAA(address) => Some(address.0.into()),
                    _ => None,
                })
                .collect();
            let hold = lookup.valid_until().saturating_duration_since(Instant::now());
            if addresses.is_empty() {
                return Err((Fault::new(Cause::Dns, Detail::NoAddress), NEGATIVE.1));
            }
            Ok((addresses, hold.clamp(POSITIVE.0, POSITIVE.1)))
        }
        Err(error) => Err(fault_of(&error)),
    }
}

/// What the resolver's error says, and how long that holds.
pub(crate) fn fault_of(error: &NetError) -> (Fault, Duration) {
    let of_code = |code: ResponseCode| match code {
        ResponseCode::NXDomain => Fault::new(Cause::Dns, Detail::NoSuchName),
        ResponseCode::NoError => Fault::new(Cause::Dns, Detail::NoAddress),
        ResponseCode::Refused => Fault::new(Cause::Resolver, Detail::QueryRefused),
        _ => Fault::new(Cause::Dns, Detail::ServerFailure),
    };
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let hold = none.negative_ttl.map_or(NEGATIVE.0, |ttl| Duration::from_secs(ttl.into()));
            (of_code(none.response_code), hold.clamp(NEGATIVE.0, NEGATIVE.1))
        }
        NetError::Dns(DnsError::ResponseCode(code)) => (of_code(*code), FAILURE),
        NetError::Dns(_) => (Fault::new(Cause::Dns, Detail::ServerFailure), FAILURE),
        NetError::Io(error) => (of_io(error), FAILURE),
        _ => (Fault::unanswered(), FAILURE),
    }
}

fn of_io(error: &io::Error) -> Fault {
    fault::of_machine(error).unwrap_or_else(|| match Errno::from_io_error(error) {
        Some(Errno::NETUNREACH | Errno::NETDOWN) => Fault::new(Cause::NoNetwork, Detail::None),
        _ => Fault::unanswered(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_name_that_there_is_counts_and_a_failure_more_than_that_there_is_none() {
        let names = |texts: &[&str]| -> Vec<Name> {
            texts.iter().map(|text| Name::from_ascii(text).expect("a name")).collect()
        };
        let dns = |detail| Err((Fault::new(Cause::Dns, detail), NEGATIVE.0));
        let ask = |name: Name| {
            std::future::ready(match name.to_string().as_str() {
                "good." => Ok((vec![[192, 0, 2, 1].into()], POSITIVE.0)),
                "broken." => dns(Detail::ServerFailure),
                "silent." => Err((Fault::unanswered(), FAILURE)),
                _ => dns(Detail::NoSuchName),
            })
        };
        let detail = async |texts: &[&str]| {
            let found = first_found(names(texts), ask).await;
            found.map(|(addresses, _)| addresses.len()).map_err(|(fault, _)| fault.detail)
        };
        assert_eq!(detail(&["none.", "broken.", "good."]).await, Ok(1));
        assert_eq!(detail(&["none.", "broken.", "none."]).await, Err(Detail::ServerFailure));
        assert_eq!(detail(&["silent.", "good."]).await, Err(Detail::Unanswered));
        assert_eq!(detail(&["none."]).await, Err(Detail::NoSuchName));
        assert_eq!(detail(&[]).await, Err(Detail::NoSuchName));
    }
}
