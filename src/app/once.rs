//! What checks that run once run with.

use std::num::NonZeroUsize;

use super::boot::http_options;
use super::files::Shares;
use crate::check::{Checks, SetupError};
use crate::cli::once::Setting;
use crate::config::Settings;
use crate::config::sources::Sources;
use crate::process::raise_open_files_limit;

/// What checks that run once run with, by the settings.
///
/// # Errors
/// A setting cannot be used.
pub fn setting(settings: &Settings, sources: &Sources) -> Result<Setting, SetupError> {
    // What cannot be raised bounds how many run at once.
    let open_files =
        raise_open_files_limit().unwrap_or_else(|_| crate::process::open_files_limit());
    let shares = Shares::of(NonZeroUsize::new(usize::MAX), open_files);
    Ok(Setting {
        checks: Checks::new(http_options(settings, shares))?,
        rules: (*settings.rules).clone(),
        most_workers: shares.places,
        usual_workers: settings.max_workers,
        variables: settings.variables.clone(),
        here: sources.here.clone(),
    })
}
