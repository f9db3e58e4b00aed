//! The rustls side: TLS 1.3 only, the key exchange groups asked for, certificates verified in the handshake, no 0-RTT, no tickets.

mod client;
mod clients;
mod seeded;
mod server;
mod verifier;

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs as provider;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;

pub use client::{ClientTls, client_config};
pub use server::{ServerTls, server_config};
pub use verifier::RefusedKey;

use crate::error::EngineError;

/// What both sides of a handshake share.
#[derive(Debug, Clone)]
pub struct TlsContext {
    /// Cipher suites, groups and randomness.
    pub provider: Arc<CryptoProvider>,
    /// The clock certificates are judged by.
    pub clock: Arc<dyn TimeProvider>,
    /// Application protocols in order of preference.
    pub alpn: Vec<Vec<u8>>,
}

/// A clock that stands still at the given moment: simulations must not depend on today.
#[derive(Debug)]
struct FixedClock(UnixTime);

impl TimeProvider for FixedClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// The clock for certificates: the system's, or one that stands at `unix_time_s`.
pub fn clock(unix_time_s: Option<u64>) -> Arc<dyn TimeProvider> {
    match unix_time_s {
        None => Arc::new(rustls::time_provider::DefaultTimeProvider),
        Some(seconds) => Arc::new(FixedClock(UnixTime::since_unix_epoch(Duration::from_secs(
            seconds,
        )))),
    }
}

/// The cryptography: aws-lc-rs with the named groups in order of preference; with a seed, repeatable randomness and X25519 only.
pub fn crypto_provider(
    groups: &[String],
    seed: Option<[u8; 32]>,
) -> Result<Arc<CryptoProvider>, EngineError> {
    let mut chosen = provider::default_provider();
    if let Some(seed) = seed {
        let (random, group) = seeded::randomness(seed);
        chosen.secure_random = random;
        chosen.kx_groups = vec![group];
        return Ok(Arc::new(chosen));
    }
    chosen.kx_groups = groups
        .iter()
        .map(|name| group_named(name))
        .collect::<Result<_, _>>()?;
    if chosen.kx_groups.is_empty() {
        return Err(EngineError::configuration(
            "no key exchange group is configured",
        ));
    }
    Ok(Arc::new(chosen))
}

fn group_named(name: &str) -> Result<&'static dyn SupportedKxGroup, EngineError> {
    match name {
        "X25519MLKEM768" => Ok(provider::kx_group::X25519MLKEM768),
        "X25519" => Ok(provider::kx_group::X25519),
        "SECP256R1" => Ok(provider::kx_group::SECP256R1),
        other => Err(EngineError::configuration(format!(
            "unknown key exchange group {other}"
        ))),
    }
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo in DER: what pins are made of. `None` if the certificate does not parse.
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let key = ParsedCertificate::try_from(certificate)
        .ok()?
        .subject_public_key_info();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key);
    digest.as_ref().try_into().ok()
}

fn roots(pem: &[u8]) -> Result<RootCertStore, EngineError> {
    let mut store = RootCertStore::empty();
    for certificate in chain(pem)? {
        store.add(certificate).map_err(EngineError::configuration)?;
    }
    Ok(store)
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, EngineError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(EngineError::configuration)?;
    if chain.is_empty() {
        return Err(EngineError::configuration("no certificate in the PEM text"));
    }
    Ok(chain)
}

fn certified_key(
    context: &TlsContext,
    chain_pem: &[u8],
    key_pem: &[u8],
) -> Result<Arc<CertifiedKey>, EngineError> {
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(EngineError::configuration)?;
    let certified = CertifiedKey::from_der(chain(chain_pem)?, key, &context.provider)
        .map_err(EngineError::configuration)?;
    Ok(Arc::new(certified))
}
