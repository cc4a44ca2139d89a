//! What the ledger says of the fleet, for whoever shows it.

use super::Ledger;
use crate::health::Health;
use crate::stats::{Recent, Tally};
use crate::store::{Record, SampleKey, Totals};
use crate::target::State;

/// The fleet's figures at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Fleet<'a> {
    /// The last five minutes.
    pub recent: &'a Recent,
    /// All that was ever stored.
    pub totals: &'a Totals,
    /// Of these, by this daemon.
    pub since_start: &'a Totals,
}

/// A target among the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Its number.
    pub target: u32,
    /// Its state.
    pub health: Health,
    /// When its certificate runs out, in Unix seconds; 0 when none was seen.
    pub certificate_until: i64,
}

impl Ledger {
    /// The fleet's figures.
    #[must_use]
    pub const fn fleet(&self) -> Fleet<'_> {
        Fleet { recent: &self.recent, totals: &self.totals, since_start: &self.since_start }
    }

    /// How many targets are in `state`.
    #[must_use]
    pub fn count_in_state(&self, state: State) -> u64 {
        self.states.get(usize::from(state.code())).copied().unwrap_or(0)
    }

    /// The targets that are down, the longest first.
    pub fn down(&self) -> impl Iterator<Item = Ranked> + '_ {
        self.down.iter().filter_map(|&(_, number)| self.ranked(number))
    }

    /// What is known of one target.
    #[must_use]
    pub fn record(&self, number: u32) -> Option<&Record> {
        self.records.get(number).map(|entry| &entry.record)
    }

    /// How late the last poll of a target began that had a slot, in microseconds; none when it had
    /// none since start.
    #[must_use]
    pub fn lag_us(&self, number: u32) -> Option<u32> {
        let entry = self.records.get(number)?;
        (entry.lag_us != super::NO_LAG).then_some(entry.lag_us)
    }

    /// The keys of the newest samples of one target, the newest first; 0 where there is none. What
    /// was taken in just now may not be stored yet.
    #[must_use]
    pub fn newest_of(&self, number: u32) -> Option<[SampleKey; 2]> {
        let entry = self.records.get(number)?;
        Some([entry.record.last, entry.before])
    }

    /// The fleet's hour that is not over, in hours since the Unix epoch, and what was counted in it.
    #[must_use]
    pub const fn open_hour(&self) -> (u32, &Tally) {
        (self.fleet_hour.0, &self.fleet_hour.1)
    }

    /// Forgets what lies more than five minutes before `now_s`, in Unix seconds, and sees which
    /// certificates run out soon by now.
    pub fn expire(&mut self, now_s: i64) {
        self.recent.expire(now_s);
        self.ripen(now_s);
    }

    /// Takes `record` into the counts by state and the rankings.
    pub(super) fn rank(&mut self, record: &Record) {
        let state = record.health.state;
        if let Some(count) = self.states.get_mut(usize::from(state.code())) {
            *count += 1;
        }
        if state == State::Down {
            self.down.insert((record.health.since_ms, record.target));
        }
        self.rank_certificate(record.target, record.certificate_until);
    }

    /// Takes `record` out of the counts by state and the rankings.
    pub(super) fn unrank(&mut self, record: &Record) {
        let health = (record.health.state, record.health.since_ms);
        self.unrank_as(record.target, health, record.certificate_until);
    }

    /// Takes a record out that had this state since then, and this certificate.
    pub(super) fn unrank_as(&mut self, number: u32, (state, since_ms): (State, i64), until: i64) {
        if let Some(count) = self.states.get_mut(usize::from(state.code())) {
            *count = count.saturating_sub(1);
        }
        self.down.remove(&(since_ms, number));
        self.unrank_certificate(number, until);
    }

    pub(super) fn ranked(&self, number: u32) -> Option<Ranked> {
        self.record(number).map(|record| Ranked {
            target: number,
            health: record.health,
            certificate_until: record.certificate_until,
        })
    }
}
