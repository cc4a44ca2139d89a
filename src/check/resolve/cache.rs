//! `Cache`: the answers of name servers for as long as they hold, and who waits for which.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::lookup::Job;
use super::{Addresses, Answer, Awaited, Question, QuestionRef};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};

/// How long an expired answer may still serve when no name server has a better one (RFC 8767).
const STALE: Duration = Duration::from_hours(1);
/// How long it serves before the name server is asked again.
const STALE_HOLD: Duration = Duration::from_secs(10);
/// How long a name whose look-up fails is not asked for again: twice as long each time.
const FAILED_HOLD: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));
/// Parts of the cache with a lock each.
const SHARDS: usize = 16;

/// What the cache holds for a question.
#[derive(Debug)]
pub(super) enum Held {
    /// An answer.
    Fresh(Result<Addresses, Fault>),
    /// Addresses that have expired, but not long ago.
    Stale(Addresses),
    Nothing,
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
    /// Addresses that were good until this time.
    good: Option<(Addresses, Instant)>,
    /// Look-ups in a row that name servers left without an answer.
    failures: u8,
    flight: Option<watch::Receiver<Option<Answer>>>,
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
        let key = self.key(question);
        let shard = self.shard(key).lock();
        let Some(entry) = shard.get(&key).filter(|entry| entry.question.is(question)) else {
            return Held::Nothing;
        };
        match (&entry.answer, &entry.good) {
            (Some(answer), _) if answer.until > now => Held::Fresh(answer.result.clone()),
            (_, Some((addresses, until))) if *until + STALE > now => Held::Stale(addresses.clone()),
            _ => Held::Nothing,
        }
    }

    /// Joins the look-up for `question`, or has `begin` start one.
    pub(super) fn join(&self, question: QuestionRef<'_>, begin: impl FnOnce(Job)) -> Awaited {
        let key = self.key(question);
        let mut shard = self.shard(key).lock();
        if shard.len() >= self.max_per_shard && !shard.contains_key(&key) {
            make_room(&mut shard, Instant::now());
        }
        let entry = shard
            .entry(key)
            .and_modify(|entry| {
                if !entry.question.is(question) {
                    *entry = Entry::new(question);
                }
            })
            .or_insert_with(|| Entry::new(question));
        if let Some(flight) = entry.flight.as_ref().filter(|flight| is_alive(flight)) {
            return flight.clone();
        }
        let (done, awaited) = watch::channel(None);
        entry.flight = Some(awaited.clone());
        begin(Job { question: entry.question.clone(), is_suspect: entry.failures > 0, done });
        awaited
    }

    /// Keeps `answer`, and returns what is told to those who wait: where name servers do not
    /// answer or report a failure, addresses that were good lately.
    pub(super) fn keep(&self, question: &Question, mut answer: Answer, now: Instant) -> Answer {
        let asked =
            QuestionRef { name: &question.name, server: question.server, family: question.family };
        let key = self.key(asked);
        let mut shard = self.shard(key).lock();
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
        match (&answer.result, &entry.good) {
            (Ok(addresses), _) => entry.good = Some((addresses.clone(), answer.until)),
            (Err(fault), _) if is_gone(*fault) => entry.good = None,
            (Err(_), Some((addresses, until))) if *until + STALE > now => {
                answer = Answer { result: Ok(addresses.clone()), until: now + STALE_HOLD };
            }
            _ => {}
        }
        entry.answer = Some(answer.clone());
        entry.flight = None;
        answer
    }

    fn key(&self, question: QuestionRef<'_>) -> u64 {
        self.state.hash_one(question)
    }

    fn shard(&self, key: u64) -> &Mutex<Shard> {
        // The array has as many places as the remainder has values.
        let [first, ..] = &self.shards;
        self.shards.get((key >> 60) as usize % SHARDS).unwrap_or(first)
    }
}

impl Entry {
    fn new(question: QuestionRef<'_>) -> Self {
        Self { question: question.to_owned(), answer: None, good: None, failures: 0, flight: None }
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
mod tests {
    use super::*;
    use crate::target::IpVersion;

    const QUESTION: QuestionRef<'_> =
        QuestionRef { name: "a.example", server: None, family: IpVersion::Any };

    fn answer(seconds: u64, now: Instant) -> Answer {
        let addresses: Addresses = [std::net::IpAddr::from([192, 0, 2, 1])].into();
        Answer { result: Ok(addresses), until: now + Duration::from_secs(seconds) }
    }

    fn joined(cache: &Cache, question: QuestionRef<'_>) -> usize {
        let mut begun = 0;
        let _awaited = cache.join(question, |job| {
            begun += 1;
            std::mem::forget(job.done);
        });
        begun
    }

    #[test]
    fn a_name_is_asked_for_once_however_many_wait() {
        let cache = Cache::new(100);
        assert_eq!(joined(&cache, QUESTION), 1);
        assert_eq!(joined(&cache, QUESTION), 0);
    }

    #[test]
    fn an_answer_holds_until_it_expires() {
        let (cache, now) = (Cache::new(100), Instant::now());
        joined(&cache, QUESTION);
        cache.keep(&QUESTION.to_owned(), answer(60, now), now);
        assert!(matches!(cache.find(QUESTION, now), Held::Fresh(Ok(_))));
        let later = now + Duration::from_secs(61);
        assert!(matches!(cache.find(QUESTION, later), Held::Stale(_)));
        assert!(matches!(cache.find(QUESTION, later + STALE), Held::Nothing));
    }

    #[test]
    fn an_expired_answer_serves_when_no_name_server_answers_but_not_when_the_name_is_gone() {
        let (cache, now) = (Cache::new(100), Instant::now());
        joined(&cache, QUESTION);
        cache.keep(&QUESTION.to_owned(), answer(1, now), now);
        let later = now + Duration::from_mins(1);
        let failed = |fault| Answer { result: Err(fault), until: later };
        for fault in [Fault::unanswered(), Fault::new(Cause::Dns, Detail::ServerFailure)] {
            let told = cache.keep(&QUESTION.to_owned(), failed(fault), later);
            assert!(told.result.is_ok(), "{fault:?}");
        }
        let gone = Fault::new(Cause::Dns, Detail::NoSuchName);
        let told = cache.keep(&QUESTION.to_owned(), failed(gone), later);
        assert_eq!(told.result, Err(gone));
        // Nor does it come back when what was said has expired.
        assert!(matches!(cache.find(QUESTION, later + Duration::from_secs(1)), Held::Nothing));
        let told = cache.keep(&QUESTION.to_owned(), failed(Fault::unanswered()), later);
        assert_eq!(told.result, Err(Fault::unanswered()));
    }

    #[test]
    fn a_name_that_keeps_failing_is_asked_for_less_and_less_often_and_in_its_own_lane() {
        let (cache, mut now) = (Cache::new(100), Instant::now());
        let failed = Answer { result: Err(Fault::unanswered()), until: now };
        let mut holds = Vec::new();
        for number in 0..8 {
            let _awaited = cache.join(QUESTION, |job| assert_eq!(job.is_suspect, number > 0));
            let told = cache.keep(&QUESTION.to_owned(), failed.clone(), now);
            holds.push(told.until.duration_since(now).as_secs());
            now = told.until;
        }
        assert_eq!(holds, [2, 4, 8, 16, 32, 60, 60, 60]);
        cache.keep(&QUESTION.to_owned(), answer(1, now), now);
        let _awaited = cache.join(QUESTION, |job| assert!(!job.is_suspect));
    }

    #[test]
    fn the_cache_is_bounded() {
        let (cache, now) = (Cache::new(160), Instant::now());
        for number in 0..10_000 {
            let name = format!("{number}.example");
            let question = QuestionRef { name: &name, ..QUESTION };
            let _awaited = cache.join(question, drop);
            cache.keep(&question.to_owned(), answer(60, now), now);
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().len()).sum();
        assert!(held <= 160, "{held}");
    }
}
