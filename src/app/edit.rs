//! `Edit`: a change of the targets of the API, read and carried out on a thread of its own as a
//! reload is, one at a time.

pub(super) mod merge;
pub(super) mod sort;

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::amend::Amended;
use super::annex::{Known, each_slice};
use super::door::Event;
use super::keeper::Keeper;
use super::live::Live;
use crate::api::{Change, OnReject, Refusal, What};
use crate::config::rules::Rules;
use crate::config::targets::diff::diff;
use crate::config::targets::own::{OwnEntry, read_own};
use crate::daemon::Notifier;
use crate::roster::Roster;
use crate::stage::recorder::Access;
use crate::store::{OwnChange, OwnTarget};
use crate::target::{Origin, Target, TargetId};
use crate::view::Changed;
use sort::{Listed, Sorted};

/// Changes that may wait for those before them.
const WAITING: usize = 64;
/// Why an entry is refused whose id the list has.
const LISTED: &str = "the list has a target with this id, and its targets are read-only here: \
                      change it there, or give this one an \"id\" of its own";

/// Who waits to hear what came of a change.
pub(super) type Reply = oneshot::Sender<Result<(Changed, String), Refusal>>;

/// A change that somebody wants, or time brings.
#[derive(Debug)]
pub(super) struct Edit {
    /// What is to change; none: those go whose time has come.
    pub(super) change: Option<Change>,
    /// Who waits for it.
    pub(super) reply: Option<Reply>,
}

/// A change that the store has taken over, or the reason why there is none.
#[derive(Debug)]
pub(super) struct Edited {
    reply: Option<Reply>,
    result: Result<Done, Refusal>,
}

/// A change that the store has taken over.
#[derive(Debug)]
struct Done {
    amended: Amended,
    put: Vec<(TargetId, Known)>,
    gone: Vec<TargetId>,
    changed: Changed,
}

/// Changes that wait, and whether one is under way.
#[derive(Debug)]
pub(super) struct Edits {
    waiting: VecDeque<Edit>,
    pub(super) is_running: bool,
}

impl Edits {
    /// None waits.
    pub(super) const fn new() -> Self {
        Self { waiting: VecDeque::new(), is_running: false }
    }
}

impl Keeper {
    /// Carries `edit` out, at the latest when what is under way has ended.
    pub(super) fn edit(&mut self, edit: Edit) {
        if self.reloads.edits.waiting.len() >= WAITING {
            return tell(edit.reply, Err(Refusal::Busy("many changes wait; try again".to_owned())));
        }
        self.reloads.edits.waiting.push_back(edit);
        self.next_edit();
    }

    /// Begins the next change, unless the targets are about to become others already.
    pub(super) fn next_edit(&mut self) {
        while !self.reloads.is_busy() {
            let Some(Edit { change, reply }) = self.reloads.edits.waiting.pop_front() else {
                return;
            };
            let editor = Editor {
                live: Arc::clone(&self.live),
                rules: Arc::clone(&self.live.annex.rules.read()),
                access: self.recorder.access(),
            };
            let (events, waits) =
                (self.events.sender.clone(), Arc::new(parking_lot::Mutex::new(reply)));
            let taken = Arc::clone(&waits);
            let work = move || {
                let carried = AssertUnwindSafe(|| editor.carry_out(change));
                let result = catch_unwind(carried).unwrap_or_else(|_| {
                    Err(Refusal::Busy("the change failed by a fault of ours; see the log".into()))
                });
                let reply = taken.lock().take();
                // A keeper that has ended wants no change.
                let _ = events.send(Event::Edited(Box::new(Edited { reply, result })));
            };
            match std::thread::Builder::new().name("edit".into()).spawn(work) {
                Ok(_) => self.reloads.edits.is_running = true,
                Err(error) => {
                    let why = format!("the system gives no thread: {error}");
                    tell(waits.lock().take(), Err(Refusal::Busy(why)));
                }
            }
        }
    }

    /// Brings the daemon to a change that the store has taken over.
    pub(super) fn take_over_edit(&mut self, edited: Edited, notifier: Notifier) {
        self.reloads.edits.is_running = false;
        let Edited { reply, result } = edited;
        let told = result.map(|Done { amended, put, gone, changed }| {
            let [_, added, other, removed] = amended.counts();
            if added + other + removed > 0 {
                tracing::info!(
                    "targets of the API: {added} added, {other} changed, {removed} removed"
                );
            }
            self.bring_about(amended);
            // A target of the list may have had the place of one that went, and goes on.
            let there = self.live.annex.known(&self.live.roster, gone.iter().copied());
            let mut own = self.live.annex.own.lock();
            let mut pauses = self.live.annex.pauses.lock();
            for (id, there) in gone.into_iter().zip(there) {
                own.remove(id);
                if there.is_none() {
                    pauses.remove(id);
                }
            }
            for (id, known) in put {
                own.put(id, known);
            }
            (Changed { total: own.len() as u64, ..changed }, own.etag())
        });
        tell(reply, told);
        self.go_on(notifier);
    }

    /// Has targets of the API go whose time has come.
    pub(super) fn expire_targets(&mut self, now_ms: i64) {
        if !self.reloads.is_busy() && !self.live.annex.own.lock().ended(now_ms).is_empty() {
            self.edit(Edit { change: None, reply: None });
        }
    }
}

fn tell(reply: Option<Reply>, result: Result<(Changed, String), Refusal>) {
    match (reply, result) {
        (Some(reply), result) => {
            // Whoever asked may have left.
            let _ = reply.send(result);
        }
        (None, Err(refusal)) => tracing::warn!(?refusal, "targets of the API do not go yet"),
        (None, Ok(_)) => {}
    }
}

/// Carries a change out.
struct Editor {
    live: Arc<Live>,
    rules: Arc<Rules>,
    access: Access,
}

impl Editor {
    fn carry_out(&self, change: Option<Change>) -> Result<Done, Refusal> {
        let Some(Change { what, if_match }) = change else {
            let gone = self.live.annex.own.lock().ended(self.live.clock.now_ms());
            return self.remove(gone);
        };
        let etag = self.live.annex.own.lock().etag();
        if if_match.is_some_and(|versions| !versions.contains(&etag)) {
            return Err(Refusal::Stale(etag));
        }
        match what {
            What::Remove(id) => self.remove_one(id),
            What::Merge(id, patch) => self.merge_one(&id, &patch),
            What::All(bytes, on_reject) => {
                let (sorted, mut own) = self.sort(&all(&bytes)?, on_reject)?;
                let taken: HashSet<TargetId> = sorted.ids().collect();
                let named: HashSet<TargetId> = sorted.named.iter().copied().collect();
                own.retain(|target| taken.contains(&target.id) || !named.contains(&target.id));
                let is_gone = |id: &TargetId| !taken.contains(id) && !named.contains(id);
                let gone = self.live.annex.own.lock().ids().filter(is_gone).collect();
                self.set(sorted, &own, gone)
            }
            What::Some(bytes, on_reject) => {
                let (sorted, mut own) = self.sort(&some(&bytes)?, on_reject)?;
                let ids: HashSet<TargetId> = sorted.ids().collect();
                own.retain(|target| ids.contains(&target.id));
                self.set(sorted, &own, Vec::new())
            }
        }
    }

    /// Makes targets of `raws`, and tells apart what cannot be polled; and tells which targets of the
    /// API are polled.
    fn sort(
        &self,
        raws: &[&RawValue],
        on_reject: OnReject,
    ) -> Result<(Sorted, Vec<Arc<Target>>), Refusal> {
        let read = read_own(raws, &self.rules, self.live.clock.now_ms());
        let wanted: HashSet<TargetId> = read.0.iter().map(|entry| entry.target.id).collect();
        let (own, ids) = survey(&self.live.roster, &wanted);
        Ok((Sorted::of(read, &Listed { ids, why: LISTED }, on_reject)?, own))
    }

    /// Puts the entries in the place of those that are polled, `own`, and has `gone` go.
    fn set(
        &self,
        sorted: Sorted,
        own: &[Arc<Target>],
        gone: Vec<TargetId>,
    ) -> Result<Done, Refusal> {
        let Sorted { entries, rejected, rejected_total, .. } = sorted;
        let added_ms = self.live.clock.now_ms();
        let ids = entries.iter().map(|entry| entry.target.shown_id()).collect();
        let (mut targets, mut rows) = (Vec::with_capacity(entries.len()), Vec::new());
        let (mut put, known) = (Vec::new(), self.live.annex.own.lock());
        for OwnEntry { text: entry, expires_ms, target, .. } in entries {
            let row = OwnTarget { id: target.id, entry, added_ms, expires_ms };
            let newer = Known::of(&row);
            if known.of(row.id) != Some(newer) {
                put.push((row.id, newer));
                rows.push(row);
            }
            targets.push(target);
        }
        drop(known);
        let change = OwnChange { put: rows, gone: gone.clone() };
        let amended = self.amend(own, targets, change)?;
        let [kept, added, changed, removed] = amended.counts();
        let changed =
            Changed { ids, added, changed, kept, removed, total: 0, rejected, rejected_total };
        Ok(Done { amended, put, gone, changed })
    }

    fn remove_one(&self, id: String) -> Result<Done, Refusal> {
        let known = self.own_of(&id, Target::ids_meant(&id))?;
        let mut done = self.remove(vec![known])?;
        done.changed.ids.push(id);
        Ok(done)
    }

    /// The target of the API that `id` means, by one of the ids `meant`.
    fn own_of(
        &self,
        id: &str,
        meant: impl IntoIterator<Item = TargetId> + Clone,
    ) -> Result<TargetId, Refusal> {
        let own = self.live.annex.own.lock();
        let known = meant.clone().into_iter().find(|id| own.of(*id).is_some());
        drop(own);
        if let Some(known) = known {
            return Ok(known);
        }
        match self.live.annex.known(&self.live.roster, meant).into_iter().flatten().next() {
            Some(_) => Err(Refusal::Listed(format!(
                "{id:?} is a target of the list, which is read-only here; change it there, or pause it"
            ))),
            None => Err(Refusal::Unknown(vec![id.to_owned()])),
        }
    }

    fn remove(&self, gone: Vec<TargetId>) -> Result<Done, Refusal> {
        let known = self.live.annex.known(&self.live.roster, gone.iter().copied());
        let own: Vec<Arc<Target>> =
            known.into_iter().flatten().filter(|target| target.origin == Origin::Api).collect();
        let change = OwnChange { put: Vec::new(), gone: gone.clone() };
        let amended = self.amend(&own, Vec::new(), change)?;
        let [_, _, _, removed] = amended.counts();
        let changed = Changed { removed, ..Changed::default() };
        Ok(Done { amended, put: Vec::new(), gone, changed })
    }

    fn amend(
        &self,
        old: &[Arc<Target>],
        new: Vec<Target>,
        change: OwnChange,
    ) -> Result<Amended, Refusal> {
        Amended::of(diff(old, new), change, &self.access).map_err(Refusal::Busy)
    }
}

/// The targets of the API, and which of the ids `wanted` are those of targets of the list.
fn survey(
    roster: &RwLock<Roster>,
    wanted: &HashSet<TargetId>,
) -> (Vec<Arc<Target>>, HashSet<TargetId>) {
    let (mut own, mut listed) = (Vec::new(), HashSet::new());
    each_slice(roster, |target| match target.origin {
        Origin::Api => own.push(Arc::clone(target)),
        Origin::List if wanted.contains(&target.id) => {
            listed.insert(target.id);
        }
        Origin::List => {}
    });
    (own, listed)
}

/// The entries of a JSON array.
pub(in crate::app) fn all(bytes: &Bytes) -> Result<Vec<&RawValue>, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::Wrong(format!("the body is no JSON array of entries: {error}")))
}

/// The entries of a JSON array, or one.
pub(in crate::app) fn some(bytes: &Bytes) -> Result<Vec<&RawValue>, Refusal> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        return all(bytes);
    }
    serde_json::from_slice(bytes)
        .map(|one| vec![one])
        .map_err(|error| Refusal::Wrong(format!("the body is no JSON: {error}")))
}
