//! The keys of `mail_server`.

use super::keys::Keys;
use super::place::Place;
use crate::address::Scheme;
use crate::config::fields::Fields;
use crate::target::{Look, MailMessage, MailProbe, MailProtocol, MailTls, Probe, Verify};

const PROTOCOLS: &[(&str, MailProtocol)] =
    &[("smtp", MailProtocol::Smtp), ("imap", MailProtocol::Imap), ("pop3", MailProtocol::Pop3)];

pub(super) fn read(keys: &mut Keys<'_>, fields: &mut Fields) {
    let place = Place::read(keys, "hostname");
    let (of_scheme, is_secure) = of_scheme(place.as_ref().and_then(|place| place.scheme));
    let protocol = keys.choice("protocol", PROTOCOLS).or(of_scheme).unwrap_or_default();
    let tls = match (keys.truth("use_ssl"), keys.truth("use_tls")) {
        (Some(true), Some(true)) => {
            keys.fault("\"use_ssl\" and \"use_tls\" (STARTTLS) exclude each other; remove one");
            MailTls::None
        }
        (Some(true), _) => MailTls::Implicit,
        (_, Some(true)) => MailTls::Start,
        (None, None) if is_secure => MailTls::Implicit,
        _ => MailTls::None,
    };
    if let Some(verify) = keys.truth("verify_ssl") {
        fields.plan.tls.verify = Some(if verify { Verify::Strict } else { Verify::Off });
    }
    let mx = Look::when(keys.truth("resolve_mx").unwrap_or(false));
    if mx.is_wanted() && protocol != MailProtocol::Smtp {
        keys.fault("\"resolve_mx\" is for \"protocol\" smtp alone; remove one of them");
    }
    let login = login(keys, place.as_ref());
    let message = message(keys, protocol);
    let probe = MailProbe { protocol, tls, login, mx, message };
    fields.plan.probe = Some(Probe::Mail(Box::new(probe)));
    if let Some(place) = place {
        place.address(scheme(protocol, tls), "", fields);
    }
}

fn of_scheme(scheme: Option<Scheme>) -> (Option<MailProtocol>, bool) {
    match scheme {
        Some(Scheme::Smtp) => (Some(MailProtocol::Smtp), false),
        Some(Scheme::Smtps) => (Some(MailProtocol::Smtp), true),
        Some(Scheme::Imap) => (Some(MailProtocol::Imap), false),
        Some(Scheme::Imaps) => (Some(MailProtocol::Imap), true),
        Some(Scheme::Pop3) => (Some(MailProtocol::Pop3), false),
        Some(Scheme::Pop3s) => (Some(MailProtocol::Pop3), true),
        _ => (None, false),
    }
}

fn scheme(protocol: MailProtocol, tls: MailTls) -> Scheme {
    match (protocol, tls == MailTls::Implicit) {
        (MailProtocol::Smtp, false) => Scheme::Smtp,
        (MailProtocol::Smtp, true) => Scheme::Smtps,
        (MailProtocol::Imap, false) => Scheme::Imap,
        (MailProtocol::Imap, true) => Scheme::Imaps,
        (MailProtocol::Pop3, false) => Scheme::Pop3,
        (MailProtocol::Pop3, true) => Scheme::Pop3s,
    }
}

fn login(keys: &mut Keys<'_>, place: Option<&Place>) -> Option<(Box<str>, Box<str>)> {
    match (keys.secret("username"), keys.secret("password")) {
        (Some(name), Some(password)) => Some((name, password)),
        (None, None) => {
            let (name, password) = place?.login.clone()?;
            Some((name.into(), password.into()))
        }
        (Some(_), None) => {
            keys.missing("password", "the password that goes with \"username\"");
            None
        }
        (None, Some(_)) => {
            keys.missing("username", "the name that goes with \"password\"");
            None
        }
    }
}

fn message(keys: &mut Keys<'_>, protocol: MailProtocol) -> Option<MailMessage> {
    let is_wanted = keys.truth("test_send").unwrap_or(false);
    let (from, to) = (keys.text("from_email"), keys.text("to_email"));
    let (subject, text) = (keys.text("subject"), keys.secret("message"));
    if !is_wanted {
        return None;
    }
    if protocol != MailProtocol::Smtp {
        keys.fault("\"test_send\" is for \"protocol\" smtp alone; remove one of them");
    }
    if from.is_none() {
        keys.missing("from_email", "the sender of the message that \"test_send\" asks for");
    }
    if to.is_none() {
        keys.missing("to_email", "the recipient of the message that \"test_send\" asks for");
    }
    let (from, to) = (from?, to?);
    for (key, address) in [("from_email", &from), ("to_email", &to)] {
        if !address.contains('@') || address.contains([' ', '<', '>']) {
            keys.fault(format!("\"{key}\" is no address; write it like me@example.com"));
        }
    }
    let subject = subject.unwrap_or_else(|| "Test of poller".into());
    let usual = "This message was sent to see whether the mail server takes it.";
    Some(MailMessage { from, to, subject, text: text.unwrap_or_else(|| usual.into()) })
}
