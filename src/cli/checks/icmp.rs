//! `icmp`: its flags.

use std::path::PathBuf;

use clap::Args;

use super::{Asked, Config, Limits, RunFlags};
use crate::target::CheckKind;

/// What `icmp` checks.
#[derive(Args, Clone, Debug)]
pub struct Icmp {
    /// Hosts
    #[arg(value_name = "HOST", required_unless_present = "hosts_file")]
    pub hosts: Vec<String>,

    /// File of hosts, or - for standard input
    #[arg(long = "hosts", value_name = "FILE", id = "hosts_file")]
    pub file: Option<PathBuf>,

    /// Echo requests that are sent (default 3)
    #[arg(short = 'n', long, value_name = "N")]
    pub count: Option<u16>,

    /// Time from one to the next (default 200ms)
    #[arg(long, value_name = "D")]
    pub spacing: Option<String>,

    /// Bytes of data in each (default 56)
    #[arg(long, value_name = "BYTES")]
    pub size: Option<u16>,

    /// How long it may take.
    #[command(flatten)]
    pub limits: Limits,

    /// How it runs.
    #[command(flatten)]
    pub run: RunFlags,
}

impl From<Icmp> for Asked {
    fn from(icmp: Icmp) -> Self {
        Config::default()
            .with("count", icmp.count)
            .with("spacing", icmp.spacing)
            .with("size", icmp.size)
            .asked(CheckKind::Icmp, (icmp.hosts, icmp.file), (icmp.limits, icmp.run))
    }
}
