//! POP3 (RFC 1939), with CAPA (RFC 2449), STLS (RFC 2595) and AUTH (RFC 5034).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::session::{Session, plain};
use crate::check::fault::Fault;
use crate::outcome::Detail;
use crate::target::MailTls;

/// Lines of a list.
const LINES: usize = 128;

/// What a server says to a command in one line.
struct Answer {
    is_good: bool,
    words: String,
}

/// Says all that `session` is to say, but the farewell.
///
/// # Errors
/// What the server, or this machine, fails by.
pub(super) async fn talk(session: &mut Session<'_>) -> Result<(), Fault> {
    greet(session).await?;
    let probe = session.probe;
    let mut offers = capabilities(session).await?;
    if probe.tls == MailTls::Start {
        start_tls(session, offers.as_deref()).await?;
        // What was offered before may have been anybody's words.
        offers = capabilities(session).await?;
    }
    let Some((user, password)) = &probe.login else { return Ok(()) };
    log_in(session, offers.as_deref(), user, password).await?;
    count(session).await
}

/// Says farewell; whether it is answered.
pub(super) async fn quit(session: &mut Session<'_>) -> bool {
    ask(session, "QUIT").await.is_ok_and(|answer| answer.is_good)
}

async fn greet(session: &mut Session<'_>) -> Result<(), Fault> {
    let line = session.line().await?;
    let words = session.shown(&line);
    let Some(answer) = read(&line, &words) else {
        session.progress.tell(|facts| facts.put("greeting", words.clone()));
        return Err(session.nonsense(&words));
    };
    session.greeted(&words);
    if answer.is_good {
        return Ok(());
    }
    // What is no fault for good comes without a word on it.
    let is_final = words.to_ascii_uppercase().contains("[SYS/PERM]");
    let detail = if is_final { Detail::Rejected } else { Detail::Unavailable };
    Err(session.refused(detail, "the server does not serve us", &words))
}

/// What the server offers; none when it does not say.
async fn capabilities(session: &mut Session<'_>) -> Result<Option<Vec<String>>, Fault> {
    if !ask(session, "CAPA").await?.is_good {
        session.offers(&[], false);
        return Ok(None);
    }
    let mut offers = Vec::new();
    loop {
        let line = session.line().await?;
        if line == b"." {
            break;
        }
        let words = session.shown(line.strip_prefix(b".").unwrap_or(&line));
        if offers.len() >= LINES {
            return Err(session.nonsense(&words));
        }
        offers.push(words);
    }
    let has_tls = offer(&offers, "STLS").is_some();
    session.offers(&offers, has_tls);
    Ok(Some(offers))
}

/// What stands behind the keyword `name` among `offers`.
fn offer<'a>(offers: &'a [String], name: &str) -> Option<&'a str> {
    offers.iter().find_map(|line| {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        word.eq_ignore_ascii_case(name).then_some(rest)
    })
}

async fn start_tls(session: &mut Session<'_>, offers: Option<&[String]>) -> Result<(), Fault> {
    // Who does not say what it offers may still offer it.
    if offers.is_some_and(|offers| offer(offers, "STLS").is_none()) {
        return Err(session.no_tls("the server does not offer STLS"));
    }
    let answer = ask(session, "STLS").await?;
    if answer.is_good {
        return session.start_tls().await;
    }
    Err(session.no_tls(&answer.words))
}

async fn log_in(
    session: &mut Session<'_>,
    offers: Option<&[String]>,
    user: &str,
    password: &str,
) -> Result<(), Fault> {
    session.progress.tell(|facts| facts.put("authenticated", false));
    if [user, password].iter().any(|word| word.contains(['\0', '\r', '\n'])) {
        return Err(session.setting("user name or password hold a line break; remove it"));
    }
    let has_user = offers.is_none_or(|offers| offer(offers, "USER").is_some());
    let known = offers.and_then(|offers| offer(offers, "SASL")).unwrap_or_default();
    let has_plain = known.split(' ').any(|name| name.eq_ignore_ascii_case("PLAIN"));
    session.hide(user, password);
    let answer = if has_user {
        let answer = ask(session, format!("USER {user}")).await?;
        if answer.is_good { ask(session, format!("PASS {password}")).await? } else { answer }
    } else if has_plain {
        auth_plain(session, &STANDARD.encode(plain(user, password))).await?
    } else {
        let what = "the server offers no login on this connection";
        let words = "its CAPA names neither USER nor SASL PLAIN";
        return Err(session.refused(Detail::LoginRefused, what, words));
    };
    if !answer.is_good {
        let detail =
            if is_passing(&answer.words) { Detail::Unavailable } else { Detail::LoginRefused };
        return Err(session.refused(detail, "the server refuses the login", &answer.words));
    }
    session.progress.tell(|facts| facts.put("authenticated", true));
    Ok(())
}

async fn auth_plain(session: &mut Session<'_>, secret: &str) -> Result<Answer, Fault> {
    session.say("AUTH PLAIN").await;
    let line = session.line().await?;
    if line.first() == Some(&b'+') && line.get(1) != Some(&b'O') {
        return ask(session, secret).await;
    }
    let words = session.shown(&line);
    read(&line, &words).ok_or_else(|| session.nonsense(&words))
}

/// Counts the messages of the maildrop.
async fn count(session: &mut Session<'_>) -> Result<(), Fault> {
    let answer = ask(session, "STAT").await?;
    if !answer.is_good {
        let detail = if is_passing(&answer.words) { Detail::Unavailable } else { Detail::Rejected };
        return Err(session.refused(detail, "the server does not count", &answer.words));
    }
    let mut words = answer.words.split_ascii_whitespace().skip(1);
    let mut number = || words.next()?.parse::<u64>().ok();
    let (Some(messages), Some(octets)) = (number(), number()) else {
        return Err(session.nonsense(&answer.words));
    };
    session.progress.tell(|facts| {
        facts.put("mailbox", json!({ "messages": messages, "octets": octets }));
    });
    Ok(())
}

/// Whether words tell of something that may be over soon (RFC 2449, RFC 3206).
fn is_passing(words: &str) -> bool {
    let words = words.to_ascii_uppercase();
    ["[SYS/TEMP]", "[IN-USE]", "[LOGIN-DELAY]"].iter().any(|code| words.contains(code))
}

async fn ask(session: &mut Session<'_>, command: impl AsRef<[u8]>) -> Result<Answer, Fault> {
    session.say(command).await;
    let line = session.line().await?;
    let words = session.shown(&line);
    read(&line, &words).ok_or_else(|| session.nonsense(&words))
}

fn read(line: &[u8], words: &str) -> Option<Answer> {
    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_good = match word.to_ascii_uppercase().as_slice() {
        b"+OK" => true,
        b"-ERR" => false,
        _ => return None,
    };
    Some(Answer { is_good, words: words.to_owned() })
}
