//! What a check asks for beside its address, as keys of an entry of its kind.

use serde_json::{Map, Value};

use super::{put, span};
use crate::target::{
    DnsProbe, IcmpProbe, Look, MailProbe, MailTls, Probe, SslProbe, StartTls, TcpProbe, TcpStep,
};

/// Percent of name servers that must agree where an entry does not say.
const THRESHOLD: u8 = 80;

/// Puts in what of `probe` is not as usual; tells whether it is another kind than HTTP. The scheme
/// of the address says which.
pub(super) fn put_into(keys: &mut Map<String, Value>, probe: &Probe) -> bool {
    match probe {
        Probe::Http => return false,
        Probe::Ssl(ssl) => put_ssl(keys, ssl),
        Probe::Mail(mail) => put_mail(keys, mail),
        Probe::Dns(dns) => put_dns(keys, dns),
        Probe::Tcp(tcp) => put_tcp(keys, tcp),
        Probe::Icmp(icmp) => put_icmp(keys, icmp),
        // Lists ask for none of these.
        Probe::Question(_) => {}
        Probe::Other(other) => {
            put(keys, "plugin_type", Some(&*other.name));
            put(keys, "config", Some(other.config.0.clone()));
        }
    }
    true
}

/// `true` where something is looked at that usually is not.
fn wanted(look: Look) -> Option<bool> {
    look.is_wanted().then_some(true)
}

fn put_ssl(keys: &mut Map<String, Value>, ssl: &SslProbe) {
    let usual = SslProbe::default();
    put(keys, "warning_days", Some(ssl.warning_days).filter(|days| *days != usual.warning_days));
    let critical = usual.critical_days.min(ssl.warning_days);
    put(keys, "critical_days", Some(ssl.critical_days).filter(|days| *days != critical));
    put(keys, "check_chain", wanted(ssl.chain));
    put(keys, "verify_hostname", Some(false).filter(|_| !ssl.name.is_wanted()));
    let start = match ssl.start {
        StartTls::Direct => None,
        StartTls::Smtp => Some("smtp"),
        StartTls::Imap => Some("imap"),
        StartTls::Pop3 => Some("pop3"),
    };
    put(keys, "starttls", start);
}

fn put_mail(keys: &mut Map<String, Value>, mail: &MailProbe) {
    put(keys, "use_tls", Some(true).filter(|_| mail.tls == MailTls::Start));
    if let Some((username, password)) = &mail.login {
        put(keys, "username", Some(&**username));
        put(keys, "password", Some(&**password));
    }
    put(keys, "resolve_mx", wanted(mail.mx));
    if let Some(message) = &mail.message {
        put(keys, "test_send", Some(true));
        put(keys, "from_email", Some(&*message.from));
        put(keys, "to_email", Some(&*message.to));
        put(keys, "subject", Some(&*message.subject));
        put(keys, "message", Some(&*message.text));
    }
}

fn put_dns(keys: &mut Map<String, Value>, dns: &DnsProbe) {
    let expected: Vec<&str> = dns.expected.iter().map(AsRef::as_ref).collect();
    put(keys, "expected_value", Some(expected).filter(|expected| !expected.is_empty()));
    if !dns.resolvers.is_empty() {
        let resolvers: Vec<String> = dns.resolvers.iter().map(ToString::to_string).collect();
        put(keys, "check_propagation", Some(true));
        put(keys, "resolvers", Some(resolvers));
    }
    let threshold = dns.propagation_threshold;
    put(keys, "propagation_threshold", Some(threshold).filter(|percent| *percent != THRESHOLD));
    put(keys, "check_authoritative", wanted(dns.authoritative));
    put(keys, "check_dnssec", wanted(dns.dnssec));
}

fn put_tcp(keys: &mut Map<String, Value>, tcp: &TcpProbe) {
    let lines = |of: fn(&TcpStep) -> Option<&str>| {
        let lines: Vec<&str> = tcp.dialog.iter().filter_map(of).collect();
        Some(lines).filter(|lines| !lines.is_empty())
    };
    let sent = lines(|step| match step {
        TcpStep::Send(line) => Some(line),
        _ => None,
    });
    put(keys, "send", sent);
    let expected = lines(|step| match step {
        TcpStep::Expect(text) => Some(text),
        _ => None,
    });
    put(keys, "expect", expected);
}

fn put_icmp(keys: &mut Map<String, Value>, icmp: &IcmpProbe) {
    let usual = IcmpProbe::default();
    put(keys, "count", Some(icmp.count).filter(|count| *count != usual.count));
    let spacing = Some(icmp.spacing_ms).filter(|spacing| *spacing != usual.spacing_ms);
    put(keys, "spacing", spacing.map(span));
    put(keys, "size", Some(icmp.size).filter(|size| *size != usual.size));
}
