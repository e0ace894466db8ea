//! Group commit: one flush serves everybody who waits for it, and nobody else waits, as it runs without the lock.

use std::sync::{Arc, PoisonError};

use crate::append::GROWTH;
use crate::bytes::is_zero;
use crate::cipher;
use crate::effects::{DiskError, DiskFile};
use crate::error::{At, Error};
use crate::journal::{Inner, Journal};
use crate::manifest::{self, Entry};
use crate::segment::{self, Mark, Segment};

/// How many syncs, or how many bytes, a mark may stand behind.
const SYNCS_A_MARK: u32 = 8;

/// What one flush makes durable.
struct Flush {
    /// What became of segments that failed before.
    rewritten: Result<(), Error>,
    /// Appends up to this one.
    appends: u64,
    manifest: Option<manifest::Unsynced>,
    segments: Vec<(u64, Arc<dyn DiskFile>, Mark)>,
}

/// What came of it.
struct Flushed {
    manifest: Result<(), DiskError>,
    segments: Vec<(u64, Mark, Result<(), DiskError>)>,
}

impl Flush {
    /// The manifest goes first: what no manifest lists is not yet synced.
    fn run(&self) -> Flushed {
        let manifest = self.manifest.as_ref().map_or(Ok(()), |unsynced| unsynced.file.sync());
        let segments = match manifest {
            Ok(()) => self.segments.iter().map(|(id, file, mark)| (*id, *mark, file.sync())).collect(),
            Err(_) => Vec::new(),
        };
        Flushed { manifest, segments }
    }
}

impl Journal {
    /// Makes everything appended so far survive a power loss, if the device honours a sync. Threads that call this
    /// at the same time share a flush.
    ///
    /// # Errors
    /// The disk failed. Segments that did not sync are suspect: their records are written anew, by this call
    /// where that works, else by the next.
    pub fn sync(&self) -> Result<(), Error> {
        // Sealing leaves copies of keys on the stack, too; that is not scrubbed for each record.
        let _scrubbed = cipher::Scrubbed;
        let mut inner = self.inner();
        let wanted = inner.appends;
        while inner.flushing {
            inner = self.flushed.wait(inner).unwrap_or_else(PoisonError::into_inner);
            if inner.durable >= wanted {
                return Ok(());
            }
        }
        let flush = inner.begin_flush()?;
        inner.flushing = true;
        drop(inner);
        let flushed = flush.run();
        let mut inner = self.inner();
        inner.flushing = false;
        let ended = inner.end_flush(&flush, flushed);
        drop(inner);
        self.flushed.notify_all();
        ended
    }
}

impl Inner {
    fn begin_flush(&mut self) -> Result<Flush, Error> {
        // A sync proves nothing of a ledger that an earlier process left: it is written anew.
        let inherited = |segment: &&mut Segment| {
            segment.is_ledger() && !segment.holds_no_entry() && segment.unsynced && segment.run.is_none()
        };
        self.segments.values_mut().filter(inherited).for_each(|segment| segment.suspect = true);
        let rewritten = self.rewrite_suspects();
        let manifest = self.manifest.begin_sync().at("sync the manifest")?;
        let mut segments = Vec::new();
        let mut failed = None;
        let wanted = |segment: &Segment| segment.unsynced && !segment.suspect;
        for (id, segment) in self.segments.iter_mut().filter(|(_, segment)| wanted(segment)) {
            let file = match &segment.file {
                Some(file) => Arc::clone(file),
                // What an earlier process left buffered.
                None => match self.disk.open(&segment::name(*id)) {
                    Ok(file) => file,
                    Err(error) => {
                        failed = Some(error);
                        continue;
                    }
                },
            };
            if segment.run.is_some() && segment.allocated < segment.end + 4096 {
                let ahead = (segment.end + GROWTH).next_multiple_of(GROWTH);
                // Only a convenience: where there is no room, the file simply grows with each record.
                if !segment.is_full(&self.options) && file.set_length(ahead).is_ok() {
                    segment.allocated = ahead;
                }
            }
            let is_over = segment.is_full(&self.options) && segment.run.is_some() && segment.clean;
            if is_over && segment.allocated > segment.end && file.set_length(segment.end).is_ok() {
                // Nothing more comes, and behind the end are only zeros of ours, which nobody needs to read.
                segment.allocated = segment.end;
            }
            segment.unsynced = false;
            segments.push((*id, file, segment.mark()));
        }
        let Some(error) = failed else { return Ok(Flush { rewritten, appends: self.appends, manifest, segments }) };
        self.give_back(manifest.as_ref(), &segments);
        Err(Error::from_disk(error, "open a segment"))
    }

    /// What this flush does not sync the next one does.
    fn give_back(&mut self, manifest: Option<&manifest::Unsynced>, segments: &[(u64, Arc<dyn DiskFile>, Mark)]) {
        if let Some(unsynced) = manifest {
            self.manifest.sync_failed(unsynced);
        }
        for (id, _, _) in segments {
            if let Some(segment) = self.segments.get_mut(id) {
                segment.unsynced = true;
            }
        }
    }

    fn end_flush(&mut self, flush: &Flush, flushed: Flushed) -> Result<(), Error> {
        if let (Err(error), Some(_)) = (flushed.manifest, &flush.manifest) {
            self.give_back(flush.manifest.as_ref(), &flush.segments);
            return Err(Error::from_disk(error, "sync the manifest"));
        }
        let (mut marks, mut failed) = (Vec::new(), None);
        for (id, mark, result) in flushed.segments {
            // It may be gone meanwhile.
            let Some(segment) = self.segments.get_mut(&id) else { continue };
            if let Err(error) = result {
                (segment.suspect, segment.run) = (true, None);
                failed = Some(error);
                continue;
            }
            segment.syncs += 1;
            let far = mark.place.offset - segment.marked.min(mark.place.offset) >= GROWTH;
            if far || segment.syncs >= SYNCS_A_MARK || segment.is_full(&self.options) {
                marks.push((id, mark));
            }
        }
        if let Some(error) = failed {
            // What the system could not write may be gone from its memory, too; the records are still in ours to
            // read. Written anew, they are as good as synced.
            self.rewrite_suspects().map_err(|_| Error::from_disk(error, "sync a segment"))?;
        }
        marks.into_iter().try_for_each(|(id, mark)| self.write_mark(id, mark))?;
        flush.rewritten?;
        self.durable = self.durable.max(flush.appends);
        Ok(())
    }

    /// Notes how far a segment is synced and whole, so that the next opening begins there.
    fn write_mark(&mut self, id: u64, mark: Mark) -> Result<(), Error> {
        let Some(segment) = self.segments.get_mut(&id) else { return Ok(()) };
        let is_whole = mark.records == mark.place.sequence && segment.gaps.count_within(0, mark.place.sequence) == 0;
        if segment.run.is_some() && is_whole {
            (segment.marked, segment.syncs) = (mark.place.offset, 0);
            self.manifest.append(&Entry::Mark { segment: id, mark }).at("write the manifest")?;
        }
        Ok(())
    }
}

/// A copy is made in pieces of this many bytes; where all of one are zeros the file may stay a hole.
const PIECE: usize = 64 * 1024;

impl Inner {
    /// Writes segments whose sync failed anew. A second sync would prove nothing: what the system could not write it
    /// may have dropped, or may take for written. Where one fails again it stays suspect, and nothing is lost by that.
    pub(crate) fn rewrite_suspects(&mut self) -> Result<(), Error> {
        let suspects: Vec<u64> = self.segments.iter().filter(|(_, s)| s.suspect).map(|(id, _)| *id).collect();
        let before = self.damaged;
        let rewritten: Vec<_> = suspects.into_iter().map(|id| self.rewrite(id)).collect();
        rewritten.into_iter().collect::<Result<(), _>>()?;
        if self.damaged > before { Err(Error::Io { operation: "sync a segment" }) } else { Ok(()) }
    }

    /// The file is copied byte for byte, sealed as it is; the copy, once synced, takes the name in one step.
    pub(crate) fn rewrite(&mut self, id: u64) -> Result<(), Error> {
        let Some(segment) = self.segments.get_mut(&id) else { return Ok(()) };
        // The next run begins in the copy.
        (segment.file, segment.run) = (None, None);
        let (name, copy) = (segment::name(id), segment::copy_name(id));
        let original = self.disk.open(&name).at("read a segment")?;
        match self.disk.remove(&copy) {
            Ok(()) | Err(DiskError::NotFound) => {}
            Err(error) => return Err(Error::from_disk(error, "write a segment anew")),
        }
        let file = self.disk.create(&copy).at("write a segment anew")?;
        let written = copy_bytes(original.as_ref(), file.as_ref(), segment.is_ledger()).and_then(|()| file.sync());
        if let Err(error) = written.and_then(|()| self.disk.rename(&copy, &name)) {
            // One that cannot go now goes at the next try, or the next opening.
            let _ = self.disk.remove(&copy);
            return Err(Error::from_disk(error, "write a segment anew"));
        }
        self.disk.sync_folder("segments").at("write a segment anew")?;
        let mut anew = Segment::new(segment.header.clone());
        anew.scan(file.as_ref(), None).at("read a segment")?;
        segment.gaps.iter().for_each(|(start, end)| anew.gaps.insert(start, end));
        anew.skip_to(segment.next);
        (anew.used, anew.marked) = (segment.used, segment.marked);
        self.damaged += segment.records.saturating_sub(anew.records);
        self.bytes = (self.bytes + anew.end).saturating_sub(segment.end);
        *segment = anew;
        Ok(())
    }
}

/// `whole`: the zeros, too, as a ledger keeps written room for a denial on a full disk.
fn copy_bytes(from: &dyn DiskFile, to: &dyn DiskFile, whole: bool) -> Result<(), DiskError> {
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        let count = from.read_at(offset, &mut piece)?;
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        if whole || !is_zero(bytes) {
            to.write_at(offset, bytes)?;
        }
        offset += count as u64;
    }
}
