//! A small disk that tests can fill.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// A small file system in memory.
pub(crate) struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// Mounts one of so many megabytes, if this user may.
    pub(crate) fn mount(path: &'a Path, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mut command = Command::new("mount");
        let size = format!("size={megabytes}m");
        command.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path);
        let done = command.output().ok()?;
        done.status.success().then_some(Self(path))
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        // As much as there is room for; the last write fails.
        let _ = fs::write(self.0.join("filler"), vec![7; 8 << 20]);
    }

    /// Gives that back.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}
