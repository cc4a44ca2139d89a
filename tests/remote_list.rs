//! A list behind a URL: fetched, not fetched again while it is the same, and its failures.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use poller::address::Address;
use poller::config::rules::Rules;
use poller::config::targets::ListError;
use poller::config::targets::remote::Remote;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Answers one connection after the other with the next of `answers`; gives the requests back.
struct Site {
    address: SocketAddr,
    served: JoinSet<Vec<String>>,
}

impl Site {
    async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let mut answers: VecDeque<String> = answers.iter().map(ToString::to_string).collect();
        let mut served = JoinSet::new();
        served.spawn(async move {
            let mut requests = Vec::new();
            while let Some(answer) = answers.pop_front() {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.expect("a request"));
                }
                requests.push(String::from_utf8(request).expect("ASCII").to_ascii_lowercase());
                stream.write_all(answer.as_bytes()).await.expect("sent");
                stream.shutdown().await.expect("closed");
            }
            requests
        });
        Self { address, served }
    }

    async fn requests(mut self) -> Vec<String> {
        self.served.join_next().await.expect("a task").expect("no panic")
    }

    fn remote(&self) -> Remote {
        let url = format!("http://me:pw@{}/list", self.address);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Remote::new(Address::parse(&url).expect("a URL"), tls, "poller/test").expect("a client")
    }
}

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_list_that_was_kept_is_fetched_again_only_when_it_changed() {
    let list = answer("200 OK\r\nETag: \"one\"", "[\"http://a.example/\"]");
    let site =
        Site::start(&[&list, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"]).await;
    let mut remote = site.remote();
    let rules = Arc::new(Rules::default());

    let fetched = remote.fetch(&rules).await.expect("a list").expect("a new one");
    let kept = remote.keep(fetched);
    let again = remote.fetch(&rules).await.expect("an answer");

    assert_eq!(kept.targets.len(), 1);
    assert!(again.is_none());
    let requests = site.requests().await;
    assert!(!requests[0].contains("if-none-match"));
    assert!(requests[0].contains("authorization: basic"), "{}", requests[0]);
    assert!(requests[1].contains("if-none-match: \"one\""), "{}", requests[1]);
}

#[tokio::test]
async fn an_error_page_is_no_list() {
    let site = Site::start(&[&answer("503 Service Unavailable", "[\"http://a.example/\"]")]).await;
    let error = site.remote().fetch(&Arc::new(Rules::default())).await.expect_err("no list");
    let text = error.to_string();
    assert!(text.contains("503"), "{text}");
    assert!(text.contains("<secret>") && !text.contains("me:pw"), "{text}");
}

#[tokio::test]
async fn a_list_that_is_cut_off_is_not_taken() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhttp://a.example/\n";
    let site = Site::start(&[cut]).await;
    let error = site.remote().fetch(&Arc::new(Rules::default())).await.expect_err("cut off");
    assert!(matches!(error, ListError::Unreadable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_limit_ends_the_reading_early() {
    let site =
        Site::start(&[&answer("200 OK", "[\"http://a.example/\", \"http://b.example/\"]")]).await;
    let rules = Arc::new(Rules { limit: Some(1), ..Rules::default() });
    let fetched = site.remote().fetch(&rules).await.expect("a list").expect("a new one");
    assert_eq!(fetched.list.targets.len(), 1);
}
