//! `ssl`: its flags.

use std::path::PathBuf;

use clap::Args;

use super::{Asked, Config, Limits, RunFlags};
use crate::target::CheckKind;

/// What `ssl` checks.
#[derive(Args, Clone, Debug)]
pub struct Ssl {
    /// Hosts, with a port unless it is 443, or URLs
    #[arg(value_name = "HOST", required_unless_present = "hosts_file")]
    pub hosts: Vec<String>,

    /// File of hosts, or - for standard input
    #[arg(long = "hosts", value_name = "FILE", id = "hosts_file")]
    pub file: Option<PathBuf>,

    /// Port (default 443, or that of --starttls)
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Days of validity below which it is a warning (default 30)
    #[arg(short, long, value_name = "DAYS")]
    pub warning: Option<u32>,

    /// Days of validity below which it is an error (default 14)
    #[arg(short, long, value_name = "DAYS")]
    pub critical: Option<u32>,

    /// Count the days of every certificate of the chain
    #[arg(long)]
    pub check_chain: bool,

    /// Take a certificate for another name
    #[arg(long)]
    pub no_verify_hostname: bool,

    /// Tell of a certificate that is not trusted, but do not fail for it
    #[arg(long)]
    pub no_verify: bool,

    /// Begin TLS when asked for over this protocol: smtp, imap or pop3
    #[arg(long, value_name = "PROTOCOL")]
    pub starttls: Option<String>,

    /// How long it may take.
    #[command(flatten)]
    pub limits: Limits,

    /// How it runs.
    #[command(flatten)]
    pub run: RunFlags,
}

impl From<Ssl> for Asked {
    fn from(ssl: Ssl) -> Self {
        Config::default()
            .with("port", ssl.port)
            .with("warning_days", ssl.warning)
            .with("critical_days", ssl.critical)
            .flag("check_chain", ssl.check_chain, true)
            .flag("verify_hostname", ssl.no_verify_hostname, false)
            .flag("verify_ssl", ssl.no_verify, false)
            .with("starttls", ssl.starttls)
            .asked(CheckKind::Ssl, (ssl.hosts, ssl.file), (ssl.limits, ssl.run))
    }
}
