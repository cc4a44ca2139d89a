//! What the records of the topics hold, as Protocol Buffers; `docs/messages.md` says it to others.
//!
//! A reader skips fields that it does not know, so that members of different versions work side by
//! side. A message that must not be read without knowing a newer field says so in `needs`.

mod outcome;
mod reason;
mod withdrawn;

use bytes::Bytes;
use prost::Message as _;

pub use reason::Reason;

/// The end of the year 9999, in Unix milliseconds: nothing falls due later.
const LAST_MS: i64 = 253_402_300_799_999;

/// The version that is written.
pub const VERSION: u32 = 2;

/// The least version that a reader has to know of what every version could tell.
pub const LEAST: u32 = 1;

/// Why a record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Its bytes are no such message.
    #[error("is malformed: {0}")]
    Malformed(String),
    /// It is of a version that this program cannot read.
    #[error(
        "needs version {needs} of the messages, this program knows {VERSION}; use a newer poller"
    )]
    Newer {
        /// The least version that its reader must know.
        needs: u32,
    },
    /// A field has a value that it cannot have.
    #[error("its field {0} has a value that it cannot have")]
    Field(&'static str),
}

impl From<prost::DecodeError> for MessageError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// A poll that is due: a record of the topic of jobs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct JobMessage {
    /// The version of its writer.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The least version that its reader must know.
    #[prost(uint32, tag = "2")]
    pub needs: u32,
    /// Number of the target.
    #[prost(uint32, tag = "3")]
    pub target: u32,
    /// Id of the target.
    #[prost(fixed64, tag = "4")]
    pub id: u64,
    /// Changes whenever the entry does.
    #[prost(uint64, tag = "5")]
    pub revision: u64,
    /// When it falls due, in Unix milliseconds: a point of the target's grid.
    #[prost(int64, tag = "6")]
    pub due_ms: i64,
    /// When it means nothing any more, in Unix milliseconds.
    #[prost(int64, tag = "7")]
    pub valid_until_ms: i64,
    /// The epoch of the lease under which it was made.
    #[prost(int64, tag = "8")]
    pub epoch: i64,
    /// The locations that are to poll it; empty: all.
    #[prost(string, repeated, tag = "9")]
    pub locations: Vec<String>,
    /// The target's entry as JSON, complete: as one of a list that needs no settings.
    #[prost(bytes = "bytes", tag = "10")]
    pub entry: Bytes,
}

/// A record of the topic of outcomes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Report {
    /// The version of its writer.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The least version that its reader must know.
    #[prost(uint32, tag = "2")]
    pub needs: u32,
    /// The location that it comes from; empty: from a scheduler.
    #[prost(string, tag = "3")]
    pub location: String,
    /// What it tells.
    #[prost(oneof = "Told", tags = "4, 5, 6, 7")]
    pub told: Option<Told>,
}

/// What a report tells.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Told {
    /// A poll was made.
    #[prost(message, tag = "4")]
    Outcome(OutcomeMessage),
    /// A slot passed without a poll.
    #[prost(message, tag = "5")]
    Missed(MissedMessage),
    /// A member is alive.
    #[prost(message, tag = "6")]
    Member(MemberMessage),
    /// Polls that were told of were probably failures of their checker.
    #[prost(message, tag = "7")]
    Withdrawn(WithdrawnMessage),
}

/// A finished poll.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OutcomeMessage {
    /// Number of the target.
    #[prost(uint32, tag = "1")]
    pub target: u32,
    /// When it fell due, in Unix milliseconds.
    #[prost(int64, tag = "2")]
    pub due_ms: i64,
    /// When it finished, in Unix microseconds.
    #[prost(int64, tag = "3")]
    pub finished_us: i64,
    /// Microseconds from due to started.
    #[prost(uint32, tag = "4")]
    pub lag_us: u32,
    /// Microseconds from started to finished.
    #[prost(uint32, tag = "5")]
    pub latency_us: u32,
    /// How often it was tried before: 0 for the poll of the slot, more for its rechecks.
    #[prost(uint32, tag = "6")]
    pub tries: u32,
    /// Whether a recheck follows.
    #[prost(bool, tag = "7")]
    pub is_provisional: bool,
    /// 0 up, 1 warning, 2 down, 3 unknown.
    #[prost(uint32, tag = "8")]
    pub verdict: u32,
    /// Number of the cause, 0 for none.
    #[prost(uint32, tag = "9")]
    pub cause: u32,
    /// Number of the detail.
    #[prost(uint32, tag = "10")]
    pub detail: u32,
    /// Status code of the last answer, 0 when none came.
    #[prost(uint32, tag = "11")]
    pub status: u32,
    /// Body bytes of the last answer.
    #[prost(uint64, tag = "12")]
    pub bytes: u64,
    /// Whether the body was longer than its cap.
    #[prost(bool, tag = "13")]
    pub is_at_least: bool,
    /// Redirects that were followed.
    #[prost(uint32, tag = "14")]
    pub redirects: u32,
    /// Whether the poll went over a connection that stood already.
    #[prost(bool, tag = "15")]
    pub is_reused: bool,
    /// When the certificate of the first hop runs out, in Unix seconds; 0 when none was seen.
    #[prost(int64, tag = "16")]
    pub certificate_until: i64,
    /// Microseconds of each phase and 1, 0 for a phase that there was not: resolve, connect, tls,
    /// first byte, transfer.
    #[prost(uint32, repeated, tag = "17")]
    pub phases: Vec<u32>,
    /// The epoch of the lease under which its job was made.
    #[prost(int64, tag = "18")]
    pub epoch: i64,
}

/// A slot that passed without a poll.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MissedMessage {
    /// Number of the target.
    #[prost(uint32, tag = "1")]
    pub target: u32,
    /// When it fell due, in Unix milliseconds.
    #[prost(int64, tag = "2")]
    pub due_ms: i64,
    /// Why: 0 the target's last poll still ran, 1 no place was free, 2 for the sake of its host,
    /// 3 nobody looked at the time, 4 its job came when it meant nothing any more, 5 its entry
    /// cannot be polled.
    #[prost(uint32, tag = "3")]
    pub reason: u32,
    /// The locations that should have polled it, when a scheduler tells; empty: all.
    #[prost(string, repeated, tag = "4")]
    pub locations: Vec<String>,
}

/// What a member says of itself every few seconds.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MemberMessage {
    /// Its name, its own in the whole cluster.
    #[prost(string, tag = "1")]
    pub name: String,
    /// `scheduler`, `checker` or `recorder`.
    #[prost(string, tag = "2")]
    pub role: String,
    /// Its host.
    #[prost(string, tag = "3")]
    pub host: String,
    /// Its process id.
    #[prost(uint32, tag = "4")]
    pub pid: u32,
    /// Its version of poller.
    #[prost(string, tag = "5")]
    pub poller: String,
    /// When it began, in Unix milliseconds.
    #[prost(int64, tag = "6")]
    pub started_ms: i64,
    /// By how much its own clock is ahead of the brokers', in milliseconds.
    #[prost(sint64, tag = "7")]
    pub ahead_ms: i64,
    /// Further figures, as JSON.
    #[prost(string, tag = "8")]
    pub facts: String,
}

/// Polls that a checker told of before it knew that it was probably its own network that failed: of
/// each target those of its slots from one to another. All lists are of the same length.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WithdrawnMessage {
    /// Numbers of the targets.
    #[prost(uint32, repeated, tag = "1")]
    pub targets: Vec<u32>,
    /// When the first of these slots of each fell due, in Unix milliseconds.
    #[prost(int64, repeated, tag = "2")]
    pub first_due_ms: Vec<i64>,
    /// When the last of them did.
    #[prost(int64, repeated, tag = "3")]
    pub last_due_ms: Vec<i64>,
}

impl JobMessage {
    /// The message in `bytes`.
    ///
    /// # Errors
    /// They are none, or one that a newer program has to read.
    pub fn read(bytes: &[u8]) -> Result<Self, MessageError> {
        let message = Self::decode(bytes)?;
        understood(message.needs)?;
        if !(1..=LAST_MS).contains(&message.due_ms) {
            return Err(MessageError::Field("due_ms"));
        }
        if !(message.due_ms..=LAST_MS).contains(&message.valid_until_ms) {
            return Err(MessageError::Field("valid_until_ms"));
        }
        Ok(message)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

impl Report {
    /// A report of this version, which readers of all versions take that know what it tells.
    #[must_use]
    pub fn new(location: &str, told: Told) -> Self {
        let needs = match told {
            Told::Outcome(_) | Told::Missed(_) | Told::Member(_) => LEAST,
            Told::Withdrawn(_) => 2,
        };
        Self { version: VERSION, needs, location: location.to_owned(), told: Some(told) }
    }

    /// The message in `bytes`.
    ///
    /// # Errors
    /// They are none, or one that a newer program has to read.
    pub fn read(bytes: &[u8]) -> Result<Self, MessageError> {
        let message = Self::decode(bytes)?;
        understood(message.needs)?;
        Ok(message)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

const fn understood(needs: u32) -> Result<(), MessageError> {
    if needs > VERSION { Err(MessageError::Newer { needs }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_newer_program_is_read_unless_it_says_that_it_must_not() {
        let mut bytes = Report { version: 9, needs: 1, ..Report::default() }.to_bytes();
        // A field with the number 99, which nobody knows.
        bytes.extend([0x98, 0x06, 0x01]);
        assert_eq!(Report::read(&bytes).map(|report| report.version), Ok(9));
        let newer = Report { version: 9, needs: 3, ..Report::default() }.to_bytes();
        assert_eq!(Report::read(&newer), Err(MessageError::Newer { needs: 3 }));
    }

    #[test]
    fn only_what_older_programs_cannot_use_needs_a_newer_one() {
        let needs = |told| Report::new("here", told).needs;
        assert_eq!(needs(Told::Outcome(OutcomeMessage::default())), 1);
        assert_eq!(needs(Told::Missed(MissedMessage::default())), 1);
        assert_eq!(needs(Told::Member(MemberMessage::default())), 1);
        assert_eq!(needs(Told::Withdrawn(WithdrawnMessage::default())), 2);
    }

    #[test]
    fn what_is_no_message_is_told_as_malformed() {
        assert!(matches!(JobMessage::read(b"{}"), Err(MessageError::Malformed(_))));
        assert_eq!(JobMessage::read(b""), Err(MessageError::Field("due_ms")));
    }

    #[test]
    fn a_job_of_no_time_that_can_come_is_refused() {
        let read = |due_ms, valid_until_ms| {
            let job = JobMessage { due_ms, valid_until_ms, ..JobMessage::default() };
            JobMessage::read(&job.to_bytes()).map(|_| ())
        };
        let due_ms = 1_800_000_000_000;
        assert_eq!(read(due_ms, due_ms + 1), Ok(()));
        for due in [i64::MIN, -1, 0, LAST_MS + 1, i64::MAX] {
            assert_eq!(read(due, i64::MAX), Err(MessageError::Field("due_ms")), "{due}");
        }
        for until in [i64::MIN, 0, due_ms - 1, i64::MAX] {
            let refused = Err(MessageError::Field("valid_until_ms"));
            assert_eq!(read(due_ms, until), refused, "{until}");
        }
    }
}
