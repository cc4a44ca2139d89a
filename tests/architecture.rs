//! Holds who may name whom, what the core may not touch, and how long a file may be.

#[path = "support/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Named, Source, below};

/// The layers, from the top; a module names those of its own layer and of the layers above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// Pure values and what is reckoned from them.
    Core,
    /// Traits by which the stages meet the world, their edges, and what else is of the world.
    Port,
    /// What is known of all targets in memory: as pure as the core, in the words of the store.
    State,
    /// The loops that move a poll along.
    Stage,
    /// What is shown.
    View,
    /// What is asked over HTTP and the control socket.
    Api,
    /// Settings, command line, log, signals and the process itself.
    Process,
    /// What puts everything together.
    App,
}

/// The room of every top-level module.
const ROOMS: &[(Layer, &[&str])] = &[
    (
        Layer::Core,
        &[
            "address",
            "expectation",
            "fuzzing",
            "health",
            "named",
            "outcome",
            "manners",
            "roster",
            "schedule",
            "shards",
            "stats",
            "target",
        ],
    ),
    (Layer::Port, &["check", "clock", "lock", "queue", "store"]),
    (Layer::State, &["ledger"]),
    (Layer::Stage, &["stage"]),
    (Layer::View, &["view"]),
    (Layer::Api, &["api"]),
    (Layer::Process, &["cli", "config", "daemon", "log", "process", "run", "signal"]),
    (Layer::App, &["app"]),
];

/// Ports that do not know of each other.
const STRANGERS: [&str; 3] = ["check", "queue", "store"];

/// What the core may not name: whatever reads, writes, waits or asks for the time.
const IMPURE: &[&str] = &[
    "axum",
    "clap",
    "hickory_resolver",
    "hyper",
    "hyper_util",
    "r2d2",
    "r2d2_sqlite",
    "reqwest",
    "rusqlite",
    "rustix",
    "socket2",
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "std::process",
    "std::thread",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "tokio",
    "tokio_rustls",
    "tokio_util",
];

/// The same, named by its last words: whatever it is imported as.
const CLOCKS: [&str; 4] = ["Instant::now", "SystemTime::now", "Utc::now", "Local::now"];

/// Crates whose types stay in the modules that need them.
const KEPT: &[(&str, &[&str])] = &[
    ("askama", &["api"]),
    ("axum", &["api"]),
    ("daemonize", &["daemon"]),
    ("hickory_resolver", &["check"]),
    ("indicatif", &["cli"]),
    ("parquet", &["api"]),
    ("prometheus_client", &["api"]),
    ("ratatui", &["cli"]),
    ("r2d2", &["store"]),
    ("r2d2_sqlite", &["store"]),
    ("rusqlite", &["store"]),
    ("serde_saphyr", &["config"]),
    ("tower", &["api"]),
    ("tower_http", &["api"]),
    ("utoipa", &["api", "view"]),
    ("utoipa_axum", &["api"]),
];

/// Lines that a file may have, its tests among them.
const LONGEST: usize = 400;

/// Names that say nothing of what a file holds.
const EMPTY_NAMES: [&str; 6] = ["common", "helpers", "misc", "mod", "util", "utils"];

fn layer(module: &str) -> Option<Layer> {
    ROOMS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

/// The sources of the library and the binary, without the files that are for tests alone.
fn sources() -> Vec<Source> {
    let mut sources = below("src");
    let mut for_tests = BTreeSet::new();
    for source in &sources {
        for module in &source.test_modules {
            let path = [source.module().as_slice(), &[module.as_str()]].concat().join("/");
            for_tests.insert(format!("src/{path}.rs"));
        }
    }
    sources.retain(|source| !for_tests.contains(&source.name));
    sources
}

/// The top-level module that `named` leads to, if it leads into this crate.
fn room<'a>(named: &'a Named, modules: &BTreeSet<String>) -> Option<&'a str> {
    let inner = ["crate::", "poller::"].iter().find_map(|root| named.path.strip_prefix(root))?;
    let module = inner.split("::").next()?;
    modules.contains(module).then_some(module)
}

fn top_level(sources: &[Source]) -> BTreeSet<String> {
    let first = |source: &Source| source.module().first().map(|&module| module.to_owned());
    sources.iter().filter_map(first).collect()
}

/// What is wrong with `source` naming `named`, which leads into module `to`.
fn crossing(source: &Source, named: &Named, to: &str, files: &BTreeSet<&str>) -> Option<String> {
    let from = source.module().first().copied().unwrap_or("main");
    let (below, above) = (layer(from)?, layer(to)?);
    let Named { path, line } = named;
    let at = format!("{}:{line} names {path}", source.name);
    if above > below {
        return Some(format!(
            "{at}, but {from} ({below:?}) stands above {to} ({above:?}): hand what it needs in as \
             an argument or a trait of {from}'s layer, or move it"
        ));
    }
    if from != to && STRANGERS.contains(&from) && STRANGERS.contains(&to) {
        return Some(format!("{at}, but ports do not know each other: let a stage join the two"));
    }
    let mut words = path.split("::").skip(2);
    let edge = words.next().map(|word| format!("src/{to}/{word}.rs"));
    if below == Layer::Stage && STRANGERS.contains(&to) && edge.is_some_and(|e| files.contains(&*e))
    {
        return Some(format!("{at}, a file inside {to}/: a stage names the port {to} alone"));
    }
    None
}

/// What `source` names of other crates and may not.
fn foreign(source: &Source, named: &Named) -> Option<String> {
    let from = source.module().first().copied()?;
    let Named { path, line } = named;
    let at = format!("{}:{line} names {path}", source.name);
    let leads_to = |root: &&str| path == *root || path.starts_with(&format!("{root}::"));
    if matches!(layer(from), Some(Layer::Core | Layer::State))
        && (IMPURE.iter().any(leads_to) || CLOCKS.iter().any(|end| path.ends_with(end)))
    {
        return Some(format!(
            "{at}, but {from} is pure: take the time, the bytes or the answer as an \
             argument, and read them in a port"
        ));
    }
    let (name, rooms) = KEPT.iter().find(|(name, _)| leads_to(name))?;
    (!rooms.contains(&from)).then(|| {
        format!("{at}, but {name} stays in {}: turn its types into our own there", rooms.join(", "))
    })
}

/// Which module names which, and where it does so first.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

/// Whether `module` names another one of `arrows` and is named by one.
fn is_between(arrows: &Arrows, module: &str) -> bool {
    arrows[module].keys().any(|to| arrows.contains_key(to))
        && arrows.values().any(|named| named.contains_key(module))
}

/// Panics with all `complaints`, if there are any.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_module_has_a_room() {
    let unknown = |module: String| {
        layer(&module).is_none().then(|| {
            format!(
                "src/{module}.rs:1 is a new module: give it a room in the table ROOMS of \
                 tests/architecture.rs and a line in ARCHITECTURE.md"
            )
        })
    };
    let modules = top_level(&sources());
    none(&modules.iter().cloned().filter_map(unknown).collect::<Vec<_>>());
    let empty = |module: &&&str| !modules.contains(**module);
    let rooms = ROOMS.iter().flat_map(|(_, modules)| *modules);
    let gone = rooms.filter(empty).map(|module| {
        format!("{module} has a room in tests/architecture.rs, and there is no src/{module}.rs")
    });
    none(&gone.collect::<Vec<_>>());
}

#[test]
fn arrows_point_up() {
    let sources = sources();
    let modules = top_level(&sources);
    let files: BTreeSet<&str> = sources.iter().map(|source| &*source.name).collect();
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| !source.module().is_empty()) {
        for named in source.paths() {
            let crossed =
                room(&named, &modules).and_then(|to| crossing(source, &named, to, &files));
            complaints.extend(crossed);
        }
    }
    none(&complaints);
}

#[test]
fn no_module_leads_back_to_itself() {
    let sources = sources();
    let modules = top_level(&sources);
    let mut arrows = Arrows::new();
    for source in sources.iter().filter(|source| !source.module().is_empty()) {
        for named in source.paths() {
            let Some(to) = room(&named, &modules).filter(|to| *to != source.module()[0]) else {
                continue;
            };
            let from = arrows.entry(source.module()[0].to_owned()).or_default();
            from.entry(to.to_owned()).or_insert(format!("{}:{}", source.name, named.line));
        }
    }
    // Who names nobody that is left, or is named by nobody left, takes no part in a circle.
    while let Some(end) = arrows.keys().find(|module| !is_between(&arrows, module)).cloned() {
        arrows.remove(&end);
    }
    let circle = arrows.iter().flat_map(|(from, named)| {
        named.iter().filter(|(to, _)| arrows.contains_key(*to)).map(move |(to, place)| {
            format!(
                "{place} leads from {from} to {to}, and others from {to} back to {from}: \
                     move what both need into a module above them"
            )
        })
    });
    none(&circle.collect::<Vec<_>>());
}

#[test]
fn the_core_is_pure_and_crates_stay_where_they_belong() {
    let sources = sources();
    let complain = |source: &Source| {
        let paths = source.paths();
        paths.iter().filter_map(|named| foreign(source, named)).collect::<Vec<_>>()
    };
    none(&sources.iter().flat_map(complain).collect::<Vec<_>>());
}

#[test]
fn files_are_short_and_say_first_what_they_are() {
    let mut complaints = Vec::new();
    for source in ["src", "tests", "benches", "examples"].into_iter().flat_map(below) {
        let (name, lines) = (&source.name, source.text.lines().count());
        if lines > LONGEST {
            complaints.push(format!(
                "{name}:{lines} is the last line, and {LONGEST} are the most: move one idea of it \
                 into a file of its own"
            ));
        }
        if !source.text.starts_with("//! ") {
            complaints.push(format!("{name}:1 begins without //!: say in one sentence what it is"));
        }
        let stem = name.trim_end_matches(".rs").rsplit('/').next().unwrap_or_default();
        if EMPTY_NAMES.contains(&stem) {
            complaints.push(format!("{name}:1 has a name that says nothing: name what is in it"));
        }
    }
    none(&complaints);
}

#[test]
fn paths_are_found_in_every_form() {
    let text = r##"
//! crate::comment
use crate::{store::{self, Store}, outcome::Cause as Why};
use super::connect;
use std::{fs, net::{IpAddr, TcpStream}};
fn name<'a>(text: &'a str) -> char { let _ = "crate::string"; let _ = r#"crate::"raw"#; '"' }
fn inline() { crate::app::run(); /* crate::block */ Instant::now() }
#[cfg(test)]
mod tests { use crate::cli; fn f() { if true {} } }
#[cfg(test)]
mod more;
fn last() { self::x::y() }
"##;
    let source = Source::new("src/check/http.rs", text);
    let found = source.paths();
    let shown: Vec<_> =
        found.iter().map(|named| format!("{} {}", named.line, named.path)).collect();
    let expected = [
        "3 crate::store",
        "3 crate::store::Store",
        "3 crate::outcome::Cause",
        "4 crate::check::connect",
        "5 std::fs",
        "5 std::net::IpAddr",
        "5 std::net::TcpStream",
        "7 crate::app::run",
        "7 Instant::now",
        "12 crate::check::http::x::y",
    ];
    assert_eq!(shown, expected);
    assert_eq!(source.test_modules, ["more"]);
}

#[test]
fn a_crossing_is_told_with_file_line_and_remedy() {
    let files = BTreeSet::from(["src/store/sqlite.rs"]);
    let told = |file: &str, text: &str, to: &str| {
        let source = Source::new(file, text);
        crossing(&source, &source.paths()[0], to, &files)
    };
    let up = told("src/stats.rs", "use crate::store::Store;", "store").unwrap();
    assert!(up.starts_with("src/stats.rs:1 names crate::store::Store, but stats (Core)"), "{up}");
    assert!(told("src/check/http.rs", "use crate::config::Settings;", "config").is_some());
    assert!(told("src/check/http.rs", "use crate::store::Store;", "store").is_some());
    assert!(told("src/stage/recorder.rs", "use crate::store::sqlite::Lite;", "store").is_some());
    assert!(told("src/stage/recorder.rs", "use crate::store::Store;", "store").is_none());
    assert!(told("src/cli.rs", "use crate::app::App;", "app").is_some());
    assert!(told("src/view.rs", "use crate::api::Page;", "api").is_some());
}

#[test]
fn the_core_may_not_ask_for_the_time() {
    let source =
        Source::new("src/schedule.rs", "use std::time::Instant;\nfn f() { Instant::now() }");
    let told: Vec<_> = source.paths().iter().filter_map(|named| foreign(&source, named)).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("src/schedule.rs:2 names Instant::now, but schedule is pure"));
}
