//! `Modules`: how `/probe` probes, by name, as `blackbox_exporter` reads it from a file.

mod given;
mod lists;
mod module;
mod secrets;
mod web;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use given::File;
pub use module::{AnswerRules, HeaderRule, Module, Preference, Prober, RecordRules, WebRules};
pub use web::bare;

/// The modules where no file names others: those of the example of `blackbox_exporter`, without
/// gRPC.
const BUILT_IN: &str = include_str!("modules/built_in.yml");
/// The module of those who name none.
pub const USUAL: &str = "http_2xx";

/// Modules by their names.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Ready(Arc<Module>),
    /// It asks for something that there is not here, as this says.
    Refused(String),
}

/// Why there is no module to probe by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoModule {
    /// No module has this name.
    #[error("unknown module {name:?}; known are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// It asks for something that there is not here.
    #[error("the module {name:?} cannot be used: {reason}")]
    Refused {
        /// Its name.
        name: String,
        /// What it asks for.
        reason: String,
    },
}

/// Why a file of modules cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the modules file {file}{}: {reason}", .line.map_or_else(String::new, |line| format!(", line {line}")))]
pub struct ModulesError {
    file: String,
    line: Option<u64>,
    reason: String,
}

impl Modules {
    /// The modules of the file `path`, else those that are built in.
    ///
    /// # Errors
    /// The file cannot be read, is no YAML, or names what no module has.
    pub fn read(path: Option<&Path>) -> Result<Self, ModulesError> {
        let Some(path) = path else { return Self::parse(BUILT_IN, Path::new("built_in.yml")) };
        let text = std::fs::read_to_string(path).map_err(|error| ModulesError {
            file: path.display().to_string(),
            line: None,
            reason: error.to_string(),
        })?;
        Self::parse(&text, path)
    }

    /// The modules of `text`; files that it names are looked for beside `path`, where it stands.
    ///
    /// # Errors
    /// It is no YAML, or names what no module has.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModulesError> {
        let fault = |line: Option<u64>, reason: String| ModulesError {
            file: path.display().to_string(),
            line,
            reason,
        };
        let mut options = serde_saphyr::Options::default();
        options.with_snippet = false;
        let read = |error: &serde_saphyr::Error| {
            fault(error.location().map(|place| place.line()), said(&error.to_string()))
        };
        let file: File = serde_saphyr::from_str_with_options(text, options.clone())
            .map_err(|error| read(&error))?;
        let shown: serde_json::Value =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| read(&error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut entries = BTreeMap::new();
        for (name, given) in file.modules {
            let line = Some(given.referenced.line());
            let own = shown.pointer(&pointer(&name)).cloned().unwrap_or_default();
            let entry = match given.value.unsupported() {
                Some(reason) => Entry::Refused(reason),
                None => Entry::Ready(Arc::new(
                    Module::of(&name, given.value, folder, secrets::shown(own))
                        .map_err(|reason| fault(line, format!("module {name:?}: {reason}")))?,
                )),
            };
            entries.insert(name, entry);
        }
        Ok(Self { entries })
    }

    /// The module `name`.
    ///
    /// # Errors
    /// There is none, or none that can be used.
    pub fn module(&self, name: &str) -> Result<&Arc<Module>, NoModule> {
        match self.entries.get(name) {
            Some(Entry::Ready(module)) => Ok(module),
            Some(Entry::Refused(reason)) => {
                Err(NoModule::Refused { name: name.to_owned(), reason: reason.clone() })
            }
            None => {
                let known: Vec<&str> = self.entries.keys().map(String::as_str).collect();
                Err(NoModule::Unknown { name: name.to_owned(), known: known.join(", ") })
            }
        }
    }

    /// The modules that cannot be used, by their names, and why.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Refused(reason) => Some((name.as_str(), reason.as_str())),
            Entry::Ready(_) => None,
        })
    }

    /// How many modules can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.refused().count()
    }

    /// Whether no module can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where a module stands in its file, as a JSON Pointer (RFC 6901).
fn pointer(name: &str) -> String {
    format!("/modules/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What is wrong in a line of its own, without the place that is told before it.
fn said(text: &str) -> String {
    let text = text.lines().next().unwrap_or_default();
    text.rsplit_once(" at line ")
        .map_or(text, |(before, _)| before)
        .trim_end_matches(',')
        .to_owned()
}

#[cfg(test)]
mod tests;
