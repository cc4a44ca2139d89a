//! `Out`: results on standard output and words on standard error, each printed here alone.

use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

use crate::view::text::{Colour, Style};

/// Where output goes.
pub struct Out {
    results: Box<dyn Write + Send>,
    words: Box<dyn Write + Send>,
    /// How text is dressed.
    pub style: Style,
    /// Whether it may be drawn anew in the same place.
    pub is_terminal: bool,
}

impl Out {
    /// Standard output and standard error; coloured on a terminal unless `NO_COLOR` is set.
    #[must_use]
    pub fn standard() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let colour = if is_terminal && !is_plain { Colour::Ansi } else { Colour::Never };
        let columns = tcgetwinsize(&stdout).ok().map(|size| size.ws_col).filter(|&wide| wide > 0);
        Self {
            results: Box::new(stdout),
            words: Box::new(io::stderr()),
            style: Style::new(colour, columns),
            is_terminal,
        }
    }

    /// Output without colours to `results` and `words`.
    #[must_use]
    pub fn to(results: Box<dyn Write + Send>, words: Box<dyn Write + Send>) -> Self {
        Self { results, words, style: Style::PLAIN, is_terminal: false }
    }

    /// Prints a result.
    ///
    /// # Errors
    /// When it cannot be written; [`Out::is_over`] tells whether the reader simply left.
    pub fn result(&mut self, text: &str) -> io::Result<()> {
        self.results.write_all(text.as_bytes())?;
        self.results.flush()
    }

    /// Prints a word on what goes on; when nobody takes it, it is lost.
    pub fn word(&mut self, text: &str) {
        let _ = writeln!(self.words, "{text}");
    }

    /// Whether `error` says that the reader left, as `head` does, which is no failure.
    #[must_use]
    pub fn is_over(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::BrokenPipe
    }
}
