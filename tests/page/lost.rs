//! A daemon that goes away and comes back while somebody looks.

use serde_json::json;

use crate::browser::Browser;
use crate::daemon::Daemon;

#[test]
fn a_lost_connection_is_said_and_comes_back_by_itself() {
    let list = json!([{"url": "http://127.0.0.1:9/", "interval": 1}]);
    let daemon = Daemon::start(&list, &["--listen", "127.0.0.1:0"]);
    let address = daemon.summary()["listen"].as_str().expect("on the network").to_owned();
    let Some(browser) = Browser::start(1000, 800) else { return };
    browser.open(&address);
    browser.wait("document.querySelector('#fleet .total strong')?.textContent === '1'");
    drop(daemon);
    browser.wait("document.getElementById('connection').dataset.state === 'lost'");
    browser.wait("/figures \\d+ s old/.test(document.getElementById('connection').textContent)");
    browser.wait("document.querySelector('#banners .lost') !== null");
    let place = address.trim_start_matches("http://").to_owned();
    let _again = Daemon::start(&list, &["--listen", &place]);
    browser.wait("document.getElementById('connection').dataset.state !== 'lost'");
    browser.wait("document.querySelector('#banners .lost') === null");
}
