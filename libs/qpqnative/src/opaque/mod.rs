//! OPAQUE (RFC 9807) on opaque-ke 4: ristretto255-SHA512, 3DH, Argon2id, empty context, no identities.
//!
//! Byte-compatible with @serenity-kit/opaque under the same stretching. One small type a step; randomness is an
//! argument, so that the RFC's vectors can be replayed.

pub mod client;
#[cfg(feature = "python")]
pub mod python;
pub mod server;

#[cfg(test)]
mod tests;

use crate::boundary::Boundary;
use argon2::{Algorithm, Argon2, Params, Version};
use generic_array::{ArrayLength, GenericArray};
use opaque_ke::errors::{InternalError, ProtocolError};
use opaque_ke::ksf::Ksf;
use opaque_ke::{Ristretto255, TripleDh};
use rand::{CryptoRng, RngCore};
use sha2::Sha512;

/// What went wrong: a kind from a closed list and a fixed cause. Never a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The bytes are no valid message, record, state or setup.
    Malformed,
    /// Wrong password, unknown user, or a peer that is not who it says.
    InvalidLogin,
    /// A caught panic, a fault of the library, or parameters that it cannot use.
    Internal,
    /// The object was used twice.
    Poisoned,
}

impl Error {
    /// The name under which Python sees it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::InvalidLogin => "invalid_login",
            Self::Internal => "internal",
            Self::Poisoned => "poisoned",
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Error {}

impl Boundary for Error {
    fn internal() -> Self {
        Self::Internal
    }
    fn poisoned() -> Self {
        Self::Poisoned
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::InvalidLoginError | ProtocolError::ReflectedValueError => Self::InvalidLogin,
            ProtocolError::SerializationError | ProtocolError::SizeError { .. } => Self::Malformed,
            ProtocolError::LibraryError(InternalError::OprfError(_)) => Self::Malformed,
            ProtocolError::LibraryError(_) => Self::Internal,
        }
    }
}

/// Results of this subject.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Lengths of the messages in this suite (RFC 9807 §5, §6), of the record and of the server's state between two calls.
pub mod lengths {
    /// A registration request: a blinded element.
    pub const REGISTRATION_REQUEST_BYTES: usize = 32;
    /// Its answer: an evaluated element and the server's public key.
    pub const REGISTRATION_RESPONSE_BYTES: usize = 64;
    /// An upload, and the record made of it.
    pub const RECORD_BYTES: usize = 192;
    /// KE1.
    pub const LOGIN_REQUEST_BYTES: usize = 96;
    /// KE2.
    pub const LOGIN_RESPONSE_BYTES: usize = 320;
    /// KE3.
    pub const FINALIZATION_BYTES: usize = 64;
    /// What the server keeps between KE2 and KE3.
    pub const STATE_BYTES: usize = 128;
}

/// A message that is exactly as long as it has to be: opaque-ke reads its beginning and never asks what is behind.
pub(crate) fn exact(bytes: &[u8], length: usize) -> Result<&[u8]> {
    if bytes.len() == length { Ok(bytes) } else { Err(Error::Malformed) }
}

/// The suite. Stretching is Argon2id unless [`Stretch::Identity`] is passed.
#[derive(Debug, Clone, Copy)]
pub struct Suite;

impl opaque_ke::CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Stretch;
}

/// Memory of one stretching, KiB.
pub const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
/// Passes of one stretching.
pub const ARGON2_PASSES: u32 = 2;
/// Lanes of one stretching.
pub const ARGON2_LANES: u32 = 1;
/// The salt: what makes each user's stretching different is the OPRF output that is stretched (RFC 9807 §7).
const ARGON2_SALT: [u8; 16] = [0; 16];

/// How the OPRF's output is stretched.
#[derive(Debug, Clone, Copy, Default)]
pub enum Stretch {
    /// Argon2id, 19 MiB, 2 passes, 1 lane, 16 zero bytes of salt.
    #[default]
    Argon2id,
    /// Not at all: for the RFC's vectors.
    Identity,
}

impl Ksf for Stretch {
    fn hash<L: ArrayLength<u8>>(&self, input: GenericArray<u8, L>) -> Result<GenericArray<u8, L>, InternalError> {
        match self {
            Self::Identity => Ok(input),
            Self::Argon2id => {
                let mut output = GenericArray::default();
                argon2id(&input, &ARGON2_SALT, ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, &mut output)
                    .map_err(|_| InternalError::KsfError)?;
                Ok(output)
            }
        }
    }
}

/// Argon2id version 1.3 (RFC 9106) into `output`.
///
/// # Errors
/// [`Error::Malformed`] for parameters outside RFC 9106 §3.1.
pub fn argon2id(
    password: &[u8],
    salt: &[u8],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    output: &mut [u8],
) -> Result<()> {
    let params = Params::new(memory_kib, passes, lanes, Some(output.len())).map_err(|_| Error::Malformed)?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hash.hash_password_into(password, salt, output).map_err(|_| Error::Malformed)
}

/// Randomness that was written down before, for the RFC's vectors. Past its end it gives zeros and counts.
#[derive(Debug)]
pub struct Script<'a> {
    rest: &'a [u8],
    missing: usize,
}

impl<'a> Script<'a> {
    /// A stream of exactly these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, missing: 0 }
    }

    /// Whether exactly the stream was drawn.
    #[must_use]
    pub const fn used_up(&self) -> bool {
        self.rest.is_empty() && self.missing == 0
    }
}

impl RngCore for Script<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for byte in dest {
            match self.rest.split_first() {
                Some((first, rest)) => {
                    *byte = *first;
                    self.rest = rest;
                }
                None => {
                    *byte = 0;
                    self.missing += 1;
                }
            }
        }
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> std::result::Result<(), rand::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Script<'_> {}

/// Runs `work` with the operating system's randomness, or with a script that must be used up to the byte.
///
/// # Errors
/// Those of `work`; [`Error::Malformed`] for a script of another length.
pub fn with_randomness<T>(script: Option<&[u8]>, work: impl FnOnce(&mut dyn Source) -> Result<T>) -> Result<T> {
    let Some(bytes) = script else { return work(&mut rand::rngs::OsRng) };
    let mut script = Script::new(bytes);
    let result = work(&mut script)?;
    if script.used_up() { Ok(result) } else { Err(Error::Malformed) }
}

/// Any source of randomness.
pub trait Source: RngCore + CryptoRng {}
impl<R: RngCore + CryptoRng> Source for R {}

/// Lends a [`Source`] to functions that want a sized generator.
pub(crate) struct Lent<'a>(pub(crate) &'a mut dyn Source);

impl RngCore for Lent<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> std::result::Result<(), rand::Error> {
        self.0.try_fill_bytes(dest)
    }
}

impl CryptoRng for Lent<'_> {}
