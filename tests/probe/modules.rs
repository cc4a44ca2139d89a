//! Files of modules: read at the start and again, refused with the line that is wrong.

use crate::home::Home;
use crate::open;
use crate::scrape::encoded;

const GOOD: &str = "modules:
  own:
    prober: http
    http:
      headers: {X-Key: hidden-words}
      basic_auth: {username: me, password: hidden-words}
  later:
    prober: grpc
";

#[test]
fn what_happened_is_told_with_the_module_and_without_its_secrets() {
    let asked = open(GOOD);
    let target = asked.fleet.url(0, "/s503");
    let query = format!("target={}&module=own&debug=true", encoded(&target));
    let answer = asked.ask(&query, &[]);
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"));
    for words in [
        "Log of the probe:",
        "503",
        "the probe failed",
        "probe_success 0",
        "prober: http",
        "<secret>",
    ] {
        assert!(answer.body.contains(words), "no {words:?} in {}", answer.body);
    }
    assert!(!answer.body.contains("hidden-words"), "{}", answer.body);
}

#[test]
fn a_module_that_cannot_be_used_is_told_in_the_log_and_to_who_asks_for_it() {
    let asked = open(GOOD);
    let words = asked.daemon.words();
    assert!(words.contains("\"later\" cannot be used: the prober grpc"), "{words}");
    let answer = asked.ask("target=a&module=later", &[]);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("the prober grpc is not supported"), "{}", answer.body);
}

#[test]
fn a_file_with_a_mistake_refuses_the_start_with_its_line() {
    let home = Home::new();
    home.list(&["http://127.0.0.1:1/".into()]);
    home.write("blackbox.yml", "modules:\n  own:\n    prober: http\n    http:\n      methd: GET\n");
    let done = home.run(&["--start", "--listen", "off", "--modules", "blackbox.yml"]);
    done.fails(2, &["the modules file ", "blackbox.yml, line 5", "methd"]);
    home.write("blackbox.yml", "modules: [");
    home.run(&["--start", "--listen", "off", "--modules", "blackbox.yml"])
        .fails(2, &["blackbox.yml"]);
}

#[test]
fn a_reload_takes_new_modules_over_and_keeps_the_old_ones_on_a_mistake() {
    let asked = open(GOOD);
    let url = asked.fleet.url(0, "/");
    asked.probe_to(true, &url, "own");
    asked.home.write("blackbox.yml", "modules:\n  own: {prober: http}\n  oops: {probr: http}\n");
    asked.home.run(&["--reload"]).fails(1, &["blackbox.yml, line 3", "probr"]);
    asked.probe_to(true, &url, "own");
    asked.home.write("blackbox.yml", "modules:\n  new: {prober: http}\n");
    asked.home.run(&["--reload"]).works();
    asked.probe_to(true, &url, "new");
    assert_eq!(asked.ask(&format!("target={}&module=own", encoded(&url)), &[]).status, 400);
}
