//! What a store keeps beside polls for the API: the targets that came through it, and pauses.

use super::StoreError;
use crate::target::{Target, TargetId};

/// A target that came through the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTarget {
    /// Its id.
    pub id: TargetId,
    /// Its entry as JSON, as one of a list.
    pub entry: String,
    /// When it came, in Unix milliseconds.
    pub added_ms: i64,
    /// When it is to go, in Unix milliseconds; none: never.
    pub expires_ms: Option<i64>,
}

/// A change of the targets that came through the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnChange {
    /// Those that came, or are others now.
    pub put: Vec<OwnTarget>,
    /// Those that are to go, with their pauses.
    pub gone: Vec<TargetId>,
}

/// That a target is not polled for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Its id.
    pub id: TargetId,
    /// Since when, in Unix milliseconds.
    pub since_ms: i64,
    /// Until when, in Unix milliseconds; none: until somebody resumes it.
    pub until_ms: Option<i64>,
    /// Why, in the words of whoever paused it.
    pub reason: String,
}

/// The side of a store that keeps what comes through the API. A store that keeps nothing of the
/// kind has nothing to write.
pub trait OwnStore {
    /// Does what [`super::Store::amend`] does and takes `change` over, both or nothing.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn amend_own(
        &mut self,
        targets: &mut [Target],
        removed: &[u32],
        change: &OwnChange,
    ) -> Result<(), StoreError>;

    /// The targets that came through the API and are not to go before `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// The store cannot be read.
    fn own_targets(&mut self, now_ms: i64) -> Result<Vec<OwnTarget>, StoreError> {
        let _ = now_ms;
        Ok(Vec::new())
    }

    /// The pauses that last at `now_ms` (Unix milliseconds); those that are over are forgotten.
    ///
    /// # Errors
    /// The store cannot be read or written.
    fn pauses(&mut self, now_ms: i64) -> Result<Vec<Pause>, StoreError> {
        let _ = now_ms;
        Ok(Vec::new())
    }

    /// Notes the pauses `put`, each in the place of one of the same target, and forgets those of
    /// `gone`.
    ///
    /// # Errors
    /// The store cannot be written.
    fn change_pauses(&mut self, put: &[Pause], gone: &[TargetId]) -> Result<(), StoreError> {
        let _ = (put, gone);
        Ok(())
    }
}
