//! The files of the dashboard, as they are built in.

use xxhash_rust::xxh3::xxh3_128;

/// A file that is built in.
#[derive(Clone, Copy)]
pub(super) struct Asset {
    /// Its name.
    pub name: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub text: &'static str,
}

impl Asset {
    /// What changes when it changes: a strong entity tag (RFC 9110).
    pub(super) fn tag(&self) -> String {
        format!("\"{:032x}\"", xxh3_128(self.text.as_bytes()))
    }
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const WORDS: &str = "text/plain; charset=utf-8";

macro_rules! asset {
    ($name:literal, $kind:expr) => {
        Asset {
            name: $name,
            kind: $kind,
            text: include_str!(concat!("../../../assets/dashboard/", $name)),
        }
    };
}

/// The page itself.
pub(super) const PAGE: Asset = asset!("index.html", "text/html; charset=utf-8");

/// All others.
pub(super) const ASSETS: &[Asset] = &[
    asset!("actions.js", SCRIPT),
    asset!("announce.js", SCRIPT),
    asset!("ask.js", SCRIPT),
    asset!("base.css", STYLE),
    asset!("charts.js", SCRIPT),
    asset!("cluster.js", SCRIPT),
    asset!("days.js", SCRIPT),
    asset!("dialog.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("edit.js", SCRIPT),
    asset!("fleet.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("heat.js", SCRIPT),
    asset!("icon.svg", PICTURE),
    asset!("incidents.js", SCRIPT),
    asset!("keys.js", SCRIPT),
    asset!("latency.js", SCRIPT),
    asset!("live.js", SCRIPT),
    asset!("main.js", SCRIPT),
    asset!("overview.js", SCRIPT),
    asset!("page.css", STYLE),
    asset!("phases.js", SCRIPT),
    asset!("states.js", SCRIPT),
    asset!("status.css", STYLE),
    asset!("table.js", SCRIPT),
    asset!("target.css", STYLE),
    asset!("target.js", SCRIPT),
    asset!("targets.js", SCRIPT),
    asset!("theme.js", SCRIPT),
    asset!("uplot-licence.txt", WORDS),
    asset!("uplot.css", STYLE),
    asset!("uplot.js", SCRIPT),
    asset!("visitor.js", SCRIPT),
];
