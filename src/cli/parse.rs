//! From arguments and environment to [`Options`]; what does not go together is refused.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use super::roles::{refuse_foreign_flags, shaped};
use super::{ACTIONS, OUTPUT, Options};

impl Options {
    /// The options of this process.
    ///
    /// # Errors
    /// It was asked for help, which has been printed, or the options are wrong, which has been told:
    /// the exit code to end with.
    pub fn of_process() -> Result<Self, ExitCode> {
        let arguments: Vec<_> = std::env::args_os().collect();
        Self::of(&arguments).map_err(|error| {
            // A reader that left has seen enough.
            let _ = error.print();
            match error.exit_code() {
                0 => ExitCode::SUCCESS,
                _ if checks_once(&arguments) => ExitCode::from(super::once::UNKNOWN),
                _ => ExitCode::from(2),
            }
        })
    }

    /// The command line as it is shown to people.
    pub(super) fn shown() -> Command {
        Self::command().mut_subcommands(shaped)
    }

    /// The options that `arguments`, the name of the program first, and the environment name.
    ///
    /// # Errors
    /// They are wrong, or ask for help.
    pub(super) fn of(arguments: &[OsString]) -> Result<Self, Error> {
        let mut command =
            Self::command().mut_args(with_set_variable).mut_subcommands(with_settings);
        let parsed = command.clone().try_get_matches_from(arguments);
        let matches = parsed.map_err(|error| blame(error, &command, arguments))?;
        refuse_flags_of_the_daemon(&mut command, &matches)?;
        refuse_foreign_flags(&mut command, &matches)?;
        Self::from_arg_matches(&matches)
    }
}

/// Whether `arguments` name a command that checks once, whatever else is wrong with them: such ends
/// as the Nagios plugins do.
fn checks_once(arguments: &[OsString]) -> bool {
    const COMMANDS: [&str; 8] =
        ["website", "ssl", "mail", "dns", "tcp", "icmp", "batch", "explain"];
    let command = Options::command().ignore_errors(true);
    let matches = command.try_get_matches_from(arguments);
    matches.is_ok_and(|found| found.subcommand_name().is_some_and(|name| COMMANDS.contains(&name)))
}

/// Other names that variables of settings are known by.
pub(super) const ALIASES: [(&str, &str); 2] = [
    ("POLLER_PARALLEL", "POLLER_ENABLE_PARALLEL"),
    ("POLLER_ADAPTIVE", "POLLER_RESOURCE_MONITORING"),
];

/// An empty variable counts as one that is not set: `${NAME:-}` of a compose file makes such. One
/// that is not set may be so by its other name.
fn with_set_variable(argument: Arg) -> Arg {
    let is_set =
        |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let Some(name) = argument.get_env().filter(|name| !is_set(name)) else { return argument };
    let alias = ALIASES.iter().find(|(known, _)| name == *known).map(|(_, alias)| *alias);
    match alias.filter(|alias| is_set(alias.as_ref())) {
        Some(alias) => argument.env(alias),
        None => forget_variable(argument),
    }
}

/// Settings behind a role are flags alone: variables are read before it, and flags beat them.
fn with_settings(command: Command) -> Command {
    match command.get_name() {
        "scheduler" | "checker" | "recorder" | "db" => shaped(command).mut_args(forget_variable),
        _ => command,
    }
}

fn forget_variable(argument: Arg) -> Arg {
    argument.env(Resettable::Reset)
}

/// `error`, blamed on the variable that is at fault if it is not a flag.
fn blame(mut error: Error, command: &Command, arguments: &[OsString]) -> Error {
    let Some(shown) = argument_of(&error) else { return error };
    let mut built = command.clone();
    built.build();
    let found = built.get_arguments().find(|argument| argument.to_string() == shown);
    let Some((id, variable)) = found.and_then(|found| Some((found.get_id(), found.get_env()?)))
    else {
        return error;
    };
    let flags_alone = command.clone().mut_arg(id, forget_variable);
    let without = flags_alone.try_get_matches_from(arguments);
    if !without.is_err_and(|other| argument_of(&other) == Some(shown)) {
        let variable = variable.to_string_lossy().into_owned();
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    }
    error
}

fn argument_of(error: &Error) -> Option<String> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(shown)) => Some(shown.clone()),
        _ => None,
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
        let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
        Options::of(&arguments)
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
    fn a_role_takes_the_flags_that_mean_something_to_it_wherever_they_stand() {
        for line in [
            "poller scheduler --postgres x --kafka h:1 --listen off --interval 5s --lease 3s",
            "poller --kafka h:1 --max-workers 5 checker --location berlin --max-body 1MB --data x",
            "poller recorder --keep 3d --grace 5s --log-level error --status-public",
            "poller db --postgres x import list --interval 5s --strict --data x",
            "poller db export --postgres-ca x",
        ] {
            let parsed = parse(line);
            assert!(parsed.is_ok(), "{line}: {:?}", parsed.err().map(|error| error.to_string()));
        }
        for (line, counts_for) in [
            ("poller scheduler --max-workers 5", "it counts for checker;"),
            ("poller --max-workers 5 scheduler", "it counts for checker;"),
            ("poller checker --postgres x", "it counts for scheduler, recorder, db;"),
            ("poller --postgres x checker", "it counts for scheduler, recorder, db;"),
            ("poller recorder --urls x", "it counts for db;"),
            ("poller db status --location x", "it counts for checker;"),
            ("poller db --location x status", "it counts for checker;"),
            ("poller --kafka h:1 db status", "it counts for scheduler, checker, recorder;"),
            ("poller recorder --max-disk 1GB", "it is for the daemon of one machine;"),
        ] {
            let error = parse(line).expect_err(line);
            let told = error.to_string();
            assert!(error.exit_code() == 2 && told.contains(counts_for), "{line}: {told}");
            let flag = line.split(' ').find(|word| word.starts_with("--")).expect("a flag");
            assert!(told.contains(&format!("'{flag}' means nothing to the command")), "{told}");
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
