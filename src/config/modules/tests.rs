//! Files of modules, good and bad.

use std::path::Path;
use std::time::Duration;

use super::{Modules, NoModule, Prober, USUAL};
use crate::target::{IpVersion, Probe, TcpStep, Verify};

fn parse(text: &str) -> Result<Modules, String> {
    Modules::parse(text, Path::new("blackbox.yml")).map_err(|error| error.to_string())
}

#[test]
fn the_modules_of_the_example_are_built_in_without_grpc() {
    let modules = Modules::read(None).expect("they are good");
    assert_eq!((modules.len(), modules.refused().count()), (8, 0));
    let usual = modules.module(USUAL).expect("it is there");
    assert_eq!(
        (usual.plan.redirects, usual.plan.expect.status.as_slice()),
        (10, &[(200, 299)][..])
    );
    let Probe::Icmp(probe) = &modules.module("icmp_ttl5").expect("there").plan.probe else {
        panic!("it asks for echoes");
    };
    assert_eq!((probe.count, probe.ttl.map(std::num::NonZeroU8::get)), (1, Some(5)));
    let Probe::Tcp(probe) = &modules.module("pop3s_banner").expect("there").plan.probe else {
        panic!("it speaks TCP");
    };
    assert!(matches!(probe.dialog.as_slice(), [TcpStep::Secure, TcpStep::Match(_)]));
    let unknown = modules.module("grpc").expect_err("there is none");
    assert!(matches!(unknown, NoModule::Unknown { known, .. } if known.contains("http_2xx")));
}

#[test]
fn a_field_that_nobody_knows_is_a_mistake_with_its_line() {
    let text = "modules:\n  web:\n    prober: http\n    http:\n      methd: POST\n";
    let error = parse(text).expect_err("a slip");
    assert!(error.starts_with("the modules file blackbox.yml, line 5: "), "{error}");
    assert!(error.contains("methd"), "{error}");
}

#[test]
fn values_that_make_no_sense_are_told_with_their_module() {
    for (prober, fields, word) in [
        ("http", "http: {fail_if_body_matches_regexp: ['(']}", "no pattern"),
        ("http", "http: {valid_http_versions: ['HTTP/4']}", "HTTP/4"),
        ("http", "http: {preferred_ip_protocol: ip5}", "ip5"),
        ("http", "timeout: soon", "timeout"),
        ("dns", "dns: {query_type: A}", "query_name"),
        ("dns", "dns: {query_name: a.example, query_type: B}", "query_type"),
        ("ftp", "timeout: 5s", "ftp"),
    ] {
        let text = format!("modules:\n  own:\n    prober: {prober}\n    {fields}\n");
        let error = parse(&text).expect_err(fields);
        assert!(error.contains("module \"own\"") && error.contains(word), "{error}");
        assert!(error.contains(", line "), "{error}");
    }
}

#[test]
fn a_module_that_asks_for_what_is_not_here_is_refused_by_name_and_the_others_serve() {
    let text = "modules:\n  grpc: {prober: grpc, grpc: {tls: true}}\n  login: {prober: http, \
                http: {oauth2: {client_id: a}, body_size_limit: 1MB}}\n  web: {prober: http, http: \
                {body_size_limit: 0, no_proxy: ''}}\n  tcp: {prober: tcp, tcp: {source_ip_address: \
                10.0.0.1}}\n";
    let text = text.replace("body_size_limit: 0, ", "");
    let modules = parse(&text).expect("a good file");
    assert_eq!(modules.len(), 1);
    let refused: Vec<String> =
        modules.refused().map(|(name, reason)| format!("{name}: {reason}")).collect();
    assert_eq!(
        refused,
        [
            "grpc: the prober grpc is not supported",
            "login: oauth2, body_size_limit are not supported",
            "tcp: source_ip_address is not supported",
        ]
    );
    let error = modules.module("login").expect_err("refused").to_string();
    assert!(error.contains("oauth2"), "{error}");
}

#[test]
fn all_that_is_said_of_a_module_is_taken_over() {
    let text = "modules:\n  own:\n    prober: http\n    timeout: 7s\n    http:\n      method: put\n      \
                body: secret text\n      headers: {Host: a.example:80, X-Key: k}\n      \
                valid_status_codes: [200, 404]\n      follow_redirects: false\n      enable_http2: \
                false\n      basic_auth: {username: me, password: pass}\n      fail_if_not_ssl: \
                true\n      preferred_ip_protocol: ip4\n      ip_protocol_fallback: false\n      \
                fail_if_header_not_matches: [{header: Server, regexp: x, allow_missing: true}]\n      \
                tls_config: {insecure_skip_verify: true, ca_file: ca.pem}\n";
    let modules = parse(text).expect("a good file");
    let module = modules.module("own").expect("there");
    let plan = &module.plan;
    assert_eq!((&*plan.method, plan.redirects), ("PUT", 0));
    assert_eq!(plan.expect.status, [(200, 200), (404, 404)]);
    assert_eq!(module.timeout, Some(Duration::from_secs(7)));
    assert_eq!((module.preference.version, module.preference.falls_back), (IpVersion::V4, false));
    assert_eq!(plan.tls.verify, Verify::Off);
    assert_eq!(plan.tls.server_name.as_deref(), Some("a.example"));
    let Prober::Http(rules) = &module.prober else { panic!("it speaks HTTP") };
    assert_eq!((rules.tls, rules.wanted.len()), (Some(true), 1));
    for secret in ["secret text", "pass\n", "k\n"] {
        assert!(!module.shown.contains(secret), "{}", module.shown);
    }
    assert!(
        module.shown.contains("X-Key") && module.shown.contains("<secret>"),
        "{}",
        module.shown
    );
}
