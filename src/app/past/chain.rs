//! Where the samples of one target are entered, so that a page of them costs a few seeks.

use std::sync::Arc;

use super::{Archive, unreadable};
use crate::api::Told;
use crate::store::SampleKey;
use crate::target::Target;

/// Samples that are passed over one by one on the way to what is asked for.
const PASSED: i64 = 2_000;
/// Slots behind the moment that is asked for in which a sample is looked for.
const SLOTS: i64 = 8;

impl Archive {
    /// The key of a sample of the target `number` from which one gets back to all that were
    /// recorded before `to_ms` (Unix milliseconds), without passing over many others; the newest
    /// one without a `to_ms`. 0 when there is none.
    pub(super) fn start(&self, number: u32, to_ms: Option<i64>) -> Told<SampleKey> {
        let target = self.live.roster.read().target(number).cloned();
        if let (Some(to_ms), Some(target)) = (to_ms, target)
            && let Some(key) = self.entry(&target, to_ms)?
        {
            return Ok(key);
        }
        let likely = self.live.ledger.lock().newest_of(number).unwrap_or_default();
        self.reader.head(number, likely).map_err(unreadable)
    }

    /// A sample of `target` soon behind `to_ms`: where one was due there is one, or soon after.
    fn entry(&self, target: &Arc<Target>, to_ms: i64) -> Told<Option<SampleKey>> {
        let every_ms = i64::from(target.every_ms.max(1));
        let now_ms = self.live.clock.now_ms();
        if now_ms.saturating_sub(to_ms) / every_ms <= PASSED {
            return Ok(None);
        }
        let due_ms = target.due_at_or_after(to_ms);
        for slot in 0..SLOTS {
            let at_ms = due_ms.saturating_add(slot * every_ms);
            let found = self.reader.enter(target.number, at_ms).map_err(unreadable)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
