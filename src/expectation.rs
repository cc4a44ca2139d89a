//! `Expectation`: what an answer has to be like for its target to count as up.

use std::fmt;
use std::hash::{Hash, Hasher};

use regex::bytes::Regex;

/// What an entry's `expect` says; empty means the defaults of the check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expectation {
    /// Status codes that count as up, inclusive ranges; empty: 200 to 299, or 300 to 399 when no
    /// redirect is followed.
    pub status: Vec<(u16, u16)>,
    /// Texts that the body must hold, each of them.
    pub body_contains: Vec<Box<str>>,
    /// Texts that the body must not hold, none of them.
    pub body_not_contains: Vec<Box<str>>,
    /// Pattern that the body must match.
    pub body_regex: Option<Pattern>,
    /// Further patterns about the body; none: nobody asks how long it is when unpacked.
    pub patterns: Option<Box<Patterns>>,
    /// JSON Pointers (RFC 6901) into the body, and the value that must stand there.
    pub json: Vec<(Box<str>, JsonValue)>,
    /// Header names in lower case, and the value that each must have.
    pub headers: Vec<(Box<str>, HeaderRule)>,
    /// Milliseconds within which the poll must have finished.
    pub latency_under_ms: Option<u32>,
    /// Days that the certificate must still be valid; fewer is a warning.
    pub certificate_days: Option<u32>,
}

/// Days of validity below which a certificate is a warning when the entry names no number.
pub const CERTIFICATE_DAYS: u32 = 14;

impl Expectation {
    /// Whether `status` counts as up, under a check that follows at most `redirects` redirects.
    #[must_use]
    pub fn accepts(&self, status: u16, redirects: u8) -> bool {
        let within = |&(low, high): &(u16, u16)| (low..=high).contains(&status);
        if self.status.is_empty() {
            within(&(200, 299)) || (redirects == 0 && within(&(300, 399)))
        } else {
            self.status.iter().any(within)
        }
    }

    /// Whether the body has to be looked at.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        !self.body_contains.is_empty()
            || !self.body_not_contains.is_empty()
            || self.body_regex.is_some()
            || self.patterns.is_some()
            || !self.json.is_empty()
    }
}

/// Patterns about a body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Patterns {
    /// Those that it must match, each of them.
    pub wanted: Vec<Pattern>,
    /// Those that it must not match, none of them.
    pub unwanted: Vec<Pattern>,
}

impl Patterns {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    /// Whether `bytes` are as they must be.
    #[must_use]
    pub fn hold(&self, bytes: &[u8]) -> bool {
        self.wanted.iter().all(|pattern| pattern.is_match(bytes))
            && !self.unwanted.iter().any(|pattern| pattern.is_match(bytes))
    }
}

/// What is expected of a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeaderRule {
    /// It is there with exactly this value.
    Is(Box<str>),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}

/// A JSON value that is compared by what it means, whatever the order of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonValue(pub serde_json::Value);

impl Hash for JsonValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_string().hash(state);
    }
}

/// A regular expression that compares by its text.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `text`, with a bound on the memory that it may take.
    ///
    /// # Errors
    /// The text is no regular expression, or too large a one.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        regex::bytes::RegexBuilder::new(text)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .build()
            .map(Self)
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// `template` with what the groups of the pattern matched in `bytes` in the place of `${1}` and
    /// the like; none when the pattern is not found.
    #[must_use]
    pub fn expand(&self, bytes: &[u8], template: &str) -> Option<Vec<u8>> {
        let found = self.0.captures(bytes)?;
        let mut text = Vec::new();
        found.expand(template.as_bytes(), &mut text);
        Some(text)
    }

    /// Whether the pattern is found in `bytes`.
    #[must_use]
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.0.is_match(bytes)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pattern({:?})", self.0.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_count_as_up_only_when_none_is_followed() {
        let expectation = Expectation::default();
        assert!(expectation.accepts(204, 5));
        assert!(!expectation.accepts(301, 5));
        assert!(expectation.accepts(301, 0));
    }

    #[test]
    fn named_codes_replace_the_usual_ones() {
        let expectation = Expectation { status: vec![(404, 404)], ..Expectation::default() };
        assert!(expectation.accepts(404, 5));
        assert!(!expectation.accepts(200, 5));
    }
}
