//! The message that is sent to see whether a server takes it (RFC 5322, RFC 2045, RFC 2047).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use crate::target::MailMessage;

/// Bytes that a line of a message may have, without its end (RFC 5322, section 2.1.1).
const LINE: usize = 998;
/// Bytes of a subject that stands for itself; a longer one is cut in parts.
const SUBJECT: usize = 900;
/// Bytes of text in an encoded word, which has 75 characters at most (RFC 2047, section 2).
const WORD: usize = 45;
/// Characters in a line of base64 (RFC 2045, section 6.8).
const COLUMNS: usize = 76;
/// Bytes of an address (RFC 5321, section 4.5.3.1.3).
const ADDRESS: usize = 254;

/// Whether `text` can stand between angle brackets as an address, without smuggling anything.
pub(super) fn is_address(text: &str) -> bool {
    let is_bad = |character: char| {
        character.is_control() || character.is_whitespace() || matches!(character, '<' | '>')
    };
    text.len() <= ADDRESS && text.contains('@') && !text.contains(is_bad)
}

/// The message as it goes over the wire after `DATA`: dots are doubled, and the last one stands
/// alone (RFC 5321, section 4.5.2).
pub(super) fn compose(message: &MailMessage, at: DateTime<Utc>, id: &str) -> Vec<u8> {
    let lines = lines(&message.text);
    let (encoding, lines) =
        if lines.iter().all(|line| is_plain(line)) { ("7bit", lines) } else { encoded(&lines) };
    let domain = message.from.rsplit('@').next().unwrap_or("localhost");
    let head = format!(
        "Date: {}\r\nFrom: <{}>\r\nTo: <{}>\r\nMessage-ID: <{id}@{domain}>\r\nSubject: {}\r\n\
         Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n",
        at.to_rfc2822(),
        message.from,
        message.to,
        subject(&message.subject),
    );
    let mut bytes = head.into_bytes();
    for line in lines {
        if line.starts_with('.') {
            bytes.push(b'.');
        }
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

/// The lines of a text, whatever they end with.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    text.split('\n').map(str::to_owned).collect()
}

/// Whether a line can go as it is to a server of any age.
fn is_plain(line: &str) -> bool {
    let is_text = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
    line.len() < LINE && line.bytes().all(is_text)
}

fn encoded(lines: &[String]) -> (&'static str, Vec<String>) {
    let text = STANDARD.encode(lines.join("\r\n") + "\r\n");
    let columns = text.as_bytes().chunks(COLUMNS);
    ("base64", columns.map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

/// A subject as a header holds it: of ASCII, without line breaks of its own.
fn subject(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if text.is_ascii() && text.len() <= SUBJECT && !text.contains("=?") {
        return text;
    }
    let mut words = vec![String::new()];
    for character in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + character.len_utf8() <= WORD => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    let encode = |word: &String| format!("=?utf-8?B?{}?=", STANDARD.encode(word));
    words.iter().map(encode).collect::<Vec<_>>().join("\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(subject: &str, text: &str) -> String {
        let message = MailMessage {
            from: "me@a.example".into(),
            to: "you@b.example".into(),
            subject: subject.into(),
            text: text.into(),
        };
        let at = DateTime::from_timestamp(784_111_777, 0).expect("a time");
        String::from_utf8(compose(&message, at, "1f")).expect("a message is text")
    }

    fn body(text: &str) -> String {
        composed("s", text).split_once("\r\n\r\n").expect("a head").1.to_owned()
    }

    #[test]
    fn a_message_has_the_headers_that_servers_ask_for() {
        let message = composed("a probe", "its text");
        for line in [
            "Date: Sun, 6 Nov 1994 08:49:37 +0000",
            "From: <me@a.example>",
            "To: <you@b.example>",
            "Message-ID: <1f@a.example>",
            "Subject: a probe",
            "Content-Transfer-Encoding: 7bit",
        ] {
            assert!(message.contains(&format!("{line}\r\n")), "{line}: {message}");
        }
        assert!(message.ends_with("\r\n\r\nits text\r\n.\r\n"), "{message}");
    }

    #[test]
    fn no_line_break_of_a_subject_becomes_a_header() {
        for subject in ["a\r\nBcc: x@c.example", "ü\r\nBcc: x@c.example", "a\nBcc: x", "a\rBcc: x"]
        {
            let message = composed(subject, "text");
            let (head, _) = message.split_once("\r\n\r\n").expect("a head");
            assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
            assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{head}");
        }
    }

    #[test]
    fn a_subject_beyond_ascii_is_encoded_in_short_words() {
        assert!(composed("Grüße", "").contains("Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n"));
        let long = "ü".repeat(100);
        let message = composed(&long, "");
        assert!(message.lines().all(|line| line.len() <= 85), "{message}");
        let words = message.split("=?utf-8?B?").skip(1);
        let decoded =
            words.map(|word| STANDARD.decode(word.split("?=").next().unwrap_or_default()));
        let decoded: Vec<u8> = decoded.flat_map(|word| word.expect("base64")).collect();
        assert_eq!(String::from_utf8(decoded).expect("whole characters in each word"), long);
        assert!(composed("=?utf-8?B?R3I=?=", "").contains("Subject: =?utf-8?B?PT91"));
    }

    #[test]
    fn dots_are_doubled_and_no_text_ends_the_message_early() {
        assert_eq!(body("a\n.\n..b\nQUIT"), "a\r\n..\r\n...b\r\nQUIT\r\n.\r\n");
        assert_eq!(body("a\r.\r\nb\n"), "a\r\n..\r\nb\r\n.\r\n");
    }

    #[test]
    fn text_beyond_ascii_and_long_lines_go_as_base64() {
        for text in ["grüße\n.\n", &"a".repeat(5_000), "a\0b"] {
            let body = body(text);
            let whole = body.strip_suffix(".\r\n").expect("an end").replace("\r\n", "");
            let decoded = STANDARD.decode(whole).expect("base64");
            let expected = text.trim_end().replace('\n', "\r\n") + "\r\n";
            assert_eq!(String::from_utf8(decoded).expect("text"), expected);
            assert!(body.lines().all(|line| line.len() <= COLUMNS));
        }
    }

    #[test]
    fn what_smuggles_something_is_no_address() {
        assert!(is_address("me+tag@a.example"));
        assert!(is_address("grüße@ü.example"));
        for bad in ["a@b>\r\nRCPT TO:<c@d", "a@b\nc", "a@b> SIZE=1", "a b@c", "nobody", ""] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }
}
