//! Several name servers are asked at once, and those that agree are counted.

use std::sync::Arc;

use poller::outcome::{Cause, Detail};
use poller::target::RecordType as R;
use tokio::sync::Barrier;

use crate::raw_names::{Asked, Does, RawServer};
use crate::record::LookAt;

#[tokio::test]
async fn eight_name_servers_have_the_question_before_any_answers() {
    let all_have_it = Arc::new(Barrier::new(8));
    let mut servers = Vec::new();
    for _ in 0..8 {
        let answers = |asked: &Asked| vec![Does::Send(asked.address(1))];
        servers.push(RawServer::serve_together(Arc::clone(&all_have_it), answers).await);
    }
    let own = RawServer::serve(|asked| vec![Does::Send(asked.address(1))]).await;
    let mut look = LookAt::new("a.test", R::A, own.address).within(60_000);
    look.probe.resolvers = servers.iter().map(|server| server.address).collect();
    look.probe.propagation_threshold = 100;
    let seen = look.run().await;
    seen.is_up();
    assert_eq!(*seen.fact("propagation/agreeing"), 8);
    assert_eq!(*seen.fact("propagation/percentage"), 100.0);
    for (number, server) in servers.iter().enumerate() {
        assert_eq!(server.asked().len(), 1);
        let at = format!("propagation/resolvers/{number}");
        assert_eq!(seen.text(&format!("{at}/resolver")), server.address.to_string());
        assert_eq!(seen.text(&format!("{at}/status")), "agrees");
        assert!(seen.fact(&format!("{at}/response_time")).as_f64().unwrap() > 0.0);
    }
}

#[tokio::test]
async fn who_differs_fails_or_is_silent_does_not_agree() {
    let serve = |last: u8| RawServer::serve(move |asked| vec![Does::Send(asked.address(last))]);
    let (own, same, other) = (serve(1).await, serve(1).await, serve(2).await);
    let silent = RawServer::serve(|_| vec![]).await;
    let mut look = LookAt::new("a.test", R::A, own.address).within(2_000);
    look.probe.resolvers = [&same, &other, &silent, &same].map(|server| server.address).into();
    look.probe.propagation_threshold = 51;
    let seen = look.clone().run().await;
    assert_eq!(seen.fault(), (Cause::Assertion, Detail::NotPropagated));
    let status = |number: usize| seen.text(&format!("propagation/resolvers/{number}/status"));
    assert_eq!([0, 1, 2, 3].map(status), ["agrees", "differs", "unanswered", "agrees"]);
    assert_eq!(seen.facts.message, "A of a.test is 192.0.2.1; 2 of 4 name servers agree");
    look.probe.propagation_threshold = 50;
    look.clone().run().await.is_up();
    // What is expected counts, and not what our own name server says.
    look.probe.resolvers = vec![other.address];
    let expected = look.expecting(&["192.0.2.2"]).run().await;
    assert_eq!(expected.fault(), (Cause::Dns, Detail::WrongAnswer));
    assert_eq!(*expected.fact("propagation/agreeing"), 1);
}
