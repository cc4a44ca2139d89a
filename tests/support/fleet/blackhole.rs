//! A port whose SYNs nobody answers: a listener whose queue is full and never emptied.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// The most connections that are tried to fill the queue.
const ENOUGH: usize = 16;

/// Swallows SYNs to any address of 127.0.0.0/8 at its port while it lives.
pub(crate) struct BlackHole {
    port: u16,
    _listener: Socket,
    _queue: Vec<Socket>,
}

impl BlackHole {
    /// Opens a listener and fills its queue.
    ///
    /// # Errors
    /// When no socket can be had, or the queue takes ever more connections.
    pub(crate) fn new() -> io::Result<Self> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
        listener.listen(0)?;
        let address = listener.local_addr()?.as_socket_ipv4();
        let port = address.map_or(0, |address| address.port());
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into();
        let mut queue = Vec::new();
        while queue.len() < ENOUGH {
            let visitor = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            if visitor.connect_timeout(&here, Duration::from_millis(50)).is_err() {
                return Ok(Self { port, _listener: listener, _queue: queue });
            }
            queue.push(visitor);
        }
        Err(io::Error::other("the queue of the black hole is never full"))
    }

    /// The port that says nothing.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}
