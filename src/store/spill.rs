//! `Spill`: a file beside the store that takes samples while the store does not.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::codes::{kind_code, kind_of, verdict_code, verdict_of};
use super::{Journal, Sample, SampleKey, StoreError, sqlite};
use crate::outcome::{Cause, Detail, Finding, Micros, Outcome, Phases};

/// The name of the spill file in the data directory.
pub const FILE_NAME: &str = "poller.spill";

/// First bytes of the file: its kind and version; the id of the store that its samples are for
/// comes behind.
const MAGIC: &[u8; 8] = b"pollsp02";
pub(super) const HEAD: u64 = MAGIC.len() as u64 + size_of::<i64>() as u64;
/// Bytes of a record, its checksum included.
pub(super) const RECORD: usize = 100;
const RECORD_LENGTH: u64 = RECORD as u64;
pub(super) const BODY: usize = RECORD - 4;

/// Samples in an append-only file, each with a checksum; what a crash tore off is left out.
#[derive(Debug)]
pub struct Spill {
    file: File,
    path: PathBuf,
    /// The id of the store that its samples are for; 0 when it is for none yet.
    store: i64,
    count: u64,
    /// Bytes that it may take together with the store beside it.
    max_bytes: u64,
}

impl Spill {
    /// Opens the file `path` and finds what a former run left in it; makes it if there is none.
    ///
    /// # Errors
    /// The file cannot be made, read or written, or is not a spill file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = file.metadata()?.len();
        let (path, max_bytes) = (path.to_owned(), u64::MAX);
        let mut spill = Self { count: 0, path, store: 0, file: file.try_clone()?, max_bytes };
        if length < HEAD {
            spill.clear()?;
            return Ok(spill);
        }
        let (mut magic, mut store) = ([0; MAGIC.len()], [0; size_of::<i64>()]);
        file.read_exact(&mut magic)?;
        file.read_exact(&mut store)?;
        if &magic != MAGIC {
            let reason = format!("{} is not a spill file; move it away", spill.path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        spill.store = i64::from_le_bytes(store);
        spill.count = count_in(length);
        Ok(spill)
    }

    /// Makes it the spill file of the store with the id `store`. Samples for another one mean other
    /// targets by the same numbers: the file is set aside then, and its new place told.
    ///
    /// # Errors
    /// The file cannot be written or moved.
    pub fn belong_to(&mut self, store: i64) -> io::Result<Option<PathBuf>> {
        if self.store == store {
            return Ok(None);
        }
        let mut aside = None;
        if self.count > 0 {
            let place = self.path.with_added_extension(format!("{:016x}", self.store));
            if place.exists() {
                let reason = format!("{} is in the way; move it away", place.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
            }
            std::fs::rename(&self.path, &place)?;
            *self = Self::open(&self.path)?.within(self.max_bytes);
            aside = Some(place);
        }
        self.store = store;
        self.clear()?;
        Ok(aside)
    }

    /// Lets it take `max_bytes` at most together with the store beside it.
    #[must_use]
    pub const fn within(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Appends `samples`, all or none of them.
    ///
    /// # Errors
    /// They cannot be written, for one because the disk is full, or there is no room for them; what
    /// was in the file before is still there.
    pub fn append(&mut self, samples: &[Sample]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(samples.len() * RECORD);
        for sample in samples {
            encode(sample, &mut bytes);
        }
        let end = self.bytes();
        let room = self.room();
        if end + bytes.len() as u64 > room {
            let reason = format!("it has {end} bytes, and room for {room}");
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, reason));
        }
        let written =
            self.file.seek(SeekFrom::Start(end)).and_then(|_| self.file.write_all(&bytes));
        if let Err(error) = written {
            // Whatever of them was written lies behind the count and is written over later.
            let _ = self.file.set_len(end);
            return Err(error);
        }
        self.count += samples.len() as u64;
        Ok(())
    }

    /// Bytes that the file may have: two thirds of what the store leaves, since the store and its
    /// log need room for these samples before the file is emptied.
    fn room(&self) -> u64 {
        let store = sqlite::file_bytes(&self.path.with_file_name(sqlite::FILE_NAME));
        let log = 2 * sqlite::log_bytes(self.max_bytes);
        self.max_bytes.saturating_sub(store + log) / 3 * 2
    }

    /// Samples in the file.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of the file.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        HEAD + self.count * RECORD_LENGTH
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The samples from the one with index `from` on, in the order in which they were appended.
    ///
    /// # Errors
    /// The file cannot be opened for reading.
    pub fn replay(&self, from: u64) -> io::Result<Replay> {
        let mut file = File::open(&self.path)?;
        let from = from.min(self.count);
        file.seek(SeekFrom::Start(HEAD + from * RECORD_LENGTH))?;
        Ok(Replay { file: BufReader::with_capacity(1 << 16, file), left: self.count - from })
    }

    /// Forgets all samples and gives their room back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn clear(&mut self) -> io::Result<()> {
        // The head is written over first: a full disk must not leave a file without one.
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(MAGIC)?;
        self.file.write_all(&self.store.to_le_bytes())?;
        self.file.set_len(HEAD)?;
        self.count = 0;
        Ok(())
    }
}

/// How many samples a spill file of so many bytes holds.
pub(super) const fn count_in(bytes: u64) -> u64 {
    bytes.saturating_sub(HEAD) / RECORD_LENGTH
}

impl Journal for Spill {
    fn append(&mut self, samples: &[Sample]) -> Result<(), StoreError> {
        Self::append(self, samples).map_err(stalled)
    }

    fn read(&mut self, after: SampleKey, most: usize) -> Result<Vec<Sample>, StoreError> {
        // Keys ascend: look for the first one behind `after` by halves.
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let at_middle = self.replay(middle).map_err(stalled)?.next();
            match at_middle.transpose().map_err(stalled)?.flatten() {
                Some(sample) if sample.key > after => high = middle,
                // A damaged record tells nothing; what lies before it is looked through as well.
                None => high = middle,
                Some(_) => low = middle + 1,
            }
        }
        let behind = self.replay(low).map_err(stalled)?;
        let samples = behind.filter_map(|read| read.map_err(stalled).transpose());
        samples
            .filter(|read| read.as_ref().is_ok_and(|sample| sample.key > after) || read.is_err())
            .take(most)
            .collect()
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        Self::clear(self).map_err(stalled)
    }

    fn count(&self) -> u64 {
        Self::count(self)
    }

    fn damaged(&self) -> Result<u64, StoreError> {
        let mut damaged = 0;
        for read in self.replay(0).map_err(stalled)? {
            damaged += u64::from(read.map_err(stalled)?.is_none());
        }
        Ok(damaged)
    }

    fn bytes(&self) -> u64 {
        Self::bytes(self)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn stalled(error: io::Error) -> StoreError {
    StoreError::Stalled { reason: format!("the spill file: {error}") }
}

/// The samples of a [`Spill`]; a damaged one is given as `None` in its place.
#[derive(Debug)]
pub struct Replay {
    file: BufReader<File>,
    left: u64,
}

impl Iterator for Replay {
    type Item = io::Result<Option<Sample>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut record = [0; RECORD];
        match self.file.read_exact(&mut record) {
            Ok(()) => Some(Ok(decode(&record))),
            Err(error) => {
                self.left = 0;
                Some(Err(error))
            }
        }
    }
}

pub(super) fn checksum(body: &[u8]) -> [u8; 4] {
    let [first, second, third, fourth, ..] = xxh3_64(body).to_le_bytes();
    [first, second, third, fourth]
}

pub(super) fn encode(sample: &Sample, bytes: &mut Vec<u8>) {
    let outcome = &sample.outcome;
    let finding = &outcome.finding;
    let start = bytes.len();
    for number in [sample.key.0, sample.previous.0, outcome.due_ms, outcome.finished_us] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(finding.bytes.to_le_bytes());
    bytes.extend(finding.certificate_until.to_le_bytes());
    for number in [outcome.target, outcome.lag_us, outcome.latency_us, finding.retry_after_s] {
        bytes.extend(number.to_le_bytes());
    }
    for phase in finding.phases.all() {
        bytes.extend(phase.get().unwrap_or(u32::MAX).to_le_bytes());
    }
    bytes.extend(finding.status.to_le_bytes());
    let flags = u8::from(outcome.is_provisional)
        | u8::from(finding.is_reused) << 1
        | u8::from(finding.is_at_least) << 2
        | kind_code(outcome.kind) << 3
        | verdict_code(finding.verdict) << 5;
    let cause = finding.cause.map_or(0, Cause::code);
    bytes.extend([flags, cause, finding.detail.code(), finding.redirects]);
    bytes.resize(start + BODY, 0);
    let sum = checksum(bytes.get(start..).unwrap_or_default());
    bytes.extend(sum);
}

pub(super) fn decode(record: &[u8; RECORD]) -> Option<Sample> {
    let (body, sum) = record.split_at_checked(BODY)?;
    if checksum(body) != sum {
        return None;
    }
    let mut rest = body;
    let [key, previous, due_ms, finished_us] = longs(&mut rest)?;
    let [bytes, certificate_until] = longs(&mut rest)?;
    let [target, lag_us, latency_us, retry_after_s] = words(&mut rest)?;
    let phase = |us| if us == u32::MAX { Micros::NONE } else { Micros::from_us(us) };
    let [resolve, connect, tls, first_byte, transfer] = words(&mut rest)?.map(phase);
    let &[low, high, flags, cause, detail, redirects] = rest.first_chunk()?;
    let finding = Finding {
        verdict: verdict_of(flags >> 5),
        cause: Cause::from_code(cause),
        detail: Detail::from_code(detail)?,
        status: u16::from_le_bytes([low, high]),
        bytes: bytes.cast_unsigned(),
        is_at_least: flags & 4 != 0,
        redirects,
        is_reused: flags & 2 != 0,
        certificate_until,
        retry_after_s,
        phases: Phases { resolve, connect, tls, first_byte, transfer },
    };
    let (kind, is_provisional) = (kind_of(flags >> 3 & 3), flags & 1 != 0);
    let outcome =
        Outcome { target, due_ms, finished_us, lag_us, latency_us, kind, is_provisional, finding };
    Some(Sample { key: SampleKey(key), previous: SampleKey(previous), outcome })
}

fn longs<const N: usize>(bytes: &mut &[u8]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let (chunk, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        *number = i64::from_le_bytes(*chunk);
    }
    Some(numbers)
}

fn words<const N: usize>(bytes: &mut &[u8]) -> Option<[u32; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let (chunk, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        *number = u32::from_le_bytes(*chunk);
    }
    Some(numbers)
}
