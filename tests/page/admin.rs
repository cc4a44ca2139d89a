//! What somebody with the role admin changes from the page. The daemon's answers are played by the
//! browser, so that what the page asks for is seen as it leaves it.

use serde_json::{Value, json};

use crate::Stage;
use crate::browser::Browser;

/// Plays a daemon that knows its visitor as admin, and notes what it is asked to change.
const PLAYED: &str = r#"
window.asked = [];
const real = window.fetch.bind(window);
const told = (status, value) => Promise.resolve(new Response(JSON.stringify(value), {
  status, headers: { "Content-Type": status < 300 ? "application/json" : "application/problem+json" },
}));
window.fetch = (path, options = {}) => {
  const method = options.method ?? "GET";
  if (method !== "GET") {
    window.asked.push([method, path, options.body ? JSON.parse(options.body) : null, options.headers["X-CSRF-Token"]]);
    if (window.refusal) return told(422, { status: 422, title: "Unprocessable", detail: window.refusal });
    return told(200, {});
  }
  if (path === "/api/v1/me") return told(200, { role: "admin", via: "session", name: "ops", csrf: "c5rf" });
  const own = path.match(/^\/api\/v1\/targets\/([^/?]+)$/);
  if (own) {
    const origin = own[1] === "mine" ? "api" : "list";
    return told(200, { target: { id: own[1], url: "https://a.example/", state: "up", interval_seconds: 60, labels: {}, origin },
      uptime: {}, days: [], incidents: [], polls: [] });
  }
  return real(path, options);
};
"#;

fn admin(place: &str) -> Option<(std::sync::Arc<Stage>, Browser)> {
    let stage = Stage::set();
    let browser = Browser::start(1280, 900)?;
    browser.prepare(PLAYED);
    browser.open(&format!("{}/{place}", stage.address));
    browser.wait("document.getElementById('add').hidden === false");
    Some((stage, browser))
}

fn click(browser: &Browser, text: &str) {
    let button = format!(
        "[...document.querySelectorAll('dialog[open] button, .actions button')].find((button) => button.textContent === '{text}')"
    );
    browser.wait(&format!("{button} !== undefined"));
    browser.run(&format!("{button}.click()"));
}

#[test]
fn a_target_is_added_and_what_is_wrong_with_it_is_told() {
    let Some((_stage, browser)) = admin("") else { return };
    browser.run("window.refusal = 'entry 0: <b>this</b> is no address'");
    browser.run("document.getElementById('add').click()");
    browser.wait("document.activeElement.matches('dialog input')");
    browser.press("https://b.example/");
    browser.press("\u{e007}");
    browser.wait("document.querySelector('dialog .error').textContent === 'Entry 0: <b>this</b> is no address.'");
    browser.run("window.refusal = null");
    click(&browser, "Add");
    browser.wait("document.querySelector('dialog') === null");
    let asked = browser.run("return window.asked");
    let expected = json!(["POST", "/api/v1/targets", {"url": "https://b.example/"}, "c5rf"]);
    assert_eq!(asked, json!([expected, expected]));
}

#[test]
fn whoever_deletes_or_pauses_a_target_is_asked_before() {
    let Some((_stage, browser)) = admin("#/target/mine") else { return };
    click(&browser, "Delete…");
    click(&browser, "Cancel");
    browser.wait("document.querySelector('dialog') === null");
    assert_eq!(browser.run("return window.asked"), json!([]));
    click(&browser, "Pause…");
    click(&browser, "Pause");
    browser.wait("window.asked.length === 1");
    click(&browser, "Check now");
    browser.wait("window.asked.length === 2");
    click(&browser, "Delete…");
    click(&browser, "Delete");
    browser.wait("location.hash === '#/targets'");
    let asked =
        browser.run("return window.asked.map(([method, path, body]) => [method, path, body])");
    let expected = json!([
        ["POST", "/api/v1/targets/mine/pause", {"for": "1h", "reason": ""}],
        ["POST", "/api/v1/checks/run", {"targets": ["mine"]}],
        ["DELETE", "/api/v1/targets/mine", Value::Null],
    ]);
    assert_eq!(asked, expected);
}

#[test]
fn targets_of_the_list_say_that_they_are_changed_there() {
    let Some((_stage, browser)) = admin("#/target/first") else { return };
    browser.wait("document.querySelector('.actions')?.innerText.includes('From the list')");
    let buttons = browser.run("return [...document.querySelectorAll('.actions button')].map((button) => button.textContent)");
    assert_eq!(buttons, json!(["Check now", "Pause…"]));
}
