//! What an error of SQLite means for the store's owner.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// `error`, which came from the store `path`, as the store's owner has to know it.
pub(in crate::store) fn fault(path: &Path, error: &rusqlite::Error) -> StoreError {
    let stalled = |words: &str| StoreError::Stalled {
        reason: format!("the store {}: {words} ({error})", path.display()),
    };
    let unusable = |words: &str| StoreError::Unusable {
        path: path.display().to_string(),
        reason: format!("{words} ({error})"),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            stalled("another program holds a lock on it")
        }
        Some(ErrorCode::FileLockingProtocolFailed) => stalled("it cannot be locked"),
        Some(ErrorCode::DiskFull) => stalled("the disk is full; make room on it"),
        Some(ErrorCode::SystemIoFailure) => stalled("it cannot be read or written"),
        Some(ErrorCode::CannotOpen) => stalled("its files cannot be opened"),
        Some(ErrorCode::ReadOnly) => stalled("it may not be written; check its permissions"),
        Some(ErrorCode::OutOfMemory) => stalled("no memory is left"),
        Some(ErrorCode::OperationInterrupted) => stalled("it took too long"),
        Some(ErrorCode::NotADatabase) => unusable("is not a store; move the file away"),
        _ => unusable("is damaged; move it away, and a new one is made"),
    }
}

/// Whether the connection that gave `error` is better opened anew.
pub(super) fn is_lasting(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseCorrupt
        )
    )
}
