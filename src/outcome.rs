//! `Job`, `Finding` and `Outcome`: a poll that is due, what it found, and what is recorded of it.

mod cause;
mod phases;

use std::fmt;
use std::sync::Arc;

use crate::target::Target;

pub use cause::{Cause, Detail};
pub use phases::{Micros, Phases};

/// A poll that is due.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is polled.
    pub target: Arc<Target>,
    /// When it fell due, in Unix milliseconds: a point of the target's grid.
    pub due_ms: i64,
    /// How often it was tried before: rechecks follow a temporary failure.
    pub tries: u8,
}

/// Why a sample was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleKind {
    /// Its slot came round.
    Slot,
    /// A poll before it failed in a temporary way.
    Recheck,
    /// Somebody asked for it.
    Manual,
}

/// What a poll says of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It answered as expected.
    Up,
    /// It is reachable, and something is not as expected.
    Warning,
    /// It failed by a cause of its own.
    Down,
    /// The poll failed by a cause of ours and says nothing of the target.
    Unknown,
}

/// What a check found; it knows nothing of schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it says of the target.
    pub verdict: Verdict,
    /// Why the verdict is not simply up.
    pub cause: Option<Cause>,
    /// What exactly went wrong.
    pub detail: Detail,
    /// Status code of the last answer, 0 when none came.
    pub status: u16,
    /// Body bytes of the last answer, as they came over the wire.
    pub bytes: u64,
    /// Whether the body was longer than its cap, so that `bytes` is what it had at least.
    pub is_at_least: bool,
    /// Redirects that were followed.
    pub redirects: u8,
    /// Whether the poll went over a connection that stood already.
    pub is_reused: bool,
    /// When the certificate of the first hop runs out, in Unix seconds; 0 when none was seen.
    pub certificate_until: i64,
    /// Seconds that a throttling answer asks us to wait; 0 when it does not say.
    pub retry_after_s: u32,
    /// Where the time went.
    pub phases: Phases,
}

impl Default for Finding {
    /// A target that is up, with nothing measured yet.
    fn default() -> Self {
        Self {
            verdict: Verdict::Up,
            cause: None,
            detail: Detail::None,
            status: 0,
            bytes: 0,
            is_at_least: false,
            redirects: 0,
            is_reused: false,
            certificate_until: 0,
            retry_after_s: 0,
            phases: Phases::default(),
        }
    }
}

impl Finding {
    /// The same finding, ended by `cause`.
    #[must_use]
    pub const fn with_cause(mut self, cause: Cause, detail: Detail) -> Self {
        self.verdict = cause.verdict();
        self.cause = Some(cause);
        self.detail = detail;
        self
    }

    /// Whether the target answered: with a status, or well enough that none is missed. Checks of
    /// other kinds than HTTP mostly have none.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        self.status != 0 || matches!(self.verdict, Verdict::Up | Verdict::Warning)
    }

    /// Whether an immediate second try cannot be expected to end otherwise.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        match self.cause {
            None
            | Some(
                Cause::Timeout
                | Cause::Connect
                | Cause::Reset
                | Cause::Body
                | Cause::Throttled
                | Cause::Resolver
                | Cause::NoNetwork
                | Cause::Clock,
            ) => false,
            Some(Cause::NoResources) => matches!(self.detail, Detail::IcmpForbidden),
            Some(Cause::Dns) => matches!(
                self.detail,
                Detail::NoSuchName
                    | Detail::NoAddress
                    | Detail::NoRecord
                    | Detail::WrongAnswer
                    | Detail::Bogus
                    | Detail::NoMail
            ),
            Some(Cause::Tls) => !matches!(self.detail, Detail::None | Detail::Alert),
            Some(Cause::Protocol) => !matches!(self.detail, Detail::NoAnswer),
            Some(Cause::Status) => match self.detail {
                // Mail servers: what begins with a 4 may be over soon, and with a 5 is not.
                Detail::Unavailable => false,
                Detail::Rejected | Detail::LoginRefused => true,
                _ => self.status < 500 && !matches!(self.status, 408 | 421 | 425 | 429),
            },
            Some(Cause::Internal) => {
                matches!(self.detail, Detail::Setting | Detail::ForbiddenAddress)
            }
            // What took too long once, or was lost, may be quick the next time, and who was silent may
            // answer.
            Some(Cause::Assertion) => !matches!(
                self.detail,
                Detail::Latency | Detail::Loss | Detail::NotPropagated | Detail::Lame
            ),
            Some(Cause::Redirect | Cause::TooLarge) => true,
        }
    }
}

/// A finished poll, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Number of the target.
    pub target: u32,
    /// When it fell due, in Unix milliseconds.
    pub due_ms: i64,
    /// When it finished, in Unix microseconds.
    pub finished_us: i64,
    /// Microseconds from due to started.
    pub lag_us: u32,
    /// Microseconds from started to finished.
    pub latency_us: u32,
    /// Why it was taken.
    pub kind: SampleKind,
    /// Whether a recheck follows, so that this poll alone does not change the target's state.
    pub is_provisional: bool,
    /// What it found.
    pub finding: Finding,
}

impl Outcome {
    /// What `top_codes` counts it under: the status, else the cause.
    #[must_use]
    pub fn code(&self) -> Code {
        match (self.finding.status, self.finding.cause) {
            (0, Some(cause)) => Code::Cause(cause),
            (status, _) => Code::Status(status),
        }
    }
}

/// A status or, where no answer came, the cause in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// An HTTP status.
    Status(u16),
    /// The cause of a poll without an answer.
    Cause(Cause),
}

impl Code {
    /// The number that is stored: the status, or 1,000 and the number of the cause.
    #[must_use]
    pub const fn to_stored(self) -> u16 {
        match self {
            Self::Status(status) => status,
            Self::Cause(cause) => 1_000 + cause.code() as u16,
        }
    }

    /// What is stored as `number`.
    #[must_use]
    pub fn from_stored(number: u16) -> Self {
        u8::try_from(number.saturating_sub(1_000))
            .ok()
            .filter(|_| number >= 1_000)
            .and_then(Cause::from_code)
            .map_or(Self::Status(number), Self::Cause)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Checks of other kinds than HTTP have none.
            Self::Status(0) => formatter.write_str("ok"),
            Self::Status(status) => write!(formatter, "{status}"),
            Self::Cause(cause) => formatter.write_str(cause.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_come_back_as_what_they_were() {
        for &cause in Cause::ALL {
            assert_eq!(Cause::from_code(cause.code()), Some(cause));
            assert_eq!(Code::from_stored(Code::Cause(cause).to_stored()), Code::Cause(cause));
        }
        for &detail in Detail::ALL {
            assert_eq!(Detail::from_code(detail.code()), Some(detail));
        }
        assert_eq!(Code::from_stored(503), Code::Status(503));
        assert_eq!(Code::from_stored(1_099), Code::Status(1_099));
    }

    #[test]
    fn a_fault_of_ours_never_says_that_the_target_is_down() {
        for cause in [Cause::Resolver, Cause::NoNetwork, Cause::NoResources, Cause::Clock] {
            assert_eq!(cause.verdict(), Verdict::Unknown);
        }
    }

    #[test]
    fn server_errors_are_temporary_and_missing_pages_permanent() {
        let status = |status| Finding {
            status,
            ..Finding::default().with_cause(Cause::Status, Detail::None)
        };
        assert!(!status(503).is_permanent());
        assert!(status(404).is_permanent());
    }

    #[test]
    fn what_a_mail_server_refuses_for_now_is_temporary_and_what_it_refuses_permanent() {
        let said = |status, detail| Finding {
            status,
            ..Finding::default().with_cause(Cause::Status, detail)
        };
        assert!(!said(450, Detail::Unavailable).is_permanent());
        assert!(said(550, Detail::Rejected).is_permanent());
        assert!(said(535, Detail::LoginRefused).is_permanent());
        assert!(Finding::default().with_cause(Cause::Dns, Detail::NoMail).is_permanent());
    }

    #[test]
    fn a_check_without_a_status_has_an_answer_when_its_target_is_up() {
        assert!(Finding::default().is_answered());
        let failed = Finding::default().with_cause(Cause::Connect, Detail::Refused);
        assert!(!failed.is_answered());
        assert!(Finding { status: 554, ..failed }.is_answered());
    }

    #[test]
    fn of_all_that_was_expected_only_the_time_may_be_otherwise_at_once() {
        let failed = |detail| Finding::default().with_cause(Cause::Assertion, detail);
        assert!(!failed(Detail::Latency).is_permanent());
        assert!(!failed(Detail::Loss).is_permanent());
        assert!(failed(Detail::BodyContains).is_permanent());
    }
}
