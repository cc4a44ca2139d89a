//! `LatencyChart`: how long the polls of the fleet took over time, for curves and heat maps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::rfc3339;
use crate::stats::{Grain, Sketch};

/// Upper bounds of the buckets of a heat map, in microseconds; the last one holds whatever a poll
/// may take.
const BOUNDS_US: [u32; 16] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    u32::MAX,
];

/// How long the polls of the fleet took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LatencyChart {
    /// Seconds of each step.
    pub step_seconds: u64,
    /// The steps in which polls were answered, the oldest first; the last one may not be over.
    pub points: Vec<LatencyPoint>,
}

/// How long the answered polls of one step took, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LatencyPoint {
    /// When it begins.
    pub at: String,
    /// Polls that got an answer.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: f64,
    /// 90 % of them took no longer.
    pub p90: f64,
    /// 99 % of them took no longer.
    pub p99: f64,
    /// The longest, exact.
    pub max: f64,
    /// How many took how long: the upper bound of each bucket in seconds, the same in every answer,
    /// and the polls between the bound before and this one. Buckets without polls are left out.
    pub buckets: Vec<(f64, u64)>,
}

impl LatencyPoint {
    /// The step that begins at `at_s` (Unix seconds), of polls that `latency` counted.
    #[must_use]
    pub fn of(at_s: i64, latency: &Sketch, grain: Grain, max_us: u32) -> Self {
        let seconds = |us: u32| f64::from(us) / 1e6;
        let quantile =
            |share| seconds(latency.quantile(share, grain).map_or(0, |us| us.min(max_us)));
        let mut buckets: Vec<(f64, u64)> = Vec::new();
        for (bucket, count) in latency.iter() {
            let us = grain.middle(bucket);
            let bound = BOUNDS_US.iter().find(|bound| us <= **bound).copied().unwrap_or(u32::MAX);
            match buckets.last_mut() {
                Some((last, sum)) if *last >= seconds(bound) => *sum += u64::from(count),
                _ => buckets.push((seconds(bound), u64::from(count))),
            }
        }
        Self {
            at: rfc3339(at_s * 1_000),
            count: latency.count(),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: seconds(max_us),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_stands_in_the_bucket_of_its_latency() {
        let mut sketch = Sketch::default();
        for us in [10, 900, 1_500, 80_000, 90_000, 400_000_000] {
            sketch.add(Grain::Fine.bucket(us));
        }
        let point = LatencyPoint::of(60, &sketch, Grain::Fine, 400_000_000);
        let last = 4_294.967_295;
        assert_eq!(point.buckets, [(0.001, 2), (0.002, 1), (0.1, 2), (last, 1)]);
        assert_eq!(
            (point.count, point.max, point.at.as_str()),
            (6, 400.0, "1970-01-01T00:01:00.000Z")
        );
    }
}
