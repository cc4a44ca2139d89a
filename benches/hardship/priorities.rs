//! Fewer places than polls need, and targets of three priorities.

use serde_json::{Value, json};

use super::figure;
use super::rig::{Poller, Site, pause};

/// Plays the scene; a trial is short.
pub(crate) fn play(is_trial: bool) {
    // 50 places and polls of 2 s make 25 a second; 100 are asked for, 10 of them urgent.
    let (targets, interval, seconds) = if is_trial { (200, 2, 4.0) } else { (2_000, 20, 180.0) };
    let site = Site::start();
    let priority = |number: u32| match number % 10 {
        0 => "high",
        1..5 => "normal",
        _ => "low",
    };
    let entry = |number: u32| {
        json!({
            "url": site.url(number, "/d2000"), "id": format!("{}-{number}", priority(number)),
            "interval": interval, "timeout": "15s", "priority": priority(number), "retries": 0,
        })
    };
    let entries: Vec<Value> = (0..targets).map(entry).collect();
    let mut poller = Poller::start(&site, &site.list_of(&entries), &["--max-workers", "50"]);
    pause(seconds);
    let summary = poller.summary();
    for name in ["high", "normal", "low"] {
        let of = format!("FROM checks WHERE target_id LIKE '{name}-%'");
        let row = poller.rows(&format!(
            "SELECT count(*) AS polls, avg(lag_ms) AS mean, max(lag_ms) AS most {of}"
        ));
        let number = |key: &str| row.first().and_then(|row| row[key].as_f64()).unwrap_or(0.0);
        println!(
            "  {name}: {} polls, lag mean {:.0} ms, most {:.0} ms",
            number("polls"),
            number("mean"),
            number("most"),
        );
    }
    println!(
        "  missed {} ({} for want of a place, {} while running), {} waiting, {} down",
        figure(&summary, "/checks/missed"),
        figure(&summary, "/checks/missed_by/saturated"),
        figure(&summary, "/checks/missed_by/running"),
        figure(&summary, "/schedule/waiting"),
        figure(&summary, "/targets/down"),
    );
    poller.stop();
}
