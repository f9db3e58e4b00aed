//! What only tests need, for `qpqnative.testing`: imported KeyPackage secrets, and the primitives of the suites by
//! themselves, so that published vectors run through the very code that groups use.

use super::error::{Error, Kind, Result, malformed};
use super::inspect::decode;
use super::python::Device;
use super::suite::{SUITE_1, XWingKem, provider};
use crate::boundary::caught;
use mls_rs_codec::MlsEncode;
use mls_rs_core::crypto::{CipherSuite, CipherSuiteProvider, HpkeContextR};
use mls_rs_core::key_package::KeyPackageData;
use mls_rs_crypto_awslc::{AwsLcAead, AwsLcHkdf};
use mls_rs_crypto_hpke::hpke::Hpke;
use mls_rs_crypto_traits::KemType;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

type ByteStrings = Vec<Vec<u8>>;

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
        let unsupported = || Error::new(Kind::Unsupported, "cipher suite");
        let kdf = AwsLcHkdf::new(CipherSuite::CURVE25519_CHACHA).ok_or_else(unsupported)?;
        let aead = AwsLcAead::new(CipherSuite::CURVE25519_CHACHA).ok_or_else(unsupported)?;
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
    module.add_function(wrap_pyfunction!(key_package_record, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_derive, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_encap, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_decap, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_public_key_ok, module)?)?;
    module.add_function(wrap_pyfunction!(xwing_hpke, module)?)?;
    module.add_function(wrap_pyfunction!(suite_verify, module)?)?;
    module.add_function(wrap_pyfunction!(suite_open, module)?)?;
    module.add_function(wrap_pyfunction!(suite_hkdf, module)?)
}
