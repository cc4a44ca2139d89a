//! `Tls`: handshakes that show a certificate even when it is bad, and judge it afterwards.

mod accepting;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
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

/// How long files that could not be used are not tried again.
const RETRY: Duration = Duration::from_mins(1);

/// Makes TLS connections.
#[derive(Debug)]
pub(crate) struct Tls {
    /// File with roots that are trusted for every target.
    ca: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    certificates: Certificates,
    /// What targets without TLS settings of their own use, by HTTP version.
    usual: [OnceLock<Arc<Setup>>; 2],
    special: Mutex<HashMap<Key, Loaded>>,
    numbers: AtomicU64,
}

/// What a handshake needs.
#[derive(Debug)]
struct Setup {
    config: Arc<ClientConfig>,
    trust: Arc<Trust>,
}

/// What setups differ by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    ca: Option<PathBuf>,
    /// Files with our certificate and its key.
    shown: (Option<PathBuf>, Option<PathBuf>),
    version: HttpVersion,
}

#[derive(Debug)]
enum Loaded {
    Good(Arc<Setup>),
    Bad(Instant),
}

impl Tls {
    pub(crate) fn new(ca: Option<PathBuf>) -> Self {
        Self {
            ca,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            certificates: Certificates::new(),
            usual: [OnceLock::new(), OnceLock::new()],
            special: Mutex::default(),
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
        let setup = self.setup(&plan.tls, plan.http_version)?;
        let name = match address.host() {
            Host::Ip(ip) => ServerName::IpAddress(ip.into()),
            Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|_| Fault::tls(Detail::WrongName))?,
        };
        let connector = TlsConnector::from(Arc::clone(&setup.config));
        let (connected, chain) =
            accepting::watch(plan.tls.verify, connector.connect(name.clone(), tcp)).await;
        let broken = |error| Fault::of_stream(&error, Detail::Handshaking);
        if chain.is_empty() {
            return connected.map(Box::new).map_err(broken);
        }
        let verdict = self.certificates.judge(&chain, &name, &setup.trust, UnixTime::now());
        *until = verdict.until;
        match (connected, verdict.result) {
            // A key that cannot be used ends the handshake, and the chain may say more of it.
            (Err(error), Err(fault)) if is_of_certificate(&error) => Err(fault),
            (Err(error), _) => Err(broken(error)),
            (Ok(_), Err(fault)) if plan.tls.verify == Verify::Strict => Err(fault),
            (Ok(stream), _) => Ok(Box::new(stream)),
        }
    }

    fn setup(&self, plan: &TlsPlan, version: HttpVersion) -> Result<Arc<Setup>, Fault> {
        if plan.ca.is_none() && plan.client_cert.is_none() && plan.client_key.is_none() {
            return self.setup_usual(version).map_err(|error| refuse(&error));
        }
        let key = Key {
            ca: plan.ca.clone(),
            shown: (plan.client_cert.clone(), plan.client_key.clone()),
            version,
        };
        let mut special = self.special.lock();
        match special.get(&key) {
            Some(Loaded::Good(setup)) => return Ok(Arc::clone(setup)),
            Some(Loaded::Bad(since)) if since.elapsed() < RETRY => return Err(Fault::setting()),
            _ => {}
        }
        match self.load(&key) {
            Ok(setup) => {
                special.insert(key, Loaded::Good(Arc::clone(&setup)));
                Ok(setup)
            }
            Err(error) => {
                special.insert(key, Loaded::Bad(Instant::now()));
                Err(refuse(&error))
            }
        }
    }

    fn setup_usual(&self, version: HttpVersion) -> Result<Arc<Setup>, FileError> {
        let [http_11, http_2] = &self.usual;
        let cell = match version {
            HttpVersion::Http11 => http_11,
            HttpVersion::Http2 => http_2,
        };
        if let Some(setup) = cell.get() {
            return Ok(Arc::clone(setup));
        }
        let key = Key { ca: None, shown: (None, None), version };
        let setup = self.load(&key)?;
        Ok(Arc::clone(cell.get_or_init(|| setup)))
    }

    fn load(&self, key: &Key) -> Result<Arc<Setup>, FileError> {
        let files: Vec<_> = self.ca.iter().chain(&key.ca).map(PathBuf::as_path).collect();
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let trust = Arc::new(Trust::load(number, &files, &self.provider)?);
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
        Ok(Arc::new(Setup { config: Arc::new(config), trust }))
    }
}

fn refuse(error: &FileError) -> Fault {
    tracing::error!(%error, "cannot use the TLS settings of a target");
    Fault::setting()
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
