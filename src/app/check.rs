//! `--check`: settings and list parsed, the plan told, nothing started.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use super::boot::{StartError, http_options, shares};
use super::crowd::crowd;
use super::engine::cores;
use super::files::{Shares, told_places};
use super::fit::{Fit, Machine, Verdict, summed_up};
use super::governing::kept_within;
use super::list::Listing;
use super::plan::{Load, load};
use crate::check::Checks;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::settings::Adaptive;
use crate::config::targets::{List, ListError};
use crate::process::{
    MemoryLimit, local_ports, open_files_limit, port_rest, raise_open_files_limit,
};
use crate::view::text::{count, duration, plural};

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
    let load = load(&list.targets, Clock::system().now_ms());
    let mut verdicts = machine(settings).bears(&load);
    verdicts.push(crowd(&list.targets, &settings.manners).verdict(&settings.manners));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = tell_list(&mut text, settings, &list);
    let _ = tell_load(&mut text, settings, &load);
    let _ = tell_verdicts(&mut text, &verdicts);
    let _ = tell_rejects(&mut text, &list);
    let _ = writeln!(text, "{}", summed_up(&verdicts));
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

fn tell_load(text: &mut String, settings: &Settings, load: &Load) -> std::fmt::Result {
    writeln!(text, "load        {:.1} polls a second", load.per_second)?;
    writeln!(
        text,
        "flatness    {} launches in the busiest second of the next hour; chance alone: {:.0}",
        count(u64::from(load.busiest_second)),
        load.expected_busiest,
    )?;
    let files = open_files_limit();
    let limit = shares(settings).places.get();
    let chosen = match settings.max_workers {
        Some(asked) if asked.get() == limit => "as set",
        Some(_) => "cut",
        None => "chosen",
    };
    let adaptive = match settings.adaptive {
        Adaptive::On => "fewer while this machine is short of something",
        Adaptive::Off => "always, as --adaptive is off",
    };
    writeln!(
        text,
        "places      {} in flight at most ({chosen}; open files: {}), {adaptive}",
        plural(limit as u64, "poll"),
        count(files),
    )?;
    match told_places(settings.max_workers, files) {
        Some(told) => writeln!(text, "            {told}"),
        None => Ok(()),
    }
}

/// What there is for the daemon by `settings`.
#[expect(clippy::cast_precision_loss, reason = "a processor has a few cores")]
fn machine(settings: &Settings) -> Machine {
    let ports = local_ports();
    Machine {
        places: Shares::of(settings.max_workers, u64::MAX).places.get() as u64,
        open_files: open_files_limit(),
        memory: kept_within(MemoryLimit::find(settings.max_memory)),
        ports: u64::from(ports.end().saturating_sub(*ports.start())) + 1,
        port_rest_s: port_rest().as_secs_f64(),
        cores: cores().get() as f64,
        max_per_cycle: settings.max_per_cycle.map(NonZeroU32::get),
        disk: settings.max_disk,
        keep_s: settings.keep.as_secs_f64(),
    }
}

fn tell_verdicts(text: &mut String, verdicts: &[Verdict]) -> std::fmt::Result {
    for Verdict { limit, told, fit, advice } in verdicts {
        // The line before tells of the places that there are.
        let label = if *limit == "places" { "needed" } else { limit };
        let fits = match fit {
            Fit::Always => "fits",
            Fit::Usually => "fits only while few time out",
            Fit::Never => "does not fit",
        };
        writeln!(text, "{label:<12}{told}: {fits}")?;
        if *fit != Fit::Always {
            writeln!(text, "            {advice}")?;
        }
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
