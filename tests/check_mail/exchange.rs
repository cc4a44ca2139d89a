//! The mail exchangers of a domain.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::MX;
use hickory_resolver::proto::rr::{Name, RData};
use poller::check::{Check as _, Checks, Facts, HttpOptions};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{IpVersion, Look, MailProbe, MailProtocol, Plan, Target};
use serde_json::json;

use crate::names::{NameServer, Says};
use crate::probes::{Speaker, fact, look_with, target};
use crate::site::fault;
use crate::{SMTP, plan, speaking};

fn mx(preference: u16, name: &str) -> RData {
    RData::MX(MX::new(preference, Name::from_ascii(name).expect("a name")))
}

fn at(last: u8) -> Says {
    Says::Addresses(vec![IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))], 60)
}

fn domain(port: u16) -> Target {
    let probe = MailProbe { mx: Look::Yes, ..speaking(MailProtocol::Smtp) };
    let plan = Plan { ip_version: IpVersion::V4, ..plan(probe) };
    target(&format!("smtp://a.example:{port}"), plan)
}

fn asking(names: &NameServer) -> HttpOptions {
    HttpOptions { resolvers: vec![names.address], ..HttpOptions::default() }
}

async fn look_up(names: &NameServer, port: u16, timeout_ms: u32) -> (Finding, Facts) {
    let mut target = domain(port);
    target.timeout_ms = timeout_ms;
    look_with(asking(names), target).await
}

#[tokio::test]
async fn the_first_exchanger_that_accepts_is_spoken_to_in_the_order_of_preference() {
    let server = Speaker::plain("220 ready\r\n", &[SMTP]).await;
    let names = NameServer::serve(|name, _| match name {
        "a.example" => Says::Records(vec![
            mx(30, "last.example."),
            mx(10, "Gone.example."),
            mx(20, "refuses.example."),
            mx(25, "accepts.example."),
        ]),
        "refuses.example" => at(77),
        "accepts.example" => at(1),
        _ => Says::Code(ResponseCode::NXDomain, 1),
    })
    .await;
    let (finding, facts) = look_up(&names, server.site.address.port(), 10_000).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?} {facts:?}");
    assert_eq!(fact(&facts, "host"), "accepts.example");
    assert_eq!(
        fact(&facts, "mx_records"),
        json!([
            { "preference": 10, "exchange": "gone.example" },
            { "preference": 20, "exchange": "refuses.example" },
            { "preference": 25, "exchange": "accepts.example" },
            { "preference": 30, "exchange": "last.example" },
        ])
    );
    assert_eq!(fact(&facts, "addresses"), json!(["127.0.0.1"]));
    assert!(finding.phases.resolve.get().is_some());
}

#[tokio::test]
async fn who_takes_the_mail_of_a_domain_is_asked_for_as_seldom_as_an_address() {
    let server = Speaker::plain("220 ready\r\n", &[SMTP]).await;
    let names = NameServer::serve(|name, _| match name {
        "a.example" => Says::Records(vec![mx(10, "mail.example.")]),
        _ => at(1),
    })
    .await;
    let checks = Checks::new(asking(&names)).expect("good options");
    for _ in 0..3 {
        let (finding, ()) = checks.check(Arc::new(domain(server.site.address.port()))).await;
        assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    }
    assert_eq!(names.most_of_one(), 1);
}

#[tokio::test]
async fn a_domain_without_exchangers_takes_its_mail_itself() {
    let server = Speaker::plain("220 ready\r\n", &[SMTP]).await;
    let names = NameServer::serve(|_, _| at(1)).await;
    let (finding, facts) = look_up(&names, server.site.address.port(), 10_000).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?} {facts:?}");
    assert_eq!(fact(&facts, "host"), "a.example");
    assert_eq!(fact(&facts, "mx_records"), json!([]));
}

#[tokio::test]
async fn a_domain_that_takes_no_mail_says_so() {
    let names = NameServer::serve(|_, _| Says::Records(vec![mx(0, ".")])).await;
    let (finding, facts) = look_up(&names, 25, 10_000).await;
    assert_eq!(fault(&finding), (Cause::Dns, Detail::NoMail), "{facts:?}");
    assert!(finding.is_permanent());
    assert!(facts.message.contains("takes no mail"), "{}", facts.message);
}

#[tokio::test]
async fn what_name_servers_fail_by_is_told() {
    for (code, expected) in [
        (ResponseCode::NXDomain, (Cause::Dns, Detail::NoSuchName)),
        (ResponseCode::ServFail, (Cause::Dns, Detail::ServerFailure)),
        (ResponseCode::Refused, (Cause::Resolver, Detail::QueryRefused)),
    ] {
        let names = NameServer::serve(move |_, _| Says::Code(code, 1)).await;
        let (finding, _) = look_up(&names, 25, 10_000).await;
        assert_eq!(fault(&finding), expected);
    }
    let names = NameServer::serve(|_, _| Says::Nothing).await;
    let (finding, _) = look_up(&names, 25, 300).await;
    assert_eq!(fault(&finding), (Cause::Resolver, Detail::Unanswered));
}

#[tokio::test]
async fn an_exchanger_of_which_nobody_knows_leaves_time_for_the_next() {
    let server = Speaker::plain("220 ready\r\n", &[SMTP]).await;
    let names = NameServer::serve(|name, _| match name {
        "a.example" => Says::Records(vec![mx(1, "silent.example."), mx(2, "accepts.example.")]),
        "accepts.example" => at(1),
        _ => Says::Nothing,
    })
    .await;
    let (finding, facts) = look_up(&names, server.site.address.port(), 6_000).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?} {facts:?}");
    assert_eq!(fact(&facts, "host"), "accepts.example");
}

#[tokio::test]
async fn who_is_reached_by_none_of_its_exchangers_is_told_by_the_first() {
    let names = NameServer::serve(|name, _| match name {
        "a.example" => Says::Records(vec![mx(1, "b.example."), mx(2, "c.example.")]),
        "b.example" => at(77),
        _ => Says::Code(ResponseCode::NXDomain, 1),
    })
    .await;
    let site = crate::site::Site::serve(|_, _| async {}).await;
    let (finding, _) = look_up(&names, site.address.port(), 10_000).await;
    assert_eq!(fault(&finding), (Cause::Connect, Detail::Refused));
}
