//! Lists of targets: read as a stream in any of their forms, each bad entry rejected alone.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::config::rules::{Rules, Strictness};
use crate::config::substitute::{Origin, Variables};
use crate::target::Target;

mod array;
pub mod diff;
mod entry;
mod guard;
mod loader;
pub mod own;
mod prometheus;
pub mod remote;
pub mod source;
mod table;
mod text;
pub mod written;

pub(crate) use entry::with_scheme;
use loader::Loader;

/// Rejects that are kept with their reasons; the others are counted.
pub const REJECTS_KEPT: usize = 100;

/// Bytes read from a list at once.
const BUFFER: usize = 256 << 10;

/// A list that was read.
#[derive(Debug)]
pub struct List {
    /// The name of its source, as messages show it.
    pub file: Arc<str>,
    /// What it asks to be polled, in its own order.
    pub targets: Vec<Target>,
    /// The entries that cannot be polled.
    pub rejects: Rejects,
    /// Entries that were read, good and bad.
    pub entries: u64,
    /// Targets that differ in check, method or address as written.
    pub unique: u64,
}

/// What an entry calls itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Its `id`.
    pub id: Option<String>,
    /// Its `plugin_type`.
    pub plugin_type: Option<String>,
}

/// An entry as it comes out of a list that is read as a stream.
#[derive(Debug)]
pub struct Entry {
    /// Position of the entry in the list, from 1.
    pub index: u64,
    /// Line on which it begins, from 1.
    pub line: u64,
    /// What it calls itself.
    pub named: Named,
    /// What it asks for, or why that cannot be done and what to write instead.
    pub target: Result<Target, String>,
}

/// An entry that cannot be polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The name of the list's source.
    pub file: Arc<str>,
    /// Line on which the entry begins, from 1.
    pub line: u64,
    /// Position of the entry in the list, from 1.
    pub index: u64,
    /// Why, and what to write instead.
    pub reason: String,
}

impl fmt::Display for Reject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, index, reason } = self;
        write!(formatter, "{file}:{line}: entry {index}: {reason}")
    }
}

/// The entries of a list that cannot be polled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejects {
    /// The first of them, [`REJECTS_KEPT`] at most.
    pub first: Vec<Reject>,
    /// All of them.
    pub total: u64,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Its source cannot be read.
    #[error("cannot read the list {file}: {source}; name another with --urls")]
    Unreadable {
        /// Name of the source.
        file: Arc<str>,
        /// What went wrong.
        source: io::Error,
    },
    /// A list that begins like JSON, or is named so, is no JSON.
    #[error("{file}:{line}:{column}: the list is not valid JSON: {reason}")]
    NotJson {
        /// Name of the source.
        file: Arc<str>,
        /// Line, from 1.
        line: u64,
        /// Byte in the line, from 1.
        column: u64,
        /// What is wrong there.
        reason: String,
    },
    /// No entry can be polled.
    #[error("the list {file} has no valid entry{}", first_of(first.as_ref()))]
    NoValidEntry {
        /// Name of the source.
        file: Arc<str>,
        /// Entries that were read.
        entries: u64,
        /// The first one's fault, if there is an entry.
        first: Option<Reject>,
    },
    /// An entry is bad, and settings say that this refuses the list.
    #[error("the list {file} is refused for {} bad entries{}", rejects.total,
        first_of(rejects.first.first()))]
    Strict {
        /// Name of the source.
        file: Arc<str>,
        /// The bad entries.
        rejects: Rejects,
    },
    /// A list that is read again has lost over half of its targets.
    #[error(
        "the list {file} went from {before} targets to {after}; the old one stays in use \
        (--allow-shrink takes the new one)"
    )]
    Shrunk {
        /// Name of the source.
        file: Arc<str>,
        /// Targets of the list in use.
        before: usize,
        /// Targets of the new one.
        after: usize,
    },
    /// The address of a list is none.
    #[error("the list {file} {reason}")]
    NoAddress {
        /// As it was written, without credentials.
        file: Arc<str>,
        /// What is wrong with it.
        reason: String,
    },
    /// A list cannot be fetched.
    #[error("cannot fetch the list {file}: {reason}")]
    Unfetched {
        /// The address, without credentials.
        file: Arc<str>,
        /// What went wrong.
        reason: String,
    },
}

fn first_of(reject: Option<&Reject>) -> String {
    reject.map_or_else(|| ": it is empty".to_owned(), |reject| format!("; the first: {reject}"))
}

/// Reads a list from `source`; `name` is how messages call it.
///
/// # Errors
/// The source cannot be read, is broken JSON, has no valid entry, or under strict rules a bad one.
pub fn read(
    source: &mut dyn Read,
    name: &str,
    origin: &Origin,
    rules: &Rules,
) -> Result<List, ListError> {
    let mut loader = Loader::new(name, origin, rules);
    let reader = BufReader::with_capacity(BUFFER, source);
    text::read(reader, &mut loader).map_err(|broken| loader.list_error(broken))?;
    judge(loader.finish(), rules)
}

/// Hands out each of `first`, and then each entry that is read from `source`, to `take`, good or
/// bad, until that wants no more; keeps none. Entries count from 1 on, over both.
///
/// # Errors
/// The source cannot be read, or is broken JSON.
pub fn stream(
    first: Vec<serde_json::Value>,
    source: Option<(&mut dyn Read, &str)>,
    (origin, rules): (&Origin, &Rules),
    take: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), ListError> {
    let name = source.as_ref().map_or("the command line", |(_, name)| *name);
    let mut loader = Loader::new(name, origin, rules).handing_to(take);
    for (line, entry) in (1..).zip(first) {
        if text::take_json(&mut loader, line, entry).is_break() {
            return Ok(());
        }
    }
    let Some((source, _)) = source else { return Ok(()) };
    let reader = BufReader::with_capacity(BUFFER, source);
    text::read(reader, &mut loader).map_err(|broken| loader.list_error(broken))
}

/// Reads a list from the file at `path`.
///
/// # Errors
/// As [`read`].
pub fn read_file(path: &Path, variables: &Variables, rules: &Rules) -> Result<List, ListError> {
    let name = path.display().to_string();
    let unreadable = |source| ListError::Unreadable { file: name.as_str().into(), source };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    read(&mut file, &name, &Origin::of_file(path, variables.clone()), rules)
}

/// Refuses `new` in the place of a list of `before` targets when over half of them are gone.
///
/// # Errors
/// They are.
pub fn refuse_shrunk(before: usize, new: &List) -> Result<(), ListError> {
    let after = new.targets.len();
    if after.saturating_mul(2) < before {
        return Err(ListError::Shrunk { file: Arc::clone(&new.file), before, after });
    }
    Ok(())
}

fn judge(list: List, rules: &Rules) -> Result<List, ListError> {
    if list.targets.is_empty() {
        let first = list.rejects.first.into_iter().next();
        return Err(ListError::NoValidEntry { file: list.file, entries: list.entries, first });
    }
    if rules.strictness == Strictness::Strict && list.rejects.total > 0 {
        return Err(ListError::Strict { file: list.file, rejects: list.rejects });
    }
    Ok(list)
}
