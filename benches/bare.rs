//! What a poll costs at least: a fleet in a process of its own and the yardstick in another.
//!
//! `cargo bench --bench bare -- --rate 10000 --seconds 10 --path /d5-50 --spread percore:1 --tls`

#![allow(clippy::print_stdout, reason = "a bench prints its result")]

#[path = "support/bare.rs"]
mod bare;
#[path = "../tests/support/fleet.rs"]
mod fleet;

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use bare::{BareOptions, BareTls, Spread};
use clap::Parser;
use fleet::{Certificate, Fleet, address::address};
use serde_json::{Value, json};

/// Measures the processor time of a poll in the leanest loop, and of the fleet that answers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Polls a second.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// For how many seconds; 10 as a bench, 1 as a test.
    #[arg(long)]
    seconds: Option<u32>,
    /// How many addresses to poll in turn.
    #[arg(long, default_value_t = 10_000)]
    targets: u32,
    /// What to ask for.
    #[arg(long, default_value = "/")]
    path: String,
    /// Over TLS, with the certificate verified and no resumption.
    #[arg(long)]
    tls: bool,
    /// `shared:THREADS` or `percore:THREADS`.
    #[arg(long, default_value = "percore:1", value_parser = spread)]
    spread: Spread,
    /// Threads of the fleet.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Serves a fleet until standard input ends (used by the bench itself).
    #[arg(long, hide = true)]
    serve: bool,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn spread(text: &str) -> Result<Spread, String> {
    let wrong = || "write shared:2 or percore:1".to_owned();
    let (kind, threads) = text.split_once(':').ok_or_else(wrong)?;
    let threads = threads.parse::<usize>().map_err(|_| wrong())?.max(1);
    match kind {
        "shared" => Ok(Spread::Shared(threads)),
        "percore" => Ok(Spread::PerCore(threads)),
        _ => Err(wrong()),
    }
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if arguments.serve { serve(&arguments) } else { measure(&arguments) }
}

/// Prints where the fleet is, and at the end of standard input what it cost.
fn serve(arguments: &Arguments) -> io::Result<()> {
    let options = fleet::Options { threads: arguments.threads, ..fleet::Options::default() };
    let fleet = Fleet::start(options)?;
    let port = if arguments.tls { fleet.https_port(Certificate::Good) } else { fleet.http_port() };
    println!("{}", json!({"port": port, "ca": fleet.ca_pem()}));
    let before = bare::cpu_seconds();
    io::stdin().read_line(&mut String::new())?;
    let cpu = bare::cpu_seconds() - before;
    println!("{}", json!({"cpu": cpu, "fleet": fleet.statistics().to_json()}));
    Ok(())
}

fn measure(arguments: &Arguments) -> io::Result<()> {
    let mut server = server(arguments)?;
    let mut lines = BufReader::new(server.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
    let hello = line(lines.next())?;
    let port = hello["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    let ca_pem = hello["ca"].as_str().unwrap_or_default().to_owned();
    let report = bare::run(BareOptions {
        rate: arguments.rate,
        seconds: arguments.seconds.unwrap_or(if arguments.bench { 10 } else { 1 }),
        addresses: (0..arguments.targets).map(|number| bare::at(address(number), port)).collect(),
        path: arguments.path.clone(),
        tls: arguments.tls.then(|| BareTls { ca_pem, name: "fleet.test".to_owned() }),
        spread: arguments.spread,
    })?;
    drop(server.stdin.take());
    let end = line(lines.next())?;
    server.wait()?;
    let polls = u32::try_from(report.polls + report.failed).unwrap_or(u32::MAX);
    println!(
        "{} polls, {} failed, in {:.2} s; CPU a poll: yardstick {:.1} µs, fleet {:.1} µs",
        report.polls,
        report.failed,
        report.seconds,
        report.cpu_us_per_poll(),
        end["cpu"].as_f64().unwrap_or(0.0) * 1e6 / f64::from(polls.max(1)),
    );
    if let Some(error) = &report.first_error {
        println!("the first failure: {error}");
    }
    let delay = &end["fleet"]["delay_us"];
    let most = &end["fleet"]["most_in_flight"];
    println!(
        "fleet: delay p50 {} p99 {} max {} µs, at most {most} in flight",
        delay["p50"], delay["p99"], delay["max"]
    );
    Ok(())
}

fn server(arguments: &Arguments) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--serve").arg("--threads").arg(arguments.threads.to_string());
    if arguments.tls {
        command.arg("--tls");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

fn line(line: Option<io::Result<String>>) -> io::Result<Value> {
    Ok(serde_json::from_str(&line.ok_or(io::ErrorKind::UnexpectedEof)??)?)
}
