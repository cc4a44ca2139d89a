//! `Browser`: a real Chromium without a window, driven through chromedriver (W3C `WebDriver`), with a
//! profile of its own that goes away with it.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a browser that cannot be set up ends the test that wants it"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Long enough for a loaded machine, where something must happen.
const PATIENCE: Duration = Duration::from_mins(5);

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const DRIVERS: [&str; 2] = ["chromedriver", "chromium.chromedriver"];

/// A browser; it ends when dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: tempfile::TempDir,
}

/// What the browser's console says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) level: String,
    pub(crate) message: String,
}

impl Browser {
    /// A browser with a window of `width` and `height` pixels; none where none is to be had, which
    /// is said, unless `POLLER_BROWSER=required`.
    pub(crate) fn start(width: u32, height: u32) -> Option<Self> {
        let (Some(browser), Some(driver)) = (found(&BROWSERS), found(&DRIVERS)) else {
            let is_required = std::env::var("POLLER_BROWSER").is_ok_and(|word| word == "required");
            assert!(!is_required, "chromium and chromedriver have to be there");
            println!("skipped: chromium and chromedriver are not here");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder");
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a driver");
        let port = port(&mut driver);
        let mut this = Self { driver, port, session: String::new(), profile };
        this.begin(&browser, (width, height));
        Some(this)
    }

    fn begin(&mut self, browser: &Path, (width, height): (u32, u32)) {
        let mut arguments: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-sync",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", self.profile.path().display()));
        arguments.push(format!("--window-size={width},{height}"));
        let options = json!({"binary": browser, "args": arguments});
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options,
            "timeouts": {"script": 240_000, "pageLoad": 240_000},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        // A busy machine may not bring a browser up the first time.
        for _ in 0..3 {
            if let Ok(answer) = self.ask("POST", "/session", &wanted) {
                answer["sessionId"].as_str().expect("a session").clone_into(&mut self.session);
                self.size(width, height);
                return;
            }
        }
        panic!("the browser does not start");
    }

    /// Makes the page `width` by `height` pixels large.
    pub(crate) fn size(&self, width: u32, height: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.develop("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Goes to `url`.
    pub(crate) fn open(&self, url: &str) {
        self.tell("url", &json!({"url": url}));
    }

    /// Has every page run `script` before its own.
    pub(crate) fn prepare(&self, script: &str) {
        self.develop("Page.addScriptToEvaluateOnNewDocument", &json!({"source": script}));
    }

    /// What the body of a function `script` returns in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.tell("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until the expression `condition` is true of the page; returns it.
    pub(crate) fn wait(&self, condition: &str) -> Value {
        let script = format!("return ({condition});");
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.run(&script);
            let is_true = !matches!(&found, Value::Null | Value::Bool(false))
                && found != json!(0)
                && found != json!("");
            if is_true {
                return found;
            }
            if Instant::now() > end {
                let text = self.run("return document.body.innerText");
                let said = self.console();
                panic!("waited in vain for {condition}\nthe page: {text}\nthe console: {said:#?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses keys one after the other, as somebody at the keyboard does.
    pub(crate) fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
            })
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.tell("actions", &json!({"actions": [keyboard]}));
    }

    /// What the console has said since it was asked last.
    pub(crate) fn console(&self) -> Vec<Said> {
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        self.log("browser")
            .iter()
            .map(|entry| Said { level: text(entry, "level"), message: text(entry, "message") })
            .collect()
    }

    /// The addresses that were asked for since this was asked last.
    pub(crate) fn requests(&self) -> Vec<String> {
        let events = self.log("performance");
        let events = events.iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let event = &event["message"];
            let is_sent = event["method"] == "Network.requestWillBeSent";
            let address = event["params"]["request"]["url"].as_str()?.to_owned();
            is_sent.then_some(address)
        });
        events.collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        self.tell("se/log", &json!({"type": kind})).as_array().cloned().unwrap_or_default()
    }

    fn develop(&self, command: &str, parameters: &Value) {
        self.tell("goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    fn tell(&self, what: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{what}", self.session);
        self.ask("POST", &path, body).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Asks the driver; an error is what it says.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let body = body.to_string();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("asked");
        let answer = body_of(BufReader::new(stream));
        let value: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        match value["value"]["error"].as_str() {
            Some(_) => Err(value["value"]["message"].to_string()),
            None => Ok(value["value"].clone()),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Its browser ends with the session; the driver is ours to end.
            let _ = self.ask("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The program that has one of `names`.
fn found(names: &[&str]) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    names.iter().find_map(|name| {
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    })
}

/// The port that a driver says it listens at.
fn port(driver: &mut Child) -> u16 {
    let mut words = BufReader::new(driver.stdout.take().expect("a pipe"));
    let mut line = String::new();
    loop {
        line.clear();
        let read = words.read_line(&mut line).expect("words");
        assert!(read > 0, "the driver does not start");
        if let Some((_, rest)) = line.split_once("started successfully on port ") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return digits.parse().expect("a port");
        }
    }
}

/// The body of an answer whose head tells its length.
fn body_of(mut answer: BufReader<TcpStream>) -> Vec<u8> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        answer.read_line(&mut line).expect("a head");
        let head = line.trim().to_ascii_lowercase();
        if let Some(value) = head.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if head.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body).expect("a body");
    body
}
