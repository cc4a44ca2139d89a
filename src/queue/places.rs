//! `Places`: how many polls may run at once, over all workers.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::running::Running;

/// One place in so many is left to urgent polls.
const RESERVED_PART: usize = 8;

/// How many polls may run at once, and how many do. A source takes a place for every job that it
/// hands out; whoever runs the job gives the place back.
#[derive(Debug)]
pub struct Places {
    /// Polls that may run at once while all is well.
    most: usize,
    limit: AtomicUsize,
    /// Whether no further poll may begin for now.
    is_held: AtomicBool,
    taken: AtomicUsize,
    /// Whether somebody found no place and waits for one.
    is_short: AtomicBool,
    freed: Notify,
    /// Of which targets.
    running: Running,
}

impl Places {
    /// Room for `limit` polls.
    #[must_use]
    pub fn new(limit: NonZeroUsize) -> Self {
        Self {
            most: limit.get(),
            limit: AtomicUsize::new(limit.get()),
            is_held: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
            is_short: AtomicBool::new(false),
            freed: Notify::new(),
            running: Running::default(),
        }
    }

    /// Polls that may run at once while all is well.
    #[must_use]
    pub const fn most(&self) -> usize {
        self.most
    }

    /// Polls that may run at once, now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Moves the limit, at least to 1 and at most to [`Places::most`]. Polls that run go on, also
    /// where they are more than may run from now on.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit.clamp(1, self.most), Ordering::SeqCst);
        self.tell_short();
    }

    /// Lets no further poll begin, whatever places there are, or lets them begin again.
    pub fn hold(&self, is_held: bool) {
        self.is_held.store(is_held, Ordering::SeqCst);
        self.tell_short();
    }

    /// Whether no further poll may begin for now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Relaxed)
    }

    /// Polls that run now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Notes that a poll of the target `number` begins.
    pub fn note_begun(&self, number: u32) {
        self.running.mark(number);
    }

    /// Notes that the poll of the target `number` ends; before another one of it may begin.
    pub fn note_ended(&self, number: u32) {
        self.running.clear(number);
    }

    /// Numbers of the targets of which a poll runs, in their order; some polls among them may have
    /// ended by now.
    pub fn running(&self) -> impl Iterator<Item = u32> + '_ {
        self.running.iter()
    }

    /// Places that are left to urgent polls, while there may be any: where all others are taken by
    /// slow polls, these find one at once.
    #[must_use]
    pub fn reserve(&self) -> usize {
        self.limit() / RESERVED_PART
    }

    /// Takes a place, if there is one. Who finds none and has enabled [`Places::freed`] before is
    /// woken when there may be one.
    #[must_use]
    pub fn take(&self) -> bool {
        self.take_leaving(0)
    }

    /// The same, if so many others are free beside it.
    #[must_use]
    pub fn take_leaving(&self, others: usize) -> bool {
        if self.try_take(others) {
            return true;
        }
        self.is_short.store(true, Ordering::SeqCst);
        // A place that was given back before the flag was up would not be heard of.
        self.try_take(others)
    }

    fn try_take(&self, others: usize) -> bool {
        if self.is_held.load(Ordering::SeqCst) {
            return false;
        }
        let limit = self.limit.load(Ordering::SeqCst);
        let next = |taken| (taken + others < limit).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok()
    }

    /// Gives a place back.
    pub fn free(&self) {
        self.taken.fetch_sub(1, Ordering::SeqCst);
        self.tell_short();
    }

    /// Wakes whoever found no place.
    fn tell_short(&self) {
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

    #[test]
    fn fewer_places_are_handed_out_from_when_the_limit_is_lowered() {
        let places = Places::new(NonZeroUsize::new(3).expect("not 0"));
        assert!(places.take() && places.take());
        places.set_limit(1);
        assert!(!places.take());
        places.free();
        assert!(!places.take(), "one runs, and one may");
        places.set_limit(10);
        assert_eq!((places.limit(), places.most()), (3, 3));
        assert!(places.take() && places.take() && !places.take());
        places.set_limit(0);
        assert_eq!(places.limit(), 1);
    }

    #[tokio::test]
    async fn who_waits_is_woken_when_the_limit_rises_and_when_places_are_held_no_more() {
        let places = Places::new(NonZeroUsize::new(2).expect("not 0"));
        places.set_limit(1);
        assert!(places.take());
        let mut freed = Box::pin(places.freed());
        freed.as_mut().enable();
        assert!(!places.take());
        places.set_limit(2);
        freed.await;
        places.hold(true);
        let mut freed = Box::pin(places.freed());
        freed.as_mut().enable();
        assert!(!places.take() && places.is_held());
        places.hold(false);
        freed.await;
        assert!(places.take());
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
