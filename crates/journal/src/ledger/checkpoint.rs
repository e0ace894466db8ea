//! Checkpoints: each stands for the entries before it, so that a reading begins there. What the tree goes on from stands in
//! clear; the app's state is sealed in parts under a key that is erased with the payloads.

use zeroize::Zeroizing;

use super::head::{self, Head, LedgerName};
use super::ledger_slice;
use super::read::{Chain, RunKeys, Verdict};
use super::tree::{Frontier, Hash};
use super::write::LedgerTail;
use crate::append::padded;
use crate::bytes::{MAX_COUNT, Reader, Writer};
use crate::cipher::{self, TAG};
use crate::cursor::Position;
use crate::effects::KeyError;
use crate::error::{At, Error};
use crate::forgeries::Tries;
use crate::frame::{self, Kind};
use crate::journal::{Inner, Journal};
use crate::manifest::Entry;
use crate::names::{Domain, Label};
use crate::segment::{LedgerRun, aad};

/// The longest state that a checkpoint takes, in bytes.
pub const MAX_STATE_BYTES: usize = 8 * 1024 * 1024;
/// A state is sealed in parts of at most so many bytes.
const PART: usize = 64 * 1024;
/// A longer state has a segment of its own: those with entries stay small enough to be written anew within the reserve.
const BESIDE_ENTRIES: usize = 16 * 1024;
/// The newest checkpoints that are kept: where one is damaged, the one before it stands in.
const KEPT: usize = 2;

/// What a ledger goes on from behind its first entries: the tree over them, and the signed head that vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerBase {
    /// How many entries it covers.
    pub size: u64,
    /// The roots of the tree's perfect subtrees, the largest first: one for each bit set in the size.
    pub roots: Vec<Hash>,
    /// The last leaf.
    pub leaf: Hash,
    /// The head over them.
    pub head: Head,
}

impl LedgerBase {
    pub(super) fn tree(&self) -> Frontier {
        Frontier { size: self.size, roots: self.roots.clone() }
    }

    /// Whether the head covers exactly this tree, and a key signed it.
    pub(super) fn is_signed(&self, public_key: &[u8; 32], of: &LedgerName) -> bool {
        let tree = self.tree();
        let covers = self.size > 0 && tree.is_whole() && (self.head.size, self.head.root) == (self.size, tree.root());
        covers && self.head.is_signed(public_key, of)
    }

    fn encode(&self, out: &mut Writer) {
        out.u32(u32::try_from(self.roots.len()).unwrap_or(u32::MAX));
        self.roots.iter().for_each(|root| _ = out.bytes(root));
        out.bytes(&self.leaf).bytes(&self.head.encode());
    }

    fn decode(size: u64, read: &mut Reader<'_>) -> Option<Self> {
        let count = usize::try_from(read.u32()?).ok().filter(|count| *count <= 64)?;
        let roots = (0..count).map(|_| read.array()).collect::<Option<Vec<Hash>>>()?;
        let leaf = read.array()?;
        let head = Head::decode(size.checked_sub(1)?, read.bytes(head::ENCODED)?)?;
        Some(Self { size, roots, leaf, head })
    }
}

/// A state that stands for the entries before it.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerCheckpoint {
    /// How many entries it stands for.
    pub size: u64,
    /// The state that was sealed, wiped when dropped.
    pub state: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for LedgerCheckpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerCheckpoint").field("size", &self.size).finish_non_exhaustive()
    }
}

/// One part as it stands in its frame.
pub(super) struct Part<'a> {
    pub(super) parts: u16,
    pub(super) part: u16,
    pub(super) base: LedgerBase,
    /// What stands in clear, and is bound to the seal.
    clear: &'a [u8],
    sealed: &'a [u8],
}

impl<'a> Part<'a> {
    pub(super) fn decode(sequence: u64, body: &'a [u8]) -> Option<Self> {
        let mut read = Reader(body);
        let (parts, part) = (read.u16()?, read.u16()?);
        let base = LedgerBase::decode(sequence, &mut read)?;
        let (clear, sealed) = body.split_at_checked(body.len() - read.0.len())?;
        (part < parts).then_some(Self { parts, part, base, clear, sealed })
    }

    /// Appends what it seals to a state; whether it opened.
    pub(super) fn open(&self, tries: &mut Tries, keys: &RunKeys, hash: &Hash, state: &mut Zeroizing<Vec<u8>>) -> bool {
        let plain = (|| {
            let sequence = self.base.size;
            let counter = counter(self.part, sequence.checked_sub(keys.first)?);
            let bound = [&aad(hash, Kind::Checkpoint, sequence, self.sealed.len())[..], self.clear].concat();
            tries.open(&keys.erasable.as_ref()?.checkpoint, counter, &bound, self.sealed).ok()
        })();
        // What is moved next would carry what ring left on the stack to the heap.
        cipher::scrub_stack();
        let Some(plain) = plain else { return false };
        let mut read = Reader(&plain);
        let piece = read.u32().and_then(|length| read.bytes(usize::try_from(length).ok()?));
        let Some(piece) = piece.filter(|piece| state.len() + piece.len() <= MAX_STATE_BYTES) else { return false };
        if state.capacity() < state.len() + piece.len() {
            // Growing it in place would leave a part of it behind.
            let longest = piece.len().saturating_mul(usize::from(self.parts)).min(MAX_STATE_BYTES);
            let mut longer = Zeroizing::new(Vec::with_capacity(longest.max(state.len() + piece.len())));
            longer.extend_from_slice(state);
            *state = longer;
        }
        state.extend_from_slice(piece);
        true
    }
}

/// Each part has a nonce of its own: no place in a ledger goes beyond the part's bits.
fn counter(part: u16, place: u64) -> u64 {
    debug_assert!(place < MAX_COUNT);
    u64::from(part) << 48 | place
}

impl Journal {
    /// Seals a state of which all entries so far are a part, so that the next [`Journal::ledger_tail`] begins there. It
    /// is a help only: without it the ledger is read from its start, or from the checkpoint before. The two newest are
    /// kept. At most [`MAX_STATE_BYTES`].
    ///
    /// # Errors
    /// As [`Journal::ledger_append`].
    pub fn ledger_checkpoint(&self, account: Label, state: &[u8]) -> Result<(), Error> {
        if state.len() > MAX_STATE_BYTES {
            return Err(Error::TooLarge { limit: MAX_STATE_BYTES });
        }
        let _scrubbed = cipher::Scrubbed;
        self.proven_with_ledger(account)?.ledger_checkpoint(account, state)
    }

    /// Entries behind the last checkpoint, once the ledger was read or appended to.
    #[must_use]
    pub fn entries_since_checkpoint(&self, account: Label) -> u64 {
        self.inner().ledgers.get(&account).map_or(0, |tail| tail.since_checkpoint)
    }

    /// Removes the files of a ledger that are wholly before the last checkpoint but one, and their entries with them, for
    /// good; says how many entries can be read no more. What is left is read from that checkpoint on, whose signed head
    /// vouches for what went: export first what is to be kept. A ledger with fewer checkpoints stays as it is.
    ///
    /// # Errors
    /// The ledger does not verify, or a checkpoint does not open: nothing is removed then; the disk failed.
    pub fn prune_ledger(&self, account: Label) -> Result<u64, Error> {
        let _scrubbed = cipher::Scrubbed;
        self.proven_with_ledger(account)?.prune_ledger(account)
    }
}

impl Inner {
    /// Where the checkpoints of a ledger are, the newest first.
    pub(super) fn checkpoints(&self, domain: &Domain) -> Vec<(u64, Position)> {
        let mut places = Vec::new();
        for id in self.ledger_segments(domain) {
            let of_segment = self.manifest.state.checkpoints.get(&id);
            places.extend(
                of_segment
                    .into_iter()
                    .flat_map(|(newest, before)| std::iter::once(*newest).chain(*before).map(move |place| (id, place))),
            );
        }
        places.sort_unstable_by_key(|(_, place)| std::cmp::Reverse(place.sequence));
        places
    }

    fn ledger_checkpoint(&mut self, account: Label, state: &[u8]) -> Result<(), Error> {
        self.settle_ledger(account)?;
        let mut tail = self.ledger_tail(account)?;
        let written = self.write_checkpoint(&mut tail, state);
        let domain = tail.domain;
        self.ledgers.insert(account, tail);
        written?;
        self.forget_old_checkpoints(&domain)
    }

    fn write_checkpoint(&mut self, tail: &mut LedgerTail, state: &[u8]) -> Result<(), Error> {
        // Its nonces are its place, so that there is one for each.
        let Some(head) = tail.head.clone().filter(|_| tail.since_checkpoint > 0) else { return Ok(()) };
        let id = if state.len() > BESIDE_ENTRIES {
            self.follow_with(ledger_slice(tail.domain), tail.tree.size)?
        } else {
            self.ledger_segment(tail)?
        };
        let Some(segment) = self.segments.get_mut(&id) else { return Err(Error::Io { operation: "append" }) };
        let (Some(run), Some(file)) = (&segment.run, &segment.file) else {
            return Err(Error::Io { operation: "append" });
        };
        let Some(LedgerRun { checkpoint, .. }) = &run.ledger else { return Err(Error::Io { operation: "append" }) };
        let sequence = tail.tree.size;
        let base = LedgerBase { size: sequence, roots: tail.tree.roots.clone(), leaf: tail.leaf, head };
        let mut out = Vec::new();
        let parts = u16::try_from(state.len().div_ceil(PART).max(1)).unwrap_or(u16::MAX);
        let pieces = state.chunks(PART).chain(state.is_empty().then_some(&[][..]));
        for (part, piece) in (0..parts).zip(pieces) {
            let mut body = Writer::default();
            body.u16(parts).u16(part);
            base.encode(&mut body);
            let mut plain = Zeroizing::new(Vec::with_capacity(padded(4 + piece.len())));
            plain.extend_from_slice(&u32::try_from(piece.len()).unwrap_or(u32::MAX).to_le_bytes());
            plain.extend_from_slice(piece);
            plain.resize(padded(4 + piece.len()), 0);
            let bound = [&aad(&segment.hash, Kind::Checkpoint, sequence, plain.len() + TAG)[..], &body.0].concat();
            let tag = checkpoint.seal(counter(part, sequence - run.first), &bound, &mut plain);
            cipher::scrub_stack();
            body.bytes(&plain).bytes(&tag.ok_or(Error::Key(KeyError::Suspect))?);
            frame::push(&mut out, Kind::Checkpoint, sequence, &body.0);
        }
        let place = segment.mark().place;
        if let Err(error) = file.write_at(place.offset, &out).and_then(|()| file.sync()) {
            (segment.run, segment.clean, segment.suspect) = (None, false, true);
            return Err(Error::from_disk(error, "append to the ledger"));
        }
        segment.end += out.len() as u64;
        segment.unsynced = false;
        // Entries of a batch that was not finished may stand there; they do not count.
        segment.next = tail.tree.size;
        let mark = segment.mark();
        self.bytes += out.len() as u64;
        tail.since_checkpoint = 0;
        let _ = self.manifest.append(&Entry::Mark { segment: id, mark });
        self.manifest.append(&Entry::Checkpoint { segment: id, place }).at("write the manifest")?;
        self.extend_tail(id);
        Ok(())
    }

    /// Removes the segments that hold nothing but a checkpoint which newer ones took the place of. The first segment stays:
    /// what is left of a pruned ledger begins there.
    fn forget_old_checkpoints(&mut self, domain: &Domain) -> Result<(), Error> {
        let kept: Vec<u64> = self.checkpoints(domain).into_iter().take(KEPT).map(|(id, _)| id).collect();
        let mut ids = self.ledger_segments(domain);
        let active = self.active.get(&(ledger_slice(*domain), None)).copied();
        ids.retain(|id| self.segments.get(id).is_some_and(|s| s.holds_no_entry()) && Some(*id) != active);
        let first = self.ledger_segments(domain).first().copied();
        ids.retain(|id| !kept.contains(id) && Some(*id) != first);
        if ids.is_empty() {
            return Ok(());
        }
        // The newest is durable before an older one goes.
        self.manifest.sync().at("sync the manifest")?;
        self.remove(&ids, false).map(|_| ())
    }

    fn prune_ledger(&mut self, account: Label) -> Result<u64, Error> {
        self.settle_ledger(account)?;
        let domain = self.ledger_domain(account)?;
        let places: Vec<_> = self.checkpoints(&domain).into_iter().take(KEPT).collect();
        let [_, (oldest, place)] = places.as_slice() else { return Ok(0) };
        for (id, place) in &places {
            let chain = self.read_from(&domain, *id, *place)?;
            let sequence = chain.broken_at().or((!chain.begins_with_state()).then_some(place.sequence));
            if sequence.is_some() || self.verdict_of(&chain, &domain) != Verdict::Sound {
                return Err(Error::LedgerBroken { sequence });
            }
        }
        let before = self.first_entry(&domain);
        let ids: Vec<u64> = self.ledger_segments(&domain).into_iter().filter(|id| id < oldest).collect();
        self.manifest.sync().at("sync the manifest")?;
        self.remove(&ids, false)?;
        Ok(if ids.is_empty() { 0 } else { place.sequence.saturating_sub(before) })
    }

    /// The first entry that a reading from the start gives.
    fn first_entry(&mut self, domain: &Domain) -> u64 {
        self.read_chain(domain, super::read::From::Start).map_or(0, |chain: Chain| chain.base_size())
    }
}
