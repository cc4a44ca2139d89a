//! Probes over HTTP: pages, redirects, certificates, failures and time-outs.

use crate::fleet::Certificate;
use crate::open;
use crate::scrape::{encoded, has, promtool};

const RULES: &str = "modules:
  http_2xx: {prober: http}
  body: {prober: http, http: {fail_if_body_not_matches_regexp: ['^hel+o$']}}
  unwanted: {prober: http, http: {fail_if_body_matches_regexp: [ell]}}
  header: {prober: http, http: {fail_if_header_not_matches: [{header: X-Own, regexp: '^a$'}]}}
  secure: {prober: http, http: {fail_if_not_ssl: true}}
  plain: {prober: http, http: {fail_if_ssl: true}}
  version: {prober: http, http: {valid_http_versions: ['HTTP/1.0']}}
  codes: {prober: http, http: {valid_status_codes: [404]}}
  stay: {prober: http, http: {follow_redirects: false}}
  gzip: {prober: http, http: {compression: gzip}}
  echo: {prober: http, http: {method: POST, body: 'my words', headers: {X-Own: mine}, basic_auth: {username: u, password: p}, fail_if_body_not_matches_regexp: ['(?s)POST.*X-Own: mine.*my words']}}
  short: {prober: http, timeout: 300ms}
";

#[test]
fn a_page_is_told_with_all_that_dashboards_show() {
    let asked = open("");
    let answer = asked.probe_to(true, &asked.fleet.named_url(0, "/d20/b100"), "http_2xx");
    for (series, value) in [
        ("probe_http_status_code", 200.0),
        ("probe_http_content_length", 100.0),
        ("probe_http_uncompressed_body_length", 100.0),
        ("probe_http_redirects", 0.0),
        ("probe_http_ssl", 0.0),
        ("probe_http_version", 1.1),
        ("probe_failed_due_to_regex", 0.0),
        ("probe_ip_protocol", 4.0),
    ] {
        assert_eq!(answer.figure(series), value, "{series}");
    }
    assert!(answer.figure("probe_http_duration_seconds{phase=\"processing\"}") >= 0.02);
    assert!(answer.figure("probe_duration_seconds") >= 0.02);
    for phase in ["resolve", "connect", "tls", "transfer"] {
        assert!(
            answer.has(&format!("probe_http_duration_seconds{{phase=\"{phase}\"}}")),
            "{phase}"
        );
    }
    assert!(answer.has("probe_dns_lookup_time_seconds") && answer.has("probe_ip_addr_hash"));
    if has("promtool") {
        let said = promtool(&["check", "metrics"], &answer.body);
        // The names are those that dashboards know, and promtool has a word on one of them.
        let is_known = |line: &str| line.contains("probe_ip_addr_hash") || line.is_empty();
        assert!(said.lines().all(is_known), "{said}");
    }
}

#[test]
fn redirects_are_followed_counted_and_added_up() {
    let asked = open(RULES);
    let target = asked.fleet.url(0, "/d10/redirect-to/%2Fd10%2Fb7");
    let answer = asked.probe_to(true, &target, "http_2xx");
    assert_eq!(answer.figure("probe_http_redirects"), 1.0);
    assert_eq!(answer.figure("probe_http_content_length"), 7.0);
    assert!(answer.figure("probe_http_duration_seconds{phase=\"processing\"}") >= 0.02);
    let answer = asked.probe_to(false, &target, "stay");
    assert_eq!(
        (answer.figure("probe_http_redirects"), answer.figure("probe_http_status_code")),
        (1.0, 302.0)
    );
    asked.probe_to(false, &asked.fleet.url(0, "/loop"), "http_2xx");
}

#[test]
fn a_certificate_is_told_also_when_it_is_bad() {
    let asked = open(RULES);
    let good = asked.fleet.https_url(0, Certificate::Good, "/");
    let answer = asked.probe_to(true, &good, "secure");
    assert_eq!(answer.figure("probe_http_ssl"), 1.0);
    assert_eq!(answer.figure("probe_tls_version_info{version=\"TLS 1.3\"}"), 1.0);
    let until = answer.figure("probe_ssl_earliest_cert_expiry");
    assert!(until > 1.7e9);
    assert_eq!(answer.figure("probe_ssl_last_chain_expiry_timestamp_seconds"), until);
    assert!(answer.figure("probe_http_duration_seconds{phase=\"tls\"}") > 0.0);
    assert!(answer.body.contains("probe_ssl_last_chain_info{fingerprint_sha256=\""));
    assert!(answer.body.contains("probe_tls_cipher_info{cipher=\"TLS_"));
    let expired = asked.fleet.https_url(0, Certificate::Expired, "/");
    let answer = asked.probe_to(false, &expired, "http_2xx");
    assert_eq!(answer.figure("probe_http_ssl"), 0.0);
    assert!(answer.figure("probe_ssl_earliest_cert_expiry") < until);
    asked.probe_to(false, &good, "plain");
}

#[test]
fn what_a_module_wants_of_a_page_is_looked_at() {
    let asked = open(RULES);
    let url = |path: &str| asked.fleet.url(0, path);
    let is_by_pattern = |is_success, path: &str, module| {
        asked.probe_to(is_success, &url(path), module).figure("probe_failed_due_to_regex") == 1.0
    };
    assert!(!is_by_pattern(true, "/text/hello", "body"));
    assert!(is_by_pattern(false, "/text/help", "body"));
    assert!(is_by_pattern(false, "/text/hello", "unwanted"));
    assert!(!is_by_pattern(true, "/h/X-Own/a", "header"));
    assert!(is_by_pattern(false, "/h/X-Own/b", "header"));
    assert!(is_by_pattern(false, "/", "header"));
    assert!(!is_by_pattern(false, "/", "secure"));
    assert!(!is_by_pattern(false, "/", "version"));
    asked.probe_to(true, &url("/s404"), "codes");
    asked.probe_to(false, &url("/"), "codes");
    asked.probe_to(true, &url("/echo"), "echo");
    let answer = asked.probe_to(true, &url("/gz/b5000"), "gzip");
    assert_eq!(answer.figure("probe_http_uncompressed_body_length"), 5_000.0);
    assert!(answer.figure("probe_http_content_length") < 1_000.0);
}

#[test]
fn a_target_that_fails_is_an_answer_of_status_200_without_success() {
    let asked = open("");
    let fleet = &asked.fleet;
    for target in [
        fleet.url(0, "/s500"),
        fleet.url(0, "/reset"),
        fleet.url(0, "/garbage"),
        fleet.url(0, "/short"),
        "http://127.1.0.1:1/".to_owned(),
        "http://nobody.fleet.test.invalid/".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "http://[::1".to_owned(),
    ] {
        let answer = asked.probe_to(false, &target, "http_2xx");
        for phase in ["connect", "tls", "processing", "transfer"] {
            let series = format!("probe_http_duration_seconds{{phase=\"{phase}\"}}");
            assert!(answer.has(&series), "{target}: {series}");
        }
    }
}

#[test]
fn a_probe_ends_in_the_time_of_the_scrape_or_of_its_module() {
    let asked = open(RULES);
    let silent = asked.fleet.url(0, "/silent");
    let answer = asked.probe_to(false, &silent, "short");
    let took = answer.figure("probe_duration_seconds");
    assert!((0.3..20.0).contains(&took), "{took}");
    let query = format!("target={}", encoded(&silent));
    let answer = asked.ask(&query, &["X-Prometheus-Scrape-Timeout-Seconds: 1.2"]);
    assert_eq!((answer.status, answer.figure("probe_success")), (200, 0.0));
    let took = answer.figure("probe_duration_seconds");
    assert!((0.7..20.0).contains(&took), "{took}");
    let blackhole = asked.fleet.blackhole_url(0);
    let query = format!("target={}", encoded(&blackhole));
    let answer = asked.ask(&query, &["X-Prometheus-Scrape-Timeout-Seconds: 1"]);
    assert_eq!(answer.figure("probe_success"), 0.0);
    assert_eq!(answer.figure("probe_ip_protocol"), 4.0);
    let answer = asked.ask(&query, &["X-Prometheus-Scrape-Timeout-Seconds: soon"]);
    assert_eq!(answer.status, 400);
}

#[test]
fn a_name_of_the_host_is_asked_for_in_the_place_of_its_address() {
    let asked = open("");
    let target = asked.fleet.https_address_url(20, Certificate::Good, "/echo");
    asked.probe_to(false, &target, "http_2xx");
    let query = format!("target={}&hostname=t20.fleet.test&debug=true", encoded(&target));
    let answer = asked.ask(&query, &[]);
    assert!(answer.body.contains("probe_success 1"), "{}", answer.body);
}
