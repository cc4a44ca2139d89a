//! `Shortage`: what this machine is short of, told from signals that are its own.

use std::fmt;
use std::time::Duration;

/// A runtime that wakes so late has too much to do, or gets no processor.
const RUNTIME: Duration = Duration::from_millis(100);
/// So late are jobs handed out that had no reason to wait.
const SCHEDULE: Duration = Duration::from_millis(250);
/// Percent of the outbox that may wait for the recorder.
const OUTBOX: u64 = 25;
/// Files that are to stay free: a tenth of the limit, and no more than this. Polls that run for
/// good reason may take all that is left beside the reserve of look-ups, store and visitors.
const FREE_FILES: u64 = 64;
/// Percent of the memory that may be in use.
const MEMORY: u64 = 85;

/// A part of something that has an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How much is in use.
    pub used: u64,
    /// How much there is; 0: nobody knows.
    pub of: u64,
}

impl Share {
    /// Whether so many percent of it are in use; never when nobody knows how much there is.
    #[must_use]
    pub const fn is_at_least(self, percent: u64) -> bool {
        self.of > 0 && self.used.saturating_mul(100) >= self.of.saturating_mul(percent)
    }
}

/// How this machine was in the last second. Nothing in it depends on how targets are, nor on the
/// disk: probing never waits for storage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signals {
    /// How late a runtime woke what was due.
    pub runtime_late: Duration,
    /// How late a job was handed out that had no reason to wait.
    pub schedule_late: Duration,
    /// Outcomes that the recorder has not fetched.
    pub outbox: Share,
    /// Files that are open.
    pub files: Share,
    /// Polls that found no file descriptor.
    pub without_file: u64,
    /// Bytes of memory in use.
    pub memory: Share,
    /// Polls that were in flight at most.
    pub in_flight: usize,
}

/// What this machine is short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Polls find no file descriptor: so many in a second.
    NoFile(u64),
    /// Memory, in bytes.
    Memory(Share),
    /// Files that may be open.
    Files(Share),
    /// Processor: its runtimes wake so late.
    Runtime(Duration),
    /// Processor: jobs are handed out so late.
    Schedule(Duration),
    /// The recorder does not keep up.
    Outbox(Share),
}

impl Signals {
    /// What the machine is short of, the worst first.
    #[must_use]
    pub fn shortage(&self) -> Option<Shortage> {
        let free_files = self.files.of.saturating_sub(self.files.used);
        let shortages = [
            (self.without_file > 0, Shortage::NoFile(self.without_file)),
            (self.memory.is_at_least(MEMORY), Shortage::Memory(self.memory)),
            (free_files < FREE_FILES.min(self.files.of / 10), Shortage::Files(self.files)),
            (self.runtime_late > RUNTIME, Shortage::Runtime(self.runtime_late)),
            (self.schedule_late > SCHEDULE, Shortage::Schedule(self.schedule_late)),
            (self.outbox.is_at_least(OUTBOX), Shortage::Outbox(self.outbox)),
        ];
        shortages.into_iter().find(|(is_short, _)| *is_short).map(|(_, shortage)| shortage)
    }
}

impl Shortage {
    /// Whether it may be over by the time that it is seen, as after a moment in which the whole
    /// process stood still.
    #[must_use]
    pub const fn may_be_over(self) -> bool {
        matches!(self, Self::Runtime(_) | Self::Schedule(_))
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile(polls) => {
                write!(formatter, "{polls} polls of the last second found no file descriptor")
            }
            Self::Memory(share) => {
                let Share { used, of } = *share;
                write!(
                    formatter,
                    "{} MB of {} MB of memory are in use",
                    megabytes(used),
                    megabytes(of)
                )
            }
            Self::Files(Share { used, of }) => {
                write!(formatter, "{used} of {of} files that may be open are")
            }
            Self::Runtime(late) => {
                write!(
                    formatter,
                    "what is due wakes {} ms late: too little processor",
                    late.as_millis()
                )
            }
            Self::Schedule(late) => {
                write!(formatter, "polls start {} ms late: too little processor", late.as_millis())
            }
            Self::Outbox(Share { used, .. }) => {
                write!(formatter, "{used} results are not fetched: too little processor")
            }
        }
    }
}

const fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn share(used: u64, of: u64) -> Share {
        Share { used, of }
    }

    /// What is told of a machine that is like this.
    fn told(signals: Signals) -> Option<String> {
        signals.shortage().map(|shortage| shortage.to_string())
    }

    #[test]
    fn each_shortage_is_told_in_words_with_its_figure() {
        let calm = Signals::default();
        let told = |signals| told(signals).expect("a shortage");
        assert_eq!(
            told(Signals { runtime_late: Duration::from_millis(240), ..calm }),
            "what is due wakes 240 ms late: too little processor"
        );
        assert_eq!(
            told(Signals { schedule_late: Duration::from_millis(310), ..calm }),
            "polls start 310 ms late: too little processor"
        );
        assert_eq!(
            told(Signals { outbox: share(300_000, 1 << 20), ..calm }),
            "300000 results are not fetched: too little processor"
        );
        assert_eq!(
            told(Signals { files: share(970, 1_024), ..calm }),
            "970 of 1024 files that may be open are"
        );
        assert_eq!(
            told(Signals { without_file: 12, ..calm }),
            "12 polls of the last second found no file descriptor"
        );
        assert_eq!(
            told(Signals { memory: share(712_000_000, 800_000_000), ..calm }),
            "712 MB of 800 MB of memory are in use"
        );
    }

    #[test]
    fn what_nobody_knows_and_what_is_nearly_too_much_is_no_shortage() {
        assert_eq!(told(Signals::default()), None);
        let much = Signals {
            runtime_late: RUNTIME,
            schedule_late: SCHEDULE,
            outbox: share(262_143, 1 << 20),
            files: share(960, 1_024),
            memory: share(849, 1_000),
            in_flight: 100_000,
            ..Signals::default()
        };
        assert_eq!(told(much), None);
    }

    #[test]
    fn files_that_polls_take_beside_the_reserve_are_no_shortage() {
        // 16,384 places and a reserve of 512, of which 256 look-ups and 128 kept ones are taken.
        let full = Signals { files: share(16_384 + 256 + 128 + 40, 16_896), ..Signals::default() };
        assert_eq!(told(full), None);
        let small = Signals { files: share(128 + 64 + 38, 256), ..Signals::default() };
        assert_eq!(told(small), None);
        assert!(told(Signals { files: share(232, 256), ..Signals::default() }).is_some());
    }
}
