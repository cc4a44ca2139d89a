//! `Board`: what stands behind the status page and its announcements.

use std::sync::Arc;

use axum::http::StatusCode;

use super::problem::Problem;
use crate::store::Announcement;
use crate::view::{Announcements, StatusPage};

/// What the status page tells, and what is announced on it. Its calls block.
pub trait Board: Send + Sync + 'static {
    /// What the page tells; some seconds old at most.
    fn page(&self) -> Arc<StatusPage>;

    /// Whether everybody may see the page.
    fn is_public(&self) -> bool;

    /// All that is announced and not over.
    ///
    /// # Errors
    /// The store cannot be read.
    fn announcements(&self) -> Result<Announcements, BoardError>;

    /// Announces `announcement`; returns it as it is kept.
    ///
    /// # Errors
    /// The store cannot be written now.
    fn announce(&self, announcement: Announcement)
    -> Result<crate::view::Announcement, BoardError>;

    /// Takes the announcement with the number `id` down; tells whether there was one.
    ///
    /// # Errors
    /// The store cannot be written now.
    fn withdraw(&self, id: i64) -> Result<bool, BoardError>;
}

/// The store does not do what the board needs of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BoardError(pub String);

impl From<BoardError> for Problem {
    fn from(error: BoardError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.0)
    }
}
