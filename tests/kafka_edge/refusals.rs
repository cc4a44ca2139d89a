//! What is taken for a refusal, and what is waited for.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use poller::queue::kafka::messages::Report;
use poller::queue::kafka::producer::Producer;
use poller::queue::kafka::reader::Reader;
use poller::queue::kafka::topics::TopicsError;
use poller::queue::kafka::{Connection, Topic};

use crate::engines::{Brokers, Kafka, Security};
use crate::{Told, connection, engines};

/// Somebody who speaks no TLS.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n";

/// The address of somebody who reads what comes first, says `answer` and hangs up.
fn somebody_who_says(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for taken in listener.incoming() {
            let mut taken = taken.expect("a connection");
            // What is not read has the connection reset.
            let _ = taken.read(&mut [0; 16_384]);
            let _ = taken.write_all(answer);
        }
    });
    address
}

async fn what_is_told_of(answer: &'static [u8]) -> TopicsError {
    let directory = tempfile::tempdir().expect("a directory");
    let ca = directory.path().join("ca.pem");
    let anybody = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("one");
    std::fs::write(&ca, anybody.cert.pem()).expect("a file");
    let with = Connection { ca: Some(ca), ..connection(&somebody_who_says(answer), "tls") };
    with.describe().await.expect_err("no broker")
}

#[tokio::test]
async fn who_hangs_up_before_tls_stands_is_waited_for() {
    let told = what_is_told_of(b"").await;
    assert!(told.is_passing(), "{told}");
    assert!(told.to_string().contains("SSL connection closed"), "{told}");
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_at_once() {
    let told = what_is_told_of(NO_TLS).await;
    assert!(matches!(told, TopicsError::Refused(_)), "{told}");
    assert!(told.to_string().contains("wrong version number"), "{told}");
}

/// Waits until `is_so`.
async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_broker_that_nobody_trusts_ends_no_role_as_long_as_another_may_work() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::One, Security::Tls);
    let file = |name| kafka.directory().join(name);
    let with = Connection {
        brokers: vec![somebody_who_says(NO_TLS), kafka.bootstrap().to_owned()],
        ca: Some(file("ca.pem")),
        identity: Some((file("service.cert"), file("service.key"))),
        ..connection("", "mixed")
    };
    assert_eq!(with.ensure_topics(1).await, Ok(()));
    // The one that works is away: whoever asks now is refused by the other one alone.
    kafka.stop(1);
    let told = with.describe().await.expect_err("nobody works");
    assert!(told.is_passing() && told.to_string().contains("SSL"), "{told}");
    let producer = Producer::new(&with, Told::default()).expect("a producer");
    let (reader, mut arrivals) = Reader::start(&with).expect("a reader");
    reader.assign(0, 1, 0);
    producer.send((Topic::Outcomes, 0), b"", &Report::default().to_bytes(), 7).expect("room");
    let is_told = |trouble: Option<String>| trouble.is_some_and(|text| text.contains("SSL"));
    wait_until("trouble is told", || is_told(producer.trouble()) && is_told(reader.trouble()))
        .await;
    kafka.start_node(1);
    let arrived = tokio::time::timeout(Duration::from_mins(1), arrivals.recv()).await;
    assert_eq!(arrived.expect("in time").expect("it reads").len(), 1);
    assert_eq!((producer.fatal(), reader.is_refused()), (None, false));
}

#[tokio::test]
async fn who_is_trusted_by_no_broker_at_all_is_told_to_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let ca = directory.path().join("ca.pem");
    let anybody = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("one");
    std::fs::write(&ca, anybody.cert.pem()).expect("a file");
    let brokers = vec![somebody_who_says(NO_TLS), somebody_who_says(NO_TLS)];
    let with = Connection { brokers, ca: Some(ca), ..connection("", "none") };
    let producer = Producer::new(&with, Told::default()).expect("a producer");
    let (reader, _arrivals) = Reader::start(&with).expect("a reader");
    wait_until("both refuse", || producer.fatal().is_some() && reader.is_refused()).await;
    for told in [producer.fatal(), reader.trouble()] {
        assert!(
            told.as_ref().is_some_and(|told| told.contains("wrong version number")),
            "{told:?}"
        );
    }
    // A client tries one broker after the other, at random: whoever asks may hear of one alone, and
    // then waits and asks again.
    let end = Instant::now() + Duration::from_mins(3);
    loop {
        let told = with.describe().await.expect_err("nobody works");
        assert!(told.to_string().contains("wrong version number"), "{told}");
        if matches!(told, TopicsError::Refused(_)) {
            return;
        }
        assert!(Instant::now() < end, "waited in vain: {told}");
    }
}
