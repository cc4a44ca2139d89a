//! `Count`: which echoes came back, and how long they took.

use std::time::Duration;

use tokio::time::Instant;

/// The echoes of one check, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Count {
    sent: Vec<Instant>,
    trips: Vec<Option<Duration>>,
    received: usize,
}

/// How long echoes took to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trips {
    pub(super) min: Duration,
    pub(super) mean: Duration,
    pub(super) max: Duration,
    /// By how much one differs from the one before, on average; none of a single one.
    pub(super) jitter: Option<Duration>,
}

impl Count {
    /// The number of the next request.
    pub(super) fn next(&self) -> u16 {
        u16::try_from(self.sent.len()).unwrap_or(u16::MAX)
    }

    /// Notes that the next request went out at `now`.
    pub(super) fn send(&mut self, now: Instant) {
        self.sent.push(now);
        self.trips.push(None);
    }

    /// Notes that the echo of this number came back at `now`, for the first time.
    pub(super) fn receive(&mut self, number: u16, now: Instant) {
        let place = usize::from(number);
        if let (Some(sent), Some(trip @ None)) = (self.sent.get(place), self.trips.get_mut(place)) {
            *trip = Some(now.saturating_duration_since(*sent));
            self.received += 1;
        }
    }

    pub(super) fn sent(&self) -> usize {
        self.sent.len()
    }

    pub(super) fn received(&self) -> usize {
        self.received
    }

    /// How many of a hundred echoes did not come back.
    pub(super) fn loss_percent(&self) -> f64 {
        let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let lost = self.sent() - self.received;
        100.0 * count(lost) / count(self.sent()).max(1.0)
    }

    /// How long echoes took; none when none came back.
    pub(super) fn trips(&self) -> Option<Trips> {
        let trips: Vec<Duration> = self.trips.iter().copied().flatten().collect();
        let steps: Vec<Duration> = trips
            .iter()
            .zip(trips.iter().skip(1))
            .map(|(left, right)| left.abs_diff(*right))
            .collect();
        let (min, max) = (*trips.iter().min()?, *trips.iter().max()?);
        Some(Trips { min, mean: mean(&trips)?, max, jitter: mean(&steps) })
    }
}

fn mean(times: &[Duration]) -> Option<Duration> {
    let count = u32::try_from(times.len()).ok().filter(|&count| count > 0)?;
    Some(times.iter().sum::<Duration>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Echoes that went out at once, of which those came back that took so long.
    fn count(trips: &[Option<u32>]) -> Count {
        let (mut count, now) = (Count::default(), Instant::now());
        for _ in trips {
            count.send(now);
        }
        for (number, trip) in (0..).zip(trips) {
            if let Some(trip) = trip {
                count.receive(number, now + MS * *trip);
            }
        }
        count
    }

    #[test]
    fn round_trips_are_summed_up() {
        let trips = count(&[Some(2), None, Some(6), Some(1)]).trips().expect("some came back");
        assert_eq!((trips.min, trips.mean, trips.max), (MS, MS * 3, MS * 6));
        assert_eq!(trips.jitter, Some(MS * 9 / 2));
        assert_eq!(count(&[Some(2)]).trips().and_then(|trips| trips.jitter), None);
        assert_eq!(count(&[None]).trips(), None);
    }

    #[test]
    fn an_echo_counts_once_and_one_of_no_request_never() {
        let mut count = count(&[Some(1), None, None]);
        for number in [0, 0, 3, u16::MAX] {
            count.receive(number, Instant::now());
        }
        assert_eq!((count.sent(), count.received()), (3, 1));
        assert!((count.loss_percent() - 200.0 / 3.0).abs() < 1e-9);
        assert_eq!(Count::default().loss_percent().to_bits(), 0.0_f64.to_bits());
    }
}
