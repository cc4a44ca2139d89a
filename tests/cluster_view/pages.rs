//! Pages of targets.

use std::collections::BTreeMap;

use poller::view::TargetPage;

use super::asked::Asked;
use super::engines::Postgres;
use super::fed::{Fed, TARGETS};
use super::server::sql;
use super::trouble::wait;

/// Whether the target at a place is wanted.
type Wanted<'a> = Box<dyn Fn(usize) -> bool + 'a>;

/// Waits until the view has read the figures of all targets, by which tables it has read whole.
pub(crate) fn figures_are_read(fed: &Fed) {
    let read = "SELECT coalesce(sum(calls), 0) FROM (SELECT seq_scan AS calls \
                FROM pg_stat_user_tables WHERE relname = 'record') AS all_of_it";
    let scans = || sql(&fed.url, read);
    let first = scans();
    wait("the figures are read", || scans() != first);
}

/// The numbers of the targets of a page.
fn numbers(fed: &Fed, page: &TargetPage) -> Vec<u32> {
    let by_url: BTreeMap<&str, u32> =
        fed.targets.values().map(|row| (&*row.url, row.number)).collect();
    page.targets.iter().map(|row| by_url[row.url.as_str()]).collect()
}

pub(crate) fn every_filter_finds_what_it_should(fed: &Fed, asked: &Asked) {
    let is_polled = |place: usize| place + 1 < TARGETS;
    let is_bad = |place: usize| matches!(place % 10, 7..=9) && is_polled(place);
    let cases: [(&str, Wanted<'_>); 15] = [
        ("", Box::new(|_| true)),
        ("state=up", Box::new(|place| is_polled(place) && !is_bad(place))),
        ("state=down", Box::new(|place| matches!(place % 10, 7 | 8))),
        ("state=pending", Box::new(|place| !is_polled(place))),
        ("state=paused", Box::new(|_| false)),
        ("label=team%3Dweb", Box::new(|place| place % 6 == 0)),
        ("label=team%3Dnobody", Box::new(|_| false)),
        ("group=Front", Box::new(|place| place.is_multiple_of(4))),
        ("text=SHOP", Box::new(|place| place % 5 == 0)),
        ("text=example/5", Box::new(|place| place == 5 || place / 10 == 5)),
        ("text=100%25_", Box::new(|_| false)),
        ("text=id-1", Box::new(|place| place % 6 == 0 && (place / 10 == 1 || place == 1))),
        ("cause=timeout", Box::new(|place| place % 10 == 7)),
        ("cause=timeout&group=Front", Box::new(|_| false)),
        ("state=up&label=team%3Dweb&text=shop", Box::new(|place| place % 30 == 0)),
    ];
    for (query, is_wanted) in cases {
        let page = asked.door.client.targets(format!("{query}&limit=1000").trim_start_matches('&'));
        let page = page.unwrap_or_else(|error| panic!("{query}: {error}"));
        let wanted = fed.numbers(&is_wanted);
        assert_eq!(numbers(fed, &page), wanted, "{query}");
        assert_eq!(page.total, wanted.len() as u64, "{query}");
    }
    // One without an id of its own is found by the one it is shown with.
    let number = fed.numbers(|place| place == 1)[0];
    let page = asked.door.client.targets(&format!("text={}", fed.id(number))).expect("a page");
    assert_eq!(numbers(fed, &page), [number]);
}

pub(crate) fn pages_of_every_order_hold_each_target_once(fed: &Fed, asked: &Asked) {
    for query in
        ["sort=number", "sort=latency", "sort=downtime", "sort=lag", "sort=latency&group=Front"]
    {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = asked.door.client.targets(&format!("{query}&limit=7{after}")).expect(query);
            assert!(page.targets.len() <= 7);
            found.extend(numbers(fed, &page).into_iter().zip(page.targets));
            match page.next {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let mut unique: Vec<u32> = found.iter().map(|(number, _)| *number).collect();
        unique.sort_unstable();
        let is_wanted = |place: usize| !query.contains("Front") || place.is_multiple_of(4);
        assert_eq!(unique, fed.numbers(is_wanted), "{query}");
        let latencies: Vec<f64> =
            found.iter().map(|(_, row)| row.latency_seconds.unwrap_or(0.0)).collect();
        if query.contains("latency") {
            assert!(latencies.is_sorted_by(|one, next| one >= next), "{latencies:?}");
        }
        if query.contains("downtime") {
            let (down, rest) = found.split_at(12);
            assert!(down.iter().all(|(_, row)| row.state == "down"));
            assert!(down.is_sorted_by_key(|(_, row)| row.since.clone()));
            assert!(rest.is_sorted_by_key(|(number, _)| *number));
        }
    }
}

/// No index leads to what was never polled, so the first question of it waits for the figures of all.
pub(crate) fn the_first_question_has_the_figures_read() {
    let server = Postgres::with(&["--set", "log_statement=all"]);
    let fed = Fed::new(&server);
    let asked = Asked::of(&fed.url);
    let log =
        || std::fs::read_to_string(server.directory().join("server.log")).expect("what was asked");
    let page = asked.door.client.targets("state=pending").expect("a page");
    assert_eq!(numbers(&fed, &page), fed.numbers(|place| place + 1 == TARGETS));
    let page = asked.door.client.targets("sort=latency&group=Front").expect("a page");
    assert_eq!(page.total, fed.numbers(|place| place.is_multiple_of(4)).len() as u64);
    let is_sought = "r.last_at IS NULL ORDER BY t.number";
    assert!(!log().contains("r.state = 0)") && !log().contains(is_sought), "the database is asked");
    // A text is nothing that figures know.
    asked.door.client.targets("state=pending&text=example").expect("a page");
    wait("it is asked", || log().contains("r.state = 0)"));
}
