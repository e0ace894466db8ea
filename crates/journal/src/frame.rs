//! Frames: the unit that is written, checked and found again after damage.
//!
//! `magic 2 | sequence 8 | length 4 | crc32c 4 | body`. The checksum covers everything but itself. It tells a torn
//! or rotten frame from a whole one without a key; what keeps an attacker out is the seal inside the body.

use std::ops::Range;

use crate::bytes::{Reader, is_zero, joined};
use crate::effects::{DiskError, DiskFile};

/// Length of a frame's header.
pub(crate) const HEADER: usize = 18;
/// The longest body: a record of 1 MiB with its padding and tag.
pub(crate) const MAX_BODY: usize = 1024 * 1024 + 1024;
/// Sequence numbers stay below this, so that sums of them never wrap.
const MAX_SEQUENCE: u64 = 1 << 48;
/// How much is read at once: little at first, as often only a few frames are wanted, then more each time.
const WINDOWS: std::ops::RangeInclusive<usize> = 4 * 1024..=64 * 1024;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Record,
    Entry,
    Head,
    Manifest,
    Checkpoint,
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
            Self::Payload => [0xD6, 0x50],
        }
    }

    fn of(magic: [u8; 2]) -> Option<Self> {
        let kinds = [Self::Record, Self::Run, Self::Entry, Self::Head, Self::Manifest, Self::Checkpoint];
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
    let read = (|| Some((fields.array::<2>()?, fields.u64()?, fields.u32()?, fields.u32()?)))();
    let Some((magic, sequence, length, sum)) = read else { return Parsed::Bad };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some(kind) = Kind::of(magic) else { return Parsed::Bad };
    if length > MAX_BODY || sequence >= MAX_SEQUENCE {
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
}

impl<'a> FrameReader<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, offset: u64) -> Result<Self, DiskError> {
        let length = file.length()?;
        Ok(Self { file, length, window: Vec::new(), ahead: *WINDOWS.start(), start: offset.min(length), at: 0 })
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

    fn resync(&mut self) -> Result<Step, DiskError> {
        self.load(u64::MAX)?;
        let rest = self.rest();
        let end = self.offset();
        if is_zero(rest) {
            return Ok(Step::End { end, torn: 0 });
        }
        let next = (1..rest.len()).find(|at| {
            let rest = rest.get(*at..).unwrap_or(&[]);
            rest.first() == Some(&0xD6) && matches!(parse(rest), Parsed::Whole { .. })
        });
        if let Some(next) = next {
            self.at += next;
            return Ok(Step::Damage);
        }
        let torn = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        Ok(Step::End { end, torn })
    }
}
