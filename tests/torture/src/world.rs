//! A store with every effect in hand, and short words for what is done with it.

use std::collections::HashSet;
use std::sync::Arc;

use menshen_journal::simulated::{MemoryAnchor, SeededRandomness, SimulatedClock, SimulatedDisk};
use menshen_journal::{
    Anchor, Append, Batch, DeviceClock, Disk, Domain, Effects, Error, Expiry, Journal, KeyError, KeyProvider, Label,
    LabelKind, Lane, MemoryKeys, NewEntry, OpenError, Options, Read, RecordId,
};

use crate::planted;

pub(crate) const START_MS: i64 = 1_700_000_000_000;
pub(crate) const HOUR_MS: u64 = 3_600_000;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;

/// Files, keys, clock and anchor of one device.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) disk: SimulatedDisk,
    pub(crate) outside: SimulatedDisk,
    pub(crate) keys: MemoryKeys,
    pub(crate) clock: SimulatedClock,
    pub(crate) anchor: Arc<dyn Anchor>,
    pub(crate) options: Options,
    pub(crate) randomness: SeededRandomness,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            disk: SimulatedDisk::new(),
            outside: SimulatedDisk::new(),
            keys: MemoryKeys::new(),
            clock: SimulatedClock::at(START_MS),
            anchor: Arc::new(MemoryAnchor::new()),
            options: Options::default(),
            randomness: SeededRandomness::new(seed),
        }
    }

    pub(crate) fn open(&self) -> Result<Journal, OpenError> {
        self.open_with(Arc::new(self.disk.clone()), planted::keys(self.keys.clone()))
    }

    /// Opens it over another disk or key store.
    pub(crate) fn open_with(&self, disk: Arc<dyn Disk>, keys: Arc<dyn KeyProvider>) -> Result<Journal, OpenError> {
        let effects = Effects {
            disk: planted::disk(disk),
            keys,
            clock: Arc::new(self.clock.clone()),
            randomness: Arc::new(self.randomness.clone()),
            anchor: Some(Arc::clone(&self.anchor)),
            marker_disks: vec![Arc::new(self.outside.clone())],
        };
        Journal::open(effects, self.options.clone())
    }

    pub(crate) fn expiry(&self) -> Expiry {
        Expiry::after(&self.clock.now(), 8 * DAY_MS)
    }

    /// A copy of all files as they are now, synced; the rest is shared.
    pub(crate) fn with_copied_files(&self) -> Self {
        Self { disk: self.disk.snapshot(), outside: self.outside.snapshot(), ..self.clone() }
    }

    /// The same device with another disk of files.
    pub(crate) fn on(&self, disk: SimulatedDisk) -> Self {
        Self { disk, ..self.clone() }
    }

    /// A copy of everything but the clock, as it is now, that goes its own way.
    pub(crate) fn fork(&self, seed: u64) -> Self {
        Self {
            disk: self.disk.fork(),
            outside: self.outside.fork(),
            keys: self.keys.snapshot(),
            anchor: anchor_of(self.anchor.read().unwrap()),
            randomness: SeededRandomness::new(seed),
            ..self.clone()
        }
    }
}

/// An anchor that holds this.
pub(crate) fn anchor_of(value: Option<Vec<u8>>) -> Arc<dyn Anchor> {
    let anchor = MemoryAnchor::new();
    if let Some(value) = value {
        anchor.write(&value).unwrap();
    }
    Arc::new(anchor)
}

pub(crate) fn guest(journal: &Journal) -> Result<Label, Error> {
    journal.label(LabelKind::Account, "guest")
}

/// The guest's domain of a purpose in an epoch.
pub(crate) fn domain_in(journal: &Journal, purpose: &str, epoch: u64) -> Result<Domain, Error> {
    Ok(Domain { account: guest(journal)?, purpose: journal.label(LabelKind::Purpose, purpose)?, epoch })
}

pub(crate) fn domain_of(journal: &Journal, purpose: &str) -> Result<Domain, Error> {
    domain_in(journal, purpose, 1)
}

/// The domain of a purpose, with a key.
pub(crate) fn domain(journal: &Journal, purpose: &str) -> Result<Domain, Error> {
    with_key(journal, domain_of(journal, purpose)?)
}

pub(crate) fn with_key(journal: &Journal, domain: Domain) -> Result<Domain, Error> {
    if journal.alias(&domain).is_none() {
        journal.create_domain(&domain)?;
    }
    Ok(domain)
}

/// The guest's account with the key of its ledger.
pub(crate) fn essential(journal: &Journal) -> Result<Label, Error> {
    let account = guest(journal)?;
    with_key(journal, Domain { account, purpose: Label::ESSENTIAL, epoch: 1 })?;
    Ok(account)
}

pub(crate) fn endpoint(journal: &Journal) -> Result<Label, Error> {
    journal.label(LabelKind::Endpoint, "collector")
}

pub(crate) fn put(world: &World, journal: &Journal, domain: Domain, body: &[u8]) -> Result<RecordId, Error> {
    let done = journal.append(&Append { domain, lane: Lane::Telemetry, expiry: world.expiry(), body })?;
    done.id().ok_or(Error::Key(KeyError::NotYet))
}

pub(crate) fn read(journal: &Journal, endpoint: Label, domains: &[Domain]) -> Result<Batch, Error> {
    let skip = HashSet::new();
    let lane = Lane::Telemetry;
    journal.read_batch(&Read { endpoint, lane, domains, max_records: 100_000, max_bytes: usize::MAX, skip: &skip })
}

pub(crate) fn bodies(batch: &Batch) -> Vec<Vec<u8>> {
    batch.records.iter().map(|record| record.body.to_vec()).collect()
}

/// A batch of two entries.
pub(crate) fn enter(journal: &Journal, account: Label, payload: &[u8]) -> Result<(), Error> {
    let entry = NewEntry { statement: b"statement", payload };
    journal.ledger_append(account, &[entry, entry]).map(|_| ())
}
