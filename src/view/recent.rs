//! The last five minutes as the summary tells them, whoever kept them.

use super::{CauseCount, CodeCount, Delay, Phase, Phases, Quantiles, Schedule, Slow, Summary};
use crate::clock::rfc3339;
use crate::outcome::Code;
use crate::stats::{Dense, Extreme, Recent};
use crate::store::Totals;

/// Codes that the summary names.
const TOP_CODES: usize = 5;

/// Fills in all that `summary` tells of the last five minutes, as of `now_s` (Unix seconds); `url`
/// knows the address of a number.
pub fn tell(summary: &mut Summary, recent: &Recent, url: impl Fn(u32) -> String, now_s: i64) {
    summary.checks.last_5m = recent.checks();
    summary.checks.per_second = per_second(recent, now_s);
    summary.largest_delay_5m = recent.largest().map(|extreme| delay(&url, &extreme));
    summary.largest_answered_5m = recent.largest_answered().map(|extreme| delay(&url, &extreme));
    summary.slowest_5m = recent.slowest().iter().map(|extreme| slow(&url, extreme)).collect();
    summary.latency_5m = quantiles(recent);
    summary.phases_5m = phases(recent.phases());
    summary.causes_5m = causes(recent);
    summary.schedule = schedule(recent);
}

/// The most frequent codes of all stored polls.
#[must_use]
pub fn top_codes(totals: &Totals) -> Vec<CodeCount> {
    let mut codes: Vec<_> = totals.codes.iter().collect();
    codes.sort_by_key(|&(&code, &count)| (std::cmp::Reverse(count), code));
    let told = codes.into_iter().take(TOP_CODES);
    told.map(|(&code, &count)| CodeCount { code: Code::from_stored(code).to_string(), count })
        .collect()
}

fn delay(url: impl Fn(u32) -> String, extreme: &Extreme) -> Delay {
    Delay {
        url: url(extreme.target),
        seconds: seconds(u64::from(extreme.latency_us)),
        code: extreme.code.to_string(),
        at: rfc3339(extreme.at_ms),
    }
}

fn slow(url: impl Fn(u32) -> String, extreme: &Extreme) -> Slow {
    Slow { url: url(extreme.target), seconds: seconds(u64::from(extreme.latency_us)) }
}

fn schedule(recent: &Recent) -> Schedule {
    let lag_max_us = recent.lag_max_us().unwrap_or(0);
    let lag =
        |quantile| seconds(u64::from(recent.lag().quantile(quantile).unwrap_or(0).min(lag_max_us)));
    Schedule {
        lag_p50: lag(0.5),
        lag_p99: lag(0.99),
        lag_max: seconds(u64::from(lag_max_us)),
        waiting: 0,
        polite: 0,
        state: "ok".into(),
    }
}

fn per_second(recent: &Recent, now_s: i64) -> f64 {
    let span = seconds(recent.span_s(now_s).cast_unsigned() * 1_000_000);
    (as_f64(recent.checks()) / span * 10.0).round() / 10.0
}

fn quantiles(recent: &Recent) -> Quantiles {
    let max_us = recent.largest_answered().map_or(0, |extreme| extreme.latency_us);
    let of =
        |quantile| seconds(u64::from(recent.latency().quantile(quantile).unwrap_or(0).min(max_us)));
    Quantiles {
        p50: of(0.5),
        p90: of(0.9),
        p99: of(0.99),
        max: seconds(u64::from(max_us)),
        count: recent.latency().count(),
    }
}

fn phases(phases: &[Dense; 5]) -> Phases {
    let phase = |dense: &Dense| Phase {
        p50: seconds(u64::from(dense.quantile(0.5).unwrap_or(0))),
        p99: seconds(u64::from(dense.quantile(0.99).unwrap_or(0))),
    };
    let [resolve, connect, tls, first_byte, transfer] = phases.each_ref().map(phase);
    Phases { resolve, connect, tls, first_byte, transfer }
}

fn causes(recent: &Recent) -> Vec<CauseCount> {
    let shown = recent.causes().into_iter();
    shown
        .map(|((cause, permanent), count)| CauseCount {
            cause: cause.as_str().into(),
            permanent,
            count,
        })
        .collect()
}

/// `us` microseconds in seconds.
#[must_use]
pub fn seconds(us: u64) -> f64 {
    std::time::Duration::from_micros(us).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
