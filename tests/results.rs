//! What checks came to, in every form, as those programs read it that others use for it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/samples.rs"]
mod samples;

#[path = "results/json.rs"]
mod json;
#[path = "results/junit.rs"]
mod junit;
#[path = "results/nagios.rs"]
mod nagios;
#[path = "results/performance.rs"]
mod performance;
#[path = "results/reader.rs"]
mod reader;
#[path = "results/result.rs"]
mod result;
#[path = "results/table.rs"]
mod table;
