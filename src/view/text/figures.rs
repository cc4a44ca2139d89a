//! Figures as people read them: counts, durations, sizes, moments and shortened addresses.

use chrono::{DateTime, Utc};

/// `number` with thousands separators, as in `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `number` with its noun: "1 target", "12,000 targets".
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `seconds` in the unit that suits them: `0.38 ms`, `38 ms`, `1.24 s`, `2 min 5 s`, `3 d 4 h`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".to_owned();
    }
    match seconds {
        0.0 => "0 ms".to_owned(),
        s if s < 0.000_995 => format!("{:.2} ms", s * 1e3),
        s if s < 0.009_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        s if s < 3_599.5 => two_units(s, (60.0, "min"), (1.0, "s")),
        s if s < 86_370.0 => two_units(s, (3_600.0, "h"), (60.0, "min")),
        s => two_units(s, (86_400.0, "d"), (3_600.0, "h")),
    }
}

fn two_units(seconds: f64, large: (f64, &str), small: (f64, &str)) -> String {
    let smalls = (seconds / small.0).round();
    let per_large = large.0 / small.0;
    let larges = (smalls / per_large).floor();
    let rest = smalls - larges * per_large;
    if rest < 1.0 {
        format!("{larges:.0} {}", large.1)
    } else {
        format!("{larges:.0} {} {rest:.0} {}", large.1, small.1)
    }
}

/// `bytes` in the decimal unit that suits them: `512 B`, `84.2 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// `time` (RFC 3339) as `2026-11-22 10:33:20`; what is no time stays as it is.
#[must_use]
pub fn moment(time: &str) -> String {
    parse(time).map_or_else(|| clean(time), |at| at.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// `time` as `11-22 10:33`.
pub(super) fn day(time: &str) -> String {
    parse(time).map_or_else(|| shorten(time, 11), |at| at.format("%m-%d %H:%M").to_string())
}

/// Seconds from `from` to `to`, both RFC 3339; at least 0.
#[must_use]
pub fn between(from: &str, to: &str) -> Option<f64> {
    let milliseconds = (parse(to)? - parse(from)?).num_milliseconds().max(0);
    #[expect(clippy::cast_precision_loss, reason = "it is shown with three digits")]
    Some(milliseconds as f64 / 1e3)
}

fn parse(time: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(time).ok().map(|at| at.with_timezone(&Utc))
}

/// `text` in at most `width` characters, with the middle left out when it is longer; characters
/// that would steer a terminal are replaced.
#[must_use]
pub fn shorten(text: &str, width: usize) -> String {
    let text = clean(text);
    let length = text.chars().count();
    if length <= width {
        return text;
    }
    let kept = width.saturating_sub(1);
    let head = kept.div_ceil(2);
    let tail = kept - head;
    text.chars().take(head).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}

/// `text` without characters that would steer a terminal: they are replaced.
#[must_use]
pub fn clean(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_thousands_separators() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        let cases = [
            (0.0, "0 ms"),
            (0.000_38, "0.38 ms"),
            (0.003_81, "3.8 ms"),
            (0.038, "38 ms"),
            (0.999_7, "1.00 s"),
            (1.24, "1.24 s"),
            (12.04, "12.0 s"),
            (59.96, "1 min"),
            (125.0, "2 min 5 s"),
            (3_599.7, "1 h"),
            (3_660.0, "1 h 1 min"),
            (86_399.0, "1 d"),
            (273_600.0, "3 d 4 h"),
            (f64::NAN, "-"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn sizes_are_decimal() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(84_240_000), "84.2 MB");
        assert_eq!(size(u64::MAX), "18446744.0 TB");
    }

    #[test]
    fn a_long_address_loses_its_middle_and_keeps_both_ends() {
        assert_eq!(shorten("https://a.example/some/long/path?page=7", 20), "https://a.…th?page=7");
        assert_eq!(shorten("short", 20), "short");
        assert_eq!(shorten("ünïcode-ünïcode", 5), "ün…de");
    }

    #[test]
    fn nothing_shown_can_steer_the_terminal() {
        assert_eq!(shorten("a\u{1b}[2Jb\n\u{202e}c", 20), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c");
    }
}
