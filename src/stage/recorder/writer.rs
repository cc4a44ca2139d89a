//! The writer: puts batch after batch into the store, and tries again for as long as it takes.

use std::time::{Duration, Instant};

use super::backlog::Front;
use super::doubt::Doubt;
use super::hold::{Hold, Journaled, Next};
use crate::clock::Clock;
use crate::store::{Batch, Sample, Store, StoreError, Trimmed};

/// How long the writer waits before it tries again.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the writer sleeps at most when there is nothing to write.
const NAP: Duration = Duration::from_secs(1);
/// How long one round of trimming may take.
const TRIMMING: Duration = Duration::from_millis(50);
/// How often the journal is read in vain before what is in it alone is given up: a minute.
const READS: u32 = 240;

/// The writer, with what it remembers of its last tries.
struct Writer<'a, S> {
    store: S,
    hold: &'a Hold,
    journal: &'a Journaled,
    is_stalled: bool,
    /// How often the journal was read in vain.
    failed_reads: u32,
    clock: &'a Clock,
    /// What is believed of the clock where something is dropped by its age.
    doubt: Doubt,
}

/// Writes until `hold` says that it is over.
pub(super) fn run(store: impl Store, hold: &Hold, journal: &Journaled, clock: &Clock) {
    let doubt = Doubt::new(clock.now_ms(), monotonic_ms(clock));
    let mut writer =
        Writer { store, hold, journal, is_stalled: false, failed_reads: 0, clock, doubt };
    loop {
        match hold.next(NAP) {
            Next::Order(order) => order(&mut writer.store),
            Next::Write(front) => {
                if writer.try_write(front) {
                    writer.trim();
                }
            }
            Next::Rest => writer.trim(),
            Next::End => return,
        }
    }
}

fn monotonic_ms(clock: &Clock) -> i64 {
    i64::try_from(clock.monotonic_us() / 1_000).unwrap_or(i64::MAX)
}

impl<S: Store> Writer<'_, S> {
    /// Stores the first batch, or waits a little before that is tried again.
    fn try_write(&mut self, front: Front) -> bool {
        let began = Instant::now();
        let written = self.write(&front);
        // The batch is free again, to be lightened or let go of.
        drop(front);
        match written {
            Ok(()) => {
                if std::mem::take(&mut self.is_stalled) {
                    tracing::info!("the store takes samples again");
                }
                self.hold.pop(&self.store, began.elapsed());
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_stalled, true) {
                    tracing::warn!(%error, "the store takes no samples; they wait until it does");
                }
                self.hold.stall(error.to_string(), PAUSE);
                false
            }
        }
    }

    fn write(&mut self, front: &Front) -> Result<(), StoreError> {
        let (_, missing) = front.missing;
        if missing == 0 {
            return self.store.append(&front.batch);
        }
        let mut samples = self.read_back(front)?;
        let lost = (missing - samples.len()) as u64;
        samples.extend_from_slice(&front.batch.samples);
        self.store.append(&Batch { samples, ..(*front.batch).clone() })?;
        if lost > 0 {
            tracing::error!(samples = lost, "the spill file is damaged; its samples are lost");
            self.hold.note_lost(lost);
        }
        Ok(())
    }

    /// The samples of `front` that are in the journal alone: fewer when some cannot be read, an
    /// error when that may change.
    fn read_back(&mut self, front: &Front) -> Result<Vec<Sample>, StoreError> {
        let (after, missing) = front.missing;
        match self.journal.lock().read(after, missing) {
            Ok(mut samples) => {
                self.failed_reads = 0;
                // Behind a damaged one lie those of the next batch.
                samples.retain(|sample| sample.key <= front.last);
                Ok(samples)
            }
            Err(error) if self.failed_reads < READS => {
                self.failed_reads += 1;
                Err(error)
            }
            Err(_) => Ok(Vec::new()),
        }
    }

    fn trim(&mut self) {
        let began = Instant::now();
        let mut all = Trimmed::default();
        let now_ms = self.doubt.believed_ms(self.clock.now_ms(), monotonic_ms(self.clock));
        loop {
            match self.store.trim(now_ms) {
                Ok(trimmed) => {
                    all = Trimmed { samples: all.samples + trimmed.samples, ..trimmed };
                    if !trimmed.has_more || began.elapsed() >= TRIMMING {
                        break;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the store could not be trimmed; it will be later");
                    break;
                }
            }
        }
        let before = self.hold.note_trimmed(&self.store, all);
        match all.excess {
            Some(excess) if before != Some(excess) => tracing::warn!("{excess}"),
            None if before.is_some() => tracing::info!("the store has room again"),
            _ => {}
        }
    }
}
