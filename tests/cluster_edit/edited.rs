//! `Edited`: a cluster that polls a few targets, and whoever changes it over the API.

use std::collections::BTreeSet;

use poller::queue::kafka::messages::JobMessage;
use serde_json::{Value, json};

use super::admin::{Answer, ask};
use super::cluster::Cluster;
use super::engines::{self, Brokers};
use super::fleet::{Fleet, Options};
use super::topic_reader::read;

/// How often each target is polled, in milliseconds.
pub(crate) const EVERY_MS: i64 = 2_000;
/// Within how many milliseconds schedulers see a change.
pub(crate) const SEEN_MS: i64 = 5_000;
const SHARDS: u32 = 4;

/// A cluster of two schedulers that answer, a checker and a recorder.
pub(crate) struct Edited {
    cluster: Cluster,
    fleet: Fleet,
    /// Where each scheduler answers.
    ports: Vec<u16>,
    admin: String,
}

impl Edited {
    /// One whose targets were all polled; none, where there are no engines.
    pub(crate) fn start() -> Option<Self> {
        if !engines::are_here() {
            return None;
        }
        let fleet = Fleet::start(Options::default()).expect("a fleet");
        let mut cluster = Cluster::start(Brokers::One, SHARDS);
        let entry = |number: u32| {
            let team = if number == 3 { "web" } else { "mail" };
            json!({"id": format!("t-{number}"), "url": fleet.url(number, "/"), "interval": "2s",
                "timeout": "1.9s", "labels": {"team": team}})
        };
        let mut list: Vec<Value> = (0..20).map(entry).collect();
        let nobody = json!({"id": "down", "url": "http://127.0.0.1:1/", "interval": "2s",
            "retries": 0});
        list.push(nobody);
        cluster.import(&Value::Array(list));
        let ports = vec![engines::free_port(), engines::free_port()];
        let lenient = ["--allow-targets", "loopback"];
        for port in &ports {
            let listen = format!("127.0.0.1:{port}");
            cluster.begin("scheduler", &[&["--listen", &listen][..], &lenient].concat());
        }
        cluster.begin("checker", &lenient);
        cluster.begin("recorder", &[]);
        let admin = cluster.succeed(&["token", "create", "--role", "admin"]).trim().to_owned();
        let edited = Self { cluster, fleet, ports, admin };
        let is_polled = "count(*) FILTER (WHERE state = 1) = 20 \
                         AND count(*) FILTER (WHERE state = 3) = 1 FROM record";
        edited.cluster.wait_until("all are polled", is_polled);
        let shared = "count(DISTINCT owner) = 2 FROM lease WHERE role = 'scheduler' \
                      AND until > now()";
        edited.cluster.wait_until("both schedule", shared);
        for port in &edited.ports {
            let is_known = || {
                let asked = ("GET", "/api/v1/targets");
                let answer = ask(*port, (&edited.admin, "*"), asked, "");
                answer.is_some_and(|answer| answer.status == 200)
            };
            while !is_known() {
                std::thread::park_timeout(std::time::Duration::from_millis(100));
            }
        }
        Some(edited)
    }

    /// An address that answers.
    pub(crate) fn url(&self, path: &str) -> String {
        self.fleet.url(100, path)
    }

    /// What the last scheduler answers.
    pub(crate) fn ask(&self, asked: (&str, &str), body: &Value) -> Answer {
        let port = *self.ports.last().expect("one is left");
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer = ask(port, (&self.admin, "*"), asked, &text);
        answer.unwrap_or_else(|| panic!("nobody answers\n{}", self.cluster.logs()))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(("POST", path), body)
    }

    /// What is told of a target, and with which status.
    pub(crate) fn try_get(&self, id: &str) -> (u16, Value) {
        let answer = self.ask(("GET", &format!("/api/v1/targets/{id}")), &Value::Null);
        (answer.status, answer.body)
    }

    pub(crate) fn get(&self, id: &str) -> Value {
        let (status, body) = self.try_get(id);
        assert_eq!(status, 200, "{body}");
        body["target"].clone()
    }

    pub(crate) fn count(&self, statement: &str) -> i64 {
        self.cluster.count(statement)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.cluster.now_ms()
    }

    /// Waits until `condition` holds of the row of a target.
    pub(crate) fn wait(&self, id: &str, condition: &str) {
        let is_so = format!("EXISTS (SELECT FROM target WHERE given_id = '{id}' AND {condition})");
        self.cluster.wait_until(id, &is_so);
    }

    /// Waits until all jobs are kept that fall due within so many milliseconds from now.
    pub(crate) fn work_on(&self, more_ms: i64) {
        let until_ms = self.now_ms() + more_ms;
        let all_kept = format!(
            "bool_and(produced_until > to_timestamp({until_ms} / 1000.0)) FROM lease \
             WHERE role = 'scheduler'"
        );
        self.cluster.wait_until("jobs are made", &all_kept);
    }

    /// Has the first scheduler die.
    pub(crate) fn kill_scheduler(&mut self) {
        self.cluster.members[0].kill();
        self.ports.remove(0);
    }

    fn number(&self, id: &str) -> u32 {
        let asked = format!("SELECT number FROM target WHERE given_id = '{id}'");
        u32::try_from(self.count(&asked)).expect("a number")
    }

    /// When jobs of a target fall due that are on the topic, of those within a span.
    pub(crate) fn jobs(&self, id: &str, (from_ms, until_ms): (i64, i64)) -> Vec<i64> {
        let number = self.number(id);
        let records = read(self.cluster.kafka.bootstrap(), "poller.jobs", SHARDS);
        let jobs = records.iter().map(|record| JobMessage::read(&record.payload).expect("a job"));
        let of_it = jobs.filter(|job| job.target == number).map(|job| job.due_ms);
        let dues: BTreeSet<i64> =
            of_it.filter(|due_ms| (from_ms..until_ms).contains(due_ms)).collect();
        dues.into_iter().collect()
    }

    /// The slots of a target within a span that were told to have passed without a poll.
    pub(crate) fn missed(&self, id: &str, (from_ms, until_ms): (i64, i64)) -> Vec<i64> {
        let told = self.cluster.sql(&format!(
            "SELECT (extract(epoch FROM due) * 1000)::bigint FROM sample WHERE target = {} \
             AND kind = 3 AND due >= to_timestamp({from_ms} / 1000.0) \
             AND due < to_timestamp({until_ms} / 1000.0)",
            self.number(id)
        ));
        told.lines().map(|line| line.parse().expect("a time")).collect()
    }

    /// The slots of a target within a span that are on the topic or were missed; each comes an interval
    /// after the one before.
    pub(crate) fn slots(&self, id: &str, span: (i64, i64)) -> Vec<i64> {
        let told = self.jobs(id, span).into_iter().chain(self.missed(id, span));
        let slots: Vec<i64> = told.collect::<BTreeSet<_>>().into_iter().collect();
        let is_whole = slots.windows(2).all(|two| two[1] - two[0] == EVERY_MS);
        assert!(is_whole && !slots.is_empty(), "{id} lacks some in {span:?}: {slots:?}");
        slots
    }

    /// Until when a target is or was paused, in Unix milliseconds.
    pub(crate) fn paused_until_ms(&self, id: &str) -> i64 {
        self.count(&format!(
            "SELECT (extract(epoch FROM paused_until) * 1000)::bigint FROM target \
             WHERE given_id = '{id}'"
        ))
    }
}
