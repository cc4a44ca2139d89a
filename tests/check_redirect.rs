//! Redirects, requests as they go over the wire, and proxies, against scripted servers.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/site.rs"]
mod site;

use std::sync::Arc;

use parking_lot::Mutex;
use poller::address::Address;
use poller::outcome::{Cause, Detail, Verdict};
use poller::target::{Auth, Plan, Proxy};
use site::{Site, fault, hang_up, poll, read_head};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// The heads of the requests that a site got.
type Heads = Arc<Mutex<Vec<String>>>;

/// A site that redirects `/` to `location`, with itself for `HOST`, by `status` and answers
/// everything else.
async fn redirecting(status: u16, location: &str) -> (Site, Heads) {
    let heads = Heads::default();
    let (kept, location) = (Arc::clone(&heads), location.to_owned());
    let site = Site::serve(move |mut stream, _| {
        let (heads, location) = (Arc::clone(&kept), location.clone());
        async move {
            let head = read_head(&mut stream).await;
            let host = head.lines().find_map(|line| line.strip_prefix("Host: "));
            let location = location.replace("HOST", host.unwrap_or_default());
            let answer = if head.split(' ').nth(1) == Some("/") {
                format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 9\r\n\r\n")
            } else {
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned()
            };
            heads.lock().push(head);
            finish(stream, &answer).await;
        }
    })
    .await;
    (site, heads)
}

async fn finish(mut stream: TcpStream, answer: &str) {
    let _ = stream.write_all(answer.as_bytes()).await;
    hang_up(stream).await;
}

/// The fault of a poll of a site that redirects to `location`.
async fn led_to(location: &str) -> (Cause, Detail) {
    let (site, _) = redirecting(302, location).await;
    fault(&poll(&site.url(), Plan::default()).await)
}

#[tokio::test]
async fn redirects_are_followed_and_their_times_summed() {
    for status in [301, 302, 303, 307, 308] {
        let (site, _) = redirecting(status, "/there").await;
        let finding = poll(&site.url(), Plan::default()).await;
        assert_eq!((finding.verdict, finding.status, finding.redirects), (Verdict::Up, 200, 1));
        assert_eq!(site.connections(), 2);
    }
}

#[tokio::test]
async fn redirects_are_an_answer_where_none_is_to_be_followed() {
    let (site, _) = redirecting(301, "/there").await;
    let finding = poll(&site.url(), Plan { redirects: 0, ..Plan::default() }).await;
    assert_eq!(finding.status, 301);
    // The body that its head announces does not come.
    assert_eq!(fault(&finding), (Cause::Body, Detail::Incomplete));
    let site =
        Site::answering("HTTP/1.1 301 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n").await;
    let finding = poll(&site.url(), Plan { redirects: 0, ..Plan::default() }).await;
    assert_eq!((finding.verdict, finding.status, finding.redirects), (Verdict::Up, 301, 0));
}

#[tokio::test]
async fn redirects_that_lead_nowhere_say_so() {
    assert_eq!(led_to("/").await, (Cause::Redirect, Detail::Loop));
    assert_eq!(led_to("http://[").await, (Cause::Redirect, Detail::BadLocation));
    assert_eq!(led_to("ftp://127.0.0.1/").await, (Cause::Redirect, Detail::OtherScheme));
}

#[tokio::test]
async fn more_redirects_than_allowed_are_too_many() {
    let site = Site::serve(|mut stream, number| async move {
        read_head(&mut stream).await;
        finish(stream, &format!("HTTP/1.1 302 Go\r\nLocation: /{number}\r\n\r\n")).await;
    })
    .await;
    let finding = poll(&site.url(), Plan::default()).await;
    assert_eq!(fault(&finding), (Cause::Redirect, Detail::TooMany));
    assert_eq!((finding.redirects, finding.status), (5, 302));
}

#[tokio::test]
async fn secrets_stay_with_the_host_that_they_were_given_for() {
    let (there, second) = redirecting(302, "unused").await;
    let (here, first) = redirecting(302, &format!("{}x", there.url())).await;
    let plan = Plan {
        auth: Some(Auth::Bearer("secret".into())),
        headers: vec![("X-Key".into(), "secret".into()), ("Accept".into(), "text/html".into())],
        ..Plan::default()
    };
    assert_eq!(poll(&here.url(), plan).await.verdict, Verdict::Up);
    let (here, there) = (first.lock().join(""), second.lock().join(""));
    assert!(here.contains("Authorization: Bearer secret") && here.contains("X-Key: secret"));
    assert!(!there.contains("secret") && there.contains("Accept: text/html"), "{there}");
}

#[tokio::test]
async fn a_login_of_the_address_stays_valid_within_its_host() {
    let (there, elsewhere) = redirecting(302, "unused").await;
    let away = format!("{}x", there.url());
    for (location, is_home) in [("/x", true), ("http://HOST/x", true), (&away, false)] {
        let (site, heads) = redirecting(302, location).await;
        let url = format!("http://me:pass@{}/", site.address);
        assert_eq!(poll(&url, Plan::default()).await.verdict, Verdict::Up);
        let last = if is_home { heads.lock()[1].clone() } else { elsewhere.lock()[0].clone() };
        let has_login = last.contains("Authorization: Basic bWU6cGFzcw==\r\n");
        assert_eq!(has_login, is_home, "{location}: {last}");
    }
}

#[tokio::test]
async fn a_form_is_sent_once() {
    let (site, heads) = redirecting(302, "/there").await;
    let plan = Plan { method: "POST".into(), body: Some("a=b".into()), ..Plan::default() };
    assert_eq!(poll(&site.url(), plan).await.verdict, Verdict::Up);
    let heads = heads.lock().clone();
    assert!(heads[0].starts_with("POST / ") && heads[0].contains("Content-Length: 3\r\n"));
    assert!(heads[1].starts_with("GET /there ") && !heads[1].contains("Content-Length"));
}

#[tokio::test]
async fn a_method_that_means_to_send_something_says_when_that_is_nothing() {
    let (site, heads) = redirecting(307, "/there").await;
    for (method, count) in [("POST", 1), ("PUT", 1), ("PATCH", 1), ("GET", 0), ("DELETE", 0)] {
        let plan = Plan { method: method.into(), ..Plan::default() };
        assert_eq!(poll(&site.url(), plan).await.verdict, Verdict::Up);
        for head in heads.lock().drain(..) {
            assert!(head.starts_with(method), "{head}");
            assert_eq!(head.matches("Content-Length: 0\r\n").count(), count, "{head}");
        }
    }
}

#[tokio::test]
async fn a_body_goes_to_no_other_host() {
    let (there, heads) = redirecting(302, "unused").await;
    let plan = Plan { method: "POST".into(), body: Some("a=b".into()), ..Plan::default() };
    for status in [307, 308] {
        let (site, _) = redirecting(status, &format!("{}x", there.url())).await;
        let finding = poll(&site.url(), plan.clone()).await;
        assert_eq!(fault(&finding), (Cause::Redirect, Detail::BadLocation));
        assert_eq!((finding.status, finding.redirects), (status, 0));
    }
    assert!(heads.lock().is_empty());
    // A form that was taken is not sent again, so that its answer may be anywhere.
    let (site, _) = redirecting(303, &format!("{}x", there.url())).await;
    assert_eq!(poll(&site.url(), plan).await.verdict, Verdict::Up);
}

#[tokio::test]
async fn a_request_names_its_host_and_us_and_lets_the_entry_override() {
    let (site, heads) = redirecting(302, "/there").await;
    let url = format!("http://me:pass@{}/x?y", site.address);
    let plan = Plan { headers: vec![("user-agent".into(), "mine".into())], ..Plan::default() };
    assert_eq!(poll(&url, plan).await.verdict, Verdict::Up);
    let head = heads.lock()[0].clone();
    let expected = format!(
        "GET /x?y HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nConnection: close\r\n\
         Authorization: Basic bWU6cGFzcw==\r\nuser-agent: mine\r\n\r\n",
        site.address
    );
    assert_eq!(head, expected);
}

#[tokio::test]
async fn a_header_that_would_smuggle_another_is_a_fault_of_the_setting() {
    let plan = Plan { headers: vec![("a".into(), "b\r\nc: d".into())], ..Plan::default() };
    let site = Site::answering("").await;
    assert_eq!(fault(&poll(&site.url(), plan).await), (Cause::Internal, Detail::Setting));
    assert_eq!(site.connections(), 0);
}

fn through(proxy: &Site) -> Plan {
    let url = format!("http://user:key@{}/", proxy.address);
    let address = Address::parse(&url).expect("a good address");
    Plan { proxy: Proxy::Through(address), ..Plan::default() }
}

#[tokio::test]
async fn a_proxy_gets_the_whole_address_and_its_credentials() {
    let (proxy, heads) = redirecting(302, "unused").await;
    let finding = poll("http://a.example/x", through(&proxy)).await;
    assert_eq!(finding.verdict, Verdict::Up);
    let head = heads.lock()[0].clone();
    assert!(head.starts_with("GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n"), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic dXNlcjprZXk=\r\n"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_does_not_let_us_through_is_told() {
    let proxy = Site::answering("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n").await;
    let finding = poll("https://a.example/", through(&proxy)).await;
    assert_eq!(fault(&finding), (Cause::NoNetwork, Detail::ProxyRefused));
    let wants_key = Site::answering("HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n").await;
    let finding = poll("http://a.example/", through(&wants_key)).await;
    assert_eq!(fault(&finding), (Cause::NoNetwork, Detail::ProxyRefused));
    drop(proxy);
}
