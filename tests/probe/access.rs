//! Who may have what probed, and the last scheduled poll told instead.

use serde_json::json;

use crate::home::wait_for;
use crate::scrape::encoded;
use crate::{asked_with, open};

#[test]
fn targets_of_the_list_are_probed_for_readers_and_others_are_not() {
    let asked = asked_with("", &[], &[]);
    let listed = asked.fleet.url(9, "/b9");
    asked.probe_to(true, &listed, "http_2xx");
    let answer = asked.probe_to(true, "listed", "http_2xx");
    assert_eq!(answer.figure("probe_http_content_length"), 9.0);
    asked.probe_to(true, "listed", "tcp_connect");
    let other = asked.fleet.url(8, "/");
    let refused = asked.ask(&format!("target={}", encoded(&other)), &[]);
    assert_eq!(refused.status, 403, "{refused:#?}");
    assert!(
        refused.body.contains("needs the role run") || refused.body.contains("need the role run")
    );
    assert_eq!(asked.fleet.target_statistics(8).requests, 0, "nobody was asked");
}

#[test]
fn a_question_that_makes_no_sense_is_refused() {
    let asked = open("");
    for (query, word) in [
        ("", "target"),
        ("module=http_2xx", "target"),
        ("target=a&module=grpc", "unknown module"),
        ("target=a&debug=maybe", "debug"),
    ] {
        let answer = asked.ask(query, &[]);
        assert_eq!(answer.status, 400, "{query}: {answer:#?}");
        assert!(answer.body.contains(word), "{query}: {}", answer.body);
    }
    let figures = crate::scrape::ask(&asked.address, "/metrics", &[]);
    assert_eq!(figures.figure("poller_probe_module_unknown_total"), 1.0);
}

#[test]
fn the_last_scheduled_poll_is_told_without_a_probe() {
    let late = json!({"url": "http://127.1.0.99:1/", "id": "late", "interval": 86_400});
    let asked = asked_with("", &[late], &[]);
    let answer = wait_for("a poll that was stored", || {
        let answer = asked.ask("target=listed&cached=true", &[]);
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(answer.figure("probe_success"), 1.0);
    assert_eq!(answer.figure("probe_http_status_code"), 200.0);
    assert!(answer.figure("poller_probe_cached_age_seconds") >= 0.0);
    assert!(answer.has("probe_http_duration_seconds{phase=\"processing\"}"));
    for target in ["late", "nobody"] {
        let answer = asked.ask(&format!("target={target}&cached=true"), &[]);
        assert_eq!(answer.status, 404, "{answer:#?}");
    }
}

#[test]
fn service_discovery_leads_to_targets_that_can_be_probed() {
    let more: Vec<_> = (10..1_500)
        .map(|n| json!({"url": format!("tcp://127.2.0.1:{n}"), "interval": 86_400, "labels": {"team": "db", "a-b": "c"}}))
        .collect();
    let asked = asked_with("", &more, &[]);
    let find = |query: &str| -> Vec<serde_json::Value> {
        let answer = crate::scrape::ask(&asked.address, &format!("/api/v1/sd{query}"), &[]);
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        serde_json::from_str(&answer.body).expect("JSON")
    };
    let all = find("");
    assert_eq!(all.len(), 1_491);
    let web = all.iter().find(|one| one["labels"]["__meta_poller_id"] == "listed").expect("there");
    assert_eq!(web["targets"], json!([asked.fleet.url(9, "/b9")]));
    assert_eq!(web["labels"]["__param_module"], "http_2xx");
    assert_eq!(web["labels"]["__param_target"], "listed");
    let some = find("?label=team%3Ddb");
    assert_eq!(some.len(), 1_490);
    assert_eq!(some[0]["labels"]["__meta_poller_label_a_b"], "c");
    assert_eq!(some[0]["labels"]["__param_module"], "tcp_connect");
    assert!(find("?state=paused").is_empty());
    let answer = crate::scrape::ask(&asked.address, "/api/v1/sd?state=dwon", &[]);
    assert_eq!(answer.status, 400);
}
