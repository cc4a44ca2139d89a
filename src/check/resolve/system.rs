//! What the system knows of names: `/etc/hosts`, followed when it changes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The names of `/etc/hosts`.
#[derive(Debug)]
pub(super) struct Hosts {
    path: PathBuf,
    names: HashMap<Box<str>, Vec<IpAddr>>,
    changed: Option<SystemTime>,
    looked: Option<Instant>,
}

impl Hosts {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, names: HashMap::new(), changed: None, looked: None }
    }

    /// The addresses that the file, or a standard (RFC 6761), gives `name`; none: ask a server.
    pub(super) fn find(&mut self, name: &str, now: Instant) -> Option<Vec<IpAddr>> {
        if self.looked.is_none_or(|looked| now.duration_since(looked) >= EVERY) {
            self.looked = Some(now);
            self.refresh();
        }
        let name = name.strip_suffix('.').unwrap_or(name);
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

    fn refresh(&mut self) {
        let changed = std::fs::metadata(&self.path).and_then(|meta| meta.modified()).ok();
        if changed != self.changed {
            self.changed = changed;
            let text = std::fs::read(&self.path).unwrap_or_default();
            self.names = parse(&String::from_utf8_lossy(&text));
        }
    }
}

fn parse(text: &str) -> HashMap<Box<str>, Vec<IpAddr>> {
    let mut names: HashMap<Box<str>, Vec<IpAddr>> = HashMap::new();
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
        let mut hosts = Hosts::new("/nonexistent".into());
        assert!(hosts.find("localhost", Instant::now()).is_some());
        assert!(hosts.find("a.example", Instant::now()).is_none());
    }
}
