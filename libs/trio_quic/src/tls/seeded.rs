//! Repeatable randomness for simulations: the same seed gives the same bytes on the wire. Never for real connections.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustls::NamedGroup;
use rustls::crypto::{
    ActiveKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use x25519_dalek::{PublicKey, StaticSecret};

/// Sets the key exchange's stream of randomness apart from the provider's.
const EXCHANGE_STREAM: u8 = 0x55;

#[derive(Debug)]
struct Seeded(Mutex<StdRng>);

impl Seeded {
    fn new(seed: [u8; 32]) -> Self {
        Self(Mutex::new(StdRng::from_seed(seed)))
    }

    fn fill_from(&self, buffer: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(buffer);
    }
}

impl SecureRandom for Seeded {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        self.fill_from(buffer);
        Ok(())
    }
}

impl SupportedKxGroup for Seeded {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, rustls::Error> {
        let mut secret = [0; 32];
        self.fill_from(&mut secret);
        let secret = StaticSecret::from(secret);
        let public = PublicKey::from(&secret).to_bytes();
        Ok(Box::new(Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Exchange {
    secret: StaticSecret,
    public: [u8; 32],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, rustls::Error> {
        let peer = <[u8; 32]>::try_from(peer)
            .map_err(|_| rustls::Error::General("X25519 share of the wrong length".into()))?;
        Ok(SharedSecret::from(
            self.secret
                .diffie_hellman(&PublicKey::from(peer))
                .as_bytes()
                .as_slice(),
        ))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// Randomness and key exchange from one seed. rustls asks for `'static` here, so each call leaks two small objects.
pub(super) fn randomness(
    seed: [u8; 32],
) -> (&'static dyn SecureRandom, &'static dyn SupportedKxGroup) {
    let exchange = seed.map(|byte| byte ^ EXCHANGE_STREAM);
    (
        Box::leak(Box::new(Seeded::new(seed))),
        Box::leak(Box::new(Seeded::new(exchange))),
    )
}
