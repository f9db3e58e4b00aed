//! Decides what becomes of a new peer: a Retry, a refusal, silence, or a connection.

use quinn_proto::Incoming;

use super::Engine;
use crate::address::Site;

/// What to do with a new peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accept,
    /// Answer without keeping state: come back with a token that proves the address.
    Retry,
    /// Say no.
    Refuse,
    /// Say no: too many of late.
    Limit,
    /// Say nothing.
    Ignore,
}

/// The counts a verdict rests on.
#[derive(Debug, Clone, Copy)]
struct Load {
    validated: bool,
    may_retry: bool,
    accepting: bool,
    half_open: usize,
    connections: usize,
    of_site: usize,
    /// Handshakes taken from its address of late.
    of_site_lately: usize,
}

/// The caps a verdict rests on.
#[derive(Debug, Clone, Copy)]
struct Caps {
    retry_from_half_open: usize,
    half_open_max: usize,
    connections_max: usize,
    connections_per_address_max: usize,
    handshakes_per_address_max: usize,
}

fn verdict(load: Load, caps: Caps) -> Verdict {
    if !load.accepting {
        return Verdict::Refuse;
    }
    // Anyone can write any source address on an Initial: unproven ones get half of an address's places at most.
    let site_crowded = load.of_site >= caps.connections_per_address_max.div_ceil(2)
        || load.of_site_lately >= caps.handshakes_per_address_max.div_ceil(2);
    if !load.validated
        && load.may_retry
        && (load.half_open >= caps.retry_from_half_open || site_crowded)
    {
        return Verdict::Retry;
    }
    if load.of_site_lately >= caps.handshakes_per_address_max {
        return Verdict::Limit;
    }
    if load.half_open >= caps.half_open_max {
        return Verdict::Ignore;
    }
    if load.connections >= caps.connections_max || load.of_site >= caps.connections_per_address_max
    {
        return Verdict::Refuse;
    }
    Verdict::Accept
}

impl Engine {
    /// Takes a new peer in, or not.
    pub(super) fn admit(&mut self, incoming: Incoming, mut buffer: Vec<u8>) {
        buffer.clear();
        let site = Site::from(&incoming.remote_address());
        let of_site_lately = self.ledger.visitors.handshakes(site, self.ledger.now);
        let limits = &self.ledger.limits;
        let caps = Caps {
            retry_from_half_open: limits.retry_from_half_open,
            half_open_max: limits.half_open_max,
            connections_max: limits.connections_max,
            connections_per_address_max: limits.connections_per_address_max,
            handshakes_per_address_max: limits.handshakes_per_address_max,
        };
        let load = Load {
            validated: incoming.remote_address_validated(),
            may_retry: incoming.may_retry(),
            accepting: self.accepting,
            half_open: self.ledger.half_open,
            connections: self.peers.len(),
            of_site: self.sites.get(&site).copied().unwrap_or(0),
            of_site_lately,
        };
        let verdict = verdict(load, caps);
        match verdict {
            Verdict::Ignore => {
                self.ledger.counters.connections_ignored += 1;
                self.endpoint.ignore(incoming);
            }
            Verdict::Refuse | Verdict::Limit => {
                self.ledger.counters.connections_refused += 1;
                self.ledger.counters.handshakes_limited += u64::from(verdict == Verdict::Limit);
                let transmit = self.endpoint.refuse(incoming, &mut buffer);
                self.answer(&transmit, buffer);
            }
            Verdict::Retry => match self.endpoint.retry(incoming, &mut buffer) {
                Ok(transmit) => {
                    self.ledger.counters.retries_sent += 1;
                    self.answer(&transmit, buffer);
                }
                Err(refused) => self.endpoint.ignore(refused.into_incoming()),
            },
            Verdict::Accept => self.accept(incoming, site, buffer),
        }
    }

    fn accept(&mut self, incoming: Incoming, site: Site, mut buffer: Vec<u8>) {
        match self
            .endpoint
            .accept(incoming, self.ledger.now, &mut buffer, None)
        {
            Ok((handle, connection)) => {
                self.ledger.counters.connections_accepted += 1;
                self.ledger.visitors.note_handshake(site);
                // Fails only above four thousand million connections, where the caps are long in the way.
                let _ = self.insert(handle, connection, true);
            }
            Err(error) => {
                self.ledger.counters.handshakes_failed += 1;
                if let Some(transmit) = error.response {
                    self.answer(&transmit, buffer);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps {
        retry_from_half_open: 2,
        half_open_max: 4,
        connections_max: 8,
        connections_per_address_max: 6,
        handshakes_per_address_max: 20,
    };
    const CALM: Load = Load {
        validated: false,
        may_retry: true,
        accepting: true,
        half_open: 0,
        connections: 0,
        of_site: 0,
        of_site_lately: 0,
    };
    const PROVEN: Load = Load {
        validated: true,
        may_retry: false,
        ..CALM
    };

    #[test]
    fn the_table_of_verdicts() {
        let table = [
            (CALM, Verdict::Accept),
            (
                Load {
                    half_open: 2,
                    ..CALM
                },
                Verdict::Retry,
            ),
            (
                Load {
                    half_open: 2,
                    ..PROVEN
                },
                Verdict::Accept,
            ),
            (
                Load {
                    half_open: 4,
                    ..PROVEN
                },
                Verdict::Ignore,
            ),
            (
                Load {
                    connections: 8,
                    ..PROVEN
                },
                Verdict::Refuse,
            ),
            (Load { of_site: 3, ..CALM }, Verdict::Retry),
            (
                Load {
                    of_site: 3,
                    ..PROVEN
                },
                Verdict::Accept,
            ),
            (
                Load {
                    of_site: 6,
                    ..PROVEN
                },
                Verdict::Refuse,
            ),
            (
                Load {
                    of_site_lately: 10,
                    ..CALM
                },
                Verdict::Retry,
            ),
            (
                Load {
                    of_site_lately: 19,
                    ..PROVEN
                },
                Verdict::Accept,
            ),
            (
                Load {
                    of_site_lately: 20,
                    ..PROVEN
                },
                Verdict::Limit,
            ),
            (
                Load {
                    accepting: false,
                    ..CALM
                },
                Verdict::Refuse,
            ),
        ];
        for (load, expected) in table {
            assert_eq!(verdict(load, CAPS), expected, "{load:?}");
        }
    }
}
