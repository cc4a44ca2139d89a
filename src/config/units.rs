//! Durations and sizes as people write them, and back.

use std::time::Duration;

use crate::manners::Rate;

const NANOS: &[(&str, u128)] = &[
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
    ("", 1_000_000_000),
];

const BYTES: &[(&str, u128)] = &[
    ("", 1),
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
];

/// Reads a duration such as `30s`, `250ms`, `1.5h` or `7d`; a bare number is seconds.
///
/// # Errors
/// The text is no number of at least 0, or its unit is none of `ms`, `s`, `m`, `h` and `d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    measure(text, NANOS)
        .and_then(|nanos| u64::try_from(nanos).ok())
        .map(Duration::from_nanos)
        .ok_or_else(|| "write seconds, or a number with ms, s, m, h or d, like 30s".to_owned())
}

/// Reads a duration of at least a millisecond.
///
/// # Errors
/// The text is no duration, or a shorter one.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_millis(1) {
        return Err("write a duration above 0, like 30s".to_owned());
    }
    Ok(duration)
}

/// Reads a size in bytes such as `16MB` (millions), `512KiB` (1,024 each) or a bare number.
///
/// # Errors
/// The text is no number of at least 0, or its unit is none of `B`, `kB`, `KiB` … `TB`, `TiB`.
pub fn size(text: &str) -> Result<u64, String> {
    measure(text, BYTES)
        .and_then(|bytes| u64::try_from(bytes).ok())
        .ok_or_else(|| "write bytes, or a number with KB, MB, GB or KiB, MiB, GiB".to_owned())
}

/// Reads a rate such as `10` or `10/s`, `30/m` or `100/h`; a bare number is per second.
///
/// # Errors
/// The text is no number above 0 with one of these units, or a rate below one a day.
pub fn rate(text: &str) -> Result<Rate, String> {
    let (count, span) = match text.trim().split_once('/') {
        None => (text.trim(), 1),
        Some((count, "s")) => (count, 1),
        Some((count, "m")) => (count, 60),
        Some((count, "h")) => (count, 3_600),
        Some(_) => ("", 1),
    };
    let count = count.trim().parse().ok();
    count
        .and_then(|count| Rate::of(count, Duration::from_secs(span)))
        .ok_or_else(|| "write launches per second like 10 or 0.5, or like 30/m or 100/h".to_owned())
}

/// Writes a duration in its largest whole unit, as [`duration`] reads it.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let whole = |unit: u128| nanos >= unit && nanos.is_multiple_of(unit);
    let unit = NANOS.iter().rev().find(|(name, unit)| !name.is_empty() && whole(*unit));
    if let Some((name, unit)) = unit {
        return format!("{}{name}", nanos / unit);
    }
    let text = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A decimal number with a unit, in the smallest unit there is; fractions of that are cut off.
fn measure(text: &str, units: &[(&str, u128)]) -> Option<u128> {
    let text = text.trim();
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, name) = text.split_at(number_end);
    let name = name.trim_start();
    let (_, unit) = units.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 15 {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    Some(whole.parse::<u128>().ok()? * unit + fraction * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_unless_a_unit_says_otherwise() {
        let read = |text| duration(text).expect("a duration").as_millis();
        assert_eq!(read("100"), 100_000);
        assert_eq!(read("0.25"), 250);
        assert_eq!(read("30s"), 30_000);
        assert_eq!(read("5m"), 300_000);
        assert_eq!(read("250ms"), 250);
        assert_eq!(read("1.5h"), 5_400_000);
        assert_eq!(read(" 7 d "), 604_800_000);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "-5", "5 weeks", "1.2.3", "1e3", "99999999999999999999", "1 0"] {
            assert!(duration(text).is_err(), "{text:?} was taken");
        }
        assert!(positive_duration("0").is_err());
    }

    #[test]
    fn sizes_tell_thousands_from_1024s() {
        assert_eq!(size("16MB"), Ok(16_000_000));
        assert_eq!(size("512KiB"), Ok(524_288));
        assert_eq!(size("1.5 gib"), Ok(1_610_612_736));
        assert_eq!(size("10"), Ok(10));
        assert!(size("10 parsecs").is_err());
        assert!(size("-1").is_err());
    }

    #[test]
    fn a_shown_duration_is_read_as_the_same_one() {
        for text in ["250ms", "90s", "5m", "36h", "7d", "0s", "0.0015s", "99999999.000000001s"] {
            let read = duration(text).expect("a duration");
            assert_eq!(show_duration(read), text);
        }
    }
}
