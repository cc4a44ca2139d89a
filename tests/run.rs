//! Checks that other programs run: order, events, cancellation, and kinds of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/fleet.rs"]
mod fleet;

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fleet::{Fleet, Options};
use poller::outcome::Cause;
use poller::run::{
    CheckSpec, Context, Ended, Event, EventKind, OnError, Plugin, Report, RunOptions, Runner,
    Status, run_check_batch, run_checks_in_parallel,
};
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, mpsc};

/// A kind of check that does what its `does` says.
#[derive(Default)]
struct Does {
    running: AtomicUsize,
    most: AtomicUsize,
    gate: Arc<Notify>,
}

impl Plugin for Does {
    fn plugin_type(&self) -> &'static str {
        "does"
    }

    fn check<'a>(
        &'a self,
        config: &'a Map<String, Value>,
        context: Context<'a>,
    ) -> Pin<Box<dyn Future<Output = Report> + Send + 'a>> {
        Box::pin(async move {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            let report = match config["does"].as_str().unwrap_or_default() {
                "panic" => panic!("as it was asked"),
                "hang" => std::future::pending().await,
                "wait" => {
                    self.gate.notified().await;
                    Report::up("let through")
                }
                "talk" => {
                    context.message("half way");
                    Report::up("done").with("figure", 42)
                }
                "fail" => Report::failed(Cause::Status, "it says no"),
                _ => Report::up("fine"),
            };
            self.running.fetch_sub(1, Ordering::SeqCst);
            report
        })
    }
}

fn runner() -> (Runner, Arc<Does>) {
    let does = Arc::<Does>::default();
    let runner = Runner::new().expect("a runner").with_plugin(Arc::clone(&does));
    (runner.expect("a further kind"), does)
}

fn check(id: &str, does: &str) -> CheckSpec {
    CheckSpec::new("does").called(id).with("does", does)
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_back_in_the_order_of_the_checks() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let runner = Runner::new().unwrap();
    let checks = (0..50_u32).map(|number| {
        let path = if number.is_multiple_of(7) { "/d100/" } else { "/" };
        CheckSpec::new("website_status")
            .called(number.to_string())
            .with("url", fleet.url(number, path))
    });
    let results = run_checks_in_parallel(&runner, checks, RunOptions::default()).await;
    let ids: Vec<String> = results.iter().map(|result| result.id.clone()).collect();
    assert_eq!(ids, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(results.iter().all(|result| result.status == Status::Success));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_with_one_check_stands_in_its_result_alone() {
    let (runner, _) = runner();
    let checks = [
        check("good", "nothing"),
        check("panics", "panic"),
        CheckSpec::new("dose").called("unknown"),
        check("fails", "fail"),
        check("good-too", "talk"),
    ];
    let results = run_checks_in_parallel(&runner, checks, RunOptions::default()).await;
    let told: Vec<(&str, Status, Option<&str>)> = results
        .iter()
        .map(|result| (&*result.id, result.status, result.text("error_type")))
        .collect();
    assert_eq!(
        told,
        [
            ("good", Status::Success, None),
            ("panics", Status::Error, Some("internal")),
            ("unknown", Status::Error, Some("invalid_check")),
            ("fails", Status::Error, Some("status")),
            ("good-too", Status::Success, None),
        ]
    );
    assert!(results[1].text("error").is_some());
    assert_eq!((&*results[3].message, &results[4].raw_data["figure"]), ("it says no", &json!(42)));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_what_goes_on_with_each_check_in_its_order() {
    let (runner, _) = runner();
    let (sender, mut events) = mpsc::channel(4);
    let options = RunOptions {
        events: Some(sender),
        max_workers: NonZeroUsize::MIN,
        ..RunOptions::default()
    };
    let checks = [check("a", "talk"), check("b", "fail")];
    let run = run_checks_in_parallel(&runner, checks, options);
    let follow = async {
        let mut seen = Vec::new();
        while let Some(Event { index, id, kind }) = events.recv().await {
            seen.push(match kind {
                EventKind::Queued => format!("{index} {id} queued"),
                EventKind::Started => format!("{index} {id} started"),
                EventKind::Message(text) => format!("{index} {id} says {text}"),
                EventKind::Finished(result) => format!("{index} {id} {}", result.status.as_str()),
                EventKind::Progress { done, failed, .. } => format!("{index} {id} {done}/{failed}"),
            });
        }
        seen
    };
    let (results, seen) = tokio::join!(run, follow);
    assert_eq!(results.len(), 2);
    let of = |id: &str| -> Vec<String> {
        seen.iter().filter(|line| line.split(' ').nth(1) == Some(id)).cloned().collect()
    };
    let first = of("a");
    for line in ["0 a queued", "0 a started", "0 a success", "0 a 1/0"] {
        assert!(first.contains(&line.to_owned()), "{line} in {first:?}");
    }
    assert!(seen.contains(&"0 a says half way".to_owned()), "{seen:?}");
    assert_eq!(of("b").last().map(String::as_str), Some("1 b 2/1"));
    assert_eq!(first.first().map(String::as_str), Some("0 a queued"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_returns_what_is_done() {
    let (runner, does) = runner();
    let (sender, mut events) = mpsc::channel(64);
    let options = RunOptions { events: Some(sender), ..RunOptions::default() };
    let cancel = options.cancel.clone();
    let checks = [check("a", "nothing"), check("hangs", "hang"), check("c", "nothing")];
    let run = run_checks_in_parallel(&runner, checks, options);
    let follow = async {
        let mut finished = 0;
        while let Some(event) = events.recv().await {
            finished += usize::from(matches!(event.kind, EventKind::Finished(_)));
            if finished == 2 && does.running.load(Ordering::SeqCst) == 1 {
                cancel.cancel();
            }
        }
    };
    let (results, ()) = tokio::join!(run, follow);
    let ids: Vec<&str> = results.iter().map(|result| &*result.id).collect();
    assert_eq!(ids, ["a", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_leaves_a_result_for_what_did_not_finish() {
    let (runner, _) = runner();
    let deadline = Some(Duration::from_millis(300));
    let options = RunOptions { deadline, ..RunOptions::default() };
    let checks = [check("a", "nothing"), check("hangs", "hang")];
    let results = run_checks_in_parallel(&runner, checks, options).await;
    assert_eq!(results.len(), 2);
    assert_eq!(results[0].status, Status::Success);
    assert_eq!(results[1].text("error_type"), Some("deadline"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_and_does_not_read_holds_up_no_deadline() {
    let (runner, _) = runner();
    let (sender, _unread) = mpsc::channel(1);
    let deadline = Some(Duration::from_millis(300));
    let options = RunOptions { deadline, events: Some(sender), ..RunOptions::default() };
    let checks = (0..10).map(|number| check(&number.to_string(), "nothing"));
    let results = run_checks_in_parallel(&runner, checks, options).await;
    assert_eq!(results.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_stops_a_run_that_is_to_stop_on_one() {
    let (runner, _) = runner();
    let options = RunOptions { on_error: OnError::Stop, ..RunOptions::default() };
    let checks = [check("fails", "fail"), check("hangs", "hang"), check("hangs-too", "hang")];
    let results = run_checks_in_parallel(&runner, checks, options).await;
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].id, "fails");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_checks_run_at_once_than_are_allowed() {
    let (runner, does) = runner();
    let gate = Arc::clone(&does.gate);
    let max_workers = NonZeroUsize::new(3).unwrap();
    let options = RunOptions { max_workers, ..RunOptions::default() };
    let checks = (0..12).map(|number| check(&number.to_string(), "wait"));
    let run = run_checks_in_parallel(&runner, checks, options);
    let open = async {
        let mut let_through = 0;
        while let_through < 12 {
            if does.running.load(Ordering::SeqCst) > 0 {
                gate.notify_one();
                let_through += 1;
            }
            tokio::task::yield_now().await;
            while does.running.load(Ordering::SeqCst) > 2 && let_through < 12 {
                gate.notify_one();
                let_through += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        // Whoever missed its turn gets another one.
        loop {
            gate.notify_waiters();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let results = tokio::select! {
        results = run => results,
        () = open => unreachable!("it goes on until all have run"),
    };
    assert_eq!(results.len(), 12);
    assert_eq!(does.most.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_checks_hands_out_results_as_they_finish() {
    let (runner, _) = runner();
    let text = r#"[{"id": "a", "plugin_type": "does", "config": {"does": "talk"}},
                   {"id": "b", "plugin_type": "does"}]"#;
    let mut seen = Vec::new();
    let options = RunOptions::default();
    let ended = run_check_batch(&runner, text.as_bytes(), &options, |(index, one)| {
        seen.push((index, one.id.clone()));
    });
    assert_eq!(ended.await.expect("a good file"), Ended::Whole);
    seen.sort();
    assert_eq!(seen, [(0, "a".to_owned()), (1, "b".to_owned())]);
    let broken = run_check_batch(&runner, "[{".as_bytes(), &RunOptions::default(), |_| ()).await;
    assert!(broken.expect_err("no JSON").to_string().contains("not valid JSON"));
}
