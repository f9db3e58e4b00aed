//! The client's side: one value a step, used up by finishing. Finishing stretches the password: some 45 ms.

use super::lengths::{LOGIN_RESPONSE_BYTES, REGISTRATION_RESPONSE_BYTES};
use super::server::Naming;
use super::{Lent, Result, Source, Stretch, Suite, exact};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, RegistrationResponse,
};
use zeroize::Zeroizing;

/// A registration under way.
pub struct Registration(ClientRegistration<Suite>);

/// A finished registration.
pub struct Registered {
    /// For the server.
    pub upload: Vec<u8>,
    /// Known to who knows the password, never to the server.
    pub export_key: Zeroizing<Vec<u8>>,
    /// To be compared where the client knows it already.
    pub server_public_key: Vec<u8>,
}

impl Registration {
    /// Begins: the registration and its request.
    ///
    /// # Errors
    /// [`super::Error::Malformed`] for a password longer than 65,535 bytes.
    pub fn start(randomness: &mut dyn Source, password: &[u8]) -> Result<(Self, Vec<u8>)> {
        let started = ClientRegistration::<Suite>::start(&mut Lent(randomness), password)?;
        let request = started.message.serialize().to_vec();
        Ok((Self(started.state), request))
    }

    /// Ends with the server's response.
    ///
    /// # Errors
    /// [`super::Error::Malformed`]; [`super::Error::InvalidLogin`] for a reflected value.
    pub fn finish(
        self,
        randomness: &mut dyn Source,
        password: &[u8],
        response: &[u8],
        naming: Naming<'_>,
        stretch: Stretch,
    ) -> Result<Registered> {
        let response = RegistrationResponse::<Suite>::deserialize(exact(response, REGISTRATION_RESPONSE_BYTES)?)?;
        let parameters = ClientRegistrationFinishParameters::new(naming.identifiers(), Some(&stretch));
        let done = self.0.finish(&mut Lent(randomness), password, response, parameters)?;
        Ok(Registered {
            upload: done.message.serialize().to_vec(),
            export_key: Zeroizing::new(done.export_key.to_vec()),
            server_public_key: done.server_s_pk.serialize().to_vec(),
        })
    }
}

/// A log-in under way.
pub struct Login(ClientLogin<Suite>);

/// A finished log-in.
pub struct LoggedIn {
    /// For the server.
    pub finalization: Vec<u8>,
    /// Equal to the server's.
    pub session_key: Zeroizing<Vec<u8>>,
    /// As at registration.
    pub export_key: Zeroizing<Vec<u8>>,
    /// To be compared where the client knows it already.
    pub server_public_key: Vec<u8>,
}

impl Login {
    /// Begins: the log-in and its request.
    ///
    /// # Errors
    /// [`super::Error::Malformed`] for a password longer than 65,535 bytes.
    pub fn start(randomness: &mut dyn Source, password: &[u8]) -> Result<(Self, Vec<u8>)> {
        let started = ClientLogin::<Suite>::start(&mut Lent(randomness), password)?;
        let request = started.message.serialize().to_vec();
        Ok((Self(started.state), request))
    }

    /// Ends with the server's response.
    ///
    /// # Errors
    /// [`super::Error::InvalidLogin`] for a wrong password or an unknown user; [`super::Error::Malformed`].
    pub fn finish(
        self,
        randomness: &mut dyn Source,
        password: &[u8],
        response: &[u8],
        naming: Naming<'_>,
        stretch: Stretch,
    ) -> Result<LoggedIn> {
        let response = CredentialResponse::<Suite>::deserialize(exact(response, LOGIN_RESPONSE_BYTES)?)?;
        let parameters = ClientLoginFinishParameters::new(Some(naming.context), naming.identifiers(), Some(&stretch));
        let done = self.0.finish(&mut Lent(randomness), password, response, parameters)?;
        Ok(LoggedIn {
            finalization: done.message.serialize().to_vec(),
            session_key: Zeroizing::new(done.session_key.to_vec()),
            export_key: Zeroizing::new(done.export_key.to_vec()),
            server_public_key: done.server_s_pk.serialize().to_vec(),
        })
    }
}
