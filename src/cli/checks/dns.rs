//! `dns`: its flags.

use std::path::PathBuf;

use clap::Args;

use super::{Asked, Config, Limits, RunFlags};
use crate::target::CheckKind;

/// What `dns` checks.
#[derive(Args, Clone, Debug)]
pub struct Dns {
    /// Domains, or addresses with --type PTR
    #[arg(value_name = "DOMAIN", required_unless_present = "domains_file")]
    pub domains: Vec<String>,

    /// File of domains, or - for standard input
    #[arg(long = "domains", value_name = "FILE", id = "domains_file")]
    pub file: Option<PathBuf>,

    /// Type of the record (default A)
    #[arg(short, long = "type", value_name = "TYPE")]
    pub record_type: Option<String>,

    /// Value that there must be; may be repeated
    #[arg(long = "value", value_name = "VALUE")]
    pub values: Vec<String>,

    /// Name server that is asked, IP or IP:PORT (default the system's)
    #[arg(long, value_name = "IP")]
    pub nameserver: Option<String>,

    /// Name below the domain
    #[arg(long, value_name = "NAME")]
    pub subdomain: Option<String>,

    /// Compare the answers of several name servers
    #[arg(long)]
    pub propagation: bool,

    /// The name servers that are compared (default eight public ones)
    #[arg(long, value_name = "IP,IP", value_delimiter = ',', requires = "propagation")]
    pub resolvers: Vec<String>,

    /// Percent of them that must agree (default 80)
    #[arg(long, value_name = "PERCENT", requires = "propagation")]
    pub threshold: Option<u8>,

    /// Ask every name server of the zone as well
    #[arg(long)]
    pub authoritative: bool,

    /// Tell whether the answer is signed, and whether rightly
    #[arg(long)]
    pub dnssec: bool,

    /// How long it may take.
    #[command(flatten)]
    pub limits: Limits,

    /// How it runs.
    #[command(flatten)]
    pub run: RunFlags,
}

impl From<Dns> for Asked {
    fn from(dns: Dns) -> Self {
        Config::default()
            .with("record_type", dns.record_type)
            .list("expected_value", dns.values)
            .with("nameserver", dns.nameserver)
            .with("subdomain", dns.subdomain)
            .flag("check_propagation", dns.propagation, true)
            .list("resolvers", dns.resolvers)
            .with("propagation_threshold", dns.threshold)
            .flag("check_authoritative", dns.authoritative, true)
            .flag("check_dnssec", dns.dnssec, true)
            .asked(CheckKind::Dns, (dns.domains, dns.file), (dns.limits, dns.run))
    }
}
