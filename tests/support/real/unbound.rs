//! `Unbound`: a validating resolver that asks an `Nsd` and nobody else.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use super::Nsd;
use super::server::{SOON, Server, free_port_of_both, program};
use super::talk::{Question, code, kind};
use super::zones;

/// Unbound on one port, over UDP and TCP; it trusts `signed.test` and `broken.test`.
pub(crate) struct Unbound {
    server: Server,
    port: u16,
}

impl Unbound {
    /// Starts it before `nsd`; none where it is not installed.
    pub(crate) fn start(nsd: &Nsd) -> Option<Self> {
        Self::start_with(nsd, "")
    }

    /// Starts it with further lines in its section `server:`, as `local-data: "…"`.
    pub(crate) fn start_with(nsd: &Nsd, lines: &str) -> Option<Self> {
        let path = program("unbound", "unbound")?;
        let (server, port) = Server::run(
            |folder| {
                let port = free_port_of_both();
                let file = folder.join("unbound.conf");
                let text = configuration(folder, port, nsd, lines);
                fs::write(&file, text).expect("a folder of ours");
                let mut command = Command::new(&path);
                command.arg("-d").arg("-c").arg(file);
                (command, port)
            },
            |port| {
                // It answers this itself, whatever becomes of the servers behind it.
                let question = Question::new("localhost", kind::A);
                let answered = |answer: std::io::Result<super::talk::Answer>| {
                    answer.is_ok_and(|answer| answer.code() == code::NOERROR)
                };
                answered(question.udp_within(*port, SOON)) && answered(question.tcp(*port))
            },
        );
        Some(Self { server, port })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The process that runs, its folder and its words.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }
}

/// It asks from 127.0.0.1, so that no question leaves the machine, and all of them `nsd`.
fn configuration(folder: &Path, port: u16, nsd: &Nsd, lines: &str) -> String {
    let (at, behind) = (folder.display(), nsd.port());
    let mut text = format!(
        "server:\n  interface: 127.0.0.1@{port}\n  port: {port}\n  \
         outgoing-interface: 127.0.0.1\n  do-ip6: no\n  username: \"\"\n  chroot: \"\"\n  \
         directory: \"{at}\"\n  pidfile: \"\"\n  use-syslog: no\n  logfile: \"\"\n  \
         do-not-query-localhost: no\n  access-control: 127.0.0.0/8 allow\n  num-threads: 1\n  \
         module-config: \"validator iterator\"\n  local-zone: \"test.\" nodefault\n"
    );
    for zone in zones::REVERSE {
        let _ = writeln!(text, "  local-zone: \"{zone}.\" nodefault");
    }
    for anchor in nsd.anchors() {
        let _ = writeln!(text, "  trust-anchor-file: \"{}\"", anchor.display());
    }
    for line in lines.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text += "remote-control:\n  control-enable: no\n";
    for zone in zones::names() {
        let _ = write!(text, "stub-zone:\n  name: \"{zone}\"\n  stub-addr: 127.0.0.1@{behind}\n");
    }
    let _ = write!(text, "forward-zone:\n  name: \".\"\n  forward-addr: 127.0.0.1@{behind}\n");
    text
}
