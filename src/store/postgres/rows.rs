//! Times as the database has them.

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// Microseconds from the Unix epoch to that of the database.
const EPOCH_US: i64 = 946_684_800_000_000;
/// The first and the last time that the database can tell, by its epoch.
const TOLD_US: (i64, i64) = (-211_813_488_000_000_000, 9_223_371_331_199_999_999);
/// The kind of samples of slots that passed without a poll.
pub(super) const MISSED: i16 = 3;

/// What goes wrong between a value and its bytes.
type Fault = Box<dyn std::error::Error + Sync + Send>;

/// A time in Unix microseconds, as a `timestamptz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Us(pub(super) i64);

impl Us {
    /// The time `ms` in Unix milliseconds.
    pub(super) const fn of_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// Its Unix milliseconds.
    pub(super) const fn ms(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

impl ToSql for Us {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        let us = self.0.saturating_sub(EPOCH_US).clamp(TOLD_US.0, TOLD_US.1);
        out.extend_from_slice(&us.to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Us {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self(
            i64::from_sql(&Type::INT8, raw).map_err(|_| format!("{kind} is no time"))? + EPOCH_US,
        ))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}

/// `number` as far as the database's can hold it.
pub(super) fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// `number` as far as the database's can hold it.
pub(super) fn large(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `number` as far as the database's can hold it.
pub(super) fn tiny(number: u16) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}
