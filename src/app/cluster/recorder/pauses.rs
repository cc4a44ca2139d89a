//! Pauses of targets, which begin and end by the database's clock, where polls were read until then.

use super::desk::Desk;

impl Desk {
    /// Has pauses begin and end for which it is time.
    pub(super) fn look_after_pauses(&mut self) {
        let (now_ms, reader) = (self.now_ms(), &self.parts.reader);
        for (shard, docket) in &mut self.dockets {
            let is_all = reader.end(*shard).is_some_and(|end| docket.next_offset() >= end);
            let newest_ms = docket.newest_us().div_euclid(1_000);
            docket.look_after_pauses(if is_all { now_ms } else { newest_ms.min(now_ms) });
        }
    }
}
