//! `Probes`: targets that are probed at once because somebody asks.

mod aim;
mod bench;
mod judge;
mod listed;
mod shelf;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::live::Live;
use crate::api::{Answer, ProbeAnswer, ProbeQuery, Prober, Problem, Role, Visitor};
use crate::check::{Check as _, Checks, Facts, Telling};
use crate::config::modules::{Module, NoModule, USUAL};
use crate::config::settings::Probing;
use crate::outcome::{Cause, Detail, Finding, Micros, Outcome, SampleKind};
use crate::store::reader::Reader;
use crate::target::{IpVersion, Origin, Plan, Target};
use crate::view::explain::{Explained, render};
use crate::view::probe::{Probed, cached};
use crate::view::result::{CheckResult, Identity};
use aim::Aim;
use bench::Bench;
use judge::judge;
use listed::Listed;
pub(super) use shelf::Shelf;

/// Polls that are looked through for the last one of a slot: rechecks and what somebody asked for
/// may have come after it.
const NEWEST: usize = 20;
/// Targets that are probed at once because somebody asks.
pub(super) struct Probes {
    live: Arc<Live>,
    check: Arc<Checks>,
    reader: Reader,
    probing: Probing,
    listed: Arc<Listed>,
    bench: Bench,
}

impl Probes {
    /// Probes for the daemon that is `live`, by `check`; `probing` says who may have what probed.
    pub(super) fn new(
        live: Arc<Live>,
        check: Arc<Checks>,
        reader: Reader,
        probing: Probing,
    ) -> Self {
        let (listed, bench) = (Arc::<Listed>::default(), Bench::new());
        Self { live, check, reader, probing, listed, bench }
    }

    async fn answer(&self, asked: ProbeQuery, visitor: Visitor) -> Result<ProbeAnswer, Problem> {
        let known = self.listed.find(&self.live.roster, &asked.target).await?;
        if asked.is_cached {
            return self.cached(known).await;
        }
        let modules = self.live.shelf.modules();
        let name = asked.module.as_deref().unwrap_or(USUAL);
        let module = Arc::clone(modules.module(name).map_err(|none| {
            if let NoModule::Unknown { .. } = none {
                self.live.shelf.unknown.fetch_add(1, Relaxed);
            }
            Problem::new(StatusCode::BAD_REQUEST, none.to_string())
        })?);
        let is_listed = known.is_some();
        // Whoever names a host may reach what the list does not name.
        let is_as_listed = is_listed && asked.hostname.is_none();
        may_probe(&visitor, is_as_listed, self.probing)?;
        let target = match aim::target(&module, &asked, known.as_deref())? {
            Aim::At(target) if is_listed || self.probing == Probing::Open => target,
            Aim::At(target) => guarded(target),
            Aim::Nowhere(reason) => return Ok(failed(&module, reason)),
        };
        let telling = Telling::new(Arc::clone(&self.check));
        let (live, began) = (Arc::clone(&self.live), self.live.clock.now_us());
        let answer = self.bench.run(async move {
            let started = Instant::now();
            let (target, finding, facts) = check(&telling, target, module.preference).await;
            let took = started.elapsed();
            tell(&module, &target, (&finding, facts), (began, took), &live)
        });
        answer.await
    }

    /// What the last scheduled poll of a target of the list came to.
    async fn cached(&self, known: Option<Arc<Target>>) -> Result<ProbeAnswer, Problem> {
        let none = |detail: &str| Problem::new(StatusCode::NOT_FOUND, detail);
        let target = known.ok_or_else(|| {
            none("this is no target of the list; only these are polled, so name one of them")
        })?;
        let (reader, number) = (self.reader.clone(), target.number);
        let read = tokio::task::spawn_blocking(move || reader.history(number, NEWEST));
        let samples = match read.await {
            Ok(Ok(samples)) => samples,
            Ok(Err(error)) => return Err(unread(&error)),
            Err(error) => return Err(unread(&error)),
        };
        let sample = samples.iter().find(|sample| sample.outcome.kind == SampleKind::Slot);
        let outcome = &sample.ok_or_else(|| none("it has not been polled yet; ask later"))?.outcome;
        let age_us = self.live.clock.now_us().saturating_sub(outcome.finished_us).max(0);
        let age = Duration::from_micros(age_us.unsigned_abs()).as_secs_f64();
        Ok(ProbeAnswer {
            families: cached(&target, outcome, age),
            log: format!("the poll of {age:.3} s ago is told, without a probe"),
            module: String::new(),
        })
    }
}

fn unread(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("the store cannot be read: {error}"))
}

impl Prober for Probes {
    fn probe(
        &self,
        asked: ProbeQuery,
        visitor: Visitor,
    ) -> Answer<'_, Result<ProbeAnswer, Problem>> {
        Box::pin(self.answer(asked, visitor))
    }
}

/// Whether `visitor` may have a target probed: whoever may read those of the list as they are, others
/// whoever may have checks run, unless the settings open them to all.
fn may_probe(visitor: &Visitor, is_as_listed: bool, probing: Probing) -> Result<(), Problem> {
    if is_as_listed || probing == Probing::Open || visitor.may(Role::Run) {
        return Ok(());
    }
    let own = visitor.role.map_or("none", Role::as_str);
    let detail = format!(
        "this is no target of the list, or another host name for one, and others need the role run; \
         yours is {own} (--open-probe opens them to all who may read)"
    );
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

/// `target`, which nobody put on the list, as it may be probed: its addresses are held to the policy
/// for targets that come through the API.
fn guarded(target: Target) -> Target {
    Target { origin: Origin::Api, ..target }
}

/// Checks a target over the family of addresses that is preferred, else over the other one.
async fn check(
    telling: &Telling,
    target: Target,
    preference: crate::config::modules::Preference,
) -> (Arc<Target>, Finding, Facts) {
    let started = Instant::now();
    let plan = Plan { ip_version: preference.version, ..(*target.plan).clone() };
    let first = Arc::new(Target { plan: Arc::new(plan), ..target });
    let (finding, facts) = telling.check(Arc::clone(&first)).await;
    let has_none = (finding.cause, finding.detail) == (Some(Cause::Dns), Detail::NoAddress);
    let left = first.timeout().saturating_sub(started.elapsed());
    if !(has_none && preference.falls_back) || left.is_zero() {
        return (first, finding, facts);
    }
    let lookup = finding.phases.resolve;
    let plan = Plan { ip_version: IpVersion::Any, ..(*first.plan).clone() };
    let second = Arc::new(aim::again(&first, plan, left));
    let (mut finding, facts) = telling.check(Arc::clone(&second)).await;
    let both = lookup.get().unwrap_or(0).saturating_add(finding.phases.resolve.get().unwrap_or(0));
    finding.phases.resolve = Micros::from_us(both);
    (second, finding, facts)
}

/// What a probe came to that ended with this finding and these facts, after it `began` (Unix
/// microseconds) and `took` so long.
fn tell(
    module: &Module,
    target: &Target,
    (finding, facts): (&Finding, Facts),
    (began, took): (i64, Duration),
    live: &Live,
) -> ProbeAnswer {
    let judged = judge(module, target, finding, &facts.data);
    live.shelf.note(judged.is_success);
    let probed = Probed {
        spoken: judge::spoken(module),
        data: &facts.data,
        finding,
        seconds: took.as_secs_f64(),
        timeout: target.timeout().as_secs_f64(),
        is_success: judged.is_success,
        is_by_pattern: judged.is_by_pattern,
    };
    let families = probed.families();
    let latency_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    let outcome = Outcome {
        target: 0,
        due_ms: began.div_euclid(1_000),
        finished_us: began.saturating_add(i64::from(latency_us)),
        lag_us: 0,
        latency_us,
        kind: SampleKind::Manual,
        is_provisional: false,
        finding: *finding,
    };
    let plugin_type = target.plan.probe.plugin_type().to_owned();
    let identity = Identity { id: target.shown_id(), plugin_type };
    let result = CheckResult::of(&identity, target, &outcome, facts);
    let plan = vec![
        format!("module {}", module.name),
        format!("{} s at most", target.timeout().as_secs_f64()),
    ];
    let mut log = render(&result, &Explained { plan, schedule: judged.said });
    log.push_str(if judged.is_success { "the probe succeeded\n" } else { "the probe failed\n" });
    ProbeAnswer { families, log, module: module.shown.clone() }
}

/// What a probe comes to whose target makes no sense.
fn failed(module: &Module, reason: String) -> ProbeAnswer {
    let finding = Finding::default().with_cause(Cause::Internal, Detail::Setting);
    let probed = Probed {
        spoken: judge::spoken(module),
        data: &serde_json::Map::new(),
        finding: &finding,
        seconds: 0.0,
        timeout: module.timeout.unwrap_or_default().as_secs_f64(),
        is_success: false,
        is_by_pattern: false,
    };
    ProbeAnswer { families: probed.families(), log: reason + "\n", module: module.shown.clone() }
}
