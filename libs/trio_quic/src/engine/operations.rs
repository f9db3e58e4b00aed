//! What the application does with a connection's streams.
//!
//! quinn-proto asserts on stream numbers, so every one is looked up in the connection's own table first.

use bytes::Bytes;
use quinn_proto::{Dir, ReadError, WriteError};

use super::event::Event;
use super::ids::{error_code, stream_id};
use super::ledger::Ledger;
use super::peer::{NO_ROOM, NOT_WANTED, Peer};
use super::stream::Stream;

/// What became of a frame handed over for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Taken, wholly or as the one frame that waits.
    Taken,
    /// The one before still waits: `Writable` follows.
    Full,
    /// The peer is too slow for a reply that cannot wait: the stream was reset.
    Refused,
    /// The stream or the connection is gone.
    Gone,
}

/// Bytes read from a raw stream: pieces in order, and whether the end has come.
pub type Read = (Vec<Bytes>, bool);

impl Peer {
    /// Opens a stream; `None` when the peer allows no more now (`Available` follows).
    pub(super) fn open(&mut self, framed: bool) -> Option<u64> {
        let number = u64::from(self.connection.streams().open(Dir::Bi)?);
        self.streams.insert(number, Stream::new(framed, false));
        Some(number)
    }

    /// The stream is a call: its answer is awaited from now on.
    pub(super) fn call(&mut self, number: u64) {
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.unanswered = true;
            self.watch.called();
        }
    }

    /// Queues a frame, and the stream's end if `fin`. `wait`: one frame waits at most; else the budget bounds all that waits.
    pub(super) fn send(
        &mut self,
        number: u64,
        frame: Bytes,
        fin: bool,
        wait: bool,
        ledger: &mut Ledger,
    ) -> Sent {
        let Some(stream) = self.streams.get_mut(&number) else {
            return Sent::Gone;
        };
        if stream.send_done || stream.pending_fin {
            return Sent::Gone;
        }
        if wait && !stream.pending.is_empty() {
            stream.wants_writable = true;
            return Sent::Full;
        }
        if !frame.is_empty() {
            self.queued.add(frame.len());
            stream.pending.push_back(frame);
        }
        stream.pending_fin = fin;
        if fin && stream.inbound {
            self.end_request(number);
        }
        self.push(number, ledger);
        let waiting = self.queued.bytes();
        if wait || (waiting <= self.budget.held_max && !self.queued.total.is_spent(0)) {
            return Sent::Taken;
        }
        match self.streams.get(&number).map(Stream::pending_bytes) {
            // The only one that waits may be as large as it likes; among others it may not.
            Some(own) if own > 0 && own < waiting => {
                ledger.counters.replies_refused += 1;
                self.reset(number, NO_ROOM.into_inner(), ledger);
                Sent::Refused
            }
            _ => Sent::Taken,
        }
    }

    /// The request is answered: gives its budget back, and wants nothing more of it.
    fn end_request(&mut self, number: u64) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        self.budget.give_back(stream);
        if !stream.receive_done {
            let _ = self
                .connection
                .recv_stream(stream_id(number))
                .stop(NOT_WANTED);
            stream.receive_done = true;
        }
    }

    /// The application is done with the frame it has: the next one may come.
    pub(super) fn consumed(&mut self, number: u64, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        if std::mem::take(&mut stream.delivered) {
            self.budget.give_back(stream);
            self.read_stream(number, ledger);
            self.wake_blocked(ledger);
        }
    }

    /// Reads up to `bytes_max` of a raw stream; the peer gets credit for exactly these.
    pub(super) fn read(
        &mut self,
        number: u64,
        bytes_max: usize,
        ledger: &mut Ledger,
    ) -> Option<Read> {
        let stream = self.streams.get_mut(&number)?;
        let mut pieces = Vec::new();
        let mut total = 0;
        if !stream.buffer.is_empty() {
            let piece = stream
                .buffer
                .split_to(bytes_max.min(stream.buffer.len()))
                .freeze();
            total = piece.len();
            pieces.push(piece);
        }
        let mut fin = stream.receive_done && stream.buffer.is_empty();
        let mut reset = false;
        if !stream.receive_done
            && let Ok(mut chunks) = self.connection.recv_stream(stream_id(number)).read(true)
        {
            while total < bytes_max {
                match chunks.next(bytes_max.saturating_sub(total)) {
                    Ok(Some(chunk)) => {
                        total = total.saturating_add(chunk.bytes.len());
                        pieces.push(chunk.bytes);
                    }
                    Err(ReadError::Blocked) => break,
                    Ok(None) => {
                        fin = true;
                        break;
                    }
                    Err(ReadError::Reset(code)) => {
                        let code = code.into_inner();
                        ledger.events.push(Event::Reset {
                            connection: self.key,
                            stream: number,
                            code,
                        });
                        reset = true;
                        break;
                    }
                }
            }
            let _ = chunks.finalize();
        }
        if fin || reset {
            stream.receive_done = true;
            self.tidy(number, ledger);
        }
        if reset { None } else { Some((pieces, fin)) }
    }

    /// Writes to a raw stream; fewer bytes taken than given means that `Writable` follows. `None`: gone.
    pub(super) fn write(
        &mut self,
        number: u64,
        data: &[u8],
        fin: bool,
        ledger: &mut Ledger,
    ) -> Option<usize> {
        let stream = self.streams.get_mut(&number)?;
        if stream.send_done {
            return None;
        }
        let mut out = self.connection.send_stream(stream_id(number));
        let mut rest = data;
        // Only a blocked write makes quinn-proto report Writable later, a short one does not.
        while !rest.is_empty() {
            match out.write(rest) {
                Ok(taken) => rest = rest.split_at_checked(taken)?.1,
                Err(WriteError::Blocked) => {
                    stream.wants_writable = true;
                    break;
                }
                Err(_) => return None,
            }
        }
        if fin && rest.is_empty() {
            let _ = out.finish();
            stream.send_done = true;
        }
        self.tidy(number, ledger);
        Some(data.len().saturating_sub(rest.len()))
    }

    /// Gives up the sending half.
    pub(super) fn reset(&mut self, number: u64, code: u64, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let _ = self
            .connection
            .send_stream(stream_id(number))
            .reset(error_code(code));
        self.queued.sub(stream.pending_bytes());
        stream.pending.clear();
        stream.send_done = true;
        if stream.framed && stream.inbound {
            self.end_request(number);
        }
        self.tidy(number, ledger);
    }

    /// Reads no more of a stream.
    pub(super) fn stop(&mut self, number: u64, code: u64, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        if !stream.receive_done {
            let _ = self
                .connection
                .recv_stream(stream_id(number))
                .stop(error_code(code));
            stream.receive_done = true;
        }
        stream.delivered = false;
        stream.buffer.clear();
        self.budget.give_back(stream);
        self.tidy(number, ledger);
    }

    /// From here on the stream is bytes, not frames.
    pub(super) fn make_raw(&mut self, number: u64, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        stream.framed = false;
        stream.delivered = false;
        self.budget.give_back(stream);
        self.wake_blocked(ledger);
    }
}
