//! Connections that are kept between polls: how many, for how long, and for which hop.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]
#![allow(clippy::disallowed_methods, reason = "a test of descriptors has a process of its own")]

#[path = "support/site.rs"]
mod site;

use std::sync::Arc;

use poller::outcome::Verdict;
use poller::target::{Connection, Plan};
use site::{Site, read_head};
use tokio::io::AsyncWriteExt;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Where the part of a test that runs in a process of its own finds its site.
const INSIDE: &str = "POLLER_TEST_SITE";

fn reusing() -> Plan {
    Plan { connection: Connection::Reuse, ..Plan::default() }
}

/// A site that answers request after request.
async fn lasting() -> Site {
    Site::serve(|mut stream, _| async move {
        while !read_head(&mut stream).await.is_empty() {
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    })
    .await
}

#[tokio::test]
async fn the_connection_to_the_host_of_the_entry_is_kept_where_it_redirects() {
    let there = lasting().await;
    let location = there.url();
    let here = Site::serve(move |mut stream, _| {
        let answer =
            format!("HTTP/1.1 302 Go\r\nLocation: {location}\r\nContent-Length: 5\r\n\r\nthere");
        async move {
            while !read_head(&mut stream).await.is_empty() {
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    })
    .await;
    let (check, target) = (site::check(), Arc::new(site::target(&here.url(), reusing())));
    for number in 0..3 {
        let finding = check.check(Arc::clone(&target)).await;
        assert_eq!((finding.verdict, finding.redirects), (Verdict::Up, 1), "{finding:?}");
        assert_eq!(finding.is_reused, number > 0, "{finding:?}");
    }
    assert_eq!((here.connections(), there.connections()), (1, 3));
}

#[tokio::test]
async fn a_kept_connection_that_fell_silent_costs_a_new_one_and_no_failure() {
    let site = Site::serve(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(OK.as_bytes()).await;
        // What comes then is swallowed, as by a firewall that has forgotten the connection.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let mut target = site::target(&site.url(), reusing());
    target.timeout_ms = 3_000;
    let (check, target) = (site::check(), Arc::new(target));
    for number in 1..3 {
        let finding = check.check(Arc::clone(&target)).await;
        assert_eq!((finding.verdict, finding.is_reused), (Verdict::Up, false), "{finding:?}");
        assert_eq!(site.connections(), number);
        // The time for it is that of the answer, not of the connection.
        assert!(finding.phases.connect.get() < finding.phases.first_byte.get() || number == 1);
    }
}

#[tokio::test]
async fn a_server_that_is_slow_is_asked_once_over_a_kept_connection() {
    let site = Site::serve(|mut stream, _| async move {
        while !read_head(&mut stream).await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(2_200)).await;
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    })
    .await;
    let mut target = site::target(&site.url(), reusing());
    target.timeout_ms = 6_000;
    let (check, target) = (site::check(), Arc::new(target));
    for is_reused in [false, true] {
        let finding = check.check(Arc::clone(&target)).await;
        assert_eq!((finding.verdict, finding.is_reused), (Verdict::Up, is_reused), "{finding:?}");
    }
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn connections_that_are_kept_make_room_where_no_descriptor_is_left() {
    if let Ok(site) = std::env::var(INSIDE) {
        return poll_many(&site).await;
    }
    let site = lasting().await;
    let this = std::env::current_exe().expect("our own file");
    let name = "connections_that_are_kept_make_room_where_no_descriptor_is_left";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -n 48; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(this)
        .arg(name)
        .env(INSIDE, site.address.to_string());
    let ended = tokio::task::spawn_blocking(move || command.status()).await.expect("no panic");
    assert!(ended.expect("it runs").success());
}

async fn poll_many(site: &str) {
    let check = site::check();
    let targets: Vec<_> = (0..100)
        .map(|number| Arc::new(site::target(&format!("http://{site}/{number}"), reusing())))
        .collect();
    for target in &targets {
        let finding = check.check(Arc::clone(target)).await;
        assert_eq!((finding.verdict, finding.is_reused), (Verdict::Up, false), "{finding:?}");
    }
    // The oldest have gone, and the latest are still there.
    for (target, is_kept) in [(&targets[0], false), (&targets[99], true)] {
        assert_eq!(check.check(Arc::clone(target)).await.is_reused, is_kept);
    }
}
