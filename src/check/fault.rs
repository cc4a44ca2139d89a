//! `Fault`: what ended a poll, told from error types and numbers, never from their texts.

use std::io;

use rustix::io::Errno;
use rustls::{CertificateError, InvalidMessage};

use crate::outcome::{Cause, Detail, Verdict};

/// What ended a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) cause: Cause,
    pub(crate) detail: Detail,
}

impl Fault {
    pub(crate) const fn new(cause: Cause, detail: Detail) -> Self {
        Self { cause, detail }
    }

    /// The answer breaks the protocol.
    pub(crate) const fn protocol(detail: Detail) -> Self {
        Self::new(Cause::Protocol, detail)
    }

    /// The handshake failed, or the certificate is not trusted.
    pub(crate) const fn tls(detail: Detail) -> Self {
        Self::new(Cause::Tls, detail)
    }

    /// A setting of the target cannot be used.
    pub(crate) const fn setting() -> Self {
        Self::new(Cause::Internal, Detail::Setting)
    }

    /// A target that was given through the API leads where it may not.
    pub(crate) const fn forbidden() -> Self {
        Self::new(Cause::Internal, Detail::ForbiddenAddress)
    }

    /// The name server gave no answer.
    pub(crate) const fn unanswered() -> Self {
        Self::new(Cause::Resolver, Detail::Unanswered)
    }

    /// This machine has no way there.
    pub(crate) const fn no_network() -> Self {
        Self::new(Cause::NoNetwork, Detail::None)
    }

    /// The proxy does not let us through, which says nothing of the target.
    pub(crate) const fn proxy() -> Self {
        Self::new(Cause::NoNetwork, Detail::ProxyRefused)
    }

    /// No connection came about because of `error`.
    pub(crate) fn of_connect(error: &io::Error) -> Self {
        if let Some(fault) = of_machine(error) {
            return fault;
        }
        match Errno::from_io_error(error) {
            Some(Errno::CONNREFUSED) => Self::new(Cause::Connect, Detail::Refused),
            Some(Errno::NETUNREACH | Errno::NETDOWN) => Self::new(Cause::NoNetwork, Detail::None),
            Some(Errno::HOSTUNREACH | Errno::HOSTDOWN) => {
                Self::new(Cause::Connect, Detail::Unreachable)
            }
            Some(Errno::ACCESS | Errno::PERM) => Self::new(Cause::NoNetwork, Detail::Forbidden),
            // So the kernel calls an address of a link without the name of the link.
            Some(Errno::INVAL) => Self::new(Cause::NoNetwork, Detail::Unreachable),
            Some(Errno::TIMEDOUT) => Self::new(Cause::Timeout, Detail::Connecting),
            Some(Errno::CONNRESET | Errno::CONNABORTED) => Self::new(Cause::Reset, Detail::None),
            _ => Self::new(Cause::Connect, Detail::None),
        }
    }

    /// A connection that stood broke by `error`; `waiting` is the detail of a kernel's time-out.
    pub(crate) fn of_stream(error: &io::Error, waiting: Detail) -> Self {
        if let Some(tls) = tls_error(error) {
            return Self::of_tls(tls);
        }
        if let Some(fault) = of_machine(error) {
            return fault;
        }
        match Errno::from_io_error(error) {
            Some(Errno::TIMEDOUT) => Self::new(Cause::Timeout, waiting),
            Some(Errno::NETUNREACH | Errno::NETDOWN) => Self::new(Cause::NoNetwork, Detail::None),
            Some(Errno::HOSTUNREACH | Errno::HOSTDOWN) => {
                Self::new(Cause::Connect, Detail::Unreachable)
            }
            _ => Self::new(Cause::Reset, Detail::None),
        }
    }

    /// TLS failed by `error`, in the handshake or after it.
    pub(crate) fn of_tls(error: &rustls::Error) -> Self {
        use rustls::{AlertDescription as Alert, Error as E};
        match error {
            E::AlertReceived(
                Alert::HandshakeFailure
                | Alert::ProtocolVersion
                | Alert::InsufficientSecurity
                | Alert::NoApplicationProtocol,
            )
            | E::PeerIncompatible(_)
            | E::NoApplicationProtocol => Self::tls(Detail::Incompatible),
            E::AlertReceived(_) => Self::tls(Detail::Alert),
            E::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload,
            )
            | E::InappropriateMessage { .. } => Self::tls(Detail::NotTls),
            E::InvalidCertificate(error) => Self::of_certificate(error),
            E::FailedToGetCurrentTime => Self::new(Cause::Clock, Detail::None),
            E::FailedToGetRandomBytes | E::General(_) => Self::new(Cause::Internal, Detail::None),
            _ => Self::tls(Detail::None),
        }
    }

    /// The same fault on the way to a proxy: what would be the target's is the proxy's.
    pub(crate) fn before_proxy(self) -> Self {
        if self.cause.verdict() == Verdict::Unknown { self } else { Self::proxy() }
    }

    /// The certificate is not trusted because of `error`.
    pub(crate) fn of_certificate(error: &CertificateError) -> Self {
        use CertificateError as E;
        Self::tls(match error {
            E::Expired | E::ExpiredContext { .. } => Detail::Expired,
            E::NotValidYet | E::NotValidYetContext { .. } => Detail::NotYetValid,
            E::NotValidForName | E::NotValidForNameContext { .. } => Detail::WrongName,
            E::UnknownIssuer => Detail::UnknownIssuer,
            _ => Detail::BadCertificate,
        })
    }
}

/// The fault of this machine that `error` tells, if it tells one.
pub(crate) fn of_machine(error: &io::Error) -> Option<Fault> {
    let detail = match Errno::from_io_error(error)? {
        Errno::MFILE | Errno::NFILE => Detail::Descriptors,
        Errno::ADDRNOTAVAIL => Detail::Ports,
        Errno::NOMEM | Errno::NOBUFS => Detail::Memory,
        _ => return None,
    };
    Some(Fault::new(Cause::NoResources, detail))
}

/// The TLS error that `error` carries, if it carries one.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(errno: Errno) -> (Cause, Detail) {
        let fault = Fault::of_connect(&io::Error::from(errno));
        (fault.cause, fault.detail)
    }

    #[test]
    fn a_fault_of_ours_is_never_blamed_on_the_target() {
        assert_eq!(connect(Errno::MFILE), (Cause::NoResources, Detail::Descriptors));
        assert_eq!(connect(Errno::ADDRNOTAVAIL), (Cause::NoResources, Detail::Ports));
        assert_eq!(connect(Errno::NOBUFS), (Cause::NoResources, Detail::Memory));
        assert_eq!(connect(Errno::NETUNREACH), (Cause::NoNetwork, Detail::None));
        assert_eq!(connect(Errno::ACCESS), (Cause::NoNetwork, Detail::Forbidden));
        assert_eq!(connect(Errno::PERM), (Cause::NoNetwork, Detail::Forbidden));
        assert_eq!(connect(Errno::INVAL), (Cause::NoNetwork, Detail::Unreachable));
    }

    #[test]
    fn an_alert_that_a_second_try_cannot_change_is_told_apart() {
        use rustls::AlertDescription as Alert;
        let of = |alert| Fault::of_tls(&rustls::Error::AlertReceived(alert)).detail;
        for alert in [
            Alert::HandshakeFailure,
            Alert::ProtocolVersion,
            Alert::InsufficientSecurity,
            Alert::NoApplicationProtocol,
        ] {
            assert_eq!(of(alert), Detail::Incompatible, "{alert:?}");
        }
        assert_eq!(of(Alert::InternalError), Detail::Alert);
    }

    #[test]
    fn a_fault_of_the_target_is_told_by_its_number() {
        assert_eq!(connect(Errno::CONNREFUSED), (Cause::Connect, Detail::Refused));
        assert_eq!(connect(Errno::HOSTUNREACH), (Cause::Connect, Detail::Unreachable));
        assert_eq!(connect(Errno::TIMEDOUT), (Cause::Timeout, Detail::Connecting));
        assert_eq!(connect(Errno::CONNRESET), (Cause::Reset, Detail::None));
    }
}
