//! What is remembered, and for how long, in virtual time.

use super::super::Wanted;
use super::*;
use crate::target::IpVersion;

const QUESTION: QuestionRef<'_> =
    QuestionRef { name: "a.example", server: None, wanted: Wanted::Addresses(IpVersion::Any) };

fn answer(seconds: u64) -> News {
    let addresses = Records::Addresses([std::net::IpAddr::from([192, 0, 2, 1])].into());
    News { result: Ok(addresses), hold: Duration::from_secs(seconds), lacks: None }
}

fn failed(fault: Fault) -> News {
    News { result: Err(fault), ..News::unanswered() }
}

fn keep(cache: &Cache, news: News, now: Instant) -> Answer {
    cache.keep(&QUESTION.to_owned(), news, now)
}

/// The look-ups that begin when somebody asks.
fn joined(cache: &Cache, now: Instant) -> Vec<Job> {
    let mut begun = Vec::new();
    let _awaited = cache.join(QUESTION, now, |job| begun.push(job));
    begun
}

#[test]
fn a_name_is_asked_for_once_however_many_wait() {
    let cache = Cache::new(100);
    let begun = joined(&cache, Instant::now());
    assert_eq!(begun.len(), 1);
    assert!(joined(&cache, Instant::now()).is_empty());
    // One that breaks off leaves nothing behind.
    drop(begun);
    assert_eq!(joined(&cache, Instant::now()).len(), 1);
}

#[test]
fn an_answer_holds_until_it_expires() {
    let (cache, now) = (Cache::new(100), Instant::now());
    joined(&cache, now);
    keep(&cache, answer(60), now);
    assert!(matches!(cache.find(QUESTION, now), Held::Fresh(answer) if !answer.is_stale));
    let later = now + Duration::from_secs(61);
    assert!(matches!(cache.find(QUESTION, later), Held::Stale(_)));
    assert!(matches!(cache.find(QUESTION, later + STALE), Held::Nothing));
}

#[test]
fn an_expired_answer_serves_when_no_name_server_answers_but_not_when_the_name_is_gone() {
    let (cache, now) = (Cache::new(100), Instant::now());
    joined(&cache, now);
    keep(&cache, answer(1), now);
    let later = now + Duration::from_mins(1);
    for fault in [Fault::unanswered(), Fault::new(Cause::Dns, Detail::ServerFailure)] {
        let told = keep(&cache, failed(fault), later);
        assert!(told.result.is_ok() && told.is_stale, "{fault:?}");
        assert_eq!(told.until, later + STALE_HOLD);
    }
    let gone = Fault::new(Cause::Dns, Detail::NoSuchName);
    let told = keep(&cache, failed(gone), later);
    assert_eq!(told.result, Err(gone));
    // Nor does it come back when what was said has expired.
    assert!(matches!(cache.find(QUESTION, later + FAILURE), Held::Nothing));
    let told = keep(&cache, failed(Fault::unanswered()), later);
    assert_eq!(told.result, Err(Fault::unanswered()));
}

#[test]
fn a_name_that_keeps_failing_is_asked_for_less_and_less_often_and_in_its_own_lane() {
    let (cache, mut now) = (Cache::new(100), Instant::now());
    let mut holds = Vec::new();
    for number in 0..8 {
        let is_suspect = joined(&cache, now)[0].standing == Standing::Suspect;
        assert_eq!(is_suspect, number > 0);
        let told = keep(&cache, failed(Fault::unanswered()), now);
        holds.push(told.until.duration_since(now).as_secs());
        now = told.until;
    }
    assert_eq!(holds, [2, 4, 8, 16, 32, 60, 60, 60]);
    keep(&cache, answer(1), now);
    assert_eq!(joined(&cache, now)[0].standing, Standing::Good);
}

#[test]
fn the_cache_is_bounded() {
    let (cache, now) = (Cache::new(160), Instant::now());
    for number in 0..10_000 {
        let name = format!("{number}.example");
        let question = QuestionRef { name: &name, ..QUESTION };
        let _awaited = cache.join(question, now, drop);
        cache.keep(&question.to_owned(), answer(60), now);
    }
    assert!(cache.len() <= 160, "{}", cache.len());
}

#[test]
fn a_look_up_that_is_not_made_holds_nothing_against_the_name() {
    let (cache, now) = (Cache::new(100), Instant::now());
    let refuse = |now| cache.refuse(&QUESTION.to_owned(), Fault::unanswered(), now);
    joined(&cache, now);
    assert_eq!(refuse(now).result, Err(Fault::unanswered()));
    assert!(matches!(cache.find(QUESTION, now), Held::Nothing));
    assert_eq!(joined(&cache, now)[0].standing, Standing::Good);
    keep(&cache, answer(1), now);
    let later = now + Duration::from_mins(1);
    let told = refuse(later);
    assert!(told.is_stale && told.until == later + CLOSED_HOLD);
    assert!(matches!(cache.find(QUESTION, later), Held::Fresh(answer) if answer.is_stale));
    assert!(matches!(cache.find(QUESTION, later + CLOSED_HOLD), Held::Stale(_)));
}

#[test]
fn a_family_of_which_there_is_no_address_is_remembered_for_some_minutes() {
    let (cache, now) = (Cache::new(100), Instant::now());
    joined(&cache, now);
    keep(&cache, News { lacks: Some(Family::V6), ..answer(1) }, now);
    let lacks = |now| joined(&cache, now)[0].lacks;
    assert_eq!(lacks(now + LACKS / 2), Some(Family::V6));
    keep(&cache, answer(1), now + LACKS / 2);
    assert_eq!(lacks(now + LACKS), None);
}

#[test]
fn what_has_been_made_to_expire_serves_on_and_what_is_forgotten_does_not() {
    let (cache, now) = (Cache::new(100), Instant::now());
    joined(&cache, now);
    keep(&cache, answer(3_600), now);
    cache.expire(now, |question| question.server.is_some());
    assert!(matches!(cache.find(QUESTION, now), Held::Fresh(_)));
    cache.expire(now, |question| question.server.is_none());
    assert!(matches!(cache.find(QUESTION, now), Held::Stale(_)));
    cache.forget(|question| *question.name == *"a.example");
    assert!(matches!(cache.find(QUESTION, now), Held::Nothing));
}

#[test]
fn for_want_of_memory_goes_what_is_not_used_and_nothing_that_is_waited_for() {
    let (cache, now) = (Cache::new(100), Instant::now());
    joined(&cache, now);
    keep(&cache, answer(60), now);
    cache.shrink(now + UNUSED.0 / 2);
    assert_eq!(cache.len(), 1);
    cache.shrink(now + UNUSED.0);
    assert_eq!(cache.len(), 0);
    joined(&cache, now);
    keep(&cache, answer(3_600), now);
    cache.shrink(now + UNUSED.1 / 2);
    assert_eq!(cache.len(), 1);
    let begun = joined(&cache, now);
    cache.shrink(now + UNUSED.1);
    assert_eq!((begun.len(), cache.len()), (1, 1));
}
