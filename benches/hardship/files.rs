//! Few files may be open.

use super::figure;
use super::rig::{Poller, Site, pause};

/// Plays the scene; a trial is short.
pub(crate) fn play(is_trial: bool) {
    let (targets, interval) = if is_trial { (100, 2.0) } else { (10_000, 60.0) };
    let site = Site::start();
    let list = site.list((0..targets).map(|target| (site.url(target, "/d200"), interval)));
    let mut poller = Poller::start_with_files(256, &site, &list, &[]);
    pause(2.0 * interval + 1.0);
    let summary = poller.summary();
    let count = "SELECT count(*) FROM (SELECT 1 FROM checks GROUP BY target_id)";
    println!(
        "  {targets} targets at {interval} s with {} files: {} were polled, {} times; {} down, {} \
         unknown, missed {}, lag p99 {:.1} ms; {} places, {} files open",
        figure(&summary, "/process/open_files_limit"),
        poller.number(count),
        figure(&summary, "/checks/since_start"),
        figure(&summary, "/targets/down"),
        figure(&summary, "/targets/unknown"),
        figure(&summary, "/checks/missed"),
        figure(&summary, "/schedule/lag_p99") * 1e3,
        figure(&summary, "/in_flight/limit"),
        figure(&summary, "/process/open_files"),
    );
    poller.stop();
}
