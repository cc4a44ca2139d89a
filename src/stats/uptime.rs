//! `uptime`: the share of the watched time that a target was up.

use crate::health::Transition;
use crate::target::State;

/// Spans of time that do not overlap, in order: begin and end in Unix milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<(i64, i64)>);

impl Spans {
    /// The union of `spans`, whatever their order.
    #[must_use]
    pub fn new(mut spans: Vec<(i64, i64)>) -> Self {
        spans.sort_unstable();
        let mut union: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
        for (begin, end) in spans {
            match union.last_mut() {
                Some(last) if begin <= last.1 => last.1 = last.1.max(end),
                _ => union.push((begin, end)),
            }
        }
        Self(union)
    }

    /// Milliseconds of the spans that lie within `begin..end`.
    #[must_use]
    pub fn within(&self, begin: i64, end: i64) -> i64 {
        let first = self.0.partition_point(|&(_, until)| until <= begin);
        let spans = self.0.get(first..).unwrap_or_default().iter();
        spans
            .take_while(|&&(from, _)| from < end)
            .map(|&(from, until)| (until.min(end) - from.max(begin)).max(0))
            .sum()
    }
}

/// The share of `begin..end` (Unix milliseconds) that a target was up or reachable with a warning.
///
/// `changes` are its changes of state in the order of time, the last before `begin` among them if
/// there is one. Time that was not watched counts as little as time in which the target was
/// unknown, paused or not polled yet; `None` when nothing else is left.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "milliseconds of some years are below 2^52")]
pub fn uptime(changes: &[Transition], watched: &Spans, (begin, end): (i64, i64)) -> Option<f64> {
    let mut state = changes.first()?.from;
    let mut since = begin;
    let (mut up, mut counted) = (0, 0);
    let mut close = |state: State, from: i64, until: i64| {
        let ms = match state {
            State::Up | State::Warning | State::Down => watched.within(from, until),
            State::Pending | State::Unknown | State::Paused => 0,
        };
        counted += ms;
        if state != State::Down {
            up += ms;
        }
    };
    for change in changes {
        let at_ms = change.at_ms.clamp(begin, end);
        close(state, since, at_ms);
        (state, since) = (change.to, at_ms);
    }
    close(state, since, end);
    (counted > 0).then(|| up as f64 / counted as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Detail;

    fn changes(states: &[(i64, State)]) -> Vec<Transition> {
        let mut from = State::Pending;
        let mut change = |&(at_ms, to): &(i64, State)| {
            let (cause, detail) = (None, Detail::None);
            let change = Transition { target: 1, from, to, at_ms, cause, detail };
            from = to;
            change
        };
        states.iter().map(&mut change).collect()
    }

    fn always() -> Spans {
        Spans::new(vec![(0, 1_000)])
    }

    fn told(states: &[(i64, State)], watched: &Spans, window: (i64, i64)) -> Option<i32> {
        #[expect(clippy::cast_possible_truncation, reason = "a share in thousandths")]
        uptime(&changes(states), watched, window).map(|share| (share * 1_000.0).round() as i32)
    }

    #[test]
    fn time_before_the_first_poll_does_not_count() {
        assert_eq!(told(&[(900, State::Up)], &always(), (0, 1_000)), Some(1_000));
        assert_eq!(told(&[(900, State::Down)], &always(), (0, 1_000)), Some(0));
        assert_eq!(told(&[], &always(), (0, 1_000)), None);
    }

    #[test]
    fn an_outage_counts_for_as_long_as_it_lasts() {
        let states = [(0, State::Up), (500, State::Down), (600, State::Up)];
        assert_eq!(told(&states, &always(), (0, 1_000)), Some(900));
        assert_eq!(told(&states, &always(), (550, 650)), Some(500));
        assert_eq!(told(&states, &always(), (700, 1_000)), Some(1_000));
    }

    #[test]
    fn a_warning_is_up_and_unknown_and_paused_time_is_left_out() {
        let states = [
            (0, State::Up),
            (100, State::Warning),
            (200, State::Unknown),
            (600, State::Paused),
            (900, State::Down),
        ];
        assert_eq!(told(&states, &always(), (0, 1_000)), Some(667));
        assert_eq!(told(&states, &always(), (200, 900)), None);
    }

    #[test]
    fn time_in_which_nobody_watched_is_left_out() {
        let watched = Spans::new(vec![(800, 1_000), (0, 100), (50, 200)]);
        let states = [(0, State::Up), (100, State::Down), (900, State::Up)];
        assert_eq!(watched.within(0, 1_000), 400);
        assert_eq!(told(&states, &watched, (0, 1_000)), Some(500));
    }

    #[test]
    fn what_was_forgotten_before_the_first_change_is_known_by_it() {
        let mut changes = changes(&[(0, State::Down), (700, State::Up)]);
        changes.remove(0);
        assert_eq!(uptime(&changes, &always(), (600, 800)), Some(0.5));
    }
}
