//! `Socket`: sends echo requests to one host, and hears what comes of them.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::filter;
use crate::check::connect::fault_of;
use crate::check::fault::{Fault, of_machine};
use crate::check::meter::Traffic;
use crate::outcome::{Cause, Detail};

/// How a system lets a process send echo requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// By a socket for echo requests alone, which the sysctl `net.ipv4.ping_group_range` allows.
    Datagram,
    /// By a socket for all of ICMP, which the capability `CAP_NET_RAW` allows.
    Raw,
}

impl Kind {
    /// All kinds, in the order in which they are tried.
    pub(super) const ALL: [Self; 2] = [Self::Datagram, Self::Raw];

    /// Its name in results.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Datagram => "datagram",
            Self::Raw => "raw",
        }
    }
}

/// How far messages go, and whether it is noted how far answers came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hops {
    /// Routers that a message may pass, in the place of what is usual.
    pub(super) limit: Option<NonZeroU8>,
    /// Whether it is noted how many an answer could still have passed.
    pub(super) is_noted: bool,
}

/// A socket that hears of one host alone.
#[derive(Debug)]
pub(super) struct Socket {
    inner: UdpSocket,
    hops: Hops,
    /// Routers that the last packet could still have passed; 0 where that is not known.
    last_limit: AtomicU8,
    pub(super) kind: Kind,
}

impl Socket {
    /// A socket for `address`, of the first of `kinds` that the system allows; one for all of ICMP
    /// hears of answers with this identifier alone.
    ///
    /// # Errors
    /// It allows none of them, there is no way to the address, or no descriptor is left.
    pub(super) fn open(
        address: IpAddr,
        kinds: &[Kind],
        identifier: [u8; 2],
        hops: Hops,
    ) -> Result<Self, Fault> {
        for &kind in kinds {
            match create(address, kind) {
                Ok(socket) => {
                    if kind == Kind::Raw {
                        filter::attach(&socket, address, identifier);
                    }
                    return Self::connect(socket, address, kind, hops);
                }
                Err(error) if is_forbidden(&error) => {}
                Err(error) => return Err(of_creation(&error)),
            }
        }
        Err(Fault::new(Cause::NoResources, Detail::IcmpForbidden))
    }

    fn connect(
        socket: socket2::Socket,
        address: IpAddr,
        kind: Kind,
        hops: Hops,
    ) -> Result<Self, Fault> {
        set(&socket, address, hops).map_err(|error| of_creation(&error))?;
        let there = SocketAddr::new(address, 0).into();
        socket.connect(&there).map_err(|error| fault_of(&error, address))?;
        // Without it the kernel keeps to itself what routers say; then time alone tells.
        let _ = match address {
            IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true),
            IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true),
        };
        let waits = socket.set_nonblocking(true);
        let inner = waits.and_then(|()| UdpSocket::from_std(socket.into()));
        let inner = inner.map_err(|error| of_creation(&error))?;
        Ok(Self { inner, kind, hops, last_limit: AtomicU8::new(0) })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// As [`Self::receive`], or it cannot be sent.
    pub(super) async fn send(&self, message: &[u8]) -> io::Result<()> {
        let went = self.inner.send(message).await? as u64;
        Traffic { came: 0, went }.tell();
        Ok(())
    }

    /// Routers that the last packet could still have passed, where that is known.
    pub(super) fn last_limit(&self) -> Option<NonZeroU8> {
        NonZeroU8::new(self.last_limit.load(Relaxed))
    }

    /// Reads a packet, and notes how many routers it could still have passed.
    fn receive_noting(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut parts = [IoSliceMut::new(buffer)];
        let mut space = nix::cmsg_space!(i32);
        let socket = self.inner.as_raw_fd();
        let message = recvmsg::<()>(socket, &mut parts, Some(&mut space), MsgFlags::empty())?;
        let limit = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|one| match one {
                ControlMessageOwned::Ipv4Ttl(limit) | ControlMessageOwned::Ipv6HopLimit(limit) => {
                    u8::try_from(limit).ok()
                }
                _ => None,
            })
        });
        self.last_limit.store(limit.unwrap_or(0), Relaxed);
        Ok(message.bytes)
    }

    /// Waits for a packet of the host and reads its first bytes into `buffer`.
    ///
    /// # Errors
    /// What routers, or the host, say of a message that was sent before.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let ready = self.inner.ready(Interest::READABLE | Interest::ERROR).await?;
            let error = || match self.inner.take_error()? {
                Some(error) => Err(error),
                None => Err::<usize, _>(io::ErrorKind::WouldBlock.into()),
            };
            let mut result = if self.hops.is_noted {
                self.inner.try_io(Interest::READABLE, || self.receive_noting(buffer))
            } else {
                self.inner.try_recv(buffer)
            };
            if would_block(&result) && ready.is_error() {
                result = self.inner.try_io(Interest::ERROR, error);
            }
            if !would_block(&result) {
                let came = result.as_ref().map_or(0, |length| *length as u64);
                Traffic { came, went: 0 }.tell();
                return result;
            }
        }
    }
}

/// Has messages go as far as `hops` say, and the kernel tell how far answers came.
fn set(socket: &socket2::Socket, address: IpAddr, hops: Hops) -> io::Result<()> {
    let limit = hops.limit.map(|limit| u32::from(limit.get()));
    match (address, limit) {
        (IpAddr::V4(_), Some(limit)) => socket.set_ttl_v4(limit)?,
        (IpAddr::V6(_), Some(limit)) => socket.set_unicast_hops_v6(limit)?,
        (_, None) => {}
    }
    if hops.is_noted {
        // Where that cannot be had, it is not told.
        let _ = match address {
            IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvTtl, &true),
            IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true),
        };
    }
    Ok(())
}

fn create(address: IpAddr, kind: Kind) -> io::Result<socket2::Socket> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let kind = match kind {
        Kind::Datagram => Type::DGRAM,
        Kind::Raw => Type::RAW,
    };
    socket2::Socket::new(domain, kind, Some(protocol))
}

/// Whether the system does not let us have such a socket, or knows none of its kind.
fn is_forbidden(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::ACCESS | Errno::PERM | Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT)
    )
}

/// Why there is no socket.
fn of_creation(error: &io::Error) -> Fault {
    let internal = Fault::new(Cause::Internal, Detail::None);
    match Errno::from_io_error(error) {
        Some(Errno::AFNOSUPPORT) => Fault::new(Cause::NoNetwork, Detail::None),
        _ => of_machine(error).unwrap_or(internal),
    }
}

fn would_block(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_system_that_allows_nothing_is_told_as_such() {
        let fault =
            Socket::open(HERE, &[], [0, 1], Hops::default()).expect_err("nothing is allowed");
        assert_eq!(fault, Fault::new(Cause::NoResources, Detail::IcmpForbidden));
        for errno in [Errno::ACCESS, Errno::PERM, Errno::PROTONOSUPPORT] {
            assert!(is_forbidden(&errno.into()), "{errno}");
        }
        assert!(!is_forbidden(&Errno::MFILE.into()));
        let fault = of_creation(&Errno::MFILE.into());
        assert_eq!(fault, Fault::new(Cause::NoResources, Detail::Descriptors));
    }

    #[tokio::test]
    async fn the_first_kind_that_is_allowed_is_taken() {
        let is_allowed = |kind: &Kind| create(HERE, *kind).is_ok();
        let [datagram, raw] = Kind::ALL;
        for kinds in [[datagram, raw], [raw, datagram]] {
            let wanted = kinds.into_iter().find(|kind| is_allowed(kind));
            let opened =
                Socket::open(HERE, &kinds, [0, 1], Hops::default()).ok().map(|socket| socket.kind);
            assert_eq!(opened, wanted);
        }
    }
}
