//! Waiting for several futures at once, in the task that waits.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A future, and what it came to.
enum Running<F: Future> {
    Waits(Pin<Box<F>>),
    Done(F::Output),
}

/// The outputs of all `futures`, in their order; each of them runs from the start.
pub(super) async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> =
        futures.into_iter().map(|future| Running::Waits(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for one in &mut running {
            let Running::Waits(future) = one else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(output) => *one = Running::Done(output),
                Poll::Pending => is_done = false,
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let output = |one| match one {
        Running::Done(output) => Some(output),
        Running::Waits(_) => None,
    };
    running.into_iter().filter_map(output).collect()
}
