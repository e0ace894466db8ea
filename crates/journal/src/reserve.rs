//! Room on a full disk: a file of written bytes that is given up for a denial or an acknowledgement, and a written
//! tail behind each ledger.

use crate::error::Error;
use crate::journal::Inner;

pub(crate) const FILE: &str = "reserve";
/// What it is filled with. Not zeros: a file system may keep those as a hole.
pub(crate) const FILL: u8 = 0xA5;
const BYTES: usize = 128 * 1024;
/// A ledger has this much written room behind its end, so that its next batches need none of the disk.
const TAIL: u64 = 16 * 1024;

impl Inner {
    /// Runs what must succeed on a full disk: where it finds no room, the reserve is given up for it.
    pub(crate) fn with_reserve<T>(&mut self, act: impl Fn(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        match act(self) {
            Err(Error::Full) if self.release_reserve() => act(self),
            other => other,
        }
    }

    pub(crate) fn release_reserve(&mut self) -> bool {
        let released = self.disk.remove(FILE).and_then(|()| self.disk.sync_folder(""));
        released.is_ok()
    }

    /// Writes the reserve where it is missing. A disk without room for it goes without.
    pub(crate) fn fill_reserve(&mut self) {
        let file = match self.disk.create(FILE) {
            Ok(file) => file,
            // It is there, or there is no room for it.
            Err(_) => return,
        };
        // On the heap: as a constant it would be in every app.
        let written = file.write_at(0, &vec![FILL; BYTES]).and_then(|()| file.sync());
        if written.and_then(|()| self.disk.sync_folder("")).is_err() {
            let _ = self.disk.remove(FILE);
        }
    }

    /// Writes room behind a ledger's end, as much as the disk gives.
    pub(crate) fn extend_tail(&mut self, id: u64) {
        let Some(segment) = self.segments.get_mut(&id) else { return };
        let Some(file) = &segment.file else { return };
        let start = segment.allocated.max(segment.end);
        if start >= segment.end + TAIL {
            return;
        }
        for step in [4 * TAIL, TAIL, 4096] {
            let until = (segment.end + step).next_multiple_of(4096);
            let length = usize::try_from(until.saturating_sub(start)).unwrap_or(0);
            if length > 0 && file.write_at(start, &vec![0; length]).is_ok() {
                segment.allocated = until;
                return;
            }
        }
    }
}
