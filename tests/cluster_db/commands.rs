//! `poller db`, as its users call it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::engines::{PASSWORD, Postgres};
use super::server::{fresh, sql};

/// What the program said to `arguments` in `folder`, its database being at `url`.
fn poller(folder: &Path, url: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_poller"))
        .args(["--postgres", url, "db"])
        .args(arguments)
        .current_dir(folder)
        .env("TOKEN", "s3cret")
        .output()
        .expect("run")
}

/// What it printed.
fn done(folder: &Path, url: &str, arguments: &[&str]) -> String {
    let output = poller(folder, url, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Its exit code, and what it complained of.
fn failed(folder: &Path, url: &str, arguments: &[&str]) -> (i32, String) {
    let output = poller(folder, url, arguments);
    assert!(output.stdout.is_empty(), "{output:?}");
    let told = String::from_utf8(output.stderr).expect("text");
    (output.status.code().unwrap_or_default(), told)
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

pub(crate) fn a_list_is_imported_and_exported(server: &Postgres) {
    let (home, url) = (home(), fresh(server));
    let run = |arguments: &[&str]| done(home.path(), &url, arguments);
    assert!(run(&["init", "--shards", "3"]).contains("3 shards"));
    let list = "https://a.example/\nhttps://a.example/\nhttps://a.example/\nb.example\n\
                ftp://c.example/\ntcp://d.example:22\n";
    std::fs::write(home.path().join("urls.txt"), list).expect("written");
    let told = run(&["import", "urls.txt"]);
    assert!(
        told.starts_with(
            "imported 5 targets: 5 new, 0 changed, 0 unchanged, 0 removed; 1 of 6 entries \
             rejected: "
        ) && told.contains("urls.txt:5: entry 5:"),
        "{told}"
    );
    let exported = run(&["export"]);
    assert_eq!(exported.lines().count(), 5, "{exported}");
    std::fs::write(home.path().join("again.jsonl"), &exported).expect("written");
    let told = run(&["import", "again.jsonl"]);
    assert_eq!(told, "imported 5 targets: 0 new, 0 changed, 5 unchanged, 0 removed\n");
    assert_eq!(run(&["export"]), exported);
    // What the settings say goes into the entries, and the list of the settings is the usual one.
    std::fs::write(
        home.path().join("urls.json"),
        r#"["https://a.example/", {"url": "https://e.example/",
        "group": "web"}]"#,
    )
    .expect("written");
    let settings = "interval = \"5s\"\n[[match]]\ngroup = \"web\"\nmethod = \"HEAD\"\n";
    std::fs::write(home.path().join("poller.toml"), settings).expect("written");
    let told = run(&["import", "--keep-others"]);
    assert_eq!(told, "imported 2 targets: 1 new, 1 changed, 0 unchanged, 0 removed\n");
    let entry = sql(&url, "SELECT entry FROM target WHERE group_name = 'web'");
    assert_eq!(entry, r#"{"group":"web","interval":5,"method":"HEAD","url":"https://e.example/"}"#);
    let told = run(&["import"]);
    assert_eq!(told, "imported 2 targets: 0 new, 0 changed, 2 unchanged, 4 removed\n");
}

pub(crate) fn secrets_are_shown_only_when_asked_for(server: &Postgres) {
    let (home, url) = (home(), fresh(server));
    let run = |arguments: &[&str]| done(home.path(), &url, arguments);
    run(&["init"]);
    let list = r#"{"url": "https://a.example/", "headers": {"X-Key": "${TOKEN}"}}"#;
    std::fs::write(home.path().join("urls.json"), list).expect("written");
    run(&["import"]);
    // They lie in the database, so that other hosts need not have them.
    assert!(sql(&url, "SELECT entry FROM target").contains("s3cret"));
    let hidden = run(&["export"]);
    assert!(hidden.contains("<secret>") && !hidden.contains("s3cret"), "{hidden}");
    std::fs::write(home.path().join("hidden.json"), hidden).expect("written");
    let (code, told) = failed(home.path(), &url, &["import", "hidden.json"]);
    assert!(code == 2 && told.contains("--secrets"), "{told}");
    let shown = run(&["export", "--secrets"]);
    std::fs::write(home.path().join("shown.json"), shown).expect("written");
    assert!(run(&["import", "shown.json"]).contains("1 unchanged"));
}

pub(crate) fn what_is_wrong_is_told_with_its_code(server: &Postgres) {
    let (home, url) = (home(), fresh(server));
    let fails = |arguments: &[&str]| failed(home.path(), &url, arguments);
    std::fs::write(home.path().join("urls.json"), "[\"https://a.example/\"]").expect("written");
    for command in [&["import"][..], &["export"], &["status"], &["migrate"], &["location", "x"]] {
        let (code, told) = fails(command);
        assert!(code == 1 && told.contains("poller db init"), "{command:?}: {told}");
    }
    done(home.path(), &url, &["init"]);
    assert!(fails(&["init"]).1.contains("holds a cluster already"));
    assert!(done(home.path(), &url, &["migrate"]).contains("version 1 already"));
    std::fs::write(home.path().join("bad.json"), "[\"ftp://a.example/\", 5]").expect("written");
    let (code, told) = fails(&["import", "bad.json"]);
    assert!(code == 2 && told.contains("no valid entry") && told.contains("bad.json:1"), "{told}");
    let (code, told) = fails(&["import", "none.json"]);
    assert!(code == 1 && told.contains("none.json"), "{told}");
    let (code, told) = fails(&["location", "x"]);
    assert!(code == 2 && told.contains("no location is called x"), "{told}");
    sql(&url, "UPDATE cluster SET version = 2");
    let (code, told) = fails(&["import"]);
    assert!(code == 1 && told.contains("use a newer poller"), "{told}");
    let output = Command::new(env!("CARGO_BIN_EXE_poller"))
        .args(["db", "status"])
        .current_dir(home.path())
        .output()
        .expect("run");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && told.contains("--postgres"), "{told}");
}

pub(crate) fn status_tells_of_members_and_shards(server: &Postgres) {
    let (home, url) = (home(), fresh(server));
    let run = |arguments: &[&str]| done(home.path(), &url, arguments);
    run(&["init", "--shards", "8"]);
    sql(&url, "INSERT INTO location (name) VALUES ('eu-1'), ('us-1')");
    sql(
        &url,
        "INSERT INTO member (name, role, location, host, pid, version, started_at, seen_at) \
               VALUES ('c1', 'checker', 'eu-1', 'h', 7, '0.1.0', now(), now()), \
               ('s1', 'scheduler', '', 'h', 8, '0.1.0', now(), now() - interval '90 s')",
    );
    sql(
        &url,
        "UPDATE lease SET owner = 's1#0', until = now() + interval '1 h', epoch = 3 \
               WHERE role = 'scheduler' AND shard < 5",
    );
    sql(
        &url,
        "INSERT INTO gap VALUES (0, 'epoch', timestamptz 'epoch' + interval '1 h', 'nobody')",
    );
    assert!(run(&["location", "us-1"]).contains("no more"));
    let told = run(&["status"]);
    for line in [
        "database    version 1, 8 shards, revision 0",
        "targets     0",
        "locations   eu-1, us-1 (retired)",
        "scheduler   5 shards with 1 member, 3 with nobody",
        "recorder    0 shards with 0 members, 8 with nobody",
        "gap         1970-01-01T00:00:00.000Z to 1970-01-01T01:00:00.000Z, 1 shard: nobody",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}\n{told}");
    }
    let scheduler = told.lines().find(|line| line.contains("s1")).expect("a member");
    assert!(scheduler.contains("1 min 3") && scheduler.trim_end().ends_with('5'), "{told}");
    assert!(run(&["location", "us-1", "--again"]).contains("again"));
    let json: Value = serde_json::from_str(&run(&["status", "--json"])).expect("JSON");
    assert_eq!(json["locations"][1]["retired"], false);
    assert_eq!(
        json["roles"][0],
        serde_json::json!(
        {"role": "scheduler", "held": 5, "free": 3, "members": 1, "epoch": 3})
    );
    assert_eq!(
        (&json["members"][1]["name"], &json["members"][1]["shards"]),
        (&"s1".into(), &5.into())
    );
}

pub(crate) fn faults_of_the_connection_are_told_apart() {
    let server = Postgres::with(&["--fast", "--tls", "--password"]);
    let home = home();
    let (url, ca) = (server.url(), server.directory().join("ca.pem"));
    let ca = ca.to_str().expect("text");
    let fails = |url: &str, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_poller"))
            .args(["--postgres", url])
            .args(arguments)
            .args(["db", "status"])
            .current_dir(home.path())
            .output()
            .expect("run");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!told.contains(PASSWORD), "{told}");
        (output.status.code().unwrap_or_default(), told)
    };
    let trusted = ["--postgres-ca", ca];
    let (code, told) = fails(url, &trusted);
    assert!(code == 1 && told.contains("poller db init"), "{told}");
    let (code, told) = fails(&url.replace(PASSWORD, "wrong"), &trusted);
    assert!(code == 1 && told.contains("password authentication failed"), "{told}");
    let (code, told) = fails(url, &[]);
    assert!(code == 1 && told.contains("certificate"), "{told}");
    let (code, told) = fails(url, &["--postgres-ca", "none.pem"]);
    assert!(code == 1 && told.contains("none.pem"), "{told}");
    let (code, told) = fails("postgres://poller@127.0.0.1:1/poller", &trusted);
    assert!(code == 1 && told.contains("does not answer"), "{told}");
    let (code, told) = fails("mysql://poller", &trusted);
    assert!(code == 2 && told.contains("postgres://"), "{told}");
    let (code, told) = fails(&url.replace("/poller?", "/elsewhere?"), &trusted);
    assert!(code == 1 && told.contains("elsewhere"), "{told}");
}
