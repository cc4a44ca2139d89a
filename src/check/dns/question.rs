//! Asks one name server one question, and tells whatever it answers.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{RData, Record};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::answer;
use super::client::{self, Trouble};
use super::message::{Extension, Mode, Question};
use super::name;
use super::servers::of_trouble;
use super::value::shown_data;
use crate::address::Host;
use crate::check::fault::Fault;
use crate::check::network::Network;
use crate::check::progress::{Progress, Step};
use crate::check::told::text;
use crate::check::watch::There;
use crate::outcome::{Cause, Detail};
use crate::target::{QuestionProbe, Target};

/// What is left of a check's time to say what came of it.
const REST: Duration = Duration::from_millis(20);
/// Records of a part of an answer that are told at most.
const RECORDS: usize = 1_000;

/// Asks the name server that is the address of `target`.
///
/// # Errors
/// It is not found, or does not answer.
pub(in crate::check) async fn check(
    network: &Network,
    target: &Target,
    probe: &QuestionProbe,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let limit = target.timeout();
    let deadline = Instant::now() + limit.saturating_sub(REST.min(limit / 10));
    let server = find(network, target, progress).await?;
    progress.step = Step::Asking;
    progress.reach.go(There::of(&[server.ip()]))?;
    let question = Question {
        name: name::parse(&probe.name).ok_or(Fault::setting())?,
        kind: probe.record.into(),
        mode: if probe.recursion.is_wanted() { Mode::Recursive } else { Mode::Direct },
        signatures: crate::target::Look::No,
    };
    progress.lap();
    let asked = ask(server, &question, probe, deadline).await;
    let lap = progress.lap();
    progress.finding.phases.first_byte.add(lap);
    let message = asked.map_err(of_trouble)?;
    progress.tell(|facts| {
        facts.put("rcode", answer::code_name(message.metadata.response_code));
        for (part, records) in parts(&message) {
            let told: Vec<Value> =
                records.iter().take(RECORDS).map(|one| shown(one).into()).collect();
            facts.put(part, told);
            facts.put(&format!("{part}_count"), records.len());
        }
        let serial = message.answers.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.serial),
            _ => None,
        });
        facts.put("serial", serial);
    });
    Ok(())
}

/// The address of the name server: the first of its name.
async fn find(
    network: &Network,
    target: &Target,
    progress: &mut Progress,
) -> Result<SocketAddr, Fault> {
    progress.step = Step::Resolving;
    let addresses = match target.address.host() {
        Host::Ip(ip) => vec![ip],
        Host::Name(name) => network.resolve(target, name, progress).await?.to_vec(),
    };
    let allowed = network.allowed(target, &addresses)?;
    let ip = allowed.first().copied().ok_or(Fault::new(Cause::Dns, Detail::NoAddress))?;
    let server = SocketAddr::new(ip, target.address.port());
    progress.tell(|facts| facts.put("remote_address", server.to_string()));
    Ok(server)
}

async fn ask(
    server: SocketAddr,
    question: &Question,
    probe: &QuestionProbe,
    deadline: Instant,
) -> Result<Message, Trouble> {
    let sealed = question.seal(Extension::Without).ok_or(Trouble::Closed(Fault::setting()))?;
    if probe.tcp.is_wanted() {
        let asked = timeout_at(deadline, client::over_tcp(server, &sealed)).await;
        return asked.unwrap_or(Err(Trouble::Silent));
    }
    client::over_udp(server, &sealed, deadline).await
}

/// The parts of an answer, by their names.
fn parts(message: &Message) -> [(&'static str, &[Record]); 3] {
    [
        ("answer", &message.answers),
        ("authority", &message.authorities),
        ("additional", &message.additionals),
    ]
}

/// A record as zone files have it, with tabs between its fields and names that end with a dot.
fn shown(record: &Record) -> String {
    let data = match &record.data {
        RData::CNAME(name) => name.0.to_string(),
        RData::NS(name) => name.0.to_string(),
        RData::PTR(name) => name.0.to_string(),
        RData::MX(mx) => format!("{} {}", mx.preference, mx.exchange),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, srv.target),
        RData::SOA(soa) => {
            let [refresh, retry, expire] =
                [soa.refresh, soa.retry, soa.expire].map(i32::cast_unsigned);
            let (names, minimum) = (format!("{} {}", soa.mname, soa.rname), soa.minimum);
            format!("{names} {} {refresh} {retry} {expire} {minimum}", soa.serial)
        }
        RData::TXT(parts) => {
            let quoted = |part: &[u8]| format!("\"{}\"", text(part).replace('"', "\\\""));
            let all: Vec<String> = parts.txt_data.iter().map(|part| quoted(part)).collect();
            all.join(" ")
        }
        other => shown_data(other),
    };
    let (name, class, kind) = (&record.name, record.dns_class, record.record_type());
    format!("{name}\t{}\t{class}\t{kind}\t{data}", record.ttl)
}
