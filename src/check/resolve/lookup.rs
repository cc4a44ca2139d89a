//! Look-ups: one thread with a small runtime that asks name servers and fills the cache.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

use super::cache::News;
use super::exchange::{Asker, Manner};
use super::families::{Families, Family};
use super::find::find;
use super::health::{Change, Health, Sign, Turn};
use super::lanes::{Lane, Lanes, Standing};
use super::panels::Panels;
use super::system::{self, Hosts};
use super::way::WayToIpv6;
use super::{Answer, Question, Records, ResolverOptions, Shared, Wanted};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};
use crate::target::IpVersion;

/// How long an address from `/etc/hosts` holds.
const HOSTS: Duration = Duration::from_secs(5);
/// How often those who have been asked are looked after.
const TICK: Duration = Duration::from_millis(250);

/// A look-up that is to be made.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) question: Question,
    pub(super) standing: Standing,
    /// The family of which the name had no address lately.
    pub(super) lacks: Option<Family>,
    pub(super) done: watch::Sender<Option<Answer>>,
}

/// A look-up that is made.
#[derive(Clone, Copy, Debug)]
struct Begun {
    lane: Lane,
    since: Instant,
}

/// How a look-up ended.
#[derive(Debug)]
struct Ended {
    job: Job,
    /// None when it was broken off, because nobody serves.
    news: Option<News>,
    began: Instant,
    generation: u64,
}

/// Whoever makes look-ups.
struct Desk {
    shared: Arc<Shared>,
    panels: Panels,
    hosts: Hosts,
    ipv6: WayToIpv6,
    limit: Duration,
    lanes: Lanes<Job>,
    running: JoinSet<Ended>,
    begun: HashMap<Id, Begun>,
    /// When those who have been asked were looked after last.
    looked: Instant,
}

/// Starts the thread that makes look-ups; it ends when the returned sender is dropped.
pub(super) fn start(
    options: ResolverOptions,
    shared: Arc<Shared>,
) -> io::Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel(super::QUEUE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name("resolver".to_owned())
        .spawn(move || runtime.block_on(Desk::new(options, shared).serve(jobs)))?;
    Ok(sender)
}

impl Desk {
    fn new(options: ResolverOptions, shared: Arc<Shared>) -> Self {
        Self {
            shared,
            panels: Panels::new(options.servers),
            hosts: Hosts::new("/etc/hosts".into()),
            ipv6: WayToIpv6::default(),
            limit: options.limit,
            lanes: Lanes::new(options.max_lookups, super::QUEUE),
            running: JoinSet::new(),
            begun: HashMap::new(),
            looked: Instant::now(),
        }
    }

    async fn serve(mut self, mut jobs: mpsc::Receiver<Job>) {
        let shared = Arc::clone(&self.shared);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.begin(Instant::now());
            shared.counts.in_flight.store(self.running.len(), Relaxed);
            shared.counts.waiting.store(self.lanes.waiting(), Relaxed);
            let is_closed = self.panels.is_any_closed(Instant::now());
            shared.counts.is_closed.store(is_closed, Relaxed);
            tokio::select! {
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => {
                    self.end(ended, Instant::now());
                }
                job = jobs.recv() => {
                    let Some(job) = job else { return };
                    self.take(job, Instant::now());
                }
                _ = tick.tick(), if !self.running.is_empty() => self.look_after(Instant::now()),
                () = shared.refresh.notified() => self.refresh(Instant::now()),
            }
        }
    }

    /// Has a look-up wait for its turn, unless its answer is known, or nobody would give it.
    fn take(&mut self, job: Job, now: Instant) {
        self.follow_system(now);
        let question = &job.question;
        if let Some(news) = self.hosts.answer(question) {
            let answer = self.shared.cache.keep(question, news, now);
            job.done.send_replace(Some(answer));
            return;
        }
        let panel = self.panels.of(question.server, now);
        let turn = panel.map_or(Turn::Ask, |panel| panel.health.turn(job.standing, now));
        match turn {
            Turn::Ask => self.lanes.push(Lane::of(&job), job),
            Turn::Refuse(fault) => self.refuse(&job, fault, now),
        }
    }

    fn refuse(&self, job: &Job, fault: Fault, now: Instant) {
        let answer = self.shared.cache.refuse(&job.question, fault, now);
        job.done.send_replace(Some(answer));
    }

    /// Begins the look-ups whose turn it is.
    fn begin(&mut self, now: Instant) {
        let Self { shared, panels, lanes, running, begun, .. } = self;
        while let Some((lane, job)) = lanes.next(|lane| panels.allowed(lane.server)) {
            let generation = panels.generation;
            let Some(panel) = panels.of(lane.server, now) else {
                lanes.end(lane);
                let answer = shared.cache.keep(&job.question, News::unanswered(), now);
                job.done.send_replace(Some(answer));
                continue;
            };
            let asker = Asker {
                servers: Arc::clone(&panel.servers.list),
                signs: Arc::clone(&panel.signs),
                shared: Arc::clone(shared),
                deadline: tokio::time::Instant::from_std(now) + self.limit,
                manner: if panel.health.is_closed() { Manner::Probing } else { Manner::InTurn },
            };
            let families = match job.question.wanted {
                Wanted::Exchangers => None,
                Wanted::Addresses(version) => {
                    Some(Families::of(version, self.ipv6.is_there(now), job.lacks))
                }
            };
            if lane.server.is_none() {
                *shared.usual.lock() = Arc::clone(&panel.servers.list);
            }
            let (names, era) = (panel.servers.names(&job.question.name), panel.era.clone());
            let task = running.spawn(async move {
                let news = era.run_until_cancelled(find(&asker, names, families)).await;
                Ended { job, news, began: now, generation }
            });
            begun.insert(task.id(), Begun { lane, since: now });
        }
    }

    /// Keeps and tells what a look-up came to, and what it shows of those who were asked.
    fn end(&mut self, ended: Result<(Id, Ended), JoinError>, now: Instant) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        if let Some(begun) = self.begun.remove(&id) {
            self.lanes.end(begun.lane);
        }
        let Ok((_, Ended { job, news, began, generation })) = ended else { return };
        let server = job.question.server;
        let is_broken_off = news.is_none();
        let mut news = news.unwrap_or_else(News::unanswered);
        let is_former = server.is_none() && generation != self.panels.generation;
        if is_former {
            // Whoever said it is not asked any more.
            news.hold = Duration::ZERO;
        }
        if let Some(panel) = self.panels.of(server, now).filter(|_| !is_former) {
            let took = now.saturating_duration_since(began);
            let sign = match news.result {
                Ok(_) => Sign::Served,
                Err(_) if is_broken_off => Sign::Nothing,
                Err(fault) => Sign::of(fault, took, self.limit),
            };
            let change = panel.health.note(sign, job.standing, now);
            panel.heed(change);
            if let Err(fault) = &mut news.result {
                *fault = panel.blame(*fault);
                panel.health.blame(*fault);
            }
            self.heed(server, change, now);
        }
        let answer = self.shared.cache.keep(&job.question, news, now);
        job.done.send_replace(Some(answer));
    }

    /// Looks whether those who have been asked are silent.
    fn look_after(&mut self, now: Instant) {
        let is_late = now.saturating_duration_since(self.looked) > TICK * 4;
        self.looked = now;
        if is_late {
            // Nobody has listened for a while: what was said lies there.
            return;
        }
        let mut changes = Vec::new();
        for (server, panel) in self.panels.all() {
            let patience = Health::patience(panel.signs.usual());
            let Some(then) = now.checked_sub(patience) else { continue };
            if panel.signs.is_heard_since(then) {
                continue;
            }
            let lane = Lane { server, standing: Standing::Good };
            let waits = |begun: &&Begun| begun.lane == lane && begun.since <= then;
            let waiting = self.begun.values().filter(waits).count();
            let change = panel.health.weigh_silence(waiting, now);
            panel.heed(change);
            changes.push((server, change));
        }
        for (server, change) in changes {
            self.heed(server, change, now);
        }
    }

    /// Has nobody wait for servers that do not serve.
    fn heed(&mut self, server: Option<SocketAddr>, change: Change, now: Instant) {
        if let Change::Closed(_) = change {
            for job in self.lanes.drain(server) {
                let panel = self.panels.of(server, now);
                let fault = panel.and_then(|panel| panel.health.closed_by());
                self.refuse(&job, fault.unwrap_or(Fault::unanswered()), now);
            }
        }
    }

    /// Follows the system's settings when they have changed.
    fn follow_system(&mut self, now: Instant) {
        let is_new = self.panels.follow_when_due(now) || self.ipv6.has_come(now);
        let changed = self.hosts.follow_when_due(now);
        self.heed_system(is_new, &changed, now);
    }

    /// Reads the system's settings again.
    fn refresh(&mut self, now: Instant) {
        let is_new = self.panels.follow(now);
        let changed = self.hosts.follow();
        self.heed_system(is_new, &changed, now);
    }

    /// Has names be asked for anew where other servers are asked now, and forgets those of which
    /// the system itself says something else.
    fn heed_system(&self, is_new: bool, changed: &HashSet<Box<str>>, now: Instant) {
        if is_new {
            self.shared.cache.expire(now, |question| question.server.is_none());
        }
        if !changed.is_empty() {
            let is_changed = |question: &Question| changed.contains(system::key(&question.name));
            self.shared.cache.forget(|question| question.server.is_none() && is_changed(question));
        }
    }
}

impl Lane {
    fn of(job: &Job) -> Self {
        Self { server: job.question.server, standing: job.standing }
    }
}

impl Hosts {
    /// The answer that needs no name server, if there is one.
    fn answer(&self, question: &Question) -> Option<News> {
        let Wanted::Addresses(version) = question.wanted else { return None };
        let addresses = self.find(&question.name).filter(|_| question.server.is_none())?;
        let is_wanted = |address: &IpAddr| match version {
            IpVersion::Any => true,
            IpVersion::V4 => address.is_ipv4(),
            IpVersion::V6 => address.is_ipv6(),
        };
        let addresses: Vec<IpAddr> = addresses.into_iter().filter(is_wanted).collect();
        let result = if addresses.is_empty() {
            Err(Fault::new(Cause::Dns, Detail::NoAddress))
        } else {
            Ok(Records::Addresses(addresses.into()))
        };
        Some(News { result, hold: HOSTS, lacks: None })
    }
}
