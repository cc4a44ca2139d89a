//! What a daemon uses of its machine, as its summary tells it while it polls.

use serde_json::{Value, json};

use crate::fleet::{Certificate, Fleet, Options};
use crate::home::{Home, wait_for};

/// Waits until `probe` finds the resources as they should be, and gives them back.
fn wait_until(what: &str, home: &Home, probe: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || Some(home.summary()["resources"].clone()).filter(&probe))
}

#[test]
fn bytes_over_the_wire_are_told_with_memory_processor_and_places() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let url = fleet.https_address_url(0, Certificate::Good, "/b100000");
    home.list(&[json!({"url": url, "interval": "500ms", "tls": {"verify": false}})]);
    let mut daemon = home.attach(&["--max-memory", "123MB", "--max-workers", "3"]);
    let told = wait_until("bytes that came and went", &home, |resources| {
        let rate = |name: &str| resources[name].as_f64().unwrap();
        // A hello, a request and a goodbye go out; a page and a certificate come in.
        rate("bytes_in_per_second") > 10_000.0 && rate("bytes_out_per_second") > 10.0
    });
    assert!(told["bytes_in_per_second"].as_f64() > told["bytes_out_per_second"].as_f64());
    assert_eq!(told["memory_limit_bytes"], 123_000_000);
    assert_eq!(told["memory_limit_by"], "settings");
    assert!(told["lookups_limit"].as_u64().unwrap() > 0, "{told:#}");
    wait_until("time of the processor", &home, |told| told["cpu_cores"].as_f64().unwrap() > 0.0);
    let places = &home.summary()["places"];
    assert_eq!((&places["limit"], &places["most"]), (&json!(3), &json!(3)), "{places:#}");
    let text = home.run(&["--viewstats"]).works().out;
    for words in ["of 123.0 MB memory (settings)", "pressure   ok, 3 places", "traffic    "] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    home.stop();
    assert_eq!(daemon.end(), 0);
    let text = home.run(&["--viewstats"]).works().out;
    assert!(text.contains("poller is stopped") && !text.contains("pressure"), "{text}");
}

#[test]
fn bytes_of_answers_are_held_while_a_poll_runs_and_given_back_at_its_end() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    // Half of a head comes, and then nothing; a poll runs for half of the time.
    let entry =
        |n| json!({"url": fleet.url(n, "/hang-head"), "interval": 4, "timeout": 2, "retries": 0});
    home.list(&[entry(0)]);
    let mut daemon = home.attach(&[]);
    let held = |resources: &Value| resources["buffers_bytes"].as_u64().unwrap();
    let told = wait_until("bytes that are held", &home, |resources| held(resources) > 0);
    assert!(held(&told) <= 96 << 10, "{told:#}");
    wait_until("bytes that are given back", &home, |resources| held(resources) == 0);
    home.stop();
    assert_eq!(daemon.end(), 0);
}
