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
    let first = checks.into_iter().map(CheckSpec::into_entry).collect();
    let origin = Origin::of_file("".as_ref(), Variables::default()).done();
    let listing = Listing { first, source: None, origin, is_bounded: true };
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
    let _ = runner.run_listing(listing, &options, None, &mut take).await;
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
    let origin = Origin::of_file("".as_ref(), Variables::of_process());
    let source: Box<dyn Read + Send> = Box::new(source);
    let source = Some((source, "the checks".to_owned()));
    let listing = Listing { first: Vec::new(), source, origin, is_bounded: false };
    runner.run_listing(listing, options, None, &mut take).await
}

/// The checks of a run: some that are at hand, and a list that is read as a stream.
pub(crate) struct Listing {
    /// Those at hand, as entries of a list.
    pub(crate) first: Vec<serde_json::Value>,
    /// The list, and what messages call it.
    pub(crate) source: Option<(Box<dyn Read + Send>, String)>,
    /// What entries may name.
    pub(crate) origin: Origin,
    /// Whether the list certainly ends, and soon, as a file does and a pipe may not.
    pub(crate) is_bounded: bool,
}

impl Runner {
    /// Runs the checks of `listing`, which a thread of its own reads; it waits when it is too far
    /// ahead.
    ///
    /// # Errors
    /// As [`run_check_batch`].
    pub(crate) async fn run_listing(
        &self,
        listing: Listing,
        options: &RunOptions,
        resume: Option<Resume>,
        take: &mut (dyn FnMut(Placed) + Send),
    ) -> Result<Ended, BatchError> {
        let (sender, entries) = mpsc::channel(options.batch_size.get());
        let (told, mut verdict) = mpsc::channel(1);
        let (rules, is_bounded) = (self.rules.clone(), listing.is_bounded);
        let reading = move || {
            let result = read(listing, &rules, &sender);
            // There is room for it, and who sees the end of the entries finds it.
            let _ = told.blocking_send(result);
            drop(sender);
        };
        // The thread ends when nobody wants further entries; one that hangs in its source ends
        // with the process.
        let thread = std::thread::Builder::new().name("checks".to_owned());
        thread.spawn(reading).map_err(BatchError::Thread)?;
        let ended = self.run((entries, is_bounded), options, resume, take).await;
        let verdict = match ended {
            Ended::Whole => verdict.recv().await,
            _ => verdict.try_recv().ok(),
        };
        match verdict {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(ended),
        }
    }
}

fn read(listing: Listing, rules: &Rules, sender: &mpsc::Sender<Entry>) -> Result<(), ListError> {
    let Listing { first, mut source, origin, .. } = listing;
    let source = source.as_mut().map(|(source, name)| (&mut **source as &mut dyn Read, &**name));
    targets::stream(first, source, (&origin, rules), &mut |entry| match sender.blocking_send(entry)
    {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    })
}
