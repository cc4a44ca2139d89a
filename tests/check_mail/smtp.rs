//! SMTP after its greeting: names, logins, and a message.

use poller::outcome::{Cause, Detail, Verdict};
use poller::target::{MailMessage, MailProbe, MailProtocol};

use crate::probes::{Rules, Speaker, fact, look};
use crate::site::fault;
use crate::{SMTP, logging_in, plan, speaking};

const GREETING: &str = "220 mail.test ready\r\n";

fn probe() -> MailProbe {
    speaking(MailProtocol::Smtp)
}

fn message(from: &str, to: &str) -> MailProbe {
    let (from, to) = (from.into(), to.into());
    let message = MailMessage { from, to, subject: "a probe".into(), text: ".\nits text".into() };
    MailProbe { message: Some(message), ..probe() }
}

/// Cause, detail and status of a check of a server with these rules before the usual ones.
async fn failed(rules: Rules, probe: MailProbe) -> ((Cause, Detail), u16, String) {
    let server = Speaker::plain(GREETING, &[rules, SMTP]).await;
    let (finding, facts) = look(&server.url("smtp"), plan(probe)).await;
    (fault(&finding), finding.status, facts.message)
}

#[tokio::test]
async fn a_greeting_of_several_lines_is_one() {
    let server = Speaker::plain("220-mail.test\r\n220-and\r\n220 ready\r\n", &[SMTP]).await;
    let (finding, facts) = look(&server.url("smtp"), plan(probe())).await;
    assert_eq!((finding.verdict, finding.status), (Verdict::Up, 250), "{facts:?}");
    assert_eq!(fact(&facts, "greeting"), "220 mail.test and ready");
    assert_eq!(fact(&facts, "capabilities"), serde_json::json!(["STARTTLS", "AUTH PLAIN LOGIN"]));
    assert_eq!(server.heard(), ["EHLO [127.0.0.1]", "QUIT"]);
}

#[tokio::test]
async fn who_does_not_know_ehlo_is_greeted_in_the_old_way() {
    let old: Rules = &[("EHLO", "502 what?\r\n"), ("HELO", "250 mail.test\r\n")];
    let server = Speaker::plain(GREETING, &[old, SMTP]).await;
    let (finding, facts) = look(&server.url("smtp"), plan(probe())).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    assert_eq!(server.heard(), ["EHLO [127.0.0.1]", "HELO [127.0.0.1]", "QUIT"]);
    assert_eq!(fact(&facts, "capabilities"), serde_json::json!([]));
    assert_eq!(fact(&facts, "supports_tls"), false);
}

#[tokio::test]
async fn who_refuses_our_name_is_told_by_its_code() {
    let rejected = (Cause::Status, Detail::Rejected);
    let both: Rules = &[("EHLO", "550 not you\r\n"), ("HELO", "554 nor so\r\n")];
    let (cause, status, message) = failed(both, probe()).await;
    assert_eq!((cause, status), (rejected, 554), "{message}");
    let gone: Rules = &[("EHLO", "554 not you\r\n"), ("HELO", "CLOSE")];
    let (cause, status, message) = failed(gone, probe()).await;
    assert_eq!((cause, status), (rejected, 554), "{message}");
    assert!(message.contains("554 not you"), "{message}");
    let (cause, status, _) = failed(&[("EHLO", "421 too busy\r\n")], probe()).await;
    assert_eq!((cause, status), ((Cause::Status, Detail::Unavailable), 421));
}

#[tokio::test]
async fn nonsense_is_no_reply() {
    let bad = (Cause::Protocol, Detail::BadReply);
    let nonsense: [Rules; 4] = [
        &[("EHLO", "hello\r\n")],
        &[("EHLO", "250-a\r\n251 b\r\n")],
        &[("EHLO", "354 a\r\n")],
        &[("EHLO", "250_a\r\n")],
    ];
    for rules in nonsense {
        let (cause, _, message) = failed(rules, probe()).await;
        assert_eq!(cause, bad, "{rules:?} {message}");
    }
    let (cause, ..) = failed(&[("EHLO", "CLOSE")], probe()).await;
    assert_eq!(cause, (Cause::Protocol, Detail::NoAnswer));
}

#[tokio::test]
async fn a_login_is_made_as_the_server_offers_it() {
    let server = Speaker::plain(GREETING, &[SMTP]).await;
    let login = logging_in(MailProtocol::Smtp, "me", "pass");
    let (finding, facts) = look(&server.url("smtp"), plan(login.clone())).await;
    assert_eq!((finding.verdict, finding.status), (Verdict::Up, 235), "{facts:?}");
    assert_eq!(fact(&facts, "authenticated"), true);
    assert_eq!(server.heard()[1], "AUTH PLAIN AG1lAHBhc3M=");
    let old: Rules = &[
        ("EHLO", "250-mail.test\r\n250 AUTH=LOGIN\r\n"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
        ("bWU=", "334 UGFzc3dvcmQ6\r\n"),
        ("cGFzcw==", "235 welcome\r\n"),
    ];
    let server = Speaker::plain(GREETING, &[old, SMTP]).await;
    let (finding, facts) = look(&server.url("smtp"), plan(login)).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    assert_eq!(server.heard()[1..4], ["AUTH LOGIN", "bWU=", "cGFzcw=="]);
}

#[tokio::test]
async fn a_long_secret_follows_its_command() {
    let rules: Rules = &[("AUTH PLAIN", "334 \r\n"), ("AG1l", "235 welcome\r\n")];
    let server = Speaker::plain(GREETING, &[rules, SMTP]).await;
    let login = logging_in(MailProtocol::Smtp, "me", &"p".repeat(600));
    let (finding, facts) = look(&server.url("smtp"), plan(login)).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    assert_eq!(server.heard()[1], "AUTH PLAIN");
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_without_its_secrets() {
    let echo: Rules = &[("AUTH", "535 5.7.8 no: AUTH PLAIN AG1lAHMzY3JldA== is s3cret\r\n")];
    let server = Speaker::plain(GREETING, &[echo, SMTP]).await;
    let login = logging_in(MailProtocol::Smtp, "me", "s3cret");
    let (finding, facts) = look(&server.url("smtp"), plan(login.clone())).await;
    assert_eq!(fault(&finding), (Cause::Status, Detail::LoginRefused));
    assert_eq!((finding.status, finding.is_permanent()), (535, true));
    assert_eq!(fact(&facts, "authenticated"), false);
    assert_eq!(fact(&facts, "quit"), true, "it takes its leave");
    let told = format!("{facts:?}");
    assert!(told.contains("535 5.7.8") && told.contains("<secret>"), "{told}");
    assert!(!told.contains("s3cret") && !told.contains("AG1lAHMzY3JldA=="), "{told}");
    let (cause, status, _) = failed(&[("AUTH", "454 not now\r\n")], login.clone()).await;
    assert_eq!((cause, status), ((Cause::Status, Detail::Unavailable), 454));
    let (cause, _, message) = failed(&[("EHLO", "250 mail.test\r\n")], login.clone()).await;
    assert_eq!(cause, (Cause::Status, Detail::LoginRefused), "{message}");
    let (cause, ..) = failed(&[("EHLO", "250-a\r\n250 AUTH CRAM-MD5\r\n")], login).await;
    assert_eq!(cause, (Cause::Internal, Detail::Setting), "that is what we do not know");
}

#[tokio::test]
async fn a_message_is_sent_whole() {
    let server = Speaker::plain(GREETING, &[SMTP]).await;
    let plan = plan(message("me@a.example", "you@b.example"));
    let (finding, facts) = look(&server.url("smtp"), plan).await;
    assert_eq!((finding.verdict, finding.status), (Verdict::Up, 250), "{facts:?}");
    assert_eq!(fact(&facts, "sent"), true);
    assert_eq!(fact(&facts, "reply"), "250 2.0.0 queued as 1");
    let heard = server.heard();
    assert_eq!(heard[1..4], ["MAIL FROM:<me@a.example>", "RCPT TO:<you@b.example>", "DATA"]);
    assert!(heard[4].contains("\r\nSubject: a probe\r\n"), "{}", heard[4]);
    assert!(heard[4].ends_with("\r\n\r\n..\r\nits text\r\n.\r\n"), "{}", heard[4]);
    assert_eq!(heard[5..], ["QUIT"]);
}

#[tokio::test]
async fn a_message_that_is_refused_is_told_with_why() {
    for (rules, code, detail) in [
        (&[("MAIL", "550 not you\r\n")] as Rules, 550, Detail::Rejected),
        (&[("RCPT", "554 5.7.1 relay denied\r\n")], 554, Detail::Rejected),
        (&[("RCPT", "450 4.7.1 greylisted\r\n")], 450, Detail::Unavailable),
        (&[("DATA", "452 full\r\n")], 452, Detail::Unavailable),
    ] {
        let server = Speaker::plain(GREETING, &[rules, SMTP]).await;
        let plan = plan(message("me@a.example", "you@b.example"));
        let (finding, facts) = look(&server.url("smtp"), plan).await;
        assert_eq!(fault(&finding), (Cause::Status, detail));
        assert_eq!(finding.status, code);
        assert_eq!(fact(&facts, "sent"), false);
        let reply = fact(&facts, "reply");
        assert!(reply.as_str().is_some_and(|reply| reply.starts_with(&code.to_string())));
    }
    let (cause, ..) = failed(&[("DATA", "250 what?\r\n")], message("me@a", "you@b")).await;
    assert_eq!(cause, (Cause::Protocol, Detail::BadReply));
}

#[tokio::test]
async fn an_address_smuggles_no_command() {
    let server = Speaker::plain(GREETING, &[SMTP]).await;
    for bad in ["me@a>\r\nRCPT TO:<you@c", "me@a\nDATA", "me@a> SIZE=9", "ü@a.example"] {
        let (finding, _) = look(&server.url("smtp"), plan(message(bad, "you@b.example"))).await;
        assert_eq!(fault(&finding), (Cause::Internal, Detail::Setting), "{bad:?}");
    }
    assert!(server.heard().iter().all(|line| line.starts_with("EHLO") || line == "QUIT"));
}

#[tokio::test]
async fn a_farewell_that_nobody_answers_changes_nothing() {
    let deaf: Rules = &[("QUIT", "")];
    let server = Speaker::plain(GREETING, &[deaf, SMTP]).await;
    let (finding, facts) = look(&server.url("smtp"), plan(probe())).await;
    assert_eq!((finding.verdict, finding.status), (Verdict::Up, 250));
    assert_eq!(fact(&facts, "quit"), false);
}
