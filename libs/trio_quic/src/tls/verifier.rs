//! Judges a server's certificate: by pinned key, by roots and name, or (first use) by its handshake signature alone.
//!
//! Whatever the mode, the handshake signature is verified: a pin without proof of the private key would prove nothing.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::{ClientTls, TlsContext, roots, spki_sha256};
use crate::error::EngineError;

/// The SHA-256 of the last server key that was refused, so that the caller can show it.
#[derive(Debug, Clone, Default)]
pub struct RefusedKey(Arc<Mutex<Option<[u8; 32]>>>);

impl RefusedKey {
    /// The digest, if a server was refused.
    pub fn get(&self) -> Option<[u8; 32]> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, digest: Option<[u8; 32]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = digest;
    }
}

#[derive(Debug)]
enum Trust {
    Pins(Vec<[u8; 32]>),
    Roots {
        verifier: Arc<WebPkiServerVerifier>,
        leaves: Vec<CertificateDer<'static>>,
    },
    FirstUse,
}

/// rustls's hook for server certificates.
#[derive(Debug)]
pub(super) struct ServerKeyVerifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    refused: RefusedKey,
}

impl ServerKeyVerifier {
    pub(super) fn new(
        context: &TlsContext,
        tls: &ClientTls,
        refused: RefusedKey,
    ) -> Result<Self, EngineError> {
        let trust = if !tls.pins_sha256.is_empty() {
            let pins = tls
                .pins_sha256
                .iter()
                .map(|pin| <[u8; 32]>::try_from(pin.as_slice()));
            Trust::Pins(
                pins.collect::<Result<_, _>>()
                    .map_err(|_| EngineError::configuration("a pin is not 32 bytes long"))?,
            )
        } else if let Some(pem) = &tls.ca_pem {
            let verifier = WebPkiServerVerifier::builder_with_provider(
                Arc::new(roots(pem)?),
                context.provider.clone(),
            );
            let leaves = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>();
            Trust::Roots {
                verifier: verifier.build().map_err(EngineError::configuration)?,
                leaves: leaves.map_err(EngineError::configuration)?,
            }
        } else if tls.first_use {
            Trust::FirstUse
        } else {
            return Err(EngineError::configuration(
                "a client needs roots, pins or first use",
            ));
        };
        Ok(Self {
            trust,
            provider: context.provider.clone(),
            refused,
        })
    }

    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        match &self.trust {
            Trust::FirstUse => Ok(()),
            Trust::Pins(pins) => match spki_sha256(leaf) {
                Some(digest) if pins.contains(&digest) => Ok(()),
                _ => Err(CertificateError::ApplicationVerificationFailure.into()),
            },
            Trust::Roots { verifier, leaves } => {
                match verifier.verify_server_cert(leaf, intermediates, name, ocsp, now) {
                    // A self-signed server made by a common tool marks itself as a CA. It is trusted when it is the very
                    // certificate configured; webpki has checked its time before it says this, the name is left to check.
                    Err(Error::InvalidCertificate(CertificateError::Other(cause)))
                        if leaves.iter().any(|known| known == leaf) && used_as_leaf(&cause) =>
                    {
                        rustls::client::verify_server_name(
                            &ParsedCertificate::try_from(leaf)?,
                            name,
                        )
                    }
                    result => result.map(|_| ()),
                }
            }
        }
    }
}

fn used_as_leaf(cause: &rustls::OtherError) -> bool {
    cause.to_string().contains("CaUsedAsEndEntity")
}

impl ServerCertVerifier for ServerKeyVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.judge(leaf, intermediates, name, ocsp, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(cause) => {
                self.refused.set(spki_sha256(leaf));
                Err(cause)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("QUIC is TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            leaf,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
