//! `poller db`: setting up the database of a cluster, and its targets.

use crate::app::role::RoleError;
use crate::cli::db::Db;
use crate::config::Settings;
use crate::config::sources::Sources;

/// Does what `asked` wants of the database, and tells what it prints.
///
/// # Errors
/// It could not be done.
pub(in crate::app) fn db(
    asked: &Db,
    settings: &Settings,
    sources: &Sources,
) -> Result<String, RoleError> {
    let _ = (asked, sources, super::database(settings, "poller-db")?);
    Ok(String::new())
}
