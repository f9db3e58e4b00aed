//! Peers that cost more than they pay: what no rule of QUIC forbids once is counted, by connection and by address.
//!
//! Three kinds: cancels (streams opened and abandoned, answers not wanted any more, calls the application refused), paths (migrations, challenges,
//! connection ids), and idle (frames that bring nothing: pings, credit and acknowledgements that nothing was sent for,
//! stream frames of next to no bytes). A connection that does more of one kind in a second than `Limits` allow is closed,
//! and so is one whose address does more than `floods_per_address_factor` connections may.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_proto::{ConnectionEvent, ConnectionStats, VarInt};
use rustc_hash::FxHashMap;

use super::Engine;
use super::event::{CloseKind, Event};
use super::ledger::Ledger;
use super::peer::{Peer, Stage};
use super::settings::Limits;
use crate::address::Site;

/// The code a flooding peer's connection is closed with (`trio_quic.codes.FLOOD`).
const FLOOD: VarInt = VarInt::from_u32(6);
/// The time one connection's counts are compared over.
const CONNECTION_WINDOW: Duration = Duration::from_secs(1);
/// The time one address's counts are compared over; then all are forgotten, so that the table stays small.
const ADDRESS_WINDOW: Duration = Duration::from_secs(10);
/// A stream frame that brings less than this, with its share of headers, is one of many in a datagram: the smallest call
/// takes twice as much.
const STREAM_FRAME_BYTES: u64 = 32;
/// Acknowledgements and credit that one datagram sent may bring back.
const ANSWERS_PER_DATAGRAM: u64 = 2;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cancels,
    Paths,
    Idle,
    /// One of them, by all connections of an address together.
    Address,
}

impl Kind {
    fn reason(self) -> &'static str {
        match self {
            Self::Cancels => "too many cancelled or refused calls",
            Self::Paths => "too many path changes",
            Self::Idle => "too many empty frames",
            Self::Address => "too many of them from this address",
        }
    }
}

/// Amounts of each kind.
#[derive(Debug, Default, Clone, Copy)]
struct Nuisance {
    cancels: u64,
    paths: u64,
    idle: u64,
}

impl Nuisance {
    fn minus(self, earlier: Self) -> Self {
        Self {
            cancels: self.cancels.saturating_sub(earlier.cancels),
            paths: self.paths.saturating_sub(earlier.paths),
            idle: self.idle.saturating_sub(earlier.idle),
        }
    }

    fn is_nothing(self) -> bool {
        self.cancels | self.paths | self.idle == 0
    }

    /// The kind of which there is more than `seconds` allow.
    fn beyond(self, limits: &Limits, seconds: u64) -> Option<Kind> {
        [
            (self.cancels, limits.cancels_per_second_max, Kind::Cancels),
            (self.paths, limits.paths_per_second_max, Kind::Paths),
            (self.idle, limits.idle_frames_per_second_max, Kind::Idle),
        ]
        .into_iter()
        .find(|(seen, max, _)| *seen > max.saturating_mul(seconds))
        .map(|(_, _, kind)| kind)
    }
}

/// A connection's figures since it began.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    nuisance: Nuisance,
    stream_frames: u64,
    bytes: u64,
}

impl Seen {
    fn of(stats: &ConnectionStats, moves: u64) -> Self {
        let frames = &stats.frame_rx;
        let blocked = frames.data_blocked
            + frames.stream_data_blocked
            + frames.streams_blocked_bidi
            + frames.streams_blocked_uni;
        let answers = frames.acks
            + frames.max_data
            + frames.max_stream_data
            + frames.max_streams_bidi
            + frames.max_streams_uni;
        let unasked = answers.saturating_sub(ANSWERS_PER_DATAGRAM * stats.udp_tx.datagrams);
        Self {
            nuisance: Nuisance {
                cancels: frames.reset_stream + frames.stop_sending,
                paths: moves
                    + frames.path_challenge
                    + frames.path_response
                    + frames.new_connection_id
                    + frames.retire_connection_id,
                idle: frames.ping + frames.crypto + frames.immediate_ack + blocked + unasked,
            },
            stream_frames: frames.stream,
            bytes: stats.udp_rx.bytes,
        }
    }

    fn since(self, start: Self) -> Nuisance {
        let mut nuisance = self.nuisance.minus(start.nuisance);
        let frames = self.stream_frames.saturating_sub(start.stream_frames);
        let bytes = self.bytes.saturating_sub(start.bytes);
        nuisance.idle += frames.saturating_sub(bytes / STREAM_FRAME_BYTES);
        nuisance
    }
}

/// One connection's count.
#[derive(Debug)]
pub(super) struct Meter {
    since: Instant,
    start: Seen,
    last: Seen,
    /// What of this window the address has been charged with.
    charged: Nuisance,
    moves: u64,
    /// Calls that the application has refused.
    refused: u64,
    at: SocketAddr,
}

impl Meter {
    pub(super) fn new(now: Instant, at: SocketAddr) -> Self {
        Self {
            since: now,
            start: Seen::default(),
            last: Seen::default(),
            charged: Nuisance::default(),
            moves: 0,
            refused: 0,
            at,
        }
    }
}

/// What one address has done in the present window.
#[derive(Debug, Default)]
struct Visits {
    handshakes: usize,
    nuisance: Nuisance,
}

/// All addresses of the present window.
#[derive(Debug)]
pub(super) struct Visitors {
    since: Instant,
    sites: FxHashMap<Site, Visits>,
}

impl Visitors {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            sites: FxHashMap::default(),
        }
    }

    fn turn(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= ADDRESS_WINDOW {
            self.since = now;
            self.sites = FxHashMap::default();
        }
    }

    /// Handshakes taken from an address in this window.
    pub(super) fn handshakes(&mut self, site: Site, now: Instant) -> usize {
        self.turn(now);
        self.sites.get(&site).map_or(0, |visits| visits.handshakes)
    }

    pub(super) fn note_handshake(&mut self, site: Site) {
        self.sites.entry(site).or_default().handshakes += 1;
    }

    fn charge(&mut self, site: Site, more: Nuisance, now: Instant) -> Nuisance {
        self.turn(now);
        let sum = &mut self.sites.entry(site).or_default().nuisance;
        sum.cancels += more.cancels;
        sum.paths += more.paths;
        sum.idle += more.idle;
        *sum
    }
}

impl Peer {
    /// Takes a datagram in, and notes when it moved the peer.
    pub(super) fn take(&mut self, event: ConnectionEvent) {
        self.connection.handle_event(event);
        let at = self.connection.remote_address();
        if at != self.meter.at {
            self.meter.at = at;
            self.meter.moves += 1;
        }
    }

    fn measure(&mut self, ledger: &mut Ledger) -> Option<Kind> {
        let mut seen = Seen::of(&self.connection.stats(), self.meter.moves);
        seen.nuisance.cancels += self.meter.refused;
        let meter = &mut self.meter;
        if ledger.now.saturating_duration_since(meter.since) >= CONNECTION_WINDOW {
            (meter.since, meter.start) = (ledger.now, meter.last);
            meter.charged = Nuisance::default();
        }
        meter.last = seen;
        let done = seen.since(meter.start);
        let more = done.minus(meter.charged);
        let mut found = done.beyond(&ledger.limits, 1);
        if !more.is_nothing() {
            meter.charged = done;
            let of_site = ledger.visitors.charge(self.site, more, ledger.now);
            let share = ledger
                .limits
                .floods_per_address_factor
                .saturating_mul(ADDRESS_WINDOW.as_secs());
            found = found.or_else(|| of_site.beyond(&ledger.limits, share).map(|_| Kind::Address));
        }
        found
    }

    /// Closes a connection that a client floods.
    pub(super) fn check_floods(&mut self, ledger: &mut Ledger) {
        if !self.server || self.stage == Stage::Over {
            return;
        }
        let Some(kind) = self.measure(ledger) else {
            return;
        };
        let counters = &mut ledger.counters;
        match kind {
            Kind::Cancels => counters.floods_of_cancels += 1,
            Kind::Paths => counters.floods_of_paths += 1,
            Kind::Idle => counters.floods_of_idle_frames += 1,
            Kind::Address => counters.floods_by_address += 1,
        }
        let reason = kind.reason();
        self.connection
            .close(ledger.now, FLOOD, Bytes::from_static(reason.as_bytes()));
        let event = Event::Closed {
            connection: self.key,
            kind: CloseKind::Local,
            code: FLOOD.into_inner(),
            reason: reason.into(),
        };
        self.over(event, ledger);
    }
}

impl Limits {
    /// The budget of frames that a connection begins with: a stranger's window bounds it too.
    pub(super) fn held_beginning(&self, server: bool) -> usize {
        match usize::try_from(self.first_window_bytes) {
            Ok(window) if server && window > 0 => self.held_bytes_max.min(window),
            _ => self.held_bytes_max,
        }
    }
}

impl Engine {
    /// The application refused a call: counts like a cancelled one.
    pub fn charge(&mut self, connection: u64) {
        self.with(connection, |peer, _| peer.meter.refused += 1);
    }

    /// What a peer may send over all its streams before anything is read, from now on.
    pub fn set_window(&mut self, connection: u64, bytes: u32) {
        self.with(connection, |peer, ledger| {
            peer.connection.set_receive_window(bytes.into());
            let window = usize::try_from(bytes).unwrap_or(usize::MAX);
            peer.budget.held_max = ledger.limits.held_bytes_max.min(window);
            peer.wake_blocked(ledger);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_free_up_to_what_was_sent_and_tiny_stream_frames_are_not() {
        let mut stats = ConnectionStats::default();
        stats.frame_rx.acks = 30;
        stats.udp_tx.datagrams = 10;
        stats.frame_rx.stream = 7;
        stats.udp_rx.bytes = 2 * STREAM_FRAME_BYTES;
        let done = Seen::of(&stats, 0).since(Seen::default());
        assert_eq!(done.idle, 10 + 5);
    }

    #[test]
    fn an_address_is_forgotten_after_its_window() {
        let begin = Instant::now();
        let mut visitors = Visitors::new(begin);
        let site = Site::V4([10, 0, 0, 1]);
        visitors.note_handshake(site);
        assert_eq!(visitors.handshakes(site, begin), 1);
        assert_eq!(visitors.handshakes(site, begin + ADDRESS_WINDOW), 0);
    }
}
