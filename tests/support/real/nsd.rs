//! `Nsd`: an authoritative name server for the zones of `zones.rs`.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::{SOON, Server, free_port_of_both, program};
use super::talk::{Question, kind};
use super::zones;

/// NSD on one port, over UDP and TCP.
pub(crate) struct Nsd {
    server: Server,
    port: u16,
    anchors: Vec<PathBuf>,
}

impl Nsd {
    /// Starts it; none where it, or what signs zones, is not installed.
    pub(crate) fn start() -> Option<Self> {
        let path = program("nsd", "nsd")?;
        program("ldnsutils", "ldns-signzone")?;
        let (server, (port, anchors)) = Server::run(
            |folder| {
                let port = free_port_of_both();
                let anchors = zones::write(folder);
                let file = folder.join("nsd.conf");
                fs::write(&file, configuration(folder, port)).expect("a folder of ours");
                let mut command = Command::new(&path);
                command.arg("-d").arg("-c").arg(file);
                (command, (port, anchors))
            },
            |(port, _)| {
                let question = Question::new(zones::PLAIN, kind::SOA);
                let answered = |answer: std::io::Result<super::talk::Answer>| {
                    answer.is_ok_and(|answer| answer.records() == 1)
                };
                answered(question.udp_within(*port, SOON)) && answered(question.tcp(*port))
            },
        );
        Some(Self { server, port, anchors })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Files with the trust anchors of `signed.test` and `broken.test`, in this order.
    pub(crate) fn anchors(&self) -> &[PathBuf] {
        &self.anchors
    }

    /// The process that runs, its folder and its words.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let at = folder.display();
    let mut text = format!(
        "server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  chroot: \"\"\n  \
         database: \"\"\n  zonesdir: \"{at}\"\n  zonelistfile: \"{at}/zone.list\"\n  pidfile: \"{at}/nsd.pid\"\n  \
         xfrdfile: \"{at}/xfrd.state\"\n  xfrdir: \"{at}\"\n  logfile: \"{at}/log\"\n  \
         server-count: 1\n  rrl-ratelimit: 0\n  hide-version: yes\n\
         remote-control:\n  control-enable: no\n"
    );
    for zone in zones::names() {
        let _ = write!(text, "zone:\n  name: \"{zone}\"\n  zonefile: \"{zone}.zone\"\n");
    }
    text
}
