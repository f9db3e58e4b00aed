//! A foreign peer for the conformance suite of trio_quic: s2n-quic as a server or as a client, one process each.
//!
//! `qpq-quic-peer server|client key=value ...`; what happens goes to standard output in lines, a client is told what to do in
//! lines on standard input. `tests/conformance/foreign.py` speaks the other end, `tests/conformance/streams.py` says what the
//! streams carry.

mod client;
mod options;
mod provider;
mod server;
mod streams;

use options::Options;

/// Whatever goes wrong ends the process with one line.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Tells the test something, at once.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // A test that has gone away needs to hear nothing.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let options = Options::new(arguments);
    let ended = match role.as_str() {
        "server" => server::run(&options).await,
        "client" => client::run(&options).await,
        _ => Err("say server or client".into()),
    };
    if let Err(error) = ended {
        say(&format!("failed {error}"));
        std::process::exit(1);
    }
}
