//! Queries of the past, read pair by pair: times, limits, places.

use axum::extract::RawQuery;

use crate::api::problem::Problem;
use crate::api::query::{bad, pairs};

/// Rows of a page when nobody says how many, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;
/// The last moment that can be asked for: the year 9999, in Unix milliseconds.
const LAST_MS: i64 = 253_402_300_799_999;

/// A query whose pairs are taken out by whoever knows them.
pub(in crate::api) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// The pairs of `query`, if their names are among `known` and come once.
    ///
    /// # Errors
    /// Names the one that is not known, or comes twice.
    pub(in crate::api) fn of(query: &RawQuery, known: &[&str]) -> Result<Self, Problem> {
        let pairs = pairs(query);
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = match known {
                    [] => "it has none".to_owned(),
                    _ => format!("known are {}", known.join(", ")),
                };
                return Err(bad(format!("there is no parameter {name:?}; {known}")));
            }
            if pairs.iter().take(index).any(|(other, _)| other == name) {
                return Err(bad(format!("{name} is given twice; give it once")));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of `name`, if it is given.
    pub(in crate::api) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value of `name` as `read` understands it, if it is given.
    ///
    /// # Errors
    /// Those of `read`, which is told name and value.
    pub(in crate::api) fn value<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str, &str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        self.text(name).map(|value| read(name, value)).transpose()
    }
}

/// The span of time that a query names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::api) struct Times {
    /// `from`, in Unix milliseconds.
    pub from_ms: Option<i64>,
    /// `to`, in Unix milliseconds.
    pub to_ms: Option<i64>,
}

impl Times {
    /// The values of `from` and `to`.
    ///
    /// # Errors
    /// One is no time, or they are the wrong way round.
    pub(in crate::api) fn of(pairs: &Pairs) -> Result<Self, Problem> {
        let (from_ms, to_ms) = (pairs.value("from", moment)?, pairs.value("to", moment)?);
        if let (Some(from), Some(to)) = (from_ms, to_ms)
            && from > to
        {
            return Err(bad("from lies after to; exchange them".to_owned()));
        }
        Ok(Self { from_ms, to_ms })
    }
}

/// A time as RFC 3339 or in Unix seconds, in Unix milliseconds.
///
/// # Errors
/// It is neither, or lies before 1970 or after 9999.
fn moment(name: &str, value: &str) -> Result<i64, Problem> {
    let slip = || {
        bad(format!("{name} is a time like 2026-11-22T10:00:00Z or in Unix seconds, not {value:?}"))
    };
    let ms = match value.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1_000).ok_or_else(slip)?,
        // A plus sign that was not escaped comes as a space.
        Err(_) => chrono::DateTime::parse_from_rfc3339(&value.replace(' ', "+"))
            .map_err(|_| slip())?
            .timestamp_millis(),
    };
    if (0..=LAST_MS).contains(&ms) { Ok(ms) } else { Err(slip()) }
}

/// How many rows a page may have.
///
/// # Errors
/// It is no number from 1 to 1,000.
pub(super) fn limit(pairs: &Pairs) -> Result<usize, Problem> {
    let read = |name: &str, value: &str| match value.parse() {
        Ok(limit @ 1..=PAGE_MAX) => Ok(limit),
        _ => Err(bad(format!("{name} is a number from 1 to {PAGE_MAX}, not {value:?}"))),
    };
    Ok(pairs.value("limit", read)?.unwrap_or(PAGE))
}

/// The place that a page goes on from.
///
/// # Errors
/// It is none that a page named.
pub(super) fn place(name: &str, value: &str) -> Result<i64, Problem> {
    let slip = || bad(format!("{name} is what `next` of the page before says, not {value:?}"));
    value.parse().ok().filter(|place| *place > 0).ok_or_else(slip)
}

/// The one of `all` that `value` names.
///
/// # Errors
/// None has this name; tells which ones there are.
pub(in crate::api) fn named_value<T: Copy>(
    name: &str,
    value: &str,
    all: &[(&'static str, T)],
) -> Result<T, Problem> {
    let found = all.iter().find(|(known, _)| *known == value);
    found.map(|(_, known)| *known).ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
        bad(format!("{name} is one of {}, not {value:?}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Times, usize), Problem> {
        let pairs = Pairs::of(&RawQuery(Some(text.to_owned())), &["from", "to", "limit"])?;
        Ok((Times::of(&pairs)?, limit(&pairs)?))
    }

    #[test]
    fn times_are_read_as_rfc_3339_and_as_unix_seconds() {
        let (times, limit) =
            read("from=2026-11-22T10:00:00%2B01:00&to=1795341600&limit=7").expect("good");
        assert_eq!(times.from_ms, Some(1_795_338_000_000));
        assert_eq!((times.to_ms, limit), (Some(1_795_341_600_000), 7));
        let (times, _) = read("from=2026-11-22T10:00:00.250+01:00").expect("a bare plus");
        assert_eq!(times.from_ms, Some(1_795_338_000_250));
    }

    #[test]
    fn slips_are_told_in_a_sentence() {
        for (slip, words) in [
            ("from=yesterday", "from is a time like"),
            ("from=-5", "from is a time like"),
            ("to=99999999999999999", "to is a time like"),
            ("from=20&to=10", "from lies after to"),
            ("limit=0", "limit is a number from 1 to 1000"),
            ("limit=1001", "limit is a number from 1 to 1000"),
            ("until=5", "no parameter \"until\"; known are from, to, limit"),
            ("from=1&from=2", "from is given twice"),
        ] {
            let problem = read(slip).expect_err(slip);
            assert!(problem.status == 400 && problem.detail.contains(words), "{problem:?}");
        }
    }
}
