//! What the application asks of connections and streams, by their numbers; each request may come too late.

use bytes::Bytes;

use super::event::Event;
use super::operations::{Read, Sent};
use super::{Engine, ids, stream};
use crate::error::EngineError;
use crate::tls::ServerTls;

impl Engine {
    /// Closes a connection; the peer is told `code` and `reason`.
    pub fn close(&mut self, connection: u64, code: u64, reason: &[u8], now_us: u64) {
        self.set_now(now_us);
        let reason = Bytes::copy_from_slice(reason);
        self.with(connection, |peer, ledger| {
            peer.connection
                .close(ledger.now, ids::error_code(code), reason);
            let event = Event::lost(peer.key, quinn_proto::ConnectionError::LocallyClosed);
            peer.over(event, ledger);
        });
    }

    /// Opens a stream, sends a frame and ends it. `Ok(None)`: wait for `Available`.
    pub fn call(&mut self, connection: u64, frame: &[u8]) -> Result<Option<u64>, EngineError> {
        let frame = stream::framed(frame).ok_or(EngineError::Gone)?;
        self.with(connection, |peer, ledger| {
            let number = peer.open(true)?;
            peer.call(number);
            peer.send(number, frame, true, true, ledger);
            Some(number)
        })
        .ok_or(EngineError::Gone)
    }

    /// Opens a stream. `Ok(None)`: wait for `Available`.
    pub fn open(&mut self, connection: u64, framed: bool) -> Result<Option<u64>, EngineError> {
        self.with(connection, |peer, _| peer.open(framed))
            .ok_or(EngineError::Gone)
    }

    /// Sends a frame and ends the stream, without ever waiting.
    pub fn reply(&mut self, connection: u64, number: u64, frame: &[u8]) -> Sent {
        let Some(frame) = stream::framed(frame) else {
            return Sent::Refused;
        };
        let sent = self.with(connection, |peer, ledger| {
            peer.send(number, frame, true, false, ledger)
        });
        sent.unwrap_or(Sent::Gone)
    }

    /// Sends one frame of several; `Full` until the one before is on its way.
    pub fn send(&mut self, connection: u64, number: u64, frame: &[u8]) -> Sent {
        let Some(frame) = stream::framed(frame) else {
            return Sent::Refused;
        };
        let sent = self.with(connection, |peer, ledger| {
            peer.send(number, frame, false, true, ledger)
        });
        sent.unwrap_or(Sent::Gone)
    }

    /// Ends the sending half of a framed stream after what waits on it.
    pub fn finish(&mut self, connection: u64, number: u64) {
        self.with(connection, |peer, ledger| {
            peer.send(number, Bytes::new(), true, false, ledger)
        });
    }

    /// The frame was used: its budget is free and the next one may come.
    pub fn consumed(&mut self, connection: u64, number: u64) {
        self.with(connection, |peer, ledger| peer.consumed(number, ledger));
    }

    /// Reads a raw stream; `None`: it is gone.
    pub fn read(&mut self, connection: u64, number: u64, bytes_max: usize) -> Option<Read> {
        self.with(connection, |peer, ledger| {
            peer.read(number, bytes_max, ledger)
        })
        .flatten()
    }

    /// Writes a raw stream; `None`: it is gone, fewer bytes than given: `Writable` follows.
    pub fn write(&mut self, connection: u64, number: u64, data: &[u8], fin: bool) -> Option<usize> {
        self.with(connection, |peer, ledger| {
            peer.write(number, data, fin, ledger)
        })
        .flatten()
    }

    /// Gives up a stream's sending half.
    pub fn reset(&mut self, connection: u64, number: u64, code: u64) {
        self.with(connection, |peer, ledger| peer.reset(number, code, ledger));
    }

    /// Reads no more of a stream.
    pub fn stop_sending(&mut self, connection: u64, number: u64, code: u64) {
        self.with(connection, |peer, ledger| peer.stop(number, code, ledger));
    }

    /// Makes a framed stream a raw one.
    pub fn raw(&mut self, connection: u64, number: u64) {
        self.with(connection, |peer, ledger| peer.make_raw(number, ledger));
    }

    /// Asks for one `Idle` event, once all that was sent is acknowledged.
    pub fn watch_idle(&mut self, connection: u64) {
        self.with(connection, |peer, ledger| {
            peer.watch_idle = true;
            peer.report_idle(ledger);
        });
    }

    /// The largest frame taken from this peer from now on.
    pub fn set_frame_limit(&mut self, connection: u64, bytes_max: usize) {
        self.with(connection, |peer, _| peer.frame_max = bytes_max);
    }

    /// Uses another certificate for connections accepted from now on.
    pub fn set_certificate(&mut self, tls: &ServerTls) -> Result<(), EngineError> {
        let config = self.built.server_config(tls)?;
        self.built.server = Some(config.clone());
        self.endpoint.set_server_config(Some(config));
        Ok(())
    }

    /// Whether new connections are accepted.
    pub fn set_accepting(&mut self, accepting: bool) {
        self.accepting = accepting;
    }

    /// From how many half-open connections on a Retry is asked for; 0: always.
    pub fn set_retry(&mut self, from_half_open: usize) {
        self.ledger.limits.retry_from_half_open = from_half_open;
    }

    /// Seals Retry tokens with `current` from now on, and takes those of `also` besides, until they expire.
    pub fn set_retry_keys(&mut self, current: &[u8; 32], also: Option<&[u8; 32]>) {
        self.built.retry_keys.set(current, also);
    }

    /// Goes on to the next traffic keys (RFC 9001 section 6), unless the last step is not confirmed yet.
    pub fn update_keys(&mut self, connection: u64) {
        self.with(connection, |peer, _| peer.connection.force_key_update());
    }

    /// Hands out datagrams whose connection id bears another worker's number, instead of dropping them.
    pub fn set_forwarding(&mut self, worker: Option<u8>) {
        self.forward_from = worker;
    }
}
