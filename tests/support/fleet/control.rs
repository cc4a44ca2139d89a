//! The paths under `/_` by which another process reads the fleet's figures and steers it.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::state::{Silence, State};

/// Answers a request to a path under `/_`: the status, and JSON or a word on what was wrong.
///
/// * `GET /_stats` the figures, `GET /_stats?names` with the DNS queries of each name
/// * `PUT /_reset` forgets them
/// * `PUT /_script/NAME` with a JSON array of paths, its steps
/// * `PUT /_silence?share=0.5`, `?targets=0-99` or `?nobody`
/// * `PUT /_dns?dead=true` or `false`
pub(crate) fn answer(state: &State, path: &str, body: &[u8]) -> (u16, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let done = match path {
        "/_stats" => return (200, figures(state, query == "names").to_string()),
        "/_reset" => {
            state.statistics.reset();
            Ok(())
        }
        "/_silence" => silence(query).map(|silence| state.silence(silence)),
        "/_dns" => match query {
            "dead=true" => Ok(true),
            "dead=false" => Ok(false),
            _ => Err("write dead=true or dead=false".to_owned()),
        }
        .map(|dead| state.dns_dead.store(dead, Relaxed)),
        path => match path.strip_prefix("/_script/") {
            Some(name) => steps(body).map(|steps| state.script(name, steps)),
            None => return (404, "no such control\n".to_owned()),
        },
    };
    match done {
        Ok(()) => (200, "{}".to_owned()),
        Err(wrong) => (400, format!("{wrong}\n")),
    }
}

fn figures(state: &State, names: bool) -> Value {
    let mut figures = state.statistics.snapshot().to_json();
    if names {
        figures["names"] = json!(state.statistics.queries_by_name());
    }
    figures
}

fn silence(query: &str) -> Result<Silence, String> {
    let wrong = || "write share=0.5, targets=0-99 or nobody".to_owned();
    match query.split_once('=').unwrap_or((query, "")) {
        ("nobody", _) => Ok(Silence::Nobody),
        ("share", share) => share.parse().map(Silence::Share).map_err(|_| wrong()),
        ("targets", range) => {
            let (first, last) = range.split_once('-').ok_or_else(wrong)?;
            let first = first.parse().map_err(|_| wrong())?;
            Ok(Silence::Targets(first, last.parse().map_err(|_| wrong())?))
        }
        _ => Err(wrong()),
    }
}

fn steps(body: &[u8]) -> Result<Vec<Behaviour>, String> {
    let paths: Vec<String> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let steps = paths.iter().map(|path| path.parse::<Behaviour>());
    steps.collect::<Result<_, _>>().map_err(|unknown| unknown.to_string())
}
