//! A QUIC engine without I/O: datagrams and a clock go in, events, datagrams and a deadline come out.
//!
//! `engine` owns one UDP socket's worth of connections on top of quinn-proto and cuts framed streams into whole frames;
//! `tls` builds the rustls side; `address` is the packed form addresses have at the border. Nothing here knows Python:
//! the face is `python`, behind the feature of that name, and knows nothing of QUIC beyond calling the engine.

pub mod address;
pub mod engine;
pub mod error;
#[cfg(feature = "python")]
pub mod python;
pub mod tls;
