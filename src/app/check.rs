//! `--check`: settings and list parsed, the plan told, nothing started.

use std::fmt::Write as _;

use super::boot::{StartError, http_options, shares};
use super::crowd::crowd;
use super::files::told_places;
use super::list::Listing;
use super::plan::{Load, load};
use crate::check::Checks;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::targets::{List, ListError};
use crate::process::{open_files_limit, raise_open_files_limit};
use crate::view::text::{count, duration, size};

/// Bytes that a sample takes in the store, log and index pages included.
const SAMPLE_BYTES: f64 = 45.0;

/// What the settings and the list that they name would mean.
///
/// # Errors
/// They are no good, as when the daemon is started with them.
pub fn check(settings: &Settings) -> Result<String, StartError> {
    // A limit that cannot be raised only makes the pool smaller.
    let _ = raise_open_files_limit();
    // Whatever the check cannot be set up with is told here.
    drop(Checks::new(http_options(settings, shares(settings)))?);
    let list = Listing::default().read(settings)?.ok_or_else(|| ListError::NoValidEntry {
        file: settings.urls.to_string().into(),
        entries: 0,
        first: None,
    })?;
    let plan = load(&list.targets, Clock::system().now_ms());
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = tell_list(&mut text, settings, &list);
    let _ = tell_load(&mut text, settings, &plan);
    let _ = tell_politeness(&mut text, settings, &list);
    let _ = tell_rejects(&mut text, &list);
    Ok(text)
}

fn tell_list(text: &mut String, settings: &Settings, list: &List) -> std::fmt::Result {
    writeln!(
        text,
        "list        {}: {} entries, {} targets ({} different addresses), {} rejected",
        settings.urls,
        count(list.entries),
        count(list.targets.len() as u64),
        count(list.unique),
        count(list.rejects.total),
    )?;
    let intervals = list.targets.iter().map(|target| f64::from(target.every_ms) / 1e3);
    let shortest = intervals.clone().fold(f64::INFINITY, f64::min);
    let longest = intervals.fold(0.0, f64::max);
    writeln!(text, "intervals   {} to {}", duration(shortest), duration(longest))?;
    writeln!(text, "data        {}", settings.data.display())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "figures for people, far below 2^52"
)]
fn tell_load(text: &mut String, settings: &Settings, plan: &Load) -> std::fmt::Result {
    writeln!(text, "load        {:.1} polls a second", plan.per_second)?;
    writeln!(
        text,
        "flatness    {} launches in the busiest second of the next hour; chance alone: {:.0}",
        count(u64::from(plan.busiest_second)),
        plan.expected_busiest,
    )?;
    let files = open_files_limit();
    let limit = shares(settings).places.get();
    let chosen = match settings.max_workers {
        Some(asked) if asked.get() == limit => "as set",
        Some(_) => "cut",
        None => "chosen",
    };
    writeln!(
        text,
        "places      {} polls in flight at most ({chosen}; open files: {})",
        count(limit as u64),
        count(files),
    )?;
    if let Some(told) = told_places(settings.max_workers, files) {
        writeln!(text, "            {told}")?;
    }
    writeln!(
        text,
        "needed      {} when 1 % of the polls time out, {} when all do",
        count(plan.places_usually as u64),
        count(plan.places_when_all_time_out as u64),
    )?;
    if plan.places_when_all_time_out > limit as f64 {
        writeln!(
            text,
            "            more than there are: polls would run late then, none would be skipped; \
             raise the limit of open files (ulimit -n) or --max-workers, or shorten --timeout"
        )?;
    }
    let kept = settings.keep.as_secs_f64() * plan.per_second * SAMPLE_BYTES;
    let fits = if kept <= settings.max_disk as f64 {
        "fits"
    } else {
        "does not fit: the oldest samples go earlier; raise --max-disk or lower --keep"
    };
    writeln!(
        text,
        "disk        about {} for {} of samples, {} allowed: {fits}",
        size(kept as u64),
        duration(settings.keep.as_secs_f64()),
        size(settings.max_disk),
    )
}

fn tell_politeness(text: &mut String, settings: &Settings, list: &List) -> std::fmt::Result {
    let lines = crowd(&list.targets, &settings.manners).lines(&settings.manners);
    for (number, line) in lines.iter().enumerate() {
        writeln!(text, "{:<12}{line}", if number == 0 { "politeness" } else { "" })?;
    }
    Ok(())
}

fn tell_rejects(text: &mut String, list: &List) -> std::fmt::Result {
    for reject in &list.rejects.first {
        writeln!(text, "rejected    {reject}")?;
    }
    let told = list.rejects.first.len() as u64;
    if list.rejects.total > told {
        writeln!(text, "            and {} more", count(list.rejects.total - told))?;
    }
    Ok(())
}
