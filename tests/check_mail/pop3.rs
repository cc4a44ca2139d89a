//! POP3 after its greeting: capabilities, logins, and the maildrop.

use poller::outcome::{Cause, Detail, Verdict};
use poller::target::{MailProbe, MailProtocol};
use serde_json::json;

use crate::probes::{Rules, Speaker, fact, look};
use crate::site::fault;
use crate::{POP3, logging_in, plan};

const GREETING: &str = "+OK ready\r\n";

fn login() -> MailProbe {
    logging_in(MailProtocol::Pop3, "me", "s3cret words")
}

#[tokio::test]
async fn a_login_counts_the_maildrop() {
    let old: Rules = &[("CAPA", "-ERR what?\r\n")];
    for (first, offers) in [(&[] as Rules, json!(["STLS", "USER", "SASL PLAIN"])), (old, json!([]))]
    {
        let server = Speaker::plain(GREETING, &[first, POP3]).await;
        let (finding, facts) = look(&server.url("pop3"), plan(login())).await;
        assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
        assert_eq!(fact(&facts, "authenticated"), true);
        assert_eq!(fact(&facts, "mailbox"), json!({ "messages": 3, "octets": 320 }));
        assert_eq!(fact(&facts, "capabilities"), offers);
        assert_eq!(server.heard(), ["CAPA", "USER me", "PASS s3cret words", "STAT", "QUIT"]);
    }
}

#[tokio::test]
async fn where_no_user_is_asked_for_another_way_is_taken_or_none() {
    let rules: Rules = &[
        ("CAPA", "+OK\r\nSASL PLAIN\r\n.\r\n"),
        ("AUTH PLAIN", "+ \r\n"),
        ("AG1l", "+OK welcome\r\n"),
    ];
    let server = Speaker::plain(GREETING, &[rules, POP3]).await;
    let (finding, facts) = look(&server.url("pop3"), plan(login())).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
    let server = Speaker::plain(GREETING, &[&[("CAPA", "+OK\r\nSTLS\r\n.\r\n")], POP3]).await;
    let (finding, facts) = look(&server.url("pop3"), plan(login())).await;
    assert_eq!(fault(&finding), (Cause::Status, Detail::LoginRefused), "{facts:?}");
    assert_eq!(server.heard(), ["CAPA", "QUIT"], "no password was sent");
}

#[tokio::test]
async fn refusals_and_nonsense_are_told_apart() {
    let refused = (Cause::Status, Detail::LoginRefused);
    let bad = (Cause::Protocol, Detail::BadReply);
    for (rules, expected) in [
        (&[("PASS", "-ERR [AUTH] no\r\n")] as Rules, refused),
        (&[("USER", "-ERR no\r\n")], refused),
        (&[("PASS", "-ERR [IN-USE] later\r\n")], (Cause::Status, Detail::Unavailable)),
        (&[("STAT", "-ERR no\r\n")], (Cause::Status, Detail::Rejected)),
        (&[("STAT", "+OK many\r\n")], bad),
        (&[("PASS", "250 welcome\r\n")], bad),
        (&[("PASS", "CLOSE")], (Cause::Protocol, Detail::NoAnswer)),
    ] {
        let server = Speaker::plain(GREETING, &[rules, POP3]).await;
        let (finding, facts) = look(&server.url("pop3"), plan(login())).await;
        assert_eq!(fault(&finding), expected, "{rules:?} {facts:?}");
        assert!(!format!("{facts:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_list_without_an_end_has_a_cap() {
    let site = crate::site::Site::serve(|mut stream, _| async move {
        use tokio::io::AsyncWriteExt as _;
        let _ = stream.write_all(b"+OK ready\r\n+OK these\r\n").await;
        while stream.write_all(b"and so on\r\n").await.is_ok() {}
    })
    .await;
    let (finding, _) = look(&format!("pop3://{}", site.address), plan(login())).await;
    assert_eq!(fault(&finding), (Cause::Protocol, Detail::BadReply));
}

#[tokio::test]
async fn a_password_smuggles_no_command() {
    let server = Speaker::plain(GREETING, &[POP3]).await;
    let probe = logging_in(MailProtocol::Pop3, "me", "a\r\nDELE 1");
    let (finding, _) = look(&server.url("pop3"), plan(probe)).await;
    assert_eq!(fault(&finding), (Cause::Internal, Detail::Setting));
    assert_eq!(server.heard(), ["CAPA", "QUIT"]);
}
