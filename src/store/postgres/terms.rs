//! As much of a target as recorders need.

use super::DatabaseError;
use super::targets::{OfRow, TargetColumns};
use crate::target::PauseSpan;

/// As much of a target as recorders need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermsRow {
    /// Its number.
    pub number: u32,
    /// Its shard.
    pub shard: u32,
    /// Milliseconds from one due time to the next.
    pub every_ms: u32,
    /// From how many locations it is polled; 0: from all.
    pub locations: u8,
    /// How many locations must agree that it is down; 0: more than half of them.
    pub quorum: u8,
    /// The revision of the list that changed it last.
    pub revision: i64,
    /// Whether it is polled no more.
    pub is_removed: bool,
    /// Its last pause.
    pub pause: Option<PauseSpan>,
}

impl OfRow for TermsRow {
    const COLUMNS: &str = "number, shard::bigint, every_ms::bigint, locations::bigint, \
                           quorum::bigint, revision, removed_at IS NOT NULL AS is_removed, \
                           paused_at, paused_until";

    fn of_row(row: &TargetColumns<'_>) -> Result<Self, DatabaseError> {
        let until_ms = row.time("paused_until")?;
        let pause = row.time("paused_at")?.map(|since_ms| PauseSpan { since_ms, until_ms });
        Ok(Self {
            number: row.number("number")?,
            shard: row.number("shard")?,
            every_ms: row.number("every_ms")?,
            locations: row.number("locations")?,
            quorum: row.number("quorum")?,
            revision: row.number("revision")?,
            is_removed: row.is("is_removed")?,
            pause,
        })
    }
}
