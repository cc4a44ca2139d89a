//! The screen, drawn from top to bottom: head, fleet, figures, charts, list, keys.

use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Sparkline};

use super::draw_lists::list;
use super::palette::{FIGURE, Palette, letter};
use super::screen::Screen;
use crate::view::Cluster;
use crate::view::text::{count, duration, shorten};

/// Rows of a chart with its title.
const CHART: u16 = 5;
/// Rows that a terminal has at least where charts are drawn.
const ROOMY: u16 = 22;

const KEYS: [(&str, &str); 9] = [
    ("1 2 3 4, Tab", "failing, slowest, in flight, all targets"),
    ("/", "filter by text of address, name or group; Esc clears it"),
    ("s", "all targets, sorted by latency, downtime, lag, or as listed"),
    ("j k, arrows", "move; PgUp PgDn ten lines"),
    ("g G", "first and last line"),
    ("space", "hold the figures, and go on"),
    ("?", "this help"),
    ("q, Esc", "leave"),
    ("Ctrl-C", "leave"),
];

/// Draws `screen` as it is at `now`.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen, palette: Palette, now: Instant) {
    let area = frame.area();
    let chart = if area.height >= ROOMY { CHART } else { 0 };
    let rows = [
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(3 + u16::from(screen.summary.cluster.is_some())),
        Constraint::Length(chart),
        Constraint::Min(3),
        Constraint::Length(1),
    ];
    let [head_area, fleet_area, figure_area, chart_area, list_area, key_area] =
        Layout::vertical(rows).areas(area);
    head(frame, head_area, screen, palette, now);
    fleet(frame, fleet_area, screen, palette);
    figures(frame, figure_area, screen, palette);
    if chart > 0 {
        charts(frame, chart_area, screen, palette);
    }
    list(frame, list_area, screen, palette);
    keys(frame, key_area, screen, palette);
    if screen.is_helping {
        help(frame, area);
    }
}

/// Who tells these figures, how old they are, and what is wrong with the daemon.
fn head(frame: &mut Frame<'_>, area: Rect, screen: &Screen, palette: Palette, now: Instant) {
    let summary = &screen.summary;
    let age = now.saturating_duration_since(screen.came).as_secs_f64();
    let mut spans = vec![Span::styled("poller ", FIGURE)];
    if let Some(trouble) = &screen.trouble {
        let told = format!(" {} (figures are {} old) ", shorten(trouble, 120), duration(age));
        spans.push(Span::styled(told, palette.alarm()));
    } else {
        let listen = summary.listen.as_deref().unwrap_or("socket alone");
        let told = format!(
            "{} · up {} · {} · {}",
            summary.version,
            duration(summary.uptime_seconds.floor()),
            shorten(&screen.directory, 40),
            listen
        );
        spans.push(Span::styled(told, palette.dim()));
        if screen.is_held {
            spans.push(Span::styled(format!(" held for {} ", duration(age)), palette.alarm()));
        }
    }
    for alarm in alarms(screen) {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(format!(" {alarm} "), palette.alarm()));
    }
    frame.render_widget(Line::from(spans), area);
}

/// What is wrong with the daemon itself.
fn alarms(screen: &Screen) -> Vec<String> {
    let summary = &screen.summary;
    let mut alarms = Vec::new();
    if let Some(trouble) = summary.cluster.as_ref().and_then(|cluster| cluster.troubles.first()) {
        alarms.push(format!("CLUSTER: {}", shorten(trouble, 60)));
    }
    if summary.judgement.state == "held" {
        alarms.push("PROBABLY US: judgement is held".to_owned());
    }
    if summary.storage.is_degraded() {
        let reason = summary.storage.reason.as_deref().unwrap_or("it does not take what it gets");
        alarms.push(format!("STORAGE: {}", shorten(reason, 50)));
    }
    if summary.schedule.state == "saturated" {
        alarms.push(format!("SATURATED: {} wait", count(summary.schedule.waiting)));
    }
    alarms
}

/// The targets by state: a bar, and the numbers.
fn fleet(frame: &mut Frame<'_>, area: Rect, screen: &Screen, palette: Palette) {
    let targets = &screen.summary.targets;
    let states = [
        ("down", targets.down),
        ("warning", targets.warning),
        ("unknown", targets.unknown),
        ("pending", targets.pending),
        ("paused", targets.paused),
        ("up", targets.up),
    ];
    let widths = shares(&states.map(|(_, count)| count), area.width);
    let bar = states.iter().zip(widths).map(|((state, _), width)| {
        Span::styled(letter(state).repeat(usize::from(width)), palette.state(state))
    });
    let mut numbers = vec![
        Span::styled(count(targets.total), FIGURE),
        Span::raw(if targets.total == 1 { " target:" } else { " targets:" }),
    ];
    for (state, number) in states.iter().filter(|(state, number)| *number > 0 || *state == "down") {
        let style = if *number > 0 { palette.state(state) } else { palette.dim() };
        numbers.push(Span::styled(format!("  {} {state}", count(*number)), style));
    }
    let lines = vec![Line::from(bar.collect::<Vec<_>>()), Line::from(numbers)];
    frame.render_widget(Paragraph::new(lines), area);
}

/// How many of `width` columns each of `counts` gets: whoever is there is seen.
pub(super) fn shares(counts: &[u64], width: u16) -> Vec<u16> {
    let total: u64 = counts.iter().sum();
    let mut widths: Vec<u16> = counts
        .iter()
        .map(|&own| {
            let exact = u128::from(own) * u128::from(width) / u128::from(total.max(1));
            u16::try_from(exact).unwrap_or(width).max(u16::from(own > 0))
        })
        .collect();
    // What rounding gave or took is the largest one's.
    let largest = (0..counts.len()).max_by_key(|&index| counts.get(index).copied().unwrap_or(0));
    let used: u16 = widths.iter().fold(0, |sum, width| sum.saturating_add(*width));
    if total > 0
        && let Some(most) = largest.and_then(|index| widths.get_mut(index))
    {
        *most = (*most + width.saturating_sub(used)).saturating_sub(used.saturating_sub(width));
    }
    widths
}

fn figures(frame: &mut Frame<'_>, area: Rect, screen: &Screen, palette: Palette) {
    let summary = &screen.summary;
    let (latency, lag) = (&summary.latency_5m, &summary.schedule);
    let rows = [
        vec![
            ("polls/s", format!("{:.1}", summary.checks.per_second)),
            ("in flight", count(summary.in_flight.count)),
            ("places", count(summary.in_flight.limit)),
            ("missed", count(summary.checks.missed)),
            ("rechecks", count(summary.checks.rechecks)),
            ("polls", count(summary.checks.total)),
        ],
        vec![
            ("latency p50", duration(latency.p50)),
            ("p90", duration(latency.p90)),
            ("p99", duration(latency.p99)),
            ("max", duration(latency.max)),
            ("lag p50", duration(lag.lag_p50)),
            ("p99", duration(lag.lag_p99)),
            ("max", duration(lag.lag_max)),
        ],
        summary
            .causes_5m
            .iter()
            .take(8)
            .map(|cause| (cause.cause.as_str(), count(cause.count)))
            .collect(),
    ];
    let mut lines: Vec<Line<'_>> = rows
        .into_iter()
        .zip(["", "", "causes of 5 min: "])
        .map(|(cells, title)| figure_line(cells, title, palette))
        .collect();
    if let Some(cluster) = &summary.cluster {
        lines.push(figure_line(members(cluster), "cluster: ", palette));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// Who works in the distributed mode, and how long it takes until something is recorded.
fn members(cluster: &Cluster) -> Vec<(&'static str, String)> {
    let checkers: u64 = cluster.locations.iter().map(|location| location.members).sum();
    let behind = cluster.outcomes_behind.map_or_else(|| "-".to_owned(), count);
    vec![
        ("schedulers", count(cluster.schedulers.members)),
        ("checkers", count(checkers)),
        ("locations", count(cluster.locations.len() as u64)),
        ("recorders", count(cluster.recorders.members)),
        ("shards", count(cluster.shards.into())),
        ("recorded after p99", duration(cluster.delay.p99)),
        ("behind", behind),
    ]
}

fn figure_line<'a>(cells: Vec<(&'a str, String)>, title: &'a str, palette: Palette) -> Line<'a> {
    let mut spans = vec![Span::styled(title, palette.dim())];
    if cells.is_empty() {
        spans.push(Span::styled("none", palette.dim()));
    }
    for (name, figure) in cells {
        spans.push(Span::styled(format!("{name} "), palette.dim()));
        spans.push(Span::styled(figure, FIGURE));
        spans.push(Span::raw("   "));
    }
    Line::from(spans)
}

/// The latencies since the screen was opened.
fn charts(frame: &mut Frame<'_>, area: Rect, screen: &Screen, palette: Palette) {
    let halves = Layout::horizontal([Constraint::Fill(1); 2]).spacing(2).areas::<2>(area);
    let medians: Vec<u64> = screen.points.iter().map(|(p50, _)| *p50).collect();
    let tails: Vec<u64> = screen.points.iter().map(|(_, p99)| *p99).collect();
    for (half, (name, points)) in halves.into_iter().zip([("p50", medians), ("p99", tails)]) {
        let own = points.iter().rev().take(usize::from(half.width)).rev().copied();
        let shown: Vec<u64> = own.collect();
        let most = shown.iter().max().copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "it is shown with three digits")]
        let title = format!("latency {name}, up to {}", duration(most as f64 / 1e6));
        let chart = Sparkline::default()
            .block(Block::new().title(Span::styled(title, palette.dim())))
            .style(palette.accent())
            .data(shown);
        frame.render_widget(chart, half);
    }
}

fn keys(frame: &mut Frame<'_>, area: Rect, screen: &Screen, palette: Palette) {
    let line = if screen.is_writing {
        Line::from(vec![
            Span::styled("filter: ", FIGURE),
            Span::raw(screen.filter.as_str()),
            Span::styled("▏", palette.accent()),
            Span::styled("   Enter keeps it, Esc clears it", palette.dim()),
        ])
    } else {
        let keys = "1-4 lists  / filter  s sort  space hold  ? help  q leave";
        Line::styled(keys, palette.dim())
    };
    frame.render_widget(line, area);
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let wide = area.width.min(76);
    let high = area.height.min(u16::try_from(KEYS.len()).unwrap_or(0) + 2);
    let window = Rect {
        x: area.x + (area.width - wide) / 2,
        y: area.y + (area.height - high) / 2,
        width: wide,
        height: high,
    };
    let lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|(key, what)| {
            Line::from(vec![
                Span::styled(format!(" {key:<14}"), FIGURE),
                Span::styled(*what, Style::new()),
            ])
        })
        .collect();
    let block = Block::bordered().title(" keys ").title_alignment(Alignment::Center);
    frame.render_widget(Clear, window);
    frame.render_widget(Paragraph::new(lines).block(block), window);
}
