//! `Module`: how `/probe` probes by one name, and what counts as a success.

use std::num::NonZeroU8;
use std::path::Path;
use std::time::Duration;

use super::given::{GivenDns, GivenIcmp, GivenModule, GivenTcp};
use super::lists::{record_number, record_rules};
use super::web;
use crate::config::units::positive_duration;
use crate::expectation::Pattern;
use crate::target::{
    IcmpProbe, IpVersion, LineRule, Look, Plan, Probe, QuestionProbe, TcpProbe, TcpStep,
};

/// How a target is probed by one name.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// What is spoken.
    pub prober: Prober,
    /// How long a probe may take at most.
    pub timeout: Option<Duration>,
    /// Which family of IP addresses is preferred.
    pub preference: Preference,
    /// How a target is asked.
    pub plan: Plan,
    /// The module as its file has it, without its secrets.
    pub shown: String,
}

/// What is spoken, and what counts as a success beside what the plan expects.
#[derive(Clone, Debug)]
pub enum Prober {
    /// HTTP.
    Http(WebRules),
    /// TCP.
    Tcp,
    /// Echo requests.
    Icmp,
    /// A question to a name server.
    Dns(Box<AnswerRules>),
}

/// Which family of IP addresses is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preference {
    /// The one that is preferred.
    pub version: IpVersion,
    /// What becomes of names that have no address of it: the other family serves, or none does.
    pub falls_back: bool,
}

/// What an answer over HTTP must be beside what the plan expects.
#[derive(Clone, Debug, Default)]
pub struct WebRules {
    /// Versions of HTTP that are accepted, as `HTTP/1.1`; empty: any.
    pub versions: Vec<String>,
    /// Whether TLS must be spoken, or must not.
    pub tls: Option<bool>,
    /// Headers that must not match.
    pub unwanted: Vec<HeaderRule>,
    /// Headers that must match.
    pub wanted: Vec<HeaderRule>,
}

/// A pattern about a header.
#[derive(Clone, Debug)]
pub struct HeaderRule {
    /// Its name, in lower case.
    pub header: String,
    /// The pattern.
    pub pattern: Pattern,
    /// Whether it may be missing.
    pub may_be_missing: bool,
}

/// What the answer of a name server must be.
#[derive(Clone, Debug, Default)]
pub struct AnswerRules {
    /// Codes that are accepted.
    pub codes: Vec<String>,
    /// Patterns about the records of each part, by its name.
    pub parts: [(&'static str, RecordRules); 3],
    /// Whether the answer is a start of authority, whose number is told.
    pub tells_serial: bool,
}

/// Patterns about records.
#[derive(Clone, Debug, Default)]
pub struct RecordRules {
    /// No record may match any of these.
    pub none: Vec<Pattern>,
    /// Every record must match each of these, if there is any record.
    pub each: Vec<Pattern>,
    /// There must be a record, and every one must match each of these.
    pub all: Vec<Pattern>,
    /// There must be a record that matches one of these.
    pub any: Vec<Pattern>,
}

impl Module {
    /// The module `name` that is given; files that it names start from `folder`.
    pub(super) fn of(
        name: &str,
        given: GivenModule,
        folder: &Path,
        shown: String,
    ) -> Result<Self, String> {
        let timeout = given.timeout.as_deref().map(positive_duration).transpose();
        let timeout = timeout.map_err(|error| format!("timeout: {error}"))?;
        let (prober, preference, mut plan) = match given.prober.as_str() {
            "http" => web::module(&given.http, folder)?,
            "tcp" => tcp(given.tcp, folder)?,
            "icmp" => icmp(&given.icmp)?,
            "dns" => dns(given.dns)?,
            "" => return Err("prober is missing; it is http, tcp, icmp or dns".to_owned()),
            other => {
                return Err(format!("prober {other:?} is unknown; it is http, tcp, icmp or dns"));
            }
        };
        // Whether a certificate runs out soon is told by its own figure.
        plan.expect.certificate_days = Some(0);
        plan.retries = 0;
        Ok(Self { name: name.to_owned(), prober, timeout, preference, plan, shown })
    }
}

impl Preference {
    pub(super) fn of(preferred: Option<&str>, falls_back: Option<bool>) -> Result<Self, String> {
        let version = match preferred {
            None | Some("" | "ip6") => IpVersion::V6,
            Some("ip4") => IpVersion::V4,
            Some(other) => {
                return Err(format!("preferred_ip_protocol {other:?} is neither ip4 nor ip6"));
            }
        };
        Ok(Self { version, falls_back: falls_back.unwrap_or(true) })
    }
}

type Parts = (Prober, Preference, Plan);

fn tcp(given: GivenTcp, folder: &Path) -> Result<Parts, String> {
    let preferred = given.preferred_ip_protocol.as_deref();
    let preference = Preference::of(preferred, given.ip_protocol_fallback)?;
    let mut dialog: Vec<TcpStep> = given.tls.then_some(TcpStep::Secure).into_iter().collect();
    for step in given.query_response {
        let send = step.send.filter(|text| !text.is_empty());
        match step.expect.filter(|text| !text.is_empty()) {
            Some(text) => {
                let pattern = Pattern::new(&text).map_err(|error| format!("expect: {error}"))?;
                let answer = send.map(Into::into);
                dialog.push(TcpStep::Match(Box::new(LineRule { pattern, answer })));
            }
            None => dialog.extend(send.map(|text| TcpStep::Say(text.into()))),
        }
        dialog.extend(step.starttls.then_some(TcpStep::Secure));
    }
    let tls = web::tls(&given.tls_config, folder);
    let plan = Plan { probe: Probe::Tcp(TcpProbe { dialog }), tls, ..Plan::default() };
    Ok((Prober::Tcp, preference, plan))
}

fn icmp(given: &GivenIcmp) -> Result<Parts, String> {
    let preferred = given.preferred_ip_protocol.as_deref();
    let preference = Preference::of(preferred, given.ip_protocol_fallback)?;
    let usual = IcmpProbe::default();
    let probe = IcmpProbe {
        count: 1,
        size: given.payload_size.filter(|size| *size > 0).unwrap_or(usual.size),
        ttl: given.ttl.and_then(NonZeroU8::new),
        ..usual
    };
    Ok((Prober::Icmp, preference, Plan { probe: Probe::Icmp(probe), ..Plan::default() }))
}

fn dns(given: GivenDns) -> Result<Parts, String> {
    let preferred = given.preferred_ip_protocol.as_deref();
    let preference = Preference::of(preferred, given.ip_protocol_fallback)?;
    if given.query_name.is_empty() {
        return Err("query_name is missing".to_owned());
    }
    let record = given.query_type.unwrap_or_else(|| "ANY".to_owned());
    let tcp = match given.transport_protocol.as_deref() {
        None | Some("" | "udp") => Look::No,
        Some("tcp") => Look::Yes,
        Some(other) => return Err(format!("transport_protocol {other:?} is neither udp nor tcp")),
    };
    let probe = QuestionProbe {
        name: given.query_name.into(),
        record: record_number(&record)?,
        recursion: Look::when(given.recursion_desired.unwrap_or(true)),
        tcp,
    };
    let rules = AnswerRules {
        codes: given.valid_rcodes.unwrap_or_else(|| vec!["NOERROR".to_owned()]),
        parts: [
            ("answer", record_rules(&given.validate_answer_rrs)?),
            ("authority", record_rules(&given.validate_authority_rrs)?),
            ("additional", record_rules(&given.validate_additional_rrs)?),
        ],
        tells_serial: record == "SOA",
    };
    let plan = Plan { probe: Probe::Question(Box::new(probe)), ..Plan::default() };
    Ok((Prober::Dns(Box::new(rules)), preference, plan))
}
