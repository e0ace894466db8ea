//! The file `cursor`: how far each endpoint has come in each segment. Written in place, beforehand allocated, so
//! that a full disk can still acknowledge. Each slot is kept twice and the older copy is the one overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bytes::{MAX_COUNT, Reader, Writer, checked, is_zero};
use crate::cipher::{CODE, CodeKey};
use crate::effects::{Disk, DiskError, DiskFile};
use crate::names::Label;

const FILE: &str = "cursor";
const SLOT: usize = 64;
/// What of a slot is written: the rest is zero.
const USED: usize = 53;
const CURSOR: &[u8] = b"menshen/0/cursor";
const PER_CHUNK: usize = 64;
const CHUNK: usize = 2 * PER_CHUNK * SLOT;

/// A place in a segment: a sequence number, where its frame begins, and where the run that wrote it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) sequence: u64,
    pub(crate) offset: u64,
    pub(crate) run: u64,
}

impl Position {
    pub(crate) fn read(read: &mut Reader<'_>) -> Option<Self> {
        Some(Self { sequence: read.count()?, offset: read.count()?, run: read.count()? })
    }
}

#[derive(Clone, Copy)]
struct Cursor {
    index: usize,
    generation: u64,
    up_to: u64,
    /// The random label of the segment's slice secret: an id that is given again is another segment. Known once proven.
    label: u64,
    code: [u8; CODE],
}

/// What stands in a slot before its code.
fn fields(generation: u64, (segment, endpoint): (u64, Label), up_to: u64) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(SLOT));
    out.u8(1).u64(generation).u64(segment).u64(endpoint.number()).u64(up_to);
    out.0
}

/// The file and what is in it.
pub(crate) struct CursorTable {
    disk: Arc<dyn Disk>,
    file: Option<Arc<dyn DiskFile>>,
    cursors: BTreeMap<(u64, Label), Cursor>,
    free: BTreeSet<usize>,
    slots: usize,
    dirty: bool,
    /// The last sync failed.
    suspect: bool,
    /// Cursors that were written and are not known to be durable.
    unsynced: BTreeSet<(u64, Label)>,
    /// Nothing was synced since an earlier process wrote.
    inherited: bool,
    /// There once the store's own key is: no cursor is written without it.
    key: Option<CodeKey>,
}

fn decode(bytes: &[u8]) -> Option<((u64, Label), Cursor)> {
    let (used, padding) = bytes.split_at_checked(USED)?;
    let mut read = Reader(checked(used)?);
    if read.u8()? != 1 || !is_zero(padding) {
        return None;
    }
    let generation = read.u64()?;
    let key = (read.u64()?, Label::from_number(read.u64()?));
    let up_to = read.count()?;
    Some((key, Cursor { index: 0, generation, up_to, label: 0, code: read.array()? }))
}

impl CursorTable {
    /// Reads the file; an absent one is an empty table.
    pub(crate) fn load(disk: &Arc<dyn Disk>) -> Result<Self, DiskError> {
        let mut table = Self {
            disk: Arc::clone(disk),
            file: None,
            cursors: BTreeMap::new(),
            free: BTreeSet::new(),
            slots: 0,
            dirty: false,
            suspect: false,
            unsynced: BTreeSet::new(),
            inherited: false,
            key: None,
        };
        let file = match disk.open(FILE) {
            Ok(file) => file,
            Err(DiskError::NotFound) => return Ok(table),
            Err(error) => return Err(error),
        };
        let length = usize::try_from(file.length()?.min(16 * 1024 * 1024)).unwrap_or(0);
        let mut bytes = vec![0; length.next_multiple_of(CHUNK)];
        let (read, _) = bytes.split_at_mut_checked(length).unwrap_or_default();
        if file.read_at(0, read)? < length {
            return Err(DiskError::Io);
        }
        for chunk in bytes.chunks(CHUNK) {
            let (first, second) = chunk.split_at_checked(PER_CHUNK * SLOT).unwrap_or_default();
            for (one, other) in first.chunks(SLOT).zip(second.chunks(SLOT)) {
                let index = table.slots;
                table.slots += 1;
                let newest = [decode(one), decode(other)].into_iter().flatten().max_by_key(|(_, c)| c.generation);
                if let Some((key, cursor)) = newest {
                    let known = table.cursors.get(&key).is_some_and(|known| known.generation >= cursor.generation);
                    if !known {
                        table.cursors.insert(key, Cursor { index, ..cursor });
                    }
                } else if is_zero(one) && is_zero(other) {
                    table.free.insert(index);
                }
            }
        }
        (table.file, table.dirty, table.inherited) = (Some(file), true, true);
        Ok(table)
    }

    /// Takes the key that codes the cursors, and forgets those that it did not code: they count as zero, so that
    /// their records are sent again. Says how many there were.
    /// One of a segment that is gone is forgotten, too, and not counted; one of a segment that is not in use stays.
    pub(crate) fn verify(
        &mut self,
        key: CodeKey,
        store: &[u8; 16],
        label_of: impl Fn(u64) -> Option<u64>,
        is_gone: impl Fn(u64) -> bool,
    ) -> Result<u64, DiskError> {
        let (mut stale, mut foreign) = (Vec::new(), 0);
        for (name, cursor) in &mut self.cursors {
            let Some(label) = label_of(name.0) else {
                if is_gone(name.0) {
                    stale.push(*name);
                }
                continue;
            };
            cursor.label = label;
            let fields = fields(cursor.generation, *name, cursor.up_to);
            if !key.fits(&[CURSOR, store, &label.to_le_bytes(), &fields], &cursor.code) {
                stale.push(*name);
                foreign += 1;
            }
        }
        for name in &stale {
            self.clear(name)?;
        }
        self.key = Some(key);
        Ok(foreign)
    }

    pub(crate) fn forget_key(&mut self) {
        self.key = None;
    }

    /// Allocates the file before it is needed.
    pub(crate) fn allocate(&mut self) -> Result<(), DiskError> {
        if self.file.is_none() {
            let file = match self.disk.create(FILE) {
                Err(DiskError::AlreadyExists) => self.disk.open(FILE)?,
                other => other?,
            };
            self.disk.sync_folder("")?;
            self.file = Some(file);
        }
        let Some(file) = &self.file else { return Err(DiskError::Io) };
        if self.free.is_empty() {
            file.write_at((self.slots / PER_CHUNK * CHUNK) as u64, &[0; CHUNK])?;
            file.sync()?;
            self.free.extend(self.slots..self.slots + PER_CHUNK);
            self.slots += PER_CHUNK;
        }
        Ok(())
    }

    /// Everything below this sequence number was acknowledged.
    pub(crate) fn up_to(&self, segment: u64, endpoint: Label) -> u64 {
        self.cursors.get(&(segment, endpoint)).map_or(0, |cursor| cursor.up_to)
    }

    /// The furthest that any endpoint has come in a segment.
    pub(crate) fn furthest(&self, segment: u64) -> u64 {
        let of_segment = self.cursors.range((segment, Label::ESSENTIAL)..=(segment, Label::from_number(u64::MAX)));
        of_segment.map(|(_, cursor)| cursor.up_to).max().unwrap_or(0)
    }

    /// The segments in which an endpoint has come somewhere, as far as a number can be believed before it is proven.
    pub(crate) fn segments(&self) -> impl Iterator<Item = u64> + '_ {
        self.cursors.keys().map(|(segment, _)| *segment).filter(|segment| self.key.is_some() && *segment < MAX_COUNT)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cursors.is_empty()
    }

    /// Moves a cursor forward; not synced.
    pub(crate) fn advance(
        &mut self,
        store: &[u8; 16],
        (segment, label): (u64, u64),
        endpoint: Label,
        up_to: u64,
    ) -> Result<(), DiskError> {
        let name = (segment, endpoint);
        if let Some(file) = self.file.as_ref().filter(|_| std::mem::take(&mut self.inherited)) {
            // What an earlier process left may be in the system's memory only.
            file.sync().inspect_err(|_| self.inherited = true)?;
        }
        let (index, generation) = match self.cursors.get(&name) {
            Some(cursor) if cursor.up_to >= up_to => return Ok(()),
            // The copy that is durable is left alone until the other one is: an even step stays on one side.
            Some(cursor) if self.unsynced.contains(&name) => (cursor.index, cursor.generation.saturating_add(2)),
            Some(cursor) => (cursor.index, cursor.generation.saturating_add(1)),
            None => {
                self.allocate()?;
                (self.free.first().copied().ok_or(DiskError::Full)?, 1)
            }
        };
        let mut cursor = Cursor { index, generation, up_to, label, code: [0; CODE] };
        self.dirty = true;
        write(self.file.as_ref(), self.key.as_ref(), store, &name, &mut cursor)?;
        self.free.remove(&index);
        self.unsynced.insert(name);
        self.cursors.insert(name, cursor);
        Ok(())
    }

    /// Forgets the cursors of a segment that is gone; not synced, as nothing depends on it.
    pub(crate) fn forget(&mut self, segment: u64) -> Result<(), DiskError> {
        let keys: Vec<(u64, Label)> = self
            .cursors
            .range((segment, Label::ESSENTIAL)..=(segment, Label::from_number(u64::MAX)))
            .map(|(key, _)| *key)
            .collect();
        keys.iter().try_for_each(|key| self.clear(key))
    }

    fn clear(&mut self, key: &(u64, Label)) -> Result<(), DiskError> {
        if let (Some(cursor), Some(file)) = (self.cursors.get(key), &self.file) {
            let index = cursor.index;
            file.write_at(offset_of(index, 0), &[0; SLOT])?;
            file.write_at(offset_of(index, 1), &[0; SLOT])?;
            self.dirty = true;
            self.cursors.remove(key);
            self.unsynced.remove(key);
            self.free.insert(index);
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self, store: &[u8; 16]) -> Result<(), DiskError> {
        if self.suspect {
            // What a failed sync dropped, another sync does not bring back: it is written again.
            for (name, cursor) in self.cursors.iter_mut().filter(|(name, _)| self.unsynced.contains(name)) {
                cursor.generation = cursor.generation.saturating_add(2);
                write(self.file.as_ref(), self.key.as_ref(), store, name, cursor)?;
            }
        }
        if let (true, Some(file)) = (self.dirty, &self.file) {
            self.suspect = true;
            file.sync()?;
            (self.dirty, self.suspect) = (false, false);
            self.unsynced.clear();
        }
        Ok(())
    }
}

fn write(
    file: Option<&Arc<dyn DiskFile>>,
    key: Option<&CodeKey>,
    store: &[u8; 16],
    name: &(u64, Label),
    cursor: &mut Cursor,
) -> Result<(), DiskError> {
    let (Some(file), Some(key)) = (file, key) else { return Err(DiskError::Io) };
    let mut out = Writer(fields(cursor.generation, *name, cursor.up_to));
    cursor.code = key.code(&[CURSOR, store, &cursor.label.to_le_bytes(), &out.0]);
    out.bytes(&cursor.code).checksum();
    out.0.resize(SLOT, 0);
    file.write_at(offset_of(cursor.index, cursor.generation), &out.0)
}

fn offset_of(index: usize, generation: u64) -> u64 {
    let first = index / PER_CHUNK * CHUNK + index % PER_CHUNK * SLOT;
    let second = if generation % 2 == 1 { PER_CHUNK * SLOT } else { 0 };
    (first + second) as u64
}
