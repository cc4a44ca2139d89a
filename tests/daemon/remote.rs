//! A daemon whose list lies behind a URL: what changes there is taken over once it can be, and a
//! slow server stands in nobody's way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{assert_consistent, entry};
use crate::fleet::{Fleet, Options};
use crate::home::{Home, wait_for};

/// Serves one list, with a version, for as long as the test runs.
struct Shelf {
    port: u16,
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    text: Mutex<String>,
    /// Whether answers begin and do not end.
    drips: AtomicBool,
    answers: AtomicU32,
}

impl Shelf {
    fn with(entries: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shelf = Self { port, held: Arc::default() };
        shelf.put(entries);
        let held = Arc::clone(&shelf.held);
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().flatten() {
                open.extend(answer(stream, &held));
                held.answers.fetch_add(1, Ordering::SeqCst);
            }
        });
        shelf
    }

    fn put(&self, entries: &[Value]) {
        *self.held.text.lock() = serde_json::to_string(entries).unwrap();
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/list.json", self.port)
    }
}

/// Answers one request; gives back a connection that is to stay open.
fn answer(mut visitor: TcpStream, held: &Held) -> Option<TcpStream> {
    let list = held.text.lock().clone();
    let version =
        format!("\"{:x}\"", list.len() * 31 + list.bytes().map(usize::from).sum::<usize>());
    let request = BufReader::new(visitor.try_clone().ok()?);
    let lines: Vec<String> =
        request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let is_known = lines.iter().any(|line| line.contains(&version));
    if held.drips.load(Ordering::SeqCst) {
        visitor.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[").ok()?;
        return Some(visitor);
    }
    let answer = if is_known {
        "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned()
    } else {
        format!(
            "HTTP/1.1 200 OK\r\nETag: {version}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{list}",
            list.len()
        )
    };
    // Whoever asked may have left.
    let _ = visitor.write_all(answer.as_bytes());
    None
}

#[test]
fn a_slow_server_of_the_list_keeps_nobody_waiting() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let shelf = Shelf::with(&[entry(&fleet.url(0, "/"), 0.5)]);
    let home = Home::new();
    home.start(&["--urls", &shelf.url()]);
    shelf.held.drips.store(true, Ordering::SeqCst);
    let before = shelf.held.answers.load(Ordering::SeqCst);
    home.signal(rustix::process::Signal::HUP);
    wait_for("the list to be asked for", || {
        (shelf.held.answers.load(Ordering::SeqCst) > before).then_some(())
    });
    let polls = fleet.statistics().answers;
    wait_for("polls to go on", || (fleet.statistics().answers > polls).then_some(()));
    home.signal(rustix::process::Signal::USR1);
    wait_for("the keeper to answer", || home.log().contains(" pending; ").then_some(()));
    home.stop();
    assert!(!home.log().contains("reloaded"), "{}", home.log());
    assert_consistent(&home);
}

#[test]
fn a_change_that_could_not_be_made_is_made_by_the_next_reload() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let both = [entry(&fleet.url(0, "/"), 0.5), entry(&fleet.url(1, "/"), 0.5)];
    let shelf = Shelf::with(&both[..1]);
    let home = Home::new();
    home.start(&["--urls", &shelf.url()]);
    assert_eq!(home.run(&["--reload"]).works().out, "the list has not changed\n");
    let other = Connection::open(home.data("poller.db")).unwrap();
    other.busy_timeout(crate::home::PATIENCE).unwrap();
    other.execute_batch("ALTER TABLE target RENAME TO away").unwrap();
    shelf.put(&both);
    home.run(&["--reload"]).fails(1, &["poller.db"]);
    other.execute_batch("ALTER TABLE away RENAME TO target").unwrap();
    let told = home.run(&["--reload"]).works().out;
    assert_eq!(told, "1 target kept, 1 added, 0 changed, 0 removed\n");
    wait_for("the new one to be polled", || {
        (fleet.target_statistics(1).requests > 0).then_some(())
    });
    home.stop();
    assert_consistent(&home);
}

#[test]
fn a_reload_waits_for_a_store_that_is_held_for_a_moment() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let both = [entry(&fleet.url(0, "/"), 0.5), entry(&fleet.url(1, "/"), 0.5)];
    let home = Home::new();
    home.list(&both[..1]);
    home.start(&[]);
    let holder = Connection::open(home.data("poller.db")).unwrap();
    holder.busy_timeout(crate::home::PATIENCE).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    home.list(&both);
    std::thread::scope(|scope| {
        let reload = scope.spawn(|| home.run(&["--reload"]));
        wait_for("the store to be told as degraded", || {
            (home.summary()["storage"]["state"] == "degraded").then_some(())
        });
        holder.execute_batch("ROLLBACK").unwrap();
        let told = reload.join().unwrap().works().out;
        assert_eq!(told, "1 target kept, 1 added, 0 changed, 0 removed\n");
    });
    home.stop();
    assert_consistent(&home);
}

#[test]
fn changed_settings_fill_an_unchanged_list_anew() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let shelf = Shelf::with(&[json!(fleet.url(0, "/"))]);
    let home = Home::new();
    home.write("poller.toml", "interval = '1h'\nkeep = '1d'\n");
    home.start(&["--urls", &shelf.url()]);
    home.write("poller.toml", "interval = '500ms'\nkeep = '2d'\nmax_body = '1MB'\n");
    assert_eq!(
        home.run(&["--reload"]).works().out,
        "0 targets kept, 0 added, 1 changed, 0 removed; a restart puts into force: max_body, keep\n"
    );
    wait_for("two polls", || (fleet.statistics().answers >= 2).then_some(()));
    home.stop();
    assert_consistent(&home);
}

#[test]
fn a_list_from_standard_input_keeps_its_settings() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.write("poller.toml", "interval = '500ms'\n");
    home.run_with_input(&["--start", "--urls", "-"], &fleet.url(0, "/")).works();
    assert_eq!(home.run(&["--reload"]).works().out, "the list has not changed\n");
    home.write("poller.toml", "interval = '2s'\n");
    home.run(&["--reload"]).fails(1, &["standard input", "restart"]);
    let polls = fleet.statistics().answers;
    wait_for("polls to go on", || (fleet.statistics().answers > polls).then_some(()));
    home.stop();
}

#[test]
fn rejects_and_the_start_are_in_the_log() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&[entry(&fleet.url(0, "/"), 0.5), json!({"url": 5}), json!("ftp://a.example/")]);
    home.start(&[]);
    // Lines are written by a thread of their own; all of them are there after the end.
    home.stop();
    let log = home.log();
    for word in ["urls.json:", "entry 2: \"url\" is 5", "entry 3: ", "polling 1 target"] {
        assert!(log.contains(word), "no {word:?} in {log}");
    }
}
