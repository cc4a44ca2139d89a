//! The role `checker`: polls what jobs say, with all that polls on one machine, and reports what it
//! found.

mod acks;
mod catalogue;
mod figures;
mod life;
mod opens;
mod relay;
mod settled;
mod works;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use super::Member;
use super::waiting::until_it_works;
use crate::app::role::RoleError;
use crate::clock::{Clock, Correction};
use crate::process::raise_open_files_limit;
use crate::queue::kafka::producer::Producer;

use acks::Acks;
use life::Life;
use works::Works;

/// How often the role looks after itself.
const ROUND: Duration = Duration::from_secs(1);
/// How long reports gather: outcomes are told of, and nobody waits for one of them.
const LINGER: Duration = Duration::from_millis(100);
/// Time beyond the grace period that the works may take to end.
const LAST: Duration = Duration::from_secs(10);

/// Works as checker until it is to end.
///
/// # Errors
/// It could not begin, or not go on.
pub(super) async fn run(member: Member) -> Result<(), RoleError> {
    // A limit that cannot be raised only makes the places fewer.
    let _ = raise_open_files_limit();
    let connection = member.kafka();
    let asked = until_it_works("Kafka", &member, || connection.shards()).await?;
    let Some(_) = asked else { return Ok(()) };
    let time = Correction::of(Clock::system());
    let acks = Acks::new(time.clone());
    let producer = Producer::gathering(&connection, LINGER, acks.clone())?;
    let mut life = Life::of(&member, producer.clone(), acks.clone(), time.clone());
    // Whether a job still means something is asked of the brokers' time: it is learned first.
    let Some(()) = life::heard(&mut life, &member).await? else { return Ok(()) };
    let clock = time.clock();
    let (ended, relay_ended) = oneshot::channel();
    let works = Works::start(&member, &connection, (producer, acks, clock), ended)?;
    member.notifier.ready();
    tracing::info!(
        location = member.settings.cluster.location,
        places = works.places(),
        "polling what jobs of {} say",
        connection.prefix
    );
    let result = watch(&member, &works, &mut life, relay_ended).await;
    member.health.beat(Err("it stops".to_owned()), works.shown());
    member.notifier.stopping();
    let grace = member.settings.grace;
    member.notifier.patience(grace + LAST);
    // A thread that nobody waits for: the process ends in time, whatever Kafka does.
    let (ended, end) = oneshot::channel();
    let thread = std::thread::Builder::new().name("end".to_owned());
    let started = thread.spawn(move || ended.send(works.end()));
    if let Err(error) = started {
        tracing::warn!(%error, "cannot start a thread; what is left is polled again");
    }
    match (result, tokio::time::timeout(grace + LAST, end).await) {
        (Err(error), _) => Err(error),
        (Ok(()), Ok(Ok(ended))) => ended.map_err(|reason| RoleError { code: 1, reason }),
        (Ok(()), _) => {
            tracing::warn!("polls or reports did not end in time; what is left is polled again");
            Ok(())
        }
    }
}

/// Looks after the role until it is to end.
///
/// # Errors
/// The relay could not go on.
async fn watch(
    member: &Member,
    works: &Works,
    life: &mut Life,
    mut relay_ended: oneshot::Receiver<String>,
) -> Result<(), RoleError> {
    let mut last = Instant::now();
    loop {
        tokio::select! {
            () = member.stop.cancelled() => return Ok(()),
            reason = &mut relay_ended => {
                let reason = reason.unwrap_or_else(|_| "the relay of jobs has ended".to_owned());
                return Err(RoleError { code: 1, reason });
            }
            () = tokio::time::sleep(ROUND) => {}
        }
        life.look(works);
        works.follow_time();
        if works.moves() {
            member.notifier.alive();
            member.health.beat(works.readiness(), works.shown());
        }
        if last.elapsed() >= Duration::from_mins(1) {
            last = Instant::now();
            let told = works.line();
            tracing::info!("{told}");
            member.notifier.status(&told);
        }
    }
}

/// What the clock of this machine says, in Unix microseconds.
fn machine_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
