//! `Accepting`: a verifier that lets handshakes go on whatever is shown, and keeps what was shown.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::target::Verify;

tokio::task_local! {
    // One configuration serves many handshakes: what is of one of them goes with its task.
    static WATCH: Watch;
}

/// What is to be verified in a handshake, and the chain that was shown in it.
struct Watch {
    verify: Verify,
    chain: RefCell<Chain>,
}

type Chain = Vec<CertificateDer<'static>>;

/// Runs `handshake` and returns the chain with what came of it: leaf first, empty when none came.
pub(super) async fn watch<T>(verify: Verify, handshake: impl Future<Output = T>) -> (T, Chain) {
    let watched = async {
        let result = handshake.await;
        (result, WATCH.with(|watch| watch.chain.take()))
    };
    WATCH.scope(Watch { verify, chain: RefCell::default() }, watched).await
}

/// Accepts any certificate in the handshake, though only with the proof that the peer owns it,
/// unless nothing is to be verified.
#[derive(Debug)]
pub(super) struct Accepting(Arc<CryptoProvider>);

impl Accepting {
    pub(super) fn new(provider: &Arc<CryptoProvider>) -> Self {
        Self(Arc::clone(provider))
    }
}

impl ServerCertVerifier for Accepting {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(leaf).chain(rest);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        let _ = WATCH.try_with(|watch| watch.chain.replace(chain));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        or_unverified(verify_tls12_signature(message, leaf, signature, known))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        or_unverified(verify_tls13_signature(message, leaf, signature, known))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The proof that the peer owns the certificate, or none where none is asked for.
fn or_unverified(
    proof: Result<HandshakeSignatureValid, rustls::Error>,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    proof.or_else(|error| match WATCH.try_with(|watch| watch.verify) {
        Ok(Verify::Off) => Ok(HandshakeSignatureValid::assertion()),
        _ => Err(error),
    })
}
