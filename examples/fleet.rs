//! Serves a fleet of targets on loopback and writes a list of them for poller.
//!
//! `cargo run --release --example fleet -- --targets 10000 --interval 10s --names 50%`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

#[path = "../tests/support/fleet.rs"]
mod fleet;

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use clap::Parser;
use fleet::list::Wishes;
use fleet::{Fleet, Options, Snapshot};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Serves as many targets on loopback as wanted, and writes a list and settings for poller.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many targets.
    #[arg(long, default_value_t = 10_000)]
    targets: u32,
    /// How often each shall be polled.
    #[arg(long, default_value = "10s", value_parser = duration)]
    interval: Duration,
    /// The share called by name, which needs the settings written beside the list.
    #[arg(long, default_value = "0%", value_parser = share)]
    names: f64,
    /// The delay of the answers in milliseconds, as 5 or 5-50.
    #[arg(long, default_value = "0", value_parser = range)]
    latency: (u32, u32),
    /// Statuses and their weights, as 200=95,404=3,500=2.
    #[arg(long, value_delimiter = ',', value_parser = weight)]
    statuses: Vec<(u16, f64)>,
    /// The share over TLS, called by name.
    #[arg(long, default_value = "0%", value_parser = share)]
    tls: f64,
    /// The share that misbehaves.
    #[arg(long, default_value = "0%", value_parser = share)]
    faults: f64,
    /// Threads that serve.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// How long DNS answers hold, in seconds.
    #[arg(long, default_value_t = 60)]
    dns_ttl: u32,
    /// Where the list is written.
    #[arg(long, default_value = "fleet.json")]
    list: PathBuf,
    /// Where the settings are written; the root certificate goes beside them, as .pem.
    #[arg(long, default_value = "fleet.toml")]
    settings: PathBuf,
    /// Ends after this time.
    #[arg(long = "for", value_parser = duration)]
    time: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "write 10s, 5m or 1h".to_owned())?;
    match unit {
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        _ => Err("write 10s, 5m or 1h".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let number: Result<f64, _> = text.trim_end_matches('%').parse();
    match number {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("write a share from 0% to 100%".to_owned()),
    }
}

fn range(text: &str) -> Result<(u32, u32), String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) if low <= high => Ok((low, high)),
        _ => Err("write milliseconds, as 5 or 5-50".to_owned()),
    }
}

fn weight(text: &str) -> Result<(u16, f64), String> {
    let (status, weight) = text.split_once('=').unwrap_or((text, "1"));
    match (status.parse(), weight.parse()) {
        (Ok(status @ 200..=599), Ok(weight)) if weight >= 0.0 => Ok((status, weight)),
        _ => Err("write a status and its weight, as 404=3".to_owned()),
    }
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    raise_descriptor_limit();
    let options = Options { threads: arguments.threads, dns_ttl: arguments.dns_ttl };
    let fleet = Fleet::start(options)?;
    write_files(&fleet, &arguments)?;
    introduce(&fleet, &arguments);
    watch(&fleet, arguments.time)?;
    println!("{:#}", figures(&fleet.statistics()));
    Ok(())
}

/// Lets the fleet hold as many connections as this process may.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        eprintln!("the limit of open files stays as it is: {error}");
    }
}

fn write_files(fleet: &Fleet, arguments: &Arguments) -> io::Result<()> {
    let wishes = Wishes {
        targets: arguments.targets,
        interval_seconds: arguments.interval.as_secs(),
        names: arguments.names,
        latency_ms: arguments.latency,
        statuses: arguments.statuses.clone(),
        tls: arguments.tls,
        faults: arguments.faults,
    };
    let ca = std::path::absolute(arguments.settings.with_extension("pem"))?;
    fs::write(&arguments.list, fleet.list_json(&wishes))?;
    fs::write(&ca, fleet.ca_pem())?;
    fs::write(
        &arguments.settings,
        format!(
            "resolver = \"{}\"\nca = {}\n",
            fleet.dns_address(),
            serde_json::Value::from(ca.to_string_lossy())
        ),
    )
}

fn introduce(fleet: &Fleet, arguments: &Arguments) {
    println!("fleet of {} targets, first {}", arguments.targets, fleet.url(0, "/"));
    println!("DNS for fleet.test at {}", fleet.dns_address());
    println!("a port that answers no SYN: {}", fleet.blackhole_port());
    println!("figures: http://127.0.0.1:{}/_stats", fleet.http_port());
    println!();
    println!(
        "poller --start --urls {} --config {}",
        arguments.list.display(),
        arguments.settings.display()
    );
}

/// Waits for a signal or the end of the time; a line each second where somebody looks.
fn watch(fleet: &Fleet, time: Option<Duration>) -> io::Result<()> {
    let (stop, stopped) = sync_channel(1);
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let handle = signals.handle();
    let listener = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            let _ = stop.send(());
        }
        // Kept until the handle closes, so that a wait never ends for want of a sender.
        signals.forever().for_each(drop);
    })?;
    let (began, mut before) = (Instant::now(), fleet.statistics());
    while time.is_none_or(|time| began.elapsed() < time) {
        let left = time.map_or(Duration::MAX, |time| time.saturating_sub(began.elapsed()));
        match stopped.recv_timeout(left.min(Duration::from_secs(1))) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
        if io::stderr().is_terminal() {
            let now = fleet.statistics();
            eprintln!("{}", status(&now, &before));
            before = now;
        }
    }
    handle.close();
    let _ = listener.join();
    Ok(())
}

fn status(now: &Snapshot, before: &Snapshot) -> String {
    let since = |now: u64, before: u64| now.saturating_sub(before);
    format!(
        "{} requests ({} in the last second), {} in flight, {} queries, delay p50 {} µs p99 {} µs",
        now.requests,
        since(now.requests, before.requests),
        now.in_flight,
        now.queries,
        now.quantile_us(0.5).unwrap_or(0),
        now.quantile_us(0.99).unwrap_or(0),
    )
}

/// The figures without the single buckets.
fn figures(snapshot: &Snapshot) -> serde_json::Value {
    let mut figures = snapshot.to_json();
    if let Some(delay) = figures["delay_us"].as_object_mut() {
        delay.remove("buckets");
    }
    figures
}
