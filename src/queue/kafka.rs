//! The edges of a cluster: jobs and outcomes as records of Kafka topics.
//!
//! Every type of the client library stays in here.

pub mod consumer;
mod files;
pub mod jobs;
pub mod letters;
pub mod messages;
mod offsets;
pub mod producer;
pub mod reader;
pub mod topics;
mod trouble;

pub use offsets::Ticket;

use std::path::PathBuf;

use rdkafka::config::ClientConfig;

/// How Kafka is reached.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Brokers to begin with, HOST:PORT.
    pub brokers: Vec<String>,
    /// PEM file with the authority of the brokers' certificates; TLS is on when there is one.
    pub ca: Option<PathBuf>,
    /// PEM files with our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// How a user name and a password are proved; SASL is on when there are some.
    pub sasl: Option<Login>,
    /// What the names of topics and groups begin with.
    pub prefix: String,
    /// What this client is called in the logs of brokers.
    pub client: String,
}

/// A user name, its password and how that is proved.
#[derive(Clone)]
pub struct Login {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: &'static str,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    /// Leaves out the password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mechanism, user, .. } = self;
        write!(formatter, "Login({mechanism}, {user}, <secret>)")
    }
}

/// The topics of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Jobs, keyed by target; a partition is a shard.
    Jobs,
    /// Outcomes, missed slots and signs of life; a partition is a shard.
    Outcomes,
    /// Records that nobody could read.
    Dead,
}

impl Connection {
    /// The name of `topic`.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> String {
        let name = match topic {
            Topic::Jobs => "jobs",
            Topic::Outcomes => "outcomes",
            Topic::Dead => "dead",
        };
        format!("{}.{name}", self.prefix)
    }

    /// The group of the checkers at `location`.
    #[must_use]
    pub fn group(&self, location: &str) -> String {
        format!("{}.checkers.{location}", self.prefix)
    }

    /// What every client of librdkafka is told.
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", &self.client)
            .set("broker.address.ttl", "10000")
            .set("reconnect.backoff.max.ms", "2000")
            .set("socket.keepalive.enable", "true")
            .set("log_level", "4");
        let protocol = match (&self.ca, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(ca) = &self.ca {
            config.set("ssl.ca.location", ca.display().to_string());
        }
        if let Some((certificate, key)) = &self.identity {
            config.set("ssl.certificate.location", certificate.display().to_string());
            config.set("ssl.key.location", key.display().to_string());
        }
        if let Some(Login { mechanism, user, password }) = &self.sasl {
            config.set("sasl.mechanisms", *mechanism);
            config.set("sasl.username", user).set("sasl.password", password);
        }
        config
    }
}
