//! Waiting for datagrams without the interpreter: turns that bring the application nothing, such as the pings of thousands of
//! idle clients, are worked off here, in a thread that waits for them; the first that brings something ends the wait.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::Engine;

const SOCKET: Token = Token(0);
const ROUSED: Token = Token(1);
/// The socket, and the waker.
const SOURCES: usize = 2;

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where one thread at a time waits for an engine's datagrams.
pub struct Bed {
    poll: Mutex<Poll>,
    waker: Waker,
    /// The deadline that the application has set its timer for; it must learn of an earlier one.
    told_us: AtomicU64,
}

impl Bed {
    /// Asks the system for what waiting takes.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), ROUSED)?;
        Ok(Self {
            poll: Mutex::new(poll),
            waker,
            told_us: AtomicU64::new(0),
        })
    }

    /// Notes the deadline that the application knows of.
    pub fn tell(&self, deadline_us: Option<u64>) {
        let us = deadline_us.unwrap_or(u64::MAX);
        self.told_us.store(us, Ordering::Relaxed);
    }

    /// Ends the wait, or the next one.
    pub fn rouse(&self) -> io::Result<()> {
        self.waker.wake()
    }

    /// Works off what arrives from `begin_us` on until there is an event, an earlier deadline, a full socket, or `rouse`.
    pub fn doze(&self, engine: &Mutex<Engine>, begin_us: u64) -> io::Result<()> {
        let begun = Instant::now();
        let Some(descriptor) = locked(engine).fileno() else {
            return Ok(());
        };
        let mut poll = locked(&self.poll);
        let mut source = SourceFd(&descriptor);
        poll.registry()
            .register(&mut source, SOCKET, Interest::READABLE)?;
        let mut events = Events::with_capacity(SOURCES);
        let slept = loop {
            if let Err(error) = poll.poll(&mut events, None) {
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                break Err(error);
            }
            let passed = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            let now_us = begin_us.saturating_add(passed);
            if self.turn(engine, now_us) || events.iter().any(|event| event.token() == ROUSED) {
                break Ok(());
            }
            // Readiness is told by its edges: what was left unread would not be told again.
            if let Err(error) = poll
                .registry()
                .reregister(&mut source, SOCKET, Interest::READABLE)
            {
                break Err(error);
            }
        };
        poll.registry().deregister(&mut source)?;
        slept
    }

    /// One turn; true when the application has to have the next.
    fn turn(&self, engine: &Mutex<Engine>, now_us: u64) -> bool {
        let mut engine = locked(engine);
        engine.receive_socket(now_us);
        let sent = engine.flush_socket(now_us);
        let told_us = self.told_us.load(Ordering::Relaxed);
        !sent
            || !engine.ledger.events.is_empty()
            || engine.next_timeout().is_some_and(|at| at < told_us)
    }
}
