//! What is compared: a durable queue of sealed records, as each store offers it.

use std::path::Path;

/// The size of a record that the targets are about, in bytes.
pub const RECORD: usize = 512;
/// A key for the contenders that seal nothing themselves.
pub const KEY: [u8; 32] = [7; 32];
/// An upper bound that no burst reaches.
pub const CAP: u64 = 8 << 30;

/// When an append counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives the end of the process.
    Buffered,
    /// It survives a power loss, if the device honours a sync.
    Synced,
}

/// A queue of records in one folder.
pub trait Queue: Send {
    /// Appends one record, as durable as the queue was opened.
    fn append(&mut self, body: &[u8]);
    /// Appends many at once, however that is done best.
    fn fill(&mut self, bodies: &[Vec<u8>]);
    /// Reads at most `count` of the oldest records, opens them and removes them, durably; how many there were.
    fn drain(&mut self, count: usize) -> usize;
}

/// Bytes that do not compress.
pub fn body(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// The contenders by the names in the table.
pub const JOURNAL: &str = "journal";
pub const BARE: &str = "bare file";
pub const SQLITE: &str = "SQLite + ring";
pub const SQLCIPHER: &str = "SQLCipher";
pub const REDB: &str = "redb + ring";
pub const GLEAN: &str = "glean-core";

/// Opens a contender's queue in a folder, which is created if it is not there.
pub fn open(name: &str, folder: &Path, durability: Durability) -> Box<dyn Queue> {
    std::fs::create_dir_all(folder).expect("a folder for the queue");
    match name {
        JOURNAL => Box::new(crate::journal::JournalQueue::open(folder, durability)),
        BARE => Box::new(crate::peers::Bare::open(folder, durability)),
        SQLITE => Box::new(crate::peers::Sqlite::open(folder, durability, false)),
        SQLCIPHER => Box::new(crate::peers::Sqlite::open(folder, durability, true)),
        REDB => Box::new(crate::peers::Redb::open(folder, durability)),
        GLEAN => Box::new(crate::peers::GleanQueue::open(folder)),
        other => panic!("`{other}` is no contender"),
    }
}
