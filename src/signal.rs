//! Signals of the system, turned into a few words on a bounded channel.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;
use tokio::sync::mpsc;

/// What somebody wants of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Finish the polls in flight within the grace period, flush and end (TERM, INT).
    Drain,
    /// Flush and end at once (a second TERM or INT).
    ExitNow,
    /// Read list and settings again, and open the log anew (HUP).
    Reload,
    /// Log the summary (USR1).
    DumpSummary,
}

/// Words that may wait to be heard; nobody sends that many.
const WAITING: usize = 16;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Listener {
    handle: Handle,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Listens in a thread of its own, so call it after detaching.
///
/// The third TERM or INT ends the process as if nobody listened, should it hang.
///
/// # Errors
/// When the system does not let us listen or gives no thread.
pub fn listen() -> io::Result<(Listener, mpsc::Receiver<Signal>)> {
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
    let handle = signals.handle();
    let (sender, receiver) = mpsc::channel(WAITING);
    thread::Builder::new().name("signals".to_owned()).spawn(move || forward(signals, &sender))?;
    Ok((Listener { handle }, receiver))
}

fn forward(mut signals: Signals, sender: &mpsc::Sender<Signal>) {
    let mut asked_to_end = 0_u32;
    for number in signals.forever() {
        let signal = match number {
            SIGHUP => Signal::Reload,
            SIGUSR1 => Signal::DumpSummary,
            _ => {
                asked_to_end += 1;
                match asked_to_end {
                    1 => Signal::Drain,
                    2 => Signal::ExitNow,
                    _ => {
                        // If even this fails there is nothing left but SIGKILL.
                        let _ = emulate_default_handler(number);
                        continue;
                    }
                }
            }
        };
        // Never waits: the way out has to stay open when nobody reads any more.
        if sender.try_send(signal).is_err() {
            tracing::warn!(?signal, "a signal was not heard");
        }
    }
}
