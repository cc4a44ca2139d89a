//! `Chores`: what has to be done now and then beside recording, by tasks that nothing waits for.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::desk::{Done, Parts};
use super::figures::Figures;
use super::troubles::Work;
use super::writer::in_time;
use crate::store::postgres::partitions::Keep;
use crate::store::postgres::witness::HeardMember;
use crate::store::postgres::{Database, DatabaseError};

/// How often partitions are made, and how soon again when that did not work.
const PARTITIONS: (Duration, Duration) = (Duration::from_hours(1), Duration::from_secs(2));
/// How many days ahead there are partitions.
const AHEAD_DAYS: u32 = 3;
/// How long to wait after what is old was dropped before it is looked for again.
const TIDYING: Duration = Duration::from_hours(1);
/// How often old windows are dropped.
const WINDOWS: Duration = Duration::from_secs(15);
/// Seconds for which windows are kept.
const WINDOWS_S: i64 = 330;
/// How long a chore may take, and one that goes through much.
const LIMIT: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_mins(30);
/// Chores that run at most before others wait.
const MOST_TASKS: usize = 3;
/// Gaps that wait at most until they are noted.
const MOST_GAPS: usize = 10_000;
/// How often the log is told.
const MINUTE: Duration = Duration::from_mins(1);

/// What a task has done.
pub(super) enum Chore {
    /// Partitions are there for these due times.
    Span(Range<i64>),
    /// They could not be made.
    NoSpan(DatabaseError),
    /// What is old was dropped, or as much of it as could be.
    Tidied,
    /// A gap could not be noted.
    NoGap(Gap),
    /// Nothing that matters further.
    Done,
}

/// A span of time of a shard, in Unix milliseconds, whose outcomes are gone, and why.
pub(super) struct Gap {
    shard: u32,
    span: (i64, i64),
    reason: String,
}

/// What has to be done now and then.
pub(super) struct Chores {
    tasks: JoinSet<Chore>,
    /// Due times for which there are partitions.
    span: Option<Range<i64>>,
    members: BTreeMap<String, HeardMember>,
    /// Gaps that are to be noted.
    gaps: VecDeque<Gap>,
    figures: Arc<Figures>,
    partitions_at: Instant,
    /// None while it is done.
    tidying_at: Option<Instant>,
    windows_at: Instant,
    second_at: Instant,
    told_at: Instant,
    is_second: bool,
    keep: Keep,
}

impl Chores {
    pub(super) fn new(parts: &Parts) -> Self {
        let now = Instant::now();
        let days = parts.keep.as_secs().div_ceil(86_400).clamp(1, 3_650);
        parts.figures.keep_days.store(days, Ordering::Relaxed);
        let sample_days = u32::try_from(days).unwrap_or(u32::MAX);
        let keep = Keep { sample_days, ..Keep::default() };
        Self {
            tasks: JoinSet::new(),
            span: None,
            members: BTreeMap::new(),
            gaps: VecDeque::new(),
            figures: Arc::clone(&parts.figures),
            partitions_at: now,
            tidying_at: Some(now),
            windows_at: now + WINDOWS,
            second_at: now,
            told_at: now,
            is_second: false,
            keep,
        }
    }

    /// The due times for which samples can be written, as soon as that is known.
    pub(super) fn span(&self) -> Option<Range<i64>> {
        self.span.clone()
    }

    /// Whether a second has begun.
    pub(super) const fn is_second(&self) -> bool {
        self.is_second
    }

    /// What is done next.
    pub(super) async fn done(&mut self) -> Done {
        self.tasks.join_next().await
    }

    /// Takes in what was done.
    pub(super) fn note(&mut self, chore: Chore) {
        match chore {
            Chore::Span(span) => {
                self.figures.partitions_are(Ok(()));
                self.figures.troubles.is_over(Work::Partitions);
                self.span = Some(span);
            }
            Chore::NoSpan(error) => {
                if error.is_passing() {
                    self.figures.troubles.fails(Work::Partitions, &error);
                } else {
                    self.figures.partitions_are(Err(&error.to_string()));
                }
                self.partitions_at = Instant::now() + PARTITIONS.1;
            }
            Chore::Tidied => self.tidying_at = Some(Instant::now() + TIDYING),
            Chore::NoGap(gap) => self.gaps.push_back(gap),
            Chore::Done => {}
        }
    }

    /// Notes that a member was heard of.
    pub(super) fn note_member(&mut self, member: HeardMember) {
        self.members.insert(member.name.clone(), member);
    }

    /// Notes that `skipped` records of `shard` are gone that nobody has read.
    pub(super) fn note_gap(&mut self, shard: u32, skipped: i64, span: (i64, i64)) {
        let reason = if skipped > 0 {
            format!("{skipped} records were gone from Kafka before they were read")
        } else {
            "the topic of outcomes was made anew".to_owned()
        };
        tracing::warn!(shard, "{reason}");
        if self.gaps.len() < MOST_GAPS {
            self.gaps.push_back(Gap { shard, span, reason });
        }
    }

    /// Begins what is due. `shards` are ours; our clock is `ahead_ms` of the database's.
    pub(super) fn look_around(&mut self, parts: &Parts, shards: &[u32], ahead_ms: i64) {
        let now = Instant::now();
        let now_ms = parts.clock.now_ms() - ahead_ms;
        self.is_second = now >= self.second_at;
        if self.is_second {
            // A wall clock that was set is followed.
            let _ = parts.clock.follow_wall();
            self.second_at = now + Duration::from_secs(1);
            // While the database is slow they wait, rather than take the connections of others.
            if self.tasks.len() < MOST_TASKS {
                self.put_members(&parts.database);
                self.put_gap(&parts.database);
            }
        }
        if now >= self.partitions_at {
            self.partitions_at = now + PARTITIONS.0;
            parts.figures.troubles.begins(Work::Partitions);
            self.tasks.spawn(make_partitions(parts.database.clone(), now_ms, self.keep));
        }
        // It takes long where much is old, and what is to be written waits for partitions alone.
        if self.tidying_at.is_some_and(|at| now >= at) {
            self.tidying_at = None;
            self.tasks.spawn(tidy_up(parts.database.clone(), now_ms, self.keep));
        }
        if now >= self.windows_at {
            self.windows_at = now + WINDOWS;
            let (database, shards) = (parts.database.clone(), shards.to_vec());
            let first = now_ms.div_euclid(1_000) - WINDOWS_S;
            self.tasks.spawn(async move {
                passed(&in_time(LIMIT, database.forget_seconds(&shards, first)).await)
            });
        }
        let since_told = now - self.told_at;
        if since_told >= MINUTE {
            self.told_at = now;
            parts.figures.tell(since_told.as_secs_f64());
        }
    }

    fn put_members(&mut self, database: &Database) {
        let members: Vec<HeardMember> = std::mem::take(&mut self.members).into_values().collect();
        if members.is_empty() {
            return;
        }
        let database = database.clone();
        self.tasks.spawn(async move {
            let mut names: Vec<String> =
                members.iter().map(|member| member.location.clone()).collect();
            names.retain(|name| !name.is_empty());
            let heard = in_time(LIMIT, database.members_heard(&members)).await;
            passed(&heard.and(in_time(LIMIT, database.locations_seen(&names)).await))
        });
    }

    /// Notes a gap, again and again until it is noted.
    fn put_gap(&mut self, database: &Database) {
        let Some(gap) = self.gaps.pop_front() else { return };
        let database = database.clone();
        self.tasks.spawn(async move {
            let noted = database.note_gap(gap.shard, gap.span, &gap.reason);
            if was_done(&in_time(LIMIT, noted).await) { Chore::Done } else { Chore::NoGap(gap) }
        });
    }
}

async fn make_partitions(database: Database, now_ms: i64, keep: Keep) -> Chore {
    let made = database.partitions_ahead(now_ms, keep.sample_days, AHEAD_DAYS);
    in_time(LIMIT, made).await.map_or_else(Chore::NoSpan, Chore::Span)
}

async fn tidy_up(database: Database, now_ms: i64, keep: Keep) -> Chore {
    // What somebody took in yesterday may be written today: it goes a day later than it is refused.
    let keep = Keep { sample_days: keep.sample_days + 1, ..keep };
    match in_time(LONG, database.drop_partitions(now_ms, keep)).await {
        Ok(0) => {}
        Ok(count) => {
            tracing::info!(count, "partitions were dropped, which are older than what is kept");
        }
        Err(error) => {
            tracing::warn!(%error, "some that is older than what is kept cannot be dropped yet");
        }
    }
    if let Err(error) = in_time(LONG, database.forget_past(now_ms, keep)).await {
        tracing::warn!(%error, "not all that is older than what is kept is forgotten yet");
    }
    Chore::Tidied
}

/// What did not work is done again the next time.
fn passed(done: &Result<(), DatabaseError>) -> Chore {
    was_done(done);
    Chore::Done
}

/// Whether it was `done`.
fn was_done(done: &Result<(), DatabaseError>) -> bool {
    if let Err(error) = done {
        tracing::debug!(%error, "a chore was in vain");
    }
    done.is_ok()
}
