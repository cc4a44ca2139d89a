//! A finished poll as a message, and back.

use super::{MessageError, OutcomeMessage};
use crate::outcome::{Cause, Detail, Finding, Micros, Outcome, Phases, SampleKind, Verdict};

/// The last second of the year 9999, in Unix seconds: no certificate is valid for longer.
const LAST_SECOND: i64 = 253_402_300_799;

impl OutcomeMessage {
    /// `outcome` of a poll that was tried `tries` times before, under the lease of `epoch`.
    #[must_use]
    pub fn of(outcome: &Outcome, tries: u8, epoch: i64) -> Self {
        let finding = &outcome.finding;
        Self {
            target: outcome.target,
            due_ms: outcome.due_ms,
            finished_us: outcome.finished_us,
            lag_us: outcome.lag_us,
            latency_us: outcome.latency_us,
            tries: tries.into(),
            is_provisional: outcome.is_provisional,
            verdict: match finding.verdict {
                Verdict::Up => 0,
                Verdict::Warning => 1,
                Verdict::Down => 2,
                Verdict::Unknown => 3,
            },
            cause: finding.cause.map_or(0, |cause| cause.code().into()),
            detail: finding.detail.code().into(),
            status: finding.status.into(),
            bytes: finding.bytes,
            is_at_least: finding.is_at_least,
            redirects: finding.redirects.into(),
            is_reused: finding.is_reused,
            certificate_until: finding.certificate_until,
            phases: finding.phases.all().map(told).to_vec(),
            epoch,
        }
    }

    /// The outcome that it tells.
    ///
    /// # Errors
    /// A field has a value that it cannot have.
    pub fn outcome(&self) -> Result<Outcome, MessageError> {
        let byte = |field, value: u32| u8::try_from(value).map_err(|_| MessageError::Field(field));
        let cause = match byte("cause", self.cause)? {
            0 => None,
            code => Some(Cause::from_code(code).ok_or(MessageError::Field("cause"))?),
        };
        let finding = Finding {
            verdict: match self.verdict {
                0 => Verdict::Up,
                1 => Verdict::Warning,
                2 => Verdict::Down,
                3 => Verdict::Unknown,
                _ => return Err(MessageError::Field("verdict")),
            },
            cause,
            // A newer checker may know finer ones.
            detail: Detail::from_code(byte("detail", self.detail)?).unwrap_or(Detail::None),
            status: u16::try_from(self.status).map_err(|_| MessageError::Field("status"))?,
            bytes: self.bytes,
            is_at_least: self.is_at_least,
            redirects: byte("redirects", self.redirects)?,
            is_reused: self.is_reused,
            certificate_until: self.certificate_until.clamp(0, LAST_SECOND),
            retry_after_s: 0,
            phases: self.phases(),
        };
        Ok(Outcome {
            target: self.target,
            due_ms: self.due_ms,
            finished_us: self.finished_us,
            lag_us: self.lag_us,
            latency_us: self.latency_us,
            kind: if self.tries == 0 { SampleKind::Slot } else { SampleKind::Recheck },
            is_provisional: self.is_provisional,
            finding,
        })
    }

    fn phases(&self) -> Phases {
        let mut told = self.phases.iter();
        let mut next = || match told.next() {
            None | Some(0) => Micros::NONE,
            Some(us) => Micros::from_us(us - 1),
        };
        let (resolve, connect, tls, first_byte, transfer) =
            (next(), next(), next(), next(), next());
        Phases { resolve, connect, tls, first_byte, transfer }
    }
}

/// How a phase is told: 0 where there was none, else its microseconds and 1.
const fn told(phase: Micros) -> u32 {
    match phase.get() {
        None => 0,
        Some(us) => us.saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::kafka::messages::{Report, Told};

    fn outcome() -> Outcome {
        let phases =
            Phases { connect: Micros::from_us(7), tls: Micros::from_us(0), ..Phases::default() };
        let failed = Finding::default().with_cause(Cause::Timeout, Detail::Waiting);
        Outcome {
            target: 17,
            due_ms: 1_800_000_000_000,
            finished_us: 1_800_000_000_250_000,
            lag_us: 9,
            latency_us: 250_000,
            kind: SampleKind::Recheck,
            is_provisional: true,
            finding: Finding { bytes: 5, redirects: 2, phases, ..failed },
        }
    }

    #[test]
    fn an_outcome_comes_out_as_it_went_in() {
        let told = Told::Outcome(OutcomeMessage::of(&outcome(), 2, 3));
        let read = Report::read(&Report::new("eu", told).to_bytes()).expect("a report");
        let Some(Told::Outcome(message)) = &read.told else { panic!("{read:?}") };
        assert_eq!(message.outcome(), Ok(outcome()));
        assert_eq!((message.tries, message.epoch, read.location.as_str()), (2, 3, "eu"));
    }

    #[test]
    fn a_verdict_that_nobody_knows_is_told() {
        let wrong = OutcomeMessage { verdict: 9, ..OutcomeMessage::default() };
        assert_eq!(wrong.outcome(), Err(MessageError::Field("verdict")));
    }
}
