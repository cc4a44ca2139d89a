//! `Visits`: questions that were answered, counted where they pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use parking_lot::Mutex;

use crate::stats::Histogram;
use crate::view::series::Family;

/// Classes of statuses: the hundreds of them.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Questions that were answered since the start.
#[derive(Debug, Default)]
pub struct Visits {
    by_class: [AtomicU64; CLASSES.len()],
    waiting: AtomicU64,
    times: Mutex<Histogram>,
}

impl Visits {
    /// What is told of them.
    pub(super) fn families(&self) -> [Family; 3] {
        let counts = CLASSES.into_iter().zip(self.by_class.iter().map(|count| count.load(Relaxed)));
        [
            Family::counter(
                "poller_api_requests",
                "Questions that the API answered, by the class of the status",
            )
            .by("class", counts),
            Family::gauge("poller_api_requests_in_flight", "Questions whose answer has not begun")
                .of(self.waiting.load(Relaxed)),
            Family::histogram(
                "poller_api_request_duration",
                "Time until an answer of the API began",
            )
            .of(&self.times.lock().clone()),
        ]
    }
}

/// One question less when it is dropped, also when its visitor has left.
struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Counts a question and its answer.
pub(in crate::api) async fn count(
    State(visits): State<Arc<Visits>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    visits.waiting.fetch_add(1, Relaxed);
    let waiting = Waiting(&visits.waiting);
    let response = next.run(request).await;
    drop(waiting);
    let class = usize::from(response.status().as_u16() / 100).saturating_sub(1);
    if let Some(count) = visits.by_class.get(class) {
        count.fetch_add(1, Relaxed);
    }
    let us = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
    visits.times.lock().add(us);
    response
}
