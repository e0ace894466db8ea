//! No nonce twice under one key: every seal that is given to the disk is entered in a book by its run's salt, and looked up.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use menshen_journal::simulated::{Fault, PowerLoss};
use menshen_journal::{Disk, DiskError, DiskFile, DiskLock, Journal, OpenError};

use crate::planted;
use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

/// The salt of a run, the kind of a frame, a nonce.
type Place = (Vec<u8>, u8, u64);

/// A sum of what was sealed, by place.
#[derive(Default)]
struct Book {
    seals: Mutex<HashMap<Place, u32>>,
}

/// A disk that enters what is written to segments. A seal counts whether the write works or not.
struct BookedDisk {
    inner: Arc<dyn Disk>,
    book: Arc<Book>,
}

struct BookedFile {
    inner: Arc<dyn DiskFile>,
    book: Arc<Book>,
    /// Where runs begin: their salts and first numbers.
    runs: Mutex<BTreeMap<u64, (Vec<u8>, u64)>>,
}

impl BookedFile {
    fn enter(&self, offset: u64, bytes: &[u8]) {
        let mut at = if offset == 0 { 128 } else { 0 };
        while let Some(header) = bytes.get(at..at + 18).filter(|header| header[0] == 0xD6) {
            let sequence = u64::from_le_bytes(header[2..10].try_into().unwrap());
            let length = u32::from_le_bytes(header[10..14].try_into().unwrap()) as usize;
            let body = &bytes[at + 18..at + 18 + length];
            let mut runs = self.runs.lock().unwrap();
            match header[1] {
                0x52 => _ = runs.insert(offset + at as u64, (body[..32].to_vec(), sequence)),
                kind @ 0x43..=0x45 => {
                    if let Some((_, (salt, first))) = runs.range(..offset + at as u64).next_back() {
                        let sum = crc32c::crc32c(body);
                        let mut seals = self.book.seals.lock().unwrap();
                        // The parts of a checkpoint stand at one place, and each has a nonce of its own.
                        let part = if kind == 0x43 { u64::from(body[2]) | u64::from(body[3]) << 8 } else { 0 };
                        let before = seals.insert((salt.clone(), kind, part << 48 | (sequence - first)), sum);
                        assert!(before.is_none_or(|before| before == sum), "a nonce twice under one key");
                    }
                }
                _ => {}
            }
            at += 18 + length;
        }
    }
}

impl BookedDisk {
    fn file(&self, name: &str, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        // A copy seals nothing: it is written byte for byte.
        if !name.starts_with("segments/") || name.ends_with(".copy") {
            return inner;
        }
        let file = BookedFile { inner, book: Arc::clone(&self.book), runs: Mutex::default() };
        Arc::new(file)
    }
}

impl Disk for BookedDisk {
    fn lock(&self) -> Result<Box<dyn DiskLock>, DiskError> {
        self.inner.lock()
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.inner.list(folder)
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(self.file(name, self.inner.open(name)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(self.file(name, self.inner.create(name)?))
    }

    fn create_folder(&self, name: &str) -> Result<(), DiskError> {
        self.inner.create_folder(name)
    }

    fn sync_folder(&self, name: &str) -> Result<(), DiskError> {
        self.inner.sync_folder(name)
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.inner.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.inner.rename(from, to)
    }
}

impl DiskFile for BookedFile {
    fn length(&self) -> Result<u64, DiskError> {
        self.inner.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.enter(offset, bytes);
        self.inner.write_at(offset, bytes)
    }

    fn set_length(&self, length: u64) -> Result<(), DiskError> {
        self.inner.set_length(length)
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.inner.sync()
    }
}

fn open(world: &World, book: &Arc<Book>) -> Result<Journal, OpenError> {
    let disk = BookedDisk { inner: Arc::new(world.disk.clone()), book: Arc::clone(book) };
    world.open_with(Arc::new(disk), planted::keys(world.keys.clone()))
}

/// Appends some records and ledger batches; every one another, so that a repeated nonce shows.
fn write(world: &World, journal: &Journal, random: &mut Random, count: u64) {
    for _ in 0..count {
        if random.one_in(8) {
            if let Ok(account) = essential(journal) {
                let _ = enter(journal, account, &random.next().to_le_bytes());
                let state = random.next().to_le_bytes().repeat(if random.one_in(4) { 20_000 } else { 1 });
                let _ = journal.ledger_checkpoint(account, &state);
            }
        } else if let Ok(domain) = domain(journal, random.pick::<&str>(&["one", "two"])) {
            let body = random.next().to_le_bytes().repeat(1 + random.below(9) as usize);
            let _ = put(world, journal, domain, &body);
        }
        if random.one_in(10) {
            let _ = journal.sync();
        }
    }
}

/// C3.
pub(crate) fn ledger(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let book = Arc::new(Book::default());
        let mut world = World::new(seed ^ case << 3);
        for _ in 0..12 {
            if let Ok(journal) = open(&world, &book) {
                if random.one_in(2) {
                    let error = *random.pick(&[DiskError::Io, DiskError::Full]);
                    world.disk.set_fault(Some(Fault::Once(random.below(40), error)));
                }
                write(&world, &journal, &mut random, 20);
            }
            match random.below(3) {
                0 => world.disk.kill(),
                1 => world.disk.lose_power(PowerLoss::Torn(random.next())),
                // The files come back as they were, on the same device or another.
                _ => {
                    world.disk.kill();
                    let copy = world.fork(random.next());
                    if let Ok(journal) = open(&world, &book) {
                        write(&world, &journal, &mut random, 10);
                    }
                    world = copy;
                }
            }
        }
        assert!(book.seals.lock().unwrap().len() > 50, "nothing was sealed");
    })
}

/// C4.
pub(crate) fn clones(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let book = Arc::new(Book::default());
        let world = World::new(seed ^ case << 3);
        let live = open(&world, &book).unwrap();
        let before = random.below(30);
        write(&world, &live, &mut random, before);
        let copy = world.fork(random.next());
        let other = open(&copy, &book).unwrap();
        for _ in 0..4 {
            write(&world, &live, &mut random, 5);
            write(&copy, &other, &mut random, 5);
        }
    })
}
