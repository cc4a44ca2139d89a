//! `Sketch`: how often each latency occurred, in buckets of a fixed relative width.
//!
//! A bucket holds all values with the same power of two and the same leading bits below it, as in
//! `HdrHistogram`. Buckets never move, so sketches add up exactly and their bytes stay readable.

use smallvec::SmallVec;

/// How fine the buckets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// 256 buckets for every doubling: quantiles within 0.4 %, and within 0.2 % where values are
    /// spread evenly. For figures of the whole fleet.
    Fine,
    /// 16 buckets for every doubling: quantiles within 3.2 %. For one target and hour.
    Coarse,
}

impl Grain {
    const fn bits(self) -> u32 {
        match self {
            Self::Fine => 8,
            Self::Coarse => 4,
        }
    }

    /// How many buckets there are.
    #[must_use]
    pub const fn buckets(self) -> usize {
        ((32 - self.bits() as usize) + 1) << self.bits()
    }

    /// The bucket of `us` microseconds.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "no grain has more than 2^16 buckets")]
    pub const fn bucket(self, us: u32) -> u16 {
        let bits = self.bits();
        let shift = (32 - us.leading_zeros()).saturating_sub(bits + 1);
        ((shift << bits) + (us >> shift)) as u16
    }

    /// The lowest value of `bucket` and how many values it has, in microseconds.
    const fn range(self, bucket: u16) -> (u64, u64) {
        let bits = self.bits();
        let bucket = bucket as u64;
        let shift = (bucket >> bits).saturating_sub(1);
        ((bucket - (shift << bits)) << shift, 1 << shift)
    }

    /// The middle of `bucket`, in microseconds.
    #[must_use]
    pub fn middle(self, bucket: u16) -> u32 {
        let (low, width) = self.range(bucket);
        u32::try_from(low + width / 2).unwrap_or(u32::MAX)
    }

    /// The bucket of a coarse sketch that all values of the fine `bucket` lie in.
    #[must_use]
    pub(super) const fn coarsened(bucket: u16) -> u16 {
        let (low, _) = Self::Fine.range(bucket);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a bucket begins at a value of 32 bits"
        )]
        Self::Coarse.bucket(low as u32)
    }

    /// The value of the `rank`th of `count` values that lie in `bucket`, in microseconds: a fine
    /// bucket holds so many of a fleet's that they are taken for spread evenly over it.
    fn ranked(self, bucket: u16, rank: u64, count: u64) -> u32 {
        match self {
            Self::Coarse => self.middle(bucket),
            Self::Fine => {
                let (low, width) = self.range(bucket);
                let into = width * (2 * rank).saturating_sub(1) / (2 * count.max(1));
                u32::try_from(low + into).unwrap_or(u32::MAX)
            }
        }
    }
}

/// Buckets that hold something, in ascending order; a few bytes when little varies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    buckets: SmallVec<[(u16, u32); 2]>,
}

/// Stored bytes that are no sketch, window or tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored figures cannot be read; they were cut short or written by another version")]
pub struct DecodeError;

impl Sketch {
    /// Counts one value that lies in `bucket`.
    pub fn add(&mut self, bucket: u16) {
        self.add_many(bucket, 1);
    }

    /// Counts `count` values that lie in `bucket`.
    pub(super) fn add_many(&mut self, bucket: u16, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |&(bucket, _)| bucket) {
            Ok(at) => {
                if let Some((_, sum)) = self.buckets.get_mut(at) {
                    *sum = sum.saturating_add(count);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// Adds all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.buckets {
            self.add_many(bucket, count);
        }
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|&(_, count)| u64::from(count)).sum()
    }

    /// The value below which a share `quantile` (0 to 1) of all lies, in microseconds.
    #[must_use]
    pub fn quantile(&self, quantile: f64, grain: Grain) -> Option<u32> {
        quantile_of(self.buckets.iter().copied(), self.count(), quantile, grain)
    }

    /// The buckets that hold something, in ascending order, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u32)> + '_ {
        self.buckets.iter().copied()
    }

    /// Appends the sketch to `bytes`, in a few bytes for every bucket that holds something.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.buckets.len() as u64);
        let mut last = 0;
        for &(bucket, count) in &self.buckets {
            put(bytes, u64::from(bucket - last));
            put(bytes, u64::from(count));
            last = bucket;
        }
    }

    /// Reads a sketch of this grain from the front of `bytes` and moves them past it.
    ///
    /// # Errors
    /// The bytes do not begin with a sketch.
    pub fn decode(bytes: &mut &[u8], grain: Grain) -> Result<Self, DecodeError> {
        let length = usize::try_from(take(bytes)?).map_err(|_| DecodeError)?;
        if length > grain.buckets() {
            return Err(DecodeError);
        }
        let mut buckets = SmallVec::with_capacity(length);
        let mut last = 0_u16;
        for index in 0..length {
            let step = u16::try_from(take(bytes)?).map_err(|_| DecodeError)?;
            if index > 0 && step == 0 {
                return Err(DecodeError);
            }
            last = last.checked_add(step).ok_or(DecodeError)?;
            if usize::from(last) >= grain.buckets() {
                return Err(DecodeError);
            }
            let count = u32::try_from(take(bytes)?).map_err(|_| DecodeError)?;
            buckets.push((last, count));
        }
        Ok(Self { buckets })
    }
}

/// A sketch with a place for every bucket, from which others can be taken away again.
#[derive(Clone, Debug)]
pub struct Dense {
    counts: Box<[u32]>,
    total: u64,
}

impl Default for Dense {
    fn default() -> Self {
        Self { counts: vec![0; Grain::Fine.buckets()].into_boxed_slice(), total: 0 }
    }
}

impl Dense {
    /// Counts one value that lies in `bucket`.
    pub fn add(&mut self, bucket: u16) {
        if let Some(count) = self.counts.get_mut(usize::from(bucket)) {
            let before = *count;
            *count = before.saturating_add(1);
            self.total += u64::from(*count - before);
        }
    }

    /// Adds all that `sketch` counted.
    pub fn merge(&mut self, sketch: &Sketch) {
        for (bucket, count) in sketch.iter() {
            if let Some(sum) = self.counts.get_mut(usize::from(bucket)) {
                let before = *sum;
                *sum = before.saturating_add(count);
                self.total += u64::from(*sum - before);
            }
        }
    }

    /// Takes away all that `sketch` counted, which must have been added before.
    pub fn remove(&mut self, sketch: &Sketch) {
        for (bucket, count) in sketch.iter() {
            if let Some(sum) = self.counts.get_mut(usize::from(bucket)) {
                let before = *sum;
                *sum = before.saturating_sub(count);
                self.total = self.total.saturating_sub(u64::from(before - *sum));
            }
        }
    }

    /// How many values are counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.total
    }

    /// The value below which a share `quantile` (0 to 1) of all lies, in microseconds.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<u32> {
        let buckets = (0_u16..).zip(self.counts.iter().copied());
        quantile_of(buckets, self.total, quantile, Grain::Fine)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rank is a whole number from 1 to the count, far below 2^52"
)]
fn quantile_of(
    buckets: impl Iterator<Item = (u16, u32)>,
    total: u64,
    quantile: f64,
    grain: Grain,
) -> Option<u32> {
    let rank = ((total as f64 * quantile).ceil() as u64).clamp(1, total.max(1));
    let mut seen = 0;
    for (bucket, count) in buckets {
        let (before, count) = (seen, u64::from(count));
        seen += count;
        if seen >= rank {
            return Some(grain.ranked(bucket, rank - before, count));
        }
    }
    None
}

/// Appends `number` in seven bits a byte, the lowest first (LEB128).
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low & 0x7f);
        }
        bytes.push(low | 0x80);
    }
}

/// Reads a number written by [`put`].
pub(super) fn take(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DecodeError)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(DecodeError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_lies_within_its_relative_error(us: u32) {
            for (grain, error) in [(Grain::Fine, 0.002), (Grain::Coarse, 0.032)] {
                let bucket = grain.bucket(us);
                prop_assert!(usize::from(bucket) < grain.buckets());
                let told = f64::from(grain.middle(bucket));
                prop_assert!((told - f64::from(us)).abs() <= f64::from(us) * error + 0.5);
            }
        }

        #[test]
        fn sketches_add_up_exactly_and_come_back_from_bytes(
            left in proptest::collection::vec(any::<u32>(), 0..50),
            right in proptest::collection::vec(any::<u32>(), 0..50),
        ) {
            let sketch = |values: &[u32]| {
                let mut sketch = Sketch::default();
                for &us in values {
                    sketch.add(Grain::Coarse.bucket(us));
                }
                sketch
            };
            let mut sum = sketch(&left);
            sum.merge(&sketch(&right));
            prop_assert_eq!(&sum, &sketch(&[left, right].concat()));

            let mut bytes = Vec::new();
            sum.encode(&mut bytes);
            prop_assert_eq!(Sketch::decode(&mut bytes.as_slice(), Grain::Coarse), Ok(sum));
        }

        #[test]
        fn a_fine_bucket_lies_within_one_coarse_bucket(us: u32) {
            let coarse = Grain::coarsened(Grain::Fine.bucket(us));
            prop_assert_eq!(coarse, Grain::Coarse.bucket(us));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Sketch::decode(&mut bytes.as_slice(), Grain::Fine);
        }
    }

    #[test]
    fn what_was_added_can_be_taken_away() {
        let mut sketch = Sketch::default();
        sketch.add(Grain::Fine.bucket(50_000));
        let mut dense = Dense::default();
        dense.add(Grain::Fine.bucket(10));
        dense.merge(&sketch);
        dense.remove(&sketch);
        assert_eq!(dense.count(), 1);
        assert_eq!(dense.quantile(0.99), Some(10));
    }

    #[test]
    fn buckets_that_do_not_exist_are_no_sketch() {
        for grain in [Grain::Fine, Grain::Coarse] {
            let buckets = u16::try_from(grain.buckets()).expect("few buckets");
            for (bucket, is_one) in [(buckets - 1, true), (buckets, false), (u16::MAX, false)] {
                let mut bytes = Vec::new();
                for number in [1, u64::from(bucket), 1] {
                    put(&mut bytes, number);
                }
                let sketch = Sketch::decode(&mut bytes.as_slice(), grain);
                assert_eq!(sketch.is_ok(), is_one, "{bucket}");
                assert!(sketch.is_err() || sketch.is_ok_and(|s| s.quantile(1.0, grain).is_some()));
            }
        }
    }

    #[test]
    fn sums_that_are_too_large_stay_at_their_end() {
        let mut sketch = Sketch::default();
        sketch.add_many(7, u32::MAX);
        let mut dense = Dense::default();
        (0..3).for_each(|_| dense.merge(&sketch));
        assert_eq!((dense.count(), dense.quantile(1.0)), (u64::from(u32::MAX), Some(7)));
        (0..3).for_each(|_| dense.remove(&sketch));
        assert_eq!((dense.count(), dense.quantile(1.0)), (0, None));
    }

    #[test]
    fn many_values_of_a_fine_bucket_are_spread_over_it() {
        let mut dense = Dense::default();
        (1_003_600..=1_005_500).for_each(|us| dense.add(Grain::Fine.bucket(us)));
        for (quantile, us) in [(0.01, 1_003_619), (0.5, 1_004_550), (0.99, 1_005_481)] {
            let told = dense.quantile(quantile).expect("there are values");
            assert!(told.abs_diff(us) < 120, "{told} for {us}");
        }
    }

    #[test]
    fn quantiles_follow_the_nearest_rank() {
        let mut sketch = Sketch::default();
        (1..=10).for_each(|us| sketch.add(Grain::Fine.bucket(us)));
        assert_eq!(sketch.quantile(0.5, Grain::Fine), Some(5));
        assert_eq!(sketch.quantile(0.99, Grain::Fine), Some(10));
        assert_eq!(Sketch::default().quantile(0.5, Grain::Fine), None);
    }
}
