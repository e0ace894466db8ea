//! The journal as a contender, with its effects in hand.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use menshen_journal::{
    Append, DeviceClock, Disk, DiskError, DiskFile, DiskLock, Domain, Effects, Expiry, FileKeys, Folder, Journal,
    Label, LabelKind, Lane, Options, Read, SystemClock, SystemRandomness,
};

use crate::queue::{CAP, Durability, Queue};

const DAY_MS: u64 = 24 * 3_600_000;

/// A disk that counts flushes.
#[derive(Clone)]
pub struct CountingDisk {
    folder: Arc<dyn Disk>,
    flushes: Arc<AtomicU64>,
}

struct CountingFile {
    file: Arc<dyn DiskFile>,
    flushes: Arc<AtomicU64>,
}

impl CountingDisk {
    pub fn at(path: &Path) -> Self {
        Self { folder: Arc::new(Folder::at(path).expect("a folder")), flushes: Arc::new(AtomicU64::new(0)) }
    }

    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    fn counting(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(CountingFile { file, flushes: Arc::clone(&self.flushes) })
    }
}

impl Disk for CountingDisk {
    fn lock(&self) -> Result<Box<dyn DiskLock>, DiskError> {
        self.folder.lock()
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.folder.list(folder)
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(self.counting(self.folder.open(name)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(self.counting(self.folder.create(name)?))
    }

    fn create_folder(&self, name: &str) -> Result<(), DiskError> {
        self.folder.create_folder(name)
    }

    fn sync_folder(&self, name: &str) -> Result<(), DiskError> {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.folder.sync_folder(name)
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.folder.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.folder.rename(from, to)
    }
}

impl DiskFile for CountingFile {
    fn length(&self) -> Result<u64, DiskError> {
        self.file.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_at(offset, bytes)
    }

    fn set_length(&self, length: u64) -> Result<(), DiskError> {
        self.file.set_length(length)
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.file.sync()
    }
}

/// The effects of a store in a folder, with its keys in files beside it.
pub fn effects(folder: &Path, disk: Arc<dyn Disk>) -> Effects {
    Effects {
        disk,
        keys: Arc::new(FileKeys::at(folder.join("platform-keys")).expect("a folder for keys")),
        clock: Arc::new(SystemClock::new()),
        randomness: Arc::new(SystemRandomness::new()),
        anchor: None,
        marker_disks: Vec::new(),
    }
}

pub fn options() -> Options {
    Options { cap_bytes: CAP, ..Options::default() }
}

/// The store of a folder as it is opened in an app.
pub fn open(folder: &Path) -> Journal {
    let disk = Folder::at(folder.join("store")).expect("a folder for the store");
    Journal::open(effects(folder, Arc::new(disk)), options()).expect("a store")
}

/// The domain of a purpose, with a key.
pub fn domain(journal: &Journal, purpose: &str) -> Domain {
    let account = journal.label(LabelKind::Account, "guest").expect("a label");
    let purpose = journal.label(LabelKind::Purpose, purpose).expect("a label");
    let domain = Domain { account, purpose, epoch: 1 };
    if journal.alias(&domain).is_none() {
        journal.create_domain(&domain).expect("a domain with a key");
    }
    domain
}

pub fn append(journal: &Journal, domain: Domain, expiry: Expiry, body: &[u8]) {
    journal.append(&Append { domain, lane: Lane::Telemetry, expiry, body }).expect("an append").id().expect("a key");
}

pub fn expiry() -> Expiry {
    Expiry::after(&SystemClock::new().now(), 30 * DAY_MS)
}

pub struct JournalQueue {
    pub journal: Journal,
    durability: Durability,
    domain: Domain,
    endpoint: Label,
    clock: SystemClock,
}

impl JournalQueue {
    pub fn open(folder: &Path, durability: Durability) -> Self {
        let journal = open(folder);
        let domain = domain(&journal, "statistics");
        let endpoint = journal.label(LabelKind::Endpoint, "collector").expect("a label");
        Self { journal, durability, domain, endpoint, clock: SystemClock::new() }
    }

    fn put(&self, body: &[u8]) {
        append(&self.journal, self.domain, Expiry::after(&self.clock.now(), 30 * DAY_MS), body);
    }
}

impl Queue for JournalQueue {
    fn append(&mut self, body: &[u8]) {
        self.put(body);
        if self.durability == Durability::Synced {
            self.journal.sync().expect("a sync");
        }
    }

    fn fill(&mut self, bodies: &[Vec<u8>]) {
        bodies.iter().for_each(|body| self.put(body));
        self.journal.sync().expect("a sync");
    }

    fn drain(&mut self, count: usize) -> usize {
        let skip = HashSet::new();
        let domains = [self.domain];
        let read = Read {
            endpoint: self.endpoint,
            lane: Lane::Telemetry,
            domains: &domains,
            max_records: count,
            max_bytes: usize::MAX,
            skip: &skip,
        };
        let batch = self.journal.read_batch(&read).expect("a batch");
        let ids: Vec<_> = batch.records.iter().map(|record| record.id).collect();
        if ids.is_empty() {
            // What SQL deletes with its row goes here with its file.
            self.journal.retire_delivered(&|_, _| vec![self.endpoint]).expect("a removal");
        } else {
            self.journal.acknowledge(self.endpoint, &ids).expect("an acknowledgement");
        }
        ids.len()
    }
}
