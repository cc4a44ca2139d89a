//! `mail`: its flags.

use std::path::PathBuf;

use clap::Args;

use super::{Asked, Config, Limits, RunFlags};
use crate::target::CheckKind;

/// What `mail` checks.
#[derive(Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Mail {
    /// Servers, with a port unless it is the usual one, or URLs like `imaps://mail.example.com`
    #[arg(value_name = "SERVER", required_unless_present = "servers_file")]
    pub servers: Vec<String>,

    /// File of servers, or - for standard input
    #[arg(long = "servers", value_name = "FILE", id = "servers_file")]
    pub file: Option<PathBuf>,

    /// smtp, imap or pop3 (default smtp)
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<String>,

    /// Port (default 25, 143, 110; with --ssl 465, 993, 995)
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,

    /// TLS from the first byte
    #[arg(long, conflicts_with = "tls")]
    pub ssl: bool,

    /// TLS by STARTTLS
    #[arg(long)]
    pub tls: bool,

    /// Take any certificate
    #[arg(long)]
    pub no_verify: bool,

    /// User name; the password follows with --password
    #[arg(long, value_name = "NAME", requires = "password")]
    pub username: Option<String>,

    /// Password; a variable `${VAR}` or a file `file:PATH` may stand for it
    #[arg(long, value_name = "PASSWORD", requires = "username")]
    pub password: Option<String>,

    /// The names are domains: look up their mail exchangers
    #[arg(long)]
    pub mx: bool,

    /// Send a message, from --from to --to
    #[arg(long, requires_all = ["from", "to"])]
    pub send: bool,

    /// Sender of the message
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,

    /// Recipient of the message
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,

    /// Subject of the message
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,

    /// Text of the message
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,

    /// How long it may take.
    #[command(flatten)]
    pub limits: Limits,

    /// How it runs.
    #[command(flatten)]
    pub run: RunFlags,
}

impl std::fmt::Debug for Mail {
    /// Leaves out what may be a secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mail").field("file", &self.file).finish_non_exhaustive()
    }
}

impl From<Mail> for Asked {
    fn from(mail: Mail) -> Self {
        Config::default()
            .with("protocol", mail.protocol)
            .with("port", mail.port)
            .flag("use_ssl", mail.ssl, true)
            .flag("use_tls", mail.tls, true)
            .flag("verify_ssl", mail.no_verify, false)
            .with("username", mail.username)
            .with("password", mail.password)
            .flag("resolve_mx", mail.mx, true)
            .flag("test_send", mail.send, true)
            .with("from_email", mail.from)
            .with("to_email", mail.to)
            .with("subject", mail.subject)
            .with("message", mail.message)
            .asked(CheckKind::Mail, (mail.servers, mail.file), (mail.limits, mail.run))
    }
}
