//! `Seats`: the connections that there may be at a time. Who is idle makes room for who comes, the
//! one that has been idle longest first, so that nobody is locked out by those who ask nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The connections that there may be at a time.
pub(super) struct Seats {
    most: usize,
    /// Answers that go on for ever, at most: others must find a seat beside them.
    most_streams: usize,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Default)]
struct State {
    taken: usize,
    streams: usize,
    /// Those who have to leave and have not left yet.
    leaving: usize,
    next_stamp: u64,
    /// Those who ask nothing now, since the moment of their stamp.
    idle: BTreeMap<u64, CancellationToken>,
}

/// A connection's seat; dropping it frees it.
pub(super) struct Seat {
    seats: Arc<Seats>,
    evicted: CancellationToken,
    stamp: Mutex<Option<u64>>,
    /// Whether something was sent that nobody will read.
    is_unread: AtomicBool,
}

impl Seats {
    /// So many seats, one at least.
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        let most_streams = (most * 3 / 4).max(1);
        Arc::new(Self { most, most_streams, state: Mutex::default(), freed: Notify::new() })
    }

    /// A seat, as soon as there is one; whoever has been idle longest makes room.
    pub(super) async fn take(self: &Arc<Self>) -> Arc<Seat> {
        loop {
            if let Some(seat) = self.seat() {
                return Arc::new(seat);
            }
            self.freed.notified().await;
        }
    }

    fn seat(self: &Arc<Self>) -> Option<Seat> {
        let mut state = self.state.lock();
        if state.taken < self.most {
            state.taken += 1;
            let evicted = CancellationToken::new();
            let stamp = Mutex::new(Some(state.note_idle(&evicted)));
            let (seats, is_unread) = (Arc::clone(self), AtomicBool::new(false));
            return Some(Seat { seats, evicted, stamp, is_unread });
        }
        if state.leaving == 0
            && let Some((_, longest)) = state.idle.pop_first()
        {
            state.leaving = 1;
            longest.cancel();
        }
        None
    }
}

impl State {
    fn note_idle(&mut self, evicted: &CancellationToken) -> u64 {
        self.next_stamp += 1;
        self.idle.insert(self.next_stamp, evicted.clone());
        self.next_stamp
    }
}

impl Seat {
    /// Ends when somebody else needs the seat.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Notes that a whole question has come, which is answered now.
    pub(super) fn note_busy(&self) {
        if let Some(stamp) = self.stamp.lock().take() {
            self.seats.state.lock().idle.remove(&stamp);
        }
    }

    /// Notes that nothing is asked any more, or not all of it yet.
    pub(super) fn note_idle(&self) {
        let mut stamp = self.stamp.lock();
        let mut state = self.seats.state.lock();
        if let Some(old) = stamp.take()
            && state.idle.remove(&old).is_none()
        {
            // Whoever has to leave stays on no list.
            return;
        }
        if !self.evicted.is_cancelled() {
            *stamp = Some(state.note_idle(&self.evicted));
        }
        if state.taken >= self.seats.most {
            self.seats.freed.notify_one();
        }
    }

    /// Counts an answer that goes on for ever, for as long as what is returned lives; none: there
    /// are too many.
    pub(super) fn begin_stream(self: &Arc<Self>) -> Option<Streaming> {
        let mut state = self.seats.state.lock();
        if state.streams >= self.seats.most_streams {
            return None;
        }
        state.streams += 1;
        Some(Streaming(Arc::clone(&self.seats)))
    }

    /// Notes that something was sent that nobody will read.
    pub(super) fn note_unread(&self) {
        self.is_unread.store(true, Ordering::Relaxed);
    }

    /// Whether something was sent that nobody will read.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.note_busy();
        let mut state = self.seats.state.lock();
        state.taken -= 1;
        if self.evicted.is_cancelled() {
            state.leaving = 0;
        }
        drop(state);
        self.seats.freed.notify_one();
    }
}

/// An answer that goes on for ever, as it is counted.
pub(super) struct Streaming(Arc<Seats>);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.state.lock().streams -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_idle_longest_makes_room_and_nobody_else() {
        let seats = Seats::new(3);
        let [first, second, third] = [seats.take().await, seats.take().await, seats.take().await];
        first.note_busy();
        first.note_idle();
        assert!(seats.seat().is_none() && seats.seat().is_none());
        assert!(second.evicted.is_cancelled(), "it is idle since the longest");
        assert!(!first.evicted.is_cancelled() && !third.evicted.is_cancelled());
        drop(second);
        assert!(seats.seat().is_some());
    }

    #[tokio::test]
    async fn whoever_is_busy_stays_until_there_is_somebody_idle() {
        let seats = Seats::new(1);
        let first = seats.take().await;
        first.note_busy();
        assert!(seats.seat().is_none() && !first.evicted.is_cancelled());
        first.note_idle();
        assert!(seats.seat().is_none() && first.evicted.is_cancelled());
        first.note_idle();
        drop(first);
        let _next = seats.take().await;
    }

    #[tokio::test]
    async fn streams_leave_seats_to_others() {
        let seats = Seats::new(4);
        let seat = seats.take().await;
        let streams: Vec<_> = (0..3).filter_map(|_| seat.begin_stream()).collect();
        assert_eq!(streams.len(), 3);
        assert!(seat.begin_stream().is_none());
        drop(streams);
        assert!(seat.begin_stream().is_some());
    }
}
