//! Results of invented checks of every kind and every end.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use poller::address::Address;
use poller::check::Facts;
use poller::outcome::{Cause, Detail, Finding, Outcome, SampleKind};
use poller::target::{
    CheckKind, IcmpProbe, Labels, Origin, Plan, Priority, Probe, Seat, SslProbe, Target, TargetId,
};
use poller::view::result::{CheckResult, Identity, NotRun};
use poller::view::results::{Counts, Form};
use serde_json::{Value, json};

/// 2026-11-22T10:33:20.999Z.
pub(crate) const FINISHED_US: i64 = 1_795_343_600_999_000;

/// Text that no form may let through as it is: each would take it for an end or a beginning.
pub(crate) const HOSTILE: &str = "a|b\n<c d=\"e\">&'f' ]]> \u{1b}[31mg\0\u{7}\u{b}\u{85}\u{2028}\u{fffe}\u{ffff}\r\n{\"h\":1},\t\u{1f600}";

pub(crate) fn target(address: &str, probe: Probe) -> Target {
    Target {
        number: 1,
        id: TargetId::of_address(CheckKind::Http, "GET", address, 0),
        given_id: None,
        name: None,
        address: Address::parse_any(address).expect("the test's own address is right"),
        every_ms: 60_000,
        timeout_ms: 30_000,
        priority: Priority::Normal,
        plan: Arc::new(Plan { probe, ..Plan::default() }),
        labels: Arc::new(Labels::default()),
        origin: Origin::default(),
        seat: Seat::default(),
    }
}

pub(crate) fn outcome(finding: Finding) -> Outcome {
    Outcome {
        target: 1,
        due_ms: 0,
        finished_us: FINISHED_US,
        lag_us: 0,
        latency_us: 87_000,
        kind: SampleKind::Manual,
        is_provisional: false,
        finding,
    }
}

pub(crate) fn facts(data: Value) -> Facts {
    let Value::Object(data) = data else { unreachable!("facts are an object") };
    Facts { message: String::new(), data }
}

/// The result of a check of `address` that found `finding` and saw `data`.
pub(crate) fn checked(address: &str, probe: Probe, finding: Finding, data: Value) -> CheckResult {
    let plugin_type = probe.plugin_type().to_owned();
    let identity = Identity { id: format!("id of {address}"), plugin_type };
    CheckResult::of(&identity, &target(address, probe), &outcome(finding), facts(data))
}

pub(crate) fn website(finding: Finding) -> CheckResult {
    checked("http://a.example/", Probe::Http, finding, json!({"response_size": finding.bytes}))
}

pub(crate) fn good() -> CheckResult {
    website(Finding { status: 200, bytes: 1_256, ..Finding::default() })
}

pub(crate) fn down() -> CheckResult {
    website(Finding::default().with_cause(Cause::Connect, Detail::Refused))
}

pub(crate) fn warning() -> CheckResult {
    let finding = Finding { status: 200, ..Finding::default() };
    website(finding.with_cause(Cause::Assertion, Detail::BodyContains))
}

pub(crate) fn unknown() -> CheckResult {
    website(Finding::default().with_cause(Cause::NoNetwork, Detail::None))
}

pub(crate) fn certificate(days: i64) -> CheckResult {
    let finding = match days {
        30.. => Finding::default(),
        14.. => Finding::default().with_cause(Cause::Assertion, Detail::CertificateDays),
        _ => Finding::default().with_cause(Cause::Tls, Detail::CertificateDays),
    };
    let data = json!({"days_until_expiration": days, "warning_days": 30, "critical_days": 14});
    checked("ssl://a.example", Probe::Ssl(SslProbe::default()), finding, data)
}

pub(crate) fn echo(loss_percent: f64) -> CheckResult {
    let mean = (loss_percent < 100.0).then_some(0.000_012_4);
    let data = json!({"loss_percent": loss_percent, "round_trip": {"mean": mean}});
    let finding = match loss_percent {
        100.0.. => Finding::default().with_cause(Cause::Timeout, Detail::Waiting),
        0.1.. => Finding::default().with_cause(Cause::Assertion, Detail::Loss),
        _ => Finding::default(),
    };
    checked("icmp://a.example", Probe::Icmp(IcmpProbe::default()), finding, data)
}

pub(crate) fn not_run(reason: &NotRun) -> CheckResult {
    let identity = Identity { id: "seven".into(), plugin_type: "tcp".into() };
    CheckResult::not_run(&identity, Some("tcp://a.example:7".into()), reason, FINISHED_US / 1_000)
}

/// One that says everywhere what others could say to break the form.
pub(crate) fn hostile() -> CheckResult {
    let mut result = down();
    result.id = HOSTILE.into();
    result.message = HOSTILE.into();
    result.plugin_type = HOSTILE.into();
    for name in ["target", "error", "error_type"] {
        result.raw_data.insert(name.into(), HOSTILE.into());
    }
    result
}

/// One of each kind and of each end.
pub(crate) fn all() -> Vec<CheckResult> {
    let deadline = not_run(&NotRun::Deadline(Duration::from_secs(5)));
    let invalid = not_run(&NotRun::Invalid("there is no key \"hots\"; is it \"host\"?".into()));
    let days = [64, 20, 3].map(certificate);
    let echoes = [0.0, 33.333_333, 100.0].map(echo);
    let mut all = vec![good(), warning(), down(), unknown(), deadline, invalid];
    all.push(not_run(&NotRun::Stopped));
    all.extend(days.into_iter().chain(echoes));
    all.push(hostile());
    all
}

pub(crate) fn counted(results: &[CheckResult]) -> Counts {
    let mut counts = Counts::default();
    for result in results {
        counts.add(result);
    }
    counts
}

/// What is written, as it is written.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("text")
    }
}

impl Write for Written {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(text);
        Ok(text.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a form makes of `results`, which took 1.2 s.
pub(crate) fn shown<F: Form>(form: impl FnOnce(Written) -> F, results: &[CheckResult]) -> String {
    let written = Written::default();
    let mut form = form(written.clone());
    for result in results {
        form.result(result).expect("memory takes it");
    }
    form.end(&counted(results), Duration::from_millis(1_200)).expect("memory takes it");
    written.text()
}
