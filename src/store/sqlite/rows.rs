//! A sample as the integers of its row, and back; a few small numbers instead of large ones.

use rusqlite::{Row, Statement};

use crate::outcome::{Cause, Detail, Finding, Micros, Outcome, Phases, SampleKind};
use crate::store::codes::{kind_code, kind_of, verdict_code, verdict_of};
use crate::store::{Sample, SampleKey};

/// The columns of a sample, in the order that [`sample_from_row`] reads and [`bind`] writes.
pub(in crate::store) const SAMPLE_COLUMNS: &str = "key, target, due, finish, latency, lag, \
     result, bytes, certificate, resolve, connect, tls, transfer, rest, previous";

const SEQUENCE_MASK: i64 = (1 << 21) - 1;
/// Sequences below this fit into the short form of `previous`.
const SHORT_SEQUENCE: i64 = 1 << 5;
/// The longest wish of a throttling answer that is kept, in seconds (97 days).
const RETRY_MAX: u32 = (1 << 23) - 1;

/// Binds the columns of `sample` to `statement`.
pub(super) fn bind(statement: &mut Statement<'_>, sample: &Sample) -> rusqlite::Result<()> {
    let outcome = &sample.outcome;
    let finding = &outcome.finding;
    let phases = &finding.phases;
    let spent = i64::from(outcome.lag_us) + i64::from(outcome.latency_us);
    let due_us = outcome.due_ms.wrapping_mul(1_000);
    let rest =
        phases.first_byte.get().map(|us| unaccounted(outcome.latency_us, phases) - i64::from(us));
    let columns: [Option<i64>; 15] = [
        Some(sample.key.0),
        Some(i64::from(outcome.target)),
        Some(outcome.due_ms.wrapping_sub(expected_due_ms(sample.key, spent))),
        Some(outcome.finished_us.wrapping_sub(due_us.wrapping_add(spent))),
        Some(i64::from(outcome.latency_us)),
        Some(i64::from(outcome.lag_us)),
        Some(pack(outcome)),
        Some(finding.bytes.cast_signed()),
        (finding.certificate_until != 0)
            .then(|| finding.certificate_until.wrapping_sub(sample.key.at_ms() / 1_000)),
        phases.resolve.get().map(i64::from),
        phases.connect.get().map(i64::from),
        phases.tls.get().map(i64::from),
        phases.transfer.get().map(i64::from),
        rest,
        Some(pack_previous(sample.key, sample.previous)),
    ];
    for (index, value) in (1..).zip(columns) {
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

/// Reads a sample from a row of [`SAMPLE_COLUMNS`].
pub(in crate::store) fn sample_from_row(row: &Row<'_>) -> rusqlite::Result<Sample> {
    let key = SampleKey(row.get(0)?);
    let (latency_us, lag_us): (u32, u32) = (row.get(4)?, row.get(5)?);
    let spent = i64::from(lag_us) + i64::from(latency_us);
    let due_ms = expected_due_ms(key, spent).wrapping_add(row.get(2)?);
    let finished_us = due_ms.wrapping_mul(1_000).wrapping_add(spent).wrapping_add(row.get(3)?);
    let until: Option<i64> = row.get(8)?;
    let mut outcome = Outcome {
        target: row.get(1)?,
        due_ms,
        finished_us,
        lag_us,
        latency_us,
        kind: SampleKind::Slot,
        is_provisional: false,
        finding: Finding {
            bytes: row.get::<_, i64>(7)?.cast_unsigned(),
            certificate_until: until.map_or(0, |until| until.wrapping_add(key.at_ms() / 1_000)),
            phases: phases_from_row(row, latency_us)?,
            ..Finding::default()
        },
    };
    unpack(row.get(6)?, &mut outcome);
    Ok(Sample { key, previous: unpack_previous(key, row.get(14)?), outcome })
}

fn phases_from_row(row: &Row<'_>, latency_us: u32) -> rusqlite::Result<Phases> {
    let phase =
        |index| row.get::<_, Option<u32>>(index).map(|us| us.map_or(Micros::NONE, Micros::from_us));
    let mut phases = Phases {
        resolve: phase(9)?,
        connect: phase(10)?,
        tls: phase(11)?,
        transfer: phase(12)?,
        first_byte: Micros::NONE,
    };
    if let Some(rest) = row.get::<_, Option<i64>>(13)? {
        let us = unaccounted(latency_us, &phases).wrapping_sub(rest);
        phases.first_byte = u32::try_from(us).map_or(Micros::NONE, Micros::from_us);
    }
    Ok(phases)
}

/// The due time of a sample whose key, lag and latency were taken from one clock.
fn expected_due_ms(key: SampleKey, spent_us: i64) -> i64 {
    -(spent_us - key.at_ms() * 1_000).div_euclid(1_000)
}

/// The latency without the phases but the one of the first byte.
fn unaccounted(latency_us: u32, phases: &Phases) -> i64 {
    let others = [phases.resolve, phases.connect, phases.tls, phases.transfer];
    let sum: i64 = others.iter().filter_map(|phase| phase.get()).map(i64::from).sum();
    i64::from(latency_us) - sum
}

fn pack(outcome: &Outcome) -> i64 {
    let finding = &outcome.finding;
    i64::from(finding.status.min(999))
        | i64::from(verdict_code(finding.verdict)) << 10
        | i64::from(kind_code(outcome.kind)) << 12
        | i64::from(outcome.is_provisional) << 14
        | i64::from(finding.is_reused) << 15
        | i64::from(finding.is_at_least) << 16
        | i64::from(finding.redirects) << 17
        | i64::from(finding.cause.map_or(0, Cause::code)) << 25
        | i64::from(finding.detail.code()) << 32
        | i64::from(finding.retry_after_s.min(RETRY_MAX)) << 40
}

fn unpack(result: i64, outcome: &mut Outcome) {
    let bits = |shift: u32, count: u32| (result >> shift) & ((1 << count) - 1);
    let byte = |shift, count| u8::try_from(bits(shift, count)).unwrap_or(0);
    outcome.kind = kind_of(byte(12, 2));
    outcome.is_provisional = bits(14, 1) == 1;
    let finding = &mut outcome.finding;
    finding.verdict = verdict_of(byte(10, 2));
    finding.status = u16::try_from(bits(0, 10)).unwrap_or(0);
    finding.is_reused = bits(15, 1) == 1;
    finding.is_at_least = bits(16, 1) == 1;
    finding.redirects = byte(17, 8);
    finding.cause = Cause::from_code(byte(25, 7));
    finding.detail = Detail::from_code(byte(32, 8)).unwrap_or(Detail::None);
    finding.retry_after_s = u32::try_from(bits(40, 23)).unwrap_or(0);
}

fn pack_previous(key: SampleKey, previous: SampleKey) -> i64 {
    if previous == SampleKey::default() {
        return 0;
    }
    let ms = key.at_ms() - previous.at_ms();
    let sequence = previous.0 & SEQUENCE_MASK;
    let short = (ms * SHORT_SEQUENCE + sequence) << 1;
    if ms >= 0 && sequence < SHORT_SEQUENCE && short != 0 {
        short
    } else {
        key.0.wrapping_sub(previous.0) << 1 | 1
    }
}

fn unpack_previous(key: SampleKey, packed: i64) -> SampleKey {
    let value = packed >> 1;
    if packed == 0 {
        SampleKey::default()
    } else if packed & 1 == 1 {
        SampleKey(key.0.wrapping_sub(value))
    } else {
        let ms = key.at_ms() - value / SHORT_SEQUENCE;
        SampleKey(SampleKey::first_of(ms).0 + value % SHORT_SEQUENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW_MS: i64 = 1_795_000_000_000;

    proptest! {
        #[test]
        fn the_sample_before_is_found_again(
            back_ms in -5_000_i64..10_000_000_000, before in 0_i64..5_000, sequence in 0_i64..5_000,
        ) {
            let key = SampleKey(SampleKey::first_of(NOW_MS).0 + sequence);
            let previous = SampleKey(SampleKey::first_of(NOW_MS - back_ms).0 + before);
            prop_assert_eq!(unpack_previous(key, pack_previous(key, previous)), previous);
        }

        #[test]
        fn what_one_clock_measured_needs_no_correction(
            finished_us in 0_i64..1_000_000, lag in 0_u32..90_000_000, latency in 0_u32..90_000_000,
        ) {
            let spent = i64::from(lag) + i64::from(latency);
            let finished_us = NOW_MS * 1_000 + finished_us;
            let due_ms = (finished_us - spent).div_euclid(1_000);
            let finished_us = due_ms * 1_000 + spent;
            let key = SampleKey::first_of(finished_us / 1_000);
            prop_assert_eq!(expected_due_ms(key, spent), due_ms);
        }
    }

    #[test]
    fn a_minute_between_two_polls_takes_three_bytes() {
        let key = SampleKey::first_of(NOW_MS);
        let previous = SampleKey(SampleKey::first_of(NOW_MS - 60_000).0 + 9);
        assert!(pack_previous(key, previous) < 1 << 23);
        assert_eq!(pack_previous(key, SampleKey::default()), 0);
    }
}
