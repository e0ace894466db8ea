//! What the tests of the store share: a bench with every effect in hand.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::HashSet;
use std::sync::Arc;

use hpke::{Kem, Serializable};
use menshen_journal::simulated::{MemoryAnchor, SeededRandomness, SimulatedClock, SimulatedDisk};
use menshen_journal::{
    Append, Appended, Batch, BoxTo, BoxedBatch, Domain, Effects, Error, Expiry, Journal, KeyError, KeyState, Label,
    LabelKind, Lane, MemoryKeys, NewEntry, OpenError, Options, Read, RecordId, ServerKey, SystemRandomness,
};

pub(crate) const START_MS: i64 = 1_700_000_000_000;
pub(crate) const HOUR_MS: u64 = 3_600_000;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;

#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) disk: SimulatedDisk,
    pub(crate) outside: SimulatedDisk,
    pub(crate) keys: MemoryKeys,
    pub(crate) clock: SimulatedClock,
    pub(crate) anchor: MemoryAnchor,
    pub(crate) options: Options,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            disk: SimulatedDisk::new(),
            outside: SimulatedDisk::new(),
            keys: MemoryKeys::new(),
            clock: SimulatedClock::at(START_MS),
            anchor: MemoryAnchor::new(),
            options: Options::default(),
        }
    }

    pub(crate) fn open(&self) -> Result<Journal, OpenError> {
        let effects = Effects {
            disk: Arc::new(self.disk.clone()),
            keys: Arc::new(self.keys.clone()),
            clock: Arc::new(self.clock.clone()),
            randomness: Arc::new(SystemRandomness::new()),
            anchor: Some(Arc::new(self.anchor.clone())),
            marker_disks: vec![Arc::new(self.outside.clone())],
        };
        Journal::open(effects, self.options.clone())
    }

    pub(crate) fn expiry(&self) -> Expiry {
        use menshen_journal::DeviceClock;
        Expiry::after(&self.clock.now(), 8 * DAY_MS)
    }

    /// A copy of all files and keys as they are now.
    pub(crate) fn snapshot(&self) -> Self {
        Self { disk: self.disk.snapshot(), keys: self.keys.snapshot(), ..self.clone() }
    }
}

pub(crate) fn domain_of(journal: &Journal, purpose: &str) -> Result<Domain, Error> {
    let account = journal.label(LabelKind::Account, "guest")?;
    Ok(Domain { account, purpose: journal.label(LabelKind::Purpose, purpose)?, epoch: 1 })
}

/// The domain of a purpose, with a key.
pub(crate) fn domain(journal: &Journal, purpose: &str) -> Result<Domain, Error> {
    let domain = domain_of(journal, purpose)?;
    if journal.alias(&domain).is_none() {
        journal.create_domain(&domain)?;
    }
    Ok(domain)
}

pub(crate) fn endpoint(journal: &Journal) -> Label {
    journal.label(LabelKind::Endpoint, "collector").unwrap()
}

pub(crate) fn put(bench: &Bench, journal: &Journal, domain: Domain, body: &[u8]) -> Result<RecordId, Error> {
    append(bench, journal, domain, body)?.id().ok_or(Error::Key(KeyError::NotYet))
}

pub(crate) fn read(journal: &Journal, endpoint: Label, domains: &[Domain]) -> Batch {
    try_read(journal, endpoint, domains).unwrap()
}

pub(crate) fn try_read(journal: &Journal, endpoint: Label, domains: &[Domain]) -> Result<Batch, Error> {
    let skip = HashSet::new();
    let lane = Lane::Telemetry;
    journal.read_batch(&Read { endpoint, lane, domains, max_records: 100_000, max_bytes: usize::MAX, skip: &skip })
}

pub(crate) fn bodies(batch: &Batch) -> Vec<Vec<u8>> {
    batch.records.iter().map(|record| record.body.to_vec()).collect()
}

pub(crate) fn seeded(seed: u64) -> SeededRandomness {
    SeededRandomness::new(seed)
}

/// Entries with these payloads.
pub(crate) fn entries<'a, T: AsRef<[u8]> + ?Sized, const N: usize>(payloads: [&'a T; N]) -> [NewEntry<'a>; N] {
    payloads.map(|payload| NewEntry { statement: b"statement", payload: payload.as_ref() })
}

/// Where the frames of a segment end: a seal may end in a zero, so that looking for zeros is not enough.
pub(crate) fn end_of_frames(contents: &[u8]) -> usize {
    let mut at = 128;
    while contents.len() >= at + 18 && contents[at] == 0xD6 {
        at += 18 + u32::from_le_bytes(contents[at + 10..at + 14].try_into().unwrap()) as usize;
    }
    at
}

/// The essential domain of the guest's account, with a key.
pub(crate) fn essential(journal: &Journal) -> Domain {
    let account = journal.label(LabelKind::Account, "guest").unwrap();
    let domain = Domain { account, purpose: Label::ESSENTIAL, epoch: 1 };
    if journal.alias(&domain).is_none() {
        journal.create_domain(&domain).unwrap();
    }
    domain
}

/// A store that was used before, its own key there, and a domain with a record whose key is not ready.
pub(crate) fn not_ready(bench: &Bench) -> (Journal, Domain) {
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(bench, &journal, analytics, b"before").unwrap();
    drop(journal);
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    bench.keys.set_state(KeyState::NotYet);
    (journal, analytics)
}

/// A record of telemetry, as [`put`] appends it, and what became of it.
pub(crate) fn append(bench: &Bench, journal: &Journal, domain: Domain, body: &[u8]) -> Result<Appended, Error> {
    journal.append(&Append { domain, lane: Lane::Telemetry, expiry: bench.expiry(), body })
}

/// A server's secret key and its public one.
pub(crate) fn server(seed: u8) -> ([u8; 32], ServerKey) {
    let (secret, public) = hpke::kem::X25519HkdfSha256::derive_keypair(&[seed; 32]);
    (secret.to_bytes().into(), ServerKey(public.to_bytes().into()))
}

pub(crate) fn box_to(journal: &Journal, key: ServerKey) -> BoxTo {
    let event = journal.label(LabelKind::Purpose, "an event").unwrap();
    BoxTo { endpoint: endpoint(journal), event, key }
}

pub(crate) fn append_or_box(
    bench: &Bench,
    journal: &Journal,
    domain: Domain,
    body: &[u8],
    to: &BoxTo,
) -> Result<Appended, Error> {
    journal.append_or_box(&Append { domain, lane: Lane::Telemetry, expiry: bench.expiry(), body }, to)
}

pub(crate) fn read_boxed(journal: &Journal, endpoint: Label, domain: Domain) -> BoxedBatch {
    let skip = HashSet::new();
    let lane = Lane::Telemetry;
    let read = Read { endpoint, lane, domains: &[domain], max_records: 100, max_bytes: 1 << 20, skip: &skip };
    journal.read_boxed(&read).unwrap()
}
