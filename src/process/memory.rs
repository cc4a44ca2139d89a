//! `MemoryLimit`: how much memory this process may use, and who says so.

use std::fs;
use std::path::{Component, Path};

/// How much memory this process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes, and 0 when nobody says.
    pub bytes: u64,
    /// Who says so.
    pub by: LimitedBy,
}

/// Who limits the memory of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedBy {
    /// A setting of ours.
    Settings,
    /// Its control group, or one above it: a container, a service.
    Cgroup,
    /// The memory that the machine has.
    Machine,
}

impl LimitedBy {
    /// As the summary names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Cgroup => "cgroup",
            Self::Machine => "machine",
        }
    }
}

impl MemoryLimit {
    /// The limit of this process: the one that is `asked` for in bytes, else that of its control
    /// groups, else the memory of the machine.
    #[must_use]
    pub fn find(asked: Option<u64>) -> Self {
        // A service may not see /proc/meminfo; the call works everywhere.
        let system = rustix::system::sysinfo();
        #[allow(clippy::useless_conversion, reason = "on other machines it has 32 bits")]
        let units = u64::from(system.totalram);
        let machine = units.saturating_mul(u64::from(system.mem_unit.max(1)));
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::of(asked, in_cgroups(Path::new("/sys/fs/cgroup"), &groups), machine)
    }

    fn of(asked: Option<u64>, cgroup: Option<u64>, machine: u64) -> Self {
        match (asked, cgroup) {
            (Some(bytes), _) => Self { bytes, by: LimitedBy::Settings },
            (None, Some(bytes)) if machine == 0 || bytes < machine => {
                Self { bytes, by: LimitedBy::Cgroup }
            }
            _ => Self { bytes: machine, by: LimitedBy::Machine },
        }
    }
}

/// The least limit of the control groups that `groups` names, which is `/proc/self/cgroup`, and of
/// those above them, of either version; `root` is where they are mounted.
fn in_cgroups(root: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        match controllers {
            "" => least(root, path, "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                least(&root.join("memory"), path, "memory.limit_in_bytes")
            }
            _ => None,
        }
    });
    limits.min()
}

/// The least number in the files `name` of the folder `path` below `root` and of those above it. In
/// a container `path` may be one of the machine around it; then that of `root` itself counts.
fn least(root: &Path, path: &str, name: &str) -> Option<u64> {
    let inner = path.trim_start_matches('/');
    let is_plain = |part| matches!(part, Component::Normal(_));
    let inner = Some(Path::new(inner)).filter(|inner| inner.components().all(is_plain));
    let folders = inner.unwrap_or(Path::new("")).ancestors();
    folders.filter_map(|folder| number(&root.join(folder).join(name))).min()
}

/// The number in a file; a word like `max`, or one beyond all memory, is none.
fn number(file: &Path) -> Option<u64> {
    /// What version 1 writes where there is no limit is a little below this.
    const NONE: u64 = 1 << 62;
    fs::read_to_string(file).ok()?.trim().parse().ok().filter(|bytes| *bytes < NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
            fs::write(file, text).expect("it can be written");
        }
        root
    }

    #[test]
    fn the_least_limit_of_a_group_and_those_above_it_counts() {
        let root = groups(&[
            ("a.slice/memory.max", "800000000\n"),
            ("a.slice/b.service/memory.max", "max\n"),
            ("a.slice/other/memory.max", "5\n"),
        ]);
        let found = |text| in_cgroups(root.path(), text);
        assert_eq!(found("0::/a.slice/b.service\n"), Some(800_000_000));
        assert_eq!(found("0::/a.slice/other\n"), Some(5));
        assert_eq!(found("0::/\n"), None);
        assert_eq!(found(""), None);
        assert_eq!(found("0::/../a.slice\n"), None);
    }

    #[test]
    fn in_a_container_the_group_that_is_mounted_counts() {
        let root = groups(&[("memory.max", "100000\n")]);
        assert_eq!(in_cgroups(root.path(), "0::/docker/0123\n"), Some(100_000));
    }

    #[test]
    fn groups_of_version_1_are_looked_at_too() {
        let root = groups(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/docker/0123/memory.limit_in_bytes", "300000\n"),
            ("cpu/docker/0123/memory.limit_in_bytes", "3\n"),
        ]);
        let text = "5:cpu,cpuacct:/docker/0123\n4:memory:/docker/0123\n0::/\n";
        assert_eq!(in_cgroups(root.path(), text), Some(300_000));
        assert_eq!(in_cgroups(root.path(), "4:memory:/\n"), None);
    }

    #[test]
    fn settings_come_before_groups_and_groups_before_the_machine() {
        let of = |asked, cgroup, machine| {
            let limit = MemoryLimit::of(asked, cgroup, machine);
            (limit.bytes, limit.by.as_str())
        };
        assert_eq!(of(Some(1), Some(2), 3), (1, "settings"));
        assert_eq!(of(None, Some(2), 3), (2, "cgroup"));
        assert_eq!(of(None, Some(4), 3), (3, "machine"));
        assert_eq!(of(None, Some(4), 0), (4, "cgroup"));
        assert_eq!(of(None, None, 3), (3, "machine"));
        assert!(MemoryLimit::find(None).bytes > 1_000_000);
    }
}
