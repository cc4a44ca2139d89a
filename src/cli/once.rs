//! Runs what a command asks to be checked once, and shows what came of it.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, LineWriter, Read, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::checks::{Asked, RunFlags};
use super::out::Out;
use super::progress::{Counter, Progress};
use crate::check::Checks;
use crate::clock::Clock;
use crate::config::rules::Rules;
use crate::config::substitute::{Origin, Variables};
use crate::config::targets;
use crate::run::{
    BatchError, InOrder, Listing, MAX_WORKERS, OnError, Placed, Resume, RunOptions, Runner,
};
use crate::signal::{self, Signal};
use crate::view::result::{CheckResult, Identity, NotRun};
use crate::view::results::{Counts, Form, Json, Junit, Lines, Nagios, Rows, Table};

/// The exit code of what cannot be known, and of wrong usage.
pub const UNKNOWN: u8 = 3;
/// The exit code of a run that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// What checks run with, beside what the command asks.
#[derive(Debug)]
pub struct Setting {
    /// The checks.
    pub checks: Checks,
    /// What fills entries.
    pub rules: Rules,
    /// Checks that may run at once as far as the limit of open files goes.
    pub most_workers: NonZeroUsize,
    /// Checks that run at once where the command does not say; none: 64.
    pub usual_workers: Option<NonZeroUsize>,
    /// The environment.
    pub variables: Variables,
    /// The folder where the process began.
    pub here: PathBuf,
}

/// Runs what is `asked`, and tells by the exit code what came of it: as the Nagios plugins do, 130
/// when it was interrupted.
///
/// # Errors
/// Nothing could be run, or no result be written; says why.
pub fn run_once(asked: Asked, setting: Setting, out: &mut Out) -> Result<ExitCode, String> {
    let options = options(&asked, &setting, out);
    let Setting { checks, mut rules, variables, here, .. } = setting;
    rules.usual.kind = asked.kind;
    rules.usual.config = asked.config;
    rules.timeout_ms = match asked.kind {
        // The variable for the timeout of polls says nothing of a run.
        None => None,
        Some(_) => asked.timeout.map(millis).or(rules.timeout_ms),
    };
    let resume = asked.run.resume.as_ref().map(|file| Resume::open(&here.join(file)));
    let resume = resume.transpose().map_err(|error| error.to_string())?;
    let listing = listing(&asked.targets, asked.file.as_deref(), &here, variables)?;
    let file = asked.file.as_ref().map(|file| here.join(file));
    let counter = counter(asked.targets.len() as u64, file, listing.origin.clone(), rules.clone());
    let progress = Progress::standard(counter);
    let mut shown = Shown::open(&asked.run, &here, (out, &progress))?;
    let runner = Runner::with(checks, rules);
    let began = Instant::now();
    let interrupted = watch_for_interrupt(options.cancel.clone())?;
    let runtime = runtime().map_err(|error| format!("cannot start a runtime: {error}"))?;
    let ended = runtime.block_on(runner.run_listing(listing, &options, resume, &mut |placed| {
        progress.add(placed.1.status);
        if shown.take(placed).is_err() {
            options.cancel.cancel();
        }
    }));
    runtime.shutdown_background();
    progress.end();
    if let Err(error) = &ended {
        shown.take_fault(error);
    }
    let (counts, written) = shown.end(began.elapsed());
    written?;
    match ended {
        _ if interrupted.is_cancelled() => {
            out.word("poller: interrupted; what is shown is what had finished");
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => {
            out.word(&format!("poller: {error}"));
            Ok(ExitCode::from(counts.exit_code()))
        }
        Ok(_) if counts.total == 0 => {
            out.word("poller: there is nothing to check: the list is empty");
            Ok(ExitCode::from(UNKNOWN))
        }
        Ok(_) => Ok(ExitCode::from(counts.exit_code())),
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("check").build()
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn options(asked: &Asked, setting: &Setting, out: &mut Out) -> RunOptions {
    let wanted = asked.run.max_workers.or(setting.usual_workers).unwrap_or(MAX_WORKERS);
    let max_workers = if asked.run.parallel { wanted } else { NonZeroUsize::MIN };
    if max_workers > setting.most_workers {
        out.word(&format!(
            "poller: {} checks run at once at most, not {max_workers}: raise the limit of open \
             files (ulimit -n)",
            setting.most_workers
        ));
    }
    let max_workers = max_workers.min(setting.most_workers);
    RunOptions {
        max_workers,
        batch_size: asked.batch_size.unwrap_or(max_workers),
        deadline: asked.deadline,
        on_error: if asked.run.stop_on_error { OnError::Stop } else { OnError::GoOn },
        cancel: CancellationToken::new(),
        events: None,
    }
}

fn listing(
    targets: &[String],
    file: Option<&Path>,
    here: &Path,
    variables: Variables,
) -> Result<Listing, String> {
    let first = targets.iter().map(|target| Value::from(target.as_str())).collect();
    let Some(file) = file else {
        return Ok(Listing {
            first,
            source: None,
            origin: Origin::of_file(&here.join("-"), variables),
            is_bounded: true,
        });
    };
    let (source, path): (Box<dyn Read + Send>, _) = if file == Path::new("-") {
        (Box::new(io::stdin()), here.join("-"))
    } else {
        let path = here.join(file);
        let opened = File::open(&path).and_then(|opened| {
            if opened.metadata()?.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok(opened)
        });
        let opened = opened.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        (Box::new(opened), path)
    };
    let name = if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let is_bounded = path.is_file();
    let origin = Origin::of_file(&path, variables);
    Ok(Listing { first, source: Some((source, name)), origin, is_bounded })
}

/// Counts what is checked: what the command line names, and the entries of a file that can be read
/// twice.
fn counter(named: u64, file: Option<PathBuf>, origin: Origin, rules: Rules) -> Counter {
    Box::new(move |has_ended| {
        let Some(path) = file else { return Some(named) };
        let mut file = std::fs::metadata(&path).ok()?.is_file().then(|| File::open(&path))?.ok()?;
        let mut total = named;
        let mut count = |_| {
            total += 1;
            if has_ended.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let source = Some((&mut file as &mut dyn Read, ""));
        targets::stream(Vec::new(), source, (&origin, &rules), &mut count).ok()?;
        Some(total)
    })
}

/// Where results go that no file gets.
fn results(progress: &Progress) -> Box<dyn Write + Send> {
    if io::stdout().is_terminal() {
        Box::new(LineWriter::new(progress.beside(Box::new(io::stdout()))))
    } else {
        Box::new(BufWriter::new(io::stdout()))
    }
}

/// Cancels `run` at Ctrl-C or TERM; the token that is returned tells so.
fn watch_for_interrupt(run: CancellationToken) -> Result<CancellationToken, String> {
    let interrupted = CancellationToken::new();
    let told = interrupted.clone();
    let (listener, mut signals) =
        signal::listen().map_err(|error| format!("cannot listen to signals: {error}"))?;
    let watch = move || {
        while let Some(signal) = signals.blocking_recv() {
            match signal {
                Signal::Drain => {
                    told.cancel();
                    run.cancel();
                }
                Signal::ExitNow => break,
                Signal::Reload | Signal::DumpSummary => {}
            }
        }
        drop(listener);
    };
    let thread = std::thread::Builder::new().name("interrupts".to_owned());
    thread.spawn(watch).map_err(|error| format!("cannot start a thread: {error}"))?;
    Ok(interrupted)
}

/// Where results go, in all their forms.
struct Shown {
    order: Option<InOrder>,
    forms: Vec<Box<dyn Form>>,
    counts: Counts,
    /// A file that takes its place when it is whole.
    output: Option<(PathBuf, PathBuf)>,
    failed: Option<io::Error>,
}

impl Shown {
    fn open(
        flags: &RunFlags,
        here: &Path,
        (out, progress): (&Out, &Progress),
    ) -> Result<Self, String> {
        let mut forms: Vec<Box<dyn Form>> = Vec::new();
        let mut output = None;
        if let Some(file) = &flags.output {
            let path = here.join(file);
            let part = part_of(&path);
            forms.push(form(flags, create(&part)?, out));
            forms.push(Box::new(Table::new(results(progress), out.style, Rows::Summary)));
            output = Some((part, path));
        } else if flags.json || flags.jsonl || flags.nagios {
            forms.push(form(flags, results(progress), out));
        } else {
            forms.push(Box::new(Table::new(results(progress), out.style, Rows::All)));
        }
        if let Some(file) = &flags.junit {
            let report = Junit::new(create(&here.join(file))?);
            forms.push(Box::new(report.map_err(|error| format!("no temporary file: {error}"))?));
        }
        let order = (!flags.jsonl).then(InOrder::new);
        Ok(Self { order, forms, counts: Counts::default(), output, failed: None })
    }

    fn take(&mut self, (index, result): Placed) -> Result<(), ()> {
        if self.failed.is_some() {
            return Err(());
        }
        self.counts.add(&result);
        let forms = &mut self.forms;
        let mut emit =
            |result: &CheckResult| forms.iter_mut().try_for_each(|form| form.result(result));
        let taken = match &mut self.order {
            Some(order) => order.put(index, Arc::clone(&result), &mut emit),
            None => emit(&result),
        };
        taken.map_err(|error| self.failed = Some(error))
    }

    /// Takes what is wrong with the list as a whole as a last result: what is shown must not look
    /// as if nothing were missing.
    fn take_fault(&mut self, error: &BatchError) {
        let identity = Identity { id: "list".to_owned(), plugin_type: String::new() };
        let reason = NotRun::Invalid(error.to_string());
        let now_ms = Clock::system().now_ms();
        let result = CheckResult::not_run(&identity, None, &reason, now_ms);
        let index = usize::try_from(self.counts.total).unwrap_or(usize::MAX);
        // Where it cannot be written, that is told at the end.
        let _ = self.take((index, Arc::new(result)));
    }

    /// Shows what is left, and says whether all could be written.
    fn end(mut self, took: Duration) -> (Counts, Result<(), String>) {
        let (counts, forms) = (self.counts, &mut self.forms);
        let mut emit =
            |result: &CheckResult| forms.iter_mut().try_for_each(|form| form.result(result));
        let rest = match (self.failed, self.order) {
            (Some(error), _) => Err(error),
            (None, Some(order)) => order.finish(&mut emit),
            (None, None) => Ok(()),
        };
        // The file comes first among the forms: whoever reads the summary may leave before its end.
        let ends: Vec<io::Result<()>> =
            self.forms.iter_mut().map(|form| form.end(&counts, took)).collect();
        drop(self.forms);
        let mut ended = rest;
        if let (Ok(()), Some(Ok(())), Some((part, path))) = (&ended, ends.first(), &self.output) {
            ended = std::fs::rename(part, path);
        }
        match ended.and_then(|()| ends.into_iter().collect::<io::Result<()>>()) {
            // A reader that left has seen enough.
            Err(error) if !Out::is_over(&error) => {
                let kept = self.output.map_or_else(String::new, |(part, _)| {
                    format!("; what could be is in {}", part.display())
                });
                (counts, Err(format!("cannot write the results: {error}{kept}")))
            }
            _ => (counts, Ok(())),
        }
    }
}

fn form(flags: &RunFlags, out: Box<dyn Write + Send>, shown: &Out) -> Box<dyn Form> {
    if flags.jsonl {
        Box::new(Lines(out))
    } else if flags.nagios {
        Box::new(Nagios::new(out))
    } else if flags.json || flags.output.is_some() {
        Box::new(Json::new(out))
    } else {
        Box::new(Table::new(out, shown.style, Rows::All))
    }
}

/// The file beside `path` that is written until it is whole.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    path.with_file_name(name)
}

fn create(path: &Path) -> Result<Box<dyn Write + Send>, String> {
    let file = File::create(path);
    let file = file.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}
