//! The API over TLS: its certificate, a wrong one, and a new one.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::asked::{Answer, connect, head, rest};
use crate::daemon::{self, Daemon, program, said};
use crate::{address, list, token};

/// Writes a fresh certificate and its key into `directory`; gives back the certificate.
fn write_pair(directory: &Path, name: &str) -> CertificateDer<'static> {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(directory.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

/// A daemon that speaks TLS with the pair `own` of its directory.
fn secure() -> (Daemon, SocketAddr, CertificateDer<'static>) {
    let directory = daemon::directory(&list());
    let certificate = write_pair(directory.path(), "own");
    let mut command = program();
    let given = ["--listen", "127.0.0.1:0", "--tls-cert", "own.pem", "--tls-key", "own.key"];
    daemon::foreground(&mut command, directory.path()).args(given);
    let daemon = Daemon::spawn(&mut command, directory);
    let address = address(&daemon);
    (daemon, address, certificate)
}

/// The answer over TLS to a question that trusts `certificate` alone; none: no trust.
fn ask(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    (line, headers, body): (&str, &[(&str, &str)], &str),
) -> Option<Answer> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = StreamOwned::new(connection, connect(address));
    let length = body.len().to_string();
    let own = [("Connection", "close"), ("Content-Length", length.as_str())];
    let text = head(address, line, &[headers, &own].concat()) + body;
    stream.write_all(text.as_bytes()).ok()?;
    Some(Answer::of(&rest(&mut stream)))
}

#[test]
fn it_answers_over_tls_and_sessions_stay_there() {
    let (daemon, address, certificate) = secure();
    assert!(daemon.summary()["listen"].as_str().unwrap().starts_with("https://"));
    let stats = ask(address, &certificate, ("GET /api/v1/stats", &[], "")).expect("an answer");
    assert_eq!(stats.status, 200);
    let token = token(&daemon, "read", &[]);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("token={token}");
    let answer = ask(address, &certificate, ("POST /login", &form, &body)).expect("an answer");
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(
        cookie.starts_with("__Host-poller_session=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
}

#[test]
fn whoever_does_not_speak_tls_gets_no_answer() {
    let (_daemon, address, _) = secure();
    let mut stream = connect(address);
    stream.write_all(head(address, "GET /api/v1/stats", &[]).as_bytes()).unwrap();
    let said = rest(&mut stream);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
}

#[test]
fn files_that_cannot_be_used_refuse_the_start_and_are_named() {
    let directory = daemon::directory(&list());
    write_pair(directory.path(), "own");
    write_pair(directory.path(), "other");
    fs::write(directory.path().join("empty.pem"), "").unwrap();
    for (certificate, key, words) in [
        ("own.pem", "other.key", &["own.pem", "other.key"][..]),
        ("missing.pem", "own.key", &["--tls-cert", "missing.pem"]),
        ("own.pem", "missing.key", &["--tls-key", "missing.key"]),
        ("own.pem", "empty.pem", &["--tls-key", "empty.pem"]),
        ("empty.pem", "own.key", &["--tls-cert", "empty.pem"]),
        ("own.key", "own.key", &["--tls-cert", "own.key"]),
    ] {
        let mut command = program();
        let given = ["--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        daemon::foreground(&mut command, directory.path()).args(given);
        let said = said(&mut command);
        for word in words {
            assert!(said.contains(word), "{certificate} with {key}: {said}");
        }
        assert!(!said.contains("polling"), "{said}");
    }
}

#[test]
fn a_new_certificate_is_taken_on_reload_and_a_bad_one_is_not() {
    let (daemon, address, old) = secure();
    let directory = daemon.directory.path().to_owned();
    fs::write(directory.join("own.pem"), "nonsense").unwrap();
    said(&mut daemon.asking(&["--reload"]));
    assert!(ask(address, &old, ("GET /healthz", &[], "")).is_some(), "it keeps what it has");
    let new = write_pair(&directory, "own");
    said(&mut daemon.asking(&["--reload"]));
    assert!(ask(address, &old, ("GET /healthz", &[], "")).is_none());
    let answer = ask(address, &new, ("GET /healthz", &[], "")).expect("an answer");
    assert_eq!(answer.status, 200);
    let mut silent = connect(address);
    assert_eq!(
        ask(address, &new, ("GET /healthz", &[], "")).map(|answer| answer.status),
        Some(200)
    );
    silent.set_nonblocking(true).unwrap();
    assert!(silent.read(&mut [0; 1]).is_err(), "who is silent holds up nobody");
}
