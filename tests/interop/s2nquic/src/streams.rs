//! What streams carry, the same as in `tests/conformance/streams.py`, and the words for how they and connections end.

use aws_lc_rs::digest;
use bytes::Bytes;
use s2n_quic::connection;
use s2n_quic::stream::{Error, ReceiveStream, SendStream};

/// The bytes that are sent: a prime period, so that a misplaced piece shows.
const PERIOD: usize = 251;
/// What one step hands over.
const PIECE_BYTES: usize = 65_536;

/// The pattern from `offset` on.
pub(crate) fn pattern(offset: usize, length: usize) -> Bytes {
    (offset..offset.saturating_add(length)).map(|at| u8::try_from(at % PERIOD).unwrap_or_default()).collect()
}

/// Sends the pattern; how that ended, if not well.
pub(crate) async fn send_pattern(stream: &mut SendStream, length: usize) -> Result<(), Error> {
    let mut offset = 0;
    while offset < length {
        let piece = PIECE_BYTES.min(length.saturating_sub(offset));
        stream.send(pattern(offset, piece)).await?;
        offset = offset.saturating_add(piece);
    }
    Ok(())
}

/// Counts and digests what arrives.
pub(crate) struct Tally {
    count: usize,
    digest: digest::Context,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { count: 0, digest: digest::Context::new(&digest::SHA256) }
    }

    pub(crate) fn add(&mut self, data: &[u8]) {
        self.count = self.count.saturating_add(data.len());
        self.digest.update(data);
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// "COUNT SHA256".
    pub(crate) fn told(self) -> String {
        let digest = self.digest.finish();
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} {hex}", self.count)
    }
}

/// Reads to the end.
pub(crate) async fn receive_all(stream: &mut ReceiveStream, tally: &mut Tally) -> Result<(), Error> {
    while let Some(data) = stream.receive().await? {
        tally.add(&data);
    }
    Ok(())
}

/// "reset CODE" for a stream that was given up (s2n-quic has one word for reset and stopped), else how its connection ended.
pub(crate) fn broken(error: &Error) -> String {
    match error {
        Error::StreamReset { error, .. } => format!("reset {}", u64::from(*error)),
        Error::ConnectionError { error, .. } => format!("closed {}", ended(error)),
        other => format!("closed {other:?}"),
    }
}

/// "KIND CODE".
pub(crate) fn ended(error: &connection::Error) -> String {
    match error {
        connection::Error::Closed { .. } => "closed 0".into(),
        connection::Error::Application { error, initiator, .. } => {
            format!("application-{initiator:?} {}", u64::from(*error)).to_lowercase()
        }
        connection::Error::Transport { code, initiator, reason, .. } => {
            format!("transport-{initiator:?} {} {reason}", code.as_u64()).to_lowercase()
        }
        connection::Error::StatelessReset { .. } => "reset 0".into(),
        connection::Error::IdleTimerExpired { .. } => "idle 0".into(),
        connection::Error::MaxHandshakeDurationExceeded { .. } => "late 0".into(),
        other => format!("other 0 {other}"),
    }
}
