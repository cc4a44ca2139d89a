//! How the distributed mode works, in a few lines.

use super::figures::{clean, count, duration, moment, plural, shorten};
use super::sheet::{Part, Sheet, Tone, plain};
use crate::view::cluster::{Cluster, Location, Member, Owners};
use crate::view::{Lists, Summary};

/// What is wrong with it; whether anything is.
pub(super) fn trouble(sheet: &mut Sheet, summary: &Summary) -> bool {
    let troubles = summary.cluster.iter().flat_map(|own| &own.troubles);
    let mut is_any = false;
    for trouble in troubles {
        is_any = true;
        sheet.headline(&format!("CLUSTER: {}", clean(trouble)), Tone::Bad);
    }
    is_any
}

/// Whether the figures are live, and of what.
pub(super) fn headline(sheet: &mut Sheet, summary: &Summary, own: &Cluster) {
    let as_of = moment(&summary.as_of);
    let what = format!("poller cluster of {}", plural(own.shards.into(), "shard"));
    if summary.state == "running" {
        sheet.headline(&format!("{what}; live figures of {as_of} UTC"), Tone::Good);
    } else {
        let text = format!("{what} records nothing; figures from its database as of {as_of} UTC");
        sheet.headline(&text, Tone::Caution);
    }
}

/// Who works where, and how far behind they are; each member when all of everything is wanted.
pub(super) fn members(sheet: &mut Sheet, summary: &Summary, lists: Lists) {
    let Some(own) = &summary.cluster else { return };
    let checkers: u64 = own.locations.iter().map(|location| location.members).sum();
    sheet.row(
        "cluster",
        &[
            owners("scheduler", &own.schedulers),
            (plural(checkers, "checker"), tone(checkers == 0)),
            owners("recorder", &own.recorders),
        ],
    );
    let places: Vec<Part> = own.locations.iter().map(location).collect();
    if !places.is_empty() {
        sheet.row("locations", &places);
    }
    let delay = &own.delay;
    let mut parts = vec![
        plain(format!("p50 {} after due", duration(delay.p50))),
        plain(format!("p99 {}", duration(delay.p99))),
        plain(format!("max {}", duration(delay.max))),
        plain(format!("newest {} ago", duration(delay.newest))),
    ];
    if let Some(behind) = own.outcomes_behind {
        parts.push(plain(format!("{} behind", plural(behind, "outcome"))));
    }
    sheet.row("recorded", &parts);
    if !own.gaps.is_empty() {
        let gaps = plural(own.gaps.len() as u64, "gap");
        let last = own.gaps.first().map_or("", |gap| gap.until.as_str());
        let last = plain(format!("last until {} UTC", moment(last)));
        sheet.row("gaps", &[(gaps, Tone::Caution), plain("nobody made jobs"), last]);
    }
    if lists == Lists::All {
        own.members.iter().for_each(|one| member(sheet, one));
    }
}

fn owners(role: &str, owners: &Owners) -> Part {
    let unowned = owners.unowned.len() as u64;
    let text = plural(owners.members, role);
    if unowned == 0 {
        return plain(text);
    }
    (format!("{text}, {} without one", plural(unowned, "shard")), Tone::Bad)
}

fn location(location: &Location) -> Part {
    let name = clean(&location.name);
    if location.members == 0 {
        return (format!("{name} none since {}", duration(location.seen_seconds)), Tone::Bad);
    }
    let behind = location.jobs_behind.filter(|behind| *behind > 0);
    let behind = behind.map_or_else(String::new, |jobs| format!(", {} jobs behind", count(jobs)));
    let lag = location.lag_seconds;
    let lag = lag.map_or_else(String::new, |lag| format!(", p99 {} late", duration(lag)));
    plain(format!("{name} {}{lag}{behind}", plural(location.members, "checker")))
}

fn member(sheet: &mut Sheet, member: &Member) {
    let place = member.location.as_deref().map_or_else(String::new, |at| format!(" at {at}"));
    let name = shorten(&member.name, 30);
    let what = match member.role.as_str() {
        "checker" => String::new(),
        _ => format!("  {}", plural(member.shards, "shard")),
    };
    let seen = format!("{} ago", duration(member.seen_seconds));
    let text =
        format!("{}{}  {name}  {}{what}", member.role, clean(&place), clean(&member.version));
    sheet.columns("", &[(seen, tone(!member.is_alive())), plain(text)]);
}

const fn tone(is_bad: bool) -> Tone {
    if is_bad { Tone::Bad } else { Tone::Plain }
}
