//! What becomes of 10,000 names while their name server is dead for half a minute: nothing turns
//! down, and the server gets fewer questions than there are names.
//!
//! `cargo bench --bench names`; `POLLER_BENCH_TARGETS` (10000), `POLLER_BENCH_SECONDS` (30),
//! `POLLER_BENCH_INTERVAL` (10).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "support/rig.rs"]
mod rig;

use rig::{Poller, Site, pause, setting};
use serde_json::Value;

/// How long the fleet's addresses hold, in seconds.
const TTL: f64 = 60.0;

fn main() {
    if rig::plays_a_part() {
        return;
    }
    let is_trial = rig::is_a_trial();
    let seconds = setting("POLLER_BENCH_SECONDS", if is_trial { 2.0 } else { 30.0 });
    let targets = setting("POLLER_BENCH_TARGETS", if is_trial { 50.0 } else { 10_000.0 }) as u32;
    let interval = setting("POLLER_BENCH_INTERVAL", if is_trial { 1.0 } else { 10.0 });
    let healthy = if is_trial { 2.0 } else { 2.0 * TTL };
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.named(target, "/"), interval)));
    let mut poller = Poller::start(&site, &list, &[]);
    pause(2.0 * interval);
    println!("{targets} names every {interval} s, their addresses hold for {TTL} s:");
    watch("all is well", &site, &poller, healthy);
    site.ask("PUT", "/_dns?dead=true");
    watch("it is dead", &site, &poller, seconds);
    site.ask("PUT", "/_dns?dead=false");
    watch("it is back", &site, &poller, seconds);
    println!("  targets that ever turned down: {}", down(&poller));
    poller.stop();

    // The same for names that were never known.
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.named(target, "/"), interval)));
    site.ask("PUT", "/_dns?dead=true");
    let mut poller = Poller::start(&site, &list, &[]);
    println!("and when nothing is known of them:");
    watch("it is dead", &site, &poller, seconds);
    site.ask("PUT", "/_dns?dead=false");
    watch("it is back", &site, &poller, seconds);
    println!("  targets that ever turned down: {}", down(&poller));
    poller.stop();
}

/// Lets `seconds` pass, and tells what the name server was asked and what polls found meanwhile.
fn watch(what: &str, site: &Site, poller: &Poller, seconds: f64) {
    site.reset();
    let (mut before, mut busiest, mut most_down) = (0.0, 0.0_f64, 0);
    let mut summary = Value::Null;
    for _ in 0..seconds as u32 {
        pause(1.0);
        let queries = site.figures()["queries"].as_f64().unwrap_or(f64::NAN);
        busiest = busiest.max(queries - before);
        before = queries;
        summary = poller.summary();
        most_down = most_down.max(summary["targets"]["down"].as_u64().unwrap_or(u64::MAX));
    }
    println!(
        "  {what}, {seconds} s: {before} queries, {:.1} a second, {busiest} at most; {} up, \
         {} unknown, {most_down} down at most; missed {}, lag p99 {:.1} ms",
        before / seconds,
        summary["targets"]["up"],
        summary["targets"]["unknown"],
        summary["checks"]["missed"],
        summary["schedule"]["lag_p99"].as_f64().unwrap_or(f64::NAN) * 1e3,
    );
}

/// Targets that turned down at any time, and what polls found that did not find them up.
fn down(poller: &Poller) -> String {
    let incidents = poller.number("SELECT count(*) FROM incidents");
    let failed = "SELECT count(*) FROM checks WHERE verdict = 'down'";
    let ours = "SELECT count(*) FROM checks WHERE cause = 'resolver'";
    let others = "SELECT count(*) FROM checks WHERE verdict != 'up' AND cause != 'resolver'";
    let [failed, ours, others] = [failed, ours, others].map(|query| poller.number(query));
    format!(
        "{incidents}; polls that failed: {failed}, by resolver: {ours}, by other causes: {others}"
    )
}
