//! Which targets changed, for whoever keeps a copy of what is known of them.

use super::Ledger;

/// Numbers that are noted at most until somebody takes them.
const MOST: usize = 65_536;

/// Numbers of the targets that changed; none while nobody keeps a copy, or lost track of them.
#[derive(Debug, Default)]
pub(super) struct Changes(Option<Vec<u32>>);

impl Changes {
    /// Notes that what is known of the target `number` changes.
    pub(super) fn note(&mut self, number: u32) {
        match &mut self.0 {
            None => {}
            Some(numbers) if numbers.len() < MOST => numbers.push(number),
            Some(_) => self.0 = None,
        }
    }
}

impl Ledger {
    /// Numbers of the targets that changed since this was asked last, some more than once, and from
    /// now on they are noted. `None` when nobody had asked before, or too many have changed: a copy
    /// has to be made anew.
    pub fn take_changes(&mut self) -> Option<Vec<u32>> {
        self.changes.0.replace(Vec::new())
    }

    /// Notes no more what changes, until [`Ledger::take_changes`] is asked again.
    pub fn forget_changes(&mut self) {
        self.changes.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_once_and_too_many_of_them_as_none() {
        let mut ledger = Ledger::default();
        ledger.enrol(1, None, 0);
        assert_eq!(ledger.take_changes(), None, "nobody had asked");
        ledger.enrol(2, None, 0);
        ledger.retire(1, 0);
        assert_eq!(ledger.take_changes(), Some(vec![2, 1]));
        assert_eq!(ledger.take_changes(), Some(Vec::new()));
        for _ in 0..=MOST {
            ledger.changes.note(2);
        }
        assert_eq!(ledger.take_changes(), None);
        ledger.forget_changes();
        ledger.enrol(3, None, 0);
        assert_eq!(ledger.take_changes(), None);
    }
}
