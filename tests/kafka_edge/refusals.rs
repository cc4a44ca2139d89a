//! What is taken for a refusal, and what is waited for.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use poller::queue::kafka::Connection;
use poller::queue::kafka::topics::TopicsError;

use crate::connection;

/// The address of somebody who reads what comes first, says `answer` and hangs up.
fn somebody_who_says(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for taken in listener.incoming() {
            let mut taken = taken.expect("a connection");
            // What is not read has the connection reset.
            let _ = taken.read(&mut [0; 16_384]);
            let _ = taken.write_all(answer);
        }
    });
    address
}

async fn what_is_told_of(answer: &'static [u8]) -> TopicsError {
    let directory = tempfile::tempdir().expect("a directory");
    let ca = directory.path().join("ca.pem");
    let anybody = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("one");
    std::fs::write(&ca, anybody.cert.pem()).expect("a file");
    let with = Connection { ca: Some(ca), ..connection(&somebody_who_says(answer), "tls") };
    with.describe().await.expect_err("no broker")
}

#[tokio::test]
async fn who_hangs_up_before_tls_stands_is_waited_for() {
    let told = what_is_told_of(b"").await;
    assert!(told.is_passing(), "{told}");
    assert!(told.to_string().contains("SSL connection closed"), "{told}");
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_at_once() {
    let told = what_is_told_of(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert!(matches!(told, TopicsError::Refused(_)), "{told}");
    assert!(told.to_string().contains("wrong version number"), "{told}");
}
