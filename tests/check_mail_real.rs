//! Checks of mail servers against Dovecot and Postfix, as Debian has them.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

#[path = "support/pki.rs"]
mod pki;
#[path = "support/probes.rs"]
mod probes;
#[path = "support/real.rs"]
mod real;
#[path = "support/site.rs"]
mod site;

use poller::check::{Facts, HttpOptions};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{Look, MailMessage, MailProbe, MailProtocol, MailTls, Plan, Probe};
use probes::{fact, look_with, target};
use real::{Dovecot, Nsd, PASSWORD, Pki, Smtp, USER};
use serde_json::{Value, json};
use site::fault;

/// What a check that trusts the root of `pki` finds on `port`.
async fn look(pki: &Pki, port: u16, probe: MailProbe) -> (Finding, Facts) {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("root.pem");
    pki.write_root(&file);
    let options = HttpOptions { ca: Some(file), ..HttpOptions::default() };
    let plan = Plan { probe: Probe::Mail(Box::new(probe)), ..Plan::default() };
    let mut target = target(&format!("smtp://127.0.0.1:{port}"), plan);
    target.timeout_ms = 60_000;
    look_with(options, target).await
}

fn probe(protocol: MailProtocol, tls: MailTls, password: &str) -> MailProbe {
    let login = Some((USER.into(), password.into()));
    MailProbe { protocol, tls, login, ..MailProbe::default() }
}

fn message(to: &str) -> MailMessage {
    MailMessage {
        from: "someone@elsewhere.test".into(),
        to: to.into(),
        subject: "eine Prüfung".into(),
        text: ".\nGrüße".into(),
    }
}

#[tokio::test]
async fn dovecot_is_logged_into_and_its_messages_are_counted() {
    let pki = Pki::new();
    let Some(dovecot) = Dovecot::start(&pki) else { return };
    let (imap, pop3) = (MailProtocol::Imap, MailProtocol::Pop3);
    for (protocol, tls, port) in [
        (imap, MailTls::None, dovecot.imap_port()),
        (imap, MailTls::Start, dovecot.imap_port()),
        (imap, MailTls::Implicit, dovecot.imaps_port()),
        (pop3, MailTls::None, dovecot.pop3_port()),
        (pop3, MailTls::Start, dovecot.pop3_port()),
        (pop3, MailTls::Implicit, dovecot.pop3s_port()),
    ] {
        let (finding, facts) = look(&pki, port, probe(protocol, tls, PASSWORD)).await;
        assert_eq!(finding.verdict, Verdict::Up, "{tls:?} {finding:?} {facts:?}");
        assert_eq!(fact(&facts, "authenticated"), true);
        assert_eq!(fact(&facts, "supports_tls"), true);
        assert_eq!(fact(&facts, "quit"), true);
        assert_eq!(fact(&facts, "tls")["protocol"].is_string(), tls != MailTls::None);
        let mailbox = fact(&facts, "mailbox");
        assert_eq!(mailbox["messages"], 3, "{facts:?}");
        match protocol {
            MailProtocol::Imap => assert_eq!(mailbox["unseen"], 2, "{facts:?}"),
            _ => assert!(mailbox["octets"].as_u64().is_some_and(|octets| octets > 300)),
        }
        let is_injected = fact(&facts, "plaintext_after_starttls");
        let expected = if tls == MailTls::Start { json!(false) } else { Value::Null };
        assert_eq!(is_injected, expected);
    }
}

#[tokio::test]
async fn dovecot_refuses_a_wrong_password() {
    let pki = Pki::new();
    let Some(dovecot) = Dovecot::start(&pki) else { return };
    for (protocol, port) in
        [(MailProtocol::Imap, dovecot.imaps_port()), (MailProtocol::Pop3, dovecot.pop3s_port())]
    {
        for password in ["wrong-pass", "wröng \"pass\\", "", "\u{7f}"] {
            let probe = probe(protocol, MailTls::Implicit, password);
            let (finding, facts) = look(&pki, port, probe).await;
            assert_eq!(fault(&finding), (Cause::Status, Detail::LoginRefused), "{facts:?}");
            assert_eq!(fact(&facts, "authenticated"), false);
            assert_eq!(fact(&facts, "quit"), true);
        }
    }
}

#[tokio::test]
async fn postfix_takes_a_message_for_its_user_and_relays_none() {
    let pki = Pki::new();
    let Some(smtp) = Smtp::start(&pki) else { return };
    let sending = |tls, to| MailProbe { tls, message: Some(message(to)), ..MailProbe::default() };
    for (tls, port) in [
        (MailTls::None, smtp.port()),
        (MailTls::Start, smtp.port()),
        (MailTls::Implicit, smtp.smtps_port()),
    ] {
        let (finding, facts) = look(&pki, port, sending(tls, "probe@mail.test")).await;
        assert_eq!((finding.verdict, finding.status), (Verdict::Up, 250), "{facts:?}");
        assert_eq!(fact(&facts, "sent"), true);
        assert_eq!(fact(&facts, "quit"), true);
        let greeting = fact(&facts, "greeting");
        assert!(greeting.as_str().is_some_and(|words| words.starts_with("220 mail.test ESMTP")));
        let (finding, facts) = look(&pki, port, sending(tls, "someone@other.test")).await;
        assert_eq!(fault(&finding), (Cause::Status, Detail::Rejected), "{facts:?}");
        assert_eq!((finding.status, fact(&facts, "sent")), (554, json!(false)));
    }
    let messages = smtp.await_received(3);
    for message in messages {
        assert!(message.contains("\nSubject: =?utf-8?B?ZWluZSBQcsO8ZnVuZw==?=\n"), "{message}");
        assert!(message.contains("\nFrom: <someone@elsewhere.test>\n"), "{message}");
        assert!(message.ends_with("\n\nLg0KR3LDvMOfZQ0K\n"), "{message}");
    }
}

#[tokio::test]
async fn postfix_checks_logins_inside_tls() {
    let pki = Pki::new();
    let Some(smtp) = Smtp::start(&pki) else { return };
    if !smtp.has_logins() {
        return;
    }
    for (tls, port) in [(MailTls::Start, smtp.port()), (MailTls::Implicit, smtp.smtps_port())] {
        let (finding, facts) = look(&pki, port, probe(MailProtocol::Smtp, tls, PASSWORD)).await;
        assert_eq!((finding.verdict, finding.status), (Verdict::Up, 235), "{facts:?}");
        assert_eq!(fact(&facts, "authenticated"), true);
        let wrong = probe(MailProtocol::Smtp, tls, "wrong-pass");
        let (finding, facts) = look(&pki, port, wrong).await;
        assert_eq!(fault(&finding), (Cause::Status, Detail::LoginRefused), "{facts:?}");
        assert_eq!(finding.status, 535);
    }
    let clear = probe(MailProtocol::Smtp, MailTls::None, PASSWORD);
    let (finding, facts) = look(&pki, smtp.port(), clear).await;
    assert_eq!(fault(&finding), (Cause::Status, Detail::LoginRefused), "{facts:?}");
}

#[tokio::test]
async fn nsd_names_the_exchangers_of_a_domain() {
    let Some(nsd) = Nsd::start() else { return };
    for (domain, records, expected) in [
        ("nomail.example.test", json!([{ "preference": 0, "exchange": "" }]), Detail::NoMail),
        ("textonly.example.test", json!([]), Detail::NoAddress),
    ] {
        let probe = MailProbe { mx: Look::Yes, ..MailProbe::default() };
        let plan = Plan {
            probe: Probe::Mail(Box::new(probe)),
            resolver: Some(nsd.address()),
            ..Plan::default()
        };
        let target = target(&format!("smtp://{domain}:25"), plan);
        let (finding, facts) = look_with(HttpOptions::default(), target).await;
        assert_eq!(fault(&finding), (Cause::Dns, expected), "{facts:?}");
        assert_eq!(fact(&facts, "mx_records"), records);
    }
}
