//! The kinds of checks that are built in, with the keys of their `config`, as programs ask for them.

use serde_json::{Value, json};

use crate::view::{PluginKey, PluginKind, Plugins};

/// A key: its name, the type of its value, what it says, and what holds where it is not named. A
/// name that ends in `!` is that of a key which a check needs.
type Key = (&'static str, &'static str, &'static str, Option<fn() -> Value>);

const WEBSITE: &[Key] = &[
    ("url!", "text", "the address", None),
    ("method", "text", "the method of the request", Some(|| json!("GET"))),
    ("headers", "object", "headers of the request, by their names", None),
    ("body", "text", "the body of the request", None),
    (
        "expected_status",
        "list",
        "a status, or statuses and ranges like \"200-299\"",
        Some(|| json!(200)),
    ),
    ("expected_content", "list", "a text that the body must hold, or several", None),
    ("unexpected_content", "list", "a text that the body must not hold, or several", None),
    ("auth_username", "text", "the name to log in with", None),
    ("auth_password", "text", "the password to log in with", None),
    ("verify_ssl", "truth", "whether the certificate must be trusted", Some(|| json!(true))),
    ("follow_redirects", "truth", "whether redirects are followed", Some(|| json!(true))),
    ("redirects", "number", "redirects that are followed at most", Some(|| json!(5))),
    ("expect", "object", "what else is expected, as in a list", None),
    ("auth", "object", "a login, as in a list", None),
    ("http_version", "1.1, 2", "the version of HTTP that is offered", Some(|| json!("1.1"))),
];
const SSL: &[Key] = &[
    ("hostname!", "text", "the host, perhaps with a port", None),
    ("port", "number", "the port", Some(|| json!(443))),
    ("warning_days", "number", "fewer days of validity are a warning", Some(|| json!(30))),
    ("critical_days", "number", "fewer days of validity are an error", Some(|| json!(14))),
    ("check_chain", "truth", "whether the days of the whole chain count", Some(|| json!(false))),
    (
        "verify_hostname",
        "truth",
        "whether the certificate must be for the host",
        Some(|| json!(true)),
    ),
    ("verify_ssl", "truth", "whether the certificate must be trusted", Some(|| json!(true))),
    ("starttls", "none, smtp, imap, pop3", "how TLS begins", Some(|| json!("none"))),
];
const MAIL: &[Key] = &[
    ("hostname!", "text", "the server, or with resolve_mx the domain", None),
    ("port", "number", "the port; that of the protocol unless it is named", None),
    ("protocol", "smtp, imap, pop3", "the protocol", Some(|| json!("smtp"))),
    ("use_ssl", "truth", "whether TLS begins with the first byte", Some(|| json!(false))),
    ("use_tls", "truth", "whether TLS begins by STARTTLS", Some(|| json!(false))),
    ("verify_ssl", "truth", "whether the certificate must be trusted", Some(|| json!(true))),
    ("username", "text", "the name to log in with", None),
    ("password", "text", "the password to log in with", None),
    ("resolve_mx", "truth", "whether the server is that of a domain's mail", Some(|| json!(false))),
    ("test_send", "truth", "whether a message is sent", Some(|| json!(false))),
    ("from_email", "text", "the sender of that message", None),
    ("to_email", "text", "its recipient", None),
    ("subject", "text", "its subject", None),
    ("message", "text", "its text", None),
];
const DNS: &[Key] = &[
    ("domain!", "text", "the name", None),
    ("record_type", "text", "the type of the record", Some(|| json!("A"))),
    ("subdomain", "text", "a name below the domain", None),
    ("expected_value", "list", "a value that the answer must hold, or several", None),
    ("nameserver", "text", "the name server that is asked; the system's unless it is named", None),
    ("check_propagation", "truth", "whether other name servers are asked", Some(|| json!(false))),
    ("resolvers", "list", "those name servers; public ones unless they are named", None),
    ("propagation_threshold", "number", "percent of them that must agree", Some(|| json!(80))),
    ("check_authoritative", "truth", "whether those of the zone are asked", Some(|| json!(false))),
    ("check_dnssec", "truth", "whether the answer must be signed", Some(|| json!(false))),
];
const TCP: &[Key] = &[
    ("host!", "text", "the host, perhaps with a port", None),
    ("port", "number", "the port, which must be named here or with the host", None),
    ("send", "list", "a line that is sent, or several", None),
    ("expect", "list", "a text that must come, or several", None),
];
const ICMP: &[Key] = &[
    ("host!", "text", "the host", None),
    ("count", "number", "echoes that are asked for", Some(|| json!(3))),
    ("spacing", "duration", "the time from one to the next", Some(|| json!("200ms"))),
    ("size", "number", "bytes that are sent along", Some(|| json!(56))),
];
/// What every kind takes.
const COMMON: &[Key] = &[
    ("timeout", "duration", "how long it may take", Some(|| json!("30s"))),
    ("ip_version", "4, 6, any", "the addresses that are tried", Some(|| json!("any"))),
    ("resolver", "text", "the name server that is asked; the system's unless it is named", None),
];

const KINDS: &[(&str, &str, &[Key])] = &[
    ("website_status", "a website over HTTP: its status, its content, its time", WEBSITE),
    ("ssl_certificate", "the certificate that a server shows, and how long it is valid", SSL),
    ("mail_server", "a mail server over SMTP, IMAP or POP3", MAIL),
    ("dns_record", "a record of the domain name system", DNS),
    ("tcp", "a port over TCP, and what is said there", TCP),
    ("icmp", "whether a host sends echoes back", ICMP),
];

/// The kinds of checks that are built in.
#[must_use]
pub fn plugins() -> Plugins {
    let kind = |(name, description, keys): &(&str, &str, &[Key])| PluginKind {
        name: (*name).to_owned(),
        description: (*description).to_owned(),
        keys: keys.iter().chain(COMMON).map(key).collect(),
    };
    Plugins { plugins: KINDS.iter().map(kind).collect() }
}

fn key((name, kind, description, default): &Key) -> PluginKey {
    PluginKey {
        name: name.trim_end_matches('!').to_owned(),
        description: (*description).to_owned(),
        kind: (*kind).to_owned(),
        required: name.ends_with('!'),
        default: default.map(|default| default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rules::Rules;
    use crate::config::targets::own::one;
    use crate::target::{CheckKind, IcmpProbe, Plan, SslProbe};

    /// What is wrong with a check of this kind that names all it needs, and this key with a value
    /// that no key has.
    fn said_of(kind: &PluginKind, key: &str) -> String {
        let needed = kind.keys.iter().filter(|key| key.required);
        let mut config: serde_json::Map<String, Value> =
            needed.map(|key| (key.name.clone(), json!("a.example"))).collect();
        config.insert(key.to_owned(), json!([[null]]));
        let check = json!({"plugin_type": kind.name, "config": config});
        one(check, &Rules::default()).expect_err("no key has such a value")
    }

    #[test]
    fn every_key_is_one_that_is_read() {
        for kind in plugins().plugins {
            for key in &kind.keys {
                let said = said_of(&kind, &key.name);
                assert!(!said.contains("unknown"), "{}: {said}", kind.name);
            }
            assert!(said_of(&kind, "nonsense").contains("unknown"));
        }
    }

    #[test]
    fn what_holds_where_nothing_is_named_is_told() {
        let told = |kind: &str, key: &str| {
            let plugins = plugins().plugins;
            let kind = plugins.into_iter().find(|one| one.name == kind).expect("a kind");
            kind.keys.into_iter().find(|one| one.name == key).expect("a key").default
        };
        let ssl = SslProbe::default();
        assert_eq!(told("ssl_certificate", "warning_days"), Some(ssl.warning_days.into()));
        assert_eq!(told("ssl_certificate", "critical_days"), Some(ssl.critical_days.into()));
        let icmp = IcmpProbe::default();
        assert_eq!(told("icmp", "count"), Some(icmp.count.into()));
        assert_eq!(told("icmp", "size"), Some(icmp.size.into()));
        assert_eq!(told("icmp", "spacing"), Some(format!("{}ms", icmp.spacing_ms).into()));
        assert_eq!(told("website_status", "redirects"), Some(Plan::default().redirects.into()));
    }

    #[test]
    fn there_is_one_for_each_kind() {
        let names: Vec<String> = plugins().plugins.into_iter().map(|kind| kind.name).collect();
        let kinds = CheckKind::ALL.iter().filter(|kind| **kind != CheckKind::Other);
        assert_eq!(names, kinds.map(|kind| kind.plugin_type()).collect::<Vec<_>>());
    }
}
