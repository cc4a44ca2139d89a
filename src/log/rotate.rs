//! `RotatingFile`: a log file that makes room for itself when it has grown to its size.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Sink;

/// How large log files grow, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of one file at most, but for its last line.
    pub max_bytes: u64,
    /// Files in all, the one that is written included.
    pub files: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { max_bytes: 10_000_000, files: 5 }
    }
}

/// The file that is written; the ones before it are named `.1`, `.2` and so on.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    rotation: Rotation,
    file: Option<File>,
    written: u64,
}

impl RotatingFile {
    pub(super) fn open(path: PathBuf, rotation: Rotation) -> io::Result<Self> {
        let mut opened = Self { path, rotation, file: None, written: 0 };
        opened.open_file()?;
        Ok(opened)
    }

    fn open_file(&mut self) -> io::Result<&mut File> {
        let file = File::options().append(true).create(true).open(&self.path)?;
        self.written = file.metadata()?.len();
        Ok(self.file.insert(file))
    }

    fn rotate(&mut self) -> io::Result<()> {
        let last = self.rotation.files.saturating_sub(1);
        if last == 0 {
            fs::remove_file(&self.path)?;
        }
        for number in (1..=last).rev() {
            let from = numbered(&self.path, number - 1);
            match fs::rename(from, numbered(&self.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.open_file().map(|_| ())
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_full = self.written > 0
            && self.written.saturating_add(bytes.len() as u64) > self.rotation.max_bytes;
        if is_full && self.file.is_some() {
            // A file that cannot be rotated grows on: better a long log than none.
            let _ = self.rotate();
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.open_file()?,
        };
        let written = file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

impl Sink for RotatingFile {
    fn reopen(&mut self) {
        self.file = None;
        // When it fails, the next line tries again.
        let _ = self.open_file();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_full_file_makes_room_and_the_oldest_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("poller.log");
        let rotation = Rotation { max_bytes: 10, files: 3 };
        let mut file = RotatingFile::open(path.clone(), rotation).expect("a file");
        for line in ["first..\n", "second.\n", "third..\n", "fourth.\n"] {
            file.write_all(line.as_bytes()).expect("written");
        }
        assert_eq!(names(folder.path()), ["poller.log", "poller.log.1", "poller.log.2"]);
        assert_eq!(fs::read_to_string(&path).expect("text"), "fourth.\n");
        assert_eq!(fs::read_to_string(numbered(&path, 2)).expect("text"), "second.\n");
    }

    #[test]
    fn a_restart_goes_on_in_the_same_file_and_knows_its_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("poller.log");
        fs::write(&path, "12345678\n").expect("written");
        let rotation = Rotation { max_bytes: 10, files: 2 };
        let mut file = RotatingFile::open(path.clone(), rotation).expect("a file");
        file.write_all(b"next\n").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("text"), "next\n");
    }

    #[test]
    fn one_file_starts_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("poller.log");
        let rotation = Rotation { max_bytes: 6, files: 1 };
        let mut file = RotatingFile::open(path.clone(), rotation).expect("a file");
        file.write_all(b"first\n").expect("written");
        file.write_all(b"next\n").expect("written");
        assert_eq!(names(folder.path()), ["poller.log"]);
        assert_eq!(fs::read_to_string(&path).expect("text"), "next\n");
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("poller.log");
        let mut file = RotatingFile::open(path.clone(), Rotation::default()).expect("a file");
        file.write_all(b"first\n").expect("written");
        fs::rename(&path, folder.path().join("moved")).expect("moved");
        file.reopen();
        file.write_all(b"next\n").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("text"), "next\n");
    }
}
