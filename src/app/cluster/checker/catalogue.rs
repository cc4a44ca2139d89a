//! `Catalogue`: the targets whose jobs came lately, each made of its entry once.
//!
//! Numbers of targets are those of the whole cluster; here they get numbers of their own, which lie
//! dense, for all that is kept by number.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::settled::Settled;
use crate::config::targets::written;
use crate::queue::kafka::messages::JobMessage;
use crate::target::{Labels, Plan, Target, TargetId};

/// Plans, and labels, that are remembered to be stored once.
const KNOWN: usize = 1_024;
/// Bytes that one target takes, with what is kept of it in all places.
const BYTES: u64 = 1_200;
/// Targets that are kept at least and at most.
const MOST: std::ops::RangeInclusive<u64> = 10_000..=2_000_000;

/// A target as it is known here.
struct Entry {
    /// Its number in the cluster.
    number: u32,
    /// Of the entry that it was made of; none: it is not made yet.
    revision: Option<u64>,
    /// It, or why it cannot be polled.
    made: Result<Arc<Target>, Arc<str>>,
    /// Jobs of it that are in hand.
    open: u32,
    settled: Settled,
    /// Whether a job of it came since it was looked for somebody to forget.
    is_wanted: bool,
}

/// Where a target is that was looked for.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// Here.
    Target(Arc<Target>),
    /// It cannot be polled, for this reason.
    Bad(Arc<str>),
}

/// The targets whose jobs came lately.
pub(super) struct Catalogue {
    entries: Vec<Entry>,
    by_number: HashMap<u32, u32>,
    most: usize,
    /// The entry that is looked at next for somebody to forget.
    hand: usize,
    /// How often a target was made so far.
    changes: u64,
    plans: HashSet<Arc<Plan>>,
    labels: HashSet<Arc<Labels>>,
}

impl Catalogue {
    /// A catalogue of `most` targets at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            entries: Vec::new(),
            by_number: HashMap::new(),
            most: most.max(1),
            hand: 0,
            changes: 0,
            plans: HashSet::new(),
            labels: HashSet::new(),
        }
    }

    /// How many targets there is room for in half of `memory` (bytes).
    pub(super) fn fits(memory: u64) -> usize {
        let most = (memory / 2 / BYTES).clamp(*MOST.start(), *MOST.end());
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    /// How many targets are known.
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// The target of `job`, as it is now. When another one had to make room for it, `forget` is told
    /// that one before its number is given away.
    pub(super) fn find(&mut self, job: &JobMessage, forget: &mut impl FnMut(&Target)) -> Found {
        let slot = match self.by_number.get(&job.target) {
            Some(slot) => *slot,
            None => self.seat(job, forget),
        };
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return Found::Bad("is not known".into());
        };
        entry.is_wanted = true;
        // Numbers begin anew where a database was set up anew.
        let is_other = entry.made.as_ref().is_ok_and(|target| target.id.0 != job.id);
        if is_other || entry.revision.is_none_or(|known| known < job.revision) {
            entry.revision = Some(job.revision);
            self.changes += 1;
            let made = make(job, slot);
            let before = std::mem::replace(&mut entry.made, Err("is not made yet".into()));
            let made = made.map(|mut target| {
                if let Ok(before) = &before {
                    target.replace(before);
                    if (before.id, before.every_ms) != (target.id, target.every_ms) {
                        entry.settled = Settled::default();
                    }
                }
                target.plan = share(&mut self.plans, target.plan);
                target.labels = share(&mut self.labels, target.labels);
                Arc::new(target)
            });
            entry.made = made.map_err(Into::into);
        }
        match &entry.made {
            Ok(target) => Found::Target(Arc::clone(target)),
            Err(reason) => Found::Bad(Arc::clone(reason)),
        }
    }

    /// The target with our number `slot`.
    pub(super) fn target(&self, slot: u32) -> Option<&Arc<Target>> {
        self.entries.get(slot as usize)?.made.as_ref().ok()
    }

    /// Notes that a job of the target with our number `slot` is in hand.
    pub(super) fn open(&mut self, slot: u32) {
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.open += 1;
        }
    }

    /// Notes that it is not in hand any more.
    pub(super) fn close(&mut self, slot: u32) {
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.open = entry.open.saturating_sub(1);
        }
    }

    /// Notes that its slot at `due_ms` (Unix milliseconds) has come to its end for sure.
    pub(super) fn settle(&mut self, slot: u32, due_ms: i64) {
        if let Some(entry) = self.entries.get_mut(slot as usize)
            && let Ok(target) = &entry.made
        {
            entry.settled.note(due_ms, target.every_ms);
        }
    }

    /// Whether that slot has.
    pub(super) fn is_settled(&self, slot: u32, due_ms: i64) -> bool {
        self.entries.get(slot as usize).is_some_and(|entry| match &entry.made {
            Ok(target) => entry.settled.has(due_ms, target.every_ms),
            Err(_) => false,
        })
    }

    /// All targets that can be polled.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.entries.iter().filter_map(|entry| entry.made.as_ref().ok())
    }

    /// How often a target was made so far.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// A number of ours for the target of `job`.
    fn seat(&mut self, job: &JobMessage, forget: &mut impl FnMut(&Target)) -> u32 {
        let entry = Entry {
            number: job.target,
            revision: None,
            made: Err("is not made yet".into()),
            open: 0,
            settled: Settled::default(),
            is_wanted: true,
        };
        let slot = if let Some(slot) = self.leaving()
            && let Some(place) = self.entries.get_mut(slot)
        {
            let left = std::mem::replace(place, entry);
            self.by_number.remove(&left.number);
            if let Ok(target) = left.made {
                forget(&target);
            }
            slot
        } else {
            self.entries.push(entry);
            self.entries.len() - 1
        };
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        self.by_number.insert(job.target, slot);
        slot
    }

    /// Who is to make room when there is none: one of whom no job is in hand nor came lately.
    fn leaving(&mut self) -> Option<usize> {
        if self.entries.len() < self.most {
            return None;
        }
        for _ in 0..self.entries.len() * 2 {
            self.hand = (self.hand + 1) % self.entries.len();
            let entry = self.entries.get_mut(self.hand)?;
            if entry.open == 0 && !std::mem::take(&mut entry.is_wanted) {
                return Some(self.hand);
            }
        }
        None
    }
}

/// The target of `job`, with our number `slot`.
///
/// # Errors
/// Why it cannot be polled.
fn make(job: &JobMessage, slot: u32) -> Result<Target, String> {
    let target = written::read(&job.entry, TargetId(job.id))?;
    Ok(Target { number: slot, ..target })
}

/// `value`, or what is equal to it and known already.
fn share<T: Eq + Hash>(known: &mut HashSet<Arc<T>>, value: Arc<T>) -> Arc<T> {
    if let Some(same) = known.get(&value) {
        return Arc::clone(same);
    }
    if known.len() >= KNOWN {
        known.clear();
    }
    known.insert(Arc::clone(&value));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(target: u32, revision: u64, url: &str) -> JobMessage {
        let entry = format!("{{\"url\": \"{url}\", \"interval\": 5}}").into();
        JobMessage { target, id: target.into(), revision, entry, ..JobMessage::default() }
    }

    fn found(
        catalogue: &mut Catalogue,
        job: &JobMessage,
    ) -> (Result<Arc<Target>, String>, Vec<u32>) {
        let mut forgotten = Vec::new();
        let found = catalogue.find(job, &mut |target| forgotten.push(target.number));
        let found = match found {
            Found::Target(target) => Ok(target),
            Found::Bad(reason) => Err(reason.to_string()),
        };
        (found, forgotten)
    }

    #[test]
    fn a_target_is_made_once_for_each_revision_and_keeps_its_flight() {
        let mut catalogue = Catalogue::new(10);
        let (first, _) = found(&mut catalogue, &job(640, 1, "http://a.example/"));
        let first = first.expect("good");
        assert_eq!((first.number, first.id, first.every_ms), (0, TargetId(640), 5_000));
        let (same, _) = found(&mut catalogue, &job(640, 1, "http://b.example/"));
        assert!(Arc::ptr_eq(&first, &same.expect("good")));
        assert!(first.flight().begin_waiting());
        let (newer, _) = found(&mut catalogue, &job(640, 2, "http://b.example/"));
        let newer = newer.expect("good");
        assert_eq!(newer.address.written(), "http://b.example/");
        assert!(std::ptr::eq(newer.flight(), first.flight()));
        // A job that was made before the change is polled as the target is now.
        let (older, _) = found(&mut catalogue, &job(640, 1, "http://a.example/"));
        assert!(Arc::ptr_eq(&newer, &older.expect("good")));
    }

    #[test]
    fn a_number_that_is_another_target_s_in_a_new_database_is_that_target() {
        let mut catalogue = Catalogue::new(10);
        let _ = found(&mut catalogue, &job(64, 9, "http://a.example/"));
        let anew = JobMessage { id: 65, ..job(64, 1, "http://b.example/") };
        let (other, _) = found(&mut catalogue, &anew);
        let other = other.expect("good");
        assert_eq!((other.id, other.address.written()), (TargetId(65), "http://b.example/"));
    }

    #[test]
    fn an_entry_that_cannot_be_polled_says_why_until_it_changes() {
        let mut catalogue = Catalogue::new(10);
        let (bad, _) = found(&mut catalogue, &job(1, 0, "ftp://a.example/"));
        assert!(bad.expect_err("no such scheme").contains("ftp"));
        let (good, _) = found(&mut catalogue, &job(1, 1, "http://a.example/"));
        assert!(good.is_ok());
    }

    #[test]
    fn who_is_known_longest_makes_room_unless_a_job_of_it_is_in_hand() {
        let mut catalogue = Catalogue::new(2);
        for number in [100, 200] {
            let _ = found(&mut catalogue, &job(number, 1, "http://a.example/"));
        }
        catalogue.open(0);
        let (third, forgotten) = found(&mut catalogue, &job(300, 1, "http://c.example/"));
        assert_eq!((third.expect("good").number, forgotten), (1, vec![1]));
        assert_eq!(catalogue.len(), 2);
        catalogue.open(1);
        // Whoever is in hand stays, even when that are too many.
        let (fourth, forgotten) = found(&mut catalogue, &job(400, 1, "http://d.example/"));
        assert_eq!((fourth.expect("good").number, forgotten), (2, vec![]));
        catalogue.close(0);
        let (fifth, forgotten) = found(&mut catalogue, &job(500, 1, "http://d.example/"));
        // One of those makes room of which no job is in hand.
        let slot = fifth.expect("good").number;
        assert!(slot != 1 && forgotten == [slot], "{slot} {forgotten:?}");
    }

    #[test]
    fn equal_plans_are_stored_once() {
        let mut catalogue = Catalogue::new(10);
        let (one, _) = found(&mut catalogue, &job(1, 1, "http://a.example/"));
        let (other, _) = found(&mut catalogue, &job(2, 1, "http://b.example/"));
        assert!(Arc::ptr_eq(&one.expect("good").plan, &other.expect("good").plan));
    }
}
