//! What is stored of the past.

use poller::clock::rfc3339;
use serde_json::Value;

use super::asked::Asked;
use super::fed::{EVERY_MS, Fed, SLOTS, TARGETS};

/// When the polls in `page` finished, under the key `checks`.
fn times(page: &Value) -> Vec<String> {
    let checks = page["checks"].as_array().expect("checks");
    checks.iter().map(|one| one["at"].as_str().expect("a time").to_owned()).collect()
}

pub(crate) fn the_last_polls_of_a_target_are_found_by_its_slots(fed: &Fed, asked: &Asked) {
    for number in fed.numbers(|place| place == 7 || place == 12) {
        let id = fed.id(number);
        let wanted: Vec<String> =
            fed.outcomes[&number].iter().map(|one| rfc3339(one.finished_us / 1_000)).collect();
        assert_eq!(wanted.len() as i64, SLOTS);
        let first = asked.json(&format!("/api/v1/checks?target={id}&limit=5"));
        let mut found = times(&first);
        assert_eq!(found, wanted[..5]);
        let mut next = first["next"].as_str().map(str::to_owned);
        while let Some(after) = next {
            let page = asked.json(&format!("/api/v1/checks?target={id}&limit=5&after={after}"));
            found.extend(times(&page));
            next = page["next"].as_str().map(str::to_owned);
        }
        assert_eq!(found, wanted);
        let failed = asked.json(&format!("/api/v1/checks?target={id}&verdict=down&limit=100"));
        let is_down = fed.place(number) == 7;
        assert_eq!(times(&failed).len(), if is_down { 10 } else { 0 });
    }
}

pub(crate) fn polls_of_the_fleet_come_page_by_page(fed: &Fed, asked: &Asked) {
    let mut wanted: Vec<(i64, u32)> =
        fed.outcomes.values().flatten().map(|one| (one.due_ms, one.target)).collect();
    wanted.sort_unstable();
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = asked.json(&format!("/api/v1/checks?limit=50{after}"));
        found.extend(times(&page));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(found.len(), wanted.len());
    let results = asked.json("/api/v1/results?limit=3");
    let first = &results["results"][0];
    assert_eq!(first["plugin_type"], "website_status", "{first}");
    let down = asked.json("/api/v1/checks?verdict=down&limit=1000");
    let is_down = |one: &Value| one["verdict"] == "down";
    assert!(down["checks"].as_array().expect("checks").iter().all(is_down), "{down}");
}

pub(crate) fn a_target_is_told_in_full(fed: &Fed, asked: &Asked) {
    let number = fed.numbers(|place| place == 7)[0];
    let id = fed.id(number);
    let told = asked.json(&format!("/api/v1/targets/{id}"));
    assert_eq!(told["target"]["state"], "down");
    assert_eq!(
        (&told["check"], &told["method"], &told["priority"]),
        (&"http".into(), &"GET".into(), &"normal".into())
    );
    assert_eq!(told["polls"].as_array().expect("polls").len() as i64, SLOTS);
    assert_eq!(told["incidents"].as_array().expect("outages").len(), 1);
    let counted = |key: &str| -> u64 {
        let all = told[key].as_array().expect(key).iter();
        all.map(|one| one["checks"].as_u64().expect("a count")).sum()
    };
    assert_eq!((counted("days"), counted("hours")), (SLOTS.unsigned_abs(), SLOTS.unsigned_abs()));
    let uptime = told["uptime"]["24h"].as_f64().expect("known");
    assert!((0.01..0.5).contains(&uptime), "two of twelve slots, and the time since: {uptime}");
    let from = rfc3339(fed.now_ms - SLOTS * EVERY_MS - 60_000);
    let history = asked.json(&format!("/api/v1/targets/{id}/history?from={from}&step=10"));
    assert_eq!(history["source"], "samples", "{history}");
    let polls: u64 = history["points"]
        .as_array()
        .expect("points")
        .iter()
        .map(|one| one["checks"].as_u64().expect("some"))
        .sum();
    assert_eq!(polls, SLOTS.unsigned_abs());
    let history = asked.json(&format!("/api/v1/targets/{id}/history?step=3600"));
    assert_eq!(history["source"], "hours");
    assert_eq!(asked.text("/api/v1/targets/nobody").0, 404);
    let group = asked.json("/api/v1/endpoints/front_shop-0/statuses");
    assert_eq!((&group["name"], &group["group"]), (&"Shop 0".into(), &"Front".into()), "{group}");
}

pub(crate) fn outages_and_the_fleet_are_told(fed: &Fed, asked: &Asked) {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = asked.json(&format!("/api/v1/incidents?limit=4{after}"));
        let part = page["incidents"].as_array().expect("outages");
        found.extend(part.iter().map(|one| one["url"].as_str().expect("an address").to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    found.sort_unstable();
    let mut wanted: Vec<String> = fed
        .numbers(|place| matches!(place % 10, 7 | 8))
        .iter()
        .map(|number| fed.targets[number].url.to_string())
        .collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!(
        asked.json("/api/v1/incidents?open=false")["incidents"].as_array().map(Vec::len),
        Some(0)
    );
    let polls = (TARGETS as u64 - 1) * SLOTS.unsigned_abs();
    let summed = asked.json("/api/v1/results/summary?period=day");
    assert_eq!(summed["total"], polls, "{summed}");
    for span in ["5m", "1h", "24h"] {
        let chart = asked.json(&format!("/api/v1/latency?span={span}"));
        let points = chart["points"].as_array().expect("points").iter();
        let answered: u64 = points.map(|one| one["count"].as_u64().expect("a count")).sum();
        assert!(answered > 0 && answered < polls, "{span}: {chart}");
    }
}

pub(crate) fn everything_can_be_exported(fed: &Fed, asked: &Asked) {
    let lines = |path: &str| {
        let (status, text) = asked.text(path);
        assert_eq!(status, 200, "{path}: {text}");
        text.matches("\"target_id\"").count() as i64
    };
    let polls = (TARGETS as i64 - 1) * SLOTS;
    assert_eq!(lines("/api/v1/export/samples?format=jsonl"), polls);
    let id = fed.id(fed.numbers(|place| place == 12)[0]);
    assert_eq!(lines(&format!("/api/v1/export/samples?format=jsonl&target={id}")), SLOTS);
}

pub(crate) fn figures_and_discovery_are_told(asked: &Asked) {
    let (status, text) = asked.text("/metrics");
    assert_eq!(status, 200);
    for line in [
        "poller_targets{state=\"down\"} 12",
        "poller_cluster_members{role=\"checker\"} 1",
        "poller_cluster_shards_unowned{role=\"scheduler\"} 1",
        "poller_cluster_consumer_lag{role=\"recorder\",location=\"\"} 12",
        "poller_cluster_delay_seconds{quantile_name=\"p99\"} 0.3",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let (status, found) = asked.text("/api/v1/sd?label=team%3Dweb");
    assert_eq!((status, found.matches("__param_target").count()), (200, 10), "{found}");
}
