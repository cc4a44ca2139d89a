//! What a role waits for: said once when it is away, and once when it is back.

use std::fmt::Display;
use std::time::Duration;

use crate::app::cluster::Member;
use crate::app::role::RoleError;
use crate::queue::kafka::topics::TopicsError;
use crate::store::postgres::DatabaseError;
use tokio::time::Instant;

/// How long after a failure the same is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long after a word on what is away it is said again, if there is another reason by then.
const QUIET: Duration = Duration::from_secs(30);

/// A failure of which it is known whether it passes.
pub(super) trait Failure: Display + Into<RoleError> {
    /// Whether the same may work later, without anybody doing anything here.
    fn is_passing(&self) -> bool;
}

impl Failure for DatabaseError {
    fn is_passing(&self) -> bool {
        Self::is_passing(self)
    }
}

impl Failure for TopicsError {
    fn is_passing(&self) -> bool {
        Self::is_passing(self)
    }
}

impl From<TopicsError> for RoleError {
    fn from(error: TopicsError) -> Self {
        let code = if matches!(error, TopicsError::Settings(_)) { 2 } else { 1 };
        Self { code, reason: error.to_string() }
    }
}

/// Something that is needed, and may be away.
#[derive(Debug)]
pub(super) struct Needed {
    what: &'static str,
    away_since: Option<Instant>,
    /// What was said last, without its numbers, which differ from one time to the next; and when.
    said: Option<(String, Instant)>,
}

impl Needed {
    /// `what` is there as far as we know.
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, away_since: None, said: None }
    }

    /// It is away, because of `reason`.
    pub(super) fn note_away(&mut self, reason: &dyn Display) {
        let now = Instant::now();
        self.away_since.get_or_insert(now);
        let reason = reason.to_string();
        let gist: String = reason.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let is_said = self
            .said
            .as_ref()
            .is_some_and(|(said, at)| *said == gist || now.saturating_duration_since(*at) < QUIET);
        if !is_said {
            self.said = Some((gist, now));
            tracing::warn!("waiting for {}: {reason}", self.what);
        }
    }

    /// It is there.
    pub(super) fn note_there(&mut self) {
        if let Some(since) = self.away_since.take() {
            self.said = None;
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!("{} is there again after {seconds:.1} s", self.what);
        }
    }
}

/// Does `work`, which needs `what`, again and again until it works, as long as `member` is not to end;
/// none: it is to end.
///
/// # Errors
/// It failed in a way that waiting does not mend.
pub(super) async fn until_it_works<T, E: Failure>(
    what: &'static str,
    member: &Member,
    mut work: impl AsyncFnMut() -> Result<T, E>,
) -> Result<Option<T>, RoleError> {
    let (stop, health) = (&member.stop, &member.health);
    let mut needed = Needed::new(what);
    loop {
        let done = tokio::select! {
            done = work() => done,
            () = stop.cancelled() => return Ok(None),
        };
        match done {
            Ok(done) => {
                needed.note_there();
                health.wait(None);
                return Ok(Some(done));
            }
            Err(error) if error.is_passing() => {
                needed.note_away(&error);
                health.wait(Some(format!("it waits for {what}: {error}")));
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return Ok(None),
        }
    }
}
