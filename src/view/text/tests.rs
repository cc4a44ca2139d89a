//! The text of three summaries, word for word, and what holds for every text.

use super::*;
use crate::view::*;

fn url(number: u32) -> String {
    format!("https://shop-{number}.example/some/rather/long/path/to/a/page?session={number:032}")
}

fn delay(number: u32, seconds: f64, code: &str) -> Delay {
    let at = "2026-11-22T10:31:07.250Z".to_owned();
    Delay { url: url(number), seconds, code: code.to_owned(), at }
}

fn resources() -> Resources {
    Resources {
        memory_limit_bytes: 1_600_000_000,
        memory_limit_by: "cgroup".to_owned(),
        buffers_bytes: 1_234_567,
        cpu_cores: 1.237,
        runtime_lag_max: 0.21,
        outbox: 17,
        read_pool_in_use: 1,
        read_pool_size: 4,
        read_pool_waits: 2,
        lookups_in_flight: 256,
        lookups_waiting: 31,
        lookups_limit: 256,
        bytes_in_per_second: 4_212_345.6,
        bytes_out_per_second: 182_000.0,
    }
}

/// The lines before the first empty one.
fn first_lines(summary: &Summary) -> String {
    let text = render(summary, &Style::PLAIN, Lists::Short);
    text.split("\n\n").next().unwrap_or_default().to_owned()
}

#[test]
fn what_is_wrong_with_us_is_told_first() {
    let mut summary = Summary {
        judgement: Judgement {
            state: "held".into(),
            since: Some("2026-11-22T10:33:20.000Z".into()),
            reason: Some(
                "9,412 of the last 9,800 targets failed together by network causes".into(),
            ),
            held: 2,
        },
        own_faults: vec![OwnFault {
            cause: "no_resources".into(),
            detail: "descriptors".into(),
            count: 1_200,
            last_at: "2026-11-22T10:33:21.250Z".into(),
        }],
        ..busy()
    };
    let expected = "\
PROBABLY US: 9,412 of the last 9,800 targets failed together by network causes, since 2026-11-22
  10:33:20 UTC; nothing is held against them
OUR FAULT: no_resources (descriptors) × 1,200 in the last minute, last at 2026-11-22 10:33:21 UTC
DOWN: 12 targets
";
    assert!(first_lines(&summary).starts_with(expected), "{}", first_lines(&summary));
    summary.judgement.state = "given".into();
    summary.own_faults.clear();
    assert!(first_lines(&summary).starts_with("DOWN: 12 targets"));
}

#[expect(clippy::too_many_lines, reason = "a summary has that many figures")]
fn busy() -> Summary {
    let down = |number, since: &str, cause: &str, detail: &str| Down {
        url: url(number),
        name: (number == 2).then(|| "Checkout".to_owned()),
        since: since.to_owned(),
        cause: cause.to_owned(),
        detail: detail.to_owned(),
    };
    let code = |code: &str, count| CodeCount { code: code.to_owned(), count };
    let cause =
        |cause: &str, permanent, count| CauseCount { cause: cause.to_owned(), permanent, count };
    Summary {
        schema: 1,
        state: "running".to_owned(),
        pid: 4_242,
        version: "0.1.0".to_owned(),
        started_at: Some("2026-11-22T09:33:20.000Z".to_owned()),
        uptime_seconds: 3_600.0,
        as_of: "2026-11-22T10:33:20.000Z".to_owned(),
        stopped_at: None,
        listen: Some("127.0.0.1:8080".to_owned()),
        targets: Targets {
            total: 10_000,
            unique: 9_801,
            rejected: 2,
            up: 9_950,
            warning: 12,
            down: 12,
            unknown: 5,
            pending: 21,
            paused: 0,
        },
        checks: Checks {
            total: 1_234_567,
            since_start: 600_012,
            last_5m: 50_001,
            per_second: 166.67,
            missed: 1_015,
            missed_by: MissedBy {
                running: 3,
                politeness: 1_000,
                standstill: 12,
                ..MissedBy::default()
            },
            backed_off: 40,
            rechecks: 31,
            bytes: 84_240_000_123,
        },
        top_codes: vec![code("200", 1_200_000), code("404", 20_000), code("timeout", 14_567)],
        largest_delay_5m: Some(delay(1, 30.0, "timeout")),
        largest_answered_5m: Some(delay(2, 8.021, "200")),
        slowest_5m: (1..6).map(|n| Slow { url: url(n), seconds: 30.0 / f64::from(n) }).collect(),
        latency_5m: Quantiles { p50: 0.038, p90: 0.12, p99: 1.24, max: 8.021, count: 49_873 },
        phases_5m: Phases {
            resolve: Phase { p50: 0.000_3, p99: 0.030 },
            connect: Phase { p50: 0.009, p99: 0.12 },
            tls: Phase { p50: 0.014, p99: 0.2 },
            first_byte: Phase { p50: 0.016, p99: 1.1 },
            transfer: Phase { p50: 0.001, p99: 0.4 },
        },
        causes_5m: vec![cause("timeout", false, 90), cause("tls", true, 38)],
        down: vec![
            down(1, "2026-11-21T08:00:00.000Z", "connect", "refused"),
            down(2, "2026-11-22T10:01:12.000Z", "tls", "missing_intermediate"),
        ],
        certificates_expiring: vec![
            Expiring { url: url(3), days: -1 },
            Expiring { url: url(4), days: 3 },
        ],
        certificates_expiring_total: 25,
        in_flight: InFlight {
            count: 35,
            limit: 412,
            urls: vec![Flying { url: url(1), for_seconds: 12.5 }],
        },
        schedule: Schedule {
            lag_p50: 0.000_8,
            lag_p99: 0.005,
            lag_max: 0.051,
            waiting: 0,
            polite: 12,
            state: "ok".to_owned(),
        },
        storage: Storage {
            state: "ok".to_owned(),
            path: "/var/lib/poller/poller.db".to_owned(),
            bytes: 51_200_000,
            samples: 1_234_567,
            queued: 120,
            ..Storage::default()
        },
        process: Process {
            rss_bytes: 48_300_000,
            cpu_seconds: 312.4,
            open_files: 71,
            open_files_limit: 20_000,
            workers_limit: 412,
        },
        places: Places {
            state: "shrunk".to_owned(),
            limit: 412,
            most: 1_000,
            reason: Some("the runtimes wake 0.21 s late".to_owned()),
            shrunk: 3,
            moved_at: Some("2026-11-22T10:33:18.500Z".to_owned()),
        },
        resources: resources(),
        ..Summary::default()
    }
}

fn idle() -> Summary {
    Summary {
        state: "running".to_owned(),
        pid: 7,
        version: "0.1.0".to_owned(),
        uptime_seconds: 1.2,
        as_of: "2026-11-22T10:33:20.000Z".to_owned(),
        targets: Targets { total: 1, unique: 1, pending: 1, ..Targets::default() },
        in_flight: InFlight { limit: 64, ..InFlight::default() },
        places: Places { state: "ok".to_owned(), limit: 64, most: 64, ..Places::default() },
        schedule: Schedule { state: "ok".to_owned(), ..Schedule::default() },
        storage: Storage {
            state: "ok".to_owned(),
            path: "/srv/data/poller.db".to_owned(),
            ..Storage::default()
        },
        ..Summary::default()
    }
}

fn stopped_and_degraded() -> Summary {
    Summary {
        state: "stopped".to_owned(),
        stopped_at: Some("2026-11-22T10:03:20.000Z".to_owned()),
        pid: 0,
        largest_delay_5m: None,
        largest_answered_5m: None,
        slowest_5m: Vec::new(),
        latency_5m: Quantiles::default(),
        phases_5m: Phases::default(),
        causes_5m: Vec::new(),
        checks: Checks { total: 1_234_567, ..Checks::default() },
        places: Places::default(),
        resources: Resources::default(),
        storage: Storage {
            state: "degraded".to_owned(),
            reason: Some("no space left on the device that holds the data directory".to_owned()),
            spilled: 81_000,
            lost: 17,
            ..busy().storage
        },
        ..busy()
    }
}

#[test]
fn a_busy_daemon_is_told_with_what_is_down_first() {
    insta::assert_snapshot!(render(&busy(), &Style::PLAIN, Lists::Short));
}

#[test]
fn a_daemon_that_never_polled_says_so_in_words() {
    insta::assert_snapshot!(render(&idle(), &Style::PLAIN, Lists::Short));
}

#[test]
fn a_stopped_daemon_with_a_degraded_store_says_both() {
    insta::assert_snapshot!(render(&stopped_and_degraded(), &Style::PLAIN, Lists::Short));
}

#[test]
fn the_line_of_the_log_is_one_line() {
    insta::assert_snapshot!(one_line(&busy()));
}

#[test]
fn no_line_is_wider_than_the_style_says() {
    for width in [60, 80, 100] {
        for summary in [busy(), idle(), stopped_and_degraded()] {
            let style = Style { colour: Colour::Never, width };
            for line in render(&summary, &style, Lists::All).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }
}

#[test]
fn colours_change_nothing_but_the_colours() {
    let style = Style { colour: Colour::Ansi, ..Style::PLAIN };
    let coloured = render(&busy(), &style, Lists::All);
    let pattern = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a good pattern");
    assert!(coloured.contains("\x1b[1;31mDOWN:"));
    assert_eq!(pattern.replace_all(&coloured, ""), render(&busy(), &Style::PLAIN, Lists::All));
}

#[test]
fn whole_lists_are_told_when_all_is_asked_for() {
    let text = render(&busy(), &Style::PLAIN, Lists::All);
    assert!(text.contains("6.00 s"), "{text}");
    assert!(!render(&busy(), &Style::PLAIN, Lists::Short).contains("6.00 s"));
}

#[test]
fn what_is_not_shown_is_counted_and_nobody_is_sent_to_all_twice() {
    let short = render(&busy(), &Style::PLAIN, Lists::Short);
    assert!(short.contains("and 23 more certificates (--all shows them)"), "{short}");
    let all = render(&busy(), &Style::PLAIN, Lists::All);
    assert!(all.contains("and 23 more certificates\n") && !all.contains("--all"), "{all}");
}
