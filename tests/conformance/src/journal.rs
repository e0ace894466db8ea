//! The journal behind the trait, over a folder and over a disk in memory.

use std::sync::Arc;

use menshen_journal::simulated::{SimulatedClock, SimulatedDisk};
use menshen_journal::{
    Append, DeviceClock, Disk, Domain, Effects, Error, Expiry, Folder, Journal, KeyError, KeyProvider, KeyState, Label,
    Lane, OpenError, Options, RecordId, Shredding, SystemRandomness,
};
use tempfile::TempDir;

use crate::place::{Devices, Grain, Place, copy_folder, files_in};
use crate::store::{Appended, Found, Health, Read, Record, RecordStore};

pub struct JournalStore {
    journal: Journal,
    clock: SimulatedClock,
    grain: Grain,
}

impl JournalStore {
    fn open(disk: Arc<dyn Disk>, devices: &Devices) -> Result<Self, OpenError> {
        let effects = Effects {
            disk,
            keys: Arc::new(devices.keys.clone()),
            clock: Arc::new(devices.clock.clone()),
            randomness: Arc::new(SystemRandomness::new()),
            anchor: None,
            marker_disks: Vec::new(),
        };
        let segment_bytes = match devices.grain {
            Grain::Segment => Options::default().segment_bytes.min(devices.cap_bytes / 10),
            Grain::Record => 1,
        };
        let options = Options { cap_bytes: devices.cap_bytes, segment_bytes, ..Options::default() };
        let journal = Journal::open(effects, options)?;
        let state = devices.keys.state();
        devices.keys.set_state(KeyState::Ready);
        journal.unlock().expect("the store's own key");
        devices.keys.set_state(state);
        Ok(Self { journal, clock: devices.clock.clone(), grain: devices.grain })
    }

    fn whole<'a>(&self, record: &Record<'a>) -> Append<'a> {
        let mut expiry = record.lives_ms.map_or(Expiry::never(), |lives| Expiry::after(&self.clock.now(), lives));
        if self.grain == Grain::Record && record.lives_ms.is_some() {
            expiry.bucket_ms = 1;
        }
        Append { domain: record.domain, lane: record.lane, expiry, body: record.body }
    }
}

fn told(appended: menshen_journal::Appended) -> Appended<RecordId> {
    match appended {
        menshen_journal::Appended::Held => Appended::Held,
        menshen_journal::Appended::Buffered(id) => Appended::Buffered(id),
        menshen_journal::Appended::Synced(id) => Appended::Synced(id),
    }
}

impl RecordStore for JournalStore {
    type Id = RecordId;

    fn create_domain(&mut self, domain: &Domain) -> Result<(), Error> {
        self.journal.create_domain(domain).map(|_| ())
    }

    fn unlock_domain(&mut self, domain: &Domain) -> Result<(), KeyError> {
        self.journal.unlock_domain(domain)
    }

    fn is_open(&mut self, domain: &Domain) -> bool {
        self.journal.derive(domain, b"conformance").is_ok()
    }

    fn close_domain(&mut self, domain: &Domain) {
        self.journal.close_domain(domain);
    }

    fn shred(&mut self, domain: &Domain) -> Result<Shredding, Error> {
        self.journal.shred(domain)
    }

    fn append(&mut self, record: &Record<'_>) -> Result<Appended<RecordId>, Error> {
        self.journal.append(&self.whole(record)).map(told)
    }

    fn append_synced(&mut self, record: &Record<'_>) -> Result<Appended<RecordId>, Error> {
        self.journal.append_synced(&self.whole(record)).map(told)
    }

    fn append_held(&mut self) -> Result<u64, Error> {
        self.journal.append_held()
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.journal.sync()
    }

    fn read(&mut self, read: &Read<'_, RecordId>) -> Result<Vec<Found<RecordId>>, Error> {
        let Read { endpoint, lane, domains, max_records, max_bytes, skip } = *read;
        let read = menshen_journal::Read { endpoint, lane, domains, max_records, max_bytes, skip };
        let records = self.journal.read_batch(&read)?.records.into_iter();
        let found = records.map(|record| Found {
            id: record.id,
            domain: record.domain,
            expires_ms: record.expires_ms,
            body: record.body.to_vec(),
        });
        Ok(found.collect())
    }

    fn acknowledge(&mut self, endpoint: Label, records: &[RecordId]) -> Result<(), Error> {
        self.journal.acknowledge(endpoint, records)
    }

    fn quarantine(&mut self, endpoint: Label, records: &[RecordId]) -> Result<(), Error> {
        self.journal.quarantine(endpoint, records)
    }

    fn retire(&mut self, endpoints: &dyn Fn(&Domain, Lane) -> Vec<Label>) -> Result<(), Error> {
        self.journal.retire_delivered(endpoints).map(|_| ())
    }

    fn expire(&mut self) -> Result<u64, Error> {
        self.journal.expire().map(|expired| expired.records)
    }

    fn pending(&self, endpoint: Label, domain: &Domain) -> u64 {
        self.journal.pending(endpoint, domain)
    }

    fn count(&self, domain: &Domain) -> u64 {
        self.journal.count(domain)
    }

    fn health(&self) -> Health {
        let health = self.journal.health();
        let menshen_journal::Health { bytes, held, dropped, quarantined, .. } = health;
        Health { bytes, held, dropped, quarantined }
    }
}

/// The journal in a folder.
pub struct JournalInFolder {
    folder: TempDir,
    devices: Devices,
}

impl JournalInFolder {
    #[must_use]
    pub fn new(devices: Devices) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), devices }
    }
}

/// What stands at the beginning of a segment.
const MAGIC: &[u8] = b"menshen\x01";

impl Place for JournalInFolder {
    type Store = JournalStore;
    const IN_CLEAR: &'static [u8] = MAGIC;

    fn devices(&self) -> &Devices {
        &self.devices
    }

    fn open(&self) -> Result<JournalStore, OpenError> {
        JournalStore::open(Arc::new(Folder::at(self.folder.path())?), &self.devices)
    }

    fn copy(&self, devices: Devices) -> Self {
        let copy = Self::new(devices);
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }

    fn files(&self) -> Vec<Vec<u8>> {
        files_in(self.folder.path())
    }
}

/// The journal on a disk in memory.
pub struct JournalOnSimulatedDisk {
    disk: SimulatedDisk,
    devices: Devices,
}

impl JournalOnSimulatedDisk {
    #[must_use]
    pub fn new(devices: Devices) -> Self {
        Self { disk: SimulatedDisk::new(), devices }
    }
}

impl Place for JournalOnSimulatedDisk {
    type Store = JournalStore;
    const IN_CLEAR: &'static [u8] = MAGIC;

    fn devices(&self) -> &Devices {
        &self.devices
    }

    fn open(&self) -> Result<JournalStore, OpenError> {
        JournalStore::open(Arc::new(self.disk.clone()), &self.devices)
    }

    fn copy(&self, devices: Devices) -> Self {
        Self { disk: self.disk.fork(), devices }
    }

    fn files(&self) -> Vec<Vec<u8>> {
        self.disk.names().iter().filter_map(|name| self.disk.contents(name)).collect()
    }
}
