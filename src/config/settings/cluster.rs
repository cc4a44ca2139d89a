//! `ClusterSettings`: what is in force of the distributed mode.

use std::path::PathBuf;
use std::time::Duration;

use super::{Secret, SettingsError};
use crate::config::given::{ClusterGiven, Sasl};

/// What is in force of the distributed mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The URL of the database, which may hold a password; none: this machine is on its own.
    pub postgres: Option<Secret>,
    /// PEM file with the authority of its certificate.
    pub postgres_ca: Option<PathBuf>,
    /// Where Kafka is, and how we show who we are.
    pub kafka: KafkaSettings,
    /// What the names of topics and groups begin with.
    pub topics: String,
    /// Where this checker polls from.
    pub location: String,
    /// What this member is called, when somebody has named it.
    pub member: Option<String>,
    /// Time after which the shards of a silent member go to others.
    pub lease: Duration,
}

/// Where Kafka is, and how we show who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Brokers to begin with, HOST:PORT.
    pub brokers: Vec<String>,
    /// PEM file with the authority of the brokers' certificates; TLS is on when there is one.
    pub ca: Option<PathBuf>,
    /// PEM files with our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Mechanism, user name and password; SASL is on when there are some.
    pub sasl: Option<(Sasl, String, Secret)>,
}

impl ClusterSettings {
    /// Fills what is given with what is built in.
    ///
    /// # Errors
    /// What goes together is not given together, or a secret cannot be read.
    pub(super) fn complete(given: ClusterGiven) -> Result<Self, SettingsError> {
        let secret = |name, text| Secret::read(name, text);
        let postgres = given.postgres.map(|text| secret("postgres", text)).transpose()?;
        let identity = match (given.kafka_cert, given.kafka_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(told("kafka_cert and kafka_key go together; give both or none")),
        };
        if identity.is_some() && given.kafka_ca.is_none() {
            return Err(told(
                "kafka_cert needs kafka_ca, the authority of the brokers; name its file",
            ));
        }
        let mechanism = given.kafka_sasl.unwrap_or_default();
        let sasl = match (given.kafka_user, given.kafka_password) {
            (Some(user), Some(password)) => {
                Some((mechanism, user, secret("kafka_password", password)?))
            }
            (None, None) => None,
            _ => return Err(told("kafka_user and kafka_password go together; give both or none")),
        };
        let brokers =
            if given.kafka.is_empty() { vec!["127.0.0.1:9092".to_owned()] } else { given.kafka };
        Ok(Self {
            postgres,
            postgres_ca: given.postgres_ca,
            kafka: KafkaSettings { brokers, ca: given.kafka_ca, identity, sasl },
            topics: given.topics.unwrap_or_else(|| "poller".to_owned()),
            location: given.location.unwrap_or_else(|| "here".to_owned()),
            member: given.member,
            lease: given.lease.unwrap_or(Duration::from_secs(10)),
        })
    }
}

fn told(text: &str) -> SettingsError {
    SettingsError::Unfit(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::given::SecretText;

    #[test]
    fn what_goes_together_is_given_together() {
        let refused = |given| match ClusterSettings::complete(given) {
            Err(error) => error.to_string(),
            Ok(settings) => panic!("taken: {settings:?}"),
        };
        let user = ClusterGiven { kafka_user: Some("u".into()), ..ClusterGiven::default() };
        assert!(refused(user).contains("kafka_password"));
        let cert = ClusterGiven { kafka_cert: Some("c".into()), ..ClusterGiven::default() };
        assert!(refused(cert).contains("kafka_key"));
        let (kafka_cert, kafka_key) = (Some("c".into()), Some("k".into()));
        let trusted = ClusterGiven { kafka_cert, kafka_key, ..ClusterGiven::default() };
        assert!(refused(trusted).contains("kafka_ca"));
    }

    #[test]
    fn passwords_are_never_shown() {
        let postgres = Some(SecretText("postgres://u:s3cret@h/d".into()));
        let given = ClusterGiven { postgres, ..ClusterGiven::default() };
        let Ok(settings) = ClusterSettings::complete(given) else { panic!("refused") };
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
