//! What the kernel knows of this process, and the limits of its files and memory.

mod memory;

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::view::Process;

pub use memory::{LimitedBy, MemoryLimit};

/// Kernel ticks a second in `/proc`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory, processor time and files of this process; 0 where the system does not tell.
#[must_use]
pub fn facts(workers_limit: u64) -> Process {
    Process {
        rss_bytes: resident_bytes().unwrap_or(0),
        cpu_seconds: cpu_seconds().unwrap_or(0.0),
        open_files: open_files().unwrap_or(0),
        open_files_limit: open_files_limit(),
        workers_limit,
    }
}

/// How many files this process may have open; `u64::MAX` when there is no limit.
#[must_use]
pub fn open_files_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Raises the number of files that may be open as far as the system allows it, and returns it.
///
/// # Errors
/// When the system refuses; the limit is then what it was.
pub fn raise_open_files_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(open_files_limit())
}

/// How many threads this process has, when the system tells.
pub(crate) fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}

/// Memory that this process really takes, in bytes, when the system tells.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1_024)
}

/// Processor time since start, when the system tells.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program comes second, in brackets, and may hold blanks.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).take(2);
    let user: u32 = times.next()?.parse().ok()?;
    let system: u32 = times.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

/// How many files this process has open, when the system tells.
pub(crate) fn open_files() -> Option<u64> {
    // Since Linux 6.2 the size of the folder is the number; counting entries is slow with many.
    let told = fs::metadata("/proc/self/fd").ok()?.len();
    if told > 0 {
        return Some(told);
    }
    let counted = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some(counted.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_this_process_are_believable() {
        let facts = facts(7);
        assert!(facts.rss_bytes > 100_000, "{facts:?}");
        assert!(facts.cpu_seconds >= 0.0);
        assert!(facts.open_files >= 3 && facts.open_files <= facts.open_files_limit, "{facts:?}");
        assert_eq!(facts.workers_limit, 7);
        assert!(threads() >= Some(1));
    }

    #[test]
    fn the_limit_of_open_files_rises_to_the_hardest_allowed() {
        let limit = raise_open_files_limit().expect("raising to the hard limit is allowed");
        assert_eq!(Some(limit), getrlimit(Resource::Nofile).maximum.or(Some(u64::MAX)));
    }
}
