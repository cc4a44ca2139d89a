//! Asks name servers for a record, past every cache of ours.

mod answer;
mod authority;
pub(super) mod client;
mod expected;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
pub(super) mod message;
mod name;
mod propagation;
pub(super) mod question;
mod report;
mod security;
mod servers;
mod together;
mod value;

use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use tokio::time::Instant;

use answer::Found;
use authority::{Authority, Lost, Survey};
use client::Answer;
use message::{Mode, Question};
use propagation::Propagation;
use security::Security;
use servers::{Servers, Unanswered};

use crate::check::fault::Fault;
use crate::check::network::Network;
use crate::check::progress::Progress;
use crate::check::watch::There;
use crate::outcome::{Cause, Detail};
use crate::target::{DnsProbe, Target};

/// What is left of a check's time to say what came of it.
const REST: Duration = Duration::from_millis(20);

/// What was asked, and all that came of it.
struct Seen<'a> {
    probe: &'a DnsProbe,
    question: &'a Question,
    servers: &'a Servers<'a>,
    answer: Result<Answer, Unanswered>,
    /// What the answer says.
    found: Option<Found>,
    security: Option<Security>,
    propagation: Option<Propagation>,
    authority: Option<Result<Authority, Lost>>,
}

/// Asks name servers for a record.
///
/// # Errors
/// What the target, or this machine, fails by.
pub(crate) async fn check(
    network: &Network,
    target: &Target,
    probe: &DnsProbe,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let limit = target.timeout();
    let deadline = Instant::now() + limit.saturating_sub(REST.min(limit / 10));
    let host = target.address.host();
    progress.tell(|facts| report::question(facts, &target.address, probe));
    let Some(name) = name::of(host, probe.record) else {
        progress.tell(|facts| report::bad_name(facts, &target.address, probe));
        return Err(Fault::setting());
    };
    let question = Question {
        name,
        kind: probe.record.number().into(),
        mode: Mode::Recursive,
        signatures: probe.dnssec,
    };
    let servers = Servers::of(network, target);
    progress.step = servers.step();
    progress.reach.go(There::of(&servers.addresses()))?;
    let survey = Survey {
        servers: &servers,
        question: &question,
        family: target.plan.ip_version,
        port: authority::PORT,
        deadline,
    };
    let seen = look(probe, &survey).await;
    progress.lap();
    if let Ok(answer) = &seen.answer {
        progress.finding.phases.first_byte.add(answer.took);
    }
    let result = seen.result();
    progress.tell(|facts| report::seen(facts, &seen, result));
    result
}

/// Asks all that `probe` wants to be asked, at once.
async fn look<'a>(probe: &'a DnsProbe, survey: &Survey<'a>) -> Seen<'a> {
    let Survey { servers, question, deadline, .. } = *survey;
    let authority =
        async { if probe.authoritative.is_wanted() { Some(survey.run().await) } else { None } };
    let ((answer, security), others, authority) = tokio::join!(
        ask(servers, question, deadline),
        propagation::ask(servers, probe, question, deadline),
        authority,
    );
    let found = answer.as_ref().ok().map(|answer| Found::of(&answer.message, question));
    let own = found.as_ref().filter(|found| found.result().is_ok());
    let propagation = Propagation::of(probe, question, &others, own);
    Seen { probe, question, servers, answer, found, security, propagation, authority }
}

/// Asks for the record and, where it is wanted, what its signatures are worth.
async fn ask(
    servers: &Servers<'_>,
    question: &Question,
    deadline: Instant,
) -> (Result<Answer, Unanswered>, Option<Security>) {
    let result = servers.ask(question, deadline).await;
    let Ok(answer) = &result else { return (result, None) };
    if !question.signatures.is_wanted() {
        return (result, None);
    }
    let unchecked = match answer.message.metadata.response_code {
        // Name servers say no more of an answer whose signatures are wrong.
        ResponseCode::ServFail => {
            let unchecked = Question { mode: Mode::Unchecked, ..question.clone() };
            servers.ask_one(answer.server, &unchecked, deadline).await.ok()
        }
        _ => None,
    };
    let security = Security::of(answer, question, unchecked.as_ref());
    (result, Some(security))
}

impl Seen<'_> {
    /// # Errors
    /// The gravest of what is wrong.
    fn result(&self) -> Result<(), Fault> {
        let found = match (&self.answer, &self.found) {
            (Err(none), _) => return Err(self.servers.blame(none.trouble)),
            (Ok(_), None) => return Err(Fault::unanswered()),
            (Ok(_), Some(found)) => found,
        };
        let security = self.security.and_then(Security::detail);
        if security == Some(Detail::Bogus) {
            return Err(Fault::new(Cause::Dns, Detail::Bogus));
        }
        found
            .result()
            .map_err(|detail| self.servers.blame_for_answer(Fault::new(Cause::Dns, detail)))?;
        if !self.missing().is_empty() {
            return Err(Fault::new(Cause::Dns, Detail::WrongAnswer));
        }
        self.consistency()?;
        match security {
            Some(detail) => Err(Fault::new(Cause::Assertion, detail)),
            None => Ok(()),
        }
    }

    /// # Errors
    /// Others do not say the same.
    fn consistency(&self) -> Result<(), Fault> {
        if self.propagation.as_ref().is_some_and(|others| !others.is_enough()) {
            return Err(Fault::new(Cause::Assertion, Detail::NotPropagated));
        }
        let lame = Fault::new(Cause::Assertion, Detail::Lame);
        match &self.authority {
            None => Ok(()),
            Some(Ok(authority)) if authority.is_consistent(self.probe.record) => Ok(()),
            Some(Err(Lost::Unanswered(none))) => {
                let fault = self.servers.blame(none.trouble);
                let is_ours = fault.cause.verdict() == crate::outcome::Verdict::Unknown;
                Err(if is_ours { fault } else { lame })
            }
            Some(_) => Err(lame),
        }
    }

    /// What is expected and not there.
    fn missing(&self) -> Vec<&str> {
        let values = self.found.as_ref().map_or(&[][..], |found| &found.values);
        expected::missing(self.probe.record, &self.probe.expected, values)
    }
}
