//! Which certificates run out soon, each by what its target expects, without looking at all.

use std::collections::BTreeSet;

use super::{Ledger, Ranked};
use crate::expectation::CERTIFICATE_DAYS;

/// Certificates that run out within so many days are ranked.
pub const EXPIRY_DAYS: i64 = 90;
/// Days for which a certificate has to be valid unless its target says otherwise.
pub(super) const USUAL_DAYS: u16 = 14;
const _: () = assert!(USUAL_DAYS as u32 == CERTIFICATE_DAYS, "both are told as the same");
/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Certificates that run out within 90 days.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// Those that run out soon: when they do in Unix seconds, and the number of the target.
    soon: BTreeSet<(i64, u32)>,
    /// The others: from when on they do, in Unix seconds.
    later: BTreeSet<(i64, u32)>,
    /// The time by which they were told apart, in Unix seconds.
    now_s: i64,
}

impl Ledger {
    /// Notes for how many days the certificate of the target `number` has to be valid; two weeks
    /// unless somebody says otherwise.
    pub fn expect_certificate(&mut self, number: u32, days: u32) {
        let days = u16::try_from(days).unwrap_or(u16::MAX);
        let Some(entry) = self.records.get_mut(number) else { return };
        let until = entry.record.certificate_until;
        if entry.days != days {
            self.unrank_certificate(number, until);
            if let Some(entry) = self.records.get_mut(number) {
                entry.days = days;
            }
            self.rank_certificate(number, until);
        }
    }

    /// The targets whose certificate is valid for fewer days than they expect, the soonest first.
    pub fn expiring_soon(&self) -> impl Iterator<Item = Ranked> + '_ {
        self.certificates.soon.iter().filter_map(|&(_, number)| self.ranked(number))
    }

    /// How many those are.
    #[must_use]
    pub fn count_expiring_soon(&self) -> u64 {
        self.certificates.soon.len() as u64
    }

    /// The targets whose certificate runs out within 90 days, the soonest first; all of them are
    /// looked at.
    pub fn expiring(&self) -> impl Iterator<Item = Ranked> + '_ {
        let Certificates { soon, later, .. } = &self.certificates;
        let numbers = soon.iter().chain(later).map(|&(_, number)| number);
        let mut ranked: Vec<Ranked> = numbers.filter_map(|number| self.ranked(number)).collect();
        ranked.sort_by_key(|ranked| (ranked.certificate_until, ranked.target));
        ranked.into_iter()
    }

    /// Sees which certificates run out soon at `now_s`, in Unix seconds.
    pub(super) fn ripen(&mut self, now_s: i64) {
        self.certificates.now_s = now_s;
        while let Some(&(from_s, number)) = self.certificates.later.first()
            && from_s < now_s
        {
            self.certificates.later.pop_first();
            let until = from_s + self.expected_s(number);
            self.certificates.soon.insert((until, number));
        }
    }

    pub(super) fn rank_certificate(&mut self, number: u32, until: i64) {
        let horizon_s = self.newest.at_ms().div_euclid(1_000) + EXPIRY_DAYS * DAY_S;
        if until == 0 || until >= horizon_s {
            return;
        }
        let from_s = until - self.expected_s(number);
        if from_s < self.certificates.now_s {
            self.certificates.soon.insert((until, number));
        } else {
            self.certificates.later.insert((from_s, number));
        }
    }

    pub(super) fn unrank_certificate(&mut self, number: u32, until: i64) {
        if until != 0 {
            self.certificates.soon.remove(&(until, number));
            let from_s = until - self.expected_s(number);
            self.certificates.later.remove(&(from_s, number));
        }
    }

    /// Seconds for which the certificate of the target has to be valid.
    fn expected_s(&self, number: u32) -> i64 {
        let entry = self.records.get(number);
        i64::from(entry.map_or(USUAL_DAYS, |entry| entry.days)) * DAY_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Health;
    use crate::store::Record;

    /// A ledger of targets whose certificates run out after so many days.
    fn ledger(days: &[i64]) -> Ledger {
        let mut ledger = Ledger::default();
        for (number, days) in (1_u32..).zip(days) {
            let health = Health::pending(0);
            let pending = super::super::pending(number, 0);
            let record = Record { health, certificate_until: days * DAY_S, ..pending };
            ledger.enrol(number, Some(record), 0);
        }
        ledger
    }

    fn soon(ledger: &mut Ledger, day: i64) -> Vec<u32> {
        ledger.expire(day * DAY_S + 1);
        let numbers: Vec<u32> = ledger.expiring_soon().map(|ranked| ranked.target).collect();
        assert_eq!(ledger.count_expiring_soon(), numbers.len() as u64);
        numbers
    }

    #[test]
    fn a_certificate_runs_out_soon_by_what_its_target_expects_and_as_time_passes() {
        let mut ledger = ledger(&[30, 15, 14, 1, 89]);
        assert_eq!(soon(&mut ledger, 0), [4, 3]);
        ledger.expect_certificate(4, 0);
        assert_eq!(soon(&mut ledger, 0), [3]);
        assert_eq!(soon(&mut ledger, 1), [4, 3, 2]);
        ledger.expect_certificate(1, 60);
        assert_eq!(soon(&mut ledger, 1), [4, 3, 2, 1]);
        ledger.expect_certificate(3, 5);
        assert_eq!(soon(&mut ledger, 2), [4, 2, 1]);
        assert_eq!(ledger.expiring().count(), 5);
        ledger.retire(1, 0);
        ledger.retire(5, 0);
        assert_eq!(soon(&mut ledger, 100), [4, 3, 2]);
        assert_eq!(ledger.expiring().count(), 3);
    }
}
