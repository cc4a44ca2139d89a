//! `Logs`: whether a partition is still the log that was read before, while nobody looked at it.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::{Context, partition};

/// How long brokers may take for an answer: shards whose partition nobody leads hold up others that long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks brokers about partitions of the topic of outcomes. Clones ask by the client of one reader.
#[derive(Clone)]
pub struct Logs {
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    pub(super) topic: String,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Logs({})", self.topic)
    }
}

impl Logs {
    /// Where the partition `shard` begins, if its topic was made anew since it was read up to the offset
    /// `next` at `read_ms` (Unix milliseconds): all before that was on brokers by then, and the first
    /// record of another log was not. None as well where brokers do not answer: then it is believed.
    pub async fn begins_anew(&self, shard: u32, next: i64, read_ms: i64) -> Option<i64> {
        if next <= 0 {
            return None;
        }
        let logs = self.clone();
        let asked = tokio::task::spawn_blocking(move || logs.ask(shard, next, read_ms)).await;
        match asked {
            Ok(Ok(begins)) => begins,
            Ok(Err(error)) => {
                tracing::warn!(shard, %error, "whether its topic was made anew is not known");
                None
            }
            Err(_) => None,
        }
    }

    fn ask(&self, shard: u32, next: i64, read_ms: i64) -> KafkaResult<Option<i64>> {
        let (first, _) = self.consumer.fetch_watermarks(&self.topic, partition(shard), PATIENCE)?;
        if first >= next {
            return Ok(None);
        }
        let mut asked = TopicPartitionList::new();
        let younger = Offset::Offset(read_ms.saturating_add(1));
        asked.add_partition_offset(&self.topic, partition(shard), younger)?;
        let found = self.consumer.offsets_for_times(asked, PATIENCE)?;
        let youngest = match found.elements().first() {
            Some(found) => {
                found.error()?;
                found.offset()
            }
            None => Offset::End,
        };
        Ok(Some(first).filter(|first| youngest == Offset::Offset(*first)))
    }
}
