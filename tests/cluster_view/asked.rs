//! `Asked`: the door to a cluster that commands use, and whatever may be asked through it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use poller::app::{ClusterDoor, cluster_door};
use poller::config::Settings;
use poller::config::given::{ClusterGiven, Given, SecretText};
use poller::config::substitute::Variables;
use serde_json::Value;

/// The door to a cluster.
pub(crate) struct Asked {
    pub(crate) door: ClusterDoor,
}

/// The settings of a command that is told where the database is.
pub(crate) fn settings(url: &str) -> Settings {
    let cluster =
        ClusterGiven { postgres: Some(SecretText(url.into())), ..ClusterGiven::default() };
    let given = Given { cluster, ..Given::default() };
    Settings::of_reader(given, None, &Variables::default()).expect("settings")
}

impl Asked {
    pub(crate) fn of(url: &str) -> Self {
        Self { door: cluster_door(&settings(url)).expect("a door") }
    }

    /// Status and body of what is answered to `path`.
    pub(crate) fn text(&self, path: &str) -> (u16, String) {
        let socket = self.door.client.directory().join("poller.sock");
        let mut stream = UnixStream::connect(socket).expect("somebody listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("an answer") > 0, "it ended: {head}");
        }
        let mut body = Vec::new();
        reader.read_to_end(&mut body).expect("a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), String::from_utf8_lossy(&body).into_owned())
    }

    /// What is answered to `path`, which has to be JSON and good.
    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.text(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }
}
