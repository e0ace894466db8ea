//! The file `manifest.N`: frames that say which segments there are, which are gone, and what a cursor cannot say.
//!
//! Append only. `manifest.N+1` is complete and synced before `manifest.N` goes; the highest complete one wins. Each
//! frame carries the code of the one before and its own, under a key of the store: a frame that was not written here,
//! or that stands elsewhere than it was written, is none.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::bytes::{MAX_COUNT, Reader, Writer};
use crate::cipher::{self, CODE, CodeKey};
use crate::cursor::Position;
use crate::effects::{Disk, DiskError, DiskFile};
use crate::frame::{self, FrameReader, Kind, Step};
use crate::ledger::ManifestState;
use crate::names::Label;
use crate::ranges::Ranges;
use crate::segment::{self, Header, Mark};

const PREFIX: &str = "manifest.";
/// A manifest longer than this, and twice as long as it would be anew, is written anew.
const ROTATE_BYTES: u64 = 256 * 1024;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Begin {
        store: [u8; 16],
        next_segment: u64,
    },
    Added(Header),
    /// `dropped` counts records that went though nobody had them.
    Retired {
        segment: u64,
        dropped: u64,
    },
    Delivered {
        segment: u64,
        endpoint: Label,
        ranges: Ranges,
    },
    Refused {
        segment: u64,
        endpoint: Label,
        ranges: Ranges,
    },
    Mark {
        segment: u64,
        mark: Mark,
    },
    Dropped(u64),
    /// A ledger's state is sealed at this place.
    Checkpoint {
        segment: u64,
        place: Position,
    },
    Complete,
}

fn write_ranges(out: &mut Writer, number: u8, segment: u64, endpoint: Label, ranges: &Ranges) {
    out.u8(number).u64(segment).u64(endpoint.number());
    for (start, end) in ranges.iter() {
        out.u64(start).u64(end);
    }
}

impl Entry {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Begin { store, next_segment } => {
                out.u8(1).bytes(store).u64(*next_segment);
            }
            Self::Added(header) => {
                out.u8(2).bytes(&header.encode());
            }
            Self::Retired { segment, dropped } => {
                out.u8(3).u64(*segment).u64(*dropped);
            }
            Self::Delivered { segment, endpoint, ranges } => write_ranges(&mut out, 4, *segment, *endpoint, ranges),
            Self::Refused { segment, endpoint, ranges } => write_ranges(&mut out, 5, *segment, *endpoint, ranges),
            Self::Mark { segment, mark } => {
                let place = mark.place;
                out.u8(6).u64(*segment).u64(place.sequence).u64(place.offset).u64(place.run).u64(mark.records);
            }
            Self::Dropped(count) => {
                out.u8(7).u64(*count);
            }
            Self::Complete => {
                out.u8(8);
            }
            Self::Checkpoint { segment, place } => {
                out.u8(9).u64(*segment).u64(place.sequence).u64(place.offset).u64(place.run);
            }
        }
        out.0
    }

    /// A number of a segment that the next opening would not look at is none.
    fn decode(body: &[u8]) -> Option<Self> {
        let mut read = Reader(body);
        Some(match read.u8()? {
            1 => Self::Begin { store: read.array()?, next_segment: read.count()? },
            2 => Self::Added(Header::decode(read.bytes(segment::HEADER)?)?),
            3 => Self::Retired { segment: read.count()?, dropped: read.count()? },
            number @ (4 | 5) => {
                let segment = read.count()?;
                let endpoint = Label::from_number(read.u64()?);
                let mut ranges = Ranges::default();
                while !read.0.is_empty() {
                    ranges.insert(read.count()?, read.count()?);
                }
                if number == 4 {
                    Self::Delivered { segment, endpoint, ranges }
                } else {
                    Self::Refused { segment, endpoint, ranges }
                }
            }
            6 => {
                let segment = read.count()?;
                let place = Position::read(&mut read)?;
                Self::Mark { segment, mark: Mark { place, records: read.count()? } }
            }
            7 => Self::Dropped(read.count()?),
            8 => Self::Complete,
            9 => {
                let segment = read.count()?;
                Self::Checkpoint { segment, place: Position::read(&mut read)? }
            }
            _ => return None,
        })
    }
}

/// What all frames together say.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) store: Option<[u8; 16]>,
    /// Every id below was given to a segment.
    pub(crate) next_segment: u64,
    pub(crate) listed: BTreeMap<u64, (Header, Option<Mark>)>,
    /// Gone, though their files may still be there.
    pub(crate) retired: BTreeSet<u64>,
    pub(crate) delivered: BTreeMap<(u64, Label), Ranges>,
    pub(crate) refused: BTreeMap<(u64, Label), Ranges>,
    pub(crate) dropped: u64,
    /// The last two checkpoints in each segment of a ledger, the newest first.
    pub(crate) checkpoints: BTreeMap<u64, (Position, Option<Position>)>,
}

impl State {
    fn add(&mut self, header: &Header) {
        self.next_segment = self.next_segment.max(header.id.saturating_add(1));
        self.listed.insert(header.id, (header.clone(), None));
    }

    /// The segments of which something is delivered or refused.
    pub(crate) fn progress(&self) -> impl Iterator<Item = u64> + '_ {
        self.delivered.keys().chain(self.refused.keys()).map(|(segment, _)| *segment)
    }

    pub(crate) fn speaks_of(&self, segment: u64) -> bool {
        self.listed.contains_key(&segment) || self.retired.contains(&segment)
    }

    fn retire(&mut self, segment: u64) {
        // Its number is not given again, also where the frame that gave it is lost.
        self.next_segment = self.next_segment.max(segment.saturating_add(1));
        self.listed.remove(&segment);
        self.retired.insert(segment);
        self.checkpoints.remove(&segment);
        self.delivered.retain(|(of, _), _| *of != segment);
        self.refused.retain(|(of, _), _| *of != segment);
    }

    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Begin { store, next_segment } => {
                self.store = Some(*store);
                self.next_segment = self.next_segment.max(*next_segment);
            }
            Entry::Added(header) => self.add(header),
            Entry::Retired { segment, dropped } => {
                self.dropped = self.dropped.saturating_add(*dropped);
                self.retire(*segment);
            }
            Entry::Delivered { segment, endpoint, ranges } => {
                let known = self.delivered.entry((*segment, *endpoint)).or_default();
                ranges.iter().for_each(|(start, end)| known.insert(start, end));
            }
            Entry::Refused { segment, endpoint, ranges } => {
                let known = self.refused.entry((*segment, *endpoint)).or_default();
                ranges.iter().for_each(|(start, end)| known.insert(start, end));
            }
            Entry::Mark { segment, mark } => {
                if let Some((_, known)) = self.listed.get_mut(segment) {
                    *known = Some(*mark);
                }
            }
            Entry::Dropped(count) => self.dropped = self.dropped.saturating_add(*count),
            Entry::Checkpoint { segment, place } => {
                let before = self.checkpoints.get(segment).map(|(newest, _)| *newest);
                self.checkpoints.insert(*segment, (*place, before));
            }
            Entry::Complete => {}
        }
    }

    /// The fewest frames that say the same.
    fn entries(&self, store: [u8; 16]) -> Vec<Entry> {
        let mut out = vec![Entry::Begin { store, next_segment: self.next_segment }, Entry::Dropped(self.dropped)];
        for (header, mark) in self.listed.values() {
            out.push(Entry::Added(header.clone()));
            out.extend(mark.map(|mark| Entry::Mark { segment: header.id, mark }));
        }
        out.extend(self.retired.iter().map(|segment| Entry::Retired { segment: *segment, dropped: 0 }));
        for ((segment, endpoint), ranges) in &self.delivered {
            let parts = ranges.parts().into_iter();
            out.extend(parts.map(|ranges| Entry::Delivered { segment: *segment, endpoint: *endpoint, ranges }));
        }
        for ((segment, endpoint), ranges) in &self.refused {
            let parts = ranges.parts().into_iter();
            out.extend(parts.map(|ranges| Entry::Refused { segment: *segment, endpoint: *endpoint, ranges }));
        }
        for (segment, (newest, before)) in &self.checkpoints {
            let places = before.iter().chain([newest]);
            out.extend(places.map(|place| Entry::Checkpoint { segment: *segment, place: *place }));
        }
        out.push(Entry::Complete);
        out
    }
}

/// The file and what is in it.
pub(crate) struct Manifest {
    disk: Arc<dyn Disk>,
    pub(crate) state: State,
    store: [u8; 16],
    /// The file's own number, and the highest there is.
    number: u64,
    highest: u64,
    file: Option<Arc<dyn DiskFile>>,
    end: u64,
    sequence: u64,
    /// The code of the last frame.
    last: [u8; CODE],
    /// The code of the last frame that more rests on than the speed of the next opening.
    last_needed: [u8; CODE],
    /// The codes of all frames.
    codes: HashSet<[u8; CODE]>,
    /// There once the store's own key is: no frame is written without it.
    key: Option<CodeKey>,
    fresh_length: u64,
    /// Whether frames wait for a sync. A mark waits for none: it only tells what a synced file shows by itself.
    dirty: bool,
    /// Frames were lost or a write failed: the file is to be written anew.
    broken: bool,
}

/// A manifest that is being synced without the lock.
pub(crate) struct Unsynced {
    pub(crate) file: Arc<dyn DiskFile>,
    number: u64,
}

struct Read {
    state: State,
    complete: bool,
    damaged: bool,
    end: u64,
    sequence: u64,
    last: [u8; CODE],
    codes: HashSet<[u8; CODE]>,
    file: Arc<dyn DiskFile>,
}

/// What tells that a frame was written here: the key, and the store that it is of.
pub(crate) type Proof<'a> = (&'a CodeKey, &'a [u8; 16]);

fn code((key, store): Proof<'_>, number: u64, sequence: u64, last: &[u8; CODE], entry: &[u8]) -> [u8; CODE] {
    key.code(&[b"menshen/0/manifest", store, &number.to_le_bytes(), &sequence.to_le_bytes(), last, entry])
}

/// Splits a frame's body into the code of the frame before, its own, and the entry.
fn split(body: &[u8]) -> Option<([u8; CODE], [u8; CODE], &[u8])> {
    let mut read = Reader(body);
    Some((read.array()?, read.array()?, read.0))
}

fn read(file: Arc<dyn DiskFile>, number: u64, proof: Option<Proof<'_>>) -> Result<Read, DiskError> {
    let mut state = State::default();
    let (mut complete, mut damaged, mut sequence, mut last) = (false, false, 0, [0; CODE]);
    let mut codes = HashSet::new();
    let mut reader = FrameReader::new(file.as_ref(), 0)?;
    let end = loop {
        match reader.next()? {
            Step::Frame(found) if found.kind == Kind::Manifest => {
                let frame = split(reader.body(&found)).filter(|(before, own, entry)| {
                    proof.is_none_or(|proof| {
                        let expected = code(proof, number, found.sequence, before, entry);
                        cipher::same(&expected, own)
                    })
                });
                let entry = frame.and_then(|(before, own, entry)| Some((before, own, Entry::decode(entry)?)));
                let Some((before, own, entry)) = entry else {
                    damaged = true;
                    continue;
                };
                damaged |= found.sequence != sequence || before != last;
                (sequence, last) = (found.sequence + 1, own);
                codes.insert(own);
                complete |= entry == Entry::Complete;
                state.apply(&entry);
            }
            Step::Frame(_) | Step::Damage => damaged = true,
            Step::End { end, torn } => {
                damaged |= torn > 0;
                break end;
            }
        }
    };
    Ok(Read { state, complete, damaged, end, sequence, last, codes, file })
}

fn name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

/// The number of a manifest by its file's name. No store counts that far: a planted name must not use up the numbers.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix(PREFIX)?.parse().ok()?;
    (number < MAX_COUNT && self::name(number) == name).then_some(number)
}

/// What was found where a manifest should be.
pub(crate) struct Loaded {
    pub(crate) state: State,
    /// Frames are missing: what the manifest does not list may still be wanted.
    pub(crate) damaged: bool,
    /// Its own number, and the highest there is.
    number: u64,
    highest: u64,
    file: Option<Arc<dyn DiskFile>>,
    end: u64,
    sequence: u64,
    last: [u8; CODE],
    codes: HashSet<[u8; CODE]>,
}

impl Loaded {
    /// The same file, as if nothing could be read in it.
    pub(crate) fn empty(&self) -> Self {
        Self::unread(State::default(), self.highest)
    }

    fn unread(state: State, highest: u64) -> Self {
        Self {
            state,
            damaged: true,
            number: highest,
            highest,
            file: None,
            end: 0,
            sequence: 0,
            last: [0; CODE],
            codes: HashSet::new(),
        }
    }
}

/// Reads the highest complete manifest, or what is left of the highest. Without a proof every whole frame counts;
/// with one only those that were written here.
pub(crate) fn load(disk: &dyn Disk, proof: Option<Proof<'_>>) -> Result<Loaded, DiskError> {
    let mut numbers: Vec<u64> = disk.list("")?.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    let highest = numbers.last().copied().unwrap_or(0);
    let mut partial: Option<Read> = None;
    for number in numbers.iter().rev() {
        let file = match disk.open(&name(*number)) {
            Err(DiskError::NotAFile | DiskError::NotFound) => continue,
            other => other?,
        };
        let found = read(file, *number, proof)?;
        if found.complete {
            // A number that nobody here gave does not count.
            let highest = if proof.is_some() { *number } else { highest };
            let Read { state, damaged, end, sequence, last, codes, file, .. } = found;
            let file = Some(file);
            return Ok(Loaded { state, damaged, number: *number, highest, file, end, sequence, last, codes });
        }
        if partial.as_ref().is_none_or(|known| known.state.store.is_none()) {
            partial = Some(found);
        }
    }
    Ok(Loaded::unread(partial.map(|found| found.state).unwrap_or_default(), highest))
}

impl Manifest {
    pub(crate) fn from_loaded(disk: &Arc<dyn Disk>, store: [u8; 16], loaded: Loaded) -> Self {
        Self {
            disk: Arc::clone(disk),
            broken: loaded.damaged || loaded.file.is_none() || loaded.state.store.is_none(),
            state: loaded.state,
            store,
            number: loaded.number,
            highest: loaded.highest,
            file: loaded.file,
            end: loaded.end,
            sequence: loaded.sequence,
            last: loaded.last,
            last_needed: loaded.last,
            codes: loaded.codes,
            key: None,
            fresh_length: 0,
            // A process that was killed may have left frames that only the system's memory has.
            dirty: true,
        }
    }

    /// Lists a segment that was found though no frame lists it.
    pub(crate) fn adopt(&mut self, header: &Header) {
        self.state.add(header);
        self.broken = true;
    }

    /// Appends a frame; not synced.
    pub(crate) fn append(&mut self, entry: &Entry) -> Result<(), DiskError> {
        let long = self.end > ROTATE_BYTES && self.end > 2 * self.fresh_length;
        if self.broken || long {
            self.rotate()?;
        }
        let (Some(file), Some(key)) = (&self.file, &self.key) else { return Err(DiskError::Io) };
        let mut bytes = Vec::new();
        let last = push(&mut bytes, (key, &self.store), self.number, self.sequence, &self.last, entry);
        let is_needed = !matches!(entry, Entry::Mark { .. });
        self.dirty |= is_needed;
        if let Err(error) = file.write_at(self.end, &bytes) {
            // Cutting off what was written needs no room; where it fails, the file is written anew.
            self.broken = file.set_length(self.end).is_err();
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.sequence += 1;
        self.last = last;
        if is_needed {
            self.last_needed = last;
        }
        self.codes.insert(last);
        self.state.apply(entry);
        Ok(())
    }

    /// Whether no manifest was ever begun, as far as can be seen: the store's first key comes before it.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.highest == 0 && self.state.store.is_none()
    }

    /// How far it goes now, marks behind that left out.
    pub(crate) fn state_of(&self) -> ManifestState {
        ManifestState { number: self.number, code: self.last_needed }
    }

    /// Whether it went as far as a head says.
    pub(crate) fn has_been(&self, state: &ManifestState) -> bool {
        self.number > state.number || (self.number == state.number && self.codes.contains(&state.code))
    }

    /// Takes the key that codes the frames.
    pub(crate) fn set_key(&mut self, key: CodeKey) {
        self.key = Some(key);
    }

    pub(crate) fn forget_key(&mut self) {
        self.key = None;
    }

    /// Whether another reading found the same frames.
    pub(crate) fn is_as(&self, loaded: &Loaded) -> bool {
        !loaded.damaged
            && (self.number, self.sequence, self.last) == (loaded.number, loaded.sequence, loaded.last)
            && self.state.store == loaded.state.store
    }

    /// What is to be synced, without holding the store's lock; a broken manifest is written anew here.
    pub(crate) fn begin_sync(&mut self) -> Result<Option<Unsynced>, DiskError> {
        if self.broken {
            self.sync()?;
        }
        let Some(file) = self.file.as_ref().filter(|_| self.dirty && self.key.is_some()) else { return Ok(None) };
        self.dirty = false;
        Ok(Some(Unsynced { file: Arc::clone(file), number: self.number }))
    }

    pub(crate) fn sync_failed(&mut self, unsynced: &Unsynced) {
        self.broken |= unsynced.number == self.number;
    }

    /// Makes all frames but marks survive a power loss. Before the store's key is there nothing was written.
    pub(crate) fn sync(&mut self) -> Result<(), DiskError> {
        if self.key.is_none() {
            return Ok(());
        }
        if self.broken {
            return self.rotate();
        }
        if let (true, Some(file)) = (self.dirty, &self.file) {
            if let Err(error) = file.sync() {
                self.broken = true;
                return Err(error);
            }
            self.dirty = false;
        }
        Ok(())
    }

    /// Writes a new manifest, complete and synced, then removes the older ones.
    fn rotate(&mut self) -> Result<(), DiskError> {
        self.broken = true;
        let Some(key) = &self.key else { return Err(DiskError::Io) };
        // A removal is forgotten only once no power loss brings the file back.
        self.disk.sync_folder("segments")?;
        let there: BTreeSet<String> = self.disk.list("segments")?.into_iter().collect();
        self.state.retired.retain(|id| there.contains(&format!("{id:016x}")));
        // Files that are not ours may have the next names, but hardly more than a few.
        let mut created = Err(DiskError::AlreadyExists);
        for _ in 0..1000 {
            self.highest += 1;
            created = self.disk.create(&name(self.highest));
            if !matches!(created, Err(DiskError::AlreadyExists)) {
                break;
            }
        }
        let file = created?;
        let number = self.highest;
        let mut bytes = Vec::new();
        let (mut sequence, mut last) = (0, [0; CODE]);
        let mut codes = HashSet::new();
        for entry in self.state.entries(self.store) {
            last = push(&mut bytes, (key, &self.store), number, sequence, &last, &entry);
            codes.insert(last);
            sequence += 1;
        }
        let written = file.write_at(0, &bytes).and_then(|()| file.sync()).and_then(|()| self.disk.sync_folder(""));
        if let Err(error) = written {
            // The next process must not take what only the system's memory has for what is on the disk.
            let _ = self.disk.remove(&name(number));
            return Err(error);
        }
        (self.number, self.codes) = (number, codes);
        self.end = bytes.len() as u64;
        (self.sequence, self.last, self.last_needed, self.fresh_length) = (sequence, last, last, self.end);
        self.file = Some(file);
        (self.dirty, self.broken) = (false, false);
        // Older ones that cannot be removed now do no harm: the highest complete one wins.
        for older in self.disk.list("")?.iter().filter_map(|name| number_of(name)).filter(|n| *n < self.number) {
            self.disk.remove(&name(older))?;
        }
        Ok(())
    }
}

/// Appends a frame to a buffer; its code.
fn push(
    bytes: &mut Vec<u8>,
    proof: Proof<'_>,
    number: u64,
    sequence: u64,
    last: &[u8; CODE],
    entry: &Entry,
) -> [u8; CODE] {
    let entry = entry.encode();
    let own = code(proof, number, sequence, last, &entry);
    frame::push(bytes, Kind::Manifest, sequence, &[&last[..], &own, &entry].concat());
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_counts_segments_beyond_those_that_are_looked_at_is_none() {
        let begin = |next_segment| Entry::Begin { store: [7; 16], next_segment };
        assert_eq!(Entry::decode(&begin(MAX_COUNT).encode()), None);
        assert_eq!(Entry::decode(&begin(MAX_COUNT - 1).encode()), Some(begin(MAX_COUNT - 1)));
        let retired = Entry::Retired { segment: MAX_COUNT, dropped: 0 };
        assert_eq!(Entry::decode(&retired.encode()), None);
    }
}
