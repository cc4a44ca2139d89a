//! Outcomes from rows of samples.

use tokio_postgres::Row;

use super::{DatabaseError, Us, at, number};
use crate::outcome::{Cause, Detail, Finding, Micros, Outcome, Phases};
use crate::store::codes::{kind_of, verdict_of};

/// What is read of a sample.
pub(super) const SAMPLE: &str = "due, target, finished, kind, verdict, code, cause, detail, \
     latency_us, lag_us, bytes, flags, resolve_us, connect_us, tls_us, first_byte_us, transfer_us";

/// The outcome in `row`, which has the columns of [`SAMPLE`].
pub(super) fn outcome(row: &Row) -> Result<Outcome, DatabaseError> {
    let code = u16::try_from(at::<i16>(row, "code")?).unwrap_or(0);
    let flags = at::<i16>(row, "flags")?.cast_unsigned();
    let finding = Finding {
        verdict: verdict_of(small(row, "verdict")?),
        cause: Cause::from_code(small(row, "cause")?),
        detail: detail(row)?,
        // A cause stands there where no answer came.
        status: if code < 1_000 { code } else { 0 },
        bytes: at::<i64>(row, "bytes")?.unsigned_abs(),
        is_reused: flags & 2 != 0,
        is_at_least: flags & 4 != 0,
        redirects: u8::try_from(flags >> 3).unwrap_or(u8::MAX),
        phases: phases(row)?,
        ..Finding::default()
    };
    Ok(Outcome {
        target: number(at(row, "target")?)?,
        due_ms: at::<Us>(row, "due")?.ms(),
        finished_us: at::<Us>(row, "finished")?.0,
        lag_us: at::<i32>(row, "lag_us")?.cast_unsigned(),
        latency_us: at::<i32>(row, "latency_us")?.cast_unsigned(),
        kind: kind_of(small(row, "kind")?),
        is_provisional: flags & 1 != 0,
        finding,
    })
}

/// The detail in the column `detail`; one of a newer program is none to us.
pub(super) fn detail(row: &Row) -> Result<Detail, DatabaseError> {
    Ok(Detail::from_code(small(row, "detail")?).unwrap_or(Detail::None))
}

/// The small number in the column `name`.
pub(super) fn small(row: &Row, name: &str) -> Result<u8, DatabaseError> {
    let told: i16 = at(row, name)?;
    u8::try_from(told)
        .map_err(|_| DatabaseError::Broken(format!("{name} is {told}, which it cannot be")))
}

fn phases(row: &Row) -> Result<Phases, DatabaseError> {
    let phase = |name| {
        let us = at::<Option<i32>>(row, name)?;
        Ok::<_, DatabaseError>(us.map_or(Micros::NONE, |us| Micros::from_us(us.cast_unsigned())))
    };
    Ok(Phases {
        resolve: phase("resolve_us")?,
        connect: phase("connect_us")?,
        tls: phase("tls_us")?,
        first_byte: phase("first_byte_us")?,
        transfer: phase("transfer_us")?,
    })
}
