//! `Listed`: finds targets of the list by what somebody calls them.

use std::sync::Arc;

use http::StatusCode;
use parking_lot::{Mutex, RwLock};
use xxhash_rust::xxh3::xxh3_64;

use crate::api::Problem;
use crate::roster::Roster;
use crate::target::Target;

/// Targets that are looked at while nobody else gets at the roster.
const SLICE: usize = 500;

/// Finds targets by id and address; it is made anew when the targets are others.
#[derive(Debug, Default)]
pub(super) struct Listed {
    known: RwLock<Arc<Known>>,
    /// Held by who makes it anew, on a thread that may wait.
    making: Mutex<()>,
}

/// Numbers of targets by the hashes of what they are called.
#[derive(Debug, Default)]
struct Known {
    /// The state of the roster that was looked through.
    changes: Option<u64>,
    numbers: Vec<(u64, u32)>,
}

impl Listed {
    /// The target that is called `text`, by its id or its address.
    ///
    /// # Errors
    /// A fault of this program.
    pub(super) async fn find(
        self: &Arc<Self>,
        roster: &Arc<RwLock<Roster>>,
        text: &str,
    ) -> Result<Option<Arc<Target>>, Problem> {
        let changes = roster.read().changes();
        let mut known = Arc::clone(&self.known.read());
        if known.changes != Some(changes) {
            let (own, targets) = (Arc::clone(self), Arc::clone(roster));
            let made = tokio::task::spawn_blocking(move || own.make(&targets)).await;
            known = made.map_err(|error| {
                Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    format!("no target was found: {error}"),
                )
            })?;
        }
        Ok(known.find(&roster.read(), text))
    }

    fn make(&self, roster: &RwLock<Roster>) -> Arc<Known> {
        let _making = self.making.lock();
        let changes = roster.read().changes();
        let known = Arc::clone(&self.known.read());
        if known.changes == Some(changes) {
            return known;
        }
        let mut numbers = Vec::with_capacity(2 * roster.read().len());
        let mut seen = Some(0);
        while let Some(after) = seen {
            seen = slice(&roster.read(), after, &mut numbers);
        }
        numbers.sort_unstable();
        numbers.dedup();
        let made = Arc::new(Known { changes: Some(changes), numbers });
        *self.known.write() = Arc::clone(&made);
        made
    }
}

impl Known {
    fn find(&self, roster: &Roster, text: &str) -> Option<Arc<Target>> {
        let hash = xxh3_64(text.as_bytes());
        let first = self.numbers.partition_point(|(other, _)| *other < hash);
        let same = self.numbers.get(first..).unwrap_or_default();
        let same = same.iter().take_while(|(other, _)| *other == hash);
        let mut targets = same.filter_map(|(_, number)| roster.target(*number));
        targets.find(|target| names(target).iter().any(|name| name == text)).cloned()
    }
}

/// Takes in the targets behind `after`; tells where to go on.
fn slice(roster: &Roster, after: u32, numbers: &mut Vec<(u64, u32)>) -> Option<u32> {
    let mut last = None;
    for target in roster.after(after).take(SLICE) {
        last = Some(target.number);
        numbers.extend(names(target).map(|name| (xxh3_64(name.as_bytes()), target.number)));
    }
    last
}

/// What a target is called: its id, its address, and that as it was written.
fn names(target: &Target) -> [String; 3] {
    [target.shown_id(), target.address.to_string(), target.address.written().to_owned()]
}
