//! What a file of checks costs that is run once: time and CPU over 10,000 websites beside the
//! daemon's at 10,000 polls a second, memory over 100,000, and how much faster workers are than one.
//!
//! `cargo bench --bench batch`; `POLLER_BENCH_CASE` (all of `cost`, `memory`, `speed`).

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and fails loudly")]

#[path = "support/rig.rs"]
mod rig;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rig::{Poller, Site, is_a_trial, median, pause};
use serde_json::Value;

/// Bounds of the issue: seconds of checking, CPU over the daemon's, megabytes.
const LONGEST_S: f64 = 2.0;
const DEAREST: f64 = 1.2;
const LARGEST_MB: f64 = 120.0;

/// What a run came to.
struct Ran {
    wall_s: f64,
    /// As the run itself tells it, without the start of its process.
    told_s: f64,
    cpu_s: f64,
    peak_mb: f64,
    results: Value,
}

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let wanted = std::env::var("POLLER_BENCH_CASE").unwrap_or_default();
    let site = Site::start();
    let is_trial = is_a_trial();
    if "cost".contains(&wanted) {
        cost(&site, is_trial);
    }
    if "memory".contains(&wanted) {
        memory(&site, if is_trial { 1_000 } else { 100_000 });
    }
    if "speed".contains(&wanted) {
        speed(&site, if is_trial { 20 } else { 600 });
    }
}

fn cost(site: &Site, is_trial: bool) {
    let count = if is_trial { 100 } else { 10_000 };
    let file = checks(site, count, "/");
    let mut runs: Vec<Ran> = (0..if is_trial { 1 } else { 5 })
        .map(|_| run(site, &file, &["--max-workers", "1000"]))
        .collect();
    runs.sort_by(|left, right| left.told_s.total_cmp(&right.told_s));
    let mut cpu: Vec<f64> = runs.iter().map(|run| run.cpu_s * 1e6 / f64::from(count)).collect();
    let cpu = median(&mut cpu);
    let middle = runs.get(runs.len() / 2).expect("a run");
    let (listed, in_order) = order(&middle.results, count);
    println!(
        "{count} websites, 1,000 workers: {:.2} s of checking (bound {LONGEST_S}), {:.2} s in all, \
         {cpu:.1} us of CPU a check, {listed} results, in order: {in_order}",
        middle.told_s, middle.wall_s
    );
    if is_trial {
        return;
    }
    let list = site.list((0..count).map(|target| (site.url(target, "/"), 1.0)));
    let mut daemon = Poller::start(site, &list, &[]);
    pause(5.0);
    let of_daemon = daemon.cost(10.0);
    daemon.stop();
    let ratio = cpu / of_daemon;
    println!(
        "the daemon at {count}/s: {of_daemon:.1} us a poll; ratio {ratio:.2} (bound {DEAREST})"
    );
}

fn memory(site: &Site, count: u32) {
    let file = checks(site, count, "/");
    let ran = run(site, &file, &["--max-workers", "1000"]);
    let (listed, in_order) = order(&ran.results, count);
    println!(
        "{count} websites: {:.1} MB at most (bound {LARGEST_MB}), {:.1} s, {listed} results, in \
         order: {in_order}",
        ran.peak_mb, ran.told_s
    );
}

fn speed(site: &Site, count: u32) {
    let file = checks(site, count, "/d100/");
    let alone = run(site, &file, &["--parallel=false"]);
    println!("{count} targets of 100 ms, one after the other: {:.2} s", alone.told_s);
    for (workers, bound) in [("3", 2.9), ("10", 9.5), ("100", 90.0)] {
        let ran = run(site, &file, &["--max-workers", workers]);
        let is_same = verdicts(&ran.results) == verdicts(&alone.results);
        println!(
            "{workers} workers: {:.2} s, {:.1} times (bound {bound}), same verdicts: {is_same}",
            ran.told_s,
            alone.told_s / ran.told_s
        );
    }
}

/// A file of `count` checks of targets at `path`.
fn checks(site: &Site, count: u32, path: &str) -> PathBuf {
    let mut text = String::from("[\n");
    for index in 0..count {
        let comma = if index > 0 { ",\n" } else { "" };
        let url = site.url(index % 10_000, path);
        let _ = write!(
            text,
            "{comma}{{\"id\":\"c{index}\",\"plugin_type\":\"website_status\",\
             \"config\":{{\"url\":\"{url}\"}}}}"
        );
    }
    text.push_str("\n]\n");
    let file = site.room.path().join("checks.json");
    std::fs::write(&file, text).expect("it can be written");
    file
}

fn run(site: &Site, file: &Path, arguments: &[&str]) -> Ran {
    let output = site.room.path().join("results.json");
    let began = Instant::now();
    let mut child = Command::new("bash")
        .args(["-c", "TIMEFORMAT='%U %S'; time \"$@\"", "bash", env!("CARGO_BIN_EXE_poller")])
        .args(["batch", "--output"])
        .args([&output, file])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("poller starts");
    let mut peak_mb: f64 = 0.0;
    while child.try_wait().expect("it can be waited for").is_none() {
        peak_mb = peak_mb.max(peak_of_child(child.id()));
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let wall_s = began.elapsed().as_secs_f64();
    let told = child.wait_with_output().expect("it has ended").stderr;
    let told = String::from_utf8_lossy(&told).into_owned();
    let times = told.lines().last().unwrap_or_default();
    let cpu_s = times.split_whitespace().filter_map(|time| time.parse::<f64>().ok()).sum();
    let text = std::fs::read(&output).expect("the results are there");
    let results: Value = serde_json::from_slice(&text).expect("JSON");
    let told_s = results["summary"]["duration"].as_f64().unwrap_or(f64::NAN);
    Ran { wall_s, told_s, cpu_s, peak_mb, results }
}

/// The most memory that the shell's child has taken, in megabytes.
fn peak_of_child(shell: u32) -> f64 {
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let child = children.unwrap_or_default().trim().to_owned();
    let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1_024.0
}

/// How many results there are that are a success, and whether all are in order.
fn order(results: &Value, count: u32) -> (usize, bool) {
    let list = results["results"].as_array().map_or(&[][..], Vec::as_slice);
    let good = list.iter().filter(|result| result["status"] == "success").count();
    let in_order = list.len() == count as usize
        && list.iter().enumerate().all(|(index, result)| result["id"] == format!("c{index}"));
    (good, in_order)
}

fn verdicts(results: &Value) -> Vec<Value> {
    let list = results["results"].as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|result| result["raw_data"]["verdict"].clone()).collect()
}
