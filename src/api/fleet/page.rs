//! The query for a page of targets, read in full or refused.

use axum::extract::RawQuery;

use crate::api::problem::Problem;
use crate::api::query::{bad, pairs};
use crate::outcome::Cause;
use crate::target::State;
use crate::view::{Cursor, Sort, TargetQuery};

/// Targets in one answer when nobody says how many, and at most.
const PAGE: usize = 1_000;
const PAGE_MAX: usize = 10_000;
/// Bytes of a text that is looked for at most.
const TEXT: usize = 1_024;
/// Parameters that there are.
const KNOWN: &str = "state, text, label, cause, group, sort, after and limit are the ones";

/// What `query` asks for.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn asked(query: &RawQuery) -> Result<TargetQuery, Problem> {
    let mut asked = TargetQuery { limit: PAGE, ..TargetQuery::default() };
    for (name, value) in pairs(query) {
        read(&mut asked, &name, value)?;
    }
    match asked.after {
        Some(after) if after.sort != asked.sort => Err(bad(format!(
            "after belongs to a page sorted by {}, and this one is sorted by {}; begin anew",
            after.sort.as_str(),
            asked.sort.as_str()
        ))),
        _ => Ok(asked),
    }
}

/// Takes one parameter into `asked`.
fn read(asked: &mut TargetQuery, name: &str, value: String) -> Result<(), Problem> {
    match name {
        "state" => asked.state = Some(named("state", &value, State::ALL, State::as_str)?),
        "cause" => asked.cause = Some(named("cause", &value, Cause::ALL, Cause::as_str)?),
        "sort" => asked.sort = named("sort", &value, &Sort::ALL, Sort::as_str)?,
        // An empty field of a form wants nothing.
        "text" if value.is_empty() => {}
        "text" if value.len() > TEXT => {
            return Err(bad(format!("text has at most {TEXT} bytes")));
        }
        "text" => asked.text = Some(value),
        "group" => asked.group = Some(value),
        "label" => match value.split_once('=') {
            Some((key, value)) => asked.labels.push((key.to_owned(), value.to_owned())),
            None => return Err(bad(format!("label is NAME=VALUE, not {value:?}"))),
        },
        "after" => {
            let place: Result<Cursor, _> = value.parse();
            asked.after = Some(place.map_err(|error| bad(error.to_string()))?);
        }
        "limit" => match value.parse() {
            Ok(limit @ 1..=PAGE_MAX) => asked.limit = limit,
            _ => return Err(bad(format!("limit is a number from 1 to {PAGE_MAX}"))),
        },
        _ => return Err(bad(format!("there is no parameter {name:?}; {KNOWN}"))),
    }
    Ok(())
}

/// The one of `all` that is called `value`.
fn named<T: Copy>(
    name: &str,
    value: &str,
    all: &[T],
    as_str: impl Fn(T) -> &'static str,
) -> Result<T, Problem> {
    all.iter().copied().find(|one| as_str(*one) == value).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| as_str(*one)).collect();
        bad(format!("{name} is one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<TargetQuery, Problem> {
        asked(&RawQuery(Some(text.to_owned())))
    }

    #[test]
    fn a_query_for_targets_is_read_in_full_or_refused() {
        let asked = query("state=down&label=team%3Dweb&label=a%3Db%3Dc&after=n0.9&limit=5");
        let asked = asked.expect("a good query");
        assert_eq!((asked.state, asked.labels.len()), (Some(State::Down), 2));
        assert_eq!(asked.labels[1], ("a".to_owned(), "b=c".to_owned()));
        assert_eq!((asked.after.map(|after| after.number), asked.limit), (Some(9), 5));
        let asked = query("text=Shop&cause=timeout&group=eu&sort=lag&after=g1.2").expect("good");
        assert_eq!((asked.text.as_deref(), asked.group.as_deref()), (Some("Shop"), Some("eu")));
        assert_eq!((asked.cause, asked.sort), (Some(Cause::Timeout), Sort::Lag));
        assert_eq!(query("text=").expect("nothing").text, None);
    }

    #[test]
    fn every_slip_is_answered_with_a_sentence_that_names_it() {
        let slips = [
            ("state=dwon", "state is one of pending, up"),
            ("cause=tired", "cause is one of"),
            ("sort=age", "sort is one of number, latency, downtime, lag"),
            ("label=team", "label is NAME=VALUE, not \"team\""),
            ("limit=0", "limit is a number from 1 to 10000"),
            ("limit=99999", "limit is"),
            ("after=9", "after is what next of the page before says"),
            ("after=t1.2", "after belongs to a page sorted by latency"),
            ("page=2", "there is no parameter \"page\""),
        ];
        for (slip, sentence) in slips {
            let problem = query(slip).expect_err(slip);
            assert_eq!(problem.status, 400, "{slip}");
            assert!(problem.detail.starts_with(sentence), "{}", problem.detail);
        }
        assert!(query(&format!("text={}", "x".repeat(TEXT + 1))).is_err());
    }
}
