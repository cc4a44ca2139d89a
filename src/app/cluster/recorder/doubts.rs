//! `Doubts`: what the database says of outcomes that came so late that only it knows whether it has them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::desk::Desk;
use super::troubles::Work;
use super::writer::in_time;
use crate::health::votes::Slot;

/// How much is asked at once.
const AT_ONCE: usize = 1_000;
/// How long one answer may take, at first and at most; the desk does nothing else meanwhile.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));
/// How long what is in no doubt is written before it is asked again.
const PAUSE: Duration = Duration::from_secs(2);

/// A poll, by target and slot.
type Key = (u32, Slot);

/// What was answered of what is in doubt.
#[derive(Debug)]
pub(super) struct Doubts {
    /// By shard. As long as something of a shard is in doubt nothing of it is written, so that the
    /// answers stay true; of each whether it is stored, and whether that is only that there was no poll.
    answered: BTreeMap<u32, BTreeMap<Key, Option<bool>>>,
    patience: Duration,
    from: Instant,
}

impl Doubts {
    pub(super) fn new() -> Self {
        Self { answered: BTreeMap::new(), patience: PATIENCE.0, from: Instant::now() }
    }

    /// Forgets what was answered of `shard`, which somebody else may write from now on.
    pub(super) fn forget(&mut self, shard: u32) {
        self.answered.remove(&shard);
    }

    fn is_answered(&self, shard: u32, key: &Key) -> bool {
        self.answered.get(&shard).is_some_and(|answered| answered.contains_key(key))
    }

    fn take_in(&mut self, asked: &[(u32, Key)], stored: &BTreeMap<Key, bool>) {
        self.patience = PATIENCE.0;
        for (shard, key) in asked {
            let answered = self.answered.entry(*shard).or_default();
            answered.insert(*key, stored.get(key).copied());
        }
    }

    fn wait(&mut self) {
        self.patience = (self.patience * 2).min(PATIENCE.1);
        self.from = Instant::now() + PAUSE;
    }
}

impl Desk {
    /// Asks what of late outcomes is stored, as far as that is soon answered. Of the shards that are in
    /// doubt then nothing can be written yet; the others wait for none of them.
    pub(super) async fn resolve_doubts(&mut self) {
        let open = self.open_doubts();
        if !open.is_empty() {
            self.ask_for(&open).await;
        }
        let now_ms = self.now_ms();
        for (shard, docket) in &mut self.dockets {
            let is_resolved = docket.doubted().all(|key| self.doubts.is_answered(*shard, &key));
            if is_resolved && let Some(answered) = self.doubts.answered.remove(shard) {
                let stored =
                    |(key, stored): (Key, Option<bool>)| stored.map(|stored| (key, stored));
                docket.resolve(&answered.into_iter().filter_map(stored).collect(), now_ms);
            }
        }
    }

    /// What is in doubt and not answered yet.
    fn open_doubts(&self) -> Vec<(u32, Key)> {
        let doubted = |(shard, docket): (&u32, &crate::stage::docket::Docket)| {
            let shard = *shard;
            docket.doubted().map(move |key| (shard, key)).collect::<Vec<_>>()
        };
        let all = self.dockets.iter().flat_map(doubted);
        all.filter(|(shard, key)| !self.doubts.is_answered(*shard, key)).collect()
    }

    async fn ask_for(&mut self, open: &[(u32, Key)]) {
        let began = Instant::now();
        if began < self.doubts.from {
            return;
        }
        for asked in open.chunks(AT_ONCE) {
            let keys: Vec<Key> = asked.iter().map(|(_, key)| *key).collect();
            let stored = tokio::select! {
                () = self.parts.stop.cancelled() => return,
                stored = in_time(self.doubts.patience, self.parts.database.stored(&keys)) => stored,
            };
            self.parts.figures.troubles.went(Work::Doubts, stored.as_ref().map(|_| ()));
            match stored {
                Ok(stored) => self.doubts.take_in(asked, &stored),
                Err(error) => {
                    tracing::debug!(%error, "late outcomes were asked for in vain");
                    return self.doubts.wait();
                }
            }
            // What else the desk has to do does not wait for all of many.
            if began.elapsed() > PATIENCE.0 {
                return;
            }
        }
    }
}
