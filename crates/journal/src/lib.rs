//! The store under menshen: sealed, append-only segments with a key for each purpose, and a signed ledger.
//!
//! It knows nothing of policies: accounts, purposes and endpoints are labels. Every effect is behind a trait of
//! [`Effects`], so that a store runs on a disk in memory as well as on a real one.
//!
//! A record is *buffered* when [`Journal::append`] returns: it survives the end of the process. It is *synced* when
//! [`Journal::sync`] returns: it survives a power loss if the device honours a sync. Damage costs the records whose
//! bytes were hit. Nothing is deleted because of an error.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")
)]

mod append;
mod books;
mod boxes;
mod bytes;
mod cipher;
mod cursor;
mod delivery;
mod domains;
mod effects;
mod error;
mod flush;
mod folder;
mod forgeries;
mod frame;
mod held;
mod journal;
mod keys;
mod ledger;
mod manifest;
mod markers;
mod names;
mod providers;
mod ranges;
mod read;
mod rekey;
mod reserve;
mod segment;
pub mod simulated;
mod spares;

pub use append::{Append, MAX_RECORD_BYTES};
pub use boxes::{BoxTo, Boxed, BoxedBatch, ServerKey};
pub use cipher::Algorithm;
pub use delivery::Expired;
pub use domains::Shredding;
pub use effects::{
    Anchor, AnchorError, DeviceClock, Disk, DiskError, DiskFile, DiskLock, Effects, KeyError, KeyProvider, KeyState,
    Now, Randomness, RandomnessError,
};
pub use error::{Error, FolderError, OpenError};
pub use folder::Folder;
pub use held::Appended;
pub use journal::{Health, Journal, OpenReport, Options};
pub use ledger::{
    AnchoredHead, Broken, Hash, Head, LedgerBase, LedgerCheckpoint, LedgerContents, LedgerEntry, LedgerName,
    MAX_STATE_BYTES, ManifestState, NewEntry, Payload, Verdict, consistency_proof, inclusion_proof, is_consistent,
    is_included, verify, verify_behind,
};
pub use names::{Alias, BadAlias, Domain, Expiry, Label, LabelKind, Lane, RecordId};
pub use providers::{FileKeys, MemoryKeys, SystemClock, SystemRandomness};
pub use read::{Batch, Read, Record};
