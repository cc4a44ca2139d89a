//! `explain`: one target, step by step.

use serde_json::{Value, json};

use super::fleet;
use crate::home::{Home, wait_for};

#[test]
fn a_target_of_the_running_daemon_is_explained_with_its_schedule() {
    let (fleet, home) = (fleet(), Home::new());
    let url = fleet.url(0, "/");
    home.list(&[json!({"url": url, "interval": 1, "timeout": 20, "name": "the page"})]);
    home.start(&[]);
    wait_for("a stored poll", || (home.stored() >= 1).then_some(()));
    for called in [&*url, "the page"] {
        let done = home.run(&["explain", called]).works();
        for words in ["plan ", "every 1.00 s; next at", "last at ", "connect ", "verdict       up"]
        {
            assert!(done.out.contains(words), "no {words:?} in {}", done.out);
        }
    }
    home.stop();
    let done = home.run(&["explain", &url]).works();
    assert!(done.out.contains("while the daemon runs, which it does not"), "{}", done.out);
}

#[test]
fn an_address_of_no_list_is_explained_as_it_is_now() {
    let (fleet, home) = (fleet(), Home::new());
    let done = home.run(&["explain", &fleet.url(0, "/s500/")]);
    assert_eq!(done.code, Some(2), "{done:#?}");
    assert!(done.out.contains("not in the list") && done.out.contains("verdict       down"));
    let done = home.run(&["explain", "--json", &fleet.url(0, "/")]).works();
    let document: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(document["result"]["status"], "success");
    home.run(&["explain", "ftp://a/"]).fails(3, &["ftp"]);
}
