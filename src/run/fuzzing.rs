//! What fuzz targets feed the results of earlier runs with, and what they hold of them.

#![expect(clippy::expect_used, reason = "a fuzz target stops at the first surprise")]

use std::path::Path;

use super::resume::Resume;
use crate::view::result::Identity;

/// Files of results, `path` being where they may lie.
///
/// # Panics
/// A property does not hold.
pub fn resume(data: &[u8], path: &Path) {
    std::fs::write(path, data).expect("a file is written");
    let Ok(resume) = Resume::open(path) else { return };
    for (id, plugin_type) in [("a", "tcp"), ("b", "website_status"), ("#1", "")] {
        let identity = Identity { id: id.to_owned(), plugin_type: plugin_type.to_owned() };
        let mut results = 0;
        while let Some(result) = resume.result(&identity) {
            assert_eq!((&*result.id, &*result.plugin_type), (id, plugin_type));
            let error = result.text("error_type").unwrap_or_default();
            assert!(!["deadline", "stopped", "invalid_check"].contains(&error));
            results += 1;
            assert!(results <= data.len(), "a result is handed out for ever");
        }
    }
}
