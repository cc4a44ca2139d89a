//! What becomes of the scout's questions, by brokers that librdkafka plays itself.

use rdkafka::consumer::CommitMode;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaErrorCode, RDKafkaRespErr};

use super::*;
use crate::queue::kafka::consumer::{Consumer, Membership, Shared};
use crate::queue::kafka::trouble::Heard;
use crate::queue::kafka::{Connection, Topic};

/// The topic of jobs.
const JOBS: &str = "mock.jobs";
/// How long anything may take that is not being measured.
const LONGEST: Duration = Duration::from_mins(1);

type Brokers = MockCluster<'static, DefaultProducerContext>;

/// Two brokers with so many `partitions` of jobs, `records` in the first one.
fn brokers(partitions: i32, records: usize) -> (Brokers, Connection) {
    let brokers = MockCluster::new(2).expect("brokers");
    brokers.create_topic(JOBS, partitions, 2).expect("a topic");
    let connection = Connection {
        brokers: vec![brokers.bootstrap_servers()],
        ca: None,
        identity: None,
        sasl: None,
        prefix: "mock".to_owned(),
        client: "test".to_owned(),
    };
    assert_eq!(connection.topic(Topic::Jobs), JOBS);
    let producer: BaseProducer = connection.config().create().expect("a producer");
    for _ in 0..records {
        let record = BaseRecord::<(), str>::to(JOBS).partition(0).payload("job");
        assert!(producer.send(record).is_ok(), "no room");
    }
    producer.flush(LONGEST).expect("they are taken");
    (brokers, connection)
}

/// Somebody who asks as the scout does, and is no member.
fn asking(connection: &Connection) -> BaseConsumer<Context> {
    let (shared, heard, topic) = (Shared::default(), Heard::default(), JOBS.to_owned());
    let mut config = connection.config();
    config.set("group.id", connection.group("here"));
    config.create_with_context(Context { shared, heard, topic }).expect("a client")
}

fn member(connection: &Connection) -> Consumer {
    let membership = Membership {
        location: "here".to_owned(),
        session: Duration::from_secs(6),
        now_ms: Box::new(|| BEGINS_BACK_MS),
    };
    Consumer::join(connection, membership).expect("a member")
}

/// The offsets of the next `count` records that `member` takes, each of which is done.
fn taken(member: &mut Consumer, count: usize) -> Vec<i64> {
    let (mut taken, end) = (Vec::new(), Instant::now() + LONGEST);
    while taken.len() < count {
        assert!(Instant::now() < end, "only {taken:?}");
        let mut tickets = Vec::new();
        member.poll(Duration::from_millis(20), 100, |taken| tickets.push(taken.ticket));
        for ticket in tickets {
            taken.push(ticket.offset());
            member.done(ticket);
        }
    }
    taken
}

/// Has the group be at `offset` of the first partition.
fn commit(connection: &Connection, offset: i64) {
    let asking = asking(connection);
    let place = list(&asking, &[0], Offset::Offset(offset)).expect("a list");
    asking.commit(&place, CommitMode::Sync).expect("it is committed");
    assert_eq!(committed(connection), Some(offset));
}

fn committed(connection: &Connection) -> Option<i64> {
    let asked = list(&asking(connection), &[0], Offset::Invalid).expect("a list");
    let committed = asking(connection).committed_offsets(asked, PATIENCE).expect("an answer");
    known(&committed).0[0].1
}

#[test]
fn a_partition_that_nobody_leads_holds_up_no_other() {
    let (brokers, connection) = brokers(3, 5);
    brokers.partition_leader(JOBS, 1, None).expect("nobody leads it");
    let asking = asking(&connection);
    let places = || {
        let (places, trouble) = places(&asking, &[0, 1, 2], 0);
        let mut places: Vec<(u32, i64)> = places
            .iter()
            .map(|Place { partition, offset, is_fresh }| {
                assert!(*is_fresh);
                (*partition, *offset)
            })
            .collect();
        places.sort_unstable();
        (places, trouble)
    };
    let nobody = KafkaError::OffsetFetch(RDKafkaErrorCode::LeaderNotAvailable);
    // Brokers that are played know no times: a group that never was there begins at the end.
    assert_eq!(places(), (vec![(0, 5), (2, 0)], Some(nobody)));
    let ends = || {
        let mut ends = ends(&asking, &[0, 1, 2]).expect("an answer");
        ends.sort_unstable();
        ends
    };
    assert_eq!(ends(), [(0, 5), (2, 0)]);
    brokers.partition_leader(JOBS, 1, Some(2)).expect("somebody leads it");
    // A member asks who leads twice a minute by itself.
    asking.fetch_metadata(Some(JOBS), PATIENCE).expect("an answer");
    assert_eq!(places(), (vec![(0, 5), (1, 0), (2, 0)], None));
    assert_eq!(ends(), [(0, 5), (1, 0), (2, 0)]);
}

#[test]
fn brokers_that_do_not_say_where_it_goes_on_are_asked_again() {
    let (brokers, connection) = brokers(1, 3);
    commit(&connection, 0);
    let broken = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN; 2];
    brokers.request_errors(RDKafkaApiKey::OffsetFetch, &broken);
    let mut member = member(&connection);
    assert_eq!(taken(&mut member, 3), [0, 1, 2]);
    assert_eq!((member.partitions(), member.gone(), member.refusal()), (1, 0, None));
}

#[test]
fn brokers_that_are_away_are_asked_again() {
    let (brokers, connection) = brokers(1, 3);
    commit(&connection, 0);
    brokers.broker_down(-1).expect("they are down");
    let asking = asking(&connection);
    let (none, trouble) = places(&asking, &[0], 0);
    assert!(none.is_empty() && trouble.is_some(), "{trouble:?}");
    assert!(ends(&asking, &[0]).is_err());
    let mut member = member(&connection);
    member.poll(Duration::from_millis(20), 100, |_| panic!("from whom?"));
    assert_eq!((member.partitions(), member.behind()), (0, None));
    brokers.broker_up(-1).expect("they are up");
    assert_eq!(taken(&mut member, 3), [0, 1, 2]);
}

#[test]
fn a_place_that_the_log_does_not_have_is_left_for_its_beginning() {
    let (_brokers, connection) = brokers(1, 3);
    commit(&connection, 1_000);
    let mut member = member(&connection);
    assert_eq!(taken(&mut member, 3), [0, 1, 2]);
    assert_eq!(member.gone(), 0, "it is another log, of which nothing is gone");
    assert!(member.commit());
    assert_eq!(committed(&connection), Some(3));
}

#[test]
fn a_partition_of_which_brokers_say_nothing_holds_up_no_other() {
    let mut state = State::default();
    state.await_places([1, 2].into_iter());
    let asked = state.unknown();
    let refused = KafkaError::OffsetFetch(RDKafkaErrorCode::LeaderNotAvailable);
    let said = [(1, Offset::Invalid, Err(refused.clone())), (2, Offset::Offset(7), Ok(()))];
    let (found, trouble) = sorted(said.into_iter());
    assert_eq!((&*found, trouble), (&[(2, Some(7))][..], Some(refused)));
    let place = |(partition, offset): (u32, Option<i64>)| Place {
        partition,
        offset: offset.unwrap_or(0),
        is_fresh: false,
    };
    state.note_places(&asked, found.into_iter().map(place).collect());
    let places = state.take_places().expect("some are waited for");
    assert_eq!(places.iter().map(|place| place.partition).collect::<Vec<_>>(), [2]);
    state.begin(&places);
    assert!(state.unknown().is_empty(), "not at once");
    state.again_at = None;
    assert!(state.unknown().keys().eq([&1]), "it is asked for again");
}
