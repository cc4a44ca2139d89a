//! What is changed over the API of a cluster: targets and tokens.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::admin;
use super::engines::{Postgres, free_port, sql_at};
use super::fed::{Fed, TARGETS};
use super::trouble::wait;

/// A scheduler that answers; it needs no Kafka for that.
pub(crate) struct Answering {
    pub(crate) url: String,
    port: u16,
    child: Child,
    /// The token of an administrator, when there is one.
    admin: String,
}

impl Drop for Answering {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answering {
    pub(crate) fn of(url: &str) -> Self {
        let port = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_poller"))
            .env_clear()
            .args(["--postgres", url, "--kafka", "127.0.0.1:1", "--listen"])
            .args([&format!("127.0.0.1:{port}"), "scheduler"])
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let own = Self { url: url.to_owned(), port, child, admin: String::new() };
        wait("it answers", || own.ask("GET", "/livez", "", "").is_some_and(|told| told.0 == 200));
        own
    }

    /// What is answered to somebody with `token`; none, when nobody answers.
    fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Option<(u16, Value)> {
        self.ask_if("*", (method, path), token, body)
    }

    /// The same, meant for a version of the targets.
    fn ask_if(
        &self,
        version: &str,
        (method, path): (&str, &str),
        token: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        let answer = admin::ask(self.port, (token, version), (method, path), body)?;
        Some((answer.status, answer.body))
    }

    /// What is answered to an administrator, whose change is meant for a version of the targets.
    pub(crate) fn admin(&self, version: &str, asked: (&str, &str), body: &Value) -> admin::Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        admin::ask(self.port, (&self.admin, version), asked, &text).expect("an answer")
    }

    /// The same, after `poller token` has made one and it is known.
    pub(crate) fn with_admin(mut self) -> Self {
        self.admin = self.token(&["create", "--role", "admin"]);
        let known = || self.status("GET", "/api/v1/targets", &self.admin) == 200;
        wait("the token is known", known);
        self
    }

    fn status(&self, method: &str, path: &str, token: &str) -> u16 {
        self.ask(method, path, token, "").expect("an answer").0
    }

    /// What `poller token` prints.
    fn token(&self, arguments: &[&str]) -> String {
        self.run("token", arguments)
    }

    pub(crate) fn run(&self, what: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poller"));
        command.env_clear().env("POLLER_POSTGRES", &self.url);
        let output = command.arg(what).args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn sql(&self, statement: &str) -> String {
        let statement = format!("SET search_path TO poller; {statement}");
        sql_at(&self.url, &statement).expect("told").trim().to_owned()
    }
}

pub(crate) fn tokens_and_targets_are_changed_over_the_api() {
    let server = Postgres::start();
    let fed = Fed::new(&server);
    let answering = Answering::of(&fed.url);
    let made: Value =
        serde_json::from_str(&answering.token(&["create", "--role", "admin", "--json"]))
            .expect("a token");
    let admin = made["token"].as_str().expect("its text").to_owned();
    let reader = answering.token(&["create", "--role", "read"]);
    let is_known = |token: &str| answering.status("GET", "/api/v1/targets", token) == 200;
    wait("tokens are known", || is_known(&admin) && is_known(&reader));
    assert_eq!(answering.status("DELETE", "/api/v1/targets/id-12", &reader), 403);
    targets_are_changed(&answering, &admin);
    what_is_not_done_is_said(&answering, &admin);
    changes_at_once_are_all_of_what_they_saw(&answering, &admin);
    a_list_leaves_what_came_over_the_api(&answering);
    let id = made["id"].as_str().expect("its id");
    answering.token(&["revoke", id]);
    wait("it is worth nothing", || answering.status("GET", "/api/v1/targets", &admin) == 401);
    assert!(is_known(&reader));
    let list = answering.token(&["list"]);
    assert!(list.contains("revoked") && list.contains("active"), "{list}");
    let kept = answering.sql("SELECT count(*) FROM token WHERE octet_length(digest) = 32");
    assert_eq!(kept, "2");
}

fn targets_are_changed(answering: &Answering, admin: &str) {
    let ask = |method: &str, path: &str, body: &str| {
        answering.ask(method, path, admin, body).expect("an answer")
    };
    let before: i64 = answering.sql("SELECT revision FROM cluster").parse().expect("a number");
    let entry = r#"{"url": "https://new.example/", "interval": "20s", "group": "New"}"#;
    let (status, told) = ask("POST", "/api/v1/targets", entry);
    assert!(status < 300 && told["added"] == 1, "{status} {told}");
    assert_eq!(told["total"], 1, "of the API: {told}");
    assert_eq!(answering.sql("SELECT count(*) FROM target"), (TARGETS + 1).to_string());
    let (status, told) = ask("POST", "/api/v1/targets", entry);
    assert!(status < 300 && told["added"] == 0 && told["kept"] == 1, "{status} {told}");
    let (status, told) = ask("PATCH", "/api/v1/targets/id-6", r#"{"interval": "30s"}"#);
    assert!(status == 200 && told["changed"] == 1, "{status} {told}");
    let (status, told) = ask("DELETE", "/api/v1/targets/id-12", "");
    assert!(status == 200 && told["removed"] == 1, "{status} {told}");
    assert_eq!(ask("DELETE", "/api/v1/targets/id-12", "").0, 404);
    let changed = answering.sql(&format!(
        "SELECT string_agg(coalesce(given_id, url) || ' ' || every_ms || ' ' \
         || (removed_at IS NOT NULL), ',' ORDER BY revision) FROM target WHERE revision > {before}"
    ));
    assert_eq!(changed, "https://new.example/ 20000 false,id-6 30000 false,id-12 10000 true");
    // Schedulers ask for what is of a higher revision than they know.
    let after: i64 = answering.sql("SELECT revision FROM cluster").parse().expect("a number");
    assert_eq!(after, before + 3);
    let (status, told) = ask("GET", "/api/v1/targets?group=New", "");
    assert!(status == 200 && told["targets"][0]["interval_seconds"] == 20.0, "{told}");
}

fn what_is_not_done_is_said(answering: &Answering, admin: &str) {
    let entry = r#"[{"url": "https://new.example/", "expires": "soon"}]"#;
    for (method, path, body, wanted, word) in [
        ("PUT", "/api/v1/targets", "{}", 400, "no JSON array"),
        (
            "PUT",
            "/api/v1/targets",
            r#"[{"id": "id-6", "url": "https://x.example/"}]"#,
            409,
            "PATCH",
        ),
        ("POST", "/api/v1/targets/nobody/pause", "", 404, "nobody"),
        ("POST", "/api/v1/targets/nobody/resume", "", 404, "nobody"),
        ("POST", "/api/v1/targets/id-6/pause", r#"{"for": "soon"}"#, 400, "for"),
        ("POST", "/api/v1/pause", r#"{"ids": ["id-6", "x", "y"]}"#, 404, "y"),
        ("POST", "/api/v1/targets", entry, 422, "expires"),
        ("POST", "/api/v1/targets", r#"{"url": "nothing"}"#, 422, "index 0"),
        ("PATCH", "/api/v1/targets/nobody", "{}", 404, "nobody"),
    ] {
        let (status, told) = answering.ask(method, path, admin, body).expect("an answer");
        assert_eq!(status, wanted, "{method} {path}: {told}");
        assert!(told.to_string().contains(word), "{method} {path}: {told}");
    }
}

fn changes_at_once_are_all_of_what_they_saw(answering: &Answering, admin: &str) {
    let revision =
        || -> i64 { answering.sql("SELECT revision FROM cluster").parse().expect("a number") };
    // So many changes are read at a time; the others are to try again.
    let insist = |version: &str, method: &str, path: &str, body: &str| loop {
        let told = answering.ask_if(version, (method, path), admin, body).expect("an answer");
        if told.0 != 503 {
            return told;
        }
        assert!(told.1.to_string().contains("other changes are being read"), "{told:?}");
    };
    // Of those that are meant for one version, the first is made.
    let before = revision();
    let version = format!("\"r{before}\"");
    let statuses: Vec<u16> = at_once(|place| {
        let entry = format!(r#"{{"url": "https://new.example/{place}"}}"#);
        insist(&version, "POST", "/api/v1/targets", &entry).0
    });
    assert_eq!(statuses.iter().filter(|status| **status < 300).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 3, "{statuses:?}");
    assert_eq!(revision(), before + 1);
    // Of those that each change a part, none is lost.
    at_once(|place| {
        let patch = format!(r#"{{"labels": {{"part-{place}": "x"}}}}"#);
        let told = insist("*", "PATCH", "/api/v1/targets/id-6", &patch);
        assert_eq!(told.0, 200, "{told:?}");
    });
    let parts = "SELECT count(*) FROM target, jsonb_object_keys(labels) AS part \
                 WHERE given_id = 'id-6' AND part LIKE 'part-%'";
    assert_eq!(answering.sql(parts), "4");
    // Another address is one change, also where the id follows from it.
    let (id, before) =
        (answering.sql("SELECT id FROM target WHERE url = 'https://new.example/'"), revision());
    let id = id.parse::<i64>().expect("a number").cast_unsigned();
    let path = format!("/api/v1/targets/{id:016x}");
    let (status, told) = answering
        .ask("PATCH", &path, admin, r#"{"url": "https://newer.example/"}"#)
        .expect("an answer");
    assert!(status == 200 && told["added"] == 1 && told["removed"] == 1, "{status} {told}");
    assert_eq!(revision(), before + 1);
}

/// What four do at the same time, each by its number.
fn at_once<T: Send>(act: impl Fn(u32) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let act = &act;
        let all: Vec<_> = (0..4).map(|place| scope.spawn(move || act(place))).collect();
        all.into_iter().map(|one| one.join().expect("it ends")).collect()
    })
}

fn a_list_leaves_what_came_over_the_api(answering: &Answering) {
    let room = tempfile::tempdir().expect("a folder");
    let list = room.path().join("list.json");
    std::fs::write(&list, r#"["https://listed.example/"]"#).expect("written");
    // What came over the API is not in what is imported, and stays.
    let export = answering.run("db", &["export"]);
    assert!(!export.contains("newer.example") && export.contains("id-18"), "{export}");
    let told = answering.run("db", &["import", list.to_str().expect("text")]);
    assert!(told.contains("1 new"), "{told}");
    let export = answering.run("db", &["export"]);
    assert_eq!(export, r#"{"url":"https://listed.example/"}"#);
    let own = answering.run("db", &["export", "--api"]);
    let urls: Vec<&str> = own.split("https://").skip(1).collect();
    assert_eq!(urls.len(), 2, "{own}");
    assert!(own.contains("newer.example"), "{own}");
}
