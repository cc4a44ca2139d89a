//! The port `Plugin`: a kind of check from outside of this crate.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::outcome::{Cause, Detail};
use crate::target::Target;

/// A kind of check from outside of this crate, known by its name as `plugin_type`.
pub trait Plugin: Send + Sync + 'static {
    /// The name of the kind.
    fn plugin_type(&self) -> &str;

    /// Checks what `config` names, as its entry has it, and says what it found.
    ///
    /// The check ends at its timeout, which drops the future; a panic costs this check alone.
    fn check<'a>(
        &'a self,
        config: &'a Map<String, Value>,
        context: Context<'a>,
    ) -> Pin<Box<dyn Future<Output = Report> + Send + 'a>>;
}

impl<P: Plugin> Plugin for Arc<P> {
    fn plugin_type(&self) -> &str {
        (**self).plugin_type()
    }

    fn check<'a>(
        &'a self,
        config: &'a Map<String, Value>,
        context: Context<'a>,
    ) -> Pin<Box<dyn Future<Output = Report> + Send + 'a>> {
        (**self).check(config, context)
    }
}

/// Hears what checks have to say while they run.
pub trait Listener: Send + Sync + 'static {
    /// A check of `target` says `text`; must not wait.
    fn message(&self, target: &Target, text: &str);
}

/// What a plugin is told of the run, and can tell it.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub(crate) target: &'a Target,
    pub(crate) listener: Option<&'a dyn Listener>,
}

impl Context<'_> {
    /// Tells those who follow the run something while the check goes on.
    pub fn message(&self, text: &str) {
        if let Some(listener) = self.listener {
            listener.message(self.target, text);
        }
    }

    /// The time that the check may take in all.
    #[must_use]
    pub const fn timeout(&self) -> std::time::Duration {
        self.target.timeout()
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Context").field("target", &self.target.id).finish_non_exhaustive()
    }
}

/// What a plugin found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Why its target is not simply up.
    pub cause: Option<(Cause, Detail)>,
    /// A sentence for people.
    pub message: String,
    /// The data of the result.
    pub data: Map<String, Value>,
}

impl Report {
    /// The target is up.
    #[must_use]
    pub fn up(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The target can be reached, and something is not as expected.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { cause: Some((Cause::Assertion, Detail::None)), ..Self::up(message) }
    }

    /// The check failed by `cause`, which says whether the target is to blame.
    #[must_use]
    pub fn failed(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause: Some((cause, Detail::None)), ..Self::up(message) }
    }

    /// The same, with `value` among the data as `name`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }
}
