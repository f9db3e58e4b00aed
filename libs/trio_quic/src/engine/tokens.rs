//! The keys that Retry tokens are sealed with: one seals and opens, another one only opens.
//!
//! Processes that one client may be routed to share keys. A client answers one Retry and no second one, so no process may
//! meet a token that it cannot open: first each learns the next key as the one that it also opens, then each seals with it.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use quinn_proto::crypto::{AeadKey, CryptoError, HandshakeTokenKey};

fn derived(secret: &[u8; 32]) -> Prk {
    Salt::new(HKDF_SHA256, &[]).extract(secret)
}

/// The keys in use, which can be exchanged while connections come in.
pub(super) struct RetryKeys(Mutex<(Prk, Option<Prk>)>);

impl RetryKeys {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(Mutex::new((derived(secret), None)))
    }

    /// Seals with `current` from now on; tokens of `other` are taken too until they expire, and no one else's.
    pub(super) fn set(&self, current: &[u8; 32], other: Option<&[u8; 32]>) {
        let keys = (derived(current), other.map(derived));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

impl HandshakeTokenKey for RetryKeys {
    fn aead_from_hkdf(&self, random_bytes: &[u8]) -> Box<dyn AeadKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::new(TokenSeal {
            current: keys.0.aead_from_hkdf(random_bytes),
            other: keys.1.as_ref().map(|key| key.aead_from_hkdf(random_bytes)),
        })
    }
}

struct TokenSeal {
    current: Box<dyn AeadKey>,
    other: Option<Box<dyn AeadKey>>,
}

impl AeadKey for TokenSeal {
    fn seal(&self, data: &mut Vec<u8>, additional_data: &[u8]) -> Result<(), CryptoError> {
        self.current.seal(data, additional_data)
    }

    fn open<'a>(
        &self,
        data: &'a mut [u8],
        additional_data: &[u8],
    ) -> Result<&'a mut [u8], CryptoError> {
        if let Some(other) = &self.other {
            // A failed attempt leaves its buffer in any state.
            let mut copy = data.to_vec();
            if self.current.open(&mut copy, additional_data).is_err() {
                return other.open(data, additional_data);
            }
        }
        self.current.open(data, additional_data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &[u8] = &[7; 16];

    fn sealed(keys: &RetryKeys) -> Vec<u8> {
        let mut token = b"a token".to_vec();
        assert!(keys.aead_from_hkdf(NONCE).seal(&mut token, &[]).is_ok());
        token
    }

    fn opens(keys: &RetryKeys, token: &[u8]) -> bool {
        let mut copy = token.to_vec();
        keys.aead_from_hkdf(NONCE)
            .open(&mut copy, &[])
            .is_ok_and(|plain| plain == b"a token")
    }

    #[test]
    fn two_keys_open_one_seals_and_a_third_is_unknown() {
        let (first, second, third) = ([1; 32], [2; 32], [3; 32]);
        let keys = RetryKeys::new(&first);
        let token = sealed(&keys);
        assert!(opens(&keys, &token));
        keys.set(&second, Some(&first));
        assert!(opens(&keys, &token));
        assert_ne!(sealed(&keys), token);
        assert!(opens(&keys, &sealed(&keys)));
        keys.set(&third, Some(&second));
        assert!(!opens(&keys, &token));
        keys.set(&first, None);
        assert!(opens(&keys, &token));
    }
}
