//! What all connections of an engine share while one of them is worked on: events, counters, deadlines, limits, the time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::Event;
use super::floods::Visitors;
use super::settings::Limits;
use super::stream::{Phase, Total};

/// What the engine has counted since it was made.
#[derive(Debug, Default, Clone)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counters {
    pub datagrams_received: u64,
    pub datagrams_sent: u64,
    pub datagrams_dropped: u64,
    pub connections_accepted: u64,
    pub connections_refused: u64,
    pub connections_ignored: u64,
    pub retries_sent: u64,
    pub handshakes_limited: u64,
    pub handshakes_late: u64,
    pub handshakes_failed: u64,
    pub connections_broken: u64,
    pub floods_of_cancels: u64,
    pub floods_of_paths: u64,
    pub floods_of_idle_frames: u64,
    pub floods_by_address: u64,
    pub moves: u64,
    pub frames_oversized: u64,
    pub frames_truncated: u64,
    pub frames_late: u64,
    pub frames_waited: u64,
    pub replies_refused: u64,
    pub faults: u64,
}

impl Counters {
    /// Every counter with its name.
    pub fn named(&self) -> [(&'static str, u64); 22] {
        [
            ("datagrams_received", self.datagrams_received),
            ("datagrams_sent", self.datagrams_sent),
            ("datagrams_dropped", self.datagrams_dropped),
            ("connections_accepted", self.connections_accepted),
            ("connections_refused", self.connections_refused),
            ("connections_ignored", self.connections_ignored),
            ("retries_sent", self.retries_sent),
            ("handshakes_limited", self.handshakes_limited),
            ("handshakes_late", self.handshakes_late),
            ("handshakes_failed", self.handshakes_failed),
            ("connections_broken", self.connections_broken),
            ("floods_of_cancels", self.floods_of_cancels),
            ("floods_of_paths", self.floods_of_paths),
            ("floods_of_idle_frames", self.floods_of_idle_frames),
            ("floods_by_address", self.floods_by_address),
            ("moves", self.moves),
            ("frames_oversized", self.frames_oversized),
            ("frames_truncated", self.frames_truncated),
            ("frames_late", self.frames_late),
            ("frames_waited", self.frames_waited),
            ("replies_refused", self.replies_refused),
            ("faults", self.faults),
        ]
    }
}

/// Something that is due at a time. Stale ones are recognised when they come up, not searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    Transport { index: usize },
    Handshake { connection: u64 },
    FrameHead { connection: u64, stream: u64 },
    FrameBody { connection: u64, stream: u64 },
    Silence { connection: u64 },
}

/// The shared side of an engine.
pub(super) struct Ledger {
    pub(super) base: Instant,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    pub(super) counters: Counters,
    pub(super) limits: Limits,
    pub(super) alarms: BinaryHeap<Reverse<(Instant, Alarm)>>,
    pub(super) half_open: usize,
    pub(super) visitors: Visitors,
    pub(super) total: Arc<Total>,
}

impl Ledger {
    pub(super) fn new(now: Instant, limits: Limits) -> Self {
        Self {
            base: now,
            now,
            events: Vec::new(),
            counters: Counters::default(),
            visitors: Visitors::new(now),
            total: Arc::new(Total::new(limits.held_total_bytes_max)),
            limits,
            alarms: BinaryHeap::new(),
            half_open: 0,
        }
    }

    pub(super) fn arm(&mut self, at: Instant, alarm: Alarm) {
        self.alarms.push(Reverse((at, alarm)));
    }

    /// Sets an alarm that may come a little late when it is far off; returns when it comes.
    pub(super) fn arm_about(&mut self, at: Instant, alarm: Alarm) -> Instant {
        let at = self.rounded(at);
        self.arm(at, alarm);
        at
    }

    /// Sets the deadline of a frame's head or body.
    pub(super) fn arm_frame(&mut self, connection: u64, stream: u64, phase: Phase) {
        let (after_ms, alarm) = match phase {
            Phase::Head => (
                self.limits.frame_head_ms,
                Alarm::FrameHead { connection, stream },
            ),
            Phase::Body => (
                self.limits.frame_ms,
                Alarm::FrameBody { connection, stream },
            ),
        };
        self.arm(self.now + Duration::from_millis(after_ms), alarm);
    }

    /// Takes the next alarm that is due.
    pub(super) fn next_due(&mut self) -> Option<(Instant, Alarm)> {
        let Reverse((at, _)) = self.alarms.peek()?;
        if *at > self.now {
            return None;
        }
        self.alarms.pop().map(|Reverse(due)| due)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::limits;
    use super::*;

    /// Found by the simulation: a deadline a nanosecond past the grid was set before itself, was stale when it came, and was set
    /// anew for ever, in one call of `next_timeout`.
    #[test]
    fn a_deadline_on_the_grid_is_never_early() {
        let base = Instant::now();
        let ledger = Ledger::new(base, limits());
        for second in [8, 9, 30] {
            for ns in [0, 1, 999, 1_000, 499_999_999, 500_000_000, 500_000_001] {
                let at = base + Duration::new(second, ns);
                let set = ledger.rounded(at);
                assert!(at <= set && set < at + Duration::from_millis(500));
            }
        }
    }
}
