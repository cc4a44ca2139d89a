//! The spill file: how much room it takes, and what is told of one that is damaged or of another
//! store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/store.rs"]
mod support;

use poller::store::spill::Spill;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{Batch, Store};
use support::{NOW_MS, outcome, samples};

#[test]
fn the_spill_takes_no_more_than_the_store_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.db");
    let options = SqliteOptions { max_bytes: 2_000_000, ..SqliteOptions::default() };
    let mut store = SqliteStore::open(&path, options).unwrap();
    let outcomes: Vec<_> = (0..40_000).map(|row| outcome(7, NOW_MS + row, 80_000)).collect();
    let all = samples(&outcomes);
    for samples in all[..15_000].chunks(1_000) {
        let settled = samples.last().unwrap().key;
        store.append(&Batch { samples: samples.to_vec(), settled, ..Batch::default() }).unwrap();
    }
    let held = store.restore(NOW_MS).unwrap().samples;
    let mut spill = Spill::open(&directory.path().join("poller.spill")).unwrap().within(2_000_000);
    let taken = all[15_000..].chunks(100).take_while(|chunk| spill.append(chunk).is_ok()).count();
    assert!(taken > 20, "{taken} chunks");
    assert!(store.bytes() + spill.bytes() < 2_000_000, "{} + {}", store.bytes(), spill.bytes());

    // What is taken in again costs nothing that was stored before.
    let mut most = 0;
    for samples in all[15_000..].chunks(100).take(taken) {
        let settled = samples.last().unwrap().key;
        store.append(&Batch { samples: samples.to_vec(), settled, ..Batch::default() }).unwrap();
        assert_eq!(store.trim(NOW_MS).unwrap().samples, 0);
        most = most.max(store.bytes() + spill.bytes());
    }
    assert!(most < 2_000_000, "{most}");
    assert_eq!(store.restore(NOW_MS).unwrap().samples, held + taken as u64 * 100);
}

#[test]
fn a_spill_of_another_store_is_set_aside_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poller.spill");
    let id = |name: &str| {
        let path = directory.path().join(name);
        let id = SqliteStore::open(&path, SqliteOptions::default()).unwrap().id();
        assert_eq!(SqliteStore::open(&path, SqliteOptions::default()).unwrap().id(), id);
        id
    };
    let (first, second) = (id("one.db"), id("other.db"));
    assert_ne!(first, second);
    let samples = samples(&[outcome(1, NOW_MS, 5), outcome(2, NOW_MS, 5)]);
    let mut spill = Spill::open(&path).unwrap();
    assert_eq!(spill.belong_to(first).unwrap(), None);
    spill.append(&samples).unwrap();

    let mut spill = Spill::open(&path).unwrap();
    assert_eq!((spill.belong_to(first).unwrap(), spill.count()), (None, 2));
    let aside = spill.belong_to(second).unwrap().expect("it is moved away");
    assert_eq!(spill.count(), 0);
    spill.append(&samples[..1]).unwrap();
    let kept: Vec<_> =
        Spill::open(&aside).unwrap().replay(0).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept, [Some(samples[0]), Some(samples[1])]);
    assert_eq!(Spill::open(&path).unwrap().belong_to(second).unwrap(), None);
}
