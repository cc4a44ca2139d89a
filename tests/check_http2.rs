//! Polls by HTTP/2: every way in which they fail, told apart as over HTTP/1.1.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/pki.rs"]
mod pki;
#[path = "support/site.rs"]
mod site;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use pki::{config, leaf, root, shown};
use poller::expectation::Expectation;
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{HttpVersion, Plan, TlsPlan, Verify};
use site::{Site, fault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Secure = TlsStream<TcpStream>;

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The head of an answer of 200, and the begin of a body of 9 bytes.
const HALF: &[u8] =
    &[0, 0, 5, 1, 4, 0, 0, 0, 1, 0x88, 0x0f, 0x0d, 1, b'9', 0, 0, 2, 0, 0, 0, 0, 0, 1, b'h', b'i'];

/// A site that agrees to HTTP/2 and then does what its script says.
async fn agreeing<F>(script: impl Fn(Secure) -> F + Clone + Send + 'static) -> Site
where
    F: Future<Output = ()> + Send + 'static,
{
    let root = root("root");
    let mut config = config(shown(&leaf("leaf"), &root, &[]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Site::serve(move |stream, _| {
        let (acceptor, script) = (acceptor.clone(), script.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                script(stream).await;
            }
        }
    })
    .await
}

/// A site that sends these bytes for an answer, and hangs up.
async fn sending(parts: &[&[u8]]) -> Site {
    let bytes: Arc<[u8]> = parts.concat().into();
    agreeing(move |mut stream| {
        let bytes = Arc::clone(&bytes);
        async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await
}

/// A site that answers as a server of HTTP/2 should, by `answer`.
async fn answering(answer: fn(&hyper::Request<Incoming>) -> hyper::Response<Full<Bytes>>) -> Site {
    agreeing(move |stream| async move {
        let service = service_fn(move |request| {
            std::future::ready(Ok::<_, std::convert::Infallible>(answer(&request)))
        });
        let executor = hyper_util::rt::TokioExecutor::new();
        let _ = hyper::server::conn::http2::Builder::new(executor)
            .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
            .await;
    })
    .await
}

/// Reads up to the headers of the request, whose frame says where it ends.
async fn read_request(stream: &mut Secure) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.expect("a preface");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.expect("a payload");
        if head[3] == 1 {
            return;
        }
    }
}

fn plan() -> Plan {
    let tls = TlsPlan { verify: Verify::Off, ..TlsPlan::default() };
    Plan { http_version: HttpVersion::Http2, tls, ..Plan::default() }
}

async fn poll(site: &Site, plan: Plan) -> Finding {
    site::poll(&format!("https://{}/", site.address), plan).await
}

#[tokio::test]
async fn what_a_server_says_of_its_own_troubles_passes() {
    for (frame, name) in [
        (&[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7][..], "a refused stream"),
        (&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "a farewell"),
        (&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11], "a call for calm"),
    ] {
        let finding = poll(&sending(&[SETTINGS, frame]).await, plan()).await;
        assert_eq!(fault(&finding), (Cause::Reset, Detail::None), "{name}");
        assert!(!finding.is_permanent(), "{name}");
    }
}

#[tokio::test]
async fn connections_that_end_early_are_told_as_over_http_1() {
    let finding = poll(&sending(&[SETTINGS]).await, plan()).await;
    assert_eq!(fault(&finding), (Cause::Protocol, Detail::NoAnswer));
    let finding = poll(&sending(&[SETTINGS, HALF]).await, plan()).await;
    assert_eq!(fault(&finding), (Cause::Body, Detail::Incomplete));
    assert_eq!((finding.status, finding.bytes), (200, 2));
    let cut = agreeing(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(&[SETTINGS, HALF].concat()).await;
        site::reset(stream.get_ref().0);
    });
    let finding = poll(&cut.await, plan()).await;
    assert_eq!(fault(&finding), (Cause::Reset, Detail::None));
}

#[tokio::test]
async fn what_is_no_http_2_and_what_is_a_bad_head_are_told_apart() {
    let finding = poll(&sending(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"]).await, plan()).await;
    assert_eq!(fault(&finding), (Cause::Protocol, Detail::NotHttp));
    // Headers without a status, over a connection that stays.
    let odd = agreeing(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(&[SETTINGS, &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0xff]].concat()).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let finding = poll(&odd.await, plan()).await;
    assert_eq!(fault(&finding), (Cause::Protocol, Detail::BadHead));
}

#[tokio::test]
async fn heads_over_the_cap_are_too_large_whoever_notices() {
    for length in [70_000, 250_000, 400_000, 2_000_000] {
        let url = format!("/{length}");
        let site = answering(|request| {
            let length = request.uri().path().trim_start_matches('/').parse().expect("a number");
            let mut answer = hyper::Response::new(Full::default());
            let value = hyper::header::HeaderValue::from_str(&"x".repeat(length));
            answer.headers_mut().insert("x-long", value.expect("a good value"));
            answer
        });
        let site = site.await;
        let finding = site::poll(&format!("https://{}{url}", site.address), plan()).await;
        assert_eq!(fault(&finding), (Cause::TooLarge, Detail::Headers), "{length}");
    }
}

#[tokio::test]
async fn an_alert_in_place_of_an_answer_is_told() {
    let root = root("root");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.der().clone()).expect("a root");
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        pki::provider(),
    );
    let pki::Shown { chain, key } = shown(&leaf("leaf"), &root, &[]);
    let mut config = rustls::ServerConfig::builder_with_provider(pki::provider())
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(chain, key)
        .expect("a good pair");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let site = pki::secure(config, "").await;
    let finding = poll(&site, plan()).await;
    assert_eq!(fault(&finding), (Cause::Tls, Detail::Alert));
}

#[tokio::test]
async fn the_host_that_an_entry_names_is_the_authority() {
    let site = answering(|request| {
        let authority = request.uri().authority().map_or("none", |authority| authority.as_str());
        hyper::Response::new(Full::from(authority.to_owned()))
    })
    .await;
    for (headers, authority) in [
        (vec![], site.address.to_string()),
        (vec![("HOST".into(), "a.example".into())], "a.example".into()),
    ] {
        let expect =
            Expectation { body_contains: vec![(&*authority).into()], ..Expectation::default() };
        let finding = poll(&site, Plan { headers, expect, ..plan() }).await;
        assert_eq!(finding.verdict, Verdict::Up, "{authority}: {finding:?}");
    }
    let headers = vec![("Host".into(), "not a host".into())];
    let finding = poll(&site, Plan { headers, ..plan() }).await;
    assert_eq!(fault(&finding), (Cause::Internal, Detail::Setting));
}
