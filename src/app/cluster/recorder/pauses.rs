//! Pauses of targets, which begin and end by the database's clock.

use super::desk::Desk;

impl Desk {
    /// Has pauses begin and end for which it is time.
    pub(super) fn look_after_pauses(&mut self) {
        let now_ms = self.now_ms();
        for docket in self.dockets.values_mut() {
            docket.look_after_pauses(now_ms);
        }
    }
}
