//! The few lines in clear by which TLS is asked for on a connection of SMTP, IMAP or POP3.

mod lines;

use crate::check::counted::Counted;
use crate::check::fault::Fault;
use crate::check::progress::{Progress, Step};
use crate::outcome::{Cause, Detail};
use crate::target::StartTls;
use lines::{Lines, is_word};

/// Asks for TLS on `tcp` by the protocol `start`. Nothing that comes after the answer is taken for
/// TLS, nor for anything else: what is there already was put in by somebody (RFC 3207, section 6),
/// is thrown away, and told as `plaintext_after_starttls`.
///
/// # Errors
/// The connection broke, the server does not speak the protocol, or offers no TLS.
pub(crate) async fn begin(
    tcp: &mut Counted,
    start: StartTls,
    progress: &mut Progress,
) -> Result<(), Fault> {
    if start == StartTls::Direct {
        return Ok(());
    }
    progress.step = Step::Waiting;
    let mut lines = Lines::new(tcp);
    match start {
        StartTls::Direct => {}
        StartTls::Smtp => smtp(&mut lines).await?,
        StartTls::Imap => imap(&mut lines).await?,
        StartTls::Pop3 => pop3(&mut lines).await?,
    }
    let injected = lines.drain()?;
    let lap = progress.lap();
    progress.finding.phases.first_byte.add(lap);
    progress.tell(|facts| {
        let text = String::from_utf8_lossy(&injected);
        facts.put("plaintext_after_starttls", !text.is_empty());
        if !text.is_empty() {
            facts.put("discarded_plaintext", text);
        }
    });
    Ok(())
}

/// RFC 3207. The name that we give is our address: it is right, and nobody has to be asked for it
/// (RFC 5321, section 4.1.3).
async fn smtp(lines: &mut Lines<'_>) -> Result<(), Fault> {
    match lines.reply().await.map_err(as_greeting)?.code {
        220 => {}
        400..=499 => return Err(said_no(Detail::Unavailable)),
        500..=599 => return Err(said_no(Detail::Rejected)),
        _ => return Err(Fault::protocol(Detail::BadGreeting)),
    }
    lines.say(&format!("EHLO {}", lines.own_name()?)).await?;
    let offers = lines.reply().await?;
    match offers.code {
        250 if offers.lines.iter().any(|offer| is_word(offer, "STARTTLS")) => {}
        // Whoever does not know the command knows none of its offers.
        250 | 500 | 502 | 504 => return lines.refused("QUIT").await,
        400..=499 => return Err(said_no(Detail::Unavailable)),
        500..=599 => return Err(said_no(Detail::Rejected)),
        _ => return Err(Fault::protocol(Detail::BadReply)),
    }
    lines.say("STARTTLS").await?;
    match lines.reply().await?.code {
        220 => Ok(()),
        400..=499 => Err(said_no(Detail::Unavailable)),
        500..=599 => lines.refused("QUIT").await,
        _ => Err(Fault::protocol(Detail::BadReply)),
    }
}

/// RFC 9051, section 6.2.1.
async fn imap(lines: &mut Lines<'_>) -> Result<(), Fault> {
    let greeting = lines.next().await?;
    let mut words = greeting.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some("*"), Some(word)) if word.eq_ignore_ascii_case("OK") => {}
        (Some("*"), Some(word)) if word.eq_ignore_ascii_case("BYE") => {
            return Err(said_no(Detail::Unavailable));
        }
        // Who is logged in already may no longer ask for it.
        (Some("*"), Some(word)) if word.eq_ignore_ascii_case("PREAUTH") => {
            return lines.refused("a3 LOGOUT").await;
        }
        _ => return Err(Fault::protocol(Detail::BadGreeting)),
    }
    lines.say("a1 CAPABILITY").await?;
    let mut has_tls = false;
    let is_ok = lines.tagged("a1", |line| {
        let mut words = line.split_ascii_whitespace();
        let mut is_next = |word: &str| words.next().is_some_and(|it| it.eq_ignore_ascii_case(word));
        if is_next("*") && is_next("CAPABILITY") {
            has_tls |= words.any(|word| word.eq_ignore_ascii_case("STARTTLS"));
        }
    });
    if !is_ok.await? || !has_tls {
        return lines.refused("a3 LOGOUT").await;
    }
    lines.say("a2 STARTTLS").await?;
    if lines.tagged("a2", |_| {}).await? { Ok(()) } else { lines.refused("a3 LOGOUT").await }
}

/// RFC 2595, section 4.
async fn pop3(lines: &mut Lines<'_>) -> Result<(), Fault> {
    if !lines.status().await.map_err(as_greeting)? {
        return Err(said_no(Detail::Unavailable));
    }
    lines.say("CAPA").await?;
    // Who cannot tell what there is may have it all the same (RFC 2449, section 5).
    if lines.status().await? && !lines.listed("STLS").await? {
        return lines.refused("QUIT").await;
    }
    lines.say("STLS").await?;
    if lines.status().await? { Ok(()) } else { lines.refused("QUIT").await }
}

/// What breaks the protocol with its first words is another protocol.
const fn as_greeting(fault: Fault) -> Fault {
    match fault.detail {
        Detail::BadReply => Fault::protocol(Detail::BadGreeting),
        _ => fault,
    }
}

/// The server understands, and does not do it.
const fn said_no(detail: Detail) -> Fault {
    Fault::new(Cause::Status, detail)
}
