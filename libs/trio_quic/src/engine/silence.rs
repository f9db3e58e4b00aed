//! Whether the peer is still there: an idle one is pinged now and then, one that owes an answer sooner, and one that
//! answers no ping is given up.
//!
//! QUIC repeats an unanswered ping by itself, but ever more seldom: a further one goes out each probe time, so that a network
//! that comes back is noticed before the end. Heard is what a peer that lives sends in answer: acknowledgements and stream
//! frames, in packets that were authentic. One alarm a connection, none a call.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_proto::{ConnectionStats, VarInt};

use super::Engine;
use super::event::{CloseKind, Event};
use super::ledger::{Alarm, Ledger};
use super::peer::{Peer, Stage};
use super::settings::Limits;

/// What our acknowledgement of a lone packet waits for (RFC 9000 section 18.2, `max_ack_delay`; quinn-proto keeps the default).
const ACK_DELAY: Duration = Duration::from_millis(25);
/// What a silent peer is told, should it live after all.
const SILENT: &str = "no answer";

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    GiveUp,
    Ping,
}

/// One connection's watch over its peer.
#[derive(Debug)]
pub(super) struct Watch {
    heard: u64,
    heard_at: Instant,
    /// Calls opened here whose answer has not begun.
    unanswered: usize,
    /// Since when something is owed without a break: a call's answer, or a ping's. None: since the datagrams that leave next.
    owed_since: Option<Instant>,
    /// The last ping of this silence.
    pinged_at: Option<Instant>,
    /// The alarm that is set; others that come up are stale.
    armed: Option<Instant>,
    /// Pings of the peer that were answered.
    pings: u64,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard: 0,
            heard_at: now,
            unanswered: 0,
            owed_since: None,
            pinged_at: None,
            armed: None,
            pings: 0,
        }
    }

    fn hear(&mut self, stats: &ConnectionStats, now: Instant) {
        let heard = stats.frame_rx.acks.saturating_add(stats.frame_rx.stream);
        if heard != self.heard {
            (self.heard, self.heard_at, self.pinged_at) = (heard, now, None);
        }
    }

    fn owe(&mut self) {
        if self.unanswered == 0 && self.pinged_at.is_none() {
            self.owed_since = None;
        }
    }

    /// A call was opened; its time is that of the datagrams that leave next, since calls come without one.
    pub(super) fn called(&mut self) {
        self.owe();
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// Its answer has begun, or is not wanted any more.
    pub(super) fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    fn ping(&mut self, now: Instant) {
        self.owe();
        self.pinged_at = Some(now);
    }

    /// What comes next and when, if nothing is heard until then.
    fn next(&mut self, limits: &Limits, now: Instant) -> Option<(Instant, Step)> {
        let after = |begin: Instant, ms: u64, step| {
            (ms > 0).then(|| (begin + Duration::from_millis(ms), step))
        };
        let silent_since = self.heard_at.max(*self.owed_since.get_or_insert(now));
        let steps = match self.pinged_at {
            Some(pinged_at) => [
                after(silent_since, limits.silence_ms, Step::GiveUp),
                after(pinged_at, limits.probe_ms, Step::Ping),
            ],
            None => [
                after(self.heard_at, limits.keepalive_ms, Step::Ping),
                after(silent_since, limits.probe_ms, Step::Ping).filter(|_| self.unanswered > 0),
            ],
        };
        steps.into_iter().flatten().min()
    }
}

impl Peer {
    /// After datagrams: notes that the peer lives, and answers its lone pings in this turn: the delayed acknowledgement of one
    /// would be a wake-up of its own, for each idle client and ping. Nothing else is due so soon that this could bring it forward.
    pub(super) fn listen(&mut self, now: Instant) {
        let stats = self.connection.stats();
        self.watch.hear(&stats, now);
        let pings = stats.frame_rx.ping;
        if pings != self.watch.pings {
            self.watch.pings = pings;
            let acknowledge = now + ACK_DELAY;
            if self.connection.poll_timeout() == Some(acknowledge) {
                self.connection.handle_timeout(acknowledge);
            }
        }
    }

    /// Sets the alarm, where it comes earlier than the one set: a later one is found when the earlier has come.
    pub(super) fn arm_watch(&mut self, ledger: &mut Ledger) {
        if self.stage != Stage::Open {
            return;
        }
        if let Some((at, _)) = self.watch.next(&ledger.limits, ledger.now)
            && self.watch.armed.is_none_or(|armed| at < armed)
        {
            self.watch.armed = Some(at);
            let connection = self.key;
            ledger.arm(at, Alarm::Silence { connection });
        }
    }

    fn silence_due(&mut self, at: Instant, ledger: &mut Ledger) {
        if self.watch.armed != Some(at) || self.stage != Stage::Open {
            return;
        }
        self.watch.armed = None;
        match self.watch.next(&ledger.limits, ledger.now) {
            Some((at, Step::Ping)) if at <= ledger.now => {
                self.watch.ping(ledger.now);
                self.connection.ping();
            }
            Some((at, Step::GiveUp)) if at <= ledger.now => {
                let reason = Bytes::from_static(SILENT.as_bytes());
                self.connection
                    .close(ledger.now, VarInt::from_u32(0), reason);
                let event = Event::Closed {
                    connection: self.key,
                    kind: CloseKind::Idle,
                    code: 0,
                    reason: SILENT.into(),
                };
                self.over(event, ledger);
            }
            _ => {}
        }
    }
}

impl Engine {
    pub(super) fn watch_due(&mut self, connection: u64, at: Instant) {
        self.with(connection, |peer, ledger| peer.silence_due(at, ledger));
    }
}
