//! A look at a DNS record takes the answer to its question alone, whatever else comes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stderr, reason = "a test says that it is skipped")]

#[path = "check_dns/authority.rs"]
mod authority;
#[path = "check_dns/bad_answers.rs"]
mod bad_answers;
#[path = "check_dns/blame.rs"]
mod blame;
#[path = "support/raw_names.rs"]
mod raw_names;
#[path = "support/record.rs"]
mod record;
#[path = "check_dns/several.rs"]
mod several;

use hickory_resolver::proto::op::ResponseCode;
use poller::outcome::{Cause, Detail};
use poller::target::RecordType as R;
use raw_names::{Does, RawServer, Way, a, bytes};
use record::LookAt;

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let server = RawServer::serve(|asked| match asked.way {
        Way::Udp => {
            let mut answer = asked.with([a(66)]);
            answer.metadata.truncation = true;
            vec![Does::Send(bytes(&answer))]
        }
        Way::Tcp => vec![Does::Send(asked.address(1))],
    })
    .await;
    let seen = LookAt::new("a.test", R::A, server.address).run().await;
    seen.is_up();
    assert_eq!((seen.values(), seen.text("transport")), (vec!["192.0.2.1"], "tcp"));
    let asked = server.asked();
    assert_eq!(asked.iter().map(|one| one.way).collect::<Vec<_>>(), [Way::Udp, Way::Tcp]);
}

#[tokio::test]
async fn a_truncated_answer_may_be_cut_within_a_record() {
    let server = RawServer::serve(|asked| match asked.way {
        Way::Udp => {
            let mut cut = asked.address(66);
            cut[2] |= 0x02;
            cut.truncate(cut.len() - 3);
            vec![Does::Send(cut)]
        }
        Way::Tcp => vec![Does::Send(asked.address(1))],
    })
    .await;
    let seen = LookAt::new("a.test", R::A, server.address).run().await;
    assert_eq!(seen.values(), ["192.0.2.1"]);
}

#[tokio::test]
async fn who_knows_no_extension_is_asked_without() {
    for code in [ResponseCode::FormErr, ResponseCode::NotImp] {
        let server = RawServer::serve(move |asked| {
            if asked.message.edns.is_none() {
                return vec![Does::Send(asked.address(1))];
            }
            let mut refusal = asked.empty();
            refusal.queries.clear();
            refusal.metadata.response_code = code;
            vec![Does::Send(bytes(&refusal))]
        })
        .await;
        let seen = LookAt::new("a.test", R::A, server.address).run().await;
        seen.is_up();
        let asked = server.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].message.edns.as_ref().unwrap().max_payload(), 1_232);
    }
}

#[tokio::test]
async fn a_question_that_is_lost_is_sent_again() {
    let server = RawServer::serve(|asked| match asked.number {
        0 | 1 => vec![],
        _ => vec![Does::Send(asked.address(1))],
    })
    .await;
    let seen = LookAt::new("a.test", R::A, server.address).within(3_000).run().await;
    seen.is_up();
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn an_answer_that_comes_late_counts() {
    let server = RawServer::serve({
        let first = std::sync::Mutex::new(None);
        move |asked| {
            let mut first = first.lock().unwrap();
            let late = match asked.number {
                2 => first.take(),
                0 => {
                    *first = Some(asked.address(1));
                    None
                }
                _ => None,
            };
            late.map(Does::Send).into_iter().collect()
        }
    })
    .await;
    let seen = LookAt::new("a.test", R::A, server.address).within(3_000).run().await;
    seen.is_up();
}

#[tokio::test]
async fn every_look_asks_anew_from_a_port_and_with_an_id_of_its_own() {
    let server = RawServer::serve(|asked| vec![Does::Send(asked.address(1))]).await;
    for _ in 0..8 {
        LookAt::new("a.test", R::A, server.address).run().await.is_up();
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 8);
    let different = |mut numbers: Vec<u16>| {
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len() > 4
    };
    assert!(different(asked.iter().map(|one| one.message.metadata.id).collect()));
    assert!(different(asked.iter().map(|one| one.peer.port()).collect()));
}

#[tokio::test]
async fn what_is_expected_and_not_there_is_a_wrong_answer() {
    let server = RawServer::serve(|asked| vec![Does::Send(bytes(&asked.with([a(1), a(2)])))]).await;
    let look = LookAt::new("a.test", R::A, server.address);
    look.clone().expecting(&["192.0.2.2"]).run().await.is_up();
    let seen = look.expecting(&["192.0.2.2", "192.0.2.3"]).run().await;
    assert_eq!(seen.fault(), (Cause::Dns, Detail::WrongAnswer));
    assert!(seen.finding.is_permanent());
    assert_eq!(*seen.fact("matched"), false);
    assert_eq!(*seen.fact("missing"), serde_json::json!(["192.0.2.3"]));
    assert_eq!(*seen.fact("expected"), serde_json::json!(["192.0.2.2", "192.0.2.3"]));
    assert_eq!(seen.facts.message, "A of a.test is 192.0.2.1, 192.0.2.2, without 192.0.2.3");
}

#[tokio::test]
async fn a_good_answer_is_told_with_all_that_there_is_to_know() {
    let server = RawServer::serve(|asked| {
        let mut answer = asked.with([a(1)]);
        answer.metadata.recursion_available = true;
        vec![Does::Send(bytes(&answer))]
    })
    .await;
    let seen = LookAt::new("A.test", R::A, server.address).run().await;
    assert_eq!(seen.text("domain"), "a.test");
    assert_eq!(seen.text("record_type"), "A");
    assert_eq!(seen.text("nameserver"), server.address.to_string());
    assert_eq!(*seen.fact("ttl"), 300);
    assert_eq!(*seen.fact("flags"), serde_json::json!(["qr", "rd", "ra"]));
    assert_eq!(*seen.fact("canonical_names"), serde_json::json!([]));
    assert!(seen.fact("matched").is_null());
    assert!(seen.fact("query_time").as_f64().unwrap() > 0.0);
    assert_eq!(seen.facts.message, "A of a.test is 192.0.2.1");
}

#[tokio::test]
async fn an_address_is_no_domain() {
    let server = RawServer::serve(|asked| vec![Does::Send(asked.address(1))]).await;
    for host in ["192.0.2.1", "[2001:db8::1]"] {
        let seen = LookAt::new(host, R::A, server.address).run().await;
        assert_eq!(seen.fault(), (Cause::Internal, Detail::Setting));
        assert!(seen.facts.message.contains("name a domain"), "{seen:?}");
    }
    assert_eq!(server.asked().len(), 0);
}
