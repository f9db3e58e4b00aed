//! What happens by the clock: QUIC's own timers, the deadline of a handshake, the deadlines of a frame.

use std::cmp::Reverse;
use std::time::Instant;

use super::Engine;
use super::event::{CloseKind, Violation};
use super::ledger::Alarm;
use super::peer::Stage;
use super::stream::{Phase, Stream};

impl Engine {
    /// When `handle_timeout` is due, in microseconds.
    ///
    /// A timer that has moved on meanwhile is set anew first: most acknowledgements move the one of the packet that they
    /// acknowledge, and to wake up for it costs a lone call as much as the call itself.
    pub fn next_timeout(&mut self) -> Option<u64> {
        while let Some(Reverse((at, Alarm::Transport { index }))) =
            self.ledger.alarms.peek().copied()
            && self.has_moved(index, at)
        {
            self.ledger.alarms.pop();
            self.transport_due(index, at);
        }
        self.ledger
            .alarms
            .peek()
            .map(|Reverse((at, _))| self.microseconds(*at))
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now_us: u64) {
        self.set_now(now_us);
        while let Some((at, alarm)) = self.ledger.next_due() {
            match alarm {
                Alarm::Transport { index } => self.transport_due(index, at),
                Alarm::Handshake { connection } => self.handshake_due(connection),
                Alarm::FrameHead { connection, stream } => {
                    self.frame_due(connection, stream, Phase::Head)
                }
                Alarm::FrameBody { connection, stream } => {
                    self.frame_due(connection, stream, Phase::Body)
                }
            }
        }
        self.drive();
    }

    /// Whether a timer that was armed is not due at that time any more.
    fn has_moved(&mut self, index: usize, armed: Instant) -> bool {
        self.peers.get_mut(&index).is_none_or(|peer| {
            peer.timers.last() != Some(&armed)
                || peer
                    .connection
                    .poll_timeout()
                    .is_none_or(|at| at > armed.max(self.ledger.now))
        })
    }

    fn transport_due(&mut self, index: usize, armed: Instant) {
        let Some(peer) = self.peers.get_mut(&index) else {
            return;
        };
        if peer.timers.last() != Some(&armed) {
            return;
        }
        peer.timers.pop();
        match peer.connection.poll_timeout() {
            Some(at) if at <= self.ledger.now => {
                self.guard(index, |peer, ledger| {
                    peer.connection.handle_timeout(ledger.now)
                });
            }
            Some(at) if peer.timers.last().is_none_or(|armed| at < *armed) => {
                peer.timers.push(at);
                self.ledger.arm(at, Alarm::Transport { index });
            }
            _ => {}
        }
    }

    fn handshake_due(&mut self, connection: u64) {
        let opening = self
            .with(connection, |peer, _| peer.stage == Stage::Opening)
            .unwrap_or(false);
        if let (true, Ok(index)) = (opening, usize::try_from(connection & u64::from(u32::MAX))) {
            self.ledger.counters.handshakes_late += 1;
            self.discard(index, CloseKind::HandshakeLate, "handshake took too long");
        }
    }

    fn frame_due(&mut self, connection: u64, number: u64, phase: Phase) {
        self.with(connection, |peer, ledger| {
            let awaited = |stream: &Stream| {
                stream.timed == Some(phase)
                    && stream.phase() == phase
                    && !stream.delivered
                    && !stream.receive_done
            };
            if peer.streams.get(&number).is_some_and(awaited) {
                peer.violation(number, Violation::Late, ledger);
            }
        });
    }
}
