//! When a certificate runs out too soon.

use std::time::{Duration, SystemTime};

use poller::outcome::{Cause, Detail, Verdict};
use poller::target::{Look, SslProbe, Verify};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, date_time_ymd};

use crate::Checker;
use crate::pki::{self, Authority, leaf, root, shown};

/// So many days and an hour from now.
fn end(params: &mut CertificateParams, days: u64) {
    params.not_after = (SystemTime::now() + Duration::from_hours(24 * days + 1)).into();
}

fn ending(days: u64) -> CertificateParams {
    let mut params = leaf("leaf");
    end(&mut params, days);
    params
}

const CRITICAL: (Verdict, Option<Cause>, Detail) =
    (Verdict::Down, Some(Cause::Tls), Detail::CertificateDays);
const WARNING: (Verdict, Option<Cause>, Detail) =
    (Verdict::Warning, Some(Cause::Assertion), Detail::CertificateDays);

#[tokio::test]
async fn few_days_are_a_warning_and_fewer_are_critical() {
    let root = root("root");
    let checker = Checker::trusting(&root);
    for (days, expected) in [(13, CRITICAL), (14, WARNING), (29, WARNING)] {
        let found = checker.judge(shown(&ending(days), &root, &[])).await;
        assert_eq!(found.verdict(), expected, "{days}");
        assert_eq!(found.fact("days_until_expiration"), days);
        assert_eq!(found.fact("is_trusted"), true);
        let limit = if expected == CRITICAL { 14 } else { 30 };
        let message = &found.facts.message;
        assert!(
            message.starts_with(&format!("the certificate runs out in {days} days")),
            "{message}"
        );
        assert!(message.ends_with(&format!("{limit} days are the least")), "{message}");
    }
    let found = checker.judge(shown(&ending(30), &root, &[])).await;
    found.is_up();
    let probe = SslProbe { warning_days: 10, critical_days: 5, ..SslProbe::default() };
    let checker = checker.probing(probe);
    checker.judge(shown(&ending(10), &root, &[])).await.is_up();
    assert_eq!(checker.judge(shown(&ending(9), &root, &[])).await.verdict(), WARNING);
    assert_eq!(checker.judge(shown(&ending(4), &root, &[])).await.verdict(), CRITICAL);
}

#[tokio::test]
async fn a_chain_counts_where_it_is_asked_for_and_only_as_far_as_it_is_needed() {
    let root = root("root");
    let middle = |name: &str, days| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        end(&mut params, days);
        Authority::signed_by(params, pki::key(), &root).expect("an authority")
    };
    let (soon, late) = (middle("soon", 10), middle("late", 200));
    let checker = Checker::trusting(&root);
    let found = checker.judge(shown(&ending(100), &soon, &[&soon])).await;
    found.is_up();
    assert_eq!(found.fact("chain")[1]["days_until_expiration"], 10);
    let checker = checker.probing(SslProbe { chain: Look::Yes, ..SslProbe::default() });
    let found = checker.judge(shown(&ending(100), &soon, &[&soon])).await;
    assert_eq!(found.verdict(), CRITICAL);
    assert_eq!(found.fact("days_until_expiration"), 100, "the leaf's");
    let message = &found.facts.message;
    assert!(
        message.starts_with("the certificate CN=soon of the chain runs out in 10"),
        "{message}"
    );
    checker.judge(shown(&ending(100), &late, &[&soon, &late])).await.is_up();
    assert_eq!(checker.judge(shown(&ending(20), &late, &[&late])).await.verdict(), WARNING);
}

#[tokio::test]
async fn days_count_also_where_nothing_is_verified() {
    let root = root("root");
    let mut params = leaf("leaf");
    params.not_after = date_time_ymd(2020, 1, 1);
    let checker = Checker::trusting(&root).verifying(Verify::Off);
    let found = checker.judge(shown(&params, &root, &[])).await;
    assert_eq!(found.verdict(), CRITICAL);
    assert_eq!(found.text("trust_problem"), "expired");
    assert!(found.facts.message.starts_with("the certificate ran out on 2020-01-01"));
}
