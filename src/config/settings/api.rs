//! `ApiSettings`: what is in force of the HTTP API, its pages and its metrics.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::SettingsError;
use crate::check::Policy;
use crate::config::given::{ApiGiven, Listen, SecretText};

/// Where the API listens unless somebody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9870);
/// Questions a second of one address at most.
const RATE: NonZeroU32 = match NonZeroU32::new(1_000) {
    Some(rate) => rate,
    None => NonZeroU32::MIN,
};
/// Targets with series of their own at most.
const METRICS_TARGETS: usize = 1_000;
/// Bytes of a secret by which others sign, at least (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// What is in force of the HTTP API, its pages and its metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    /// Where it listens beside the socket.
    pub listen: Listening,
    /// PEM files of its certificate and key, when it speaks TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// By which other services sign their tokens.
    pub jwt_secret: Option<Secret>,
    /// Origins whose pages may ask.
    pub cors_origins: Vec<String>,
    /// Questions a second of one address at most.
    pub rate: NonZeroU32,
    /// Networks that targets given through the API may lie in beside public ones.
    pub allow_targets: Vec<IpNet>,
    /// Who may have targets probed that are not in the list.
    pub probe: Probing,
    /// A file of modules of probes.
    pub modules: Option<PathBuf>,
    /// Labels of the targets that have series of their own; all that match one.
    pub metrics_labels: Vec<(String, String)>,
    /// Targets with series of their own at most.
    pub metrics_targets: usize,
    /// The status page.
    pub status: StatusSettings,
}

/// Where the API listens beside the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Nowhere.
    Off,
    /// Here, unless it is taken.
    Usual(SocketAddr),
    /// Here and nowhere else.
    At(SocketAddr),
}

/// Who may have targets probed that are not in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probing {
    /// Whoever may run checks, within the address policy.
    Guarded,
    /// Whoever may read, any target.
    Open,
}

/// The status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSettings {
    /// Name and value of the label that targets on it have; none: no target is on it.
    pub label: Option<(String, String)>,
    /// Whether everybody may see it.
    pub is_public: bool,
    /// Its title.
    pub title: String,
}

/// A secret; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// The secret that `text` is or, as `file:PATH`, names, for the setting `name`.
    ///
    /// # Errors
    /// The file cannot be read, or holds nothing: names the flag and it.
    pub(super) fn read(name: &str, SecretText(text): SecretText) -> Result<Self, SettingsError> {
        let Some(path) = text.strip_prefix("file:") else { return Ok(Self(text)) };
        let wrong = |reason: String| {
            let flag = name.replace('_', "-");
            told(&format!("--{flag} names the file {path}, which {reason}"))
        };
        let read = std::fs::read_to_string(Path::new(path));
        let read = read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
        match read.trim_end_matches(['\r', '\n']) {
            "" => Err(wrong("is empty".to_owned())),
            secret => Ok(Self(secret.into())),
        }
    }

    /// The secret as text, for who has to show it to another program.
    #[must_use]
    pub const fn text(&self) -> &str {
        &self.0
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(<secret>)")
    }
}

impl ApiSettings {
    /// Where targets that are given through the API may lead.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy::allowing(self.allow_targets.clone())
    }

    /// Fills what is given with what is built in.
    ///
    /// # Errors
    /// One of certificate and key is missing, or the secret cannot be read or is short.
    pub(super) fn complete(given: ApiGiven) -> Result<Self, SettingsError> {
        let tls = match (given.tls_cert, given.tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(told("tls_cert and tls_key go together; give both or none")),
        };
        Ok(Self {
            listen: match given.listen {
                None => Listening::Usual(LISTEN),
                Some(Listen::Off) => Listening::Off,
                Some(Listen::At(address)) => Listening::At(address),
            },
            tls,
            jwt_secret: given.jwt_secret.map(secret).transpose()?,
            cors_origins: given.cors_origin,
            rate: given.api_rate.unwrap_or(RATE),
            allow_targets: given.allow_targets.into_iter().flat_map(|nets| nets.0).collect(),
            probe: if given.open_probe == Some(true) { Probing::Open } else { Probing::Guarded },
            modules: given.modules,
            metrics_labels: given.metrics_label,
            metrics_targets: given.metrics_targets.map_or(METRICS_TARGETS, NonZeroUsize::get),
            status: StatusSettings {
                label: given.status_label,
                is_public: given.status_public == Some(true),
                title: given.status_title.unwrap_or_else(|| "Status".to_owned()),
            },
        })
    }
}

fn told(text: &str) -> SettingsError {
    SettingsError::Unfit(text.to_owned())
}

fn secret(text: SecretText) -> Result<Secret, SettingsError> {
    let secret = Secret::read("jwt_secret", text)?;
    if secret.bytes().len() < SECRET_BYTES {
        return Err(told("jwt_secret is shorter than 32 bytes; take one that cannot be guessed"));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_must_not_be_short_and_is_never_shown() {
        let given = |text: &str| ApiGiven {
            jwt_secret: Some(SecretText(text.into())),
            ..ApiGiven::default()
        };
        assert!(ApiSettings::complete(given("short")).is_err());
        let settings = ApiSettings::complete(given(&"x".repeat(32))).expect("long enough");
        assert!(!format!("{settings:?}").contains("xxx"));
    }

    #[test]
    fn a_file_without_a_secret_is_named_with_its_flag_and_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = |file: &str| {
            let path = folder.path().join(file).display().to_string();
            let error = Secret::read("kafka_password", SecretText(format!("file:{path}").into()));
            let told = error.expect_err("no secret").to_string();
            let begin = format!("--kafka-password names the file {path}, which ");
            told.strip_prefix(&begin).unwrap_or_else(|| panic!("{told}")).to_owned()
        };
        std::fs::write(folder.path().join("empty"), "\n").expect("written");
        std::fs::write(folder.path().join("bytes"), [0xff, 0xfe]).expect("written");
        assert_eq!(refused("empty"), "is empty");
        assert_eq!(refused("none"), "cannot be read: No such file or directory (os error 2)");
        assert_eq!(refused("bytes"), "cannot be read: stream did not contain valid UTF-8");
        assert_eq!(refused(""), "cannot be read: Is a directory (os error 21)");
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let given = ApiGiven { tls_cert: Some("c.pem".into()), ..ApiGiven::default() };
        let error = ApiSettings::complete(given).expect_err("no key");
        assert!(error.to_string().contains("tls_key"), "{error}");
    }
}
