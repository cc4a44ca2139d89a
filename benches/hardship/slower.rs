//! All targets turn ten times slower at once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::rig::{Poller, Site};
use super::watch::{Watched, tell_verdicts};

/// Plays the scene; a trial is short.
pub(crate) fn play(is_trial: bool) {
    let (targets, span) = if is_trial { (50, 2) } else { (5_000, 60) };
    let site = Site::start();
    answer_by(&site, r#"["/d20-60"]"#);
    let list = site.list((0..targets).map(|target| (site.url(target, "/script/pace"), 2.0)));
    let mut poller = Poller::start(&site, &list, &["--timeout", "2"]);
    Watched::of(&poller, span / 6 + 1).tell("before");
    answer_by(&site, r#"["/d200-600"]"#);
    Watched::of(&poller, span).tell("ten times slower");
    poller.stop();
    tell_verdicts(&poller);
}

/// Has the targets do what the paths say from now on.
fn answer_by(site: &Site, paths: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", site.http)).expect("the fleet listens");
    let length = paths.len();
    write!(
        stream,
        "PUT /_script/pace HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{paths}"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
