//! Segments: one file of one slice, made of runs. What one opening of the store wrote is a run with a key of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::boxes::BoxTarget;
use crate::bytes::{MAX_COUNT, Reader, Writer, checked, joined};
use crate::cipher::{self, Algorithm, Secret};
use crate::cursor::Position;
use crate::effects::{DiskError, DiskFile};
use crate::frame::{self, FrameReader, Kind, Step};
use crate::journal::Options;
use crate::keys::{read_domain, write_domain};
use crate::names::{Label, Lane, RecordId, Slice};
use crate::ranges::Ranges;

/// Length of a segment's header.
pub(crate) const HEADER: usize = 128;
const MAGIC: &[u8; 8] = b"menshen\x01";
/// 0 until the format is final.
pub(crate) const FORMAT: u8 = 0;
/// Bytes in a run's header, which stands there twice.
const RUN_BODY: usize = 72;
/// How far the second copy of a run's header is behind the first.
pub(crate) const RUN_FRAME: u64 = (frame::HEADER + RUN_BODY) as u64;
/// A place is remembered at each so many records.
const STRIDE: u64 = 64;

/// Who can open what stands in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealing {
    /// This store, under its slice's key.
    Here(Algorithm),
    /// A server only.
    Boxed(BoxTarget),
}

/// The number that stands for HPKE where an algorithm's does.
const HPKE: u8 = 3;

/// What the file says about itself, in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) store: [u8; 16],
    pub(crate) id: u64,
    pub(crate) sealing: Sealing,
    pub(crate) slice: Slice,
    /// The slice's random label: a slice made anew is another.
    pub(crate) label: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(HEADER));
        let algorithm = match self.sealing {
            Sealing::Here(algorithm) => algorithm.number(),
            Sealing::Boxed(_) => HPKE,
        };
        out.bytes(MAGIC).u8(FORMAT).u8(algorithm).u8(self.slice.lane.number()).u8(0);
        out.bytes(&self.store).u64(self.id);
        write_domain(&mut out, &self.slice.domain);
        out.u64(self.slice.width).u64(self.slice.bucket).u32(self.slice.generation).u64(self.label);
        if let Sealing::Boxed(BoxTarget { endpoint, event, key }) = self.sealing {
            out.u64(endpoint.number()).u64(event.number()).bytes(&key);
        }
        out.0.resize(HEADER - 4, 0);
        out.checksum();
        out.0
    }

    /// The endpoint for which alone it has boxes.
    pub(crate) fn boxed_for(&self) -> Option<Label> {
        if let Sealing::Boxed(target) = self.sealing { Some(target.endpoint) } else { None }
    }

    /// Which segments one that follows takes the place of, when it is full.
    pub(crate) fn succession(&self) -> Succession {
        let target = if let Sealing::Boxed(target) = self.sealing { Some(target) } else { None };
        (Slice { generation: 0, ..self.slice }, target)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut read = Reader(checked(bytes)?);
        if read.array::<8>()? != *MAGIC || read.u8()? != FORMAT {
            return None;
        }
        let algorithm = read.u8()?;
        let lane = Lane::from_number(read.u8()?)?;
        read.u8()?;
        let store = read.array()?;
        let id = read.count()?;
        let domain = read_domain(&mut read)?;
        let slice = Slice { domain, lane, width: read.u64()?, bucket: read.u64()?, generation: read.u32()? };
        let label = read.u64()?;
        let sealing = if algorithm == HPKE {
            let (endpoint, event) = (Label::from_number(read.u64()?), Label::from_number(read.u64()?));
            Sealing::Boxed(BoxTarget { endpoint, event, key: read.array()? })
        } else {
            Sealing::Here(Algorithm::from_number(algorithm)?)
        };
        let header = Self { store, id, sealing, slice, label };
        // Nothing but what this version would write: the keys depend on every byte.
        (header.encode() == bytes).then_some(header)
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        cipher::hash(&[&self.encode()])
    }
}

/// A slice without its key's generation, and whose box it is.
pub(crate) type Succession = (Slice, Option<BoxTarget>);

pub(crate) fn name(id: u64) -> String {
    format!("segments/{id:016x}")
}

/// The name under which a segment is written anew, before it takes the segment's own.
pub(crate) fn copy_name(id: u64) -> String {
    name(id) + COPY
}

/// What the name of a copy ends with.
pub(crate) const COPY: &str = ".copy";

/// A run's salt and the commitment to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunHeader {
    pub(crate) first: u64,
    pub(crate) salt: [u8; 32],
    pub(crate) commitment: [u8; 32],
    /// In a ledger the label of the secret under which the payloads are sealed; 0 elsewhere.
    pub(crate) payload: u64,
}

impl RunHeader {
    /// Both copies.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Writer(Vec::with_capacity(RUN_BODY));
        body.bytes(&self.salt).bytes(&self.commitment).u64(self.payload);
        let mut out = Vec::with_capacity(2 * (frame::HEADER + RUN_BODY));
        frame::push(&mut out, Kind::Run, self.first, &body.0);
        frame::push(&mut out, Kind::Run, self.first, &body.0);
        out
    }

    pub(crate) fn decode(first: u64, body: &[u8]) -> Option<Self> {
        let mut read = Reader(body);
        Some(Self { first, salt: read.array()?, commitment: read.array()?, payload: read.u64()? })
    }
}

/// The key of a run and its commitment.
pub(crate) fn run_key(slice_key: &Secret, hash: &[u8; 32], salt: &[u8; 32]) -> Option<(Secret, [u8; 32])> {
    let key = cipher::derive(salt, &**slice_key, &[b"menshen/0/run-key", hash])?;
    let commitment = cipher::derive(salt, &**slice_key, &[b"menshen/0/run-commitment", hash])?;
    Some((key, *commitment))
}

/// What a seal in a frame is bound to beside its key: segment, kind, place, length.
pub(crate) fn aad(hash: &[u8; 32], kind: Kind, sequence: u64, length: usize) -> [u8; 64] {
    let label: &[u8; 16] = match kind {
        Kind::Entry => b"menshen/0/ledger",
        Kind::Payload => b"menshen/0/erases",
        Kind::Checkpoint => b"menshen/0/checks",
        Kind::Record | Kind::Run | Kind::Head | Kind::Manifest | Kind::Boxed => b"menshen/0/record",
    };
    joined(&[label, hash, &sequence.to_le_bytes(), &(length as u64).to_le_bytes()])
}

/// The run that is being written.
pub(crate) struct Run {
    pub(crate) key: cipher::SealingKey,
    /// Where its header stands.
    pub(crate) offset: u64,
    /// The sequence number whose nonce is 0.
    pub(crate) first: u64,
    /// The further keys of a ledger's run.
    pub(crate) ledger: Option<LedgerRun>,
}

/// The keys of a ledger's run beside the one that seals its statements. Both come from the payload secret: a
/// checkpoint holds what the payloads say, and is erased with them.
pub(crate) struct LedgerRun {
    pub(crate) payload: cipher::SealingKey,
    pub(crate) checkpoint: cipher::SealingKey,
}

impl LedgerRun {
    pub(crate) fn derive(payload_key: &Secret, hash: &[u8; 32], salt: &[u8; 32]) -> Option<Self> {
        let key = |label: &[u8]| {
            let key = cipher::derive(salt, &**payload_key, &[label, hash])?;
            cipher::SealingKey::new(Algorithm::default(), &key)
        };
        Some(Self { payload: key(b"menshen/0/payload-run")?, checkpoint: key(b"menshen/0/checkpoint-run")? })
    }
}

/// What is known of a segment while the store is open.
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) hash: [u8; 32],
    /// Where the next frame goes.
    pub(crate) end: u64,
    /// The length of the file, which may be ahead of `end` with zeros.
    pub(crate) allocated: u64,
    /// The next sequence number.
    pub(crate) next: u64,
    /// Whole records and entries found or written.
    pub(crate) records: u64,
    /// Sequence numbers that nobody will ever read: lost, or past their time.
    pub(crate) gaps: Ranges,
    /// Places of some records, to begin reading near a cursor.
    pub(crate) places: BTreeMap<u64, Position>,
    /// Whether records may be appended: the tail was whole, and no write failed.
    pub(crate) clean: bool,
    /// Its last sync failed: the file is to be written anew.
    pub(crate) suspect: bool,
    pub(crate) unsynced: bool,
    pub(crate) file: Option<Arc<dyn DiskFile>>,
    pub(crate) run: Option<Run>,
    pub(crate) used: u64,
    /// Where its last mark stands, and the syncs since.
    pub(crate) marked: u64,
    pub(crate) syncs: u32,
}

/// A place in the segment up to which it was scanned and whole when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) place: Position,
    pub(crate) records: u64,
}

/// What a scan found beside the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanReport {
    pub(crate) lost: u64,
    pub(crate) torn_bytes: u64,
}

impl Segment {
    pub(crate) fn new(header: Header) -> Self {
        let hash = header.hash();
        Self {
            header,
            hash,
            end: HEADER as u64,
            allocated: 0,
            next: 0,
            records: 0,
            gaps: Ranges::default(),
            places: BTreeMap::new(),
            clean: true,
            suspect: false,
            unsynced: false,
            file: None,
            run: None,
            used: 0,
            marked: HEADER as u64,
            syncs: 0,
        }
    }

    /// Remembers every 64th place.
    pub(crate) fn note(&mut self, place: Position) {
        if place.sequence.is_multiple_of(STRIDE) {
            self.places.insert(place.sequence, place);
        }
    }

    /// Whether nothing more is appended, and another segment follows.
    pub(crate) fn is_full(&self, options: &Options) -> bool {
        self.end >= options.segment_bytes
    }

    /// Whether another record may go into it.
    pub(crate) fn takes_more(&self, options: &Options) -> bool {
        // A planted frame may have used up the numbers of this file.
        self.clean && !self.suspect && !self.is_full(options) && self.next < MAX_COUNT - 1
    }

    /// Counts a record that was written behind its end, by the store's so many-th append.
    pub(crate) fn took(&mut self, bytes: u64, append: u64) -> RecordId {
        let id = RecordId { segment: self.header.id, sequence: self.next };
        self.end += bytes;
        self.next += 1;
        self.records += 1;
        (self.unsynced, self.used) = (true, append);
        id
    }

    /// Where to begin reading for a sequence number.
    pub(crate) fn place_before(&self, sequence: u64) -> Position {
        let start = Position { sequence: 0, offset: HEADER as u64, run: HEADER as u64 };
        self.places.range(..=sequence).next_back().map_or(start, |(_, place)| *place)
    }

    pub(crate) fn mark(&self) -> Mark {
        let run = self.run.as_ref().map_or(HEADER as u64, |run| run.offset);
        Mark { place: Position { sequence: self.next, offset: self.end, run }, records: self.records }
    }

    /// Walks through the frames behind the last mark, without a key, and finds where the file ends.
    pub(crate) fn scan(&mut self, file: &dyn DiskFile, mark: Option<Mark>) -> Result<ScanReport, DiskError> {
        self.allocated = file.length()?;
        let mut report = ScanReport::default();
        let trusted = mark.filter(|mark| mark.place.offset <= self.allocated);
        let mut run = HEADER as u64;
        if let Some(mark) = trusted {
            (self.next, self.records, run) = (mark.place.sequence, mark.records, mark.place.run);
            self.marked = mark.place.offset;
            self.places.insert(mark.place.sequence, mark.place);
        }
        let begin = trusted.map_or(HEADER as u64, |mark| mark.place.offset);
        let mut reader = FrameReader::new(file, begin)?;
        loop {
            match reader.next()? {
                Step::Frame(found) => match found.kind {
                    Kind::Run => {
                        if found.offset != run + RUN_FRAME {
                            run = found.offset;
                        }
                        // A run says where it goes on, so that what was lost just before it is counted too.
                        if found.sequence > self.next {
                            let begins = self.records == 0 && found.offset == HEADER as u64;
                            report.lost =
                                report.lost.saturating_add(if begins { 0 } else { found.sequence - self.next });
                            self.gaps.insert(self.next, found.sequence);
                            self.next = found.sequence;
                        }
                    }
                    Kind::Record | Kind::Boxed | Kind::Entry if found.sequence >= self.next => {
                        report.lost = report.lost.saturating_add(found.sequence - self.next);
                        self.gaps.insert(self.next, found.sequence);
                        self.note(Position { sequence: found.sequence, offset: found.offset, run });
                        self.next = found.sequence.saturating_add(1);
                        self.records += 1;
                    }
                    // A ledger counts anew from its last head where a batch was not finished.
                    Kind::Entry => self.records += 1,
                    Kind::Record | Kind::Boxed | Kind::Head | Kind::Manifest | Kind::Payload | Kind::Checkpoint => {}
                },
                Step::Damage => self.clean = false,
                Step::End { end, torn } => {
                    self.end = end;
                    report.torn_bytes = torn;
                    self.clean &= torn == 0 && end >= HEADER as u64;
                    break;
                }
            }
        }
        if let Some(mark) = mark
            && mark.place.sequence > self.next
        {
            report.lost += mark.place.sequence - self.next;
            self.skip_to(mark.place.sequence);
        }
        Ok(report)
    }

    /// Never gives a sequence number again below this one: somebody acknowledged it, so it was there.
    pub(crate) fn skip_to(&mut self, sequence: u64) {
        if sequence > self.next {
            self.gaps.insert(self.next, sequence);
            self.next = sequence;
            self.clean = false;
        }
    }
}
