//! Half of the targets go silent, and come back.

use super::figure;
use super::rig::{Poller, Site, pause};

/// Plays the scene; a trial is short.
pub(crate) fn play(is_trial: bool) {
    let (targets, interval, spans) = if is_trial { (100, 2.0, 2.0) } else { (10_000, 10.0, 3.0) };
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/d20"), interval)));
    let mut poller = Poller::start(&site, &list, &[]);
    pause(2.5 * interval);
    let before_mb = poller.resident_mb();
    site.ask("PUT", "/_silence?share=0.5");
    let silent_ms = now_ms(&poller);
    let (mut most_in_flight, mut most_mb, mut down) = (0.0_f64, before_mb, 0.0_f64);
    for _ in 0..(spans * interval) as u32 {
        pause(1.0);
        let summary = poller.summary();
        most_in_flight = most_in_flight.max(figure(&summary, "/in_flight/count"));
        most_mb = most_mb.max(poller.resident_mb());
        down = down.max(figure(&summary, "/targets/down"));
    }
    let lag = |quantile: f64| {
        let after = format!("verdict = 'up' AND at > {}", quoted(silent_ms));
        let count = poller.number(&format!("SELECT count(*) FROM checks WHERE {after}"));
        let place = (count * quantile) as u64;
        poller.number(&format!(
            "SELECT lag_ms FROM checks WHERE {after} ORDER BY lag_ms LIMIT 1 OFFSET {place}"
        ))
    };
    println!(
        "  silent: {down} of {targets} down, {most_in_flight} in flight at most; the others: lag \
         p50 {:.1} ms, p99 {:.1} ms; memory {before_mb:.1} to {most_mb:.1} MB, {:.1} KB a poll in \
         flight",
        lag(0.5),
        lag(0.99),
        (most_mb - before_mb) * 1_024.0 / most_in_flight.max(1.0),
    );
    site.ask("PUT", "/_silence?nobody");
    let mut took = 0.0;
    while figure(&poller.summary(), "/targets/down") > 0.0 && took < 6.0 * interval {
        pause(0.25);
        took += 0.25;
    }
    pause(2.0 * interval);
    let summary = poller.summary();
    println!(
        "  back: none down after {took:.1} s (an interval is {interval} s); memory two intervals \
         later {:.1} MB; missed {}",
        poller.resident_mb(),
        figure(&summary, "/checks/missed"),
    );
    poller.stop();
}

/// The daemon's time, in Unix milliseconds.
pub(crate) fn now_ms(poller: &Poller) -> i64 {
    poller.number("SELECT unixepoch('now', 'subsec') * 1000") as i64
}

/// `at_ms` (Unix milliseconds) as the views show times, in quotes.
pub(crate) fn quoted(at_ms: i64) -> String {
    format!("strftime('%Y-%m-%dT%H:%M:%fZ', {at_ms} / 1000.0, 'unixepoch')")
}
