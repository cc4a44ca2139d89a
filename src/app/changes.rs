//! What visitors change: the targets of the API, and pauses.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;

use super::amend::{BUSY, STORE_PATIENCE};
use super::annex::each_slice;
use super::door::Event;
use super::edit::Edit;
use super::live::Live;
use super::pauses::PauseOrder;
use crate::api::{Answer, Change, Changes, PauseWish, Refusal, Selection};
use crate::clock::rfc3339;
use crate::config::targets::own::moment_ms;
use crate::stage::recorder::Access;
use crate::store::Pause;
use crate::target::TargetId;
use crate::view::{Changed, Paused};

/// Bytes of the reason of a pause at most.
const LONGEST_REASON: usize = 1_000;
/// What is said while the daemon ends.
const STOPPING: &str = "the daemon stops";

/// Changes what the keeper keeps.
#[derive(Clone)]
pub(super) struct Changer {
    inner: Arc<Inner>,
}

struct Inner {
    live: Arc<Live>,
    access: Access,
    events: SyncSender<Event>,
    /// One at a time, so that store and memory learn of pauses in the same order.
    pausing: Mutex<()>,
}

impl Changer {
    /// Changes what the keeper behind `events` keeps.
    pub(super) fn new(live: Arc<Live>, access: Access, events: SyncSender<Event>) -> Self {
        Self { inner: Arc::new(Inner { live, access, events, pausing: Mutex::default() }) }
    }

    /// Does `work` where it may wait for the store.
    async fn blocking(
        &self,
        work: impl FnOnce(&Inner) -> Result<Paused, Refusal> + Send + 'static,
    ) -> Result<Paused, Refusal> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|_| Err(Refusal::Busy(STOPPING.to_owned())))
    }
}

impl Changes for Changer {
    fn change(&self, change: Change) -> Answer<'_, Result<(Changed, String), Refusal>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let edit = Edit { change: Some(change), reply: Some(reply) };
            if self.inner.events.try_send(Event::Edit(Box::new(edit))).is_err() {
                return Err(Refusal::Busy("the daemon is busy or stops; try again".to_owned()));
            }
            answer.await.unwrap_or_else(|_| Err(Refusal::Busy(STOPPING.to_owned())))
        })
    }

    fn pause(&self, who: Selection, wish: PauseWish) -> Answer<'_, Result<Paused, Refusal>> {
        Box::pin(self.blocking(move |inner| inner.pause(&who, wish)))
    }

    fn resume(&self, who: Selection) -> Answer<'_, Result<Paused, Refusal>> {
        Box::pin(self.blocking(move |inner| {
            let (targets, ids) = inner.select(&who)?;
            inner.carry_out(Vec::new(), targets)?;
            Ok(Paused { ids, paused_until: None, reason: None })
        }))
    }
}

impl Inner {
    fn pause(&self, who: &Selection, wish: PauseWish) -> Result<Paused, Refusal> {
        let since_ms = self.live.clock.now_ms();
        let (until_ms, reason) = wished(wish, since_ms)?;
        let (targets, ids) = self.select(who)?;
        let pause = |id| Pause { id, since_ms, until_ms, reason: reason.clone() };
        self.carry_out(targets.into_iter().map(pause).collect(), Vec::new())?;
        Ok(Paused { ids, paused_until: until_ms.map(rfc3339), reason: Some(reason) })
    }

    /// Notes pauses down in the store, and then has the keeper bring them about.
    fn carry_out(&self, put: Vec<Pause>, gone: Vec<TargetId>) -> Result<(), Refusal> {
        let turn = self.pausing.try_lock_for(STORE_PATIENCE);
        let _turn = turn.ok_or_else(|| Refusal::Busy(BUSY.to_owned()))?;
        let (noted, over) = (put.clone(), gone.clone());
        self.access
            .with_store(STORE_PATIENCE, move |store| store.change_pauses(&noted, &over))
            .ok_or_else(|| Refusal::Busy(BUSY.to_owned()))?
            .map_err(|error| Refusal::Busy(error.to_string()))?;
        let (done, is_done) = oneshot::channel();
        let order = Box::new(PauseOrder { put, gone, done });
        let stopping = || Refusal::Busy(STOPPING.to_owned());
        self.events.send(Event::Pause(order)).map_err(|_| stopping())?;
        is_done.blocking_recv().map_err(|_| stopping())
    }

    /// The targets that are meant: their ids, and as users see them.
    fn select(&self, who: &Selection) -> Result<(Vec<TargetId>, Vec<String>), Refusal> {
        let (live, mut chosen) = (&*self.live, Vec::new());
        match who {
            Selection::Ids(ids) => {
                let found = live.annex.find(&live.roster, ids);
                let unknown: Vec<String> = ids
                    .iter()
                    .zip(&found)
                    .filter(|(_, found)| found.is_none())
                    .map(|(id, _)| id.clone())
                    .collect();
                if !unknown.is_empty() {
                    return Err(Refusal::Unknown(unknown));
                }
                chosen.extend(found.iter().flatten().map(|one| (one.id, one.shown_id())));
            }
            Selection::Label(name, value) => each_slice(&live.roster, |target| {
                let own = target.labels.pairs.get(name.as_str());
                if own.is_some_and(|own| **own == **value) {
                    chosen.push((target.id, target.shown_id()));
                }
            }),
        }
        Ok(chosen.into_iter().unzip())
    }
}

/// Until when (Unix milliseconds) and why `wish` would have targets be paused at `now_ms` (Unix
/// milliseconds).
///
/// # Errors
/// It makes no sense.
pub(super) fn wished(wish: PauseWish, now_ms: i64) -> Result<(Option<i64>, String), Refusal> {
    let PauseWish { length, until, reason } = wish;
    let until_ms = match (length, until) {
        (None | Some(Value::Null), None) => None,
        (Some(length), None) => Some(moment("for", &length, now_ms)?),
        (None, Some(until)) => Some(moment("until", &until.into(), now_ms)?),
        (Some(_), Some(_)) => {
            let why = "\"for\" and \"until\" exclude each other; remove one";
            return Err(Refusal::Wrong(why.to_owned()));
        }
    };
    let reason = reason.unwrap_or_default();
    if reason.len() > LONGEST_REASON || reason.chars().any(char::is_control) {
        let why = format!("\"reason\" is a line of {LONGEST_REASON} bytes at most");
        return Err(Refusal::Wrong(why));
    }
    Ok((until_ms, reason))
}

fn moment(key: &str, value: &Value, now_ms: i64) -> Result<i64, Refusal> {
    moment_ms(value, now_ms).map_err(|want| Refusal::Wrong(format!("\"{key}\" is wrong; {want}")))
}
