//! The server's side: setup, registration, log-in. It never sees a password or an export key.

use super::lengths::{FINALIZATION_BYTES, LOGIN_REQUEST_BYTES, RECORD_BYTES, REGISTRATION_REQUEST_BYTES, STATE_BYTES};
use super::{Lent, Result, Source, Suite, exact};
use opaque_ke::{
    CredentialFinalization, CredentialRequest, Identifiers, RegistrationRequest, RegistrationUpload, ServerLogin,
    ServerLoginParameters, ServerRegistration,
};

/// Context and identities of a log-in; all empty in QPQ.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming<'a> {
    /// The application's context string.
    pub context: &'a [u8],
    /// The client's identity, or its public key when absent.
    pub client: Option<&'a [u8]>,
    /// The server's identity, or its public key when absent.
    pub server: Option<&'a [u8]>,
}

impl<'a> Naming<'a> {
    pub(super) const fn identifiers(self) -> Identifiers<'a> {
        Identifiers { client: self.client, server: self.server }
    }

    const fn parameters(self) -> ServerLoginParameters<'a, 'a> {
        ServerLoginParameters { context: Some(self.context), identifiers: self.identifiers() }
    }
}

/// The server's long-term secrets: OPRF seed, key pair, and the public key shown for unknown users.
#[derive(Clone)]
pub struct ServerSetup(opaque_ke::ServerSetup<Suite>);

/// Length of a setup's bytes: OPRF seed 64, private key 32, dummy public key 32.
pub const SETUP_BYTES: usize = 128;

impl ServerSetup {
    /// A fresh setup.
    pub fn new(randomness: &mut dyn Source) -> Self {
        Self(opaque_ke::ServerSetup::new(&mut Lent(randomness)))
    }

    /// Reads [`ServerSetup::to_bytes`].
    ///
    /// # Errors
    /// [`super::Error::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(Self(opaque_ke::ServerSetup::deserialize(exact(bytes, SETUP_BYTES)?)?))
    }

    /// The setup's bytes: to be kept outside the database.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.serialize().to_vec()
    }

    /// The server's public key.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.keypair().public().serialize().to_vec()
    }

    /// Answers a registration request.
    ///
    /// # Errors
    /// [`super::Error::Malformed`].
    pub fn registration_response(&self, request: &[u8], credential_id: &[u8]) -> Result<Vec<u8>> {
        let request = RegistrationRequest::<Suite>::deserialize(exact(request, REGISTRATION_REQUEST_BYTES)?)?;
        let started = ServerRegistration::<Suite>::start(&self.0, request, credential_id)?;
        Ok(started.message.serialize().to_vec())
    }

    /// Answers a log-in request. Without a record the answer is a dummy's, made with the same work.
    /// The state goes with it and finishes the log-in on any replica.
    ///
    /// # Errors
    /// [`super::Error::Malformed`].
    pub fn login_response(
        &self,
        randomness: &mut dyn Source,
        record: Option<&[u8]>,
        request: &[u8],
        credential_id: &[u8],
        naming: Naming<'_>,
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        let record = record.map(|record| exact(record, RECORD_BYTES)).transpose()?;
        let record = record.map(ServerRegistration::<Suite>::deserialize).transpose()?;
        let request = CredentialRequest::<Suite>::deserialize(exact(request, LOGIN_REQUEST_BYTES)?)?;
        let mut lent = Lent(randomness);
        let started =
            ServerLogin::<Suite>::start(&mut lent, &self.0, record, request, credential_id, naming.parameters())?;
        Ok((started.message.serialize().to_vec(), started.state.serialize().to_vec()))
    }
}

/// Checks an upload and returns the record to store.
///
/// # Errors
/// [`super::Error::Malformed`].
pub fn registration_record(upload: &[u8]) -> Result<Vec<u8>> {
    let upload = RegistrationUpload::<Suite>::deserialize(exact(upload, RECORD_BYTES)?)?;
    Ok(ServerRegistration::<Suite>::finish(upload).serialize().to_vec())
}

/// Finishes a log-in: the session key, equal to the client's.
///
/// # Errors
/// [`super::Error::InvalidLogin`], [`super::Error::Malformed`].
pub fn login_finish(state: &[u8], finalization: &[u8], naming: Naming<'_>) -> Result<Vec<u8>> {
    let state = ServerLogin::<Suite>::deserialize(exact(state, STATE_BYTES)?)?;
    let finalization = CredentialFinalization::<Suite>::deserialize(exact(finalization, FINALIZATION_BYTES)?)?;
    Ok(state.finish(finalization, naming.parameters())?.session_key.to_vec())
}
