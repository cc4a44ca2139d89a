//! What a check of a certificate found, in a sentence.

use rustls::pki_types::UnixTime;

use super::expiry;
use crate::check::certificate::{days, reason, timestamp};
use crate::check::fault::Fault;
use crate::check::tls::Shown;
use crate::outcome::{Cause, Detail, Verdict};
use crate::target::{SslProbe, StartTls, Target};

/// What the check came to; empty where the fault says it all.
pub(super) fn message(
    target: &Target,
    probe: &SslProbe,
    shown: &Shown,
    result: Result<(), Fault>,
    now: UnixTime,
) -> String {
    match result {
        Ok(()) => good(probe, shown, now),
        Err(fault) if fault.detail == Detail::CertificateDays => soon(probe, shown, fault, now),
        Err(fault) if shown.verdict == Some(Err(fault)) => untrusted(shown, now),
        Err(fault) => broken(target, probe, fault),
    }
}

fn good(probe: &SslProbe, shown: &Shown, now: UnixTime) -> String {
    let when = when(probe, shown, now);
    match reason(shown, now) {
        None => format!("{when}; it is trusted"),
        Some(reason) => format!("{when}; it is not trusted, which is not asked for: {reason}"),
    }
}

fn soon(probe: &SslProbe, shown: &Shown, fault: Fault, now: UnixTime) -> String {
    let limit = match fault.cause.verdict() {
        Verdict::Warning => probe.warning_days,
        _ => probe.critical_days,
    };
    format!("{}, and {limit} days are the least", when(probe, shown, now))
}

fn untrusted(shown: &Shown, now: UnixTime) -> String {
    let reason = reason(shown, now).unwrap_or_default();
    format!("the certificate is not trusted: {reason}")
}

/// Which certificate runs out when.
fn when(probe: &SslProbe, shown: &Shown, now: UnixTime) -> String {
    let Some(expiry) = expiry(probe, shown) else { return "no certificate can be read".to_owned() };
    let which = match expiry.of {
        None => "the certificate".to_owned(),
        Some(name) => format!("the certificate {name} of the chain"),
    };
    let on = timestamp(expiry.until);
    match days(expiry.until, now) {
        i64::MIN..=-1 => format!("{which} ran out on {on}"),
        0 => format!("{which} runs out within a day, on {on}"),
        1 => format!("{which} runs out in a day, on {on}"),
        days => format!("{which} runs out in {days} days, on {on}"),
    }
}

fn broken(target: &Target, probe: &SslProbe, fault: Fault) -> String {
    let (host, port) = (target.address.host_text(), target.address.port());
    let spoken = match probe.start {
        StartTls::Direct => "TLS",
        StartTls::Smtp => "SMTP",
        StartTls::Imap => "IMAP",
        StartTls::Pop3 => "POP3",
    };
    let at = format!("{host} port {port}");
    match (fault.cause, fault.detail) {
        (Cause::Tls, Detail::NotTls) => format!("what answers at {at} does not speak TLS"),
        (Cause::Tls, Detail::NoStartTls) => format!("{at} offers no TLS over {spoken}"),
        (Cause::Tls, Detail::Incompatible) => {
            format!("{at} and this program have no version or cipher of TLS in common")
        }
        (Cause::Tls, Detail::Alert) => format!("{at} ended the handshake with an alert"),
        (Cause::Tls, Detail::BadCertificate) => {
            format!("{at} did not prove that the certificate is its own")
        }
        (Cause::Tls, _) => format!("the handshake with {at} failed"),
        (Cause::Reset, _) => format!("{at} tore the connection down before a handshake was over"),
        (Cause::Protocol, Detail::BadGreeting) => {
            format!("what answers at {at} does not speak {spoken}")
        }
        (Cause::Status, Detail::Unavailable) => format!("{at} says that it cannot serve now"),
        (Cause::Status, _) => format!("{at} refuses to serve us"),
        (Cause::Protocol, Detail::NoAnswer) => format!("{at} hung up before it answered"),
        (Cause::Protocol, _) => format!("{at} breaks the rules of {spoken}"),
        _ => String::new(),
    }
}
