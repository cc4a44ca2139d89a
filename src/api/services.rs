//! `Services`: all that the API has to tell and to do, each behind a trait of its own; a process
//! offers the routes of what it has.

use std::sync::Arc;

use super::changes::Changes;
use super::facts::Facts;
use super::runs::Runs;

/// What a process offers over HTTP.
#[derive(Clone)]
pub struct Services {
    /// What the daemon knows and does.
    pub facts: Arc<dyn Facts>,
    /// How visitors are treated.
    pub options: Arc<ApiOptions>,
    /// What changes targets.
    pub changes: Option<Arc<dyn Changes>>,
    /// What runs checks.
    pub runs: Option<Arc<dyn Runs>>,
}

impl Services {
    /// The services of a daemon that tells its facts and nothing more.
    #[must_use]
    pub fn of(facts: Arc<dyn Facts>) -> Self {
        Self { facts, options: Arc::default(), changes: None, runs: None }
    }
}

/// How visitors are treated.
#[derive(Clone, Debug, Default)]
pub struct ApiOptions {
    /// Origins whose pages may ask.
    pub cors_origins: Vec<String>,
    /// Questions a second of one address at most; none: any number.
    pub rate: Option<std::num::NonZeroU32>,
    /// Host names that requests over the network may name beside IP addresses and `localhost`.
    pub hosts: Vec<String>,
}
