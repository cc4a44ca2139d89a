//! How a reader gets at a store, and why it may not.

use std::fmt::Write as _;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::ReadError;
use crate::store::sqlite::VERSION;

/// Connections that are open at once.
const CONNECTIONS: u32 = 4;
/// How long a reader waits for one of them, or for a lock.
const WAIT: Duration = Duration::from_secs(2);

/// Bytes of the longest text or blob that a query may make.
const LONGEST_VALUE: i32 = 16 << 20;

/// Connections to the store `path`, which was found readable.
pub(super) fn pool(path: &Path) -> Result<r2d2::Pool<SqliteConnectionManager>, ReadError> {
    let name = find(path)?;
    let manager = SqliteConnectionManager::file(name)
        .with_flags(flags())
        .with_init(|connection| set(connection));
    r2d2::Pool::builder()
        .max_size(CONNECTIONS)
        .min_idle(Some(1))
        .test_on_check_out(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .connection_timeout(WAIT)
        .build(manager)
        .map_err(|error| unreadable(path, &error.to_string()))
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI
}

fn set(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(WAIT)?;
    connection.set_prepared_statement_cache_capacity(32);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.pragma_update(None, "cache_size", -2048)?;
    connection.pragma_update(None, "query_only", true)
}

/// Opens the store once and gives the name by which it can be opened again.
fn find(path: &Path) -> Result<PathBuf, ReadError> {
    if let Err(error) = File::open(path) {
        return Err(match error.kind() {
            ErrorKind::NotFound => ReadError::Missing { path: path.display().to_string() },
            ErrorKind::PermissionDenied => forbidden(path),
            _ => unreadable(path, &error.to_string()),
        });
    }
    let plain = uri(path, "");
    match version(&plain) {
        Ok(found) => check(path, found).map(|()| plain),
        Err(error) if is_locked_out(&error) => {
            // Beside a stopped store the index of the log cannot be made in a directory that may
            // not be written; without a log it is not needed either.
            let log = crate::store::sqlite::beside(path, "-wal");
            if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) {
                return Err(forbidden(path));
            }
            let still = uri(path, "?immutable=1");
            let found = version(&still).map_err(|error| unreadable(path, &error.to_string()))?;
            check(path, found).map(|()| still)
        }
        Err(error) => Err(unreadable(path, &error.to_string())),
    }
}

fn is_locked_out(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    )
}

fn version(name: &Path) -> rusqlite::Result<i64> {
    let connection = Connection::open_with_flags(name, flags())?;
    set(&connection)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check(path: &Path, found: i64) -> Result<(), ReadError> {
    let advice = match found {
        VERSION => return Ok(()),
        0 => return Err(ReadError::Missing { path: path.display().to_string() }),
        newer if newer > VERSION => "use a newer poller",
        _ => "start the daemon once, which brings it up to date",
    };
    Err(ReadError::Version { path: path.display().to_string(), found, known: VERSION, advice })
}

/// The path as SQLite's `file:` URI, with every unusual byte in hexadecimal.
fn uri(path: &Path, query: &str) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = String::from("file://");
    for &byte in absolute.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri.push_str(query);
    PathBuf::from(uri)
}

fn unreadable(path: &Path, reason: &str) -> ReadError {
    ReadError::Unreadable { path: path.display().to_string(), reason: reason.to_owned() }
}

fn forbidden(path: &Path) -> ReadError {
    let owner = path.ancestors().find_map(|place| std::fs::metadata(place).ok());
    let owner = owner.map_or_else(|| "its owner".to_owned(), |place| user(place.uid()));
    ReadError::Forbidden { path: path.display().to_string(), owner }
}

/// The name of the user `uid`, else the number.
fn user(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut names = users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    names.next().unwrap_or_else(|| format!("the user with the id {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_named() {
        assert_eq!(user(0), "root");
        assert_eq!(user(4_000_000_000), "the user with the id 4000000000");
    }

    #[test]
    fn any_path_can_be_written_as_a_uri() {
        assert_eq!(uri(Path::new("/a b/%c?.db"), ""), Path::new("file:///a%20b/%25c%3f.db"));
    }
}
