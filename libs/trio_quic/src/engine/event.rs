//! What an engine reports: one value per thing that happened, in order.

use std::net::SocketAddr;

use bytes::Bytes;
use quinn_proto::ConnectionError;

/// What was wrong with a frame. The stream's sending half still takes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// The length announced is above the connection's limit.
    Oversized,
    /// The stream ended inside a frame, or before one.
    Truncated,
    /// The frame's head or body did not come in time.
    Late,
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseKind {
    /// No common QUIC version.
    Version,
    /// This side found a protocol or TLS error; the code is QUIC's.
    Transport,
    /// The peer found a protocol or TLS error; the code is QUIC's.
    PeerTransport,
    /// The peer's application closed; the code is the application's.
    PeerApplication,
    /// The peer lost its state.
    Reset,
    /// Nothing was heard for the idle time.
    Idle,
    /// This side's application closed.
    Local,
    /// A fault inside the engine, confined to this connection.
    Fault,
    /// The handshake did not end in time.
    HandshakeLate,
}

/// One thing that happened. Connections and streams are named by the engine's own numbers.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields' names say it")]
pub enum Event {
    /// The handshake is done on both sides: on the client only after the server has said so.
    Connected {
        connection: u64,
        address: SocketAddr,
        server: bool,
    },
    /// A whole frame; `fin`: nothing follows it.
    Frame {
        connection: u64,
        stream: u64,
        data: Bytes,
        fin: bool,
    },
    /// A frame that will not come.
    Violation {
        connection: u64,
        stream: u64,
        violation: Violation,
    },
    /// A raw stream has something to read: bytes, its end, or a reset.
    Readable { connection: u64, stream: u64 },
    /// A stream that was full takes bytes again.
    Writable { connection: u64, stream: u64 },
    /// A framed stream ended between two frames.
    Fin { connection: u64, stream: u64 },
    /// The peer gave up its sending half.
    Reset {
        connection: u64,
        stream: u64,
        code: u64,
    },
    /// The peer will read no more.
    Stopped {
        connection: u64,
        stream: u64,
        code: u64,
    },
    /// The peer opened a raw stream.
    Opened { connection: u64, stream: u64 },
    /// Streams can be opened again.
    Available { connection: u64 },
    /// The peer is at another address now.
    Path {
        connection: u64,
        address: SocketAddr,
    },
    /// The connection is over; nothing more comes of it.
    Closed {
        connection: u64,
        kind: CloseKind,
        code: u64,
        reason: String,
    },
    /// Everything sent is acknowledged: the answer to `watch_idle`.
    Idle { connection: u64 },
    /// A datagram whose connection id bears another worker's number.
    Foreign {
        worker: u8,
        address: SocketAddr,
        data: Bytes,
    },
}

impl Event {
    /// The end of a connection for the reason quinn-proto gives.
    pub(super) fn lost(connection: u64, reason: ConnectionError) -> Self {
        let (kind, code, reason) = match reason {
            ConnectionError::VersionMismatch => (CloseKind::Version, 0, "no common version".into()),
            ConnectionError::TransportError(error) => {
                (CloseKind::Transport, error.code.into(), error.reason)
            }
            ConnectionError::ConnectionClosed(close) => (
                CloseKind::PeerTransport,
                close.error_code.into(),
                text(&close.reason),
            ),
            ConnectionError::ApplicationClosed(close) => (
                CloseKind::PeerApplication,
                close.error_code.into_inner(),
                text(&close.reason),
            ),
            ConnectionError::Reset => (CloseKind::Reset, 0, "stateless reset".into()),
            ConnectionError::TimedOut => (CloseKind::Idle, 0, "timed out".into()),
            ConnectionError::LocallyClosed => (CloseKind::Local, 0, "closed here".into()),
            ConnectionError::CidsExhausted => {
                (CloseKind::Fault, 0, "no connection ids left".into())
            }
        };
        Self::Closed {
            connection,
            kind,
            code,
            reason,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
