//! One stream as the engine keeps it: cutting arriving bytes into frames, and bytes waiting to leave.
//!
//! A frame is a 4-byte little-endian length and that many bytes. At most one frame of a stream is with the application;
//! what follows stays in QUIC's own window, so the peer waits. Its whole length is reserved from the connection's budget
//! before any of it is read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use quinn_proto::{Chunks, ReadError, SendStream, WriteError};

/// Bytes of a frame's length.
pub(super) const HEAD_BYTES: usize = 4;

/// Which part of a frame is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Head,
    Body,
}

/// What reading a framed stream came to.
#[derive(Debug)]
pub(super) enum Progress {
    /// More has to arrive.
    Blocked,
    /// The budget is spent: go on when some of it is given back.
    NoBudget,
    Frame {
        data: Bytes,
        fin: bool,
    },
    /// The stream ended; `clean`: between frames, after at least one.
    Ended {
        clean: bool,
    },
    Reset(u64),
    Oversized,
}

/// A stream's state on this side.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) framed: bool,
    /// Opened by the peer: then its frames have deadlines.
    pub(super) inbound: bool,
    /// Length of the frame that is coming in, once known.
    need: Option<usize>,
    /// Part of a length or of a frame.
    pub(super) buffer: BytesMut,
    /// Bytes of the connection's budget this stream holds.
    pub(super) held: usize,
    /// A frame is with the application.
    pub(super) delivered: bool,
    /// A call whose answer has not begun.
    pub(super) unanswered: bool,
    /// At least one frame has come.
    any_frame: bool,
    pub(super) receive_done: bool,
    pub(super) send_done: bool,
    /// In the connection's list of streams that wait for budget.
    pub(super) waiting: bool,
    /// The deadline already set, so that one phase has one.
    pub(super) timed: Option<Phase>,
    pub(super) pending: VecDeque<Bytes>,
    pub(super) pending_fin: bool,
    /// The application was told to wait until it can write.
    pub(super) wants_writable: bool,
}

/// Bytes that all connections hold together: frames partly here or with the application, and frames waiting to be sent.
#[derive(Debug)]
pub(super) struct Total {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Total {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
        }
    }

    /// Whether so many more are too many.
    pub(super) fn is_spent(&self, more: usize) -> bool {
        self.bytes.load(Ordering::Relaxed).saturating_add(more) > self.bytes_max
    }

    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn sub(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes of one connection that wait to be taken by QUIC; part of the total.
#[derive(Debug)]
pub(super) struct Queued {
    bytes: usize,
    pub(super) total: Arc<Total>,
}

impl Queued {
    pub(super) fn new(total: Arc<Total>) -> Self {
        Self { bytes: 0, total }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.total.add(bytes);
    }

    pub(super) fn sub(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.total.sub(bytes);
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.total.sub(self.bytes);
    }
}

/// The budget of a connection: bytes of frames that are partly here or with the application; part of the total.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) held: usize,
    pub(super) held_max: usize,
    pub(super) total: Arc<Total>,
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.total.sub(self.held);
    }
}

impl Budget {
    /// A single frame always fits, however small the budget.
    fn take(&mut self, bytes: usize) -> bool {
        let beyond = self.held.saturating_add(bytes) > self.held_max;
        if self.held != 0 && (beyond || self.total.is_spent(bytes)) {
            return false;
        }
        self.held = self.held.saturating_add(bytes);
        self.total.add(bytes);
        true
    }

    pub(super) fn give_back(&mut self, stream: &mut Stream) {
        let bytes = std::mem::take(&mut stream.held).min(self.held);
        self.held -= bytes;
        self.total.sub(bytes);
    }
}

impl Stream {
    pub(super) fn new(framed: bool, inbound: bool) -> Self {
        Self {
            framed,
            inbound,
            ..Self::default()
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.receive_done && self.send_done
    }

    pub(super) fn phase(&self) -> Phase {
        if self.need.is_none() {
            Phase::Head
        } else {
            Phase::Body
        }
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.iter().map(Bytes::len).sum()
    }

    /// Reads on, up to the end of one frame.
    pub(super) fn read_frame(
        &mut self,
        chunks: &mut Chunks<'_>,
        frame_max: usize,
        budget: &mut Budget,
    ) -> Progress {
        loop {
            if self.need.is_none() && !self.take_head(frame_max) {
                return Progress::Oversized;
            }
            let missing = match self.need {
                None => HEAD_BYTES.saturating_sub(self.buffer.len()),
                Some(need) if self.held == 0 && need > 0 && !budget.take(need) => {
                    return Progress::NoBudget;
                }
                Some(need) => {
                    self.held = need;
                    need.saturating_sub(self.buffer.len())
                }
            };
            if missing == 0 {
                return self.whole_frame(chunks);
            }
            match chunks.next(missing) {
                Ok(Some(chunk)) => self.append(&chunk.bytes),
                Ok(None) => {
                    // A caller must send a frame; an answer may be none at all.
                    let between = self.need.is_none() && self.buffer.is_empty();
                    let clean = between && (self.any_frame || !self.inbound);
                    return Progress::Ended { clean };
                }
                Err(ReadError::Blocked) => return Progress::Blocked,
                Err(ReadError::Reset(code)) => return Progress::Reset(code.into_inner()),
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.buffer.is_empty() {
            self.buffer.reserve(self.need.unwrap_or(HEAD_BYTES));
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Reads the length once it is whole; false if it is too large.
    fn take_head(&mut self, frame_max: usize) -> bool {
        let Ok(head) = <[u8; HEAD_BYTES]>::try_from(self.buffer.as_ref()) else {
            return true;
        };
        let need = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
        self.buffer.clear();
        self.need = Some(need);
        need <= frame_max
    }

    fn whole_frame(&mut self, chunks: &mut Chunks<'_>) -> Progress {
        let data = self.buffer.split().freeze();
        self.need = None;
        self.timed = None;
        self.any_frame = true;
        // Most often the end is here already: knowing it now saves an event.
        let mut fin = false;
        match chunks.next(HEAD_BYTES) {
            Ok(None) => fin = true,
            Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk.bytes),
            Err(_) => {}
        }
        Progress::Frame { data, fin }
    }

    /// Hands waiting bytes to QUIC until it takes no more; true when none are left.
    pub(super) fn push(&mut self, mut out: SendStream<'_>) -> bool {
        while let Some(first) = self.pending.front_mut() {
            match out.write_chunks(std::slice::from_mut(first)) {
                Ok(_) if first.is_empty() => {
                    self.pending.pop_front();
                }
                Ok(_) => {}
                Err(WriteError::Blocked) => return false,
                Err(_) => {
                    self.pending.clear();
                    self.send_done = true;
                    return true;
                }
            }
        }
        if self.pending_fin && !self.send_done {
            // Fails only on a stream that is closed already.
            let _ = out.finish();
            self.send_done = true;
        }
        true
    }
}

/// A frame as it goes on the wire, or `None` if its length does not fit the head.
pub(super) fn framed(data: &[u8]) -> Option<Bytes> {
    let head = u32::try_from(data.len()).ok()?.to_le_bytes();
    let mut frame = BytesMut::with_capacity(data.len().saturating_add(HEAD_BYTES));
    frame.extend_from_slice(&head);
    frame.extend_from_slice(data);
    Some(frame.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_always_fits_the_budget_and_a_second_waits() {
        let mut budget = Budget {
            held: 0,
            held_max: 10,
            total: Arc::new(Total::new(1_000)),
        };
        assert!(budget.take(100));
        assert!(!budget.take(1));
        let mut stream = Stream {
            held: 100,
            ..Stream::default()
        };
        budget.give_back(&mut stream);
        assert_eq!((budget.held, stream.held), (0, 0));
        assert!(budget.take(4) && budget.take(6) && !budget.take(1));
    }

    #[test]
    fn when_the_total_is_spent_each_connection_has_one_frame_and_gives_back_what_it_held() {
        let total = Arc::new(Total::new(10));
        let budget = || Budget {
            held: 0,
            held_max: 100,
            total: total.clone(),
        };
        let (mut one, mut other) = (budget(), budget());
        assert!(one.take(8) && other.take(8) && !one.take(1) && !other.take(1));
        drop(other);
        assert!(one.take(1) && !one.take(2));
        let mut queued = Queued::new(total.clone());
        queued.add(5);
        assert!(total.is_spent(0));
        drop((one, queued));
        assert!(!total.is_spent(10) && total.is_spent(11));
    }

    #[test]
    fn a_length_is_read_little_endian_and_checked_before_anything_is_reserved() {
        let mut stream = Stream::new(true, true);
        stream.append(&[0, 1]);
        assert!(stream.take_head(256) && stream.phase() == Phase::Head);
        stream.append(&[0, 0]);
        assert!(stream.take_head(256) && stream.phase() == Phase::Body);
        assert_eq!(stream.need, Some(256));
        let mut stream = Stream::new(true, true);
        stream.append(&[1, 1, 0, 0]);
        assert!(!stream.take_head(256));
        assert_eq!(stream.held, 0);
    }

    #[test]
    fn the_wire_form_is_length_then_bytes() {
        assert_eq!(framed(b"ab").as_deref(), Some(&b"\x02\0\0\0ab"[..]));
    }
}
