//! What a store is asked to do, what it promised meanwhile, and whether it kept it.

use std::collections::BTreeSet;

use menshen_journal::{Domain, Journal, Label, LabelKind, OpenError, RecordId, Shredding, Verdict};

use crate::planted;
use crate::random::Random;
use crate::world::*;

/// The purposes; the last is withdrawn.
pub(crate) const PURPOSES: [&str; 2] = ["analytics", "crashes"];

/// What was said of one record.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    purpose: usize,
    buffered: bool,
    synced: bool,
    /// An acknowledgement was begun, and it returned.
    acknowledging: bool,
    acknowledged: bool,
}

/// What the store promised up to a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    records: Vec<Said>,
    batches_attempted: u64,
    batches: u64,
    shredding: bool,
    shredded: bool,
    /// A failed sync takes what it could not write out of the system's memory: what it had is promised no more.
    pub(crate) failed_sync_drops: bool,
}

/// Which promise the end of a workload leaves in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The process ended.
    Buffered,
    /// The power was lost.
    Synced,
    /// The disk lied.
    Nothing,
}

/// A record's body by its number: mostly small, sometimes over several pages.
pub(crate) fn body_of(number: usize) -> Vec<u8> {
    let mut random = Random::of(7, number as u64);
    let length = match random.below(16) {
        0 => 3_000 + random.below(6_000),
        1 => 0,
        _ => random.below(200),
    };
    let mut body = (number as u32).to_le_bytes().to_vec();
    body.extend((0..length).map(|at| (number as u64 ^ (at * 31)) as u8 | 1));
    body
}

fn number_of(body: &[u8]) -> Option<usize> {
    let number = u32::from_le_bytes(body.get(..4)?.try_into().ok()?) as usize;
    (body_of(number) == body).then_some(number)
}

impl Promises {
    /// What holds while a step runs: what it attempts may be there, what it promises is not promised yet.
    pub(crate) fn attempting(&self, after: &Self) -> Self {
        let mut records = after.records.clone();
        for (number, said) in records.iter_mut().enumerate() {
            let before = self.records.get(number).copied().unwrap_or_default();
            said.buffered = before.buffered;
            said.synced = before.synced;
            said.acknowledged = before.acknowledged;
        }
        Self {
            records,
            batches_attempted: after.batches_attempted,
            batches: self.batches,
            shredding: after.shredding,
            shredded: self.shredded,
            failed_sync_drops: false,
        }
    }

    /// What was only buffered is promised no more.
    pub(crate) fn lose_power(&mut self) {
        self.records.iter_mut().for_each(|said| said.buffered &= said.synced);
    }

    /// Whether nothing was promised yet.
    fn is_unbegun(&self) -> bool {
        self.batches == 0 && !self.records.iter().any(|said| said.buffered)
    }

    pub(crate) fn append(&mut self, world: &World, journal: &Journal, purpose: usize) {
        let Ok(domain) = domain(journal, PURPOSES[purpose]) else { return };
        let number = self.records.len();
        self.records.push(Said { purpose, ..Said::default() });
        let done = put(world, journal, domain, &body_of(number));
        if done.is_ok() || planted::is("error-hidden") {
            self.records[number].buffered = true;
        }
    }

    pub(crate) fn sync(&mut self, journal: &Journal) {
        if planted::is("acknowledged-early") {
            return self.all_synced();
        }
        if journal.sync().is_ok() {
            self.all_synced();
        } else if self.failed_sync_drops {
            self.lose_power();
        }
    }

    fn all_synced(&mut self) {
        self.records.iter_mut().for_each(|said| said.synced |= said.buffered);
    }

    pub(crate) fn enter(&mut self, journal: &Journal) {
        let Ok(account) = essential(journal) else { return };
        self.batches_attempted += 1;
        if enter(journal, account, b"entry").is_ok() {
            self.batches += 1;
        }
    }

    /// Acknowledges, or refuses, some of what is to be had.
    fn deliver(&mut self, journal: &Journal, random: &mut Random, purpose: usize) {
        let Ok(endpoint) = endpoint(journal) else { return };
        let Ok(domain) = domain_of(journal, PURPOSES[purpose]) else { return };
        let Ok(batch) = read(journal, endpoint, &[domain]) else { return };
        let in_order = random.one_in(2);
        let mut chosen: Vec<(RecordId, usize)> = Vec::new();
        for record in &batch.records {
            if in_order || random.one_in(2) {
                chosen.push((record.id, number_of(&record.body).expect("an invented record")));
            }
            if chosen.len() >= 3 {
                break;
            }
        }
        for (_, number) in &chosen {
            self.records[*number].acknowledging = true;
        }
        let ids: Vec<RecordId> = chosen.iter().map(|(id, _)| *id).collect();
        let done =
            if random.one_in(4) { journal.quarantine(endpoint, &ids) } else { journal.acknowledge(endpoint, &ids) };
        if done.is_ok() {
            for (_, number) in &chosen {
                self.records[*number].acknowledged = true;
            }
        }
    }

    fn shred(&mut self, journal: &Journal) {
        let Ok(domain) = domain_of(journal, PURPOSES[1]) else { return };
        self.shredding = true;
        self.shredded |= journal.shred(&domain) == Ok(Shredding::Done);
    }
}

/// One step of a workload.
fn step(world: &World, journal: &Journal, promises: &mut Promises, random: &mut Random) {
    match random.below(20) {
        0..8 => {
            // A withdrawn purpose takes nothing more.
            let purpose = usize::from(random.one_in(4) && !promises.shredding);
            (0..=random.below(3)).for_each(|_| promises.append(world, journal, purpose));
        }
        8..11 => promises.sync(journal),
        11..14 => promises.deliver(journal, random, 0),
        14..16 => promises.enter(journal),
        16 => {
            let Ok(account) = guest(journal) else { return };
            let _ = journal.ledger_checkpoint(account, b"state");
        }
        17 => {
            let Ok(endpoint) = endpoint(journal) else { return };
            let _ = journal.retire_delivered(&|_, _| vec![endpoint]);
        }
        18 => {
            let _ = journal.expire();
        }
        _ => {
            let _ = journal.fill_spares(1);
        }
    }
}

/// Some openings with everything that a store does. `after` is called after each step.
pub(crate) fn work(
    world: &World,
    open: &dyn Fn() -> Result<Journal, OpenError>,
    promises: &mut Promises,
    seed: u64,
    after: &mut dyn FnMut(&Promises),
) {
    let mut random = Random::of(seed, 0x3017);
    let openings = 2 + random.below(2);
    for opening in 0..openings {
        let Ok(journal) = open() else { continue };
        let _ = journal.unlock();
        for _ in 0..4 + random.below(6) {
            step(world, &journal, promises, &mut random);
            after(promises);
        }
        if opening + 1 == openings {
            promises.shred(&journal);
            after(promises);
        }
    }
}

/// How a workload's store is kept: many small segments, or one.
pub(crate) fn world_of(seed: u64) -> World {
    let mut world = World::new(seed);
    if seed % 2 == 1 {
        world.options.segment_bytes = 2_048;
    }
    world
}

/// What the recovery from a crash does before it is itself cut short.
pub(crate) fn recover(world: &World, promises: &mut Promises, seed: u64) {
    let mut random = Random::of(seed, 0x4ec0);
    let Ok(journal) = world.open() else { return };
    let _ = journal.unlock();
    promises.sync(&journal);
    for _ in 0..3 {
        step(world, &journal, promises, &mut random);
    }
}

/// Opens what is left and holds it against the promises.
pub(crate) fn check(world: &World, promises: &Promises, kept: Kept, thorough: bool) {
    if promises.is_unbegun() && world.open().err() == Some(OpenError::NotAStore) {
        // The making of the store was cut short and noise is in its first file: a typed error, and nothing was promised.
        return;
    }
    if thorough {
        // Recovery twice is recovery once.
        let journal = world.open().unwrap_or_else(|error| panic!("open: {error:?}"));
        let _ = journal.unlock();
    }
    let journal = world.open().unwrap_or_else(|error| panic!("open: {error:?}"));
    let report = journal.report();
    let account = guest(&journal).expect("labels");
    let one = endpoint(&journal).expect("labels");
    for (purpose, name) in PURPOSES.iter().enumerate() {
        let domain = Domain { account, purpose: journal.label(LabelKind::Purpose, name).expect("labels"), epoch: 1 };
        let batch = read(&journal, one, &[domain]).unwrap_or_else(|error| panic!("read: {error:?}"));
        let withdrawn = purpose == 1 && promises.shredding;
        assert!(!(purpose == 1 && promises.shredded && !batch.records.is_empty()), "a withdrawn record was read");
        let mut found = BTreeSet::new();
        for record in &batch.records {
            let number = number_of(&record.body).expect("an invented record");
            let said = promises.records.get(number).unwrap_or_else(|| panic!("record {number} was never appended"));
            assert_eq!(said.purpose, purpose, "record {number} is of another purpose");
            assert!(!said.acknowledged || kept == Kept::Nothing, "record {number} was acknowledged and came back");
            found.insert(number);
        }
        for (number, said) in promises.records.iter().enumerate().filter(|(_, said)| said.purpose == purpose) {
            let promised = match kept {
                Kept::Buffered => said.buffered,
                Kept::Synced => said.synced,
                Kept::Nothing => false,
            };
            let may_be_gone = said.acknowledging || withdrawn;
            assert!(!promised || may_be_gone || found.contains(&number), "record {number} is lost; {report:?}");
        }
    }
    if kept != Kept::Nothing {
        check_ledger(&journal, account, promises);
    }
    if thorough && kept != Kept::Nothing {
        // It goes on working.
        let domain = domain(&journal, "afterwards").unwrap_or_else(|error| panic!("a domain afterwards: {error:?}"));
        put(world, &journal, domain, b"afterwards").unwrap();
        journal.sync().unwrap();
        assert_eq!(bodies(&read(&journal, one, &[domain]).unwrap()), [b"afterwards"]);
    }
}

fn check_ledger(journal: &Journal, account: Label, promises: &Promises) {
    match journal.ledger_read(account) {
        Ok(contents) => {
            assert_eq!(contents.verdict, Verdict::Sound, "the ledger's verdict");
            let batches = contents.entries.len() as u64 / 2;
            assert_eq!(contents.entries.len() % 2, 0, "half a batch");
            assert!(batches >= promises.batches, "{batches} batches of {}", promises.batches);
            assert!(batches <= promises.batches_attempted, "{batches} batches of {}", promises.batches_attempted);
        }
        Err(error) => assert_eq!(promises.batches, 0, "{error:?}"),
    }
}
