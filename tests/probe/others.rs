//! Probes over TCP and ICMP, and of name servers.

use crate::fleet::Certificate;
use crate::open;

#[test]
fn a_dialog_goes_line_by_line_with_answers_to_what_was_said() {
    let asked = open(
        "modules:
  connect: {prober: tcp}
  ask: {prober: tcp, tcp: {query_response: [{send: \"GET /text/PING%20x7 HTTP/1.0\\r\\n\\r\"}, {expect: '^PING (x[0-9])', send: 'PONG ${1}'}]}}
  wrong: {prober: tcp, tcp: {query_response: [{send: \"GET / HTTP/1.0\\r\\n\\r\"}, {expect: '^220 '}]}}
  tls: {prober: tcp, tcp: {tls: true, query_response: [{send: \"GET / HTTP/1.0\\r\\n\\r\"}, {expect: '^HTTP/1.. 200'}]}}
",
    );
    let plain = format!("127.1.0.1:{}", asked.fleet.http_port());
    let answer = asked.probe_to(true, &plain, "connect");
    assert_eq!(answer.figure("probe_failed_due_to_regex"), 0.0);
    assert!(!answer.has("probe_http_status_code"));
    asked.probe_to(true, &plain, "ask");
    let answer = asked.probe_to(false, &plain, "wrong");
    assert_eq!(answer.figure("probe_failed_due_to_regex"), 1.0);
    let secure = format!("t0.fleet.test:{}", asked.fleet.https_port(Certificate::Good));
    let answer = asked.probe_to(true, &secure, "tls");
    assert!(answer.figure("probe_ssl_earliest_cert_expiry") > 1.7e9);
    assert_eq!(answer.figure("probe_tls_version_info{version=\"TLS 1.3\"}"), 1.0);
    let answer = asked.probe_to(false, &plain, "tls");
    assert!(!answer.has("probe_ssl_earliest_cert_expiry"));
    for target in ["127.1.0.1:1", "127.1.0.1", "nobody.invalid:80"] {
        asked.probe_to(false, target, "connect");
    }
}

#[test]
fn a_name_server_is_asked_one_question_and_its_answer_is_weighed() {
    let asked = open(
        "modules:
  a: {prober: dns, dns: {query_name: t0.fleet.test, query_type: A}}
  tcp: {prober: dns, dns: {query_name: t0.fleet.test, query_type: A, transport_protocol: tcp}}
  soa: {prober: dns, dns: {query_name: fleet.test, query_type: SOA, valid_rcodes: [NOERROR, NXDOMAIN]}}
  gone: {prober: dns, dns: {query_name: nobody.other.test, query_type: A}}
  right: {prober: dns, dns: {query_name: t0.fleet.test, query_type: A, validate_answer_rrs: {fail_if_not_matches_regexp: [\"t0.fleet.test.\\t.*\\tIN\\tA\\t127.1.0.1\"]}}}
  wrong: {prober: dns, dns: {query_name: t0.fleet.test, query_type: A, validate_answer_rrs: {fail_if_matches_regexp: ['127.1']}}}
  silent: {prober: dns, timeout: 400ms, dns: {query_name: t0.fleet.test, query_type: A}}
",
    );
    let server = asked.fleet.dns_address().to_string();
    for module in ["a", "tcp", "right"] {
        let answer = asked.probe_to(true, &server, module);
        assert_eq!(answer.figure("probe_dns_answer_rrs"), 1.0);
        assert_eq!(answer.figure("probe_dns_query_succeeded"), 1.0);
        assert!(answer.has("probe_dns_duration_seconds{phase=\"request\"}"));
        assert!(answer.has("probe_dns_duration_seconds{phase=\"connect\"}"));
    }
    asked.probe_to(false, &server, "gone");
    asked.probe_to(false, &server, "wrong");
    assert!(asked.probe(&server, "soa").has("probe_dns_serial"));
    asked.fleet.dns_dead(true);
    let answer = asked.probe_to(false, &server, "silent");
    assert_eq!(answer.figure("probe_dns_query_succeeded"), 0.0);
}

#[test]
fn a_host_is_asked_for_an_echo() {
    let asked = open("");
    let answer = asked.probe("127.0.0.1", "icmp");
    let told = asked.ask("target=127.0.0.1&module=icmp&debug=true", &[]).body;
    if told.contains("icmp_forbidden") {
        println!("skipped: this system lets nobody send echo requests");
        return;
    }
    assert_eq!(answer.figure("probe_success"), 1.0, "{}", answer.body);
    assert_eq!(answer.figure("probe_icmp_reply_hop_limit"), 64.0);
    for phase in ["resolve", "setup", "rtt"] {
        assert!(
            answer.has(&format!("probe_icmp_duration_seconds{{phase=\"{phase}\"}}")),
            "{phase}"
        );
    }
    asked.probe_to(true, "127.0.0.1", "icmp_ttl5");
    asked.probe_to(false, "nobody.invalid", "icmp");
}
