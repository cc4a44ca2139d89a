//! Changes of a cluster's targets that come over the API: each is an import of what it names.

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
use crate::config::targets::written::{as_patchable, write};
use crate::store::postgres::DatabaseError;
use crate::store::postgres::import::{Imported, Others};
use crate::store::postgres::read::Line;
use crate::target::TargetId;
use crate::view::{Changed, Paused, Rejected};

/// Why nothing is paused.
const NO_PAUSES: &str = "targets of a cluster cannot be paused; remove them, or import a list without \
                         them with poller db import: their history stays, and goes on when they come \
                         back";
/// Why not all targets are replaced.
const NOT_ALL: &str = "all targets of a cluster are replaced by poller db import alone; POST adds and \
                       changes those that it names, and DELETE removes one";
/// Why a target does not go by itself.
const NO_END: &str = "a target of a cluster does not go by itself; leave \"expires\" out, and remove it \
                      when its time has come";

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
        Box::pin(async { Err(Refusal::Listed(NO_PAUSES.to_owned())) })
    }
}

/// Entries of a change, told apart.
struct Sorted {
    entries: Vec<OwnEntry>,
    rejected: Vec<Rejected>,
    rejected_total: u64,
}

impl View {
    fn change(&self, Change { what, if_match }: Change) -> Result<(Changed, String), Refusal> {
        let etag = self.etag()?;
        if if_match.is_some_and(|versions| !versions.contains(&etag)) {
            return Err(Refusal::Stale(etag));
        }
        let changed = match what {
            What::All(..) => return Err(Refusal::Listed(NOT_ALL.to_owned())),
            What::Some(bytes, on_reject) => {
                let sorted = self.sort(&some(&bytes)?, on_reject)?;
                self.take(sorted, &[])?
            }
            What::Remove(id) => {
                let line = self.meant(&id)?;
                let removed = self.written(self.writer.remove(&[line.id]))?;
                Changed { ids: vec![id], removed, ..Changed::default() }
            }
            What::Merge(id, patch) => self.merge(&id, &patch)?,
        };
        // Whoever changed something sees it.
        self.columns.give_up();
        let total = self.written(self.writer.targets_polled())?;
        Ok((Changed { total, ..changed }, self.etag()?))
    }

    /// The version of the targets.
    fn etag(&self) -> Result<String, Refusal> {
        let revision = self.written(self.writer.revision())?;
        Ok(format!("\"r{revision}\""))
    }

    fn merge(&self, id: &str, patch: &[u8]) -> Result<Changed, Refusal> {
        let patch = patch_of(patch)?;
        let line = self.meant(id)?;
        let entries = self.written(self.reader.entries(&[line.number]))?;
        let entry = entries.get(&line.number).map_or("", String::as_str);
        let slip = |why: String| {
            Refusal::Listed(format!("{id:?} {why}; change it in the list, and import that"))
        };
        let entry = as_patchable(entry, line.given_id.as_deref()).map_err(slip)?;
        // What is known by its address may be one of several that have the same.
        let before = self.sort(&[&raw(entry.clone())?], OnReject::LeaveOut)?;
        if before.entries.first().is_some_and(|before| before.target.id != line.id) {
            return Err(slip("is one of several that poll the same, without an id".to_owned()));
        }
        let sorted = self.sort(&[&raw(merged(&entry, patch)?)?], OnReject::Refuse)?;
        // One whose id follows from its address becomes another with that.
        let is_other = sorted.entries.iter().all(|entry| entry.target.id != line.id);
        self.take(sorted, if is_other { std::slice::from_ref(&line.id) } else { &[] })
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

    /// Has the entries polled, and `gone` no more.
    fn take(&self, sorted: Sorted, gone: &[TargetId]) -> Result<Changed, Refusal> {
        let Sorted { entries, rejected, rejected_total } = sorted;
        let texts: Vec<String> = entries.iter().map(|entry| write(&entry.target)).collect();
        let list = entries.iter().map(|entry| &entry.target).zip(texts);
        let Imported { new, changed, unchanged, .. } =
            self.written(self.writer.import(list, Others::Kept))?;
        let removed = if gone.is_empty() { 0 } else { self.written(self.writer.remove(gone))? };
        let ids = entries.iter().map(|entry| entry.target.shown_id()).collect();
        let (added, kept) = (new, unchanged);
        Ok(Changed { ids, added, changed, kept, removed, total: 0, rejected, rejected_total })
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

fn raw(text: String) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(text).map_err(|error| Refusal::Wrong(error.to_string()))
}
