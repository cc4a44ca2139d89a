//! IMAP (RFC 9051, RFC 3501), with STARTTLS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::session::{Session, plain};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};
use crate::target::MailTls;

/// Responses before the one that ends a command.
const RESPONSES: usize = 256;
/// Bytes of all of them.
const BYTES: usize = 64 << 10;

/// How a server ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Ok,
    No,
    Bad,
    /// It waits for more of the command.
    More,
}

/// What a server says to a command.
struct Answer {
    end: End,
    /// Its last words.
    words: String,
    /// What it said before, without the star.
    untagged: Vec<Vec<u8>>,
}

/// A conversation by commands with tags.
struct Imap<'s, 'a> {
    session: &'s mut Session<'a>,
    tag: String,
    number: u32,
}

/// Says all that `session` is to say, but the farewell.
///
/// # Errors
/// What the server, or this machine, fails by.
pub(super) async fn talk(session: &mut Session<'_>) -> Result<(), Fault> {
    let is_known = greet(session).await?;
    let probe = session.probe;
    let mut imap = Imap { session, tag: String::new(), number: 0 };
    let mut offers = imap.capabilities().await?;
    if probe.tls == MailTls::Start {
        imap.start_tls(&offers, is_known).await?;
        // What was offered before may have been anybody's words.
        offers = imap.capabilities().await?;
    }
    if is_known {
        imap.session.progress.tell(|facts| facts.put("authenticated", true));
    } else if let Some((user, password)) = &probe.login {
        imap.log_in(&offers, user, password).await?;
    } else {
        return Ok(());
    }
    imap.count().await
}

/// Says farewell; whether it is answered.
pub(super) async fn quit(session: &mut Session<'_>) -> bool {
    let mut imap = Imap { session, tag: "z".to_owned(), number: 0 };
    imap.ask("LOGOUT").await.is_ok_and(|answer| answer.end == End::Ok)
}

/// Whether the server knows us already (PREAUTH).
async fn greet(session: &mut Session<'_>) -> Result<bool, Fault> {
    let line = session.line().await?;
    let words = session.shown(&line);
    let rest = line.strip_prefix(b"* ").unwrap_or_default();
    let kind = word(rest).to_ascii_uppercase();
    match kind.as_slice() {
        b"OK" | b"PREAUTH" => {
            session.greeted(&words);
            Ok(kind == b"PREAUTH")
        }
        b"BYE" => {
            session.greeted(&words);
            Err(session.refused(Detail::Unavailable, "the server does not serve us", &words))
        }
        _ => {
            session.progress.tell(|facts| facts.put("greeting", words.clone()));
            Err(session.nonsense(&words))
        }
    }
}

impl Imap<'_, '_> {
    async fn capabilities(&mut self) -> Result<Vec<String>, Fault> {
        let answer = self.ask_whole("CAPABILITY").await?;
        if answer.end != End::Ok {
            let what = "the server does not tell its capabilities";
            return Err(self.session.refused(Detail::Rejected, what, &answer.words));
        }
        let lists = answer.untagged.iter().filter_map(|line| after(line, b"CAPABILITY"));
        let offers: Vec<String> = lists
            .flat_map(|list| list.split(u8::is_ascii_whitespace))
            .filter(|offer| !offer.is_empty())
            .map(|offer| String::from_utf8_lossy(offer).to_ascii_uppercase())
            .collect();
        self.session.offers(&offers, has(&offers, "STARTTLS"));
        Ok(offers)
    }

    async fn start_tls(&mut self, offers: &[String], is_known: bool) -> Result<(), Fault> {
        if is_known {
            return Err(self.session.no_tls("the server takes us for somebody it knows"));
        }
        if !has(offers, "STARTTLS") {
            return Err(self.session.no_tls("the server does not offer STARTTLS"));
        }
        let answer = self.ask_whole("STARTTLS").await?;
        match answer.end {
            End::Ok => self.session.start_tls().await,
            _ => Err(self.session.no_tls(&answer.words)),
        }
    }

    async fn log_in(&mut self, offers: &[String], user: &str, password: &str) -> Result<(), Fault> {
        self.session.progress.tell(|facts| facts.put("authenticated", false));
        if user.contains('\0') || password.contains('\0') {
            return Err(self.session.setting("user name or password hold a NUL; remove it"));
        }
        let is_simple = is_quotable(user) && is_quotable(password);
        let (has_login, has_plain) = (!has(offers, "LOGINDISABLED"), has(offers, "AUTH=PLAIN"));
        self.session.hide(user, password);
        let answer = if has_login && (is_simple || !has_plain) {
            self.login([user, password]).await?
        } else if has_plain {
            self.authenticate(&STANDARD.encode(plain(user, password))).await?
        } else {
            let what = "the server offers no login on this connection";
            let words = "it says LOGINDISABLED, and names no AUTH=PLAIN";
            return Err(self.session.refused(Detail::LoginRefused, what, words));
        };
        if answer.end != End::Ok {
            let detail =
                if is_passing(&answer.words) { Detail::Unavailable } else { Detail::LoginRefused };
            let what = "the server refuses the login";
            return Err(self.session.refused(detail, what, &answer.words));
        }
        self.session.progress.tell(|facts| facts.put("authenticated", true));
        Ok(())
    }

    /// `LOGIN`, with strings in quotes where they can be, else by their length: whatever they
    /// hold, they stay strings.
    async fn login(&mut self, words: [&str; 2]) -> Result<Answer, Fault> {
        let mut command = self.next("LOGIN").into_bytes();
        for word in words {
            command.push(b' ');
            if is_quotable(word) {
                let quoted = word.replace('\\', "\\\\").replace('"', "\\\"");
                command.extend(format!("\"{quoted}\"").into_bytes());
                continue;
            }
            command.extend(format!("{{{}}}", word.len()).into_bytes());
            self.session.say(&command).await;
            let answer = self.answer().await?;
            if answer.end != End::More {
                return Ok(answer);
            }
            command = word.as_bytes().to_vec();
        }
        self.session.say(&command).await;
        self.end().await
    }

    async fn authenticate(&mut self, secret: &str) -> Result<Answer, Fault> {
        let answer = self.ask("AUTHENTICATE PLAIN").await?;
        if answer.end != End::More {
            return Ok(answer);
        }
        self.session.say(secret).await;
        self.end().await
    }

    /// Counts the messages of the inbox.
    async fn count(&mut self) -> Result<(), Fault> {
        let answer = self.ask_whole("STATUS INBOX (MESSAGES UNSEEN)").await?;
        if answer.end != End::Ok {
            let detail =
                if is_passing(&answer.words) { Detail::Unavailable } else { Detail::Rejected };
            let what = "the server does not open the inbox";
            return Err(self.session.refused(detail, what, &answer.words));
        }
        let mut lists = answer.untagged.iter().filter_map(|line| after(line, b"STATUS"));
        let counts = lists.find_map(|list| Some((item(list, "MESSAGES")?, item(list, "UNSEEN")?)));
        let Some((messages, unseen)) = counts else {
            return Err(self.session.nonsense(&answer.words));
        };
        self.session.progress.tell(|facts| {
            facts.put("mailbox", json!({ "messages": messages, "unseen": unseen }));
        });
        Ok(())
    }

    /// Says a command of which nothing is held back.
    async fn ask_whole(&mut self, command: &str) -> Result<Answer, Fault> {
        let line = self.next(command);
        self.session.say(line).await;
        self.end().await
    }

    async fn ask(&mut self, command: &str) -> Result<Answer, Fault> {
        let line = self.next(command);
        self.session.say(line).await;
        self.answer().await
    }

    /// `command` with the tag that its answer will have.
    fn next(&mut self, command: &str) -> String {
        self.number += 1;
        self.tag = format!("{}{}", if self.tag.starts_with('z') { "z" } else { "a" }, self.number);
        format!("{} {command}", self.tag)
    }

    /// What the server says up to the end of a command of which nothing is left to say.
    async fn end(&mut self) -> Result<Answer, Fault> {
        let answer = self.answer().await?;
        if answer.end == End::More {
            return Err(self.session.nonsense(&answer.words));
        }
        Ok(answer)
    }

    /// What the server says up to the end of the command, or until it waits for more of it.
    async fn answer(&mut self) -> Result<Answer, Fault> {
        let mut untagged: Vec<Vec<u8>> = Vec::new();
        let mut length = 0;
        loop {
            let line = match self.response(&mut length).await {
                Ok(line) => line,
                Err(fault) => return Err(self.farewell(fault, &untagged)),
            };
            let words = self.session.shown(&line);
            if let Some(rest) = line.strip_prefix(b"* ") {
                if untagged.len() >= RESPONSES {
                    return Err(self.session.nonsense(&words));
                }
                untagged.push(rest.to_vec());
                continue;
            }
            let end = if line.first() == Some(&b'+') {
                Some(End::More)
            } else {
                let rest = line.strip_prefix(self.tag.as_bytes());
                rest.and_then(|rest| rest.strip_prefix(b" ")).and_then(end_of)
            };
            let Some(end) = end else { return Err(self.session.nonsense(&words)) };
            let words = words.strip_prefix(&*self.tag).unwrap_or(&words).trim_start().to_owned();
            return Ok(Answer { end, words, untagged });
        }
    }

    /// `fault`, or what the server said before it hung up.
    fn farewell(&mut self, fault: Fault, untagged: &[Vec<u8>]) -> Fault {
        let is_gone = fault.cause == Cause::Reset || fault.detail == Detail::NoAnswer;
        match untagged.iter().find_map(|line| after(line, b"BYE")) {
            Some(words) if is_gone => {
                let words = self.session.shown(words);
                self.session.refused(Detail::Unavailable, "the server takes its leave", &words)
            }
            _ => fault,
        }
    }

    /// A response: a line, and where it announces bytes as they are, these and what follows.
    async fn response(&mut self, length: &mut usize) -> Result<Vec<u8>, Fault> {
        let mut response = Vec::new();
        loop {
            let line = self.session.line().await?;
            let announced = announced(&line);
            *length = length.saturating_add(line.len()).saturating_add(announced.unwrap_or(0));
            if *length > BYTES {
                let words = self.session.shown(&line);
                return Err(self.session.nonsense(&words));
            }
            response.extend(line);
            let Some(announced) = announced else { return Ok(response) };
            response.extend(self.session.exactly(announced).await?);
        }
    }
}

fn has(offers: &[String], name: &str) -> bool {
    offers.iter().any(|offer| offer == name)
}

/// Whether a text may stand in quotes (RFC 9051, section 4.3).
fn is_quotable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Whether words tell of something that may be over soon (RFC 5530).
fn is_passing(words: &str) -> bool {
    let words = words.to_ascii_uppercase();
    ["[UNAVAILABLE]", "[INUSE]", "[LIMIT]"].iter().any(|code| words.contains(code))
}

fn word(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// What follows the word `name`, if a line begins with it.
fn after<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = line.split_at_checked(word(line).len())?;
    first.eq_ignore_ascii_case(name).then_some(rest)
}

fn end_of(words: &[u8]) -> Option<End> {
    match word(words).to_ascii_uppercase().as_slice() {
        b"OK" => Some(End::Ok),
        b"NO" => Some(End::No),
        b"BAD" => Some(End::Bad),
        _ => None,
    }
}

/// How many bytes a line announces at its end: `{5}` (RFC 9051, section 4.3).
fn announced(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let start = inner.iter().rposition(|byte| *byte == b'{')?;
    let digits = std::str::from_utf8(inner.get(start + 1..)?).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // More than can be counted is too much in any case.
    is_number.then(|| digits.parse().unwrap_or(usize::MAX))
}

/// The number behind `name` in the list in brackets at the end of a `STATUS` response.
fn item(list: &[u8], name: &str) -> Option<u64> {
    let text = String::from_utf8_lossy(list);
    let (_, inner) = text.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    let mut words = inner.split_ascii_whitespace();
    words.find(|word| word.eq_ignore_ascii_case(name))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_announced_at_the_end_of_a_line() {
        assert_eq!(announced(b"* STATUS {5}"), Some(5));
        assert_eq!(announced(b"* STATUS {99999999999999999999}"), Some(usize::MAX));
        for line in ["* OK", "* OK {}", "* OK {+5}", "* OK {5} x", "}"] {
            assert_eq!(announced(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn counts_are_read_in_any_order_and_case() {
        let list = b" \"in (box\" (unseen 2 MESSAGES 31)";
        assert_eq!((item(list, "MESSAGES"), item(list, "UNSEEN")), (Some(31), Some(2)));
        assert_eq!(item(b" INBOX (MESSAGES x)", "MESSAGES"), None);
        assert_eq!(item(b" INBOX MESSAGES 1", "MESSAGES"), None);
    }
}
