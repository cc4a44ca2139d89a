//! The list that is looked at: targets with state, age, latency and cause, or polls in flight.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table, TableState};

use super::palette::{CHOSEN, Palette, letter};
use super::screen::{List, Screen};
use crate::view::TargetRow;
use crate::view::text::{between, clean, duration, shorten};

/// Draws the list that is looked at.
pub(super) fn list(frame: &mut Frame<'_>, area: Rect, screen: &Screen, palette: Palette) {
    let block =
        Block::new().borders(Borders::TOP).border_style(palette.dim()).title(tabs(screen, palette));
    let wide = usize::from(area.width);
    match (screen.list, &screen.page) {
        (List::InFlight, _) => {
            let rows = screen.flights().map(|(url, age)| {
                let url = shorten(url, wide.saturating_sub(14));
                Row::new([Line::raw(duration(age)).right_aligned(), Line::raw(url)])
            });
            let columns = [Constraint::Length(12), Constraint::Fill(1)];
            table(frame, area, screen, Table::new(rows, columns).block(block));
        }
        (_, Err(reason)) => {
            let told = Paragraph::new(clean(reason)).style(palette.alarm());
            frame.render_widget(told.block(block), area);
        }
        (_, Ok(page)) => {
            let rows = page.targets.iter().map(|target| row(target, screen, palette));
            let columns = [
                Constraint::Length(9),
                Constraint::Length(12),
                Constraint::Length(9),
                Constraint::Length(16),
                Constraint::Fill(1),
            ];
            let head = Row::new(["state", "   for", " latency", "last", "target"]);
            let rows = Table::new(rows, columns).header(head.style(palette.dim())).block(block);
            table(frame, area, screen, rows);
        }
    }
}

fn table(frame: &mut Frame<'_>, area: Rect, screen: &Screen, table: Table<'_>) {
    let mut state = TableState::default();
    if screen.lines() > 0 {
        state.select(Some(screen.line));
    }
    frame.render_stateful_widget(table.row_highlight_style(CHOSEN), area, &mut state);
}

fn row<'a>(target: &'a TargetRow, screen: &Screen, palette: Palette) -> Row<'a> {
    let style = palette.state(&target.state);
    let state = Line::styled(format!("{} {}", letter(&target.state), target.state), style);
    let since = target.since.as_deref().and_then(|since| between(since, &screen.summary.as_of));
    let since = since.map(duration).unwrap_or_default();
    let latency = target.latency_seconds.map(duration).unwrap_or_default();
    let name = target.name.as_deref().unwrap_or(&target.url);
    let last = shorten(target.code.as_deref().unwrap_or(""), 16);
    let shown = match screen.list {
        List::Failing | List::Slowest | List::Targets if target.name.is_some() => {
            format!("{}  {}", clean(name), clean(&target.url))
        }
        _ => clean(name),
    };
    Row::new([
        state,
        Line::styled(since, palette.dim()).right_aligned(),
        Line::raw(latency).right_aligned(),
        Line::styled(last, if target.state == "up" { Style::new() } else { style }),
        Line::raw(shown),
    ])
}

/// The names of the lists, and what is left of all.
fn tabs(screen: &Screen, palette: Palette) -> Line<'static> {
    let mut spans = Vec::new();
    for (number, list) in (1..).zip(List::ALL) {
        let style = if list == screen.list { CHOSEN } else { palette.dim() };
        spans.push(Span::styled(format!(" {number} {} ", list.title()), style));
    }
    if screen.list == List::Targets {
        let sort = screen.sort.name().unwrap_or("list");
        spans.push(Span::styled(format!(" by {sort} "), palette.accent()));
    }
    if !screen.filter.is_empty() && !screen.is_writing {
        let filter = format!(" with \"{}\" ", shorten(&screen.filter, 30));
        spans.push(Span::styled(filter, palette.accent()));
    }
    let more = screen.page.as_ref().is_ok_and(|page| page.next.is_some());
    if screen.list != List::InFlight {
        let lines = screen.lines();
        let count = if more { format!("the first {lines} ") } else { format!("{lines} ") };
        spans.push(Span::styled(format!(" {count}"), palette.dim()));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent};

    use super::super::draw::{draw, shares};
    use super::*;
    use crate::view::{Flying, InFlight, Summary, Targets};

    fn drawn(screen: &Screen, wide: u16, high: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(wide, high)).expect("a terminal");
        terminal.draw(|frame| draw(frame, screen, Palette::PLAIN, screen.came)).expect("drawn");
        terminal.backend().to_string()
    }

    fn screen() -> Screen {
        let urls = vec![Flying { url: "http://a\u{1b}[31m.example/".into(), for_seconds: 2.0 }];
        let summary = Summary {
            targets: Targets { total: 10_000, up: 9_990, down: 10, ..Targets::default() },
            in_flight: InFlight { count: 1, limit: 64, urls },
            ..Summary::default()
        };
        Screen::new("data".to_owned(), summary, Instant::now())
    }

    #[test]
    fn what_is_rare_is_seen_in_the_bar_and_the_bar_is_full() {
        assert_eq!(shares(&[1, 0, 9_999], 50), [1, 0, 49]);
        assert_eq!(shares(&[1, 1, 1], 10).iter().sum::<u16>(), 10);
        assert_eq!(shares(&[0, 0], 10), [0, 0]);
    }

    #[test]
    fn the_screen_tells_states_in_figures_and_letters() {
        let text = drawn(&screen(), 100, 30);
        assert!(text.contains("10,000 targets:  10 down") && text.contains("9,990 up"), "{text}");
        assert!(text.contains("DUUU"), "{text}");
    }

    #[test]
    fn polls_in_flight_have_ages_and_steer_no_terminal() {
        let mut screen = screen();
        screen.press(KeyEvent::from(KeyCode::Char('3')));
        let text = drawn(&screen, 100, 30);
        assert!(text.contains("2.00 s") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn every_size_of_terminal_is_drawn() {
        let mut screen = screen();
        for high in 1..40 {
            for wide in [1, 2, 10, 39, 80, 200] {
                drawn(&screen, wide, high);
            }
            screen.press(KeyEvent::from(KeyCode::Char('?')));
        }
    }
}
