//! `Prometheus`: a real one, with all its files in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::home::wait_for;
use crate::scrape::{ask, encoded};

/// A Prometheus that runs; it is killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Prometheus {
    /// One that scrapes the daemon at `poller` as the files in `contrib` say, only more often.
    pub(crate) fn start(poller: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = fs::read_to_string("contrib/prometheus/prometheus.yml").expect("settings");
        let often = settings
            .replace("127.0.0.1:9870", poller)
            .replace("scrape_interval: 30s", "scrape_interval: 2s\n  evaluation_interval: 2s")
            .replace("refresh_interval: 1m", "refresh_interval: 2s");
        assert!(often.contains("scrape_interval: 2s") && often.contains(poller), "{often}");
        fs::write(folder.path().join("prometheus.yml"), often).expect("written");
        fs::copy("contrib/prometheus/alerts.yml", folder.path().join("alerts.yml"))
            .expect("copied");
        let mut command = Command::new("prometheus");
        command.current_dir(folder.path()).arg("--config.file=prometheus.yml");
        command.args(["--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("prometheus is there");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let address = listening(stderr);
        let prometheus = Self { child, address, _folder: folder };
        wait_for("prometheus to be ready", || {
            (ask(&prometheus.address, "/-/ready", &[]).status == 200).then_some(())
        });
        prometheus
    }

    /// The answer to a question of its API.
    pub(crate) fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let answer = ask(&self.address, &format!("{path}?{}", pairs.join("&")), &[]);
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:#?}"))
    }

    fn results(&self, query: &str) -> Vec<Value> {
        let answer = self.ask("/api/v1/query", &[("query", query)]);
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().expect("results").clone()
    }

    /// Whether there is data for `query`.
    pub(crate) fn has_data(&self, query: &str) -> bool {
        !self.results(query).is_empty()
    }

    /// The number that `query` comes to, if it comes to one alone.
    pub(crate) fn number(&self, query: &str) -> Option<f64> {
        match self.results(query).as_slice() {
            [one] => one["value"][1].as_str()?.parse().ok(),
            _ => None,
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it says that it listens; what it says later is read and thrown away.
fn listening(mut stderr: BufReader<std::process::ChildStderr>) -> String {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        let read = stderr.read_line(&mut line).expect("text");
        said.push_str(&line);
        assert!(read > 0, "prometheus does not listen: {said}");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        if let Some(address) =
            address.filter(|one| line.contains("Listening on") && !one.ends_with(":0"))
        {
            let address = address.to_owned();
            let drain = move || stderr.lines().map_while(Result::ok).for_each(drop);
            std::thread::spawn(drain);
            return address;
        }
    }
}
