//! Whether a chain is trusted, why not, and what is told of it either way.

use poller::outcome::Detail;
use poller::target::{Look, SslProbe, Verify};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519, date_time_ymd};
use serde_json::{Value, json};

use crate::pki::{self, Shown, intermediate, leaf, root, self_signed, shown};
use crate::{Checker, Found};

/// A leaf for another host.
fn foreign() -> CertificateParams {
    CertificateParams::new(vec!["b.example".to_owned(), "c.example".to_owned()]).expect("a name")
}

/// What is told of every certificate, whatever it is.
fn tells_all(found: &Found) {
    for name in ["not_before", "not_after", "subject", "issuer", "serial_number", "cipher"] {
        assert!(!found.text(name).is_empty(), "{name}: {:#?}", found.facts);
    }
    for name in ["fingerprint_sha256", "signature_algorithm", "hostname", "remote_address"] {
        assert!(!found.text(name).is_empty(), "{name}: {:#?}", found.facts);
    }
    assert_eq!(found.text("protocol"), "TLSv1.3");
    assert!(found.fact("days_until_expiration").is_i64());
    assert!(!found.facts.message.is_empty());
    assert!(found.finding.certificate_until > 0);
}

fn is_untrusted(found: &Found, detail: Detail, reason: &str) {
    found.is_down(detail);
    tells_all(found);
    assert_eq!(found.fact("is_trusted"), false);
    assert_eq!(found.text("trust_problem"), detail.as_str());
    let told = found.text("trust_message");
    assert!(told.contains(reason), "{told}");
    assert_eq!(found.facts.message, format!("the certificate is not trusted: {told}"));
}

#[tokio::test]
async fn a_good_certificate_is_up_and_all_of_it_is_told() {
    let root = root("root");
    let middle = intermediate("middle", &root);
    let mut params = leaf("leaf");
    params.distinguished_name.push(DnType::OrganizationName, "Ex, ample\u{1b}");
    (params.not_before, params.not_after) = (date_time_ymd(2020, 2, 3), date_time_ymd(2100, 4, 5));
    params.serial_number = Some(vec![0xab, 1].into());
    let found = Checker::trusting(&root).judge(shown(&params, &middle, &[&middle, &root])).await;
    found.is_up();
    tells_all(&found);
    let names = ["hostname", "subject", "issuer", "not_before", "not_after", "serial_number"];
    assert_eq!(
        names.map(|name| found.text(name)),
        [
            "127.0.0.1",
            "O=Ex\\, ample\\1B, CN=leaf",
            "CN=middle",
            "2020-02-03T00:00:00.000Z",
            "2100-04-05T00:00:00.000Z",
            "ab:01",
        ]
    );
    assert_eq!(found.text("signature_algorithm"), "ecdsa-with-SHA256");
    assert_eq!(found.fact("key"), &json!({ "algorithm": "EC", "curve": "P-256", "bits": 256 }));
    assert_eq!(found.fact("alternative_names"), &json!(["127.0.0.1", "localhost"]));
    assert_eq!(found.text("fingerprint_sha256").len(), 32 * 3 - 1);
    assert!(found.text("cipher").starts_with("TLS_"), "{:?}", found.fact("cipher"));
    for (name, value) in [("is_trusted", true), ("hostname_matches", true)] {
        assert_eq!(found.fact(name), value, "{name}");
    }
    for name in ["trust_problem", "trust_message"] {
        assert_eq!(found.fact(name), &Value::Null, "{name}");
    }
    assert_eq!((found.fact("warning_days"), found.fact("critical_days")), (&30.into(), &14.into()));
    let days = found.fact("days_until_expiration").as_i64().unwrap();
    let message = format!("the certificate runs out in {days} days, on 2100-04-05");
    assert!(found.facts.message.starts_with(&message), "{}", found.facts.message);
    let chain = found.fact("chain").as_array().unwrap();
    let links: Vec<_> = chain
        .iter()
        .map(|link| (link["subject"].as_str().unwrap(), link["is_on_path"].as_bool().unwrap()))
        .collect();
    // The root is known here, and was sent in vain.
    assert_eq!(links[1..], [("CN=middle", true), ("CN=root", false)]);
    assert!(links[0].1);
    for name in ["issuer", "not_before", "not_after", "days_until_expiration", "serial_number"] {
        assert_eq!(&chain[0][name], found.fact(name), "{name}");
    }
    assert!(found.finding.phases.tls.get().is_some());
}

#[tokio::test]
async fn dates_that_are_over_or_to_come_are_told() {
    let root = root("root");
    let checker = Checker::trusting(&root);
    let mut params = leaf("leaf");
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2020, 1, 1);
    let found = checker.judge(shown(&params, &root, &[])).await;
    is_untrusted(&found, Detail::Expired, "the certificate expired on 2020-01-01T00:00:00.000Z, ");
    assert!(found.fact("days_until_expiration").as_i64().unwrap() < -2_000);
    (params.not_before, params.not_after) = (date_time_ymd(3000, 1, 1), date_time_ymd(3001, 1, 1));
    let found = checker.judge(shown(&params, &root, &[])).await;
    is_untrusted(&found, Detail::NotYetValid, "is not valid before 3000-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn an_intermediate_that_has_expired_is_named() {
    let root = root("root");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "old");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(2020, 1, 1);
    let old = pki::Authority::signed_by(params, pki::key(), &root).expect("an authority");
    let found = Checker::trusting(&root).judge(shown(&leaf("leaf"), &old, &[&old])).await;
    is_untrusted(&found, Detail::Expired, "the certificate CN=old expired on 2020-01-01");
    assert!(found.fact("days_until_expiration").as_i64().unwrap() > 0);
}

#[tokio::test]
async fn a_wrong_name_is_told_with_the_right_ones() {
    let root = root("root");
    let found = Checker::trusting(&root).judge(shown(&foreign(), &root, &[])).await;
    let reason = "the certificate is for b.example, c.example, and not for 127.0.0.1";
    is_untrusted(&found, Detail::WrongName, reason);
    assert_eq!(found.fact("hostname_matches"), false);
}

#[tokio::test]
async fn an_address_must_be_in_the_certificate_like_any_name() {
    let root = root("root");
    let localhost = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let mut checker = Checker::trusting(&root);
    let found = checker.judge(shown(&localhost, &root, &[])).await;
    is_untrusted(&found, Detail::WrongName, "is for localhost, and not for 127.0.0.1");
    checker.host = "localhost";
    let found = checker.judge(shown(&localhost, &root, &[])).await;
    found.is_up();
    assert_eq!(
        (found.text("hostname"), found.fact("hostname_matches")),
        ("localhost", &true.into())
    );
}

#[tokio::test]
async fn whoever_signs_a_chain_must_be_known() {
    let (trusted, other) = (root("root"), root("other"));
    let checker = Checker::trusting(&trusted);
    let found = checker.judge(self_signed(&leaf("me"))).await;
    is_untrusted(&found, Detail::SelfSigned, "the certificate CN=me is signed by itself");
    let found = checker.judge(shown(&leaf("leaf"), &other, &[&other])).await;
    let reason = "the chain ends in the self-signed certificate CN=other, which is not trusted";
    is_untrusted(&found, Detail::UnknownIssuer, reason);
    // The name of a root is no proof.
    let found = checker.judge(shown(&leaf("leaf"), &root("root"), &[])).await;
    assert!(found.finding.cause.is_some());
    assert_eq!(found.fact("is_trusted"), false);
}

#[tokio::test]
async fn an_issuer_that_was_not_sent_is_named() {
    let root = root("root");
    let (upper, checker) = (intermediate("upper", &root), Checker::trusting(&root));
    let lower = intermediate("lower", &upper);
    let found = checker.judge(shown(&leaf("leaf"), &lower, &[])).await;
    let reason = "the issuer CN=lower of the certificate was not sent, and no root bears its name";
    is_untrusted(&found, Detail::MissingIntermediate, reason);
    // What else was sent does not help, not even the root.
    let found = checker.judge(shown(&leaf("leaf"), &lower, &[&root, &upper])).await;
    is_untrusted(&found, Detail::MissingIntermediate, reason);
    let found = checker.judge(shown(&leaf("leaf"), &lower, &[&lower])).await;
    let reason = "the issuer CN=upper of the certificate CN=lower was not sent";
    is_untrusted(&found, Detail::MissingIntermediate, reason);
}

#[tokio::test]
async fn the_order_in_which_a_chain_is_sent_does_not_matter() {
    let (trusted, other) = (root("root"), root("other"));
    let checker = Checker::trusting(&trusted);
    let upper = intermediate("upper", &trusted);
    let lower = intermediate("lower", &upper);
    let found = checker.judge(shown(&leaf("leaf"), &lower, &[&trusted, &upper, &lower])).await;
    found.is_up();
    let on_path: Vec<_> = found.fact("chain").as_array().unwrap().iter().collect();
    let on_path: Vec<_> = on_path.iter().map(|link| link["is_on_path"] == true).collect();
    assert_eq!(on_path, [true, false, true, true]);
    let upper = intermediate("upper", &other);
    let lower = intermediate("lower", &upper);
    let found = checker.judge(shown(&leaf("leaf"), &lower, &[&other, &upper, &lower])).await;
    is_untrusted(&found, Detail::UnknownIssuer, "self-signed certificate CN=other");
}

#[tokio::test]
async fn an_authority_with_two_issuers_is_followed_to_the_one_that_is_known() {
    let (trusted, other) = (root("root"), root("other"));
    let pair = pki::key().serialize_pem();
    let of_both = |issuer| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "both");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::from_pem(&pair).expect("a key");
        pki::Authority::signed_by(params, key, issuer).expect("an authority")
    };
    let (known, unknown) = (of_both(&trusted), of_both(&other));
    let found =
        Checker::trusting(&trusted).judge(shown(&leaf("leaf"), &known, &[&unknown, &known])).await;
    found.is_up();
    let chain = found.fact("chain").as_array().unwrap();
    assert_eq!((&chain[1]["is_on_path"], &chain[2]["is_on_path"]), (&false.into(), &true.into()));
}

#[tokio::test]
async fn a_name_that_is_not_asked_for_is_the_only_thing_that_is_forgiven() {
    let root = root("root");
    let probe = SslProbe { name: Look::No, ..SslProbe::default() };
    let checker = Checker::trusting(&root).probing(probe);
    let found = checker.judge(shown(&foreign(), &root, &[])).await;
    found.is_up();
    assert_eq!(
        (found.fact("is_trusted"), found.fact("hostname_matches")),
        (&true.into(), &false.into())
    );
    let mut old = foreign();
    old.not_after = date_time_ymd(2020, 1, 1);
    let found = checker.judge(shown(&old, &root, &[])).await;
    is_untrusted(&found, Detail::Expired, "expired");
    let found = checker.judge(self_signed(&foreign())).await;
    is_untrusted(&found, Detail::SelfSigned, "signed by itself");
}

#[tokio::test]
async fn who_does_not_own_the_certificate_is_not_trusted_whatever_is_forgiven() {
    let root = root("root");
    let probe = SslProbe { name: Look::No, ..SslProbe::default() };
    let Shown { chain, .. } = shown(&foreign(), &root, &[]);
    let Shown { key, .. } = self_signed(&foreign());
    let key = pki::provider().key_provider.load_private_key(key).expect("a key");
    let key = rustls::sign::CertifiedKey::new(chain, key);
    let config = rustls::ServerConfig::builder_with_provider(pki::provider())
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_no_client_auth()
        .with_cert_resolver(std::sync::Arc::new(rustls::sign::SingleCertAndKey::from(key)));
    let site = pki::secure(config, "").await;
    let found = Checker::trusting(&root).probing(probe).look(site.address.port()).await;
    found.is_down(Detail::BadCertificate);
    assert_eq!(found.text("issuer"), "CN=root");
    assert!(found.facts.message.contains("did not prove"), "{}", found.facts.message);
}

#[tokio::test]
async fn what_is_not_verified_is_only_told() {
    let checker = Checker::trusting(&root("root")).verifying(Verify::Off);
    let found = checker.judge(self_signed(&leaf("me"))).await;
    found.is_up();
    tells_all(&found);
    assert_eq!(
        (found.fact("is_trusted"), found.text("trust_problem")),
        (&false.into(), "self_signed")
    );
    assert!(found.facts.message.contains("it is not trusted"), "{}", found.facts.message);
}

#[tokio::test]
async fn keys_of_other_kinds_are_told_by_their_names() {
    let checker = Checker::trusting(&root("root")).verifying(Verify::Off);
    for (algorithm, signature, key) in [
        (&PKCS_ED25519, "ed25519", json!({ "algorithm": "Ed25519", "bits": 256 })),
        (
            &rcgen::PKCS_ECDSA_P384_SHA384,
            "ecdsa-with-SHA384",
            json!({ "algorithm": "EC", "curve": "P-384", "bits": 384 }),
        ),
    ] {
        let pair = KeyPair::generate_for(algorithm).expect("a key");
        let certificate = leaf("me").self_signed(&pair).expect("a certificate");
        let der = rustls::pki_types::PrivatePkcs8KeyDer::from(pair.serialize_der()).into();
        let found = checker.judge(Shown { chain: vec![certificate.der().clone()], key: der }).await;
        found.is_up();
        assert_eq!(found.text("signature_algorithm"), signature);
        assert_eq!(found.fact("key"), &key);
    }
}
