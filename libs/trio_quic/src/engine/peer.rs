//! One connection: quinn-proto's state machine, its streams, and what its events mean for them.

use std::net::SocketAddr;
use std::time::Instant;

use quinn_proto::{Connection, Dir, Event as TransportEvent, StreamEvent, VarInt};
use rustc_hash::FxHashMap;

use super::event::{CloseKind, Event, Violation};
use super::floods::Meter;
use super::ids::stream_id;
use super::ledger::Ledger;
use super::silence::Watch;
use super::stream::{Budget, Progress, Queued, Stream};
use crate::address::Site;

/// The code a stream is stopped with whose frame broke a rule, or whose sender is not needed any more.
pub(super) const NOT_WANTED: VarInt = VarInt::from_u32(0);
/// The code for a reply that the peer's own slowness leaves no room for.
pub(super) const NO_ROOM: VarInt = VarInt::from_u32(3);

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The handshake runs; counted among the half open.
    Opening,
    Open,
    /// Its `Closed` event has been given.
    Over,
}

/// One connection and its streams.
pub(super) struct Peer {
    pub(super) connection: Connection,
    pub(super) key: u64,
    pub(super) streams: FxHashMap<u64, Stream>,
    pub(super) budget: Budget,
    /// Bytes waiting to be taken by QUIC, over all streams.
    pub(super) queued: Queued,
    pub(super) blocked: Vec<u64>,
    /// Deadlines set, each earlier than the one before: a later one is found when the earlier has come.
    pub(super) timers: Vec<Instant>,
    pub(super) dirty: bool,
    pub(super) address: SocketAddr,
    pub(super) site: Site,
    pub(super) stage: Stage,
    pub(super) server: bool,
    pub(super) meter: Meter,
    pub(super) watch: Watch,
    /// On a client, between its own end of the handshake and the server's word for it.
    unconfirmed: bool,
    pub(super) frame_max: usize,
    framed: bool,
    /// The application waits for everything to be acknowledged.
    pub(super) watch_idle: bool,
}

impl Peer {
    pub(super) fn new(
        connection: Connection,
        key: u64,
        server: bool,
        framed: bool,
        ledger: &Ledger,
    ) -> Self {
        let address = connection.remote_address();
        Self {
            connection,
            key,
            streams: FxHashMap::default(),
            budget: Budget {
                held: 0,
                held_max: ledger.limits.held_beginning(server),
                total: ledger.total.clone(),
            },
            queued: Queued::new(ledger.total.clone()),
            blocked: Vec::new(),
            timers: Vec::new(),
            dirty: false,
            address,
            site: Site::from(&address),
            stage: Stage::Opening,
            server,
            meter: Meter::new(ledger.now, address),
            watch: Watch::new(ledger.now),
            unconfirmed: false,
            frame_max: ledger.limits.frame_bytes_max,
            framed,
            watch_idle: false,
        }
    }

    /// Turns what the transport reports into the engine's events.
    pub(super) fn drain_events(&mut self, ledger: &mut Ledger) {
        while let Some(event) = self.connection.poll() {
            match event {
                TransportEvent::Connected if self.server => self.connected(ledger),
                TransportEvent::Connected => self.unconfirmed = true,
                TransportEvent::ConnectionLost { reason } => {
                    self.over(Event::lost(self.key, reason), ledger)
                }
                TransportEvent::Stream(event) => self.stream_event(event, ledger),
                _ => {}
            }
        }
        // A client's own handshake ends before the server has judged its certificate: wait for HANDSHAKE_DONE.
        if self.unconfirmed && self.connection.stats().frame_rx.handshake_done > 0 {
            self.unconfirmed = false;
            self.connected(ledger);
        }
        self.report_idle(ledger);
        let address = self.connection.remote_address();
        if address != self.address {
            self.address = address;
            ledger.counters.moves += 1;
            ledger.events.push(Event::Path {
                connection: self.key,
                address,
            });
        }
    }

    pub(super) fn report_idle(&mut self, ledger: &mut Ledger) {
        if self.watch_idle
            && self.queued.bytes() == 0
            && self.connection.streams().send_streams() == 0
        {
            self.watch_idle = false;
            ledger.events.push(Event::Idle {
                connection: self.key,
            });
        }
    }

    fn connected(&mut self, ledger: &mut Ledger) {
        if self.stage != Stage::Opening {
            return;
        }
        self.leave_half_open(ledger);
        self.stage = Stage::Open;
        ledger.events.push(Event::Connected {
            connection: self.key,
            address: self.address,
            server: self.server,
        });
    }

    /// Reports the end, once.
    pub(super) fn over(&mut self, event: Event, ledger: &mut Ledger) {
        if self.stage == Stage::Over {
            return;
        }
        if self.stage == Stage::Opening {
            ledger.counters.handshakes_failed += 1;
        }
        self.leave_half_open(ledger);
        self.stage = Stage::Over;
        self.streams.clear();
        self.blocked.clear();
        self.queued.sub(self.queued.bytes());
        let broken = matches!(
            event,
            Event::Closed {
                kind: CloseKind::Transport,
                ..
            }
        );
        ledger.counters.connections_broken += u64::from(broken);
        ledger.events.push(event);
    }

    fn leave_half_open(&self, ledger: &mut Ledger) {
        if self.stage == Stage::Opening && self.server {
            ledger.half_open = ledger.half_open.saturating_sub(1);
        }
    }

    fn stream_event(&mut self, event: StreamEvent, ledger: &mut Ledger) {
        let connection = self.key;
        match event {
            StreamEvent::Opened { dir } => {
                while let Some(id) = self.connection.streams().accept(dir) {
                    self.accept_stream(u64::from(id), ledger);
                }
            }
            StreamEvent::Readable { id } => self.read_stream(u64::from(id), ledger),
            StreamEvent::Writable { id } => self.push(u64::from(id), ledger),
            StreamEvent::Stopped { id, error_code } => {
                self.stopped(u64::from(id), error_code, ledger);
            }
            StreamEvent::Available { dir: Dir::Bi } => {
                ledger.events.push(Event::Available { connection })
            }
            StreamEvent::Available { dir: Dir::Uni } | StreamEvent::Finished { .. } => {}
        }
    }

    fn accept_stream(&mut self, number: u64, ledger: &mut Ledger) {
        self.streams.insert(number, Stream::new(self.framed, true));
        if !self.framed {
            ledger.events.push(Event::Opened {
                connection: self.key,
                stream: number,
            });
        }
        self.read_stream(number, ledger);
    }

    fn stopped(&mut self, number: u64, code: VarInt, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let _ = self.connection.send_stream(stream_id(number)).reset(code);
        self.queued.sub(stream.pending_bytes());
        stream.pending.clear();
        stream.send_done = true;
        if stream.framed && stream.inbound && !stream.receive_done {
            // Whoever does not want the answer has no request either.
            let _ = self
                .connection
                .recv_stream(stream_id(number))
                .stop(NOT_WANTED);
            stream.receive_done = true;
        }
        ledger.events.push(Event::Stopped {
            connection: self.key,
            stream: number,
            code: code.into_inner(),
        });
        self.tidy(number, ledger);
    }

    /// Reads at most one frame of a framed stream; of a raw one it only says that there is something.
    pub(super) fn read_stream(&mut self, number: u64, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let connection = self.key;
        if stream.receive_done {
            return;
        }
        if !stream.framed {
            ledger.events.push(Event::Readable {
                connection,
                stream: number,
            });
            return;
        }
        let mut receive = self.connection.recv_stream(stream_id(number));
        let progress = if stream.delivered {
            match receive.received_reset() {
                Ok(Some(code)) => Progress::Reset(code.into_inner()),
                _ => return,
            }
        } else if let Ok(mut chunks) = receive.read(true) {
            let progress = stream.read_frame(&mut chunks, self.frame_max, &mut self.budget);
            // Says whether credit must be sent; the connection is polled for that in any case.
            let _ = chunks.finalize();
            progress
        } else {
            stream.receive_done = true;
            self.tidy(number, ledger);
            return;
        };
        self.advance(number, progress, ledger);
    }

    fn advance(&mut self, number: u64, progress: Progress, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let connection = self.key;
        match progress {
            Progress::Blocked => {
                let phase = stream.phase();
                if stream.inbound && stream.timed != Some(phase) {
                    stream.timed = Some(phase);
                    ledger.arm_frame(connection, number, phase);
                }
                return;
            }
            Progress::NoBudget => {
                if !stream.waiting {
                    stream.waiting = true;
                    ledger.counters.frames_waited += 1;
                    self.blocked.push(number);
                }
                return;
            }
            Progress::Frame { data, fin } => {
                stream.delivered = true;
                stream.receive_done = fin;
                ledger.events.push(Event::Frame {
                    connection,
                    stream: number,
                    data,
                    fin,
                });
            }
            Progress::Ended { clean: true } => {
                stream.receive_done = true;
                ledger.events.push(Event::Fin {
                    connection,
                    stream: number,
                });
            }
            Progress::Ended { clean: false } => {
                stream.receive_done = true;
                return self.violation(number, Violation::Truncated, ledger);
            }
            Progress::Reset(code) => {
                stream.receive_done = true;
                self.budget.give_back(stream);
                ledger.events.push(Event::Reset {
                    connection,
                    stream: number,
                    code,
                });
            }
            Progress::Oversized => return self.violation(number, Violation::Oversized, ledger),
        }
        self.tidy(number, ledger);
    }

    /// Ends a stream's receiving half for a broken rule; the application may still answer.
    pub(super) fn violation(&mut self, number: u64, violation: Violation, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let counters = &mut ledger.counters;
        match violation {
            Violation::Oversized => counters.frames_oversized += 1,
            Violation::Truncated => counters.frames_truncated += 1,
            Violation::Late => counters.frames_late += 1,
        }
        if !stream.receive_done {
            let _ = self
                .connection
                .recv_stream(stream_id(number))
                .stop(NOT_WANTED);
            stream.receive_done = true;
        }
        stream.buffer.clear();
        self.budget.give_back(stream);
        ledger.events.push(Event::Violation {
            connection: self.key,
            stream: number,
            violation,
        });
        self.tidy(number, ledger);
    }

    /// Sends what waits on a stream, and says when the application can write again.
    pub(super) fn push(&mut self, number: u64, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let before = stream.pending_bytes();
        let empty = stream.push(self.connection.send_stream(stream_id(number)));
        self.queued
            .sub(before.saturating_sub(stream.pending_bytes()));
        if empty && std::mem::take(&mut stream.wants_writable) {
            ledger.events.push(Event::Writable {
                connection: self.key,
                stream: number,
            });
        }
        self.tidy(number, ledger);
    }

    /// Forgets a stream that is over, and lets others have its budget.
    pub(super) fn tidy(&mut self, number: u64, ledger: &mut Ledger) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        if stream.unanswered && (stream.delivered || stream.receive_done) {
            stream.unanswered = false;
            self.watch.answered();
        }
        if stream.is_over() {
            self.budget.give_back(stream);
            self.queued.sub(stream.pending_bytes());
            self.streams.remove(&number);
        }
        self.wake_blocked(ledger);
    }

    /// Goes on with streams that waited for the budget.
    pub(super) fn wake_blocked(&mut self, ledger: &mut Ledger) {
        if self.blocked.is_empty() || self.budget.held >= self.budget.held_max {
            return;
        }
        for number in std::mem::take(&mut self.blocked) {
            if let Some(stream) = self.streams.get_mut(&number) {
                stream.waiting = false;
                self.read_stream(number, ledger);
            }
        }
    }
}
