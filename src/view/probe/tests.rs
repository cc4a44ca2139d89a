//! Facts of probes, and the figures that are told of them.

use serde_json::{Map, Value, json};

use super::{Probed, Spoken};
use crate::outcome::{Cause, Detail, Finding, Micros, Phases};
use crate::view::series;

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("it is a map") };
    map
}

fn told(spoken: Spoken, data: &Map<String, Value>, finding: &Finding) -> Vec<(String, f64)> {
    let probed = Probed {
        spoken,
        data,
        finding,
        seconds: 0.5,
        timeout: 9.0,
        is_success: true,
        is_by_pattern: false,
    };
    let mut all = Vec::new();
    for family in probed.families() {
        for sample in family.samples {
            let told = |(name, value): &(&str, String)| format!("{{{name}={value}}}");
            let labels = sample.labels.iter().map(told).collect::<Vec<_>>().concat();
            #[expect(clippy::cast_precision_loss, reason = "they are small")]
            let number = match sample.value {
                series::Value::Number(number) => number,
                series::Value::Count(count) => count as f64,
                series::Value::Times(_) => panic!("it is a number"),
            };
            all.push((format!("{}{labels}", family.name), number));
        }
    }
    all
}

fn figure(all: &[(String, f64)], name: &str) -> Option<f64> {
    all.iter().find(|(own, _)| own == name).map(|(_, number)| *number)
}

#[test]
fn a_page_is_told_with_its_phases_and_its_certificate() {
    let chain = json!([
        {"not_after": "2030-01-02T00:00:00.000Z", "is_on_path": true, "subject": "CN=a, O=b"},
        {"not_after": "2029-01-01T00:00:00.000Z", "is_on_path": false}
    ]);
    let data = map(json!({
        "hops": [{"remote_address": "[::1]:443", "phases": {"resolve": 0.25}}],
        "final_url": "https://a.example/", "http_version": "HTTP/2", "unpacked_size": 10,
        "response_headers": {"content-length": "7", "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT"},
        "tls": {"protocol": "TLSv1.3", "cipher": "C", "is_trusted": true, "chain": chain}
    }));
    let phases = Phases { tls: Micros::from_us(2_000), ..Phases::default() };
    let finding = Finding { status: 200, redirects: 1, phases, ..Finding::default() };
    let all = told(Spoken::Http, &data, &finding);
    for (name, value) in [
        ("probe_success", 1.0),
        ("probe_timeout_seconds", 9.0),
        ("probe_duration_seconds", 0.5),
        ("probe_dns_lookup_time_seconds", 0.25),
        ("probe_ip_protocol", 6.0),
        ("probe_http_status_code", 200.0),
        ("probe_http_content_length", 7.0),
        ("probe_http_uncompressed_body_length", 10.0),
        ("probe_http_redirects", 1.0),
        ("probe_http_ssl", 1.0),
        ("probe_http_version", 2.0),
        ("probe_http_last_modified_timestamp_seconds", 784_111_777.0),
        ("probe_http_duration_seconds{phase=tls}", 0.002),
        ("probe_http_duration_seconds{phase=resolve}", 0.25),
        ("probe_failed_due_to_regex", 0.0),
        ("probe_ssl_earliest_cert_expiry", 1_861_920_000.0),
        ("probe_ssl_last_chain_expiry_timestamp_seconds", 1_893_542_400.0),
        ("probe_tls_version_info{version=TLS 1.3}", 1.0),
        ("probe_tls_cipher_info{cipher=C}", 1.0),
    ] {
        assert_eq!(figure(&all, name), Some(value), "{name} in {all:#?}");
    }
}

#[test]
fn a_name_that_is_not_found_takes_all_the_time_and_leaves_the_rest_at_nothing() {
    let finding = Finding::default().with_cause(Cause::Dns, Detail::NoSuchName);
    let all = told(Spoken::Http, &map(json!({"hops": [{"addresses": []}]})), &finding);
    assert_eq!(figure(&all, "probe_http_duration_seconds{phase=resolve}"), Some(0.5));
    assert_eq!(figure(&all, "probe_dns_lookup_time_seconds"), Some(0.5));
    assert_eq!(figure(&all, "probe_http_duration_seconds{phase=connect}"), Some(0.0));
    assert_eq!(figure(&all, "probe_http_content_length"), Some(0.0));
    assert_eq!(figure(&all, "probe_ip_protocol"), Some(0.0));
    assert_eq!(figure(&all, "probe_ssl_earliest_cert_expiry"), None);
}

#[test]
fn names_are_in_order_and_told_once() {
    let all = told(
        Spoken::Dns { tells_serial: true },
        &map(json!({"rcode": "NOERROR", "serial": 7})),
        &Finding::default(),
    );
    assert_eq!(figure(&all, "probe_dns_serial"), Some(7.0));
    let names: Vec<&str> =
        all.iter().map(|(name, _)| name.split('{').next().unwrap_or("")).collect();
    assert!(names.is_sorted(), "{names:?}");
}
