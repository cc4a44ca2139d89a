//! `Path`: the certificates of a chain that lead from the leaf towards a root, in whatever order they came.

use x509_parser::prelude::X509Certificate;

use crate::check::roots::Trust;

/// Certificates of a chain that are looked at.
pub(super) const LONGEST: usize = 100;

/// How a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Below a root that bears the name of the last one's issuer.
    Root,
    /// In a certificate that is signed by itself.
    SelfSigned,
    /// In one whose issuer was not sent, and no root bears its name.
    Missing,
}

/// The certificates that lead from the leaf towards a root.
#[derive(Debug)]
pub(super) struct Path<'c, 'd> {
    certificates: Vec<&'c X509Certificate<'d>>,
    pub(super) end: End,
}

impl<'c, 'd> Path<'c, 'd> {
    /// The path through `chain`, of which only the leaf has its place; none when there is no leaf.
    pub(super) fn of(chain: &'c [X509Certificate<'d>], trust: &Trust) -> Option<Self> {
        let mut current = chain.first()?;
        let mut certificates = vec![current];
        while !is_below_root(current, trust) {
            let issuer = current.issuer().as_raw();
            let is_next = |one: &&'c X509Certificate<'d>| {
                one.subject().as_raw() == issuer && !holds(&certificates, one)
            };
            // Authorities are vouched for by several others; the way to a root counts.
            let mut issuers = chain.iter().filter(is_next);
            let to_root = issuers.clone().find(|one| is_below_root(one, trust));
            let Some(next) = to_root.or_else(|| issuers.next()) else { break };
            certificates.push(next);
            current = next;
        }
        let end = if is_below_root(current, trust) {
            End::Root
        } else if is_own_issuer(current) {
            End::SelfSigned
        } else {
            End::Missing
        };
        Some(Self { certificates, end })
    }

    /// Its certificates, leaf first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'c X509Certificate<'d>> {
        self.certificates.iter().copied()
    }

    pub(super) fn leaf(&self) -> Option<&'c X509Certificate<'d>> {
        self.certificates.first().copied()
    }

    /// The one that is furthest from the leaf.
    pub(super) fn last(&self) -> Option<&'c X509Certificate<'d>> {
        self.certificates.last().copied()
    }

    /// The one that runs out first.
    pub(super) fn first_to_end(&self) -> Option<&'c X509Certificate<'d>> {
        self.iter().min_by_key(|one| one.validity().not_after.timestamp())
    }

    /// Whether this very certificate of the chain is on it.
    pub(super) fn has(&self, certificate: &X509Certificate<'_>) -> bool {
        holds(&self.certificates, certificate)
    }
}

/// Whether a certificate says that it is signed by itself.
pub(super) fn is_own_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

fn is_below_root(certificate: &X509Certificate<'_>, trust: &Trust) -> bool {
    trust.has_subject(certificate.issuer().as_raw())
}

fn holds(certificates: &[&X509Certificate<'_>], certificate: &X509Certificate<'_>) -> bool {
    // A certificate that was sent twice is the same bytes in two places.
    certificates.iter().any(|one| std::ptr::eq(one.as_raw(), certificate.as_raw()))
}
