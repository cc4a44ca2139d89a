//! `poller db import`: a list in any of its forms becomes the targets of the cluster.

use std::fmt::Write as _;
use std::path::Path;

use crate::app::boot::{StartError, told_rejects};
use crate::app::list::Listing;
use crate::app::role::RoleError;
use crate::config::Settings;
use crate::config::sources::Sources;
use crate::config::targets::source::Source;
use crate::config::targets::written::{SECRET, write};
use crate::config::targets::{List, ListError};
use crate::store::postgres::Database;
use crate::store::postgres::import::Others;
use crate::view::text::{count, plural};

/// The list that was named, else the one of the settings.
///
/// # Errors
/// It cannot be read, or no entry of it can be polled.
pub(super) fn read(
    named: Option<&Path>,
    settings: &Settings,
    sources: &Sources,
) -> Result<List, RoleError> {
    let mut settings = settings.clone();
    if let Some(path) = named {
        let of_text = path.to_str().and_then(|text| text.parse().ok());
        settings.urls = match of_text.unwrap_or_else(|| Source::File(path.to_owned())) {
            Source::File(file) => Source::File(sources.here.join(file)),
            other => other,
        };
    }
    let empty = || ListError::NoValidEntry {
        file: settings.urls.to_string().into(),
        entries: 0,
        first: None,
    };
    let list = Listing::default().read(&settings);
    list.and_then(|list| list.ok_or_else(empty)).map_err(|error| {
        let error = StartError::from(error);
        RoleError { code: error.code(), reason: error.to_string() }
    })
}

/// Takes `list` over, and tells what came of it.
///
/// # Errors
/// It holds what an export hid, or the database cannot be reached or refuses.
pub(super) async fn import(
    database: &Database,
    list: List,
    keep_others: bool,
) -> Result<String, RoleError> {
    let entries: Vec<String> = list.targets.iter().map(write).collect();
    let hidden = list.targets.iter().zip(&entries).find(|(_, entry)| entry.contains(SECRET));
    if let Some((target, _)) = hidden {
        let reason = format!(
            "the list {} says {SECRET} where {} has one: it was exported without them; export it \
             again with poller db export --secrets",
            list.file, target.address
        );
        return Err(RoleError { code: 2, reason });
    }
    let others = if keep_others { Others::Kept } else { Others::Removed };
    let all = list.targets.len() as u64;
    let imported = database.import(list.targets.iter().zip(entries), others).await?;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "imported {}: {} new, {} changed, {} unchanged, {} removed{}",
        plural(all, "target"),
        count(imported.new),
        count(imported.changed),
        count(imported.unchanged),
        count(imported.removed),
        told_rejects(&list)
    );
    Ok(text)
}
