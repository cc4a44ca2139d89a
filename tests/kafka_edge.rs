//! Topics and records, against a real Kafka.
#![cfg(feature = "distributed")]
#![allow(clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/engines.rs"]
mod engines;
#[path = "kafka_edge/letters.rs"]
mod letters;
#[path = "kafka_edge/reading.rs"]
mod reading;
#[path = "kafka_edge/refusals.rs"]
mod refusals;
#[path = "kafka_edge/taking.rs"]
mod taking;
#[path = "support/topic_reader.rs"]
mod topic_reader;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engines::{Brokers, Kafka, PASSWORD, Security, USER};
use poller::queue::kafka::jobs::{JobTopic, fixed};
use poller::queue::kafka::messages::{self, JobMessage, Report};
use poller::queue::kafka::producer::{Deliveries, Delivery, Producer, SendError};
use poller::queue::kafka::topics::TopicsError;
use poller::queue::kafka::{Connection, Login, Topic};
use poller::queue::{Full, JobSink as _, Settled, Slot};
use poller::target::TargetId;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

fn shared() -> &'static Kafka {
    static SHARED: OnceLock<Kafka> = OnceLock::new();
    SHARED.get_or_init(|| Kafka::start(Brokers::One, Security::None))
}

fn connection(brokers: &str, prefix: &str) -> Connection {
    Connection {
        brokers: vec![brokers.to_owned()],
        ca: None,
        identity: None,
        sasl: None,
        prefix: prefix.to_owned(),
        client: "test".to_owned(),
    }
}

/// What became of records, by token: when the broker took it, or none.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Ended>>>);

type Ended = (usize, Option<i64>);

impl Deliveries for Told {
    fn delivered(&self, token: usize, delivery: Delivery<'_>) {
        let at_ms = match delivery {
            Delivery::Acknowledged { at_ms, .. } => at_ms,
            Delivery::Failed(_) => None,
        };
        self.0.lock().expect("whole").push((token, at_ms));
    }
}

#[tokio::test]
async fn topics_are_made_once_and_fit_the_shards() {
    if !engines::are_here() {
        return;
    }
    let connection = connection(shared().bootstrap(), "made");
    assert_eq!(connection.shards().await, Err(TopicsError::Missing("made.jobs".to_owned())));
    let (one, other) = tokio::join!(connection.ensure_topics(8), connection.ensure_topics(8));
    assert_eq!((one, other), (Ok(()), Ok(())), "two may do it at once");
    assert_eq!(connection.shards().await, Ok(8));
    let described = connection.describe().await.expect("described");
    assert_eq!((described.brokers, described.outcomes, described.dead), (1, Some(8), Some(1)));
    let refused = connection.ensure_topics(16).await.expect_err("another number");
    assert!(!refused.is_passing());
    assert_eq!(
        refused.to_string(),
        "topic made.jobs has 8 partitions and the database 16 shards; delete the topic, or name \
         others with --topics"
    );
}

#[tokio::test]
async fn a_topic_of_somebody_elses_is_named_and_none_is_made_beside_it() {
    if !engines::are_here() {
        return;
    }
    shared().make_topic("odd.jobs", 3);
    let connection = connection(shared().bootstrap(), "odd");
    let refused = connection.ensure_topics(4).await.expect_err("another number");
    assert!(refused.to_string().contains("odd.jobs has 3 partitions and the database 4"));
    let described = connection.describe().await.expect("described");
    assert_eq!((described.jobs, described.outcomes, described.dead), (Some(3), None, None));
    shared().make_topic("odd.outcomes", 4);
    let said = connection.shards().await.expect_err("two numbers").to_string();
    assert!(said.contains("odd.jobs has 3 partitions and topic odd.outcomes has 4"), "{said}");
    let refused = connection.look_for_topics(4).await.expect_err("another number");
    assert!(refused.to_string().contains("odd.jobs has 3 partitions"), "{refused}");
}

/// Makes the topic `name` with one partition, set to `settings`.
async fn make_topic(name: &str, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", shared().bootstrap())
        .create()
        .expect("a client");
    let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("asked");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// Makes the topics of jobs and outcomes of `prefix`, set to `settings`.
async fn make_topics(prefix: &str, settings: &[(&str, &str)]) {
    for topic in ["jobs", "outcomes"] {
        make_topic(&format!("{prefix}.{topic}"), settings).await;
    }
}

#[tokio::test]
async fn topics_that_others_made_have_to_be_set_right() {
    if !engines::are_here() {
        return;
    }
    let brokers = shared().bootstrap();
    make_topics("own", &[]).await;
    let refused = connection(brokers, "own").ensure_topics(1).await.expect_err("our own time");
    assert!(!refused.is_passing());
    assert_eq!(
        refused.to_string(),
        format!(
            "topic own.jobs has message.timestamp.type=CreateTime; run kafka-configs.sh \
             --bootstrap-server {brokers} --alter --entity-type topics --entity-name own.jobs \
             --add-config message.timestamp.type=LogAppendTime"
        )
    );
    // What a broker tells there is our own time, and no broker's.
    let told = Told::default();
    let producer = Producer::new(&connection(brokers, "own"), told.clone()).expect("a producer");
    producer.send((Topic::Jobs, 0), b"", b"", 7).expect("room");
    assert!(producer.flush(Duration::from_mins(1)));
    assert_eq!(*told.0.lock().expect("whole"), [(7, None)]);
    let time = ("message.timestamp.type", "LogAppendTime");
    make_topics("narrow", &[time, ("max.message.bytes", "100000")]).await;
    let refused = connection(brokers, "narrow").ensure_topics(1).await.expect_err("too narrow");
    let text = refused.to_string();
    assert!(text.contains("narrow.jobs has max.message.bytes=100000; run kafka-configs"), "{text}");
    make_topics("well", &[time]).await;
    assert_eq!(connection(brokers, "well").ensure_topics(1).await, Ok(()));
    let described = connection(brokers, "well").describe().await.expect("described");
    assert_eq!(described.copies, 1);
}

#[tokio::test]
async fn a_job_that_brokers_refuse_for_its_size_is_told_as_missed_and_the_others_go_on() {
    if !engines::are_here() {
        return;
    }
    let time = ("message.timestamp.type", "LogAppendTime");
    make_topics("large", &[time, ("max.message.bytes", "300000")]).await;
    let connection = connection(shared().bootstrap(), "large");
    connection.ensure_topics(1).await.expect("topics");
    let mut topic = JobTopic::new(&connection, 1).expect("a sink");
    // What cannot be made smaller.
    let noise = (0..60_000_u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let large = noise.collect::<String>().into_bytes();
    let entries = [(1, &large[..]), (2, &b"{}"[..])];
    let mut runs = 0;
    loop {
        topic.restart(0);
        for (number, entry) in entries {
            let fixed = fixed(number, TargetId(number.into()), 1, entry);
            let (id, locations) = (TargetId(number.into()), &[][..]);
            let (due_ms, valid_until_ms) = (1_000, 2_000);
            let slot =
                Slot { number, id, due_ms, valid_until_ms, epoch: 1, locations, fixed: &fixed };
            topic.offer(0, &slot).expect("room");
        }
        assert!(topic.flush(Duration::from_mins(1)));
        runs += 1;
        match topic.settled(0, topic.mark(0)) {
            Settled::Yes => break,
            settled => assert!(settled == Settled::Failed && runs == 1, "{settled:?} of {runs}"),
        }
    }
    assert_eq!(runs, 2, "refused once, and not sent again");
    let jobs = topic_reader::read(shared().bootstrap(), "large.jobs", 1);
    let numbers =
        jobs.iter().map(|record| JobMessage::read(&record.payload).expect("a job").target);
    assert!(numbers.clone().all(|number| number == 2) && numbers.count() >= 1);
    let outcomes = topic_reader::read(shared().bootstrap(), "large.outcomes", 1);
    let told: Vec<_> = outcomes
        .iter()
        .map(|record| match Report::read(&record.payload).expect("a report").told {
            Some(messages::Told::Missed(missed)) => (missed.target, missed.due_ms, missed.reason),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [(1, 1_000, 5)]);
}

#[tokio::test]
async fn a_shard_whose_partition_stands_still_leaves_room_for_others() {
    if !engines::are_here() {
        return;
    }
    // Nobody leads any partition.
    let mut topic = JobTopic::new(&connection("127.0.0.1:1", "none"), 1_000).expect("a sink");
    let slot = Slot {
        number: 1,
        id: TargetId(1),
        due_ms: 1_000,
        valid_until_ms: 2_000,
        epoch: 1,
        locations: &[],
        fixed: &fixed(1, TargetId(1), 1, b"{}"),
    };
    let taken = (0..1_000).take_while(|_| topic.offer(7, &slot).is_ok()).count();
    assert_eq!(taken, 100, "its share of what may wait");
    assert_eq!(topic.offer(7, &slot), Err(Full::Shard));
    assert_eq!(topic.offer(8, &slot), Ok(()));
}

#[tokio::test]
async fn what_waits_for_brokers_is_bounded_in_bytes_for_each_shard() {
    // Nobody leads any partition.
    let nobody = connection("127.0.0.1:1", "none");
    let entry = vec![b' '; 65_536];
    let fixed = fixed(1, TargetId(1), 1, &entry);
    let (due_ms, valid_until_ms) = (1_000, 2_000);
    let slot = Slot {
        number: 1,
        id: TargetId(1),
        due_ms,
        valid_until_ms,
        epoch: 1,
        locations: &[],
        fixed: &fixed,
    };
    let share = 128 * 1_024 * 1_024 / 64;
    let mut topic = JobTopic::new(&nobody, 64).expect("a sink");
    for shard in 0..64 {
        let taken = (0..1_000).take_while(|_| topic.offer(shard, &slot).is_ok()).count();
        let most = share / fixed.len();
        assert!((most - 3..=most).contains(&taken), "{taken} of {most}");
        assert_eq!(topic.offer(shard, &slot), Err(Full::Shard));
    }
    let mut topic = JobTopic::new(&nobody, 4_096).expect("a sink");
    assert_eq!(topic.offer(0, &slot), Ok(()), "one of them, however small a share is");
    assert_eq!((topic.offer(0, &slot), topic.offer(1, &slot)), (Err(Full::Shard), Ok(())));
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_told_with_its_reason() {
    let away = connection("127.0.0.1:1", "away").describe().await.expect_err("nobody");
    assert!(away.is_passing());
    assert!(away.to_string().contains("refused"), "{away}");
}

#[tokio::test]
async fn each_record_has_an_end_that_is_told_with_the_brokers_time() {
    if !engines::are_here() {
        return;
    }
    let connection = connection(shared().bootstrap(), "sent");
    connection.ensure_topics(4).await.expect("topics");
    let told = Told::default();
    let producer = Producer::new(&connection, told.clone()).expect("a producer");
    for token in 0..1_000 {
        let to = (Topic::Jobs, u32::try_from(token % 4).expect("few"));
        producer.send(to, b"key", token.to_string().as_bytes(), token).expect("room");
    }
    assert!(producer.flush(Duration::from_mins(1)));
    let told: Vec<Ended> = told.0.lock().expect("whole").clone();
    assert_eq!(told.len(), 1_000);
    let records = topic_reader::read(shared().bootstrap(), "sent.jobs", 4);
    for partition in 0..4 {
        let of = |token: usize| token % 4 == partition;
        let sent: Vec<_> = told.iter().filter(|(token, _)| of(*token)).collect();
        assert!(sent.iter().is_sorted_by_key(|(token, _)| *token), "in their order");
        let kept = records.iter().filter(|record| record.partition as usize == partition);
        let kept: Vec<_> = kept.collect();
        assert_eq!(sent.len(), kept.len());
        for ((token, at_ms), record) in sent.iter().zip(kept) {
            assert_eq!(record.payload, token.to_string().into_bytes());
            assert_eq!(Some(record.at_ms), *at_ms);
        }
    }
    let large = vec![0; 2_000_000];
    assert_eq!(producer.send((Topic::Jobs, 0), b"", &large, 1), Err(SendError::TooLarge));
    let elsewhere = producer.send((Topic::Jobs, 99), b"", b"", 1);
    assert!(matches!(elsewhere, Err(SendError::Fatal(_))), "{elsewhere:?}");
}

#[tokio::test]
async fn what_waits_for_brokers_is_bounded_and_comes_when_they_are_back() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::One, Security::None);
    let connection = connection(kafka.bootstrap(), "full");
    connection.ensure_topics(1).await.expect("topics");
    let told = Told::default();
    let producer = Producer::new(&connection, told.clone()).expect("a producer");
    producer.send((Topic::Jobs, 0), b"", b"", 0).expect("room");
    assert!(producer.flush(Duration::from_mins(1)));
    kafka.kill(1);
    let taken = (1..1_000_000).find(|token| {
        producer.send((Topic::Jobs, 0), b"", b"0123456789", *token) == Err(SendError::Full)
    });
    let taken = taken.expect("a bound");
    assert!(!producer.flush(Duration::from_millis(100)));
    kafka.start_node(1);
    assert!(producer.flush(Duration::from_mins(2)));
    let tokens: Vec<usize> = told.0.lock().expect("whole").iter().map(|told| told.0).collect();
    assert_eq!(tokens, (0..taken).collect::<Vec<_>>(), "each once, in their order");
    let records = topic_reader::read(kafka.bootstrap(), "full.jobs", 1);
    assert_eq!(records.len(), taken);
    assert_eq!((producer.fatal(), producer.trouble()), (None, None));
}

#[tokio::test]
async fn a_password_is_proved_and_a_wrong_one_told() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::One, Security::Sasl);
    let login = |mechanism, password: &str| {
        let (user, password) = (USER.to_owned(), password.to_owned());
        Some(Login { mechanism, user, password })
    };
    let with = |sasl| Connection { sasl, ..connection(kafka.bootstrap(), "sasl") };
    for mechanism in ["SCRAM-SHA-256", "PLAIN"] {
        assert_eq!(with(login(mechanism, PASSWORD)).ensure_topics(2).await, Ok(()));
        let refused = with(login(mechanism, "wrong")).describe().await.expect_err("refused");
        assert!(matches!(refused, TopicsError::Refused(_)), "{refused}");
        assert!(refused.to_string().contains("uthentication"), "{refused}");
    }
}

#[tokio::test]
async fn certificates_are_shown_and_wrong_ones_told() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::One, Security::Tls);
    let file = |name: &str| kafka.directory().join(name);
    let identity = Some((file("service.cert"), file("service.key")));
    let with = |ca: PathBuf, identity| Connection {
        ca: Some(ca),
        identity,
        ..connection(kafka.bootstrap(), "tls")
    };
    assert_eq!(with(file("ca.pem"), identity.clone()).ensure_topics(2).await, Ok(()));
    let stranger = with(file("service.cert"), identity).describe().await.expect_err("a stranger");
    assert!(matches!(stranger, TopicsError::Refused(_)), "{stranger}");
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
    let nobody = with(file("ca.pem"), None).describe().await.expect_err("without a certificate");
    assert!(matches!(nobody, TopicsError::Refused(_)), "{nobody}");
    let missing = with(file("none.pem"), None).describe().await.expect_err("no such file");
    assert!(matches!(missing, TopicsError::Files(_)), "{missing}");
    assert!(missing.to_string().contains("--kafka-ca names"), "{missing}");
}
