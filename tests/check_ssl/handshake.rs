//! Handshakes that fail, and what is told all the same.

use std::future::pending;
use std::sync::Arc;

use poller::outcome::{Cause, Detail, Verdict};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Checker;
use crate::pki::{self, leaf, provider, root, shown};
use crate::site::{Site, hang_up, reset};

#[tokio::test]
async fn a_port_that_refuses_is_told_by_its_number() {
    // Of an address that no other test listens on.
    let held = std::net::TcpListener::bind("127.0.0.99:0").expect("a port is free");
    let port = held.local_addr().expect("it is bound").port();
    drop(held);
    let mut checker = Checker::trusting(&root("root"));
    checker.host = "127.0.0.99";
    let found = checker.look(port).await;
    assert_eq!(found.verdict(), (Verdict::Down, Some(Cause::Connect), Detail::Refused));
    assert_eq!((found.text("hostname"), found.fact("port")), ("127.0.0.99", &port.into()));
    assert!(!found.facts.data.contains_key("subject"));
}

#[tokio::test]
async fn a_reset_in_the_handshake_is_one() {
    let site = Site::serve(|mut stream, _| async move {
        let _ = stream.read(&mut [0; 1]).await;
        reset(&stream);
    })
    .await;
    let found = Checker::trusting(&root("root")).look(site.address.port()).await;
    assert_eq!(found.verdict(), (Verdict::Down, Some(Cause::Reset), Detail::None));
    assert!(found.facts.message.contains("tore the connection down"), "{}", found.facts.message);
    assert_eq!(found.text("remote_address"), site.address.to_string());
}

#[tokio::test]
async fn a_server_that_hangs_is_waited_for_until_the_time_is_over() {
    let site = Site::serve(|stream, _| async move {
        let _stream = stream;
        pending::<()>().await;
    })
    .await;
    let mut checker = Checker::trusting(&root("root"));
    checker.timeout_ms = 500;
    let found = checker.look(site.address.port()).await;
    assert_eq!(found.verdict(), (Verdict::Down, Some(Cause::Timeout), Detail::Handshaking));
    assert_eq!(found.fact("warning_days"), 30);
}

#[tokio::test]
async fn a_server_that_talks_nonsense_does_not_speak_tls() {
    for nonsense in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"220 ready\r\n", &[0; 64], &[0xff; 64]]
    {
        let site = Site::serve(move |mut stream, _| async move {
            let _ = stream.read(&mut [0; 600]).await;
            let _ = stream.write_all(nonsense).await;
            hang_up(stream).await;
        })
        .await;
        let found = Checker::trusting(&root("root")).look(site.address.port()).await;
        found.is_down(Detail::NotTls);
        assert!(found.facts.message.ends_with("does not speak TLS"), "{}", found.facts.message);
    }
}

#[tokio::test]
async fn a_certificate_is_told_even_if_its_server_then_ends_the_handshake() {
    let root = root("root");
    let pki::Shown { chain, key } = shown(&leaf("leaf"), &root, &[]);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.der().clone()).expect("a root");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    // In this version, the server has the last word.
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("a version")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(chain, key)
        .expect("a pair");
    let site = pki::secure(config, "").await;
    let found = Checker::trusting(&root).look(site.address.port()).await;
    assert_eq!(found.finding.verdict, Verdict::Down, "{:#?}", found.facts);
    assert_eq!(found.finding.cause, Some(Cause::Tls));
    assert_eq!((found.text("subject"), found.fact("is_trusted")), ("CN=leaf", &true.into()));
    assert!(found.fact("protocol").is_null());
    assert!(!found.facts.message.is_empty());
}

#[tokio::test]
async fn the_version_and_the_cipher_have_the_names_of_their_standards() {
    let root = root("root");
    let pki::Shown { chain, key } = shown(&leaf("leaf"), &root, &[]);
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    let site = pki::secure(config, "").await;
    let found = Checker::trusting(&root).look(site.address.port()).await;
    found.is_up();
    assert_eq!(found.text("protocol"), "TLSv1.2");
    assert!(
        found.text("cipher").starts_with("TLS_ECDHE_ECDSA_WITH_"),
        "{:?}",
        found.fact("cipher")
    );
}
