//! The commands that check once, and what their flags ask for.

mod dns;
mod icmp;
mod mail;
mod ssl;
mod tcp;
mod website;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgGroup, Args};
use serde_json::{Map, Value};

use crate::config::given::count;
use crate::config::units::positive_duration;
use crate::config::values::timeout;
use crate::target::CheckKind;

pub use dns::Dns;
pub use icmp::Icmp;
pub use mail::Mail;
pub use ssl::Ssl;
pub use tcp::Tcp;
pub use website::Website;

const RUN: &str = "Run";
const RESULTS: &str = "Results";

/// How checks are run, and how their results are shown.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("form").args(["json", "jsonl", "nagios"]))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct RunFlags {
    /// Checks that run at once at most (default 64)
    #[arg(long, value_name = "N", value_parser = count::<NonZeroUsize>, help_heading = RUN)]
    pub max_workers: Option<NonZeroUsize>,

    /// Run side by side; false: one after the other
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), help_heading = RUN)]
    pub parallel: bool,

    /// Give up what is left after the first error
    #[arg(long, help_heading = RUN)]
    pub stop_on_error: bool,

    /// Go on where the run stopped that wrote this file (--json, --jsonl or --output)
    #[arg(long, value_name = "FILE", help_heading = RUN)]
    pub resume: Option<PathBuf>,

    /// PEM file with further certificates that are trusted
    #[arg(long, value_name = "FILE", help_heading = RUN)]
    pub ca: Option<PathBuf>,

    /// Print one JSON document
    #[arg(long, help_heading = RESULTS)]
    pub json: bool,

    /// Print one JSON document a line, as the checks finish
    #[arg(long, help_heading = RESULTS)]
    pub jsonl: bool,

    /// Print one line as the Nagios plugins do
    #[arg(long, help_heading = RESULTS)]
    pub nagios: bool,

    /// Write a report for test viewers (junit) to FILE as well
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub junit: Option<PathBuf>,

    /// Write the results to FILE, JSON unless a form is named, and print the summary alone
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub output: Option<PathBuf>,
}

/// How long each check, and the run, may take.
#[derive(Args, Clone, Copy, Debug)]
pub struct Limits {
    /// Time each check may take (default 30s; DNS 10s)
    #[arg(long, value_name = "D", value_parser = timeout, help_heading = RUN)]
    pub timeout: Option<Duration>,

    /// Time the run may take in all; checks that did not finish say so
    #[arg(long, value_name = "D", value_parser = positive_duration, help_heading = RUN)]
    pub deadline: Option<Duration>,
}

/// What `batch` runs.
#[derive(Args, Clone, Debug)]
pub struct Batch {
    /// File of checks, or - for standard input
    ///
    /// A JSON array of `{"id": …, "plugin_type": …, "config": {…}}`, or any other form of a list of
    /// targets.
    pub file: PathBuf,

    /// Checks that are read ahead of those that run (default as many as run)
    #[arg(long, value_name = "N", value_parser = count::<NonZeroUsize>, help_heading = RUN)]
    pub batch_size: Option<NonZeroUsize>,

    /// Time the run may take in all; checks that did not finish say so
    #[arg(long, visible_alias = "deadline", value_name = "D", value_parser = positive_duration)]
    #[arg(help_heading = RUN)]
    pub timeout: Option<Duration>,

    /// How it runs.
    #[command(flatten)]
    pub run: RunFlags,
}

/// What a command asks to be checked, whatever its kind.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What entries are that say nothing else; none: as the file says.
    pub kind: Option<CheckKind>,
    /// Keys of `config` that the flags name.
    pub config: Map<String, Value>,
    /// What is checked, as named on the command line.
    pub targets: Vec<String>,
    /// A file that names more, or - for standard input.
    pub file: Option<PathBuf>,
    /// Checks that are read ahead of those that run.
    pub batch_size: Option<NonZeroUsize>,
    /// Time each check may take.
    pub timeout: Option<Duration>,
    /// Time the run may take in all.
    pub deadline: Option<Duration>,
    /// How it runs.
    pub run: RunFlags,
}

impl From<Batch> for Asked {
    fn from(batch: Batch) -> Self {
        Self {
            kind: None,
            config: Map::new(),
            targets: Vec::new(),
            file: Some(batch.file),
            batch_size: batch.batch_size,
            timeout: None,
            deadline: batch.timeout,
            run: batch.run,
        }
    }
}

/// The keys that flags name.
#[derive(Debug, Default)]
struct Config(Map<String, Value>);

impl Config {
    /// Adds `value` under `key`, if there is one.
    fn with(mut self, key: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.into());
        }
        self
    }

    /// Adds a list of texts under `key`, if there are any.
    fn list(self, key: &str, texts: Vec<String>) -> Self {
        self.with(key, (!texts.is_empty()).then_some(texts))
    }

    /// Adds `value` under `key` where the flag is set.
    fn flag(self, key: &str, is_set: bool, value: bool) -> Self {
        self.with(key, is_set.then_some(value))
    }

    fn asked(self, kind: CheckKind, named: (Vec<String>, Option<PathBuf>), how: How) -> Asked {
        Asked {
            kind: Some(kind),
            config: self.0,
            targets: named.0,
            file: named.1,
            batch_size: None,
            timeout: how.0.timeout,
            deadline: how.0.deadline,
            run: how.1,
        }
    }
}

type How = (Limits, RunFlags);
