//! `Trust`: the root certificates that a target's chain may end in.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why certificates or keys of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The file cannot be read, or is no PEM.
    #[error("cannot read PEM from {0}: {1}")]
    Pem(String, rustls::pki_types::pem::Error),
    /// There is nothing in it, or nothing that can be used.
    #[error("{0} holds no certificate that can be used")]
    Empty(String),
    /// Certificate and key do not go together.
    #[error("cannot use certificate {0} with its key: {1}")]
    Pair(String, rustls::Error),
    /// A certificate without a key, or a key without a certificate.
    #[error("client_cert and client_key need each other")]
    Half,
    /// The roots cannot be used.
    #[error("cannot set up the verifier: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    /// TLS itself cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// The roots that are trusted, and what judges a chain by them.
#[derive(Debug)]
pub(crate) struct Trust {
    /// Tells one set of roots from another.
    pub(crate) number: u64,
    pub(crate) verifier: Arc<WebPkiServerVerifier>,
    /// Certificates of the files, which are trusted also when a target shows one as its own.
    extra: Vec<CertificateDer<'static>>,
    subjects: HashSet<Box<[u8]>>,
}

impl Trust {
    /// The built-in roots, the system's, and those of `files`.
    ///
    /// # Errors
    /// A file cannot be used.
    pub(crate) fn load(
        number: u64,
        files: &[&Path],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, FileError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "cannot read the system's root certificates");
        }
        roots.add_parsable_certificates(native.certs);
        let mut extra = Vec::new();
        for file in files {
            let certificates = read_certificates(file)?;
            let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
            if added == 0 {
                return Err(FileError::Empty(file.display().to_string()));
            }
            extra.extend(certificates);
        }
        let subjects = roots.roots.iter().map(|root| root.subject.as_ref().into()).collect();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()?;
        Ok(Self { number, verifier, extra, subjects })
    }

    /// Whether a root has this subject, in DER with its header.
    pub(crate) fn has_subject(&self, name: &[u8]) -> bool {
        self.subjects.contains(without_header(name))
    }

    /// Whether a file names this very certificate.
    pub(crate) fn names(&self, certificate: &CertificateDer<'_>) -> bool {
        self.extra.iter().any(|extra| extra == certificate)
    }
}

/// TLS for what is no poll: verified by the built-in roots, the system's, and those of `ca`.
///
/// # Errors
/// The file cannot be used.
pub fn client_tls(ca: Option<&Path>) -> Result<ClientConfig, super::SetupError> {
    let setup = |error: FileError| super::SetupError::Roots(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let files: Vec<_> = ca.into_iter().collect();
    let trust = Trust::load(0, &files, &provider).map_err(setup)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(error.into()))?
        .with_webpki_verifier(trust.verifier)
        .with_no_client_auth();
    Ok(config)
}

/// The certificates of a PEM file.
///
/// # Errors
/// It cannot be read or holds none.
pub(crate) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let shown = || file.display().to_string();
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| FileError::Pem(shown(), error))?;
    if certificates.is_empty() {
        return Err(FileError::Empty(shown()));
    }
    Ok(certificates)
}

/// The content of a DER value, without its tag and length.
fn without_header(der: &[u8]) -> &[u8] {
    let header = match der.get(1) {
        Some(length) if length & 0x80 != 0 => 2 + usize::from(length & 0x7f),
        _ => 2,
    };
    der.get(header..).unwrap_or_default()
}
