//! `Shelf`: the modules in use, and how often something was probed by them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;

use crate::config::modules::{Modules, ModulesError};

/// The modules in use, and how often something was probed by them.
#[derive(Debug)]
pub(in crate::app) struct Shelf {
    path: Option<PathBuf>,
    modules: RwLock<Arc<Modules>>,
    /// How often a module was asked for that there is not.
    pub(in crate::app) unknown: AtomicU64,
    /// Probes that failed, and those that succeeded.
    done: [AtomicU64; 2],
}

impl Shelf {
    /// The modules of the file `path`, else those that are built in.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(in crate::app) fn open(path: Option<&Path>) -> Result<Self, ModulesError> {
        let modules = read(path)?;
        Ok(Self {
            path: path.map(Path::to_owned),
            modules: RwLock::new(Arc::new(modules)),
            unknown: AtomicU64::new(0),
            done: [AtomicU64::new(0), AtomicU64::new(0)],
        })
    }

    /// The modules of the file as it is now, for [`Shelf::replace`].
    ///
    /// # Errors
    /// It cannot be used.
    pub(in crate::app) fn read_again(&self) -> Result<Modules, ModulesError> {
        read(self.path.as_deref())
    }

    /// Has `modules` be in use from now on.
    pub(in crate::app) fn replace(&self, modules: Modules) {
        *self.modules.write() = Arc::new(modules);
    }

    /// The modules in use.
    pub(super) fn modules(&self) -> Arc<Modules> {
        Arc::clone(&self.modules.read())
    }

    /// Counts a probe.
    pub(super) fn note(&self, is_success: bool) {
        let [failed, succeeded] = &self.done;
        if is_success { succeeded } else { failed }.fetch_add(1, Relaxed);
    }

    /// Probes that failed, and those that succeeded, so far.
    pub(in crate::app) fn done(&self) -> [u64; 2] {
        self.done.each_ref().map(|count| count.load(Relaxed))
    }
}

/// Reads modules, and logs those that cannot be used.
fn read(path: Option<&Path>) -> Result<Modules, ModulesError> {
    let modules = Modules::read(path)?;
    for (name, reason) in modules.refused() {
        tracing::warn!("the module {name:?} cannot be used: {reason}");
    }
    Ok(modules)
}
