//! Changes of a cluster's targets that come over the API: each is one transaction.

use std::future::Future;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::View;
use crate::api::{
    Answer, Change, Changes, OnReject, PauseWish, Refusal, Rejections, Selection, What,
};
use crate::app::edit::merge::{merged, patch_of};
use crate::app::edit::{TOLD, some, told};
use crate::config::targets::own::{OwnEntry, read_own};
use crate::config::targets::written::{as_patchable, told_elsewhere, write};
use crate::store::postgres::DatabaseError;
use crate::store::postgres::change::{Amended, Amendment};
use crate::store::postgres::import::Imported;
use crate::store::postgres::read::Line;
use crate::view::{Changed, Paused, Rejected};

/// Why nothing is paused.
const NO_PAUSES: &str = "targets of a cluster cannot be paused; remove the target with DELETE, and take \
                         it out of the list that poller db import takes over, if that names it: its \
                         history stays, and goes on when it comes back";
/// Why nothing is resumed.
const NO_RESUMES: &str = "targets of a cluster are never paused; one that was removed is polled again, \
                          with its history, when POST or poller db import LIST names it";
/// Why not all targets are replaced.
const NOT_ALL: &str = "targets of a cluster cannot be replaced all at once here; POST adds and changes \
                       those that it names, DELETE removes one, and poller db import LIST takes a \
                       whole list over";
/// Why a target does not go by itself.
const NO_END: &str = "a target of a cluster does not go by itself; leave \"expires\" out, and remove it \
                      when its time has come";

/// How often a patch is made anew of what others made of its target meanwhile.
const ATTEMPTS: u32 = 5;

/// Changes targets in the database.
pub(in crate::app) struct Changer(pub(in crate::app) Arc<View>);

impl Changes for Changer {
    fn change(&self, change: Change) -> Answer<'_, Result<(Changed, String), Refusal>> {
        let view = Arc::clone(&self.0);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || view.change(change)).await;
            done.unwrap_or_else(|_| Err(Refusal::Busy("the change failed; see the log".to_owned())))
        })
    }

    fn pause(&self, _: Selection, _: PauseWish) -> Answer<'_, Result<Paused, Refusal>> {
        Box::pin(async { Err(Refusal::Listed(NO_PAUSES.to_owned())) })
    }

    fn resume(&self, _: Selection) -> Answer<'_, Result<Paused, Refusal>> {
        Box::pin(async { Err(Refusal::Listed(NO_RESUMES.to_owned())) })
    }
}

/// Entries of a change, told apart.
struct Sorted {
    entries: Vec<OwnEntry>,
    rejected: Vec<Rejected>,
    rejected_total: u64,
}

/// A change that was made, and the revision of the targets then.
type Made = (Changed, i64);

impl View {
    fn change(&self, Change { what, if_match }: Change) -> Result<(Changed, String), Refusal> {
        let only_at = if_match.as_deref().map(revisions);
        let only_at = only_at.as_deref();
        let (changed, revision) = match what {
            What::All(..) => return Err(Refusal::Listed(NOT_ALL.to_owned())),
            What::Some(bytes, on_reject) => {
                let sorted = self.sort(&some(&bytes)?, on_reject)?;
                let made = self.take(&sorted, Amendment { only_at, ..Amendment::default() })?;
                made.ok_or_else(|| overtaken("a target"))?
            }
            What::Remove(id) => self.remove(id, only_at)?,
            What::Merge(id, patch) => self.merge(&id, &patch, only_at)?,
        };
        // Whoever changed something sees it, unless there are too many targets for that.
        self.columns.give_up(self.monotonic_ms());
        let total = self.written(self.writer.targets_polled())?;
        Ok((Changed { total, ..changed }, etag(revision)))
    }

    fn remove(&self, id: String, only_at: Option<&[i64]>) -> Result<Made, Refusal> {
        let gone = Some(self.meant(&id)?.id);
        let made = self.amend(Amendment { gone, only_at, ..Amendment::default() })?;
        match made {
            // Somebody else was faster.
            None | Some((Imported { removed: 0, .. }, _)) => Err(Refusal::Unknown(vec![id])),
            Some((Imported { removed, .. }, revision)) => {
                Ok((Changed { ids: vec![id], removed, ..Changed::default() }, revision))
            }
        }
    }

    fn merge(&self, id: &str, patch: &[u8], only_at: Option<&[i64]>) -> Result<Made, Refusal> {
        for _ in 0..ATTEMPTS {
            if let Some(made) = self.merge_once(id, patch, only_at)? {
                return Ok(made);
            }
        }
        Err(overtaken(id))
    }

    /// None when the target became another one meanwhile.
    fn merge_once(
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
        let sorted = self.sort(&[&raw(merged(&entry, patch)?)?], OnReject::Refuse)?;
        // One whose id follows from its address becomes another with that.
        let is_other = sorted.entries.iter().all(|entry| entry.target.id != line.id);
        let gone = is_other.then_some(line.id);
        let made_of = Some((line.id, now));
        self.take(&sorted, Amendment { gone, only_at, made_of, ..Amendment::default() })
    }

    /// Makes targets of `raws`, and tells apart what cannot be polled.
    fn sort(&self, raws: &[&RawValue], on_reject: OnReject) -> Result<Sorted, Refusal> {
        let (entries, bad) = read_own(raws, &self.rules, self.now_ms());
        let (ending, entries): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.expires_ms.is_some());
        let mut rejected: Vec<Rejected> = bad.into_iter().map(told).collect();
        rejected.extend(ending.into_iter().map(|entry| Rejected {
            index: entry.index as u64,
            id: Some(entry.target.shown_id()),
            reason: NO_END.to_owned(),
        }));
        let rejected_total = rejected.len() as u64;
        rejected.sort_by_key(|one| one.index);
        rejected.truncate(TOLD);
        if rejected_total > 0 && on_reject == OnReject::Refuse {
            let rejections = Rejections { first: rejected, total: rejected_total, listed: 0 };
            return Err(Refusal::Rejected(rejections));
        }
        Ok(Sorted { entries, rejected, rejected_total })
    }

    /// Has the entries polled, and does what else `amendment` says; none when that was made of what is
    /// not so any more.
    fn take<'s>(
        &self,
        sorted: &'s Sorted,
        mut amendment: Amendment<'s>,
    ) -> Result<Option<Made>, Refusal> {
        let Sorted { entries, rejected, rejected_total } = sorted;
        let targets = entries.iter().map(|entry| &entry.target);
        amendment.polled = targets.map(|target| (target, write(target))).collect();
        let Some((made, revision)) = self.amend(amendment)? else { return Ok(None) };
        let ids = entries.iter().map(|entry| entry.target.shown_id()).collect();
        let Imported { new: added, changed, unchanged: kept, removed } = made;
        let (rejected, rejected_total) = (rejected.clone(), *rejected_total);
        let changed =
            Changed { ids, added, changed, kept, removed, total: 0, rejected, rejected_total };
        Ok(Some((changed, revision)))
    }

    /// What became of `amendment`, and the revision of the targets then; none when that was made of what
    /// is not so any more.
    fn amend(&self, amendment: Amendment<'_>) -> Result<Option<(Imported, i64)>, Refusal> {
        match self.written(self.writer.amend(amendment))? {
            Amended::Made(made, revision) => Ok(Some((made, revision))),
            Amended::Stale(revision) => Err(Refusal::Stale(etag(revision))),
            Amended::Overtaken => Ok(None),
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
    fn written<T>(
        &self,
        work: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, Refusal> {
        self.wait(work).map_err(|error| Refusal::Busy(error.to_string()))
    }
}

/// The version of the targets at `revision`.
fn etag(revision: i64) -> String {
    format!("\"r{revision}\"")
}

/// The revisions that `versions` are of, as far as they are any of ours.
fn revisions(versions: &[String]) -> Vec<i64> {
    let known = versions.iter().filter_map(|version| {
        let revision = version.strip_prefix("\"r")?.strip_suffix('"')?.parse().ok()?;
        (etag(revision) == *version).then_some(revision)
    });
    known.collect()
}

fn overtaken(id: &str) -> Refusal {
    Refusal::Busy(format!("others change {id} all the time; try again"))
}

fn raw(text: String) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(text).map_err(|error| Refusal::Wrong(error.to_string()))
}
