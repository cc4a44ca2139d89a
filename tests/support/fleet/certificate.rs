//! The fleet's own certificate authority and the certificates, good and bad, of its TLS ports.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::address::address;

/// What is right or wrong with a TLS port of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Certificate {
    /// Good, for `fleet.test`, `*.fleet.test`, 127.0.0.1, `::1` and the first eight targets.
    Good,
    /// As good, and HTTP/2 is spoken as well.
    Http2,
    Expired,
    NotYetValid,
    SelfSigned,
    WrongName,
    /// The chain lacks the certificate between the leaf and the root.
    MissingIntermediate,
    /// The chain ends in a root that is sent along but is not the fleet's.
    UnknownIssuer,
    /// Every handshake is refused with an alert.
    Alert,
    /// Plain text instead of TLS.
    Garbage,
}

impl Certificate {
    pub(crate) const ALL: [Self; 10] = [
        Self::Good,
        Self::Http2,
        Self::Expired,
        Self::NotYetValid,
        Self::SelfSigned,
        Self::WrongName,
        Self::MissingIntermediate,
        Self::UnknownIssuer,
        Self::Alert,
        Self::Garbage,
    ];

    /// Its place in `ALL`.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

type Issuer = CertifiedIssuer<'static, KeyPair>;
type Chain = Vec<CertificateDer<'static>>;

/// Issues the certificates of one fleet.
pub(crate) struct Authority {
    root: Issuer,
    intermediate: Issuer,
    stranger: Issuer,
    key: KeyPair,
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a P-256 key needs nothing but random bytes")
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2070, 1, 1));
    params
}

fn root(name: &str) -> Issuer {
    CertifiedIssuer::self_signed(authority(name), key()).expect("the parameters are fixed")
}

impl Authority {
    pub(crate) fn new() -> Self {
        let root = root("Fleet Root");
        let intermediate =
            CertifiedIssuer::signed_by(authority("Fleet Intermediate"), key(), &root)
                .expect("the parameters are fixed");
        Self { root, intermediate, stranger: self::root("Stranger Root"), key: key() }
    }

    /// The root's certificate as PEM text.
    pub(crate) fn pem(&self) -> String {
        self.root.pem()
    }

    /// How a port of this kind is served over TLS; nothing for the one that does not speak it.
    pub(crate) fn server(&self, kind: Certificate) -> Option<Arc<ServerConfig>> {
        let versions = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3");
        let builder = versions.with_no_client_auth();
        let mut config = match kind {
            Certificate::Garbage => return None,
            Certificate::Alert => builder.with_cert_resolver(Arc::new(NoCertificate)),
            kind => {
                let key = PrivateKeyDer::try_from(self.key.serialize_der())
                    .expect("a key that was just made can be read");
                builder
                    .with_single_cert(self.chain(kind), key)
                    .expect("the key is the certificate's")
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if kind == Certificate::Http2 {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Some(Arc::new(config))
    }

    fn chain(&self, kind: Certificate) -> Chain {
        let mut leaf = leaf(kind);
        let between = self.intermediate.der().clone();
        match kind {
            Certificate::SelfSigned => {
                leaf.distinguished_name.push(DnType::CommonName, "Fleet Self");
                vec![leaf.self_signed(&self.key).expect("the parameters are fixed").into()]
            }
            Certificate::MissingIntermediate => vec![self.issue(&leaf, &self.intermediate)],
            Certificate::UnknownIssuer => {
                vec![self.issue(&leaf, &self.stranger), self.stranger.der().clone()]
            }
            _ => vec![self.issue(&leaf, &self.intermediate), between],
        }
    }

    fn issue(&self, leaf: &CertificateParams, issuer: &Issuer) -> CertificateDer<'static> {
        leaf.signed_by(&self.key, issuer).expect("the parameters are fixed").into()
    }
}

/// What a leaf of this kind says.
fn leaf(kind: Certificate) -> CertificateParams {
    let names = match kind {
        Certificate::WrongName => vec!["other.test".to_owned()],
        _ => ["fleet.test", "*.fleet.test", "127.0.0.1", "::1"]
            .into_iter()
            .map(str::to_owned)
            .chain((0..8).map(|number| address(number).to_string()))
            .collect(),
    };
    let mut params = CertificateParams::new(names).expect("the names are ASCII");
    params.distinguished_name.push(DnType::CommonName, "Fleet");
    params.use_authority_key_identifier_extension = kind != Certificate::SelfSigned;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (from, until) = match kind {
        Certificate::Expired => (2020, 2021),
        Certificate::NotYetValid => (2060, 2061),
        _ => (2020, 2070),
    };
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
    params
}

/// Has no certificate for anybody.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
