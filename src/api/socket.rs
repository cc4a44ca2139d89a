//! Where the socket of a data directory is, and opening it so that only its owner may ask.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::process::getuid;
use socket2::{Domain, SockAddr, Socket, Type};
use xxhash_rust::xxh3::xxh3_64;

/// The name of the socket in the data directory.
pub(super) const FILE_NAME: &str = "poller.sock";
/// Bytes that a socket's path may have.
const LONGEST: usize = 107;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the socket {}: {source}", .path.display())]
pub struct SocketError {
    /// Where it should be.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Where the socket of `directory`, an absolute path, is to be: in it, or where that path is too
/// long for a socket, in the runtime directory. `variable` reads the environment.
#[must_use]
pub fn socket_path(directory: &Path, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let usual = directory.join(FILE_NAME);
    if usual.as_os_str().len() <= LONGEST {
        return usual;
    }
    let name = format!("poller-{:016x}.sock", xxh3_64(directory.as_os_str().as_encoded_bytes()));
    let given = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"].into_iter().find_map(|key| {
        let value = variable(key)?;
        // systemd sets several directories apart by colons.
        let first = std::env::split_paths(&value).next()?.join(&name);
        (first.is_absolute() && first.as_os_str().len() <= LONGEST).then_some(first)
    });
    given.unwrap_or_else(|| private_directory().join(name))
}

fn private_directory() -> PathBuf {
    PathBuf::from(format!("/tmp/poller-{}", getuid().as_raw()))
}

/// Opens the socket `path`, which nobody but its owner may use. An old one is removed: call this
/// with the lock of the data directory in hand.
pub(super) fn open(path: &Path) -> Result<UnixListener, SocketError> {
    open_socket(path).map_err(|source| SocketError { path: path.to_owned(), source })
}

fn open_socket(path: &Path) -> io::Result<UnixListener> {
    if path.parent() == Some(&private_directory()) {
        make_private(&private_directory())?;
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other("something that is no socket is in its place")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Nobody can connect before `listen`, so the mode is right from the first connection on.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Makes `directory` ours alone, and takes none that somebody else has put there.
fn make_private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(directory)?;
    let is_private = found.mode().trailing_zeros() >= 6;
    let is_ours = found.is_dir() && found.uid() == getuid().as_raw() && is_private;
    if is_ours {
        return Ok(());
    }
    let what = format!("{} is not a directory of ours alone", directory.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_socket_is_in_the_data_directory_unless_that_path_is_too_long() {
        assert_eq!(
            socket_path(Path::new("/srv/data"), |_| None),
            Path::new("/srv/data/poller.sock")
        );
        let long = PathBuf::from(format!("/{}", "deep/".repeat(30)));
        let fallback = socket_path(&long, |_| None);
        assert!(fallback.starts_with(private_directory()), "{}", fallback.display());
        let runtime = socket_path(&long, |key| {
            (key == "RUNTIME_DIRECTORY").then(|| "/run/poller:/run/b".into())
        });
        assert!(runtime.starts_with("/run/poller"), "{}", runtime.display());
        let other = socket_path(&long.join("x"), |_| None);
        assert_ne!(fallback, other);
    }

    #[test]
    fn only_the_owner_may_use_the_socket_and_an_old_one_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        drop(open(&path).expect("a socket"));
        assert!(UnixStream::connect(&path).is_err(), "nobody listens at what was left behind");
        let _listener = open(&path).expect("a socket again");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        UnixStream::connect(&path).expect("somebody listens");
    }

    #[test]
    fn a_file_in_the_place_of_the_socket_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, "precious").expect("written");
        assert!(open(&path).is_err());
        assert_eq!(fs::read_to_string(&path).expect("text"), "precious");
    }

    #[test]
    fn a_directory_that_others_may_use_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("set");
        assert!(make_private(folder.path()).is_err());
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("set");
        assert!(make_private(folder.path()).is_ok());
    }
}
