//! Reading: records in the order of their segments, unsealed, without those that ended or were delivered.

use std::collections::HashSet;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::append::PREFIX;
use crate::bytes::Reader;
use crate::cipher::{self, Algorithm, SealingKey, Secret};
use crate::cursor::Position;
use crate::effects::{DiskError, DiskFile, Now};
use crate::error::{At, Error};
use crate::forgeries::Tries;
use crate::frame::{FrameReader, Kind, Step};
use crate::journal::{Inner, Journal};
use crate::names::{Domain, Expiry, Label, Lane, RecordId};
use crate::ranges::Ranges;
use crate::segment::{self, RUN_FRAME, RunHeader, Sealing, Segment, aad, run_key};

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// Whose progress counts.
    pub endpoint: Label,
    /// Of which lane.
    pub lane: Lane,
    /// Of which domains.
    pub domains: &'a [Domain],
    /// At most so many records.
    pub max_records: usize,
    /// At most so many bytes of bodies; one record comes back even if it is larger.
    pub max_bytes: usize,
    /// Records not to return: they are under way.
    pub skip: &'a HashSet<RecordId>,
}

/// A record, unsealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Names it when it is acknowledged.
    pub id: RecordId,
    /// Whose it is.
    pub domain: Domain,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: i64,
    /// Its content, wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("id", &self.id).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// What a read gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The records, oldest segment first, in their order.
    pub records: Vec<Record>,
    /// Records met that are damaged and were not known to be.
    pub damaged: u64,
    /// Records met that have ended.
    pub expired: u64,
    /// Records met that were sealed with another key. They are left alone.
    pub wrong_key: u64,
    /// Segments passed over because their domain is closed or cannot be unlocked now, or their slice's secret is
    /// gone.
    pub locked: u64,
}

impl Journal {
    /// The next records for an endpoint. None has ended, was acknowledged or refused for the endpoint, or is of a
    /// domain that is closed. Domains are unlocked at first use.
    ///
    /// # Errors
    /// The disk failed.
    pub fn read_batch(&self, read: &Read<'_>) -> Result<Batch, Error> {
        let _scrubbed = cipher::Scrubbed;
        self.proven_with(read.domains)?.read_batch(read)
    }

    /// Whole records of a domain on disk, those already delivered but not yet removed included.
    #[must_use]
    pub fn count(&self, domain: &Domain) -> u64 {
        let inner = self.inner();
        let of_domain = inner.segments.values().filter(|segment| segment.header.slice.domain == *domain);
        of_domain.map(|segment| segment.records).sum()
    }

    /// Records of a domain that an endpoint has neither acknowledged nor refused, as far as that can be known
    /// without unsealing them.
    #[must_use]
    pub fn pending(&self, endpoint: Label, domain: &Domain) -> u64 {
        let inner = self.inner();
        let of_domain = inner.segments.iter().filter(|(_, segment)| segment.header.slice.domain == *domain);
        of_domain.map(|(id, segment)| inner.pending_of(*id, segment, endpoint)).sum()
    }
}

/// The key of the run whose frames are being read.
enum RunKey {
    Good { first: u64, key: SealingKey },
    Wrong,
    Unknown,
}

/// Unseals what runs of one segment sealed.
pub(crate) struct Unsealer {
    slice_key: Secret,
    algorithm: Algorithm,
    hash: [u8; 32],
    run: RunKey,
    run_offset: u64,
    /// Of the segment's domain.
    pub(crate) tries: Tries,
}

/// Why a sealed body did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsealing {
    Damaged,
    WrongKey,
    /// Too many did not open before it.
    Locked,
}

impl Unsealer {
    pub(crate) fn new(slice_key: Secret, segment: &Segment, tries: Tries) -> Self {
        let hash = segment.hash;
        let algorithm = match segment.header.sealing {
            Sealing::Here(algorithm) => algorithm,
            // It has no runs, so that nothing in it opens.
            Sealing::Boxed(_) => Algorithm::default(),
        };
        Self { slice_key, algorithm, hash, run: RunKey::Unknown, run_offset: 0, tries }
    }

    /// Takes in a run's header; the second copy changes nothing.
    pub(crate) fn enter(&mut self, offset: u64, first: u64, body: &[u8]) {
        if offset == self.run_offset + RUN_FRAME && !matches!(self.run, RunKey::Unknown) {
            return;
        }
        self.run_offset = offset;
        self.run = RunKey::Unknown;
        let Some(header) = RunHeader::decode(first, body) else { return };
        let Some((key, commitment)) = run_key(&self.slice_key, &self.hash, &header.salt) else { return };
        self.run = if !cipher::same(&commitment, &header.commitment) {
            RunKey::Wrong
        } else {
            SealingKey::new(self.algorithm, &key).map_or(RunKey::Unknown, |key| RunKey::Good { first, key })
        };
    }

    /// Finds the header of the run that wrote at a place, of which one copy may be damaged.
    pub(crate) fn enter_at(&mut self, file: &dyn DiskFile, offset: u64) -> Result<Option<RunHeader>, DiskError> {
        let mut reader = FrameReader::new(file, offset)?;
        for _ in 0..2 {
            if let Step::Frame(found) = reader.next()? {
                if found.kind == Kind::Run && found.offset <= offset + RUN_FRAME {
                    self.enter(offset, found.sequence, reader.body(&found));
                    return Ok(RunHeader::decode(found.sequence, reader.body(&found)));
                }
                return Ok(None);
            }
        }
        Ok(None)
    }

    pub(crate) fn run_offset(&self) -> u64 {
        self.run_offset
    }

    pub(crate) fn open(&mut self, kind: Kind, sequence: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealing> {
        match &self.run {
            RunKey::Wrong => Err(Unsealing::WrongKey),
            RunKey::Unknown => Err(Unsealing::Damaged),
            RunKey::Good { first, key } => {
                let counter = sequence.checked_sub(*first).ok_or(Unsealing::Damaged)?;
                let aad = aad(&self.hash, kind, sequence, sealed.len());
                self.tries.open(key, counter, &aad, sealed)
            }
        }
    }
}

/// What is sealed with a record's body.
struct Plain {
    expiry: Expiry,
    body: Zeroizing<Vec<u8>>,
}

impl Plain {
    fn read(mut plain: Zeroizing<Vec<u8>>) -> Option<Self> {
        let mut read = Reader(&plain);
        let at_ms = i64::from_le_bytes(read.array()?);
        let made = Now { wall_ms: 0, boot: read.u32()?, since_boot_ms: read.u64()? };
        let expiry = Expiry { at_ms, bucket_ms: 0, made, lives_ms: read.u64()? };
        let length = usize::try_from(read.u32()?).ok()?;
        read.bytes(length)?;
        // The body moves to the front of the bytes that were opened: one copy of it, wiped with the rest.
        plain.copy_within(PREFIX..PREFIX + length, 0);
        plain.truncate(length);
        Some(Self { expiry, body: plain })
    }
}

impl Inner {
    pub(crate) fn pending_of(&self, id: u64, segment: &Segment, endpoint: Label) -> u64 {
        if segment.header.boxed_for().is_some_and(|of| of != endpoint) {
            return 0;
        }
        let up_to = self.cursors.up_to(id, endpoint).min(segment.next);
        let state = &self.manifest.state;
        let said = [state.delivered.get(&(id, endpoint)), state.refused.get(&(id, endpoint))];
        let mut said = said.into_iter().flatten().filter(|ranges| !ranges.is_empty()).peekable();
        let done = if said.peek().is_none() {
            segment.gaps.count_within(up_to, segment.next)
        } else {
            let mut done = segment.gaps.clone();
            said.flat_map(Ranges::iter).for_each(|(start, end)| done.insert(start, end));
            done.count_within(up_to, segment.next)
        };
        segment.next - up_to - done
    }

    pub(crate) fn is_done(&self, segment: &Segment, endpoint: Label, sequence: u64) -> bool {
        let key = (segment.header.id, endpoint);
        let state = &self.manifest.state;
        segment.gaps.contains(sequence)
            || sequence < self.cursors.up_to(key.0, endpoint)
            || state.delivered.get(&key).is_some_and(|ranges| ranges.contains(sequence))
            || state.refused.get(&key).is_some_and(|ranges| ranges.contains(sequence))
    }

    fn read_batch(&mut self, read: &Read<'_>) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        let mut room = Room::of(read);
        let now = self.effects.clock.now();
        let wanted = |segment: &Segment| {
            let slice = &segment.header.slice;
            let is_here = matches!(segment.header.sealing, Sealing::Here(_));
            is_here && slice.lane == read.lane && read.domains.contains(&slice.domain)
        };
        let ids: Vec<u64> = self.segments.iter().filter(|(_, segment)| wanted(segment)).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(segment) = self.segments.get(&id) else { continue };
            if self.pending_of(id, segment, read.endpoint) == 0 {
                continue;
            }
            let (slice, label) = (segment.header.slice, segment.header.label);
            let key = match self.slice_key(&slice, label) {
                Ok(Some(key)) => key,
                Ok(None) | Err(Error::Closed | Error::Key(_) | Error::TooManyForgeries) => {
                    batch.locked += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let unsealer = Unsealer::new(key, segment, self.tries(&slice.domain));
            let mut records = Records { domain: slice.domain, unsealer, now, batch, room };
            let walked = self.walk(id, read, &mut records);
            let tries = records.unsealer.tries;
            (batch, room) = (records.batch, records.room);
            self.note_tries(&slice.domain, tries);
            let Some(Walked { damaged, is_whole }) = walked.at("read a segment")? else { continue };
            batch.damaged = batch.damaged.saturating_add(damaged);
            if !is_whole {
                break;
            }
        }
        self.damaged += batch.damaged;
        Ok(batch)
    }

    /// Shows the frames of a segment that an endpoint has not passed, in their order. What is learnt on the way is noted
    /// in the segment.
    pub(crate) fn walk(
        &mut self,
        id: u64,
        read: &Read<'_>,
        visitor: &mut impl Visitor,
    ) -> Result<Option<Walked>, DiskError> {
        // Taken out while it is read.
        let Some(mut segment) = self.segments.remove(&id) else { return Ok(None) };
        let walked = self.walk_through(&mut segment, read, visitor);
        self.segments.insert(id, segment);
        walked.map(Some)
    }

    fn walk_through<V: Visitor>(
        &self,
        segment: &mut Segment,
        read: &Read<'_>,
        visitor: &mut V,
    ) -> Result<Walked, DiskError> {
        let id = segment.header.id;
        let file = match &segment.file {
            Some(file) => Arc::clone(file),
            None => self.disk.open(&segment::name(id))?,
        };
        let place = segment.place_before(self.cursors.up_to(id, read.endpoint));
        let (mut expected, mut damaged) = (place.sequence, 0_u64);
        visitor.begin(file.as_ref(), &place)?;
        let mut reader = FrameReader::new(file.as_ref(), place.offset)?;
        loop {
            let found = match reader.next()? {
                Step::Frame(found) => found,
                Step::Damage => continue,
                Step::End { .. } => break,
            };
            if found.kind == Kind::Run {
                visitor.run(found.offset, found.sequence, reader.body(&found));
                continue;
            }
            let sequence = found.sequence;
            if found.kind != V::KIND || sequence < expected || sequence >= segment.next {
                continue;
            }
            damaged = damaged.saturating_add(lose(segment, expected, sequence));
            expected = sequence.saturating_add(1);
            segment.note(Position { sequence, offset: found.offset, run: visitor.run_offset() });
            let record = RecordId { segment: id, sequence };
            if self.is_done(segment, read.endpoint, sequence) || read.skip.contains(&record) {
                continue;
            }
            match visitor.record(segment, record, reader.body(&found)) {
                Visit::Passed => {}
                Visit::Lost => damaged = damaged.saturating_add(lose(segment, sequence, sequence.saturating_add(1))),
                Visit::Ended => segment.gaps.insert(sequence, sequence.saturating_add(1)),
                Visit::Enough => return Ok(Walked { damaged, is_whole: false }),
            }
        }
        damaged = damaged.saturating_add(lose(segment, expected, segment.next));
        Ok(Walked { damaged, is_whole: true })
    }
}

/// What a reading does with the frames of a segment.
pub(crate) trait Visitor {
    /// The kind of frame that it reads.
    const KIND: Kind;

    /// Begins at a place within the file.
    fn begin(&mut self, _file: &dyn DiskFile, _place: &Position) -> Result<(), DiskError> {
        Ok(())
    }

    /// A run's header.
    fn run(&mut self, _offset: u64, _first: u64, _body: &[u8]) {}

    /// Where the run's header stands.
    fn run_offset(&self) -> u64 {
        segment::HEADER as u64
    }

    /// A record that is wanted.
    fn record(&mut self, segment: &Segment, id: RecordId, body: &[u8]) -> Visit;
}

/// What became of a record that was shown.
pub(crate) enum Visit {
    /// It was taken, or left where it is.
    Passed,
    /// Nobody will ever read it.
    Lost,
    /// Its time is over.
    Ended,
    /// There is no room for it, nor for any behind it.
    Enough,
}

/// What a walk met.
pub(crate) struct Walked {
    /// Records that are lost and were not known to be.
    pub(crate) damaged: u64,
    /// Whether it came to the end.
    pub(crate) is_whole: bool,
}

/// How much more one call may give.
pub(crate) struct Room {
    records: usize,
    bytes: usize,
    is_untouched: bool,
}

impl Room {
    pub(crate) fn of(read: &Read<'_>) -> Self {
        Self { records: read.max_records, bytes: read.max_bytes, is_untouched: true }
    }

    pub(crate) fn is_left(&self) -> bool {
        self.records > 0
    }

    /// Takes room for so many bytes, if it is there. The first one always fits.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.is_left() && (bytes <= self.bytes || self.is_untouched);
        if fits {
            self.records -= 1;
            self.bytes = self.bytes.saturating_sub(bytes);
            self.is_untouched = false;
        }
        fits
    }
}

/// Unseals records into a batch.
struct Records {
    domain: Domain,
    unsealer: Unsealer,
    now: Now,
    batch: Batch,
    room: Room,
}

impl Visitor for Records {
    const KIND: Kind = Kind::Record;

    fn begin(&mut self, file: &dyn DiskFile, place: &Position) -> Result<(), DiskError> {
        if place.offset > segment::HEADER as u64 {
            self.unsealer.enter_at(file, place.run)?;
        }
        Ok(())
    }

    fn run(&mut self, offset: u64, first: u64, body: &[u8]) {
        self.unsealer.enter(offset, first, body);
    }

    fn run_offset(&self) -> u64 {
        self.unsealer.run_offset()
    }

    fn record(&mut self, _segment: &Segment, id: RecordId, body: &[u8]) -> Visit {
        if !self.room.is_left() {
            return Visit::Enough;
        }
        let plain = match self.unsealer.open(Kind::Record, id.sequence, body) {
            Ok(plain) => plain,
            Err(Unsealing::WrongKey) => {
                self.batch.wrong_key += 1;
                return Visit::Passed;
            }
            Err(Unsealing::Locked) => return Visit::Passed,
            Err(Unsealing::Damaged) => return Visit::Lost,
        };
        let Some(Plain { expiry, body }) = Plain::read(plain) else { return Visit::Lost };
        if expiry.is_over(&self.now) {
            self.batch.expired += 1;
            return Visit::Ended;
        }
        if !self.room.take(body.len()) {
            return Visit::Enough;
        }
        self.batch.records.push(Record { id, domain: self.domain, expires_ms: expiry.at_ms, body });
        Visit::Passed
    }
}

/// Notes that these records will never be read; how many of them were not known to be lost.
pub(crate) fn lose(segment: &mut Segment, from: u64, to: u64) -> u64 {
    let known = segment.gaps.count_within(from, to);
    segment.gaps.insert(from, to);
    to.saturating_sub(from).saturating_sub(known)
}
