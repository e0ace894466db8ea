//! The trait: what can be asked of a record store, and what it answers.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use menshen_journal::{Domain, Error, KeyError, Label, Lane, Shredding};

/// A record to append.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub domain: Domain,
    pub lane: Lane,
    /// How long it lives, in milliseconds, by whichever clock is stricter; `None` never ends.
    pub lives_ms: Option<u64>,
    pub body: &'a [u8],
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended<Id> {
    /// In memory only, as the key store is not ready for its domain.
    Held,
    /// It survives the end of the process.
    Buffered(Id),
    /// It survives a power loss, if the device honours a sync.
    Synced(Id),
}

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a, Id> {
    /// Whose progress counts.
    pub endpoint: Label,
    pub lane: Lane,
    pub domains: &'a [Domain],
    pub max_records: usize,
    /// Of bodies; one record comes back even if it is larger.
    pub max_bytes: usize,
    /// Records not to return.
    pub skip: &'a HashSet<Id>,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<Id> {
    pub id: Id,
    pub domain: Domain,
    /// Milliseconds since 1970.
    pub expires_ms: i64,
    pub body: Vec<u8>,
}

/// How a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// What the store's bound counts, in bytes: each store has its own measure, under one bound.
    pub bytes: u64,
    /// Records in memory only.
    pub held: u64,
    /// Records that went though no endpoint had them, ever.
    pub dropped: u64,
    /// Refusals whose records are still there.
    pub quarantined: u64,
}

/// A store of sealed records, each under the key of its domain.
///
/// Records of one domain, lane and lifetime are read in the order in which they were appended; among others the store
/// chooses. Everything but what is held, and what is closed, is as it was after the store is opened anew.
pub trait RecordStore {
    /// Names a record.
    type Id: Copy + Debug + Eq + Hash;

    /// Makes the domain's key. [`Error::AlreadyExists`] where it has one.
    fn create_domain(&mut self, domain: &Domain) -> Result<(), Error>;
    /// Opens a domain, one that was closed, too.
    fn unlock_domain(&mut self, domain: &Domain) -> Result<(), KeyError>;
    /// Whether the domain can be read and written now. It is unlocked by that, if it was not closed.
    fn is_open(&mut self, domain: &Domain) -> bool;
    /// Wipes the domain's key, and what is held of it, from memory.
    fn close_domain(&mut self, domain: &Domain);
    /// Destroys the domain's key, then its records. [`Shredding::Pending`] while the key store does not say that the
    /// key is gone; the records go at once.
    fn shred(&mut self, domain: &Domain) -> Result<Shredding, Error>;

    /// Seals a record and keeps it, buffered at least. It is held in memory where the key store is not ready.
    /// [`Error::Full`] in the lanes that never drop.
    fn append(&mut self, record: &Record<'_>) -> Result<Appended<Self::Id>, Error>;
    /// As [`RecordStore::append`], and synced unless it is held.
    fn append_synced(&mut self, record: &Record<'_>) -> Result<Appended<Self::Id>, Error>;
    /// Appends what is held and whose key is there; how many still wait. An append does so for its own domain.
    fn append_held(&mut self) -> Result<u64, Error>;
    /// Makes everything appended so far survive a power loss.
    fn sync(&mut self) -> Result<(), Error>;

    /// The next records that have not ended, were neither acknowledged nor refused, and whose domain is open.
    fn read(&mut self, read: &Read<'_, Self::Id>) -> Result<Vec<Found<Self::Id>>, Error>;
    /// The endpoint has these records, for good, in any order; what is gone is passed over.
    fn acknowledge(&mut self, endpoint: Label, records: &[Self::Id]) -> Result<(), Error>;
    /// The endpoint refused these records: it is not offered them again, and they stay until they end.
    fn quarantine(&mut self, endpoint: Label, records: &[Self::Id]) -> Result<(), Error>;

    /// Removes what every endpoint has that is named for it, at the latest when that holds of all that the store keeps
    /// in one piece. What no endpoint is named for stays, and so does what somebody refused.
    fn retire(&mut self, endpoints: &dyn Fn(&Domain, Lane) -> Vec<Label>) -> Result<(), Error>;
    /// Removes what has ended by the wall clock, at the latest an eighth of its life later; how many records went.
    fn expire(&mut self) -> Result<u64, Error>;

    /// Records that the endpoint has neither acknowledged nor refused. What has ended counts no more after a read.
    fn pending(&self, endpoint: Label, domain: &Domain) -> u64;
    /// Records of the domain that were not removed.
    fn count(&self, domain: &Domain) -> u64;
    fn health(&self) -> Health;
}
