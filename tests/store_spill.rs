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
