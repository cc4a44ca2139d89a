//! Jobs as a member of a group takes them.

use std::time::{Duration, Instant};

use poller::queue::kafka::consumer::{Consumer, Membership};
use poller::queue::kafka::producer::{Producer, SendError};
use poller::queue::kafka::{Connection, Ticket, Topic};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::{Told, connection, engines, shared};

/// How long anything may take that is not being measured.
const PATIENCE: Duration = Duration::from_mins(2);

/// A member of the group at `eu`, whose clock is ahead by `ahead_ms`.
fn member(connection: &Connection, ahead_ms: i64) -> Consumer {
    let now_ms = Box::new(move || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        i64::try_from(since.expect("after 1970").as_millis()).expect("small") + ahead_ms
    });
    let (location, session) = ("eu".to_owned(), Duration::from_secs(6));
    Consumer::join(connection, Membership { location, session, now_ms }).expect("a member")
}

/// Who may delete things.
fn admin() -> AdminClient<DefaultClientContext> {
    let brokers = shared().bootstrap();
    ClientConfig::new().set("bootstrap.servers", brokers).create().expect("an admin")
}

/// Puts `count` records on the one partition of the topic of jobs.
fn produce(connection: &Connection, count: usize) {
    let producer = Producer::new(connection, Told::default()).expect("a producer");
    for number in 0..count {
        while producer.send((Topic::Jobs, 0), b"", b"job", number) == Err(SendError::Full) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    assert!(producer.flush(PATIENCE));
}

/// Polls until `is_enough`, and has `take` take each record; whether it was.
fn poll_until(
    consumer: &mut Consumer,
    mut take: impl FnMut(&Consumer, Ticket),
    mut is_enough: impl FnMut(&Consumer) -> bool,
) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let mut tickets = Vec::new();
        consumer.poll(Duration::from_millis(5), 512, |taken| tickets.push(taken.ticket));
        for ticket in tickets {
            take(consumer, ticket);
        }
        if is_enough(consumer) {
            return true;
        }
    }
    false
}

/// Notes that all of `tickets` are done.
fn all_done(consumer: &Consumer, tickets: Vec<Ticket>) {
    for ticket in tickets {
        consumer.done(ticket);
    }
}

/// Takes `count` records, and returns their tickets.
fn take(consumer: &mut Consumer, count: usize) -> Vec<Ticket> {
    let taken = std::cell::RefCell::new(Vec::new());
    let push = |_: &Consumer, ticket| taken.borrow_mut().push(ticket);
    assert!(poll_until(consumer, push, |_| taken.borrow().len() >= count), "{consumer:?}");
    taken.into_inner()
}

#[tokio::test]
async fn a_job_that_takes_long_holds_up_no_other_of_its_partition() {
    /// More than anybody would keep in memory for the sake of one.
    const COUNT: usize = 250_000;
    if !engines::are_here() {
        return;
    }
    let connection = connection(shared().bootstrap(), "long");
    connection.ensure_topics(1).await.expect("topics");
    produce(&connection, COUNT);
    let mut consumer = member(&connection, 0);
    let (mut long, mut count) = (None, 0);
    let is_all = std::cell::Cell::new(false);
    let take = |consumer: &Consumer, ticket: Ticket| {
        count += 1;
        is_all.set(count == COUNT);
        match long {
            None => long = Some(ticket),
            Some(_) => consumer.done(ticket),
        }
    };
    assert!(poll_until(&mut consumer, take, |_| is_all.get()), "{consumer:?}");
    let long = long.expect("a first one");
    assert_eq!(long.offset(), 0);
    // Nothing of it is committed before the first one is done.
    assert!(consumer.commit());
    drop(consumer);
    let mut consumer = member(&connection, 0);
    let again = self::take(&mut consumer, COUNT);
    assert_eq!(again.first().map(|ticket| ticket.offset()), Some(0));
    all_done(&consumer, again);
    let is_told = |consumer: &Consumer| consumer.behind() == Some(0);
    assert!(poll_until(&mut consumer, |_, _| {}, is_told), "{:?}", consumer.behind());
    consumer.hold(true);
    produce(&connection, 7);
    let is_told = |consumer: &Consumer| consumer.behind() == Some(7);
    assert!(poll_until(&mut consumer, |_, _| panic!("held"), is_told), "{:?}", consumer.behind());
    consumer.hold(false);
    assert_eq!(self::take(&mut consumer, 7).len(), 7);
    assert_eq!((consumer.partitions(), consumer.gone()), (1, 0));
}

#[tokio::test]
async fn a_new_group_begins_with_what_may_still_mean_something() {
    if !engines::are_here() {
        return;
    }
    let connection = connection(shared().bootstrap(), "fresh");
    connection.ensure_topics(1).await.expect("topics");
    produce(&connection, 10);
    // To it those came ten minutes ago.
    let mut consumer = member(&connection, 600_000);
    assert!(poll_until(&mut consumer, |_, _| panic!("old"), |ours| ours.partitions() == 1));
    // Whoever comes after it begins where it began, though nothing was done.
    produce(&connection, 5);
    let taken = take(&mut consumer, 5);
    assert_eq!(taken.first().map(|ticket| ticket.offset()), Some(10));
    drop(consumer);
    let mut consumer = member(&connection, 600_000);
    assert_eq!(take(&mut consumer, 5).first().map(|ticket| ticket.offset()), Some(10));
}

#[tokio::test]
async fn what_is_gone_is_counted_and_what_is_there_is_taken() {
    if !engines::are_here() {
        return;
    }
    let connection = connection(shared().bootstrap(), "gone");
    connection.ensure_topics(1).await.expect("topics");
    produce(&connection, 100);
    let mut consumer = member(&connection, 0);
    let taken = take(&mut consumer, 100);
    taken.into_iter().take(10).for_each(|ticket| consumer.done(ticket));
    assert!(consumer.commit());
    drop(consumer);
    let mut before = TopicPartitionList::new();
    before.add_partition_offset("gone.jobs", 0, Offset::Offset(60)).expect("an offset");
    admin().delete_records(&before, &AdminOptions::new()).await.expect("deleted");
    let mut consumer = member(&connection, 0);
    let taken = take(&mut consumer, 40);
    assert_eq!(taken.first().map(|ticket| ticket.offset()), Some(60));
    assert_eq!((taken.len(), consumer.gone()), (40, 50));
    all_done(&consumer, taken);
    assert!(consumer.commit());
    produce(&connection, 1);
    let taken = take(&mut consumer, 1);
    assert_eq!(taken.first().map(|ticket| ticket.offset()), Some(100));
    assert_eq!(consumer.gone(), 50);
}

#[tokio::test]
async fn a_topic_that_was_made_anew_is_taken_from_its_beginning() {
    if !engines::are_here() {
        return;
    }
    let connection = connection(shared().bootstrap(), "again");
    connection.ensure_topics(1).await.expect("topics");
    produce(&connection, 50);
    let mut consumer = member(&connection, 0);
    let old = take(&mut consumer, 50);
    let removed = admin().delete_topics(&["again.jobs"], &AdminOptions::new()).await;
    assert_eq!(removed.expect("asked"), [Ok("again.jobs".to_owned())]);
    // Brokers may take a while to forget it.
    while connection.ensure_topics(1).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    produce(&connection, 5);
    let new = take(&mut consumer, 5);
    let offsets: Vec<i64> = new.iter().map(|ticket| ticket.offset()).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4]);
    assert!(!consumer.is_ours(old[49]) && consumer.is_ours(new[0]));
    // What is done of the old one says nothing of the new one.
    all_done(&consumer, old);
    new.into_iter().take(2).for_each(|ticket| consumer.done(ticket));
    assert!(consumer.commit());
    drop(consumer);
    let mut consumer = member(&connection, 0);
    assert_eq!(take(&mut consumer, 3).first().map(|ticket| ticket.offset()), Some(2));
}
