//! Changes of a cluster's targets that come over the API: each is one transaction.

use std::future::Future;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::View;
use crate::api::{Answer, Change, Changes, OnReject, PauseWish, Refusal, Selection, What};
use crate::app::edit::merge::{EXPIRES, merged, patch_of};
use crate::app::edit::sort::{Listed, Sorted};
use crate::app::edit::{all, some};
use crate::config::targets::own::read_own;
use crate::config::targets::written::{SECRET, as_patchable, told_elsewhere, write};
use crate::store::postgres::DatabaseError;
use crate::store::postgres::change::{Amended, Amendment, Gone, Seen};
use crate::store::postgres::import::{Imported, Incoming};
use crate::store::postgres::read::Line;
use crate::target::TargetId;
use crate::view::{Changed, Paused};

/// Why an entry is refused whose id a list has.
const LISTED: &str = "a list has the target with this id, and PUT replaces those of the API alone: leave \
                      it out, change that one by POST or PATCH, or give this one an \"id\" of its own";

/// Why a target is not changed to what another one polls.
const TAKEN: &str = "another target polls that already: give this one an \"id\" of its own, or remove \
                     one of them";

/// How often a change is made anew of what others made of its targets meanwhile.
const ATTEMPTS: u32 = 5;

/// Changes targets in the database.
pub(in crate::app) struct Changer(pub(in crate::app) Arc<View>);

impl Changes for Changer {
    fn change(&self, change: Change) -> Answer<'_, Result<(Changed, String), Refusal>> {
        Box::pin(self.blocking(move |view| view.change(change)))
    }

    fn pause(&self, who: Selection, wish: PauseWish) -> Answer<'_, Result<Paused, Refusal>> {
        Box::pin(self.blocking(move |view| view.pause(&who, wish)))
    }

    fn resume(&self, who: Selection) -> Answer<'_, Result<Paused, Refusal>> {
        Box::pin(self.blocking(move |view| view.resume(&who)))
    }
}

impl Changer {
    /// Does `work` where it may wait for the database.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&View) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let view = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&view)).await;
        done.unwrap_or_else(|_| Err(Refusal::Busy("the change failed; see the log".to_owned())))
    }
}

/// A change that was made, and the edition of the targets then.
type Made = (Changed, i64);

impl View {
    fn change(&self, Change { what, if_match }: Change) -> Result<(Changed, String), Refusal> {
        let only_at = if_match.as_deref().map(editions);
        let only_at = only_at.as_deref();
        let (changed, edition) = match what {
            What::All(bytes, on_reject) => {
                insist("the targets", || self.replace(&all(&bytes)?, on_reject, only_at))?
            }
            What::Some(bytes, on_reject) => {
                let sorted = self.sort(&some(&bytes)?, on_reject)?;
                let made = self.take(&sorted, Amendment { only_at, ..Amendment::default() })?;
                made.ok_or_else(|| overtaken("a target"))?
            }
            What::Remove(id) => self.remove(id, only_at)?,
            What::Merge(id, patch) => insist(&id, || self.merge(&id, &patch, only_at))?,
        };
        // Whoever changed something sees it, unless there are too many targets for that.
        self.columns.give_up(self.monotonic_ms());
        Ok((changed, etag(edition)))
    }

    fn remove(&self, id: String, only_at: Option<&[i64]>) -> Result<Made, Refusal> {
        let gone = Gone::One(self.meant(&id)?.id);
        let made = self.amend(Amendment { gone, only_at, ..Amendment::default() })?;
        match made {
            // Somebody else was faster.
            None | Some((Imported { removed: 0, .. }, ..)) => Err(Refusal::Unknown(vec![id])),
            Some((Imported { removed, .. }, total, edition)) => {
                Ok((Changed { ids: vec![id], removed, total, ..Changed::default() }, edition))
            }
        }
    }

    /// Makes the targets of the API those of `raws`; none when a list took one of these meanwhile.
    fn replace(
        &self,
        raws: &[&RawValue],
        on_reject: OnReject,
        only_at: Option<&[i64]>,
    ) -> Result<Option<Made>, Refusal> {
        let read = read_own(raws, &self.rules, self.now_ms());
        let wanted: Vec<TargetId> = read.0.iter().map(|entry| entry.target.id).collect();
        let ids = self.written(self.writer.listed(&wanted))?.into_iter().collect();
        let sorted = Sorted::of(read, &Listed { ids, why: LISTED }, on_reject)?;
        let gone = Gone::AllBut(&sorted.named);
        self.take(&sorted, Amendment { gone, only_at, ..Amendment::default() })
    }

    /// Merges `patch` into the entry of the target `id`; none when that became another one meanwhile.
    fn merge(
        &self,
        id: &str,
        patch: &[u8],
        only_at: Option<&[i64]>,
    ) -> Result<Option<Made>, Refusal> {
        let patch = patch_of(patch)?;
        let line = self.meant(id)?;
        let entries = self.written(self.reader.entries(&[line.number]))?;
        let now = entries.get(&line.number).map_or("", String::as_str);
        let slip = |why: String| {
            Refusal::Listed(format!("{id:?} {why}; change it in the list, and import that"))
        };
        let entry = as_patchable(now, line.given_id.as_deref()).map_err(slip)?;
        if let Some(key) = told_elsewhere(&entry, &patch) {
            return Err(Refusal::Wrong(format!(
                "{id:?} would lead elsewhere with the {key:?} that it has, which may be secret; name \
                 the whole {key:?} in the change too, or null"
            )));
        }
        // What is known by its address may be one of several that have the same.
        let before = self.sort(&[&raw(entry.clone())?], OnReject::LeaveOut)?;
        if before.entries.first().is_some_and(|before| before.target.id != line.id) {
            return Err(slip("is one of several that poll the same, without an id".to_owned()));
        }
        let has_end = patch.contains_key(EXPIRES);
        let entry = raw(merged(&entry, patch)?)?;
        let mut sorted = self.sort(&[&entry], OnReject::Refuse)?;
        for entry in sorted.entries.iter_mut().filter(|_| !has_end) {
            entry.expires_ms = line.expires_ms;
        }
        // One whose id follows from its address becomes another with that.
        let is_other = sorted.entries.iter().all(|entry| entry.target.id != line.id);
        let gone = if is_other { Gone::One(line.id) } else { Gone::None };
        let made_of = Some(Seen { id: line.id, entry: now, expires_ms: line.expires_ms });
        self.take(&sorted, Amendment { gone, only_at, made_of, ..Amendment::default() })
    }

    /// Makes targets of `raws`, and tells apart what cannot be polled.
    fn sort(&self, raws: &[&RawValue], on_reject: OnReject) -> Result<Sorted, Refusal> {
        let read = read_own(raws, &self.rules, self.now_ms());
        Sorted::of(read, &Listed::default(), on_reject)
    }

    /// Has the entries polled, and does what else `amendment` says; none when that was made of what is
    /// not so any more.
    fn take<'s>(
        &self,
        sorted: &'s Sorted,
        mut amendment: Amendment<'s>,
    ) -> Result<Option<Made>, Refusal> {
        let Sorted { entries, rejected, rejected_total, .. } = sorted;
        let polled = entries.iter().map(|entry| {
            let (target, expires_ms) = (&entry.target, entry.expires_ms);
            Incoming { target, entry: write(target), expires_ms }
        });
        amendment.polled = polled.collect();
        if let Some(hidden) = amendment.polled.iter().find(|one| one.entry.contains(SECRET)) {
            return Err(Refusal::Wrong(format!(
                "{:?} says {SECRET} where it has one: it was exported without them; export it again \
                 with poller db export --api --secrets",
                hidden.target.shown_id()
            )));
        }
        let Some((made, total, edition)) = self.amend(amendment)? else { return Ok(None) };
        let ids = entries.iter().map(|entry| entry.target.shown_id()).collect();
        let Imported { new: added, changed, unchanged: kept, removed } = made;
        let (rejected, rejected_total) = (rejected.clone(), *rejected_total);
        let changed =
            Changed { ids, added, changed, kept, removed, total, rejected, rejected_total };
        Ok(Some((changed, edition)))
    }

    /// What became of `amendment`, how many targets of the API there are then, and the edition of all;
    /// none when it was made of what is not so any more.
    fn amend(&self, amendment: Amendment<'_>) -> Result<Option<(Imported, u64, i64)>, Refusal> {
        match self.written(self.writer.amend(amendment))? {
            Amended::Made { done, edition, own } => Ok(Some((done, own, edition))),
            Amended::Stale(edition) => Err(Refusal::Stale(etag(edition))),
            Amended::Overtaken => Ok(None),
            Amended::Taken => Err(Refusal::Listed(TAKEN.to_owned())),
        }
    }

    /// The target that `id` means.
    fn meant(&self, id: &str) -> Result<Line, Refusal> {
        self.line(id).map_err(|error| match error {
            crate::api::PastError::Unknown(id) => Refusal::Unknown(vec![id]),
            other => Refusal::Busy(other.to_string()),
        })
    }

    /// What comes of `work` in the database.
    pub(super) fn written<T>(
        &self,
        work: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, Refusal> {
        self.wait(work).map_err(|error| Refusal::Busy(error.to_string()))
    }
}

/// Does `work` until nobody was faster; `what` is changed.
fn insist(what: &str, work: impl Fn() -> Result<Option<Made>, Refusal>) -> Result<Made, Refusal> {
    for _ in 0..ATTEMPTS {
        if let Some(made) = work()? {
            return Ok(made);
        }
    }
    Err(overtaken(what))
}

/// The version of the targets of `edition`.
fn etag(edition: i64) -> String {
    format!("\"r{edition}\"")
}

/// The editions that `versions` are of, as far as they are any of ours.
fn editions(versions: &[String]) -> Vec<i64> {
    let known = versions.iter().filter_map(|version| {
        let edition = version.strip_prefix("\"r")?.strip_suffix('"')?.parse().ok()?;
        (etag(edition) == *version).then_some(edition)
    });
    known.collect()
}

fn overtaken(id: &str) -> Refusal {
    Refusal::Busy(format!("others change {id} all the time; try again"))
}

fn raw(text: String) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(text).map_err(|error| Refusal::Wrong(error.to_string()))
}
