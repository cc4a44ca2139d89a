//! `Alone`: since when the database is away, and with it whoever could take a shard over.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long we go on with shards whose leases we cannot renew.
const LONGEST: Duration = Duration::from_mins(10);

/// Since when the database is away. Copies know the same.
///
/// While it is, nobody can take a shard over, and a shard that stood still would leave slots out. So
/// a scheduler goes on with what it had when its leases end, for some time. Should it alone be cut
/// off, two make the same jobs, which polls nothing twice and stores nothing twice: a target and the
/// time that it is due name an outcome for ever. What is kept of a shard is guarded by its epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Alone(Arc<Mutex<Option<Instant>>>);

impl Alone {
    /// The database does not answer.
    pub(super) fn note_away(&self) {
        self.0.lock().get_or_insert_with(Instant::now);
    }

    /// It answers, and has told which shards are ours.
    pub(super) fn note_there(&self) {
        *self.0.lock() = None;
    }

    /// Whether we go on without leases.
    pub(super) fn goes_on(&self) -> bool {
        self.0.lock().is_some_and(|since| since.elapsed() < LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_alone_goes_on_for_some_time() {
        let alone = Alone::default();
        assert!(!alone.goes_on());
        alone.note_away();
        tokio::time::advance(LONGEST / 2).await;
        alone.note_away();
        assert!(alone.clone().goes_on());
        tokio::time::advance(LONGEST / 2).await;
        assert!(!alone.goes_on(), "counted from the first failure");
        alone.note_there();
        alone.note_away();
        assert!(alone.goes_on());
    }
}
