//! The opening side's TLS: how the server's certificate is judged, and the client's own certificate.

use std::sync::Arc;

use quinn_proto::crypto::rustls::QuicClientConfig;
use rustls::sign::SingleCertAndKey;

use super::verifier::{RefusedKey, ServerKeyVerifier};
use super::{TlsContext, certified_key};
use crate::error::EngineError;

/// How a client judges the server, and who it is itself. Pins win over roots, `first_use` only counts without either.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "python", derive(pyo3::FromPyObject))]
pub struct ClientTls {
    /// Roots (or the self-signed leaf itself) as PEM: chain and name are verified against them.
    pub ca_pem: Option<Vec<u8>>,
    /// SHA-256 digests of acceptable leaf public keys.
    pub pins_sha256: Vec<Vec<u8>>,
    /// Accept any leaf whose handshake signature is good; the caller reads the key and pins it.
    pub first_use: bool,
    /// The client's own certificate chain as PEM.
    pub chain_pem: Option<Vec<u8>>,
    /// The key of `chain_pem` as PEM.
    pub key_pem: Option<Vec<u8>>,
}

/// Builds the QUIC form of a client's TLS; the last refused server key can be read from `refused`.
pub fn client_config(
    context: &TlsContext,
    tls: &ClientTls,
    refused: RefusedKey,
) -> Result<QuicClientConfig, EngineError> {
    let verifier = ServerKeyVerifier::new(context, tls, refused)?;
    let builder =
        rustls::ClientConfig::builder_with_details(context.provider.clone(), context.clock.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(EngineError::configuration)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (&tls.chain_pem, &tls.key_pem) {
        (None, None) => builder.with_no_client_auth(),
        (Some(chain), Some(key)) => {
            let key = certified_key(context, chain, key)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
        }
        _ => {
            return Err(EngineError::configuration(
                "a client certificate needs both chain and key",
            ));
        }
    };
    config.alpn_protocols = context.alpn.clone();
    config.resumption = rustls::client::Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(EngineError::configuration)
}
