//! Frames: the unit that is written, checked and found again after damage.
//!
//! `magic 2 | sequence 8 | length 4 | crc32c 4 | body`. The checksum covers everything but itself. It tells a torn
//! or rotten frame from a whole one without a key; what keeps an attacker out is the seal inside the body.

use std::ops::Range;

use crate::bytes::{Reader, joined};
use crate::effects::{DiskError, DiskFile};

/// Length of a frame's header.
pub(crate) const HEADER: usize = 18;
/// The longest body: a record of 1 MiB with its padding and tag.
pub(crate) const MAX_BODY: usize = 1024 * 1024 + 1024;
/// How much is read at once: little at first, as often only a few frames are wanted, then more each time.
const WINDOWS: std::ops::RangeInclusive<usize> = 4 * 1024..=64 * 1024;
/// How much of a file is looked at.
const LONGEST: u64 = 1 << 30;
/// How many bytes are checked in all where a frame may begin. Chance makes few such places; a file in which there is
/// one behind the other was made to keep somebody busy, and what is behind them is not looked for.
const CANDIDATES: usize = 64 * 1024 * 1024;

/// The first byte of every frame.
const MAGIC: u8 = 0xD6;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Record,
    Entry,
    Head,
    Manifest,
    Checkpoint,
    /// A record that a server's key sealed.
    Boxed,
    /// No frame of its own: the second seal in an entry's.
    Payload,
}

impl Kind {
    fn magic(self) -> [u8; 2] {
        match self {
            Self::Run => [0xD6, 0x52],
            Self::Record => [0xD6, 0x44],
            Self::Entry => [0xD6, 0x45],
            Self::Head => [0xD6, 0x48],
            Self::Manifest => [0xD6, 0x4D],
            Self::Checkpoint => [0xD6, 0x43],
            Self::Boxed => [0xD6, 0x42],
            Self::Payload => [0xD6, 0x50],
        }
    }

    fn of(magic: [u8; 2]) -> Option<Self> {
        let kinds = [Self::Record, Self::Run, Self::Entry, Self::Head, Self::Manifest, Self::Checkpoint, Self::Boxed];
        kinds.into_iter().find(|kind| kind.magic() == magic)
    }
}

/// Fills in the header of a frame whose body stands behind 18 free bytes.
pub(crate) fn finish(frame: &mut [u8], kind: Kind, sequence: u64) {
    let Some((header, body)) = frame.split_first_chunk_mut::<HEADER>() else { return };
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let fields: [u8; HEADER - 4] = joined(&[&kind.magic(), &sequence.to_le_bytes(), &length.to_le_bytes()]);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&fields), body);
    *header = joined(&[&fields, &sum.to_le_bytes()]);
}

/// Appends a frame around a body.
pub(crate) fn push(buffer: &mut Vec<u8>, kind: Kind, sequence: u64, body: &[u8]) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER]);
    buffer.extend_from_slice(body);
    if let Some(frame) = buffer.get_mut(start..) {
        finish(frame, kind, sequence);
    }
}

enum Parsed {
    Whole {
        kind: Kind,
        sequence: u64,
        length: usize,
    },
    /// More bytes, this many in all, may make a frame of it.
    Short(usize),
    Bad,
}

fn parse(bytes: &[u8]) -> Parsed {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Parsed::Short(HEADER) };
    let mut fields = Reader(header);
    let read = (|| Some((fields.array::<2>()?, fields.count()?, fields.u32()?, fields.u32()?)))();
    let Some((magic, sequence, length, sum)) = read else { return Parsed::Bad };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some(kind) = Kind::of(magic) else { return Parsed::Bad };
    if length > MAX_BODY {
        return Parsed::Bad;
    }
    let Some(body) = rest.get(..length) else { return Parsed::Short(HEADER + length) };
    let fields = header.split_last_chunk::<4>().map_or(&[][..], |(fields, _)| fields);
    if crc32c::crc32c_append(crc32c::crc32c(fields), body) != sum {
        return Parsed::Bad;
    }
    Parsed::Whole { kind, sequence, length }
}

/// A whole frame, as found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) sequence: u64,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    body: Range<usize>,
}

/// The next thing in a file.
pub(crate) enum Step {
    Frame(Found),
    /// Bytes that are no frame, with a frame behind them.
    Damage,
    /// No frame follows. `torn` bytes behind `end` are neither frame nor zeros.
    End {
        end: u64,
        torn: u64,
    },
}

/// Walks through the frames of a file and finds the next one after damage.
pub(crate) struct FrameReader<'a> {
    file: &'a dyn DiskFile,
    length: u64,
    window: Vec<u8>,
    /// How much the next load reads.
    ahead: usize,
    start: u64,
    at: usize,
    /// What is left of [`CANDIDATES`].
    candidates: usize,
}

impl<'a> FrameReader<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, offset: u64) -> Result<Self, DiskError> {
        // A file with a hole in it may say that it is longer than anything.
        let length = file.length()?.min(LONGEST);
        Ok(Self {
            file,
            length,
            window: Vec::new(),
            ahead: *WINDOWS.start(),
            start: offset.min(length),
            at: 0,
            candidates: CANDIDATES,
        })
    }

    /// Where the next step begins.
    pub(crate) fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    pub(crate) fn body(&self, found: &Found) -> &[u8] {
        self.window.get(found.body.clone()).unwrap_or(&[])
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.at..).unwrap_or(&[])
    }

    /// Moves the window to the current offset; whether it holds more than before.
    fn load(&mut self, want: u64) -> Result<bool, DiskError> {
        let offset = self.offset();
        let held = self.rest().len();
        let left = self.length.saturating_sub(offset);
        let want = usize::try_from(want.min(left)).unwrap_or(usize::MAX);
        if want <= held {
            return Ok(false);
        }
        self.window.resize(want, 0);
        let got = self.file.read_at(offset, &mut self.window)?;
        self.window.truncate(got);
        (self.start, self.at) = (offset, 0);
        Ok(got > held)
    }

    pub(crate) fn next(&mut self) -> Result<Step, DiskError> {
        loop {
            match parse(self.rest()) {
                Parsed::Whole { kind, sequence, length } => {
                    let offset = self.offset();
                    let body = self.at + HEADER..self.at + HEADER + length;
                    self.at = body.end;
                    return Ok(Step::Frame(Found { kind, sequence, offset, body }));
                }
                Parsed::Short(want) => {
                    let ahead = want.max(self.ahead);
                    self.ahead = (4 * self.ahead).min(*WINDOWS.end());
                    if !self.load(ahead as u64)? {
                        return self.resync();
                    }
                }
                Parsed::Bad => return self.resync(),
            }
        }
    }

    /// Looks for the next frame, window by window.
    fn resync(&mut self) -> Result<Step, DiskError> {
        let end = self.offset();
        let mut torn = end;
        loop {
            // One byte on: where the last one began there is none.
            if self.rest().first().is_some_and(|byte| *byte != 0) {
                torn = self.offset() + 1;
            }
            self.at += 1;
            loop {
                let rest = self.rest();
                let found = rest.iter().position(|byte| *byte == MAGIC);
                let passed = rest.get(..found.unwrap_or(rest.len())).unwrap_or(rest);
                if let Some(last) = passed.iter().rposition(|byte| *byte != 0) {
                    torn = self.offset() + last as u64 + 1;
                }
                self.at += passed.len();
                if found.is_some() {
                    break;
                }
                if !self.load(*WINDOWS.end() as u64)? {
                    return Ok(Step::End { end, torn: torn - end });
                }
            }
            if self.is_frame()? {
                return Ok(Step::Damage);
            }
        }
    }

    /// Whether a whole frame begins here.
    fn is_frame(&mut self) -> Result<bool, DiskError> {
        loop {
            let Some(length) = claimed(self.rest()) else { return Ok(false) };
            let Some(left) = self.candidates.checked_sub(length) else { return Ok(false) };
            match parse(self.rest()) {
                Parsed::Whole { .. } => return Ok(true),
                Parsed::Short(want) if self.load(want as u64)? => {}
                Parsed::Short(_) | Parsed::Bad => {
                    self.candidates = left;
                    return Ok(false);
                }
            }
        }
    }
}

/// How long a body would be if a frame began here; too few bytes claim the shortest.
fn claimed(bytes: &[u8]) -> Option<usize> {
    match parse(bytes.get(..HEADER).unwrap_or(bytes)) {
        Parsed::Short(length) => Some(length),
        Parsed::Whole { length, .. } => Some(length),
        Parsed::Bad => None,
    }
}
