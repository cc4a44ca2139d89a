//! `Life`: the signs of life of a checker, by which brokers tell it the time, and what is said of
//! trouble with them.

use std::time::{Duration, Instant};

use serde_json::json;

use super::acks::{Acks, LIFE};
use super::machine_us;
use super::works::Works;
use crate::app::cluster::Member;
use crate::app::cluster::waiting::Needed;
use crate::app::role::RoleError;
use crate::clock::Correction;
use crate::process::resident_bytes;
use crate::queue::kafka::Topic;
use crate::queue::kafka::messages::{MemberMessage, Report, Told};
use crate::queue::kafka::producer::Producer;

/// How often a sign of life is given.
const EVERY: Duration = Duration::from_secs(3);
/// How often to look whether the first one has been heard.
const LOOK: Duration = Duration::from_millis(20);

/// The signs of life of a checker.
pub(super) struct Life {
    producer: Producer,
    acks: Acks,
    time: Correction,
    location: String,
    /// What is said every time.
    member: MemberMessage,
    last: Option<Instant>,
    kafka: Needed,
}

impl Life {
    /// The life of `member`.
    pub(super) fn of(member: &Member, producer: Producer, acks: Acks, time: Correction) -> Self {
        let told = MemberMessage {
            name: member.name.clone(),
            role: member.role.as_str().to_owned(),
            host: member.host.clone(),
            pid: std::process::id(),
            poller: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms: time.now_us().div_euclid(1_000),
            ahead_ms: 0,
            facts: "{}".to_owned(),
        };
        let location = member.settings.cluster.location.clone();
        Self {
            producer,
            acks,
            time,
            location,
            member: told,
            last: None,
            kafka: Needed::new("Kafka"),
        }
    }

    /// Gives a sign of life when it is time for one, and tells what is to be told of brokers and clock.
    pub(super) fn look(&mut self, works: &Works) {
        self.sign(|| facts(works));
        self.tell_trouble(works.refusal());
    }

    /// Whether brokers have had a sign of life; why they never will.
    pub(super) fn is_heard(&mut self) -> Result<bool, String> {
        self.sign(|| "{}".to_owned());
        self.tell_trouble(None);
        match self.acks.failure().or_else(|| self.producer.fatal()) {
            Some(reason) => Err(format!("Kafka does not take reports: {reason}")),
            None => Ok(self.acks.has_been_heard()),
        }
    }

    fn sign(&mut self, facts: impl FnOnce() -> String) {
        self.tell_time();
        if self.last.is_some_and(|last| last.elapsed() < EVERY) || !self.acks.ask() {
            return;
        }
        self.last = Some(Instant::now());
        let ahead_ms = (machine_us() - self.time.now_us()).div_euclid(1_000);
        let told = MemberMessage { ahead_ms, facts: facts(), ..self.member.clone() };
        let report = Report::new(&self.location, Told::Member(told)).to_bytes();
        let key = self.member.name.as_bytes();
        if self.producer.send((Topic::Outcomes, 0), key, &report, LIFE).is_err() {
            self.acks.forget();
        }
    }

    /// Tells that the time was set, if it was.
    fn tell_time(&mut self) {
        if let Some(ahead_us) = self.acks.take_set() {
            let seconds = Duration::from_micros(ahead_us.unsigned_abs()).as_secs_f64();
            let is_ahead = ahead_us > 0;
            tracing::warn!(
                seconds,
                is_ahead,
                "the clock of this machine is not that of the brokers; theirs counts, but set ours \
                 right (NTP)"
            );
        }
    }

    /// Tells of trouble with brokers when it begins, and when it is over.
    fn tell_trouble(&mut self, refusal: Option<String>) {
        match self.producer.trouble().or(refusal) {
            Some(reason) => self.kafka.note_away(&reason),
            None => self.kafka.note_there(),
        }
    }
}

/// Waits until brokers have had a sign of life, by which the time is known; none: the role is to end.
///
/// # Errors
/// They never will.
pub(super) async fn heard(life: &mut Life, member: &Member) -> Result<Option<()>, RoleError> {
    loop {
        match life.is_heard() {
            Ok(true) => return Ok(Some(())),
            Ok(false) => {}
            Err(reason) => return Err(RoleError { code: 1, reason }),
        }
        tokio::select! {
            () = member.stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// What a sign of life tells beside who gives it, as JSON.
fn facts(works: &Works) -> String {
    let mut facts = works.facts();
    if let Some(facts) = facts.as_object_mut() {
        facts.insert("rss_bytes".to_owned(), json!(resident_bytes().unwrap_or(0)));
    }
    facts.to_string()
}
