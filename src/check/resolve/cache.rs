//! `Cache`: the answers of name servers for as long as they hold, and who waits for which.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::families::Family;
use super::lanes::Standing;
use super::lookup::Job;
use super::records::FAILURE;
use super::{Answer, Awaited, Question, QuestionRef, Records};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};

/// How long an expired answer may still serve when no name server has a better one (RFC 8767).
const STALE: Duration = Duration::from_hours(1);
/// How long it serves before the name server is asked again: for a name that failed, and while
/// servers are known not to serve.
const STALE_HOLD: Duration = Duration::from_secs(10);
const CLOSED_HOLD: Duration = Duration::from_secs(1);
/// How long a name whose look-up fails is not asked for again: twice as long each time.
const FAILED_HOLD: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));
/// How long a name that has addresses of one family is not asked for those of the other.
const LACKS: Duration = Duration::from_mins(5);
/// How long what has expired, and what has not, stays unused before it goes for want of memory.
const UNUSED: (Duration, Duration) = (Duration::from_mins(2), Duration::from_mins(15));
/// Parts of the cache with a lock each.
const SHARDS: usize = 16;

/// What the cache holds for a question.
#[derive(Debug)]
pub(super) enum Held {
    /// An answer.
    Fresh(Answer),
    /// Records that have expired, but not long ago.
    Stale(Records),
    Nothing,
}

/// What a look-up came to.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) result: Result<Records, Fault>,
    pub(super) hold: Duration,
    /// The family of which the name has no address.
    pub(super) lacks: Option<Family>,
}

impl News {
    /// Nobody says anything.
    pub(super) const fn unanswered() -> Self {
        Self { result: Err(Fault::unanswered()), hold: FAILURE, lacks: None }
    }
}

/// The answers of name servers.
#[derive(Debug)]
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    state: RandomState,
    max_per_shard: usize,
}

type Shard = HashMap<u64, Entry, BuildHasherDefault<Ready>>;

#[derive(Debug)]
struct Entry {
    question: Question,
    answer: Option<Answer>,
    /// Records that were good until this time.
    good: Option<(Records, Instant)>,
    /// The family of which it had no address, until it is asked for again.
    lacks: Option<(Family, Instant)>,
    /// Look-ups in a row that name servers left without an answer.
    failures: u8,
    flight: Option<watch::Receiver<Option<Answer>>>,
    used: Instant,
}

impl Cache {
    pub(super) fn new(max_names: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            state: RandomState::new(),
            max_per_shard: max_names.div_ceil(SHARDS).max(1),
        }
    }

    /// What is held for `question` at `now`.
    pub(super) fn find(&self, question: QuestionRef<'_>, now: Instant) -> Held {
        let (key, mut shard) = self.shard(question);
        let found = shard.get_mut(&key).filter(|entry| entry.question.is(question));
        let Some(entry) = found else { return Held::Nothing };
        entry.used = now;
        match &entry.answer {
            Some(answer) if answer.until > now => Held::Fresh(answer.clone()),
            _ => entry.stale(now).map_or(Held::Nothing, Held::Stale),
        }
    }

    /// Whether the last look-up for `question` was left without an answer.
    pub(super) fn has_failed(&self, question: QuestionRef<'_>) -> bool {
        let (key, shard) = self.shard(question);
        shard.get(&key).is_some_and(|entry| entry.question.is(question) && entry.failures > 0)
    }

    /// Joins the look-up for `question`, or has `begin` start one.
    pub(super) fn join(
        &self,
        question: QuestionRef<'_>,
        now: Instant,
        begin: impl FnOnce(Job),
    ) -> Awaited {
        let (key, mut shard) = self.shard(question);
        if shard.len() >= self.max_per_shard && !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        let entry = shard
            .entry(key)
            .and_modify(|entry| {
                if !entry.question.is(question) {
                    *entry = Entry::new(question, now);
                }
            })
            .or_insert_with(|| Entry::new(question, now));
        if let Some(flight) = entry.flight.as_ref().filter(|flight| is_alive(flight)) {
            return flight.clone();
        }
        let (done, awaited) = watch::channel(None);
        entry.flight = Some(awaited.clone());
        let lacks = entry.lacks.filter(|(_, until)| *until > now).map(|(family, _)| family);
        let standing = if entry.failures > 0 { Standing::Suspect } else { Standing::Good };
        begin(Job { question: entry.question.clone(), standing, lacks, done });
        awaited
    }

    /// Keeps what a look-up came to, and returns what is told to those who wait: where name
    /// servers do not answer or report a failure, records that were good lately.
    pub(super) fn keep(&self, question: &Question, news: News, now: Instant) -> Answer {
        let News { result, hold, lacks } = news;
        let mut answer = Answer { result, until: now + hold, is_stale: false };
        let asked = question.as_ref();
        let (key, mut shard) = self.shard(asked);
        let Some(entry) = shard.get_mut(&key).filter(|entry| entry.question.is(asked)) else {
            return answer;
        };
        entry.failures = match answer.result {
            Err(fault) if is_failure(fault) => entry.failures.saturating_add(1),
            _ => 0,
        };
        if let Some(doublings) = entry.failures.checked_sub(1) {
            let hold = FAILED_HOLD.0 * (1 << doublings.min(8));
            answer.until = now + hold.min(FAILED_HOLD.1);
        }
        if let Some(family) = lacks {
            entry.lacks = Some((family, now + LACKS));
        }
        match &answer.result {
            Ok(records) => entry.good = Some((records.clone(), answer.until)),
            Err(fault) if is_gone(*fault) => entry.good = None,
            Err(_) => {
                if let Some(records) = entry.stale(now) {
                    let until = answer.until.max(now + STALE_HOLD);
                    answer = Answer { result: Ok(records), until, is_stale: true };
                }
            }
        }
        entry.answer = Some(answer.clone());
        entry.flight = None;
        answer
    }

    /// Ends the look-up for `question`, which is not made because of `fault`, and returns what is
    /// told to those who wait: nothing is held against the name.
    pub(super) fn refuse(&self, question: &Question, fault: Fault, now: Instant) -> Answer {
        let asked = question.as_ref();
        let (key, mut shard) = self.shard(asked);
        let refused = Answer { result: Err(fault), until: now, is_stale: false };
        let Some(entry) = shard.get_mut(&key).filter(|entry| entry.question.is(asked)) else {
            return refused;
        };
        entry.flight = None;
        let Some(records) = entry.stale(now) else { return refused };
        let answer = Answer { result: Ok(records), until: now + CLOSED_HOLD, is_stale: true };
        entry.answer = Some(answer.clone());
        answer
    }

    /// Has the answers to the questions that `is_meant` means be asked for anew; what is known
    /// serves meanwhile.
    pub(super) fn expire(&self, now: Instant, is_meant: impl Fn(&Question) -> bool) {
        for shard in &self.shards {
            for entry in shard.lock().values_mut().filter(|entry| is_meant(&entry.question)) {
                if let Some(answer) = &mut entry.answer {
                    answer.until = answer.until.min(now);
                }
                if let Some((_, until)) = &mut entry.good {
                    *until = now.min(*until);
                }
                entry.lacks = None;
            }
        }
    }

    /// Forgets the answers to the questions that `is_meant` means.
    pub(super) fn forget(&self, is_meant: impl Fn(&Question) -> bool) {
        for shard in &self.shards {
            for entry in shard.lock().values_mut().filter(|entry| is_meant(&entry.question)) {
                (entry.answer, entry.good) = (None, None);
            }
        }
    }

    /// Drops what has not been used lately, and sooner what has expired, for want of memory.
    pub(super) fn shrink(&self, now: Instant) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.retain(|_, entry| {
                let unused = now.saturating_duration_since(entry.used);
                let is_fresh = entry.answer.as_ref().is_some_and(|answer| answer.until > now);
                entry.is_in_flight() || unused < if is_fresh { UNUSED.1 } else { UNUSED.0 }
            });
            shard.shrink_to_fit();
        }
    }

    /// Names of which something is remembered.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard(&self, question: QuestionRef<'_>) -> (u64, MutexGuard<'_, Shard>) {
        let key = self.state.hash_one(question);
        // The array has as many places as the remainder has values.
        let [first, ..] = &self.shards;
        (key, self.shards.get((key >> 60) as usize % SHARDS).unwrap_or(first).lock())
    }
}

impl Entry {
    fn new(question: QuestionRef<'_>, now: Instant) -> Self {
        Self {
            question: question.to_owned(),
            answer: None,
            good: None,
            lacks: None,
            failures: 0,
            flight: None,
            used: now,
        }
    }

    /// Records that have expired, and may still serve.
    fn stale(&self, now: Instant) -> Option<Records> {
        let (records, until) = self.good.as_ref()?;
        (*until + STALE > now).then(|| records.clone())
    }

    fn is_in_flight(&self) -> bool {
        self.flight.as_ref().is_some_and(is_alive)
    }
}

/// Whether a name server says that there is no such name or address.
fn is_gone(fault: Fault) -> bool {
    matches!(fault.detail, Detail::NoSuchName | Detail::NoAddress)
}

/// Whether a name server failed to say anything of a name, for which the name may be to blame.
fn is_failure(fault: Fault) -> bool {
    fault.cause == Cause::Resolver || fault.detail == Detail::ServerFailure
}

/// Whether the look-up still runs; one that broke off leaves nothing behind.
fn is_alive(flight: &Awaited) -> bool {
    flight.has_changed().is_ok()
}

/// Drops what has expired, or else any entry that nobody waits for.
fn make_room(shard: &mut Shard, now: Instant) {
    let before = shard.len();
    shard.retain(|_, entry| {
        entry.is_in_flight() || entry.answer.as_ref().is_some_and(|answer| answer.until > now)
    });
    if shard.len() == before {
        let victim = shard.iter().find(|(_, entry)| !entry.is_in_flight()).map(|(key, _)| *key);
        if let Some(victim) = victim {
            shard.remove(&victim);
        }
    }
}

/// A hasher for keys that are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests;
