//! The panic boundary: whatever panics inside a library below ends here, as an error of the subject's own kind.
//!
//! A [`Guarded`] value is gone after its first error. The libraries may have consumed a key or half applied a commit
//! by then (one flipped byte in a PrivateMessage eats the key), so the only way on is to load from the store again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// An error type that can say "a panic was caught" and "this object was used after an error".
pub trait Boundary {
    /// The error for a caught panic.
    fn internal() -> Self;
    /// The error for an object that is used after an error.
    fn poisoned() -> Self;
}

/// Runs `work`; a panic becomes `E::internal()`.
///
/// # Errors
/// Those of `work`, and `E::internal()`.
pub fn caught<T, E: Boundary>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(E::internal()))
}

/// One value behind a lock that is dropped at its first error.
#[derive(Debug)]
pub struct Guarded<T>(Mutex<Option<T>>);

impl<T> Guarded<T> {
    /// Guards a value.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(Some(value)))
    }

    /// Runs `work` on the value; after an error or a panic the value is gone.
    ///
    /// # Errors
    /// Those of `work`, `E::internal()` after a panic, `E::poisoned()` ever after.
    pub fn run<R, E: Boundary>(&self, work: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut value = slot.take().ok_or_else(E::poisoned)?;
        let result = caught(|| work(&mut value))?;
        *slot = Some(value);
        Ok(result)
    }

    /// Like [`Guarded::run`] for work that changes nothing when it fails: only a panic drops the value.
    ///
    /// # Errors
    /// As [`Guarded::run`].
    pub fn consult<R, E: Boundary>(&self, work: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E> {
        self.run(|value| Ok(work(value)))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    enum Fault {
        Internal,
        Poisoned,
        Own,
    }

    impl Boundary for Fault {
        fn internal() -> Self {
            Self::Internal
        }
        fn poisoned() -> Self {
            Self::Poisoned
        }
    }

    #[test]
    fn an_error_drops_the_value() {
        let guarded = Guarded::new(1);
        assert_eq!(guarded.run(|v| Ok::<_, Fault>(*v)), Ok(1));
        assert_eq!(guarded.run(|_| Err::<(), _>(Fault::Own)), Err(Fault::Own));
        assert_eq!(guarded.run(|v| Ok::<_, Fault>(*v)), Err(Fault::Poisoned));
    }

    #[test]
    #[expect(clippy::panic, reason = "the boundary is tested with a real panic")]
    fn a_panic_becomes_internal_and_drops_the_value() {
        let guarded = Guarded::new(1);
        assert_eq!(guarded.consult(|_| -> Result<(), Fault> { panic!("planted") }), Err(Fault::Internal));
        assert_eq!(guarded.consult(|v| Ok::<_, Fault>(*v)), Err(Fault::Poisoned));
    }

    #[test]
    fn consulting_survives_an_error() {
        let guarded = Guarded::new(1);
        assert_eq!(guarded.consult(|_| Err::<(), _>(Fault::Own)), Err(Fault::Own));
        assert_eq!(guarded.consult(|v| Ok::<_, Fault>(*v)), Ok(1));
    }
}
