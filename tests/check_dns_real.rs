//! DNS records of real name servers are told as their zones have them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/pki.rs"]
mod pki;
#[path = "support/real.rs"]
mod real;
#[path = "support/record.rs"]
mod record;
#[path = "support/site.rs"]
mod site;

use std::net::SocketAddr;

use poller::outcome::{Cause, Detail};
use poller::target::{Look, RecordType as R};
use real::{Nsd, Unbound, zones};
use record::{LookAt, Seen};

async fn look(host: &str, record: R, server: SocketAddr) -> Seen {
    LookAt::new(host, record, server).run().await
}

#[tokio::test]
async fn every_type_is_told_as_its_zone_has_it() {
    let Some(nsd) = Nsd::start() else { return };
    let mail = "0 iodef \"mailto:hostmaster@example.test\"";
    let soa = "ns1.example.test hostmaster.example.test 2026010101 7200 3600 1209600 60";
    let wanted: [(&str, R, &[&str]); 14] = [
        ("example.test", R::A, &["192.0.2.1"]),
        ("example.test", R::Aaaa, &["2001:db8::1"]),
        ("example.test", R::Ns, &["ns1.example.test", "ns2.example.test"]),
        ("example.test", R::Mx, &["10 mail.example.test", "20 backup.example.test"]),
        ("nomail.example.test", R::Mx, &["0 ."]),
        ("example.test", R::Soa, &[soa]),
        ("example.test", R::Txt, &["v=spf1 -all"]),
        ("multi.example.test", R::Txt, &["firstsecondthird; with spaces"]),
        ("example.test", R::Caa, &[mail, "0 issue \"ca.example.test\""]),
        (
            "_sip._tcp.example.test",
            R::Srv,
            &["10 60 5060 www.example.test", "20 0 5061 mail.example.test"],
        ),
        ("192.0.2.25", R::Ptr, &["mail.example.test", "mx.example.test"]),
        ("10.2.0.192.in-addr.arpa", R::Ptr, &["www.example.test"]),
        ("[2001:db8::10]", R::Ptr, &["www.example.test"]),
        ("any.wild.example.test", R::A, &["192.0.2.77"]),
    ];
    for (host, record, values) in wanted {
        let seen = LookAt::new(host, record, nsd.address()).expecting(values).run().await;
        seen.is_up();
        assert_eq!(seen.values(), values, "{host}");
        assert_eq!(seen.fact("matched"), true, "{host}");
        assert_eq!(seen.text("rcode"), "NOERROR");
        assert_eq!(seen.text("transport"), "udp");
        assert!(seen.finding.phases.first_byte.get().is_some());
    }
}

#[tokio::test]
async fn keys_and_their_digests_are_told() {
    let Some(nsd) = Nsd::start() else { return };
    let keys = look(zones::SIGNED, R::Dnskey, nsd.address()).await;
    keys.is_up();
    let [key] = keys.values()[..] else { panic!("{keys:?}") };
    let anchor = std::fs::read_to_string(&nsd.anchors()[0]).unwrap();
    let file = nsd.anchors()[0].with_extension("key");
    let written = std::fs::read_to_string(file).unwrap();
    let wanted = written.split("DNSKEY").nth(1).unwrap().split(';').next().unwrap().trim();
    LookAt::new(zones::SIGNED, R::Dnskey, nsd.address()).expecting(&[wanted]).run().await.is_up();
    assert!(key.starts_with("256 3 13 ") || key.starts_with("257 3 13 "), "{key} {anchor}");
}

#[tokio::test]
async fn aliases_are_followed_within_an_answer() {
    let Some(nsd) = Nsd::start() else { return };
    let Some(unbound) = Unbound::start(&nsd) else { return };
    for server in [nsd.address(), unbound.address()] {
        let chain = look("chain.example.test", R::A, server).await;
        chain.is_up();
        assert_eq!(chain.values(), ["192.0.2.10", "192.0.2.11"]);
        let names: Vec<_> = chain.fact("canonical_names").as_array().unwrap().iter().collect();
        assert_eq!(names, ["alias.example.test", "www.example.test"]);
        let alias = look("chain.example.test", R::Cname, server).await;
        assert_eq!(alias.values(), ["alias.example.test"]);
        let dangling = look("dangling.example.test", R::A, server).await;
        assert_eq!(dangling.fault(), (Cause::Dns, Detail::NoSuchName));
        assert!(dangling.facts.message.contains("nowhere.example.test"), "{dangling:?}");
    }
}

#[tokio::test]
async fn aliases_in_a_circle_lead_to_no_record() {
    let Some(nsd) = Nsd::start() else { return };
    let circle = look("loop1.example.test", R::A, nsd.address()).await;
    assert_eq!(circle.fault(), (Cause::Dns, Detail::NoRecord), "{circle:?}");
    assert!(circle.facts.message.contains("circle"), "{circle:?}");
    let names: Vec<_> = circle.fact("canonical_names").as_array().unwrap().iter().collect();
    assert_eq!(names, ["loop2.example.test", "loop1.example.test"]);
    assert!(circle.finding.is_permanent());
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let Some(nsd) = Nsd::start() else { return };
    let Some(unbound) = Unbound::start(&nsd) else { return };
    for server in [nsd.address(), unbound.address()] {
        let gone = look("nowhere.example.test", R::A, server).await;
        assert_eq!(gone.fault(), (Cause::Dns, Detail::NoSuchName));
        assert_eq!(gone.text("rcode"), "NXDOMAIN");
        let none = look("textonly.example.test", R::A, server).await;
        assert_eq!(none.fault(), (Cause::Dns, Detail::NoRecord));
        assert!(gone.finding.is_permanent() && none.finding.is_permanent());
    }
    let foreign = look("www.example.com", R::A, nsd.address()).await;
    assert_eq!(foreign.fault(), (Cause::Dns, Detail::QueryRefused));
    assert_eq!(foreign.text("rcode"), "REFUSED");
    let failing = look("www.example.com", R::A, unbound.address()).await;
    assert_eq!(failing.fault(), (Cause::Dns, Detail::ServerFailure));
}

#[tokio::test]
async fn an_answer_that_does_not_fit_comes_whole_over_tcp() {
    let Some(nsd) = Nsd::start() else { return };
    let Some(unbound) = Unbound::start(&nsd) else { return };
    for server in [nsd.address(), unbound.address()] {
        let many = look("many.example.test", R::Txt, server).await;
        many.is_up();
        assert_eq!(many.values().len(), zones::MANY);
        assert_eq!(many.text("transport"), "tcp");
        let fitting = look("many.example.test", R::A, server).await;
        assert_eq!(fitting.text("transport"), "udp", "it fits into 1232 bytes");
        assert_eq!(fitting.values().len(), zones::MANY);
    }
}

async fn secured(host: &str, server: SocketAddr) -> Seen {
    let mut look = LookAt::new(host, R::A, server);
    look.probe.dnssec = Look::Yes;
    look.run().await
}

#[tokio::test]
async fn good_signatures_are_told_from_bad_ones_and_none() {
    let Some(nsd) = Nsd::start() else { return };
    let Some(unbound) = Unbound::start(&nsd) else { return };
    let secure = secured("www.signed.test", unbound.address()).await;
    secure.is_up();
    assert_eq!(secure.text("dnssec/status"), "secure");
    assert_eq!(secure.fact("dnssec/authenticated"), true);
    assert_eq!(secure.fact("dnssec/signed"), true);
    let bogus = secured("www.broken.test", unbound.address()).await;
    assert_eq!(bogus.fault(), (Cause::Dns, Detail::Bogus));
    assert_eq!(bogus.text("dnssec/status"), "bogus");
    assert_eq!(bogus.fact("dnssec/signed"), true);
    assert!(bogus.finding.is_permanent());
    let unsigned = secured("www.example.test", unbound.address()).await;
    assert_eq!(unsigned.fault(), (Cause::Assertion, Detail::Unsigned));
    assert_eq!(unsigned.text("dnssec/status"), "unsigned");
    assert_eq!(unsigned.values().len(), 2);
    let gone = secured("nowhere.signed.test", unbound.address()).await;
    assert_eq!(gone.fault(), (Cause::Dns, Detail::NoSuchName));
    assert_eq!(gone.text("dnssec/status"), "secure");
    let gone = secured("nowhere.example.test", unbound.address()).await;
    assert_eq!(gone.fault(), (Cause::Dns, Detail::NoSuchName));
    assert_eq!(gone.text("dnssec/status"), "unsigned");
    assert_eq!(gone.fact("dnssec/signed"), false);
    // Who fails by something else has found no wrong signatures.
    let failing = secured("www.example.com", unbound.address()).await;
    assert_eq!(failing.fault(), (Cause::Dns, Detail::ServerFailure));
    assert_eq!(failing.text("dnssec/status"), "indeterminate");
}

#[tokio::test]
async fn who_is_authoritative_vouches_for_no_signatures() {
    let Some(nsd) = Nsd::start() else { return };
    let signed = secured("www.signed.test", nsd.address()).await;
    signed.is_up();
    assert_eq!(signed.text("dnssec/status"), "indeterminate");
    assert_eq!(signed.fact("dnssec/signed"), true);
    assert_eq!(signed.fact("dnssec/authenticated"), false);
}

#[tokio::test]
async fn resolvers_that_answer_otherwise_are_counted() {
    let Some(nsd) = Nsd::start() else { return };
    let other = "local-data: \"www.example.test. A 192.0.2.99\"";
    let resolvers: Vec<_> =
        ["", "", other].iter().filter_map(|lines| Unbound::start_with(&nsd, lines)).collect();
    if resolvers.is_empty() {
        return;
    }
    let mut look = LookAt::new("www.example.test", R::A, nsd.address());
    look.probe.resolvers = resolvers.iter().map(Unbound::address).collect();
    let split = look.clone().run().await;
    assert_eq!(split.fault(), (Cause::Assertion, Detail::NotPropagated));
    assert_eq!(split.fact("propagation/agreeing"), 2);
    assert_eq!(split.fact("propagation/total"), 3);
    assert_eq!(split.fact("propagation/percentage"), 66.6);
    assert_eq!(split.text("propagation/resolvers/2/status"), "differs");
    assert_eq!(split.text("propagation/resolvers/2/values/0"), "192.0.2.99");
    look.probe.propagation_threshold = 66;
    look.run().await.is_up();
}
