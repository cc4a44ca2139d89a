//! From arguments and environment to [`Options`]; what does not go together is refused.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use super::{ACTIONS, OUTPUT, Options};

impl Options {
    /// The options of this process. It ends here when it was asked for help, and with the exit
    /// code 2 when they are wrong.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(std::env::args_os().collect()).unwrap_or_else(|error| error.exit())
    }

    /// The options that `arguments`, the name of the program first, and the environment name.
    ///
    /// # Errors
    /// They are wrong, or ask for help.
    pub(super) fn of(arguments: Vec<OsString>) -> Result<Self, Error> {
        let mut command = Self::command();
        let matches = command.clone().try_get_matches_from(&arguments)?;
        refuse_flags_of_the_daemon(&mut command, &matches)?;
        Self::from_arg_matches(&matches)
    }
}

/// Refuses a command together with what the daemon is told by flags.
fn refuse_flags_of_the_daemon(command: &mut Command, matches: &ArgMatches) -> Result<(), Error> {
    let Some(name) = matches.subcommand_name() else { return Ok(()) };
    let is_of_daemon = |flag: &&Arg| matches!(flag.get_help_heading(), Some(ACTIONS | OUTPUT));
    let is_given = |flag: &&Arg| {
        matches.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let Some(flag) = command.get_arguments().filter(is_of_daemon).find(is_given) else {
        return Ok(());
    };
    let has_its_own = command
        .find_subcommand(name)
        .is_some_and(|own| own.get_arguments().any(|own| own.get_long() == flag.get_long()));
    let flag = flag.get_long().unwrap_or_default();
    let text = if has_its_own {
        format!("'--{flag}' is to stand behind the command '{name}'")
    } else {
        format!("the argument '--{flag}' cannot be used with the command '{name}'")
    };
    Err(command.error(ErrorKind::ArgumentConflict, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Error> {
        Options::of(line.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn what_goes_together_is_taken() {
        for line in [
            "poller",
            "poller --start --foreground",
            "poller -s -i",
            "poller -s -i --json --all",
            "poller --start --follow",
            "poller -i --watch",
            "poller --data /srv targets --json",
            "poller --max-workers 5 targets",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "poller --start targets",
            "poller -i sql x",
            "poller --json targets",
            "poller --foreground --stop",
            "poller --foreground -i",
            "poller --stop -i",
            "poller --reload --follow",
            "poller -i --follow",
            "poller --check --json",
            "poller --stop --all",
            "poller --follow --watch",
            "poller --json",
            "poller --all",
            "poller --watch",
        ] {
            assert_eq!(parse(line).map_err(|error| error.exit_code()).err(), Some(2), "{line}");
        }
        let told = parse("poller --json targets").expect_err("behind it").to_string();
        assert!(told.contains("'--json' is to stand behind the command 'targets'"), "{told}");
    }
}
