//! The role `scheduler`: turns the targets of the shards that it leases into jobs, on time.

mod alone;
mod drive;
mod feed;
mod figures;
mod fitness;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use super::Member;
use super::face::RoleHealth;
use super::waiting::{Needed, until_it_works};
use crate::app::role::RoleError;
use crate::clock::{Clock, Correction};
use crate::queue::kafka::jobs::JobTopic;
use crate::queue::kafka::producer::Producer;
use crate::shards::Shards;
use crate::store::postgres::leases::{Leases, Tended};
use crate::store::postgres::{Database, DatabaseError};

use alone::Alone;
use drive::{Kept, Parts, Reins};
use feed::{Feed, Turnover};
use figures::{Figures, SchedulerFigures};
use fitness::Fitness;

/// How often a line says how it goes.
const BEAT: Duration = Duration::from_mins(1);
/// How long after a failure the database is asked again.
const RETRY: Duration = Duration::from_millis(500);
/// How long it is not asked at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long the database gets at the end to take our leases back.
const FAREWELL: Duration = Duration::from_secs(2);
/// How old jobs get that brokers do not have before that is said, in milliseconds.
const LONG_UNKEPT_MS: i64 = 5_000;
/// By how much a clock is off that is worth a word, in milliseconds.
const OFF_MS: i64 = 1_000;

/// Works as scheduler until it is to end.
///
/// # Errors
/// It could not begin, or not go on.
pub(super) async fn run(member: Member) -> Result<(), RoleError> {
    let (database, connection) = (member.database()?, member.kafka());
    let reached =
        until_it_works("the database", &member, async || database.cluster().await).await?;
    let Some(cluster) = reached else { return Ok(()) };
    let count = cluster.shards.count();
    let ready =
        until_it_works("Kafka", &member, async || connection.ensure_topics(count).await).await?;
    if ready.is_none() {
        return Ok(());
    }
    let sink = JobTopic::new(&connection, count)?;
    let mut work = Work::new(&member, database, sink.producer().clone());
    let Some(first) = until_it_works("our leases", &member, async || work.tend().await).await?
    else {
        return Ok(());
    };
    work.go_on(&member, cluster.shards, sink, first).await
}

/// What is done beside making jobs.
struct Work {
    database: Database,
    leases: Leases,
    correction: Correction,
    /// By how much our clock was off when that was said last, in milliseconds.
    off_ms: i64,
    figures: SchedulerFigures,
    producer: Producer,
    kafka: Needed,
    alone: Alone,
    beat: (Instant, Figures),
    health: Arc<RoleHealth>,
    /// Looks at the time when they were seen to go on last.
    turns: u64,
    fitness: Fitness,
}

impl Work {
    fn new(member: &Member, database: Database, producer: Producer) -> Self {
        let correction = Correction::of(Clock::system());
        let facts = member.facts(correction.own().now_ms());
        let lease = member.settings.cluster.lease;
        let own = correction.own().clone();
        Self {
            leases: Leases::new(database.clone(), facts, lease, own),
            database,
            correction,
            off_ms: 0,
            figures: SchedulerFigures::default(),
            producer,
            kafka: Needed::new("Kafka"),
            alone: Alone::default(),
            beat: (Instant::now(), Figures::default()),
            health: Arc::clone(&member.health),
            turns: 0,
            fitness: Fitness::default(),
        }
    }

    async fn go_on(
        mut self,
        member: &Member,
        shards: Shards,
        sink: JobTopic,
        first: Tended,
    ) -> Result<(), RoleError> {
        let clock = self.correction.clock();
        let grace = member.settings.grace;
        let parts = Parts {
            sink,
            clock: clock.clone(),
            holding: self.leases.holding(),
            alone: self.alone.clone(),
            figures: self.figures.clone(),
            notifier: member.notifier,
            flush: grace.saturating_sub(FAREWELL).max(grace / 2),
            stop: member.stop.clone(),
        };
        let reins = drive::start(parts)
            .map_err(|error| failed(format!("cannot start a thread: {error}")))?;
        let Reins { wishes, kept, mut ended } = reins;
        let (turnovers, inbox) = mpsc::channel(16);
        let feed = Feed::new(self.database.clone(), shards, wishes);
        member.notifier.ready();
        tracing::info!("schedules as {}", member.name);
        let mut told = BTreeMap::new();
        let end = tokio::select! {
            end = &mut ended => end,
            () = async {
                tokio::join!(feed.run(inbox), self.keep(first, (turnovers, clock), &kept, &mut told));
            } => ended.await,
        };
        member.notifier.stopping();
        self.leave(&kept, &mut told).await;
        match end {
            Ok(end) => end.map_err(|reason| failed(format!("cannot go on with Kafka: {reason}"))),
            Err(_) => Err(failed("the thread that makes jobs has failed".to_owned())),
        }
    }

    /// Keeps our leases, and tells what came and went; never ends by itself.
    async fn keep(
        &mut self,
        first: Tended,
        (turnovers, clock): (mpsc::Sender<Turnover>, Clock),
        kept: &Kept,
        told: &mut BTreeMap<u32, (i64, i64)>,
    ) {
        let mut database = Needed::new("the database");
        // Our leases must not wait for who takes in what came and went.
        let mut waiting = Turnover::default();
        let mut done: Result<Tended, DatabaseError> = Ok(first);
        loop {
            self.tell_health(done.as_ref(), kept);
            let pause = match done {
                Ok(tended) => {
                    database.note_there();
                    let pause = tended.again_in;
                    waiting.follow(turnover(tended, clock.now_ms()));
                    self.alone.note_there();
                    pause
                }
                Err(error) => {
                    database.note_away(&error);
                    if error.is_passing() {
                        self.alone.note_away();
                    }
                    RETRY
                }
            };
            if !waiting.is_empty() {
                match turnovers.try_reserve() {
                    Ok(place) => place.send(std::mem::take(&mut waiting)),
                    Err(TrySendError::Full(())) => {}
                    Err(TrySendError::Closed(())) => return,
                }
            }
            self.say_how_it_goes();
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
            done = self.tend().await;
            // What came and went has to be told whatever becomes of this, which is done again.
            if done.is_ok()
                && let Err(error) = self.advance(kept, told).await
            {
                tracing::warn!(%error, "it could not be noted until when all jobs are kept");
            }
        }
    }

    async fn tend(&mut self) -> Result<Tended, DatabaseError> {
        let facts = serde_json::to_value(self.figures.now()).unwrap_or_default();
        self.leases.tell(&facts);
        let tended = self.leases.tend().await?;
        self.correction.set(tended.clock_ahead_ms);
        if (tended.clock_ahead_ms - self.off_ms).abs() > OFF_MS {
            self.off_ms = tended.clock_ahead_ms;
            let ahead_ms = self.off_ms;
            tracing::warn!(
                ahead_ms,
                "our clock is not that of the database, which is what counts; set ours right (NTP)"
            );
        }
        self.figures.note_members(tended.members);
        if !tended.gained.is_empty() || !tended.lost.is_empty() {
            let (has, members) = (tended.held.len(), tended.members);
            tracing::info!("has {has} shards now; schedulers: {members}");
        }
        Ok(tended)
    }

    /// Notes until when jobs are kept.
    async fn advance(
        &self,
        kept: &Kept,
        told: &mut BTreeMap<u32, (i64, i64)>,
    ) -> Result<(), DatabaseError> {
        let mut newer = told.clone();
        let moved = kept.moved(&mut newer);
        // A shard for which it is refused has gone to somebody else, as the next tending shows.
        self.leases.advance(&moved).await?;
        *told = newer;
        Ok(())
    }

    /// Tells whoever asks whether shards are had, by us or by others, while jobs of ours are made.
    fn tell_health(&mut self, tended: Result<&Tended, &DatabaseError>, kept: &Kept) {
        let figures = self.figures.now();
        if figures.turns == self.turns {
            return;
        }
        self.turns = figures.turns;
        let readiness = match tended {
            Ok(Tended { held, members: 0 | 1, .. }) if held.is_empty() => {
                Err("it has no shards yet".to_owned())
            }
            Ok(Tended { held, .. }) => {
                let is_driven = |shard, epoch| kept.has(shard, epoch);
                self.fitness.judge(figures.unkept_ms, held, is_driven)
            }
            Err(error) => Err(error.to_string()),
        };
        self.health.beat(readiness, serde_json::to_value(figures).unwrap_or_default());
    }

    fn say_how_it_goes(&mut self) {
        let figures = self.figures.now();
        if figures.unkept_ms > LONG_UNKEPT_MS && self.producer.in_flight() > 0 {
            let silent = || "it does not take jobs".to_owned();
            self.kafka.note_away(&self.producer.trouble().unwrap_or_else(silent));
        } else if figures.unkept_ms < LONG_UNKEPT_MS {
            self.kafka.note_there();
        }
        let (since, before) = &self.beat;
        if since.elapsed() >= BEAT {
            let seconds = since.elapsed().as_secs().max(1);
            let rate = (figures.jobs - before.jobs) / seconds;
            let Figures { targets, shards, members, missed, lag_ms, .. } = figures;
            tracing::info!(targets, shards, lag_ms, missed, schedulers = members, "{rate} jobs/s");
            self.beat = (Instant::now(), figures);
        }
    }

    /// Says what was done and gives all up, so that others go on at once.
    async fn leave(&mut self, kept: &Kept, told: &mut BTreeMap<u32, (i64, i64)>) {
        let farewell = async {
            self.advance(kept, told).await?;
            self.leases.release_all().await
        };
        match tokio::time::timeout(FAREWELL, farewell).await {
            Ok(Ok(())) => tracing::info!("stopped; our shards are free"),
            Ok(Err(error)) => tracing::warn!("our shards are free when their leases end: {error}"),
            Err(_) => tracing::warn!("our shards are free when their leases end"),
        }
    }
}

fn turnover(tended: Tended, now_ms: i64) -> Turnover {
    let Tended { held, gained, lost, .. } = tended;
    let gained = held.into_iter().filter(|held| gained.contains(&held.shard)).collect();
    Turnover { gained, lost, now_ms }
}

fn failed(reason: String) -> RoleError {
    RoleError { code: 1, reason }
}
