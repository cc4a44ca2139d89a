//! What is no answer to the question is passed over, and told when nothing better comes.

use poller::outcome::{Cause, Detail};
use poller::target::RecordType as R;

use crate::raw_names::{Asked, Does, RawServer, Way};
use crate::record::LookAt;

type Spoils = fn(&Asked) -> Vec<u8>;

/// Messages that are no answers; one that was taken would show the address 192.0.2.66.
const BAD: [(&str, Spoils); 13] = [
    ("wrong id", |asked| changed(asked, 1, 1)),
    ("no answer", |asked| changed(asked, 2, 0x80)),
    ("another operation", |asked| changed(asked, 2, 0x10)),
    ("wrong name", |asked| changed(asked, 13, 3)),
    ("wrong type", |asked| changed(asked, 21, 3)),
    ("wrong class", |asked| changed(asked, 23, 2)),
    ("no question", |asked| {
        let mut bytes = asked.address(66);
        bytes.drain(12..24);
        bytes[5] = 0;
        bytes
    }),
    ("looped pointer", |asked| owner(asked, &[0xc0, 24])),
    ("pointers in a circle", |asked| owner(asked, &[1, b'b', 0xc0, 24])),
    ("forward pointer", |asked| owner(asked, &[0xc0, 30])),
    ("overlong name", |asked| owner(asked, &[[[63; 64]; 4].as_flattened(), &[0]].concat())),
    ("too many counted", |asked| changed(asked, 7, 3)),
    ("garbage", |_| b"\x00nonsense\xff\xff\xff\xff".to_vec()),
];

/// An answer, one byte of it changed by `bits`.
fn changed(asked: &Asked, at: usize, bits: u8) -> Vec<u8> {
    let mut bytes = asked.address(66);
    bytes[at] ^= bits;
    bytes
}

/// An answer whose record has an owner that is written as `name`.
fn owner(asked: &Asked, name: &[u8]) -> Vec<u8> {
    let bytes = asked.address(66);
    // Header and question of `a.test` are 24 bytes; the owner is a pointer of two.
    [&bytes[..24], name, &bytes[26..]].concat()
}

#[tokio::test]
async fn what_is_no_answer_is_passed_over_for_one_that_is() {
    for (what, spoil) in BAD {
        let server = RawServer::serve(move |asked| {
            vec![Does::Send(spoil(asked)), Does::Send(asked.address(1))]
        })
        .await;
        let seen = LookAt::new("a.test", R::A, server.address).run().await;
        assert_eq!(seen.finding.cause, None, "{what}: {seen:?}");
        assert_eq!(seen.values(), ["192.0.2.1"], "{what}");
        assert_eq!(server.asked().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn nothing_but_what_is_no_answer_is_a_bad_answer() {
    let looks = BAD.map(|(what, spoil)| async move {
        let server = RawServer::serve(move |asked| vec![Does::Send(spoil(asked))]).await;
        let seen = LookAt::new("a.test", R::A, server.address).within(2_000).run().await;
        assert_eq!(seen.fault(), (Cause::Dns, Detail::BadAnswer), "{what}: {seen:?}");
        assert!(seen.facts.message.contains("answers "), "{what}: {seen:?}");
        assert!(!seen.finding.is_permanent());
    });
    let mut running = tokio::task::JoinSet::new();
    for look in looks {
        running.spawn(look);
    }
    running.join_all().await;
}

#[tokio::test]
async fn what_is_no_answer_is_passed_over_on_a_connection_too() {
    for (what, spoil) in BAD {
        let server = RawServer::serve(move |asked| match asked.way {
            Way::Udp => vec![Does::Send(changed(asked, 2, 2))],
            Way::Tcp => vec![Does::Send(spoil(asked)), Does::Send(asked.address(1))],
        })
        .await;
        let seen = LookAt::new("a.test", R::A, server.address).run().await;
        assert_eq!(seen.finding.cause, None, "{what}: {seen:?}");
        assert_eq!((seen.values(), seen.text("transport")), (vec!["192.0.2.1"], "tcp"), "{what}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_early_or_says_too_little_is_told() {
    let cases: [(Vec<Does>, Cause, Detail); 3] = [
        (vec![], Cause::Protocol, Detail::NoAnswer),
        (vec![Does::SendRaw(vec![0xff, 0xff, 1, 2])], Cause::Dns, Detail::BadAnswer),
        (vec![Does::SendRaw(vec![0, 0])], Cause::Dns, Detail::BadAnswer),
    ];
    for (does, cause, detail) in cases {
        let server = RawServer::serve(move |asked| {
            let cut = vec![Does::Send(changed(asked, 2, 2))];
            if asked.way == Way::Udp { cut } else { does.clone() }
        })
        .await;
        let seen = LookAt::new("a.test", R::A, server.address).run().await;
        assert_eq!(seen.fault(), (cause, detail), "{seen:?}");
    }
}

#[tokio::test]
async fn an_answer_from_another_port_is_nobodys() {
    let server = RawServer::serve(|asked| vec![Does::SendFromElsewhere(asked.address(66))]).await;
    let seen = LookAt::new("a.test", R::A, server.address).within(1_000).run().await;
    assert_eq!(seen.fault(), (Cause::Dns, Detail::Unanswered), "{seen:?}");
}

/// An answer over TCP: `pointers` of them, each to the one before, and names that walk them all.
fn winding(asked: &Asked, pointers: u16) -> Vec<u8> {
    let mut bytes = asked.address(66);
    bytes.truncate(24);
    // A record of a private type holds the pointers.
    bytes.extend([0xc0, 12, 0xff, 0, 0, 1, 0, 0, 0, 0]);
    bytes.extend((2 * pointers).to_be_bytes());
    let mut to = 12_u16;
    for _ in 0..pointers {
        let at = u16::try_from(bytes.len()).unwrap();
        bytes.extend((0xc000 | to).to_be_bytes());
        to = at;
    }
    let [high, low] = (0xc000 | to).to_be_bytes();
    let record = [high, low, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1];
    let records = (60_000 - bytes.len()) / record.len();
    bytes.extend(record.repeat(records));
    bytes[6..8].copy_from_slice(&u16::try_from(records + 1).unwrap().to_be_bytes());
    bytes
}

#[tokio::test]
async fn names_that_wind_through_thousands_of_pointers_are_not_followed() {
    let answers = async |pointers: u16| {
        let server = RawServer::serve(move |asked| match asked.way {
            Way::Udp => vec![Does::Send(changed(asked, 2, 2))],
            Way::Tcp => vec![Does::Send(winding(asked, pointers))],
        });
        LookAt::new("a.test", R::A, server.await.address).run().await
    };
    answers(8).await.is_up();
    let seen = answers(8_000).await;
    assert_eq!(seen.fault(), (Cause::Dns, Detail::BadAnswer), "{seen:?}");
}
