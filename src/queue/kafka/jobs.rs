//! `JobTopic`: jobs of a scheduler on their way to the topic, and how many of them are there.

mod token;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prost::encoding;

use self::token::{KEY, ROOM, RUNS, Token, room};
use super::messages::{JobMessage, LEAST, MissedMessage, Reason, Report, Told, VERSION};
use super::producer::{BATCH, Deliveries, Delivery, MOST_KB, MOST_RECORDS, Producer, SendError};
use super::topics::TopicsError;
use super::{Connection, Topic};
use crate::queue::{Full, JobSink, Mark, Settled, Slot};
use crate::target::TargetId;

/// How long after they refused a job for its size brokers are asked again: what they take can be
/// changed. That costs the shard of the job a second.
const ASKED_AGAIN: Duration = Duration::from_mins(10);
/// How long it is remembered which targets that concerned, so that it is not said each time.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// What is the same in all jobs of a target with `number`, `id` and `entry` (JSON), as of
/// `revision`: the beginning of its [`JobMessage`].
#[must_use]
pub fn fixed(number: u32, id: TargetId, revision: i64, entry: &[u8]) -> Box<[u8]> {
    let message = JobMessage {
        version: VERSION,
        needs: LEAST,
        target: number,
        id: id.0,
        revision: revision.cast_unsigned(),
        entry: bytes::Bytes::copy_from_slice(entry),
        ..JobMessage::default()
    };
    message.to_bytes().into_boxed_slice()
}

/// Puts jobs on their topic, and slots that passed on the topic of outcomes.
#[derive(Debug)]
pub struct JobTopic {
    producer: Producer,
    tallies: Tallies,
    offered: Vec<Run>,
    /// Records of a shard that may wait for brokers, and the room that they may take: all shards
    /// together find both, so that one whose partition nobody leads holds up no other.
    most: (u64, u64),
    buffer: Vec<u8>,
    /// Why nothing is taken any more.
    broken: Option<String>,
}

/// How often counting began, and what was counted since.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    number: usize,
    mark: Mark,
    /// The room that it took.
    room: u64,
}

impl Run {
    fn count(&mut self, token: Token) {
        self.room += token.room as u64;
        if token.is_job {
            self.mark.jobs += 1;
        } else {
            self.mark.missed += 1;
        }
    }
}

impl JobTopic {
    /// The topics of a cluster of `shards`.
    ///
    /// # Errors
    /// What `connection` says makes no sense.
    pub fn new(connection: &Connection, shards: u32) -> Result<Self, TopicsError> {
        let tally = |_| Mutex::new(Tally::default());
        let tallies = Tallies { shards: (0..shards).map(tally).collect(), large: Arc::default() };
        let producer = Producer::new(connection, tallies.clone())?;
        let offered = vec![Run::default(); shards as usize];
        let share = |all: u64| (all / u64::from(shards.max(1))).max(1);
        // What is told beside entries is not reckoned before it is written: it finds the sixteenth.
        let room = u64::from(MOST_KB) * 1_024 / ROOM as u64 / 16 * 15;
        let most = (share(MOST_RECORDS.into()), share(room));
        Ok(Self { producer, tallies, offered, most, buffer: Vec::new(), broken: None })
    }

    /// The producer, which says how it goes.
    #[must_use]
    pub const fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Why it can go on no more, if that is so.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        self.broken.clone().or_else(|| self.producer.fatal())
    }

    /// Waits until brokers have all, for `limit` at most, and tells whether they do. Blocks its
    /// thread.
    #[must_use]
    pub fn flush(&self, limit: Duration) -> bool {
        self.producer.flush(limit)
    }

    /// Whether as many records of `shard` wait for brokers as may, or leave no room for so many `bytes`;
    /// when none waits there is room for any.
    fn is_full(&self, shard: u32, bytes: usize) -> bool {
        let run = self.offered.get(shard as usize).zip(self.tallies.shards.get(shard as usize));
        run.is_none_or(|(offered, tally)| {
            let kept = tally.lock().run;
            let count = |run: &Run| run.mark.jobs + run.mark.missed;
            let waiting = count(offered).saturating_sub(count(&kept));
            let taken = offered.room.saturating_sub(kept.room);
            waiting >= self.most.0 || (waiting > 0 && taken + room(bytes) as u64 > self.most.1)
        })
    }

    /// Whether brokers have refused the job in the buffer, of the target `number`, for its size.
    fn is_refused(&self, number: u32) -> bool {
        let bytes = self.buffer.len();
        bytes > BATCH && self.tallies.large.lock().is_refused(number, bytes, Instant::now())
    }

    fn send(&mut self, (shard, is_job): (u32, bool), id: TargetId) -> Result<(), SendError> {
        let Some(run) = self.offered.get_mut(shard as usize) else { return Err(SendError::Full) };
        let mut key = [0_u8; KEY];
        // A number of 16 digits fits in as many bytes.
        let _ = write!(&mut key[..], "{id}");
        let topic = if is_job { Topic::Jobs } else { Topic::Outcomes };
        let room = room(self.buffer.len());
        let token = Token { run: run.number, room, shard: shard as usize, is_job };
        let sent = self.producer.send((topic, shard), &key, &self.buffer, token.packed());
        if let Err(SendError::Fatal(reason)) = &sent {
            self.broken = Some(reason.clone());
        }
        sent?;
        run.count(token);
        Ok(())
    }

    fn report(&mut self, shard: u32, slot: &Slot<'_>, reason: Reason) -> Result<(), SendError> {
        let missed = MissedMessage {
            target: slot.number,
            due_ms: slot.due_ms,
            reason: reason.number(),
            locations: slot.locations.iter().map(|name| (*name).to_owned()).collect(),
        };
        self.buffer = Report::new("", Told::Missed(missed)).to_bytes();
        self.send((shard, false), slot.id)
    }
}

/// Puts a job in `slot` into `buffer`: what is fixed of it, and then the rest.
fn write_job(slot: &Slot<'_>, buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.extend_from_slice(slot.fixed);
    encoding::int64::encode(6, &slot.due_ms, buffer);
    encoding::int64::encode(7, &slot.valid_until_ms, buffer);
    encoding::int64::encode(8, &slot.epoch, buffer);
    for name in slot.locations {
        encoding::encode_key(9, encoding::WireType::LengthDelimited, buffer);
        encoding::encode_varint(name.len() as u64, buffer);
        buffer.extend_from_slice(name.as_bytes());
    }
}

impl JobSink for JobTopic {
    fn offer(&mut self, shard: u32, slot: &Slot<'_>) -> Result<(), Full> {
        if self.is_full(shard, slot.fixed.len()) {
            return Err(Full::Shard);
        }
        write_job(slot, &mut self.buffer);
        let sent = if self.is_refused(slot.number) {
            Err(SendError::TooLarge)
        } else {
            self.send((shard, true), slot.id)
        };
        match sent {
            Ok(()) => Ok(()),
            Err(SendError::TooLarge) => {
                self.report(shard, slot, Reason::Entry).map_err(|_| Full::All)
            }
            Err(_) => Err(Full::All),
        }
    }

    fn miss(&mut self, shard: u32, slot: &Slot<'_>) -> Result<(), Full> {
        if self.is_full(shard, 0) {
            return Err(Full::Shard);
        }
        self.report(shard, slot, Reason::Standstill).map_err(|_| Full::All)
    }

    fn mark(&self, shard: u32) -> Mark {
        self.offered.get(shard as usize).map(|run| run.mark).unwrap_or_default()
    }

    fn settled(&self, shard: u32, mark: Mark) -> Settled {
        let Some(tally) = self.tallies.shards.get(shard as usize) else { return Settled::NotYet };
        let tally = tally.lock();
        // Records of one partition are acknowledged in their order.
        let Mark { jobs, missed } = tally.run.mark;
        match tally.has_failed {
            true => Settled::Failed,
            false if mark.jobs <= jobs && mark.missed <= missed => Settled::Yes,
            false => Settled::NotYet,
        }
    }

    fn restart(&mut self, shard: u32) {
        let tally = self.tallies.shards.get(shard as usize);
        let Some((tally, run)) = tally.zip(self.offered.get_mut(shard as usize)) else { return };
        *run = Run { number: run.number.wrapping_add(1) & RUNS, ..Run::default() };
        *tally.lock() = Tally { run: *run, has_failed: false };
    }
}

/// What brokers have of each shard.
#[derive(Clone, Debug)]
struct Tallies {
    shards: Arc<[Mutex<Tally>]>,
    large: Arc<Mutex<Large>>,
}

/// Targets whose jobs brokers refuse for their size: how many bytes one had, and when that was.
#[derive(Debug, Default)]
struct Large(BTreeMap<u32, (usize, Instant)>);

impl Large {
    /// Whether they have refused `bytes` of the target `number`, and are not to be asked again yet.
    fn is_refused(&self, number: u32, bytes: usize, now: Instant) -> bool {
        self.0.get(&number).is_some_and(|(refused, at)| {
            bytes >= *refused && now.saturating_duration_since(*at) < ASKED_AGAIN
        })
    }

    /// Notes that they do; whether nobody knew.
    fn note(&mut self, number: u32, bytes: usize, now: Instant) -> bool {
        self.0.retain(|_, (_, at)| now.saturating_duration_since(*at) < FORGOTTEN);
        self.0.insert(number, (bytes, now)).is_none()
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    run: Run,
    has_failed: bool,
}

impl Deliveries for Tallies {
    fn delivered(&self, token: usize, delivery: Delivery<'_>) {
        let token = Token::of(token);
        let Some(tally) = self.shards.get(token.shard) else { return };
        let mut tally = tally.lock();
        if tally.run.number != token.run {
            // Of a time before, that concerns nobody any more.
            return;
        }
        match delivery {
            Delivery::Failed(_) => tally.has_failed = true,
            Delivery::Acknowledged { .. } => tally.run.count(token),
        }
    }

    fn refused(&self, token: usize, payload: &[u8], reason: &str) {
        if let Ok(JobMessage { target, .. }) = JobMessage::read(payload) {
            let bytes = payload.len();
            if self.large.lock().note(target, bytes, Instant::now()) {
                tracing::warn!(number = target, bytes, "Kafka takes no job of that size: {reason}");
            }
        }
        // What was offered since is offered again; the slots of this target are told as missed.
        self.delivered(token, Delivery::Failed(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_what_its_parts_say() {
        let (id, entry) = (TargetId(u64::MAX - 1), br#"{"url":"http://a.example/"}"#);
        let slot = Slot {
            number: 77,
            id,
            due_ms: 1_700_000_000_123,
            valid_until_ms: 1_700_000_060_123,
            epoch: 3,
            locations: &["ams", "fra"],
            fixed: &fixed(77, id, 12, entry),
        };
        let mut buffer = vec![1, 2, 3];
        write_job(&slot, &mut buffer);
        let whole = JobMessage {
            version: VERSION,
            needs: LEAST,
            target: 77,
            id: id.0,
            revision: 12,
            due_ms: slot.due_ms,
            valid_until_ms: slot.valid_until_ms,
            epoch: 3,
            locations: vec!["ams".to_owned(), "fra".to_owned()],
            entry: bytes::Bytes::from_static(entry),
        };
        assert_eq!(JobMessage::read(&buffer), Ok(whole));
    }

    #[test]
    fn brokers_are_asked_again_about_a_large_job_after_a_while() {
        let (begun, mut large) = (Instant::now(), Large::default());
        let after = |time| begun + time;
        assert!(large.note(7, 2_000_000, begun));
        assert!(large.is_refused(7, 2_000_000, begun) && large.is_refused(7, 3_000_000, begun));
        assert!(!large.is_refused(7, 1_999_999, begun) && !large.is_refused(8, 2_000_000, begun));
        assert!(!large.is_refused(7, 2_000_000, after(ASKED_AGAIN)));
        assert!(!large.note(7, 2_000_000, after(ASKED_AGAIN)), "said already");
        assert!(large.is_refused(7, 2_000_000, after(ASKED_AGAIN)));
        assert!(large.note(8, 2_000_000, after(ASKED_AGAIN + FORGOTTEN)));
        assert_eq!(large.0.len(), 1, "of the other one nothing is kept");
    }

    #[test]
    fn what_was_sent_before_counting_began_anew_is_not_counted() {
        let shards = (0..4096).map(|_| Mutex::new(Tally::default())).collect();
        let tallies = Tallies { shards, large: Arc::default() };
        let there = Delivery::Acknowledged { offset: 0, at_ms: None };
        let count = |shard: usize| {
            let run = tallies.shards[shard].lock().run;
            (run.mark, run.room)
        };
        for shard in [0, 1, 4_095] {
            let sent = |run, room, is_job| Token { run, room, shard, is_job }.packed();
            tallies.shards[shard].lock().run.number = 9;
            tallies.delivered(sent(9, 1, true), there);
            tallies.delivered(sent(9, 3_907, true), there);
            tallies.delivered(sent(9, 2, false), there);
            tallies.delivered(sent(8, 5, true), there);
            tallies.delivered(sent(8, 5, true), Delivery::Failed("late"));
            assert_eq!(count(shard), (Mark { jobs: 2, missed: 1 }, 3_910));
        }
        assert_eq!(count(2), (Mark::default(), 0));
        assert!(!tallies.shards[1].lock().has_failed);
    }
}
