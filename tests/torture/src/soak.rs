//! A store in use for weeks of its clock: descriptors, threads, memory, files and bytes stay what they were.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use menshen_journal::simulated::SimulatedClock;
use menshen_journal::{Effects, Folder, Journal, MemoryKeys, Options, Shredding, SystemRandomness};

use crate::planted;
use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

/// Below this nothing is compared: buffers find their size, retention begins to take away.
const WARM: u64 = 40;
/// Small, so that it is reached.
const CAP_BYTES: u64 = 2 * 1024 * 1024;

/// What a process holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    descriptors: usize,
    threads: usize,
    resident_kib: u64,
    files: usize,
    bytes: u64,
}

impl Held {
    fn now(store: &Path) -> Self {
        let count = |path: &str| std::fs::read_dir(path).map_or(0, Iterator::count);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        let folders = [store.to_owned(), store.join("segments")];
        let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let lengths: Vec<u64> =
            files.filter_map(|file| file.metadata().ok()).filter(|of| of.is_file()).map(|of| of.len()).collect();
        Self {
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            resident_kib: resident.unwrap_or(0),
            files: lengths.len(),
            bytes: lengths.iter().sum(),
        }
    }
}

struct Soak {
    folder: tempfile::TempDir,
    keys: MemoryKeys,
    clock: SimulatedClock,
    journal: Option<Journal>,
    done: u64,
    epoch: u64,
    warm: Option<Held>,
}

impl Soak {
    fn new() -> Self {
        let folder = crate::kill::shared_memory();
        let clock = SimulatedClock::at(START_MS);
        Self { folder, keys: MemoryKeys::new(), clock, journal: None, done: 0, epoch: 1, warm: None }
    }

    fn open(&self) -> Journal {
        let effects = Effects {
            disk: planted::disk(Arc::new(Folder::at(self.folder.path().join("store")).unwrap())),
            keys: planted::keys(self.keys.clone()),
            clock: Arc::new(self.clock.clone()),
            randomness: Arc::new(SystemRandomness::new()),
            anchor: None,
            marker_disks: Vec::new(),
        };
        let options = Options { cap_bytes: CAP_BYTES, segment_bytes: 128 * 1024, ..Options::default() };
        Journal::open(effects, options).unwrap_or_else(|error| panic!("open: {error:?}"))
    }

    /// Three hours of a store's life.
    fn live(&mut self, random: &mut Random) {
        let mut world = World::new(0);
        world.clock = self.clock.clone();
        let journal = match self.journal.take() {
            Some(journal) if !random.one_in(10) => journal,
            // A new process; its store is closed first.
            other => {
                drop(other);
                self.open()
            }
        };
        let one = endpoint(&journal).unwrap();
        let kept = domain(&journal, "kept").unwrap();
        let ending = domain_in(&journal, "ending", self.epoch).unwrap();
        let ending = with_key(&journal, ending).unwrap();
        for _ in 0..60 {
            put(&world, &journal, kept, &vec![1; random.below(2_000) as usize]).unwrap();
            put(&world, &journal, ending, &vec![2; random.below(200) as usize]).unwrap();
        }
        journal.sync().unwrap();
        let batch = read(&journal, one, &[kept]).unwrap();
        let ids: Vec<_> = batch.records.iter().map(|record| record.id).filter(|_| random.one_in(2)).collect();
        journal.acknowledge(one, &ids).unwrap();
        journal.retire_delivered(&|_, _| vec![one]).unwrap();
        if random.one_in(6) {
            journal.mark_denied(&ending).unwrap();
            assert_eq!(journal.shred(&ending), Ok(Shredding::Done));
            self.epoch += 1;
        }
        self.clock.advance(3 * HOUR_MS);
        journal.expire().unwrap();
        self.journal = Some(journal);
    }

    fn check(&mut self) {
        self.done += 1;
        let now = Held::now(&self.folder.path().join("store"));
        // Beside the segments: keys, cursor, manifest, reserve, and a segment that was just begun for each purpose.
        let most = CAP_BYTES + 1024 * 1024;
        assert!(now.bytes <= most, "{} bytes on disk", now.bytes);
        if self.done < WARM {
            return;
        }
        let warm = *self.warm.get_or_insert(now);
        assert!(now.descriptors <= warm.descriptors + 12, "descriptors: {} from {}", now.descriptors, warm.descriptors);
        assert!(now.threads <= warm.threads + 1, "threads: {} from {}", now.threads, warm.threads);
        let most = warm.resident_kib + warm.resident_kib / 20 + 4096;
        assert!(now.resident_kib <= most, "memory: {} KiB from {}", now.resident_kib, warm.resident_kib);
        assert!(now.files <= warm.files + 60, "files: {} from {}", now.files, warm.files);
    }
}

/// S14.
pub(crate) fn weeks(seed: u64) -> Result<Prepared, String> {
    let soak = Mutex::new(Soak::new());
    Prepared::endless(move |case| {
        let mut soak = soak.lock().unwrap_or_else(PoisonError::into_inner);
        soak.live(&mut Random::of(seed, case));
        soak.check();
    })
}
