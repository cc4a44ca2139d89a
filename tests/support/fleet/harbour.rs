//! Binds the fleet's ports and serves them, a share on each thread.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::certificate::{Authority, Certificate};
use super::state::State;
use super::tls::Speech;
use super::{Ports, desk, dns, tls};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How often a pair of sockets with one port number is tried.
const TRIES: usize = 100;

type Port = (std::net::TcpListener, Speech);

/// The sockets that one thread serves.
pub(crate) struct Berth {
    http: OwnedFd,
    others: Vec<Port>,
    dns: Option<(std::net::UdpSocket, std::net::TcpListener)>,
}

/// Binds everything; one berth for each of `threads`.
pub(crate) fn open(authority: &Authority, threads: usize) -> io::Result<(Ports, Vec<Berth>)> {
    let speeches =
        Certificate::ALL.map(|kind| authority.server(kind).map_or(Speech::Babble, Speech::Tls));
    let (dns, name_sockets) = pair(|| {
        let udp = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = udp.local_addr()?;
        Ok((address, (udp, listen(address)?.into())))
    })?;
    let six: io::Result<(SocketAddr, Vec<Port>)> = pair(|| {
        let six = listen(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)))?;
        let address = local(&six)?;
        let four = listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))?;
        Ok((address, [six, four].map(|listener| (listener.into(), Speech::Plain)).into()))
    });
    let (six, plain) = six.map_or((None, Vec::new()), |(at, both)| (Some(at.port()), both));
    let mut ports = Ports { http: 0, six, tls: [0; Certificate::ALL.len()], dns };
    let mut berths = Vec::with_capacity(threads);
    for _ in 0..threads {
        let http = everywhere(&mut ports.http)?.into();
        let mut others: Vec<Port> = Vec::new();
        for (port, speech) in ports.tls.iter_mut().zip(&speeches) {
            others.push((everywhere(port)?.into(), speech.clone()));
        }
        berths.push(Berth { http, others, dns: None });
    }
    if let Some(first) = berths.first_mut() {
        first.others.extend(plain);
        first.dns = Some(name_sockets);
    }
    Ok((ports, berths))
}

/// Tries `bind` until it finds a port that is free twice.
fn pair<T>(bind: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let mut bound = bind();
    for _ in 0..TRIES {
        match &bound {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => bound = bind(),
            _ => break,
        }
    }
    bound
}

/// Listens on every address at `port`, which is chosen when it is 0.
fn everywhere(port: &mut u16) -> io::Result<Socket> {
    let listener = listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port)))?;
    *port = local(&listener)?.port();
    Ok(listener)
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let listener = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        listener.set_only_v6(true)?;
    }
    listener.set_reuse_port(true)?;
    listener.bind(&address.into())?;
    listener.listen(BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn local(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Serves a berth until it is dropped.
///
/// # Panics
/// When a server ends: the fleet is of no use without it.
pub(crate) async fn serve(berth: Berth, state: Arc<State>) {
    let mut servers = JoinSet::new();
    servers.spawn(desk::serve(berth.http, Arc::clone(&state)));
    for (listener, speech) in berth.others {
        let listener = TcpListener::from_std(listener).expect("the runtime takes sockets");
        servers.spawn(tls::serve(listener, speech, Arc::clone(&state)));
    }
    if let Some((udp, tcp)) = berth.dns {
        udp.set_nonblocking(true).expect("a socket that was just bound");
        let udp = UdpSocket::from_std(udp).expect("the runtime takes sockets");
        let tcp = TcpListener::from_std(tcp).expect("the runtime takes sockets");
        let (datagrams, streams) = (Arc::clone(&state), state);
        servers.spawn(dns::udp(udp, datagrams));
        servers.spawn(dns::tcp(tcp, streams));
    }
    let ended = servers.join_next().await;
    panic!("a server of the fleet ended: {ended:?}");
}
