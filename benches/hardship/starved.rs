//! Other programs take both cores for a minute.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::figure;
use super::rig::{Poller, Site, pause, setting};
use super::watch::{Watched, tell_verdicts};

/// Plays the scene; a trial is short. `POLLER_BENCH_BURNERS` (8) other programs want the processor,
/// `POLLER_BENCH_ADAPTIVE` (1) is 0 for a daemon that does not adapt.
pub(crate) fn play(is_trial: bool) {
    let (targets, interval, span) = if is_trial { (50, 1.0, 2) } else { (10_000, 4.0, 60) };
    let burners = setting("POLLER_BENCH_BURNERS", if is_trial { 1.0 } else { 8.0 }) as u32;
    let adaptive = if setting("POLLER_BENCH_ADAPTIVE", 1.0) > 0.0 { "on" } else { "off" };
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/d5-50"), interval)));
    let timeout = interval.to_string();
    let arguments = ["--timeout", &timeout, "--adaptive", adaptive];
    let mut poller = Poller::start(&site, &list, &arguments);
    Watched::of(&poller, span / 6 + 1).tell("before");
    let burning = Burners::start(burners);
    Watched::of(&poller, span).tell("starved");
    drop(burning);
    let freed = Instant::now();
    let mut is_back = false;
    while !is_back && freed.elapsed().as_secs() < 60 {
        pause(0.5);
        let summary = poller.summary();
        is_back = summary["places"]["state"] == "ok" && figure(&summary, "/schedule/waiting") < 1.0;
    }
    let took = freed.elapsed().as_secs_f64();
    let word = if is_back { "all is back after" } else { "not all is back after" };
    println!("  {word} {took:.0} s");
    Watched::of(&poller, span / 12 + 1).tell("afterwards");
    poller.stop();
    tell_verdicts(&poller);
}

/// Takes all the processor time that it gets.
pub(crate) fn burn() -> ! {
    let mut sum = 0_u64;
    loop {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
    }
}

/// Programs that want the processor, until this is dropped.
struct Burners(Vec<Child>);

impl Burners {
    fn start(count: u32) -> Self {
        let one = |_| {
            let program = std::env::current_exe().expect("a name");
            Command::new(program).arg("burn").stdin(Stdio::null()).spawn().expect("it starts")
        };
        Self((0..count).map(one).collect())
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
