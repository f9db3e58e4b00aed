//! What can be read about a connection and about the engine.

use std::net::SocketAddr;

use quinn_proto::crypto::rustls::HandshakeData;
use rustls::pki_types::CertificateDer;

use super::{Counters, Engine};
use crate::error::EngineError;
use crate::tls;

/// What the handshake agreed on.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// The application protocol.
    pub alpn: Option<Vec<u8>>,
    /// The name the client asked for; known to the server only.
    pub server_name: Option<String>,
    /// The key exchange group.
    pub group: String,
}

/// Figures of one connection, by name.
pub type Statistics = Vec<(&'static str, u64)>;

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

impl Engine {
    /// The peer's certificate chain, leaf first; `None` if it has none.
    pub fn peer_certificates(&mut self, connection: u64) -> Option<Vec<CertificateDer<'static>>> {
        let identity = self
            .with(connection, |peer, _| {
                peer.connection.crypto_session().peer_identity()
            })
            .flatten()?;
        identity.downcast().ok().map(|chain| *chain)
    }

    /// SHA-256 of the public key in the peer's certificate.
    pub fn peer_spki_sha256(&mut self, connection: u64) -> Option<[u8; 32]> {
        tls::spki_sha256(self.peer_certificates(connection)?.first()?)
    }

    /// The server key refused last, on a client.
    pub fn refused_spki_sha256(&self) -> Option<[u8; 32]> {
        self.built.refused.get()
    }

    /// RFC 8446 section 7.5; both ends get the same bytes for the same label and context.
    pub fn export_keying_material(
        &mut self,
        connection: u64,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, EngineError> {
        let mut material = vec![0; length];
        let exported = self.with(connection, |peer, _| {
            peer.connection
                .crypto_session()
                .export_keying_material(&mut material, label, context)
                .is_ok()
        });
        if exported == Some(true) {
            Ok(material)
        } else {
            Err(EngineError::Gone)
        }
    }

    /// What the handshake agreed on, once it has.
    pub fn handshake(&mut self, connection: u64) -> Option<Handshake> {
        let data = self
            .with(connection, |peer, _| {
                peer.connection.crypto_session().handshake_data()
            })
            .flatten()?;
        let data = data.downcast::<HandshakeData>().ok()?;
        let group = data.negotiated_key_exchange_group;
        Some(Handshake {
            alpn: data.protocol,
            server_name: data.server_name,
            group: format!("{group:?}"),
        })
    }

    /// Where the peer is now.
    pub fn remote_address(&mut self, connection: u64) -> Option<SocketAddr> {
        self.with(connection, |peer, _| peer.connection.remote_address())
    }

    /// The connection's figures.
    pub fn stats(&mut self, connection: u64) -> Option<Statistics> {
        self.with(connection, |peer, _| {
            let stats = peer.connection.stats();
            vec![
                (
                    "rtt_us",
                    u64::try_from(stats.path.rtt.as_micros()).unwrap_or(u64::MAX),
                ),
                ("congestion_window_bytes", stats.path.cwnd),
                ("packets_lost", stats.path.lost_packets),
                ("packets_sent", stats.path.sent_packets),
                ("datagrams_received", stats.udp_rx.datagrams),
                ("datagrams_sent", stats.udp_tx.datagrams),
                ("bytes_received", stats.udp_rx.bytes),
                ("bytes_sent", stats.udp_tx.bytes),
                ("streams", count(peer.streams.len())),
                ("held_bytes", count(peer.budget.held)),
                ("queued_bytes", count(peer.queued.bytes())),
                ("waiting_streams", count(peer.blocked.len())),
            ]
        })
    }

    /// What the engine has counted.
    pub fn counters(&self) -> &Counters {
        &self.ledger.counters
    }

    /// How many there are now: connections, those whose handshake runs on the accepting side, deadlines.
    pub fn gauges(&self) -> [(&'static str, usize); 3] {
        [
            ("connections", self.peers.len()),
            ("half_open", self.ledger.half_open),
            ("alarms", self.ledger.alarms.len()),
        ]
    }
}
