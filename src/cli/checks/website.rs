//! `website`: its flags.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::{Asked, Config, Limits, RunFlags};
use crate::target::CheckKind;

/// What `website` checks.
#[derive(Args, Clone)]
pub struct Website {
    /// Addresses; a bare name is asked over HTTPS
    #[arg(value_name = "URL", required_unless_present = "sites")]
    pub urls: Vec<String>,

    /// File of addresses, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub sites: Option<PathBuf>,

    /// Status that is expected: 200, 2xx, 200-299 or a list with commas (default 200)
    #[arg(long, value_name = "CODES")]
    pub status: Option<String>,

    /// Method of the request (default GET)
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,

    /// Header of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,

    /// Body of the request; `file:PATH` reads it from a file
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,

    /// User name; the password follows with --auth-password
    #[arg(long, value_name = "NAME", requires = "auth_password")]
    pub auth_username: Option<String>,

    /// Password; a variable `${VAR}` or a file `file:PATH` may stand for it
    #[arg(long, value_name = "PASSWORD", requires = "auth_username")]
    pub auth_password: Option<String>,

    /// Text that the page must hold; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub content: Vec<String>,

    /// Text that the page must not hold; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub no_content: Vec<String>,

    /// Take any certificate
    #[arg(long)]
    pub no_verify: bool,

    /// Follow no redirects
    #[arg(long)]
    pub no_follow: bool,

    /// How long it may take.
    #[command(flatten)]
    pub limits: Limits,

    /// How it runs.
    #[command(flatten)]
    pub run: RunFlags,
}

impl std::fmt::Debug for Website {
    /// Leaves out what may be a secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Website").field("sites", &self.sites).finish_non_exhaustive()
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it like \"Accept: text/html\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl From<Website> for Asked {
    fn from(website: Website) -> Self {
        let headers: Map<String, Value> =
            website.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
        Config::default()
            .with("expected_status", website.status)
            .with("method", website.method)
            .with("headers", (!headers.is_empty()).then_some(headers))
            .with("body", website.body)
            .with("auth_username", website.auth_username)
            .with("auth_password", website.auth_password)
            .list("expected_content", website.content)
            .list("unexpected_content", website.no_content)
            .flag("verify_ssl", website.no_verify, false)
            .flag("follow_redirects", website.no_follow, false)
            .asked(CheckKind::Http, (website.urls, website.sites), (website.limits, website.run))
    }
}
