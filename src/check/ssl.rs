//! Looks at the certificate that a server shows.

mod message;

use std::time::Duration;

use rustls::pki_types::UnixTime;
use tokio::io::AsyncWriteExt;

use crate::address::Host;
use crate::check::certificate::{DAY, Expiry, describe};
use crate::check::fault::Fault;
use crate::check::network::Network;
use crate::check::progress::Progress;
use crate::check::starttls;
use crate::check::tls::{Handshake, Offer, Shown};
use crate::outcome::{Cause, Detail};
use crate::target::{SslProbe, Target};

/// Looks at the certificate that a server shows.
///
/// What is wrong with its chain makes the target down, unless the plan does not verify; then it is
/// only told, and the days alone count.
///
/// # Errors
/// What the target, or this machine, fails by.
pub(crate) async fn check(
    network: &Network,
    target: &Target,
    probe: &SslProbe,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let (plan, host, port) = (&*target.plan, target.address.host(), target.address.port());
    progress.tell(|facts| {
        facts.put(
            "hostname",
            match host {
                Host::Ip(ip) => ip.to_string(),
                Host::Name(name) => name.to_owned(),
            },
        );
        facts.put("port", port);
        facts.put("warning_days", probe.warning_days);
        facts.put("critical_days", probe.critical_days);
    });
    let mut tcp = network.connect(target, host, port, progress).await?;
    let mut shown = Shown::default();
    let begun = starttls::begin(&mut tcp, probe.start, progress).await;
    let handshake = Handshake { host, plan: &plan.tls, offer: Offer::Nothing };
    let secured = match begun {
        Ok(()) => network.secure(tcp, handshake, &mut shown, progress).await,
        Err(fault) => Err(fault),
    };
    let (secured, farewell) = match secured {
        Ok(stream) => (Ok(()), Some(stream)),
        Err(fault) => (Err(fault), None),
    };
    let now = UnixTime::now();
    let secured = without_name(secured, probe, &mut shown);
    let result = secured.and_then(|()| judge(probe, &shown, now));
    progress.tell(|facts| {
        facts.data.extend(describe(&shown, now));
        facts.message = message::message(target, probe, &shown, result, now);
    });
    if let Some(mut stream) = farewell {
        // Whether it is heard changes nothing: what cannot be said at once is left out.
        let _ = tokio::time::timeout(Duration::ZERO, stream.shutdown()).await;
    }
    result
}

/// What the handshake came to when the name does not count, unless it does.
fn without_name(
    secured: Result<(), Fault>,
    probe: &SslProbe,
    shown: &mut Shown,
) -> Result<(), Fault> {
    let wrong_name = Err(Fault::tls(Detail::WrongName));
    if probe.name.is_wanted() || shown.verdict != Some(wrong_name) {
        return secured;
    }
    // The name is judged last, so that all else of the chain is right where it is wrong.
    shown.verdict = Some(Ok(()));
    match secured {
        Err(_) if shown.is_complete() => Ok(()),
        // The proof that the peer owns the certificate was wrong as well.
        secured if secured == wrong_name => Err(Fault::tls(Detail::BadCertificate)),
        secured => secured,
    }
}

/// Judges the days that are left.
fn judge(probe: &SslProbe, shown: &Shown, now: UnixTime) -> Result<(), Fault> {
    let expiry = expiry(probe, shown).ok_or(Fault::tls(Detail::BadCertificate))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let left = expiry.until.saturating_sub(now);
    if left < i64::from(probe.critical_days) * DAY {
        return Err(Fault::tls(Detail::CertificateDays));
    }
    if left < i64::from(probe.warning_days) * DAY {
        return Err(Fault::new(Cause::Assertion, Detail::CertificateDays));
    }
    Ok(())
}

/// When what counts runs out.
fn expiry(probe: &SslProbe, shown: &Shown) -> Option<Expiry> {
    if probe.chain.is_wanted() { Expiry::of_path(shown) } else { Expiry::of_leaf(shown) }
}
