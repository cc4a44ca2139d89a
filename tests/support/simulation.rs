//! A cluster in virtual time: the real dispatchers, and a model of leases, topics, groups of checkers
//! and recorders, with members that die and brokers that go away.

#![allow(dead_code, unreachable_pub, reason = "a test and a bench use a part of it")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "a simulation that goes wrong ends the test that wants it"
)]

#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/topics.rs"]
mod topics;

use poller::shards::Shards;
use poller::stage::dispatch::{Dispatch, JobTarget, ShardTargets, Taken};
use poller::target::TargetId;

pub use plan::{Plan, Told, drawn};
use topics::{Partition, Topics};

/// When it begins, in Unix milliseconds.
pub const START_MS: i64 = 1_800_000_000_000;
/// How far the time moves at once, in milliseconds.
const TICK_MS: i64 = 100;
/// How often leases are renewed and offsets committed, in milliseconds.
const RENEW_MS: i64 = 3_000;
const COMMIT_MS: i64 = 1_000;
/// How long a lease lasts, and how long a group waits for a silent checker, in milliseconds.
pub const LEASE_MS: i64 = 10_000;
const SESSION_MS: i64 = 10_000;

#[derive(Clone, Copy)]
struct Lease {
    owner: Option<usize>,
    until_ms: i64,
    produced_ms: i64,
    epoch: i64,
}

struct Scheduler {
    dispatch: Dispatch,
    held: Vec<u32>,
    is_alive: bool,
}

#[derive(Clone, Copy)]
struct Checker {
    died_ms: Option<i64>,
}

struct World {
    plan: Plan,
    shards: Shards,
    now_ms: i64,
    leases: Vec<Lease>,
    partitions: Vec<Partition>,
    schedulers: Vec<Scheduler>,
    checkers: Vec<Checker>,
    /// Slots of each target that were told, a bit each.
    told: Vec<u32>,
    found: Told,
    made: u64,
    second: u64,
    calm_seconds: u64,
    calm_made: u64,
    /// Until when something is amiss.
    amiss_until_ms: i64,
}

/// Plays `plan` to its end, and until all has arrived.
pub fn play(plan: &Plan) -> Told {
    let mut world = World::new(plan.clone());
    let end_ms = START_MS + plan.length_ms;
    while world.now_ms < end_ms {
        world.tick();
    }
    world.sum_up(end_ms)
}

fn id(number: u32) -> TargetId {
    TargetId(drawn(u64::from(number), u64::MAX))
}

impl World {
    fn new(plan: Plan) -> Self {
        let shards = Shards::new(plan.shards).expect("some shards");
        let idle = Lease { owner: None, until_ms: 0, produced_ms: START_MS, epoch: 0 };
        let scheduler =
            || Scheduler { dispatch: Dispatch::default(), held: Vec::new(), is_alive: true };
        Self {
            shards,
            now_ms: START_MS,
            leases: vec![idle; plan.shards as usize],
            partitions: (0..plan.shards).map(|_| Partition::default()).collect(),
            schedulers: (0..plan.schedulers).map(|_| scheduler()).collect(),
            checkers: vec![Checker { died_ms: None }; plan.checkers],
            told: vec![0; plan.targets as usize],
            found: Told::default(),
            made: 0,
            second: 0,
            calm_seconds: 0,
            calm_made: 0,
            amiss_until_ms: 0,
            plan,
        }
    }

    fn since_ms(&self) -> i64 {
        self.now_ms - START_MS
    }

    fn tick(&mut self) {
        self.now_ms += TICK_MS;
        let since_ms = self.since_ms();
        self.fate(since_ms);
        if since_ms % RENEW_MS == TICK_MS {
            self.renew();
        }
        self.dispatch();
        if since_ms % COMMIT_MS == 0 {
            self.commit();
        }
        self.assign();
        self.check();
        if since_ms % 1_000 == 0 {
            self.count_second();
        }
    }

    /// Lets those die whose time has come, and others come in their place.
    fn fate(&mut self, since_ms: i64) {
        let is_now = |at: &i64| (since_ms - TICK_MS..since_ms).contains(at);
        let deaths = self.plan.schedulers_die_ms.iter().filter(|at| is_now(at)).count();
        for death in 0..deaths {
            let place =
                drawn(since_ms as u64 + death as u64, self.schedulers.len() as u64) as usize;
            self.schedulers[place].is_alive = false;
            self.schedulers[place].dispatch = Dispatch::default();
            self.schedulers[place].held.clear();
            self.amiss_until_ms = self.now_ms + 60_000;
        }
        let deaths = self.plan.checkers_die_ms.iter().filter(|at| is_now(at)).count();
        for death in 0..deaths {
            let place = drawn(since_ms as u64 ^ (death as u64) << 40, self.checkers.len() as u64);
            self.checkers[place as usize].died_ms.get_or_insert(self.now_ms);
            self.amiss_until_ms = self.now_ms + 60_000;
        }
        if self.is_away() {
            self.amiss_until_ms = self.now_ms + 60_000;
        }
        if since_ms % 30_000 == 0 {
            // Others in the place of the dead, which know nothing.
            self.schedulers.iter_mut().for_each(|scheduler| scheduler.is_alive = true);
            for (place, checker) in self.checkers.iter_mut().enumerate() {
                if checker.died_ms.is_some_and(|at| self.now_ms - at > SESSION_MS) {
                    checker.died_ms = None;
                    debug_assert!(self.partitions.iter().all(|one| one.checker != Some(place)));
                }
            }
        }
    }

    fn is_away(&self) -> bool {
        let (from_ms, until_ms) = self.plan.brokers_away_ms;
        (from_ms..until_ms).contains(&self.since_ms())
    }

    /// Every scheduler renews what it holds and takes what is nobody's, up to its fair share.
    fn renew(&mut self) {
        let living = self.schedulers.iter().filter(|one| one.is_alive).count().max(1);
        let fair = self.leases.len().div_ceil(living);
        for place in 0..self.schedulers.len() {
            if !self.schedulers[place].is_alive {
                continue;
            }
            while self.schedulers[place].held.len() > fair {
                let Some(shard) = self.schedulers[place].held.pop() else { break };
                self.schedulers[place].dispatch.give_up(shard);
                self.leases[shard as usize].owner = None;
            }
            for shard in self.schedulers[place].held.clone() {
                self.leases[shard as usize].until_ms = self.now_ms + LEASE_MS;
            }
            for shard in 0..self.plan.shards {
                let lease = &mut self.leases[shard as usize];
                let is_free = lease.owner.is_none() || lease.until_ms < self.now_ms;
                if !is_free || self.schedulers[place].held.len() >= fair {
                    continue;
                }
                let epoch = lease.epoch + 1;
                let produced_ms = lease.produced_ms;
                let until_ms = self.now_ms + LEASE_MS;
                *lease = Lease { owner: Some(place), until_ms, epoch, produced_ms };
                self.take(place, shard, epoch, produced_ms);
            }
        }
    }

    fn take(&mut self, place: usize, shard: u32, epoch: i64, until_ms: i64) {
        let mut targets = ShardTargets::default();
        let mut number = shard;
        while number < self.plan.targets {
            let every_ms = self.plan.every_ms;
            let fixed = Box::default();
            targets.push(JobTarget {
                id: id(number),
                fixed,
                number,
                every_ms,
                since_s: 0,
                locations: 0,
            });
            number += self.shards.count();
        }
        targets.close();
        let mut topics =
            Topics { partitions: &mut self.partitions, is_away: false, made: &mut self.made };
        let scheduler = &mut self.schedulers[place];
        scheduler.held.push(shard);
        scheduler.dispatch.take(Taken { shard, epoch, until_ms, targets }, &mut topics);
    }

    fn dispatch(&mut self) {
        let is_away = self.is_away();
        let (now_ms, leases) = (self.now_ms, &mut self.leases);
        for (place, scheduler) in self.schedulers.iter_mut().enumerate() {
            if !scheduler.is_alive {
                continue;
            }
            let mut topics =
                Topics { partitions: &mut self.partitions, is_away, made: &mut self.made };
            loop {
                let is_ours = |shard: u32, epoch| {
                    let lease: &Lease = &leases[shard as usize];
                    lease.owner == Some(place) && lease.epoch == epoch && lease.until_ms > now_ms
                };
                let turn = scheduler.dispatch.turn(now_ms, is_ours, &mut topics);
                if !turn.is_behind || turn.is_full {
                    break;
                }
            }
            scheduler.dispatch.settle(now_ms, &mut topics, |shard, epoch, until_ms| {
                let lease = &mut leases[shard as usize];
                if lease.epoch == epoch {
                    lease.produced_ms = lease.produced_ms.max(until_ms);
                }
            });
        }
    }

    /// Gives partitions of the dead to others, once their time is over, and evens out.
    fn assign(&mut self) {
        let is_lost =
            |checker: &Checker| checker.died_ms.is_some_and(|at| self.now_ms - at > SESSION_MS);
        let living: Vec<usize> = (0..self.checkers.len())
            .filter(|place| self.checkers[*place].died_ms.is_none())
            .collect();
        let fair = self.partitions.len().div_ceil(living.len().max(1));
        let mut counts = vec![0; self.checkers.len()];
        for partition in &mut self.partitions {
            if let Some(place) = partition.checker {
                counts[place] += 1;
                if is_lost(&self.checkers[place]) || counts[place] > fair {
                    counts[place] -= 1;
                    partition.checker = None;
                    // Whoever comes begins where the last one has committed.
                    partition.position = partition.committed;
                }
            }
        }
        let mut free = living.iter().copied().cycle();
        for partition in self.partitions.iter_mut().filter(|one| one.checker.is_none()) {
            for _ in 0..living.len() {
                let Some(place) = free.next() else { return };
                if counts[place] < fair {
                    counts[place] += 1;
                    partition.checker = Some(place);
                    break;
                }
            }
        }
    }

    /// Every checker polls what it has time for.
    fn check(&mut self) {
        let is_away = self.is_away();
        let most = self.plan.capacity as usize * TICK_MS as usize / 1_000;
        let mut room = vec![most; self.checkers.len()];
        let every_ms = i64::from(self.plan.every_ms);
        let since_ms = self.since_ms();
        let is_calm = self.now_ms > self.amiss_until_ms && since_ms > 70_000;
        for partition in &mut self.partitions {
            let Some(place) = partition.checker else { continue };
            if self.checkers[place].died_ms.is_some() || is_away {
                continue;
            }
            while room[place] > 0 {
                let at = (partition.position - partition.committed) as usize;
                let Some(&record) = partition.records.get(at) else { break };
                partition.position += 1;
                let due_ms = i64::from(record.due);
                let slot = slot_of(self.plan.every_ms, due_ms);
                let is_told = &mut self.told[record.number as usize];
                if *is_told & (1 << slot) != 0 {
                    self.found.repeated += 1;
                    continue;
                }
                *is_told |= 1 << slot;
                let lag_ms = since_ms - due_ms;
                if record.is_missed || lag_ms > every_ms {
                    self.found.missed += 1;
                    continue;
                }
                room[place] -= 1;
                self.found.polled += 1;
                self.found.early += u64::from(lag_ms < 0);
                self.found.lag_ms = self.found.lag_ms.max(lag_ms);
                if is_calm {
                    self.found.calm_lag_ms = self.found.calm_lag_ms.max(lag_ms);
                }
            }
        }
    }

    fn commit(&mut self) {
        if self.is_away() {
            return;
        }
        for partition in &mut self.partitions {
            if partition.checker.is_some_and(|place| self.checkers[place].died_ms.is_none()) {
                let done = (partition.position - partition.committed) as usize;
                partition.records.drain(..done);
                partition.committed = partition.position;
            }
        }
    }

    fn count_second(&mut self) {
        let made = self.made - std::mem::replace(&mut self.second, self.made);
        if self.now_ms > self.amiss_until_ms && self.since_ms() > 70_000 {
            self.calm_seconds += 1;
            self.calm_made += made;
            self.found.calm_peak = self.found.calm_peak.max(made);
        }
    }

    /// What was told of every slot that lies an interval and more before `end_ms`.
    fn sum_up(mut self, end_ms: i64) -> Told {
        let until_ms = end_ms - START_MS - i64::from(self.plan.every_ms);
        for number in 0..self.plan.targets {
            let every_ms = i64::from(self.plan.every_ms);
            let mut due_ms =
                id(number).due_at_or_after(self.plan.every_ms, START_MS + 1) - START_MS;
            while due_ms < until_ms {
                let slot = slot_of(self.plan.every_ms, due_ms);
                self.found.slots += 1;
                self.found.untold += u64::from(self.told[number as usize] & (1 << slot) == 0);
                due_ms += every_ms;
            }
        }
        self.found.calm_mean = self.calm_made as f64 / self.calm_seconds.max(1) as f64;
        self.found
    }
}

/// Which slot of a target falls due at `due_ms`, from 0 on.
fn slot_of(every_ms: u32, due_ms: i64) -> u32 {
    (due_ms / i64::from(every_ms)) as u32
}
