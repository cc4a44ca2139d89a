//! The stored numbers of verdicts and kinds.

use crate::outcome::{SampleKind, Verdict};

/// The number that is stored for `verdict`.
pub(super) const fn verdict_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Up => 0,
        Verdict::Warning => 1,
        Verdict::Down => 2,
        Verdict::Unknown => 3,
    }
}

/// The verdict that is stored as `code`.
pub(super) const fn verdict_of(code: u8) -> Verdict {
    match code {
        0 => Verdict::Up,
        1 => Verdict::Warning,
        2 => Verdict::Down,
        _ => Verdict::Unknown,
    }
}

/// The number that is stored for `kind`.
pub(super) const fn kind_code(kind: SampleKind) -> u8 {
    match kind {
        SampleKind::Slot => 0,
        SampleKind::Recheck => 1,
        SampleKind::Manual => 2,
    }
}

/// The kind that is stored as `code`.
pub(super) const fn kind_of(code: u8) -> SampleKind {
    match code {
        0 => SampleKind::Slot,
        1 => SampleKind::Recheck,
        _ => SampleKind::Manual,
    }
}
