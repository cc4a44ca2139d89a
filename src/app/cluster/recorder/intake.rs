//! Taking in what comes from Kafka: each record to the docket of its shard, or set aside.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::desk::Desk;
use crate::health::votes::Slot;
use crate::outcome::Outcome;
use crate::queue::kafka::letters::Letter;
use crate::queue::kafka::messages::{
    MemberMessage, MissedMessage, OutcomeMessage, Report, Told, WithdrawnMessage,
};
use crate::queue::kafka::reader::Arrival;
use crate::store::postgres::setup::LEASED;
use crate::store::postgres::witness::HeardMember;

/// How far ahead of the brokers' clock a due time may lie, in milliseconds: jobs are made on time, and
/// a slot of a far future would make all before it late.
pub(super) const AHEAD_MS: i64 = 3_600_000;
/// How far ahead of the brokers' clock a poll may have finished, in microseconds, by the clock of its
/// checker.
const CLOCKS_US: i64 = 5_000_000;

/// Why a record is set aside.
type Reason = String;

impl Desk {
    /// Takes in what came.
    pub(super) async fn take_in(&mut self, arrivals: Vec<Arrival>) {
        if !self.prepare(&arrivals).await {
            return;
        }
        let mut letters = 0;
        for arrival in arrivals {
            let now_ms = self.now_ms();
            let Arrival { shard, epoch, offset, skipped, at_ms, bytes, report } = arrival;
            let place = (offset, skipped, at_ms.unwrap_or(now_ms));
            let Some(before) = self.following((shard, epoch), place) else { continue };
            let place = (shard, offset, at_ms.unwrap_or(now_ms));
            let taken = report.map_err(|error| error.to_string());
            let taken = taken.and_then(|report| self.take(place, &report, now_ms));
            let Some(docket) = self.dockets.get_mut(&shard) else { continue };
            if let Err(reason) = taken {
                docket.pass(offset, now_ms);
                letters += 1;
                let letter = Letter { partition: shard, offset, bytes: &bytes, reason: &reason };
                tokio::select! {
                    () = self.parts.stop.cancelled() => return self.dockets.clear(),
                    () = self.parts.letters.insist(0, &letter) => {}
                }
            } else {
                self.waiting += docket.pending().saturating_sub(before);
            }
        }
        if letters > 0 {
            self.parts.figures.dead.fetch_add(letters, Ordering::Relaxed);
            // Nothing is noted as done before they are kept, or brokers have long taken none.
            tokio::select! {
                () = self.parts.stop.cancelled() => self.dockets.clear(),
                () = self.parts.letters.settle() => {}
            }
        }
    }

    /// How much waits in the docket that the record of a shard at an offset follows, as it came at a
    /// time in Unix milliseconds and after so many that are gone; none where it is of no use.
    fn following(
        &mut self,
        (shard, epoch): (u32, i64),
        (offset, skipped, at_ms): (i64, i64, i64),
    ) -> Option<usize> {
        let docket = self.dockets.get(&shard).filter(|docket| docket.epoch() == epoch)?;
        // Else it was read before the shard was taken over once more.
        if offset - skipped != docket.next_offset() {
            return None;
        }
        let pending = docket.pending();
        if skipped != 0 {
            let newest_us = Some(docket.newest_us()).filter(|&newest_us| newest_us > 0);
            let began_ms = newest_us.map_or(at_ms, |newest_us| newest_us.div_euclid(1_000));
            self.chores.note_gap(shard, skipped, (began_ms.min(at_ms), at_ms));
        }
        if skipped < 0 {
            self.begin_anew(shard, offset);
            return None;
        }
        Some(pending)
    }

    /// Has the database say what has to be known of `arrivals`; false when we are to stop before.
    async fn prepare(&mut self, arrivals: &[Arrival]) -> bool {
        let reports = || arrivals.iter().filter_map(|arrival| arrival.report.as_ref().ok());
        let mut names = BTreeSet::new();
        for report in reports() {
            names.insert(report.location.as_str());
            if let Some(Told::Missed(missed)) = &report.told {
                names.extend(missed.locations.iter().map(String::as_str));
            }
        }
        for name in names {
            if !self.learn_location(name).await {
                return false;
            }
        }
        let unknown: BTreeSet<u32> = reports()
            .filter_map(target_of)
            .filter(|number| !self.knows(*number) && self.targets.is_unheard_of(*number))
            .collect();
        unknown.is_empty() || self.look_for(unknown).await
    }

    fn knows(&self, number: u32) -> bool {
        let docket = self.dockets.get(&self.parts.shards.of(number));
        docket.is_none_or(|docket| docket.knows(number))
    }

    /// Takes in the report at an offset of a shard, which brokers got at a time in Unix milliseconds.
    fn take(
        &mut self,
        (shard, offset, at_ms): (u32, i64, i64),
        report: &Report,
        now_ms: i64,
    ) -> Result<(), Reason> {
        match &report.told {
            None => Err("it tells nothing that this version knows".to_owned()),
            Some(Told::Outcome(message)) => {
                self.fits(shard, message.target, (message.due_ms, at_ms))?;
                let location = self.locations.number(&report.location).ok_or_else(bad_location)?;
                let outcome = outcome(message, at_ms)?;
                let tries = u8::try_from(message.tries).map_err(|_| bad("tries"))?;
                let slot = Slot { due_ms: outcome.due_ms, location, tries };
                self.is_fit_for_the_database(shard, message.target, slot)?;
                if let Some(docket) = self.dockets.get_mut(&shard) {
                    docket.observe(offset, slot, outcome, now_ms);
                }
                Ok(())
            }
            Some(Told::Missed(message)) => {
                self.fits(shard, message.target, (message.due_ms, at_ms))?;
                let locations = self.missed_at(&report.location, message)?;
                let reason = u8::try_from(message.reason).map_err(|_| bad("reason"))?;
                for &location in &locations {
                    let slot = Slot { due_ms: message.due_ms, location, tries: 0 };
                    self.is_fit_for_the_database(shard, message.target, slot)?;
                }
                let slot = (message.target, message.due_ms);
                if let Some(docket) = self.dockets.get_mut(&shard) {
                    docket.miss(offset, slot, (&locations, reason), now_ms);
                }
                Ok(())
            }
            Some(Told::Member(message)) => {
                let member = member(&report.location, message, at_ms)?;
                self.chores.note_member(member);
                if let Some(docket) = self.dockets.get_mut(&shard) {
                    docket.pass(offset, now_ms);
                }
                Ok(())
            }
            Some(Told::Withdrawn(message)) => {
                self.take_back((shard, offset), (&report.location, message), now_ms)
            }
        }
    }

    /// Takes back what a checker at a location told, as is told at an offset of a shard.
    fn take_back(
        &mut self,
        (shard, offset): (u32, i64),
        (location, message): (&str, &WithdrawnMessage),
        now_ms: i64,
    ) -> Result<(), Reason> {
        let location = self.locations.number(location).ok_or_else(bad_location)?;
        message.targets.iter().try_for_each(|&target| self.belongs(shard, target))?;
        let slots = message.slots().map_err(|error| error.to_string())?;
        if let Some(docket) = self.dockets.get_mut(&shard) {
            let count = docket.take_back(offset, location, slots, now_ms);
            self.parts.figures.withdrawn.fetch_add(count as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether a target belongs to `shard` and a slot can be kept.
    fn fits(&self, shard: u32, target: u32, (due_ms, at_ms): (i64, i64)) -> Result<(), Reason> {
        self.belongs(shard, target)?;
        if due_ms > at_ms.saturating_add(AHEAD_MS) {
            return Err(bad("due_ms"));
        }
        let span = self.chores.span().unwrap_or(0..0);
        if !span.contains(&due_ms) {
            return Err("it is older than results are kept, see --keep".to_owned());
        }
        Ok(())
    }

    fn belongs(&self, shard: u32, target: u32) -> Result<(), Reason> {
        let own = self.parts.shards.of(target);
        if own == shard {
            return Ok(());
        }
        Err(format!("its target {target} belongs to partition {own}"))
    }

    fn is_fit_for_the_database(&self, shard: u32, target: u32, slot: Slot) -> Result<(), Reason> {
        if self.holding.is_refused(shard, target, slot) {
            return Err("the database refuses to hold it".to_owned());
        }
        Ok(())
    }

    /// The locations at which a slot passed without a poll.
    fn missed_at(&self, location: &str, message: &MissedMessage) -> Result<Vec<u16>, Reason> {
        if !location.is_empty() {
            return Ok(vec![self.locations.number(location).ok_or_else(bad_location)?]);
        }
        if message.locations.is_empty() {
            return Ok(self.locations.all());
        }
        let number = |name: &String| self.locations.number(name).ok_or_else(bad_location);
        message.locations.iter().map(number).collect()
    }
}

fn target_of(report: &Report) -> Option<u32> {
    match report.told.as_ref()? {
        Told::Outcome(message) => Some(message.target),
        Told::Missed(message) => Some(message.target),
        Told::Member(_) | Told::Withdrawn(_) => None,
    }
}

fn outcome(message: &OutcomeMessage, at_ms: i64) -> Result<Outcome, Reason> {
    let mut outcome = message.outcome().map_err(|error| error.to_string())?;
    // A checker's clock may be wrong; no poll finishes before it falls due, or after it was told.
    let first_us = outcome.due_ms.saturating_mul(1_000);
    let last_us = at_ms.saturating_mul(1_000).saturating_add(CLOCKS_US);
    outcome.finished_us = outcome.finished_us.clamp(first_us, last_us.max(first_us));
    Ok(outcome)
}

fn member(location: &str, message: &MemberMessage, at_ms: i64) -> Result<HeardMember, Reason> {
    let is_fit = crate::config::given::location_name;
    if is_fit(&message.name).is_err() || is_fit(&message.role).is_err() {
        return Err(bad("name"));
    }
    if !location.is_empty() && is_fit(location).is_err() {
        return Err(bad_location());
    }
    // Those tell the database of themselves, and are counted when shards are shared out.
    if LEASED.contains(&message.role.as_str()) {
        return Err(format!("a {} does not give its signs of life by this topic", message.role));
    }
    let is_object = |facts: &&String| {
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(facts).is_ok()
    };
    // What the database cannot hold of text would hold up all others.
    let text = |text: &str| text.replace('\0', "");
    let facts = Some(&message.facts).filter(is_object).filter(|facts| !facts.contains("\\u0000"));
    Ok(HeardMember {
        name: message.name.clone(),
        role: message.role.clone(),
        location: location.to_owned(),
        host: text(&message.host),
        pid: message.pid,
        version: text(&message.poller),
        started_ms: message.started_ms.clamp(0, at_ms.max(0)),
        seen_ms: at_ms,
        ahead_ms: message.ahead_ms,
        facts: facts.cloned().unwrap_or_else(|| "{}".to_owned()),
    })
}

fn bad(field: &str) -> Reason {
    format!("its field {field} has a value that it cannot have")
}

fn bad_location() -> Reason {
    "its location is no name of one".to_owned()
}
