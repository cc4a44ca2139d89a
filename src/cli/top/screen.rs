//! `Screen`: what is shown and how keys change it; it asks for nothing and draws nothing itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::source::{Ask, Told};
use crate::view::{Summary, TargetPage};

/// How often the daemon is asked.
const PERIOD: Duration = Duration::from_secs(1);
/// Points of the charts that are kept.
const POINTS: usize = 600;
/// Targets on a page.
const PAGE: usize = 200;
/// Characters of a filter at most.
const LONGEST: usize = 200;

/// The lists that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Targets that are down, the longest first.
    Failing,
    /// Targets by latency.
    Slowest,
    /// Polls that run, the oldest first.
    InFlight,
    /// All targets.
    Targets,
}

impl List {
    /// All of them, in the order of their keys 1 to 4.
    pub(super) const ALL: [Self; 4] = [Self::Failing, Self::Slowest, Self::InFlight, Self::Targets];

    /// Its name.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Slowest => "slowest",
            Self::InFlight => "in flight",
            Self::Targets => "targets",
        }
    }
}

/// By what the list of all targets is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// As in the list of the daemon.
    Number,
    /// The slowest first.
    Latency,
    /// The longest down first.
    Downtime,
    /// The latest first.
    Lag,
}

impl Sort {
    const fn next(self) -> Self {
        match self {
            Self::Number => Self::Latency,
            Self::Latency => Self::Downtime,
            Self::Downtime => Self::Lag,
            Self::Lag => Self::Number,
        }
    }

    /// Its name, as queries have it; none for the order of the list.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Number => None,
            Self::Latency => Some("latency"),
            Self::Downtime => Some("downtime"),
            Self::Lag => Some("lag"),
        }
    }
}

/// What follows from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Stay,
    /// Something else is wanted of the daemon.
    Ask,
    /// The user has seen enough.
    Leave,
}

/// What is shown.
#[derive(Debug)]
pub(super) struct Screen {
    /// Whose figures these are.
    pub directory: String,
    /// The newest summary.
    pub summary: Summary,
    /// When it came.
    pub came: Instant,
    /// Why the daemon cannot be asked, while it cannot.
    pub trouble: Option<String>,
    /// The page of targets that is shown, and why there is none.
    pub page: Result<TargetPage, String>,
    /// Polls a second and the latencies of the last minutes, one a second: p50 and p99 in
    /// microseconds.
    pub points: VecDeque<(u64, u64)>,
    /// Which list is looked at.
    pub list: List,
    /// By what all targets are sorted.
    pub sort: Sort,
    /// What the targets are filtered by.
    pub filter: String,
    /// Whether the filter is being written.
    pub is_writing: bool,
    /// Whether the keys are explained.
    pub is_helping: bool,
    /// Whether the figures stand still.
    pub is_held: bool,
    /// The line that is chosen.
    pub line: usize,
    asked: Option<Instant>,
}

impl Screen {
    /// The screen of the daemon of `directory`, whose first summary came at `now`.
    pub(super) fn new(directory: String, summary: Summary, now: Instant) -> Self {
        let mut screen = Self {
            directory,
            summary: Summary::default(),
            came: now,
            trouble: None,
            page: Ok(TargetPage::default()),
            points: VecDeque::new(),
            list: List::Failing,
            sort: Sort::Number,
            filter: String::new(),
            is_writing: false,
            is_helping: false,
            is_held: false,
            line: 0,
            asked: None,
        };
        screen.note(summary, now);
        screen
    }

    /// Whether it is time to ask the daemon again; if so, it is taken as asked.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = !self.is_held
            && self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= PERIOD);
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }

    /// What the daemon is to be asked.
    pub(super) fn wanted(&self) -> Ask {
        let (state, sort) = match self.list {
            List::InFlight => return Ask { page: None },
            List::Failing => (Some("down"), Some("downtime")),
            List::Slowest => (None, Some("latency")),
            List::Targets => (None, self.sort.name()),
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &PAGE.to_string());
        let text = Some(self.filter.as_str()).filter(|text| !text.is_empty());
        for (name, value) in [("state", state), ("sort", sort), ("text", text)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        Ask { page: Some(query.finish()) }
    }

    /// Takes in what the daemon said at `now`.
    pub(super) fn take(&mut self, told: Told, now: Instant) {
        match told.summary {
            Ok(summary) => self.note(summary, now),
            Err(error) => self.trouble = Some(error.to_string()),
        }
        if let Some((query, page)) = told.page
            && self.wanted().page.as_deref() == Some(&query)
        {
            self.page = page.map_err(|error| error.to_string());
        }
        self.line = self.line.min(self.lines().saturating_sub(1));
    }

    fn note(&mut self, summary: Summary, now: Instant) {
        let latency = &summary.latency_5m;
        self.points.push_back((micros(latency.p50), micros(latency.p99)));
        while self.points.len() > POINTS {
            self.points.pop_front();
        }
        self.summary = summary;
        self.came = now;
        self.trouble = None;
    }

    /// How many lines the list has that is looked at.
    pub(super) fn lines(&self) -> usize {
        match self.list {
            List::InFlight => self.flights().count(),
            _ => self.page.as_ref().map_or(0, |page| page.targets.len()),
        }
    }

    /// The polls in flight that the filter leaves, as address and age.
    pub(super) fn flights(&self) -> impl Iterator<Item = (&str, f64)> {
        let filter = self.filter.to_lowercase();
        let polls = self.summary.in_flight.urls.iter();
        polls
            .filter(move |poll| poll.url.to_lowercase().contains(&filter))
            .map(|poll| (poll.url.as_str(), poll.for_seconds))
    }

    /// Does what `key` asks for.
    pub(super) fn press(&mut self, key: KeyEvent) -> Next {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Next::Leave;
        }
        if self.is_writing {
            return self.write(key.code);
        }
        if self.is_helping {
            self.is_helping = false;
            return Next::Stay;
        }
        match key.code {
            KeyCode::Char('q') => Next::Leave,
            KeyCode::Esc if self.filter.is_empty() => Next::Leave,
            KeyCode::Esc => self.look(|screen| screen.filter.clear()),
            KeyCode::Char('/') => {
                self.is_writing = true;
                Next::Stay
            }
            KeyCode::Char('?' | 'h') => {
                self.is_helping = true;
                Next::Stay
            }
            KeyCode::Char(' ') => {
                self.is_held = !self.is_held;
                Next::Stay
            }
            KeyCode::Char('s') => self.look(|screen| {
                screen.list = List::Targets;
                screen.sort = screen.sort.next();
            }),
            KeyCode::Char(digit @ '1'..='4') => self.look(|screen| {
                let index = digit as usize - '1' as usize;
                screen.list = List::ALL.get(index).copied().unwrap_or(screen.list);
            }),
            KeyCode::Tab => self.turn(1),
            KeyCode::BackTab => self.turn(List::ALL.len() - 1),
            code => self.go(code),
        }
    }

    /// Moves within the list.
    fn go(&mut self, code: KeyCode) -> Next {
        let last = self.lines().saturating_sub(1);
        self.line = match code {
            KeyCode::Down | KeyCode::Char('j') => self.line + 1,
            KeyCode::Up | KeyCode::Char('k') => self.line.saturating_sub(1),
            KeyCode::PageDown => self.line + 10,
            KeyCode::PageUp => self.line.saturating_sub(10),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            _ => self.line,
        }
        .min(last);
        Next::Stay
    }

    fn turn(&mut self, by: usize) -> Next {
        self.look(|screen| {
            let own = List::ALL.iter().position(|list| *list == screen.list).unwrap_or(0);
            let next = (own + by) % List::ALL.len();
            screen.list = List::ALL.get(next).copied().unwrap_or(screen.list);
        })
    }

    /// Changes what is looked at, from its first line on.
    fn look(&mut self, change: impl FnOnce(&mut Self)) -> Next {
        change(self);
        self.line = 0;
        self.page = Ok(TargetPage::default());
        Next::Ask
    }

    /// Takes a key of the filter that is being written.
    fn write(&mut self, code: KeyCode) -> Next {
        match code {
            KeyCode::Enter => {
                self.is_writing = false;
                Next::Stay
            }
            KeyCode::Esc => {
                self.is_writing = false;
                self.look(|screen| screen.filter.clear())
            }
            KeyCode::Backspace => self.look(|screen| {
                screen.filter.pop();
            }),
            KeyCode::Char(letter) if self.filter.len() < LONGEST => {
                self.look(|screen| screen.filter.push(letter))
            }
            _ => Next::Stay,
        }
    }
}

/// `seconds` in whole microseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is out of range saturates"
)]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        Screen::new("data".to_owned(), Summary::default(), Instant::now())
    }

    fn press(screen: &mut Screen, code: KeyCode) -> Next {
        screen.press(KeyEvent::from(code))
    }

    #[test]
    fn a_filter_is_written_letter_by_letter_and_asked_for() {
        let mut screen = screen();
        for letter in "/a b&c".chars() {
            press(&mut screen, KeyCode::Char(letter));
        }
        assert_eq!(press(&mut screen, KeyCode::Enter), Next::Stay);
        let query = screen.wanted().page.expect("a page");
        assert!(query.contains("text=a+b%26c") && query.contains("state=down"), "{query}");
        assert_eq!(press(&mut screen, KeyCode::Esc), Next::Ask, "the first clears the filter");
        assert_eq!(press(&mut screen, KeyCode::Esc), Next::Leave);
    }

    #[test]
    fn lists_are_chosen_by_number_or_one_after_the_other() {
        let mut screen = screen();
        press(&mut screen, KeyCode::Char('3'));
        assert_eq!((screen.list, screen.wanted().page), (List::InFlight, None));
        press(&mut screen, KeyCode::Tab);
        press(&mut screen, KeyCode::Tab);
        assert_eq!(screen.list, List::Failing);
        press(&mut screen, KeyCode::BackTab);
        assert_eq!(screen.list, List::Targets);
        press(&mut screen, KeyCode::Char('s'));
        assert!(screen.wanted().page.expect("a page").contains("sort=latency"));
    }

    #[test]
    fn a_page_that_was_asked_for_earlier_is_not_shown() {
        let mut screen = screen();
        let late = screen.wanted().page.expect("a page");
        press(&mut screen, KeyCode::Char('2'));
        let page = TargetPage {
            targets: vec![crate::view::TargetRow::default()],
            ..TargetPage::default()
        };
        let told = Told { summary: Ok(Summary::default()), page: Some((late, Ok(page))) };
        screen.take(told, Instant::now());
        assert_eq!(screen.lines(), 0);
    }

    #[test]
    fn figures_stand_still_while_they_are_held() {
        let mut screen = screen();
        let now = Instant::now();
        assert!(screen.is_due(now) && !screen.is_due(now));
        press(&mut screen, KeyCode::Char(' '));
        assert!(!screen.is_due(now + PERIOD * 2));
    }
}
