//! The journal: opening a store and what is known of it while it is open.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::bytes::{MAX_COUNT, is_zero};
use crate::cipher::{self, Algorithm, Secret};
use crate::cursor::CursorTable;
use crate::effects::{Disk, DiskError, DiskLock, Effects, KeyError, Now};
use crate::error::{At, Error, OpenError};
use crate::held::Held;
use crate::keys::{KeyTable, Slot};
use crate::ledger::LedgerTail;
use crate::manifest::{self, Manifest};
use crate::markers;
use crate::names::{Alias, Domain, Label};
use crate::reserve;
use crate::segment::{self, Header, Segment, Succession};
use crate::spares::Spare;

/// How a store is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most bytes of all segments together. Beyond it telemetry drops its oldest and the other lanes are full.
    pub cap_bytes: u64,
    /// A segment that reached this many bytes is followed by another.
    pub segment_bytes: u64,
    /// How new segments are sealed. Those that are there are read as they were sealed.
    pub algorithm: Algorithm,
}

impl Default for Options {
    fn default() -> Self {
        Self { cap_bytes: 64 * 1024 * 1024, segment_bytes: 4 * 1024 * 1024, algorithm: Algorithm::default() }
    }
}

/// What opening a store found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// Segments in use.
    pub segments: u64,
    /// Whole records in them.
    pub records: u64,
    /// Segments that the manifest did not list and that were taken in from their own headers.
    pub adopted: u64,
    /// Files left alone because they are not understood or must not come back.
    pub quarantined: u64,
    /// Listed segments whose files are missing.
    pub missing: u64,
    /// Records of which only a gap in the numbering is left.
    pub damaged_records: u64,
    /// Bytes behind the last whole record of a segment: a write that did not finish, or damage.
    pub torn_bytes: u64,
    /// Slots of the key file of which neither copy can be read.
    pub damaged_keys: u64,
    /// Whether frames of the manifest were lost.
    pub manifest_damaged: bool,
    /// Cursors that were not written by this store; their records are offered again. Known once the store's key is.
    pub foreign_cursors: u64,
}

/// How a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Bytes of all segments.
    pub bytes: u64,
    /// Segments in use.
    pub segments: u64,
    /// Whole records on disk.
    pub records: u64,
    /// Records in memory only, because the key store is not ready for them.
    pub held: u64,
    /// Records dropped by telemetry's bound: those on disk ever, those in memory since the store was opened.
    pub dropped: u64,
    /// Records that an endpoint refused, kept until they expire.
    pub quarantined: u64,
    /// Files left alone since the store was opened.
    pub quarantined_files: u64,
    /// Damaged records met since the store was opened.
    pub damaged: u64,
    /// Segments whose last sync failed and whose records are to be written anew.
    pub suspect: u64,
    /// Seals whose checksum was right and that did not open, since the store was opened: somebody made them up. A domain
    /// with 2^16 of them is locked.
    pub forged: u64,
}

/// An open store. It holds the folder's lock until it is dropped; nothing is synced by dropping it.
pub struct Journal {
    pub(crate) effects: Effects,
    inner: Mutex<Inner>,
    /// A flush has ended.
    pub(crate) flushed: Condvar,
}

pub(crate) struct Inner {
    pub(crate) effects: Effects,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) store: [u8; 16],
    pub(crate) table: KeyTable,
    pub(crate) cursors: CursorTable,
    pub(crate) manifest: Manifest,
    /// Whether manifest and cursors are proven to be this store's own.
    pub(crate) trusted: bool,
    /// The segments are being taken in anew, and what is known of them is not whole.
    pub(crate) unsettled: bool,
    pub(crate) segments: BTreeMap<u64, Segment>,
    /// The segment to append to.
    pub(crate) active: BTreeMap<Succession, u64>,
    pub(crate) next_segment: u64,
    /// Few, and looked at for every record: sorted, they are found sooner than by a hash.
    pub(crate) domains: BTreeMap<Domain, Secret>,
    pub(crate) closed: BTreeSet<Domain>,
    /// Why the keys of other domains are not there, as the key store said when it was asked last.
    pub(crate) answers: HashMap<Domain, KeyError>,
    /// How many seals of a domain did not open.
    pub(crate) forgeries: BTreeMap<Domain, u32>,
    /// Keys that wait for a domain, unlocked.
    pub(crate) spares: Vec<Spare>,
    /// Aliases of keys that this process makes or made, whether or not a slot names them.
    pub(crate) unnamed: HashSet<Alias>,
    pub(crate) ledgers: HashMap<Label, LedgerTail>,
    pub(crate) held: Held,
    pub(crate) buffer: Vec<u8>,
    pub(crate) bytes: u64,
    pub(crate) damaged: u64,
    /// Appends so far; the last of them counts the uses of segments, too.
    pub(crate) appends: u64,
    /// Appends that are durable.
    pub(crate) durable: u64,
    /// Whether a thread is syncing files without the lock.
    pub(crate) flushing: bool,
    pub(crate) report: OpenReport,
    /// When the store was opened.
    pub(crate) opened: Now,
    /// The process that opened the store.
    pub(crate) process: u32,
    _lock: Box<dyn DiskLock>,
}

impl Journal {
    /// Opens the store in a folder, or begins one in an empty folder. It looks at structure only: no key is needed,
    /// and damage is reported, never repaired by deleting.
    ///
    /// # Errors
    /// The store is in use, read-only, full, or no store; what was there is unchanged.
    pub fn open(effects: Effects, options: Options) -> Result<Self, OpenError> {
        let disk = Arc::clone(&effects.disk);
        let names = disk.list("").opening("list the folder")?;
        let opened = Self::open_listed(effects, options, &names);
        if opened.as_ref().err() == Some(&OpenError::NotAStore) && !names.iter().any(|name| name == "lock") {
            // Nothing of ours stays in what is somebody else's.
            let _ = disk.remove("lock");
        }
        opened
    }

    fn open_listed(effects: Effects, options: Options, names: &[String]) -> Result<Self, OpenError> {
        let disk = Arc::clone(&effects.disk);
        let is_ours = |name: &String| {
            matches!(name.as_str(), "keys" | "cursor" | "segments" | "reserve")
                || manifest::number_of(name).is_some()
                || markers::domain_of(name).is_some()
        };
        let foreign = |name: &String| *name != "lock" && !is_ours(name);
        if names.iter().any(foreign) && !names.iter().any(is_ours) {
            return Err(OpenError::NotAStore);
        }
        let lock = disk.lock().opening("lock the folder")?;
        let names = disk.list("").opening("list the folder")?;
        let table = KeyTable::load(&disk).opening("read the keys")?;
        let cursors = CursorTable::load(&disk).opening("read the cursors")?;
        let had_manifest = names.iter().any(|name| manifest::number_of(name).is_some());
        let mut loaded = manifest::load(disk.as_ref(), None).opening("read the manifest")?;
        let files = Files::look(disk.as_ref()).opening("read the segments")?;

        if table.live().any(|slot| matches!(slot, Slot::Foreign)) {
            return Err(OpenError::NotAStore);
        }
        let in_table = table.live().find_map(|slot| if let Slot::Store(id) = slot { Some(*id) } else { None });
        let known =
            in_table.or(loaded.state.store).or_else(|| files.headers.values().flatten().next().map(|h| h.store));
        let store = match known {
            Some(store) => store,
            None => {
                // A creation that did not finish leaves nothing but zeros; anything else is not ours to replace.
                let is_file = |name: &&String| {
                    matches!(name.as_str(), "keys" | "cursor" | reserve::FILE) || manifest::number_of(name).is_some()
                };
                let blank = names.iter().filter(is_file).all(|name| is_blank(disk.as_ref(), name));
                if !blank || !files.headers.is_empty() || files.unknown > 0 {
                    return Err(OpenError::NotAStore);
                }
                let mut id = [0; 16];
                effects.randomness.fill(&mut id).map_err(|_| OpenError::Randomness)?;
                id
            }
        };
        if loaded.state.store.is_some_and(|other| other != store) {
            // A manifest of another store says nothing about this one.
            loaded = loaded.empty();
        }
        // The first manifest is written when the store's key is there first.
        let is_unused = !had_manifest && files.headers.is_empty() && cursors.is_empty();
        let damaged_manifest = loaded.damaged && !is_unused;
        let mut inner = Inner {
            manifest: Manifest::from_loaded(&disk, store, loaded),
            disk,
            options,
            store,
            table,
            cursors,
            trusted: false,
            unsettled: false,
            segments: BTreeMap::new(),
            active: BTreeMap::new(),
            next_segment: 0,
            domains: BTreeMap::new(),
            closed: BTreeSet::new(),
            answers: HashMap::new(),
            forgeries: BTreeMap::new(),
            spares: Vec::new(),
            unnamed: HashSet::new(),
            ledgers: HashMap::new(),
            held: Held::default(),
            buffer: Vec::new(),
            bytes: 0,
            damaged: 0,
            appends: 0,
            durable: 0,
            flushing: false,
            report: OpenReport::default(),
            effects: effects.clone(),
            opened: effects.clock.now(),
            process: std::process::id(),
            _lock: lock,
        };
        inner.disk.create_folder("segments").opening("create the folder of segments")?;
        if in_table.is_none() {
            inner.disk.sync_folder("").opening("sync the folder")?;
            inner.table.put(Slot::Store(store)).opening("write the keys")?;
            inner.cursors.allocate().opening("write the cursors")?;
        }
        // Names that a killed process left behind may be in the system's memory only.
        inner.disk.sync_folder("").opening("sync the folder")?;
        inner.disk.sync_folder("segments").opening("sync the folder of segments")?;
        inner.report.damaged_keys = inner.table.damaged();
        inner.report.manifest_damaged = damaged_manifest;
        inner.report.quarantined = files.unknown;
        inner.take_in(files, damaged_manifest).opening("read the segments")?;
        Ok(Self { effects, inner: Mutex::new(inner), flushed: Condvar::new() })
    }

    /// What opening found.
    #[must_use]
    pub fn report(&self) -> OpenReport {
        self.inner().report
    }

    /// The store's random id.
    #[must_use]
    pub fn store_id(&self) -> [u8; 16] {
        self.inner().store
    }

    /// How the store is now.
    #[must_use]
    pub fn health(&self) -> Health {
        let inner = self.inner();
        Health {
            bytes: inner.bytes,
            segments: inner.segments.len() as u64,
            records: inner.segments.values().map(|segment| segment.records).sum(),
            held: inner.held.count(),
            dropped: inner.manifest.state.dropped + inner.held.dropped,
            quarantined: inner.manifest.state.refused.values().map(crate::ranges::Ranges::count).sum(),
            quarantined_files: inner.report.quarantined,
            damaged: inner.damaged,
            suspect: inner.segments.values().filter(|segment| segment.suspect).count() as u64,
            forged: inner.forgeries.values().copied().map(u64::from).sum(),
        }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Journal {
    /// Every key is wiped where it stands.
    fn drop(&mut self) {
        let _scrubbed = cipher::Scrubbed;
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).forget_keys();
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("effects", &self.effects).finish_non_exhaustive()
    }
}

/// Whether a file holds nothing, as far as the making of a store that did not finish can have left it.
fn is_blank(disk: &dyn Disk, name: &str) -> bool {
    const PIECE: usize = 64 * 1024;
    // Nothing that was just begun is longer.
    const LONGEST: u64 = 1024 * 1024;
    let nothing = |byte: &u8| *byte == 0 || (name == reserve::FILE && *byte == reserve::FILL);
    let look = || {
        let file = disk.open(name)?;
        let length = file.length()?;
        let mut bytes = vec![0; PIECE];
        for start in (0..length.min(LONGEST)).step_by(PIECE) {
            let count = file.read_at(start, &mut bytes)?;
            if !bytes.iter().take(count).all(nothing) {
                return Ok(false);
            }
        }
        Ok::<bool, DiskError>(length <= LONGEST)
    };
    look() == Ok(true)
}

/// The number in a segment's name.
fn id_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name, 16).ok().filter(|id| segment::name(*id).ends_with(&format!("/{name}")))
}

/// The files of the folder of segments, with their own headers where those can be read.
pub(crate) struct Files {
    headers: BTreeMap<u64, Option<Header>>,
    /// Files whose names are no segment's.
    pub(crate) unknown: u64,
}

impl Files {
    pub(crate) fn look(disk: &dyn Disk) -> Result<Self, DiskError> {
        let mut files = Self { headers: BTreeMap::new(), unknown: 0 };
        let names = disk.list("segments")?;
        for name in &names {
            let original = name.strip_suffix(segment::COPY).filter(|original| id_of(original).is_some());
            if original.is_some_and(|original| names.iter().any(|name| name == original)) {
                // A copy that was not finished holds nothing that its original does not; one that stays does no harm.
                let _ = disk.remove(&format!("segments/{name}"));
                continue;
            }
            let Some(id) = id_of(name) else {
                files.unknown += 1;
                continue;
            };
            let file = match disk.open(&segment::name(id)) {
                // A folder, or a link that leads nowhere.
                Err(DiskError::NotAFile | DiskError::NotFound) => {
                    files.unknown += 1;
                    continue;
                }
                other => other?,
            };
            let mut bytes = [0; segment::HEADER];
            let count = file.read_at(0, &mut bytes)?;
            if is_zero(&bytes) && file.length()? <= segment::HEADER as u64 {
                // Created, and nothing written before the end: nothing is lost with it.
                disk.remove(&segment::name(id))?;
                continue;
            }
            files.headers.insert(id, bytes.get(..count).and_then(Header::decode));
        }
        Ok(files)
    }
}

impl Inner {
    /// Decides about every file of a segment: in use, finished, taken in, or left alone.
    pub(crate) fn take_in(&mut self, mut files: Files, damaged_manifest: bool) -> Result<(), DiskError> {
        // No store counts that far: a planted name must not use up the numbers. It is left alone.
        files.headers.retain(|id, _| *id < MAX_COUNT);
        let known = self.manifest.state.next_segment;
        // Numbers that anything here speaks of are not given again; a file that is not ours uses up none.
        let spoken = self.manifest.state.progress().chain(self.cursors.segments()).chain(self.ours(&files));
        self.next_segment = spoken.map(|id| id.saturating_add(1)).fold(known.max(1), u64::max);
        let is_missing = |id: &&u64| !files.headers.contains_key(id);
        self.report.missing = self.manifest.state.listed.keys().filter(is_missing).count() as u64;
        for (id, own) in files.headers {
            if self.manifest.state.retired.contains(&id) {
                continue;
            }
            let own = own.filter(|header| header.id == id && header.store == self.store);
            let (header, mark) = match (self.manifest.state.listed.get(&id), own) {
                (Some((listed, mark)), own) if own.is_none() || own.as_ref() == Some(listed) => (listed.clone(), *mark),
                // Without the secret of its slice it is noise, whoever wrote it.
                (None, Some(own)) if (id >= known || damaged_manifest) && self.has_secret(&own) => {
                    self.manifest.adopt(&own);
                    self.report.adopted += 1;
                    (own, None)
                }
                _ => {
                    self.report.quarantined += 1;
                    continue;
                }
            };
            self.next_segment = self.next_segment.max(id.saturating_add(1));
            let mut segment = Segment::new(header);
            let file = self.disk.open(&segment::name(id))?;
            let found = segment.scan(file.as_ref(), mark)?;
            self.report.damaged_records += found.lost;
            self.report.torn_bytes += found.torn_bytes;
            let state = &self.manifest.state;
            let ends = state.delivered.iter().chain(&state.refused).filter(|((of, _), _)| *of == id);
            let said = ends.map(|(_, ranges)| ranges.end()).max().unwrap_or(0);
            segment.skip_to(said.max(self.cursors.furthest(id)));
            self.report.records += segment.records;
            segment.unsynced = segment.end > segment.marked;
            self.bytes += segment.end;
            // Only the newest goes on: what is appended to an older one would stand before what is there already.
            let succession = segment.header.succession();
            if segment.clean {
                self.active.insert(succession, id);
            } else {
                self.active.remove(&succession);
            }
            self.segments.insert(id, segment);
        }
        self.report.segments = self.segments.len() as u64;
        Ok(())
    }

    /// The files whose own headers say that they are of this store.
    fn ours<'a>(&'a self, files: &'a Files) -> impl Iterator<Item = u64> + 'a {
        let own = files.headers.iter().filter_map(|(id, header)| Some((*id, header.as_ref()?)));
        own.filter(|(id, header)| header.id == *id && self.has_secret(header)).map(|(id, _)| id)
    }

    fn has_secret(&self, header: &Header) -> bool {
        let own = (&header.slice, header.label);
        self.table.live().any(|slot| matches!(slot, Slot::Slice { slice, label, .. } if (slice, *label) == own))
    }

    /// Wipes what is secret; nothing opens or seals any more.
    fn forget_keys(&mut self) {
        self.domains.clear();
        self.spares.clear();
        self.ledgers.clear();
        self.held = Held::default();
        self.segments.clear();
        self.table.forget();
        self.manifest.forget_key();
        self.cursors.forget_key();
    }

    pub(crate) fn secret(&self) -> Result<Secret, Error> {
        Secret::filled(|bytes| self.effects.randomness.fill(bytes)).map_err(Error::from)
    }

    pub(crate) fn fill<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.effects.randomness.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Retires segments: said in the manifest, synced, then their slices' secrets go where nothing else needs
    /// them, then the files.
    pub(crate) fn remove(&mut self, ids: &[u64], count_as_dropped: bool) -> Result<u64, Error> {
        if ids.is_empty() {
            return Ok(0);
        }
        if self.say_retired(ids, count_as_dropped) == Err(Error::Full) {
            // Only what goes can make room for saying that it goes.
            for id in ids {
                let emptied = self.disk.open(&segment::name(*id)).and_then(|file| file.set_length(0));
                emptied.at("empty a segment")?;
            }
            self.say_retired(ids, count_as_dropped)?;
        }
        let mut labels = HashSet::new();
        for id in ids {
            if let Some(segment) = self.segments.remove(id) {
                self.bytes = self.bytes.saturating_sub(segment.end);
                labels.insert(segment.header.label);
                self.active.retain(|_, active| active != id);
            }
        }
        labels.retain(|label| !self.segments.values().any(|segment| segment.header.label == *label));
        let destroyed = self.table.destroy(|slot| matches!(slot, Slot::Slice { label, .. } if labels.contains(label)));
        destroyed.at("write the keys")?;
        for id in ids {
            self.cursors.forget(*id).at("write the cursors")?;
            // One that was being written anew may have left its copy.
            let _ = self.disk.remove(&segment::copy_name(*id));
            match self.disk.remove(&segment::name(*id)) {
                Ok(()) | Err(DiskError::NotFound) => {}
                Err(error) => return Err(Error::from_disk(error, "remove a segment")),
            }
        }
        Ok(ids.len() as u64)
    }

    fn say_retired(&mut self, ids: &[u64], count_as_dropped: bool) -> Result<(), Error> {
        for id in ids {
            let dropped = if count_as_dropped { self.undelivered(*id) } else { 0 };
            self.manifest.append(&manifest::Entry::Retired { segment: *id, dropped }).at("write the manifest")?;
        }
        self.manifest.sync().at("sync the manifest")
    }

    /// Records of a segment that are not behind every cursor it has.
    fn undelivered(&self, id: u64) -> u64 {
        let Some(segment) = self.segments.get(&id) else { return 0 };
        let furthest = self.cursors.furthest(id);
        (segment.next - furthest.min(segment.next)).saturating_sub(segment.gaps.count_within(furthest, segment.next))
    }
}
