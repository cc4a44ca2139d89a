//! `Site`: a scripted server on a loopback address, and targets that poll it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use poller::address::Address;
use poller::check::{HttpCheck, HttpOptions};
use poller::outcome::{Cause, Detail, Finding};
use poller::target::{CheckKind, Labels, Origin, Plan, Priority, Seat, Target, TargetId};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A server that does to every connection what its script says; it ends when dropped.
pub struct Site {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Site {
    /// Serves every connection by `script`, which gets its number, from 0.
    pub async fn serve<F, S>(script: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(TcpStream, usize) -> F + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut running = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let number = count.fetch_add(1, Ordering::SeqCst);
                running.spawn(script(stream, number));
            }
        });
        Self { address, connections, _tasks: tasks }
    }

    /// Reads a request's head, answers with `bytes`, and hangs up.
    pub async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::serve(move |mut stream, _| {
            let bytes = Arc::clone(&bytes);
            async move {
                read_head(&mut stream).await;
                let _ = stream.write_all(&bytes).await;
                hang_up(stream).await;
            }
        })
        .await
    }

    /// The connections that came so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The address of the site over plain HTTP.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// Reads up to the empty line after a request's head and returns the head.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("a request is text")
}

/// Ends a connection so that all that was sent arrives.
pub async fn hang_up(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

/// Ends a connection with a reset.
pub fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream)
        .set_linger(Some(std::time::Duration::ZERO))
        .expect("a socket takes the option");
}

/// A target that is polled by `plan`, within 10 seconds.
pub fn target(url: &str, plan: Plan) -> Target {
    let address = Address::parse(url).expect("the test's own address is right");
    Target {
        number: 1,
        id: TargetId::of_address(CheckKind::Http, &plan.method, url, 0),
        given_id: None,
        name: None,
        address,
        every_ms: 60_000,
        timeout_ms: 10_000,
        priority: Priority::Normal,
        plan: Arc::new(plan),
        labels: Arc::new(Labels::default()),
        origin: Origin::default(),
        seat: Seat::default(),
    }
}

/// What one poll of `url` by `plan` finds.
pub async fn poll(url: &str, plan: Plan) -> Finding {
    check().check(Arc::new(target(url, plan))).await
}

/// What one poll of `url` finds that gives up after 300 ms.
pub async fn poll_hastily(url: &str) -> Finding {
    let mut target = target(url, Plan::default());
    target.timeout_ms = 300;
    check().check(Arc::new(target)).await
}

/// A check with the usual options.
pub fn check() -> HttpCheck {
    HttpCheck::new(HttpOptions::default()).expect("the usual options are right")
}

/// Cause and detail of a finding that failed.
pub fn fault(finding: &Finding) -> (Cause, Detail) {
    (finding.cause.unwrap_or_else(|| panic!("no fault: {finding:?}")), finding.detail)
}
