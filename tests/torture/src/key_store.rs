//! A key store that fails, lies or loses keys. No key is made in the place of a lost one, nothing is destroyed because of
//! an error, and a withdrawal is done only when the key is gone.

use std::sync::{Arc, Mutex};

use menshen_journal::{
    Alias, Domain, Journal, KeyError, KeyProvider, KeyState, Label, MemoryKeys, NewEntry, Shredding, Verdict,
};
use zeroize::Zeroizing;

use crate::planted;
use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

/// Twenty ways to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Create(KeyError),
    Wrap(KeyError),
    WrapsTooLong,
    Unwrap(KeyError),
    UnwrapsNoise,
    Exists(KeyError),
    SaysGone,
    SaysThere,
    List(KeyError),
    ListsNothing,
    Destroy(KeyError),
    KeepsOnDestroy,
}

const FAULTS: [Fault; 20] = [
    Fault::Create(KeyError::NotYet),
    Fault::Create(KeyError::Suspect),
    Fault::Create(KeyError::AlreadyExists),
    Fault::Wrap(KeyError::NotYet),
    Fault::Wrap(KeyError::NotFound),
    Fault::WrapsTooLong,
    Fault::Wrap(KeyError::Suspect),
    Fault::Unwrap(KeyError::NotYet),
    Fault::Unwrap(KeyError::Suspect),
    Fault::Unwrap(KeyError::NotFound),
    Fault::Unwrap(KeyError::Refused),
    Fault::UnwrapsNoise,
    Fault::Exists(KeyError::NotYet),
    Fault::Exists(KeyError::Suspect),
    Fault::SaysGone,
    Fault::SaysThere,
    Fault::List(KeyError::Suspect),
    Fault::ListsNothing,
    Fault::Destroy(KeyError::NotYet),
    Fault::KeepsOnDestroy,
];

/// A key store with at most one fault at a time.
#[derive(Clone)]
struct FailingKeys {
    inner: Arc<dyn KeyProvider>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl FailingKeys {
    fn new(keys: MemoryKeys) -> Self {
        Self { inner: planted::keys(keys), fault: Arc::default() }
    }

    fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    fn fault(&self) -> Option<Fault> {
        *self.fault.lock().unwrap()
    }
}

impl KeyProvider for FailingKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        match self.fault() {
            Some(Fault::Create(error)) => Err(error),
            _ => self.inner.create(alias),
        }
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self.fault() {
            Some(Fault::Wrap(error)) => Err(error),
            Some(Fault::WrapsTooLong) => Ok(vec![1; 400]),
            _ => self.inner.wrap(alias, secret, aad),
        }
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self.fault() {
            Some(Fault::Unwrap(error)) => Err(error),
            Some(Fault::UnwrapsNoise) => Ok(Zeroizing::new(vec![7; 32])),
            _ => self.inner.unwrap(alias, blob, aad),
        }
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        match self.fault() {
            Some(Fault::Exists(error)) => Err(error),
            Some(Fault::SaysGone) => Ok(false),
            Some(Fault::SaysThere) => Ok(true),
            _ => self.inner.exists(alias),
        }
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        match self.fault() {
            Some(Fault::List(error)) => Err(error),
            Some(Fault::ListsNothing) => Ok(Vec::new()),
            _ => self.inner.list(),
        }
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        match self.fault() {
            Some(Fault::Destroy(error)) => Err(error),
            Some(Fault::KeepsOnDestroy) => Ok(()),
            _ => self.inner.destroy(alias),
        }
    }

    fn state(&self) -> KeyState {
        self.inner.state()
    }
}

/// A store on a key store that fails, and what is in it.
struct Life {
    world: World,
    keys: FailingKeys,
    journal: Option<Arc<Journal>>,
    kept: Vec<Vec<u8>>,
    /// What was not appended at once.
    held: Vec<Vec<u8>>,
    puts: usize,
    batches: usize,
    withdrawn: u64,
}

/// The points of a life at which a fault may strike.
const POINTS: u64 = 12;

impl Life {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let keys = FailingKeys::new(world.keys.clone());
        Self { world, keys, journal: None, kept: Vec::new(), held: Vec::new(), puts: 0, batches: 0, withdrawn: 0 }
    }

    fn journal(&mut self) -> Arc<Journal> {
        let (world, keys) = (&self.world, &self.keys);
        Arc::clone(self.journal.get_or_insert_with(|| {
            let opened = world.open_with(Arc::new(world.disk.clone()), Arc::new(keys.clone()));
            Arc::new(opened.unwrap_or_else(|error| panic!("open needs no key: {error:?}")))
        }))
    }

    /// One act of a life; with a fault it may fail, and then nothing of it counts.
    fn act(&mut self, point: u64) {
        if point == 7 {
            // Another process.
            self.journal = None;
            let _ = self.journal().unlock();
            return;
        }
        let world = self.world.clone();
        let withdrawn = self.withdrawn;
        let journal = &*self.journal();
        match point {
            0 => _ = journal.unlock(),
            1 => _ = domain(journal, "kept"),
            2 => _ = essential(journal),
            3 | 4 => {
                self.puts += 1;
                let body = [&(self.puts as u32).to_le_bytes()[..], &[3 + point as u8; 20]].concat();
                let put = domain(journal, "kept").and_then(|domain| put(&world, journal, domain, &body));
                match put {
                    Ok(_) => self.kept.push(body),
                    // It may be held, and is appended once the key is there.
                    Err(_) => self.held.push(body),
                }
            }
            5 => {
                let entered = essential(journal).and_then(|account| enter(journal, account, b"entry"));
                self.batches += usize::from(entered.is_ok());
            }
            6 => _ = journal.fill_spares(2),
            8 => {
                let Ok(kept) = domain_of(journal, "kept") else { return };
                journal.close_domain(&kept);
                let _ = journal.unlock_domain(&kept);
            }
            9 => {
                let Ok(domain) = domain_in(journal, "withdrawn", withdrawn + 1) else { return };
                let _ = with_key(journal, domain).and_then(|domain| put(&world, journal, domain, b"withdrawn"));
            }
            10 => {
                let Ok(domain) = domain_in(journal, "withdrawn", withdrawn + 1) else { return };
                let alias = journal.alias(&domain);
                let done = journal.shred(&domain);
                if let (Some(alias), Ok(Shredding::Done)) = (alias, done) {
                    // A key store that lies about what it has is believed in nothing else either.
                    let lies = matches!(self.keys.fault(), Some(Fault::SaysGone));
                    assert!(lies || self.world.keys.exists(&alias) == Ok(false), "withdrawn, and the key is there");
                }
                if done == Ok(Shredding::Done) {
                    self.withdrawn += 1;
                }
            }
            _ => {
                let Ok(account) = guest(journal) else { return };
                let _ = (journal.ledger_read(account).map(|_| ()), journal.sweep_keys(&|_| false));
            }
        }
    }

    /// With the key store well again everything is there.
    fn check(&mut self) {
        self.keys.set(None);
        self.journal = None;
        let (expected, held) = (self.kept.clone(), self.held.clone());
        let (batches, withdrawn) = (self.batches, self.withdrawn);
        let journal = &*self.journal();
        journal.unlock().unwrap_or_else(|error| panic!("unlock: {error:?}"));
        let one = endpoint(journal).unwrap();
        let kept = domain_of(journal, "kept").unwrap();
        let found = read(journal, one, &[kept]).map(|batch| bodies(&batch));
        let at_once = found.map(|found| found.into_iter().filter(|body| !held.contains(body)).collect::<Vec<_>>());
        assert_eq!(at_once, Ok(expected), "the records");
        if batches > 0 {
            let account = guest(journal).unwrap();
            let contents = journal.ledger_read(account).unwrap_or_else(|error| panic!("the ledger: {error:?}"));
            assert_eq!((contents.entries.len(), contents.verdict), (2 * batches, Verdict::Sound));
        }
        for epoch in 1..=withdrawn {
            let domain = domain_in(journal, "withdrawn", epoch).unwrap();
            assert_eq!(read(journal, one, &[domain]).unwrap().records.len(), 0, "a withdrawn record is read");
        }
    }

    /// The key of the kept purpose is lost: no other is made in its place.
    fn lose_keys(mut self) {
        if self.kept.is_empty() {
            return;
        }
        let kept = domain_of(&self.journal(), "kept").unwrap();
        let Some(alias) = self.journal().alias(&kept) else { panic!("the records have no key") };
        self.journal = None;
        self.world.keys.destroy(&alias).unwrap();
        let count = self.world.keys.list().unwrap().len();
        let journal = self.journal();
        assert_eq!(journal.unlock_domain(&kept), Err(KeyError::NotFound));
        assert!(journal.create_domain(&kept).is_err(), "a key was made in the place of a lost one");
        assert_eq!(journal.alias(&kept), Some(alias));
        assert_eq!(self.world.keys.list().unwrap().len(), count, "a key was made in the place of a lost one");
        drop(journal);
        // The store's own key is lost, too.
        self.journal = None;
        self.world.keys.list().unwrap().iter().for_each(|alias| self.world.keys.destroy(alias).unwrap());
        assert!(self.journal().unlock().is_err());
        assert_eq!(self.world.keys.list().unwrap().len(), 0, "a key was made in the place of a lost one");
    }
}

/// K1.
pub(crate) fn matrix(seed: u64) -> Result<Prepared, String> {
    // The fault strikes at one point, or lasts until the end.
    Prepared::all(20 * POINTS * 2, move |case| {
        let fault = FAULTS[(case % 20) as usize];
        let (at, lasts) = (case / 20 % POINTS, case / 20 / POINTS == 1);
        let mut life = Life::new(seed + case);
        for point in 0..POINTS {
            if point == at {
                life.keys.set(Some(fault));
            }
            life.act(point);
            if point == at && !lasts {
                life.keys.set(None);
                life.act(point);
            }
        }
        life.check();
        life.lose_keys();
    })
}

/// K2.
pub(crate) fn sequences(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let mut life = Life::new(seed ^ case << 4);
        for _ in 0..30 {
            match random.below(6) {
                0 | 1 => life.keys.set(Some(*random.pick(&FAULTS))),
                2 => life.keys.set(None),
                _ => {}
            }
            life.act(random.below(POINTS));
        }
        life.check();
        life.lose_keys();
    })
}

/// K3. Files, keys, anchor and the folder outside, each as it was before a withdrawal or as it is after.
pub(crate) fn halves(seed: u64) -> Result<Prepared, String> {
    Prepared::all(16, move |case| {
        let world = World::new(seed + case);
        let journal = world.open().unwrap();
        let account = essential(&journal).unwrap();
        let withdrawn = domain(&journal, "withdrawn").unwrap();
        put(&world, &journal, withdrawn, b"secret").unwrap();
        enter(&journal, account, b"granted").unwrap();
        journal.sync().unwrap();
        let before = world.fork(1);
        journal.mark_denied(&withdrawn).unwrap();
        let entry = NewEntry { statement: b"statement", payload: b"withdrawn" };
        journal.ledger_append_denial(account, &[entry]).unwrap();
        assert_eq!(journal.shred(&withdrawn), Ok(Shredding::Done));
        drop(journal);
        let of = |bit: u64| if case >> bit & 1 == 1 { &before } else { &world };
        let restored = World {
            disk: of(0).disk.snapshot(),
            keys: of(1).keys.snapshot(),
            anchor: anchor_of(of(2).anchor.read().unwrap()),
            outside: of(3).outside.snapshot(),
            ..world.clone()
        };
        let (old_files, old_keys, old_anchor, old_outside) =
            (case & 1 == 1, case >> 1 & 1 == 1, case >> 2 & 1 == 1, case >> 3 & 1 == 1);
        let journal = restored.open().unwrap();
        let readable = is_readable(&journal, &withdrawn);
        assert!(!readable || (old_files && old_keys), "readable with files and keys that do not go together");
        let denied = journal.denied().unwrap().contains(&withdrawn);
        assert_eq!(denied, !(old_files && old_outside), "the marker");
        let contents = journal.ledger_read(account).unwrap();
        let sound = contents.verdict == Verdict::Sound;
        let is_told = old_files && !old_anchor;
        assert_eq!(sound, !is_told, "{:?}", contents.verdict);
        // Only a whole device from before, which nothing here remembers, is as it was.
        assert!(!readable || denied || is_told || (old_outside && old_anchor), "a grant is revived");
    })
}

fn is_readable(journal: &Journal, domain: &Domain) -> bool {
    let one = Label::from_number(77);
    read(journal, one, &[*domain]).is_ok_and(|batch| !batch.records.is_empty())
}
