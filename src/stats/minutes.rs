//! `Minutes`: what the fleet did in each minute of the last hour.

use std::collections::BTreeMap;

use super::tally::Tally;
use super::window::Window;

/// Minutes that are kept: an hour, and what the last five minutes may still change.
pub const KEPT_MINUTES: i64 = 66;

/// The minutes of the last hour, made of seconds that have passed; a minute may be counted in parts.
#[derive(Clone, Debug, Default)]
pub struct Minutes {
    tallies: BTreeMap<i64, Tally>,
}

impl Minutes {
    /// Counts what finished within `second`, in Unix seconds; each second once.
    pub(super) fn add(&mut self, second: i64, window: &Window) {
        let minute = second.div_euclid(60);
        self.tallies.entry(minute).or_default().add_second(window);
        while let Some((&first, _)) = self.tallies.first_key_value()
            && first <= minute - KEPT_MINUTES
        {
            self.tallies.pop_first();
        }
    }

    /// The minutes from `first` on, in minutes since the Unix epoch and in their order.
    pub fn from(&self, first: i64) -> impl Iterator<Item = (i64, &Tally)> + '_ {
        self.tallies.range(first..).map(|(&minute, tally)| (minute, tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept_minute_by_minute() {
        let mut minutes = Minutes::default();
        let window = Window { checks: 2, ..Window::default() };
        (0..7_200).for_each(|second| minutes.add(second, &window));
        let kept: Vec<_> = minutes.from(0).collect();
        assert_eq!((kept.len(), kept[0].0, kept[0].1.checks), (66, 54, 120));
        assert_eq!(minutes.from(119).count(), 1);
    }
}
