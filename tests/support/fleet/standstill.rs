//! When a thread of the fleet stood still: a target that is asked meanwhile answers late.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long a watch sleeps each time.
const PERIOD: Duration = Duration::from_millis(20);
/// What is so late is told.
const LATE: Duration = Duration::from_millis(100);
/// How many are kept at most, the last ones.
const MOST: usize = 200;

/// A time in which a thread of the fleet got no processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standstill {
    /// When it was over.
    until: SystemTime,
    /// How long it was.
    pub(crate) lasted: Duration,
}

impl fmt::Display for Standstill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (second, ms) = (since.as_secs() % 86_400, since.subsec_millis());
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let lasted = self.lasted.as_millis();
        write!(formatter, "{lasted} ms until {hour:02}:{minute:02}:{second:02}.{ms:03} UTC")
    }
}

/// The standstills of a fleet.
#[derive(Debug, Default)]
pub(crate) struct Standstills(Mutex<Vec<Standstill>>);

impl Standstills {
    /// Watches the thread that runs this, until it is dropped.
    pub(crate) async fn watch(&self) {
        loop {
            let due = Instant::now() + PERIOD;
            tokio::time::sleep(PERIOD).await;
            let lasted = Instant::now().saturating_duration_since(due);
            if lasted >= LATE {
                let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if told.len() >= MOST {
                    told.remove(0);
                }
                told.push(Standstill { until: SystemTime::now(), lasted });
            }
        }
    }

    /// All of them.
    pub(crate) fn told(&self) -> Vec<Standstill> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
