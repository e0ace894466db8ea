//! Random steps on a store beside a model of it in memory: whatever is read is held against the model.

use menshen_journal::simulated::{Fault, PowerLoss};
use menshen_journal::{
    Append, DeviceClock, DiskError, Domain, Expiry, Journal, KeyState, Lane, Now, RecordId, Shredding, Verdict,
};

use crate::planted;
use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

const PURPOSES: [&str; 3] = ["one", "two", "three"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sure {
    No,
    Perhaps,
    Yes,
}

/// A record, as the model has it.
struct Known {
    purpose: usize,
    epoch: u64,
    there: Sure,
    synced: bool,
    acknowledged: Sure,
    made: Now,
    lives_ms: u64,
    /// Once over, it may be gone even if a clock is set back.
    was_over: bool,
}

impl Known {
    fn is_over(&self, now: &Now) -> bool {
        let at = self.made.wall_ms.saturating_add_unsigned(self.lives_ms);
        let lived = now.since_boot_ms.saturating_sub(self.made.since_boot_ms);
        now.wall_ms >= at || (now.boot == self.made.boot && lived >= self.lives_ms)
    }
}

/// A store and its model.
pub(crate) struct Walk {
    world: World,
    random: Random,
    journal: Option<Journal>,
    records: Vec<Known>,
    epochs: [u64; 3],
    batches: (u64, u64),
    withdrawn: Vec<Domain>,
    /// Clocks jump, the key store fails.
    is_wild: bool,
    /// An error is about to strike, or struck in this step.
    faulty: bool,
}

impl Walk {
    pub(crate) fn new(seed: u64, case: u64, is_wild: bool) -> Self {
        let mut world = World::new(seed ^ case << 8);
        if case.is_multiple_of(3) {
            world.options.segment_bytes = 3_000;
        }
        Self {
            world,
            random: Random::of(seed, case),
            journal: None,
            records: Vec::new(),
            epochs: [1; 3],
            batches: (0, 0),
            withdrawn: Vec::new(),
            is_wild,
            faulty: false,
        }
    }

    /// Another step; at the end of the walk call [`Walk::end`].
    pub(crate) fn step(&mut self) {
        let now = self.world.clock.now();
        self.records.iter_mut().for_each(|known| known.was_over |= known.is_over(&now));
        if self.journal.is_none() {
            match self.world.open() {
                Ok(journal) => self.journal = Some(journal),
                Err(error) => {
                    assert!(self.faulty, "open: {error:?}");
                    self.world.disk.set_fault(None);
                    self.faulty = false;
                    return;
                }
            }
        }
        let Some(journal) = self.journal.take() else { return };
        self.journal = self.act(journal);
    }

    fn act(&mut self, journal: Journal) -> Option<Journal> {
        let act = self.random.below(if self.is_wild { 34 } else { 28 });
        if std::env::var_os("MENSHEN_TRACE").is_some() {
            eprintln!(
                "act {act}, faulty: {}, {:?}, {:?}",
                self.faulty,
                self.world.clock.now(),
                (self.world.disk.names(), journal.report())
            );
        }
        match act {
            0..8 => self.append(&journal),
            8..10 => self.sync(&journal),
            10..14 => _ = self.read(&journal),
            14..16 => self.deliver(&journal),
            16 => {
                if let Ok(one) = endpoint(&journal) {
                    let _ = journal.retire_delivered(&|_, _| vec![one]);
                }
            }
            17 => _ = journal.expire(),
            18 => self.world.clock.advance(self.random.below(40) * HOUR_MS),
            19 => self.enter(&journal),
            20 => self.check_ledger(&journal),
            21 => self.withdraw(&journal),
            22 => {
                let at = self.random.below(12);
                let error = *self.random.pick(&[DiskError::Io, DiskError::Full, DiskError::ReadOnly]);
                self.world.disk.set_fault(Some(Fault::Once(at, error)));
                self.faulty = true;
            }
            23 => {
                self.world.disk.set_fault(None);
                self.faulty = false;
            }
            24 => return None,
            25 => {
                drop(journal);
                self.world.disk.kill();
                self.faulty = false;
                return None;
            }
            26 => {
                drop(journal);
                self.lose_power();
                return None;
            }
            27 => _ = journal.fill_spares(1),
            28 => self.world.clock.set_wall(START_MS + self.random.below(60 * DAY_MS) as i64),
            29 => {
                self.world.clock.reboot();
                drop(journal);
                self.lose_power();
                return None;
            }
            30 => {
                let state = *self.random.pick(&[KeyState::NotYet, KeyState::Suspect]);
                self.world.keys.set_state(state);
            }
            _ => self.world.keys.set_state(KeyState::Ready),
        }
        Some(journal)
    }

    fn lose_power(&mut self) {
        self.faulty = false;
        self.world.disk.lose_power(PowerLoss::Torn(self.random.next()));
        for known in self.records.iter_mut().filter(|known| !known.synced && known.there == Sure::Yes) {
            known.there = Sure::Perhaps;
        }
    }

    fn domain(&self, journal: &Journal, purpose: usize) -> Option<Domain> {
        let domain = domain_in(journal, PURPOSES[purpose], self.epochs[purpose]).ok()?;
        with_key(journal, domain).ok()
    }

    fn append(&mut self, journal: &Journal) {
        let purpose = self.random.below(3) as usize;
        let Some(domain) = self.domain(journal, purpose) else { return };
        let now = self.world.clock.now();
        let lives_ms = HOUR_MS * (1 + self.random.below(24 * 20));
        let number = self.records.len();
        let mut body = (number as u32).to_le_bytes().to_vec();
        body.resize(4 + self.random.below(150) as usize, 9);
        let append = Append { domain, lane: Lane::Telemetry, expiry: Expiry::after(&now, lives_ms), body: &body };
        let done = journal.append(&append);
        if std::env::var_os("MENSHEN_TRACE").is_some() {
            eprintln!("append {number}: {done:?}");
        }
        // One that is held may be gone with the process.
        let there = if done.is_ok_and(|done| done.id().is_some()) { Sure::Yes } else { Sure::Perhaps };
        let epoch = domain.epoch;
        let known = Known {
            purpose,
            epoch,
            there,
            synced: planted::is("acknowledged-early"),
            acknowledged: Sure::No,
            made: now,
            lives_ms,
            was_over: false,
        };
        self.records.push(known);
    }

    fn sync(&mut self, journal: &Journal) {
        match journal.sync() {
            Ok(()) => {
                self.records.iter_mut().filter(|known| known.there == Sure::Yes).for_each(|known| known.synced = true);
            }
            Err(error) => assert!(self.faulty || !self.is_ready(), "sync: {error:?}"),
        }
    }

    fn is_ready(&self) -> bool {
        use menshen_journal::KeyProvider;
        self.world.keys.state() == KeyState::Ready
    }

    fn read(&mut self, journal: &Journal) -> Vec<(RecordId, usize)> {
        let now = self.world.clock.now();
        let purpose = self.random.below(3) as usize;
        let Some(domain) = self.domain(journal, purpose) else { return Vec::new() };
        let (Ok(one), true) = (endpoint(journal), self.is_ready()) else { return Vec::new() };
        let batch = match read(journal, one, &[domain]) {
            Ok(batch) => batch,
            Err(error) => {
                assert!(self.faulty, "read: {error:?}");
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for record in &batch.records {
            let number = u32::from_le_bytes(record.body[..4].try_into().unwrap()) as usize;
            let known = self.records.get(number).expect("an invented record");
            assert_eq!((known.purpose, known.epoch), (purpose, domain.epoch), "record {number} is of another purpose");
            assert!(!known.is_over(&now), "record {number} is over and is read");
            assert_ne!(
                known.acknowledged,
                Sure::Yes,
                "record {number}, now {:?}, was acknowledged and came back",
                record.id
            );
            found.push((record.id, number));
        }
        for (number, known) in self.records.iter().enumerate() {
            let is_wanted = known.there == Sure::Yes && known.acknowledged == Sure::No && !known.was_over;
            let is_here = known.purpose == purpose && known.epoch == domain.epoch && !known.is_over(&now);
            let is_found = found.iter().any(|(_, other)| *other == number);
            assert!(!is_wanted || !is_here || is_found, "record {number} is lost; {:?}", journal.report());
        }
        for old in &self.withdrawn {
            let batch = read_quietly(journal, one, old);
            assert_eq!(batch, 0, "a withdrawn record is read");
        }
        found
    }

    fn deliver(&mut self, journal: &Journal) {
        let found = self.read(journal);
        let Ok(one) = endpoint(journal) else { return };
        let odds = 1 + self.random.below(3);
        let mut chosen = found;
        chosen.retain(|_| self.random.one_in(odds));
        let ids: Vec<RecordId> = chosen.iter().map(|(id, _)| *id).collect();
        let done = if self.random.one_in(5) { journal.quarantine(one, &ids) } else { journal.acknowledge(one, &ids) };
        if std::env::var_os("MENSHEN_TRACE").is_some() {
            eprintln!("delivered {chosen:?}: {done:?}");
        }
        for (_, number) in chosen {
            let known = &mut self.records[number];
            known.acknowledged = if done.is_ok() { Sure::Yes } else { Sure::Perhaps };
        }
    }

    fn enter(&mut self, journal: &Journal) {
        let Ok(account) = essential(journal) else { return };
        self.batches.1 += 1;
        let done = enter(journal, account, b"entry");
        if std::env::var_os("MENSHEN_TRACE").is_some() {
            eprintln!("entered {:?}: {done:?}", self.batches);
        }
        if done.is_ok() {
            self.batches.0 += 1;
        }
    }

    fn check_ledger(&mut self, journal: &Journal) {
        if !self.is_ready() || self.batches.0 == 0 {
            return;
        }
        let account = guest(journal).unwrap();
        match journal.ledger_read(account) {
            Ok(contents) => {
                assert_eq!(contents.verdict, Verdict::Sound);
                let batches = contents.entries.len() as u64 / 2;
                assert!((self.batches.0..=self.batches.1).contains(&batches), "{batches} of {:?}", self.batches);
            }
            Err(error) => assert!(self.faulty, "the ledger: {error:?}"),
        }
    }

    fn withdraw(&mut self, journal: &Journal) {
        if !self.random.one_in(3) {
            return;
        }
        let purpose = self.random.below(3) as usize;
        let Ok(domain) = domain_in(journal, PURPOSES[purpose], self.epochs[purpose]) else { return };
        journal.close_domain(&domain);
        let alias = journal.alias(&domain);
        let _ = journal.mark_denied(&domain);
        self.epochs[purpose] += 1;
        if journal.shred(&domain) == Ok(Shredding::Done) {
            use menshen_journal::KeyProvider;
            let exists = alias.is_some_and(|alias| self.world.keys.exists(&alias) == Ok(true));
            assert!(!exists, "the key store still has a withdrawn key");
            self.withdrawn.push(domain);
        }
    }

    /// All faults end; everything has to be there.
    pub(crate) fn end(mut self) {
        self.world.disk.set_fault(None);
        self.world.keys.set_state(KeyState::Ready);
        self.faulty = false;
        drop(self.journal.take());
        let journal = self.world.open().unwrap();
        journal.unlock().unwrap_or_else(|error| assert_eq!(self.records.len(), 0, "unlock: {error:?}"));
        for _ in 0..6 {
            self.read(&journal);
        }
        self.check_ledger(&journal);
    }
}

fn read_quietly(journal: &Journal, one: menshen_journal::Label, domain: &Domain) -> usize {
    read(journal, one, &[*domain]).map_or(0, |batch| batch.records.len())
}

/// S10.
pub(crate) fn walks(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut walk = Walk::new(seed, case, false);
        (0..200).for_each(|_| walk.step());
        walk.end();
    })
}
