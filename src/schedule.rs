//! `Schedule`: which seat falls due when, in a wheel of one-millisecond slots.
//!
//! A seat stands in exactly one of three places: the near wheel (the next four seconds, one slot a
//! millisecond), the far wheel (the next four hours, one slot for each turn of the near one), or
//! the list of all that lies beyond. Each place is a linked list through the seats themselves, so
//! that a seat costs 24 bytes and moving it a few nanoseconds, whatever the number of seats.

/// Slots of each wheel.
const SLOTS: usize = 4_096;
const SLOTS_MS: i64 = 4_096;
/// No seat.
const NOBODY: u32 = u32::MAX;

/// A seat that has fallen due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The seat.
    pub seat: u32,
    /// When it fell due, in milliseconds.
    pub due_ms: i64,
    /// Further slots of the seat that have come round since.
    pub skipped: u32,
    /// Whether the seat was given up; it is free from now on.
    pub is_vacant: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    due_ms: i64,
    /// 0: given up.
    every_ms: u32,
    next: u32,
}

/// Which seat falls due when. All times are milliseconds of one clock that never goes back.
#[derive(Debug)]
pub struct Schedule {
    seats: Vec<Seat>,
    near: Wheel,
    far: Wheel,
    beyond: u32,
    /// All that is due before this time has been handed out.
    cursor_ms: i64,
    /// The turn that the near wheel holds: at the edge of a turn the one before, until its seats
    /// have come over from the far wheel.
    turn: i64,
    /// The seats that stand in a place.
    count: usize,
}

impl Schedule {
    /// An empty schedule that begins at `now_ms`.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self {
            seats: Vec::new(),
            near: Wheel::default(),
            far: Wheel::default(),
            beyond: NOBODY,
            cursor_ms: now_ms,
            turn: (now_ms - 1).div_euclid(SLOTS_MS),
            count: 0,
        }
    }

    /// Seats `seat`, a small number that is not seated, to fall due at `due_ms` and every
    /// `every_ms` milliseconds from then on. What lies in the past falls due at once.
    pub fn insert(&mut self, seat: u32, due_ms: i64, every_ms: u32) {
        let index = seat as usize;
        if index >= self.seats.len() {
            self.seats.resize(index + 1, Seat { due_ms: 0, every_ms: 0, next: NOBODY });
        }
        if let Some(place) = self.seats.get_mut(index) {
            *place = Seat { due_ms, every_ms: every_ms.max(1), next: NOBODY };
        }
        self.count += 1;
        self.link(seat, due_ms);
    }

    /// Gives `seat` up: it comes once more, as vacant, when it would have fallen due.
    pub fn vacate(&mut self, seat: u32) {
        if let Some(seat) = self.seats.get_mut(seat as usize) {
            seat.every_ms = 0;
        }
    }

    /// Appends all that is due by `now_ms` to `due`, the earliest first to the millisecond, and
    /// seats each of them again at its next time after `now_ms`.
    pub fn pop_due(&mut self, now_ms: i64, due: &mut Vec<Due>) {
        while self.cursor_ms <= now_ms {
            if self.cursor_ms.rem_euclid(SLOTS_MS) == 0 {
                self.cascade();
            }
            let head = self.near.take(self.cursor_ms);
            self.cursor_ms += 1;
            self.hand_out(head, now_ms, due);
            self.skip_empty(now_ms);
        }
    }

    /// The earliest time at which [`Schedule::pop_due`] may have something to do.
    #[must_use]
    pub fn next_ms(&self) -> Option<i64> {
        if self.count == 0 {
            return None;
        }
        let turn_ends = self.cursor_ms.div_euclid(SLOTS_MS) * SLOTS_MS + SLOTS_MS;
        if self.cursor_ms.rem_euclid(SLOTS_MS) == 0 {
            return Some(self.cursor_ms);
        }
        let left = usize::try_from(turn_ends - self.cursor_ms).unwrap_or(0);
        Some(
            self.near
                .first_from(self.cursor_ms, left)
                .map_or(turn_ends, |steps| self.cursor_ms + i64::try_from(steps).unwrap_or(0)),
        )
    }

    /// How many seats are taken.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether no seat is taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn hand_out(&mut self, mut head: u32, now_ms: i64, due: &mut Vec<Due>) {
        while head != NOBODY {
            let seat = head;
            let Some(place) = self.seats.get_mut(seat as usize) else { return };
            head = place.next;
            let due_ms = place.due_ms;
            if place.every_ms == 0 {
                self.count -= 1;
                due.push(Due { seat, due_ms, skipped: 0, is_vacant: true });
                continue;
            }
            let every = i64::from(place.every_ms);
            let skipped = (now_ms - due_ms).max(0) / every;
            place.due_ms = due_ms + (skipped + 1) * every;
            let next_ms = place.due_ms;
            let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
            due.push(Due { seat, due_ms, skipped, is_vacant: false });
            self.link(seat, next_ms);
        }
    }

    /// Puts `seat` where `due_ms` belongs, seen from the cursor.
    fn link(&mut self, seat: u32, due_ms: i64) {
        let at_ms = due_ms.max(self.cursor_ms);
        let turn = at_ms.div_euclid(SLOTS_MS);
        let head = if turn == self.turn {
            self.near.head(at_ms)
        } else if turn - self.turn < SLOTS_MS {
            self.far.head(turn)
        } else {
            &mut self.beyond
        };
        let next = std::mem::replace(head, seat);
        if let Some(place) = self.seats.get_mut(seat as usize) {
            place.next = next;
        }
    }

    /// Brings the seats of the turn that begins now from the far wheel to the near one, and once
    /// in each turn of the far wheel looks through all that lies beyond.
    fn cascade(&mut self) {
        self.turn = self.cursor_ms.div_euclid(SLOTS_MS);
        let mut lists = [self.far.take(self.turn), NOBODY];
        if self.turn.rem_euclid(SLOTS_MS) == 0 {
            lists[1] = std::mem::replace(&mut self.beyond, NOBODY);
        }
        for mut head in lists {
            while head != NOBODY {
                let Some(place) = self.seats.get(head as usize) else { return };
                let (seat, due_ms) = (head, place.due_ms);
                head = place.next;
                self.link(seat, due_ms);
            }
        }
    }

    /// Moves the cursor over empty slots, not past the end of the turn nor past `now_ms + 1`.
    fn skip_empty(&mut self, now_ms: i64) {
        let into_turn = self.cursor_ms.rem_euclid(SLOTS_MS);
        if into_turn == 0 {
            return;
        }
        let left = usize::try_from(SLOTS_MS - into_turn).unwrap_or(0);
        let steps = self.near.first_from(self.cursor_ms, left).unwrap_or(left);
        let steps = i64::try_from(steps).unwrap_or(0);
        self.cursor_ms = (self.cursor_ms + steps).min((now_ms + 1).max(self.cursor_ms));
    }
}

/// A ring of lists, with a bit for each that may hold somebody.
#[derive(Debug)]
struct Wheel {
    heads: Box<[u32]>,
    occupied: Box<[u64]>,
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            heads: vec![NOBODY; SLOTS].into_boxed_slice(),
            occupied: vec![0; SLOTS / 64].into_boxed_slice(),
        }
    }
}

impl Wheel {
    const fn slot(time: i64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "a remainder below 4,096")]
        let slot = time.rem_euclid(SLOTS_MS).cast_unsigned() as usize;
        slot
    }

    /// The head of the list at `time`, to which somebody is about to be added.
    #[expect(clippy::indexing_slicing, reason = "a slot is below the length of the ring")]
    fn head(&mut self, time: i64) -> &mut u32 {
        let slot = Self::slot(time);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        &mut self.heads[slot]
    }

    /// Empties the list at `time`.
    #[expect(clippy::indexing_slicing, reason = "a slot is below the length of the ring")]
    fn take(&mut self, time: i64) -> u32 {
        let slot = Self::slot(time);
        self.occupied[slot / 64] &= !(1 << (slot % 64));
        std::mem::replace(&mut self.heads[slot], NOBODY)
    }

    /// How many steps from `time` the first occupied list lies, within `left` steps that do not
    /// go round the ring.
    fn first_from(&self, time: i64, left: usize) -> Option<usize> {
        let start = Self::slot(time);
        let words = self.occupied.iter().enumerate().skip(start / 64);
        for (index, &word) in words {
            let base = index * 64;
            let word = if base < start { word & (u64::MAX << (start - base)) } else { word };
            if word != 0 {
                let steps = base + word.trailing_zeros() as usize - start;
                return (steps < left).then_some(steps);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pop(schedule: &mut Schedule, now_ms: i64) -> Vec<(u32, i64, u32)> {
        let mut due = Vec::new();
        schedule.pop_due(now_ms, &mut due);
        due.iter().map(|due| (due.seat, due.due_ms, due.skipped)).collect()
    }

    #[test]
    fn a_seat_falls_due_on_its_grid_and_never_early() {
        let mut schedule = Schedule::new(1_000);
        schedule.insert(0, 1_500, 1_000);
        assert_eq!(pop(&mut schedule, 1_499), []);
        assert_eq!(pop(&mut schedule, 1_500), [(0, 1_500, 0)]);
        assert_eq!(pop(&mut schedule, 2_600), [(0, 2_500, 0)]);
    }

    #[test]
    fn slots_that_were_slept_through_are_counted_and_not_repeated() {
        let mut schedule = Schedule::new(0);
        schedule.insert(0, 10, 1_000);
        assert_eq!(pop(&mut schedule, 10_500), [(0, 10, 10)]);
        assert_eq!(pop(&mut schedule, 11_009), []);
        assert_eq!(pop(&mut schedule, 11_010), [(0, 11_010, 0)]);
    }

    #[test]
    fn a_seat_that_was_given_up_comes_once_more_as_vacant() {
        let mut schedule = Schedule::new(0);
        schedule.insert(3, 10, 1_000);
        schedule.vacate(3);
        let mut due = Vec::new();
        schedule.pop_due(5_000, &mut due);
        assert!(due.iter().all(|due| due.is_vacant && due.seat == 3));
        assert_eq!((due.len(), schedule.len()), (1, 0));
        assert_eq!(schedule.next_ms(), None);
    }

    #[test]
    fn intervals_of_a_day_pass_through_all_places() {
        let day = 86_400_000;
        let mut schedule = Schedule::new(5);
        schedule.insert(0, day + 7, 86_400_000);
        let mut now = 5;
        let mut seen = Vec::new();
        while now < 3 * day - 10_000 {
            now = schedule.next_ms().expect("a seat is taken").max(now + 1);
            seen.extend(pop(&mut schedule, now));
        }
        assert_eq!(seen, [(0, day + 7, 0), (0, 2 * day + 7, 0)]);
    }

    proptest! {
        #[test]
        fn every_slot_comes_exactly_once_in_order_of_time(
            seats in proptest::collection::vec((0_i64..30_000, 1_u32..20_000), 1..20),
            start in -10_000_i64..10_000,
            steps in proptest::collection::vec(1_i64..9_000, 1..60),
        ) {
            let mut schedule = Schedule::new(start);
            for (seat, &(offset, every)) in (0..).zip(&seats) {
                schedule.insert(seat, start + offset, every);
            }
            let mut now = start;
            let mut counts = vec![0_i64; seats.len()];
            for step in steps {
                now += step;
                let mut last = i64::MIN;
                for (seat, due_ms, skipped) in pop(&mut schedule, now) {
                    prop_assert!(due_ms <= now && due_ms >= last);
                    last = due_ms;
                    counts[seat as usize] += 1 + i64::from(skipped);
                }
                for (&(offset, every), &count) in seats.iter().zip(&counts) {
                    let first = start + offset;
                    let expected = if now < first { 0 } else { (now - first) / i64::from(every) + 1 };
                    prop_assert_eq!(count, expected);
                }
                prop_assert!(schedule.next_ms().is_some_and(|next| next > now));
            }
        }
    }
}
