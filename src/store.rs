//! The port `Store`: where outcomes and what follows from them are kept; its edges live in
//! `store/`.

mod announcement;
mod codes;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod memory;
mod own;
#[cfg(feature = "distributed")]
pub mod postgres;
pub mod reader;
mod shard;
pub mod spill;
pub mod sqlite;
pub mod tokens;

pub use announcement::{Announcement, AnnouncementKind};

pub use shard::{Blamed, KeptRecord, RestoredShard, ShardBatch, ShardSample};

pub use own::{OwnChange, OwnStore, OwnTarget, Pause};

use crate::health::{Health, Transition};
use crate::outcome::{Cause, Detail, Outcome};
use crate::stats::Tally;
use crate::target::Target;
use tokens::KeptToken;

/// An outcome with its place in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its key: time of finish and sequence, ascending in the order of recording.
    pub key: SampleKey,
    /// The key of the sample before it of the same target, 0 when there is none.
    pub previous: SampleKey,
    /// What is recorded.
    pub outcome: Outcome,
}

/// The key of a sample: Unix milliseconds of its finish and, in the lowest 21 bits, a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleKey(pub i64);

impl SampleKey {
    const SEQUENCE_BITS: u32 = 21;

    /// The first key of the millisecond `at_ms`.
    #[must_use]
    pub const fn first_of(at_ms: i64) -> Self {
        Self(at_ms << Self::SEQUENCE_BITS)
    }

    /// The millisecond that the key belongs to.
    #[must_use]
    pub const fn at_ms(self) -> i64 {
        self.0 >> Self::SEQUENCE_BITS
    }

    /// The key of a sample that finished at `at_ms` and is recorded after this one.
    #[must_use]
    pub fn next(self, at_ms: i64) -> Self {
        Self::first_of(at_ms).max(Self(self.0 + 1))
    }
}

/// Beginning or end of a target's outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentChange {
    /// It went down.
    Began {
        /// Number of the target.
        target: u32,
        /// When, in Unix milliseconds.
        at_ms: i64,
        /// Why.
        cause: Cause,
        /// What exactly went wrong.
        detail: Detail,
    },
    /// It is back.
    Ended {
        /// Number of the target.
        target: u32,
        /// When, in Unix milliseconds.
        at_ms: i64,
    },
    /// It was none: it was probably us. Nothing is kept of it.
    Withdrawn {
        /// Number of the target.
        target: u32,
        /// When it was told to begin, in Unix milliseconds.
        began_ms: i64,
    },
}

/// What is known of one target, as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Number of the target.
    pub target: u32,
    /// Its state.
    pub health: Health,
    /// Whether an outage of it is open.
    pub has_incident: bool,
    /// Key of its last sample.
    pub last: SampleKey,
    /// Status or cause of its last sample, as stored; 0 when there is none.
    pub last_code: u16,
    /// Latency of its last sample in microseconds.
    pub last_latency_us: u32,
    /// When its certificate runs out, in Unix seconds; 0 when none was seen.
    pub certificate_until: i64,
    /// The hour that the tally belongs to, in hours since the Unix epoch.
    pub hour: u32,
    /// What was counted in that hour so far.
    pub tally: Tally,
}

impl Record {
    /// Whether it has been polled; its last code and latency say something only then.
    #[must_use]
    pub const fn is_polled(&self) -> bool {
        self.last_code != 0 || self.last.0 != 0
    }
}

/// A tally of one target and hour that will not change any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedHour {
    /// Number of the target.
    pub target: u32,
    /// Hours since the Unix epoch.
    pub hour: u32,
    /// What was counted.
    pub tally: Tally,
}

/// Counts that never shrink, over all that was ever stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Samples.
    pub checks: u64,
    /// Samples by stored code.
    pub codes: std::collections::BTreeMap<u16, u64>,
    /// Body bytes.
    pub bytes: u64,
    /// Rechecks.
    pub rechecks: u64,
}

/// What is written in one transaction: all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Its place in this run, from 1 on, ascending: a batch up to the last one that was written
    /// changes nothing. 0 for one that stands alone.
    pub number: u64,
    /// New samples, in the order of their keys.
    pub samples: Vec<Sample>,
    /// Seconds (Unix) whose window changed, and the window as bytes; they replace what is there.
    pub seconds: Vec<(i64, Vec<u8>)>,
    /// Changes of state.
    pub transitions: Vec<Transition>,
    /// Beginnings and ends of outages.
    pub incidents: Vec<IncidentChange>,
    /// Records of targets that changed; they replace what is there.
    pub records: Vec<Record>,
    /// Hours that are over; each is added to what is kept of that hour, and to its day.
    pub hours: Vec<ClosedHour>,
    /// The fleet's hours that changed, and their tallies; they replace what is there.
    pub fleet_hours: Vec<(u32, Tally)>,
    /// The counts after this batch.
    pub totals: Totals,
    /// Samples up to this key are in the records of their targets; what lies behind it has to be
    /// taken in again after a crash.
    pub settled: SampleKey,
    /// The summary after this batch as JSON, when it was made anew.
    pub summary: Option<String>,
    /// Since when this daemon has watched without a gap, in Unix milliseconds; 0 for as long as it
    /// runs.
    pub watched_since_ms: i64,
    /// Until when it has, in Unix milliseconds.
    pub watched_until_ms: i64,
}

/// What a store holds when a daemon starts.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Records by target.
    pub records: Vec<Record>,
    /// Windows of the last five minutes as bytes, by Unix second.
    pub seconds: Vec<(i64, Vec<u8>)>,
    /// The fleet's tally of the newest hour.
    pub fleet_hour: Option<(u32, Tally)>,
    /// The counts.
    pub totals: Totals,
    /// Samples behind `settled`, in the order of their keys, to be taken in again.
    pub unsettled: Vec<Sample>,
    /// The key of the newest sample.
    pub newest: SampleKey,
    /// Samples that are kept now.
    pub samples: u64,
}

/// Why the store could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot take anything for now, and may later: locked, disk full, input or output error.
    #[error("{reason}")]
    Stalled {
        /// Why, in words.
        reason: String,
    },
    /// It is of a newer version than this program.
    #[error(
        "the store {path} is of version {found}, this program knows {known}; use a newer poller"
    )]
    Newer {
        /// Its file.
        path: String,
        /// Its version.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// It cannot be used at all.
    #[error("the store {path}: {reason}")]
    Unusable {
        /// Its file.
        path: String,
        /// Why, in words, and what to do.
        reason: String,
    },
}

impl StoreError {
    fn without_announcements() -> Self {
        Self::Unusable { path: "in memory".into(), reason: "keeps no announcements".into() }
    }
}

/// The side of a store that writes; it has one owner.
pub trait Store: OwnStore + Send + 'static {
    /// Gives every target its number: the one it had before, else a new one.
    ///
    /// Targets that are kept in the store and not among these are marked as removed; they lose
    /// nothing and are the same again when they come back.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn enrol(&mut self, targets: &mut [Target]) -> Result<(), StoreError>;

    /// Gives `targets` their numbers, as [`Store::enrol`] does, and marks those with the numbers
    /// `removed` as removed; all others stay as they are.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn amend(&mut self, targets: &mut [Target], removed: &[u32]) -> Result<(), StoreError>;

    /// What is kept of the targets with these numbers, as of the last batch; of those that came
    /// back without the state that they had.
    ///
    /// # Errors
    /// The store cannot be read.
    fn records(&mut self, numbers: &[u32]) -> Result<Vec<Record>, StoreError>;

    /// What is kept from former runs, and begins a new run at `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn restore(&mut self, now_ms: i64) -> Result<Restored, StoreError>;

    /// Writes `batch`, all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Stalled`] when it may succeed later.
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Drops a slice of what is older than allowed or over the budget, and tells whether there is
    /// more to drop at once.
    ///
    /// # Errors
    /// [`StoreError::Stalled`] when it may succeed later.
    fn trim(&mut self, now_ms: i64) -> Result<Trimmed, StoreError>;

    /// Adds a token of the API.
    ///
    /// # Errors
    /// The store cannot be written, has such a token already, or keeps none.
    fn keep_token(&mut self, token: &KeptToken) -> Result<(), StoreError> {
        Err(keeps_no_tokens(&token.id))
    }

    /// Notes that the token `id` of the API is revoked since `now_ms` (Unix milliseconds); tells
    /// whether there is one.
    ///
    /// # Errors
    /// The store cannot be written, or keeps no tokens.
    fn revoke_token(&mut self, id: &str, now_ms: i64) -> Result<bool, StoreError> {
        let _ = now_ms;
        Err(keeps_no_tokens(id))
    }

    /// Keeps `announcement`, whatever its number, and returns the number that it has from now on.
    ///
    /// # Errors
    /// [`StoreError::Stalled`] when it may succeed later, [`StoreError::Unusable`] when this store
    /// keeps none.
    fn announce(&mut self, announcement: &Announcement) -> Result<i64, StoreError> {
        let _ = announcement;
        Err(StoreError::without_announcements())
    }

    /// Forgets the announcement with the number `id`; tells whether there was one.
    ///
    /// # Errors
    /// As those of [`Store::announce`].
    fn withdraw(&mut self, id: i64) -> Result<bool, StoreError> {
        let _ = id;
        Err(StoreError::without_announcements())
    }

    /// Bytes that the store takes on the disk, its log included.
    fn bytes(&self) -> u64;
}

fn keeps_no_tokens(id: &str) -> StoreError {
    StoreError::Stalled { reason: format!("this store keeps no tokens, and so not {id}") }
}

/// What a call of [`Store::trim`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Samples that were dropped.
    pub samples: u64,
    /// Whether more waits to be dropped.
    pub has_more: bool,
    /// Whether the next to be dropped are in no record yet: [`Batch::settled`] has to advance.
    pub is_held_up: bool,
    /// Why the store takes more room than it may, when dropping does not help.
    pub excess: Option<Excess>,
}

/// Why a store takes more room than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Nothing is left to drop.
    #[error("the store takes more than --max-disk, and has nothing left to drop; allow it more")]
    NothingLeft,
    /// A reader keeps the log from being brought into the store's file.
    #[error(
        "another program reads the store and holds its log, which has grown past --max-disk; end it"
    )]
    LogHeld,
}

/// Where samples are noted down while the store does not take them, so that a crash does not
/// lose them.
pub trait Journal: Send + 'static {
    /// Adds `samples` behind what is there.
    ///
    /// # Errors
    /// They could not be written, for instance because the disk is full; what was there stays.
    fn append(&mut self, samples: &[Sample]) -> Result<(), StoreError>;

    /// Reads at most `most` samples whose keys lie behind `after`, in the order of their keys.
    ///
    /// # Errors
    /// They could not be read.
    fn read(&mut self, after: SampleKey, most: usize) -> Result<Vec<Sample>, StoreError>;

    /// Forgets everything, as when the store has taken it.
    ///
    /// # Errors
    /// The file could not be cut.
    fn clear(&mut self) -> Result<(), StoreError>;

    /// Samples that are noted down.
    fn count(&self) -> u64;

    /// Samples of these that are damaged and cannot be read any more.
    ///
    /// # Errors
    /// They could not be looked through.
    fn damaged(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// Bytes that they take on the disk.
    fn bytes(&self) -> u64;
}
