//! `Notifier`: words to the service manager, which are no words where there is none.

use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};

use crate::view::{Summary, text};

/// Tells systemd how the daemon is; without systemd it does nothing.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Notifier;

impl Notifier {
    /// A way to the service manager of this process, if it has one.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// The daemon polls, or polls with what it has read again.
    pub fn ready(self) {
        say(&[NotifyState::Ready]);
    }

    /// The daemon reads list and settings again; [`Notifier::ready`] ends that.
    pub fn reloading(self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => say(&[NotifyState::Reloading, now]),
            Err(_) => say(&[NotifyState::Reloading]),
        }
    }

    /// The daemon ends.
    pub fn stopping(self) {
        say(&[NotifyState::Stopping]);
    }

    /// One line on how it goes, as `systemctl status` shows it.
    pub fn status(self, line: &str) {
        say(&[NotifyState::Status(&line.replace(['\n', '\r'], " "))]);
    }

    /// The line of `summary` that the log has too.
    pub fn summary(self, summary: &Summary) {
        self.status(&text::one_line(summary));
    }

    /// A sign of life, to be given by what must not stand still: the scheduler.
    pub fn alive(self) {
        say(&[NotifyState::Watchdog]);
    }

    /// Starting or stopping takes its time: `more` from now before the manager may lose patience.
    pub fn patience(self, more: Duration) {
        let microseconds = u32::try_from(more.as_micros()).unwrap_or(u32::MAX);
        say(&[NotifyState::ExtendTimeoutUsec(microseconds)]);
    }

    /// How often a sign of life is due: half of what the manager allows; `None` when it wants none.
    #[must_use]
    pub fn watchdog_interval(self) -> Option<Duration> {
        watchdog_enabled().filter(|limit| !limit.is_zero()).map(|limit| limit / 2)
    }
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}
