//! The summary: live from the daemon, else of what the store holds.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::out::Out;
use crate::api::client::{AskError, Client};
use crate::view::{Lists, Summary, text};

/// What of the summary is shown, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewOptions {
    /// For people or for programs.
    pub form: Form,
    /// Once or again and again.
    pub rhythm: Rhythm,
    /// How much of its lists.
    pub lists: Lists,
}

/// What output looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Text for people.
    #[default]
    Text,
    /// JSON for programs.
    Json,
}

/// How often the summary is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rhythm {
    /// Once.
    #[default]
    Once,
    /// Every second until Ctrl-C; on a terminal in the same place.
    Watch,
}

/// Shows the summary; `stored` makes it from the store when no daemon runs.
///
/// Returns 0 when it was shown, else 1 and says why.
pub fn viewstats<E: std::fmt::Display>(
    client: &Client,
    options: ViewOptions,
    stored: impl Fn() -> Result<Summary, E>,
    out: &mut Out,
) -> ExitCode {
    let shown = match options.rhythm {
        Rhythm::Once => show(client, options, &stored, out),
        Rhythm::Watch => watch(client, options, &stored, out),
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Write(error)) if Out::is_over(&error) => ExitCode::SUCCESS,
        Err(Failure::Write(error)) => {
            out.word(&format!("cannot write the summary: {error}"));
            ExitCode::FAILURE
        }
        Err(Failure::Unknown(reason)) => {
            out.word(&reason);
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Unknown(String),
    Write(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

fn show<E: std::fmt::Display>(
    client: &Client,
    options: ViewOptions,
    stored: &impl Fn() -> Result<Summary, E>,
    out: &mut Out,
) -> Result<(), Failure> {
    let summary = summary(client, options.lists, stored, out)?;
    let text = match options.form {
        Form::Text => text::render(&summary, &out.style, options.lists),
        Form::Json => document(&summary).map_err(|error| Failure::Unknown(error.to_string()))?,
    };
    let is_redrawn = options.rhythm == Rhythm::Watch && options.form == Form::Text;
    if is_redrawn && out.is_terminal {
        // Home, then clear what is below: in this order nothing flickers.
        out.result(&format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")))?;
    } else {
        out.result(&text)?;
        if is_redrawn {
            out.result("\n")?;
        }
    }
    Ok(())
}

/// `summary` as one line of JSON.
fn document(summary: &Summary) -> serde_json::Result<String> {
    serde_json::to_string(summary).map(|text| text + "\n")
}

fn summary<E: std::fmt::Display>(
    client: &Client,
    lists: Lists,
    stored: &impl Fn() -> Result<Summary, E>,
    out: &mut Out,
) -> Result<Summary, Failure> {
    let error = match client.summary(lists) {
        Ok(summary) => return Ok(summary),
        Err(error) => error,
    };
    match &error {
        AskError::NotRunning { .. } => {}
        AskError::NotListening { .. } | AskError::Silent { .. } | AskError::Garbled { .. } => {
            out.word(&format!("{error}; what follows is from the store"));
        }
        _ => return Err(Failure::Unknown(error.to_string())),
    }
    stored().map_err(|reason| Failure::Unknown(format!("{error}, and {reason}")))
}

fn watch<E: std::fmt::Display>(
    client: &Client,
    options: ViewOptions,
    stored: &impl Fn() -> Result<Summary, E>,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut pause = Pause::new().map_err(|error| Failure::Unknown(error.to_string()))?;
    if out.is_terminal && options.form == Form::Text {
        out.result("\x1b[2J")?;
    }
    loop {
        show(client, options, stored, out)?;
        if pause.is_interrupted(Duration::from_secs(1)) {
            return Ok(());
        }
    }
}

/// A pause that Ctrl-C ends.
struct Pause {
    interrupts: UnixStream,
}

impl Pause {
    fn new() -> io::Result<Self> {
        let (interrupts, sender) = UnixStream::pair()?;
        pipe::register(SIGINT, sender.try_clone()?)?;
        pipe::register(SIGTERM, sender)?;
        Ok(Self { interrupts })
    }

    /// Waits for `length`; true at once when somebody wants an end.
    fn is_interrupted(&mut self, length: Duration) -> bool {
        let timed = self.interrupts.set_read_timeout(Some(length));
        match timed.and_then(|()| self.interrupts.read(&mut [0])) {
            Ok(_) => true,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
            }
        }
    }
}
