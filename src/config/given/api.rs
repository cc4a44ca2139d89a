//! `ApiGiven`: the settings of the HTTP API, its pages and its metrics, as they are given.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::BoolishValueParser;
use ipnet::IpNet;

use super::{count, header_text};

/// The heading of the settings of the HTTP API.
pub(crate) const API: &str = "API";

/// What one place says of the HTTP API, its pages and its metrics.
#[derive(Args, Clone, Default)]
#[expect(clippy::doc_markdown, rustdoc::bare_urls, reason = "people read it as help")]
pub struct ApiGiven {
    /// Where the HTTP API and the dashboard are, IP:PORT, or off (default 127.0.0.1:9870)
    ///
    /// Reading is open on loopback; everything else needs a token, see poller token --help. Where the
    /// default is taken it is left out, and the log says so; port 0 takes any that is free.
    #[arg(long, value_name = "IP:PORT|off", env = "POLLER_LISTEN", hide_env = true)]
    #[arg(value_parser = listen, help_heading = API)]
    pub listen: Option<Listen>,

    /// PEM file with the certificate of the API, which then speaks TLS alone
    #[arg(long, value_name = "FILE", env = "POLLER_TLS_CERT", hide_env = true, help_heading = API)]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with the key of that certificate
    #[arg(long, value_name = "FILE", env = "POLLER_TLS_KEY", hide_env = true, help_heading = API)]
    pub tls_key: Option<PathBuf>,

    /// Secret by which other services sign JWTs (HS256) that are accepted as tokens
    ///
    /// At least 32 bytes; they need the claims exp and role (read, run or admin). Name a file with
    /// file:PATH, since other users can see command lines.
    #[arg(long, value_name = "TEXT", env = "POLLER_JWT_SECRET", hide_env = true)]
    #[arg(help_heading = API)]
    pub jwt_secret: Option<SecretText>,

    /// Origin of other pages that may ask the API, like https://board.example; may be repeated
    #[arg(long, value_name = "ORIGIN", env = "POLLER_CORS_ORIGIN", hide_env = true)]
    #[arg(value_delimiter = ',', value_parser = origin, help_heading = API)]
    pub cors_origin: Vec<String>,

    /// Questions per second and client address at most (default 1000)
    #[arg(long, value_name = "N", env = "POLLER_API_RATE", hide_env = true)]
    #[arg(value_parser = count::<NonZeroU32>, help_heading = API)]
    pub api_rate: Option<NonZeroU32>,

    /// Networks that targets given through the API may lie in beside public ones; may be repeated
    ///
    /// A network like 10.0.0.0/8, or loopback, private or all.
    #[arg(long, value_name = "NET", env = "POLLER_ALLOW_TARGETS", hide_env = true)]
    #[arg(value_delimiter = ',', value_parser = networks, help_heading = API)]
    pub allow_targets: Vec<Networks>,

    /// Let /probe probe any target for anybody who may read, as blackbox_exporter does
    #[arg(long, value_name = "true|false", env = "POLLER_OPEN_PROBE", hide_env = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), help_heading = API)]
    pub open_probe: Option<bool>,

    /// Modules of /probe, a file as blackbox_exporter reads it (default its built-in ones)
    #[arg(long, value_name = "FILE", env = "POLLER_MODULES", hide_env = true, help_heading = API)]
    pub modules: Option<PathBuf>,

    /// Tell series of single targets in /metrics for those with this label; may be repeated
    #[arg(long, value_name = "NAME=VALUE", env = "POLLER_METRICS_LABEL", hide_env = true)]
    #[arg(value_delimiter = ',', value_parser = label, help_heading = API)]
    pub metrics_label: Vec<(String, String)>,

    /// Targets with series of their own in /metrics at most (default 1000)
    #[arg(long, value_name = "N", env = "POLLER_METRICS_TARGETS", hide_env = true)]
    #[arg(value_parser = count::<NonZeroUsize>, help_heading = API)]
    pub metrics_targets: Option<NonZeroUsize>,

    /// Show targets with this label on the status page (default none)
    #[arg(long, value_name = "NAME=VALUE", env = "POLLER_STATUS_LABEL", hide_env = true)]
    #[arg(value_parser = label, help_heading = API)]
    pub status_label: Option<(String, String)>,

    /// Show the status page to everybody, without a token
    #[arg(long, value_name = "true|false", env = "POLLER_STATUS_PUBLIC", hide_env = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), help_heading = API)]
    pub status_public: Option<bool>,

    /// Title of the status page (default Status)
    #[arg(long, value_name = "TEXT", env = "POLLER_STATUS_TITLE", hide_env = true)]
    #[arg(value_parser = header_text, help_heading = API)]
    pub status_title: Option<String>,
}

impl ApiGiven {
    /// What is given here, and for what is not what `weaker` says.
    #[must_use]
    pub fn or(self, weaker: Self) -> Self {
        let either = |own: Vec<String>, other| if own.is_empty() { other } else { own };
        Self {
            listen: self.listen.or(weaker.listen),
            tls_cert: self.tls_cert.or(weaker.tls_cert),
            tls_key: self.tls_key.or(weaker.tls_key),
            jwt_secret: self.jwt_secret.or(weaker.jwt_secret),
            cors_origin: either(self.cors_origin, weaker.cors_origin),
            api_rate: self.api_rate.or(weaker.api_rate),
            allow_targets: if self.allow_targets.is_empty() {
                weaker.allow_targets
            } else {
                self.allow_targets
            },
            open_probe: self.open_probe.or(weaker.open_probe),
            modules: self.modules.or(weaker.modules),
            metrics_label: if self.metrics_label.is_empty() {
                weaker.metrics_label
            } else {
                self.metrics_label
            },
            metrics_targets: self.metrics_targets.or(weaker.metrics_targets),
            status_label: self.status_label.or(weaker.status_label),
            status_public: self.status_public.or(weaker.status_public),
            status_title: self.status_title.or(weaker.status_title),
        }
    }
}

/// Where the API listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere but on the socket.
    Off,
    /// Here.
    At(SocketAddr),
}

/// A secret as it was written; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub Box<str>);

impl FromStr for SecretText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

/// Networks by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

/// Where the API listens: `off` or `IP:PORT`.
pub(crate) fn listen(text: &str) -> Result<Listen, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("off") {
        return Ok(Listen::Off);
    }
    let written = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = written.as_deref().unwrap_or(text).parse();
    address.map(Listen::At).map_err(|_| {
        "write off, or an IP address and a port like 127.0.0.1:9870 or [::1]:9870".to_owned()
    })
}

/// Networks: `loopback`, `private`, `all` or one in the notation of RFC 4632.
pub(crate) fn networks(text: &str) -> Result<Networks, String> {
    let named = match text.trim() {
        "loopback" => &["127.0.0.0/8", "::1/128"][..],
        "private" => &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"][..],
        "all" => &["0.0.0.0/0", "::/0"][..],
        one => &[one][..],
    };
    let parse = |net: &&str| {
        net.parse().or_else(|_| net.parse::<std::net::IpAddr>().map(IpNet::from)).map_err(|_| {
            "write a network like 10.0.0.0/8 or fd00::/8, or loopback, private or all".to_owned()
        })
    };
    named.iter().map(parse).collect::<Result<_, _>>().map(Networks)
}

/// An origin (RFC 6454): scheme, host and port of a page, and nothing behind them.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let want = || "write an origin like https://board.example, without a path".to_owned();
    let parsed = url::Url::parse(text.trim()).map_err(|_| want())?;
    let told = parsed.origin().ascii_serialization();
    let is_bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    let is_web = matches!(parsed.scheme(), "http" | "https");
    if is_bare && is_web && parsed.username().is_empty() { Ok(told) } else { Err(want()) }
}

/// A label, `NAME=VALUE`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_listens_at_an_address_or_nowhere() {
        assert_eq!(listen("off"), Ok(Listen::Off));
        assert_eq!(listen("[::1]:0"), Ok(Listen::At("[::1]:0".parse().expect("an address"))));
        assert_eq!(listen("localhost:80"), listen("127.0.0.1:80"));
        assert!(listen("9870").is_err() && listen("example.com:80").is_err());
    }

    #[test]
    fn networks_have_names_or_lengths() {
        assert_eq!(networks("10.1.0.0/16").map(|nets| nets.0.len()), Ok(1));
        assert_eq!(networks("192.0.2.1").map(|nets| nets.0.len()), Ok(1));
        assert_eq!(networks("private").map(|nets| nets.0.len()), Ok(4));
        assert!(networks("10.0.0.0/33").is_err());
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(origin("https://Board.example/"), Ok("https://board.example".to_owned()));
        for slip in ["https://a.example/x", "a.example", "*", "file:///x", "https://u@a.example"] {
            assert!(origin(slip).is_err(), "{slip}");
        }
    }
}
