//! Settings: what beats what, and how mistakes in the file are told.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use poller::cli::Options;
use poller::config::file::{File, parse};
use poller::config::given::{Given, Threading};
use poller::config::rules::Strictness;
use poller::config::settings::{Mistake, Settings, SettingsError, Shrink};
use poller::config::substitute::{Origin, Variables};
use poller::config::targets::read;
use poller::config::targets::source::Source;
use poller::target::Proxy;

fn variables() -> Variables {
    [("TOKEN", "s3cret"), ("SIZE", "1GB")].into_iter().collect()
}

fn file(text: &str) -> Result<File, Vec<Mistake>> {
    parse(text, "poller.toml", &Origin::of_file(Path::new("etc/poller.toml"), variables()))
}

fn told(text: &str) -> Vec<String> {
    file(text).expect_err("mistakes").iter().map(ToString::to_string).collect()
}

fn flags(line: &[&str]) -> Given {
    let line = std::iter::once("poller").chain(line.iter().copied());
    Options::try_parse_from(line).expect("good flags").given
}

fn complete(given: Given, file: File) -> Settings {
    Settings::complete(given, file, &variables()).expect("good settings")
}

#[test]
fn what_nothing_names_is_built_in() {
    let settings = complete(Given::default(), File::default());
    assert_eq!(settings.urls, Source::File("urls.json".into()));
    assert_eq!((settings.rules.interval_ms, settings.rules.timeout_ms), (60_000, None));
    assert_eq!(settings.keep, Duration::from_hours(168));
    assert_eq!((settings.max_disk, settings.max_body), (10_000_000_000, 16_000_000));
    assert_eq!(settings.grace, Duration::from_secs(10));
    assert_eq!((settings.threading, settings.shrink), (Threading::Shared, Shrink::Refuse));
    assert!(settings.user_agent.starts_with("poller/"));
}

#[test]
fn flags_beat_the_file_and_the_file_what_is_built_in() {
    let file = file(
        "interval = '5m'\ntimeout = 2.5\nmax_workers = 500\nmax_disk = '${SIZE}'\nstrict = true\n\
         threading = 'per-core'\nresolver = ['9.9.9.9', '[::1]:5353']\nurls = 'my.json'\n\
         data = '/srv/poller'\nproxy = 'env'\n",
    )
    .expect("good settings");
    let given = flags(&["--interval", "10s", "--strict=false"]);
    let settings = complete(given, file);
    assert_eq!((settings.rules.interval_ms, settings.rules.timeout_ms), (10_000, Some(2_500)));
    assert_eq!(settings.rules.strictness, Strictness::Lenient);
    assert_eq!(settings.max_workers.map(usize::from), Some(500));
    assert_eq!(settings.max_disk, 1_000_000_000);
    assert_eq!(settings.threading, Threading::PerCore);
    assert_eq!(settings.resolvers.len(), 2);
    assert_eq!(settings.urls, Source::File("etc/my.json".into()), "from the file's folder on");
    assert_eq!(settings.data, PathBuf::from("/srv/poller"));
    assert_eq!(settings.rules.proxy, Proxy::Environment);
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let told = told(
        "intervall = 5\nmax_workers = 0\nkeep = 'for ever'\nthreading = 'one'\n\
         [defaults]\nmethod = 'FETCH'\nurl = 'http://a.example/'\n\
         [defaults.expect]\nstatus = 'ok'\nstatsu = 200\n\
         [[match]]\nhots = 'a'\n[[match]]\nredirects = 2\n",
    );
    for (told, words) in told.iter().zip([
        "poller.toml:1: unknown key \"intervall\"; did you mean \"interval\"?",
        "poller.toml:2: \"max_workers\" is \"0\"; write a whole number above 0",
        "poller.toml:3: \"keep\" is \"for ever\"; write seconds",
        "poller.toml:4: \"threading\" is \"one\"; write one of shared, per-core",
        "poller.toml:6: \"method\" is \"FETCH\"; write one of GET",
        "poller.toml:7: unknown key in [defaults] \"url\"",
        "poller.toml:9: \"expect.status\" is \"ok\"",
        "poller.toml:10: unknown key in \"expect\" \"statsu\"; did you mean \"status\"?",
        "poller.toml:12: unknown key \"hots\"; did you mean \"host\"?",
        "poller.toml:13: a [[match]] without a condition",
    ]) {
        assert!(told.starts_with(words), "{told:?} does not start with {words:?}");
    }
    assert_eq!(told.len(), 10, "{told:#?}");
}

#[test]
fn broken_toml_is_told_along_with_other_mistakes() {
    let told = told("interval = \nmax_workers = 'x'\n");
    assert!(told[0].starts_with("poller.toml:1: is not valid TOML"), "{told:?}");
    assert!(told[1].starts_with("poller.toml:2: \"max_workers\""), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn what_is_nested_without_end_is_told_once() {
    for text in [format!("a = {}", "[".repeat(100_000)), format!("a = {}", "{a = ".repeat(100_000))]
    {
        let told = told(&text);
        assert!(told.len() <= 3 && told[0].contains("is not valid TOML"), "{told:?}");
    }
    assert!(told(&format!("{}a = 1", "a.".repeat(100_000)))[0].contains("recursion limit"));
}

#[test]
fn variables_and_files_stand_for_values_and_missing_ones_are_named() {
    let told = told("max_disk = '${NOPE}'\nca = 'file:/no/such/file'\n");
    assert!(told[0].contains("\"NOPE\", which is not set"), "{told:?}");
    assert!(told[1].contains("/no/such/file"), "{told:?}");
}

#[test]
fn flags_beat_the_defaults_of_the_file_and_a_match_beats_both() {
    let text = "[defaults]\ninterval = '60s'\ntimeout = '9s'\nproxy = 'env'\n\
                resolver = '9.9.9.9'\n[[match]]\nhost = 'b.example'\ninterval = '7s'\n";
    let line = ["--interval", "5s", "--timeout", "2s", "--proxy", "none", "--resolver", "::1"];
    let settings = complete(flags(&line), file(text).expect("good settings"));
    let list = r#"["http://a.example/", "http://b.example/"]"#;
    let origin = Origin::of_file(Path::new("urls.json"), variables());
    let list = read(&mut list.as_bytes(), "urls.json", &origin, &settings.rules).expect("a list");
    let every: Vec<u32> = list.targets.iter().map(|target| target.every_ms).collect();
    assert_eq!(every, [5_000, 7_000]);
    let plan = &list.targets[0].plan;
    assert_eq!((list.targets[0].timeout_ms, &plan.proxy), (2_000, &Proxy::Direct));
    assert_eq!(plan.resolver, None, "the one of the flag is that of all");
}

#[test]
fn defaults_and_matches_fill_the_entries_of_a_list() {
    let file = file(
        "[defaults]\ntimeout = '5s'\nheaders = { Authorization = 'Bearer ${TOKEN}' }\n\
         [defaults.labels]\nfrom = 'settings'\n\
         [[match]]\nhost = '*.shop.example'\ninterval = 10\nlabels = { team = 'shop' }\n\
         [[match]]\nlabel = 'slow'\ntimeout = '20s'\npriority = 'low'\n",
    )
    .expect("good settings");
    let settings = complete(Given::default(), file);
    let text = r#"["http://www.shop.example/", {"url": "http://a.example/", "labels": {"slow": "yes"}},
        {"url": "http://b.shop.example/", "interval": 7, "timeout": 1}]"#;
    let origin = Origin::remote();
    let list = read(&mut text.as_bytes(), "x", &origin, &settings.rules).expect("a list");
    let times: Vec<_> = list.targets.iter().map(|t| (t.every_ms, t.timeout_ms)).collect();
    assert_eq!(times, [(10_000, 5_000), (60_000, 20_000), (7_000, 1_000)]);
    assert_eq!(&*list.targets[0].plan.headers[0].1, "Bearer s3cret");
    assert_eq!(list.targets[0].labels.pairs.len(), 2);
    let shown = format!("{settings:?} {:?}", list.targets);
    assert!(!shown.contains("s3cret"), "secrets never show");
}

#[test]
fn a_settings_file_that_is_named_must_be_there() {
    let error = Settings::load(Given::default(), Some("no/such.toml".as_ref()), &variables())
        .expect_err("missing");
    assert!(matches!(error, SettingsError::Unreadable { .. }));
    assert!(error.to_string().contains("no/such.toml"), "{error}");
}

#[test]
fn the_password_of_a_wrong_proxy_is_not_repeated() {
    let given = flags(&["--proxy", "socks5://me:s3cret@proxy.example"]);
    let error = Settings::complete(given, File::default(), &variables()).expect_err("no proxy");
    assert!(error.to_string().contains("--proxy"), "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn the_documented_file_is_a_good_one() {
    let text = include_str!("../docs/settings.md");
    let toml = text.split("```").nth(1).and_then(|block| block.strip_prefix("toml\n"));
    let file = file(toml.expect("an example")).expect("good settings");
    assert_eq!(file.matches.len(), 2);
}
