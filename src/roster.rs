//! `Roster`: the targets of this run, by their number.

use std::sync::Arc;

use crate::target::Target;

/// The targets of this run, by their number.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    targets: Vec<Option<Arc<Target>>>,
    count: usize,
    changes: u64,
}

impl Roster {
    /// A roster of `targets`, which have their numbers.
    #[must_use]
    pub fn new(targets: impl IntoIterator<Item = Arc<Target>>) -> Self {
        let mut roster = Self::default();
        for target in targets {
            roster.seat(target);
        }
        roster
    }

    /// Takes `target` in, in the place of the one that has its number.
    pub fn seat(&mut self, target: Arc<Target>) {
        let index = target.number as usize;
        if index >= self.targets.len() {
            self.targets.resize(index + 1, None);
        }
        self.changes += 1;
        if let Some(place) = self.targets.get_mut(index) {
            self.count += usize::from(place.replace(target).is_none());
        }
    }

    /// Gives up the target with this number.
    pub fn vacate(&mut self, number: u32) -> Option<Arc<Target>> {
        let target = self.targets.get_mut(number as usize)?.take();
        self.changes += 1;
        self.count -= usize::from(target.is_some());
        target
    }

    /// The target with this number.
    #[must_use]
    pub fn target(&self, number: u32) -> Option<&Arc<Target>> {
        self.targets.get(number as usize)?.as_ref()
    }

    /// All targets, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.iter().flatten()
    }

    /// The targets whose numbers lie above `number`, in the order of their numbers.
    pub fn after(&self, number: u32) -> impl Iterator<Item = &Arc<Target>> {
        let first = (number as usize).saturating_add(1);
        self.targets.get(first..).unwrap_or_default().iter().flatten()
    }

    /// How often a target was taken in or given up so far.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// All numbers lie below this one.
    #[must_use]
    pub fn width(&self) -> usize {
        self.targets.len()
    }

    /// How many targets there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no target.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}
