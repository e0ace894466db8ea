//! A store with a past, one file of which is the fuzzer's; what has to hold whatever it holds.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use menshen_journal::simulated::{MemoryAnchor, SeededRandomness, SimulatedClock, SimulatedDisk};
use menshen_journal::{
    Anchor, Append, Appended, Batch, DeviceClock, Domain, Effects, Expiry, Journal, Label, LabelKind, Lane,
    LedgerContents, NewEntry, OpenError, Options, Read, Shredding,
};

use crate::forge::Forge;
use crate::platform::Keys;

/// The bodies of the records that were appended, but for those of the withdrawn purpose.
pub const BODIES: u8 = 6;
const WITHDRAWN_BODY: [u8; 40] = [200; 40];

/// A store, closed.
pub struct Base {
    pub disk: SimulatedDisk,
    pub keys: Keys,
    pub forge: Forge,
    clock: SimulatedClock,
    anchor: Option<Vec<u8>>,
    /// The segments of the kept purpose and of the ledger.
    pub records: String,
    pub ledger: String,
    account: Label,
    kept: Domain,
    withdrawn: Domain,
    endpoint: Label,
}

/// What was read.
pub struct Readings {
    pub records: Batch,
    pub ledger: Option<LedgerContents>,
    pub report: menshen_journal::OpenReport,
}

/// The one store of every target, made once.
pub static BASE: LazyLock<Base> = LazyLock::new(Base::new);

fn open(
    disk: &SimulatedDisk,
    keys: &Keys,
    clock: &SimulatedClock,
    anchor: &Option<Vec<u8>>,
) -> Result<(Journal, Arc<MemoryAnchor>), OpenError> {
    let outside = Arc::new(MemoryAnchor::new());
    if let Some(value) = anchor {
        outside.write(value).unwrap();
    }
    let effects = Effects {
        disk: Arc::new(disk.clone()),
        keys: Arc::new(keys.clone()),
        clock: Arc::new(clock.clone()),
        randomness: Arc::new(SeededRandomness::new(disk.operations() + 1)),
        anchor: Some(Arc::clone(&outside) as _),
        marker_disks: Vec::new(),
    };
    Journal::open(effects, Options { segment_bytes: 4096, ..Options::default() }).map(|journal| (journal, outside))
}

fn read(journal: &Journal, endpoint: Label, domain: Domain) -> Result<Batch, menshen_journal::Error> {
    let (skip, lane) = (HashSet::new(), Lane::Telemetry);
    journal.read_batch(&Read { endpoint, lane, domains: &[domain], max_records: 1000, max_bytes: 1 << 24, skip: &skip })
}

impl Base {
    fn new() -> Self {
        let (disk, keys) = (SimulatedDisk::new(), Keys::new());
        let clock = SimulatedClock::at(1_700_000_000_000);
        let (journal, anchor) = open(&disk, &keys, &clock, &None).unwrap();
        let account = journal.label(LabelKind::Account, "guest").unwrap();
        journal.create_domain(&Domain { account, purpose: Label::ESSENTIAL, epoch: 1 }).unwrap();
        let domain = |name: &str| {
            let purpose = journal.label(LabelKind::Purpose, name).unwrap();
            let domain = Domain { account, purpose, epoch: 1 };
            journal.create_domain(&domain).unwrap();
            domain
        };
        let (kept, withdrawn) = (domain("kept"), domain("withdrawn"));
        let endpoint = journal.label(LabelKind::Endpoint, "collector").unwrap();
        let expiry = Expiry::after(&clock.now(), 8 * 86_400_000);
        let put = |domain, body: &[u8]| {
            journal.append_synced(&Append { domain, lane: Lane::Telemetry, expiry, body }).unwrap().id().unwrap();
        };
        (0..BODIES).for_each(|number| put(kept, &[number; 30]));
        put(withdrawn, &WITHDRAWN_BODY);
        journal.sync().unwrap();
        let first = read(&journal, endpoint, kept).unwrap().records[0].id;
        journal.acknowledge(endpoint, &[first]).unwrap();
        for payload in [&b"granted"[..], b"withdrawn"] {
            journal.ledger_append(account, &[NewEntry { statement: b"statement", payload }]).unwrap();
        }
        journal.ledger_checkpoint(account, b"a state").unwrap();
        journal.mark_denied(&withdrawn).unwrap();
        assert_eq!(journal.shred(&withdrawn).unwrap(), Shredding::Done);
        drop(journal);
        let of = |purpose: u64, lane: u8| {
            let names = disk.names().into_iter().filter(|name| name.starts_with("segments/"));
            let mut fitting = names.filter(|name| {
                let header = disk.contents(name).unwrap();
                header[10] == lane && header[44..52] == purpose.to_le_bytes()
            });
            fitting.next().unwrap()
        };
        let (records, ledger) = (of(kept.purpose.number(), 3), of(0, 1));
        let anchor = anchor.read().unwrap();
        let forge = Forge::of(&disk, &keys);
        Self { disk, keys, forge, clock, anchor, records, ledger, account, kept, withdrawn, endpoint }
    }

    /// The first 128 bytes of a segment.
    pub fn header(&self, name: &str) -> Vec<u8> {
        self.disk.contents(name).unwrap()[..128].to_vec()
    }

    /// Puts a file in its place, opens the store, does with it what an app does, and opens it again.
    ///
    /// # Panics
    /// What has to hold does not.
    pub fn with(&self, name: &str, content: &[u8]) -> Option<Readings> {
        let (disk, keys) = (self.disk.snapshot(), self.keys.snapshot());
        disk.put(name, content);
        let journal = self.open(&disk, &keys)?;
        let report = journal.report();
        self.nothing_withdrawn_is_readable(&journal);
        let readings = read(&journal, self.endpoint, self.kept).unwrap_or_default();
        let ledger = journal.ledger_read(self.account).ok();
        let _ = (journal.ledger_tail(self.account), journal.expire(), journal.health());
        if let Some(record) = readings.records.first() {
            let _ = journal.acknowledge(self.endpoint, &[record.id]);
        }
        let expiry = Expiry::after(&self.clock.now(), 86_400_000);
        let body = b"afterwards";
        let append = Append { domain: self.kept, lane: Lane::Telemetry, expiry, body };
        let is_kept = matches!(journal.append_synced(&append), Ok(Appended::Synced(_)));
        let _ = journal.ledger_append(self.account, &[NewEntry { statement: b"statement", payload: b"more" }]);
        drop(journal);
        let journal = self.open(&disk, &keys).expect("a store that was opened opens again");
        self.nothing_withdrawn_is_readable(&journal);
        let again = read(&journal, Label::from_number(77), self.kept).unwrap_or_default();
        assert!(!is_kept || again.records.iter().any(|record| *record.body == body[..]), "a synced record is lost");
        Some(Readings { records: readings, ledger, report })
    }

    fn open(&self, disk: &SimulatedDisk, keys: &Keys) -> Option<Journal> {
        let (journal, _) = open(disk, keys, &self.clock, &self.anchor).ok()?;
        let _ = journal.unlock();
        Some(journal)
    }

    fn nothing_withdrawn_is_readable(&self, journal: &Journal) {
        let batch = read(journal, Label::from_number(77), self.withdrawn).unwrap_or_default();
        assert!(
            batch.records.is_empty() && journal.unlock_domain(&self.withdrawn).is_err(),
            "a withdrawn purpose opens"
        );
    }
}
