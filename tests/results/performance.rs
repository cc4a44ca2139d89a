//! The grammar of Nagios performance data, held to the letter (Monitoring Plugins Development
//! Guidelines, "Performance data" and "Threshold and ranges").

/// What a plugin measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measure {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) warning: Option<Range>,
    pub(crate) critical: Option<Range>,
    pub(crate) least: Option<f64>,
    pub(crate) largest: Option<f64>,
}

/// `[@][start:][end]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) alerts_inside: bool,
}

impl Range {
    pub(crate) fn alerts(&self, value: f64) -> bool {
        (self.start <= value && value <= self.end) == self.alerts_inside
    }
}

const UNITS: [&str; 10] = ["", "s", "ms", "us", "%", "B", "KB", "MB", "TB", "c"];

/// The measures of performance data.
pub(crate) fn measures(text: &str) -> Result<Vec<Measure>, String> {
    let mut measures: Vec<Measure> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (label, after) = label(rest)?;
        let end = after.find(' ').unwrap_or(after.len());
        let measure = measure(label, &after[..end])?;
        if measures.iter().any(|other| other.label == measure.label) {
            return Err(format!("the label {} stands twice", measure.label));
        }
        measures.push(measure);
        rest = match after[end..].strip_prefix(' ') {
            Some("") => return Err("it ends with a blank".into()),
            Some(rest) => rest,
            None => "",
        };
    }
    Ok(measures)
}

/// A label, in quotes where it holds a blank, and what follows its `=`.
fn label(text: &str) -> Result<(String, &str), String> {
    if let Some(mut rest) = text.strip_prefix('\'') {
        let mut label = String::new();
        loop {
            let end = rest.find('\'').ok_or_else(|| format!("no second quote in {text}"))?;
            label.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('\'') {
                // Two quotes stand for one.
                Some(after) => {
                    label.push('\'');
                    rest = after;
                }
                None => break,
            }
        }
        let rest = rest.strip_prefix('=').ok_or_else(|| format!("no = in {text}"))?;
        return if label.contains('=') {
            Err(format!("= within {label}"))
        } else {
            Ok((label, rest))
        };
    }
    let (label, rest) = text.split_once('=').ok_or_else(|| format!("no = in {text}"))?;
    if label.is_empty() || label.contains([' ', '\'']) {
        return Err(format!("{label:?} is no label without quotes"));
    }
    Ok((label.to_owned(), rest))
}

fn measure(label: String, text: &str) -> Result<Measure, String> {
    let mut parts = text.split(';');
    let first = parts.next().unwrap_or_default();
    let end = first.find(|letter: char| !is_of_number(letter)).unwrap_or(first.len());
    let (value, unit) = first.split_at(end);
    if !UNITS.contains(&unit) {
        return Err(format!("{unit:?} is no unit"));
    }
    let mut part = || parts.next().filter(|part| !part.is_empty());
    let measure = Measure {
        label,
        value: number(value)?,
        unit: unit.to_owned(),
        warning: part().map(range).transpose()?,
        critical: part().map(range).transpose()?,
        least: part().map(number).transpose()?,
        largest: part().map(number).transpose()?,
    };
    if parts.next().is_some() {
        return Err(format!("{text} has more than five parts"));
    }
    let within = |limit: Option<f64>, beyond: fn(f64, f64) -> bool| {
        limit.is_none_or(|limit| !beyond(measure.value, limit))
    };
    if !within(measure.least, |value, least| value < least) {
        return Err(format!("{text} is below its least value"));
    }
    Ok(measure)
}

const fn is_of_number(letter: char) -> bool {
    matches!(letter, '-' | '.' | '0'..='9')
}

/// A number of the class `[-0-9.]`.
fn number(text: &str) -> Result<f64, String> {
    let bad = || format!("{text:?} is no number");
    if text.is_empty() || !text.chars().all(is_of_number) {
        return Err(bad());
    }
    text.parse().map_err(|_| bad())
}

fn range(text: &str) -> Result<Range, String> {
    let (alerts_inside, text) = match text.strip_prefix('@') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (start, end) = match text.split_once(':') {
        Some((start, end)) => (start, end),
        None => ("0", text),
    };
    let start = if start == "~" { f64::NEG_INFINITY } else { number(start)? };
    let end = if end.is_empty() && text.contains(':') { f64::INFINITY } else { number(end)? };
    if start > end {
        return Err(format!("the range {text} ends before it begins"));
    }
    Ok(Range { start, end, alerts_inside })
}

#[test]
fn the_grammar_is_that_of_the_guidelines() {
    let good =
        "time=0.087s;;;0;30 'a label'=1 'it''s'=-1.5%;@10:20;~:5 c=5c days=64;30:;14: u=1B;;;";
    let read = measures(good).expect("performance data");
    assert_eq!(read.len(), 6);
    assert_eq!((&*read[1].label, &*read[2].label), ("a label", "it's"));
    let inside = Range { start: 10.0, end: 20.0, alerts_inside: true };
    assert_eq!(read[2].warning, Some(inside));
    assert_eq!(
        [9.0, 10.0, 20.0, 21.0].map(|value| inside.alerts(value)),
        [false, true, true, false]
    );
    let least = read[4].warning.expect("a range");
    assert_eq!([29.0, 30.0, 99.0].map(|value| least.alerts(value)), [true, false, false]);
    let bad = [
        "a b=1",
        "a=",
        "a=1e5",
        "a=1x",
        "a=1 ",
        "a=1  b=2",
        "a=1;5:3",
        "a=1;;;;;",
        "=1",
        "a",
        "'a=1",
        "a=1;1.2.3",
        "a=1 a=2",
        "'a=b'=1",
        "a=-1;;;0",
    ];
    for text in bad {
        assert!(measures(text).is_err(), "{text} was taken: {:?}", measures(text));
    }
}
