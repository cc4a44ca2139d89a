//! A checker whose way to Kafka is cut: it has a network of its own, with its targets in it.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::cluster::Cluster;
use super::engines::{Brokers, Kafka, Postgres, Security};
use super::{Span, all_up};

/// The two ends of the way between the networks (RFC 2544 sets these addresses aside).
const HERE: &str = "198.18.77.1";
const THERE: &str = "198.18.77.2";
const SPACE: &str = "poller-cut";

/// Plays it.
pub(super) fn play(is_trial: bool) {
    let (targets, seconds) = if is_trial { (100, 5) } else { (1_000, 20) };
    let Some(way) = Way::make() else {
        println!("  skipped: no network of its own can be made here");
        return;
    };
    let kafka = Kafka::at(Brokers::One, Security::None, HERE);
    let mut cluster = Cluster::over(kafka, Postgres::start(), 16);
    // Inside its network a fleet of its own, at a port that it tells.
    let mut fleet = inside(&std::env::current_exe().expect("a name").display().to_string());
    let mut fleet = fleet
        .arg("fleet")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the fleet starts");
    let mut line = String::new();
    let stdout = fleet.stdout.take().expect("it is piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)
        .expect("it speaks");
    let hello: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let url = |n: u32| format!("http://127.7.{}.{}:{}/", n / 250, n % 250 + 1, hello["http"]);
    let entry = |number| serde_json::json!({"url": url(number), "interval": 5});
    cluster.import(&(0..targets).map(entry).collect());
    cluster.begin("scheduler", &[]);
    cluster.begin("recorder", &[]);
    let mut program = inside(env!("CARGO_BIN_EXE_poller"));
    program.env("POLLER_KAFKA", cluster.kafka.bootstrap()).current_dir(cluster.room.path());
    let checker = cluster.member("checker", program, &[]);
    cluster.members.push(checker);
    all_up(&cluster, targets);
    let span = Span::begin(&cluster, 5);
    sleep(Duration::from_secs(5));
    way.set("down");
    println!("  {targets} targets at 5 s; the way to Kafka is cut for {seconds} s");
    sleep(Duration::from_secs(seconds));
    way.set("up");
    sleep(Duration::from_secs(40));
    span.tell(&cluster);
    let _ = fleet.kill();
    let _ = fleet.wait();
}

/// `program`, within the other network.
fn inside(program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", SPACE, program]);
    command
}

/// A pair of interfaces between this network and one of its own; it goes away when dropped.
struct Way;

impl Way {
    fn make() -> Option<Self> {
        let _ = run(&["netns", "delete", SPACE]);
        let way = Self;
        let steps: [&[&str]; 8] = [
            &["netns", "add", SPACE],
            &["link", "add", "poller0", "type", "veth", "peer", "name", "poller1", "netns", SPACE],
            &["address", "add", &format!("{HERE}/30"), "dev", "poller0"],
            &["link", "set", "poller0", "up"],
            &["-n", SPACE, "address", "add", &format!("{THERE}/30"), "dev", "poller1"],
            &["-n", SPACE, "link", "set", "poller1", "up"],
            &["-n", SPACE, "link", "set", "lo", "up"],
            &["link", "show", "poller0"],
        ];
        steps.iter().all(|step| run(step)).then_some(way)
    }

    fn set(&self, state: &str) {
        let Self = self;
        assert!(run(&["-n", SPACE, "link", "set", "poller1", state]), "the way is not {state}");
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = run(&["link", "delete", "poller0"]);
        let _ = run(&["netns", "delete", SPACE]);
    }
}

fn run(arguments: &[&str]) -> bool {
    let mut command = Command::new("ip");
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
