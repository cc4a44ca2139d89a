//! SMTP (RFC 5321), with STARTTLS (RFC 3207) and AUTH (RFC 4954).

use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::message;
use super::session::{Session, plain};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};
use crate::target::{MailMessage, MailTls};

/// Lines that a reply may have.
const LINES: usize = 128;
/// Bytes that a reply may have.
const REPLY: usize = 64 << 10;
/// Bytes that a command may have (RFC 5321, section 4.5.3.1.4).
const COMMAND: usize = 510;

/// What a server says to one command.
struct Reply {
    code: u16,
    /// The text of each line.
    lines: Vec<String>,
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.code, self.lines.join(" "))
    }
}

impl Reply {
    const fn is_good(&self) -> bool {
        self.code / 100 == 2
    }

    /// What stands behind the keyword `name` among what is offered.
    fn offer(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            // Old servers write `AUTH=LOGIN`.
            let (word, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
            word.eq_ignore_ascii_case(name).then_some(rest)
        })
    }
}

/// Says all that `session` is to say, but the farewell.
///
/// # Errors
/// What the server, or this machine, fails by.
pub(super) async fn talk(session: &mut Session<'_>) -> Result<(), Fault> {
    greet(session).await?;
    let mut offers = hello(session).await?;
    if session.probe.tls == MailTls::Start {
        start_tls(session, &offers).await?;
        // What was offered before may have been anybody's words.
        offers = hello(session).await?;
    }
    let probe = session.probe;
    if let Some((user, password)) = &probe.login {
        log_in(session, &offers, (user, password)).await?;
    }
    if let Some(message) = &probe.message {
        deliver(session, &offers, message).await?;
    }
    Ok(())
}

/// Says farewell; whether it is answered.
pub(super) async fn quit(session: &mut Session<'_>) -> bool {
    session.say("QUIT").await;
    read(session).await.is_ok_and(|reply| reply.is_good())
}

async fn greet(session: &mut Session<'_>) -> Result<(), Fault> {
    let reply = reply(session).await?;
    let words = reply.to_string();
    if reply.code != 220 {
        session.progress.tell(|facts| facts.put("greeting", words.clone()));
    }
    match reply.code {
        220 => {
            session.greeted(&words);
            Ok(())
        }
        400..=599 => {
            session.greeted(&words);
            Err(refusal(session, "the server does not serve us", &reply, Detail::Rejected))
        }
        _ => Err(session.nonsense(&words)),
    }
}

/// Introduces us; what the server offers.
async fn hello(session: &mut Session<'_>) -> Result<Reply, Fault> {
    let name = session.own_name();
    let extended = ask(session, format!("EHLO {name}")).await?;
    let reply = match extended.code {
        500..=599 => match ask(session, format!("HELO {name}")).await {
            Ok(mut reply) => {
                reply.lines.truncate(1);
                reply
            }
            // Who hangs up on us has said why before.
            Err(fault) if is_gone(fault) => extended,
            Err(fault) => return Err(fault),
        },
        _ => extended,
    };
    if reply.code != 250 {
        return Err(refusal(session, "the server refuses our greeting", &reply, Detail::Rejected));
    }
    session.offers(reply.lines.get(1..).unwrap_or_default(), reply.offer("STARTTLS").is_some());
    Ok(reply)
}

fn is_gone(fault: Fault) -> bool {
    fault.cause == Cause::Reset || fault.detail == Detail::NoAnswer
}

async fn start_tls(session: &mut Session<'_>, offers: &Reply) -> Result<(), Fault> {
    if offers.offer("STARTTLS").is_none() {
        return Err(session.no_tls("the server does not offer STARTTLS"));
    }
    let reply = ask(session, "STARTTLS").await?;
    match reply.code {
        220 => session.start_tls().await,
        400..=499 => Err(refusal(session, "TLS cannot begin", &reply, Detail::Unavailable)),
        _ => Err(session.no_tls(&reply.to_string())),
    }
}

async fn log_in(
    session: &mut Session<'_>,
    offers: &Reply,
    (user, password): (&str, &str),
) -> Result<(), Fault> {
    session.progress.tell(|facts| facts.put("authenticated", false));
    if user.contains('\0') || password.contains('\0') {
        return Err(session.setting("user name or password hold a NUL; remove it"));
    }
    let Some(mechanisms) = offers.offer("AUTH") else {
        let what = "the server offers no login on this connection";
        return Err(session.refused(Detail::LoginRefused, what, "its EHLO names no AUTH"));
    };
    let knows = |name: &str| mechanisms.split(' ').any(|one| one.eq_ignore_ascii_case(name));
    let (is_plain, is_login) = (knows("PLAIN"), knows("LOGIN"));
    session.hide(user, password);
    let reply = match (is_plain, is_login) {
        (true, _) => auth_plain(session, &plain(user, password)).await?,
        (false, true) => auth_login(session, [user, password]).await?,
        (false, false) => {
            return Err(session.setting("the server offers neither AUTH PLAIN nor AUTH LOGIN"));
        }
    };
    if !reply.is_good() {
        let what = "the server refuses the login";
        return Err(refusal(session, what, &reply, Detail::LoginRefused));
    }
    session.progress.tell(|facts| facts.put("authenticated", true));
    Ok(())
}

async fn auth_plain(session: &mut Session<'_>, secret: &str) -> Result<Reply, Fault> {
    let command = format!("AUTH PLAIN {}", STANDARD.encode(secret));
    if command.len() <= COMMAND {
        return ask(session, command).await;
    }
    let reply = ask(session, "AUTH PLAIN").await?;
    if reply.code == 334 { ask(session, STANDARD.encode(secret)).await } else { Ok(reply) }
}

async fn auth_login(session: &mut Session<'_>, words: [&str; 2]) -> Result<Reply, Fault> {
    let mut reply = ask(session, "AUTH LOGIN").await?;
    for word in words {
        if reply.code != 334 {
            break;
        }
        reply = ask(session, STANDARD.encode(word)).await?;
    }
    Ok(reply)
}

async fn deliver(
    session: &mut Session<'_>,
    offers: &Reply,
    message: &MailMessage,
) -> Result<(), Fault> {
    for address in [&message.from, &message.to] {
        if !message::is_address(address) {
            return Err(session.setting("sender or recipient is no address like me@example.com"));
        }
    }
    let is_ascii = message.from.is_ascii() && message.to.is_ascii();
    let parameter = match (is_ascii, offers.offer("SMTPUTF8")) {
        (true, _) => "",
        (false, Some(_)) => " SMTPUTF8",
        (false, None) => {
            return Err(session.setting("the server takes no addresses beyond ASCII"));
        }
    };
    let steps = [
        (format!("MAIL FROM:<{}>{parameter}", message.from), 2, "the sender is refused"),
        (format!("RCPT TO:<{}>", message.to), 2, "the recipient is refused"),
        ("DATA".to_owned(), 3, "the message is refused"),
    ];
    for (command, expected, what) in steps {
        let reply = ask(session, command).await?;
        if reply.code / 100 != expected {
            session.progress.tell(|facts| facts.put("reply", reply.to_string()));
            return Err(refusal(session, what, &reply, Detail::Rejected));
        }
    }
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).map_err(|_| Fault::new(Cause::Internal, Detail::None))?;
    let id = format!("{:032x}", u128::from_be_bytes(random));
    session.send(&message::compose(message, SystemTime::now().into(), &id)).await;
    let reply = reply(session).await?;
    session.progress.tell(|facts| {
        facts.put("sent", reply.is_good());
        facts.put("reply", reply.to_string());
    });
    if reply.is_good() {
        return Ok(());
    }
    Err(refusal(session, "the message is refused", &reply, Detail::Rejected))
}

/// The fault that `reply` is: a temporary one, or `detail`.
fn refusal(session: &mut Session<'_>, what: &str, reply: &Reply, detail: Detail) -> Fault {
    let words = reply.to_string();
    match reply.code {
        400..=499 => session.refused(Detail::Unavailable, what, &words),
        500..=599 => session.refused(detail, what, &words),
        _ => session.nonsense(&words),
    }
}

async fn ask(session: &mut Session<'_>, command: impl AsRef<[u8]>) -> Result<Reply, Fault> {
    session.say(command).await;
    reply(session).await
}

/// The next reply, whose code is kept.
async fn reply(session: &mut Session<'_>) -> Result<Reply, Fault> {
    let reply = read(session).await?;
    session.progress.finding.status = reply.code;
    Ok(reply)
}

async fn read(session: &mut Session<'_>) -> Result<Reply, Fault> {
    let mut reply = Reply { code: 0, lines: Vec::new() };
    let mut length = 0;
    loop {
        let line = session.line().await?;
        length += line.len();
        let shown = session.shown(&line);
        let Some((code, is_last)) = head(&line) else { return Err(session.nonsense(&shown)) };
        let is_other = !reply.lines.is_empty() && code != reply.code;
        if is_other || reply.lines.len() >= LINES || length > REPLY {
            return Err(session.nonsense(&shown));
        }
        reply.code = code;
        reply.lines.push(session.shown(line.get(4..).unwrap_or_default()));
        if is_last {
            return Ok(reply);
        }
    }
}

/// The code that a line begins with, and whether no further one follows.
fn head(line: &[u8]) -> Option<(u16, bool)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(code).ok()?;
    let is_code = code.bytes().all(|byte| byte.is_ascii_digit());
    let code = code.parse().ok().filter(|code| is_code && (200..600).contains(code))?;
    match rest.first() {
        None | Some(b' ') => Some((code, true)),
        Some(b'-') => Some((code, false)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_begins_with_a_code_of_three_digits() {
        assert_eq!(head(b"220 ready"), Some((220, true)));
        assert_eq!(head(b"220"), Some((220, true)));
        assert_eq!(head(b"250-SIZE 1"), Some((250, false)));
        for line in ["", "22", "220ready", "+20 x", "199 x", "600 x", "2\u{e9} x", "HTTP/1.1 400"] {
            assert_eq!(head(line.as_bytes()), None, "{line}");
        }
    }
}
