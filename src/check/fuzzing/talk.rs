//! Conversations with servers that say whatever they like: mail, STARTTLS, TCP, proxies.

use std::cell::RefCell;
use std::net::{TcpListener, TcpStream as Blocking};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use super::assert_plain_value;
use crate::address::Address;
use crate::check::counted::Counted;
use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::network::Network;
use crate::check::options::HttpOptions;
use crate::check::progress::Progress;
use crate::check::stream::Stream;
use crate::check::{mail, proxy as tunnel, starttls as upgrade, tcp};
use crate::fuzzing::{assert_plain, pieces};
use crate::outcome::Finding;
use crate::target::{
    MailMessage, MailProbe, MailProtocol, MailTls, Origin, Plan, Priority, Probe, Seat, StartTls,
    Target, TargetId, TcpProbe, TcpStep,
};

/// What must never be told.
const PASSWORD: &str = "hunter2secret";
/// Bytes that a peer says at most: so many fit between two sockets, whoever reads them.
const SAID: usize = 32 << 10;
/// Pieces in which it says them at most.
const PARTS: usize = 64;

/// What a conversation came to.
type Told = (Finding, Facts);

/// Mail servers that speak SMTP.
///
/// # Panics
/// A property does not hold.
pub fn smtp(data: &[u8]) {
    mail(data, MailProtocol::Smtp);
}

/// Mail servers that speak IMAP.
///
/// # Panics
/// A property does not hold.
pub fn imap(data: &[u8]) {
    mail(data, MailProtocol::Imap);
}

/// Mail servers that speak POP3.
///
/// # Panics
/// A property does not hold.
pub fn pop3(data: &[u8]) {
    mail(data, MailProtocol::Pop3);
}

fn mail(data: &[u8], protocol: MailProtocol) {
    let Some(([way, seed], bytes)) = data.split_first_chunk() else { return };
    let is_secure = way & 1 != 0;
    let message = MailMessage {
        from: "me@a.example".into(),
        to: "you@b.example".into(),
        subject: "a probe".into(),
        text: ".\nits text".into(),
    };
    let probe = MailProbe {
        protocol,
        tls: if is_secure { MailTls::Start } else { MailTls::None },
        login: (way & 2 != 0).then(|| ("me".into(), PASSWORD.into())),
        message: (way & 4 != 0 && protocol == MailProtocol::Smtp).then_some(message),
        ..MailProbe::default()
    };
    let target = target(Probe::Mail(Box::new(probe.clone())));
    let hold = |parts: &[&[u8]]| {
        converse(parts, async |tcp, progress| {
            let host = target.address.host();
            mail::converse(network(), &target, &probe, (tcp, host), progress).await
        })
    };
    let (finding, facts) = hold(&pieces(bytes, *seed));
    assert_told(&facts);
    // What comes with the answer to STARTTLS is thrown away if it is there in time.
    if !is_secure && way & 8 != 0 {
        let (whole, same) = hold(&[bytes]);
        assert_eq!((whole.cause, whole.detail), (finding.cause, finding.detail));
        assert_eq!((same.message, whole.status), (facts.message, finding.status));
    }
}

/// Servers that are asked for TLS, by each of the protocols for that.
///
/// # Panics
/// A property does not hold.
pub fn starttls(data: &[u8]) {
    let Some(([way, seed], bytes)) = data.split_first_chunk() else { return };
    let start = [StartTls::Smtp, StartTls::Imap, StartTls::Pop3][usize::from(*way) % 3];
    let (_, facts) = converse(&pieces(bytes, *seed), async |mut tcp, progress| {
        upgrade::begin(&mut tcp, start, progress).await
    });
    let discarded = facts.data.get("discarded_plaintext").and_then(Value::as_str);
    assert!(discarded.is_none_or(|text| text.len() <= 3 * 256));
    assert_plain(&facts.message);
}

/// Servers that say a few lines over TCP: two texts that are waited for, and what comes.
///
/// # Panics
/// A property does not hold.
pub fn tcp_dialog(data: &[u8]) {
    let Some((seed, text)) = data.split_first() else { return };
    let mut lines = text.splitn(3, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let steps = [TcpStep::Expect(line().into()), TcpStep::Expect(line().into())];
    let bytes = lines.next().unwrap_or_default();
    let bytes = bytes.get(..SAID).unwrap_or(bytes);
    let [TcpStep::Expect(first), TcpStep::Expect(second)] = &steps else { return };
    let find = |bytes: &[u8], text: &str| memchr::memmem::find(bytes, text.as_bytes());
    let is_there = find(bytes, first).is_some_and(|at| {
        find(bytes.get(at + first.len()..).unwrap_or_default(), second).is_some()
    });
    let probe = TcpProbe { dialog: steps.to_vec() };
    let target = target(Probe::Tcp(probe.clone()));
    let (finding, facts) = converse(&pieces(bytes, *seed), async |tcp, progress| {
        let (mut stream, mut received) = (Stream::Plain(tcp), tcp::Received::default());
        tcp::speak(&mut stream, &target, &probe, (&mut received, progress)).await
    });
    assert_eq!(finding.cause.is_none(), is_there, "{first:?} {second:?}");
    assert_plain_value(&Value::Object(facts.data));
    assert_plain(&facts.message);
}

/// Proxies that are asked for a tunnel.
///
/// # Panics
/// A property does not hold.
pub fn proxy(data: &[u8]) {
    let Some((seed, bytes)) = data.split_first() else { return };
    let address = Address::parse("https://a.example/").expect("a good address");
    let proxy = Address::parse("http://me:pw@127.0.0.1:8080").expect("a good address");
    converse(&pieces(bytes, *seed), async |tcp, _| {
        tunnel::tunnel(&mut Stream::Plain(tcp), &proxy, &address, "poller").await
    });
}

/// Holds that what is told of a mail server can be shown, and hides our login once it was said.
fn assert_told(facts: &Facts) {
    assert_plain(&facts.message);
    assert_plain_value(&Value::Object(facts.data.clone()));
    let is_known = facts.data.get("greeting").and_then(Value::as_str).unwrap_or_default();
    let is_known = is_known.to_ascii_uppercase().contains("PREAUTH");
    if !is_known && facts.data.get("authenticated").is_some_and(Value::is_boolean) {
        let text = format!("{} {:?}", facts.message, facts.data.get("reply"));
        assert!(!text.contains(PASSWORD), "the password is told: {text}");
    }
}

/// Has `hold` speak to a peer that says `parts` and then no more.
fn converse(
    parts: &[&[u8]],
    hold: impl AsyncFnOnce(Counted, &mut Progress) -> Result<(), Fault>,
) -> Told {
    thread_local! {
        static PLACE: RefCell<(TcpListener, Runtime)> = RefCell::new((
            TcpListener::bind("127.0.0.1:0").expect("a port is free"),
            Builder::new_current_thread().enable_all().build().expect("a runtime"),
        ));
    }
    PLACE.with_borrow(|(listener, runtime)| {
        let there = listener.local_addr().expect("a bound listener has an address");
        let ours = Blocking::connect(there).expect("it listens");
        let (theirs, _) = listener.accept().expect("a connection");
        // Neither end waits for late packets once both are done: there are not ports enough.
        SockRef::from(&ours).set_linger(Some(Duration::ZERO)).expect("a socket takes it");
        for tcp in [&ours, &theirs] {
            tcp.set_nonblocking(true).expect("a socket takes it");
        }
        runtime.block_on(async {
            let ours = TcpStream::from_std(ours).expect("a runtime");
            let theirs = TcpStream::from_std(theirs).expect("a runtime");
            let mut progress = Progress::new(Instant::now(), Arc::default(), Some(Box::default()));
            let (result, _theirs) =
                tokio::join!(hold(Counted::new(ours), &mut progress), say(theirs, parts));
            progress.end(result)
        })
    })
}

/// Says the first of `parts` one after the other, the rest at once, and then that there is no more.
async fn say(mut tcp: TcpStream, parts: &[&[u8]]) -> TcpStream {
    let (first, rest) = parts.split_at(parts.len().min(PARTS));
    let rest = rest.concat();
    let mut left = SAID;
    for part in first.iter().chain([&&*rest]) {
        let part = part.get(..left).unwrap_or(part);
        left -= part.len();
        // Who has heard enough hangs up.
        if part.is_empty() || tcp.write_all(part).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let _ = tcp.shutdown().await;
    tcp
}

fn network() -> &'static Network {
    static NETWORK: OnceLock<Arc<Network>> = OnceLock::new();
    let make = || Network::new(HttpOptions::default()).expect("usual settings");
    NETWORK.get_or_init(make)
}

fn target(probe: Probe) -> Target {
    Target {
        number: 0,
        id: TargetId(0),
        given_id: None,
        name: None,
        address: Address::parse_any("tcp://127.0.0.1:1").expect("a good address"),
        every_ms: 60_000,
        timeout_ms: 30_000,
        priority: Priority::default(),
        plan: Arc::new(Plan { probe, ..Plan::default() }),
        labels: Arc::default(),
        origin: Origin::default(),
        seat: Seat::default(),
    }
}
