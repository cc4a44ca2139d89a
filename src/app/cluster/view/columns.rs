//! `Columns`: what questions about many targets filter and sort by, side by side in memory.
//!
//! No index of the database could keep up with figures that every poll changes. So whoever shows the
//! cluster reads them all now and then, for as long as somebody asks; what it shows is read anew.

mod figures;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{Notify, watch};

use self::figures::Figures;
use super::View;
use crate::app::columns::Found;
use crate::store::postgres::DatabaseError;
use crate::store::postgres::read::Since;
use crate::view::{Sort, TargetQuery};

/// How often is looked whether they have to be read.
const ROUND: Duration = Duration::from_secs(1);
/// They are read again after so many milliseconds at the soonest,
const FRESH_MS: i64 = 5_000;
/// and after so many times as long as that takes;
const SHARE: i64 = 20;
/// by this much sooner when the targets were changed.
const SOONER: i64 = 5;
/// They are given up when nobody has asked for so many milliseconds.
const KEPT_MS: i64 = 120_000;
/// The first question waits for them for as long as a query may take at most.
const FIRST: Duration = Duration::from_secs(5);

/// The figures of all targets, while somebody asks for them.
#[derive(Default)]
pub(super) struct Columns {
    held: RwLock<Option<Arc<Held>>>,
    /// How often all was given up because the targets were changed.
    given_up: AtomicU64,
    /// When somebody asked last, in monotonic milliseconds; 0: nobody has.
    asked_ms: AtomicI64,
    /// Told when somebody waits for them.
    wanted: Arc<Notify>,
    /// How often they were there, or could not be read.
    rounds: watch::Sender<u64>,
}

struct Held {
    figures: Figures,
    /// The revision of the targets that they are of.
    revision: i64,
    /// When they were read, in monotonic milliseconds, and for how long.
    read_ms: i64,
    took_ms: i64,
}

impl Columns {
    /// The targets that `query` asks for, as they were some seconds ago; none when the database has
    /// to be asked: of a text, of what has an index there, and until all figures are read.
    pub(super) fn find(&self, query: &TargetQuery, now_ms: i64) -> Option<Found> {
        if !is_for_us(query) {
            return None;
        }
        self.held(now_ms)?.figures.find(query)
    }

    /// How many targets match `query`, wherever the page begins, if that is known here.
    pub(super) fn count(&self, query: &TargetQuery, now_ms: i64) -> Option<u64> {
        let TargetQuery { text, labels, cause, group, .. } = query;
        let is_narrow = cause.is_some() || group.is_some() || !labels.is_empty();
        if text.is_some() || !is_narrow {
            return None;
        }
        self.held(now_ms)?.figures.count(query)
    }

    fn held(&self, now_ms: i64) -> Option<Arc<Held>> {
        self.asked_ms.store(now_ms.max(1), Ordering::Relaxed);
        self.held.read().clone()
    }

    /// Gives up what was read before `now_ms` (monotonic milliseconds): the targets were changed here.
    /// Where reading is long and was lately it stays, so that many changes do not have all read without
    /// end; what was changed is seen then when it is read the next time.
    pub(super) fn give_up(&self, now_ms: i64) {
        let mut held = self.held.write();
        if held.as_ref().is_some_and(|held| now_ms - held.read_ms < held.took_ms * SHARE / SOONER) {
            return;
        }
        self.given_up.fetch_add(1, Ordering::Relaxed);
        *held = None;
    }

    /// Has what was read take the place of what is held, unless that was given up after so many times.
    fn take(&self, read: Held, given_up: u64) {
        let mut held = self.held.write();
        if self.given_up.load(Ordering::Relaxed) == given_up {
            *held = Some(Arc::new(read));
        }
    }

    /// What has to be done at `now_ms` (monotonic milliseconds), when the targets have `revision`.
    fn due(&self, now_ms: i64, revision: i64) -> Due {
        let asked_ms = self.asked_ms.load(Ordering::Relaxed);
        if asked_ms == 0 || now_ms - asked_ms > KEPT_MS {
            return Due::GiveUp;
        }
        let held = self.held.read().clone();
        let is_fresh = held.as_ref().is_some_and(|held| {
            let sooner = if held.revision == revision { 1 } else { SOONER };
            now_ms - held.read_ms < FRESH_MS.max(held.took_ms * SHARE) / sooner
        });
        if is_fresh { Due::Nothing } else { Due::Read(held) }
    }
}

/// What has to be done with the figures.
enum Due {
    Nothing,
    GiveUp,
    /// They have to be read, in the place of these.
    Read(Option<Arc<Held>>),
}

/// Whether a question is none that an index of the database answers at once.
fn is_for_us(query: &TargetQuery) -> bool {
    let TargetQuery { state, text, labels, cause, group, sort, .. } = query;
    let is_narrow = cause.is_some() || group.is_some() || !labels.is_empty();
    let is_pending = *state == Some(crate::target::State::Pending);
    text.is_none() && *sort != Sort::Downtime && (is_narrow || is_pending || *sort == Sort::Latency)
}

/// Whether the database would look at all targets for a question, if it were asked.
fn is_slow_there(query: &TargetQuery) -> bool {
    let TargetQuery { state, labels, cause, group, sort, .. } = query;
    let is_narrow = cause.is_some() || group.is_some() || !labels.is_empty();
    let is_pending = *state == Some(crate::target::State::Pending);
    is_for_us(query) && (is_pending || (is_narrow && *sort == Sort::Latency))
}

impl View {
    /// Has the figures read for the first question of those that the database is slow with: reading
    /// them takes no longer than its answer, and counts for all that is asked after it.
    pub(super) fn first_columns(&self, query: &TargetQuery) {
        if !is_slow_there(query) || self.columns.held(self.monotonic_ms()).is_some() {
            return;
        }
        let mut rounds = self.columns.rounds.subscribe();
        self.columns.wanted.notify_one();
        // Where that fails or takes too long the database is asked after all.
        let read = async { Ok(tokio::time::timeout(FIRST, rounds.changed()).await.is_ok()) };
        let _ = self.wait(read);
    }

    /// Monotonic milliseconds.
    pub(super) fn monotonic_ms(&self) -> i64 {
        i64::try_from(self.clock.monotonic_us() / 1_000).unwrap_or(i64::MAX)
    }

    /// Reads the figures if that is due, once a second and when somebody waits for them, for as long as
    /// somebody has the view.
    pub(super) async fn keep_columns(view: std::sync::Weak<Self>) {
        let mut rhythm = tokio::time::interval(ROUND);
        rhythm.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let Some(wanted) = view.upgrade().map(|view| Arc::clone(&view.columns.wanted)) else {
            return;
        };
        loop {
            tokio::select! {
                _ = rhythm.tick() => {}
                () = wanted.notified() => {}
            }
            let Some(view) = view.upgrade() else { return };
            let revision = view.gathered.lock().cluster.revision;
            match view.columns.due(view.monotonic_ms(), revision) {
                Due::Nothing => {}
                Due::GiveUp => {
                    *view.columns.held.write() = None;
                    continue;
                }
                Due::Read(before) => {
                    if let Err(error) = view.read_columns(before).await {
                        tracing::debug!("targets are sought in the database alone: {error}");
                    }
                }
            }
            view.columns.rounds.send_modify(|rounds| *rounds += 1);
        }
    }

    async fn read_columns(&self, before: Option<Arc<Held>>) -> Result<(), DatabaseError> {
        let began_ms = self.monotonic_ms();
        let given_up = self.columns.given_up.load(Ordering::Relaxed);
        let cluster = self.gathered.lock().cluster;
        let (mut figures, since) = match &before {
            None => (Figures::default(), Since::Ever),
            Some(held) => {
                (held.figures.without_records(), Since::Revision(held.revision, cluster.shards))
            }
        };
        let is_changed = before.is_none_or(|held| held.revision != cluster.revision);
        if is_changed {
            self.reader.kinds(since, |number, kind| figures.seat(number, kind)).await?;
        }
        self.reader.figures(|row| figures.put(row)).await?;
        let read_ms = self.monotonic_ms();
        let took_ms = read_ms - began_ms;
        tracing::debug!(took_ms, targets = figures.len(), "read the figures of all targets");
        let held = Held { figures, revision: cluster.revision, read_ms, took_ms };
        self.columns.take(held, given_up);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_changes_do_not_have_what_is_long_read_without_end() {
        let columns = Columns::default();
        let hold = |took_ms| {
            let held = Held { figures: Figures::default(), revision: 1, read_ms: 10_000, took_ms };
            columns.take(held, columns.given_up.load(Ordering::Relaxed));
        };
        hold(1_000);
        columns.give_up(13_999);
        assert!(columns.held(14_000).is_some());
        columns.give_up(14_000);
        assert!(columns.held(14_000).is_none());
        hold(0);
        columns.give_up(10_000);
        assert!(columns.held(10_000).is_none(), "where it is quick it is read at once");
    }
}
