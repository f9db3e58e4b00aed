//! An engine's configuration, and quinn-proto's built from it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{hmac, rand as system_random};
use quinn_proto::{
    EndpointConfig, IdleTimeout, NoneTokenLog, ServerConfig, TimeSource, TransportConfig, VarInt,
};

use super::ids::WorkerIds;
use super::tokens::RetryKeys;
use crate::error::EngineError;
use crate::tls::{self, ClientTls, RefusedKey, ServerTls, TlsContext};

/// How long a Retry token may be brought back.
const RETRY_TOKEN_LIFETIME: Duration = Duration::from_secs(15);
/// Marks the seed that connection ids are drawn from.
const ID_STREAM: u8 = 1;

/// Every bound of an engine; `trio_quic.Limits` documents each.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "python", derive(pyo3::FromPyObject))]
#[allow(missing_docs, reason = "documented once, in trio_quic.Limits")]
pub struct Limits {
    pub frame_bytes_max: usize,
    pub held_bytes_max: usize,
    pub held_total_bytes_max: usize,
    pub streams_max: u32,
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub half_open_max: usize,
    pub handshakes_per_address_max: usize,
    pub retry_from_half_open: usize,
    pub handshake_ms: u64,
    pub handshake_bytes_max: usize,
    pub frame_head_ms: u64,
    pub frame_ms: u64,
    pub idle_ms: u32,
    pub keepalive_ms: u64,
    pub probe_ms: u64,
    pub silence_ms: u64,
    pub stream_window_bytes: u32,
    pub connection_window_bytes: u32,
    pub first_window_bytes: u32,
    pub cancels_per_second_max: u64,
    pub paths_per_second_max: u64,
    pub idle_frames_per_second_max: u64,
    pub floods_per_address_factor: u64,
    pub send_window_bytes: u64,
    pub datagram_bytes: u16,
}

/// Everything an engine is built from; `trio_quic.QuicConfiguration` documents each field.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "python", derive(pyo3::FromPyObject))]
#[allow(
    missing_docs,
    reason = "documented once, in trio_quic.QuicConfiguration"
)]
pub struct Settings {
    pub alpn: Vec<Vec<u8>>,
    pub server: Option<ServerTls>,
    pub client: Option<ClientTls>,
    pub limits: Limits,
    pub groups: Vec<String>,
    pub seed: Option<[u8; 32]>,
    pub retry_key: Option<[u8; 32]>,
    pub reset_key: Option<[u8; 32]>,
    pub worker: u8,
    pub unix_time_s: Option<u64>,
}

/// The clock Retry tokens are dated by: the system's, or `unix_time_s` plus the engine's own time.
struct TokenClock {
    epoch_s: u64,
    now_us: Arc<AtomicU64>,
}

impl TimeSource for TokenClock {
    fn now(&self) -> SystemTime {
        let elapsed = Duration::from_micros(self.now_us.load(Ordering::Relaxed));
        UNIX_EPOCH + Duration::from_secs(self.epoch_s) + elapsed
    }
}

/// quinn-proto's configuration, made once per engine.
pub(super) struct Built {
    pub(super) endpoint: Arc<EndpointConfig>,
    pub(super) server: Option<Arc<ServerConfig>>,
    pub(super) client: Option<quinn_proto::ClientConfig>,
    pub(super) refused: RefusedKey,
    pub(super) now_us: Arc<AtomicU64>,
    transport: Arc<TransportConfig>,
    context: TlsContext,
    pub(super) retry_keys: Arc<RetryKeys>,
    unix_time_s: Option<u64>,
}

impl Built {
    pub(super) fn new(settings: &Settings) -> Result<Self, EngineError> {
        let secret = match settings.seed {
            Some(seed) => seed,
            None => random_secret()?,
        };
        let context = TlsContext {
            provider: tls::crypto_provider(&settings.groups, settings.seed)?,
            clock: tls::clock(settings.unix_time_s),
            alpn: settings.alpn.clone(),
        };
        let mut built = Self {
            endpoint: Arc::new(endpoint_config(
                settings,
                settings.reset_key.unwrap_or(secret),
            )?),
            server: None,
            client: None,
            refused: RefusedKey::default(),
            now_us: Arc::default(),
            transport: Arc::new(transport_config(&settings.limits)),
            context,
            retry_keys: Arc::new(RetryKeys::new(&settings.retry_key.unwrap_or(secret))),
            unix_time_s: settings.unix_time_s,
        };
        if let Some(server) = &settings.server {
            built.server = Some(built.server_config(server)?);
        }
        if let Some(client) = &settings.client {
            built.client = Some(built.client_config(client, settings.seed)?);
        }
        Ok(built)
    }

    /// A server configuration with this certificate, for connections accepted from then on.
    pub(super) fn server_config(&self, tls: &ServerTls) -> Result<Arc<ServerConfig>, EngineError> {
        let crypto = tls::server_config(&self.context, tls)?;
        let mut config = ServerConfig::new(Arc::new(crypto), self.retry_keys.clone());
        config
            .transport_config(self.transport.clone())
            .retry_token_lifetime(RETRY_TOKEN_LIFETIME);
        config.validation_token.sent(0).log(Arc::new(NoneTokenLog));
        if let Some(epoch_s) = self.unix_time_s {
            config.time_source(Arc::new(TokenClock {
                epoch_s,
                now_us: self.now_us.clone(),
            }));
        }
        Ok(Arc::new(config))
    }

    fn client_config(
        &self,
        tls: &ClientTls,
        seed: Option<[u8; 32]>,
    ) -> Result<quinn_proto::ClientConfig, EngineError> {
        let crypto = tls::client_config(&self.context, tls, self.refused.clone())?;
        let mut config = quinn_proto::ClientConfig::new(Arc::new(crypto));
        config.transport_config(self.transport.clone());
        if let Some(seed) = seed {
            let ids = Mutex::new(WorkerIds::new(0, seed));
            config.initial_dst_cid_provider(Arc::new(move || {
                ids.lock().unwrap_or_else(PoisonError::into_inner).initial()
            }));
        }
        Ok(config)
    }
}

fn random_secret() -> Result<[u8; 32], EngineError> {
    let mut secret = [0; 32];
    system_random::fill(&mut secret).map_err(|_| EngineError::configuration("no randomness"))?;
    Ok(secret)
}

fn endpoint_config(settings: &Settings, secret: [u8; 32]) -> Result<EndpointConfig, EngineError> {
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)));
    let worker = settings.worker;
    let id_seed = match settings.seed {
        Some(seed) => seed.map(|byte| byte ^ ID_STREAM),
        None => random_secret()?,
    };
    config.rng_seed(settings.seed);
    config.cid_generator(move || Box::new(WorkerIds::new(worker, id_seed)));
    Ok(config)
}

fn transport_config(limits: &Limits) -> TransportConfig {
    let first_window = match limits.first_window_bytes {
        0 => limits.connection_window_bytes,
        bytes => bytes,
    };
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(limits.streams_max.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(limits.idle_ms))))
        .stream_receive_window(limits.stream_window_bytes.into())
        .receive_window(first_window.into())
        .crypto_buffer_size(limits.handshake_bytes_max)
        .send_window(limits.send_window_bytes)
        .initial_mtu(limits.datagram_bytes)
        .mtu_discovery_config(None)
        .datagram_receive_buffer_size(None);
    config
}
