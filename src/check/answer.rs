//! `Answer`: an HTTP/1.1 answer as it arrives, from its first byte to its last, without any socket.

use crate::check::body::Body;
use crate::check::content::Content;
use crate::check::fault::Fault;
use crate::check::head::{self, Fields, HEAD_CAP, Keep, Parsed};
use crate::check::meter::Held;
use crate::check::told::Told;
use crate::expectation::Expectation;
use crate::outcome::{Cause, Detail};

/// Interim answers (1xx) that are passed over at most.
const INTERIM_CAP: u8 = 16;

/// What is asked, as far as the answer depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) method: &'a str,
    pub(crate) expectation: &'a Expectation,
    /// Bytes of the body that are read at most.
    pub(crate) max_body: u64,
    /// Whether a redirect is to be followed, so that its body does not matter.
    pub(crate) follows: bool,
    /// How much is kept of its head.
    pub(crate) keep: Keep,
}

/// Whether an answer needs more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It does.
    More,
    /// It is whole, or nobody needs the rest.
    Nothing,
}

/// An answer that is being received.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What came of a head that is not whole yet.
    partial: Vec<u8>,
    held: Held,
    interims: u8,
    body: Option<Body>,
    content: Content,
    status: u16,
    fields: Fields,
    told: Option<Box<Told>>,
    is_lasting: bool,
    bytes: u64,
    is_cut: bool,
    /// Whether anything came at all.
    has_begun: bool,
}

/// An answer that has been received.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    pub(crate) content: Content,
    /// Whether the body was longer than its cap.
    pub(crate) is_cut: bool,
    /// Whether the connection may serve a further request.
    pub(crate) is_lasting: bool,
}

impl Answer {
    pub(crate) fn new() -> Self {
        Self {
            partial: Vec::new(),
            held: Held::none(),
            interims: 0,
            body: None,
            content: Content::Ignored,
            status: 0,
            fields: Fields::default(),
            told: None,
            is_lasting: false,
            bytes: 0,
            is_cut: false,
            has_begun: false,
        }
    }

    /// The status, 0 while the head is not whole.
    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    /// Bytes of the body that came so far.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether anything came at all.
    pub(crate) const fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The head as it is told, once it is whole, where it is kept for that; after that, nothing.
    pub(crate) fn take_told(&mut self) -> Option<Box<Told>> {
        self.told.take()
    }

    /// Takes `bytes` in, or the end of the connection when there are none.
    ///
    /// # Errors
    /// The answer breaks the protocol or a cap.
    pub(crate) fn feed(&mut self, bytes: &[u8], question: &Question<'_>) -> Result<Need, Fault> {
        if bytes.is_empty() {
            return self.end(question);
        }
        self.has_begun = true;
        if self.body.is_some() {
            return self.feed_body(bytes, question.max_body);
        }
        if self.partial.is_empty() {
            return self.feed_head(bytes, question);
        }
        let mut partial = std::mem::take(&mut self.partial);
        let before = partial.len();
        partial.extend_from_slice(bytes);
        // A head that comes in drops is parsed once, when its end is there.
        if head::has_end(&partial, before) || before < 16 {
            self.feed_head(&partial, question)
        } else {
            self.keep(partial)
        }
    }

    fn feed_head(&mut self, mut bytes: &[u8], question: &Question<'_>) -> Result<Need, Fault> {
        loop {
            let rules = &question.expectation.headers;
            match head::parse(bytes, question.method, rules, question.keep)? {
                Parsed::Partial => return self.keep(bytes.to_vec()),
                Parsed::Interim(length) => {
                    self.interims += 1;
                    if self.interims > INTERIM_CAP {
                        return Err(Fault::new(Cause::TooLarge, Detail::Headers));
                    }
                    bytes = bytes.get(length..).unwrap_or_default();
                    if bytes.is_empty() {
                        return Ok(Need::More);
                    }
                }
                Parsed::Whole(head, length) if length <= HEAD_CAP => {
                    self.held.set(0);
                    self.status = head.status;
                    self.is_lasting = head.is_lasting;
                    self.fields = head.fields;
                    self.told = head.told;
                    self.body = Some(Body::new(head.framing));
                    if question.follows && is_redirect(head.status, &self.fields) {
                        // What came along of its body is passed over, and no more waited for.
                        let rest = bytes.get(length..).unwrap_or_default();
                        let fed = self.body.as_mut().map(|body| body.feed(rest, &mut |_| ()));
                        self.is_lasting &= fed == Some(Ok(rest.len()))
                            && self.body.as_ref().is_some_and(Body::is_done);
                        return Ok(Need::Nothing);
                    }
                    let cap = question.max_body;
                    self.content = Content::new(question.expectation, self.fields.coding, cap);
                    return self.feed_body(bytes.get(length..).unwrap_or_default(), cap);
                }
                Parsed::Whole(..) => return Err(Fault::new(Cause::TooLarge, Detail::Headers)),
            }
        }
    }

    fn keep(&mut self, partial: Vec<u8>) -> Result<Need, Fault> {
        if partial.len() > HEAD_CAP {
            return Err(Fault::new(Cause::TooLarge, Detail::Headers));
        }
        self.held.set(partial.capacity());
        self.partial = partial;
        Ok(Need::More)
    }

    fn feed_body(&mut self, bytes: &[u8], cap: u64) -> Result<Need, Fault> {
        let Some(body) = &mut self.body else { return Ok(Need::More) };
        let (content, total) = (&mut self.content, &mut self.bytes);
        let fed = body.feed(bytes, &mut |payload| {
            // What lies beyond the cap counts for nothing, whether it has come already or not.
            let room = usize::try_from(cap.saturating_sub(*total)).unwrap_or(usize::MAX);
            *total += payload.len() as u64;
            content.feed(payload.get(..room).unwrap_or(payload));
        });
        let is_done = body.is_done();
        if self.bytes > cap || (self.bytes == cap && body.has_more()) {
            self.bytes = cap;
            self.is_cut = true;
            self.is_lasting = false;
            return Ok(Need::Nothing);
        }
        // Bytes after the answer belong to no request of ours.
        self.is_lasting &= fed? == bytes.len();
        Ok(if is_done { Need::Nothing } else { Need::More })
    }

    fn end(&mut self, question: &Question<'_>) -> Result<Need, Fault> {
        self.is_lasting = false;
        match &mut self.body {
            Some(body) => body.end().map(|()| Need::Nothing),
            None if self.has_begun && !self.partial.is_empty() => {
                // What is wrong in a head says more than that it is not whole.
                let rules = &question.expectation.headers;
                head::parse(&self.partial, question.method, rules, question.keep)?;
                Err(Fault::protocol(Detail::BadHead))
            }
            None => Err(Fault::protocol(Detail::NoAnswer)),
        }
    }

    /// The answer, once it needs nothing any more.
    pub(crate) fn received(self) -> Received {
        Received {
            status: self.status,
            fields: self.fields,
            content: self.content,
            is_cut: self.is_cut,
            is_lasting: self.is_lasting,
        }
    }
}

/// Whether an answer sends us elsewhere.
pub(crate) fn is_redirect(status: u16, fields: &Fields) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308) && fields.location.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes and whether it was cut, and the judgement, of an answer that comes in pieces of
    /// `size`, of which 5 bytes are read.
    fn received(text: &str, size: usize) -> Result<(u64, bool, Result<(), Fault>), Fault> {
        let expectation =
            Expectation { body_not_contains: vec!["abc".into()], ..Expectation::default() };
        let question = Question {
            method: "GET",
            expectation: &expectation,
            max_body: 5,
            follows: false,
            keep: Keep::Needed,
        };
        let mut answer = Answer::new();
        for part in text.as_bytes().chunks(size).chain([&[][..]]) {
            if answer.feed(part, &question)? == Need::Nothing {
                break;
            }
        }
        let (bytes, received) = (answer.bytes(), answer.received());
        let judged = received.content.judge(&expectation, received.is_cut);
        Ok((bytes, received.is_cut, judged))
    }

    #[test]
    fn what_is_wrong_with_a_head_is_told_however_it_comes() {
        let many = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(300));
        for (text, fault) in [
            ("HTTP/1.1 200 O\u{1}K and no end", Fault::protocol(Detail::NotHttp)),
            ("\n\r\n\rHTTP/1.1 200 OK\r\n\r\n", Fault::protocol(Detail::NotHttp)),
            ("\n\n\rHT x\r\n\r\n", Fault::protocol(Detail::NotHttp)),
            (&many, Fault::new(Cause::TooLarge, Detail::Headers)),
            ("HTTP/1.1 200 OK\r\nX: y\r\n", Fault::protocol(Detail::BadHead)),
        ] {
            for size in [1, 2, 17, text.len()] {
                assert_eq!(received(text, size), Err(fault), "{text:?} {size}");
            }
        }
    }

    #[test]
    fn it_does_not_matter_how_an_answer_at_its_cap_comes() {
        let undecided = Err(Fault::new(Cause::TooLarge, Detail::Undecided));
        for (body, cut) in [
            ("Content-Length: 5\r\n\r\nhello", false),
            ("Content-Length: 9\r\n\r\nhelloabcd", true),
            ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false),
            ("Transfer-Encoding: chunked\r\n\r\n8\r\nhelloabc\r\nx", true),
            ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nabc\r\nx", true),
            ("\r\nhello", false),
            ("\r\nhelloabc", true),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{body}");
            let expected = Ok((5, cut, if cut { undecided } else { Ok(()) }));
            for size in [1, 2, 3, text.len() - 1, text.len()] {
                assert_eq!(received(&text, size), expected, "{body:?} {size}");
            }
        }
    }
}
