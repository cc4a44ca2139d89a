//! `Plan`: what a list would mean for this machine, before anything is started.

use crate::target::Target;

/// Seconds of the period that is looked at for the busiest one.
const HOUR_S: usize = 3_600;
/// Launches that are laid out at most; a busier list is looked at for a shorter time.
const MOST_LAUNCHES: f64 = 50_000_000.0;

/// The load that a list brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Polls a second, on average.
    pub per_second: f64,
    /// Launches in the busiest second of the next hour.
    pub busiest_second: u32,
    /// What chance alone would bring there: mean + 5·√mean.
    pub expected_busiest: f64,
    /// Polls in flight when every target times out.
    pub places_when_all_time_out: f64,
    /// Polls in flight when one target in a hundred does, and the others answer in 0.2 s.
    pub places_usually: f64,
}

/// Lays out the launches of `targets` from `now_ms` (Unix milliseconds) on.
#[must_use]
pub(super) fn load(targets: &[Target], now_ms: i64) -> Load {
    let per_second: f64 = targets.iter().map(per_second).sum();
    let all: f64 = targets.iter().map(|target| busy(target, timeout_s(target))).sum();
    let usual: f64 = targets
        .iter()
        .map(|target| {
            busy(target, 0.01 * timeout_s(target) + 0.99 * 0.2_f64.min(timeout_s(target)))
        })
        .sum();
    Load {
        per_second,
        busiest_second: busiest_second(targets, per_second, now_ms),
        expected_busiest: per_second + 5.0 * per_second.sqrt(),
        places_when_all_time_out: all.ceil(),
        places_usually: usual.ceil(),
    }
}

fn per_second(target: &Target) -> f64 {
    1_000.0 / f64::from(target.every_ms.max(1))
}

fn timeout_s(target: &Target) -> f64 {
    f64::from(target.timeout_ms) / 1_000.0
}

/// The places that a target takes on average when its polls take `seconds`: never more than one.
fn busy(target: &Target, seconds: f64) -> f64 {
    (seconds * per_second(target)).min(1.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a number of seconds from 1 to 3,600"
)]
fn busiest_second(targets: &[Target], per_second: f64, now_ms: i64) -> u32 {
    let seconds = (MOST_LAUNCHES / per_second.max(1.0)).clamp(1.0, HOUR_S as f64) as usize;
    let until_ms = now_ms + 1_000 * seconds.cast_signed() as i64;
    let mut launches = vec![0_u32; seconds];
    for target in targets {
        let mut due_ms = target.due_at_or_after(now_ms);
        while due_ms < until_ms {
            let second = usize::try_from((due_ms - now_ms) / 1_000).unwrap_or(0);
            if let Some(count) = launches.get_mut(second) {
                *count += 1;
            }
            due_ms += i64::from(target.every_ms.max(1));
        }
    }
    launches.into_iter().max().unwrap_or(0)
}
