//! The status page and what is announced on it, of a real daemon.

#![expect(clippy::expect_used, reason = "all of it is a test")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/web.rs"]
mod web;

use std::time::{Duration, Instant};

use daemon::{Daemon, PATIENCE};
use fleet::{Fleet, Options};
use serde_json::{Value, json};
use web::{Told, ask, get, order};

fn address(daemon: &Daemon) -> String {
    daemon.summary()["listen"].as_str().expect("on the network").to_owned()
}

/// Asks until `is_right` holds of the answer.
fn until(what: &str, mut asked: impl FnMut() -> Told, is_right: impl Fn(&Told) -> bool) -> Told {
    let end = Instant::now() + PATIENCE;
    loop {
        let told = asked();
        if is_right(&told) {
            return told;
        }
        assert!(Instant::now() < end, "{what}: {told:?}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

fn list(fleet: &Fleet) -> Value {
    let labelled = |id: &str, url: String, group: Option<&str>| {
        json!({"id": id, "name": format!("<i>{id}</i>"), "url": url, "interval": 1, "retries": 0,
            "group": group, "labels": {"public": "yes"}})
    };
    json!([
        labelled("good", fleet.url(0, "/"), Some("Shop & more")),
        labelled("bad", fleet.url(1, "/s500"), None),
        {"id": "inner", "name": "inner secret", "url": fleet.url(2, "/"), "interval": 1},
    ])
}

const ARGUMENTS: [&str; 6] =
    ["--listen", "127.0.0.1:0", "--status-label", "public=yes", "--status-title", "Our <services>"];

#[test]
fn the_status_page_tells_labelled_targets_alone_by_group_and_without_a_script() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = Daemon::start(&list(&fleet), &ARGUMENTS);
    let address = address(&daemon);
    let told = until(
        "the outage",
        || get(&address, "/status"),
        |told| told.body.contains("1 of 2 are down") && told.body.contains("goes on"),
    );
    assert_eq!(told.status, 200);
    assert!(told.head.to_lowercase().contains("content-type: text/html"), "{}", told.head);
    assert!(told.head.contains("default-src 'self'"), "{}", told.head);
    for wanted in
        ["Our &#60;services&#62;", "&#60;i&#62;good&#60;/i&#62;", "Shop &#38; more", "Others"]
    {
        assert!(told.body.contains(wanted), "{wanted}: {}", told.body);
    }
    for barred in ["<script", "<i>", "inner secret", " style=", "http://127"] {
        assert!(!told.body.contains(barred), "{barred}: {}", told.body);
    }
    assert!(told.body.contains("http-equiv=\"refresh\" content=\"60\""), "{}", told.body);
}

#[test]
fn announcements_come_and_go_and_outlive_the_daemon() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = Daemon::start(&list(&fleet), &ARGUMENTS);
    let (address, socket) = (address(&daemon), daemon.data().join("poller.sock"));
    let work = json!({"title": "Work <on> it", "text": "from\nto", "kind": "maintenance",
        "until": "2999-01-01T00:00:00Z"});
    let path = "/api/v1/announcements";

    let stranger = ask(&address, "POST", path, &work.to_string());
    assert_eq!(stranger.status, 401, "{stranger:?}");
    let slip = order(&socket, "POST", path, r#"{"title": "", "kind": "party"}"#);
    assert_eq!(slip.status, 400, "{slip:?}");
    assert!(slip.body.contains("title has") && slip.body.contains("party"), "{slip:?}");

    let kept = order(&socket, "POST", path, &work.to_string());
    assert_eq!(kept.status, 201, "{kept:?}");
    let kept: Value = serde_json::from_str(&kept.body).expect("JSON");
    let later = json!({"title": "Later", "from": "2998-01-01T00:00:00Z"});
    assert_eq!(order(&socket, "POST", path, &later.to_string()).status, 201);
    let page = until(
        "the announcement",
        || get(&address, "/status"),
        |told| told.body.contains("Work &#60;on&#62; it"),
    );
    assert!(page.body.contains("Planned: information"), "{}", page.body);

    let again = daemon.restart(&ARGUMENTS);
    let (address, socket) = (self::address(&again), again.data().join("poller.sock"));
    let all: Value = serde_json::from_str(&get(&address, path).body).expect("JSON");
    assert_eq!(all["announcements"][1], kept, "{all}");
    let one = format!("{path}/{}", kept["id"]);
    assert_eq!(ask(&address, "DELETE", &one, "").status, 401);
    assert_eq!(order(&socket, "DELETE", &one, "").status, 204);
    assert_eq!(order(&socket, "DELETE", &one, "").status, 404);
    assert_eq!(order(&socket, "DELETE", &format!("{path}/x"), "").status, 400);
    until("it to be gone", || get(&address, "/status"), |told| !told.body.contains("Work"));
}

#[test]
fn the_files_of_the_dashboard_are_told_with_their_kinds_and_are_not_sent_twice() {
    let list = json!([{"url": "http://127.0.0.1:9/", "interval": 60}]);
    let daemon = Daemon::start(&list, &["--listen", "127.0.0.1:0"]);
    let address = address(&daemon);
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/main.js", "text/javascript; charset=utf-8"),
        ("/assets/base.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
        ("/assets/uplot-licence.txt", "text/plain; charset=utf-8"),
    ] {
        let told = get(&address, path);
        assert_eq!(told.status, 200, "{path}");
        let head = told.head.to_lowercase();
        assert!(head.contains(&format!("content-type: {kind}")), "{path}: {head}");
        assert!(head.contains("etag: \"") && head.contains("nosniff"), "{path}: {head}");
    }
    assert_eq!(get(&address, "/assets/../Cargo.toml").status, 404);
    assert_eq!(get(&address, "/assets/nothing.js").status, 404);
    assert!(get(&address, "/assets/uplot-licence.txt").body.contains("Leon Sorokin"));
    assert!(get(&address, "/assets/uplot.js").body.contains("v1.6.32"));
}
