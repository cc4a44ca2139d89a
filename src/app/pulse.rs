//! `Pulse`: a thread that looks whether the schedulers go on and whether the clock was set, whatever
//! else the daemon is busy with.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::live::Live;
use crate::daemon::Notifier;

/// How often the pulse is felt, unless the service manager wants to hear of it more often.
const PERIOD: Duration = Duration::from_secs(1);
/// Schedulers sleep for half a second at most: within this time each of them gives a sign.
const SHORTEST: Duration = Duration::from_millis(600);

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Begins to feel the pulse of the daemon that is `live`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(live: Arc<Live>, notifier: Notifier) -> io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let feel = move || feel(&live, notifier, &ended);
        let thread = std::thread::Builder::new().name("pulse".into()).spawn(feel)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

fn feel(live: &Live, notifier: Notifier, ended: &Receiver<()>) {
    let wanted = notifier.watchdog_interval().unwrap_or(PERIOD);
    let period = wanted.clamp(SHORTEST, PERIOD);
    let mut before = Vec::new();
    while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
        if let Some(drift_us) = live.clock.follow_wall() {
            let seconds = Duration::from_micros(drift_us.unsigned_abs()).as_secs();
            tracing::warn!(
                seconds,
                is_forward = drift_us > 0,
                "the clock was set, or the machine slept; every target takes its next slot from now on"
            );
        }
        let ticks: Vec<u64> = live.desks().map(|desk| desk.ticks()).collect();
        if ticks.iter().zip(&before).all(|(now, before)| now != before) {
            notifier.alive();
        }
        before = ticks;
    }
}
