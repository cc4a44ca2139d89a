//! The dashboard in a real Chromium, against a real daemon with 100,000 targets on loopback.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "all of it is a test, and says when it is skipped"
)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/web.rs"]
mod web;

#[path = "page/admin.rs"]
mod admin;
#[path = "page/lost.rs"]
mod lost;

use std::sync::{Arc, Mutex, Weak};

use browser::Browser;
use daemon::Daemon;
use fleet::{Fleet, Options};
use serde_json::{Value, json};

const TARGETS: u32 = 100_000;
const MARKUP: &str = "<img src=x onerror=\"document.title='taken over'\"><b>bold</b>";
/// The key that leaves things.
const ESCAPE: &str = "\u{e00c}";
const ENTER: &str = "\u{e007}";

/// The daemon of all tests that run at the same time.
struct Stage {
    address: String,
    /// The routes that it offers.
    document: Value,
    _daemon: Daemon,
    _fleet: Fleet,
}

impl Stage {
    /// The stage that is there, or a new one.
    fn set() -> Arc<Self> {
        static STAGE: Mutex<Weak<Stage>> = Mutex::new(Weak::new());
        let mut kept = STAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(stage) = kept.upgrade() {
            return stage;
        }
        let stage = Arc::new(Self::new());
        *kept = Arc::downgrade(&stage);
        stage
    }

    fn new() -> Self {
        let fleet = Fleet::start(Options::default()).expect("a fleet");
        let mut list: Vec<Value> = (0..TARGETS)
            .map(|number| json!({"url": fleet.url(number, "/b64"), "interval": 900}))
            .collect();
        list[0] = json!({
            "id": "first", "name": MARKUP, "url": fleet.url(0, "/"), "interval": 2,
            "labels": {"team": MARKUP},
        });
        list[1] =
            json!({"id": "broken", "url": fleet.url(1, "/s500"), "interval": 2, "retries": 0});
        list[77_123] = json!({
            "id": "needle", "name": "needle 77123", "url": fleet.url(77_123, "/"), "interval": 900,
        });
        let daemon = Daemon::start(&Value::Array(list), &["--listen", "127.0.0.1:0"]);
        let address = daemon.summary()["listen"].as_str().expect("on the network").to_owned();
        let document = web::get(&address, "/api/v1/openapi.json").body;
        let document = serde_json::from_str(&document).expect("the document");
        Self { address, document, _daemon: daemon, _fleet: fleet }
    }

    fn offers(&self, path: &str) -> bool {
        self.document["paths"].get(path).is_some()
    }

    /// A browser of `width` pixels that shows the page at `place`, once it has figures.
    fn browser(&self, width: u32, place: &str) -> Option<Browser> {
        let browser = Browser::start(width, 900)?;
        browser.open(&format!("{}/{place}", self.address));
        browser.wait("document.querySelector('#fleet .total strong')?.textContent === '100,000'");
        Some(browser)
    }

    /// What the console complains of, but for what this daemon does not offer, which is answered
    /// with 404, or with 400 where it is a parameter.
    fn complaints(&self, browser: &Browser) -> Vec<String> {
        let fleet = self.document["paths"]["/api/v1/targets"]["get"]["parameters"].to_string();
        let is_sorted = fleet.contains("\"name\":\"sort\"");
        let absent = |message: &str| {
            let place = message.split(&self.address).nth(1).unwrap_or_default();
            let place = place.split(' ').next().unwrap_or_default();
            let path = place.split('?').next().unwrap_or_default();
            let route = match path.strip_prefix("/api/v1/targets/") {
                Some(rest) if rest.ends_with("/history") => "/api/v1/targets/{id}/history",
                Some(_) => "/api/v1/targets/{id}",
                None => path,
            };
            let is_unsorted = message.contains("400") && place.contains("sort=") && !is_sorted;
            is_unsorted || (message.contains("404") && !self.offers(route))
        };
        let said = browser.console().into_iter();
        said.filter(|said| said.level == "SEVERE" || said.level == "WARNING")
            .map(|said| said.message)
            .filter(|message| !absent(message))
            .collect()
    }
}

#[test]
fn the_page_loads_without_an_error_and_asks_nobody_else() {
    let stage = Stage::set();
    let Some(browser) = stage.browser(1440, "") else { return };
    browser.wait("document.querySelectorAll('#worst [data-row]').length > 20");
    for place in ["targets", "incidents", "target/first", ""] {
        browser.run(&format!("location.hash = '#/{place}'"));
        browser.wait(&format!(
            "document.body.dataset.page === '{}'",
            place.split('/').next().unwrap_or("")
        ));
        browser.wait("document.getElementById('view').innerText.length > 25");
    }
    assert_eq!(stage.complaints(&browser), Vec::<String>::new());
    let requests = browser.requests();
    assert!(requests.len() > 10, "{requests:?}");
    for request in requests {
        let is_ours = request.starts_with(&format!("{}/", stage.address));
        // A new browser shows a page of its own first.
        let is_own = request.starts_with("data:")
            || request.starts_with("chrome:")
            || request.starts_with("about:");
        assert!(is_ours || is_own, "{request}");
    }
}

#[test]
fn figures_move_while_one_looks() {
    let stage = Stage::set();
    let Some(browser) = stage.browser(1440, "") else { return };
    // On a busy machine it may begin with questions; as soon as there are events, it follows them.
    browser.wait("document.getElementById('connection').dataset.state === 'stream'");
    let rate = "document.querySelector('.figure .value').textContent";
    browser.wait(&format!("{rate} !== '–' && {rate} !== '0.0'"));
    browser.run("window.before = document.getElementById('fleet').innerText");
    browser.wait("document.getElementById('fleet').innerText !== window.before");
    // What was seen to fail is among the worst.
    browser.wait("[...document.querySelectorAll('#worst tbody tr')].some((row) => /status|500/.test(row.innerText) && /down/.test(row.innerText))");
}

#[test]
fn the_search_finds_one_target_among_a_hundred_thousand() {
    let stage = Stage::set();
    let parameters = stage.document["paths"]["/api/v1/targets"]["get"]["parameters"].to_string();
    if !parameters.contains("\"name\":\"text\"") {
        println!("skipped: this daemon does not search by text");
        return;
    }
    let Some(browser) = stage.browser(1440, "") else { return };
    browser.press("/needle");
    browser.wait("document.querySelectorAll('.targets [data-row]').length === 1");
    browser.wait("document.querySelector('.targets .status').textContent === '1 target.'");
    let row = browser.run("return document.querySelector('.targets [data-row]').innerText");
    assert!(row.as_str().is_some_and(|row| row.contains("needle 77123")), "{row}");
    browser.press(ENTER);
    browser.press("\u{e015}");
    browser.wait("document.activeElement.matches('[data-row]')");
    browser.press(ENTER);
    browser.wait("location.hash === '#/target/needle'");
}

#[test]
fn the_page_of_a_target_draws() {
    let stage = Stage::set();
    if !stage.offers("/api/v1/targets/{id}") {
        println!("skipped: this daemon has no pages of targets");
        return;
    }
    let Some(browser) = stage.browser(1440, "#/target/first") else { return };
    browser.wait("document.querySelector('.target-head .facts')?.innerText.includes('Every')");
    browser.wait("document.querySelectorAll('#polls tbody tr').length > 0");
    browser.wait("document.querySelectorAll('#columns rect').length > 0");
    browser.wait("document.querySelector('.state-mark').dataset.state === 'up'");
    assert_eq!(stage.complaints(&browser), Vec::<String>::new());
}

#[test]
fn everything_is_reached_by_the_keyboard() {
    let stage = Stage::set();
    let Some(browser) = stage.browser(1440, "") else { return };
    browser.press("/");
    browser.wait("document.activeElement.id === 'search-text'");
    browser.press(ESCAPE);
    browser.wait("document.activeElement.id !== 'search-text'");
    browser.press("t");
    browser.wait("document.body.dataset.page === 'targets' && document.querySelectorAll('.targets [data-row]').length === 50");
    browser.press("jjk");
    browser.wait("document.activeElement === document.querySelectorAll('[data-row]')[0]");
    browser.press("\u{e015}");
    browser.wait("document.activeElement === document.querySelectorAll('[data-row]')[1]");
    browser.press("\u{e013}");
    browser.press(ENTER);
    browser.wait("location.hash === '#/target/first'");
    browser.press(ESCAPE);
    browser.wait("document.body.dataset.page === 'targets'");
    browser.press("?");
    browser.wait("document.querySelector('dialog[open] kbd') !== null");
    browser.press(ESCAPE);
    browser.wait("document.querySelector('dialog') === null");
    browser.press("i");
    browser.wait("document.body.dataset.page === 'incidents'");
    browser.press("o");
    browser.wait("document.body.dataset.page === ''");
}

#[test]
fn markup_in_names_is_shown_as_text() {
    let stage = Stage::set();
    let Some(browser) = stage.browser(1440, "#/targets") else { return };
    let names = "[...document.querySelectorAll('.targets [data-row] span')].map((span) => span.textContent)";
    let shown = browser.wait(&format!("{names}.find((name) => name.includes('onerror'))"));
    assert_eq!(shown, MARKUP);
    browser.run("location.hash = '#/target/first'");
    browser.wait("document.body.dataset.page === 'target'");
    browser.wait("document.querySelector('.target-head h1').textContent !== ''");
    let made = browser
        .run("return document.querySelectorAll('#view img, #view b img, #view h1 b').length");
    assert_eq!(made, 0);
    let title = browser.run("return document.title");
    assert!(title != "taken over", "{title}");
}

#[test]
fn more_targets_come_a_page_at_a_time() {
    let stage = Stage::set();
    let Some(browser) = stage.browser(1440, "#/targets") else { return };
    browser.wait("document.querySelectorAll('.targets [data-row]').length === 50");
    browser.run("document.querySelector('.more-button').click()");
    browser.wait("document.querySelectorAll('.targets [data-row]').length === 100");
    let addresses = browser.run(
        "return new Set([...document.querySelectorAll('.targets [data-row]')].map((row) => row.href)).size",
    );
    assert_eq!(addresses, 100);
}

#[test]
fn nothing_scrolls_sideways_on_a_phone() {
    let stage = Stage::set();
    let Some(browser) = stage.browser(390, "") else { return };
    for place in ["", "targets", "incidents", "target/first"] {
        browser.run(&format!("location.hash = '#/{place}'"));
        browser.wait(&format!(
            "document.body.dataset.page === '{}'",
            place.split('/').next().unwrap_or("")
        ));
        browser.wait("document.getElementById('view').innerText.length > 25");
        let widths = browser.run("return [document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(widths, json!([390, 390]), "{place}");
    }
}

#[test]
fn fifty_targets_are_on_one_screen_with_state_age_and_cause() {
    let stage = Stage::set();
    let Some(browser) = stage.browser(1440, "#/targets") else { return };
    browser.wait("document.querySelectorAll('.targets [data-row]').length === 50");
    let seen = browser.run(
        "return [...document.querySelectorAll('.targets tbody tr')].filter((row) => \
         row.getBoundingClientRect().bottom <= innerHeight && row.getBoundingClientRect().height >= 18 && \
         row.cells[0].dataset.state && parseFloat(getComputedStyle(row).fontSize) >= 12).length",
    );
    assert_eq!(seen, 50);
    let figures = browser.run("return document.querySelector('.figures').innerText");
    let figures = figures.as_str().expect("text");
    assert!(figures.contains("Latency") && figures.contains("Schedule lag"), "{figures}");
}
