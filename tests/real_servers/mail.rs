//! How Dovecot and Postfix talk.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::real::talk::{Lines, connect, handshake};
use crate::real::{Dovecot, PASSWORD, Pki, Smtp, USER};

fn plain(port: u16) -> Lines<TcpStream> {
    Lines::new(connect(port).expect("a server that listens"))
}

/// A connection inside TLS from its first byte.
fn inside(pki: &Pki, port: u16) -> Lines<impl Read + Write> {
    let stream = connect(port).expect("a server that listens");
    Lines::new(handshake(stream, &pki.client(), "mail.test").expect("a handshake"))
}

/// Goes on inside TLS.
fn upgraded(pki: &Pki, lines: Lines<TcpStream>) -> Lines<impl Read + Write> {
    Lines::new(handshake(lines.into_stream(), &pki.client(), "mail.test").expect("a handshake"))
}

fn reads_the_inbox(lines: &mut Lines<impl Read + Write>) {
    let login = lines.imap(&format!("a LOGIN {USER} {PASSWORD}"));
    assert!(login.contains("a OK"), "{login}");
    let status = lines.imap("b STATUS INBOX (MESSAGES UNSEEN)");
    assert!(status.contains("(MESSAGES 3 UNSEEN 2)"), "{status}");
    assert!(lines.imap("c EXAMINE INBOX").contains("* 3 EXISTS"));
    let found = lines.imap("d SEARCH SUBJECT \"message 2\"");
    assert!(found.contains("* SEARCH 2\n"), "{found}");
    assert!(lines.imap("e LOGOUT").contains("* BYE"));
}

#[test]
fn imap_is_spoken_with_and_without_tls() {
    let pki = Pki::new();
    let Some(dovecot) = Dovecot::start(&pki) else { return };
    let mut lines = plain(dovecot.imap_port());
    let greeting = lines.line();
    assert!(greeting.starts_with("* OK [CAPABILITY IMAP4rev1"), "{greeting}");
    assert!(greeting.contains("STARTTLS"), "{greeting}");
    assert!(lines.imap("a STARTTLS").starts_with("a OK"));
    let mut lines = upgraded(&pki, lines);
    let capabilities = lines.imap("z CAPABILITY");
    assert!(capabilities.contains("AUTH=PLAIN"), "{capabilities}");
    assert!(!capabilities.contains("STARTTLS"), "{capabilities}");
    reads_the_inbox(&mut lines);

    let mut lines = inside(&pki, dovecot.imaps_port());
    assert!(lines.line().starts_with("* OK "));
    reads_the_inbox(&mut lines);
}

#[test]
fn imap_refuses_a_wrong_password_at_once_and_again() {
    let pki = Pki::new();
    let Some(dovecot) = Dovecot::start(&pki) else { return };
    for _ in 0..3 {
        let mut lines = inside(&pki, dovecot.imaps_port());
        lines.line();
        let answer = lines.imap(&format!("a LOGIN {USER} wrong-pass"));
        assert!(answer.starts_with("a NO [AUTHENTICATIONFAILED]"), "{answer}");
    }
}

#[test]
fn pop3_is_spoken_with_and_without_tls() {
    let pki = Pki::new();
    let Some(dovecot) = Dovecot::start(&pki) else { return };
    let mut lines = plain(dovecot.pop3_port());
    assert!(lines.line().starts_with("+OK "));
    lines.say("CAPA");
    assert!(lines.until(|line| line == ".").contains("STLS\n"));
    assert!(lines.pop("STLS").starts_with("+OK"));
    let mut inside_later = upgraded(&pki, lines);
    let mut inside_at_once = inside(&pki, dovecot.pop3s_port());
    assert!(inside_at_once.line().starts_with("+OK "));
    reads_the_drop(&mut inside_later);
    reads_the_drop(&mut inside_at_once);
}

fn reads_the_drop(lines: &mut Lines<impl Read + Write>) {
    assert!(lines.pop(&format!("USER {USER}")).starts_with("+OK"));
    assert!(lines.pop("PASS wrong-pass").starts_with("-ERR [AUTH]"));
    assert!(lines.pop(&format!("USER {USER}")).starts_with("+OK"));
    assert!(lines.pop(&format!("PASS {PASSWORD}")).starts_with("+OK"));
    assert!(lines.pop("STAT").starts_with("+OK 3 "));
    assert!(lines.pop("QUIT").starts_with("+OK"));
}

#[test]
fn smtp_takes_mail_for_its_user_and_none_for_others() {
    let pki = Pki::new();
    let Some(smtp) = Smtp::start(&pki) else { return };
    let mut lines = plain(smtp.port());
    assert!(lines.reply().starts_with("220 mail.test ESMTP"));
    let offers = lines.smtp("EHLO test");
    assert!(offers.contains("250-STARTTLS") && !offers.contains("AUTH"), "{offers}");
    assert!(lines.smtp("MAIL FROM:<someone@elsewhere.test>").starts_with("250 "));
    let relayed = lines.smtp("RCPT TO:<someone@other.test>");
    assert!(relayed.starts_with("554 5.7.1"), "{relayed}");
    let unknown = lines.smtp("RCPT TO:<nobody@mail.test>");
    assert!(unknown.starts_with("550 5.1.1"), "{unknown}");
    assert!(lines.smtp("RCPT TO:<probe@mail.test>").starts_with("250 "));
    assert!(lines.smtp("DATA").starts_with("354 "));
    assert_eq!(smtp.received(), Vec::<String>::new());
    assert!(lines.smtp("Subject: a probe\r\n\r\nits text\r\n.").starts_with("250 "));
    assert!(lines.smtp("QUIT").starts_with("221 "));
    let messages = smtp.await_received(1);
    assert!(messages[0].contains("\nSubject: a probe\n"), "{messages:?}");
    assert!(messages[0].ends_with("\n\nits text\n"), "{messages:?}");
}

#[test]
fn smtp_checks_logins_inside_tls() {
    let pki = Pki::new();
    let Some(smtp) = Smtp::start(&pki) else { return };
    let mut lines = plain(smtp.port());
    lines.reply();
    assert!(lines.smtp("STARTTLS").starts_with("220 "));
    let mut inside_later = upgraded(&pki, lines);
    let mut inside_at_once = inside(&pki, smtp.smtps_port());
    assert!(inside_at_once.reply().starts_with("220 mail.test"));
    logs_in(&smtp, &mut inside_later);
    logs_in(&smtp, &mut inside_at_once);
}

fn logs_in(smtp: &Smtp, lines: &mut Lines<impl Read + Write>) {
    let offers = lines.smtp("EHLO test");
    assert_eq!(offers.contains("AUTH PLAIN LOGIN"), smtp.has_logins(), "{offers}");
    if smtp.has_logins() {
        let word = |password| STANDARD.encode(format!("\0{USER}\0{password}"));
        let wrong = lines.smtp(&format!("AUTH PLAIN {}", word("wrong-pass")));
        assert!(wrong.starts_with("535 5.7.8"), "{wrong}");
        let right = lines.smtp(&format!("AUTH PLAIN {}", word(PASSWORD)));
        assert!(right.starts_with("235 2.7.0"), "{right}");
    }
    assert!(lines.smtp("QUIT").starts_with("221 "));
}
