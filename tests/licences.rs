//! Holds which licences, TLS providers and sources the dependencies may have.

use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than their text and a notice; `deny.toml` holds the same ones.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that may not come in, and why.
const BANNED: [(&str, &str); 5] = [
    ("aws-lc-rs", "ring is the one TLS provider"),
    ("aws-lc-sys", "ring is the one TLS provider"),
    ("boring-sys", "ring is the one TLS provider"),
    ("native-tls", "rustls is the one TLS library"),
    ("openssl-sys", "rustls is the one TLS library"),
];

/// Crates of which two versions would be two TLS stacks.
const SINGLE: [&str; 4] = ["ring", "rustls", "rustls-webpki", "tokio-rustls"];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// One crate of the tree.
struct Crate {
    name: String,
    version: String,
    licence: Option<String>,
    source: Option<String>,
}

/// What `cargo` prints.
fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run cargo: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {said}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every crate that a build on this platform needs, with these `features`.
fn crates(features: &str) -> Vec<Crate> {
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let wanted = ["metadata", "--locked", "--format-version", "1", "--features", features];
    let metadata = cargo(&[&wanted[..], &["--filter-platform", host]].concat());
    let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
    let members = metadata["workspace_members"].as_array().cloned().unwrap_or_default();
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let others = packages.iter().filter(|package| !members.contains(&package["id"]));
    others
        .map(|package| Crate {
            name: text(&package["name"]).unwrap_or_default(),
            version: text(&package["version"]).unwrap_or_default(),
            licence: text(&package["license"]),
            source: text(&package["source"]),
        })
        .collect()
}

/// Whether `expression` (SPDX, or names parted by `/` as of old) lets us choose allowed licences.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at) && at == words.len()
}

/// Parts joined by OR, one of which must do.
fn either(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        allowed |= both(words, at);
    }
    allowed
}

/// Parts joined by AND, all of which must do.
fn both(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        allowed &= one(words, at);
    }
    allowed
}

/// A licence, or an expression in brackets; an exception only adds to what is allowed.
fn one(words: &[&str], at: &mut usize) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    let allowed = if word == "(" {
        let inner = either(words, at);
        *at += 1;
        inner
    } else {
        ALLOWED.contains(&word)
    };
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    allowed
}

/// What is wrong with `found`, one sentence for each crate and reason.
fn complaints(found: &[Crate]) -> Vec<String> {
    let mut complaints = Vec::new();
    for Crate { name, version, licence, source } in found {
        let mut complain = |reason: String| complaints.push(format!("{name} {version}: {reason}"));
        match licence {
            Some(licence) if is_allowed(licence) => {}
            Some(licence) => complain(format!(
                "its licence {licence} is not allowed: choose another crate, or allow it in \
                 tests/licences.rs and deny.toml with a reason"
            )),
            None => complain("it names no licence: choose another crate".to_owned()),
        }
        if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| banned == name) {
            complain(format!("{reason}: `cargo tree -i {name}` shows who brings it in"));
        }
        match source.as_deref() {
            Some(REGISTRY) => {}
            Some(other) => complain(format!("it comes from {other}: take it from crates.io")),
            None => complain("it comes from a path: take it from crates.io".to_owned()),
        }
        if SINGLE.contains(&name.as_str())
            && found.iter().any(|other| other.name == *name && other.version > *version)
        {
            complain("another version of it is there too: bring them together".to_owned());
        }
    }
    complaints
}

#[test]
fn every_dependency_may_be_used_and_there_is_one_tls() {
    let found = crates("");
    assert!(found.len() > 10, "cargo metadata names {} crates only", found.len());
    let complaints = complaints(&found);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn a_build_of_the_distributed_mode_brings_in_openssl_and_nothing_else_that_is_banned() {
    let mut found = crates("distributed");
    assert!(found.iter().any(|one| one.name == "rdkafka-sys"), "the feature brings in no rdkafka");
    found.retain(|one| one.name != "openssl-sys");
    let complaints = complaints(&found);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Files in the repository that others wrote, how each names itself, and where its licence is.
const FOREIGN: [(&str, &str, &str); 2] = [
    ("assets/dashboard/uplot.js", "uPlot (v1.6.32)", "assets/dashboard/uplot-licence.txt"),
    ("assets/dashboard/uplot.css", ".uplot", "assets/dashboard/uplot-licence.txt"),
];

#[test]
fn files_of_others_come_with_their_licence() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap_or_default();
    for (file, names_itself, licence) in FOREIGN {
        assert!(read(file).contains(names_itself), "{file} is not what it was: {names_itself}");
        let licence = read(licence);
        assert!(licence.starts_with("The MIT License"), "{file} has no licence beside it");
        assert!(licence.contains("Copyright (c) 2022 Leon Sorokin"), "{licence}");
    }
}

#[test]
fn a_licence_is_chosen_where_there_is_a_choice() {
    for expression in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "Apache-2.0 AND ISC",
        "(MIT OR GPL-2.0-only) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_allowed(expression), "{expression}");
    }
    for expression in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "(MIT OR ISC) AND SSPL-1.0", ""] {
        assert!(!is_allowed(expression), "{expression}");
    }
}

#[test]
fn a_wrong_dependency_is_told_with_its_reason() {
    let found = |name: &str, version: &str, licence: Option<&str>, source: Option<&str>| Crate {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: licence.map(str::to_owned),
        source: source.map(str::to_owned),
    };
    let told = complaints(&[
        found("good", "1.0.0", Some("MIT"), Some(REGISTRY)),
        found("viral", "1.0.0", Some("AGPL-3.0-only"), Some(REGISTRY)),
        found("bare", "1.0.0", None, Some(REGISTRY)),
        found("openssl-sys", "0.9.0", Some("MIT"), Some(REGISTRY)),
        found("forked", "1.0.0", Some("MIT"), Some("git+https://example.com/forked")),
        found("near", "1.0.0", Some("MIT"), None),
        found("rustls", "0.22.0", Some("MIT"), Some(REGISTRY)),
        found("rustls", "0.23.0", Some("MIT"), Some(REGISTRY)),
    ]);
    let names: Vec<_> = told.iter().filter_map(|line| line.split(':').next()).collect();
    let expected = ["viral 1.0.0", "bare 1.0.0", "openssl-sys 0.9.0", "forked 1.0.0", "near 1.0.0"];
    assert_eq!(names[..5], expected);
    assert_eq!(names[5..], ["rustls 0.22.0"]);
}
