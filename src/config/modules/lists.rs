//! Lists of patterns and names of records in a file of modules.

use super::given::GivenRecordRules;
use super::module::RecordRules;
use crate::expectation::Pattern;
use crate::target::RecordType;

/// Types of records that are asked for here alone, by their names (RFC 1035 and successors).
const OTHERS: [(&str, u16); 9] = [
    ("ANY", 255),
    ("CDNSKEY", 60),
    ("CDS", 59),
    ("DNAME", 39),
    ("HINFO", 13),
    ("LOC", 29),
    ("NSEC", 47),
    ("RRSIG", 46),
    ("SSHFP", 44),
];

/// The patterns `texts` of the field `name`.
pub(super) fn patterns(name: &str, texts: &[String]) -> Result<Vec<Pattern>, String> {
    let compile = |text: &String| {
        Pattern::new(text).map_err(|error| format!("{name}: {text:?} is no pattern: {error}"))
    };
    texts.iter().map(compile).collect()
}

/// The number of the type of records `name`.
pub(super) fn record_number(name: &str) -> Result<u16, String> {
    let known = RecordType::ALL.iter().find(|kind| kind.as_str() == name);
    let other = OTHERS.iter().find(|(other, _)| *other == name).map(|(_, number)| *number);
    known
        .map(|kind| kind.number())
        .or(other)
        .ok_or_else(|| format!("query_type {name:?} is no type of records; write one like A or MX"))
}

/// The patterns about records.
pub(super) fn record_rules(given: &GivenRecordRules) -> Result<RecordRules, String> {
    Ok(RecordRules {
        none: patterns("fail_if_matches_regexp", &given.none)?,
        each: patterns("fail_if_all_match_regexp", &given.each)?,
        all: patterns("fail_if_not_matches_regexp", &given.all)?,
        any: patterns("fail_if_none_matches_regexp", &given.any)?,
    })
}
