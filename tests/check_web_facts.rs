//! What a check of a website tells beside its finding, for those who ask.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/pki.rs"]
mod pki;
#[path = "support/site.rs"]
mod site;

use std::sync::Arc;

use pki::{config, leaf, root, secure, shown};
use poller::address::Address;
use poller::check::{Check, Checks, Facts, HttpOptions, Telling};
use poller::expectation::{Expectation, HeaderRule, JsonValue, Pattern};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{Auth, Connection, HttpVersion, Plan, Proxy, TlsPlan, Verify};
use serde_json::{Value, json};
use site::{Site, fault, read_head};
use tokio::io::AsyncWriteExt;

fn telling() -> Telling {
    Telling::new(Arc::new(Checks::new(HttpOptions::default()).expect("the usual options")))
}

async fn told(url: &str, plan: Plan) -> (Finding, Facts) {
    telling().check(Arc::new(site::target(url, plan))).await
}

/// What is told of an answer with these lines and this body under `expect`.
async fn judged(lines: &str, body: &str, expect: Expectation) -> (Finding, Facts) {
    let length = body.len();
    let answer = format!("HTTP/1.1 {lines}\r\nContent-Length: {length}\r\n\r\n{body}");
    let site = Site::answering(answer).await;
    told(&site.url(), Plan { expect, ..Plan::default() }).await
}

/// The row of `facts` that is named so.
fn row<'a>(facts: &'a Facts, name: &str) -> &'a Value {
    let rows = facts.data["expectations"].as_array().expect("a list");
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {rows:?}"))
}

#[tokio::test]
async fn an_answer_is_told_with_its_status_headers_size_and_times() {
    let site = Site::answering(
        "HTTP/1.1 200 OK\r\nX-Twice: a\r\nContent-Length: 5\r\nx-twice:  b \r\n\r\nhello",
    )
    .await;
    let (finding, facts) = told(&site.url(), Plan::default()).await;
    assert_eq!(finding.verdict, Verdict::Up);
    let data = &facts.data;
    assert_eq!(data["url"], site.url());
    assert_eq!(data["final_url"], site.url());
    assert_eq!(data["status_code"], 200);
    assert_eq!(data["expected_status"], "200-299");
    assert_eq!(data["status_match"], true);
    assert_eq!(data["content_match"], Value::Null);
    assert_eq!(data["content_issues"], json!([]));
    assert_eq!(data["response_headers"], json!({"content-length": "5", "x-twice": "a, b"}));
    assert_eq!(data["response_size"], 5);
    assert_eq!(data["is_truncated"], false);
    assert_eq!(data["redirect_history"], json!([]));
    assert_eq!(data["remote_address"], site.address.to_string());
    assert_eq!(data["http_version"], "HTTP/1.1");
    assert_eq!(data["tls"], Value::Null);
    let phases = &data["phases"];
    assert!(phases["connect"].is_f64() && phases["first_byte"].is_f64(), "{phases}");
    assert!(phases["resolve"].is_null() && phases["tls"].is_null(), "{phases}");
    assert_eq!(data["hops"].as_array().map(Vec::len), Some(1));
    assert_eq!(data["hops"][0]["phases"], *phases);
    assert_eq!(facts.message, "", "the finding says it all");
}

#[tokio::test]
async fn every_hop_is_told_with_its_own_times_and_addresses() {
    let there = Site::answering("HTTP/1.0 200 OK\r\nServer: there\r\n\r\nhi").await;
    let location = there.url();
    let here = Site::answering(format!(
        "HTTP/1.1 302 Go\r\nServer: here\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    ))
    .await;
    let (_, facts) = told(&here.url(), Plan::default()).await;
    let data = &facts.data;
    assert_eq!((&data["url"], &data["final_url"]), (&here.url().into(), &there.url().into()));
    let history = json!([{"url": here.url(), "status_code": 302, "location": there.url()}]);
    assert_eq!(data["redirect_history"], history);
    assert_eq!(data["response_headers"], json!({"server": "there"}));
    let hops = data["hops"].as_array().expect("a list");
    assert_eq!((&hops[0]["location"], &hops[1]["location"]), (&location.into(), &Value::Null));
    for (hop, (site, status, version)) in
        hops.iter().zip([(&here, 302, "HTTP/1.1"), (&there, 200, "HTTP/1.0")])
    {
        assert_eq!(hop["url"], site.url());
        assert_eq!(hop["status_code"], status);
        assert_eq!(hop["remote_address"], site.address.to_string());
        assert_eq!(hop["addresses"], json!([site.address.ip().to_string()]));
        assert_eq!(hop["http_version"], version);
        assert!(hop["phases"]["connect"].is_f64(), "{hop}");
    }
    let micros = |seconds: &Value| seconds.as_f64().expect("a time") * 1e6;
    let sum: f64 = hops.iter().map(|hop| micros(&hop["phases"]["first_byte"])).sum();
    assert!((sum - micros(&data["phases"]["first_byte"])).abs() < 0.5, "{facts:?}");
}

#[tokio::test]
async fn a_hop_that_comes_to_nothing_is_told_as_well() {
    let location = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        format!("http://{}/", listener.local_addr().expect("a bound listener"))
    };
    let here = Site::answering(format!("HTTP/1.1 302 Go\r\nLocation: {location}\r\n\r\n")).await;
    let (finding, facts) = told(&here.url(), Plan::default()).await;
    assert_eq!(fault(&finding), (Cause::Connect, Detail::Refused));
    let data = &facts.data;
    assert_eq!(data["hops"].as_array().map(Vec::len), Some(2));
    let last = &data["hops"][1];
    assert_eq!((&last["url"], &last["status_code"]), (&location.into(), &Value::Null));
    assert_eq!((&data["status_code"], &data["status_match"]), (&Value::Null, &false.into()));
    assert_eq!((&data["response_headers"], &last["remote_address"]), (&json!({}), &Value::Null));
    assert_eq!(row(&facts, "status")["holds"], Value::Null);
}

#[tokio::test]
async fn the_head_of_an_answer_that_never_ends_is_told() {
    let site = Site::serve(|mut stream, _| async move {
        read_head(&mut stream).await;
        let half = b"HTTP/1.1 503 Wait\r\nServer: slow\r\nContent-Length: 9\r\n\r\nhalf";
        stream.write_all(half).await.expect("the check reads");
        std::future::pending::<()>().await;
    })
    .await;
    let mut target = site::target(&site.url(), Plan::default());
    target.timeout_ms = 300;
    let (finding, facts) = telling().check(Arc::new(target)).await;
    assert_eq!(fault(&finding), (Cause::Timeout, Detail::Transferring));
    assert_eq!(facts.data["status_code"], 503);
    assert_eq!(facts.data["response_headers"]["server"], "slow");
    assert_eq!(facts.data["response_size"], 4);
    assert_eq!(row(&facts, "status")["holds"], false);
    assert_eq!(facts.data["hops"][0]["status_code"], 503);
}

#[tokio::test]
async fn the_right_content_of_a_wrong_status_is_down_and_the_reverse_a_warning() {
    let expect = || Expectation {
        body_contains: vec!["welcome".into(), "missing".into()],
        body_not_contains: vec!["error".into(), "panic".into()],
        ..Expectation::default()
    };
    let (finding, facts) = judged("404 No", "welcome missing", expect()).await;
    assert_eq!(fault(&finding), (Cause::Status, Detail::None));
    assert_eq!(
        (&facts.data["status_match"], &facts.data["content_match"]),
        (&false.into(), &true.into())
    );
    assert_eq!(facts.message, "the status is 404, not 200-299");

    let (finding, facts) = judged("200 OK", "welcome, error", expect()).await;
    assert_eq!(finding.verdict, Verdict::Warning);
    assert_eq!(fault(&finding), (Cause::Assertion, Detail::BodyNotContains));
    assert_eq!(
        (&facts.data["status_match"], &facts.data["content_match"]),
        (&true.into(), &false.into())
    );
    let issues = json!(["the text \"missing\" is missing", "the text \"error\" is there"]);
    assert_eq!(facts.data["content_issues"], issues);
    assert_eq!(facts.message, "200: the text \"error\" is there");
}

#[tokio::test]
async fn every_expectation_is_told_not_the_first_alone_that_does_not_hold() {
    let expect = Expectation {
        status: vec![(200, 204), (301, 301)],
        headers: vec![
            ("server".into(), HeaderRule::Is("apache".into())),
            ("x-there".into(), HeaderRule::Absent),
            ("x-away".into(), HeaderRule::Present),
        ],
        body_contains: vec!["state".into()],
        body_regex: Some(Pattern::new("^\\{.*\\}$").expect("a good pattern")),
        json: vec![
            ("/state".into(), JsonValue(json!("ok"))),
            ("/none".into(), JsonValue(json!(1))),
        ],
        latency_under_ms: Some(60_000),
        certificate_days: Some(30),
        ..Expectation::default()
    };
    let lines = "500 Broken\r\nServer: nginx\r\nX-There: 1";
    let (_, facts) = judged(lines, r#"{"state": "bad"}"#, expect).await;
    assert_eq!(facts.data["expected_status"], "200-204, 301");
    for (name, expected, found, holds) in [
        ("status", json!("200-204, 301"), json!(500), json!(false)),
        ("header server", json!("apache"), json!("nginx"), json!(false)),
        ("header x-there", json!(false), json!("1"), json!(false)),
        ("header x-away", json!(true), Value::Null, json!(false)),
        ("body_contains", json!("state"), json!(true), json!(true)),
        ("body_regex", json!("^\\{.*\\}$"), json!(true), json!(true)),
        ("json /state", json!("ok"), json!("bad"), json!(false)),
        ("json /none", json!(1), Value::Null, json!(false)),
        ("certificate_days", json!(30), Value::Null, Value::Null),
    ] {
        let row = row(&facts, name);
        assert_eq!((&row["expected"], &row["found"], &row["holds"]), (&expected, &found, &holds));
    }
    let latency = row(&facts, "latency_under");
    assert_eq!((&latency["expected"], &latency["holds"]), (&json!(60.0), &json!(true)));
    let issues = json!([
        "the JSON value at \"/state\" is \"bad\", not \"ok\"",
        "there is no JSON value at \"/none\"",
    ]);
    assert_eq!(facts.data["content_issues"], issues);
}

#[tokio::test]
async fn a_body_that_is_too_large_to_decide_says_so() {
    let options = HttpOptions { max_body: 4, ..HttpOptions::default() };
    let telling = Telling::new(Arc::new(Checks::new(options).expect("good options")));
    let site = Site::answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwelcome ab").await;
    let expect =
        Expectation { body_contains: vec!["wel".into(), "ab".into()], ..Expectation::default() };
    let target = site::target(&site.url(), Plan { expect, ..Plan::default() });
    let (finding, facts) = telling.check(Arc::new(target)).await;
    assert_eq!(fault(&finding), (Cause::TooLarge, Detail::Undecided));
    let issues = json!(["the body is too large to tell of the text \"ab\""]);
    assert_eq!(facts.data["content_issues"], issues);
    assert_eq!(
        (&facts.data["response_size"], &facts.data["is_truncated"]),
        (&json!(4), &true.into())
    );
}

#[tokio::test]
async fn tls_is_told_also_where_the_certificate_is_not_trusted() {
    let root = root("root");
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let site = secure(config(shown(&leaf("leaf"), &root, &[])), answer).await;
    let url = format!("https://{}/", site.address);
    for (verify, is_open) in [(Verify::Off, true), (Verify::Strict, false)] {
        let tls = TlsPlan { verify, ..TlsPlan::default() };
        let (finding, facts) = told(&url, Plan { tls, ..Plan::default() }).await;
        assert_eq!(finding.status != 0, is_open, "{finding:?}");
        let tls = &facts.data["tls"];
        assert_eq!(
            (&tls["is_trusted"], &tls["trust_problem"]),
            (&false.into(), &json!("missing_intermediate"))
        );
        assert!(tls["not_after"].is_string(), "{tls}");
        assert!(tls["chain"].is_array(), "{tls}");
        assert_eq!(&facts.data["hops"][0]["tls"], tls);
        if is_open {
            assert_eq!(tls["protocol"], "TLSv1.3");
            assert!(tls["cipher"].as_str().is_some_and(|name| name.starts_with("TLS_")), "{tls}");
            assert!(facts.data["phases"]["tls"].is_f64());
        }
    }
}

#[tokio::test]
async fn what_is_told_holds_no_secret_of_ours() {
    let site = Site::answering("HTTP/1.1 200 OK\r\nSet-Cookie: theirs\r\n\r\n").await;
    let url = format!("http://me:s3cret@{}/", site.address);
    let plan = Plan {
        headers: vec![("X-Token".into(), "s3cret".into())],
        body: Some("s3cret".into()),
        auth: Some(Auth::Bearer("s3cret".into())),
        ..Plan::default()
    };
    let (_, facts) = told(&url, plan).await;
    let text = format!("{facts:?}");
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(facts.data["response_headers"]["set-cookie"], "theirs");
    assert_eq!(facts.data["url"], format!("http://<secret>@{}/", site.address));
}

#[tokio::test]
async fn a_connection_that_stood_is_told_as_such() {
    let site = Site::serve(|mut stream, _| async move {
        while !read_head(&mut stream).await.is_empty() {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    let plan = Plan { connection: Connection::Reuse, ..Plan::default() };
    let (telling, target) = (telling(), Arc::new(site::target(&site.url(), plan)));
    for is_reused in [false, true] {
        let (_, facts) = telling.check(Arc::clone(&target)).await;
        let hop = &facts.data["hops"][0];
        assert_eq!(
            (&hop["is_reused"], &facts.data["is_reused"]),
            (&is_reused.into(), &is_reused.into())
        );
        assert_eq!(hop["remote_address"], site.address.to_string());
        assert_eq!(hop["phases"]["connect"].is_null(), is_reused);
    }
}

#[tokio::test]
async fn an_answer_by_http_2_is_told_like_any_other() {
    let root = root("root");
    let mut config = config(shown(&leaf("leaf"), &root, &[]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let site = Site::serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(stream).await.expect("a handshake");
            let answer = |_| async {
                let answer =
                    hyper::Response::builder().header("X-Twice", "a").header("x-twice", "b");
                answer.body(http_body_util::Full::new(bytes::Bytes::from("hello")))
            };
            let executor = hyper_util::rt::TokioExecutor::new();
            let _ = hyper::server::conn::http2::Builder::new(executor)
                .serve_connection(
                    hyper_util::rt::TokioIo::new(stream),
                    hyper::service::service_fn(answer),
                )
                .await;
        }
    })
    .await;
    let expect = Expectation {
        headers: vec![("x-twice".into(), HeaderRule::Is("a".into()))],
        ..Expectation::default()
    };
    let tls = TlsPlan { verify: Verify::Off, ..TlsPlan::default() };
    let plan = Plan { http_version: HttpVersion::Http2, expect, tls, ..Plan::default() };
    let (finding, facts) = told(&format!("https://{}/", site.address), plan).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    assert_eq!(facts.data["http_version"], "HTTP/2");
    assert_eq!(facts.data["hops"][0]["http_version"], "HTTP/2");
    assert_eq!(facts.data["response_headers"]["x-twice"], "a, b");
    assert_eq!(facts.data["response_size"], 5);
    assert_eq!(row(&facts, "header x-twice")["holds"], true);
}

#[tokio::test]
async fn a_proxy_is_told_without_what_it_asks_of_us() {
    let proxy = Site::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let through = format!("http://user:s3cret@{}/", proxy.address);
    let through = Address::parse(&through).expect("a good address");
    let plan = Plan { proxy: Proxy::Through(through), ..Plan::default() };
    let (_, facts) = told("http://a.example/", plan).await;
    assert_eq!(facts.data["proxy"], format!("http://<secret>@{}/", proxy.address));
    assert_eq!(facts.data["hops"][0]["remote_address"], proxy.address.to_string());
    assert!(!format!("{facts:?}").contains("s3cret"), "{facts:?}");
}
