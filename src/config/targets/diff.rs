//! What a list that is read again changes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::target::{Target, TargetId};

/// What becomes of the targets of two lists.
#[derive(Debug, Default)]
pub struct Change {
    /// Those that are polled on as before: the old ones.
    pub kept: Vec<Arc<Target>>,
    /// Those that were not there before.
    pub added: Vec<Target>,
    /// New forms of old ones; each has the old one's number and seat.
    pub changed: Vec<Target>,
    /// Those that are not polled any more.
    pub removed: Vec<Arc<Target>>,
}

impl Change {
    /// Whether both lists ask for the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Compares the targets in use with those of the new list, by their ids.
#[must_use]
pub fn diff(old: &[Arc<Target>], new: Vec<Target>) -> Change {
    let mut before: HashMap<TargetId, &Arc<Target>> =
        old.iter().map(|target| (target.id, target)).collect();
    let mut change = Change { kept: Vec::with_capacity(new.len()), ..Change::default() };
    for mut target in new {
        match before.remove(&target.id) {
            None => change.added.push(target),
            Some(known) if known.is_polled_like(&target) => change.kept.push(Arc::clone(known)),
            Some(known) => {
                target.replace(known);
                change.changed.push(target);
            }
        }
    }
    let gone = |target: &&Arc<Target>| before.contains_key(&target.id);
    change.removed = old.iter().filter(gone).cloned().collect();
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rules::Rules;
    use crate::config::substitute::Origin;
    use crate::config::targets::read;

    fn list(text: &str) -> Vec<Target> {
        let rules = Rules::default();
        read(&mut text.as_bytes(), "x", &Origin::remote(), &rules).expect("a list").targets
    }

    fn in_use(text: &str) -> Vec<Arc<Target>> {
        let mut number = 0;
        let numbered = |mut target: Target| {
            number += 1;
            target.number = number;
            Arc::new(target)
        };
        list(text).into_iter().map(numbered).collect()
    }

    #[test]
    fn targets_are_kept_added_changed_and_removed_by_their_ids() {
        let old = in_use(r#"["http://a/", "http://b/", "http://c/"]"#);
        let new = list(r#"["http://d/", {"url": "http://b/", "interval": 5}, "http://a/"]"#);

        let change = diff(&old, new);

        assert!(Arc::ptr_eq(&change.kept[0], &old[0]));
        assert_eq!(change.changed[0].number, 2, "it keeps its row");
        assert_eq!(change.changed[0].every_ms, 5_000);
        assert_eq!(change.added[0].address.to_string(), "http://d/");
        assert!(Arc::ptr_eq(&change.removed[0], &old[2]));
        assert!(!change.is_empty());
    }

    #[test]
    fn a_changed_target_shares_the_flight_of_the_one_before() {
        let old = in_use(r#"["http://a/"]"#);
        assert!(old[0].flight().begin_waiting());
        let change = diff(&old, list(r#"[{"url": "http://a/", "interval": 5}]"#));
        assert!(!change.changed[0].flight().begin_waiting());
    }

    #[test]
    fn the_same_list_in_another_order_changes_nothing() {
        let old = in_use(r#"["http://a/", "http://b/", "http://a/"]"#);
        let change = diff(&old, list(r#"["http://b/", "http://a/", "http://a/"]"#));
        assert!(change.is_empty());
        assert_eq!(change.kept.len(), 3);
    }
}
