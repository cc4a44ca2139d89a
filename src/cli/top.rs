//! `top`: the figures of the running daemon, live in a terminal.

mod draw;
mod draw_lists;
mod palette;
mod screen;
mod source;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::api::client::Client;
use crate::signal::{self, Signal};
use palette::Palette;
use screen::{Next, Screen};
use source::Source;

/// How long a key is waited for before the screen is looked at again.
const ROUND: Duration = Duration::from_millis(100);
/// How often everything is drawn anew though nothing came, so that ages go on.
const REDRAW: Duration = Duration::from_secs(1);

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// Standard input and output are no terminal.
    #[error("top needs a terminal; poller -i prints the same figures anywhere")]
    NoTerminal,
    /// The daemon could not be asked even once.
    #[error(transparent)]
    Ask(#[from] crate::api::client::AskError),
    /// The terminal does not work.
    #[error("the terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// Shows the figures of the daemon that `client` asks until the user has seen enough.
///
/// The terminal is put back as it was, also after a panic or a TERM.
///
/// # Errors
/// There is no terminal, or the daemon does not answer at the start.
pub fn top(client: &Client, is_coloured: bool) -> Result<(), TopError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    // Said before the screen is taken over, where it can be read.
    let first = client.summary(crate::view::Lists::Short)?;
    let signals = signal::listen()?;
    let source = Source::start(client.clone())?;
    let mut screen = Screen::new(client.name(), first, Instant::now());
    let mut terminal = ratatui::try_init()?;
    let palette = if is_coloured { Palette::COLOUR } else { Palette::PLAIN };
    let result = run(&mut terminal, &mut screen, &source, (palette, signals));
    ratatui::restore();
    result
}

type Signals = (signal::Listener, tokio::sync::mpsc::Receiver<Signal>);

fn run(
    terminal: &mut DefaultTerminal,
    screen: &mut Screen,
    source: &Source,
    (palette, (_listener, mut signals)): (Palette, Signals),
) -> Result<(), TopError> {
    let mut drawn: Option<Instant> = None;
    let mut is_changed = true;
    loop {
        if is_changed || drawn.is_none_or(|at| at.elapsed() >= REDRAW) {
            terminal.draw(|frame| draw::draw(frame, screen, palette, Instant::now()))?;
            drawn = Some(Instant::now());
        }
        is_changed = false;
        if event::poll(ROUND)? {
            is_changed = true;
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match screen.press(key) {
                    Next::Stay => {}
                    Next::Ask => source.ask(screen.wanted()),
                    Next::Leave => return Ok(()),
                },
                _ => {}
            }
        }
        while let Some(told) = source.next() {
            screen.take(told, Instant::now());
            is_changed = true;
        }
        if screen.is_due(Instant::now()) {
            source.ask(screen.wanted());
        }
        if matches!(signals.try_recv(), Ok(Signal::Drain | Signal::ExitNow)) {
            return Ok(());
        }
    }
}
