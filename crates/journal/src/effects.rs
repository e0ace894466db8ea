//! The effects that the store needs, as traits: disk, keys, clock, randomness and an anchor outside the store.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::names::Alias;

/// Why a disk could not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskError {
    /// There is no such file.
    NotFound,
    /// The file is there already.
    AlreadyExists,
    /// Another process holds the lock.
    Busy,
    /// The disk or the folder cannot be written.
    ReadOnly,
    /// No space is left.
    Full,
    /// The path, or a part of it, is no folder.
    NotAFolder,
    /// The path is a folder, or something else that is no file.
    NotAFile,
    /// Anything else.
    Io,
}

impl DiskError {
    /// A stable code in kebab-case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "file-not-found",
            Self::AlreadyExists => "file-exists",
            Self::Busy => "busy",
            Self::ReadOnly => "read-only",
            Self::Full => "disk-full",
            Self::NotAFolder => "not-a-folder",
            Self::NotAFile => "not-a-file",
            Self::Io => "io",
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "the file is not there",
            Self::AlreadyExists => "the file is there already",
            Self::Busy => "another process holds the lock",
            Self::ReadOnly => "the disk cannot be written",
            Self::Full => "the disk is full",
            Self::NotAFolder => "the path is no folder",
            Self::NotAFile => "the path is no file",
            Self::Io => "the disk failed",
        })
    }
}

impl std::error::Error for DiskError {}

/// Holds the lock of a folder until it is dropped.
pub trait DiskLock: Send + Sync {}

/// One folder. Names are relative and use `/`; a listing gives plain names.
pub trait Disk: Send + Sync {
    /// Takes the folder's exclusive lock without waiting.
    ///
    /// # Errors
    /// [`DiskError::Busy`] where another holds it.
    fn lock(&self) -> Result<Box<dyn DiskLock>, DiskError>;
    /// The names in a sub-folder, `""` for the folder itself. A missing one is empty.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError>;
    /// Opens a file that is there, for reading and writing.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] among others.
    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError>;
    /// Creates an empty file.
    ///
    /// # Errors
    /// [`DiskError::AlreadyExists`] among others.
    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError>;
    /// Creates a sub-folder if it is not there.
    ///
    /// # Errors
    /// The disk failed.
    fn create_folder(&self, name: &str) -> Result<(), DiskError>;
    /// Makes the names in a sub-folder (`""` for the folder itself) survive a power loss.
    ///
    /// # Errors
    /// The disk failed.
    fn sync_folder(&self, name: &str) -> Result<(), DiskError>;
    /// Removes a file.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] among others.
    fn remove(&self, name: &str) -> Result<(), DiskError>;
    /// Gives a file another name in its sub-folder. A file that has that name is replaced, in one step: at no moment
    /// is there none.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] among others; nothing is renamed then.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;
}

/// One open file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The disk failed.
    fn length(&self) -> Result<u64, DiskError>;
    /// Reads at an offset as many bytes as there are, at most the buffer's length; returns how many.
    ///
    /// # Errors
    /// The disk failed.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError>;
    /// Writes all bytes at an offset, with one system call where that is possible.
    ///
    /// # Errors
    /// The disk failed; some of the bytes may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;
    /// Cuts the file or lengthens it with zeros.
    ///
    /// # Errors
    /// The disk failed.
    fn set_length(&self, length: u64) -> Result<(), DiskError>;
    /// Makes the content survive a power loss.
    ///
    /// # Errors
    /// The disk failed; the content may be lost and a second try proves nothing.
    fn sync(&self) -> Result<(), DiskError>;
}

/// The platform's key store: one key for each alias, that never leaves it.
///
/// The store calls it without its own lock, so that a slow one holds up nobody else; a caller's lock may be held, and it must
/// not call back.
pub trait KeyProvider: Send + Sync {
    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyError::AlreadyExists`] if the alias has one.
    fn create(&self, alias: &Alias) -> Result<(), KeyError>;
    /// Seals a secret under a key, bound to `aad`. The result has at most 320 bytes.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] without such a key.
    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError>;
    /// Opens what [`KeyProvider::wrap`] sealed.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] without such a key, [`KeyError::Refused`] if another key sealed it.
    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError>;
    /// Whether the key is there.
    ///
    /// # Errors
    /// It cannot be told now; that is not the same as absent.
    fn exists(&self, alias: &Alias) -> Result<bool, KeyError>;
    /// Every alias of this provider.
    ///
    /// # Errors
    /// It cannot be told now.
    fn list(&self) -> Result<Vec<Alias>, KeyError>;
    /// Destroys a key; one that is not there is no error.
    ///
    /// # Errors
    /// It could not be destroyed now.
    fn destroy(&self, alias: &Alias) -> Result<(), KeyError>;
    /// How the key store is.
    fn state(&self) -> KeyState;
    /// The folder with the keys, where they are files: a store must not have its own keys in it.
    fn folder(&self) -> Option<&Path> {
        None
    }
}

/// How a key store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// It works.
    Ready,
    /// Locked, busy, or before the first unlock.
    NotYet,
    /// It failed, and nobody knows why.
    Suspect,
    /// It belongs to another install.
    Mismatch,
    /// The keys are gone.
    Lost,
}

/// What a key store could not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyError {
    /// There is no such key.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// Locked, busy, or before the first unlock.
    NotYet,
    /// It failed, and nobody knows why.
    Suspect,
    /// What was sealed was sealed with another key.
    Refused,
}

impl KeyError {
    /// A stable code in kebab-case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "key-not-found",
            Self::AlreadyExists => "key-exists",
            Self::NotYet => "key-not-yet",
            Self::Suspect => "key-suspect",
            Self::Refused => "key-refused",
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "the key store has no such key",
            Self::AlreadyExists => "the key store has a key of this alias already",
            Self::NotYet => "the key store is not ready; try again after unlock",
            Self::Suspect => "the key store failed; try again later",
            Self::Refused => "it was sealed with another key",
        })
    }
}

impl std::error::Error for KeyError {}

/// The clocks of the device at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, in milliseconds since 1970, UTC.
    pub wall_ms: i64,
    /// Milliseconds since the device started, sleep included.
    pub since_boot_ms: u64,
    /// A number that is another one after each start of the device.
    pub boot: u32,
}

/// The clocks of the device.
pub trait DeviceClock: Send + Sync {
    /// The time now.
    fn now(&self) -> Now;
}

/// A source of randomness fit for keys.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// The source failed; the bytes are then not to be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError>;
}

/// The source of randomness failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomnessError;

impl fmt::Display for RandomnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of randomness failed")
    }
}

impl std::error::Error for RandomnessError {}

/// A small value kept outside the store: it shows that the store's files were rolled back.
pub trait Anchor: Send + Sync {
    /// The value, if one was ever written.
    ///
    /// # Errors
    /// It cannot be read now.
    fn read(&self) -> Result<Option<Vec<u8>>, AnchorError>;
    /// Replaces the value.
    ///
    /// # Errors
    /// It cannot be written now.
    fn write(&self, value: &[u8]) -> Result<(), AnchorError>;
}

/// An anchor could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnchorError;

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the anchor could not be read or written")
    }
}

impl std::error::Error for AnchorError {}

/// All effects of one store.
#[derive(Clone)]
pub struct Effects {
    /// The store's folder.
    pub disk: Arc<dyn Disk>,
    /// The platform's key store.
    pub keys: Arc<dyn KeyProvider>,
    /// The device's clocks.
    pub clock: Arc<dyn DeviceClock>,
    /// Random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// A value outside the store that shows a rolled-back ledger.
    pub anchor: Option<Arc<dyn Anchor>>,
    /// Folders outside the store in which denials are marked, too.
    pub marker_disks: Vec<Arc<dyn Disk>>,
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effects").finish_non_exhaustive()
    }
}
