//! `Marks`: a bit for every number of a target.

const WORD: usize = u64::BITS as usize;

/// A bit for every number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app) struct Marks(Vec<u64>);

impl Marks {
    /// No mark, on `length` numbers.
    pub(in crate::app) fn none(length: usize) -> Self {
        Self(vec![0; length.div_ceil(WORD)])
    }

    /// A mark where `column` has what is wanted.
    pub(in crate::app) fn of(column: &[u8], is_wanted: impl Fn(u8) -> bool) -> Self {
        let words = column.chunks(WORD).map(|chunk| {
            let bits = chunk.iter().enumerate();
            bits.fold(0, |word, (bit, &value)| word | u64::from(is_wanted(value)) << bit)
        });
        Self(words.collect())
    }

    /// Marks `number`.
    pub(in crate::app) fn mark(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / WORD) {
            *word |= 1 << (number % WORD);
        }
    }

    /// Leaves the marks where something is wanted.
    pub(in crate::app) fn keep(&mut self, is_wanted: impl Fn(usize) -> bool) {
        for (at, word) in self.0.iter_mut().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                if !is_wanted(at * WORD + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// Leaves the marks that `other` has as well.
    pub(in crate::app) fn keep_marked(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= other;
        }
    }

    /// How many marks there are.
    pub(in crate::app) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers that are marked, from `first` on, in their order.
    pub(in crate::app) fn from(&self, first: usize) -> impl Iterator<Item = usize> + '_ {
        let start = first / WORD;
        let words = self.0.get(start..).unwrap_or_default().iter().enumerate();
        words.flat_map(move |(at, &word)| {
            let hidden = if at == 0 { first % WORD } else { 0 };
            let mut left = word & (u64::MAX << hidden);
            let base = (start + at) * WORD;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(base + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_from_any_place_on() {
        let column: Vec<u8> = (0..200).map(|number| u8::from(number % 3 == 0)).collect();
        let mut marks = Marks::of(&column, |value| value == 1);
        assert_eq!(marks.count(), 67);
        assert_eq!(marks.from(64).take(2).collect::<Vec<_>>(), [66, 69]);
        assert_eq!(marks.from(199).count() + marks.from(5_000).count(), 0);
        marks.keep(|number| number % 2 == 0);
        assert_eq!(marks.from(0).take(3).collect::<Vec<_>>(), [0, 6, 12]);
        let mut others = Marks::none(200);
        others.mark(12);
        others.mark(13);
        marks.keep_marked(&others);
        assert_eq!(marks.from(0).collect::<Vec<_>>(), [12]);
    }
}
