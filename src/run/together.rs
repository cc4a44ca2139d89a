//! The two ways in which a program runs checks: those that it has at hand, and those of a stream.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::options::RunOptions;
use super::resume::Resume;
use super::runner::{Ended, Placed, Runner};
use super::spec::CheckSpec;
use crate::config::rules::Rules;
use crate::config::substitute::{Origin, Variables};
use crate::config::targets::{self, Entry, ListError};
use crate::view::result::CheckResult;

/// Why a file of checks was not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// It cannot be read, or is broken; what stood before that was run.
    #[error(transparent)]
    List(#[from] ListError),
    /// The system gives no thread to read it.
    #[error("cannot start a thread to read the checks: {0}")]
    Thread(std::io::Error),
}

/// Runs `checks` side by side, and returns their results in the order of the checks.
///
/// Every check has its result, also one that is wrong or that the deadline cut off; when the run is
/// cancelled, or stopped on an error, those that finished have.
pub async fn run_checks_in_parallel(
    runner: &Runner,
    checks: impl IntoIterator<Item = CheckSpec>,
    options: RunOptions,
) -> Vec<CheckResult> {
    let entries: Vec<_> = checks.into_iter().map(CheckSpec::into_entry).collect();
    let rules = runner.rules.clone();
    let read = move |take: &mut Take<'_>| {
        let origin = Origin::of_file("".as_ref(), Variables::default()).done();
        targets::each(entries, &origin, &rules, take);
        Ok(())
    };
    let mut results: Vec<Option<Arc<CheckResult>>> = Vec::new();
    let mut take = |(index, result): Placed| {
        if results.len() <= index {
            results.resize(index + 1, None);
        }
        if let Some(place) = results.get_mut(index) {
            *place = Some(result);
        }
    };
    // Entries at hand are never broken as a list, and without a thread there are no results.
    let _ = run_read(runner, read, &options, None, &mut take).await;
    results.into_iter().flatten().map(Arc::unwrap_or_clone).collect()
}

/// Runs the checks that `source` holds, in any form of a list, as they are read, and hands each
/// result with its place in the list, from 0, to `take` as soon as it is there.
///
/// # Errors
/// The source cannot be read, or is broken; what stood before that was run.
pub async fn run_check_batch(
    runner: &Runner,
    source: impl Read + Send + 'static,
    options: &RunOptions,
    mut take: impl FnMut(Placed) + Send,
) -> Result<Ended, BatchError> {
    let mut origin = Origin::of_file("checks.json".as_ref(), Variables::of_process());
    origin.folder = std::path::PathBuf::new();
    runner.run_source(Listing { source, name: "the checks".to_owned(), origin }, options, None, &mut take).await
}

/// A list of checks that is read as a stream.
#[derive(Debug)]
pub(crate) struct Listing<R> {
    pub(crate) source: R,
    pub(crate) name: String,
    pub(crate) origin: Origin,
}

type Take<'t> = dyn FnMut(Entry) -> ControlFlow<()> + 't;

impl Runner {
    /// Runs the checks of a list that is read as a stream.
    ///
    /// # Errors
    /// As [`run_check_batch`].
    pub(crate) async fn run_source<R: Read + Send + 'static>(
        &self,
        listing: Listing<R>,
        options: &RunOptions,
        resume: Option<Resume>,
        take: &mut (dyn FnMut(Placed) + Send),
    ) -> Result<Ended, BatchError> {
        let rules: Rules = self.rules.clone();
        let read = move |take: &mut Take<'_>| {
            let Listing { mut source, name, origin } = listing;
            targets::stream(&mut source, &name, &origin, &rules, take)
        };
        run_read(self, read, options, resume, take).await
    }
}

/// Runs what `read` reads on a thread of its own, which waits when it is too far ahead.
async fn run_read(
    runner: &Runner,
    read: impl FnOnce(&mut Take<'_>) -> Result<(), ListError> + Send + 'static,
    options: &RunOptions,
    resume: Option<Resume>,
    take: &mut (dyn FnMut(Placed) + Send),
) -> Result<Ended, BatchError> {
    let (sender, entries) = mpsc::channel(options.batch_size.get());
    let (told, mut verdict) = mpsc::channel(1);
    let reading = move || {
        let result = read(&mut |entry| match sender.blocking_send(entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        });
        drop(sender);
        let _ = told.blocking_send(result);
    };
    // The thread ends when nobody wants further entries; one that hangs in its source ends with
    // the process.
    std::thread::Builder::new()
        .name("checks".to_owned())
        .spawn(reading)
        .map_err(BatchError::Thread)?;
    let ended = runner.run(entries, options, resume, take).await;
    match verdict.try_recv() {
        Ok(Err(error)) => Err(error.into()),
        _ if ended == Ended::Whole => match verdict.recv().await {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(ended),
        },
        _ => Ok(ended),
    }
}
