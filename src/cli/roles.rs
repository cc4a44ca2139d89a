//! Which settings count for which role of a cluster: its help shows those, and its flags are those.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};

use crate::config::file::SETTINGS;
use crate::config::given::{API, CLUSTER};

/// The commands whose settings are told apart.
const ROLES: [&str; 4] = ["scheduler", "checker", "recorder", "db"];

/// Settings, by their keys, and the roles that they count for. What stands nowhere is for the daemon of
/// one machine alone.
const COUNTING: &[(&[&str], &[&str])] = &[
    (&["postgres", "postgres_ca"], &["scheduler", "recorder", "db"]),
    (
        &[
            "kafka",
            "kafka_ca",
            "kafka_cert",
            "kafka_key",
            "kafka_user",
            "kafka_password",
            "kafka_sasl",
            "topics",
            "member",
            "lease",
            "grace",
            "log_level",
            "log_format",
        ],
        &["scheduler", "checker", "recorder"],
    ),
    (
        &[
            "listen",
            "tls_cert",
            "tls_key",
            "jwt_secret",
            "cors_origin",
            "api_rate",
            "allow_targets",
        ],
        &["scheduler", "checker", "recorder"],
    ),
    (&["status_label", "status_public", "status_title"], &["scheduler", "recorder"]),
    (
        &[
            "location",
            "threading",
            "max_workers",
            "max_per_cycle",
            "parallel",
            "adaptive",
            "max_memory",
            "max_per_host",
            "host_rate",
            "address_rate",
            "backoff_dead",
            "max_body",
            "resolver",
        ],
        &["checker"],
    ),
    // A list is read at the import, and may come from a server.
    (&["ca", "user_agent"], &["checker", "db"]),
    (&["urls", "limit", "strict", "proxy"], &["db"]),
    // Entries are filled at the import, and where they come over the API.
    (&["interval", "timeout"], &["scheduler", "recorder", "db"]),
    (&["keep"], &["recorder"]),
];

/// The setting whose flag every command takes, whether it counts for it or not.
const EVERYWHERE: &str = "data";

/// What a role but `db` says, last under its heading, of a setting that means something else to it than
/// to others: key, heading and help.
const OTHER_WORDS: [(&str, &str, &str); 4] = [
    ("grace", CLUSTER, "Time that work in flight gets when the role is stopped (default 10s)"),
    ("listen", API, "Where the HTTP API is, IP:PORT, or off (default off)"),
    ("interval", API, "Time between polls of entries of the API that name none (default 60s)"),
    ("timeout", API, "Time a poll may take, for entries of the API that name none"),
];

/// What a checker says of its lease.
const OF_CHECKER: (&str, &str, &str) = (
    "lease",
    CLUSTER,
    "Time after which the partitions of a silent checker go to others, 6s at least (default 10s)",
);
/// Where those stand.
const LAST: usize = 900;

/// The roles that the setting `key` counts for.
fn roles_of(key: &str) -> &'static [&'static str] {
    let found = COUNTING.iter().find(|(keys, _)| keys.contains(&key));
    found.map_or(&[], |(_, roles)| roles)
}

/// `command` as it is shown, if it is a role: with the settings that count for it, in its own words.
pub(super) fn shaped(command: Command) -> Command {
    let role = command.get_name().to_owned();
    if !ROLES.contains(&&*role) {
        return command;
    }
    let is_list_read = role == "db";
    command.mut_args(|argument| {
        let key = argument.get_id().to_string();
        let counts = roles_of(&key).contains(&&*role);
        let own = (role == "checker").then_some(&OF_CHECKER);
        let mut words = OTHER_WORDS.iter().filter(|_| !is_list_read).chain(own);
        let words = words.find(|(known, ..)| *known == key);
        let argument = match words.filter(|_| counts) {
            Some((_, heading, help)) => {
                let argument = argument.help_heading(*heading).display_order(LAST);
                argument.help(*help).long_help(*help)
            }
            None => argument,
        };
        // Those behind `db` may stand anywhere.
        if is_list_read { argument.hide(!counts).global(true) } else { argument.hide(!counts) }
    })
}

/// Refuses flags that mean nothing to the role that is asked for, wherever they stand.
///
/// # Errors
/// There is one.
pub(super) fn refuse_foreign_flags(
    command: &mut Command,
    matches: &ArgMatches,
) -> Result<(), Error> {
    let Some((role, own)) = matches.subcommand().filter(|(name, _)| ROLES.contains(name)) else {
        return Ok(());
    };
    let is_foreign = |flag: &&Arg| {
        let key = flag.get_id().as_str();
        SETTINGS.contains(&key) && key != EVERYWHERE && !roles_of(key).contains(&role)
    };
    let is_given = |flag: &&Arg| {
        let key = flag.get_id().as_str();
        [matches, own].iter().any(|found| {
            found.try_contains_id(key).is_ok()
                && found.value_source(key) == Some(ValueSource::CommandLine)
        })
    };
    let flags = command.get_arguments().filter(is_foreign);
    let Some(flag) = flags.filter(is_given).find_map(Arg::get_long) else { return Ok(()) };
    let counts_for = match roles_of(&flag.replace('-', "_")) {
        [] => "it is for the daemon of one machine".to_owned(),
        roles => format!("it counts for {}", roles.join(", ")),
    };
    let text = format!(
        "the argument '--{flag}' means nothing to the command '{role}': {counts_for}; settings file \
         and environment may name it all the same"
    );
    Err(command.error(ErrorKind::ArgumentConflict, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_for_a_role_is_a_setting_and_told_once() {
        let keys = || COUNTING.iter().flat_map(|(keys, _)| keys.iter());
        for key in keys() {
            assert!(SETTINGS.contains(key), "{key} is no setting");
            assert_eq!(keys().filter(|other| *other == key).count(), 1, "{key}");
        }
        let alone = SETTINGS.iter().filter(|key| roles_of(key).is_empty()).copied();
        assert_eq!(
            alone.collect::<std::collections::BTreeSet<_>>(),
            std::collections::BTreeSet::from([
                "allow_shrink",
                "data",
                "log_files",
                "log_size",
                "max_disk",
                "metrics_label",
                "metrics_targets",
                "modules",
                "open_probe",
            ]),
            "a setting counts for a role, or is of one machine alone"
        );
    }
}
