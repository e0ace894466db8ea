//! What goes wrong, as a stable code with fields. A denial is no error: see [`Denial`](crate::Denial).

use std::fmt;
use std::path::PathBuf;

use menshen_journal as journal;
use menshen_journal::OpenError;
use menshen_policy::Errors;

/// Why a call could not be carried out.
///
/// No message holds personal data or another library's error text.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The policy document is wrong; every problem is listed with its place.
    Policy(Errors),
    /// The policy names another id than the one whose answers are in this store.
    ForeignPolicy {
        /// The id of the policy in the store.
        accepted: String,
        /// The id of the policy given.
        given: String,
    },
    /// The policy is older than the accepted one.
    OlderPolicy {
        /// The accepted version.
        accepted: String,
        /// The version given.
        given: String,
    },
    /// The policy has nothing of this name.
    Undeclared {
        /// What was looked up: `feature`, `purpose`, `event`, `recipient`.
        what: &'static str,
        /// The name given.
        name: String,
    },
    /// Only a version of the policy that the person has not accepted has this name.
    NotAcceptedYet {
        /// What was looked up.
        what: &'static str,
        /// The name given.
        name: String,
    },
    /// The event has no such field (strict mode; otherwise the field is dropped and counted).
    UndeclaredField {
        /// The event.
        event: String,
        /// The field.
        field: String,
    },
    /// A field has another type than the policy declares.
    FieldType {
        /// The event.
        event: String,
        /// The field.
        field: String,
        /// The declared type.
        expected: &'static str,
    },
    /// An event or item is larger than the limit.
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Fields given as JSON could not be read.
    BadFields {
        /// What is wrong with them: `not-utf8`, `syntax`, `too-deep`, `not-flat`, `duplicate-key`.
        why: &'static str,
    },
    /// The answer does not belong to the step that is shown.
    UnexpectedAnswer {
        /// The step that waits.
        step: &'static str,
    },
    /// A birth month, place or age that cannot be.
    BadSubject {
        /// The field.
        field: &'static str,
    },
    /// The duration is zero or longer than the policy keeps records of the purpose.
    BadTimeToLive {
        /// The longest allowed, in milliseconds.
        limit_ms: u64,
    },
    /// The purpose does not name this recipient.
    RecipientNotOfPurpose {
        /// The purpose.
        purpose: String,
        /// The recipient.
        recipient: String,
    },
    /// A statute demands the purpose, so that it cannot be withdrawn.
    LegalDuty {
        /// The purpose.
        purpose: String,
        /// The law that demands it.
        statute: String,
    },
    /// No upload or delivery with this number is under way.
    UnknownExchange {
        /// The number given.
        id: u64,
    },
    /// What it needs was closed meanwhile, or the use of the feature ended.
    PermitEnded,
    /// The platform's key store does not answer: locked, busy, before the first unlock, or failing. Nothing is lost; try
    /// later.
    KeyNotReady,
    /// The platform's key store answers with another key than the one the store was sealed with. Nothing was changed.
    WrongKey,
    /// The key that the store was sealed with is gone.
    KeyLost,
    /// A folder could not be opened; nothing in it was changed.
    Open {
        /// The folder as the app gave it, where it is one: a store may be on another disk.
        folder: Option<PathBuf>,
        /// Why.
        cause: OpenError,
    },
    /// The store's folder or disk is read-only.
    StoreReadOnly,
    /// The disk, or the store's own limit, is full.
    StoreFull,
    /// The disk failed.
    Io {
        /// What was being done.
        operation: &'static str,
    },
    /// The ledger does not verify; every gate is closed.
    LedgerBroken {
        /// The first bad entry, counted from 0, where it is known.
        sequence: Option<u64>,
    },
    /// Something in the library is not as it must be.
    Internal {
        /// Where.
        what: &'static str,
    },
}

impl Error {
    /// The stable code, in kebab-case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Policy(_) => "policy",
            Self::ForeignPolicy { .. } => "foreign-policy",
            Self::OlderPolicy { .. } => "older-policy",
            Self::Undeclared { .. } => "undeclared",
            Self::NotAcceptedYet { .. } => "not-accepted-yet",
            Self::UndeclaredField { .. } => "undeclared-field",
            Self::FieldType { .. } => "field-type",
            Self::TooLarge { .. } => "too-large",
            Self::BadFields { .. } => "bad-fields",
            Self::UnexpectedAnswer { .. } => "unexpected-answer",
            Self::BadSubject { .. } => "bad-subject",
            Self::BadTimeToLive { .. } => "bad-time-to-live",
            Self::RecipientNotOfPurpose { .. } => "recipient-not-of-purpose",
            Self::LegalDuty { .. } => "legal-duty",
            Self::UnknownExchange { .. } => "unknown-exchange",
            Self::PermitEnded => "permit-ended",
            Self::KeyNotReady => "key-not-ready",
            Self::WrongKey => "wrong-key",
            Self::KeyLost => "key-lost",
            Self::Open { cause: OpenError::Busy, .. } => "store-busy",
            Self::StoreReadOnly | Self::Open { cause: OpenError::ReadOnly, .. } => "store-read-only",
            Self::StoreFull | Self::Open { cause: OpenError::Full, .. } => "store-full",
            Self::Open { cause: OpenError::NotAFolder, .. } => "not-a-folder",
            Self::Open { cause: OpenError::InAppGroup, .. } => "in-app-group",
            Self::Open { cause: OpenError::InsideStore, .. } => "inside-store",
            Self::Open { cause: OpenError::NotAStore, .. } => "not-a-store",
            Self::Io { .. } | Self::Open { cause: OpenError::Io { .. }, .. } => "io",
            Self::LedgerBroken { .. } => "ledger-broken",
            Self::Internal { .. } | Self::Open { .. } => "internal",
        }
    }

    /// The fields by their names, as every binding gives them. The problems of a policy are no fields.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::ForeignPolicy { accepted, given } | Self::OlderPolicy { accepted, given } => {
                vec![("accepted", accepted.clone()), ("given", given.clone())]
            }
            Self::Undeclared { what, name } | Self::NotAcceptedYet { what, name } => {
                vec![("what", (*what).to_owned()), ("name", name.clone())]
            }
            Self::UndeclaredField { event, field } => vec![("event", event.clone()), ("field", field.clone())],
            Self::FieldType { event, field, expected } => {
                vec![("event", event.clone()), ("field", field.clone()), ("expected", (*expected).to_owned())]
            }
            Self::TooLarge { bytes, limit } => vec![("bytes", bytes.to_string()), ("limit", limit.to_string())],
            Self::BadFields { why } => vec![("why", (*why).to_owned())],
            Self::UnexpectedAnswer { step } => vec![("step", (*step).to_owned())],
            Self::BadSubject { field } => vec![("field", (*field).to_owned())],
            Self::BadTimeToLive { limit_ms } => vec![("limit_ms", limit_ms.to_string())],
            Self::RecipientNotOfPurpose { purpose, recipient } => {
                vec![("purpose", purpose.clone()), ("recipient", recipient.clone())]
            }
            Self::LegalDuty { purpose, statute } => vec![("purpose", purpose.clone()), ("statute", statute.clone())],
            Self::UnknownExchange { id } => vec![("id", id.to_string())],
            Self::Open { folder, cause } => {
                let folder = folder.iter().map(|folder| ("folder", folder.to_string_lossy().into_owned()));
                let operation = match cause {
                    OpenError::Io { operation } => Some(("operation", (*operation).to_owned())),
                    _ => None,
                };
                folder.chain(operation).collect()
            }
            Self::Io { operation } => vec![("operation", (*operation).to_owned())],
            Self::LedgerBroken { sequence: Some(sequence) } => vec![("sequence", sequence.to_string())],
            Self::Internal { what } => vec![("what", (*what).to_owned())],
            Self::Policy(_)
            | Self::PermitEnded
            | Self::KeyNotReady
            | Self::WrongKey
            | Self::KeyLost
            | Self::StoreReadOnly
            | Self::StoreFull
            | Self::LedgerBroken { sequence: None } => Vec::new(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(errors) => write!(f, "{errors}"),
            Self::ForeignPolicy { accepted, given } => {
                write!(
                    f,
                    "this store holds the answers to policy `{accepted}`, not `{given}`; give the app's own policy"
                )
            }
            Self::OlderPolicy { accepted, given } if accepted == given => {
                write!(f, "version {given} was accepted with another text; a policy that changes needs a later version")
            }
            Self::OlderPolicy { accepted, given } => {
                write!(
                    f,
                    "version {given} is older than the accepted {accepted}; ship the accepted version or a later one"
                )
            }
            Self::Undeclared { what, name } => {
                write!(f, "the policy declares no {what} `{name}`; declare it or correct the name")
            }
            Self::NotAcceptedYet { what, name } => {
                write!(f, "the {what} `{name}` belongs to a policy version that the person has not accepted yet")
            }
            Self::UndeclaredField { event, field } => {
                write!(f, "event `{event}` declares no field `{field}`; declare it with its type and category")
            }
            Self::FieldType { event, field, expected } => {
                write!(f, "field `{field}` of event `{event}` must be of type {expected}")
            }
            Self::TooLarge { bytes, limit } => write!(f, "{bytes} bytes are more than the limit of {limit}"),
            Self::BadFields { why } => write!(f, "the fields are not one flat JSON object ({why})"),
            Self::UnexpectedAnswer { step } => {
                write!(f, "the answer does not fit the step `{step}` that waits for one")
            }
            Self::BadSubject { field } => write!(f, "the {field} is not one that can be"),
            Self::BadTimeToLive { limit_ms } => {
                write!(f, "the time to live must be above zero and at most {limit_ms} ms, the retention of the purpose")
            }
            Self::RecipientNotOfPurpose { purpose, recipient } => {
                write!(f, "purpose `{purpose}` does not name recipient `{recipient}`")
            }
            Self::LegalDuty { purpose, statute } => {
                write!(
                    f,
                    "purpose `{purpose}` cannot be withdrawn, because `{statute}` demands it; show that to the person"
                )
            }
            Self::UnknownExchange { id } => write!(f, "no upload or delivery {id} is under way"),
            Self::PermitEnded => f.write_str("this is not allowed any more; ask what closed it, and request it again"),
            Self::KeyNotReady => {
                f.write_str("the key store is locked, busy or failing; nothing is lost, try again later")
            }
            Self::WrongKey => f.write_str("the key is not the one that the store was sealed with; nothing was changed"),
            Self::KeyLost => f.write_str("the key that the store was sealed with is gone; what it sealed stays closed"),
            Self::Open { folder: Some(folder), cause } => write!(f, "cannot open `{}`: {cause}", folder.display()),
            Self::Open { folder: None, cause } => write!(f, "cannot open it: {cause}"),
            Self::StoreReadOnly => f.write_str("the store's folder is read-only; give it a writable one"),
            Self::StoreFull => f.write_str("the store or its disk is full; nothing that was there is lost"),
            Self::Io { operation } => write!(f, "the disk failed ({operation})"),
            Self::LedgerBroken { sequence: Some(at) } => {
                write!(f, "the ledger does not verify from entry {at} on; every gate is closed")
            }
            Self::LedgerBroken { sequence: None } => f.write_str("the ledger does not verify; every gate is closed"),
            Self::Internal { what } => write!(f, "internal inconsistency ({what}); please report it"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Errors> for Error {
    fn from(errors: Errors) -> Self {
        Self::Policy(errors)
    }
}

impl From<journal::KeyError> for Error {
    fn from(error: journal::KeyError) -> Self {
        match error {
            journal::KeyError::NotFound => Self::KeyLost,
            journal::KeyError::Refused => Self::WrongKey,
            journal::KeyError::AlreadyExists => Self::Internal { what: "alias taken" },
            _ => Self::KeyNotReady,
        }
    }
}

impl From<journal::RandomnessError> for Error {
    fn from(_: journal::RandomnessError) -> Self {
        Self::Internal { what: "randomness" }
    }
}

impl From<journal::FolderError> for Error {
    fn from(journal::FolderError { folder, cause }: journal::FolderError) -> Self {
        Self::Open { folder: Some(folder), cause }
    }
}

impl From<journal::Error> for Error {
    fn from(error: journal::Error) -> Self {
        match error {
            journal::Error::Full => Self::StoreFull,
            journal::Error::ReadOnly => Self::StoreReadOnly,
            // The key is out of memory, not out of the key store.
            journal::Error::Closed => Self::KeyNotReady,
            journal::Error::TooLarge { limit } => Self::TooLarge { bytes: limit + 1, limit },
            journal::Error::Io { operation } => Self::Io { operation },
            journal::Error::Key(error) => error.into(),
            journal::Error::LedgerBroken { sequence } => Self::LedgerBroken { sequence },
            _ => Self::Internal { what: "journal" },
        }
    }
}
