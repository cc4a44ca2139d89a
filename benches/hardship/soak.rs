//! Many polls for a long time: what grows?

use super::figure;
use super::rig::{Poller, Site, pause, setting};

/// Seconds from one look to the next.
const LOOK: f64 = 10.0;

/// Plays the scene; a trial is short.
pub(crate) fn play(is_trial: bool) {
    let minutes = setting("POLLER_BENCH_MINUTES", if is_trial { 0.1 } else { 30.0 });
    let rate = setting("POLLER_BENCH_RATE", if is_trial { 50.0 } else { 5_000.0 });
    let look = if is_trial { 1.0 } else { LOOK };
    let site = Site::start();
    let targets = (rate * 10.0) as u32;
    let list = site.list((0..targets).map(|target| (site.url(target, "/"), 10.0)));
    let mut poller = Poller::start(&site, &list, &[]);
    let settled = minutes / 6.0;
    let (mut memory, mut files) = (Vec::new(), Vec::new());
    let looks = (minutes * 60.0 / look) as u32;
    for number in 1..=looks {
        pause(look);
        let at = f64::from(number) * look / 60.0;
        if at >= settled {
            memory.push((at, poller.resident_mb()));
            files.push((at, poller.open_files()));
        }
        if number % 30 == 0 {
            println!(
                "  {at:.0} min: {:.1} MB, {} files",
                poller.resident_mb(),
                poller.open_files()
            );
        }
    }
    let summary = poller.summary();
    let (samples, bytes) =
        (figure(&summary, "/storage/samples"), figure(&summary, "/storage/bytes"));
    let shown = |name: &str, looks: &[(f64, f64)]| {
        let values = || looks.iter().map(|(_, value)| *value);
        let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        println!(
            "  {name} after {settled:.0} min: {least:.1} to {most:.1}, slope {:+.3} an hour",
            slope(looks) * 60.0
        );
    };
    shown("memory (MB)", &memory);
    shown("open files", &files);
    println!(
        "  {samples} samples in {:.1} MB: {:.1} bytes each; missed {}, lag p99 {:.1} ms, {} lost",
        bytes / 1e6,
        bytes / samples,
        figure(&summary, "/checks/missed"),
        figure(&summary, "/schedule/lag_p99") * 1e3,
        figure(&summary, "/storage/lost"),
    );
    poller.stop();
}

/// How much the values of points grow a minute, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len().max(1) as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let both = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    both / points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>()
}
