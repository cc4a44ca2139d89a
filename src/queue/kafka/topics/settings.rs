//! What topics have to be set to, whoever made them.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::super::producer::BATCH;
use super::super::trouble::{Heard, is_refusal};
use super::super::{Connection, Topic};
use super::TopicsError;

/// How long brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The setting of a topic that tells whose clock its records have.
const TIME: &str = "message.timestamp.type";
/// The time of the broker that took a record.
const OF_BROKERS: &str = "LogAppendTime";
/// The setting of a topic that tells how many bytes are taken at once.
const BYTES: &str = "max.message.bytes";
/// Bytes around what is sent at once.
const FRAME: usize = 16_384;

impl Connection {
    /// Looks whether the topics of jobs and outcomes are set as they have to be. What brokers do not
    /// let us see is believed.
    ///
    /// # Errors
    /// They are not, or no broker answers.
    pub(super) fn look_at_settings(&self) -> Result<(), TopicsError> {
        let names = [Topic::Jobs, Topic::Outcomes].map(|topic| self.topic(topic));
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().map_err(|error| self.blamed(&error))?;
        let wanted: Vec<ResourceSpecifier<'_>> =
            names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let told =
            tokio::runtime::Handle::current().block_on(admin.describe_configs(&wanted, &options));
        let told = match told {
            Ok(told) => told,
            Err(error) if is_refusal(error.rdkafka_error_code()) => {
                self.say_unseen(&error.to_string());
                return Ok(());
            }
            Err(error) => return Err(self.told(&error, &Heard::default())),
        };
        for (name, told) in names.iter().zip(told) {
            match told {
                Ok(settings) => self.fit(name, &settings)?,
                Err(code) if is_refusal(Some(code)) => self.say_unseen(&code.to_string()),
                // It was made a moment ago, and not every broker knows of it.
                Err(code) => return Err(self.told(&KafkaError::AdminOp(code), &Heard::default())),
            }
        }
        Ok(())
    }

    fn fit(&self, topic: &str, settings: &ConfigResource) -> Result<(), TopicsError> {
        let of = |name| settings.get(name).and_then(|entry| entry.value.as_deref());
        let wrong = |setting: &'static str, found: &str, wanted: String| TopicsError::Setting {
            topic: topic.to_owned(),
            setting,
            found: found.to_owned(),
            wanted,
            brokers: self.brokers.join(","),
        };
        match of(TIME) {
            // Clocks of members are compared with those of brokers.
            Some(found) if found != OF_BROKERS => {
                return Err(wrong(TIME, found, OF_BROKERS.to_owned()));
            }
            _ => {}
        }
        match of(BYTES) {
            // What is sent at once has to be taken, or all of it would be refused.
            Some(found) if found.parse().is_ok_and(|bytes: usize| bytes < BATCH + FRAME) => {
                Err(wrong(BYTES, found, "1048588".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn say_unseen(&self, reason: &str) {
        let topics = format!("{} and {}", self.topic(Topic::Jobs), self.topic(Topic::Outcomes));
        tracing::warn!(reason, "{topics} have to be set to {TIME}={OF_BROKERS}, which Kafka hides");
    }
}

/// Whether `code` tells that a record is larger than a topic takes.
pub(in crate::queue::kafka) const fn is_too_large(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge
    )
}
