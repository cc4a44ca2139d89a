//! The topics of a cluster: they are made when they are missing, and looked at before they are used.

mod settings;

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer as _};

pub(super) use settings::is_too_large;

use super::trouble::{Heard, is_refusal};
use super::{Connection, Topic};

/// How long brokers may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what was said of trouble is listened to.
const LISTENING: Duration = Duration::from_secs(1);
/// How long a topic may take from being made until it is seen.
const SPREADING: Duration = Duration::from_secs(20);
/// Copies of each record at most.
const COPIES: usize = 3;

/// Why the topics of a cluster cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicsError {
    /// No broker answers; one may later.
    #[error("no broker of Kafka answers at {brokers}: {reason}")]
    Away {
        /// Those that were asked.
        brokers: String,
        /// What was heard of them last.
        reason: String,
    },
    /// We are not let in, or may not do this.
    #[error("Kafka refuses: {0}")]
    Refused(String),
    /// What we are told to show or to trust makes no sense.
    #[error("cannot speak to Kafka: {0}; look at what --kafka and its companions say")]
    Settings(String),
    /// Files that we are told to show or to trust cannot be used.
    #[error("cannot speak to Kafka: {0}")]
    Files(String),
    /// A topic is not there, and is not ours to make.
    #[error("there is no topic {0}, or we may not see it; a scheduler makes it")]
    Missing(String),
    /// A topic is shared out in another way than targets are.
    #[error(
        "topic {topic} has {found} partitions and the database {expected} shards; delete the \
         topic, or name others with --topics"
    )]
    Partitions {
        /// Its name.
        topic: String,
        /// The partitions that it has.
        found: u32,
        /// The shards of the cluster.
        expected: u32,
    },
    /// The topics are shared out in different ways.
    #[error(
        "topic {jobs} has {found} partitions and topic {outcomes} has {others}, where both need one \
         for each shard of the database (poller db status); delete the one that is wrong, or name \
         others with --topics"
    )]
    Unequal {
        /// The name of that of jobs.
        jobs: String,
        /// The partitions that it has.
        found: u32,
        /// The name of that of outcomes.
        outcomes: String,
        /// The partitions that it has.
        others: u32,
    },
    /// A topic is set to something else than it has to be.
    #[error(
        "topic {topic} has {setting}={found}; run kafka-configs.sh --bootstrap-server {brokers} \
         --alter --entity-type topics --entity-name {topic} --add-config {setting}={wanted}"
    )]
    Setting {
        /// Its name.
        topic: String,
        /// The name of the setting.
        setting: &'static str,
        /// What it is set to.
        found: String,
        /// What it has to be set to.
        wanted: String,
        /// The brokers.
        brokers: String,
    },
}

impl TopicsError {
    /// Whether the same may work later, without anybody doing anything here.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Missing(_))
    }
}

/// What brokers tell of themselves and of our topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Brokers that are there.
    pub brokers: usize,
    /// On how many of them each record of jobs and outcomes is, at least; 0: there is no topic.
    pub copies: usize,
    /// Partitions of the topic of jobs, when it is there.
    pub jobs: Option<u32>,
    /// Partitions of the topic of outcomes, when it is there.
    pub outcomes: Option<u32>,
    /// Partitions of the topic of what nobody could read, when it is there.
    pub dead: Option<u32>,
}

impl Description {
    /// Partitions of `topic`, when it is there.
    #[must_use]
    pub const fn partitions(&self, topic: Topic) -> Option<u32> {
        match topic {
            Topic::Jobs => self.jobs,
            Topic::Outcomes => self.outcomes,
            Topic::Dead => self.dead,
        }
    }
}

/// All topics.
const ALL: [Topic; 3] = [Topic::Jobs, Topic::Outcomes, Topic::Dead];

impl Connection {
    /// Makes those topics that are missing, for a cluster of `shards`, and looks whether the others
    /// fit. Several may do it at once.
    ///
    /// # Errors
    /// No broker answers, they refuse, or a topic has another number of partitions or other settings
    /// than it needs.
    pub async fn ensure_topics(&self, shards: u32) -> Result<(), TopicsError> {
        let asked = self.clone();
        on_a_thread(move || asked.ensure(shards)).await
    }

    /// What brokers tell of themselves and of our topics; makes none.
    ///
    /// # Errors
    /// No broker answers, or they refuse.
    pub async fn describe(&self) -> Result<Description, TopicsError> {
        let asked = self.clone();
        on_a_thread(move || asked.ask()).await
    }

    /// The shards of the cluster, by the partitions of its topics: for who does not know them.
    ///
    /// # Errors
    /// No broker answers, they refuse, or the topics are not there or do not fit each other.
    pub async fn shards(&self) -> Result<u32, TopicsError> {
        let description = self.describe().await?;
        let (jobs, outcomes) = (self.topic(Topic::Jobs), self.topic(Topic::Outcomes));
        match (description.jobs, description.outcomes) {
            (None, _) => Err(TopicsError::Missing(jobs)),
            (_, None) => Err(TopicsError::Missing(outcomes)),
            (Some(found), Some(others)) if found == others => Ok(found),
            (Some(found), Some(others)) => {
                Err(TopicsError::Unequal { jobs, found, outcomes, others })
            }
        }
    }

    /// Whether the topics are there and fit a cluster of `shards`; makes none.
    ///
    /// # Errors
    /// No broker answers, they refuse, or a topic is not there or has another number of partitions.
    pub async fn look_for_topics(&self, shards: u32) -> Result<(), TopicsError> {
        let found = self.describe().await?;
        [Topic::Jobs, Topic::Outcomes]
            .into_iter()
            .try_for_each(|topic| self.fits(&found, topic, shards))
    }

    fn ensure(&self, shards: u32) -> Result<(), TopicsError> {
        let found = self.ask()?;
        let (missing, there): (Vec<Topic>, Vec<Topic>) =
            ALL.into_iter().partition(|topic| found.partitions(*topic).is_none());
        // Where one of them is somebody else's, none is made beside it.
        there.into_iter().try_for_each(|topic| self.fits(&found, topic, shards))?;
        if !missing.is_empty() {
            self.make(&missing, shards, found.brokers)?;
        }
        let deadline = Instant::now() + SPREADING;
        loop {
            let found = self.ask()?;
            let fit = ALL.into_iter().try_for_each(|topic| {
                let expected = if topic == Topic::Dead { 1 } else { shards };
                self.fits(&found, topic, expected)
            });
            match fit {
                Err(TopicsError::Missing(_)) if Instant::now() < deadline => {
                    std::thread::park_timeout(Duration::from_millis(100));
                }
                Ok(()) => {
                    self.say_copies(&found);
                    return self.look_at_settings();
                }
                fit => return fit,
            }
        }
    }

    /// Says when records are on fewer brokers than they could be.
    fn say_copies(&self, found: &Description) {
        let (copies, wanted) = (found.copies, found.brokers.min(COPIES));
        if copies < wanted {
            let topics = format!("{} and {}", self.topic(Topic::Jobs), self.topic(Topic::Outcomes));
            tracing::warn!(
                copies,
                brokers = found.brokers,
                "a broker that fails stops shards: have {topics} replicated {wanted} times \
                 (kafka-reassign-partitions.sh)"
            );
        }
    }

    fn fits(
        &self,
        description: &Description,
        topic: Topic,
        expected: u32,
    ) -> Result<(), TopicsError> {
        let name = self.topic(topic);
        match description.partitions(topic) {
            None => Err(TopicsError::Missing(name)),
            // Any number does for what nobody could read.
            Some(_) if topic == Topic::Dead => Ok(()),
            Some(found) if found == expected => Ok(()),
            Some(found) => Err(TopicsError::Partitions { topic: name, found, expected }),
        }
    }

    fn ask(&self) -> Result<Description, TopicsError> {
        let heard = Heard::default();
        // A producer, because the events of an administrator's client are heard by nobody.
        let client: BaseProducer<Heard> = self
            .config()
            .create_with_context(heard.clone())
            .map_err(|error| self.blamed(&error))?;
        // Of all topics: who asks for one of them by its name may have it made, as others like.
        let asked = client.client().fetch_metadata(None, PATIENCE);
        let metadata = asked.map_err(|error| {
            // What went wrong waits to be heard, of each broker, and that nobody is left.
            let until = Instant::now() + LISTENING;
            while !heard.is_all_heard() && Instant::now() < until {
                client.poll(Duration::from_millis(50));
            }
            self.told(&error, &heard)
        })?;
        let mut found = Description { brokers: metadata.brokers().len(), ..Description::default() };
        let mut least = None;
        for topic in metadata.topics() {
            let partitions =
                u32::try_from(topic.partitions().len()).ok().filter(|count| *count > 0);
            let copies = topic.partitions().iter().map(|partition| partition.replicas().len());
            let is_ours = [Topic::Jobs, Topic::Outcomes]
                .into_iter()
                .any(|known| topic.name() == self.topic(known));
            if let Some(copies) = copies.min().filter(|_| is_ours) {
                least = Some(least.map_or(copies, |least: usize| least.min(copies)));
            }
            for (known, seen) in [
                (Topic::Jobs, &mut found.jobs),
                (Topic::Outcomes, &mut found.outcomes),
                (Topic::Dead, &mut found.dead),
            ] {
                if topic.name() == self.topic(known) {
                    *seen = partitions;
                }
            }
        }
        found.copies = least.unwrap_or_default();
        Ok(found)
    }

    fn make(&self, missing: &[Topic], shards: u32, brokers: usize) -> Result<(), TopicsError> {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().map_err(|error| self.blamed(&error))?;
        let copies = brokers.clamp(1, COPIES);
        let names: Vec<(String, Topic)> =
            missing.iter().map(|topic| (self.topic(*topic), *topic)).collect();
        let in_sync = copies.saturating_sub(1).max(1).to_string();
        let wanted: Vec<NewTopic<'_>> = names
            .iter()
            .map(|(name, topic)| wanted(name, *topic, shards, copies, &in_sync))
            .collect();
        let options =
            AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let made =
            tokio::runtime::Handle::current().block_on(admin.create_topics(&wanted, &options));
        for made in made.map_err(|error| self.told(&error, &Heard::default()))? {
            match made {
                // Another scheduler was faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    let us = self.sasl.as_ref().map_or(&self.client, |login| &login.user);
                    let topics: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
                    return Err(TopicsError::Refused(format!(
                        "topic {name} cannot be made: {code}; allow {us} to make topics, or make {} \
                         with {shards} partitions and message.timestamp.type=LogAppendTime",
                        topics.join(", ")
                    )));
                }
            }
        }
        Ok(())
    }

    /// `error` in our words, with what was `heard` beside it.
    fn told(&self, error: &KafkaError, heard: &Heard) -> TopicsError {
        let reason = heard.last().unwrap_or_else(|| error.to_string());
        if heard.is_refused() || is_refusal(error.rdkafka_error_code()) {
            return TopicsError::Refused(reason);
        }
        let mut reason = reason;
        if heard.is_vague() {
            let what = match (&self.ca, &self.sasl) {
                (None, None) => "if they want TLS or a password, see --kafka-ca and --kafka-user",
                (None, Some(_)) => "if they want TLS, see --kafka-ca",
                (Some(_), None) => "if they want a password, see --kafka-user",
                (Some(_), Some(_)) => "what they listen for may be something else",
            };
            reason = format!("{reason}; {what}");
        }
        TopicsError::Away { brokers: self.brokers.join(", "), reason }
    }
}

/// A topic as it is to be made.
fn wanted<'a>(
    name: &'a str,
    topic: Topic,
    shards: u32,
    copies: usize,
    in_sync: &'a str,
) -> NewTopic<'a> {
    let (partitions, kept_ms) = match topic {
        Topic::Jobs => (shards, "86400000"),
        Topic::Outcomes => (shards, "259200000"),
        Topic::Dead => (1, "1209600000"),
    };
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
    let copies = TopicReplication::Fixed(i32::try_from(copies).unwrap_or(1));
    NewTopic::new(name, partitions, copies)
        .set("retention.ms", kept_ms)
        .set("cleanup.policy", "delete")
        .set("min.insync.replicas", in_sync)
        // The brokers' clocks are what the members' are compared with.
        .set("message.timestamp.type", "LogAppendTime")
}

/// Runs what waits for brokers where it holds up nobody.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TopicsError> + Send + 'static,
) -> Result<T, TopicsError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(TopicsError::Settings(error.to_string())),
    }
}
