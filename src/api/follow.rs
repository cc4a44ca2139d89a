//! `Feed`: finished polls told to whoever follows, without ever waiting for a follower.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_stream::Stream;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::outcome::{Cause, Outcome};

/// Lines a follower gets in one second; the rest is counted.
const LINES_PER_SECOND: u32 = 1_000;
/// Lines that may wait for a follower.
const WAITING: usize = 2_048;
/// Followers at a time.
const FOLLOWERS: usize = 16;

/// The line of a finished poll, as `2026-11-22 10:33:20 - http://cnn.com - 231274 Bytes`; one
/// without an answer names its cause instead of the size.
#[must_use]
pub fn finished_line(url: &str, outcome: &Outcome) -> String {
    let finding = &outcome.finding;
    let time = DateTime::from_timestamp_micros(outcome.finished_us).unwrap_or_default();
    let time = time.format("%Y-%m-%d %H:%M:%S");
    match finding.cause {
        None => {
            let least = if finding.is_at_least { "at least " } else { "" };
            format!("{time} - {url} - {least}{} Bytes", finding.bytes)
        }
        Some(Cause::Status) => format!("{time} - {url} - status {}", finding.status),
        Some(cause) if finding.detail.as_str().is_empty() => format!("{time} - {url} - {cause}"),
        Some(cause) => format!("{time} - {url} - {cause} ({})", finding.detail),
    }
}

/// Where finished polls are told; it costs next to nothing while nobody follows.
#[derive(Debug, Default)]
pub struct Feed {
    followers: AtomicUsize,
    places: Mutex<Vec<Place>>,
}

#[derive(Debug)]
struct Place {
    lines: mpsc::Sender<Arc<str>>,
    skipped: Arc<AtomicU64>,
    second: i64,
    in_second: u32,
}

/// All places are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{FOLLOWERS} follow already, and there is room for no more")]
pub struct TooManyFollowers;

impl Feed {
    /// Whether anybody follows.
    #[must_use]
    pub fn has_followers(&self) -> bool {
        self.followers.load(Ordering::Relaxed) > 0
    }

    /// Tells that a poll finished in the Unix second `second`; `line` is made only if somebody
    /// will read it. Never waits.
    pub fn publish(&self, second: i64, line: impl FnOnce() -> String) {
        if self.followers.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut made: Option<Arc<str>> = None;
        let mut line = Some(line);
        let mut places = self.places.lock();
        places.retain_mut(|place| {
            if place.lines.is_closed() {
                return false;
            }
            if place.has_budget(second) {
                if let Some(line) = line.take() {
                    made = Some(line().into());
                }
                let sent = made.clone().map(|line| place.lines.try_send(line).is_ok());
                if sent == Some(true) {
                    return true;
                }
            }
            place.skipped.fetch_add(1, Ordering::Relaxed);
            true
        });
        self.followers.store(places.len(), Ordering::Relaxed);
    }

    /// Begins to follow.
    ///
    /// # Errors
    /// When all places are taken.
    pub fn subscribe(&self) -> Result<Subscription, TooManyFollowers> {
        let (sender, lines) = mpsc::channel(WAITING);
        let skipped = Arc::new(AtomicU64::new(0));
        let mut places = self.places.lock();
        places.retain(|place| !place.lines.is_closed());
        if places.len() >= FOLLOWERS {
            return Err(TooManyFollowers);
        }
        let counter = Arc::clone(&skipped);
        places.push(Place { lines: sender, skipped: counter, second: 0, in_second: 0 });
        self.followers.store(places.len(), Ordering::Relaxed);
        Ok(Subscription { lines, skipped })
    }
}

impl Place {
    fn has_budget(&mut self, second: i64) -> bool {
        if self.second != second {
            self.second = second;
            self.in_second = 0;
        }
        self.in_second = self.in_second.saturating_add(1);
        self.in_second <= LINES_PER_SECOND
    }
}

/// The lines of one follower; dropping it ends the following.
#[derive(Debug)]
pub struct Subscription {
    lines: mpsc::Receiver<Arc<str>>,
    skipped: Arc<AtomicU64>,
}

impl Subscription {
    /// The lines as chunks of text, with a line `# 123 more` for those that were left out, and an
    /// empty line every second in which there is nothing; it ends when `ending` is done.
    pub(super) fn into_stream(self, ending: WaitForCancellationFutureOwned) -> Lines {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Lines { subscription: self, ticks, ending: Box::pin(ending) }
    }
}

/// The body of an answer that goes on as long as somebody follows.
pub(super) struct Lines {
    subscription: Subscription,
    ticks: Interval,
    ending: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Lines {
    const CHUNK: usize = 32_768;

    fn poll_lines(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut chunk = BytesMut::new();
        while chunk.len() < Self::CHUNK {
            match self.subscription.lines.poll_recv(context) {
                Poll::Ready(Some(line)) => {
                    chunk.extend_from_slice(line.as_bytes());
                    chunk.extend_from_slice(b"\n");
                }
                Poll::Ready(None) if chunk.is_empty() => return Poll::Ready(None),
                Poll::Pending if chunk.is_empty() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(chunk.freeze()))
    }
}

impl Stream for Lines {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ending.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        if self.ticks.poll_tick(context).is_ready() {
            let skipped = self.subscription.skipped.swap(0, Ordering::Relaxed);
            let told = if skipped > 0 { format!("# {skipped} more\n") } else { "\n".to_owned() };
            return Poll::Ready(Some(Ok(told.into())));
        }
        self.poll_lines(context).map(|chunk| chunk.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Detail, Finding, SampleKind};

    fn outcome(finding: Finding) -> Outcome {
        Outcome {
            target: 1,
            due_ms: 0,
            finished_us: 1_795_343_600_999_000,
            lag_us: 0,
            latency_us: 1,
            kind: SampleKind::Slot,
            is_provisional: false,
            finding,
        }
    }

    #[test]
    fn a_finished_poll_is_told_in_one_line() {
        let good = Finding { status: 200, bytes: 231_274, ..Finding::default() };
        let line = finished_line("http://cnn.com", &outcome(good));
        assert_eq!(line, "2026-11-22 10:33:20 - http://cnn.com - 231274 Bytes");
        let longer = Finding { is_at_least: true, ..good };
        assert!(finished_line("u", &outcome(longer)).ends_with(" - at least 231274 Bytes"));
    }

    #[test]
    fn a_failed_poll_names_its_cause_instead_of_a_size() {
        let refused = Finding::default().with_cause(Cause::Connect, Detail::Refused);
        assert!(finished_line("u", &outcome(refused)).ends_with(" - u - connect (refused)"));
        let missing = Finding { status: 404, ..Finding::default() };
        let missing = missing.with_cause(Cause::Status, Detail::None);
        assert!(finished_line("u", &outcome(missing)).ends_with(" - u - status 404"));
    }

    #[test]
    fn nothing_is_made_while_nobody_follows() {
        let feed = Feed::default();
        feed.publish(1, || unreachable!("nobody reads it"));
        drop(feed.subscribe().expect("a place"));
        feed.publish(1, || unreachable!("nobody reads it any more"));
    }

    #[test]
    fn a_follower_gets_a_thousand_lines_a_second_and_the_number_of_the_rest() {
        let feed = Feed::default();
        let mut follower = feed.subscribe().expect("a place");
        for _ in 0..1_234 {
            feed.publish(1, || "line".to_owned());
        }
        feed.publish(2, || "next".to_owned());
        let mut lines = 0;
        while follower.lines.try_recv().is_ok() {
            lines += 1;
        }
        assert_eq!(lines, 1_001);
        assert_eq!(follower.skipped.load(Ordering::Relaxed), 234);
    }

    #[test]
    fn a_follower_that_does_not_read_holds_up_nobody() {
        let feed = Feed::default();
        let slow = feed.subscribe().expect("a place");
        for second in 0..10 {
            for _ in 0..1_000 {
                feed.publish(second, || "line".to_owned());
            }
        }
        assert_eq!(slow.skipped.load(Ordering::Relaxed), 10_000 - WAITING as u64);
    }

    #[test]
    fn there_is_room_for_so_many_and_a_place_is_free_when_one_leaves() {
        let feed = Feed::default();
        let mut all: Vec<_> = (0..FOLLOWERS).map(|_| feed.subscribe().expect("a place")).collect();
        assert_eq!(feed.subscribe().expect_err("full"), TooManyFollowers);
        all.pop();
        assert!(feed.subscribe().is_ok());
    }
}
