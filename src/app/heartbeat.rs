//! `Heartbeat`: a thread that tells the service manager that the schedulers go on, and follows the
//! clock and what the daemon uses, whatever else it is busy with.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::live::Live;
use crate::daemon::Notifier;

/// How often the heart beats, unless the service manager wants to hear it more often.
const PERIOD: Duration = Duration::from_secs(1);
/// How much time lies between two summaries that are told, a little less than a period.
const TELL_AFTER: Duration = Duration::from_millis(900);

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Begins to tell of the daemon that is `live`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(live: Arc<Live>, notifier: Notifier) -> io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let beat = move || beat(&live, notifier, &ended);
        let thread = std::thread::Builder::new().name("heartbeat".into()).spawn(beat)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

fn beat(live: &Live, notifier: Notifier, ended: &Receiver<()>) {
    let period = notifier.watchdog_interval().unwrap_or(PERIOD).min(PERIOD);
    let mut told = None;
    while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
        live.gauges.look(live.clock.monotonic_us());
        live.columns.look_after(live.known());
        if told.is_none_or(|at: Instant| at.elapsed() >= TELL_AFTER) {
            told = Some(Instant::now());
            live.broadcast.summary(|| live.told_summary());
        }
        if let Some(drift_us) = live.clock.follow_wall() {
            let seconds = Duration::from_micros(drift_us.unsigned_abs()).as_secs();
            tracing::warn!(
                seconds,
                is_forward = drift_us > 0,
                "the clock was set, or the machine slept; every target takes its next slot from now on"
            );
        }
        if live.standstill().is_none() {
            notifier.alive();
        }
    }
}
