//! Polls over TLS: every fault of a certificate and of a handshake, and what is told of them.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/pki.rs"]
mod pki;
#[path = "support/site.rs"]
mod site;

use std::sync::Arc;

use pki::{Shown, config, intermediate, leaf, root, secure, self_signed, shown};
use poller::address::Address;
use poller::check::{HttpCheck, HttpOptions};
use poller::expectation::Expectation;
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{HttpVersion, Plan, Proxy, TlsPlan, Verify};
use rcgen::date_time_ymd;
use site::{Site, fault, hang_up};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A check that trusts `authority`.
fn trusting(authority: &pki::Authority) -> (HttpCheck, TempDir) {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("ca.pem");
    pki::write_pem(&file, &[authority]);
    let options = HttpOptions { ca: Some(file), ..HttpOptions::default() };
    (HttpCheck::new(options).expect("good options"), directory)
}

async fn poll_with(check: &HttpCheck, site: &Site, plan: Plan) -> Finding {
    let url = format!("https://{}/", site.address);
    check.check(Arc::new(site::target(&url, plan))).await
}

/// What a check that trusts `authority` finds of a site that shows `shown`.
async fn judged(authority: &pki::Authority, shown: Shown) -> Finding {
    let site = secure(config(shown), OK).await;
    let (check, _directory) = trusting(authority);
    poll_with(&check, &site, Plan::default()).await
}

async fn failed(authority: &pki::Authority, shown: Shown) -> (Cause, Detail) {
    fault(&judged(authority, shown).await)
}

fn tls(detail: Detail) -> (Cause, Detail) {
    (Cause::Tls, detail)
}

#[tokio::test]
async fn a_trusted_certificate_is_up_and_its_end_is_told() {
    let (root, mut params) = (root("root"), leaf("leaf"));
    params.not_after = date_time_ymd(2100, 1, 1);
    let finding = judged(&root, shown(&params, &root, &[])).await;
    assert_eq!((finding.verdict, finding.status), (Verdict::Up, 200), "{finding:?}");
    assert_eq!(finding.certificate_until, params.not_after.unix_timestamp());
    assert!(finding.phases.tls.get().is_some());
}

#[tokio::test]
async fn the_dates_of_a_certificate_are_judged_and_told() {
    let (root, mut params) = (root("root"), leaf("leaf"));
    params.not_after = date_time_ymd(2020, 1, 1);
    let finding = judged(&root, shown(&params, &root, &[])).await;
    assert_eq!(fault(&finding), tls(Detail::Expired));
    assert_eq!(finding.certificate_until, params.not_after.unix_timestamp());
    assert_eq!(finding.status, 0);
    let mut params = leaf("leaf");
    params.not_before = date_time_ymd(3000, 1, 1);
    assert_eq!(failed(&root, shown(&params, &root, &[])).await, tls(Detail::NotYetValid));
}

#[tokio::test]
async fn the_name_and_the_issuer_are_judged() {
    let (trusted, other) = (root("root"), root("other"));
    let mut params = leaf("leaf");
    params.subject_alt_names.clear();
    let foreign = rcgen::CertificateParams::new(vec!["b.example".to_owned()]).expect("a name");
    let wrong = failed(&trusted, shown(&foreign, &trusted, &[])).await;
    assert_eq!(wrong, tls(Detail::WrongName));
    assert_eq!(failed(&trusted, self_signed(&leaf("me"))).await, tls(Detail::SelfSigned));
    let mut authority = leaf("me too");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    assert_eq!(failed(&trusted, self_signed(&authority)).await, tls(Detail::SelfSigned));
    let unknown = failed(&trusted, shown(&leaf("leaf"), &other, &[&other])).await;
    assert_eq!(unknown, tls(Detail::UnknownIssuer));
}

#[tokio::test]
async fn a_missing_intermediate_is_told_apart() {
    let root = root("root");
    let middle = intermediate("middle", &root);
    let whole = judged(&root, shown(&leaf("leaf"), &middle, &[&middle])).await;
    assert_eq!(whole.verdict, Verdict::Up);
    let part = failed(&root, shown(&leaf("leaf"), &middle, &[])).await;
    assert_eq!(part, tls(Detail::MissingIntermediate));
    let lower = intermediate("lower", &middle);
    let part = failed(&root, shown(&leaf("leaf"), &lower, &[&lower])).await;
    assert_eq!(part, tls(Detail::MissingIntermediate), "a link further up");
    let other = pki::root("other");
    let middle = intermediate("middle", &other);
    let foreign = failed(&root, shown(&leaf("leaf"), &middle, &[&middle, &other])).await;
    assert_eq!(foreign, tls(Detail::UnknownIssuer));
}

#[tokio::test]
async fn a_certificate_that_another_root_of_the_same_name_signed_is_bad() {
    let finding = failed(&root("root"), shown(&leaf("leaf"), &root("root"), &[])).await;
    assert!(
        [tls(Detail::BadCertificate), tls(Detail::UnknownIssuer)].contains(&finding),
        "{finding:?}"
    );
}

#[tokio::test]
async fn a_certificate_that_is_itself_named_as_trusted_is_trusted() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("ca.pem");
    let mut params = leaf("me");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = pki::key();
    let certificate = params.self_signed(&key).expect("a certificate");
    std::fs::write(&file, certificate.pem()).expect("a writable directory");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let shown = Shown { chain: vec![certificate.der().clone()], key };
    let site = secure(config(shown), OK).await;
    let plan = Plan { tls: TlsPlan { ca: Some(file), ..TlsPlan::default() }, ..Plan::default() };
    let finding = poll_with(&site::check(), &site, plan).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
}

#[tokio::test]
async fn what_is_not_verified_is_only_noted() {
    let site = secure(config(self_signed(&leaf("me"))), OK).await;
    let plan =
        Plan { tls: TlsPlan { verify: Verify::Off, ..TlsPlan::default() }, ..Plan::default() };
    let finding = poll_with(&site::check(), &site, plan).await;
    assert_eq!((finding.verdict, finding.status), (Verdict::Up, 200));
    assert!(finding.certificate_until > 0);
}

/// The elements of a DER sequence, tags and lengths included.
fn elements(sequence: &[u8]) -> Vec<&[u8]> {
    let ends = |der: &[u8]| match der[1] {
        0x82 => (4, 4 + usize::from(u16::from_be_bytes([der[2], der[3]]))),
        0x81 => (3, 3 + usize::from(der[2])),
        length => (2, 2 + usize::from(length)),
    };
    let mut rest = &sequence[ends(sequence).0..];
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (element, later) = rest.split_at(ends(rest).1);
        elements.push(element);
        rest = later;
    }
    elements
}

fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    let content = elements.concat();
    let length = u16::try_from(content.len()).expect("a small one").to_be_bytes();
    [&[0x30, 0x82][..], &length, &content].concat()
}

#[tokio::test]
async fn a_certificate_of_the_first_version_is_told_and_taken_where_nothing_is_verified() {
    let Shown { chain, key } = self_signed(&leaf("me"));
    // Without its version and its extensions, a certificate is one of the first version.
    let parts = elements(&chain[0]);
    let is_old = |part: &&&[u8]| part[0] != 0xa0 && part[0] != 0xa3;
    let signed: Vec<&[u8]> = elements(parts[0]).iter().filter(is_old).copied().collect();
    let old = sequence(&[&sequence(&signed), parts[1], parts[2]]);
    let key = pki::provider().key_provider.load_private_key(key).expect("a key");
    let key = rustls::sign::CertifiedKey::new(vec![old.into()], key);
    let config = rustls::ServerConfig::builder_with_provider(pki::provider())
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
    let site = secure(config, OK).await;
    let finding = poll_with(&site::check(), &site, Plan::default()).await;
    assert_eq!(fault(&finding), tls(Detail::SelfSigned));
    assert!(finding.certificate_until > 0);
    let plan =
        Plan { tls: TlsPlan { verify: Verify::Off, ..TlsPlan::default() }, ..Plan::default() };
    let finding = poll_with(&site::check(), &site, plan).await;
    assert_eq!((finding.verdict, finding.status), (Verdict::Up, 200), "{finding:?}");
    assert!(finding.certificate_until > 0);
}

#[tokio::test]
async fn a_certificate_that_runs_out_soon_is_a_warning() {
    let root = root("root");
    let (check, _directory) = trusting(&root);
    let mut params = leaf("leaf");
    let now = std::time::SystemTime::now();
    params.not_after = (now + std::time::Duration::from_hours(24 * 10)).into();
    let site = secure(config(shown(&params, &root, &[])), OK).await;
    let finding = poll_with(&check, &site, Plan::default()).await;
    assert_eq!(fault(&finding), (Cause::Assertion, Detail::CertificateDays));
    assert_eq!(finding.verdict, Verdict::Warning);
    let expect = Expectation { certificate_days: Some(9), ..Expectation::default() };
    let finding = poll_with(&check, &site, Plan { expect, ..Plan::default() }).await;
    assert_eq!(finding.verdict, Verdict::Up);
}

#[tokio::test]
async fn a_certificate_that_was_good_is_seen_to_expire() {
    let root = root("root");
    let (check, _directory) = trusting(&root);
    let mut params = leaf("leaf");
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(3);
    params.not_after = soon.into();
    let site = secure(config(shown(&params, &root, &[])), OK).await;
    let expect = Expectation { certificate_days: Some(0), ..Expectation::default() };
    let plan = Plan { expect, ..Plan::default() };
    let mut finding = poll_with(&check, &site, plan.clone()).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    while finding.verdict == Verdict::Up {
        let limit = soon + std::time::Duration::from_secs(20);
        assert!(std::time::SystemTime::now() < limit, "the end was not seen");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        finding = poll_with(&check, &site, plan.clone()).await;
    }
    assert_eq!(fault(&finding), tls(Detail::Expired));
}

#[tokio::test]
async fn a_lack_of_common_ground_is_told_whoever_notices_it() {
    let root = root("root");
    let (check, _directory) = trusting(&root);
    let mut wants_other = config(shown(&leaf("leaf"), &root, &[]));
    wants_other.alpn_protocols = vec![b"other".to_vec()];
    let site = secure(wants_other, OK).await;
    let finding = poll_with(&check, &site, Plan::default()).await;
    assert_eq!(fault(&finding), tls(Detail::Incompatible));
    assert!(finding.is_permanent());
    // A server hello of TLS 1.1, as an old server sends it.
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    let old = Site::serve(move |mut stream, _| {
        let hello = hello.clone();
        async move {
            let mut some = [0; 600];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(&hello).await;
            hang_up(stream).await;
        }
    })
    .await;
    let finding = poll_with(&check, &old, Plan::default()).await;
    assert_eq!(fault(&finding), tls(Detail::Incompatible));
}

#[tokio::test]
async fn what_is_not_tls_is_told_and_what_hangs_up_is_a_reset() {
    for (bytes, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], tls(Detail::NotTls)),
        (b"SSH-2.0-x\r\n", tls(Detail::NotTls)),
        (b"220 mail ready\r\n", tls(Detail::NotTls)),
        (b"", (Cause::Reset, Detail::None)),
    ] {
        let site = Site::serve(move |mut stream, _| async move {
            let mut some = [0; 600];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(bytes).await;
            hang_up(stream).await;
        })
        .await;
        let finding = poll_with(&site::check(), &site, Plan::default()).await;
        assert_eq!(fault(&finding), expected, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_times_out_there() {
    let site = Site::serve(|stream, _| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let url = format!("https://{}/", site.address);
    let check = site::check();
    // The first poll reads the roots, which is no part of a poll's time.
    let mut target = site::target(&url, Plan::default());
    target.timeout_ms = 500;
    let finding = check.check(Arc::new(target)).await;
    assert_eq!(fault(&finding), (Cause::Timeout, Detail::Handshaking));
    assert_eq!(finding.phases.tls.get(), None);
}

#[tokio::test]
async fn a_body_that_ends_without_a_farewell_is_whole() {
    let root = root("root");
    let (check, _directory) = trusting(&root);
    let shown = shown(&leaf("leaf"), &root, &[]);
    let site = secure(config(shown), "HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
    let finding = poll_with(&check, &site, Plan::default()).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 13), "{finding:?}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_a_fault_of_the_setting() {
    let site = secure(config(self_signed(&leaf("me"))), OK).await;
    let ca = Some("/nonexistent/ca.pem".into());
    let plan = Plan { tls: TlsPlan { ca, ..TlsPlan::default() }, ..Plan::default() };
    let finding = poll_with(&site::check(), &site, plan).await;
    assert_eq!(fault(&finding), (Cause::Internal, Detail::Setting));
    let options = HttpOptions { ca: Some("/nonexistent/ca.pem".into()), ..HttpOptions::default() };
    let error = HttpCheck::new(options).expect_err("no such file").to_string();
    assert!(error.contains("/nonexistent/ca.pem"), "{error}");
}

#[tokio::test]
async fn a_server_that_wants_our_certificate_gets_it() {
    let root = root("root");
    let directory = TempDir::new().expect("a directory");
    let file = |name: &str| directory.path().join(name);
    pki::write_pem(&file("ca.pem"), &[&root]);
    let key = pki::key();
    let ours = leaf("us").signed_by(&key, &root).expect("a certificate");
    std::fs::write(file("cert.pem"), ours.pem()).expect("a writable directory");
    std::fs::write(file("key.pem"), key.serialize_pem()).expect("a writable directory");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.der().clone()).expect("a root");
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        pki::provider(),
    );
    let Shown { chain, key } = shown(&leaf("leaf"), &root, &[]);
    let config = rustls::ServerConfig::builder_with_provider(pki::provider())
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(chain, key)
        .expect("a good pair");
    let site = secure(config, OK).await;
    let tls_plan = TlsPlan {
        ca: Some(file("ca.pem")),
        client_cert: Some(file("cert.pem")),
        client_key: Some(file("key.pem")),
        verify: Verify::Strict,
        server_name: None,
    };
    let without = TlsPlan { client_cert: None, client_key: None, ..tls_plan.clone() };
    let finding = poll_with(&site::check(), &site, Plan { tls: tls_plan, ..Plan::default() }).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    let finding = poll_with(&site::check(), &site, Plan { tls: without, ..Plan::default() }).await;
    assert_eq!(fault(&finding), tls(Detail::Alert));
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_asked_for_and_offered() {
    use hyper::service::service_fn;
    let root = root("root");
    let (check, _directory) = trusting(&root);
    let mut config = config(shown(&leaf("leaf"), &root, &[]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let site = Site::serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let answer = service_fn(|_| async {
                let body = http_body_util::Full::new(bytes::Bytes::from_static(b"two"));
                Ok::<_, std::convert::Infallible>(hyper::Response::new(body))
            });
            let executor = hyper_util::rt::TokioExecutor::new();
            let _ = hyper::server::conn::http2::Builder::new(executor)
                .serve_connection(hyper_util::rt::TokioIo::new(stream), answer)
                .await;
        }
    })
    .await;
    let expect = Expectation { body_contains: vec!["two".into()], ..Expectation::default() };
    let plan = Plan { http_version: HttpVersion::Http2, expect, ..Plan::default() };
    let finding = poll_with(&check, &site, plan).await;
    assert_eq!(
        (finding.verdict, finding.status, finding.bytes),
        (Verdict::Up, 200, 3),
        "{finding:?}"
    );
}

#[tokio::test]
async fn http_2_that_is_asked_for_is_left_to_targets_over_tls() {
    let site = Site::answering(OK).await;
    let plan = Plan { http_version: HttpVersion::Http2, ..Plan::default() };
    let finding = site::poll(&site.url(), plan.clone()).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 2), "{finding:?}");
    let proxy = Address::parse(&site.url()).expect("an address");
    let plan = Plan { proxy: Proxy::Through(proxy), ..plan };
    let finding = site::poll("http://a.example/", plan).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 2), "{finding:?}");
}
