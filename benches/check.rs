//! What one HTTP check costs beside the bare socket calls that it cannot do without.
//!
//! Prints CPU microseconds of the client's thread a check, and the ratio of the two, for HTTP
//! and for HTTPS; the server is another process. `cargo bench --bench check [-- CHECKS]`.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and fails loudly")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use poller::address::Address;
use poller::check::{HttpCheck, HttpOptions};
use poller::outcome::Verdict;
use poller::target::{CheckKind, Origin, Plan, Priority, Seat, Target, TargetId};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Addresses that the server has: one address runs out of ports for connections.
const ADDRESSES: u8 = 60;
/// Checks in flight.
const WORKERS: usize = 50;
/// Rounds of each kind; the least is shown.
const ROUNDS: usize = 5;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\nContent-Length: 200\r\nConnection: close\r\n\r\n\
    <!doctype html><title>bench</title><p>A small page, as many are that are polled to see whether \
    a site is up. It has two hundred bytes, headers not counted, and says nothing that matters.<p>and so on..";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--serve") {
        runtime().block_on(serve(Path::new(&arguments[at + 1])));
        return;
    }
    let checks = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(20_000);
    let directory = tempfile::tempdir().expect("a directory");
    let ca = directory.path().join("ca.pem");
    let (_server, [plain, secure]) = start(&ca);
    println!("{} bytes a poll's future", future_size());
    compare("http", checks, plain, &ca, None);
    let config = Arc::new(bare_config(&ca));
    compare("https", checks / 5, secure, &ca, Some(&config));
}

/// The server's process, which ends with us.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn start(ca: &Path) -> (Server, [u16; 2]) {
    let mut server = Command::new(std::env::current_exe().expect("our own file"))
        .arg("--serve")
        .arg(ca)
        .stdout(Stdio::piped())
        .spawn()
        .expect("ourselves as a server");
    let mut line = String::new();
    let output = server.stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("the server's ports");
    let ports: Vec<u16> =
        line.split_whitespace().map(|port| port.parse().expect("a port")).collect();
    (Server(server), [ports[0], ports[1]])
}

fn compare(
    name: &str,
    checks: usize,
    port: u16,
    ca: &Path,
    tls: Option<&Arc<rustls::ClientConfig>>,
) {
    let scheme = name;
    let targets: Arc<[_]> = (1..=ADDRESSES)
        .map(|last| Arc::new(target(&format!("{scheme}://127.0.0.{last}:{port}/"))))
        .collect();
    let options = HttpOptions { ca: Some(ca.to_owned()), ..HttpOptions::default() };
    let check = Arc::new(HttpCheck::new(options).expect("good options"));
    let (mut bare, mut ours) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        bare = bare.min(measure_bare(checks, port, tls.cloned()));
        ours = ours.min(measure_check(checks, Arc::clone(&check), targets.clone()));
    }
    println!("{name}: bare {bare:.1} us, check {ours:.1} us, ratio {:.2}", ours / bare);
}

fn measure_bare(checks: usize, port: u16, tls: Option<Arc<rustls::ClientConfig>>) -> f64 {
    measure(checks, move |number| {
        let tls = tls.clone();
        let last = u8::try_from(number % usize::from(ADDRESSES)).expect("few addresses") + 1;
        async move { bare_check((Ipv4Addr::new(127, 0, 0, last), port).into(), tls).await }
    })
}

fn measure_check(checks: usize, check: Arc<HttpCheck>, targets: Arc<[Arc<Target>]>) -> f64 {
    measure(checks, move |number| {
        let (check, target) = (Arc::clone(&check), Arc::clone(&targets[number % targets.len()]));
        async move {
            let finding = check.check(target).await;
            assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 200), "{finding:?}");
        }
    })
}

/// CPU microseconds of this thread for each of `checks` calls of `one`.
fn measure<F>(checks: usize, one: impl Fn(usize) -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let before = cpu_us();
    runtime().block_on(async {
        let mut workers = JoinSet::new();
        for worker in 0..WORKERS {
            let one = one.clone();
            let run = async move {
                for number in (worker..checks).step_by(WORKERS) {
                    one(number).await;
                }
            };
            workers.spawn(run);
        }
        workers.join_all().await;
    });
    #[expect(clippy::cast_precision_loss, reason = "a count of checks is small")]
    let count = checks as f64;
    (cpu_us() - before) / count
}

fn cpu_us() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("a number") / 1_000.0
}

async fn bare_check(address: SocketAddr, tls: Option<Arc<rustls::ClientConfig>>) {
    let stream = TcpStream::connect(address).await.expect("a connection");
    match tls {
        None => bare_exchange(stream).await,
        Some(config) => {
            let name = ServerName::IpAddress(address.ip().into());
            let stream = TlsConnector::from(config).connect(name, stream).await;
            bare_exchange(stream.expect("a handshake")).await;
        }
    }
}

async fn bare_exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("the server reads");
    stream.flush().await.expect("the server reads");
    let mut buffer = [0; 4096];
    let mut length = 0;
    while length < ANSWER.len() {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => length += read,
        }
    }
    assert_eq!(length, ANSWER.len());
}

fn bare_config(ca: &Path) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config
}

fn target(url: &str) -> Target {
    Target {
        number: 1,
        id: TargetId::of_address(CheckKind::Http, "GET", url, 0),
        given_id: None,
        name: None,
        address: Address::parse(url).expect("a good address"),
        every_ms: 60_000,
        timeout_ms: 30_000,
        priority: Priority::Normal,
        plan: Arc::new(Plan::default()),
        labels: Arc::default(),
        origin: Origin::default(),
        seat: Seat::default(),
    }
}

fn future_size() -> usize {
    let check = HttpCheck::new(HttpOptions::default()).expect("good options");
    let future = check.check(Arc::new(target("http://127.0.0.1/")));
    std::mem::size_of_val(&future)
}

/// Serves on every address, and prints the ports for HTTP and HTTPS.
async fn serve(ca: &Path) {
    let acceptor = acceptor(ca);
    let mut tasks = JoinSet::new();
    let mut ports = [0; 2];
    for (port, acceptor) in ports.iter_mut().zip([None, Some(acceptor)]) {
        for last in 1..=ADDRESSES {
            let address = SocketAddr::from(([127, 0, 0, last], *port));
            let listener = TcpListener::bind(address).await.expect("a port is free");
            *port = listener.local_addr().expect("a bound listener").port();
            tasks.spawn(accept(listener, acceptor.clone()));
        }
    }
    println!("{} {}", ports[0], ports[1]);
    std::io::stdout().flush().expect("a pipe");
    tasks.join_all().await;
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>) {
    let mut running = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        while running.try_join_next().is_some() {}
        match acceptor.clone() {
            None => running.spawn(answer(stream)),
            Some(acceptor) => running.spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream).await;
                }
            }),
        };
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 2048];
    let _ = stream.read(&mut buffer).await;
    let _ = stream.write_all(ANSWER).await;
    let _ = stream.shutdown().await;
}

fn acceptor(ca: &Path) -> TlsAcceptor {
    let names: Vec<String> = (1..=ADDRESSES).map(|last| format!("127.0.0.{last}")).collect();
    let authority = {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        rcgen::CertifiedIssuer::self_signed(params, key).expect("a root")
    };
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(names).expect("good names");
    let leaf = params.signed_by(&key, &authority).expect("a certificate");
    let file: PathBuf = ca.to_owned();
    std::fs::write(file, authority.pem()).expect("a writable directory");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        );
    TlsAcceptor::from(Arc::new(config.expect("a good pair")))
}
