//! `Places`: how many polls may run at once, over all workers.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// How many polls may run at once, and how many do. A source takes a place for every job that it
/// hands out; whoever runs the job gives the place back.
#[derive(Debug)]
pub struct Places {
    limit: usize,
    taken: AtomicUsize,
    /// Whether somebody found no place and waits for one.
    is_short: AtomicBool,
    freed: Notify,
}

impl Places {
    /// Room for `limit` polls.
    #[must_use]
    pub fn new(limit: NonZeroUsize) -> Self {
        Self {
            limit: limit.get(),
            taken: AtomicUsize::new(0),
            is_short: AtomicBool::new(false),
            freed: Notify::new(),
        }
    }

    /// Polls that may run at once.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Polls that run now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes a place, if there is one. Who finds none and has enabled [`Places::freed`] before is
    /// woken when there may be one.
    #[must_use]
    pub fn take(&self) -> bool {
        if self.try_take() {
            return true;
        }
        self.is_short.store(true, Ordering::SeqCst);
        // A place that was given back before the flag was up would not be heard of.
        self.try_take()
    }

    fn try_take(&self) -> bool {
        let next = |taken| (taken < self.limit).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok()
    }

    /// Gives a place back.
    pub fn free(&self) {
        self.taken.fetch_sub(1, Ordering::SeqCst);
        if self.is_short.load(Ordering::SeqCst) && self.is_short.swap(false, Ordering::SeqCst) {
            self.freed.notify_waiters();
        }
    }

    /// Waits until a place may have been given back.
    pub fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::Arc;

    #[test]
    fn no_more_places_are_taken_than_there_are_whoever_takes_them() {
        let places = Arc::new(Places::new(NonZeroUsize::new(3).expect("not 0")));
        let most = Arc::new(AtomicUsize::new(0));
        let run = |places: Arc<Places>, most: Arc<AtomicUsize>| {
            for _ in 0..20_000 {
                if places.take() {
                    most.fetch_max(places.taken(), Ordering::Relaxed);
                    places.free();
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (places, most) = (Arc::clone(&places), Arc::clone(&most));
                scope.spawn(move || run(places, most));
            }
        });
        assert_eq!(places.taken(), 0);
        assert!(most.load(Ordering::Relaxed) <= 3);
    }

    #[tokio::test]
    async fn everybody_who_found_no_place_is_woken() {
        let places = Places::new(NonZeroUsize::MIN);
        assert!(places.take());
        let (mut one, mut other) = (pin!(places.freed()), pin!(places.freed()));
        one.as_mut().enable();
        other.as_mut().enable();
        assert!(!places.take() && !places.take());
        places.free();
        one.await;
        other.await;
        assert!(places.take());
    }
}
