//! The process is stopped for a while, as a machine is that sleeps or a container that is frozen.

use super::figure;
use super::outage::{now_ms, quoted};
use super::rig::{Poller, Site, pause};

/// Plays the scene; a trial is short.
pub(crate) fn play(is_trial: bool) {
    let (targets, interval, still) = if is_trial { (50, 1.0, 2.0) } else { (10_000, 10.0, 60.0) };
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/d100"), interval)));
    let mut poller = Poller::start(&site, &list, &[]);
    pause(2.0 * interval + 1.0);
    poller.signal("STOP");
    pause(still);
    let requests = || figure(&site.figures(), "/requests");
    let mut before = requests();
    poller.signal("CONT");
    let mut busiest = 0.0_f64;
    for _ in 0..(2.0 * interval) as u32 {
        pause(1.0);
        let now = requests();
        busiest = busiest.max(now - before);
        before = now;
    }
    let woken_ms = now_ms(&poller) - (2_000.0 * interval) as i64;
    pause(interval);
    let summary = poller.summary();
    let gap = poller.number(&format!(
        "SELECT max(gap) FROM (SELECT julianday(at) * 86400.0 - lag(julianday(at) * 86400.0) OVER \
         (PARTITION BY target_id ORDER BY at) AS gap FROM checks WHERE at > {})",
        quoted(woken_ms)
    ));
    println!(
        "  {targets} targets at {interval} s, stopped for {still} s: {busiest} requests in the \
         busiest second afterwards (mean {:.0}); longest gap then {gap:.2} s; missed {} ({} while \
         nothing ran); {} down, {} unknown",
        f64::from(targets) / interval,
        figure(&summary, "/checks/missed"),
        figure(&summary, "/checks/missed_by/standstill"),
        figure(&summary, "/targets/down"),
        figure(&summary, "/targets/unknown"),
    );
    poller.stop();
}
