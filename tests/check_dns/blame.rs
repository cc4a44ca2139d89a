//! A name server of the check is part of what is checked; one of the settings is ours.

use std::net::SocketAddr;

use hickory_resolver::proto::op::ResponseCode;
use poller::outcome::{Cause, Detail, Verdict};
use poller::target::RecordType as R;

use crate::raw_names::{Does, RawServer, bytes};
use crate::record::{LookAt, Seen};

/// The same look by a name server of the check, and by one of the settings.
async fn both(server: SocketAddr) -> [Seen; 2] {
    let look = LookAt::new("a.test", R::A, server).within(2_000);
    tokio::join!(look.clone().run(), look.by_settings().run()).into()
}

async fn answering(code: ResponseCode) -> RawServer {
    RawServer::serve(move |asked| {
        let mut answer = asked.empty();
        answer.metadata.response_code = code;
        vec![Does::Send(bytes(&answer))]
    })
    .await
}

#[tokio::test]
async fn silence_is_the_fault_of_who_named_the_server() {
    let server = RawServer::serve(|_| vec![]).await;
    let [checked, ours] = both(server.address).await;
    assert_eq!(checked.fault(), (Cause::Dns, Detail::Unanswered));
    assert_eq!(ours.fault(), (Cause::Resolver, Detail::Unanswered));
    assert_eq!(ours.finding.verdict, Verdict::Unknown);
    assert!(checked.facts.message.ends_with("does not answer"), "{checked:?}");
    assert_eq!(checked.text("nameserver"), server.address.to_string());
}

#[tokio::test]
async fn nonsense_is_the_fault_of_who_named_the_server() {
    let server = RawServer::serve(|_| vec![Does::Send(vec![0; 5])]).await;
    let [checked, ours] = both(server.address).await;
    assert_eq!(checked.fault(), (Cause::Dns, Detail::BadAnswer));
    assert_eq!(ours.fault(), (Cause::Resolver, Detail::BadAnswer));
}

#[tokio::test]
async fn a_port_without_a_server_is_told_at_once() {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let look = LookAt::new("a.test", R::A, free).within(60_000);
    let checked = look.clone().run().await;
    assert_eq!(checked.fault(), (Cause::Connect, Detail::Refused));
    assert_eq!(checked.facts.message, format!("there is no name server at {free}"));
    let ours = look.by_settings().run().await;
    assert_eq!(ours.fault(), (Cause::Resolver, Detail::Unanswered));
}

#[tokio::test]
async fn a_refusal_of_our_own_server_says_nothing_of_the_target() {
    let server = answering(ResponseCode::Refused).await;
    let [checked, ours] = both(server.address).await;
    assert_eq!(checked.fault(), (Cause::Dns, Detail::QueryRefused));
    assert_eq!(ours.fault(), (Cause::Resolver, Detail::QueryRefused));
}

#[tokio::test]
async fn a_name_that_is_not_there_is_the_targets_fault_whoever_says_so() {
    let server = answering(ResponseCode::NXDomain).await;
    for seen in both(server.address).await {
        assert_eq!(seen.fault(), (Cause::Dns, Detail::NoSuchName));
        assert_eq!(seen.text("rcode"), "NXDOMAIN");
        assert_eq!(seen.facts.message, "there is no name a.test");
    }
}

#[tokio::test]
async fn the_next_server_of_the_settings_is_asked_where_one_fails() {
    let silent = RawServer::serve(|_| vec![]).await;
    let failing = answering(ResponseCode::ServFail).await;
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let good = RawServer::serve(|asked| vec![Does::Send(asked.address(1))]).await;
    for bad in [silent.address, failing.address, free] {
        let mut look = LookAt::new("a.test", R::A, bad).within(2_000).by_settings();
        look.options.resolvers.push(good.address);
        let seen = look.run().await;
        seen.is_up();
        assert_eq!(seen.text("nameserver"), good.address.to_string());
    }
}
