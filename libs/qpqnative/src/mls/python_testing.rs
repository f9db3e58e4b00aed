//! What only tests need, for `qpqnative.testing`: imported KeyPackage secrets, and the primitives of the suites by
//! themselves, so that published vectors run through the very code that groups use.

use super::error::{Error, Kind, Result, malformed};
use super::inspect::decode;
use super::lie::Lie;
use super::python::Device;
use super::suite::{CryptoFailure, KEM_XWING, SUITE_1, XWingKem, provider};
use crate::boundary::caught;
use mls_rs_codec::MlsEncode;
use mls_rs_core::crypto::{CipherSuite, CipherSuiteProvider, HpkeContextR, HpkeContextS, HpkePublicKey, HpkeSecretKey};
use mls_rs_core::key_package::KeyPackageData;
use mls_rs_crypto_awslc::{AwsLcAead, AwsLcHkdf};
use mls_rs_crypto_hpke::hpke::Hpke;
use mls_rs_crypto_traits::{AeadType, KemResult, KemType};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use shake::{ExtendableOutput, Shake256, Update, XofReader};

type ByteStrings = Vec<Vec<u8>>;
/// Key, base nonce and exporter secret.
type Schedule = (Vec<u8>, Vec<u8>, Vec<u8>);

fn crypto(_: impl std::fmt::Debug) -> Error {
    Error::new(Kind::Invalid, "primitive")
}

fn run<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    Ok(py.detach(|| caught(work))?)
}

/// Lifts QPQ's own rules from a device.
#[pyfunction]
#[pyo3(name = "_lift_rules")]
fn lift_rules(py: Python<'_>, device: &Device) -> PyResult<()> {
    device.run(py, |d| {
        d.lift_rules();
        Ok(())
    })
}

/// Lets a device lie in its next commit.
#[pyfunction]
#[pyo3(name = "_lie", signature = (device, *, path = None, short = false, tag = false))]
fn lie(py: Python<'_>, device: &Device, path: Option<Vec<usize>>, short: bool, tag: bool) -> PyResult<()> {
    device.run(py, |d| {
        d.lie(Lie::new(path.map(|places| places.into_iter().collect()), short, tag));
        Ok(())
    })
}

/// The `k/` record of a KeyPackage made elsewhere.
#[pyfunction]
#[pyo3(name = "_key_package_record")]
fn key_package_record(
    py: Python<'_>,
    message: &[u8],
    init_private: &[u8],
    leaf_private: &[u8],
) -> PyResult<(Vec<u8>, Vec<u8>)> {
    run(py, || {
        let package = decode(message)?.into_key_package().ok_or_else(|| malformed("not a KeyPackage"))?;
        let reference = package.to_reference(&provider(package.cipher_suite)?)?;
        let (init, leaf) = (init_private.to_vec().into(), leaf_private.to_vec().into());
        let data = KeyPackageData::new(package.mls_encode_to_vec()?, init, leaf, u64::MAX);
        Ok(([b"k/", &reference[..]].concat(), data.mls_encode_to_vec()?))
    })
}

/// X-Wing's DeriveKeyPair: seed and public key.
#[pyfunction]
#[pyo3(name = "_xwing_derive")]
fn xwing_derive(py: Python<'_>, ikm: &[u8]) -> PyResult<(Vec<u8>, Vec<u8>)> {
    run(py, || {
        let (secret, public) = XWingKem::keypair(&XWingKem::derive_seed(ikm));
        Ok((secret.to_vec(), public.to_vec()))
    })
}

/// X-Wing's encapsulation with written-down randomness: shared secret and encapsulated key.
#[pyfunction]
#[pyo3(name = "_xwing_encap")]
fn xwing_encap(py: Python<'_>, public: &[u8], randomness: &[u8]) -> PyResult<(Vec<u8>, Vec<u8>)> {
    run(py, || XWingKem::encap_with(&public.to_vec().into(), randomness).map_err(crypto))
}

/// X-Wing's decapsulation.
#[pyfunction]
#[pyo3(name = "_xwing_decap")]
fn xwing_decap(py: Python<'_>, enc: &[u8], secret: &[u8], public: &[u8]) -> PyResult<Vec<u8>> {
    run(py, || XWingKem.decap(enc, &secret.to_vec().into(), &public.to_vec().into()).map_err(crypto))
}

/// Whether X-Wing takes a public key.
#[pyfunction]
#[pyo3(name = "_xwing_public_key_ok")]
fn xwing_public_key_ok(py: Python<'_>, public: &[u8]) -> PyResult<bool> {
    run(py, || Ok(XWingKem.public_key_validate(&public.to_vec().into()).is_ok()))
}

/// The vectors' AEAD (groups use AES-128-GCM) and the KDF of suite 1, which is suite 3's as well.
fn chacha() -> Result<(AwsLcHkdf, AwsLcAead)> {
    let unsupported = || Error::new(Kind::Unsupported, "cipher suite");
    let kdf = AwsLcHkdf::new(CipherSuite::CURVE25519_CHACHA).ok_or_else(unsupported)?;
    Ok((kdf, AwsLcAead::new(CipherSuite::CURVE25519_CHACHA).ok_or_else(unsupported)?))
}

/// Opens a sequence of ciphertexts and exports secrets under HPKE base mode with X-Wing, HKDF-SHA256 and
/// ChaCha20Poly1305 (the vectors' AEAD; groups use AES-128-GCM).
#[pyfunction]
#[pyo3(name = "_xwing_hpke")]
fn xwing_hpke(
    py: Python<'_>,
    keys: (PyBackedBytes, PyBackedBytes, PyBackedBytes),
    info: &[u8],
    sealed: Vec<(PyBackedBytes, PyBackedBytes)>,
    exports: Vec<(PyBackedBytes, usize)>,
) -> PyResult<(ByteStrings, ByteStrings)> {
    let (secret, public, enc) = keys;
    run(py, || {
        let (kdf, aead) = chacha()?;
        let (secret, public) = (secret.to_vec().into(), public.to_vec().into());
        let hpke = Hpke::new(XWingKem, kdf, Some(aead));
        let mut context = hpke.setup_receiver(&enc, &secret, &public, info, None).map_err(crypto)?;
        let mut opened = Vec::new();
        for (aad, ciphertext) in &sealed {
            opened.push(context.open(Some(aad), ciphertext).map_err(crypto)?.to_vec());
        }
        let export = |(label, length): &(PyBackedBytes, usize)| context.export(label, *length).map(|out| out.to_vec());
        Ok((opened, exports.iter().map(export).collect::<Result<_, _>>().map_err(crypto)?))
    })
}

/// X-Wing that encapsulates with written-down randomness, so that mls-rs's HPKE seals what a vector says.
struct ScriptedKem<'a>(&'a [u8]);

impl KemType for ScriptedKem<'_> {
    type Error = CryptoFailure;

    fn kem_id(&self) -> u16 {
        XWingKem.kem_id()
    }

    fn generate_deterministic(&self, seed: &[u8]) -> Result<(HpkeSecretKey, HpkePublicKey), CryptoFailure> {
        XWingKem.generate_deterministic(seed)
    }

    fn generate(&self) -> Result<(HpkeSecretKey, HpkePublicKey), CryptoFailure> {
        XWingKem.generate()
    }

    fn public_key_validate(&self, key: &HpkePublicKey) -> Result<(), CryptoFailure> {
        XWingKem.public_key_validate(key)
    }

    fn encap(&self, remote_key: &HpkePublicKey) -> Result<KemResult, CryptoFailure> {
        let (shared, enc) = XWingKem::encap_with(remote_key, self.0)?;
        Ok(KemResult::new(shared, enc))
    }

    fn decap(&self, enc: &[u8], secret: &HpkeSecretKey, public: &HpkePublicKey) -> Result<Vec<u8>, CryptoFailure> {
        XWingKem.decap(enc, secret, public)
    }

    fn seed_length_for_derive(&self) -> usize {
        XWingKem.seed_length_for_derive()
    }
}

/// The sender's side of `_xwing_hpke`: the encapsulated key and the ciphertexts of (aad, plaintext) in turn.
#[pyfunction]
#[pyo3(name = "_xwing_hpke_seal")]
fn xwing_hpke_seal(
    py: Python<'_>,
    public: &[u8],
    randomness: &[u8],
    info: &[u8],
    texts: Vec<(PyBackedBytes, PyBackedBytes)>,
) -> PyResult<(Vec<u8>, ByteStrings)> {
    run(py, || {
        let (kdf, aead) = chacha()?;
        let hpke = Hpke::new(ScriptedKem(randomness), kdf, Some(aead));
        let (enc, mut context) = hpke.setup_sender(&public.to_vec().into(), info, None).map_err(crypto)?;
        let mut sealed = Vec::new();
        for (aad, text) in &texts {
            sealed.push(context.seal(Some(aad), text).map_err(crypto)?);
        }
        Ok((enc, sealed))
    })
}

/// HPKE's one-stage key schedule (draft-ietf-hpke-pq) with SHAKE256, KDF 0x0011, which mls-rs's HPKE does not have.
struct OneStage {
    aead: AwsLcAead,
    schedule: Schedule,
}

impl OneStage {
    const KDF_SHAKE256: u16 = 0x0011;
    const EXPORTER_BYTES: usize = 64;

    fn prefixed(value: &[u8]) -> Result<Vec<u8>> {
        let length = u16::try_from(value.len()).map_err(crypto)?;
        Ok([&length.to_be_bytes(), value].concat())
    }

    /// LabeledDerive(ikm, label, context, length).
    fn derive(aead: &AwsLcAead, ikm: &[u8], label: &[u8], context: &[u8], length: usize) -> Result<Vec<u8>> {
        let mut hash = Shake256::default();
        hash.update(ikm);
        hash.update(b"HPKE-v1HPKE");
        for id in [KEM_XWING, Self::KDF_SHAKE256, aead.aead_id()] {
            hash.update(&id.to_be_bytes());
        }
        hash.update(&Self::prefixed(label)?);
        hash.update(&u16::try_from(length).map_err(crypto)?.to_be_bytes());
        hash.update(context);
        let mut out = vec![0; length];
        hash.finalize_xof().read(&mut out);
        Ok(out)
    }

    /// Base mode: no pre-shared key, an empty id of it.
    fn new(shared_secret: &[u8], info: &[u8]) -> Result<Self> {
        let (_, aead) = chacha()?;
        let secrets = [Self::prefixed(b"")?, Self::prefixed(shared_secret)?].concat();
        let context = [vec![0], Self::prefixed(b"")?, Self::prefixed(info)?].concat();
        let (key, nonce) = (aead.key_size(), aead.nonce_size());
        let mut secret = Self::derive(&aead, &secrets, b"secret", &context, key + nonce + Self::EXPORTER_BYTES)?;
        let exporter_secret = secret.split_off(key + nonce);
        let base_nonce = secret.split_off(key);
        Ok(Self { aead, schedule: (secret, base_nonce, exporter_secret) })
    }

    /// The base nonce XOR the sequence number (RFC 9180 §5.2).
    fn nonce(&self, sequence: usize) -> Vec<u8> {
        let mut nonce = self.schedule.1.clone();
        for (byte, s) in nonce.iter_mut().rev().zip(sequence.to_le_bytes()) {
            *byte ^= s;
        }
        nonce
    }
}

/// HPKE base mode with X-Wing, SHAKE256 and ChaCha20Poly1305, from the KEM's shared secret on: the key schedule, then
/// each plaintext sealed, each ciphertext opened (with its place as sequence number), each secret exported.
#[pyfunction]
#[pyo3(name = "_xwing_hpke_one_stage")]
fn xwing_hpke_one_stage(
    py: Python<'_>,
    shared_secret: &[u8],
    info: &[u8],
    texts: Vec<(PyBackedBytes, PyBackedBytes, PyBackedBytes)>,
    exports: Vec<(PyBackedBytes, usize)>,
) -> PyResult<(Schedule, ByteStrings, ByteStrings, ByteStrings)> {
    run(py, || {
        let stage = OneStage::new(shared_secret, info)?;
        let (key, _, exporter_secret) = &stage.schedule;
        let (mut sealed, mut opened, mut exported) = (Vec::new(), Vec::new(), Vec::new());
        for (sequence, (aad, text, ciphertext)) in texts.iter().enumerate() {
            let nonce = stage.nonce(sequence);
            sealed.push(stage.aead.seal(key, text, Some(aad), &nonce).map_err(crypto)?);
            opened.push(stage.aead.open(key, ciphertext, Some(aad), &nonce).map_err(crypto)?);
        }
        for (context, length) in &exports {
            exported.push(OneStage::derive(&stage.aead, exporter_secret, b"sec", context, *length)?);
        }
        Ok((stage.schedule, sealed, opened, exported))
    })
}

/// The suites' signature check.
#[pyfunction]
#[pyo3(name = "_suite_verify")]
fn suite_verify(py: Python<'_>, public: &[u8], message: &[u8], signature: &[u8]) -> PyResult<bool> {
    run(py, || Ok(provider(SUITE_1)?.verify(&public.to_vec().into(), signature, message).is_ok()))
}

/// The suites' AEAD, opening: `invalid` where the tag does not fit.
#[pyfunction]
#[pyo3(name = "_suite_open")]
fn suite_open(py: Python<'_>, key: &[u8], nonce: &[u8], aad: &[u8], ciphertext: &[u8]) -> PyResult<Vec<u8>> {
    run(py, || {
        let opened = provider(SUITE_1)?.aead_open(key, ciphertext, Some(aad), nonce);
        Ok(opened.map_err(crypto)?.to_vec())
    })
}

/// The suites' HKDF, extract then expand.
#[pyfunction]
#[pyo3(name = "_suite_hkdf")]
fn suite_hkdf(py: Python<'_>, salt: &[u8], ikm: &[u8], info: &[u8], length: usize) -> PyResult<Vec<u8>> {
    run(py, || {
        let suite = provider(SUITE_1)?;
        let secret = suite.kdf_extract(salt, ikm).map_err(crypto)?;
        Ok(suite.kdf_expand(&secret, info, length).map_err(crypto)?.to_vec())
    })
}

/// Adds the functions for tests to the module.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(lift_rules, module)?)?;
    module.add_function(wrap_pyfunction!(lie, module)?)?;
    module.add_function(wrap_pyfunction!(key_package_record, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_derive, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_encap, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_decap, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_public_key_ok, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_hpke, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_hpke_seal, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_hpke_one_stage, module)?)?;
    module.add_function(wrap_pyfunction!(suite_verify, module)?)?;
    module.add_function(wrap_pyfunction!(suite_open, module)?)?;
    module.add_function(wrap_pyfunction!(suite_hkdf, module)?)
}
