//! What outlives a store: its files, and the devices around it, all in a test's hand.

use std::path::Path;

use menshen_journal::simulated::SimulatedClock;
use menshen_journal::{MemoryKeys, OpenError};

use crate::store::RecordStore;

/// How finely the journal forgets. The twin always removes one record at a time, and exactly at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// As in an app: many records in a segment, which go together, and a bucket that ends after they do.
    Segment,
    /// A segment for each record and buckets of a millisecond: what is there can be counted exactly.
    Record,
}

/// What a store is opened with.
#[derive(Clone, Debug)]
pub struct Devices {
    pub keys: MemoryKeys,
    pub clock: SimulatedClock,
    pub cap_bytes: u64,
    pub grain: Grain,
}

impl Devices {
    /// Keys that are ready, and some time in 2023.
    #[must_use]
    pub fn new() -> Self {
        let clock = SimulatedClock::at(1_700_000_000_000);
        Self { keys: MemoryKeys::new(), clock, cap_bytes: 64 * 1024 * 1024, grain: Grain::Segment }
    }
}

impl Default for Devices {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a store is.
pub trait Place: Sized {
    type Store: RecordStore;
    /// Bytes that stand in its files as they are: a search that finds these can find.
    const IN_CLEAR: &'static [u8];

    fn devices(&self) -> &Devices;
    /// Opens the store, or begins one. Whatever the key store is, it is ready for the store itself.
    fn open(&self) -> Result<Self::Store, OpenError>;
    /// A copy with its own files, as the end of the process would leave them now, and these devices.
    fn copy(&self, devices: Devices) -> Self;
    /// The contents of all files.
    fn files(&self) -> Vec<Vec<u8>>;
}

/// Everything in a folder, copied.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// The contents of all files in a folder.
pub(crate) fn files_in(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![std::fs::read(&path).expect("a file")] })
        .collect()
}
