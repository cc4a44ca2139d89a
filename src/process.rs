//! What the kernel knows of this process, and the limits of its files and memory.

mod memory;

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::view::Process;

pub use memory::{LimitedBy, MemoryLimit};

/// The ports that Linux gives out where it does not say so.
const PORTS: RangeInclusive<u16> = 32_768..=60_999;
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

/// The local ports that connections get.
#[must_use]
pub fn local_ports() -> RangeInclusive<u16> {
    let told = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    ports(&told).unwrap_or(PORTS)
}

fn ports(told: &str) -> Option<RangeInclusive<u16>> {
    let mut bounds = told.split_ascii_whitespace().map(str::parse);
    Some(bounds.next()?.ok()?..=bounds.next()?.ok()?)
}

/// How long a local port may stay taken, for connections to the same address and port, when the
/// connection that we closed is gone.
#[must_use]
pub fn port_rest() -> Duration {
    let told = fs::read_to_string("/proc/sys/net/ipv4/tcp_tw_reuse").unwrap_or_default();
    // 1 lets ports be used again after a second; 2, which is usual, does so on loopback alone.
    if told.trim() == "1" { Duration::from_secs(1) } else { Duration::from_mins(1) }
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
    fn ports_are_read_as_the_kernel_writes_them() {
        assert_eq!(ports("32768\t60999\n"), Some(PORTS));
        assert_eq!(ports("1024 65535\n"), Some(1_024..=65_535));
        assert_eq!((ports(""), ports("32768"), ports("a b")), (None, None, None));
        assert!(!local_ports().is_empty() && port_rest() >= Duration::from_secs(1));
    }

    #[test]
    fn the_limit_of_open_files_rises_to_the_hardest_allowed() {
        let limit = raise_open_files_limit().expect("raising to the hard limit is allowed");
        assert_eq!(Some(limit), getrlimit(Resource::Nofile).maximum.or(Some(u64::MAX)));
    }
}
