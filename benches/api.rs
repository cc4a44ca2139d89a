//! A million targets, 5,000 polls a second, and everybody asks: how long do summaries and pages
//! take, and what do 200 questions a second and 100 readers of the events cost the polls?
//!
//! `cargo bench --bench api`; `POLLER_BENCH_TARGETS` (1000000), `POLLER_BENCH_RATE` (5000),
//! `POLLER_BENCH_SECONDS` (60), `POLLER_BENCH_QUESTIONS` (1000), `POLLER_BENCH_WARM` (seconds that
//! pass before anybody asks; 210).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "api/asking.rs"]
mod asking;
#[path = "support/rig.rs"]
mod rig;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use asking::{Line, Readers, page};
use rig::{Poller, Site, pause, setting};
use serde_json::Value;

/// Questions a second, and how many of them are pages.
const QUESTIONS: u32 = 200;
const PAGES: u32 = 10;
/// Readers of the events, and how many of them never read.
const READERS: usize = 100;
const SILENT: usize = 10;

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let is_trial = rig::is_a_trial();
    let usual = |full: f64, trial: f64| if is_trial { trial } else { full };
    let targets = setting("POLLER_BENCH_TARGETS", usual(1e6, 2_000.0)) as u32;
    let rate = setting("POLLER_BENCH_RATE", usual(5_000.0, 100.0));
    let seconds = setting("POLLER_BENCH_SECONDS", usual(60.0, 3.0));
    let questions = setting("POLLER_BENCH_QUESTIONS", usual(1_000.0, 30.0)) as u32;
    let site = Site::start();
    let list = list(&site, targets, f64::from(targets) / rate);
    let mut poller = Poller::start(&site, &list, &["--listen", "127.0.0.1:0"]);
    let address = poller.summary()["listen"].as_str().unwrap_or("").replace("http://", "");
    // Every target is polled once before anybody asks: a first poll is a change of state each.
    pause(setting("POLLER_BENCH_WARM", usual(f64::from(targets) / rate + 10.0, 1.0)));
    println!("{targets} targets, {:.0} MB resident", poller.resident_mb());
    let time = |poller: &Poller| poller.summary()["as_of"].as_str().unwrap_or("").to_owned();
    let mut times = vec![time(&poller)];
    pause(usual(30.0, 1.0));
    times.push(time(&poller));
    one_by_one(&address, questions);
    times.push(time(&poller));
    all_at_once(&poller, &address, seconds);
    times.push(time(&poller));
    poller.stop();
    let phases = ["while nobody asks", "one by one", "all at once"];
    for (phase, span) in phases.iter().zip(times.windows(2)) {
        let [from, until] = span else { break };
        println!("lag p99 {phase}: {:.1} ms (below 50)", lag(&poller, from, until));
    }
}

/// The lag below which 99 of 100 polls of a span began, in milliseconds.
fn lag(poller: &Poller, from: &str, until: &str) -> f64 {
    let span = format!("FROM checks WHERE at >= '{from}' AND at < '{until}'");
    let skipped = poller.number(&format!("SELECT count(*) / 100 {span}"));
    poller.number(&format!("SELECT lag_ms {span} ORDER BY lag_ms DESC LIMIT 1 OFFSET {skipped}"))
}

/// A list of which queries find parts of every size.
fn list(site: &Site, targets: u32, interval: f64) -> PathBuf {
    let mut text = String::from("[\n");
    for target in 0..targets {
        let comma = if target > 0 { ",\n" } else { "" };
        let url = site.url(target, if target % 50 == 7 { "/s503" } else { "/" });
        let (group, team) = (target % 40, target % 7);
        let _ = write!(
            text,
            "{comma}{{\"url\":\"{url}\",\"interval\":{interval},\"retries\":0,\"name\":\"Shop {target}\",\
             \"group\":\"g{group}\",\"labels\":{{\"team\":\"t{team}\"}}}}"
        );
    }
    text.push_str("\n]\n");
    let path = site.room.path().join("urls.json");
    std::fs::write(&path, text).expect("it can be written");
    path
}

/// One question after the other, while polls go on.
fn one_by_one(address: &str, questions: u32) {
    let mut line = Line::to(address);
    let mut times = |name: &str, path: &dyn Fn(u32) -> String, bound: f64| {
        let mut times: Vec<f64> = (0..questions).map(|at| line.ask(&path(at)).seconds).collect();
        // Pages come in ten kinds, ten of each in turn.
        let kinds: Vec<String> = (0..10)
            .map(|kind| {
                let of_kind = times.iter().enumerate().filter(|(at, _)| at / 10 % 10 == kind);
                let mut of_kind: Vec<f64> = of_kind.map(|(_, seconds)| *seconds).collect();
                format!("{:.0}", quantile(&mut of_kind, 0.5) * 1e3)
            })
            .collect();
        println!(
            "{questions} {name} one by one: p50 {:.1} ms, p99 {:.1} ms (below {bound:.0}), max {:.1} ms",
            quantile(&mut times, 0.5) * 1e3,
            quantile(&mut times, 0.99) * 1e3,
            quantile(&mut times, 1.0) * 1e3,
        );
        println!("  p50 of each kind in ms: {}", kinds.join(" "));
    };
    // The first one to look for a text pays for what the others use.
    let first = Line::to(address).ask("/api/v1/targets?text=shop&sort=latency&limit=100");
    println!("the first page with text and order: {:.0} ms", first.seconds * 1e3);
    times("summaries", &|_| "/api/v1/stats".to_owned(), 10.0);
    times("pages", &page, 50.0);
}

/// Everybody at once, for `seconds`.
fn all_at_once(poller: &Poller, address: &str, seconds: f64) {
    let before = poller.summary();
    let cpu = poller.cpu_seconds();
    let is_over = AtomicBool::new(false);
    let readers = Readers::open(address, READERS - SILENT, SILENT);
    let (mut summaries, mut pages) = (Vec::new(), Vec::new());
    let told = std::thread::scope(|scope| {
        let told = readers.read(scope, &is_over);
        let asked = ask_for(scope, address, seconds);
        for (is_page, seconds) in asked.into_iter().flat_map(|one| one.join().expect("no panic")) {
            if is_page { pages.push(seconds) } else { summaries.push(seconds) }
        }
        is_over.store(true, Ordering::Relaxed);
        told.into_iter().map(|one| one.join().expect("no panic")).collect::<Vec<_>>()
    });
    let cpu = poller.cpu_seconds() - cpu;
    let after = poller.summary();
    let figure = |summary: &Value, path: &str| summary.pointer(path).and_then(Value::as_f64);
    let more = |path: &str| {
        figure(&after, path).unwrap_or(f64::NAN) - figure(&before, path).unwrap_or(f64::NAN)
    };
    println!(
        "{QUESTIONS} questions a second for {seconds:.0} s: summaries p99 {:.1} ms, pages p99 {:.1} ms; \
         {:.0} polls a second, {:.2} cores, {:.0} MB",
        quantile(&mut summaries, 0.99) * 1e3,
        quantile(&mut pages, 0.99) * 1e3,
        more("/checks/since_start") / seconds,
        cpu / seconds,
        poller.resident_mb(),
    );
    let events: u64 = told.iter().map(|one| one.events).sum();
    let resyncs: u64 = told.iter().map(|one| one.resyncs).sum();
    let least = told.iter().map(|one| one.summaries).min().unwrap_or(0);
    println!(
        "{READERS} readers, of which {SILENT} never read: {events} events, {resyncs} resyncs, at least \
         {least} summaries each"
    );
    println!("missed {:.0} (at most 0)", more("/checks/missed"));
}

/// Questions at an even pace, on a few connections; each answers with what it asked and how long
/// that took from when it was due.
fn ask_for<'s>(
    scope: &'s std::thread::Scope<'s, '_>,
    address: &'s str,
    seconds: f64,
) -> Vec<std::thread::ScopedJoinHandle<'s, Vec<(bool, f64)>>> {
    const LINES: u32 = 8;
    let start = Instant::now();
    let all = (seconds * f64::from(QUESTIONS)) as u32;
    let ask = move |first: u32| {
        let mut line = Line::to(address);
        let mut times = Vec::new();
        for number in (first..all).step_by(LINES as usize) {
            let due = start + Duration::from_secs_f64(f64::from(number) / f64::from(QUESTIONS));
            if let Some(wait) = due.checked_duration_since(Instant::now()) {
                pause(wait.as_secs_f64());
            }
            let is_page = number % (QUESTIONS / PAGES) == 0;
            let path = if is_page { page(number) } else { "/api/v1/stats".to_owned() };
            line.ask(&path);
            times.push((is_page, due.elapsed().as_secs_f64()));
        }
        times
    };
    (0..LINES).map(|first| scope.spawn(move || ask(first))).collect()
}

fn quantile(values: &mut [f64], quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (values.len() as f64 * quantile) as usize;
    values.get(at.min(last)).copied().unwrap_or(f64::NAN)
}
