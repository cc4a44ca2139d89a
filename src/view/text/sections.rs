//! The parts of the text form, in the order in which they are read.

use super::figures::{between, clean, count, day, duration, moment, plural, shorten, size};
use super::pressure;
use super::sheet::{Part, Sheet, Tone, plain};
use crate::view::{Delay, Down, Lists, OwnFault, Phase, Summary};

impl Lists {
    /// How many of `all` entries are shown when `few` will do.
    const fn shown(self, few: usize) -> usize {
        match self {
            Self::Short => few,
            Self::All => usize::MAX,
        }
    }
}

/// `text`, told as `tone` when `number` is not 0.
fn alarm(number: u64, text: &str, tone: Tone) -> Part {
    (format!("{} {text}", count(number)), if number == 0 { Tone::Plain } else { tone })
}

fn is_running(summary: &Summary) -> bool {
    summary.state == "running"
}

/// What somebody has to see first: that it is probably us, targets that are down, and a store that
/// does not store.
pub(super) fn trouble(sheet: &mut Sheet, summary: &Summary, lists: Lists) {
    let is_ours = own_trouble(sheet, summary) | super::cluster::trouble(sheet, summary);
    let total = summary.targets.down.max(summary.down.len() as u64);
    if total > 0 {
        sheet.headline(&format!("DOWN: {}", plural(total, "target")), Tone::Bad);
        let shown = lists.shown(10).min(summary.down.len());
        let (first, _) = summary.down.split_at(shown);
        down_targets(sheet, first, summary.stopped_at.as_ref().unwrap_or(&summary.as_of));
        let hidden = total - shown as u64;
        if hidden > 0 {
            let text = format!("  and {} more{}", count(hidden), hint(lists));
            sheet.headline(&text, Tone::Bad);
        }
    }
    if summary.storage.is_degraded() {
        let storage = &summary.storage;
        let reason = storage.reason.as_deref().unwrap_or("no reason is known");
        let text = format!("STORAGE {}: {reason}", storage.state.to_uppercase());
        sheet.headline(&text, Tone::Bad);
    }
    if is_ours || total > 0 || summary.storage.is_degraded() {
        sheet.gap();
    }
}

/// What is wrong with us, as far as polls have met it; whether anything is.
fn own_trouble(sheet: &mut Sheet, summary: &Summary) -> bool {
    let judgement = &summary.judgement;
    if judgement.is_held() {
        let reason = judgement.reason.as_deref().unwrap_or("nearly all targets failed together");
        let since = judgement.since.as_deref();
        let since = since.map_or_else(String::new, |at| format!(", since {} UTC", moment(at)));
        let text = format!("PROBABLY US: {reason}{since}; nothing is held against them");
        sheet.headline(&text, Tone::Bad);
    }
    for fault in &summary.own_faults {
        sheet.headline(&own_fault(fault), Tone::Bad);
    }
    judgement.is_held() || !summary.own_faults.is_empty()
}

fn own_fault(fault: &OwnFault) -> String {
    let detail = match fault.detail.as_str() {
        "" => String::new(),
        detail => format!(" ({detail})"),
    };
    format!(
        "OUR FAULT: {}{detail} × {} in the last minute, last at {} UTC",
        fault.cause,
        count(fault.count),
        moment(&fault.last_at)
    )
}

/// How to see what is not shown, for those who have not asked for all yet.
const fn hint(lists: Lists) -> &'static str {
    match lists {
        Lists::Short => " (--all shows them)",
        Lists::All => "",
    }
}

fn why(down: &Down) -> String {
    match (down.cause.as_str(), down.detail.as_str()) {
        ("", detail) => clean(detail),
        (cause, "") => clean(cause),
        (cause, detail) => clean(&format!("{cause} ({detail})")),
    }
}

/// Targets that were down for so long at `until`.
fn down_targets(sheet: &mut Sheet, downs: &[Down], until: &str) {
    let whys: Vec<String> = downs.iter().map(why).collect();
    let widest = whys.iter().map(|why| why.chars().count()).max().unwrap_or(0);
    let is_narrow = sheet.width() < 80;
    let widest = widest.min(if is_narrow { 20 } else { 32 });
    for (down, why) in downs.iter().zip(&whys) {
        let lasted = between(&down.since, until).map_or_else(|| "-".to_owned(), duration);
        let since =
            if is_narrow { String::new() } else { format!("  since {:<11}", day(&down.since)) };
        let left = format!("  {lasted:<12}{since}  {:<widest$}  ", shorten(why, widest));
        let label = match &down.name {
            Some(name) if !name.is_empty() => format!("{name}: {}", down.url),
            _ => down.url.clone(),
        };
        let room = sheet.width().saturating_sub(left.chars().count());
        sheet.line(&format!("{left}{}", shorten(&label, room)), Tone::Plain);
    }
}

/// Whether the figures are live, and of which daemon.
pub(super) fn daemon(sheet: &mut Sheet, summary: &Summary) {
    let as_of = moment(&summary.as_of);
    if let Some(own) = &summary.cluster {
        super::cluster::headline(sheet, summary, own);
    } else if is_running(summary) {
        let mut text = format!(
            "poller {} runs for {} (pid {}); live figures of {as_of} UTC",
            summary.version,
            duration(summary.uptime_seconds),
            summary.pid,
        );
        if let Some(listen) = &summary.listen {
            text = format!("{text}; listens on {listen}");
        }
        sheet.headline(&text, Tone::Good);
    } else {
        let text = match &summary.stopped_at {
            Some(at) => format!(
                "poller is stopped since {} UTC, states are of then; figures from the store as of \
                 {as_of} UTC",
                moment(at)
            ),
            None => format!("poller is stopped; figures from the store as of {as_of} UTC"),
        };
        sheet.headline(&text, Tone::Caution);
    }
    sheet.gap();
}

/// The targets by state and the polls in numbers.
pub(super) fn polls(sheet: &mut Sheet, summary: &Summary) {
    let targets = &summary.targets;
    let mut parts = vec![
        plain(plural(targets.total, "target")),
        alarm(targets.up, "up", Tone::Good),
        alarm(targets.warning, "warning", Tone::Caution),
        alarm(targets.down, "down", Tone::Bad),
        alarm(targets.unknown, "unknown", Tone::Caution),
        alarm(targets.pending, "pending", Tone::Plain),
    ];
    if targets.paused > 0 {
        parts.push(alarm(targets.paused, "paused", Tone::Plain));
    }
    parts.push(plain(format!("{} unique", count(targets.unique))));
    if targets.rejected > 0 {
        parts.push(alarm(targets.rejected, "entries rejected", Tone::Caution));
    }
    sheet.row("targets", &parts);

    let checks = &summary.checks;
    let mut parts = vec![
        plain(format!("{:.1}/s", checks.per_second)),
        plain(format!("{} in 5 min", count(checks.last_5m))),
        plain(format!("{} in all", count(checks.total))),
    ];
    if is_running(summary) {
        parts.push(plain(format!("{} since start", count(checks.since_start))));
        parts.extend(pressure::left_out(checks));
        parts.push(plain(format!("{} rechecks", count(checks.rechecks))));
        parts.push(plain(format!("{} read", size(checks.bytes))));
    }
    sheet.row("checks", &parts);
}

/// How long polls took.
pub(super) fn delays(sheet: &mut Sheet, summary: &Summary, lists: Lists) {
    match &summary.largest_delay_5m {
        None => sheet.row("largest 5m", &[plain("no poll finished in the last five minutes")]),
        Some(largest) => {
            delay(sheet, "largest 5m", largest);
            match &summary.largest_answered_5m {
                Some(answered) => delay(sheet, "answered", answered),
                None => sheet
                    .row("answered", &[plain("no poll got an answer in the last five minutes")]),
            }
        }
    }
    for (index, slow) in summary.slowest_5m.iter().take(lists.shown(3)).enumerate() {
        let took = format!("{:>9}", duration(slow.seconds));
        let url = shorten(&slow.url, sheet.room() - 11);
        sheet.columns(if index == 0 { "slowest" } else { "" }, &[plain(took), plain(url)]);
    }
    let latency = &summary.latency_5m;
    if latency.count > 0 {
        let named = |name: &str, seconds| plain(format!("{name} {}", duration(seconds)));
        let parts = [
            named("p50", latency.p50),
            named("p90", latency.p90),
            named("p99", latency.p99),
            named("max", latency.max),
            plain(format!("of {} answered", count(latency.count))),
        ];
        sheet.row("latency", &parts);
    }
    phases(sheet, summary);
}

fn delay(sheet: &mut Sheet, label: &str, largest: &Delay) {
    let took = format!("{:>9}", duration(largest.seconds));
    let end = largest.at.get(11..19).map_or_else(|| clean(&largest.at), str::to_owned);
    let right = format!("{} at {end}", shorten(&largest.code, 16));
    let room = sheet.room().saturating_sub(took.len() + right.chars().count() + 4);
    let url = shorten(&largest.url, room.max(12));
    sheet.columns(label, &[plain(took), plain(url), plain(right)]);
}

fn phases(sheet: &mut Sheet, summary: &Summary) {
    let phases = &summary.phases_5m;
    let all = [
        ("resolve", phases.resolve),
        ("connect", phases.connect),
        ("tls", phases.tls),
        ("first byte", phases.first_byte),
        ("transfer", phases.transfer),
    ];
    let parts: Vec<Part> = all
        .into_iter()
        .filter(|(_, phase)| *phase != Phase::default())
        .map(|(name, phase)| {
            plain(format!("{name} {} / {}", duration(phase.p50), duration(phase.p99)))
        })
        .chain([plain("p50 / p99")])
        .collect();
    if parts.len() > 1 {
        sheet.row("phases", &parts);
    }
}

/// What polls got.
pub(super) fn codes(sheet: &mut Sheet, summary: &Summary) {
    let codes: Vec<Part> = summary
        .top_codes
        .iter()
        .map(|code| plain(format!("{} × {}", shorten(&code.code, 24), count(code.count))))
        .collect();
    if !codes.is_empty() {
        sheet.row("codes", &codes);
    }
    let causes: Vec<Part> = summary
        .causes_5m
        .iter()
        .map(|cause| {
            let permanent = if cause.permanent { " (permanent)" } else { "" };
            plain(format!("{}{permanent} × {}", clean(&cause.cause), count(cause.count)))
        })
        .chain([plain("last 5 min")])
        .collect();
    if causes.len() > 1 {
        sheet.row("causes", &causes);
    }
}

/// What runs now, and how punctual it was.
pub(super) fn work(sheet: &mut Sheet, summary: &Summary, lists: Lists) {
    if !is_running(summary) {
        return;
    }
    let flying = &summary.in_flight;
    let schedule = &summary.schedule;
    let most = match flying.limit {
        // Checkers that do not tell.
        0 => String::new(),
        limit => format!(" of at most {}", count(limit)),
    };
    let mut parts = vec![
        plain(format!("{}{most}", count(flying.count))),
        alarm(schedule.waiting, "waiting", Tone::Caution),
    ];
    if schedule.polite > 0 {
        parts.push(alarm(schedule.polite, "held back for their host", Tone::Plain));
    }
    sheet.row("in flight", &parts);
    for one in flying.urls.iter().take(lists.shown(3)) {
        let took = format!("{:>9}", duration(one.for_seconds));
        let url = shorten(&one.url, sheet.room() - 11);
        sheet.columns("", &[plain(took), plain(url)]);
    }
    let tone = if schedule.state == "ok" { Tone::Good } else { Tone::Bad };
    sheet.row(
        "schedule",
        &[
            (clean(&schedule.state), tone),
            plain(format!("lag p50 {}", duration(schedule.lag_p50))),
            plain(format!("p99 {}", duration(schedule.lag_p99))),
            plain(format!("max {}", duration(schedule.lag_max))),
        ],
    );
}

/// Certificates that run out soon.
pub(super) fn certificates(sheet: &mut Sheet, summary: &Summary, lists: Lists) {
    let expiring = &summary.certificates_expiring;
    let shown = lists.shown(5).min(expiring.len());
    for (index, one) in expiring.iter().take(shown).enumerate() {
        let (left, tone) = match one.days {
            i64::MIN..=-1 => ("expired".to_owned(), Tone::Bad),
            1 => ("1 day".to_owned(), Tone::Caution),
            days => (format!("{days} days"), Tone::Caution),
        };
        let url = shorten(&one.url, sheet.room() - 11);
        let label = if index == 0 { "certs" } else { "" };
        sheet.columns(label, &[(format!("{left:>9}"), tone), plain(url)]);
    }
    let total = summary.certificates_expiring_total.max(expiring.len() as u64);
    let hidden = total - shown as u64;
    if hidden > 0 {
        let text = format!("and {} more certificates{}", count(hidden), hint(lists));
        sheet.row("", &[plain(text)]);
    }
}

/// How the store and the process are.
pub(super) fn machine(sheet: &mut Sheet, summary: &Summary) {
    let storage = &summary.storage;
    let tone = if summary.storage.is_degraded() { Tone::Bad } else { Tone::Good };
    let mut parts = vec![(clean(&storage.state), tone)];
    parts.push(plain(format!("{} samples", count(storage.samples))));
    parts.push(plain(size(storage.bytes)));
    if is_running(summary) || summary.storage.is_degraded() {
        parts.push(alarm(storage.queued, "queued", Tone::Plain));
        parts.push(alarm(storage.spilled, "spilled", Tone::Caution));
        parts.push(alarm(storage.lost, "lost", Tone::Bad));
    }
    parts.push(plain(shorten(&storage.path, sheet.room())));
    sheet.row("storage", &parts);
    if is_running(summary) && summary.cluster.is_none() {
        pressure::process(sheet, summary);
        pressure::pressure(sheet, summary);
        pressure::traffic(sheet, summary);
    }
}
