//! TLS that is asked for in clear, of servers that do what real ones do not.

use std::sync::Arc;

use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{SslProbe, StartTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::pki::{Authority, config, leaf, root, shown};
use crate::site::{Site, hang_up};
use crate::{Checker, Found};

/// What a server says in turn: the first line at once, each other one when a line has come.
type Script = &'static [&'static str];

const SMTP: Script = &[
    "220-mail.test\r\n220 ready\r\n",
    "250-mail.test\r\n250-SIZE 10\r\n250-starttls\r\n250 HELP\r\n",
    "220 go on\r\n",
];
const IMAP: Script = &[
    "* OK ready\r\n",
    "* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\n",
    "* a word more\r\na2 ok go on\r\n",
];
const POP3: Script = &["+OK ready\r\n", "+OK\r\nTOP\r\nSTLS\r\n.\r\n", "+OK go on\r\n"];

/// A server that speaks by `script` and makes a handshake after it.
async fn scripted(root: &Authority, script: Vec<String>) -> Site {
    let acceptor = TlsAcceptor::from(Arc::new(config(shown(&leaf("leaf"), root, &[]))));
    Site::serve(move |mut stream, _| {
        let (acceptor, script) = (acceptor.clone(), script.clone());
        async move {
            for (turn, words) in script.iter().enumerate() {
                if turn > 0 && read_line(&mut stream).await.is_empty() {
                    return;
                }
                let _ = stream.write_all(words.as_bytes()).await;
            }
            if let Ok(tls) = acceptor.accept(stream).await {
                hang_up(tls.into_inner().0).await;
            }
        }
    })
    .await
}

async fn read_line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        match stream.read_u8().await {
            Ok(byte) => line.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(line).expect("text")
}

async fn look(start: StartTls, script: impl IntoIterator<Item = impl Into<String>>) -> Found {
    let root = root("root");
    let site = scripted(&root, script.into_iter().map(Into::into).collect()).await;
    let probe = SslProbe { start, ..SslProbe::default() };
    Checker::trusting(&root).probing(probe).look(site.address.port()).await
}

fn is_fault(finding: &Finding, cause: Cause, detail: Detail) {
    assert_eq!((finding.cause, finding.detail), (Some(cause), detail));
    assert_eq!(finding.verdict, Verdict::Down);
}

#[tokio::test]
async fn tls_is_asked_for_in_every_protocol() {
    for (start, script) in [(StartTls::Smtp, SMTP), (StartTls::Imap, IMAP), (StartTls::Pop3, POP3)]
    {
        let found = look(start, script.iter().copied()).await;
        found.is_up();
        assert_eq!(found.text("subject"), "CN=leaf");
        assert_eq!(found.fact("plaintext_after_starttls"), false, "{start:?}");
        assert!(found.finding.phases.first_byte.get().is_some());
    }
    // A server of POP3 without this command may have TLS.
    look(StartTls::Pop3, ["+OK\r\n", "-ERR what?\r\n", "+OK\r\n"]).await.is_up();
}

#[tokio::test]
async fn what_follows_in_clear_is_thrown_away_and_told() {
    for (start, script, more) in [
        (StartTls::Smtp, SMTP, "250-AUTH PLAIN\r\n250 injected\r\n"),
        (StartTls::Imap, IMAP, "* CAPABILITY injected\r\n"),
        (StartTls::Pop3, POP3, "+OK injected\r\n"),
    ] {
        let mut script: Vec<String> = script.iter().copied().map(Into::into).collect();
        script.last_mut().unwrap().push_str(more);
        let found = look(start, script).await;
        found.is_up();
        assert_eq!(found.text("discarded_plaintext"), more);
    }
    let mut script: Vec<String> = SMTP.iter().copied().map(Into::into).collect();
    script.last_mut().unwrap().push_str(&"x".repeat(3_000));
    let found = look(StartTls::Smtp, script).await;
    assert_eq!(found.text("discarded_plaintext").len(), 256);
}

#[tokio::test]
async fn a_server_that_offers_no_tls_is_told() {
    for (start, script) in [
        (StartTls::Smtp, &["220 ready\r\n", "250-mail.test\r\n250 SIZE\r\n", "221 bye\r\n"][..]),
        (StartTls::Smtp, &["220 ready\r\n", "502 what?\r\n", "221 bye\r\n"]),
        (StartTls::Smtp, &[SMTP[0], SMTP[1], "502 no\r\n", "221 bye\r\n"]),
        (StartTls::Imap, &["* OK\r\n", "* CAPABILITY IMAP4rev1\r\na1 OK\r\n", "* BYE\r\n"]),
        (StartTls::Imap, &["* PREAUTH welcome\r\n", "* BYE\r\n"]),
        (StartTls::Imap, &[IMAP[0], IMAP[1], "a2 BAD no\r\n", "* BYE\r\n"]),
        (StartTls::Pop3, &["+OK\r\n", "+OK\r\nTOP\r\n.\r\n", "+OK\r\n"]),
        (StartTls::Pop3, &["+OK\r\n", "-ERR\r\n", "-ERR\r\n", "+OK\r\n"]),
    ] {
        let found = look(start, script.iter().copied()).await;
        is_fault(&found.finding, Cause::Tls, Detail::NoStartTls);
        assert!(found.finding.is_permanent());
        assert!(found.facts.message.contains("offers no TLS"), "{}", found.facts.message);
    }
}

#[tokio::test]
async fn a_server_that_cannot_serve_now_may_do_so_later() {
    for (start, script) in [
        (StartTls::Smtp, &["421 too busy\r\n"][..]),
        (StartTls::Smtp, &[SMTP[0], SMTP[1], "454 not now\r\n"]),
        (StartTls::Imap, &["* BYE too busy\r\n"]),
        (StartTls::Pop3, &["-ERR too busy\r\n"]),
    ] {
        let found = look(start, script.iter().copied()).await;
        is_fault(&found.finding, Cause::Status, Detail::Unavailable);
        assert!(!found.finding.is_permanent());
        assert!(found.facts.message.contains("cannot serve now"), "{}", found.facts.message);
    }
    for script in [&["554 not you\r\n"][..], &[SMTP[0], "550 not you\r\n"]] {
        let found = look(StartTls::Smtp, script.iter().copied()).await;
        is_fault(&found.finding, Cause::Status, Detail::Rejected);
        assert!(found.finding.is_permanent());
    }
}

#[tokio::test]
async fn other_words_than_those_of_the_protocol_are_told() {
    for start in [StartTls::Smtp, StartTls::Imap, StartTls::Pop3] {
        let found = look(start, ["SSH-2.0-x\r\n"]).await;
        is_fault(&found.finding, Cause::Protocol, Detail::BadGreeting);
        assert!(found.facts.message.contains("does not speak"), "{}", found.facts.message);
    }
    for (start, greeting) in
        [(StartTls::Smtp, SMTP[0]), (StartTls::Imap, IMAP[0]), (StartTls::Pop3, POP3[0])]
    {
        let found = look(start, [greeting, "nonsense\r\n"]).await;
        is_fault(&found.finding, Cause::Protocol, Detail::BadReply);
    }
}

#[tokio::test]
async fn lines_and_replies_without_an_end_are_not_read_to_it() {
    for greeting in ["220 ".to_owned() + &"x".repeat(1 << 20), "220-x\r\n".repeat(1_000)] {
        let found = look(StartTls::Smtp, [greeting]).await;
        is_fault(&found.finding, Cause::Protocol, Detail::BadGreeting);
    }
    let found = look(StartTls::Imap, [IMAP[0].to_owned(), "* x\r\n".repeat(1_000)]).await;
    is_fault(&found.finding, Cause::Protocol, Detail::BadReply);
    let endless = "+OK\r\n".to_owned() + &"TOP\r\n".repeat(1_000);
    let found = look(StartTls::Pop3, [POP3[0].to_owned(), endless]).await;
    is_fault(&found.finding, Cause::Protocol, Detail::BadReply);
}

#[tokio::test]
async fn a_server_that_hangs_up_or_says_nothing_is_told() {
    let site = Site::serve(|stream, _| hang_up(stream)).await;
    let probe = SslProbe { start: StartTls::Smtp, ..SslProbe::default() };
    let mut checker = Checker::trusting(&root("root")).probing(probe);
    let found = checker.look(site.address.port()).await;
    is_fault(&found.finding, Cause::Protocol, Detail::NoAnswer);
    checker.timeout_ms = 300;
    let silent = Site::serve(|stream, _| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let found = checker.look(silent.address.port()).await;
    is_fault(&found.finding, Cause::Timeout, Detail::Waiting);
}
