//! How long a thread left one poll lying, though its runtime went on: other threads may have had the
//! processor meanwhile that this one did not get.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A thread that takes so long to get to a poll, or over one step of it, does not stand still yet.
const TOLERANCE: Duration = Duration::from_millis(20);

/// What `future` comes to, and for how long it was left lying: between being woken and being gone on
/// with, and in the middle of a step, where it could wait for nothing but its thread.
pub(super) async fn tended<F: Future>(mut future: Pin<&mut F>) -> (F::Output, Duration) {
    let bell = Arc::<Bell>::default();
    let waker = Waker::from(Arc::clone(&bell));
    let (mut left, mut ended) = (Duration::ZERO, Instant::now());
    let stepped = poll_fn(|context| {
        let rung = bell.hear(context.waker());
        let begun = Instant::now();
        left += rung.map_or(Duration::ZERO, |rung| beyond(rung.max(ended), begun));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        ended = Instant::now();
        left += beyond(begun, ended);
        polled
    });
    let output = pin!(stepped).await;
    (output, left)
}

/// The time from one moment to a later one, as far as it is more than is tolerated.
fn beyond(from: Instant, to: Instant) -> Duration {
    to.saturating_duration_since(from).saturating_sub(TOLERANCE)
}

/// Wakes whoever waits, and notes when it did.
#[derive(Debug, Default)]
struct Bell(Mutex<Rung>);

#[derive(Debug, Default)]
struct Rung {
    waiting: Option<Waker>,
    at: Option<Instant>,
}

impl Bell {
    /// When it rang first since this was asked last; `waker` is woken when it rings next.
    fn hear(&self, waker: &Waker) -> Option<Instant> {
        let mut rung = self.0.lock();
        if !rung.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
            rung.waiting = Some(waker.clone());
        }
        rung.at.take()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waiting = {
            let mut rung = self.0.lock();
            rung.at.get_or_insert_with(Instant::now);
            rung.waiting.take()
        };
        // Nobody waits who was woken already.
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Poll;
    use tokio::sync::mpsc;
    use tokio::time::advance;

    /// How long a future that takes two words is left lying, when the thread comes to it so many
    /// milliseconds after each was said.
    async fn left(late_ms: [u64; 2]) -> Duration {
        let (sender, mut receiver) = mpsc::channel::<()>(2);
        let listening = pin!(async move {
            receiver.recv().await;
            receiver.recv().await;
        });
        let mut tended = pin!(tended(listening));
        let mut context = Context::from_waker(Waker::noop());
        let mut step = || match tended.as_mut().poll(&mut context) {
            Poll::Ready(((), left)) => Some(left),
            Poll::Pending => None,
        };
        assert_eq!(step(), None);
        let mut told = None;
        for late_ms in late_ms {
            // Time that nothing was said in was nobody's fault.
            advance(Duration::from_secs(5)).await;
            sender.try_send(()).expect("room");
            advance(Duration::from_millis(late_ms)).await;
            told = step();
        }
        told.expect("it has heard both")
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_on_with_at_once_was_not_left_lying() {
        assert_eq!(left([0, 20]).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_from_being_woken_to_being_gone_on_with_adds_up() {
        assert_eq!(left([120, 320]).await, Duration::from_millis(400));
    }

    #[tokio::test]
    async fn a_step_that_takes_long_counts_and_counts_once() {
        let mut is_first = true;
        let stalled = pin!(poll_fn(|context: &mut Context<'_>| {
            if !std::mem::take(&mut is_first) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            let end = std::time::Instant::now() + Duration::from_millis(150);
            while std::time::Instant::now() < end {
                std::thread::park_timeout(Duration::from_millis(150));
            }
            Poll::Pending
        }));
        let began = Instant::now();
        let ((), left) = tended(stalled).await;
        assert!(left >= Duration::from_millis(130), "{left:?}");
        assert!(left <= began.elapsed(), "{left:?} of {:?}", began.elapsed());
    }
}
