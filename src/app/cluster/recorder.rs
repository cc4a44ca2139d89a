//! The role `recorder`: outcomes of the topic become rows, tallies and states of the database.

mod chores;
mod desk;
mod doubts;
mod figures;
mod gain;
mod holding;
mod intake;
mod locations;
mod pauses;
mod targets;
mod troubles;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Member;
use super::face::RoleHealth;
use super::waiting::until_it_works;
use crate::app::role::RoleError;
use crate::clock::Clock;
use crate::queue::kafka::Topic;
use crate::queue::kafka::letters::Letters;
use crate::queue::kafka::reader::Reader;
use crate::shards::Shards;
use crate::store::postgres::leases::{Leases, Tended};
use crate::store::postgres::setup::Cluster;
use crate::store::postgres::{Database, DatabaseError};
use desk::{Desk, Parts};
use figures::Figures;
use troubles::Work;

/// How long to wait before what did not work is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// By how much a clock is off that is worth a word, in milliseconds.
const OFF_MS: u64 = 1_000;

/// Works as recorder until it is to end.
///
/// # Errors
/// It could not begin, or not go on.
pub(super) async fn run(member: Member) -> Result<(), RoleError> {
    let (database, connection) = (member.database()?, member.kafka());
    let Some(shards) = begin(&member, &database).await? else { return Ok(()) };
    let clock = Clock::system();
    let letters = Letters::new(&connection, Topic::Outcomes, |_| {})?;
    let (reader, arrivals) = Reader::start(&connection)?;
    let figures = Arc::new(Figures::default());
    let facts = member.facts(clock.now_ms());
    let length = member.settings.cluster.lease;
    let leases = Leases::new(database.clone(), facts, length, clock.clone());
    let (tended, over) = (watch::channel(None), CancellationToken::new());
    let mut tending = JoinSet::new();
    let told = (Arc::clone(&figures), Arc::clone(&member.health));
    tending.spawn(tend(leases, tended.0, over.clone(), told));
    let keep = member.settings.keep;
    let stop = member.stop.clone();
    let parts = Parts { database, reader, letters, clock, shards, figures, keep, stop };
    member.notifier.ready();
    tracing::info!(member = member.name, shards = shards.count(), "the recorder begins");
    let mut desk = Desk::new(parts);
    let mut ended = desk.work(arrivals, tended.1).await;
    member.notifier.stopping();
    if ended.is_ok() {
        let is_all = desk.drain(member.settings.grace).await;
        tracing::info!(is_all, "the recorder ends");
    }
    over.cancel();
    while let Some(tended) = tending.join_next().await {
        ended = ended.and(tended.unwrap_or_else(|error| {
            Err(RoleError { code: 1, reason: format!("a task broke off: {error}") })
        }));
    }
    ended
}

/// Waits until database and topics are there, and tells the shards; none when it is to end before.
async fn begin(member: &Member, database: &Database) -> Result<Option<Shards>, RoleError> {
    let kafka = member.kafka();
    let cluster = until_it_works("the database", member, async || database.cluster().await).await?;
    let Some(Cluster { shards, .. }) = cluster else { return Ok(None) };
    let count = shards.count();
    let look = async || kafka.look_for_topics(count).await;
    Ok(until_it_works("Kafka", member, look).await?.map(|()| shards))
}

/// Keeps the leases until `over`, and gives them up then; `tended` learns what is held.
async fn tend(
    mut leases: Leases,
    tended: watch::Sender<Option<Tended>>,
    over: CancellationToken,
    (figures, health): (Arc<Figures>, Arc<RoleHealth>),
) -> Result<(), RoleError> {
    let (mut ended, mut off_ms) = (Ok(()), 0);
    while !over.is_cancelled() {
        leases.tell(&figures.told());
        let pause = match leases.tend().await {
            Ok(now) => {
                figures.troubles.is_over(Work::Leases);
                tell_clock(now.clock_ahead_ms, &mut off_ms);
                let has_shards = !now.held.is_empty() || now.members > 1;
                let readiness = has_shards.then_some(()).ok_or("it has no shards yet".to_owned());
                health.beat(readiness.and_then(|()| figures.readiness()), figures.told());
                let pause = now.again_in;
                // Nobody listens any more while it ends.
                let _ = tended.send(Some(now));
                pause
            }
            Err(error) if error.is_passing() => {
                figures.troubles.fails(Work::Leases, &error);
                health.beat(Err(error.to_string()), figures.told());
                PAUSE
            }
            Err(error) => {
                ended = Err(error.into());
                break;
            }
        };
        tokio::select! {
            () = over.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    drop(tended);
    let released: Result<_, _> =
        tokio::time::timeout(Duration::from_secs(2), leases.release_all()).await;
    match released {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tell_kept(&error),
        Err(_) => tell_kept(&DatabaseError::Away("it does not answer in time".to_owned())),
    }
    ended
}

/// Says that our clock is `ahead_ms` ahead of the database's, where it was not `told_ms` already.
fn tell_clock(ahead_ms: i64, told_ms: &mut i64) {
    if ahead_ms.abs_diff(*told_ms) > OFF_MS {
        *told_ms = ahead_ms;
        tracing::warn!(
            ahead_ms,
            "our clock is not that of the database, which is what counts; set ours right (NTP)"
        );
    }
}

fn tell_kept(error: &DatabaseError) {
    tracing::warn!(%error, "others get our shards when their leases have run out");
}
