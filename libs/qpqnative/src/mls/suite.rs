//! Cipher suites: aws-lc's suite 1, and beside it the private number 0xF04F, which differs from suite 1 in its KEM only.
//!
//! 0xF04F is X-Wing (HPKE KEM 0x647a, draft-ietf-hpke-pq) + HKDF-SHA256 + AES-128-GCM, SHA-256, Ed25519: the suite
//! that draft-ietf-mls-pq-ciphersuites calls TBD1. Only confidentiality is post-quantum; signatures stay Ed25519.

use super::error::{Error, Kind};
use super::lie::Lie;
use mls_rs_core::crypto::{
    CipherSuite, CipherSuiteProvider, CryptoProvider, HpkeCiphertext, HpkePsk, HpkePublicKey, HpkeSecretKey,
    SignaturePublicKey, SignatureSecretKey,
};
use mls_rs_core::error::IntoAnyError;
use mls_rs_crypto_awslc::{AwsLcAead, AwsLcCipherSuite, AwsLcCryptoProvider, AwsLcHkdf};
use mls_rs_crypto_hpke::context::{ContextR, ContextS};
use mls_rs_crypto_hpke::hpke::Hpke;
use mls_rs_crypto_traits::{KemResult, KemType};
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use x_wing::{
    Ciphertext, DecapsulationKey, DecapsulationKeyRejectNonContrib, Decapsulator, Encapsulate, EncapsulationKey,
    Generate, KeyExport, TryDecapsulate,
};
use zeroize::Zeroizing;

/// MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519 of RFC 9420 §17.1.
pub const SUITE_1: CipherSuite = CipherSuite::CURVE25519_AES128;
/// The X-Wing suite, under a private number until it has one of its own.
pub const SUITE_XWING: CipherSuite = CipherSuite::new(0xF04F);
/// HPKE's number of the X-Wing KEM.
pub const KEM_XWING: u16 = 0x647a;
/// Length of an X-Wing private key: the seed that everything else is expanded from.
pub const XWING_SEED_BYTES: usize = 32;

/// The suite's number as mls-rs knows it.
///
/// # Errors
/// [`Kind::Unsupported`] for any other number.
pub fn suite(number: u16) -> Result<CipherSuite, Error> {
    match CipherSuite::new(number) {
        found @ (SUITE_1 | SUITE_XWING) => Ok(found),
        _ => Err(Error::new(Kind::Unsupported, "cipher suite")),
    }
}

/// The provider's functions for a suite.
///
/// # Errors
/// [`Kind::Unsupported`].
pub fn provider(suite: CipherSuite) -> Result<Suite, Error> {
    Provider::default().cipher_suite_provider(suite).ok_or_else(|| Error::new(Kind::Unsupported, "cipher suite"))
}

/// A failure inside a primitive, by the primitive's own words; they hold no key material.
#[derive(Debug)]
pub struct CryptoFailure(String);

impl std::fmt::Display for CryptoFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CryptoFailure {}

impl IntoAnyError for CryptoFailure {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(Box::new(self))
    }
}

fn failure(error: impl IntoAnyError) -> CryptoFailure {
    CryptoFailure(error.into_any_error().to_string())
}

fn bad(what: &str) -> CryptoFailure {
    CryptoFailure(what.to_owned())
}

/// The X-Wing KEM. A private key is the 32-byte seed.
#[derive(Debug, Clone, Copy, Default)]
pub struct XWingKem;

impl XWingKem {
    /// DeriveKeyPair's seed (draft-ietf-hpke-pq): SHAKE256.LabeledDerive(ikm, "DeriveKeyPair", "", 32).
    #[must_use]
    pub fn derive_seed(ikm: &[u8]) -> Zeroizing<[u8; XWING_SEED_BYTES]> {
        const LABEL: &[u8] = b"DeriveKeyPair";
        let mut hash = Shake256::default();
        hash.update(ikm);
        hash.update(b"HPKE-v1");
        hash.update(b"KEM");
        hash.update(&KEM_XWING.to_be_bytes());
        hash.update(&[0, 13]); // the label's length
        hash.update(LABEL);
        hash.update(&[0, 32]); // the output's length
        let mut seed = Zeroizing::new([0; XWING_SEED_BYTES]);
        hash.finalize_xof().read(seed.as_mut());
        seed
    }

    /// The key pair of a seed.
    #[must_use]
    pub fn keypair(seed: &[u8; XWING_SEED_BYTES]) -> (HpkeSecretKey, HpkePublicKey) {
        let public = DecapsulationKey::from(*seed).encapsulation_key().to_bytes().to_vec();
        (seed.to_vec().into(), public.into())
    }

    /// Encapsulates with 64 bytes of written-down randomness, for vectors: shared secret and encapsulated key.
    ///
    /// # Errors
    /// For a bad key or another length.
    pub fn encap_with(remote_key: &HpkePublicKey, randomness: &[u8]) -> Result<(Vec<u8>, Vec<u8>), CryptoFailure> {
        let randomness: &[u8; 64] = randomness.try_into().map_err(|_| bad("randomness"))?;
        let (ciphertext, secret) = encapsulation_key(remote_key)?.encapsulate_deterministic(randomness.into());
        Ok((secret.to_vec(), ciphertext.to_vec()))
    }
}

fn encapsulation_key(key: &HpkePublicKey) -> Result<EncapsulationKey, CryptoFailure> {
    EncapsulationKey::try_from(key.as_ref()).map_err(|_| bad("public key"))
}

impl KemType for XWingKem {
    type Error = CryptoFailure;

    fn kem_id(&self) -> u16 {
        KEM_XWING
    }

    fn generate_deterministic(&self, seed: &[u8]) -> Result<(HpkeSecretKey, HpkePublicKey), CryptoFailure> {
        Ok(Self::keypair(seed.try_into().map_err(|_| bad("seed"))?))
    }

    fn generate(&self) -> Result<(HpkeSecretKey, HpkePublicKey), CryptoFailure> {
        Ok(Self::keypair(DecapsulationKey::generate().as_bytes()))
    }

    fn public_key_validate(&self, key: &HpkePublicKey) -> Result<(), CryptoFailure> {
        encapsulation_key(key).map(|_| ())
    }

    fn encap(&self, remote_key: &HpkePublicKey) -> Result<KemResult, CryptoFailure> {
        let (ciphertext, secret) = encapsulation_key(remote_key)?.encapsulate();
        Ok(KemResult::new(secret.to_vec(), ciphertext.to_vec()))
    }

    fn decap(&self, enc: &[u8], secret: &HpkeSecretKey, _public: &HpkePublicKey) -> Result<Vec<u8>, CryptoFailure> {
        let seed: [u8; XWING_SEED_BYTES] = secret.as_ref().try_into().map_err(|_| bad("secret key"))?;
        let ciphertext: &Ciphertext = enc.try_into().map_err(|_| bad("encapsulated key"))?;
        // Refuses an X25519 share of small order (RFC 7748 §6.1), where plain decapsulation goes on with zeros.
        let key = DecapsulationKeyRejectNonContrib::from(seed);
        Ok(key.try_decapsulate(ciphertext).map_err(|_| bad("decapsulation"))?.to_vec())
    }

    fn seed_length_for_derive(&self) -> usize {
        XWING_SEED_BYTES
    }
}

/// mls-rs's door to the two suites.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    /// What a lying device's commits hold; nobody has one but tests.
    pub lie: Option<Lie>,
}

impl CryptoProvider for Provider {
    type CipherSuiteProvider = Suite;

    fn supported_cipher_suites(&self) -> Vec<CipherSuite> {
        vec![SUITE_1, SUITE_XWING]
    }

    fn cipher_suite_provider(&self, cipher_suite: CipherSuite) -> Option<Suite> {
        let base = AwsLcCryptoProvider::new().cipher_suite_provider(SUITE_1)?;
        let hpke = match cipher_suite {
            SUITE_1 => None,
            SUITE_XWING => Some(Hpke::new(XWingKem, AwsLcHkdf::new(SUITE_1)?, AwsLcAead::new(SUITE_1))),
            _ => return None,
        };
        Some(Suite { id: cipher_suite, base, hpke, lie: self.lie.clone() })
    }
}

/// One suite: with `hpke` set, HPKE is X-Wing's; everything else is suite 1's.
#[derive(Clone)]
pub struct Suite {
    id: CipherSuite,
    base: AwsLcCipherSuite,
    hpke: Option<Hpke<XWingKem, AwsLcHkdf, AwsLcAead>>,
    lie: Option<Lie>,
}

type Outcome<T> = Result<T, CryptoFailure>;

impl CipherSuiteProvider for Suite {
    type Error = CryptoFailure;
    type HpkeContextS = ContextS<AwsLcHkdf, AwsLcAead>;
    type HpkeContextR = ContextR<AwsLcHkdf, AwsLcAead>;

    fn cipher_suite(&self) -> CipherSuite {
        self.id
    }

    fn hash(&self, data: &[u8]) -> Outcome<Vec<u8>> {
        self.base.hash(data).map_err(failure)
    }

    fn mac(&self, key: &[u8], data: &[u8]) -> Outcome<Vec<u8>> {
        let mac = self.base.mac(key, data).map_err(failure)?;
        Ok(match &self.lie {
            Some(lie) => lie.mac(data, mac),
            None => mac,
        })
    }

    fn aead_seal(&self, key: &[u8], data: &[u8], aad: Option<&[u8]>, nonce: &[u8]) -> Outcome<Vec<u8>> {
        self.base.aead_seal(key, data, aad, nonce).map_err(failure)
    }

    fn aead_open(&self, key: &[u8], data: &[u8], aad: Option<&[u8]>, nonce: &[u8]) -> Outcome<Zeroizing<Vec<u8>>> {
        self.base.aead_open(key, data, aad, nonce).map_err(failure)
    }

    fn aead_key_size(&self) -> usize {
        self.base.aead_key_size()
    }

    fn aead_nonce_size(&self) -> usize {
        self.base.aead_nonce_size()
    }

    fn kdf_extract(&self, salt: &[u8], ikm: &[u8]) -> Outcome<Zeroizing<Vec<u8>>> {
        self.base.kdf_extract(salt, ikm).map_err(failure)
    }

    fn kdf_expand(&self, prk: &[u8], info: &[u8], len: usize) -> Outcome<Zeroizing<Vec<u8>>> {
        self.base.kdf_expand(prk, info, len).map_err(failure)
    }

    fn kdf_extract_size(&self) -> usize {
        self.base.kdf_extract_size()
    }

    fn hpke_seal(&self, key: &HpkePublicKey, info: &[u8], aad: Option<&[u8]>, pt: &[u8]) -> Outcome<HpkeCiphertext> {
        let lied = self.lie.as_ref().map(|lie| lie.sealed(info, pt));
        let pt = lied.as_deref().unwrap_or(pt);
        match &self.hpke {
            Some(hpke) => hpke.seal(key, info, None, aad, pt).map_err(failure),
            None => self.base.hpke_seal(key, info, aad, pt).map_err(failure),
        }
    }

    fn hpke_seal_psk(
        &self,
        key: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        pt: &[u8],
        psk: HpkePsk<'_>,
    ) -> Outcome<HpkeCiphertext> {
        match &self.hpke {
            Some(hpke) => hpke.seal(key, info, Some(psk), aad, pt).map_err(failure),
            None => self.base.hpke_seal_psk(key, info, aad, pt, psk).map_err(failure),
        }
    }

    fn hpke_open(
        &self,
        ciphertext: &HpkeCiphertext,
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
    ) -> Outcome<Zeroizing<Vec<u8>>> {
        match &self.hpke {
            Some(hpke) => hpke.open(ciphertext, secret, public, info, None, aad).map_err(failure),
            None => self.base.hpke_open(ciphertext, secret, public, info, aad).map_err(failure),
        }
    }

    fn hpke_open_psk(
        &self,
        ciphertext: &HpkeCiphertext,
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        psk: HpkePsk<'_>,
    ) -> Outcome<Zeroizing<Vec<u8>>> {
        match &self.hpke {
            Some(hpke) => hpke.open(ciphertext, secret, public, info, Some(psk), aad).map_err(failure),
            None => self.base.hpke_open_psk(ciphertext, secret, public, info, aad, psk).map_err(failure),
        }
    }

    fn hpke_setup_s(&self, key: &HpkePublicKey, info: &[u8]) -> Outcome<(Vec<u8>, Self::HpkeContextS)> {
        match &self.hpke {
            Some(hpke) => hpke.setup_sender(key, info, None).map_err(failure),
            None => self.base.hpke_setup_s(key, info).map_err(failure),
        }
    }

    fn hpke_setup_r(
        &self,
        enc: &[u8],
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
    ) -> Outcome<Self::HpkeContextR> {
        match &self.hpke {
            Some(hpke) => hpke.setup_receiver(enc, secret, public, info, None).map_err(failure),
            None => self.base.hpke_setup_r(enc, secret, public, info).map_err(failure),
        }
    }

    fn kem_derive(&self, ikm: &[u8]) -> Outcome<(HpkeSecretKey, HpkePublicKey)> {
        match &self.hpke {
            Some(_) => Ok(XWingKem::keypair(&XWingKem::derive_seed(ikm))),
            None => self.base.kem_derive(ikm).map_err(failure),
        }
    }

    fn kem_generate(&self) -> Outcome<(HpkeSecretKey, HpkePublicKey)> {
        match &self.hpke {
            Some(_) => XWingKem.generate(),
            None => self.base.kem_generate().map_err(failure),
        }
    }

    fn kem_public_key_validate(&self, key: &HpkePublicKey) -> Outcome<()> {
        match &self.hpke {
            Some(_) => XWingKem.public_key_validate(key),
            None => self.base.kem_public_key_validate(key).map_err(failure),
        }
    }

    fn random_bytes(&self, out: &mut [u8]) -> Outcome<()> {
        self.base.random_bytes(out).map_err(failure)
    }

    fn signature_key_generate(&self) -> Outcome<(SignatureSecretKey, SignaturePublicKey)> {
        self.base.signature_key_generate().map_err(failure)
    }

    fn signature_key_derive_public(&self, secret: &SignatureSecretKey) -> Outcome<SignaturePublicKey> {
        self.base.signature_key_derive_public(secret).map_err(failure)
    }

    fn sign(&self, secret: &SignatureSecretKey, data: &[u8]) -> Outcome<Vec<u8>> {
        self.base.sign(secret, data).map_err(failure)
    }

    fn verify(&self, public: &SignaturePublicKey, signature: &[u8], data: &[u8]) -> Outcome<()> {
        self.base.verify(public, signature, data).map_err(failure)
    }
}
