//! What a test asks for, as `key=value` arguments; certificates are named by their files.

use std::collections::HashMap;
use std::time::Duration;

use s2n_quic::provider::limits::Limits;

use crate::Outcome;

pub(crate) struct Options(HashMap<String, String>);

impl Options {
    pub(crate) fn new(arguments: impl Iterator<Item = String>) -> Self {
        Self(arguments.filter_map(|one| one.split_once('=').map(|(key, value)| (key.into(), value.into()))).collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub(crate) fn need(&self, key: &str) -> Outcome<&str> {
        self.get(key).ok_or_else(|| format!("{key} is missing").into())
    }

    /// The text of a file that an option names.
    pub(crate) fn file(&self, key: &str) -> Outcome<Option<String>> {
        Ok(self.get(key).map(std::fs::read_to_string).transpose()?)
    }

    pub(crate) fn alpn(&self) -> Outcome<Vec<String>> {
        Ok(self.need("alpn")?.split(',').map(String::from).collect())
    }

    fn number(&self, key: &str) -> Outcome<Option<u64>> {
        Ok(self.get(key).map(str::parse).transpose()?)
    }

    pub(crate) fn limits(&self) -> Outcome<Limits> {
        let mut limits = Limits::new();
        if let Some(idle_ms) = self.number("idle_ms")? {
            limits = limits.with_max_idle_timeout(Duration::from_millis(idle_ms))?;
        }
        if let Some(window) = self.number("stream_window_bytes")? {
            limits =
                limits.with_bidirectional_local_data_window(window)?.with_bidirectional_remote_data_window(window)?;
        }
        if let Some(window) = self.number("connection_window_bytes")? {
            limits = limits.with_data_window(window)?;
        }
        if let Some(streams) = self.number("streams_max")? {
            limits = limits.with_max_open_remote_bidirectional_streams(streams)?;
        }
        Ok(limits)
    }
}
