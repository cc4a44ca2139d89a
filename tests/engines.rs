//! The real engines of the tests come up, keep what they hold over a stop and a kill, demand what
//! they shall, and leave nothing behind.

#![expect(clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/engines.rs"]
mod engines;

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use engines::{Brokers, Kafka, Postgres, Security, run, sql_at};

/// How long anything may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(3);

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// What one of Kafka's own programs says.
fn tool(kafka: &Kafka, name: &str, options: &[&str], input: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka");
    let mut command = Command::new(script);
    command.arg(name).arg(kafka.directory()).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the script is there");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("our child")
}

fn produce(kafka: &Kafka, topic: &str, record: &str) {
    let acknowledged = ["--topic", topic, "--producer-property", "acks=all"];
    let output = tool(kafka, "produce", &acknowledged, record);
    assert!(output.status.success(), "{output:?}");
}

/// The first records of a topic, so many as there are words in `expected`.
fn consumes(kafka: &Kafka, topic: &str, expected: &str) {
    let count = expected.split(' ').count().to_string();
    let limit = PATIENCE.as_millis().to_string();
    let first = ["--topic", topic, "--from-beginning", "--max-messages", &count];
    let output = tool(kafka, "consume", &[&first[..], &["--timeout-ms", &limit]].concat(), "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{output:?}");
}

fn is_listening(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

/// The processes that name `directory` among their arguments: all of an engine's, but for those that
/// PostgreSQL starts.
fn processes_of(directory: &Path) -> Vec<String> {
    let text = directory.to_str().expect("text");
    let processes = fs::read_dir("/proc").expect("there is a /proc").flatten();
    let command = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let command = command.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    command.filter(|command| command.contains(text)).collect()
}

/// The id of an engine's process.
fn pid_of(directory: &Path, name: &str) -> u32 {
    let text = fs::read_to_string(directory.join(name).with_extension("pid")).expect("it runs");
    text.lines().next().and_then(|line| line.parse().ok()).expect("a number")
}

/// The ids of that process and of its children.
fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.expect("it runs");
    let children = children.split_whitespace().map(|child| child.parse().expect("a number"));
    std::iter::once(pid).chain(children).collect()
}

/// Whether it runs; one that has ended and waits for somebody to take note does not.
fn runs(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command| !command.is_empty())
}

#[test]
fn a_broker_carries_a_record_and_keeps_it_and_its_port_over_a_stop() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::One, Security::None);
    kafka.make_topic("greetings", 1);
    produce(&kafka, "greetings", "hello");
    consumes(&kafka, "greetings", "hello");

    kafka.stop(1);
    assert!(!is_listening(kafka.bootstrap()), "it stopped");
    kafka.start_node(1);

    produce(&kafka, "greetings", "again");
    consumes(&kafka, "greetings", "hello again");
}

#[test]
fn a_topic_that_nobody_made_is_not_made_by_asking() {
    if !engines::are_here() {
        return;
    }
    let kafka =
        Kafka::with(Brokers::One, Security::None, &["num.partitions=3", "log.retention.hours=1"]);
    let unknown = ["--topic", "unknown", "--producer-property", "max.block.ms=3000"];
    let output = tool(&kafka, "produce", &unknown, "lost");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{said}");

    let made = tool(&kafka, "topics", &["--create", "--topic", "known"], "");
    assert!(made.status.success(), "{made:?}");
    let topics = tool(&kafka, "topics", &["--describe"], "");
    let topics = String::from_utf8_lossy(&topics.stdout).into_owned();
    assert!(topics.contains("PartitionCount: 3"), "a setting of ours: {topics}");
    assert!(!topics.contains("unknown"), "{topics}");
}

#[test]
fn a_broker_with_tls_lets_in_who_has_a_certificate() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::One, Security::Tls);
    for file in ["ca.pem", "service.cert", "service.key"] {
        let text = fs::read_to_string(kafka.directory().join(file)).expect("it is there");
        assert!(text.starts_with("-----BEGIN "), "{file}: {text}");
    }
    kafka.make_topic("secrets", 1);
    produce(&kafka, "secrets", "whisper");
    consumes(&kafka, "secrets", "whisper");

    refuses_with(&kafka, "SslAuthenticationException", |settings| {
        let lines = settings.lines().filter(|line| !line.starts_with("ssl.keystore"));
        lines.collect::<Vec<_>>().join("\n")
    });
}

#[test]
fn a_broker_with_sasl_lets_in_who_knows_the_password() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::One, Security::Sasl);
    kafka.make_topic("by-scram", 1);
    refuses_with(&kafka, "SaslAuthenticationException", |settings| {
        settings.replace(engines::PASSWORD, "guessed")
    });

    rewrite_client(&kafka, |settings| {
        settings
            .replace("scram.ScramLoginModule", "plain.PlainLoginModule")
            .replace("SCRAM-SHA-256", "PLAIN")
    });
    kafka.make_topic("by-plain", 1);
    refuses_with(&kafka, "SaslAuthenticationException", |settings| {
        settings.replace(engines::PASSWORD, "guessed")
    });
}

/// Changes what Kafka's own programs are told; what it was before.
fn rewrite_client(kafka: &Kafka, change: impl Fn(&str) -> String) -> String {
    let file = kafka.directory().join("client.properties");
    let before = fs::read_to_string(&file).expect("it is there");
    let after = change(&before);
    assert_ne!(after, before, "something changes");
    fs::write(&file, after).expect("written");
    before
}

/// That a client with changed settings is told off with `error`.
fn refuses_with(kafka: &Kafka, error: &str, change: impl Fn(&str) -> String) {
    let before = rewrite_client(kafka, change);
    let output = tool(kafka, "topics", &["--list"], "");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains(error), "{said}");
    fs::write(kafka.directory().join("client.properties"), before).expect("written");
}

#[test]
fn three_brokers_carry_on_when_one_is_killed_or_paused() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::Three, Security::None);
    kafka.make_topic("copies", 6);
    produce(&kafka, "copies", "first");

    kafka.kill(2);
    wait_for("it was killed", || !is_listening(kafka.address(2)));
    produce(&kafka, "copies", "second");
    kafka.start_node(2);
    assert!(is_listening(kafka.address(2)), "it has its port again");

    kafka.pause(3);
    kafka.stop(1);
    kafka.resume(3);
    kafka.start_node(1);
    consumes_in_any_order(&kafka, "copies", &["first", "second"]);
}

/// Records of several partitions.
fn consumes_in_any_order(kafka: &Kafka, topic: &str, expected: &[&str]) {
    let count = expected.len().to_string();
    let options = ["--topic", topic, "--from-beginning", "--max-messages", &count];
    let output = tool(kafka, "consume", &options, "");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut records: Vec<_> = text.split_whitespace().collect();
    records.sort_unstable();
    assert_eq!(records, expected, "{output:?}");
}

#[test]
fn a_kafka_that_goes_down_leaves_neither_processes_nor_files() {
    if !engines::are_here() {
        return;
    }
    let kafka = Kafka::start(Brokers::Three, Security::None);
    let directory = kafka.directory().to_owned();
    // What the watch looks with now and then names it as well.
    wait_for("three nodes and a watch", || processes_of(&directory).len() == 4);
    kafka.pause(1);

    drop(kafka);
    assert_eq!(processes_of(&directory), Vec::<String>::new());
    assert!(!directory.exists());
    let again = run("kafka", &["down", directory.to_str().expect("text")]);
    assert!(again.status.success(), "once more does no harm: {again:?}");
}

#[test]
fn a_postgres_that_goes_down_leaves_neither_processes_nor_files() {
    if !engines::are_here() {
        return;
    }
    let postgres = Postgres::start();
    let directory = postgres.directory().to_owned();
    let family = family(pid_of(&directory, "server"));
    assert!(family.len() > 1, "{family:?}");
    postgres.pause();

    drop(postgres);
    assert_eq!(processes_of(&directory), Vec::<String>::new());
    assert!(!family.iter().any(|pid| runs(*pid)), "{family:?}");
    assert!(!directory.exists());
}

#[test]
fn postgres_keeps_data_and_port_over_a_stop_and_a_kill() {
    if !engines::are_here() {
        return;
    }
    let postgres = Postgres::start();
    postgres.sql("CREATE TABLE kept (number int)");
    postgres.sql("INSERT INTO kept VALUES (1)");

    postgres.stop();
    assert!(postgres.try_sql("SELECT 1").is_err(), "it stopped");
    postgres.start_again();
    postgres.sql("INSERT INTO kept VALUES (2)");

    let family = family(pid_of(postgres.directory(), "server"));
    postgres.kill();
    assert!(!family.iter().any(|pid| runs(*pid)), "{family:?}");
    postgres.start_again();
    assert_eq!(postgres.sql("SELECT number FROM kept ORDER BY number"), "1\n2");
}

#[test]
fn a_postgres_that_is_paused_says_nothing_until_it_goes_on() {
    if !engines::are_here() {
        return;
    }
    let postgres = Postgres::start();
    postgres.pause();
    let mut asking = Command::new("psql");
    asking.args(["--dbname", postgres.url(), "--command", "SELECT 1"]);
    let mut asking = asking.stdout(Stdio::null()).spawn().expect("psql is there");
    std::thread::park_timeout(Duration::from_millis(500));
    assert_eq!(asking.try_wait().expect("our child"), None, "it waits");

    postgres.resume();
    assert!(asking.wait().expect("our child").success());
}

#[test]
fn the_role_of_postgres_makes_databases_and_is_no_superuser() {
    if !engines::are_here() {
        return;
    }
    let postgres = Postgres::start();
    let url = postgres.fresh_database("other one");
    assert_eq!(
        sql_at(&url, "SELECT current_user, current_database()").as_deref(),
        Ok("poller|other one")
    );
    assert_eq!(postgres.sql("SHOW max_connections"), "200");
    assert_eq!(postgres.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'poller'"), "f");
    let superuser = postgres.url().replace("//poller@", "//postgres@");
    assert!(sql_at(&superuser, "SELECT 1").is_err(), "the superuser is let in by the socket alone");
}

#[test]
fn postgres_demands_password_and_tls_where_it_is_told_to() {
    if !engines::are_here() {
        return;
    }
    let postgres = Postgres::with(&["--password", "--tls", "--set", "work_mem=7MB"]);
    assert_eq!(postgres.sql("SHOW work_mem"), "7MB");
    assert_eq!(postgres.sql("SHOW fsync"), "on");
    let ca = postgres.directory().join("ca.pem");
    let verified = format!("sslmode=verify-full&sslrootcert={}", ca.display());
    let verified = postgres.url().replace("sslmode=require", &verified);
    let tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(sql_at(&verified, tls).as_deref(), Ok("t"));

    let plain = postgres.url().replace("sslmode=require", "sslmode=disable");
    assert!(sql_at(&plain, "SELECT 1").is_err(), "without TLS");
    let guessed = postgres.url().replace(engines::PASSWORD, "guessed");
    let error = sql_at(&guessed, "SELECT 1").expect_err("a wrong password");
    assert!(error.contains("password authentication failed"), "{error}");
}

/// A process that does nothing until it is killed.
fn sleeper() -> Child {
    Command::new("sleep").arg("600").spawn().expect("sleep is there")
}

#[test]
fn an_engine_goes_away_with_the_process_that_asked_for_it() {
    if !engines::are_here() {
        return;
    }
    for script in ["kafka", "postgres"] {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().to_owned();
        let mut asking = sleeper();
        let pid = asking.id().to_string();
        let up = run(script, &["up", directory.to_str().expect("text"), "--with-pid", &pid]);
        assert!(up.status.success(), "{up:?}");
        assert_ne!(processes_of(&directory), Vec::<String>::new());

        // Nobody takes note of its end yet, and still it is gone.
        asking.kill().expect("it runs");
        wait_for("the engine to go down", || !directory.exists());
        wait_for("all to end", || processes_of(&directory).is_empty());
        asking.wait().expect("our child");
    }
}

#[test]
fn an_engine_that_is_taken_down_while_it_comes_up_leaves_nothing() {
    if !engines::are_here() {
        return;
    }
    for script in ["kafka", "postgres"] {
        for delay in [0, 150, 600] {
            let place = tempfile::tempdir().expect("a directory");
            let directory = place.path().to_str().expect("text");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
            let mut up = Command::new(path);
            up.args(["up", directory]).stdout(Stdio::null()).stderr(Stdio::piped());
            let up = up.spawn().expect("the script is there");
            wait_for("it begins", || place.path().join("engine").exists());
            std::thread::park_timeout(Duration::from_millis(delay));

            let down = run(script, &["down", directory]);
            assert!(down.status.success(), "{down:?}");
            let up = up.wait_with_output().expect("our child");
            let said = String::from_utf8_lossy(&up.stderr);
            assert!(up.status.success() || said.contains("was taken down"), "{said}");
            assert_eq!(processes_of(place.path()), Vec::<String>::new(), "after {delay} ms");
            assert!(!place.path().exists());
        }
    }
}
