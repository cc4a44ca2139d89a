//! Which known word was meant by one that is not known.

use crate::config::values::shown;

/// The sentence for the unknown `key`, naming the known one nearest to it.
#[must_use]
pub fn unknown(what: &str, key: &str, known: &[&str]) -> String {
    let key = shown(key);
    match nearest(&key, known) {
        Some(meant) => format!("unknown {what} \"{key}\"; did you mean \"{meant}\"?"),
        None => format!("unknown {what} \"{key}\"; the known ones are {}", known.join(", ")),
    }
}

/// The word of `known` that differs from `word` in the fewest letters, if few enough.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_ascii_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    known
        .iter()
        .map(|candidate| (distance(&word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, remove, replace or swap with their neighbour to make `a` into `b`
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (row, letter) in a.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in b.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(0);
            let replaced = at(&above, column) + usize::from(letter != *other);
            let mut cost = replaced.min(at(&above, column + 1) + 1).min(at(&line, column) + 1);
            let other_before = column.checked_sub(1).and_then(|column| b.get(column));
            if last == Some(*other) && other_before == Some(&letter) {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            line.push(cost);
        }
        last = Some(letter);
        before = std::mem::replace(&mut above, line);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_known_word_is_named() {
        let known = ["interval", "timeout", "url", "tls"];
        assert_eq!(
            unknown("key", "intervall", &known),
            "unknown key \"intervall\"; did you mean \"interval\"?"
        );
        assert!(unknown("key", "Timeuot", &known).ends_with("\"timeout\"?"));
        assert!(unknown("key", "ulr", &known).ends_with("\"url\"?"));
    }

    #[test]
    fn a_far_word_is_met_with_all_known_ones() {
        assert_eq!(
            unknown("key", "colour", &["id", "url"]),
            "unknown key \"colour\"; the known ones are id, url"
        );
    }
}
