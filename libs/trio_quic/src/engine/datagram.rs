//! Datagrams on their way in and out, several of one size in one buffer where the system can do that (GRO, GSO).

use std::net::SocketAddr;

use bytes::BytesMut;
use quinn_proto::{ConnectionHandle, EcnCodepoint, Endpoint};

use super::peer::Peer;

/// Datagrams to send: one, or several of `segment` bytes each (the last may be shorter).
#[derive(Debug)]
pub struct Transmit {
    /// Where to.
    pub address: SocketAddr,
    /// The bytes.
    pub contents: Vec<u8>,
    /// Bytes per datagram when there are several.
    pub segment: Option<usize>,
    pub(super) ecn: Option<EcnCodepoint>,
}

/// A datagram, or several in one buffer, that arrived.
#[derive(Debug)]
pub struct Received {
    /// Where from.
    pub address: SocketAddr,
    /// The two ECN bits.
    pub ecn: u8,
    /// The bytes.
    pub contents: BytesMut,
    /// Bytes per datagram when there are several, else 0.
    pub segment: usize,
}

impl Transmit {
    pub(super) fn datagrams(&self) -> u64 {
        let count = self
            .segment
            .map_or(1, |segment| self.contents.len().div_ceil(segment));
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

impl Peer {
    /// Lets endpoint and connection exchange events; true once the connection is wholly gone.
    pub(super) fn exchange(&mut self, endpoint: &mut Endpoint, handle: ConnectionHandle) -> bool {
        let mut drained = false;
        while let Some(event) = self.connection.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(answer) = endpoint.handle_event(handle, event) {
                self.connection.handle_event(answer);
            }
        }
        drained
    }
}
