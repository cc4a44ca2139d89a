//! Checks of mail servers: what they make of everything that a server may say, and do not lose.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

#[path = "support/names.rs"]
mod names;
#[path = "support/pki.rs"]
mod pki;
#[path = "support/probes.rs"]
mod probes;
#[path = "support/site.rs"]
mod site;

#[path = "check_mail/exchange.rs"]
mod exchange;
#[path = "check_mail/greeting.rs"]
mod greeting;
#[path = "check_mail/imap.rs"]
mod imap;
#[path = "check_mail/pop3.rs"]
mod pop3;
#[path = "check_mail/smtp.rs"]
mod smtp;
#[path = "check_mail/tls.rs"]
mod tls;

use poller::target::{MailProbe, MailProtocol, Plan, Probe};
use probes::Rules;

const SMTP: Rules = &[
    ("EHLO ", "250-mail.test at your service\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"),
    ("STARTTLS", "TLS:220 go on\r\n"),
    ("AUTH PLAIN ", "235 2.7.0 welcome\r\n"),
    ("MAIL FROM:", "250 ok\r\n"),
    ("RCPT TO:", "250 ok\r\n"),
    ("DATA", "354 go on\r\n"),
    ("QUIT", "221 bye\r\n"),
];

const IMAP: Rules = &[
    ("a1 CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\na1 OK done\r\n"),
    ("a2 STARTTLS", "TLS:a2 OK go on\r\n"),
    ("a3 CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na3 OK done\r\n"),
    ("a2 LOGIN ", "a2 OK welcome\r\n"),
    ("a3 STATUS INBOX", "* STATUS INBOX (MESSAGES 3 UNSEEN 2)\r\na3 OK done\r\n"),
    ("z1 LOGOUT", "* BYE bye\r\nz1 OK done\r\n"),
];

const POP3: Rules = &[
    ("CAPA", "+OK these\r\nSTLS\r\nUSER\r\nSASL PLAIN\r\n.\r\n"),
    ("STLS", "TLS:+OK go on\r\n"),
    ("USER ", "+OK\r\n"),
    ("PASS ", "+OK welcome\r\n"),
    ("STAT", "+OK 3 320\r\n"),
    ("QUIT", "+OK bye\r\n"),
];

const ALL: [(MailProtocol, &str, &str, Rules); 3] = [
    (MailProtocol::Smtp, "smtp", "220 mail.test ready\r\n", SMTP),
    (MailProtocol::Imap, "imap", "* OK ready\r\n", IMAP),
    (MailProtocol::Pop3, "pop3", "+OK ready\r\n", POP3),
];

fn plan(probe: MailProbe) -> Plan {
    Plan { probe: Probe::Mail(Box::new(probe)), ..Plan::default() }
}

fn speaking(protocol: MailProtocol) -> MailProbe {
    MailProbe { protocol, ..MailProbe::default() }
}

fn logging_in(protocol: MailProtocol, user: &str, password: &str) -> MailProbe {
    MailProbe { login: Some((user.into(), password.into())), ..speaking(protocol) }
}
