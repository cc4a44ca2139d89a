//! What the dispatcher holds in memory: so many bytes a target, and nothing for the jobs it has made.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a measurement that prints")]

use poller::queue::{Full, JobSink, Mark, Settled, Slot};
use poller::stage::dispatch::{Dispatch, JobTarget, ShardTargets, Taken};
use poller::target::TargetId;

const TARGETS: u32 = 300_000;
const SHARDS: u32 = 64;
const START: i64 = 1_700_000_000_000;

/// Takes all and remembers how many that were.
#[derive(Default)]
struct Counted(u64);

impl JobSink for Counted {
    fn offer(&mut self, _: u32, _: &Slot<'_>) -> Result<(), Full> {
        self.0 += 1;
        Ok(())
    }

    fn miss(&mut self, _: u32, _: &Slot<'_>) -> Result<(), Full> {
        Ok(())
    }

    fn mark(&self, _: u32) -> Mark {
        Mark { jobs: self.0, missed: 0 }
    }

    fn settled(&self, _: u32, _: Mark) -> Settled {
        Settled::NotYet
    }

    fn restart(&mut self, _: u32) {}
}

/// What this process holds in memory, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kilobytes * 1_024
}

#[test]
fn memory_grows_with_targets_and_not_with_jobs() {
    let before = resident();
    let (mut dispatch, mut sink) = (Dispatch::default(), Counted::default());
    for shard in 0..SHARDS {
        let mut targets = ShardTargets::default();
        for number in (shard..TARGETS).step_by(SHARDS as usize) {
            let id = TargetId(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let fixed = vec![7; 80].into_boxed_slice();
            targets.push(JobTarget {
                id,
                fixed,
                number,
                every_ms: 60_000,
                since_s: 0,
                locations: 0,
            });
        }
        targets.close();
        dispatch.take(Taken { shard, epoch: 1, until_ms: START, targets }, &mut sink);
    }
    let filled = resident();
    let each = (filled - before) / u64::from(TARGETS);
    println!("{each} bytes a target");
    assert!(each <= 200, "{each} bytes a target, of which 80 are its own");
    for now in (START..START + 600_000).step_by(100) {
        dispatch.turn(now, |_, _| true, &mut sink);
    }
    let grown = resident().saturating_sub(filled);
    println!("{grown} bytes for {} jobs", sink.0);
    assert!(sink.0 > 8 * u64::from(TARGETS), "{}", sink.0);
    assert!(grown < 8_000_000, "{grown} bytes for {} jobs", sink.0);
}
