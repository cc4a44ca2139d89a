//! What the system knows of names: `/etc/hosts`, followed when it changes.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The names of `/etc/hosts`.
#[derive(Debug)]
pub(super) struct Hosts {
    path: PathBuf,
    names: Names,
    /// When the file was looked at, and when it had changed.
    looked: Option<Instant>,
    changed: Option<SystemTime>,
}

type Names = HashMap<Box<str>, Vec<IpAddr>>;

impl Hosts {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, names: HashMap::new(), looked: None, changed: None }
    }

    /// The addresses that the file, or a standard (RFC 6761), gives `name`; none: ask a server.
    pub(super) fn find(&self, name: &str) -> Option<Vec<IpAddr>> {
        let name = key(name);
        let known = self.names.get(name);
        if name != "localhost" && !name.ends_with(".localhost") {
            return known.cloned();
        }
        // Some files name one loopback address, and programs listen on the other.
        let mut addresses = known.cloned().unwrap_or_default();
        for own in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
            if !addresses.contains(&own) {
                addresses.push(own);
            }
        }
        Some(addresses)
    }

    /// Follows the file when it has changed; the names of which it says something else now.
    pub(super) fn follow_when_due(&mut self, now: Instant) -> HashSet<Box<str>> {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < EVERY) {
            return HashSet::new();
        }
        self.looked = Some(now);
        if changed(&self.path) == self.changed {
            return HashSet::new();
        }
        self.follow()
    }

    /// Reads the file again; the names of which it says something else now.
    pub(super) fn follow(&mut self) -> HashSet<Box<str>> {
        self.changed = changed(&self.path);
        let text = std::fs::read(&self.path).unwrap_or_default();
        let before = std::mem::replace(&mut self.names, parse(&String::from_utf8_lossy(&text)));
        let all = before.keys().chain(self.names.keys());
        all.filter(|name| before.get(*name) != self.names.get(*name)).cloned().collect()
    }
}

/// The name as it is looked for.
pub(super) fn key(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

fn parse(text: &str) -> Names {
    let mut names = Names::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for name in words {
            let addresses = names.entry(name.to_ascii_lowercase().into()).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_aliases_and_both_families_are_read() {
        let names = parse("127.0.0.1 localhost Box # here\n::1 localhost\n\nnonsense x\n");
        assert_eq!(names["localhost"].len(), 2);
        assert_eq!(names["box"], ["127.0.0.1".parse::<IpAddr>().expect("an address")]);
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn localhost_needs_no_file() {
        let hosts = Hosts::new("/nonexistent".into());
        assert!(hosts.find("localhost").is_some());
        assert!(hosts.find("a.example").is_none());
    }

    #[test]
    fn a_file_that_changes_is_followed_and_the_names_told_that_it_concerns() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let write = |text: &str| std::fs::write(file.path(), text).expect("it can be written");
        let (mut hosts, start) = (Hosts::new(file.path().into()), Instant::now());
        let told = |names: HashSet<Box<str>>| {
            let mut names: Vec<String> = names.into_iter().map(String::from).collect();
            names.sort();
            names
        };
        write("192.0.2.1 a b\n192.0.2.2 c\n");
        assert_eq!(told(hosts.follow_when_due(start)), ["a", "b", "c"]);
        write("192.0.2.1 a\n192.0.2.3 c d\n");
        assert_eq!(told(hosts.follow_when_due(start + EVERY / 2)), [""; 0]);
        assert_eq!(told(hosts.follow()), ["b", "c", "d"]);
        assert!(hosts.find("b").is_none() && hosts.find("d.").is_some());
        assert_eq!(told(hosts.follow()), [""; 0]);
    }
}
