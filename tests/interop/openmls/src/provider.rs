//! What OpenMLS runs on here: a store in memory, and the primitives of qpqnative's suite 1, which have their own
//! vectors. The opinion asked for is on the protocol. Below OpenMLS stands the exchange of SelfRemove's number, and a
//! notebook of what a forger has to know and no interface tells.

use crate::number::to_wire;
use mls_rs_core::crypto::{CipherSuiteProvider, HpkeCiphertext, HpkeContextR, HpkeContextS, SignatureSecretKey};
use openmls::prelude::tls_codec::SecretVLBytes;
use openmls_memory_storage::MemoryStorage;
use openmls_traits::OpenMlsProvider;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::random::OpenMlsRand;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeCiphertext as Sealed, HpkeConfig, HpkeKeyPair,
    KemOutput, SignatureScheme,
};
use qpqnative::mls::suite::{SUITE_1, Suite, provider};
use std::collections::HashMap;
use std::sync::Mutex;

pub const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
/// Length of a SHA-256 hash.
const HASH_BYTES: usize = 32;
/// Membership keys kept: one is derived for every commit that is looked at.
const MEMBERSHIP_KEYS_MAX: usize = 8;

/// What was seen passing.
#[derive(Default)]
pub struct Notebook {
    /// Public HPKE keys by private: OpenMLS hands over only the private one to open.
    pairs: HashMap<Vec<u8>, Vec<u8>>,
    /// membership_key of the last epochs looked at, newest last.
    pub membership_keys: Vec<Vec<u8>>,
    /// The last tag over a confirmed transcript hash.
    pub confirmation_tag: Vec<u8>,
}

pub struct Crypto {
    suite: Suite,
    group_id: Vec<u8>,
    notebook: Mutex<Notebook>,
}

impl Crypto {
    pub fn notebook(&self) -> std::sync::MutexGuard<'_, Notebook> {
        self.notebook.lock().unwrap()
    }

    fn public_of(&self, private: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.notebook().pairs.get(private).cloned().ok_or(CryptoError::InvalidPublicKey)
    }
}

fn failed<T, E>(result: Result<T, E>, error: CryptoError) -> Result<T, CryptoError> {
    result.map_err(|_| error)
}

impl OpenMlsCrypto for Crypto {
    fn supports(&self, suite: Ciphersuite) -> Result<(), CryptoError> {
        if suite == SUITE { Ok(()) } else { Err(CryptoError::UnsupportedCiphersuite) }
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        vec![SUITE]
    }

    fn hkdf_extract(&self, _: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        let out = failed(self.suite.kdf_extract(salt, ikm), CryptoError::CryptoLibraryError)?;
        Ok(out.to_vec().into())
    }

    fn hmac(&self, _: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        let out = self.suite.mac(key, &to_wire(message, &self.group_id));
        let out = failed(out, CryptoError::CryptoLibraryError)?;
        if message.len() == HASH_BYTES {
            self.notebook().confirmation_tag.clone_from(&out);
        }
        Ok(out.into())
    }

    fn hkdf_expand(&self, _: HashType, prk: &[u8], info: &[u8], length: usize) -> Result<SecretVLBytes, CryptoError> {
        let out = failed(self.suite.kdf_expand(prk, info, length), CryptoError::HkdfOutputLengthInvalid)?.to_vec();
        if info.windows(10).any(|window| window == b"membership") {
            let keys = &mut self.notebook().membership_keys;
            if keys.len() == MEMBERSHIP_KEYS_MAX {
                keys.remove(0);
            }
            keys.push(out.clone());
        }
        Ok(out.into())
    }

    fn hash(&self, _: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        failed(self.suite.hash(&to_wire(data, &self.group_id)), CryptoError::CryptoLibraryError)
    }

    fn aead_encrypt(
        &self,
        _: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        failed(self.suite.aead_seal(key, data, Some(aad), nonce), CryptoError::CryptoLibraryError)
    }

    fn aead_decrypt(
        &self,
        _: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let out = failed(self.suite.aead_open(key, data, Some(aad), nonce), CryptoError::AeadDecryptionError)?;
        Ok(out.to_vec())
    }

    fn signature_key_gen(&self, _: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        Err(CryptoError::UnsupportedSignatureScheme) // keys come from qpqnative
    }

    fn verify_signature(
        &self,
        _: SignatureScheme,
        data: &[u8],
        pk: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let data = to_wire(data, &self.group_id);
        failed(self.suite.verify(&pk.to_vec().into(), signature, &data), CryptoError::InvalidSignature)
    }

    fn sign(&self, _: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let key = SignatureSecretKey::from(key.to_vec());
        failed(self.suite.sign(&key, &to_wire(data, &self.group_id)), CryptoError::SigningError)
    }

    fn hpke_seal(&self, _: HpkeConfig, pk: &[u8], info: &[u8], aad: &[u8], text: &[u8]) -> Result<Sealed, CryptoError> {
        let sealed = self.suite.hpke_seal(&pk.to_vec().into(), info, Some(aad), text);
        let sealed = failed(sealed, CryptoError::HpkeEncryptionError)?;
        Ok(Sealed { kem_output: sealed.kem_output.into(), ciphertext: sealed.ciphertext.into() })
    }

    fn hpke_open(
        &self,
        _: HpkeConfig,
        input: &Sealed,
        sk: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let public = self.public_of(sk)?.into();
        let (kem_output, ciphertext) = (input.kem_output.as_slice().to_vec(), input.ciphertext.as_slice().to_vec());
        let sealed = HpkeCiphertext { kem_output, ciphertext };
        let opened = self.suite.hpke_open(&sealed, &sk.to_vec().into(), &public, info, Some(aad));
        Ok(failed(opened, CryptoError::HpkeDecryptionError)?.to_vec())
    }

    fn hpke_setup_sender_and_export(
        &self,
        _: HpkeConfig,
        pk: &[u8],
        info: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        let (output, sender) =
            failed(self.suite.hpke_setup_s(&pk.to_vec().into(), info), CryptoError::SenderSetupError)?;
        let secret = failed(sender.export(context, length), CryptoError::ExporterError)?;
        Ok((output, secret.to_vec().into()))
    }

    fn hpke_setup_receiver_and_export(
        &self,
        _: HpkeConfig,
        enc: &[u8],
        sk: &[u8],
        info: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        let public = self.public_of(sk)?.into();
        let receiver = self.suite.hpke_setup_r(enc, &sk.to_vec().into(), &public, info);
        let receiver = failed(receiver, CryptoError::ReceiverSetupError)?;
        Ok(failed(receiver.export(context, length), CryptoError::ExporterError)?.to_vec().into())
    }

    fn derive_hpke_keypair(&self, _: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        let (private, public) = failed(self.suite.kem_derive(ikm), CryptoError::CryptoLibraryError)?;
        self.notebook().pairs.insert(private.to_vec(), public.to_vec());
        Ok(HpkeKeyPair { private: private.to_vec().into(), public: public.to_vec() })
    }
}

impl OpenMlsRand for Crypto {
    type Error = CryptoError;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], CryptoError> {
        let mut out = [0; N];
        failed(self.suite.random_bytes(&mut out), CryptoError::InsufficientRandomness)?;
        Ok(out)
    }

    fn random_vec(&self, length: usize) -> Result<Vec<u8>, CryptoError> {
        failed(self.suite.random_bytes_vec(length), CryptoError::InsufficientRandomness)
    }
}

/// One OpenMLS member's provider.
pub struct Provider {
    crypto: Crypto,
    storage: MemoryStorage,
}

impl Provider {
    pub fn new(group_id: &[u8]) -> Self {
        let crypto =
            Crypto { suite: provider(SUITE_1).unwrap(), group_id: group_id.to_vec(), notebook: Mutex::default() };
        Self { crypto, storage: MemoryStorage::default() }
    }
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = Crypto;
    type RandProvider = Crypto;
    type StorageProvider = MemoryStorage;

    fn storage(&self) -> &MemoryStorage {
        &self.storage
    }

    fn crypto(&self) -> &Crypto {
        &self.crypto
    }

    fn rand(&self) -> &Crypto {
        &self.crypto
    }
}

/// Signs by the wire's number.
pub struct Key {
    pub seed: Vec<u8>,
    pub group_id: Vec<u8>,
}

impl Signer for Key {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        let (secret, _) = qpqnative::mls::device::signer(b"", &self.seed).map_err(|_| SignerError::SigningError)?;
        let suite = provider(SUITE_1).map_err(|_| SignerError::SigningError)?;
        suite.sign(&secret, &to_wire(payload, &self.group_id)).map_err(|_| SignerError::SigningError)
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
