//! The engine: one quinn-proto endpoint with its connections, fed and drained in batches.
//!
//! The rules: nothing here does I/O but `socket`, nothing reads a clock (times are microseconds since the engine was made,
//! given by the caller, never going back), and a panic inside one connection ends that connection only.

mod admission;
mod datagram;
mod doze;
mod event;
mod facts;
mod floods;
mod ids;
mod ledger;
mod operations;
mod peer;
mod requests;
mod settings;
mod silence;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod timeouts;
mod tokens;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use quinn_proto::{
    Connection, ConnectionHandle, DatagramEvent, EcnCodepoint, Endpoint, EndpointEvent,
};
use rustc_hash::FxHashMap;

use crate::address::Site;
use crate::error::EngineError;
use ledger::{Alarm, Ledger};
use peer::Peer;
use settings::Built;

pub use datagram::{Received, Transmit};
pub use doze::Bed;
pub use event::{CloseKind, Event, Violation};
pub use facts::{Handshake, Statistics};
pub use ledger::Counters;
pub use operations::{Read, Sent};
pub use settings::{Limits, Settings};

/// Datagrams of one connection that leave in one system call (GSO), at most.
const SEGMENTS_MAX: usize = 32;
/// Stateless answers (Retry, refusals) waiting for the socket: more are dropped, their peers ask again.
const ANSWERS_MAX: usize = 4096;
/// Buffers kept for the next datagrams.
const SPARE_BUFFERS_MAX: usize = 64;

/// One endpoint, its connections, and optionally its UDP socket.
pub struct Engine {
    base: Instant,
    built: Built,
    endpoint: Endpoint,
    peers: FxHashMap<usize, Box<Peer>>,
    sites: FxHashMap<Site, usize>,
    generation: u32,
    dirty: Vec<usize>,
    ledger: Ledger,
    out: VecDeque<Transmit>,
    spare: Vec<Vec<u8>>,
    framed: bool,
    accepting: bool,
    /// Set: datagrams for other workers are handed out instead of dropped.
    forward_from: Option<u8>,
    socket: Option<socket::Socket>,
}

impl Engine {
    /// An engine without socket. `framed`: streams that peers open carry frames, else bytes.
    pub fn new(settings: &Settings, framed: bool) -> Result<Self, EngineError> {
        let built = Built::new(settings)?;
        let base = Instant::now();
        Ok(Self {
            base,
            endpoint: Endpoint::new(built.endpoint.clone(), built.server.clone(), false, None),
            built,
            peers: FxHashMap::default(),
            sites: FxHashMap::default(),
            generation: 0,
            dirty: Vec::new(),
            ledger: Ledger::new(base, settings.limits.clone()),
            out: VecDeque::new(),
            spare: Vec::new(),
            framed,
            accepting: true,
            forward_from: None,
            socket: None,
        })
    }

    fn set_now(&mut self, now_us: u64) {
        // Two threads may tell the time, and one of them a microsecond late.
        let now_us = self
            .built
            .now_us
            .fetch_max(now_us, Ordering::Relaxed)
            .max(now_us);
        self.ledger.now = self.base + Duration::from_micros(now_us);
    }

    /// Rounds up: a deadline rounded down would be asked for again and again without ever being due.
    fn microseconds(&self, at: Instant) -> u64 {
        let nanoseconds = at.saturating_duration_since(self.base).as_nanos();
        u64::try_from(nanoseconds.div_ceil(1000)).unwrap_or(u64::MAX)
    }

    /// Starts a connection and returns its number.
    pub fn connect(
        &mut self,
        address: SocketAddr,
        server_name: &str,
        now_us: u64,
    ) -> Result<u64, EngineError> {
        self.set_now(now_us);
        let Some(config) = self.built.client.clone() else {
            return Err(EngineError::configuration(
                "the engine has no client configuration",
            ));
        };
        let (handle, connection) = self
            .endpoint
            .connect(self.ledger.now, config, address, server_name)
            .map_err(EngineError::configuration)?;
        self.insert(handle, connection, false)
    }

    fn insert(
        &mut self,
        handle: ConnectionHandle,
        connection: Connection,
        server: bool,
    ) -> Result<u64, EngineError> {
        self.generation = self.generation.wrapping_add(1);
        let index = u32::try_from(handle.0).map_err(EngineError::configuration)?;
        let key = (u64::from(self.generation) << 32) | u64::from(index);
        let peer = Peer::new(connection, key, server, self.framed, &self.ledger);
        if server {
            *self.sites.entry(peer.site).or_default() += 1;
            self.ledger.half_open += 1;
        }
        self.peers.insert(handle.0, Box::new(peer));
        self.mark(handle.0);
        let late = self.ledger.now + Duration::from_millis(self.ledger.limits.handshake_ms);
        self.ledger
            .arm_about(late, Alarm::Handshake { connection: key });
        Ok(key)
    }

    fn mark(&mut self, index: usize) {
        if let Some(peer) = self.peers.get_mut(&index)
            && !std::mem::replace(&mut peer.dirty, true)
        {
            self.dirty.push(index);
        }
    }

    /// Takes a batch of datagrams in.
    pub fn receive(&mut self, batch: Vec<Received>, now_us: u64) {
        self.set_now(now_us);
        for mut received in batch {
            while received.segment > 0 && received.contents.len() > received.segment {
                let one = received.contents.split_to(received.segment);
                self.datagram(received.address, received.ecn, one);
            }
            self.datagram(received.address, received.ecn, received.contents);
        }
        self.drive();
    }

    fn datagram(&mut self, address: SocketAddr, ecn: u8, data: BytesMut) {
        self.ledger.counters.datagrams_received += 1;
        if let (Some(me), [first, worker, ..]) = (self.forward_from, data.as_ref())
            && first & 0x80 == 0
            && *worker != me
        {
            let worker = *worker;
            self.ledger.events.push(Event::Foreign {
                worker,
                address,
                data: data.freeze(),
            });
            return;
        }
        let mut answer = self.spare.pop().unwrap_or_default();
        answer.clear();
        let (endpoint, now) = (&mut self.endpoint, self.ledger.now);
        let ecn = EcnCodepoint::from_bits(ecn);
        match catch_unwind(AssertUnwindSafe(|| {
            endpoint.handle(now, address, None, ecn, data, &mut answer)
        })) {
            Err(_) => self.ledger.counters.faults += 1,
            Ok(None) => {}
            Ok(Some(DatagramEvent::Response(transmit))) => return self.answer(&transmit, answer),
            Ok(Some(DatagramEvent::NewConnection(incoming))) => {
                return self.admit(incoming, answer);
            }
            Ok(Some(DatagramEvent::ConnectionEvent(handle, event))) => {
                self.guard(handle.0, |peer, _| peer.take(event));
            }
        }
        self.recycle(answer);
    }

    /// Queues a stateless answer.
    fn answer(&mut self, transmit: &quinn_proto::Transmit, mut contents: Vec<u8>) {
        if self.out.len() >= ANSWERS_MAX {
            self.ledger.counters.datagrams_dropped += 1;
            return self.recycle(contents);
        }
        contents.truncate(transmit.size);
        self.out.push_back(Transmit {
            address: transmit.destination,
            contents,
            segment: None,
            ecn: transmit.ecn,
        });
    }

    fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS_MAX {
            self.spare.push(buffer);
        }
    }

    /// Works on one connection behind the panic boundary, and remembers that it has something to do.
    fn guard<R>(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Peer, &mut Ledger) -> R,
    ) -> Option<R> {
        let peer = self.peers.get_mut(&index)?;
        let ledger = &mut self.ledger;
        match catch_unwind(AssertUnwindSafe(|| work(peer, ledger))) {
            Ok(result) => {
                self.mark(index);
                Some(result)
            }
            Err(_) => {
                self.fault(index);
                None
            }
        }
    }

    /// The same for a connection named by its number, which may be long gone.
    fn with<R>(
        &mut self,
        connection: u64,
        work: impl FnOnce(&mut Peer, &mut Ledger) -> R,
    ) -> Option<R> {
        let index = usize::try_from(connection & u64::from(u32::MAX)).ok()?;
        if self.peers.get(&index)?.key != connection {
            return None;
        }
        self.guard(index, work)
    }

    fn fault(&mut self, index: usize) {
        self.ledger.counters.faults += 1;
        self.discard(index, CloseKind::Fault, "engine fault");
    }

    /// Ends a connection without a word to the peer.
    fn discard(&mut self, index: usize, kind: CloseKind, reason: &str) {
        let Some(mut peer) = self.peers.remove(&index) else {
            return;
        };
        let event = Event::Closed {
            connection: peer.key,
            kind,
            code: 0,
            reason: reason.into(),
        };
        peer.over(event, &mut self.ledger);
        self.release_site(&peer);
        self.endpoint
            .handle_event(ConnectionHandle(index), EndpointEvent::drained());
    }

    fn release_site(&mut self, peer: &Peer) {
        if peer.server
            && let Some(count) = self.sites.get_mut(&peer.site)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sites.remove(&peer.site);
            }
        }
    }

    /// Turns what arrived into events, for every connection that was touched.
    fn drive(&mut self) {
        for position in 0..self.dirty.len() {
            let Some(index) = self.dirty.get(position).copied() else {
                break;
            };
            let Some(peer) = self.peers.get_mut(&index) else {
                continue;
            };
            let (endpoint, ledger) = (&mut self.endpoint, &mut self.ledger);
            let worked = catch_unwind(AssertUnwindSafe(|| {
                let gone = peer.exchange(endpoint, ConnectionHandle(index));
                peer.listen(ledger.now);
                peer.drain_events(ledger);
                peer.check_floods(ledger);
                gone
            }));
            match worked {
                Ok(false) => {}
                Ok(true) => self.remove_drained(index),
                Err(_) => self.fault(index),
            }
        }
    }

    fn remove_drained(&mut self, index: usize) {
        if let Some(mut peer) = self.peers.remove(&index) {
            let connection = peer.key;
            let event = Event::Closed {
                connection,
                kind: CloseKind::Local,
                code: 0,
                reason: "closed here".into(),
            };
            peer.over(event, &mut self.ledger);
            self.release_site(&peer);
        }
    }

    /// Takes the events out.
    pub fn poll(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.ledger.events)
    }

    /// Collects the datagrams of every connection that was touched into `out`.
    fn collect(&mut self) {
        for index in std::mem::take(&mut self.dirty) {
            let Some(peer) = self.peers.get_mut(&index) else {
                continue;
            };
            peer.dirty = false;
            let (out, spare, ledger, endpoint) = (
                &mut self.out,
                &mut self.spare,
                &mut self.ledger,
                &mut self.endpoint,
            );
            let worked = catch_unwind(AssertUnwindSafe(|| {
                loop {
                    let mut contents = spare.pop().unwrap_or_default();
                    contents.clear();
                    let Some(sent) =
                        peer.connection
                            .poll_transmit(ledger.now, SEGMENTS_MAX, &mut contents)
                    else {
                        break spare.push(contents);
                    };
                    let segment = sent.segment_size.filter(|segment| *segment < sent.size);
                    out.push_back(Transmit {
                        address: sent.destination,
                        contents,
                        segment,
                        ecn: sent.ecn,
                    });
                }
                let gone = peer.exchange(endpoint, ConnectionHandle(index));
                peer.arm_timer(index, ledger);
                peer.arm_watch(ledger);
                gone
            }));
            match worked {
                Ok(false) => {}
                Ok(true) => self.remove_drained(index),
                Err(_) => self.fault(index),
            }
        }
    }

    /// Takes the datagrams out.
    pub fn transmit(&mut self, now_us: u64) -> Vec<Transmit> {
        self.set_now(now_us);
        self.collect();
        let out: Vec<_> = self.out.drain(..).collect();
        self.ledger.counters.datagrams_sent += out.iter().map(Transmit::datagrams).sum::<u64>();
        out
    }
}
