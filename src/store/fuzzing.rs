//! What fuzz targets feed the files of the store with, and what they hold of them.

#![expect(clippy::expect_used, reason = "a fuzz target stops at the first surprise")]

use std::fs;
use std::path::Path;

pub use super::sqlite::fuzzing::sample_row;

use super::spill::{BODY, FILE_NAME, HEAD, RECORD, Spill, checksum, decode, encode};
use super::{Journal, Sample, SampleKey};

/// Records of a spill file, whose checksums are right.
///
/// # Panics
/// A property does not hold.
pub fn spill_record(data: &[u8]) {
    let mut record = [0; RECORD];
    for (place, byte) in record.iter_mut().take(BODY).zip(data) {
        *place = *byte;
    }
    let sum = checksum(&record[..BODY]);
    record[BODY..].copy_from_slice(&sum);
    let Some(sample) = decode(&record) else { return };
    let mut again = Vec::new();
    encode(&sample, &mut again);
    let again = again.try_into().expect("every record has the same length");
    assert_eq!(decode(&again), Some(sample));
    for place in 0..RECORD {
        let mut damaged = record;
        damaged[place] ^= 1;
        assert_eq!(decode(&damaged), None, "damage is not seen");
    }
}

/// Whole spill files, `directory` being where they may lie; the bits of the first byte say which of
/// the first records have checksums that are right.
///
/// # Panics
/// A property does not hold.
pub fn spill_file(data: &[u8], directory: &Path) {
    let Some((right, data)) = data.split_first() else { return };
    let mut data = data.to_vec();
    let head = usize::try_from(HEAD).unwrap_or(0);
    let records = data.get_mut(head..).unwrap_or_default().chunks_exact_mut(RECORD);
    for (_, record) in records.take(8).enumerate().filter(|(place, _)| right >> place & 1 == 1) {
        let sum = checksum(&record[..BODY]);
        record[BODY..].copy_from_slice(&sum);
    }
    let path = directory.join(FILE_NAME);
    fs::write(&path, &data).expect("a file is written");
    let Ok(mut spill) = Spill::open(&path) else { return };
    let length = (data.len() as u64).max(HEAD);
    assert!(spill.bytes() <= length && length - spill.bytes() < RECORD as u64);
    let read: Vec<Option<Sample>> =
        spill.replay(0).expect("a file").map(|read| read.expect("a whole record")).collect();
    assert_eq!(read.len() as u64, spill.count());
    let whole: Vec<Sample> = read.iter().copied().flatten().collect();
    assert_eq!(spill.damaged().ok(), Some((read.len() - whole.len()) as u64));
    let mut keys: Vec<SampleKey> = whole.iter().map(|sample| sample.key).collect();
    keys.push(SampleKey(0));
    let is_sorted = whole.is_sorted_by_key(|sample| sample.key);
    for after in keys {
        let behind = spill.read(after, usize::MAX).expect("a file");
        assert!(behind.iter().all(|sample| sample.key > after));
        if is_sorted {
            assert!(whole.iter().filter(|sample| sample.key > after).eq(&behind));
        }
    }
    Spill::append(&mut spill, &whole).expect("there is room");
    let all: Vec<_> =
        spill.replay(read.len() as u64).expect("a file").flatten().flatten().collect();
    assert_eq!(all, whole, "what follows a torn record is lost");
}
