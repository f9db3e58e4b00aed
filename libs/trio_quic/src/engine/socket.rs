//! The engine's UDP socket: one call takes all that arrived in, one call sends all there is (recvmmsg, GRO, GSO by quinn-udp).

use std::io::{ErrorKind, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use bytes::BytesMut;
use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, UdpSocketState};

use super::Engine;
use crate::error::EngineError;

/// Room for one receive slot: a whole GRO train.
const SLOT_BYTES: usize = 65_536;
/// Receive calls per wake-up: the rest waits, so that other tasks get their turn.
const ROUNDS_MAX: usize = 8;
/// Asked for in both directions; the system may give less.
const BUFFER_BYTES: usize = 4 << 20;

pub(super) struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    slots: Vec<u8>,
    metas: Vec<RecvMeta>,
}

impl Socket {
    fn bind(address: SocketAddr, reuse_port: bool) -> Result<Self, EngineError> {
        use socket2::{Domain, Protocol, Socket, Type};
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if reuse_port {
            socket.set_reuse_port(true)?;
        }
        // Small buffers cost speed, not function.
        let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.bind(&address.into())?;
        let socket: UdpSocket = socket.into();
        let state = UdpSocketState::new((&socket).into())?;
        socket.set_nonblocking(true)?;
        let slots = vec![0; SLOT_BYTES.saturating_mul(BATCH_SIZE)];
        Ok(Self {
            socket,
            state,
            slots,
            metas: vec![RecvMeta::default(); BATCH_SIZE],
        })
    }
}

impl Engine {
    /// Binds the engine's socket and returns its address.
    pub fn bind(
        &mut self,
        address: SocketAddr,
        reuse_port: bool,
    ) -> Result<SocketAddr, EngineError> {
        let socket = Socket::bind(address, reuse_port)?;
        let bound = socket.socket.local_addr()?;
        self.socket = Some(socket);
        Ok(bound)
    }

    /// Closes the socket.
    pub fn unbind(&mut self) {
        self.socket = None;
    }

    /// The socket's descriptor.
    pub fn fileno(&self) -> Option<RawFd> {
        self.socket.as_ref().map(|socket| socket.socket.as_raw_fd())
    }

    /// Takes in what has arrived.
    pub fn receive_socket(&mut self, now_us: u64) {
        self.set_now(now_us);
        let Some(mut socket) = self.socket.take() else {
            return;
        };
        for _ in 0..ROUNDS_MAX {
            let mut slots: Vec<IoSliceMut<'_>> = socket
                .slots
                .chunks_mut(SLOT_BYTES)
                .map(IoSliceMut::new)
                .collect();
            let received =
                match socket
                    .state
                    .recv((&socket.socket).into(), &mut slots, &mut socket.metas)
                {
                    Ok(received) => received,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // Nothing there, or an ICMP error of an earlier datagram: QUIC's own timers deal with that.
                    Err(_) => break,
                };
            for (slot, meta) in socket
                .slots
                .chunks(SLOT_BYTES)
                .zip(socket.metas.iter())
                .take(received)
            {
                let ecn = meta.ecn.map_or(0, ecn_bits);
                for datagram in slot
                    .get(..meta.len)
                    .unwrap_or_default()
                    .chunks(meta.stride.max(1))
                {
                    self.datagram(meta.addr, ecn, BytesMut::from(datagram));
                }
            }
            if received < BATCH_SIZE {
                break;
            }
        }
        self.socket = Some(socket);
        self.drive();
    }

    /// Sends what there is; false when the socket is full (wait until it is writable).
    pub fn flush_socket(&mut self, now_us: u64) -> bool {
        self.set_now(now_us);
        self.collect();
        let Some(socket) = &self.socket else {
            return true;
        };
        while let Some(next) = self.out.front() {
            let transmit = quinn_udp::Transmit {
                destination: next.address,
                ecn: next
                    .ecn
                    .and_then(|ecn| EcnCodepoint::from_bits(wire_bits(ecn))),
                contents: &next.contents,
                segment_size: next.segment,
                src_ip: None,
            };
            match socket.state.try_send((&socket.socket).into(), &transmit) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => self.ledger.counters.datagrams_dropped += 1,
                Ok(()) => self.ledger.counters.datagrams_sent += next.datagrams(),
            }
            if let Some(sent) = self.out.pop_front()
                && self.spare.len() < super::SPARE_BUFFERS_MAX
            {
                self.spare.push(sent.contents);
            }
        }
        true
    }
}

fn ecn_bits(ecn: EcnCodepoint) -> u8 {
    match ecn {
        EcnCodepoint::Ect0 => 0b10,
        EcnCodepoint::Ect1 => 0b01,
        EcnCodepoint::Ce => 0b11,
    }
}

fn wire_bits(ecn: quinn_proto::EcnCodepoint) -> u8 {
    match ecn {
        quinn_proto::EcnCodepoint::Ect0 => 0b10,
        quinn_proto::EcnCodepoint::Ect1 => 0b01,
        quinn_proto::EcnCodepoint::Ce => 0b11,
    }
}
