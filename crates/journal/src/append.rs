//! Appending and syncing: one write for each record, one flush when asked.

use zeroize::Zeroize;

use crate::boxes::BoxTarget;
use crate::cipher::{self, Algorithm, SealingKey, TAG};
use crate::cursor::Position;
use crate::effects::{DiskError, KeyError};
use crate::error::{At, Error};
use crate::frame::{self, Kind};
use crate::held::Appended;
use crate::journal::{Inner, Journal};
use crate::keys::Slot;
use crate::manifest::Entry;
use crate::names::{Domain, Expiry, Lane, RecordId, Slice};
use crate::segment::{self, Header, LedgerRun, Run, RunHeader, Sealing, Segment, aad, run_key};

/// The largest body of a record, in bytes.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// Bodies are padded to a multiple of this, so that lengths tell little.
const PADDING: usize = 64;
/// What stands before the body, sealed with it: when it ends by the wall clock, when it was made by the clock that
/// nobody sets, how long it lives, and its length.
pub(crate) const PREFIX: usize = 32;
/// A slice gets a new key after this much (2^20 records or 64 MiB).
const KEY_RECORDS: u64 = 1 << 20;
const KEY_BYTES: u64 = 64 * 1024 * 1024;
/// The most segments; beyond it telemetry drops its oldest.
const MAX_SEGMENTS: usize = 4096;
/// The most segments that stay open for writing.
const MAX_OPEN: usize = 48;
/// A synced segment is kept this far ahead of its end, so that a flush need not write its length.
pub(crate) const GROWTH: u64 = 64 * 1024;

/// A record to append.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    /// Whose record.
    pub domain: Domain,
    /// How dear it is.
    pub lane: Lane,
    /// When it ends.
    pub expiry: Expiry,
    /// Its content, at most 1 MiB.
    pub body: &'a [u8],
}

impl Journal {
    /// Seals a record and hands it to the operating system: it survives the end of this process.
    /// [`Journal::sync`] makes it survive a power loss. Where the key store is not ready for its domain, the record is
    /// held in memory until it is.
    ///
    /// # Errors
    /// [`Error::Full`] in the lanes that never drop; the domain is closed or cannot be unlocked; the body is too
    /// large; the disk failed. The record is not stored then.
    pub fn append(&self, append: &Append<'_>) -> Result<Appended, Error> {
        if append.body.len() > MAX_RECORD_BYTES {
            return Err(Error::TooLarge { limit: MAX_RECORD_BYTES });
        }
        self.proven_with(&[append.domain])?.append(append)
    }

    /// As [`Journal::append`], then [`Journal::sync`].
    ///
    /// # Errors
    /// As there. Where the sync failed the record is buffered.
    pub fn append_synced(&self, append: &Append<'_>) -> Result<Appended, Error> {
        match self.append(append)? {
            Appended::Buffered(id) => self.sync().map(|()| Appended::Synced(id)),
            other => Ok(other),
        }
    }
}

pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(PADDING)
}

impl Inner {
    pub(crate) fn append(&mut self, append: &Append<'_>) -> Result<Appended, Error> {
        // What does not fit goes on waiting, and is in nobody's way.
        let _ = self.append_held(&append.domain);
        match self.seal_and_append(append) {
            Err(Error::Key(_)) if self.is_waiting(&append.domain) => self.hold(append),
            done => done.map(Appended::Buffered),
        }
    }

    pub(crate) fn seal_and_append(&mut self, append: &Append<'_>) -> Result<RecordId, Error> {
        let slice = Slice::of(append.domain, append.lane, append.expiry);
        let plain = padded(PREFIX + append.body.len());
        let bytes = (frame::HEADER + plain + TAG) as u64;
        if !self.has_room(bytes) {
            // Nothing is dropped for what cannot be sealed.
            self.key_of(&append.domain)?;
            self.make_room(&slice, bytes)?;
        }
        let id = self.writable(slice, None)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        // At once: growing it would leave a part of the body behind.
        buffer.reserve(frame::HEADER + plain + TAG);
        buffer.extend_from_slice(&[0; frame::HEADER]);
        let Expiry { at_ms, made, lives_ms, .. } = append.expiry;
        buffer.extend_from_slice(&at_ms.to_le_bytes());
        buffer.extend_from_slice(&made.boot.to_le_bytes());
        buffer.extend_from_slice(&made.since_boot_ms.to_le_bytes());
        buffer.extend_from_slice(&lives_ms.to_le_bytes());
        buffer.extend_from_slice(&u32::try_from(append.body.len()).unwrap_or(u32::MAX).to_le_bytes());
        buffer.extend_from_slice(append.body);
        buffer.resize(frame::HEADER + plain, 0);
        let appended = self.append_sealed(id, &mut buffer);
        if appended.is_err() {
            // It may not have been sealed.
            buffer.zeroize();
        }
        self.buffer = buffer;
        appended
    }

    /// Seals what stands behind a frame's header and appends it to a segment that has a run.
    fn append_sealed(&mut self, id: u64, buffer: &mut Vec<u8>) -> Result<RecordId, Error> {
        let Some(segment) = self.segments.get_mut(&id) else { return Err(Error::Io { operation: "append" }) };
        let (Some(run), Some(file)) = (&segment.run, &segment.file) else {
            return Err(Error::Io { operation: "append" });
        };
        let sequence = segment.next;
        let run_offset = run.offset;
        let body = buffer.get_mut(frame::HEADER..).unwrap_or_default();
        let aad = aad(&segment.hash, Kind::Record, sequence, body.len() + TAG);
        let tag = run.key.seal(sequence - run.first, &aad, body).ok_or(Error::Key(KeyError::Suspect))?;
        buffer.extend_from_slice(&tag);
        frame::finish(buffer, Kind::Record, sequence);
        if let Err(error) = file.write_at(segment.end, buffer) {
            // The nonce was used: this run is over. On a full disk the file itself is still good.
            segment.run = None;
            segment.clean &= error == DiskError::Full;
            return Err(Error::from_disk(error, "append a record"));
        }
        segment.note(Position { sequence, offset: segment.end, run: run_offset });
        self.appends += 1;
        self.bytes += buffer.len() as u64;
        Ok(segment.took(buffer.len() as u64, self.appends))
    }

    /// The segment of a slice to append to: with a run begun, or of boxes for a server.
    pub(crate) fn writable(&mut self, slice: Slice, target: Option<BoxTarget>) -> Result<u64, Error> {
        if let Some(id) = self.active.get(&(slice, target)).copied()
            && let Some(segment) = self.segments.get(&id)
            && segment.takes_more(&self.options)
        {
            if segment.file.is_some() && (target.is_some() || segment.run.is_some()) {
                return Ok(id);
            }
            match self.go_on(id, segment.next, target.is_some()) {
                // The slice's secret is gone: what it sealed is left alone, and a new segment has a new one.
                Err(Error::Key(KeyError::NotFound)) => {}
                done => return done.map(|()| id),
            }
        }
        let id = match target {
            None => self.create_segment(slice, 0)?,
            Some(target) => self.create(slice, Sealing::Boxed(target), 0)?,
        };
        self.manifest_added(id)?;
        self.active.insert((slice, target), id);
        Ok(id)
    }

    /// Opens a segment to write behind what it holds: boxes have no runs.
    fn go_on(&mut self, id: u64, first: u64, is_boxed: bool) -> Result<(), Error> {
        if !is_boxed {
            return self.begin_run(id, first);
        }
        self.limit_open()?;
        let file = self.disk.open(&segment::name(id)).at("open a segment")?;
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.file = Some(file);
        }
        Ok(())
    }

    pub(crate) fn manifest_added(&mut self, id: u64) -> Result<(), Error> {
        let Some(segment) = self.segments.get(&id) else { return Ok(()) };
        let added = Entry::Added(segment.header.clone());
        self.manifest.append(&added).at("write the manifest").inspect_err(|_| {
            // It holds nothing yet; the next one tries again.
            if self.segments.remove(&id).is_some() {
                let _ = self.disk.remove(&segment::name(id));
            }
        })
    }

    /// The key for a slice's next segment: the one in use, or a new one beside it when that did enough.
    fn slice_slot(&mut self, slice: Slice) -> Result<(Slice, u64), Error> {
        let newest = self.table.live().filter_map(|slot| match slot {
            Slot::Slice { slice: s, label, .. } if (Slice { generation: 0, ..*s }) == slice => Some((*s, *label)),
            _ => None,
        });
        let newest = newest.max_by_key(|(slice, _)| slice.generation);
        if let Some((known, label)) = newest {
            let of_key = || self.segments.values().filter(|segment| segment.header.label == label);
            let records: u64 = of_key().map(|segment| segment.next).sum();
            let bytes: u64 = of_key().map(|segment| segment.end).sum();
            if records < KEY_RECORDS && bytes < KEY_BYTES {
                return Ok((known, label));
            }
        }
        // Nobody seals as much; a planted slot may say so.
        let generation = newest.map_or(Some(0), |(known, _)| known.generation.checked_add(1)).ok_or(Error::Full)?;
        let slice = Slice { generation, ..slice };
        let label = u64::from_le_bytes(self.fill()?);
        self.table.put(Slot::Slice { slice, label, secret: self.secret()? }).at("write the keys")?;
        Ok((slice, label))
    }

    /// Secret in `keys`, synced; then header and run, synced; the folder, synced. Not yet in the manifest.
    pub(crate) fn create_segment(&mut self, slice: Slice, first: u64) -> Result<u64, Error> {
        self.key_of(&slice.domain)?;
        self.create(slice, Sealing::Here(self.options.algorithm), first)
    }

    pub(crate) fn create(&mut self, slice: Slice, sealing: Sealing, first: u64) -> Result<u64, Error> {
        self.limit_open()?;
        let (slice, label) = self.slice_slot(slice)?;
        // A file that is not ours may have the next name, and a number of which the manifest speaks is never given again.
        loop {
            if !self.manifest.state.speaks_of(self.next_segment) {
                match self.disk.open(&segment::name(self.next_segment)) {
                    Err(DiskError::NotFound) => break,
                    Ok(_) | Err(DiskError::NotAFile) => {}
                    Err(error) => return Err(Error::from_disk(error, "create a segment")),
                }
            }
            self.next_segment += 1;
        }
        let id = self.next_segment;
        self.next_segment += 1;
        let mut segment = Segment::new(Header { store: self.store, id, sealing, slice, label });
        let mut bytes = segment.header.encode();
        if let Sealing::Here(algorithm) = sealing {
            let (run, run_header) = self.new_run(&segment, algorithm, first)?;
            cipher::scrub_stack();
            bytes.extend_from_slice(&run_header);
            segment.run = Some(run);
        }
        segment.end = bytes.len() as u64;
        let name = segment::name(id);
        let file = self.disk.create(&name).at("create a segment")?;
        let written = file.write_at(0, &bytes).and_then(|()| file.sync());
        if let Err(error) = written.and_then(|()| self.disk.sync_folder("segments")) {
            // Nothing but its header was in it.
            let _ = self.disk.remove(&name);
            return Err(Error::from_disk(error, "create a segment"));
        }
        segment.next = first;
        segment.gaps.insert(0, first);
        segment.allocated = segment.end;
        segment.file = Some(file);
        self.bytes += segment.end;
        self.segments.insert(id, segment);
        Ok(id)
    }

    fn new_run(&mut self, segment: &Segment, algorithm: Algorithm, first: u64) -> Result<(Run, Vec<u8>), Error> {
        let slice_key = self.slice_key(&segment.header.slice, segment.header.label)?;
        let slice_key = slice_key.ok_or(Error::Key(KeyError::NotFound))?;
        let salt = self.fill::<32>()?;
        let (key, commitment) = run_key(&slice_key, &segment.hash, &salt).ok_or(Error::Key(KeyError::Suspect))?;
        let key = SealingKey::new(algorithm, &key).ok_or(Error::Key(KeyError::Suspect))?;
        let (mut payload, mut ledger) = (0, None);
        if segment.is_ledger() {
            let domain = segment.header.slice.domain;
            payload = self.payload_label(&domain)?;
            let secret = self.payload_key(&domain, payload)?;
            let keys = secret.and_then(|secret| LedgerRun::derive(&secret, &segment.hash, &salt));
            ledger = Some(keys.ok_or(Error::Key(KeyError::Suspect))?);
        }
        let header = RunHeader { first, salt, commitment, payload };
        Ok((Run { key, offset: segment.end, first, ledger }, header.encode()))
    }

    /// Begins a run behind what the file holds.
    pub(crate) fn begin_run(&mut self, id: u64, first: u64) -> Result<(), Error> {
        self.limit_open()?;
        let Some(mut segment) = self.segments.remove(&id) else { return Err(Error::Io { operation: "append" }) };
        let begun = self.begin_run_of(&mut segment, first);
        cipher::scrub_stack();
        self.segments.insert(id, segment);
        begun
    }

    fn begin_run_of(&mut self, segment: &mut Segment, first: u64) -> Result<(), Error> {
        let Sealing::Here(algorithm) = segment.header.sealing else {
            return Err(Error::Io { operation: "begin a run" });
        };
        let (run, bytes) = self.new_run(segment, algorithm, first)?;
        if segment.file.is_none() {
            segment.file = Some(self.disk.open(&segment::name(segment.header.id)).at("open a segment")?);
        }
        let Some(file) = &segment.file else { return Err(Error::Io { operation: "open a segment" }) };
        if let Err(error) = file.write_at(segment.end, &bytes) {
            segment.clean &= error == DiskError::Full;
            return Err(Error::from_disk(error, "append a run"));
        }
        segment.unsynced = true;
        segment.end += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        segment.run = Some(run);
        Ok(())
    }

    /// Closes the file that was not used for longest, when too many are open.
    pub(crate) fn limit_open(&mut self) -> Result<(), Error> {
        let open = || self.segments.values().filter(|segment| segment.file.is_some());
        if open().count() < MAX_OPEN {
            return Ok(());
        }
        let oldest = open().min_by_key(|segment| segment.used).map(|segment| segment.header.id);
        if let Some(segment) = oldest.and_then(|id| self.segments.get_mut(&id)) {
            if segment.unsynced
                && let Some(file) = &segment.file
            {
                if let Err(error) = file.sync() {
                    segment.suspect = true;
                    return Err(Error::from_disk(error, "sync a segment"));
                }
                segment.unsynced = false;
            }
            (segment.file, segment.run) = (None, None);
        }
        Ok(())
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.bytes + bytes <= self.options.cap_bytes && self.segments.len() < MAX_SEGMENTS
    }

    /// Keeps the store within its bounds: telemetry's oldest slice goes, the other lanes are refused.
    pub(crate) fn make_room(&mut self, slice: &Slice, bytes: u64) -> Result<(), Error> {
        while !self.has_room(bytes) {
            let oldest = self.segments.values().find(|segment| segment.header.slice.lane == Lane::Telemetry);
            let Some(dropped) = oldest.map(|segment| segment.header.slice) else { return Err(Error::Full) };
            if slice.lane != Lane::Telemetry && self.bytes + bytes <= self.options.cap_bytes {
                return Ok(());
            }
            let ids: Vec<u64> =
                self.segments.iter().filter(|(_, s)| s.header.slice == dropped).map(|(id, _)| *id).collect();
            self.remove(&ids, true)?;
        }
        Ok(())
    }
}
