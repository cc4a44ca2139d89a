//! One target, step by step: its plan, when the daemon polls it, and what a check finds now.

use std::fs::File;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::api::client::Client;
use crate::cli;
use crate::cli::once::Setting;
use crate::clock::{Clock, rfc3339};
use crate::config::Settings;
use crate::config::rules::Rules;
use crate::config::substitute::Origin;
use crate::config::targets::source::Source;
use crate::config::targets::{self, Entry};
use crate::outcome::{Outcome, SampleKind};
use crate::run::{RunOptions, Runner};
use crate::store::reader::{Reader, Wanted};
use crate::store::sqlite::FILE_NAME;
use crate::target::{CheckKind, Connection, Target, Verify};
use crate::view::explain::{self, Explained};
use crate::view::result::CheckResult;
use crate::view::results::Counts;
use crate::view::text::duration;
use crate::view::{Lists, words};

/// Lag in microseconds up to which a poll ran on time.
const ON_TIME_US: u32 = 50_000;

/// Checks a target once and explains each step; the exit code tells what came of it.
///
/// # Errors
/// There is nothing that could be checked; says why.
pub fn explain(
    asked: &cli::Explain,
    settings: &Settings,
    setting: Setting,
) -> Result<(String, ExitCode), String> {
    let Setting { checks, rules, .. } = setting;
    let (entry, is_listed) = match listed(&asked.target, settings)? {
        Some(entry) => (entry, true),
        None => (unlisted(&asked.target, &rules)?, false),
    };
    let Ok(target) = &entry.target else { return Err("there is no such target".to_owned()) };
    let mut explained = Explained { plan: plan(target), schedule: Vec::new() };
    explained.plan.push(if is_listed {
        format!("entry {} of {}", entry.index, settings.urls)
    } else {
        "not in the list".to_owned()
    });
    explained.schedule = schedule(target, settings);
    let runner = Runner::with(checks, rules);
    let result = run(&runner, entry).ok_or("the check was not run")?;
    let mut counts = Counts::default();
    counts.add(&result);
    let text = if asked.json {
        let told =
            json!({ "plan": explained.plan, "schedule": explained.schedule, "result": &*result });
        format!("{told}\n")
    } else {
        explain::render(&result, &explained)
    };
    Ok((text, ExitCode::from(counts.exit_code())))
}

/// The entry of the list that is called `text`, by its address, id or name.
fn listed(text: &str, settings: &Settings) -> Result<Option<Entry>, String> {
    let Source::File(path) = &settings.urls else { return Ok(None) };
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let origin = Origin::of_file(path, settings.variables.clone());
    let mut found = None;
    let name = path.display().to_string();
    let read = targets::stream(
        Vec::new(),
        Some((&mut file, &name)),
        (&origin, &settings.rules),
        &mut |entry| {
            let is_it = entry.target.as_ref().is_ok_and(|target| is_called(target, text));
            if is_it {
                found = Some(entry);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    );
    // What stood before a break in the list is good all the same.
    if found.is_none() {
        read.map_err(|error| error.to_string())?;
    }
    Ok(found)
}

fn is_called(target: &Target, text: &str) -> bool {
    target.address.to_string() == text
        || target.address.written() == text
        || target.shown_id() == text
        || target.name.as_deref() == Some(text)
}

/// A target that stands in no list: a website unless its address says otherwise.
fn unlisted(text: &str, rules: &Rules) -> Result<Entry, String> {
    let mut rules = rules.clone();
    let is_website = !text.contains("://") || text.starts_with("http");
    rules.usual.kind = is_website.then_some(CheckKind::Http);
    let mut found = None;
    let origin = Origin::remote();
    let first = vec![Value::from(text)];
    let read = targets::stream(first, None, (&origin, &rules), &mut |entry| {
        found = Some(entry);
        ControlFlow::Break(())
    });
    read.map_err(|error| error.to_string())?;
    match found {
        Some(Entry { target: Err(reason), .. }) => Err(format!("{text}: {reason}")),
        Some(entry) => Ok(entry),
        None => Err("there is nothing to explain".to_owned()),
    }
}

fn run(runner: &Runner, entry: Entry) -> Option<Arc<CheckResult>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let (sender, entries) = mpsc::channel(1);
    sender.try_send(entry).ok()?;
    drop(sender);
    let mut result = None;
    runtime.block_on(runner.run((entries, true), &RunOptions::default(), None, &mut |(_, one)| {
        result = Some(one);
    }));
    runtime.shutdown_background();
    result
}

/// How a target is asked, in a few words each.
fn plan(target: &Target) -> Vec<String> {
    let plan = &target.plan;
    let mut words = vec![plan.probe.plugin_type().to_owned()];
    if plan.probe.kind() == CheckKind::Http {
        words.push(plan.method.to_string());
        words.push(match plan.redirects {
            0 => "no redirects".to_owned(),
            most => format!("{most} redirects at most"),
        });
        words.push(match plan.connection {
            Connection::Fresh => "a fresh connection".to_owned(),
            Connection::Reuse => "a connection that is kept".to_owned(),
        });
    }
    words.push(format!("timeout {}", duration(target.timeout().as_secs_f64())));
    if let Some(server) = plan.resolver {
        words.push(format!("name server {server}"));
    }
    if plan.tls.verify == Verify::Off {
        words.push("any certificate".to_owned());
    }
    words
}

/// When the daemon of this data directory polls `target`, and how late it was.
fn schedule(target: &Target, settings: &Settings) -> Vec<String> {
    let Ok(reader) = Reader::open(&settings.data.join(FILE_NAME)) else { return Vec::new() };
    let now_ms = Clock::system().now_ms();
    let wanted = Wanted { name: Some(target.shown_id()), ..Wanted::default() };
    let rows = reader.targets(&wanted, now_ms).unwrap_or_default();
    let Some(row) = rows.first() else { return Vec::new() };
    let mut said = Vec::new();
    let last = reader.history(row.number, 1).unwrap_or_default();
    if let Some(sample) = last.first() {
        said.push(last_poll(&sample.outcome));
    }
    let every = f64::from(row.interval_ms) / 1e3;
    let client = Client::of(&settings.data);
    let Ok(summary) = client.summary(Lists::All) else {
        said.push(format!("every {} while the daemon runs, which it does not", duration(every)));
        return said;
    };
    let own = Target { every_ms: row.interval_ms, ..target.apart() };
    let next_ms = own.due_at_or_after(now_ms + 1);
    let wait = f64::from(u32::try_from(next_ms - now_ms).unwrap_or(u32::MAX)) / 1e3;
    said.push(format!(
        "every {}; next at {}, in {}",
        duration(every),
        rfc3339(next_ms),
        duration(wait)
    ));
    let url = target.address.to_string();
    if let Some(flying) = summary.in_flight.urls.iter().find(|flying| flying.url == url) {
        said.push(format!("a poll of it runs since {}", duration(flying.for_seconds)));
    }
    if summary.schedule.state == "saturated" {
        let limit = summary.in_flight.limit;
        said.push(format!(
            "polls run late: all {limit} places are taken and {} wait (--max-workers)",
            summary.schedule.waiting
        ));
    }
    said
}

fn last_poll(outcome: &Outcome) -> String {
    let finding = &outcome.finding;
    let lag = duration(f64::from(outcome.lag_us) / 1e6);
    let why = match (outcome.kind, outcome.lag_us <= ON_TIME_US) {
        (SampleKind::Recheck, _) => format!("a recheck, {lag} after its slot"),
        (SampleKind::Manual, _) => "somebody asked for it, beside its schedule".to_owned(),
        (_, true) => format!("on time, {lag} after it fell due"),
        (_, false) => {
            format!("{lag} late: it waited for a place, or for this machine to catch up")
        }
    };
    format!(
        "last at {}: {}, {} in {}, {why}",
        rfc3339(outcome.finished_us.div_euclid(1_000)),
        words::verdict(finding.verdict),
        outcome.code(),
        duration(f64::from(outcome.latency_us) / 1e6),
    )
}
