//! What a role waits for: said once when it is away, and once when it is back.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::role::RoleError;
use crate::queue::kafka::topics::TopicsError;
use crate::store::postgres::DatabaseError;

/// How long after a failure the same is tried again.
const PAUSE: Duration = Duration::from_secs(1);

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
}

impl Needed {
    /// `what` is there as far as we know.
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, away_since: None }
    }

    /// It is away, because of `reason`.
    pub(super) fn note_away(&mut self, reason: &dyn Display) {
        if self.away_since.is_none() {
            self.away_since = Some(Instant::now());
            tracing::warn!("waiting for {}: {reason}", self.what);
        }
    }

    /// It is there.
    pub(super) fn note_there(&mut self) {
        if let Some(since) = self.away_since.take() {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!("{} is there again after {seconds:.1} s", self.what);
        }
    }
}

/// Does `work`, which needs `what`, again and again until it works; none: `stop` came first.
///
/// # Errors
/// It failed in a way that waiting does not mend.
pub(super) async fn until_it_works<T, E: Failure>(
    what: &'static str,
    stop: &CancellationToken,
    mut work: impl AsyncFnMut() -> Result<T, E>,
) -> Result<Option<T>, RoleError> {
    let mut needed = Needed::new(what);
    loop {
        let done = tokio::select! {
            done = work() => done,
            () = stop.cancelled() => return Ok(None),
        };
        match done {
            Ok(done) => {
                needed.note_there();
                return Ok(Some(done));
            }
            Err(error) if error.is_passing() => needed.note_away(&error),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return Ok(None),
        }
    }
}
