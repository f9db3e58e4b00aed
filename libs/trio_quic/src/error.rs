//! What can be wrong with an engine's configuration or with a request made to it; what peers do wrong comes out as events.

use std::fmt;

/// Why an engine could not be built, or could not do what it was asked for.
#[derive(Debug)]
pub enum EngineError {
    /// A certificate, key, group, address or limit that cannot be used.
    Configuration(String),
    /// The operating system refused something on the socket.
    Socket(std::io::Error),
    /// The connection or the stream is not there (any more).
    Gone,
}

impl EngineError {
    /// A configuration error out of any other error's text.
    pub fn configuration(cause: impl fmt::Display) -> Self {
        Self::Configuration(cause.to_string())
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(text) => f.write_str(text),
            Self::Socket(cause) => write!(f, "socket: {cause}"),
            Self::Gone => f.write_str("the connection or stream is gone"),
        }
    }
}

impl std::error::Error for EngineError {}

impl From<std::io::Error> for EngineError {
    fn from(cause: std::io::Error) -> Self {
        Self::Socket(cause)
    }
}
