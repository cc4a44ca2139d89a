//! `Tls`: handshakes that show a certificate even when it is bad, and judge it afterwards.

mod accepting;
mod loaded;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::Host;
use crate::check::certificate::{Certificates, negotiated};
use crate::check::counted::Counted;
use crate::check::fault::{Fault, tls_error};
use crate::check::roots::{FileError, Trust, read_certificates};
use crate::outcome::Detail;
use crate::target::{HttpVersion, TlsPlan, Verify};
use accepting::Accepting;
use loaded::Loaded;

/// Makes TLS connections.
#[derive(Debug)]
pub(crate) struct Tls {
    /// File with roots that are trusted for every target.
    ca: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    certificates: Certificates,
    /// The roots that are trusted, by the file of a target that holds further ones.
    trusts: Loaded<Option<PathBuf>, Arc<Trust>>,
    configs: Loaded<Key, Arc<ClientConfig>>,
    numbers: AtomicU64,
}

/// What is asked of a handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshake<'a> {
    /// Whose certificate it must be.
    pub(crate) host: Host<'a>,
    pub(crate) plan: &'a TlsPlan,
    pub(crate) offer: Offer,
}

/// The protocols that are offered to be spoken over TLS (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Offer {
    /// HTTP, up to this version.
    Http(HttpVersion),
    /// None: it is clear what is spoken.
    Nothing,
}

/// What a server showed in a handshake.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// When the first certificate on the path runs out, in Unix seconds; 0 when none was seen.
    pub(crate) until: i64,
    /// Whether the chain is trusted, and why not; none when none was shown.
    pub(crate) verdict: Option<Result<(), Fault>>,
    /// The certificates, leaf first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// The name that was asked for.
    pub(crate) name: Option<ServerName<'static>>,
    /// The roots by which the chain was judged.
    pub(crate) trust: Option<Arc<Trust>>,
    /// The version of TLS and the cipher suite, once the handshake is over.
    pub(crate) negotiated: (Option<&'static str>, Option<&'static str>),
}

impl Shown {
    /// Whether the handshake came to its end, whatever the certificates are.
    pub(crate) const fn is_complete(&self) -> bool {
        self.negotiated.0.is_some()
    }
}

/// What handshakes differ by on our side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Files with our certificate and its key.
    shown: (Option<PathBuf>, Option<PathBuf>),
    offer: Offer,
}

impl Tls {
    pub(crate) fn new(ca: Option<PathBuf>) -> Self {
        Self {
            ca,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            certificates: Certificates::new(),
            trusts: Loaded::new(),
            configs: Loaded::new(),
            numbers: AtomicU64::new(0),
        }
    }

    /// Makes a TLS connection over `tcp`; what was shown stands in `shown`, also where it fails.
    ///
    /// # Errors
    /// The handshake failed, the certificate is not trusted, or a file of the plan cannot be used.
    pub(crate) async fn handshake(
        &self,
        tcp: Counted,
        handshake: Handshake<'_>,
        shown: &mut Shown,
    ) -> Result<Box<TlsStream<Counted>>, Fault> {
        let Handshake { host, plan, offer } = handshake;
        // What is asked must not wait until the last word of the handshake has been acknowledged.
        // Where that cannot be had, it only takes longer.
        let _ = tcp.set_nodelay(true);
        let now = Instant::now();
        let trust = self.trust(plan, now)?;
        let config = self.config(plan, offer, now)?;
        let name = match host {
            Host::Ip(ip) => ServerName::IpAddress(ip.into()),
            Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|_| Fault::tls(Detail::WrongName))?,
        };
        let connector = TlsConnector::from(config);
        let (connected, chain) =
            accepting::watch(plan.verify, connector.connect(name.clone(), tcp)).await;
        let broken = |error| Fault::of_stream(&error, Detail::Handshaking);
        if chain.is_empty() {
            return connected.map(Box::new).map_err(broken);
        }
        let verdict = self.certificates.judge(&chain, &name, &trust, UnixTime::now());
        (shown.until, shown.verdict) = (verdict.until, Some(verdict.result));
        shown.chain = chain;
        (shown.name, shown.trust) = (Some(name), Some(trust));
        if let Ok(stream) = &connected {
            shown.negotiated = negotiated(stream.get_ref().1);
        }
        match (connected, verdict.result) {
            // A key that cannot be used ends the handshake, and the chain may say more of it.
            (Err(error), Err(fault)) if is_of_certificate(&error) => Err(fault),
            (Err(error), _) => Err(broken(error)),
            (Ok(_), Err(fault)) if plan.verify == Verify::Strict => Err(fault),
            (Ok(stream), _) => Ok(Box::new(stream)),
        }
    }

    fn trust(&self, plan: &TlsPlan, now: Instant) -> Result<Arc<Trust>, Fault> {
        let files: Vec<_> = self.ca.iter().chain(&plan.ca).map(PathBuf::as_path).collect();
        self.trusts.get(&plan.ca, &files, now, || {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            Ok(Arc::new(Trust::load(number, &files, &self.provider)?))
        })
    }

    fn config(
        &self,
        plan: &TlsPlan,
        offer: Offer,
        now: Instant,
    ) -> Result<Arc<ClientConfig>, Fault> {
        let shown = (plan.client_cert.clone(), plan.client_key.clone());
        let files: Vec<_> =
            plan.client_cert.iter().chain(&plan.client_key).map(PathBuf::as_path).collect();
        let key = Key { shown, offer };
        self.configs.get(&key, &files, now, || self.load(&key).map(Arc::new))
    }

    fn load(&self, key: &Key) -> Result<ClientConfig, FileError> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Accepting::new(&self.provider)));
        let mut config = match &key.shown {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(file)) => {
                let secret = PrivateKeyDer::from_pem_file(file)
                    .map_err(|error| FileError::Pem(file.display().to_string(), error))?;
                builder
                    .with_client_auth_cert(read_certificates(cert)?, secret)
                    .map_err(|error| FileError::Pair(cert.display().to_string(), error))?
            }
            _ => return Err(FileError::Half),
        };
        // A resumed session shows the certificate of the first one: a new one would stay unseen.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = match key.offer {
            Offer::Nothing => Vec::new(),
            Offer::Http(HttpVersion::Http11) => vec![b"http/1.1".to_vec()],
            Offer::Http(HttpVersion::Http2) => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        Ok(config)
    }
}

fn is_of_certificate(error: &io::Error) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_asked_over_tls_waits_for_no_acknowledgement() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let there = listener.local_addr().expect("a bound listener has an address");
        let watched = std::net::TcpStream::connect(there).expect("it listens");
        let tcp = watched.try_clone().expect("a second handle");
        tcp.set_nonblocking(true).expect("a socket takes it");
        drop(listener);
        let tcp = tokio::net::TcpStream::from_std(tcp).expect("a runtime");
        let tcp = Counted::new(tcp);
        let (tls, plan) = (Tls::new(None), TlsPlan::default());
        let handshake =
            Handshake { host: Host::Ip(there.ip()), plan: &plan, offer: Offer::Nothing };
        let result = tls.handshake(tcp, handshake, &mut Shown::default()).await;
        assert!(result.is_err(), "nobody is there");
        assert!(watched.nodelay().expect("a socket tells"));
    }
}
