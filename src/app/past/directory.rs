//! `Directory`: the numbers of targets by the ids that users know.

use crate::store::reader::{ReadError, Reader};
use crate::target::TargetId;

/// Targets that are read from the store at once.
const SLICE: u32 = 50_000;

/// The numbers of all targets that ever were, by id; it is read when it is first asked, in 12 bytes
/// a target. Numbers are never given twice, so that it only grows.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// High half and low half of the id, and the number; in their order.
    entries: Vec<(u32, u32, u32)>,
    /// The highest number that was read.
    last: u32,
}

impl Directory {
    /// The number of the target that users know by `id`; reads what was added to the store since it
    /// was asked last when it does not find it.
    pub(super) fn find(&mut self, reader: &Reader, id: &str) -> Result<Option<u32>, ReadError> {
        if let Some(number) = self.look_up(id) {
            return Ok(Some(number));
        }
        self.read(reader)?;
        Ok(self.look_up(id))
    }

    fn look_up(&self, id: &str) -> Option<u32> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let shown = (id.len() == 16 && id.bytes().all(is_digit))
            .then(|| u64::from_str_radix(id, 16).ok())
            .flatten();
        let find = |id: u64| {
            let (high, low) = halves(id);
            let found =
                self.entries.binary_search_by_key(&(high, low), |&(high, low, _)| (high, low));
            self.entries.get(found.ok()?).map(|&(_, _, number)| number)
        };
        find(TargetId::of_given(id).0).or_else(|| find(shown?))
    }

    fn read(&mut self, reader: &Reader) -> Result<(), ReadError> {
        let before = self.entries.len();
        loop {
            let added = reader.ids(self.last, SLICE)?;
            let Some(&(last, _)) = added.last() else { break };
            self.last = last;
            self.entries.extend(added.into_iter().map(|(number, id)| {
                let (high, low) = halves(id);
                (high, low, number)
            }));
        }
        if self.entries.len() > before {
            self.entries.sort_unstable();
        }
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "these are its halves")]
const fn halves(id: u64) -> (u32, u32) {
    ((id >> 32) as u32, id as u32)
}
