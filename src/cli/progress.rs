//! `Progress`: how far a run of checks has come, on standard error: a bar on a terminal, else a line
//! now and then.

mod bar;
mod beside;
mod lines;
mod pace;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::view::result::Status;
use crate::view::text::Colour;
use bar::Bar;
use beside::Beside;
use lines::Lines;
use pace::{Pace, Point};

/// How far a run of checks has come; told by a thread of its own, so that a check that ends costs
/// the run no more than two counters.
pub struct Progress {
    shared: Arc<Shared>,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
}

/// What finds out how many checks there are, if it can; gives up when the flag is set.
pub type Counter = Box<dyn FnOnce(&AtomicBool) -> Option<u64> + Send>;

struct Shared {
    done: AtomicU64,
    failed: AtomicU64,
    has_ended: AtomicBool,
    face: Mutex<Face>,
}

/// How progress is shown.
enum Face {
    Bar(Box<Bar>),
    Lines(Lines),
}

impl Face {
    /// How long a run goes on before anything is shown, and how long one look lasts.
    const fn rhythm(&self) -> (Duration, Duration) {
        match self {
            Self::Bar(_) => (Duration::from_millis(500), Duration::from_millis(100)),
            Self::Lines(_) => (Duration::from_secs(10), Duration::from_secs(10)),
        }
    }

    fn show(&mut self, point: &Point) {
        match self {
            Self::Bar(bar) => bar.show(point),
            Self::Lines(lines) => lines.show(point),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Bar(bar) => bar.clear(),
            Self::Lines(_) => {}
        }
    }
}

impl Progress {
    /// A run that begins now, told on standard error: by a bar where that is a terminal, else by a
    /// line every ten seconds. `counter` is asked when something is to be shown for the first time,
    /// so that a short run pays nothing for it.
    #[must_use]
    pub fn standard(counter: Counter) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|value| value == "dumb");
        if io::stderr().is_terminal() && !is_dumb {
            let colour = if is_set("NO_COLOR") { Colour::Never } else { Colour::Ansi };
            Self::begin(Face::Bar(Box::new(Bar::on_standard_error(colour))), counter)
        } else {
            Self::to(Box::new(io::stderr()), counter)
        }
    }

    /// A run that begins now, told on `words` by a line every ten seconds.
    #[must_use]
    pub fn to(words: Box<dyn Write + Send>, counter: Counter) -> Self {
        Self::begin(Face::Lines(Lines(words)), counter)
    }

    fn begin(face: Face, counter: Counter) -> Self {
        let rhythm = face.rhythm();
        let shared = Arc::new(Shared {
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            face: Mutex::new(face),
        });
        let (end, ends) = sync_channel(1);
        let seen = Arc::clone(&shared);
        let tell = move || {
            let began = Instant::now();
            let wait = |span| ends.recv_timeout(span) == Err(RecvTimeoutError::Timeout);
            seen.tell(rhythm, counter, &|| began.elapsed(), &wait);
        };
        // Where the system has no thread left, the run goes on untold.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(tell).ok();
        Self { shared, thread: thread.map(|thread| (end, thread)) }
    }

    /// One more check came to its end.
    pub fn add(&self, status: Status) {
        self.shared.done.fetch_add(1, Ordering::Relaxed);
        if status == Status::Error {
            self.shared.failed.fetch_add(1, Ordering::Release);
        }
    }

    /// `out`, which goes to the terminal on which progress may be shown: whole lines that are
    /// written to it stand above the bar, within a tenth of a second.
    #[must_use]
    pub fn beside(&self, out: Box<dyn Write + Send>) -> Box<dyn Write + Send> {
        match &mut *self.shared.face.lock() {
            Face::Bar(bar) => bar.stand_below(out),
            Face::Lines(_) => return out,
        }
        Box::new(Beside(Arc::clone(&self.shared)))
    }

    /// The run has ended; nothing is left of what was shown in place.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::Relaxed);
        if let Some((end, thread)) = self.thread.take() {
            drop(end);
            let _ = thread.join();
        }
        self.shared.face.lock().clear();
    }
}

impl Shared {
    /// Shows how far the run has come, again and again, as long as `wait` says that it goes on.
    fn tell(
        &self,
        (first, further): (Duration, Duration),
        counter: Counter,
        elapsed: &dyn Fn() -> Duration,
        wait: &dyn Fn(Duration) -> bool,
    ) {
        if !wait(first) {
            return;
        }
        let total = counter(&self.has_ended);
        let mut pace = Pace::default();
        while !self.has_ended.load(Ordering::Relaxed) {
            let point = self.point(total, elapsed(), &mut pace);
            self.face.lock().show(&point);
            if !wait(further) {
                break;
            }
        }
    }

    fn point(&self, total: Option<u64>, elapsed: Duration, pace: &mut Pace) -> Point {
        // What failed is counted last and read first, so that it is never more than what is done.
        let failed = self.failed.load(Ordering::Acquire);
        let done = self.done.load(Ordering::Relaxed);
        Point { done, failed, total, rate: pace.rate(elapsed, done) }
    }
}

#[cfg(test)]
mod tests;
