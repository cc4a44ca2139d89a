//! Where targets of the API may lead: judged by the address that is connected to, whatever names,
//! redirects and spellings say.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/names.rs"]
mod names;
#[path = "support/probes.rs"]
mod probes;
#[path = "support/site.rs"]
mod site;

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::rr::rdata::{MX, NS, SOA};
use hickory_resolver::proto::rr::{Name, RData};
use names::{NameServer, Says};
use poller::check::{HttpOptions, Policy};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{
    DnsProbe, IcmpProbe, IpVersion, Look, MailProbe, MailProtocol, MailTls, Origin, Plan, Probe,
    Proxy, QuestionProbe, RecordType, SslProbe, Target, TcpProbe,
};
use probes::{look_with, target};
use site::Site;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FORBIDDEN: (Option<Cause>, Detail) = (Some(Cause::Internal), Detail::ForbiddenAddress);

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Options that ask `server` for names and let the API lead to `allowed`.
fn options(server: &NameServer, allowed: &str) -> HttpOptions {
    let nets = allowed.split_whitespace().map(|net| net.parse().expect("a network"));
    HttpOptions {
        resolvers: vec![server.address],
        policy: Policy::allowing(nets.collect()),
        ..HttpOptions::default()
    }
}

fn plan() -> Plan {
    Plan { ip_version: IpVersion::V4, ..Plan::default() }
}

/// A target that came through the API.
fn own(url: &str, plan: Plan) -> Target {
    Target { origin: Origin::Api, ..target(url, plan) }
}

async fn poll(options: HttpOptions, target: Target) -> Finding {
    look_with(options, target).await.0
}

fn fault(finding: &Finding) -> (Option<Cause>, Detail) {
    (finding.cause, finding.detail)
}

#[tokio::test]
async fn a_name_that_means_an_address_of_ours_is_refused_before_anything_connects() {
    let site = Site::answering(OK).await;
    for address in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0", "192.168.1.1"] {
        let server = NameServer::serve(move |_, _| Says::Addresses(vec![ip(address)], 60)).await;
        let url = format!("http://public.example:{}/", site.address.port());
        let finding = poll(options(&server, ""), own(&url, plan())).await;
        assert_eq!(fault(&finding), FORBIDDEN, "{address}");
        assert_eq!(finding.verdict, Verdict::Unknown, "it says nothing of the target");
        assert!(finding.is_permanent(), "no second try changes it");
    }
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn a_target_of_the_list_may_lead_anywhere() {
    let site = Site::answering(OK).await;
    let server = NameServer::serve(|_, _| Says::Addresses(vec![ip("127.0.0.1")], 60)).await;
    let url = format!("http://inside.example:{}/", site.address.port());
    let finding = poll(options(&server, ""), target(&url, plan())).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    // One that answers otherwise each time leads nowhere else: it is asked once.
    let site = Site::answering(OK).await;
    let server = NameServer::serve(|_, number| {
        let address = if number == 0 { "127.0.0.1" } else { "169.254.169.254" };
        Says::Addresses(vec![ip(address)], 0)
    })
    .await;
    let url = format!("http://rebinding.example:{}/", site.address.port());
    let finding = poll(options(&server, "127.0.0.1/32"), own(&url, plan())).await;
    assert_eq!((finding.verdict, site.connections()), (Verdict::Up, 1), "{finding:?}");
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn of_several_addresses_those_that_are_forbidden_are_left_out() {
    let site = Site::answering(OK).await;
    let both = || vec![ip("169.254.169.254"), ip("127.0.0.1"), ip("10.0.0.1")];
    let server = NameServer::serve(move |_, _| Says::Addresses(both(), 60)).await;
    let url = format!("http://mixed.example:{}/", site.address.port());
    let (finding, facts) = look_with(options(&server, "127.0.0.1/32"), own(&url, plan())).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    assert_eq!(facts.data["addresses"], serde_json::json!(["127.0.0.1"]));
}

#[tokio::test]
async fn a_redirect_leads_no_further_than_its_target_may() {
    let inside = Site::answering(OK).await;
    let port = inside.address.port();
    let server = NameServer::serve(|name, _| {
        let address = if name == "public.example" { "127.0.0.1" } else { "169.254.169.254" };
        Says::Addresses(vec![ip(address)], 60)
    })
    .await;
    for place in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://127.0.0.2:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://[64:ff9b::7f00:2]:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("http://0x7f000002:{port}/"),
        format!("http://0177.0.0.2:{port}/"),
        "http://hidden.example/".to_owned(),
    ] {
        let answer = format!("HTTP/1.1 302 Go\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
        let site = Site::answering(answer).await;
        let url = format!("http://public.example:{}/", site.address.port());
        let finding = poll(options(&server, "127.0.0.1/32"), own(&url, plan())).await;
        assert_eq!((fault(&finding), finding.redirects), (FORBIDDEN, 1), "{place}");
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn checks_of_every_kind_are_held_to_it() {
    let server = NameServer::serve(|_, _| Says::Addresses(vec![ip("127.0.0.1")], 60)).await;
    let mail = MailProbe {
        protocol: MailProtocol::Smtp,
        tls: MailTls::None,
        login: None,
        mx: Look::No,
        message: None,
    };
    let question = QuestionProbe {
        name: "www.example".into(),
        record: 1,
        recursion: Look::Yes,
        tcp: Look::No,
    };
    for (url, probe) in [
        ("https://public.example/", Probe::Http),
        ("dns://public.example", Probe::Question(Box::new(question.clone()))),
        ("dns://169.254.169.254", Probe::Question(Box::new(question))),
        ("tcp://public.example:80", Probe::Tcp(TcpProbe::default())),
        ("ssl://public.example", Probe::Ssl(SslProbe::default())),
        ("smtp://public.example", Probe::Mail(Box::new(mail))),
        ("icmp://public.example", Probe::Icmp(IcmpProbe::default())),
        ("icmp://127.0.0.1", Probe::Icmp(IcmpProbe::default())),
        ("tcp://[::1]:80", Probe::Tcp(TcpProbe::default())),
    ] {
        let finding = poll(options(&server, ""), own(url, Plan { probe, ..plan() })).await;
        assert_eq!(fault(&finding), FORBIDDEN, "{url}");
    }
}

#[tokio::test]
async fn mail_exchangers_are_held_to_it() {
    let server = NameServer::serve(|name, _| match name {
        "public.example" => Says::Records(vec![RData::MX(MX::new(10, host("mx.example.")))]),
        _ => Says::Addresses(vec![ip("127.0.0.1")], 60),
    })
    .await;
    let mail = MailProbe {
        protocol: MailProtocol::Smtp,
        tls: MailTls::None,
        login: None,
        mx: Look::Yes,
        message: None,
    };
    let plan = Plan { probe: Probe::Mail(Box::new(mail)), ..plan() };
    let finding = poll(options(&server, ""), own("smtp://public.example", plan)).await;
    assert_eq!(fault(&finding), FORBIDDEN);
}

fn host(name: &str) -> Name {
    Name::from_ascii(name).expect("a name")
}

fn dns(probe: DnsProbe, resolver: Option<SocketAddr>) -> Plan {
    Plan { probe: Probe::Dns(Box::new(probe)), resolver, ..plan() }
}

fn question() -> DnsProbe {
    DnsProbe {
        record: RecordType::A,
        expected: Vec::new(),
        resolvers: Vec::new(),
        propagation_threshold: 80,
        authoritative: Look::No,
        dnssec: Look::No,
    }
}

#[tokio::test]
async fn name_servers_that_an_entry_names_are_held_to_it_and_ours_are_not() {
    let server = NameServer::serve(|_, _| Says::Addresses(vec![ip("192.0.2.1")], 60)).await;
    let named = own("dns://public.example?type=A", dns(question(), Some(server.address)));
    assert_eq!(fault(&poll(options(&server, ""), named).await), FORBIDDEN);
    assert_eq!(server.asked(), 0);
    let ours = own("dns://public.example?type=A", dns(question(), None));
    assert_eq!(poll(options(&server, ""), ours).await.verdict, Verdict::Up);
}

#[tokio::test]
async fn name_servers_of_a_zone_are_held_to_it() {
    let inside = NameServer::serve_at("127.0.0.1:0", |_, _| Says::Nothing).await;
    let server = NameServer::serve(|name, _| match name {
        "public.example" => Says::Records(vec![
            RData::NS(NS(host("ns.example."))),
            RData::SOA(SOA::new(host("ns.example."), host("a.example."), 1, 1, 1, 1, 1)),
            RData::A("192.0.2.1".parse().expect("an address")),
        ]),
        _ => Says::Addresses(vec![ip("127.0.0.1")], 60),
    })
    .await;
    let probe = DnsProbe { authoritative: Look::Yes, ..question() };
    let asked = own("dns://public.example?type=A", dns(probe, None));
    let (finding, facts) = look_with(options(&server, ""), asked).await;
    assert_eq!(fault(&finding), (Some(Cause::Assertion), Detail::Lame), "{:?}", facts.data);
    assert!(facts.data["authoritative"].to_string().contains("forbidden_address"), "{facts:?}");
    assert_eq!(inside.asked(), 0);
}

#[tokio::test]
async fn no_proxy_stands_before_a_target_of_the_api() {
    let proxy = Site::answering(OK).await;
    let server = NameServer::serve(|_, _| Says::Addresses(vec![ip("127.0.0.1")], 60)).await;
    let address = poller::address::Address::parse(&proxy.url()).expect("an address");
    let plan = Plan { proxy: Proxy::Through(address), ..plan() };
    let finding = poll(options(&server, "127.0.0.0/8"), own("http://a.example/", plan)).await;
    assert_eq!(fault(&finding), (Some(Cause::Internal), Detail::Setting));
    assert_eq!(proxy.connections(), 0);
}
