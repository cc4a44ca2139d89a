//! Values of an entry's keys, read from JSON and told apart from wrong ones in words.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use crate::config::units;

/// Shortest interval: below it a target sees more of its monitor than of its users.
pub const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// Longest interval: raw results are kept no longer than this unless settings say so.
pub const LONGEST_INTERVAL: Duration = Duration::from_hours(7 * 24);
/// Longest timeout of a poll.
pub const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);

const SHOWN: usize = 80;

/// The reason why `value` cannot be the value of `key`, and what to write instead.
pub(crate) fn wrong(key: &str, value: &Value, want: &str) -> String {
    format!("\"{}\" is {}; write {want}", shown(key), shown_value(value))
}

/// `value` in a message: what has parts may hold secrets, and is told by its kind alone.
pub(crate) fn shown_value(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        single => shown(&single.to_string()),
    }
}

/// The reason why a value that is a secret cannot be that of `key`.
pub(crate) fn wrong_secret(key: &str, want: &str) -> String {
    format!("\"{key}\" has a wrong value; write {want}")
}

/// `text` on one line of bounded length, fit for a terminal, without what may be a login.
pub(crate) fn shown(text: &str) -> String {
    let text = without_credentials(text);
    let mut shown: String = text.chars().take(SHOWN).map(plain).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// `text` on one line, fit for a terminal, whatever its length.
pub(crate) fn on_one_line(text: &str) -> String {
    text.chars().map(plain).collect()
}

/// `letter`, unless it would move a cursor.
fn plain(letter: char) -> char {
    if letter.is_control() { '\u{fffd}' } else { letter }
}

/// `text` with `<secret>` in the place of what stands between a scheme and the last `@`: in a text
/// that is no address, any of it may be a password.
pub(crate) fn without_credentials(text: &str) -> Cow<'_, str> {
    let Some((before, host)) = text.rsplit_once('@') else { return Cow::Borrowed(text) };
    let scheme = before.find("//").map_or(0, |at| at + 2);
    Cow::Owned(format!("{}<secret>@{host}", before.get(..scheme).unwrap_or_default()))
}

/// Text, or a number or truth value written without quotes.
pub(crate) fn loose_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Owned(truth.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A line of text for people: not empty, at most 1,000 bytes, no control characters.
pub(crate) fn line(key: &str, value: &Value) -> Result<Box<str>, String> {
    let fits =
        |text: &str| !text.is_empty() && text.len() <= 1_000 && !text.chars().any(char::is_control);
    match value {
        Value::String(_) | Value::Number(_) => loose_text(value),
        _ => None,
    }
    .filter(|text| fits(text))
    .map(Box::from)
    .ok_or_else(|| wrong(key, value, "text of 1 to 1000 bytes without line breaks"))
}

/// A truth value.
pub(crate) fn truth(key: &str, value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| wrong(key, value, "true or false"))
}

/// A whole number of at most `most`.
pub(crate) fn whole<T>(key: &str, value: &Value, most: T) -> Result<T, String>
where
    T: TryFrom<u64> + Copy + Into<u64>,
{
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| *number <= most.into())
    .and_then(|number| T::try_from(number).ok())
    .ok_or_else(|| wrong(key, value, &format!("a whole number from 0 to {}", most.into())))
}

/// The milliseconds from one poll to the next.
pub(crate) fn interval_ms(key: &str, value: &Value) -> Result<u32, String> {
    duration_ms(key, value, (SHORTEST_INTERVAL, LONGEST_INTERVAL))
}

/// The milliseconds that a poll may take.
pub(crate) fn timeout_ms(key: &str, value: &Value) -> Result<u32, String> {
    duration_ms(key, value, (Duration::from_millis(1), LONGEST_TIMEOUT))
}

/// Milliseconds of a duration that is a number of seconds or a text with a unit.
fn duration_ms(key: &str, value: &Value, bounds: (Duration, Duration)) -> Result<u32, String> {
    let (low, high) = bounds;
    let read = match value {
        Value::Number(number) => match number.as_u64() {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => units::duration(&number.to_string()).ok(),
        },
        Value::String(text) => units::duration(text).ok(),
        _ => None,
    };
    read.filter(|duration| (low..=high).contains(duration))
        .and_then(|duration| u32::try_from(duration.as_millis()).ok())
        .ok_or_else(|| wrong(key, value, &duration_wanted(low, high)))
}

fn duration_wanted(low: Duration, high: Duration) -> String {
    format!(
        "seconds from {} to {}, or a duration from {} to {} like \"30s\"",
        low.as_secs_f64(),
        high.as_secs(),
        units::show_duration(low),
        units::show_duration(high)
    )
}

/// Checks that `duration` can be an interval.
///
/// # Errors
/// It is shorter than [`SHORTEST_INTERVAL`] or longer than [`LONGEST_INTERVAL`].
pub fn interval(text: &str) -> Result<Duration, String> {
    within(text, (SHORTEST_INTERVAL, LONGEST_INTERVAL))
}

/// Checks that `duration` can be a timeout.
///
/// # Errors
/// It is shorter than a millisecond or longer than [`LONGEST_TIMEOUT`].
pub fn timeout(text: &str) -> Result<Duration, String> {
    within(text, (Duration::from_millis(1), LONGEST_TIMEOUT))
}

fn within(text: &str, (low, high): (Duration, Duration)) -> Result<Duration, String> {
    units::duration(text)
        .ok()
        .filter(|duration| (low..=high).contains(duration))
        .ok_or_else(|| format!("write {}", duration_wanted(low, high)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn intervals_are_numbers_numeric_texts_or_durations() {
        for (value, ms) in [
            (json!(100), 100_000),
            (json!("100"), 100_000),
            (json!(0.25), 250),
            (json!(100.0), 100_000),
            (json!("5m"), 300_000),
            (json!("250ms"), 250),
            (json!("7d"), 604_800_000),
        ] {
            assert_eq!(interval_ms("interval", &value), Ok(ms), "{value}");
        }
    }

    #[test]
    fn a_wrong_interval_is_shown_with_the_range() {
        for value in [json!(-5), json!(0), json!("soon"), json!(700_000), json!("50ms")] {
            let reason = interval_ms("interval", &value).expect_err("wrong");
            assert!(reason.contains(&value.to_string()), "{reason}");
            assert!(reason.contains("from 0.1 to 604800"), "{reason}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        assert_eq!(shown("ftp://me:pw@a.example/"), "ftp://<secret>@a.example/");
        assert_eq!(shown("//me:pw@a.example/"), "//<secret>@a.example/");
        assert_eq!(shown("http://me:p/w@a.example/"), "http://<secret>@a.example/");
        assert_eq!(shown(&format!("{}pw@h", "x".repeat(500))), "<secret>@h");
        let reason = wrong("interval", &json!([{"headers": {"X": "pw"}}]), "seconds");
        assert_eq!(reason, "\"interval\" is a list; write seconds");
    }

    #[test]
    fn what_is_shown_has_bounds_and_no_control_characters() {
        let text = shown(&format!("\u{1b}[31m{}", "x".repeat(500)));
        assert!(text.chars().count() <= 81);
        assert!(!text.contains('\u{1b}'));
    }
}
