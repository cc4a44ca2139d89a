//! Results of checks, one after the other, in the forms that people and programs read.

mod json;
mod junit;
mod nagios;
mod table;

use std::io;
use std::time::Duration;

use super::result::{CheckResult, Status};

pub use json::{Json, Lines};
pub use junit::Junit;
pub use nagios::Nagios;
pub use table::{Rows, Table};

/// A form in which results are shown; it holds no more of them than it must.
pub trait Form: Send {
    /// Shows the next result.
    ///
    /// # Errors
    /// It cannot be written.
    fn result(&mut self, result: &CheckResult) -> io::Result<()>;

    /// Shows what all results come to, and ends.
    ///
    /// # Errors
    /// It cannot be written.
    fn end(&mut self, counts: &Counts, took: Duration) -> io::Result<()>;
}

/// How many checks came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that have a result.
    pub total: u64,
    /// Those whose target is up.
    pub success: u64,
    /// Those that found something not as expected.
    pub warning: u64,
    /// Those whose target is down, or that could not tell.
    pub error: u64,
    /// Those of them that could not tell.
    pub unknown: u64,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, result: &CheckResult) {
        self.total += 1;
        match result.status {
            Status::Success => self.success += 1,
            Status::Warning => self.warning += 1,
            Status::Error => {
                self.error += 1;
                self.unknown += u64::from(result.is_unknown());
            }
        }
    }

    /// Percent of the checks that were a success, to two decimals; 0 when there was none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of checks are far below 2^52")]
    pub fn success_percentage(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        (self.success as f64 * 10_000.0 / self.total as f64).floor() / 100.0
    }

    /// The exit code of the Nagios plugins for all of them: critical before unknown before warning.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if self.error > self.unknown {
            2
        } else if self.unknown > 0 {
            3
        } else if self.warning > 0 {
            1
        } else {
            0
        }
    }
}
