//! The subject without an interpreter.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::client::{Login, Registration};
use super::server::{Naming, ServerSetup, login_finish, registration_record};
use super::{Error, Script, Stretch, with_randomness};
use rand::RngCore;
use rand::rngs::OsRng;

fn registered(setup: &ServerSetup, password: &[u8]) -> Vec<u8> {
    let (registration, request) = Registration::start(&mut OsRng, password).unwrap();
    let response = setup.registration_response(&request, b"id").unwrap();
    let done = registration.finish(&mut OsRng, password, &response, Naming::default(), Stretch::Identity).unwrap();
    registration_record(&done.upload).unwrap()
}

fn login(setup: &ServerSetup, record: Option<&[u8]>, password: &[u8]) -> Result<bool, Error> {
    let (login, request) = Login::start(&mut OsRng, password)?;
    let (response, state) = setup.login_response(&mut OsRng, record, &request, b"id", Naming::default())?;
    let done = login.finish(&mut OsRng, password, &response, Naming::default(), Stretch::Identity)?;
    Ok(login_finish(&state, &done.finalization, Naming::default())? == *done.session_key)
}

#[test]
fn only_the_password_opens() {
    let setup = ServerSetup::new(&mut OsRng);
    let setup = ServerSetup::from_bytes(&setup.to_bytes()).unwrap();
    let record = registered(&setup, b"right");
    assert_eq!(login(&setup, Some(&record), b"right"), Ok(true));
    assert_eq!(login(&setup, Some(&record), b"wrong"), Err(Error::InvalidLogin));
    assert_eq!(login(&setup, None, b"right"), Err(Error::InvalidLogin));
}

#[test]
fn bytes_behind_a_message_are_refused_at_every_step() {
    let setup = ServerSetup::new(&mut OsRng);
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    let refused = Some(Error::Malformed);
    let (registration, request) = Registration::start(&mut OsRng, b"right").unwrap();
    assert_eq!(setup.registration_response(&longer(&request), b"id").err(), refused);
    let response = longer(&setup.registration_response(&request, b"id").unwrap());
    let done = registration.finish(&mut OsRng, b"right", &response, Naming::default(), Stretch::Identity);
    assert_eq!(done.err(), refused);
    let record = registered(&setup, b"right");
    assert_eq!(registration_record(&longer(&record)).err(), refused);
    let (login, request) = Login::start(&mut OsRng, b"right").unwrap();
    for (record, request) in [(longer(&record), request.clone()), (record.clone(), longer(&request))] {
        let answer = setup.login_response(&mut OsRng, Some(&record), &request, b"id", Naming::default());
        assert_eq!(answer.err(), refused);
    }
    let (response, state) =
        setup.login_response(&mut OsRng, Some(&record), &request, b"id", Naming::default()).unwrap();
    let (again, _) = Login::start(&mut OsRng, b"right").unwrap();
    let done = again.finish(&mut OsRng, b"right", &longer(&response), Naming::default(), Stretch::Identity);
    assert_eq!(done.err(), refused);
    let done = login.finish(&mut OsRng, b"right", &response, Naming::default(), Stretch::Identity).unwrap();
    assert_eq!(login_finish(&longer(&state), &done.finalization, Naming::default()).err(), refused);
    assert_eq!(login_finish(&state, &longer(&done.finalization), Naming::default()).err(), refused);
    assert!(login_finish(&state, &done.finalization, Naming::default()).is_ok());
}

#[test]
fn a_script_must_be_used_up() {
    let draw = |source: &mut dyn super::Source| {
        source.next_u64();
        Ok(())
    };
    assert_eq!(with_randomness(Some(&[7; 8]), draw), Ok(()));
    assert_eq!(with_randomness(Some(&[7; 7]), draw), Err(Error::Malformed));
    assert_eq!(with_randomness(Some(&[7; 9]), draw), Err(Error::Malformed));
    assert_eq!(Script::new(&[1, 0, 0, 0]).next_u32(), 1);
}

#[test]
fn stretching_is_argon2id() {
    let mut output = [0; 8];
    assert_eq!(super::argon2id(b"password", b"salt", 8, 1, 1, &mut output), Err(Error::Malformed)); // salt too short
    assert_eq!(super::argon2id(b"password", b"somesalt", 8, 1, 1, &mut output), Ok(()));
}
