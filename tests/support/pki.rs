//! Certificates of every kind, and sites that show them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::site::{Site, read_head};

/// A certificate authority.
pub type Authority = CertifiedIssuer<'static, KeyPair>;

/// What a site shows, leaf first, and the leaf's key.
pub struct Shown {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// Parameters of a certificate with this common name, for 127.0.0.1 and localhost.
pub fn leaf(name: &str) -> CertificateParams {
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let mut params = CertificateParams::new(names).expect("good names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// A root.
pub fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), key()).expect("a root")
}

/// An authority that `issuer` vouches for.
pub fn intermediate(name: &str, issuer: &Authority) -> Authority {
    CertifiedIssuer::signed_by(authority_params(name), key(), issuer).expect("an authority")
}

/// A fresh key.
pub fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// `params` signed by `issuer`, shown with `rest`.
pub fn shown(params: &CertificateParams, issuer: &Authority, rest: &[&Authority]) -> Shown {
    let key = key();
    let leaf = params.signed_by(&key, issuer).expect("a certificate").der().clone();
    let rest = rest.iter().map(|authority| authority.der().clone());
    Shown { chain: std::iter::once(leaf).chain(rest).collect(), key: der(&key) }
}

/// `params` signed by itself.
pub fn self_signed(params: &CertificateParams) -> Shown {
    let key = key();
    let leaf = params.self_signed(&key).expect("a certificate").der().clone();
    Shown { chain: vec![leaf], key: der(&key) }
}

fn der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

/// How a server that shows `shown` makes handshakes.
pub fn config(shown: Shown) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_no_client_auth()
        .with_single_cert(shown.chain, shown.key)
        .expect("a good pair")
}

/// The cryptography of both ends.
pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A site that makes handshakes by `config` and answers every request with `answer`, without
/// a word of farewell.
pub async fn secure(config: ServerConfig, answer: &'static str) -> Site {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Site::serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                read_head(&mut stream).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.flush().await;
                crate::site::hang_up(stream.into_inner().0).await;
            }
        }
    })
    .await
}

/// Writes the certificates as PEM.
pub fn write_pem(file: &Path, authorities: &[&Authority]) {
    let text: String = authorities.iter().map(|authority| authority.pem()).collect();
    std::fs::write(file, text).expect("a writable directory");
}
