//! What a record store promises, said once: a trait, the journal behind it, and a twin made of SQLite. The sentences
//! that both have to keep are in `tests`.

mod faulty;
mod journal;
mod place;
mod sealer;
mod sqlite;
mod store;
mod walk;

pub use faulty::{Fault, Faulty};
pub use journal::{JournalInFolder, JournalOnSimulatedDisk};
pub use place::{Devices, Grain, Place};
pub use sqlite::SqliteInFolder;
pub use store::{Appended, Found, Health, Read, Record, RecordStore};
pub use walk::{Step, Walk, compare, walks};
