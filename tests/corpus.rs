//! The inputs that fuzzing found worth keeping: there are some for every target, they are few, and
//! whatever can be read through the public interface reads them without a surprise.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use poller::address::Address;
use poller::config::file;
use poller::config::rules::Rules;
use poller::config::substitute::{Origin, Trust, Variables};
use poller::config::targets;
use poller::config::units::{duration, show_duration, size};
use poller::run::Resume;
use poller::stats::{Grain, Recent, Sketch, Tally, Window};
use poller::store::spill::Spill;

/// Bytes that all inputs may have together.
const MOST: u64 = 2 << 20;

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
}

/// The names of all targets, as the manifest has them.
fn targets() -> Vec<String> {
    let manifest = fs::read_to_string(place("Cargo.toml")).expect("a manifest");
    let paths = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    paths.filter_map(|path| path.strip_suffix(".rs\"")).map(str::to_owned).collect()
}

/// The inputs of the target `name`.
fn inputs(name: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(place("corpus").join(name)).expect("a corpus");
    files.map(|file| fs::read(file.expect("a file").path()).expect("an input")).collect()
}

fn assert_plain(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

fn origin() -> Origin {
    let variables: Variables = [("TOKEN", "abc"), ("EMPTY", "")].into_iter().collect();
    Origin { folder: "/nonexistent".into(), variables, trust: Trust::Local }
}

#[test]
fn every_target_has_its_inputs_and_all_of_them_are_few() {
    let targets = targets();
    let mut bytes = 0;
    for name in &targets {
        assert!(place("fuzz_targets").join(name).with_extension("rs").exists(), "{name}");
        let inputs = inputs(name);
        assert!(!inputs.is_empty(), "{name} has no input: run scripts/fuzz keep");
        bytes += inputs.iter().map(|input| input.len() as u64).sum::<u64>();
    }
    assert!(bytes <= MOST, "{bytes} bytes of inputs are too many: remove the largest");
    let corpora = fs::read_dir(place("corpus")).expect("a corpus").count();
    assert_eq!(corpora, targets.len(), "a corpus belongs to no target");
}

#[test]
fn lists_and_settings_are_read_or_told_on_one_line() {
    for input in inputs("list") {
        let text = input.get(2..).unwrap_or_default();
        match targets::read(&mut { text }, "list", &origin(), &Rules::default()) {
            Ok(list) => list.rejects.first.iter().for_each(|one| assert_plain(&one.to_string())),
            Err(error) => assert_plain(&error.to_string()),
        }
    }
    for input in inputs("settings") {
        let Ok(text) = String::from_utf8(input) else { continue };
        let mistakes = file::parse(&text, "poller.toml", &origin()).err().unwrap_or_default();
        for mistake in &mistakes {
            assert_plain(&mistake.to_string());
        }
    }
}

#[test]
fn addresses_and_durations_come_back_as_they_were() {
    for input in inputs("address") {
        let Ok(address) = Address::parse_any(&String::from_utf8_lossy(&input)) else { continue };
        assert_eq!(Address::parse_any(address.written()).as_ref(), Ok(&address));
        assert_plain(&address.to_string());
    }
    for input in inputs("units") {
        let text = String::from_utf8_lossy(&input);
        let _ = size(&text);
        let Ok(found) = duration(&text) else { continue };
        assert_eq!(duration(&show_duration(found)), Ok(found));
    }
}

#[test]
fn stored_figures_are_refused_or_make_sense() {
    for input in inputs("sketch") {
        let Ok(sketch) = Sketch::decode(&mut &*input, Grain::Fine) else { continue };
        let values = [0.0, 0.5, 1.0].map(|share| sketch.quantile(share, Grain::Fine));
        assert!(values.is_sorted(), "{values:?}");
    }
    for input in inputs("tally") {
        let Ok(tally) = Tally::decode(&input) else { continue };
        assert_eq!(Tally::decode(&tally.encode()), Ok(tally));
    }
    for input in inputs("window") {
        let Ok(window) = Window::decode(&input) else { continue };
        let mut recent = Recent::default();
        (0..3).for_each(|second| recent.restore(second, window.clone()));
        assert_eq!(recent.checks(), 3 * u64::from(window.checks));
    }
}

#[test]
fn files_of_other_runs_are_refused_or_read_to_their_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    for input in inputs("spill_file") {
        fs::write(&path, input.get(1..).unwrap_or_default()).expect("a file is written");
        let Ok(spill) = Spill::open(&path) else { continue };
        assert_eq!(spill.replay(0).expect("a file").count() as u64, spill.count());
    }
    for input in inputs("resume") {
        fs::write(&path, input).expect("a file is written");
        let _ = Resume::open(&path);
    }
}
