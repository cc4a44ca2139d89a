//! `Crowd`: the hosts that a list asks more of than politeness allows.

use std::collections::HashMap;

use super::fit::{Fit, Verdict};
use crate::manners::Manners;
use crate::queue::host_key;
use crate::target::Target;
use crate::view::text::plural;

/// Seconds that a poll usually takes.
const USUAL_S: f64 = 0.2;
/// Hosts that are named at most.
const NAMED: usize = 5;

/// The hosts that a list asks more of than politeness allows, the worst first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crowd {
    /// Those that are asked for more also while they answer.
    pub always: Vec<Crowded>,
    /// How many more would be, if they timed out.
    pub when_silent: u64,
}

/// A host that is asked for more polls than it is to bear.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crowded {
    /// Name and port.
    pub host: String,
    /// Targets on it.
    pub targets: u64,
    /// Polls a second that they ask for.
    pub wanted: f64,
    /// Polls a second that it bears.
    pub allowed: f64,
    /// What has to be changed for all to fit.
    pub remedy: String,
}

#[derive(Debug)]
struct Load<'t> {
    first: &'t Target,
    targets: u64,
    per_second: f64,
    /// Polls in flight on average, when each takes its usual time.
    usual: f64,
    /// And when each times out.
    silent: f64,
    most: f64,
    rate: f64,
}

/// Looks for hosts on which `targets` would be held back by `manners`.
#[must_use]
pub(super) fn crowd(targets: &[Target], manners: &Manners) -> Crowd {
    let mut hosts: HashMap<u64, Load<'_>> = HashMap::new();
    for target in targets {
        let load = hosts.entry(host_key(target)).or_insert_with(|| Load::of(target));
        load.add(target, manners);
    }
    let mut always: Vec<_> = hosts.values().filter_map(Load::crowded).collect();
    always.sort_by(|one, other| other.excess().total_cmp(&one.excess()));
    let silent = hosts.values().filter(|load| load.crowded().is_none() && load.silent > load.most);
    Crowd { when_silent: silent.count() as u64, always }
}

impl<'t> Load<'t> {
    const fn of(first: &'t Target) -> Self {
        let (most, rate) = (f64::INFINITY, f64::INFINITY);
        Self { first, targets: 0, per_second: 0.0, usual: 0.0, silent: 0.0, most, rate }
    }

    fn add(&mut self, target: &Target, manners: &Manners) {
        let per_second = 1_000.0 / f64::from(target.every_ms.max(1));
        let timeout_s = f64::from(target.timeout_ms) / 1_000.0;
        self.targets += 1;
        self.per_second += per_second;
        self.usual += per_second * USUAL_S.min(timeout_s);
        self.silent += (per_second * timeout_s).min(1.0);
        // As at a gate, what the last one says counts.
        let most = target.plan.max_per_host.or(manners.max_per_host);
        self.most = most.map_or(f64::INFINITY, |most| u32::from(most).into());
        let rate = target.plan.host_rate.or(manners.host_rate);
        self.rate = rate.map_or(f64::INFINITY, crate::manners::Rate::per_second);
    }

    fn crowded(&self) -> Option<Crowded> {
        let by_places = self.per_second * self.most / self.usual.max(f64::MIN_POSITIVE);
        let allowed = self.rate.min(by_places);
        if self.targets < 2 && self.per_second <= self.rate || self.per_second <= allowed {
            return None;
        }
        let mut remedies = Vec::new();
        if self.usual > self.most {
            // Sums of fractions are never whole.
            let needed = (self.usual - 1e-6).ceil();
            remedies.push(format!("--max-per-host to {needed:.0}"));
        }
        if self.per_second > self.rate {
            remedies.push(format!("--host-rate to {:.1}", (self.per_second * 10.0).ceil() / 10.0));
        }
        let address = &self.first.address;
        Some(Crowded {
            host: format!("{}:{}", address.host_text(), address.port()),
            targets: self.targets,
            wanted: self.per_second,
            allowed,
            remedy: format!("raise {}, or their intervals", remedies.join(" and ")),
        })
    }
}

impl Crowded {
    fn excess(&self) -> f64 {
        self.wanted - self.allowed
    }
}

impl Crowd {
    /// What is to be said of it, and of `manners`.
    #[must_use]
    pub(super) fn verdict(&self, manners: &Manners) -> Verdict {
        let most =
            manners.max_per_host.map_or_else(|| "any number".to_owned(), |most| most.to_string());
        let mut told = format!("{most} in flight per host");
        for (rate, what) in [(manners.host_rate, "host"), (manners.address_rate, "address")] {
            if let Some(rate) = rate {
                told = format!("{told}, {:.1} a second per {what}", rate.per_second());
            }
        }
        let mut advice: Vec<String> = self.always.iter().take(NAMED).map(Crowded::line).collect();
        let more = self.always.len().saturating_sub(NAMED) as u64;
        if more > 0 {
            advice.push(format!("and {} more", plural(more, "host")));
        }
        if self.when_silent > 0 {
            let hosts = plural(self.when_silent, "host");
            advice
                .push(format!("{hosts} would hold back polls of others on it while it times out"));
        }
        let fit = match (self.always.is_empty(), self.when_silent) {
            (false, _) => Fit::Never,
            (true, 0) => Fit::Always,
            (true, _) => Fit::Usually,
        };
        // A line each, under the one before.
        Verdict { limit: "politeness", told, fit, advice: advice.join("\n            ") }
    }
}

impl Crowded {
    fn line(&self) -> String {
        format!(
            "{}: its {} ask for {:.1} polls a second, {:.1} fit; the others are missed for \
             politeness: {}",
            self.host,
            plural(self.targets, "target"),
            self.wanted,
            self.allowed,
            self.remedy,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::time::Duration;

    use crate::address::Address;
    use crate::manners::Rate;
    use crate::target::{CheckKind, Origin, Plan, Priority, Seat, TargetId};

    fn target(url: &str, number: u32, plan: Plan) -> Target {
        Target {
            number,
            id: TargetId::of_address(CheckKind::Http, "GET", url, number),
            given_id: None,
            name: None,
            address: Address::parse(url).expect("a good address"),
            every_ms: 60_000,
            timeout_ms: 30_000,
            priority: Priority::Normal,
            plan: Arc::new(plan),
            labels: Arc::default(),
            origin: Origin::default(),
            seat: Seat::default(),
        }
    }

    #[test]
    fn a_host_with_too_many_targets_is_named_with_what_to_change() {
        let crowded = (0..5_000).map(|number| target("http://a.example/", number, Plan::default()));
        let others = (0..100)
            .map(|number| target(&format!("http://b{number}.example/"), number, Plan::default()));
        let targets: Vec<_> = crowded.chain(others).collect();
        let crowd = crowd(&targets, &Manners::default());
        let verdict = crowd.verdict(&Manners::default());
        assert_eq!((&*verdict.told, verdict.fit), ("8 in flight per host", Fit::Never));
        assert_eq!(
            verdict.advice,
            "a.example:80: its 5,000 targets ask for 83.3 polls a second, 40.0 fit; the others \
             are missed for politeness: raise --max-per-host to 17, or their intervals"
        );
    }

    #[test]
    fn a_rate_that_is_too_low_is_told_and_one_that_an_entry_names_counts() {
        let host_rate = Rate::of(1.0, Duration::from_secs(1));
        let manners = Manners { host_rate, ..Manners::default() };
        let of = |plan: &Plan| -> Vec<Target> {
            (0..120).map(|number| target("http://a.example/", number, plan.clone())).collect()
        };
        let verdict = crowd(&of(&Plan::default()), &manners).verdict(&manners);
        assert_eq!(verdict.told, "8 in flight per host, 1.0 a second per host");
        assert!(verdict.advice.contains("raise --host-rate to 2.0"), "{verdict:?}");
        let plan = Plan { host_rate: Rate::of(5.0, Duration::from_secs(1)), ..Plan::default() };
        assert!(crowd(&of(&plan), &manners).always.is_empty());
    }

    #[test]
    fn hosts_that_would_fill_their_places_when_they_time_out_are_counted() {
        let targets: Vec<_> =
            (0..20).map(|number| target("http://a.example/", number, Plan::default())).collect();
        let crowd = crowd(&targets, &Manners::default());
        assert_eq!((crowd.always.len(), crowd.when_silent), (0, 1));
        let none = Manners { max_per_host: NonZeroU32::new(10), ..Manners::none() };
        assert_eq!(super::crowd(&targets, &none).when_silent, 0);
    }
}
