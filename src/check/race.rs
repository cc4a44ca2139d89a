//! `Race`: attempts that run beside each other, in the task that waits for them.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

type Attempt<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Attempts at the same thing, of which whoever ends first is heard first.
pub(crate) struct Race<'a, T> {
    running: Vec<Attempt<'a, T>>,
}

impl<'a, T> Race<'a, T> {
    pub(crate) const fn new() -> Self {
        Self { running: Vec::new() }
    }

    /// Has another attempt run.
    pub(crate) fn enter(&mut self, attempt: impl Future<Output = T> + Send + 'a) {
        self.running.push(Box::pin(attempt));
    }

    /// How many run.
    pub(crate) const fn len(&self) -> usize {
        self.running.len()
    }

    /// Gives up the attempt that has run longest.
    pub(crate) fn give_up_oldest(&mut self) {
        if !self.running.is_empty() {
            drop(self.running.remove(0));
        }
    }

    /// What the first to end came to; it waits for ever while none runs.
    pub(crate) async fn first(&mut self) -> T {
        poll_fn(|context| self.poll_first(context)).await
    }

    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<T> {
        for index in 0..self.running.len() {
            let Some(attempt) = self.running.get_mut(index) else { break };
            if let Poll::Ready(result) = attempt.as_mut().poll(context) {
                drop(self.running.remove(index));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for Race<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Race").field("running", &self.running.len()).finish()
    }
}
