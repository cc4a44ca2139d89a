//! `Running`: of which targets a poll runs, marked by workers and read by whoever asks.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that one page has a bit for.
const PAGE: usize = 1 << 20;
/// Bits of a word.
const WORD: usize = u64::BITS as usize;
/// Pages for all numbers that there may be.
const PAGES: usize = (1 << 32) / PAGE;

/// A bit for every number. Marking one is a single instruction on a word that few share, and
/// looking through a million of them takes some microseconds.
#[derive(Debug)]
pub(super) struct Running {
    pages: Box<[OnceLock<Box<[AtomicU64]>>]>,
}

impl Default for Running {
    fn default() -> Self {
        Self { pages: (0..PAGES).map(|_| OnceLock::new()).collect() }
    }
}

impl Running {
    /// Marks `number`.
    pub(super) fn mark(&self, number: u32) {
        let number = number as usize;
        let Some(page) = self.pages.get(number / PAGE) else { return };
        let page = page.get_or_init(|| (0..PAGE / WORD).map(|_| AtomicU64::new(0)).collect());
        if let Some(word) = page.get(number % PAGE / WORD) {
            word.fetch_or(1 << (number % WORD), Ordering::Release);
        }
    }

    /// Takes the mark of `number` away.
    pub(super) fn clear(&self, number: u32) {
        let number = number as usize;
        let page = self.pages.get(number / PAGE).and_then(OnceLock::get);
        if let Some(word) = page.and_then(|page| page.get(number % PAGE / WORD)) {
            word.fetch_and(!(1 << (number % WORD)), Ordering::Release);
        }
    }

    /// The numbers that are marked, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(at, page)| Some((at * PAGE, page.get()?)));
        let words = pages.flat_map(|(first, page)| {
            page.iter().enumerate().map(move |(at, word)| (first + at * WORD, word))
        });
        words.flat_map(|(first, word)| {
            let mut left = word.load(Ordering::Acquire);
            std::iter::from_fn(move || {
                let bit = left.checked_ilog2().map(|_| left.trailing_zeros())?;
                left &= left - 1;
                u32::try_from(first).ok().map(|first| first + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_found_in_order_until_it_is_cleared() {
        let running = Running::default();
        let numbers = [0, 63, 64, 1_000_000, (1 << 20) + 1, u32::MAX];
        for number in numbers.into_iter().rev() {
            running.mark(number);
        }
        assert_eq!(running.iter().collect::<Vec<_>>(), numbers);
        running.clear(64);
        running.clear(7);
        running.clear(1 << 30);
        assert_eq!(running.iter().count(), numbers.len() - 1);
    }
}
