//! The manual page: what clap knows of the flags, and what only prose can tell.

use std::fmt::Write as _;

use clap::Command;
use clap_mangen::Man;

use super::Options;
use super::parse::ALIASES;

/// The sections behind the commands.
const SECTIONS: &str = r#".SH EXIT STATUS
Commands of the daemon:
.TP
.B 0
done
.TP
.B 1
failed: a file that is missing, a directory that cannot be written, a newer store, a second daemon,
or none that runs
.TP
.B 2
wrong usage, bad settings, or a list that is no JSON or has no valid entry
.PP
.B poller health
follows the Nagios plugins: 0 it polls on time and stores, 1 polls run late or results are not
stored, 2 it does not poll, 3 that cannot be known.
.SH FILES
.TP
.I urls.json
the list, unless \-\-urls names another
.TP
.I poller.toml
the settings file, unless \-\-config names another
.PP
In the data directory:
.TP
.I poller.db
the store: SQLite, with poller.db\-wal and poller.db\-shm beside it
.TP
.I poller.spill
results that are not in the store yet
.TP
.I poller.pid
the daemon's number, locked while it runs
.TP
.I poller.sock
where the daemon answers
.TP
.IR poller.log , " poller.log." N
the log of a detached daemon, and those before it
.SH SIGNALS
.TP
.BR TERM ", " INT
polls in flight end within the grace period, everything is written down; a second one does not wait
.TP
.B HUP
reads list and settings again
.TP
.B USR1
logs the summary
.SH ENVIRONMENT
An empty variable counts as one that is not set.
.TP
.B NO_COLOR
no colours, when it is not empty
.TP
.B STATE_DIRECTORY
the data directory, where \-\-data and POLLER_DATA name none
.TP
.BR RUNTIME_DIRECTORY ", " XDG_RUNTIME_DIR
where the socket is made, when the path of the data directory is too long for one
"#;

/// The manual page, in roff.
#[must_use]
pub fn man_page() -> String {
    let command = Options::shown();
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = page.render_title(&mut text);
    let _ = page.render_name_section(&mut text);
    let _ = page.render_synopsis_section(&mut text);
    let _ = page.render_description_section(&mut text);
    let _ = page.render_options_section(&mut text);
    let mut text = String::from_utf8_lossy(&text).into_owned();
    text.push_str(".SH COMMANDS\n");
    for own in command.get_subcommands() {
        text.push_str(&section(own));
    }
    text.push_str(SECTIONS);
    for argument in command.get_arguments() {
        if let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) {
            let variable = variable.to_string_lossy();
            let other = ALIASES.iter().find(|(known, _)| *known == variable);
            let other = other.map_or_else(String::new, |(_, other)| format!(" \", \" {other}"));
            let flag = flag.replace('-', "\\-");
            let _ = write!(text, ".TP\n.BR {variable}{other}\n\\-\\-{flag}\n");
        }
    }
    let mut end = Vec::new();
    let _ = page.render_extra_section(&mut end);
    let _ = page.render_version_section(&mut end);
    text.push_str(&String::from_utf8_lossy(&end).replace(".SH EXTRA", ".SH NOTES"));
    text
}

/// What a command does, with its own arguments.
fn section(command: &Command) -> String {
    let name = format!("poller {}", command.get_name());
    let mut command = command.clone().disable_help_flag(true).bin_name(name);
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut options = Vec::new();
    if command.get_arguments().next().is_some() {
        // Writing to memory cannot fail.
        let _ = Man::new(command).render_options_section(&mut options);
    }
    let options = String::from_utf8_lossy(&options);
    // The page's own preamble is there already.
    let options = options.split_once(".SH OPTIONS\n").map_or("", |(_, options)| options);
    format!(".SS \"{usage}\"\n{}\n{options}", about.replace('-', "\\-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_sends_nobody_to_another() {
        let page = man_page();
        for words in [
            ".SS \"poller targets [OPTIONS]\"",
            ".SS \"poller sql [OPTIONS] <QUERY>\"",
            ".SS \"poller health [OPTIONS]\"",
            ".SH EXIT STATUS",
            ".SH FILES",
            ".SH SIGNALS",
            ".SH ENVIRONMENT",
            ".BR POLLER_MAX_WORKERS\n\\-\\-max\\-workers\n",
            ".BR POLLER_CONFIG\n",
            ".BR POLLER_PARALLEL \", \" POLLER_ENABLE_PARALLEL\n\\-\\-parallel\n",
            ".BR POLLER_ADAPTIVE \", \" POLLER_RESOURCE_MONITORING\n",
            "\\-\\-state",
        ] {
            assert!(page.contains(words), "no {words:?} in {page}");
        }
        assert!(!page.contains("(1)"), "{page}");
    }
}
