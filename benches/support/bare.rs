//! The yardstick: the leanest honest loop of tokio sockets that polls at a steady rate.
//!
//! For each poll it connects, writes a request, reads to the end and closes; it parses nothing
//! and keeps nothing but two counts. What poller costs beyond it is poller's own.

#![allow(dead_code, reason = "each bench uses a part of the yardstick")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsConnector;

/// How long polls that are under way at the end may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the loop is spread over cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// One tokio runtime with so many worker threads.
    Shared(usize),
    /// So many runtimes of one thread each, with equal shares of the rate.
    PerCore(usize),
}

/// TLS with verified certificates and no resumption.
#[derive(Clone, Debug)]
pub(crate) struct BareTls {
    /// The roots to trust, as PEM text.
    pub(crate) ca_pem: String,
    /// The name that every server must have.
    pub(crate) name: String,
}

/// What to poll and how fast.
#[derive(Clone, Debug)]
pub(crate) struct BareOptions {
    /// Polls a second.
    pub(crate) rate: u32,
    /// For how long.
    pub(crate) seconds: u32,
    /// Whom, in turn.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The path to ask for.
    pub(crate) path: String,
    pub(crate) tls: Option<BareTls>,
    pub(crate) spread: Spread,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct BareReport {
    /// Polls that were answered to the end.
    pub(crate) polls: u64,
    /// Polls that failed, or had no answer long after the end.
    pub(crate) failed: u64,
    /// What the first of them failed of.
    pub(crate) first_error: Option<String>,
    /// User and system time of this process while it polled, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Time it took, in seconds.
    pub(crate) seconds: f64,
}

impl BareReport {
    /// Processor time of a poll in microseconds.
    pub(crate) fn cpu_us_per_poll(&self) -> f64 {
        let polls = u32::try_from(self.polls + self.failed).unwrap_or(u32::MAX);
        self.cpu_seconds * 1e6 / f64::from(polls.max(1))
    }
}

/// User and system time of this process so far, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let time = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime));
    time.unwrap_or_default().as_secs_f64()
}

/// What the tasks of one loop share.
struct Yard {
    addresses: Vec<SocketAddr>,
    request: Vec<u8>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    started: AtomicU64,
    polls: AtomicU64,
    failed: AtomicU64,
    first_error: OnceLock<String>,
}

/// Polls as `options` say. Processor time is the whole process's: run it in one of its own.
///
/// # Errors
/// When a runtime cannot be built or the roots cannot be read.
pub(crate) fn run(options: BareOptions) -> io::Result<BareReport> {
    let spread = options.spread;
    let (rate, time) = (options.rate, Duration::from_secs(u64::from(options.seconds)));
    let yard = Arc::new(yard(options)?);
    let (began, cpu) = (Instant::now(), cpu_seconds());
    match spread {
        Spread::Shared(workers) => {
            let runtime =
                Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
            poll_on(&runtime, &yard, (rate, time), 0);
        }
        Spread::PerCore(cores) => std::thread::scope(|scope| -> io::Result<()> {
            for core in 0..cores {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let (yard, share) = (&yard, rate / u32::try_from(cores).unwrap_or(1));
                let first = core * yard.addresses.len() / cores;
                scope.spawn(move || poll_on(&runtime, yard, (share, time), first));
            }
            Ok(())
        })?,
    }
    let polls = yard.polls.load(Relaxed);
    let failed = yard.started.load(Relaxed).saturating_sub(polls);
    if failed > yard.failed.load(Relaxed) {
        yard.first_error.get_or_init(|| "no answer".to_owned());
    }
    Ok(BareReport {
        polls,
        failed,
        first_error: yard.first_error.get().cloned(),
        cpu_seconds: cpu_seconds() - cpu,
        seconds: began.elapsed().as_secs_f64(),
    })
}

fn yard(options: BareOptions) -> io::Result<Yard> {
    let tls = options.tls.map(|tls| connector(&tls)).transpose()?;
    let host = if tls.is_some() { "fleet.test" } else { "127.0.0.1" };
    let path = options.path;
    Ok(Yard {
        addresses: options.addresses,
        request: format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into(),
        tls,
        started: AtomicU64::new(0),
        polls: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        first_error: OnceLock::new(),
    })
}

fn connector(tls: &BareTls) -> io::Result<(TlsConnector, ServerName<'static>)> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(tls.ca_pem.as_bytes()) {
        roots.add(root.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(tls.name.clone()).map_err(io::Error::other)?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// Polls on `runtime`; the loop is a task, so that a worker starts each poll by itself.
fn poll_on(runtime: &Runtime, yard: &Arc<Yard>, pace: (u32, Duration), first: usize) {
    let yard = Arc::clone(yard);
    let mut loops = JoinSet::new();
    loops.spawn_on(poll_all(yard, pace, first), runtime.handle());
    runtime.block_on(loops.join_all());
}

/// Starts what is due at each tick of a millisecond, then waits for what is under way.
async fn poll_all(yard: Arc<Yard>, (rate, time): (u32, Duration), first: usize) {
    let mut polls = JoinSet::new();
    let mut tick = interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (began, mut started) = (Instant::now(), 0_u64);
    let last = u64::from(rate) * time.as_secs();
    yard.started.fetch_add(last, Relaxed);
    while started < last {
        tick.tick().await;
        let elapsed = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let due = (elapsed * u64::from(rate) / 1_000_000).min(last);
        while started < due {
            let place = usize::try_from(started).unwrap_or(0) + first;
            let address = yard.addresses[place % yard.addresses.len()];
            polls.spawn(poll(Arc::clone(&yard), address));
            started += 1;
        }
        while polls.try_join_next().is_some() {}
    }
    let _ = timeout(PATIENCE, async { while polls.join_next().await.is_some() {} }).await;
}

async fn poll(yard: Arc<Yard>, address: SocketAddr) {
    let answered = match &yard.tls {
        None => plain(&yard, address).await,
        Some((connector, name)) => over_tls(&yard, connector, name.clone(), address).await,
    };
    match answered {
        Ok(()) => yard.polls.fetch_add(1, Relaxed),
        Err(error) => {
            yard.first_error.get_or_init(|| error.to_string());
            yard.failed.fetch_add(1, Relaxed)
        }
    };
}

async fn plain(yard: &Yard, address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    exchange(&mut stream, &yard.request).await
}

async fn over_tls(
    yard: &Yard,
    connector: &TlsConnector,
    name: ServerName<'static>,
    address: SocketAddr,
) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let mut stream = connector.connect(name, stream).await?;
    exchange(&mut stream, &yard.request).await
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &[u8],
) -> io::Result<()> {
    let mut buffer = [0; 4096];
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut length = 0;
    loop {
        match stream.read(&mut buffer).await? {
            0 if length > 0 => return Ok(()),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
    }
}

/// The address of an IPv4 host and a port.
pub(crate) fn at(host: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::from((host, port))
}
