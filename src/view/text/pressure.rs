//! How the daemon bears its load: what it uses of its machine, and what it holds back.

use super::figures::{clean, count, duration, moment, plural, shorten, size};
use super::sheet::{Part, Sheet, Tone, plain};
use crate::view::{Checks, Places, Process, Resources, Summary};

/// Seconds by which a runtime may wake late before polls and their latencies suffer.
const LATE: f64 = 0.1;

/// The slots that were missed, and by what: `12 missed (10 politeness, 2 standstill)`.
pub(super) fn missed(checks: &Checks) -> String {
    let by = &checks.missed_by;
    let mut reasons = [
        (by.running, "running"),
        (by.saturated, "saturated"),
        (by.politeness, "politeness"),
        (by.standstill, "standstill"),
    ];
    reasons.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    let reasons = reasons.iter().filter(|(number, _)| *number > 0);
    let reasons: Vec<_> =
        reasons.map(|(number, reason)| format!("{} {reason}", count(*number))).collect();
    let missed = format!("{} missed", count(checks.missed));
    if reasons.is_empty() { missed } else { format!("{missed} ({})", reasons.join(", ")) }
}

/// The slots that were not polled, in parts between which a line may end.
pub(super) fn left_out(checks: &Checks) -> Vec<Part> {
    let tone = if checks.missed == 0 { Tone::Plain } else { Tone::Caution };
    let missed = missed(checks);
    let mut parts: Vec<Part> = missed.split(", ").map(|part| (part.to_owned(), tone)).collect();
    if checks.backed_off > 0 {
        parts.push(plain(format!("{} backed off", count(checks.backed_off))));
    }
    parts
}

/// Memory with its limit: `48.3 MB of 1.6 GB memory (cgroup)`.
pub(super) fn memory(process: &Process, resources: &Resources) -> String {
    let used = size(process.rss_bytes);
    match resources.memory_limit_bytes {
        0 => format!("{used} memory"),
        limit => {
            format!("{used} of {} memory ({})", size(limit), clean(&resources.memory_limit_by))
        }
    }
}

/// How many places there are: `1,000 places`, or `412 of 1,000 places` while that is not all.
pub(super) fn places(places: &Places) -> String {
    if places.limit == places.most {
        plural(places.most, "place")
    } else {
        format!("{} of {}", count(places.limit), plural(places.most, "place"))
    }
}

/// What the process uses of what it may use.
pub(super) fn process(sheet: &mut Sheet, summary: &Summary) {
    let (process, resources) = (&summary.process, &summary.resources);
    let files = (count(process.open_files), count(process.open_files_limit));
    sheet.row(
        "process",
        &[
            plain(memory(process, resources)),
            plain(format!("{:.2} cores busy", resources.cpu_cores)),
            plain(format!("{} CPU", duration(process.cpu_seconds))),
            plain(format!("{} of {} files open", files.0, files.1)),
        ],
    );
}

/// What is short, or waits for something that may become so.
pub(super) fn pressure(sheet: &mut Sheet, summary: &Summary) {
    let (places, resources) = (&summary.places, &summary.resources);
    if places.state.is_empty() {
        // A daemon of an older version tells nothing of this.
        return;
    }
    let is_well = places.is_ok();
    let tone = if is_well { Tone::Good } else { Tone::Bad };
    let mut parts = vec![(clean(&places.state), tone), plain(self::places(places))];
    if let Some(reason) = &places.reason {
        let tone = if is_well { Tone::Plain } else { Tone::Caution };
        parts.push((shorten(reason, sheet.room()), tone));
    }
    if places.shrunk > 0 {
        let last = places
            .moved_at
            .as_deref()
            .map_or_else(String::new, |at| format!(" (last move {})", moment(at)));
        parts.push(plain(format!("shrunk {}{last}", plural(places.shrunk, "time"))));
    }
    let late = resources.runtime_lag_max;
    let tone = if late > LATE { Tone::Caution } else { Tone::Plain };
    parts.push((format!("runtime lag {}", duration(late)), tone));
    parts.push(plain(format!("{} in the outbox", count(resources.outbox))));
    parts.push(lookups(resources));
    parts.extend(readers(resources));
    parts.push(plain(format!("{} of answers held", size(resources.buffers_bytes))));
    sheet.row("pressure", &parts);
}

fn lookups(resources: &Resources) -> Part {
    let (running, limit) = (count(resources.lookups_in_flight), count(resources.lookups_limit));
    match resources.lookups_waiting {
        0 => plain(format!("{running} of {limit} look-ups")),
        waiting => {
            (format!("{running} of {limit} look-ups ({} wait)", count(waiting)), Tone::Caution)
        }
    }
}

/// The connections for reading the store, where the daemon has any.
fn readers(resources: &Resources) -> Option<Part> {
    let (used, size) = (count(resources.read_pool_in_use), count(resources.read_pool_size));
    let waits = plural(resources.read_pool_waits, "wait");
    (resources.read_pool_size > 0)
        .then(|| plain(format!("{used} of {size} store readers ({waits})")))
}

/// What goes over the wire.
pub(super) fn traffic(sheet: &mut Sheet, summary: &Summary) {
    if summary.places.state.is_empty() {
        return;
    }
    let [came, went] = rates(&summary.resources);
    sheet.row("traffic", &[plain(format!("{came} in")), plain(format!("{went} out"))]);
}

/// Bytes a second, in and out: `1.2 MB/s`.
pub(super) fn rates(resources: &Resources) -> [String; 2] {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes a second are far below 2^52, and a part of one is not shown"
    )]
    let rate = |bytes: f64| format!("{}/s", size(bytes.max(0.0) as u64));
    [rate(resources.bytes_in_per_second), rate(resources.bytes_out_per_second)]
}
