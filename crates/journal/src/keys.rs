//! The file `keys`: slots of 512 bytes, each kept twice, in blocks of 4 KiB apart. Written in place.
//!
//! It holds the store's id, wrapped domain secrets, slice secrets, sealed ledger seeds, and the names of labels.
//! Destroying one means overwriting both copies with zeros.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::bytes::{Reader, Writer, checked, is_zero};
use crate::cipher::Secret;
use crate::effects::{Disk, DiskError, DiskFile};
use crate::names::{Alias, Domain, Label, LabelKind, Lane, Slice};
use crate::segment::FORMAT;

const FILE: &str = "keys";
const SLOT: usize = 512;
/// Slots in a chunk: 4 KiB of first copies, then 4 KiB of second ones.
const PER_CHUNK: usize = 8;
const CHUNK: usize = 2 * PER_CHUNK * SLOT;
/// How long the file may be. A real one is far below this; what is longer was not written here.
const LONGEST: usize = 64 * 1024 * 1024;
/// The longest wrapped secret that fits a slot beside the longest alias.
pub(crate) const MAX_WRAPPED: usize = 320;
/// The longest name of a label.
pub(crate) const MAX_NAME: usize = 256;

/// What one slot holds.
#[derive(Clone)]
pub(crate) enum Slot {
    Store([u8; 16]),
    /// The store is of another format, which is not for this version to touch.
    Foreign,
    Domain {
        domain: Domain,
        alias: Alias,
        wrapped: Vec<u8>,
        commitment: [u8; 32],
    },
    Slice {
        slice: Slice,
        label: u64,
        secret: Secret,
    },
    Label {
        kind: LabelKind,
        label: Label,
        name: String,
    },
    Ledger {
        domain: Domain,
        public_key: [u8; 32],
        sealed_seed: Vec<u8>,
    },
    /// Protects the erasable half of a ledger's entries.
    Payload {
        domain: Domain,
        label: u64,
        secret: Secret,
    },
    /// A key that no domain has yet.
    Spare {
        alias: Alias,
        wrapped: Vec<u8>,
        commitment: [u8; 32],
    },
}

impl Slot {
    fn encode(&self, generation: u64) -> Zeroizing<Vec<u8>> {
        let mut out = Writer(Vec::with_capacity(SLOT));
        let number: u8 = match self {
            Self::Store(_) | Self::Foreign => 1,
            Self::Domain { .. } => 2,
            Self::Slice { .. } => 3,
            Self::Label { .. } => 4,
            Self::Ledger { .. } => 5,
            Self::Payload { .. } => 6,
            Self::Spare { .. } => 7,
        };
        out.u8(number).u64(generation);
        match self {
            Self::Foreign => {}
            Self::Store(id) => {
                out.bytes(id).u8(FORMAT);
            }
            Self::Domain { domain, alias, wrapped, commitment } => {
                write_domain(&mut out, domain);
                out.short(alias.as_str().as_bytes()).short(wrapped).bytes(commitment);
            }
            Self::Slice { slice, label, secret } => {
                write_domain(&mut out, &slice.domain);
                out.u8(slice.lane.number()).u64(slice.width).u64(slice.bucket).u32(slice.generation);
                out.u64(*label).bytes(&**secret);
            }
            Self::Label { kind, label, name } => {
                out.u8(kind.number()).u64(label.number()).short(name.as_bytes());
            }
            Self::Ledger { domain, public_key, sealed_seed } => {
                write_domain(&mut out, domain);
                out.bytes(public_key).short(sealed_seed);
            }
            Self::Spare { alias, wrapped, commitment } => {
                out.short(alias.as_str().as_bytes()).short(wrapped).bytes(commitment);
            }
            Self::Payload { domain, label, secret } => {
                write_domain(&mut out, domain);
                out.u64(*label).bytes(&**secret);
            }
        }
        out.0.resize(SLOT - 4, 0);
        out.checksum();
        Zeroizing::new(out.0)
    }

    fn decode(bytes: &[u8]) -> Option<(u64, Self)> {
        let mut read = Reader(checked(bytes)?);
        let number = read.u8()?;
        let generation = read.u64()?;
        let slot = match number {
            1 => {
                let id = read.array()?;
                if read.u8()? == FORMAT { Self::Store(id) } else { Self::Foreign }
            }
            2 => {
                let domain = read_domain(&mut read)?;
                let alias = Alias::parse(std::str::from_utf8(read.short()?).ok()?).ok()?;
                Self::Domain { domain, alias, wrapped: read.short()?.to_vec(), commitment: read.array()? }
            }
            3 => {
                let domain = read_domain(&mut read)?;
                let lane = Lane::from_number(read.u8()?)?;
                let slice = Slice { domain, lane, width: read.u64()?, bucket: read.u64()?, generation: read.u32()? };
                Self::Slice { slice, label: read.u64()?, secret: Secret::of(read.bytes(32)?)? }
            }
            4 => {
                let kind = LabelKind::from_number(read.u8()?)?;
                // No name has the number of what is essential.
                let label = Some(Label::from_number(read.u64()?)).filter(|label| *label != Label::ESSENTIAL)?;
                Self::Label { kind, label, name: std::str::from_utf8(read.short()?).ok()?.to_owned() }
            }
            5 => {
                let domain = read_domain(&mut read)?;
                Self::Ledger { domain, public_key: read.array()?, sealed_seed: read.short()?.to_vec() }
            }
            6 => {
                let domain = read_domain(&mut read)?;
                Self::Payload { domain, label: read.u64()?, secret: Secret::of(read.bytes(32)?)? }
            }
            7 => {
                let alias = Alias::parse(std::str::from_utf8(read.short()?).ok()?).ok()?;
                Self::Spare { alias, wrapped: read.short()?.to_vec(), commitment: read.array()? }
            }
            _ => return None,
        };
        Some((generation, slot))
    }
}

pub(crate) fn write_domain(out: &mut Writer, domain: &Domain) {
    out.u64(domain.account.number()).u64(domain.purpose.number()).u64(domain.epoch);
}

pub(crate) fn read_domain(read: &mut Reader<'_>) -> Option<Domain> {
    let account = Label::from_number(read.u64()?);
    Some(Domain { account, purpose: Label::from_number(read.u64()?), epoch: read.u64()? })
}

enum State {
    Free,
    Live,
    /// Its destruction was begun: it protects nothing new, and is destroyed again until that is done.
    Dying(Slot),
    /// Neither copy can be read; kept as it is.
    Damaged,
}

/// The file and what is in it.
pub(crate) struct KeyTable {
    disk: Arc<dyn Disk>,
    file: Option<Arc<dyn DiskFile>>,
    slots: Vec<State>,
    /// What the live slots hold, by generation and place: which is the newest is asked all the time.
    live: BTreeMap<(u64, usize), Slot>,
    /// Whether a free slot holds what is left of something.
    unfinished: bool,
    generation: u64,
}

impl KeyTable {
    /// Reads the file; an absent one is an empty table.
    pub(crate) fn load(disk: &Arc<dyn Disk>) -> Result<Self, DiskError> {
        let mut table = Self {
            disk: Arc::clone(disk),
            file: None,
            slots: Vec::new(),
            live: BTreeMap::new(),
            unfinished: false,
            generation: 1,
        };
        let file = match disk.open(FILE) {
            Ok(file) => file,
            Err(DiskError::NotFound) => return Ok(table),
            Err(error) => return Err(error),
        };
        let length = usize::try_from(file.length()?.min(LONGEST as u64)).unwrap_or(0);
        let mut bytes = Zeroizing::new(vec![0; length.next_multiple_of(CHUNK)]);
        let (read, _) = bytes.split_at_mut_checked(length).unwrap_or_default();
        if file.read_at(0, read)? < length {
            // What was not read is not free to be written over.
            return Err(DiskError::Io);
        }
        for chunk in bytes.chunks(CHUNK) {
            let (first, second) = chunk.split_at_checked(PER_CHUNK * SLOT).unwrap_or_default();
            for (one, other) in first.chunks(SLOT).zip(second.chunks(SLOT)) {
                let newest = [Slot::decode(one), Slot::decode(other)].into_iter().flatten().max_by_key(|(g, _)| *g);
                table.slots.push(match newest {
                    Some((generation, slot)) => {
                        table.generation = table.generation.max(generation.saturating_add(1));
                        table.live.insert((generation, table.slots.len()), slot);
                        State::Live
                    }
                    // One copy is written whole before the other begins: what is on one side only was never
                    // finished, or is being destroyed.
                    None if is_zero(one) || is_zero(other) => {
                        table.unfinished |= !is_zero(one) || !is_zero(other);
                        State::Free
                    }
                    None => State::Damaged,
                });
            }
        }
        // A process that was killed may have left slots that only the system's memory has.
        file.sync()?;
        table.file = Some(file);
        Ok(table)
    }

    /// Every slot that can be read, the newest of equals last.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Slot> {
        self.live.values()
    }

    /// Wipes what it knows; the file stays as it is.
    pub(crate) fn forget(&mut self) {
        self.live.clear();
        self.slots.clear();
    }

    pub(crate) fn damaged(&self) -> u64 {
        self.slots.iter().filter(|state| matches!(state, State::Damaged)).count() as u64
    }

    /// Overwrites what is left in free slots: it may be half of a secret.
    pub(crate) fn scrub(&mut self) -> Result<(), DiskError> {
        let Some(file) = self.file.as_ref().filter(|_| self.unfinished) else { return Ok(()) };
        for (index, _) in self.slots.iter().enumerate().filter(|(_, state)| matches!(state, State::Free)) {
            write_both(file.as_ref(), index, &[0; SLOT])?;
        }
        file.sync()?;
        self.unfinished = false;
        Ok(())
    }

    /// Writes a slot, twice, and syncs it.
    pub(crate) fn put(&mut self, slot: Slot) -> Result<(), DiskError> {
        if self.file.is_none() {
            let file = match self.disk.create(FILE) {
                Err(DiskError::AlreadyExists) => self.disk.open(FILE)?,
                other => other?,
            };
            self.disk.sync_folder("")?;
            self.file = Some(file);
        }
        let Some(file) = &self.file else { return Err(DiskError::Io) };
        let index = match self.slots.iter().position(|state| matches!(state, State::Free)) {
            Some(index) => index,
            None => {
                let start = self.slots.len() / PER_CHUNK * CHUNK;
                if start + CHUNK > LONGEST {
                    // Behind that nobody would read it.
                    return Err(DiskError::Full);
                }
                file.write_at(start as u64, &[0; CHUNK])?;
                self.slots.extend((0..PER_CHUNK).map(|_| State::Free));
                self.slots.len() - PER_CHUNK
            }
        };
        let generation = self.generation;
        self.generation = self.generation.saturating_add(1);
        let bytes = slot.encode(generation);
        let written = write_both(file.as_ref(), index, &bytes).and_then(|()| file.sync());
        if written.is_err() {
            // The system's memory may show the slot though no later sync writes it: the next process must not
            // believe it.
            let _ = write_both(file.as_ref(), index, &[0; SLOT]).and_then(|()| file.sync());
        }
        if let Some(state) = self.slots.get_mut(index) {
            // After an error nobody knows what the slot holds: it is left alone.
            *state = if written.is_ok() { State::Live } else { State::Damaged };
        }
        if written.is_ok() {
            self.live.insert((generation, index), slot);
        }
        written
    }

    /// Overwrites every slot that fits, and syncs once. Says how many there were.
    pub(crate) fn destroy(&mut self, fits: impl Fn(&Slot) -> bool) -> Result<u64, DiskError> {
        let Some(file) = &self.file else { return Ok(0) };
        let chosen: Vec<(u64, usize)> =
            self.live.iter().filter(|(_, slot)| fits(slot)).map(|(place, _)| *place).collect();
        for place in chosen {
            if let (Some(slot), Some(state)) = (self.live.remove(&place), self.slots.get_mut(place.1)) {
                *state = State::Dying(slot);
            }
        }
        let dying = self.slots.iter().enumerate();
        let dying = dying.filter(|(_, state)| matches!(state, State::Dying(slot) if fits(slot)));
        let chosen: Vec<usize> = dying.map(|(index, _)| index).collect();
        if chosen.is_empty() {
            return Ok(0);
        }
        for index in &chosen {
            write_both(file.as_ref(), *index, &[0; SLOT])?;
        }
        file.sync()?;
        for index in &chosen {
            if let Some(state) = self.slots.get_mut(*index) {
                *state = State::Free;
            }
        }
        Ok(chosen.len() as u64)
    }
}

fn write_both(file: &dyn DiskFile, index: usize, bytes: &[u8]) -> Result<(), DiskError> {
    let first = (index / PER_CHUNK * CHUNK + index % PER_CHUNK * SLOT) as u64;
    file.write_at(first, bytes)?;
    file.write_at(first + (PER_CHUNK * SLOT) as u64, bytes)
}
