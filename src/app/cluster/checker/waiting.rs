//! What a checker waits for before it begins: topics, and the time of the brokers. Each wait is told
//! once when it begins and once when it is over.

use std::time::Duration;

use super::life::Life;
use crate::app::cluster::Member;
use crate::app::role::RoleError;
use crate::queue::kafka::Connection;

/// How long to wait from one try to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// How often to look whether an answer has come.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until the topics of the cluster are there; none: the role is to end.
///
/// # Errors
/// Brokers do not let us in, or the topics do not fit each other.
pub(super) async fn for_topics(
    connection: &Connection,
    member: &Member,
) -> Result<Option<()>, RoleError> {
    let mut told = None;
    loop {
        let asked = tokio::select! {
            () = member.stop.cancelled() => return Ok(None),
            asked = connection.shards() => asked,
        };
        match asked {
            Ok(shards) => {
                if told.is_some() {
                    tracing::info!(shards, "Kafka is there, and so are the topics");
                }
                return Ok(Some(()));
            }
            Err(error) if error.is_passing() => {
                // The words for one and the same may differ from try to try.
                let kind = std::mem::discriminant(&error);
                if told != Some(kind) {
                    tracing::warn!("{error}; trying on");
                    told = Some(kind);
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = member.stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Waits until brokers have had a sign of life, by which the time is known; none: the role is to end.
///
/// # Errors
/// They never will.
pub(super) async fn for_life(life: &mut Life, member: &Member) -> Result<Option<()>, RoleError> {
    loop {
        match life.is_heard() {
            Ok(true) => return Ok(Some(())),
            Ok(false) => {}
            Err(reason) => return Err(RoleError { code: 1, reason }),
        }
        tokio::select! {
            () = member.stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
