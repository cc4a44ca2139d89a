//! Files of checks: every result is there, in order, whatever becomes of the others.

use serde_json::{Value, json};

use super::{batch_of, document, fleet, ids, results, website};
use crate::home::Home;

#[test]
fn results_come_in_the_order_of_the_file_however_long_each_takes() {
    let (fleet, home) = (fleet(), Home::new());
    let slow = |number: u32| if number.is_multiple_of(3) { "/d150/" } else { "/" };
    let checks: Vec<Value> = (0..60_u32)
        .map(|number| website(&format!("c{number}"), &fleet.url(number, slow(number))))
        .collect();
    let done = batch_of(&home, &checks, &["--json", "--max-workers", "20", "--batch-size", "10"]);
    assert_eq!(done.code, Some(0), "{done:#?}");
    let document = document(&done);
    let expected: Vec<String> = (0..60).map(|number| format!("c{number}")).collect();
    assert_eq!(ids(&document), expected);
    assert_eq!(document["summary"]["total"], 60);
    assert_eq!(document["summary"]["success"], 60);
    assert_eq!(document["summary"]["success_percentage"], 100.0);
}

#[test]
fn no_more_run_at_once_than_there_are_workers_and_all_of_those_do() {
    let (fleet, home) = (fleet(), Home::new());
    let checks: Vec<Value> = (0..40_u32)
        .map(|number| website(&format!("c{number}"), &fleet.url(number, "/d200/")))
        .collect();
    let done = batch_of(&home, &checks, &["--max-workers", "8", "--batch-size", "2", "--json"]);
    assert_eq!(document(&done)["summary"]["success"], 40);
    assert_eq!(fleet.statistics().most_in_flight, 8);
    fleet.reset();
    let done = batch_of(&home, &checks[..3], &["--parallel=false", "--json"]);
    assert_eq!(document(&done)["summary"]["success"], 3);
    assert_eq!(fleet.statistics().most_in_flight, 1);
}

#[test]
fn what_one_check_fails_by_touches_no_other() {
    let (fleet, home) = (fleet(), Home::new());
    let checks = [
        website("good", &fleet.url(0, "/")),
        website("missing", &fleet.url(1, "/s404/")),
        website("reset", &fleet.url(2, "/reset/")),
        json!({"id": "content", "plugin_type": "website_status",
            "config": {"url": fleet.url(3, "/text/here"), "expected_content": "there"}}),
        website("good-too", &fleet.url(4, "/")),
    ];
    let done = batch_of(&home, &checks, &["--json"]);
    assert_eq!(done.code, Some(2), "{done:#?}");
    let document = document(&done);
    let status = |index: usize| results(&document)[index]["status"].as_str().unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(status), ["success", "error", "error", "warning", "success"]);
    let raw = |index: usize| &results(&document)[index]["raw_data"];
    assert_eq!(raw(1)["error_type"], "status");
    assert_eq!(raw(2)["verdict"], "down");
    assert_eq!(raw(3)["cause"], "assertion");
    assert!(raw(0).get("error").is_none() && raw(1)["error"].is_string());
}

#[test]
fn the_exit_code_tells_the_worst_critical_before_unknown_before_warning() {
    let (fleet, home) = (fleet(), Home::new());
    let good = website("good", &fleet.url(0, "/"));
    let warning = json!({"plugin_type": "website_status",
        "config": {"url": fleet.url(3, "/text/here"), "expected_content": "there"}});
    let down = website("down", &fleet.url(1, "/s500/"));
    let unknown = json!({"plugin_type": "website"});
    let code = |checks: &[&Value]| {
        let checks: Vec<Value> = checks.iter().map(|check| (*check).clone()).collect();
        batch_of(&home, &checks, &[]).code
    };
    assert_eq!(code(&[&good]), Some(0));
    assert_eq!(code(&[&good, &warning]), Some(1));
    assert_eq!(code(&[&warning, &unknown]), Some(3));
    assert_eq!(code(&[&unknown, &down, &warning]), Some(2));
}

#[test]
fn lists_of_every_command_may_be_plain_names_with_comments_and_blank_lines() {
    let (fleet, home) = (fleet(), Home::new());
    let text =
        format!("# ours\n{}\n\n   \n{}   # the other\n", fleet.url(0, "/"), fleet.url(1, "/"));
    home.write("sites.txt", &text);
    let done = home.run(&["website", "--sites", "sites.txt", "--parallel", "--json"]).works();
    assert_eq!(results(&document(&done)).len(), 2);
    let done = home.run_with_input(&["website", "--sites", "-", "--json"], &text).works();
    assert_eq!(results(&document(&done)).len(), 2);
    let port = fleet.http_port();
    home.write("hosts.txt", &format!("127.0.0.1:{port}\n\n# none\ntcp://127.0.0.1:{port}\n"));
    let done = home.run(&["tcp", "--hosts", "hosts.txt", "--json"]).works();
    assert_eq!(document(&done)["summary"]["success"], 2);
}

#[test]
fn targets_of_the_command_line_come_before_those_of_the_file() {
    let (fleet, home) = (fleet(), Home::new());
    home.write("sites.txt", &fleet.url(1, "/"));
    let first = fleet.url(0, "/");
    let done = home.run(&["website", &first, "--sites", "sites.txt", "--json"]).works();
    let document = document(&done);
    assert_eq!(results(&document)[0]["raw_data"]["target"], first);
    assert_eq!(results(&document)[1]["raw_data"]["target"], fleet.url(1, "/"));
}
