//! Records that nobody could use.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use poller::queue::kafka::Topic;
use poller::queue::kafka::letters::{Letter, Letters};

use crate::{connection, engines, make_topic, shared, topic_reader};

/// The tokens of letters that have an end.
type Ended = Arc<Mutex<Vec<usize>>>;

fn letters(brokers: &str, prefix: &str) -> (Letters, Ended) {
    let ended = Ended::default();
    let told = Arc::clone(&ended);
    let tell = move |token| told.lock().expect("whole").push(token);
    let letters = Letters::new(&connection(brokers, prefix), Topic::Jobs, tell);
    (letters.expect("a way"), ended)
}

#[tokio::test]
async fn a_letter_is_what_was_read_with_its_place_and_the_reason() {
    if !engines::are_here() {
        return;
    }
    let brokers = shared().bootstrap();
    connection(brokers, "letters").ensure_topics(1).await.expect("topics");
    let (letters, ended) = letters(brokers, "letters");
    let long = vec![7; 950_000];
    for (token, bytes) in [(3, &b"what is this"[..]), (4, &long), (5, b"")] {
        letters.insist(token, &Letter { partition: 2, offset: 77, bytes, reason: "odd" }).await;
    }
    letters.settle().await;
    assert_eq!(*ended.lock().expect("whole"), [3, 4, 5]);
    let kept = topic_reader::read(brokers, "letters.dead", 1);
    assert!(kept.iter().all(|record| record.key.is_none()));
    let headers: Vec<(&str, &str)> =
        kept[0].headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        [("offset", "77"), ("partition", "2"), ("reason", "odd"), ("topic", "letters.jobs")]
    );
    assert_eq!(kept[0].payload, b"what is this");
    assert_eq!(
        kept.iter().map(|record| record.payload.len()).collect::<Vec<_>>(),
        [12, 900_000, 0]
    );
}

#[tokio::test]
async fn a_letter_that_its_topic_refuses_is_given_up_and_the_next_one_is_kept() {
    if !engines::are_here() {
        return;
    }
    let brokers = shared().bootstrap();
    make_topic("narrowed.dead", &[("max.message.bytes", "1000")]).await;
    let (letters, ended) = letters(brokers, "narrowed");
    // What cannot be made smaller.
    let noise = (0..4_000_u32).map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]);
    let long: Vec<u8> = noise.collect();
    for (token, bytes) in [(3, &long[..]), (4, b"what is this")] {
        letters.insist(token, &Letter { partition: 2, offset: 77, bytes, reason: "odd" }).await;
        letters.settle().await;
        assert_eq!(ended.lock().expect("whole").last(), Some(&token), "it has an end");
    }
    assert_eq!(*ended.lock().expect("whole"), [3, 4], "one each");
    let kept = topic_reader::read(brokers, "narrowed.dead", 1);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].payload, b"what is this");
}

#[tokio::test(start_paused = true)]
async fn letters_that_find_no_room_are_given_up_or_wait_for_ten_seconds() {
    // Nobody takes any.
    let (letters, ended) = letters("127.0.0.1:1", "none");
    let letter = Letter { partition: 0, offset: 1, bytes: b"x", reason: "odd" };
    (0..10_003).for_each(|token| letters.send(token, &letter));
    assert_eq!(*ended.lock().expect("whole"), [10_000, 10_001, 10_002]);
    let began = tokio::time::Instant::now();
    letters.insist(9, &letter).await;
    assert!(began.elapsed() >= Duration::from_secs(10));
    assert_eq!(ended.lock().expect("whole").last(), Some(&9));
    // Once they were waited for in vain, nothing else is held up.
    let began = tokio::time::Instant::now();
    letters.settle().await;
    letters.insist(10, &letter).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(ended.lock().expect("whole").len(), 5);
}
