//! `Sorted`: the entries of a change, told apart into those that are taken and those that cannot be.

use std::collections::HashSet;

use crate::api::{OnReject, Refusal, Rejections};
use crate::config::targets::own::{OwnEntry, OwnReject};
use crate::target::TargetId;
use crate::view::Rejected;

/// Entries that cannot be polled which are told one by one.
const TOLD: usize = 1_000;

/// Entries of a change, told apart.
#[derive(Debug)]
pub(in crate::app) struct Sorted {
    /// Those that can be taken.
    pub(in crate::app) entries: Vec<OwnEntry>,
    /// The first of the others.
    pub(in crate::app) rejected: Vec<Rejected>,
    /// How many others there are.
    pub(in crate::app) rejected_total: u64,
    /// The ids that the others give: an entry with a slip is none that is not there.
    pub(in crate::app) named: Vec<TargetId>,
}

/// The targets of a list, as far as they matter, and why an entry with the id of one is refused.
#[derive(Default)]
pub(in crate::app) struct Listed<'a> {
    pub(in crate::app) ids: HashSet<TargetId>,
    pub(in crate::app) why: &'a str,
}

impl Sorted {
    /// What was read: entries that can be polled and those that cannot.
    ///
    /// # Errors
    /// There are some that cannot be polled or that a list has, and nothing is to be done then.
    pub(in crate::app) fn of(
        (entries, bad): (Vec<OwnEntry>, Vec<OwnReject>),
        listed: &Listed<'_>,
        on_reject: OnReject,
    ) -> Result<Self, Refusal> {
        let is_listed = |entry: &OwnEntry| listed.ids.contains(&entry.target.id);
        let (refused, entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_listed);
        let (rejected_total, refused_total) =
            ((bad.len() + refused.len()) as u64, refused.len() as u64);
        let named = bad.iter().filter_map(|one| one.named).collect();
        let mut rejected: Vec<Rejected> = bad.into_iter().map(told).collect();
        rejected.extend(refused.iter().map(|entry| Rejected {
            index: entry.index as u64,
            id: Some(entry.target.shown_id()),
            reason: listed.why.to_owned(),
        }));
        rejected.sort_by_key(|one| one.index);
        rejected.truncate(TOLD);
        if rejected_total > 0 && on_reject == OnReject::Refuse {
            let (first, total, listed) = (rejected, rejected_total, refused_total);
            return Err(Refusal::Rejected(Rejections { first, total, listed }));
        }
        Ok(Self { entries, rejected, rejected_total, named })
    }

    /// The ids of those that can be taken.
    pub(in crate::app) fn ids(&self) -> impl Iterator<Item = TargetId> + '_ {
        self.entries.iter().map(|entry| entry.target.id)
    }
}

/// An entry that cannot be polled, as it is told.
fn told(reject: OwnReject) -> Rejected {
    let OwnReject { index, id, reason, .. } = reject;
    Rejected { index: index as u64, id, reason }
}
