//! What s2n-quic asks its embedder for: Retry, stateless reset tokens, the names of clients, and an ear for its events.

use std::sync::Mutex;

use aws_lc_rs::hmac;
use s2n_quic::provider::endpoint_limits::{ConnectionAttempt, Limiter, Outcome as Attempt};
use s2n_quic::provider::event::events::{
    ActivePathUpdated, ConnectionClosed, HandshakeStatus, HandshakeStatusUpdated, KeyExchangeGroup, KeyType, KeyUpdate,
};
use s2n_quic::provider::event::{ConnectionInfo, ConnectionMeta, Subscriber};
use s2n_quic::provider::stateless_reset_token::{Generator, Provider};
use s2n_quic_core::stateless_reset::token::Token;
use s2n_tls::callbacks::VerifyHostNameCallback;

use crate::say;
use crate::streams::ended;

/// Asks each new peer for the proof of its address, or none.
pub(crate) struct Retry(pub(crate) bool);

impl Limiter for Retry {
    fn on_connection_attempt(&mut self, _: &ConnectionAttempt) -> Attempt {
        if self.0 { Attempt::retry() } else { Attempt::allow() }
    }
}

/// The same tokens for the same key, also in another process.
pub(crate) struct ResetTokens(hmac::Key);

impl ResetTokens {
    pub(crate) fn new(key: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))
    }
}

impl Generator for ResetTokens {
    fn generate(&mut self, id: &[u8]) -> Token {
        let tag = hmac::sign(&self.0, id);
        let mut token = [0; 16];
        for (to, from) in token.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        token.into()
    }
}

impl Provider for ResetTokens {
    type Generator = Self;
    type Error = std::convert::Infallible;

    fn start(self) -> Result<Self, Self::Error> {
        Ok(self)
    }
}

/// The one name a peer's certificate must bear.
pub(crate) struct OneName(pub(crate) String);

impl VerifyHostNameCallback for OneName {
    fn verify_host_name(&self, name: &str) -> bool {
        self.0.is_empty() || name == self.0
    }
}

/// Reports what cannot be seen from streams.
pub(crate) struct Ear {
    group: Mutex<String>,
    closed: &'static str,
}

impl Ear {
    /// `closed`: the words that begin the line about a connection's end. s2n-quic tells some ends to its events only.
    pub(crate) fn new(closed: &'static str) -> Self {
        Self { group: Mutex::default(), closed }
    }
}

impl Subscriber for Ear {
    type ConnectionContext = ();

    fn create_connection_context(&mut self, _: &ConnectionMeta, _: &ConnectionInfo) {}

    fn on_key_update(&mut self, _: &mut (), _: &ConnectionMeta, event: &KeyUpdate) {
        if let KeyType::OneRtt { generation, .. } = event.key_type {
            say(&format!("note keys {generation}"));
        }
    }

    fn on_connection_closed(&mut self, _: &mut (), _: &ConnectionMeta, event: &ConnectionClosed) {
        say(&format!("{} {}", self.closed, ended(&event.error)));
    }

    fn on_active_path_updated(&mut self, _: &mut (), _: &ConnectionMeta, _: &ActivePathUpdated) {
        say("note path");
    }

    fn on_key_exchange_group(&mut self, _: &mut (), _: &ConnectionMeta, event: &KeyExchangeGroup) {
        if let Ok(mut group) = self.group.lock() {
            *group = event.chosen_group_name.into();
        }
    }

    fn on_handshake_status_updated(&mut self, _: &mut (), _: &ConnectionMeta, event: &HandshakeStatusUpdated) {
        if matches!(event.status, HandshakeStatus::Confirmed { .. }) {
            let group = self.group.lock().map(|group| group.clone()).unwrap_or_default();
            say(&format!("note confirmed {group}"));
        }
    }
}
