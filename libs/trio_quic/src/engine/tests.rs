//! Two engines on a perfect wire without a clock: the rules of streams, budgets, deadlines and the panic boundary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop"
)]

use bytes::BytesMut;

use super::*;
use crate::tls::{ClientTls, ServerTls};

const SECOND_US: u64 = 1_000_000;

pub(super) fn limits() -> Limits {
    Limits {
        frame_bytes_max: 65_536,
        held_bytes_max: 100_000,
        held_total_bytes_max: 1_000_000,
        streams_max: 10,
        connections_max: 10,
        connections_per_address_max: 10,
        half_open_max: 10,
        handshakes_per_address_max: 10,
        retry_from_half_open: 10,
        handshake_ms: 10_000,
        handshake_bytes_max: 16_384,
        frame_head_ms: 5_000,
        frame_ms: 30_000,
        idle_ms: 600_000,
        keepalive_ms: 0,
        probe_ms: 0,
        silence_ms: 0,
        stream_window_bytes: 20_000,
        connection_window_bytes: 200_000,
        first_window_bytes: 0,
        cancels_per_second_max: 1_000,
        paths_per_second_max: 1_000,
        idle_frames_per_second_max: 1_000,
        floods_per_address_factor: 10,
        send_window_bytes: 1_000_000,
        datagram_bytes: 1350,
    }
}

struct Pair {
    server: Engine,
    client: Engine,
    server_at: SocketAddr,
    client_at: SocketAddr,
    now_us: u64,
    /// Bytes that went over the wire, in both directions.
    wire: Vec<Vec<u8>>,
}

impl Pair {
    fn new(framed: bool, seed: Option<u8>) -> Self {
        let key = rcgen::generate_simple_self_signed(vec!["server.test".into()]).unwrap();
        Self::with_certificate(
            framed,
            seed,
            &key.cert.pem(),
            &key.signing_key.serialize_pem(),
        )
    }

    fn with_certificate(framed: bool, seed: Option<u8>, chain: &str, key: &str) -> Self {
        let server = ServerTls {
            chain_pem: chain.into(),
            key_pem: key.into(),
            client_ca_pem: None,
            client_required: true,
            client_names: Vec::new(),
        };
        let client = ClientTls {
            ca_pem: None,
            pins_sha256: vec![],
            first_use: true,
            chain_pem: None,
            key_pem: None,
        };
        let settings = |server, client, salt: u8| Settings {
            alpn: vec![b"t".to_vec()],
            server,
            client,
            limits: limits(),
            groups: vec!["X25519MLKEM768".into()],
            seed: seed.map(|byte| [byte ^ salt; 32]),
            retry_key: None,
            reset_key: None,
            worker: 0,
            unix_time_s: Some(1_800_000_000),
        };
        Self {
            server: Engine::new(&settings(Some(server), None, 0), framed).unwrap(),
            client: Engine::new(&settings(None, Some(client), 1), framed).unwrap(),
            server_at: "10.0.0.1:7000".parse().unwrap(),
            client_at: "10.0.0.2:4000".parse().unwrap(),
            now_us: 0,
            wire: Vec::new(),
        }
    }

    /// Carries datagrams until none are left.
    fn settle(&mut self) {
        loop {
            let up = self.client.transmit(self.now_us);
            let down = self.server.transmit(self.now_us);
            if up.is_empty() && down.is_empty() {
                return;
            }
            self.wire
                .extend(up.iter().chain(&down).map(|sent| sent.contents.clone()));
            self.server
                .receive(arriving(up, self.client_at), self.now_us);
            self.client
                .receive(arriving(down, self.server_at), self.now_us);
        }
    }

    /// Lets time pass, doing what is due on the way.
    fn pass(&mut self, microseconds: u64) {
        let end = self.now_us + microseconds;
        loop {
            self.settle();
            let due = [self.client.next_timeout(), self.server.next_timeout()];
            let Some(next) = due.into_iter().flatten().min().filter(|at| *at <= end) else {
                break;
            };
            self.now_us = self.now_us.max(next);
            self.client.handle_timeout(self.now_us);
            self.server.handle_timeout(self.now_us);
        }
        self.now_us = end;
    }

    /// A connection: its numbers on the client and on the server.
    fn connect(&mut self) -> (u64, u64) {
        let ours = self
            .client
            .connect(self.server_at, "server.test", self.now_us)
            .unwrap();
        self.settle();
        let connected = |event: &Event| match event {
            Event::Connected { connection, .. } => Some(*connection),
            _ => None,
        };
        assert_eq!(self.client.poll().iter().find_map(connected), Some(ours));
        (
            ours,
            self.server
                .poll()
                .iter()
                .find_map(connected)
                .expect("the server sees it too"),
        )
    }
}

fn arriving(sent: Vec<Transmit>, from: SocketAddr) -> Vec<Received> {
    let received = |one: Transmit| Received {
        address: from,
        ecn: 0,
        contents: BytesMut::from(one.contents.as_slice()),
        segment: one.segment.unwrap_or(0),
    };
    sent.into_iter().map(received).collect()
}

fn frames(events: &[Event]) -> Vec<(u64, Vec<u8>, bool)> {
    let frame = |event: &Event| match event {
        Event::Frame {
            stream, data, fin, ..
        } => Some((*stream, data.to_vec(), *fin)),
        _ => None,
    };
    events.iter().filter_map(frame).collect()
}

fn violations(events: &[Event]) -> Vec<Violation> {
    let violation = |event: &Event| match event {
        Event::Violation { violation, .. } => Some(*violation),
        _ => None,
    };
    events.iter().filter_map(violation).collect()
}

#[test]
fn a_call_is_answered_and_leaves_nothing_behind() {
    let mut pair = Pair::new(true, None);
    let (ours, theirs) = pair.connect();
    let stream = pair.client.call(ours, b"question").unwrap().unwrap();
    pair.settle();
    assert_eq!(
        frames(&pair.server.poll()),
        [(stream, b"question".to_vec(), true)]
    );
    assert_eq!(pair.server.reply(theirs, stream, b"answer"), Sent::Taken);
    pair.settle();
    assert_eq!(
        frames(&pair.client.poll()),
        [(stream, b"answer".to_vec(), true)]
    );
    for stats in [pair.client.stats(ours), pair.server.stats(theirs)] {
        for (name, value) in stats.unwrap() {
            assert!(
                value == 0 || !["streams", "held_bytes", "queued_bytes"].contains(&name),
                "{name}"
            );
        }
    }
    assert_eq!(
        pair.server.handshake(theirs).unwrap().group,
        "X25519MLKEM768"
    );
}

#[test]
fn a_panic_ends_its_own_connection_only() {
    let mut pair = Pair::new(true, None);
    let (_, first) = pair.connect();
    let (kept, second) = pair.connect();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result: Option<()> = pair
        .server
        .with(first, |_, _| panic!("a fault inside one connection"));
    std::panic::set_hook(hook);
    assert!(result.is_none());
    let closed = |event: &Event| match event {
        Event::Closed {
            connection, kind, ..
        } => Some((*connection, *kind)),
        _ => None,
    };
    assert_eq!(
        pair.server
            .poll()
            .iter()
            .filter_map(closed)
            .collect::<Vec<_>>(),
        [(first, CloseKind::Fault)]
    );
    assert_eq!(pair.server.counters().faults, 1);
    assert_eq!(pair.server.reply(first, 0, b"gone"), Sent::Gone);
    let stream = pair.client.call(kept, b"still there?").unwrap().unwrap();
    pair.settle();
    assert_eq!(frames(&pair.server.poll()).len(), 1);
    assert_eq!(pair.server.reply(second, stream, b"yes"), Sent::Taken);
}

#[test]
fn an_unread_stream_gets_not_a_byte_past_its_window() {
    let mut pair = Pair::new(false, None);
    let (ours, theirs) = pair.connect();
    let stream = pair.client.open(ours, false).unwrap().unwrap();
    // The writer is told at once how much the peer allows.
    assert_eq!(
        pair.client.write(ours, stream, &[7; 100_000], false),
        Some(20_000)
    );
    pair.pass(SECOND_US);
    assert_eq!(
        pair.client.write(ours, stream, &[7; 80_000], false),
        Some(0)
    );
    let (pieces, fin) = pair.server.read(theirs, stream, usize::MAX).unwrap();
    assert_eq!((pieces.concat().len(), fin), (20_000, false));
    pair.pass(SECOND_US);
    let writable = |event: &&Event| matches!(event, Event::Writable { .. });
    assert_eq!(pair.client.poll().iter().filter(writable).count(), 1);
    assert_eq!(
        pair.client.write(ours, stream, &[7; 80_000], false),
        Some(20_000)
    );
}

#[test]
fn frames_past_the_budget_wait_in_the_window() {
    let mut pair = Pair::new(true, None);
    let (ours, theirs) = pair.connect();
    let streams: Vec<_> = (0..4)
        .map(|_| pair.client.call(ours, &[1; 45_000]).unwrap().unwrap())
        .collect();
    pair.pass(SECOND_US);
    let mut seen: Vec<u64> = Vec::new();
    for _ in 0..2 {
        let arrived = frames(&pair.server.poll());
        assert_eq!(arrived.len(), 2);
        for (stream, _, _) in arrived {
            pair.server.reply(theirs, stream, b"ok");
            seen.push(stream);
        }
        pair.pass(SECOND_US);
    }
    seen.sort_unstable();
    assert_eq!(seen, streams);
    assert!(
        pair.server
            .stats(theirs)
            .unwrap()
            .contains(&("held_bytes", 0))
    );
}

#[test]
fn broken_frames_are_told_apart() {
    let cases: [(&[u8], bool, Violation, u64); 4] = [
        (&[1, 0, 1, 0], false, Violation::Oversized, 0),
        (&[9, 0, 0, 0, 1], true, Violation::Truncated, 0),
        (&[9], false, Violation::Late, 5),
        (&[9, 0, 0, 0, 1], false, Violation::Late, 30),
    ];
    for (bytes, fin, expected, after_s) in cases {
        let mut pair = Pair::new(true, None);
        let (ours, theirs) = pair.connect();
        let stream = pair.client.open(ours, false).unwrap().unwrap();
        pair.client.write(ours, stream, bytes, fin).unwrap();
        pair.settle();
        if after_s > 0 {
            pair.pass(after_s * SECOND_US - 1);
            assert_eq!(violations(&pair.server.poll()), []);
            pair.pass(1);
        }
        assert_eq!(violations(&pair.server.poll()), [expected]);
        assert_eq!(pair.server.reply(theirs, stream, b"no"), Sent::Taken);
        pair.settle();
        let (pieces, fin) = pair.client.read(ours, stream, 100).unwrap();
        assert_eq!((pieces.concat(), fin), (b"\x02\0\0\0no".to_vec(), true));
    }
}

#[test]
fn requests_to_what_is_gone_do_nothing() {
    let mut pair = Pair::new(true, None);
    let (ours, theirs) = pair.connect();
    for (connection, stream) in [
        (theirs, 4),
        (theirs, 3),
        (theirs, u64::MAX),
        (ours ^ 1, 0),
        (u64::MAX, 0),
    ] {
        assert_eq!(pair.server.reply(connection, stream, b""), Sent::Gone);
        assert_eq!(pair.server.send(connection, stream, b""), Sent::Gone);
        assert!(pair.server.read(connection, stream, 1).is_none());
        assert!(pair.server.write(connection, stream, b"", true).is_none());
        pair.server.reset(connection, stream, 0);
        pair.server.stop_sending(connection, stream, u64::MAX);
        pair.server.consumed(connection, stream);
        pair.server.raw(connection, stream);
        pair.server.finish(connection, stream);
    }
    assert_eq!(pair.server.counters().faults, 0);
    let stream = pair.client.call(ours, b"x").unwrap().unwrap();
    pair.settle();
    assert_eq!(frames(&pair.server.poll()), [(stream, b"x".to_vec(), true)]);
}

#[test]
fn a_silent_handshake_is_given_up_in_time() {
    let mut pair = Pair::new(true, None);
    pair.client
        .connect(pair.server_at, "server.test", 0)
        .unwrap();
    let first = pair.client.transmit(0);
    pair.server.receive(arriving(first, pair.client_at), 0);
    pair.server.transmit(0);
    assert_eq!(pair.server.gauges().map(|(_, now)| now)[..2], [1; 2]);
    while let Some(at) = pair
        .server
        .next_timeout()
        .filter(|at| *at <= 10 * SECOND_US)
    {
        pair.server.handle_timeout(at);
        pair.server.transmit(at);
    }
    assert_eq!(pair.server.gauges().map(|(_, now)| now)[..2], [0; 2]);
    assert_eq!(pair.server.counters().handshakes_late, 1);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    // Ed25519: its signatures need no randomness.
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["server.test".to_string()]).unwrap();
    let chain = parameters.self_signed(&key).unwrap().pem();
    let run = |seed| {
        let mut pair = Pair::with_certificate(true, Some(seed), &chain, &key.serialize_pem());
        let (ours, _) = pair.connect();
        pair.client.call(ours, b"x").unwrap();
        pair.pass(SECOND_US);
        pair.wire
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
