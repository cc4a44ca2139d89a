//! What every edge of the port `Store` keeps for the API: targets of its own, and pauses.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/store.rs"]
mod support;

use poller::store::memory::MemoryStore;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{OwnChange, OwnTarget, Pause, Store};
use poller::target::TargetId;
use support::{NOW_MS, targets};

/// Runs `fact` on every edge.
fn on_every_edge(fact: impl Fn(&mut dyn Store)) {
    fact(&mut MemoryStore::default());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    fact(&mut SqliteStore::open(&path, SqliteOptions::default()).unwrap());
}

fn own(id: u64, entry: &str, expires_ms: Option<i64>) -> OwnTarget {
    OwnTarget { id: TargetId(id), entry: entry.to_owned(), added_ms: NOW_MS, expires_ms }
}

fn pause(id: u64, until_ms: Option<i64>) -> Pause {
    Pause { id: TargetId(id), since_ms: NOW_MS, until_ms, reason: "work on it".to_owned() }
}

fn put(store: &mut dyn Store, put: Vec<OwnTarget>, gone: Vec<TargetId>) {
    store.amend_own(&mut [], &[], &OwnChange { put, gone }).unwrap();
}

#[test]
fn a_target_comes_with_its_entry_and_goes_with_its_pause() {
    on_every_edge(|store| {
        let mut came = targets(2);
        let change = OwnChange { put: vec![own(u64::MAX, "{}", None)], gone: Vec::new() };
        store.amend_own(&mut came, &[], &change).unwrap();
        assert_eq!(came.iter().map(|target| target.number).collect::<Vec<_>>(), [1, 2]);

        store.change_pauses(&[pause(u64::MAX, None), pause(2, None)], &[]).unwrap();
        assert_eq!(store.own_targets(NOW_MS).unwrap(), [own(u64::MAX, "{}", None)]);
        put(store, Vec::new(), vec![TargetId(u64::MAX)]);
        assert!(store.own_targets(NOW_MS).unwrap().is_empty());
        assert_eq!(store.pauses(NOW_MS).unwrap(), [pause(2, None)]);
    });
}

#[test]
fn another_entry_takes_the_place_of_the_one_before_and_not_of_when_it_came() {
    on_every_edge(|store| {
        put(store, vec![own(1, "a", None)], Vec::new());
        let later = OwnTarget { added_ms: NOW_MS + 9, ..own(1, "b", Some(NOW_MS + 5)) };
        put(store, vec![later], Vec::new());
        assert_eq!(store.own_targets(NOW_MS).unwrap(), [own(1, "b", Some(NOW_MS + 5))]);
        assert!(store.own_targets(NOW_MS + 5).unwrap().is_empty(), "it was to go then");
    });
}

#[test]
fn a_pause_is_over_at_its_time_and_another_one_takes_its_place() {
    on_every_edge(|store| {
        store.change_pauses(&[pause(1, Some(NOW_MS + 10)), pause(2, None)], &[]).unwrap();
        store.change_pauses(&[pause(2, Some(NOW_MS + 30))], &[]).unwrap();
        assert_eq!(store.pauses(NOW_MS + 10).unwrap(), [pause(2, Some(NOW_MS + 30))]);
        store.change_pauses(&[], &[TargetId(2)]).unwrap();
        assert!(store.pauses(NOW_MS).unwrap().is_empty());
    });
}
