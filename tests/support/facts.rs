//! A daemon that knows a few invented facts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use poller::api::{Answer, Facts, Feed};
use poller::view::{
    Down, Flying, InFlight, Lists, Schedule, Storage, Summary, TargetPage, TargetQuery, TargetRow,
};

#[derive(Default)]
pub(crate) struct FakeFacts {
    pub(crate) feed: Feed,
    pub(crate) is_stopping: AtomicBool,
    pub(crate) is_broken: AtomicBool,
    pub(crate) is_degraded: AtomicBool,
    pub(crate) is_saturated: AtomicBool,
}

impl Facts for FakeFacts {
    fn summary(&self, lists: Lists) -> Summary {
        let downs = if lists == Lists::All { 3 } else { 1 };
        let word = |flag: &AtomicBool, word: &str| {
            if flag.load(Ordering::Relaxed) { word.to_owned() } else { "ok".to_owned() }
        };
        let storage = word(&self.is_degraded, "degraded");
        let schedule = word(&self.is_saturated, "saturated");
        Summary {
            storage: Storage { state: storage, ..Storage::default() },
            schedule: Schedule { state: schedule, ..Schedule::default() },
            schema: 1,
            state: "running".to_owned(),
            pid: std::process::id(),
            down: vec![Down::default(); downs],
            ..Summary::default()
        }
    }

    fn in_flight(&self, _: Lists) -> InFlight {
        let url = "http://a.example/".to_owned();
        InFlight { count: 1, limit: 8, urls: vec![Flying { url, for_seconds: 0.5 }] }
    }

    fn targets(&self, query: &TargetQuery) -> Result<TargetPage, String> {
        let state = query.state.map(|state| state.as_str().to_owned()).unwrap_or_default();
        let row = TargetRow { state, ..TargetRow::default() };
        Ok(TargetPage { targets: vec![row], next: Some(query.limit.to_string()), total: 1 })
    }

    fn reload(&self) -> Answer<'_, Result<String, String>> {
        Box::pin(async {
            if self.is_broken.load(Ordering::Relaxed) {
                return Err("the list is not JSON: line 3".to_owned());
            }
            Ok("2 targets more".to_owned())
        })
    }

    fn stop(&self) -> Duration {
        self.is_stopping.store(true, Ordering::Relaxed);
        Duration::from_mins(1)
    }

    fn readiness(&self) -> Result<(), String> {
        if self.is_broken.load(Ordering::Relaxed) { Err("no list yet".to_owned()) } else { Ok(()) }
    }

    fn liveness(&self) -> Result<(), String> {
        Ok(())
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }
}
