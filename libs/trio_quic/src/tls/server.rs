//! The accepting side's TLS: its certificate, and whether and by whom clients must be certified.

use std::sync::Arc;

use quinn_proto::crypto::rustls::QuicServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;

use super::clients::NamedClients;
use super::{TlsContext, certified_key, roots};
use crate::error::EngineError;

/// A server's certificate and what it asks of clients.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "python", derive(pyo3::FromPyObject))]
pub struct ServerTls {
    /// The certificate, then its intermediates, as PEM.
    pub chain_pem: Vec<u8>,
    /// The private key as PEM.
    pub key_pem: Vec<u8>,
    /// Roots for client certificates as PEM; without them no client is asked for one.
    pub client_ca_pem: Option<Vec<u8>>,
    /// Whether a client without certificate is refused.
    pub client_required: bool,
    /// Names of which a client's certificate must hold one; none: any will do.
    pub client_names: Vec<String>,
}

/// Builds the QUIC form of a server's TLS: TLS 1.3, no tickets, no early data, client chains verified in the handshake.
pub fn server_config(
    context: &TlsContext,
    tls: &ServerTls,
) -> Result<QuicServerConfig, EngineError> {
    let builder =
        rustls::ServerConfig::builder_with_details(context.provider.clone(), context.clock.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(EngineError::configuration)?;
    let builder = match &tls.client_ca_pem {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots(pem)?),
                context.provider.clone(),
            );
            let verifier = if tls.client_required {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            let verifier = verifier.build().map_err(EngineError::configuration)?;
            builder.with_client_cert_verifier(NamedClients::around(verifier, &tls.client_names)?)
        }
    };
    let key = certified_key(context, &tls.chain_pem, &tls.key_pem)?;
    key.keys_match().map_err(EngineError::configuration)?;
    let resolver = SingleCertAndKey::from(key);
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = context.alpn.clone();
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    QuicServerConfig::try_from(config).map_err(EngineError::configuration)
}
