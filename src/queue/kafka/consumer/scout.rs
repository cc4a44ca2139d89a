//! `Scout`: asks brokers where a group goes on in its partitions and where those end, on a thread of its
//! own, so that whoever polls never waits for that.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Context;
use crate::queue::kafka::offsets::Offsets;

/// A group that never committed anything begins so many milliseconds before now: with what may
/// still mean something, and not with the jobs of a day.
const BEGINS_BACK_MS: i64 = 60_000;
/// How long brokers may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after a failure the same is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether the thread has ended.
const BLINK: Duration = Duration::from_millis(2);
/// How often it is asked where partitions end.
const SURVEY: Duration = Duration::from_secs(5);

/// Where a partition goes on that the group has given us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) partition: u32,
    pub(super) offset: i64,
    /// Whether the group was never there.
    pub(super) is_fresh: bool,
}

/// What is known of our partitions.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) offsets: Offsets,
    /// Whether partitions were taken away.
    pub(super) has_lost: bool,
    /// Records that were gone before they were taken.
    pub(super) gone: u64,
    /// Whether nothing is to be asked any more.
    pub(super) is_over: bool,
    /// Partitions that are ours as soon as it is known where they go on.
    waiting: BTreeMap<u32, Waiting>,
    /// How often partitions were given to us.
    given: u64,
    /// Nothing is asked before.
    again_at: Option<Instant>,
    /// The ends of our partitions.
    ends: BTreeMap<u32, i64>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Which time it was that it was given to us: what was asked before that does not count.
    given: u64,
    place: Option<Place>,
}

impl State {
    /// The group has given us `partitions`.
    pub(super) fn await_places(&mut self, partitions: impl Iterator<Item = u32>) {
        self.given += 1;
        let waiting = Waiting { given: self.given, place: None };
        self.waiting.extend(partitions.map(|partition| (partition, waiting)));
    }

    /// Those that can be begun with; none: none is waited for.
    pub(super) fn take_places(&mut self) -> Option<Vec<Place>> {
        let places = || self.waiting.values().filter_map(|waiting| waiting.place).collect();
        (!self.waiting.is_empty()).then(places)
    }

    /// `places` could not be begun with: they are asked for again, after a while.
    pub(super) fn try_again(&mut self, places: &[Place]) {
        for place in places {
            if let Some(waiting) = self.waiting.get_mut(&place.partition) {
                waiting.place = None;
            }
        }
        self.again_at = Instant::now().checked_add(PAUSE);
    }

    /// `places` are begun with.
    pub(super) fn begin(&mut self, places: &[Place]) {
        for place in places {
            self.waiting.remove(&place.partition);
            self.offsets.begin(place.partition, place.offset);
        }
    }

    /// `partitions` are not ours any more; returns those of them that were begun with.
    pub(super) fn end(&mut self, partitions: impl Iterator<Item = u32>) -> Vec<u32> {
        self.has_lost = true;
        let begun = partitions.filter(|partition| {
            self.ends.remove(partition);
            self.offsets.end(*partition);
            self.waiting.remove(partition).is_none()
        });
        begun.collect()
    }

    /// How many records were not taken yet; none: nobody knows where partitions end.
    pub(super) fn behind(&self) -> Option<u64> {
        let behind = |(partition, next): (u32, i64)| {
            let end = self.ends.get(&partition)?;
            u64::try_from((end - next).max(0)).ok()
        };
        self.offsets
            .nexts()
            .filter_map(behind)
            .fold(None, |sum: Option<u64>, behind| Some(sum.unwrap_or(0).saturating_add(behind)))
    }

    /// Those of which somebody has to ask where they go on.
    fn unknown(&self) -> BTreeMap<u32, u64> {
        let is_early = self.again_at.is_some_and(|at| Instant::now() < at);
        let unknown = self.waiting.iter().filter(|(_, waiting)| waiting.place.is_none());
        let unknown = unknown.filter(|_| !is_early);
        unknown.map(|(partition, waiting)| (*partition, waiting.given)).collect()
    }

    /// It was found out of `asked` that they go on at `places`.
    fn note_places(&mut self, asked: &BTreeMap<u32, u64>, places: Vec<Place>) {
        for place in places {
            if let Some(waiting) = self.waiting.get_mut(&place.partition)
                && asked.get(&place.partition) == Some(&waiting.given)
            {
                waiting.place = Some(place);
            }
        }
        if !self.unknown().is_empty() {
            self.again_at = Instant::now().checked_add(PAUSE);
        }
    }

    fn note_ends(&mut self, ends: Vec<(u32, i64)>) {
        self.ends = ends.into_iter().collect();
    }
}

/// The thread that asks. It ends by itself when the consumer is gone.
pub(super) struct Scout(JoinHandle<()>);

impl Scout {
    /// One that asks for `consumer`, and by `now_ms` what time it is, in Unix milliseconds.
    ///
    /// # Errors
    /// The system allows no thread.
    pub(super) fn start(
        consumer: &Arc<BaseConsumer<Context>>,
        now_ms: Box<dyn Fn() -> i64 + Send + Sync>,
    ) -> io::Result<Self> {
        let consumer = Arc::downgrade(consumer);
        let thread = std::thread::Builder::new().name("scout".to_owned());
        thread.spawn(move || run(&consumer, &*now_ms)).map(Self)
    }

    /// Has it look for what there is to ask.
    pub(super) fn wake(&self) {
        self.0.thread().unpark();
    }

    /// Waits until it has noticed that it is over, for `limit` at most.
    pub(super) fn wait(&self, limit: Duration) {
        self.wake();
        let began = Instant::now();
        while !self.0.is_finished() && began.elapsed() < limit {
            std::thread::park_timeout(BLINK);
        }
    }
}

fn run(consumer: &Weak<BaseConsumer<Context>>, now_ms: &dyn Fn() -> i64) {
    let mut surveyed: Option<Instant> = None;
    // While it asks nobody waits for it: whoever holds the consumer last leaves the group.
    while let Some(consumer) = consumer.upgrade() {
        let (shared, heard) = (&consumer.context().shared.0, &consumer.context().heard);
        if shared.lock().is_over {
            return;
        }
        let asked = shared.lock().unknown();
        if !asked.is_empty() {
            let partitions: Vec<u32> = asked.keys().copied().collect();
            let (places, trouble) = places(&consumer, &partitions, now_ms() - BEGINS_BACK_MS);
            if let Some(error) = trouble {
                heard.note(error.rdkafka_error_code(), &error.to_string());
            }
            // Those that are missing are asked for again, after a while.
            shared.lock().note_places(&asked, places);
        }
        if surveyed.is_none_or(|at| at.elapsed() >= SURVEY) {
            let ours: Vec<u32> = shared.lock().offsets.nexts().map(|(ours, _)| ours).collect();
            if !ours.is_empty() {
                surveyed = Some(Instant::now());
                // While nobody answers what was known last is told on.
                if let Ok(ends) = ends(&consumer, &ours) {
                    shared.lock().note_ends(ends);
                }
            }
        }
        drop(consumer);
        std::thread::park_timeout(PAUSE);
    }
}

/// Where each of `partitions` goes on: where the group is, or where the records of `begins_ms` (Unix
/// milliseconds) begin if it never was there. One of which that cannot be said is left out, so that it
/// holds up no other; and why.
fn places(
    consumer: &BaseConsumer<Context>,
    partitions: &[u32],
    begins_ms: i64,
) -> (Vec<Place>, Option<KafkaError>) {
    let committed = list(consumer, partitions, Offset::Invalid)
        .and_then(|asked| consumer.committed_offsets(asked, PATIENCE));
    let (committed, mut trouble) = match committed {
        Ok(committed) => known(&committed),
        Err(error) => return (Vec::new(), Some(error)),
    };
    let fresh = committed.iter().filter(|(_, offset)| offset.is_none());
    let fresh: Vec<u32> = fresh.map(|(partition, _)| *partition).collect();
    let place =
        |is_fresh| move |(partition, offset)| Some(Place { partition, offset: offset?, is_fresh });
    let mut places: Vec<Place> = committed.into_iter().filter_map(place(false)).collect();
    if !fresh.is_empty() {
        match begins(consumer, &fresh, begins_ms) {
            Ok((found, why)) => {
                places.extend(found.into_iter().filter_map(place(true)));
                trouble = trouble.or(why);
            }
            Err(error) => trouble = Some(error),
        }
    }
    (places, trouble)
}

/// Partitions, each with an offset where there is one; and why some are left out.
type Known = (Vec<(u32, Option<i64>)>, Option<KafkaError>);

/// Where in each of `partitions` the records of `begins_ms` (Unix milliseconds) begin.
fn begins(
    consumer: &BaseConsumer<Context>,
    partitions: &[u32],
    begins_ms: i64,
) -> KafkaResult<Known> {
    // The ends first: what comes in between is not passed over.
    let ends: BTreeMap<u32, i64> = ends(consumer, partitions)?.into_iter().collect();
    let asked = list(consumer, partitions, Offset::Offset(begins_ms.max(0)))?;
    let (found, trouble) = known(&consumer.offsets_for_times(asked, PATIENCE)?);
    let found = found.into_iter().map(|(partition, offset)| {
        // Where nothing is so young it goes on at the end.
        (partition, offset.or_else(|| ends.get(&partition).copied()))
    });
    Ok((found.collect(), trouble))
}

/// Where each of `partitions` ends of which brokers say it.
fn ends(consumer: &BaseConsumer<Context>, partitions: &[u32]) -> KafkaResult<Vec<(u32, i64)>> {
    // The end is a time as well to brokers (ListOffsets, Kafka protocol): one question for all.
    let asked = list(consumer, partitions, Offset::End)?;
    let (found, _) = known(&consumer.offsets_for_times(asked, PATIENCE)?);
    Ok(found.into_iter().filter_map(|(partition, end)| Some((partition, end?))).collect())
}

fn list(
    consumer: &BaseConsumer<Context>,
    partitions: &[u32],
    offset: Offset,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        let partition = i32::try_from(*partition).unwrap_or(i32::MAX);
        list.add_partition_offset(&consumer.context().topic, partition, offset)?;
    }
    Ok(list)
}

/// The partitions of `list`, each with its offset where there is one. Those of which brokers could
/// not say it are left out, because what stands in its place is what was asked; and why the first was.
fn known(list: &TopicPartitionList) -> Known {
    let elements = list.elements();
    sorted(elements.iter().map(|one| (one.partition(), one.offset(), one.error())))
}

fn sorted(elements: impl Iterator<Item = (i32, Offset, KafkaResult<()>)>) -> Known {
    let (mut known, mut trouble) = (Vec::new(), None);
    for (partition, offset, said) in elements {
        if let Err(error) = said {
            trouble = trouble.or(Some(error));
            continue;
        }
        let offset = match offset {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        known.extend(u32::try_from(partition).ok().map(|partition| (partition, offset)));
    }
    (known, trouble)
}

#[cfg(test)]
mod tests;
