//! Certificates for real servers, in files, and a client that trusts their root.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, SanType};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::pki::{Authority, Shown, intermediate, leaf, provider, root, shown};

/// Whose certificates the real servers show: a root, and an authority below it that signs.
pub(crate) struct Pki {
    pub(crate) root: Authority,
    pub(crate) intermediate: Authority,
}

/// Files of a server: its chain, leaf first, and its key.
pub(crate) struct Files {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let root = root("real root");
        let intermediate = intermediate("real intermediate", &root);
        Self { root, intermediate }
    }

    /// Writes the root as PEM, for a client that shall trust it.
    pub(crate) fn write_root(&self, file: &Path) {
        crate::pki::write_pem(file, &[&self.root]);
    }

    /// How a client that trusts the root makes handshakes.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).expect("a good root");
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("good versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// A good chain for 127.0.0.1, localhost, mail.test and www.example.test.
    pub(crate) fn good(&self) -> Shown {
        shown(&server("real server"), &self.intermediate, &[&self.intermediate])
    }
}

/// Parameters of a leaf for every name by which the servers are met.
pub(crate) fn server(common_name: &str) -> CertificateParams {
    let mut params = leaf(common_name);
    for name in ["mail.test", "www.example.test"] {
        let name = name.try_into().expect("a good name");
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    params
}

/// Writes `shown` into `folder` as `name.pem` and `name.key`.
pub(crate) fn write(folder: &Path, name: &str, shown: &Shown) -> Files {
    let files = Files {
        chain: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    let chain = |der: &CertificateDer| pem("CERTIFICATE", der);
    let chain: String = shown.chain.iter().map(chain).collect();
    fs::write(&files.chain, chain).expect("a writable folder");
    fs::write(&files.key, pem("PRIVATE KEY", shown.key.secret_der())).expect("a writable folder");
    super::server::open(&files.key, 0o600);
    files
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
