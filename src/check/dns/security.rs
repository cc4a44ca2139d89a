//! Whether an answer is signed, and what its signatures are worth (RFC 4033, section 5).

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{RData, RecordType as Kind};
use serde_json::{Value, json};

use super::client::Answer;
use super::message::{Extension, Question};
use crate::outcome::Detail;

/// What is known of the signatures of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Security {
    /// Whether the name server has found them to be good.
    is_authenticated: bool,
    /// Whether there are any.
    is_signed: bool,
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Signed, and found to be good.
    Secure,
    /// Signed, and nobody vouches for it.
    Insecure,
    /// Signed, and found to be wrong.
    Bogus,
    /// Not signed.
    Unsigned,
    /// The name server cannot be asked, or fails by something else.
    Indeterminate,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Bogus => "bogus",
            Self::Unsigned => "unsigned",
            Self::Indeterminate => "indeterminate",
        }
    }
}

impl Security {
    /// What `answer` says to `question`, where `unchecked` is the answer without a check of its
    /// signatures, when that was asked for.
    pub(super) fn of(answer: &Answer, question: &Question, unchecked: Option<&Answer>) -> Self {
        let metadata = &answer.message.metadata;
        let code = metadata.response_code;
        let shown = if code == ResponseCode::ServFail { unchecked } else { Some(answer) };
        let is_signed = shown.is_some_and(|answer| has_signature(&answer.message, question));
        let is_authenticated = metadata.authentic_data;
        let status = match code {
            ResponseCode::ServFail if unchecked.is_some_and(answers) => Status::Bogus,
            ResponseCode::NoError | ResponseCode::NXDomain => match (is_authenticated, is_signed) {
                _ if answer.extension == Extension::Without => Status::Indeterminate,
                (true, _) => Status::Secure,
                // Who is asked about a zone of its own vouches for nothing.
                (false, true) if metadata.authoritative => Status::Indeterminate,
                (false, true) => Status::Insecure,
                (false, false) => Status::Unsigned,
            },
            _ => Status::Indeterminate,
        };
        Self { is_authenticated, is_signed, status }
    }

    /// What it makes of the target, if anything.
    pub(super) fn detail(self) -> Option<Detail> {
        match self.status {
            Status::Bogus => Some(Detail::Bogus),
            Status::Unsigned => Some(Detail::Unsigned),
            Status::Secure | Status::Insecure | Status::Indeterminate => None,
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self.status {
            Status::Secure => "its signatures are good",
            Status::Insecure => "it is signed, and its name server does not check that",
            Status::Bogus => "its signatures are wrong",
            Status::Unsigned => "it is not signed",
            Status::Indeterminate => "its name server tells nothing of signatures",
        }
    }

    pub(super) fn shown(self) -> Value {
        json!({
            "authenticated": self.is_authenticated,
            "signed": self.is_signed,
            "status": self.status.as_str(),
        })
    }
}

/// Whether `answer` says something of the name.
fn answers(answer: &Answer) -> bool {
    let code = answer.message.metadata.response_code;
    matches!(code, ResponseCode::NoError | ResponseCode::NXDomain)
}

/// Whether there is a signature of what was asked for, or of the word that there is none.
fn has_signature(message: &Message, question: &Question) -> bool {
    let covers = |data: &RData, kind: Kind| match data {
        RData::Unknown { code: Kind::RRSIG, rdata } => {
            rdata.anything.starts_with(&u16::from(kind).to_be_bytes())
        }
        _ => false,
    };
    if message.answers.iter().any(|record| record.record_type() == question.kind) {
        return message.answers.iter().any(|record| covers(&record.data, question.kind));
    }
    let is_signature = |data: &RData| matches!(data, RData::Unknown { code: Kind::RRSIG, .. });
    message.authorities.iter().any(|record| is_signature(&record.data))
}
