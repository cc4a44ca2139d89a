//! `Bench`: where probes run, apart from the thread that answers questions.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use http::StatusCode;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::api::Problem;

/// Probes that run at once.
const PLACES: usize = 128;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where probes run; its thread begins with the first of them, and ends with the bench.
pub(super) struct Bench {
    places: Arc<Semaphore>,
    jobs: OnceLock<mpsc::Sender<Job>>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), jobs: OnceLock::new() }
    }

    /// Does `work`, and stops it when nobody waits for it any more.
    ///
    /// # Errors
    /// Too many run already, or the system gives no thread.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let detail = format!("{PLACES} probes run already; ask again later");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })?;
        let (mut reply, answer) = oneshot::channel();
        let job = Box::pin(async move {
            let _place = place;
            let done = tokio::select! {
                () = reply.closed() => None,
                done = work => Some(done),
            };
            if let Some(done) = done {
                // Whoever asked may leave at the last moment.
                let _ = reply.send(done);
            }
        });
        let lost = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the probe was lost");
        // Whoever has a place finds room in the queue.
        self.jobs()?.try_send(job).map_err(|_| lost())?;
        answer.await.map_err(|_| lost())
    }

    fn jobs(&self) -> Result<&mpsc::Sender<Job>, Problem> {
        if let Some(jobs) = self.jobs.get() {
            return Ok(jobs);
        }
        let (sender, receiver) = mpsc::channel(PLACES);
        let begun = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(
            |runtime| {
                let work = move || runtime.block_on(work(receiver));
                std::thread::Builder::new().name("probe".into()).spawn(work)
            },
        );
        begun.map_err(|error| {
            let detail = format!("the system gives no thread for probes: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })?;
        // Should another one have begun meanwhile, this one ends with its sender.
        Ok(self.jobs.get_or_init(|| sender))
    }
}

/// Does jobs as they come, until no more can.
async fn work(mut jobs: mpsc::Receiver<Job>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => drop(running.spawn(job)),
                None => return,
            },
            Some(_) = running.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_probes_run_than_there_are_places_and_one_that_nobody_wants_ends() {
        let bench = Bench::new();
        let mut waiting = Vec::new();
        for _ in 0..PLACES {
            let (end, ended) = oneshot::channel::<()>();
            let mut run = Box::pin(bench.run(async move { drop(ended.await) }));
            assert!(futures_now(&mut run).await.is_none());
            waiting.push((run, end));
        }
        let refused = bench.run(async {}).await.expect_err("it is full");
        assert_eq!(refused.status, 503);
        waiting.clear();
        while bench.places.available_permits() < PLACES {
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.run(async { 7 }).await, Ok(7));
    }

    /// What `future` comes to at once.
    async fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::time::timeout(std::time::Duration::ZERO, future).await.ok()
    }
}
