//! `Troubles`: what has to work for outcomes to be recorded and does not, and since when.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::store::postgres::DatabaseError;

/// How long something may be under way, or fail again and again, before the recorder is not ready.
const LATE: Duration = Duration::from_secs(30);

/// What has to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    /// Outcomes are written.
    Batch,
    /// It is known what of late outcomes is stored.
    Doubts,
    /// A shard is taken over.
    Shard(u32),
    /// There are partitions for what comes.
    Partitions,
    /// Locations are known.
    Locations,
    /// Changes of targets are known.
    Targets,
    /// What is kept of targets that are new is known.
    Records,
    /// Leases are kept.
    Leases,
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Batch => "outcomes are not written",
            Self::Doubts => "it is not known what of late outcomes is stored",
            Self::Shard(shard) => return write!(formatter, "shard {shard} is not taken over"),
            Self::Partitions => "partitions are not made",
            Self::Locations => "locations are not known",
            Self::Targets => "changes of targets are not known",
            Self::Records => "what is kept of new targets is not known",
            Self::Leases => "leases are not kept",
        };
        formatter.write_str(text)
    }
}

/// What is under way, and since when.
#[derive(Debug)]
struct Open {
    since: Instant,
    /// Why it did not work the last time it was tried.
    reason: Option<String>,
}

/// What is under way and what does not work, each by itself: what works says nothing of what does not.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<Work, Open>>);

impl Troubles {
    /// Notes that `work` begins, unless it is under way already.
    pub(super) fn begins(&self, work: Work) {
        let now = Open { since: Instant::now(), reason: None };
        self.0.lock().entry(work).or_insert(now);
    }

    /// Notes that `work` did not work and will be tried again, and tells when it is the first to do so.
    pub(super) fn fails(&self, work: Work, error: &DatabaseError) {
        let mut open = self.0.lock();
        let was_away = open.values().any(|open| open.reason.is_some());
        let now = Open { since: Instant::now(), reason: None };
        open.entry(work).or_insert(now).reason = Some(error.to_string());
        drop(open);
        if !was_away {
            let away = "the database is away: outcomes wait on Kafka until it is back";
            tracing::warn!(%error, work = %work, "{away}");
        }
    }

    /// Notes that `work` is done or given up, and tells when it was the last that did not work.
    pub(super) fn is_over(&self, work: Work) {
        let mut open = self.0.lock();
        let had_failed = open.remove(&work).is_some_and(|open| open.reason.is_some());
        let is_back = had_failed && open.values().all(|open| open.reason.is_none());
        drop(open);
        if is_back {
            tracing::info!("the database is back");
        }
    }

    /// Notes how `work` went.
    pub(super) fn went(&self, work: Work, how: Result<(), &DatabaseError>) {
        match how {
            Ok(()) => self.is_over(work),
            Err(error) => self.fails(work, error),
        }
    }

    /// Whether nothing takes too long.
    ///
    /// # Errors
    /// What does, since when and why.
    pub(super) fn readiness(&self) -> Result<(), String> {
        let open = self.0.lock();
        let oldest = open.iter().min_by_key(|(_, open)| open.since);
        let late = oldest.map(|(work, open)| (work, open, open.since.elapsed()));
        match late {
            Some((work, Open { reason, .. }, late)) if late >= LATE => {
                let reason = reason.as_ref().map(|reason| format!(": {reason}"));
                let seconds = late.as_secs();
                Err(format!("{work} since {seconds} s{}", reason.unwrap_or_default()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> DatabaseError {
        DatabaseError::Away("somebody holds it".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_for_long_is_told_however_well_the_rest_works() {
        let troubles = Troubles::default();
        troubles.begins(Work::Batch);
        for _ in 0..15 {
            assert_eq!(troubles.readiness(), Ok(()));
            troubles.fails(Work::Batch, &away());
            troubles.went(Work::Leases, Ok(()));
            tokio::time::advance(LATE / 15).await;
            troubles.begins(Work::Batch);
        }
        let told = troubles.readiness().expect_err("it is late");
        assert!(told.starts_with("outcomes are not written since 30 s: "), "{told}");
        assert!(told.ends_with("somebody holds it"), "{told}");
        troubles.is_over(Work::Batch);
        assert_eq!(troubles.readiness(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_answers_is_late_as_well_and_the_oldest_is_told() {
        let troubles = Troubles::default();
        troubles.begins(Work::Shard(7));
        tokio::time::advance(LATE / 2).await;
        troubles.begins(Work::Partitions);
        tokio::time::advance(LATE / 2).await;
        let told = troubles.readiness();
        assert_eq!(told, Err("shard 7 is not taken over since 30 s".to_owned()));
        troubles.is_over(Work::Shard(7));
        assert_eq!(troubles.readiness(), Ok(()));
        tokio::time::advance(LATE / 2).await;
        let told = troubles.readiness();
        assert_eq!(told, Err("partitions are not made since 30 s".to_owned()));
    }
}
