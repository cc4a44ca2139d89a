//! What fuzz targets feed lists and settings with, and what they hold of them.

use std::io::Read;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::config::file;
use crate::config::given::{ProxyText, count, header_text, positive_size};
use crate::config::keys::name_server;
use crate::config::rules::Rules;
use crate::config::substitute::{Origin, Trust};
use crate::config::targets::source::Source;
use crate::config::targets::{self, Entry, REJECTS_KEPT};
use crate::config::{nearest, units, values};
use crate::fuzzing::{Pieces, assert_plain, check_address};
use crate::target::{CheckKind, Labels, Plan, TargetId};

/// How lists are called, which tells something of their form.
const NAMES: [&str; 2] = ["list", "list.json"];
/// What entries are that name no kind of check.
const KINDS: [Option<CheckKind>; 8] = [
    None,
    Some(CheckKind::Http),
    Some(CheckKind::Ssl),
    Some(CheckKind::Mail),
    Some(CheckKind::Dns),
    Some(CheckKind::Tcp),
    Some(CheckKind::Icmp),
    None,
];

/// What is compared of an entry.
#[derive(Debug, PartialEq)]
struct Seen {
    place: (u64, u64),
    named: targets::Named,
    target: Result<SeenTarget, String>,
}

/// What is compared of a target.
#[derive(Debug, PartialEq)]
struct SeenTarget {
    id: TargetId,
    written: String,
    times_ms: (u32, u32),
    plan: Arc<Plan>,
    labels: Arc<Labels>,
}

/// Lists in all their forms: JSON, JSON lines, CSV, plain text, Prometheus.
///
/// # Panics
/// A property does not hold.
pub fn list(data: &[u8]) {
    let Some(([way, seed], text)) = data.split_first_chunk() else { return };
    if names_file(text) {
        return;
    }
    let name = NAMES[usize::from(way >> 3 & 1)];
    let origin = origin(if way & 16 == 0 { Trust::Local } else { Trust::Remote });
    let mut rules = Rules::default();
    rules.usual.kind = KINDS[usize::from(way & 7)];
    rules.usual.others.extend((way & 7 == 7).then(|| "custom".to_owned()));
    rules.limit = (way & 32 != 0).then_some(3);

    let whole = streamed(&mut { text }, name, &origin, &rules);
    let cut = streamed(&mut Pieces::new(text, *seed), name, &origin, &rules);
    assert_eq!(whole, cut);
    let (entries, end) = whole;
    assert!(rules.limit.is_none_or(|limit| entries.len() as u64 <= limit));
    let good = entries.iter().filter(|entry| entry.target.is_ok()).count();
    match targets::read(&mut { text }, name, &origin, &rules) {
        Ok(list) => {
            assert_eq!((list.targets.len(), list.entries), (good, entries.len() as u64));
            assert_eq!(list.rejects.total, (entries.len() - good) as u64);
            assert!(list.rejects.first.len() <= REJECTS_KEPT && list.unique <= good as u64);
            list.rejects.first.iter().for_each(|reject| assert_plain(&reject.to_string()));
        }
        Err(error) => {
            assert_plain(&error.to_string());
            assert!(good == 0 || end.is_some(), "{error}");
        }
    }
}

/// The entries that a source holds, and why it ends early.
fn streamed(
    source: &mut dyn Read,
    name: &str,
    origin: &Origin,
    rules: &Rules,
) -> (Vec<Seen>, Option<String>) {
    let mut entries = Vec::new();
    let mut take = |entry: Entry| {
        entries.push(seen(entry));
        ControlFlow::Continue(())
    };
    let end = targets::stream(Vec::new(), Some((source, name)), (origin, rules), &mut take);
    let places = (1..).zip(&entries).all(|(index, entry)| entry.place.0 == index);
    assert!(places && entries.is_sorted_by_key(|entry| entry.place.1));
    (entries, end.err().map(|error| error.to_string()))
}

fn seen(entry: Entry) -> Seen {
    [&entry.named.id, &entry.named.plugin_type].into_iter().flatten().for_each(|s| assert_plain(s));
    let target = entry.target.map(|target| {
        check_address(&target.address);
        assert!(target.every_ms >= 100 && target.timeout_ms >= 1);
        assert_plain(&target.shown_id());
        SeenTarget {
            id: target.id,
            written: target.address.written().to_owned(),
            times_ms: (target.every_ms, target.timeout_ms),
            plan: target.plan,
            labels: target.labels,
        }
    });
    if let Err(reason) = &target {
        assert_plain(reason);
    }
    Seen { place: (entry.index, entry.line), named: entry.named, target }
}

/// Settings files.
///
/// # Panics
/// A property does not hold.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if names_file(data) {
        return;
    }
    let Err(mistakes) = file::parse(text, "poller.toml", &origin(Trust::Local)) else { return };
    let last = text.split('\n').count();
    assert!(!mistakes.is_empty() && mistakes.is_sorted_by_key(|mistake| mistake.line));
    for mistake in mistakes {
        assert!((1..=last).contains(&mistake.line), "{mistake}");
        assert_plain(&mistake.to_string());
    }
}

/// Values of flags and variables: durations, sizes, numbers, places.
///
/// # Panics
/// A property does not hold.
pub fn units(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(duration) = units::duration(text) {
        let shown = units::show_duration(duration);
        assert_eq!(units::duration(&shown), Ok(duration), "{shown}");
    }
    let (times, bytes) = (values::interval(text), positive_size(text));
    assert!(times.is_ok_and(|time| time.as_millis() >= 100) || values::interval(text).is_err());
    assert!(bytes != Ok(0) && (bytes.is_err() || units::size(text) == bytes));
    assert!(units::positive_duration(text).map_or(true, |time| time.as_millis() >= 1));
    let reasons = [
        units::duration(text).err(),
        units::size(text).err(),
        values::interval(text).err(),
        values::timeout(text).err(),
        header_text(text).err(),
        name_server(text).err(),
        ProxyText::from(text).parse().err(),
        count::<NonZeroU64>(text).err(),
        Some(nearest::unknown("key", text, file::SETTINGS)),
        Some(values::shown(text)),
    ];
    reasons.iter().flatten().for_each(|reason| assert_plain(reason));
    match text.parse() {
        Ok(Source::Remote(address)) => check_address(&address),
        Ok(Source::Wrong { error, .. }) => assert_plain(&error.to_string()),
        Ok(Source::File(_) | Source::Standard) => {}
        Err(never) => match never {},
    }
}

/// Whether a text names a file of this machine, which might never end or never come.
fn names_file(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"file:/").is_some()
}

fn origin(trust: Trust) -> Origin {
    let variables = [("TOKEN", "abc"), ("EMPTY", ""), ("LINES", "a\r\nb")].into_iter().collect();
    Origin { folder: "/nonexistent".into(), variables, trust }
}
