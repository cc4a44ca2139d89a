//! The judgement of an answer: the first expectation that does not hold, in a fixed order.

mod weigh;

use std::time::Duration;

use rustls::pki_types::UnixTime;

use crate::check::answer::Received;
use crate::check::certificate::DAY;
use crate::check::fault::Fault;
use crate::check::progress::Progress;
use crate::expectation::CERTIFICATE_DAYS;
use crate::outcome::{Cause, Detail};
use crate::target::{Plan, Verify};
pub(crate) use weigh::{Came, expected_status, sentence, weigh};

const TOO_MANY_REQUESTS: u16 = 429;
/// The status of a server that cannot serve for now, and may say for how long (RFC 9110, 15.6.4).
const UNAVAILABLE: u16 = 503;

/// Judges `received` by what `plan` expects.
///
/// # Errors
/// An expectation does not hold.
pub(crate) fn judge(
    plan: &Plan,
    mut received: Received,
    progress: &mut Progress,
) -> Result<(), Fault> {
    if progress.is_told() {
        let elapsed = progress.elapsed();
        let came = Came { received: &mut received, elapsed };
        progress.tell_of(|facts, finding| weigh(plan, Some(came), facts, finding));
    }
    let expect = &plan.expect;
    let failed = |detail| Err(Fault::new(Cause::Assertion, detail));
    if !expect.accepts(received.status, plan.redirects) {
        if matches!(received.status, TOO_MANY_REQUESTS | UNAVAILABLE) {
            let value = received.fields.retry_after.as_deref().unwrap_or_default();
            progress.finding.retry_after_s = retry_after(value, UnixTime::now());
        }
        if received.status == TOO_MANY_REQUESTS {
            return Err(Fault::new(Cause::Throttled, Detail::None));
        }
        return Err(Fault::new(Cause::Status, Detail::None));
    }
    if !received.fields.is_as_expected {
        return failed(Detail::Header);
    }
    received.content.judge(expect, received.is_cut)?;
    judge_connection(plan, progress)
}

/// Judges what does not depend on what was said: the time it took, and how long the certificate
/// is still valid.
///
/// # Errors
/// An expectation does not hold.
pub(crate) fn judge_connection(plan: &Plan, progress: &Progress) -> Result<(), Fault> {
    let failed = |detail| Err(Fault::new(Cause::Assertion, detail));
    let limit = plan.expect.latency_under_ms.map(|ms| Duration::from_millis(ms.into()));
    if limit.is_some_and(|limit| progress.elapsed() >= limit) {
        return failed(Detail::Latency);
    }
    if runs_out_soon(plan, progress.finding.certificate_until) {
        return failed(Detail::CertificateDays);
    }
    Ok(())
}

/// Whether a certificate that runs out at `until`, in Unix seconds, does so too soon.
fn runs_out_soon(plan: &Plan, until: i64) -> bool {
    certificate_days(plan).is_some_and(|days| until != 0 && left(until) < i64::from(days) * DAY)
}

/// The days that a certificate must be valid still.
fn certificate_days(plan: &Plan) -> Option<u32> {
    match (plan.expect.certificate_days, plan.tls.verify) {
        (Some(days), _) => Some(days),
        (None, Verify::Strict) => Some(CERTIFICATE_DAYS),
        (None, Verify::Off) => None,
    }
}

/// The seconds from now until `until`, in Unix seconds.
fn left(until: i64) -> i64 {
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
    until.saturating_sub(now)
}

/// The seconds that a `Retry-After` of seconds or of a date (RFC 9110, section 10.2.3) asks for.
pub(super) fn retry_after(value: &[u8], now: UnixTime) -> u32 {
    let text = std::str::from_utf8(value).unwrap_or_default().trim();
    if let Ok(seconds) = text.parse() {
        return seconds;
    }
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    chrono::DateTime::parse_from_rfc2822(text)
        .ok()
        .and_then(|date| u32::try_from(date.timestamp().saturating_sub(now)).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_or_by_a_date() {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(784_111_777));
        assert_eq!(retry_after(b"120", now), 120);
        assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:50:37 GMT", now), 60);
        assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:00:00 GMT", now), 0);
        assert_eq!(retry_after(b"soon", now), 0);
        let never = UnixTime::since_unix_epoch(Duration::MAX);
        assert_eq!(retry_after(b"Sun, 06 Nov 1960 08:00:00 GMT", never), 0);
    }
}
