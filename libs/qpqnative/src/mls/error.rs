//! The one error of the subject: a kind from a closed list and the library's name for the cause. Never a secret.

use crate::boundary::Boundary;
use mls_rs::error::MlsError;

/// What went wrong, from the caller's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The bytes are no valid encoding, or of another kind of message than the call takes.
    Malformed,
    /// The message names another group.
    WrongGroup,
    /// The message or pending commit belongs to another epoch, or to one whose keys are gone.
    WrongEpoch,
    /// A signature, tag, hash, key or rule of RFC 9420 does not hold.
    Invalid,
    /// The sender or target is no member.
    NotAMember,
    /// The message was read before, or its key is gone.
    ReusedKey,
    /// A suite, version, credential or capability that is not supported.
    Unsupported,
    /// No private keys for any KeyPackage that the Welcome names.
    MissingKeyPackage,
    /// A pre-shared key that the message names is not stored.
    MissingPsk,
    /// Valid MLS, refused by QPQ's own rules.
    Rule,
    /// Proposals are cached: commit before sending application messages (RFC 9420 §12.4).
    CommitRequired,
    /// The sender's skipped message keys would pile up past the bound.
    SkippedKeys,
    /// The object was used after an error.
    Poisoned,
    /// A caught panic, or a fault of ours.
    Internal,
}

impl Kind {
    /// The name under which Python sees it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongGroup => "wrong_group",
            Self::WrongEpoch => "wrong_epoch",
            Self::Invalid => "invalid",
            Self::NotAMember => "not_a_member",
            Self::ReusedKey => "reused_key",
            Self::Unsupported => "unsupported",
            Self::MissingKeyPackage => "missing_key_package",
            Self::MissingPsk => "missing_psk",
            Self::Rule => "rule",
            Self::CommitRequired => "commit_required",
            Self::SkippedKeys => "skipped_keys",
            Self::Poisoned => "poisoned",
            Self::Internal => "internal",
        }
    }
}

/// An error: its kind, a short cause without outside data, and the leaf to blame where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub kind: Kind,
    /// The cause, for logs: fixed text or the library's own name for it.
    pub cause: String,
    /// The leaf whose message was refused, for [`Kind::SkippedKeys`].
    pub sender_index: Option<u32>,
}

/// Results of this subject.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a fixed cause.
    #[must_use]
    pub fn new(kind: Kind, cause: &str) -> Self {
        Self { kind, cause: cause.to_owned(), sender_index: None }
    }
}

/// Refused by QPQ's own rules.
#[must_use]
pub fn rule(cause: &str) -> Error {
    Error::new(Kind::Rule, cause)
}

/// No valid encoding.
#[must_use]
pub fn malformed(cause: &str) -> Error {
    Error::new(Kind::Malformed, cause)
}

impl Boundary for Error {
    fn internal() -> Self {
        Self::new(Kind::Internal, "caught panic")
    }
    fn poisoned() -> Self {
        Self::new(Kind::Poisoned, "used after an error")
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.cause)
    }
}

impl std::error::Error for Error {}

impl From<mls_rs::mls_rs_codec::Error> for Error {
    fn from(_: mls_rs::mls_rs_codec::Error) -> Self {
        malformed("encoding")
    }
}

impl From<mls_rs::error::ExtensionError> for Error {
    fn from(_: mls_rs::error::ExtensionError) -> Self {
        malformed("extension")
    }
}

impl From<MlsError> for Error {
    fn from(error: MlsError) -> Self {
        Self { kind: kind_of(&error), cause: cause_of(&error), sender_index: None }
    }
}

fn kind_of(error: &MlsError) -> Kind {
    match error {
        MlsError::SerializationError(_) | MlsError::ExtensionError(_) | MlsError::UnexpectedMessageType => {
            Kind::Malformed
        }
        MlsError::GroupIdMismatch => Kind::WrongGroup,
        MlsError::InvalidEpoch | MlsError::EpochNotFound => Kind::WrongEpoch,
        MlsError::LeafNotFound(_) | MlsError::MemberNotFound => Kind::NotAMember,
        MlsError::KeyMissing(_) => Kind::ReusedKey,
        MlsError::InvalidFutureGeneration(_) => Kind::SkippedKeys,
        MlsError::UnsupportedProtocolVersion(_)
        | MlsError::ProtocolVersionMismatch
        | MlsError::UnsupportedCipherSuite(_)
        | MlsError::RequiredExtensionNotFound(_)
        | MlsError::RequiredProposalNotFound(_)
        | MlsError::RequiredCredentialNotFound(_)
        | MlsError::IdentityProviderError(_) => Kind::Unsupported,
        MlsError::WelcomeKeyPackageNotFound => Kind::MissingKeyPackage,
        MlsError::MissingRequiredPsk => Kind::MissingPsk,
        MlsError::MlsRulesError(_) | MlsError::CantProcessMessageFromSelf => Kind::Rule,
        MlsError::CommitRequired => Kind::CommitRequired,
        _ => Kind::Invalid,
    }
}

/// The variant's name; for our own rules their text, which is fixed. Payloads of other variants are left out.
fn cause_of(error: &MlsError) -> String {
    if let MlsError::MlsRulesError(inner) = error {
        return inner.to_string();
    }
    let debug = format!("{error:?}");
    debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("MlsError").to_owned()
}
