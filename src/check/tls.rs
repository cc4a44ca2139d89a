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
use rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::address::{Address, Host};
use crate::check::certificate::Certificates;
use crate::check::fault::{Fault, tls_error};
use crate::check::roots::{FileError, Trust, read_certificates};
use crate::outcome::Detail;
use crate::target::{HttpVersion, Plan, TlsPlan, Verify};
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

/// What handshakes differ by on our side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Files with our certificate and its key.
    shown: (Option<PathBuf>, Option<PathBuf>),
    version: HttpVersion,
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

    /// Makes a TLS connection to `address` over `tcp`; when the certificate that was shown runs
    /// out stands in `until`, in Unix seconds, also where the connection fails.
    ///
    /// # Errors
    /// The handshake failed, the certificate is not trusted, or a file of the plan cannot be used.
    pub(crate) async fn handshake(
        &self,
        tcp: TcpStream,
        address: &Address,
        plan: &Plan,
        until: &mut i64,
    ) -> Result<Box<TlsStream<TcpStream>>, Fault> {
        // What is asked must not wait until the last word of the handshake has been acknowledged.
        // Where that cannot be had, it only takes longer.
        let _ = tcp.set_nodelay(true);
        let now = Instant::now();
        let trust = self.trust(&plan.tls, now)?;
        let config = self.config(&plan.tls, plan.http_version, now)?;
        let name = match address.host() {
            Host::Ip(ip) => ServerName::IpAddress(ip.into()),
            Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|_| Fault::tls(Detail::WrongName))?,
        };
        let connector = TlsConnector::from(config);
        let (connected, chain) =
            accepting::watch(plan.tls.verify, connector.connect(name.clone(), tcp)).await;
        let broken = |error| Fault::of_stream(&error, Detail::Handshaking);
        if chain.is_empty() {
            return connected.map(Box::new).map_err(broken);
        }
        let verdict = self.certificates.judge(&chain, &name, &trust, UnixTime::now());
        *until = verdict.until;
        match (connected, verdict.result) {
            // A key that cannot be used ends the handshake, and the chain may say more of it.
            (Err(error), Err(fault)) if is_of_certificate(&error) => Err(fault),
            (Err(error), _) => Err(broken(error)),
            (Ok(_), Err(fault)) if plan.tls.verify == Verify::Strict => Err(fault),
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
        version: HttpVersion,
        now: Instant,
    ) -> Result<Arc<ClientConfig>, Fault> {
        let shown = (plan.client_cert.clone(), plan.client_key.clone());
        let files: Vec<_> =
            plan.client_cert.iter().chain(&plan.client_key).map(PathBuf::as_path).collect();
        let key = Key { shown, version };
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
        config.alpn_protocols = match key.version {
            HttpVersion::Http11 => vec![b"http/1.1".to_vec()],
            HttpVersion::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
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
        let address = Address::parse(&format!("https://{there}/")).expect("a good address");
        let tcp = TcpStream::from_std(tcp).expect("a runtime");
        let tls = Tls::new(None);
        let result = tls.handshake(tcp, &address, &Plan::default(), &mut 0).await;
        assert!(result.is_err(), "nobody is there");
        assert!(watched.nodelay().expect("a socket tells"));
    }
}
