//! The command line: flags of the daemon, and the commands.

pub mod checks;
pub mod db;
pub mod follow;
pub mod health;
mod man;
pub mod once;
pub mod out;
mod parse;
pub mod progress;
mod roles;
pub mod token;
pub mod top;
pub mod viewstats;

pub use man::man_page;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::given::Given;

/// Headings of the flags that tell the daemon what to do, and how it shows what it knows.
const ACTIONS: &str = "Actions";
const OUTPUT: &str = "Output";

/// Flags that print no summary, and so nothing in the form of one.
const NO_SUMMARY: [&str; 5] = ["foreground", "stop", "reload", "check", "follow"];

const AFTER: &str = "\
Durations are seconds, or a number with ms, s, m, h or d; sizes are bytes, or a number with KB, MB, \
GB, KiB, MiB or GiB. Every option with a default is also a variable (POLLER_MAX_WORKERS for \
--max-workers) and a key of the settings file (max_workers); flags beat variables beat the file.";

/// Polls URLs on time, keeps every result, and sums them up on demand.
#[derive(Debug, Parser)]
#[command(name = "poller", version, max_term_width = 100, after_help = AFTER)]
#[command(subcommand_help_heading = "Commands", disable_help_subcommand = true)]
#[command(subcommand_negates_reqs = true)]
pub struct Options {
    /// Settings file, TOML (default poller.toml if it is there)
    #[arg(long, value_name = "FILE", env = "POLLER_CONFIG", hide_env = true, global = true)]
    pub config: Option<PathBuf>,

    /// What is to be done.
    #[command(flatten)]
    pub action: Action,

    /// How results are shown.
    #[command(flatten)]
    pub output: Output,

    /// The settings.
    #[command(flatten)]
    pub given: Given,

    /// The command, if one is given.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is to be done.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = ACTIONS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Action {
    /// Start the polling daemon in the background
    ///
    /// Returns once it polls (0) or could not start (the reason, and 1 or 2).
    #[arg(short, long, group = "daemon")]
    pub start: bool,

    /// Print the summary, live from the running daemon, else of what the store holds
    ///
    /// With -s, after starting.
    #[arg(short = 'i', long, conflicts_with_all = NO_SUMMARY)]
    pub viewstats: bool,

    /// Start it and stay attached, as service managers and containers want it; Ctrl-C stops it
    #[arg(long, conflicts_with_all = ["stop", "reload", "check"])]
    pub foreground: bool,

    /// Stop the running daemon of this data directory
    #[arg(long, group = "daemon")]
    pub stop: bool,

    /// Make the running daemon of this data directory read its list and settings again
    #[arg(long, group = "daemon")]
    pub reload: bool,

    /// Check settings and list, print the plan and whether it fits this machine; start nothing
    #[arg(long, group = "daemon")]
    pub check: bool,
}

/// How results are shown.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = OUTPUT)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Output {
    /// With -i: print JSON
    #[arg(long, requires = "viewstats", conflicts_with_all = NO_SUMMARY)]
    pub json: bool,

    /// With -i: draw the summary again every second
    #[arg(long, requires = "viewstats", conflicts_with_all = NO_SUMMARY)]
    pub watch: bool,

    /// With -i: print whole lists
    #[arg(long, requires = "viewstats", conflicts_with_all = NO_SUMMARY)]
    pub all: bool,

    /// Print every finished poll, 1,000 lines a second at most
    #[arg(long, conflicts_with_all = ["foreground", "stop", "reload", "check"])]
    pub follow: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check websites once: status, content, certificate
    Website(Box<checks::Website>),
    /// Check certificates once: validity, name, chain
    Ssl(Box<checks::Ssl>),
    /// Check mail servers once, by SMTP, IMAP or POP3
    Mail(Box<checks::Mail>),
    /// Check DNS records once
    Dns(Box<checks::Dns>),
    /// Check once that a TCP port answers
    Tcp(Box<checks::Tcp>),
    /// Ask hosts once for an echo (ping)
    Icmp(Box<checks::Icmp>),
    /// Run a file of checks once
    Batch(Box<checks::Batch>),
    /// Check one target and explain each step: plan, times, certificates, hops, expectations
    Explain(Explain),
    /// List the targets with state, since, last code and latency
    Targets(Targets),
    /// Show the figures of the running daemon live in this terminal
    Top,
    /// Ask the store a read-only SQL query; safe while the daemon runs
    Sql(Sql),
    /// Make, list and revoke tokens of the HTTP API
    Token(token::Token),
    /// Make jobs for checkers, as one of any number of schedulers of a cluster
    Scheduler(Box<Given>),
    /// Poll what jobs say, as one of any number of checkers of a cluster
    Checker(Box<Given>),
    /// Keep what checkers found, as one of any number of recorders of a cluster
    Recorder(Box<Given>),
    /// Set up the database of a cluster, and take targets over
    Db(Box<db::Db>),
    /// Tell in one line whether the daemon polls on time and stores; 0, 1, 2 or 3 as Nagios has it
    Health {
        /// Exit with 0 on a warning as well: a restart cures neither a full disk nor late polls
        #[arg(long)]
        live: bool,
    },
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

impl Command {
    /// What it asks to be checked once, if it does.
    ///
    /// # Errors
    /// It is another command.
    pub fn asked(self) -> Result<checks::Asked, Self> {
        Ok(match self {
            Self::Website(website) => (*website).into(),
            Self::Ssl(ssl) => (*ssl).into(),
            Self::Mail(mail) => (*mail).into(),
            Self::Dns(dns) => (*dns).into(),
            Self::Tcp(tcp) => (*tcp).into(),
            Self::Icmp(icmp) => (*icmp).into(),
            Self::Batch(batch) => (*batch).into(),
            other => return Err(other),
        })
    }
}

/// What `explain` explains.
#[derive(Args, Debug)]
pub struct Explain {
    /// Address, id or name of a target of the list, or any other address
    #[arg(value_name = "URL")]
    pub target: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// PEM file with further certificates that are trusted
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// What `targets` lists.
#[derive(Args, Debug)]
pub struct Targets {
    /// Only those in this state
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// Only those with this label; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `sql` asks.
#[derive(Args, Debug)]
pub struct Sql {
    /// The query, on the views checks, targets, hours, days and incidents
    ///
    /// It may take 30 s; of the answer, 100,000 rows or 64 MiB are shown.
    pub query: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The state of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Answers as expected
    Up,
    /// Reachable, and something is not as expected
    Warning,
    /// Failed by a cause of its own
    Down,
    /// Failed by a cause of ours
    Unknown,
    /// Not polled yet
    Pending,
    /// Not polled for now
    Paused,
}

impl State {
    /// The name of the state in lists and queries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Warning => "warning",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Paused => "paused",
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The completions of `shell`.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Options::shown(), "poller", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::SETTINGS;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_flag_a_variable_and_a_key() {
        let arguments = Given::augment_args(clap::Command::new("settings"));
        let mut found: Vec<String> = Vec::new();
        for argument in arguments.get_arguments() {
            let key = argument.get_id().as_str();
            let flag = key.replace('_', "-");
            assert_eq!(argument.get_long(), Some(&*flag), "flag of {key}");
            let variable = format!("POLLER_{}", key.to_uppercase());
            assert_eq!(argument.get_env(), Some(variable.as_ref()), "variable of {key}");
            found.push(key.to_owned());
        }
        found.sort();
        let mut keys = SETTINGS.to_vec();
        keys.sort_unstable();
        assert_eq!(found, keys);
    }

    #[test]
    fn short_flags_and_their_values_are_read() {
        let options = Options::try_parse_from([
            "poller", "-s", "-i", "-l", "10", "-t", "per-core", "--strict",
        ])
        .expect("good flags");
        assert!(options.action.start && options.action.viewstats);
        assert_eq!(options.given.limit.map(u64::from), Some(10));
        assert_eq!(options.given.threading, Some(crate::config::given::Threading::PerCore));
        assert_eq!(options.given.strict, Some(true));
        assert!(Options::try_parse_from(["poller", "-l", "0"]).is_err());
        assert!(Options::try_parse_from(["poller", "-s", "--stop"]).is_err());
    }

    #[test]
    fn the_data_directory_may_stand_after_a_command() {
        let options = Options::try_parse_from(["poller", "sql", "select 1", "--data", "/srv"])
            .expect("good flags");
        assert_eq!(options.given.data, Some("/srv".into()));
    }
}
