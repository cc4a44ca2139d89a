//! `tcp`: its flags.

use std::path::PathBuf;

use clap::Args;

use super::{Asked, Config, Limits, RunFlags};
use crate::target::CheckKind;

/// What `tcp` checks.
#[derive(Args, Clone, Debug)]
pub struct Tcp {
    /// Hosts with their ports
    #[arg(value_name = "HOST:PORT", required_unless_present = "hosts_file")]
    pub hosts: Vec<String>,

    /// File of hosts with their ports, or - for standard input
    #[arg(long = "hosts", value_name = "FILE", id = "hosts_file")]
    pub file: Option<PathBuf>,

    /// Port of hosts that name none
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Line that is sent; may be repeated
    #[arg(long, value_name = "LINE")]
    pub send: Vec<String>,

    /// Text that must come, after what was sent if as much is sent as expected; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub expect: Vec<String>,

    /// How long it may take.
    #[command(flatten)]
    pub limits: Limits,

    /// How it runs.
    #[command(flatten)]
    pub run: RunFlags,
}

impl From<Tcp> for Asked {
    fn from(tcp: Tcp) -> Self {
        Config::default()
            .with("port", tcp.port)
            .list("send", tcp.send)
            .list("expect", tcp.expect)
            .asked(CheckKind::Tcp, (tcp.hosts, tcp.file), (tcp.limits, tcp.run))
    }
}
