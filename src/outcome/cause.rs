//! `Cause` and `Detail`: why a poll did not simply find its target up.

use super::Verdict;
use crate::named::named;

named! {
    /// Why a poll did not simply find its target up.
    Cause {
        /// The deadline passed.
        Timeout = 1 "timeout",
        /// The name does not resolve.
        Dns = 2 "dns",
        /// No connection came about.
        Connect = 3 "connect",
        /// The connection was torn down.
        Reset = 4 "reset",
        /// The TLS handshake failed or the certificate is not trusted.
        Tls = 5 "tls",
        /// The answer breaks the protocol.
        Protocol = 6 "protocol",
        /// The body came incomplete or cannot be decoded.
        Body = 7 "body",
        /// A redirect leads nowhere.
        Redirect = 8 "redirect",
        /// The answer is larger than the caps.
        TooLarge = 9 "too_large",
        /// The status is not an expected one.
        Status = 10 "status",
        /// An expectation does not hold.
        Assertion = 11 "assertion",
        /// The target asks for fewer requests.
        Throttled = 20 "throttled",
        /// Our name server does not answer.
        Resolver = 30 "resolver",
        /// We have no network, or no proxy lets us into it.
        NoNetwork = 31 "no_network",
        /// We have no descriptor, port or memory left, or no processor.
        NoResources = 32 "no_resources",
        /// Our clock cannot be relied on.
        Clock = 33 "clock",
        /// A fault in this program.
        Internal = 34 "internal",
    }
}

impl Cause {
    /// What a poll that ended by this cause says of its target.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Timeout
            | Self::Dns
            | Self::Connect
            | Self::Reset
            | Self::Tls
            | Self::Protocol
            | Self::Body
            | Self::Redirect
            | Self::TooLarge
            | Self::Status => Verdict::Down,
            Self::Assertion | Self::Throttled => Verdict::Warning,
            Self::Resolver | Self::NoNetwork | Self::NoResources | Self::Clock | Self::Internal => {
                Verdict::Unknown
            }
        }
    }
}

named! {
    /// What exactly went wrong, within a [`Cause`].
    Detail {
        /// Nothing more is known.
        None = 0 "",
        /// The time ran out while the name was resolved.
        Resolving = 1 "resolving",
        /// The time ran out before a connection came about.
        Connecting = 2 "connecting",
        /// The time ran out in the TLS handshake.
        Handshaking = 3 "handshaking",
        /// The time ran out while the request was sent.
        Sending = 4 "sending",
        /// The time ran out before the head of the answer was complete.
        Waiting = 5 "waiting",
        /// The time ran out in the body.
        Transferring = 6 "transferring",
        /// There is no such name.
        NoSuchName = 10 "no_such_name",
        /// The name has no address of the family asked for.
        NoAddress = 11 "no_address",
        /// The name server reports a failure for this name.
        ServerFailure = 12 "server_failure",
        /// The name server does not answer.
        Unanswered = 13 "unanswered",
        /// The name server refuses to answer.
        QueryRefused = 14 "query_refused",
        /// The connection is refused.
        Refused = 20 "refused",
        /// There is no way to the host.
        Unreachable = 21 "unreachable",
        /// Our own firewall forbids the connection.
        Forbidden = 22 "forbidden",
        /// The proxy does not let us through.
        ProxyRefused = 23 "proxy_refused",
        /// The name has no record of the type asked for.
        NoRecord = 15 "no_record",
        /// The name server gives another answer than expected.
        WrongAnswer = 16 "wrong_answer",
        /// Too few name servers give the answer that is expected.
        NotPropagated = 17 "not_propagated",
        /// A name server of the zone does not answer for it, or not like the others.
        Lame = 18 "lame",
        /// The signatures of the answer are wrong.
        Bogus = 19 "bogus",
        /// The answer is not signed.
        Unsigned = 24 "unsigned",
        /// The answer of the name server is malformed.
        BadAnswer = 25 "bad_answer",
        /// The domain takes no mail.
        NoMail = 26 "no_mail",
        /// The server does not offer TLS on this connection.
        NoStartTls = 29 "no_starttls",
        /// The certificate has expired.
        Expired = 30 "expired",
        /// The certificate is not valid yet.
        NotYetValid = 31 "not_yet_valid",
        /// The certificate is for another name.
        WrongName = 32 "wrong_name",
        /// The certificate is signed by itself.
        SelfSigned = 33 "self_signed",
        /// The chain ends in a root that is not trusted.
        UnknownIssuer = 34 "unknown_issuer",
        /// The chain that was sent breaks off before any root.
        MissingIntermediate = 35 "missing_intermediate",
        /// A signature or another part of the certificate is wrong.
        BadCertificate = 36 "bad_certificate",
        /// The server ended the handshake with an alert.
        Alert = 37 "alert",
        /// No common version or cipher.
        Incompatible = 38 "incompatible",
        /// What came is not TLS.
        NotTls = 39 "not_tls",
        /// The answer is not HTTP.
        NotHttp = 40 "not_http",
        /// The head of the answer is malformed.
        BadHead = 41 "bad_head",
        /// The connection ended before an answer came.
        NoAnswer = 42 "no_answer",
        /// The framing of the body is malformed.
        BadFraming = 43 "bad_framing",
        /// The body is shorter than announced.
        Incomplete = 44 "incomplete",
        /// The body cannot be decompressed.
        BadEncoding = 45 "bad_encoding",
        /// The greeting is none of the protocol.
        BadGreeting = 46 "bad_greeting",
        /// A reply is malformed.
        BadReply = 47 "bad_reply",
        /// The server says that it cannot serve now.
        Unavailable = 48 "unavailable",
        /// The server refuses what was asked.
        Rejected = 49 "rejected",
        /// Redirects go round in a circle.
        Loop = 50 "loop",
        /// There are more redirects than allowed.
        TooMany = 51 "too_many",
        /// A redirect names no address that can be polled, or another host than the body is for.
        BadLocation = 52 "bad_location",
        /// A redirect leads to another scheme than http and https.
        OtherScheme = 53 "other_scheme",
        /// The server does not take the login.
        LoginRefused = 54 "login_refused",
        /// The head is over its cap.
        Headers = 60 "headers",
        /// The decompressed body is over its cap.
        Decompressed = 61 "decompressed",
        /// The body is over its cap, and the expectation needs all of it.
        Undecided = 62 "undecided",
        /// A text that the body must hold is not there.
        BodyContains = 70 "body_contains",
        /// A text that the body must not hold is there.
        BodyNotContains = 71 "body_not_contains",
        /// The body does not match the pattern.
        BodyRegex = 72 "body_regex",
        /// The body is not the JSON that is expected.
        Json = 73 "json",
        /// A header is not as expected.
        Header = 74 "header",
        /// The poll took longer than expected.
        Latency = 75 "latency",
        /// The certificate runs out soon.
        CertificateDays = 76 "certificate_days",
        /// A line that must come did not come.
        Line = 77 "line",
        /// Some echoes did not come back.
        Loss = 78 "loss",
        /// No file descriptor is left.
        Descriptors = 80 "descriptors",
        /// No local port is left.
        Ports = 81 "ports",
        /// No memory is left.
        Memory = 82 "memory",
        /// The check panicked.
        Panic = 83 "panic",
        /// A setting of the target cannot be used: a file that cannot be read, a bad proxy.
        Setting = 84 "setting",
        /// The system lets us send no echo requests.
        IcmpForbidden = 85 "icmp_forbidden",
        /// The address is one that targets given through the API may not lie at.
        ForbiddenAddress = 86 "forbidden_address",
        /// We did not get the processor in time.
        Processor = 90 "processor",
        /// Nearly everything failed together: it is probably us.
        Doubted = 91 "doubted",
    }
}
