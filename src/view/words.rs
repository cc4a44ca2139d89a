//! Causes and verdicts in the words of people.

use std::time::Duration;

use super::text::duration;
use crate::outcome::{Cause, Detail, Verdict};

/// The name of a verdict in outputs.
#[must_use]
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Up => "up",
        Verdict::Warning => "warning",
        Verdict::Down => "down",
        Verdict::Unknown => "unknown",
    }
}

/// Why a check that may take `limit` did not simply find its target up.
#[must_use]
pub fn why(cause: Cause, detail: Detail, limit: Duration) -> String {
    if cause == Cause::Timeout {
        return format!("no answer within {}{}", span(limit), during(detail));
    }
    match of_detail(detail) {
        "" => of_cause(cause).to_owned(),
        words => words.to_owned(),
    }
}

/// A span that somebody chose, with no more digits than it has: `250 ms`, `1.5 s`, `30 s`.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if (1.0..60.0).contains(&seconds) {
        let digits = format!("{seconds:.3}");
        return format!("{} s", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    duration(seconds)
}

const fn during(detail: Detail) -> &'static str {
    match detail {
        Detail::Connecting => " (it takes no connection)",
        Detail::Handshaking => " (in the TLS handshake)",
        Detail::Sending => " (it does not take the request)",
        Detail::Transferring => " (it began to answer)",
        _ => "",
    }
}

const fn of_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Timeout => "no answer in time",
        Cause::Dns => "the name does not resolve",
        Cause::Connect => "no connection came about",
        Cause::Reset => "the connection was torn down",
        Cause::Tls => "the TLS handshake failed",
        Cause::Protocol => "the answer breaks the protocol",
        Cause::Body => "the body is incomplete",
        Cause::Redirect => "a redirect leads nowhere",
        Cause::TooLarge => "the answer is too large",
        Cause::Status => "the status is not an expected one",
        Cause::Assertion => "an expectation does not hold",
        Cause::Throttled => "it asks for fewer requests",
        Cause::Resolver => "our name server does not answer",
        Cause::NoNetwork => "we have no network",
        Cause::NoResources => "this machine has no resources left",
        Cause::Clock => "our clock cannot be relied on",
        Cause::Internal => "the check itself failed",
    }
}

const fn of_detail(detail: Detail) -> &'static str {
    match detail {
        Detail::NoSuchName => "there is no such name",
        Detail::NoAddress => "the name has no address",
        Detail::ServerFailure => "the name server reports a failure",
        Detail::Unanswered => "the name server does not answer",
        Detail::QueryRefused => "the name server refuses to answer",
        Detail::NoRecord => "the name has no such record",
        Detail::WrongAnswer => "the record is not the expected one",
        Detail::NotPropagated => "too few name servers give the expected answer",
        Detail::Lame => "the name servers of the zone do not agree",
        Detail::Bogus => "the signatures of the answer are wrong",
        Detail::Unsigned => "the answer is not signed",
        Detail::BadAnswer => "the answer of the name server is malformed",
        Detail::NoMail => "the domain takes no mail",
        Detail::Refused => "connection refused",
        Detail::Unreachable => "there is no way to the host",
        Detail::Forbidden => "our own firewall forbids the connection",
        Detail::ProxyRefused => "the proxy does not let us through",
        Detail::NoStartTls => "the server offers no STARTTLS",
        Detail::Expired => "the certificate has expired",
        Detail::NotYetValid => "the certificate is not valid yet",
        Detail::WrongName => "the certificate is for another name",
        Detail::SelfSigned => "the certificate is self-signed",
        Detail::UnknownIssuer => "the certificate's issuer is not trusted",
        Detail::MissingIntermediate => "an intermediate certificate was not sent",
        Detail::BadCertificate => "the certificate is malformed",
        Detail::Alert => "the server ended the TLS handshake",
        Detail::Incompatible => "no TLS version or cipher in common",
        Detail::NotTls => "what came is not TLS",
        Detail::NotHttp => "the answer is not HTTP",
        Detail::BadHead => "the head of the answer is malformed",
        Detail::NoAnswer => "the connection ended before an answer came",
        Detail::BadFraming => "the framing of the body is malformed",
        Detail::Incomplete => "the body is shorter than announced",
        Detail::BadEncoding => "the body cannot be decompressed",
        Detail::BadGreeting => "the greeting is none of the protocol",
        Detail::BadReply => "a reply is malformed",
        Detail::Unavailable => "the server says that it cannot serve now",
        Detail::Rejected => "the server refuses",
        _ => of_rare_detail(detail),
    }
}

const fn of_rare_detail(detail: Detail) -> &'static str {
    match detail {
        Detail::LoginRefused => "the server does not take the login",
        Detail::Loop => "redirects go round in a circle",
        Detail::TooMany => "there are too many redirects",
        Detail::BadLocation => "a redirect names no address that can be asked",
        Detail::OtherScheme => "a redirect leads to another scheme",
        Detail::Headers => "the head of the answer is too large",
        Detail::Decompressed => "the decompressed body is too large",
        Detail::Undecided => "the body is too large to decide what is expected of it",
        Detail::BodyContains => "an expected text is not in the body",
        Detail::BodyNotContains => "an unexpected text is in the body",
        Detail::BodyRegex => "the body does not match the pattern",
        Detail::Json => "the body is not the expected JSON",
        Detail::Header => "a header is not as expected",
        Detail::Latency => "it took longer than expected",
        Detail::CertificateDays => "the certificate runs out soon",
        Detail::Line => "the expected line did not come",
        Detail::Loss => "some echoes did not come back",
        Detail::Descriptors => "no file descriptor is left",
        Detail::Ports => "no local port is left",
        Detail::Memory => "no memory is left",
        Detail::Processor => "we did not get the processor in time",
        Detail::Panic => "the check panicked",
        Detail::Setting => "a setting of the check cannot be used",
        Detail::ForbiddenAddress => {
            "its address is not a public one, and a target that is given through the API may not \
             lie there unless the setting allow_targets lets it"
        }
        Detail::Doubted => "nearly everything failed together: it is probably us",
        Detail::IcmpForbidden => {
            "this system lets the process send no echo requests; allow it by the sysctl \
             net.ipv4.ping_group_range or by the capability CAP_NET_RAW"
        }
        _ => "",
    }
}
