//! Connection ids that begin with a worker's number, so that a datagram that reached the wrong process can be handed over.

use quinn_proto::{ConnectionId, ConnectionIdGenerator, Dir, InvalidCid, Side, StreamId, VarInt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;

/// Bytes of a connection id: the worker's number and seven random ones.
pub(super) const CONNECTION_ID_BYTES: usize = 8;

/// Makes this worker's connection ids.
pub(super) struct WorkerIds {
    worker: u8,
    random: StdRng,
}

impl WorkerIds {
    pub(super) fn new(worker: u8, seed: [u8; 32]) -> Self {
        Self {
            worker,
            random: StdRng::from_seed(seed),
        }
    }

    /// An id for a client's first packets, which no worker owns.
    pub(super) fn initial(&mut self) -> ConnectionId {
        let mut id = [0; CONNECTION_ID_BYTES];
        self.random.fill_bytes(&mut id);
        ConnectionId::new(&id)
    }
}

impl ConnectionIdGenerator for WorkerIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CONNECTION_ID_BYTES];
        self.random.fill_bytes(&mut id);
        let [first, ..] = &mut id;
        *first = self.worker;
        ConnectionId::new(&id)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        if id.first() == Some(&self.worker) {
            Ok(())
        } else {
            Err(InvalidCid)
        }
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The stream with this number, RFC 9000 section 2.1: the lowest bit says who opened it, the next whether it goes one way.
pub(super) fn stream_id(number: u64) -> StreamId {
    let side = if number & 1 == 0 {
        Side::Client
    } else {
        Side::Server
    };
    let direction = if number & 2 == 0 { Dir::Bi } else { Dir::Uni };
    StreamId::new(side, direction, number >> 2)
}

/// An application's error code; one above QUIC's range becomes the largest.
pub(super) fn error_code(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}
