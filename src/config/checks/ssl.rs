//! The keys of `ssl_certificate`.

use super::keys::Keys;
use super::place::Place;
use crate::address::Scheme;
use crate::config::fields::Fields;
use crate::target::{Look, Probe, SslProbe, StartTls, Verify};

/// Days that a certificate may be valid for at most, as far as settings go.
const MOST_DAYS: u32 = 36_500;

const STARTS: &[(&str, StartTls)] = &[
    ("none", StartTls::Direct),
    ("smtp", StartTls::Smtp),
    ("imap", StartTls::Imap),
    ("pop3", StartTls::Pop3),
];

pub(super) fn read(keys: &mut Keys<'_>, fields: &mut Fields) {
    let usual = SslProbe::default();
    let place = Place::read(keys, "hostname");
    let of_scheme = place.as_ref().and_then(|place| place.scheme).map(|scheme| match scheme {
        Scheme::Smtp => StartTls::Smtp,
        Scheme::Imap => StartTls::Imap,
        Scheme::Pop3 => StartTls::Pop3,
        _ => StartTls::Direct,
    });
    let start = keys.choice("starttls", STARTS).or(of_scheme).unwrap_or_default();
    let warning_days = keys.number("warning_days", MOST_DAYS).unwrap_or(usual.warning_days);
    let critical_days = keys.number("critical_days", MOST_DAYS);
    // Who names a warning below the usual critical days means a certificate that is later renewed.
    let critical_days = critical_days.unwrap_or(usual.critical_days.min(warning_days));
    if critical_days > warning_days {
        keys.fault(format!(
            "\"critical_days\" is {critical_days} and \"warning_days\" {warning_days}; write fewer \
             critical than warning days"
        ));
    }
    if let Some(verify) = keys.truth("verify_ssl") {
        fields.plan.tls.verify = Some(if verify { Verify::Strict } else { Verify::Off });
    }
    let probe = SslProbe {
        warning_days,
        critical_days,
        chain: Look::when(keys.truth("check_chain").unwrap_or(false)),
        name: Look::when(keys.truth("verify_hostname").unwrap_or(true)),
        start,
    };
    fields.plan.probe = Some(Probe::Ssl(probe));
    if let Some(mut place) = place {
        place.port = place.port.or(Some(match start {
            StartTls::Direct => 443,
            StartTls::Smtp => 25,
            StartTls::Imap => 143,
            StartTls::Pop3 => 110,
        }));
        place.address(Scheme::Ssl, "", fields);
    }
}
