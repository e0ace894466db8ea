//! What goes wrong in the store, with stable codes.

use std::fmt;
use std::path::PathBuf;

use crate::effects::{DiskError, KeyError, RandomnessError};

/// Why a store could not be opened. Nothing in the folder was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another [`Journal`](crate::Journal) of this one, has it open.
    Busy,
    /// The folder or its disk is read-only.
    ReadOnly,
    /// The disk is full.
    Full,
    /// The path is not a folder.
    NotAFolder,
    /// The path is in an app group, which a suspended app must not hold a lock in.
    InAppGroup,
    /// What has to be outside the store is in its folder: keys or markers, which whoever copies or puts back the store
    /// would copy or put back with it.
    InsideStore,
    /// The folder holds something else, or a store of a later version.
    NotAStore,
    /// The disk failed.
    Io {
        /// What was being done.
        operation: &'static str,
    },
    /// The source of randomness failed.
    Randomness,
}

impl OpenError {
    /// A stable code in kebab-case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Busy => "store-busy",
            Self::ReadOnly => "store-read-only",
            Self::Full => "store-full",
            Self::NotAFolder => "not-a-folder",
            Self::InAppGroup => "in-app-group",
            Self::InsideStore => "inside-store",
            Self::NotAStore => "not-a-store",
            Self::Io { .. } => "io",
            Self::Randomness => "randomness",
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the store is open elsewhere; close it there, or use a folder for each process"),
            Self::ReadOnly => f.write_str("the folder is read-only; give the app the right to write"),
            Self::Full => f.write_str("the disk is full; free some space and open the store again"),
            Self::NotAFolder => f.write_str("the path is not a folder"),
            Self::InAppGroup => f.write_str(
                "the path is in an app group, where the system kills an app that is suspended with a lock; give \
                 one in the app's own container, and each extension one of its own",
            ),
            Self::InsideStore => f.write_str(
                "it is in the store's own folder, with which it would be copied and put back; give a folder beside it",
            ),
            Self::NotAStore => f.write_str(
                "the folder is not a store, or one of a later version; nothing in it was touched; give another",
            ),
            Self::Io { operation } => write!(f, "the disk failed ({operation})"),
            Self::Randomness => f.write_str("the source of randomness failed"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a folder could not be used, and which. Nothing in it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderError {
    /// The folder as it was given.
    pub folder: PathBuf,
    /// Why.
    pub cause: OpenError,
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open `{}`: {}", self.folder.display(), self.cause)
    }
}

impl std::error::Error for FolderError {}

impl From<FolderError> for OpenError {
    fn from(error: FolderError) -> Self {
        error.cause
    }
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Busy => Self::Busy,
            DiskError::ReadOnly => Self::ReadOnly,
            DiskError::Full => Self::Full,
            DiskError::NotAFolder => Self::NotAFolder,
            // A folder where a file of the store's would be.
            DiskError::NotAFile => Self::NotAStore,
            DiskError::NotFound | DiskError::AlreadyExists | DiskError::Io => Self::Io { operation: "open" },
        }
    }
}

/// Why a call on an open store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The store's limit or the disk is full; nothing that was there is lost.
    Full,
    /// The store belongs to the process that this one was forked from.
    Busy,
    /// The folder or its disk is read-only.
    ReadOnly,
    /// The domain was closed; unlock it first.
    Closed,
    /// The domain has a key already.
    AlreadyExists,
    /// The record is larger than the limit.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The disk failed.
    Io {
        /// What was being done.
        operation: &'static str,
    },
    /// The key store failed.
    Key(KeyError),
    /// Too many seals under the domain's keys did not open: somebody makes them up, and nothing of the domain is opened or
    /// sealed until the store is opened again.
    TooManyForgeries,
    /// What was given as a server's key is none, so that nothing was sealed to it.
    BadServerKey,
    /// The source of randomness failed.
    Randomness,
    /// The ledger does not verify, so nothing is added to it.
    LedgerBroken {
        /// The first bad entry, where it is known.
        sequence: Option<u64>,
    },
}

impl Error {
    pub(crate) fn from_disk(error: DiskError, operation: &'static str) -> Self {
        match error {
            DiskError::Full => Self::Full,
            DiskError::ReadOnly => Self::ReadOnly,
            _ => Self::Io { operation },
        }
    }

    /// A stable code in kebab-case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "store-full",
            Self::Busy => "store-busy",
            Self::ReadOnly => "store-read-only",
            Self::Closed => "closed",
            Self::AlreadyExists => "domain-exists",
            Self::TooLarge { .. } => "too-large",
            Self::Io { .. } => "io",
            Self::Key(error) => error.code(),
            Self::TooManyForgeries => "too-many-forgeries",
            Self::BadServerKey => "bad-server-key",
            Self::Randomness => "randomness",
            Self::LedgerBroken { .. } => "ledger-broken",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the store or its disk is full"),
            Self::Busy => f.write_str("the store belongs to the parent process; open one of its own in this one"),
            Self::ReadOnly => f.write_str("the store's folder is read-only"),
            Self::Closed => f.write_str("the domain is closed; unlock it first"),
            Self::AlreadyExists => f.write_str("the domain has a key already; take the next epoch"),
            Self::TooLarge { limit } => write!(f, "the record is larger than {limit} bytes"),
            Self::Io { operation } => write!(f, "the disk failed ({operation})"),
            Self::Key(error) => write!(f, "{error}"),
            Self::TooManyForgeries => f.write_str(
                "65,536 sealed records of the domain did not open, so somebody writes into the store's files; its keys are \
                 wiped until the store is opened again",
            ),
            Self::BadServerKey => {
                f.write_str("what was given as a server's key is no X25519 key; look at the policy's endpoint")
            }
            Self::Randomness => f.write_str("the source of randomness failed"),
            Self::LedgerBroken { .. } => f.write_str("the ledger does not verify"),
        }
    }
}

impl std::error::Error for Error {}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<RandomnessError> for Error {
    fn from(_: RandomnessError) -> Self {
        Self::Randomness
    }
}

/// Names the operation in which the disk failed.
pub(crate) trait At<T> {
    fn at(self, operation: &'static str) -> Result<T, Error>;
    fn opening(self, operation: &'static str) -> Result<T, OpenError>;
}

impl<T> At<T> for Result<T, DiskError> {
    fn at(self, operation: &'static str) -> Result<T, Error> {
        self.map_err(|error| Error::from_disk(error, operation))
    }

    fn opening(self, operation: &'static str) -> Result<T, OpenError> {
        self.map_err(|error| match OpenError::from(error) {
            OpenError::Io { .. } => OpenError::Io { operation },
            other => other,
        })
    }
}
