//! IMAP after its greeting: capabilities, logins, and the inbox.

use poller::outcome::{Cause, Detail, Verdict};
use poller::target::{MailProbe, MailProtocol, MailTls};
use serde_json::json;

use crate::probes::{Rules, Speaker, fact, look};
use crate::site::fault;
use crate::{IMAP, logging_in, plan, speaking};

const GREETING: &str = "* OK ready\r\n";

fn login() -> MailProbe {
    logging_in(MailProtocol::Imap, "me", "s3 \"c\\ret")
}

async fn failed(rules: Rules, probe: MailProbe) -> ((Cause, Detail), String) {
    let server = Speaker::plain(GREETING, &[rules, IMAP]).await;
    let (finding, facts) = look(&server.url("imap"), plan(probe)).await;
    (fault(&finding), facts.message)
}

#[tokio::test]
async fn a_login_counts_the_inbox() {
    let server = Speaker::plain(GREETING, &[IMAP]).await;
    let (finding, facts) = look(&server.url("imap"), plan(login())).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    assert_eq!(fact(&facts, "authenticated"), true);
    assert_eq!(fact(&facts, "mailbox"), json!({ "messages": 3, "unseen": 2 }));
    assert_eq!(fact(&facts, "capabilities"), json!(["IMAP4REV1", "STARTTLS", "AUTH=PLAIN"]));
    assert!(facts.message.contains("3 messages, 2 unseen"), "{}", facts.message);
    assert_eq!(server.heard()[1], r#"a2 LOGIN "me" "s3 \"c\\ret""#);
    assert_eq!(server.heard().last().map(String::as_str), Some("z1 LOGOUT"));
}

#[tokio::test]
async fn what_cannot_stand_in_quotes_goes_by_its_length() {
    let rules: Rules = &[
        ("a1 CAPABILITY", "* CAPABILITY IMAP4rev1\r\na1 OK done\r\n"),
        ("a2 LOGIN {4}", "+ go on\r\n"),
        ("mü\" {4}", "+ go on\r\n"),
        ("p", ""),
        ("b", "a2 OK welcome\r\n"),
    ];
    let server = Speaker::plain(GREETING, &[rules, IMAP]).await;
    // The line break is part of the password, and so is whatever follows it.
    let probe = logging_in(MailProtocol::Imap, "mü\"", "p\r\nb");
    let (finding, facts) = look(&server.url("imap"), plan(probe)).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    assert_eq!(server.heard()[1..5], ["a2 LOGIN {4}", "mü\" {4}", "p", "b"]);
}

#[tokio::test]
async fn where_login_is_disabled_another_way_is_taken_or_none() {
    let rules: Rules = &[
        ("a1 CAPABILITY", "* CAPABILITY LOGINDISABLED AUTH=PLAIN\r\na1 OK done\r\n"),
        ("a2 AUTHENTICATE PLAIN", "+ \r\n"),
        ("AG1lAHBhc3M=", "a2 OK welcome\r\n"),
    ];
    let server = Speaker::plain(GREETING, &[rules, IMAP]).await;
    let probe = logging_in(MailProtocol::Imap, "me", "pass");
    let (finding, facts) = look(&server.url("imap"), plan(probe)).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    let none: Rules = &[("a1 CAPABILITY", "* CAPABILITY LOGINDISABLED\r\na1 OK done\r\n")];
    let server = Speaker::plain(GREETING, &[none, IMAP]).await;
    let (finding, facts) = look(&server.url("imap"), plan(login())).await;
    assert_eq!(fault(&finding), (Cause::Status, Detail::LoginRefused), "{facts:?}");
    assert_eq!(server.heard(), ["a1 CAPABILITY", "z1 LOGOUT"], "no password was sent");
}

#[tokio::test]
async fn a_refusal_is_told_with_whether_it_is_for_good() {
    let (cause, message) =
        failed(&[("a2 LOGIN", "a2 NO [AUTHENTICATIONFAILED] no\r\n")], login()).await;
    assert_eq!(cause, (Cause::Status, Detail::LoginRefused));
    assert!(message.ends_with("NO [AUTHENTICATIONFAILED] no"), "{message}");
    let (cause, _) = failed(&[("a2 LOGIN", "a2 NO [UNAVAILABLE] later\r\n")], login()).await;
    assert_eq!(cause, (Cause::Status, Detail::Unavailable));
    let (cause, _) = failed(&[("a3 STATUS", "a3 NO none\r\n")], login()).await;
    assert_eq!(cause, (Cause::Status, Detail::Rejected));
    let bye: Rules = &[("a1 CAPABILITY", "* BYE too busy\r\n"), ("", "CLOSE")];
    let server = Speaker::plain("* OK ready\r\n* BYE too busy\r\n", &[&[("", "CLOSE")], bye]).await;
    let (finding, facts) = look(&server.url("imap"), plan(login())).await;
    assert_eq!(fault(&finding), (Cause::Status, Detail::Unavailable), "{facts:?}");
}

#[tokio::test]
async fn nonsense_is_no_reply() {
    for rules in [
        &[("a1 CAPABILITY", "hello\r\n")] as Rules,
        &[("a1 CAPABILITY", "a2 OK another\r\n")],
        &[("a1 CAPABILITY", "a1 FINE\r\n")],
        &[("a1 CAPABILITY", "+ go on\r\n")],
        &[("a1 CAPABILITY", "* X {99999999999999999999}\r\n")],
        &[("a1 CAPABILITY", "* X {70000}\r\n")],
        &[("a3 STATUS", "a3 OK but nothing\r\n")],
        &[("a3 STATUS", "* STATUS INBOX (MESSAGES x UNSEEN y)\r\na3 OK\r\n")],
    ] {
        let (cause, message) = failed(rules, login()).await;
        assert_eq!(cause, (Cause::Protocol, Detail::BadReply), "{rules:?} {message}");
    }
}

#[tokio::test]
async fn bytes_that_are_announced_are_no_lines() {
    let rules: Rules = &[(
        "a3 STATUS",
        "* OK {19}\r\na3 NO not the end\r\n and on\r\n* STATUS {5}\r\nINBOX (UNSEEN 1 MESSAGES 4)\r\na3 OK\r\n",
    )];
    let server = Speaker::plain(GREETING, &[rules, IMAP]).await;
    let (finding, facts) = look(&server.url("imap"), plan(login())).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    assert_eq!(fact(&facts, "mailbox"), json!({ "messages": 4, "unseen": 1 }));
}

#[tokio::test]
async fn who_takes_us_for_somebody_needs_no_login_and_begins_no_tls() {
    let rules: Rules = &[("a2 STATUS", "* STATUS INBOX (MESSAGES 1 UNSEEN 0)\r\na2 OK done\r\n")];
    let server = Speaker::plain("* PREAUTH welcome\r\n", &[rules, IMAP]).await;
    let (finding, facts) = look(&server.url("imap"), plan(login())).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    assert_eq!(fact(&facts, "authenticated"), true);
    let probe = MailProbe { tls: MailTls::Start, ..speaking(MailProtocol::Imap) };
    let (finding, _) = look(&server.url("imap"), plan(probe)).await;
    assert_eq!(fault(&finding), (Cause::Tls, Detail::NoStartTls));
}
