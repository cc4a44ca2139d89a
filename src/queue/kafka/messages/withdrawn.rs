//! Polls that are taken back as a message, and back.

use std::ops::RangeInclusive;

use super::{MessageError, WithdrawnMessage};

impl WithdrawnMessage {
    /// Targets that one message names at most: so many take 40 KB.
    pub const MOST: usize = 2_000;

    /// That of each of `targets` the polls of those slots are taken back that fell due within a span
    /// (Unix milliseconds).
    #[must_use]
    pub fn of(targets: &[(u32, RangeInclusive<i64>)]) -> Self {
        Self {
            targets: targets.iter().map(|(target, _)| *target).collect(),
            first_due_ms: targets.iter().map(|(_, slots)| *slots.start()).collect(),
            last_due_ms: targets.iter().map(|(_, slots)| *slots.end()).collect(),
        }
    }

    /// The targets that it names, each with the span in which those of its slots fell due whose polls
    /// are taken back.
    ///
    /// # Errors
    /// Its lists do not belong together.
    pub fn slots(
        &self,
    ) -> Result<impl Iterator<Item = (u32, RangeInclusive<i64>)> + '_, MessageError> {
        let count = self.targets.len();
        if self.first_due_ms.len() != count {
            return Err(MessageError::Field("first_due_ms"));
        }
        if self.last_due_ms.len() != count {
            return Err(MessageError::Field("last_due_ms"));
        }
        let spans = self.first_due_ms.iter().zip(&self.last_due_ms);
        let spans = spans.map(|(first_ms, last_ms)| *first_ms..=*last_ms);
        Ok(self.targets.iter().copied().zip(spans))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::kafka::messages::{Report, Told};

    #[test]
    fn what_is_taken_back_comes_out_as_it_went_in_and_a_full_message_is_small() {
        let due_ms = 1_800_000_000_000;
        let last = u32::try_from(WithdrawnMessage::MOST).expect("small");
        let targets: Vec<_> = (u32::MAX - last + 1..=u32::MAX)
            .map(|target| (target, due_ms - i64::from(target % 9)..=due_ms))
            .collect();
        let report = Report::new("here", Told::Withdrawn(WithdrawnMessage::of(&targets)));
        let bytes = report.to_bytes();
        assert!(bytes.len() < 40_000, "{}", bytes.len());
        let Ok(Report { told: Some(Told::Withdrawn(read)), .. }) = Report::read(&bytes) else {
            panic!("another one")
        };
        assert_eq!(read.slots().expect("lists of a length").collect::<Vec<_>>(), targets);
    }

    #[test]
    fn lists_that_do_not_belong_together_are_refused() {
        let whole = WithdrawnMessage::of(&[(1, 5..=6), (2, 5..=6)]);
        let refused =
            |message: WithdrawnMessage| message.slots().map(Iterator::count).expect_err("refused");
        let first = WithdrawnMessage { first_due_ms: vec![5], ..whole.clone() };
        assert_eq!(refused(first), MessageError::Field("first_due_ms"));
        let last = WithdrawnMessage { last_due_ms: vec![6; 3], ..whole };
        assert_eq!(refused(last), MessageError::Field("last_due_ms"));
    }
}
