//! What happens by the clock: QUIC's own timers, the deadline of a handshake, the deadlines of a frame.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::Engine;
use super::event::{CloseKind, Violation};
use super::ledger::{Alarm, Ledger};
use super::peer::{Peer, Stage};
use super::stream::{Phase, Stream};

/// A deadline so far off may come a little late: an idle time-out, a handshake, a late repetition.
const COARSE_FROM: Duration = Duration::from_secs(8);
/// Late deadlines fall on multiples of this, so that those of all connections, stale ones most of them, share a wake-up.
const GRID: Duration = Duration::from_millis(500);
/// Closed connections are forgotten at multiples of this, so that they share a wake-up: one each was a fifth of a handshake's cost.
const FORGET_GRID: Duration = Duration::from_millis(100);

impl Ledger {
    /// When to wake up for a deadline.
    pub(super) fn rounded(&self, at: Instant) -> Instant {
        if at.saturating_duration_since(self.now) < COARSE_FROM {
            return at;
        }
        self.on_grid(at, GRID)
    }

    /// Never before `at`, not by a nanosecond: a timer set too early has moved on when it comes, is set anew, and so for ever.
    fn on_grid(&self, at: Instant, grid: Duration) -> Instant {
        let ns = at.saturating_duration_since(self.base).as_nanos();
        let on_grid = ns.div_ceil(grid.as_nanos()).saturating_mul(grid.as_nanos());
        u64::try_from(on_grid).map_or(at, |ns| self.base + Duration::from_nanos(ns))
    }
}

impl Peer {
    /// Sets QUIC's timer, if it comes earlier than the one set: a later one is found when the earlier has come.
    pub(super) fn arm_timer(&mut self, index: usize, ledger: &mut Ledger) {
        let Some(mut at) = self.connection.poll_timeout() else {
            return;
        };
        if self.connection.is_closed() {
            at = ledger.on_grid(at, FORGET_GRID);
        }
        if self.timers.last().is_none_or(|armed| at < *armed) {
            let at = ledger.arm_about(at, Alarm::Transport { index });
            self.timers.push(at);
        }
    }
}

impl Engine {
    /// When `handle_timeout` is due, in microseconds.
    ///
    /// What is stale is taken off first, and a timer that has moved on is set anew: most acknowledgements move that of the
    /// packet that they acknowledge. To wake up for it costs a lone call as much as the call itself.
    pub fn next_timeout(&mut self) -> Option<u64> {
        while let Some(Reverse((at, alarm))) = self.ledger.alarms.peek().copied()
            && self.is_stale(at, alarm)
        {
            self.ledger.alarms.pop();
            if let Alarm::Transport { index } = alarm {
                self.transport_due(index, at);
            }
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
                Alarm::Silence { connection } => self.watch_due(connection, at),
            }
        }
        self.drive();
    }

    /// Whether nothing would come of an alarm.
    fn is_stale(&mut self, armed: Instant, alarm: Alarm) -> bool {
        let now = self.ledger.now;
        match alarm {
            Alarm::Transport { index } => self.peers.get_mut(&index).is_none_or(|peer| {
                peer.timers.last() != Some(&armed)
                    || peer
                        .connection
                        .poll_timeout()
                        .is_none_or(|at| at > armed.max(now))
            }),
            Alarm::Handshake { connection } => !self.is_opening(connection),
            Alarm::FrameHead { .. } | Alarm::FrameBody { .. } | Alarm::Silence { .. } => false,
        }
    }

    fn is_opening(&self, connection: u64) -> bool {
        usize::try_from(connection & u64::from(u32::MAX))
            .ok()
            .and_then(|index| self.peers.get(&index))
            .is_some_and(|peer| peer.key == connection && peer.stage == Stage::Opening)
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
            _ => peer.arm_timer(index, &mut self.ledger),
        }
    }

    fn handshake_due(&mut self, connection: u64) {
        if let (true, Ok(index)) = (
            self.is_opening(connection),
            usize::try_from(connection & u64::from(u32::MAX)),
        ) {
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
