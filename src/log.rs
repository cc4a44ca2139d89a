//! Where log lines go: standard error, or a file that is rotated by size; never in a poll's way.

mod queue;
mod rotate;

pub use rotate::Rotation;

use std::io;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use queue::{Line, Queue};
use rotate::RotatingFile;

/// How the log is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where lines go.
    pub destination: Destination,
    /// What a line looks like.
    pub format: Format,
    /// What is logged, as `info` or `poller=debug,warn`.
    pub filter: String,
}

/// Where log lines go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Standard error.
    Stderr,
    /// A file, with files of earlier lines beside it.
    File(PathBuf, Rotation),
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// The log; dropping it writes what waits, for at most two seconds.
#[derive(Debug)]
pub struct Log {
    queue: Queue,
}

impl Log {
    /// Opens the file anew, as after somebody moved it away.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// How many lines were lost, because they came faster than they could be written or because
    /// writing failed.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.queue.lost()
    }
}

/// Makes all log lines of this process go where `settings` says, panics included.
///
/// Lines are handed to a thread, so call it after detaching.
///
/// # Errors
/// When the file cannot be opened, the filter makes no sense or a log was started before.
pub fn start(settings: &Settings) -> io::Result<Log> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let queue = match &settings.destination {
        Destination::Stderr => Queue::start(Unrotated(io::stderr()))?,
        Destination::File(path, rotation) => {
            Queue::start(RotatingFile::open(path.clone(), *rotation)?)?
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(ToQueue(queue.clone()));
    let done = match settings.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    done.map_err(io::Error::other)?;
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(thread = thread.name(), "{panic}");
    }));
    Ok(Log { queue })
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.finish(std::time::Duration::from_secs(2));
    }
}

/// What lines are written to.
trait Sink: io::Write + Send + 'static {
    /// Opens it anew where that means something.
    fn reopen(&mut self);
}

struct Unrotated<W>(W);

impl<W: io::Write> io::Write for Unrotated<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: io::Write + Send + 'static> Sink for Unrotated<W> {
    fn reopen(&mut self) {}
}

struct ToQueue(Queue);

impl<'a> MakeWriter<'a> for ToQueue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        self.0.line()
    }
}
