//! Questions as they go on the wire, and which messages are answers to them (RFC 1035, section 4).

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType as Kind};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::target::Look;

/// Bytes of an answer over UDP that pass every path in one piece.
const PAYLOAD: u16 = 1_232;
/// Pointers that may lead to each other, without a label between them.
const POINTERS: u8 = 16;
/// Bytes of a message's header.
const HEADER: usize = 12;

/// What a name server is asked.
#[derive(Clone, Debug)]
pub(in crate::check) struct Question {
    pub(in crate::check) name: Name,
    pub(in crate::check) kind: Kind,
    pub(in crate::check) mode: Mode,
    /// Whether signatures are asked for (RFC 3225).
    pub(in crate::check) signatures: Look,
}

/// How a name server shall find the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Mode {
    /// By asking others.
    Recursive,
    /// By asking others, whatever their signatures are worth (RFC 4035, section 3.2.2).
    Unchecked,
    /// From what it knows itself.
    Direct,
}

/// Whether a question has the extension that tells how long answers may be (RFC 6891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Extension {
    With,
    Without,
}

/// A question that is ready to be sent.
#[derive(Debug)]
pub(in crate::check) struct Sealed {
    id: u16,
    query: Query,
    pub(in crate::check) bytes: Vec<u8>,
}

/// Why a message is no answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Reject {
    /// It is for another question, by its number.
    WrongId,
    /// It is no answer at all.
    NotAnAnswer,
    /// It cannot be read.
    Malformed,
    /// It is for another question.
    WrongQuestion,
}

impl Reject {
    /// What is wrong, as the end of a sentence.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::WrongId => "with an id of no question of ours",
            Self::NotAnAnswer => "with what is no answer",
            Self::Malformed => "with a malformed message",
            Self::WrongQuestion => "to another question",
        }
    }
}

impl Question {
    /// The question with a new random id; none when it cannot be written.
    pub(in crate::check) fn seal(&self, extension: Extension) -> Option<Sealed> {
        let mut message = Message::query();
        let query = Query::query(self.name.clone(), self.kind);
        message.add_query(query.clone());
        message.metadata.recursion_desired = self.mode != Mode::Direct;
        message.metadata.checking_disabled = self.mode == Mode::Unchecked;
        if extension == Extension::With {
            message.metadata.authentic_data = self.signatures.is_wanted();
            let mut edns = Edns::new();
            edns.set_max_payload(PAYLOAD).set_dnssec_ok(self.signatures.is_wanted());
            message.set_edns(edns);
        }
        Some(Sealed { id: message.metadata.id, query, bytes: message.to_vec().ok()? })
    }
}

impl Sealed {
    /// The answer that `bytes` are; of one that is truncated, as much as can be read.
    ///
    /// # Errors
    /// They are no answer to this question.
    pub(in crate::check) fn answer(&self, bytes: &[u8]) -> Result<Message, Reject> {
        let header = bytes.first_chunk::<HEADER>().ok_or(Reject::Malformed)?;
        let [id_high, id_low, flags, _, questions @ ..] = header;
        if u16::from_be_bytes([*id_high, *id_low]) != self.id {
            return Err(Reject::WrongId);
        }
        if flags & 0x80 == 0 {
            return Err(Reject::NotAnAnswer);
        }
        // So many are read, and room is made for all that are announced.
        if !matches!(questions, [0, 0 | 1, ..]) {
            return Err(Reject::WrongQuestion);
        }
        let message = whole(bytes).or_else(|| cut(bytes)).ok_or(Reject::Malformed)?;
        if message.metadata.op_code != OpCode::Query {
            return Err(Reject::NotAnAnswer);
        }
        let is_ours = message.queries.first().map_or_else(
            // Who cannot read a question cannot repeat it.
            || {
                let code = message.metadata.response_code;
                matches!(code, ResponseCode::FormErr | ResponseCode::NotImp)
            },
            |query| *query == self.query,
        );
        if is_ours { Ok(message) } else { Err(Reject::WrongQuestion) }
    }
}

/// Whether a name in `bytes` could be made of pointers to pointers beyond all need: each name that
/// ends there would walk them all, and a message may hold thousands.
fn is_winding(bytes: &[u8]) -> bool {
    // Pointers that follow each other from each place on; no pointer leads further.
    let mut depths = vec![0_u8; bytes.len().min(0x4000)];
    for (at, pair) in bytes.windows(2).enumerate() {
        let [high @ 0xc0..=0xff, low] = *pair else { continue };
        let to = usize::from(u16::from_be_bytes([high & 0x3f, low]));
        let depth = depths.get(to).filter(|_| to < at).map_or(0, |depth| depth + 1);
        if depth > POINTERS {
            return true;
        }
        if let Some(place) = depths.get_mut(at) {
            *place = depth;
        }
    }
    false
}

/// The message that `bytes` are, up to the last of them.
fn whole(bytes: &[u8]) -> Option<Message> {
    if is_winding(bytes) {
        return None;
    }
    let mut decoder = BinDecoder::new(bytes);
    let message = Message::read(&mut decoder).ok()?;
    decoder.is_empty().then_some(message)
}

/// Header and question of a truncated message, which may end within a record.
fn cut(bytes: &[u8]) -> Option<Message> {
    let [id_high, id_low, flags, code, ..] = *bytes else { return None };
    if flags & 0x02 == 0 {
        return None;
    }
    let mut decoder = BinDecoder::new(bytes.get(HEADER..)?);
    let query = Query::read(&mut decoder).ok()?;
    let id = u16::from_be_bytes([id_high, id_low]);
    let mut message = Message::new(id, MessageType::Response, OpCode::Query);
    message.metadata.truncation = true;
    message.metadata.response_code = ResponseCode::from_low(code & 0x0f);
    message.add_query(query);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Sealed {
        let name = Name::from_ascii("a.test.").expect("a name");
        let question =
            Question { name, kind: Kind::A, mode: Mode::Recursive, signatures: Look::No };
        question.seal(Extension::Without).expect("a question that can be written")
    }

    /// An answer to `sealed` that announces `counts` records and goes on with `rest`.
    fn answer(sealed: &Sealed, counts: u16, rest: &[u8]) -> Vec<u8> {
        let mut bytes = sealed.bytes.clone();
        bytes[2] |= 0x80;
        bytes[6..8].copy_from_slice(&counts.to_be_bytes());
        bytes.extend_from_slice(rest);
        bytes
    }

    /// A record of type A whose owner is written as `owner`.
    fn record(owner: &[u8]) -> Vec<u8> {
        [owner, &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]].concat()
    }

    #[test]
    fn an_answer_is_read_and_its_name_may_be_written_otherwise() {
        let sealed = sealed();
        let mut bytes = answer(&sealed, 1, &record(&[0xc0, 12]));
        bytes[13] = b'A';
        let message = sealed.answer(&bytes).expect("an answer");
        assert_eq!(message.answers.len(), 1);
    }

    #[test]
    fn what_is_for_another_question_is_told_apart() {
        let sealed = sealed();
        let changed = |at: usize, to: u8| {
            let mut bytes = answer(&sealed, 0, &[]);
            bytes[at] = to;
            sealed.answer(&bytes).map(|_| ())
        };
        assert_eq!(changed(0, sealed.bytes[0] ^ 1), Err(Reject::WrongId));
        assert_eq!(changed(2, 0), Err(Reject::NotAnAnswer));
        assert_eq!(changed(2, 0x90), Err(Reject::NotAnAnswer));
        assert_eq!(changed(5, 0), Err(Reject::Malformed));
        assert_eq!(changed(4, 255), Err(Reject::WrongQuestion));
        assert_eq!(changed(13, b'b'), Err(Reject::WrongQuestion));
        assert_eq!(changed(21, 2), Err(Reject::WrongQuestion));
        assert_eq!(changed(23, 3), Err(Reject::WrongQuestion));
    }

    #[test]
    fn names_that_lead_nowhere_are_rejected() {
        let sealed = sealed();
        let here = u8::try_from(sealed.bytes.len()).expect("a short question");
        let long = [&[63; 64][..]; 4].concat();
        let owners: [&[u8]; 8] = [
            &[0xc0, here],
            &[0xc0, here + 2, 0xc0, here],
            &[1, b'a', 0xc0, here],
            &[0xc0, here + 20],
            &[0xff, 0xff],
            &[0x40, 1, 0],
            &[63, b'a'],
            &[&long[..], &[0]].concat(),
        ];
        for owner in owners {
            let told = sealed.answer(&answer(&sealed, 1, &record(owner)));
            assert_eq!(told.map(|_| ()), Err(Reject::Malformed), "{owner:?}");
        }
    }

    #[test]
    fn counts_that_lie_are_rejected() {
        let sealed = sealed();
        let one = record(&[0xc0, 12]);
        for (counts, rest) in [(2, &one[..]), (u16::MAX, &one), (0, &one), (1, &[])] {
            let told = sealed.answer(&answer(&sealed, counts, rest));
            assert_eq!(told.map(|_| ()), Err(Reject::Malformed), "{counts}");
        }
        assert_eq!(sealed.answer(&[0; 11]).map(|_| ()), Err(Reject::Malformed));
    }

    #[test]
    fn a_truncated_answer_may_end_within_a_record() {
        let sealed = sealed();
        let mut bytes = answer(&sealed, 9, &[0xc0, 12, 0]);
        bytes[2] |= 0x02;
        assert!(sealed.answer(&bytes).expect("an answer").metadata.truncation);
    }

    #[test]
    fn who_cannot_read_a_question_need_not_repeat_it() {
        let sealed = sealed();
        let mut bytes = answer(&sealed, 0, &[]);
        bytes.truncate(HEADER);
        bytes[5] = 0;
        assert!(matches!(sealed.answer(&bytes), Err(Reject::WrongQuestion)));
        bytes[3] = 1;
        let code = sealed.answer(&bytes).expect("an answer").metadata.response_code;
        assert_eq!(code, ResponseCode::FormErr);
    }
}
