//! `ClusterGiven`: the settings of the distributed mode, as they are given.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{SecretText, header_text};
use crate::config::units::positive_duration;

/// The heading of the settings of the distributed mode.
pub(crate) const CLUSTER: &str = "Distributed mode";

/// What one place says of the distributed mode: where PostgreSQL and Kafka are, and who we are there.
#[derive(Args, Clone, Default)]
#[expect(clippy::doc_markdown, reason = "people read it as help")]
pub struct ClusterGiven {
    /// Database of targets and history, postgres://USER:PASSWORD@HOST:PORT/DATABASE
    ///
    /// Roles keep everything there; --viewstats, targets and top read it from there. Add ?sslmode=require
    /// for TLS. Name a file with file:PATH, since other users can see command lines.
    #[arg(long, value_name = "URL", env = "POLLER_POSTGRES", hide_env = true, global = true)]
    #[arg(help_heading = CLUSTER)]
    pub postgres: Option<SecretText>,

    /// PEM file with the authority that signed the certificate of PostgreSQL (default known roots)
    #[arg(long, value_name = "FILE", env = "POLLER_POSTGRES_CA", hide_env = true, global = true)]
    #[arg(help_heading = CLUSTER)]
    pub postgres_ca: Option<PathBuf>,

    /// Brokers of Kafka to begin with, HOST:PORT; may be repeated (default 127.0.0.1:9092)
    #[arg(long, value_name = "HOST:PORT", env = "POLLER_KAFKA", hide_env = true)]
    #[arg(value_delimiter = ',', value_parser = broker, help_heading = CLUSTER)]
    pub kafka: Vec<String>,

    /// PEM file with the authority that signed the certificates of Kafka, like ca.pem: turns TLS on
    #[arg(long, value_name = "FILE", env = "POLLER_KAFKA_CA", hide_env = true)]
    #[arg(help_heading = CLUSTER)]
    pub kafka_ca: Option<PathBuf>,

    /// PEM file with our certificate for Kafka, like service.cert
    #[arg(long, value_name = "FILE", env = "POLLER_KAFKA_CERT", hide_env = true)]
    #[arg(help_heading = CLUSTER)]
    pub kafka_cert: Option<PathBuf>,

    /// PEM file with the key of that certificate, like service.key
    #[arg(long, value_name = "FILE", env = "POLLER_KAFKA_KEY", hide_env = true)]
    #[arg(help_heading = CLUSTER)]
    pub kafka_key: Option<PathBuf>,

    /// User name for Kafka: turns SASL on
    #[arg(long, value_name = "NAME", env = "POLLER_KAFKA_USER", hide_env = true)]
    #[arg(value_parser = header_text, help_heading = CLUSTER)]
    pub kafka_user: Option<String>,

    /// Password for Kafka, or file:PATH
    #[arg(long, value_name = "TEXT", env = "POLLER_KAFKA_PASSWORD", hide_env = true)]
    #[arg(help_heading = CLUSTER)]
    pub kafka_password: Option<SecretText>,

    /// How the password is proved to Kafka (default plain)
    #[arg(long, value_name = "MECHANISM", env = "POLLER_KAFKA_SASL", hide_env = true)]
    #[arg(value_enum, help_heading = CLUSTER)]
    pub kafka_sasl: Option<Sasl>,

    /// What the names of topics and groups begin with (default poller, so poller.jobs and others)
    #[arg(long, value_name = "NAME", env = "POLLER_TOPICS", hide_env = true)]
    #[arg(value_parser = topic_name, help_heading = CLUSTER)]
    pub topics: Option<String>,

    /// Where this checker polls from, as results call it (default here)
    #[arg(long, value_name = "NAME", env = "POLLER_LOCATION", hide_env = true)]
    #[arg(value_parser = location_name, help_heading = CLUSTER)]
    pub location: Option<String>,

    /// What this member of the cluster is called (default host, role and process id)
    #[arg(long, value_name = "NAME", env = "POLLER_MEMBER", hide_env = true)]
    #[arg(value_parser = location_name, help_heading = CLUSTER)]
    pub member: Option<String>,

    /// Time after which the shards of a silent scheduler or recorder go to others (default 10s)
    #[arg(long, value_name = "D", env = "POLLER_LEASE", hide_env = true)]
    #[arg(value_parser = lease, help_heading = CLUSTER)]
    pub lease: Option<Duration>,
}

/// How a password is proved to Kafka.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sasl {
    /// It is sent as it is (RFC 4616).
    #[default]
    Plain,
    /// By a challenge (RFC 7677).
    ScramSha256,
    /// By a challenge (RFC 5802 with SHA-512).
    ScramSha512,
}

impl ClusterGiven {
    /// This, and what is missing from `weaker`.
    pub(super) fn or(self, weaker: Self) -> Self {
        Self {
            postgres: self.postgres.or(weaker.postgres),
            postgres_ca: self.postgres_ca.or(weaker.postgres_ca),
            kafka: if self.kafka.is_empty() { weaker.kafka } else { self.kafka },
            kafka_ca: self.kafka_ca.or(weaker.kafka_ca),
            kafka_cert: self.kafka_cert.or(weaker.kafka_cert),
            kafka_key: self.kafka_key.or(weaker.kafka_key),
            kafka_user: self.kafka_user.or(weaker.kafka_user),
            kafka_password: self.kafka_password.or(weaker.kafka_password),
            kafka_sasl: self.kafka_sasl.or(weaker.kafka_sasl),
            topics: self.topics.or(weaker.topics),
            location: self.location.or(weaker.location),
            member: self.member.or(weaker.member),
            lease: self.lease.or(weaker.lease),
        }
    }
}

/// `HOST:PORT` of a broker.
pub(crate) fn broker(text: &str) -> Result<String, String> {
    let text = text.trim();
    let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match parts.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(1..)) if !text.contains("://") => Ok(text.to_owned()),
        _ => Err("write HOST:PORT, like kafka.example:9092".to_owned()),
    }
}

/// What the name of a topic may begin with.
pub(crate) fn topic_name(text: &str) -> Result<String, String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=200).contains(&text.len()) && text.bytes().all(is_fit) {
        return Ok(text.to_owned());
    }
    Err("write 1 to 200 letters, digits, dots, dashes and underscores".to_owned())
}

/// The name of a location or a member.
pub(crate) fn location_name(text: &str) -> Result<String, String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=63).contains(&text.len()) && text.bytes().all(is_fit) {
        return Ok(text.to_owned());
    }
    Err("write 1 to 63 letters, digits, dots, dashes and underscores".to_owned())
}

/// How long a lease lasts.
pub(crate) fn lease(text: &str) -> Result<Duration, String> {
    let length = positive_duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_mins(10)).contains(&length) {
        return Ok(length);
    }
    Err("write 1s to 10m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_a_host_with_a_port() {
        assert!(broker("kafka.example:9092").is_ok() && broker("[::1]:9092").is_ok());
        for wrong in ["kafka", "kafka:", ":9092", "kafka:0", "kafka:99999", "http://kafka:9092"] {
            assert!(broker(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lease_lasts_a_second_at_least() {
        assert_eq!(lease("3s"), Ok(Duration::from_secs(3)));
        assert!(lease("500ms").is_err() && lease("1h").is_err());
    }

    #[test]
    fn names_are_fit_for_topics_and_groups() {
        assert!(topic_name("a.b-c_1").is_ok() && location_name("eu-1").is_ok());
        assert!(topic_name("").is_err() && topic_name("a b").is_err());
        assert!(location_name("a/b").is_err() && location_name(&"a".repeat(64)).is_err());
    }
}
