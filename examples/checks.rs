//! Runs checks from Rust, follows them while they run, and adds a kind of its own.
//!
//! `cargo run --example checks -- https://example.com/ https://example.org/`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::future::Future;
use std::pin::Pin;

use poller::outcome::Cause;
use poller::run::{
    CheckSpec, Context, EventKind, Plugin, Report, RunOptions, Runner, run_checks_in_parallel,
};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

/// A kind of check of our own: whether a folder is there.
struct Folder;

impl Plugin for Folder {
    fn plugin_type(&self) -> &'static str {
        "folder"
    }

    fn check<'a>(
        &'a self,
        config: &'a Map<String, Value>,
        context: Context<'a>,
    ) -> Pin<Box<dyn Future<Output = Report> + Send + 'a>> {
        Box::pin(async move {
            let Some(path) = config.get("path").and_then(Value::as_str) else {
                return Report::failed(Cause::Internal, "\"path\" is missing; name a folder");
            };
            context.message("looking for the folder");
            match tokio::fs::metadata(path).await {
                Ok(data) if data.is_dir() => Report::up(format!("{path} is there")),
                Ok(_) => Report::warning(format!("{path} is no folder")),
                Err(error) => Report::failed(Cause::Status, format!("{path}: {error}")),
            }
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runner = Runner::new()?.with_plugin(Folder)?;
    let mut checks = vec![CheckSpec::new("folder").called("here").with("path", ".")];
    let websites = std::env::args().skip(1);
    checks.extend(websites.map(|url| CheckSpec::new("website_status").with("url", url)));

    let (sender, mut events) = mpsc::channel(64);
    let options = RunOptions { events: Some(sender), ..RunOptions::default() };
    let follow = async {
        while let Some(event) = events.recv().await {
            if let EventKind::Progress { done, failed, total } = event.kind {
                println!("{done} of {total} done, {failed} failed");
            }
        }
    };
    let (results, ()) = tokio::join!(run_checks_in_parallel(&runner, checks, options), follow);
    for result in results {
        println!("{}: {}, {}", result.id, result.status.as_str(), result.message);
    }
    Ok(())
}
