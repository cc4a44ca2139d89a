//! Lists of targets in each of their forms: what is read, what is rejected, what refuses a list.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use poller::config::rules::{Rules, Strictness};
use poller::config::substitute::{Origin, Variables};
use poller::config::targets::{List, ListError, read, read_file, refuse_shrunk};
use poller::target::Target;

fn read_with(text: impl AsRef<[u8]>, name: &str, rules: &Rules) -> Result<List, ListError> {
    let origin = Origin::of_file(name.as_ref(), Variables::default());
    read(&mut text.as_ref(), name, &origin, rules)
}

fn list(text: &str) -> List {
    read_with(text, "urls.list", &Rules::default()).expect("a list")
}

fn urls(list: &List) -> Vec<String> {
    list.targets.iter().map(|target| target.address.to_string()).collect()
}

fn reasons(list: &List) -> Vec<String> {
    list.rejects.first.iter().map(ToString::to_string).collect()
}

#[test]
fn an_array_mixes_texts_and_objects() {
    let list = list(r#"["https://a.example/", {"url": "http://cnn.com", "interval": "100"}]"#);
    assert_eq!(urls(&list), ["https://a.example/", "http://cnn.com"]);
    let times: Vec<_> = list.targets.iter().map(|t| (t.every_ms, t.timeout_ms)).collect();
    assert_eq!(times, [(60_000, 30_000), (100_000, 30_000)]);
    assert_eq!((list.entries, list.unique, list.rejects.total), (2, 2, 0));
}

/// A source that hands out one byte at a time, as a slow pipe may.
struct Drops<'a>(&'a [u8]);

impl std::io::Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let drop = &mut buffer[..1.min(self.0.len())];
        self.0.read(drop)
    }
}

#[test]
fn a_byte_order_mark_may_come_in_drops() {
    for text in ["\u{feff}[\"http://a.example/\"]", "\u{feff}http://a.example/\n", "\u{feff}"] {
        let origin = Origin::of_file("urls.list".as_ref(), Variables::default());
        let read = |source: &mut dyn std::io::Read| {
            read(source, "urls.list", &origin, &Rules::default()).map(|list| urls(&list)).ok()
        };
        assert_eq!(read(&mut Drops(text.as_bytes())), read(&mut text.as_bytes()), "{text:?}");
    }
}

#[test]
fn a_bad_entry_is_rejected_alone_with_its_place() {
    let text = "[\n\"http://a.example/\",\n{\"url\": \"http://b.example/\", \"interval\": -5},\n\
        {\"url\": \"http://c.example/\", \"intervall\": 5},\n5, {\"interval\": 5},\n\
        {\"url\": \"ftp://me:pw@d.example/\"}, null, [], {\"url\": 7},\n\"http://e.example/\"]";
    let list = list(text);
    assert_eq!(urls(&list), ["http://a.example/", "http://e.example/"]);
    let reasons = reasons(&list);
    assert_eq!((list.entries, list.rejects.total), (10, 8));
    for (reason, words) in reasons.iter().zip([
        "urls.list:3: entry 2: \"interval\" is -5; write seconds from 0.1 to 604800",
        "urls.list:4: entry 3: unknown key \"intervall\"; did you mean \"interval\"?",
        "urls.list:5: entry 4: is 5; write a URL in quotes",
        "urls.list:5: entry 5: \"url\" is missing",
        "urls.list:6: entry 6: \"url\" ftp://<secret>@d.example/ has the scheme \"ftp\"",
        "urls.list:6: entry 7: is null",
        "urls.list:6: entry 8: is a list",
        "urls.list:6: entry 9: \"url\" is 7; write a URL in quotes",
    ]) {
        assert!(reason.starts_with(words), "{reason}");
    }
}

#[test]
fn broken_json_refuses_the_list_with_line_and_column() {
    for (text, place) in [
        ("[\"http://a.example/\",\n {\"url\" \"x\"}]", "urls.list:2:9:"),
        ("[\"http://a.example/\"", "urls.list:1:21:"),
        ("[\"http://a.example/\",]", "urls.list:1:22:"),
        ("\n# list\n  [nonsense]", "urls.list:3:5:"),
        ("{\"url\":\n\"http://a.example/\"}", "urls.list:1:"),
    ] {
        let error = read_with(text, "urls.list", &Rules::default()).expect_err("broken");
        assert!(matches!(error, ListError::NotJson { .. }), "{error:?}");
        assert!(error.to_string().starts_with(place), "{error}");
    }
}

#[test]
fn an_entry_that_is_more_than_can_be_read_is_rejected_alone() {
    let nested = |sign: &str, depth| format!("[{}, \"http://a.example/\"]", sign.repeat(depth));
    let deep = nested("[", 200).replace(',', &format!("{},", "]".repeat(200)));
    let many = "[{\"url\": \"http://b.example/\", \"interval\": 1e400}, \"http://a.example/\"]";
    for (text, reason) in [
        (deep.into_bytes(), "cannot be read: recursion limit exceeded"),
        (many.into(), "cannot be read: number out of range"),
        (b"[\"http://\xff.example/\", \"http://a.example/\"]".to_vec(), "is not UTF-8 text"),
    ] {
        let list = read_with(text, "urls.json", &Rules::default()).expect("a good entry");
        assert_eq!(urls(&list), ["http://a.example/"]);
        assert!(reasons(&list)[0].contains(reason), "{:?}", reasons(&list));
    }
    let brackets = read_with(nested("[", 1_000_000), "urls.json", &Rules::default());
    assert!(matches!(brackets, Err(ListError::NotJson { .. })), "{brackets:?}");
}

#[test]
fn text_in_another_encoding_is_told() {
    let text = "[\"http://a.example/\"]\r\n";
    let marked: Vec<u8> =
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let error = read_with(marked, "urls.json", &Rules::default()).expect_err("UTF-16");
    assert!(error.to_string().contains("it is UTF-16 text; save it as UTF-8"), "{error}");
    let with_mark = read_with(format!("\u{feff}{text}"), "urls.json", &Rules::default());
    assert_eq!(urls(&with_mark.expect("UTF-8")), ["http://a.example/"]);
}

#[test]
fn a_file_named_json_is_never_plain_text() {
    let error = read_with("garbage", "urls.json", &Rules::default()).expect_err("no JSON");
    assert!(matches!(error, ListError::NotJson { line: 1, column: 1, .. }), "{error:?}");
}

#[test]
fn checks_of_every_kind_may_stand_in_a_list() {
    let list = list(
        r#"["http://a.example/", "tcp://b.example:22",
            {"plugin_type": "dns_record", "config": {"domain": "c.example", "record_type": "MX"}},
            {"check": "icmp", "host": "d.example", "count": 1, "interval": 5},
            {"url": "imaps://e.example", "name": "mail", "timeout": 7},
            {"check": "ssl", "hostname": "f.example", "port": 8443, "warning_days": 20},
            {"id": "x", "plugin_type": "dns_record", "config": {}}]"#,
    );
    let shown = [
        "http://a.example/",
        "tcp://b.example:22",
        "dns://c.example?type=MX",
        "icmp://d.example",
        "imaps://e.example",
        "ssl://f.example:8443",
    ];
    assert_eq!(urls(&list), shown);
    let kinds: Vec<&str> =
        list.targets.iter().map(|target| target.plan.probe.kind().as_str()).collect();
    assert_eq!(kinds, ["http", "tcp", "dns", "icmp", "mail", "ssl"]);
    let times: Vec<(u32, u32)> =
        list.targets.iter().map(|target| (target.every_ms, target.timeout_ms)).collect();
    assert_eq!(times[3..5], [(5_000, 2_500), (60_000, 7_000)]);
    assert!(reasons(&list)[0].contains("\"domain\" is missing"));
}

#[test]
fn prometheus_groups_give_one_target_an_address() {
    let list = list(
        r#"[{"targets": ["a.example:9100", "https://b.example/x", 5],
             "labels": {"env": "prod", "__param_module": "http"}},
            "http://c.example/", {"targets": "d.example"}, {"targets": [], "label": {}}]"#,
    );
    assert_eq!(urls(&list), ["http://a.example:9100/", "https://b.example/x", "http://c.example/"]);
    let labels = &list.targets[0].labels;
    assert_eq!(labels.pairs.get("env").map(AsRef::as_ref), Some("prod"));
    assert_eq!(labels.pairs.len(), 1);
    assert!(Arc::ptr_eq(labels, &list.targets[1].labels));
    assert_eq!((list.entries, list.rejects.total), (6, 3));
}

#[test]
fn plain_text_has_one_address_a_line() {
    let text = "\u{feff}# mine\n\nexample.com\nhttp://a.example/#top # note\r\n\
        b.example:8443/x\ntwo words\n";
    let list = list(text);
    assert_eq!(
        urls(&list),
        ["https://example.com/", "http://a.example/#top", "https://b.example:8443/x"]
    );
    assert!(reasons(&list)[0].starts_with("urls.list:6: entry 4: is \"two words\""));
}

#[test]
fn json_lines_are_read_line_by_line() {
    let text = "# mine\n{\"url\": \"http://a.example/\", \"interval\": \"5m\"}\n\n{\"url\": \n\
        \"http://b.example/\"\n";
    let list = list(text);
    assert_eq!(urls(&list), ["http://a.example/", "http://b.example/"]);
    assert_eq!(list.targets[0].every_ms, 300_000);
    assert!(reasons(&list)[0].starts_with("urls.list:4: entry 2: is not valid JSON"));
}

#[test]
fn csv_has_a_header_and_columns_within_objects() {
    let text = "# mine\nname,URL,interval,labels.Team,expect,tls.verify\n\
        Shop,http://a.example/,30,web,\"{\"\"status\"\": \"\"2xx\"\"}\",false\n\
        \"Two, words\",b.example,,,,\n# left out\nx,y,z,1,2,3,4\nlast,http://c.example/,soon\n";
    let list = list(text);
    assert_eq!(urls(&list), ["http://a.example/", "https://b.example/"]);
    let [shop, plain]: &[Target; 2] = list.targets.as_slice().try_into().expect("two");
    assert_eq!((shop.name.as_deref(), shop.every_ms), (Some("Shop"), 30_000));
    assert_eq!(shop.plan.expect.status, [(200, 299)]);
    assert_eq!(shop.labels.pairs.get("Team").map(AsRef::as_ref), Some("web"));
    assert_eq!(plain.name.as_deref(), Some("Two, words"));
    let reasons = reasons(&list);
    assert!(reasons[0].starts_with("urls.list:6: entry 3: has 7 cells"), "{}", reasons[0]);
    assert!(reasons[1].starts_with("urls.list:7: entry 4: \"interval\""), "{}", reasons[1]);
}

#[test]
fn a_csv_cell_may_go_over_lines_and_a_quote_left_open_rejects_its_row() {
    let list = list("url,name\nhttp://a.example/,\"two\r\nlines\"\nb.example,b\nc.example,\"c\n");
    assert_eq!(urls(&list), ["https://b.example/"]);
    let reasons = reasons(&list);
    assert!(reasons[0].starts_with("urls.list:2: entry 1: \"name\""), "{}", reasons[0]);
    assert!(reasons[1].starts_with("urls.list:5: entry 3: has a quote"), "{}", reasons[1]);
}

#[test]
fn the_limit_counts_entries_and_leaves_the_rest_unread() {
    let rules = Rules { limit: Some(2), ..Rules::default() };
    let array = r#"["http://a.example/", 5, "http://b.example/", broken"#;
    let list = read_with(array, "x", &rules).expect("a list");
    assert_eq!((list.targets.len(), list.entries, list.rejects.total), (1, 2, 1));
    let group = r#"[{"targets": ["a", "b", "c"]}]"#;
    assert_eq!(read_with(group, "x", &rules).expect("a list").targets.len(), 2);
    assert_eq!(read_with("a.b\nc.d\ne.f\n", "x", &rules).expect("a list").targets.len(), 2);
}

#[test]
fn equal_entries_are_targets_of_their_own() {
    let first = list(r#"["http://a.example/", "http://a.example/", "http://b.example/"]"#);
    let ids: Vec<_> = first.targets.iter().map(|target| target.id).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(first.unique, 2);
    let again = list(r#"[{"url": "http://a.example/", "interval": 5, "labels": {"a": "b"}}]"#);
    assert_eq!(again.targets[0].id, ids[0], "other keys do not change the id");
}

#[test]
fn a_given_id_stands_once() {
    let list = list(
        r#"[{"url": "http://a.example/", "id": "x"}, {"url": "http://a.example/"},
            {"url": "http://b.example/", "id": "x"}]"#,
    );
    assert_eq!(list.targets.len(), 2);
    assert_eq!(list.targets[0].shown_id(), "x");
    let alone = self::list(r#"["http://a.example/"]"#);
    assert_eq!(list.targets[1].id, alone.targets[0].id, "one with an id takes no ordinal");
    assert!(reasons(&list)[0].contains("\"id\" is \"x\", as in an entry before"));
}

#[test]
fn of_many_bad_entries_a_hundred_reasons_are_kept() {
    let text = format!("[\"http://a.example/\"{}]", ",5".repeat(100_000));
    let list = list(&text);
    assert_eq!((list.rejects.first.len(), list.rejects.total), (100, 100_000));
}

#[test]
fn a_list_without_a_valid_entry_is_refused_with_its_first_fault() {
    let error = read_with("[5, 6]", "x.json", &Rules::default()).expect_err("nothing valid");
    assert!(error.to_string().contains("x.json:1: entry 1: is 5"), "{error}");
    for empty in ["[]", "", "# nothing\n"] {
        let error = read_with(empty, "x", &Rules::default()).expect_err("empty");
        assert!(matches!(error, ListError::NoValidEntry { entries: 0, .. }), "{error:?}");
    }
}

#[test]
fn strict_rules_refuse_a_list_for_one_bad_entry() {
    let rules = Rules { strictness: Strictness::Strict, ..Rules::default() };
    let error = read_with(r#"["http://a.example/", 5]"#, "x", &rules).expect_err("strict");
    assert!(matches!(error, ListError::Strict { .. }), "{error:?}");
}

#[test]
fn a_list_that_lost_over_half_is_not_taken() {
    let list = list(r#"["http://a.example/", "http://b.example/"]"#);
    assert!(refuse_shrunk(4, &list).is_ok());
    let error = refuse_shrunk(5, &list).expect_err("shrunk");
    assert!(error.to_string().contains("from 5 targets to 2"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let path = std::path::Path::new("no/such/list.json");
    let error = read_file(path, &Variables::default(), &Rules::default()).expect_err("missing");
    assert!(error.to_string().contains("no/such/list.json"), "{error}");
}

#[test]
fn the_sample_list_is_read_whole() {
    let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/urls.json"));
    let list = read_file(path, &Variables::default(), &Rules::default()).expect("the sample");
    assert_eq!(
        (list.targets.len(), list.rejects.total, list.unique),
        (10_000, 0, 10_000),
        "{:?}",
        list.rejects.first
    );
    assert!(list.targets.iter().all(|target| (100_000..=300_000).contains(&target.every_ms)));
}

/// `cargo test --release --test lists -- --ignored --nocapture`
#[test]
#[ignore = "prints a measurement"]
#[expect(clippy::print_stderr, reason = "prints a measurement")]
fn a_million_entries_are_read_in_seconds() {
    use std::fmt::Write as _;
    let mut text = String::from("[\n");
    for number in 0..1_000_000 {
        let comma = if number == 0 { "" } else { ",\n" };
        let _ = write!(
            text,
            "{comma}{{\"url\": \"http://host{number}.example/path\", \"interval\": 60}}"
        );
    }
    text.push_str("\n]\n");
    let before = resident_kib();
    let began = std::time::Instant::now();
    let list = list(&text);
    let took = began.elapsed();
    let bytes = (resident_kib() - before) * 1024 / 1_000_000;
    eprintln!("{} entries in {took:?}, about {bytes} bytes each", list.targets.len());
    eprintln!("a target has {} bytes", size_of::<Target>());
    let old: Vec<Arc<Target>> = list.targets.into_iter().map(Arc::new).collect();
    let new = self::list(&text).targets;
    let began = std::time::Instant::now();
    let change = poller::config::targets::diff::diff(&old, new);
    assert!(change.is_empty());
    eprintln!("compared in {:?}", began.elapsed());
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
