//! Reading a ledger: its entries in order, and whether to believe them.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::checkpoint::{LedgerBase, LedgerCheckpoint, Part};
use super::head::{Head, LedgerName, anchored};
use super::tree::{Frontier, Hash, Leaves};
use super::{LedgerEntry, Payload, leaf_of, ledger_slice};
use crate::bytes::Reader;
use crate::cipher;
use crate::cursor::Position;
use crate::error::{At, Error};
use crate::frame::{FrameReader, Kind, Step};
use crate::journal::{Inner, Journal};
use crate::names::{Domain, Label};
use crate::read::{Unsealer, Unsealing};
use crate::segment::{self, LedgerRun, RunHeader};

/// Whether a ledger can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Whole, chained and signed, as new as the anchor says.
    Sound,
    /// Older than the anchor says, or another one.
    RolledBack,
    /// An entry or a head is damaged or missing.
    Broken {
        /// The first bad entry.
        sequence: u64,
    },
    /// Shorter than the manifest says, or a file of it is missing.
    Truncated,
}

/// What is in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerContents {
    /// Which ledger it is.
    pub name: LedgerName,
    /// What the first of `entries` goes on from; `None` where that is the ledger's first.
    pub base: Option<LedgerBase>,
    /// The state at the base, where it was asked for and is not erased.
    pub checkpoint: Option<LedgerCheckpoint>,
    /// The entries under the last head, in order.
    pub entries: Vec<LedgerEntry>,
    /// The key that signs the heads.
    pub public_key: Option<[u8; 32]>,
    /// The last head.
    pub head: Option<Head>,
    /// Whether to believe it.
    pub verdict: Verdict,
    /// Whether the manifest is older than the last head says: files of the store were rolled back.
    pub manifest_rolled_back: bool,
}

impl LedgerContents {
    /// The proof that the entry with this number is under the last head, for [`is_included`](crate::is_included); `None`
    /// where there is none, or it was pruned.
    #[must_use]
    pub fn inclusion_proof(&self, sequence: u64) -> Option<Vec<Hash>> {
        self.with_leaves(|leaves| leaves.inclusion_proof(sequence))
    }

    /// The proof that a head over `size` entries is the beginning of the last one, for
    /// [`is_consistent`](crate::is_consistent): whoever kept it sees that nothing was changed since. `None` where there are
    /// fewer entries, or what is before the first of `entries` is needed for it.
    #[must_use]
    pub fn consistency_proof(&self, size: u64) -> Option<Vec<Hash>> {
        self.with_leaves(|leaves| leaves.consistency_proof(size))
    }

    fn with_leaves<T>(&self, prove: impl FnOnce(&Leaves<'_>) -> T) -> T {
        let leaves: Vec<Hash> = self.entries.iter().map(|entry| entry.leaf).collect();
        let base = self.base.as_ref().map(LedgerBase::tree).unwrap_or_default();
        prove(&Leaves { base: &base, leaves: &leaves })
    }
}

/// From where to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Start,
    Checkpoint,
}

impl Journal {
    /// Reads and verifies the ledger of an account, all that was not pruned. An unfinished batch at its end does not count.
    ///
    /// # Errors
    /// The account's essential domain cannot be unlocked, or the disk failed.
    pub fn ledger_read(&self, account: Label) -> Result<LedgerContents, Error> {
        let _scrubbed = cipher::Scrubbed;
        self.proven_with_ledger(account)?.ledger_contents(account, From::Start)
    }

    /// As [`Journal::ledger_read`], from the last checkpoint on, if there is one. What is before it is vouched for by
    /// the last head, whose tree goes on from the checkpoint's.
    ///
    /// # Errors
    /// As there.
    pub fn ledger_tail(&self, account: Label) -> Result<LedgerContents, Error> {
        let _scrubbed = cipher::Scrubbed;
        self.proven_with_ledger(account)?.ledger_contents(account, From::Checkpoint)
    }
}

/// What is read of a ledger before its verdict.
#[derive(Default)]
pub(super) struct Chain {
    /// What the first of the entries goes on from.
    base: Option<LedgerBase>,
    /// The state at the base, as far as its parts were met.
    state: Zeroizing<Vec<u8>>,
    /// Parts of the state that are to follow; `None` where one did not open or is missing.
    missing: Option<u16>,
    /// Where the first run that was met says that it goes on: above 0, what is before was pruned.
    first: Option<u64>,
    pub(super) entries: Vec<LedgerEntry>,
    /// The run that wrote each entry.
    runs: Vec<usize>,
    run: usize,
    /// The salts of the runs met: a run that stands there twice was copied.
    salts: BTreeSet<[u8; 32]>,
    /// Whether only the last head's signature is asked for: it covers what the others do.
    is_brief: bool,
    /// The trees under the heads met.
    heads: Vec<Frontier>,
    /// Bytes that are no frame were met in this run.
    damaged: bool,
    torn: Option<Torn>,
    broken: Option<u64>,
}

/// A batch of which entries are missing, as a power loss before its sync leaves it. It is unfinished, unless something
/// shows that it was synced: a batch behind it, the anchor, or the manifest.
#[derive(Clone, Copy)]
struct Torn {
    /// The first missing entry.
    sequence: u64,
    run: usize,
    /// Its head was met: what follows in this run is another batch.
    has_head: bool,
}

/// The keys of one run beside the unsealer's own.
#[derive(Default)]
pub(super) struct RunKeys {
    pub(super) first: u64,
    /// `None` where the payloads, and the checkpoints with them, were erased.
    pub(super) erasable: Option<LedgerRun>,
}

impl Inner {
    pub(super) fn ledger_segments(&self, domain: &Domain) -> Vec<u64> {
        let of_ledger = self.segments.iter().filter(|(_, s)| s.is_ledger() && s.header.slice.domain == *domain);
        of_ledger.map(|(id, _)| *id).collect()
    }

    fn ledger_contents(&mut self, account: Label, from: From) -> Result<LedgerContents, Error> {
        let domain = self.ledger_domain(account)?;
        let mut chain = self.read_chain(&domain, from)?;
        if let Some(tail) = self.ledgers.get(&account) {
            // A batch whose append failed does not count, whatever the disk kept of it.
            chain.cut_to(tail.tree.size);
        }
        let of = self.ledger_name(&domain);
        let verdict = self.verdict_of(&chain, &domain);
        let head = chain.last_head();
        let known = |head: &Head| self.manifest.has_been(&head.manifest);
        Ok(LedgerContents {
            name: of,
            manifest_rolled_back: head.as_ref().is_some_and(|head| !known(head)),
            head,
            public_key: self.ledger_slot(&domain).map(|(public_key, _)| public_key),
            checkpoint: chain.take_checkpoint(),
            base: chain.base,
            entries: chain.entries,
            verdict,
        })
    }

    /// What a ledger says of itself, and what anchor and manifest know of it.
    pub(super) fn verdict_of(&self, chain: &Chain, domain: &Domain) -> Verdict {
        if let Some(sequence) = chain.broken {
            return Verdict::Broken { sequence };
        }
        let (size, of) = (chain.size(), self.ledger_name(domain));
        let later = anchored(&self.effects).iter().filter(|anchored| anchored.is_of(&of)).any(|anchored| {
            // Before the checkpoint nothing is known here, and the last head vouches for it.
            let base = chain.base_size();
            anchored.size > size || (anchored.size > base && chain.root_at(anchored.size) != Some(anchored.root))
        });
        let torn = chain.torn.map(|torn| Verdict::Broken { sequence: torn.sequence });
        if later {
            return torn.unwrap_or(Verdict::RolledBack);
        }
        let of_ledger = self.manifest.state.listed.values().filter(|(header, _)| header.slice == ledger_slice(*domain));
        let cut = of_ledger.clone().any(|(header, mark)| {
            !self.segments.contains_key(&header.id) || mark.is_some_and(|mark| mark.place.sequence > size)
        });
        if cut { torn.unwrap_or(Verdict::Truncated) } else { Verdict::Sound }
    }

    /// Reads the segments of a ledger; whether chain, tree and heads hold.
    pub(super) fn read_chain(&mut self, domain: &Domain, from: From) -> Result<Chain, Error> {
        let slot = self.ledger_slot(domain);
        let public_key = slot.as_ref().map(|(public_key, _)| *public_key);
        // The key in clear counts only if the sealed seed is its own.
        let genuine = if slot.is_some() { self.signing_key(domain).is_ok() } else { true };
        self.key_of(domain)?;
        let ids = self.ledger_segments(domain);
        if from == From::Checkpoint && genuine {
            for (id, place) in self.checkpoints(domain) {
                let chain = self.read_from(domain, id, place)?;
                // Where it does not begin with a whole checkpoint the one before it may, or the whole ledger is read.
                if chain.begins_with_state() && chain.broken.is_none() {
                    return Ok(chain);
                }
            }
        }
        let mut chain = Chain::default();
        for id in ids {
            self.read_ledger_segment(id, None, public_key.as_ref(), &mut chain)?;
            if chain.broken.is_some() {
                break;
            }
        }
        chain.end();
        chain.broken = chain.broken.or((!genuine).then_some(0));
        Ok(chain)
    }

    /// Reads what stands behind one checkpoint.
    pub(super) fn read_from(&mut self, domain: &Domain, at: u64, place: Position) -> Result<Chain, Error> {
        let public_key = self.ledger_slot(domain).map(|(public_key, _)| public_key);
        // It begins there, and nowhere behind.
        let mut chain = Chain { first: Some(0), is_brief: true, ..Chain::default() };
        for id in self.ledger_segments(domain).into_iter().filter(|id| *id >= at) {
            let start = (id == at).then_some(place);
            self.read_ledger_segment(id, start, public_key.as_ref(), &mut chain)?;
        }
        chain.end();
        let of = self.ledger_name(domain);
        let is_signed = |head: &Head| public_key.is_some_and(|key| head.is_signed(&key, &of));
        if chain.entries.last().and_then(|entry| entry.head.as_ref()).is_some_and(|head| !is_signed(head)) {
            chain.broken = chain.broken.or(chain.size().checked_sub(1));
        }
        Ok(chain)
    }

    fn run_keys(&mut self, domain: &Domain, hash: &Hash, header: &RunHeader) -> Result<RunKeys, Error> {
        let payload = self.payload_key(domain, header.payload)?;
        let erasable = payload.and_then(|payload| LedgerRun::derive(&payload, hash, &header.salt));
        Ok(RunKeys { first: header.first, erasable })
    }

    fn read_ledger_segment(
        &mut self,
        id: u64,
        start: Option<Position>,
        public_key: Option<&[u8; 32]>,
        chain: &mut Chain,
    ) -> Result<(), Error> {
        let Some(segment) = self.segments.get(&id) else { return Ok(()) };
        let (slice, label) = (segment.header.slice, segment.header.label);
        let Some(slice_key) = self.slice_key(&slice, label)? else {
            chain.broken = Some(chain.size());
            return Ok(());
        };
        let Some(segment) = self.segments.get(&id) else { return Ok(()) };
        let mut unsealer = Unsealer::new(slice_key, segment, self.tries(&slice.domain));
        let read = self.read_ledger_frames(id, start, public_key, &mut unsealer, chain);
        self.note_tries(&slice.domain, unsealer.tries);
        read
    }

    fn read_ledger_frames(
        &mut self,
        id: u64,
        start: Option<Position>,
        public_key: Option<&[u8; 32]>,
        unsealer: &mut Unsealer,
        chain: &mut Chain,
    ) -> Result<(), Error> {
        let Some(segment) = self.segments.get(&id) else { return Ok(()) };
        let (domain, hash) = (segment.header.slice.domain, segment.hash);
        let of = self.ledger_name(&domain);
        let file = self.disk.open(&segment::name(id)).at("read the ledger")?;
        let mut keys = RunKeys::default();
        let mut offset = segment::HEADER as u64;
        if let Some(place) = start {
            if let Some(header) = unsealer.enter_at(file.as_ref(), place.run).at("read the ledger")? {
                chain.salts.insert(header.salt);
                keys = self.run_keys(&domain, &hash, &header)?;
            }
            offset = place.offset;
        }
        let mut reader = FrameReader::new(file.as_ref(), offset).at("read the ledger")?;
        loop {
            let found = match reader.next().at("read the ledger")? {
                Step::Frame(found) => found,
                Step::Damage => {
                    chain.damaged = true;
                    // Nobody knows what is among it: the ledger's first entry may be.
                    chain.first.get_or_insert(0);
                    continue;
                }
                Step::End { .. } => return Ok(()),
            };
            let body = reader.body(&found);
            match found.kind {
                Kind::Run => {
                    let before = unsealer.run_offset();
                    unsealer.enter(found.offset, found.sequence, body);
                    if unsealer.run_offset() != before {
                        chain.run += 1;
                        chain.damaged = false;
                        if let Some(header) = RunHeader::decode(found.sequence, body) {
                            chain.first.get_or_insert(header.first);
                            if !chain.salts.insert(header.salt) {
                                chain.broken = Some(chain.size());
                                return Ok(());
                            }
                            keys = self.run_keys(&domain, &hash, &header)?;
                        }
                    }
                }
                Kind::Entry => {
                    if chain.is_before_base() {
                        continue;
                    }
                    let entry = read_entry(unsealer, &keys, &hash, found.sequence, body);
                    chain.entry(&of, found.sequence, entry);
                }
                Kind::Head if chain.is_before_base() => {}
                Kind::Head => chain.head(&of, found.sequence, body, public_key),
                Kind::Checkpoint => {
                    let begins = chain.is_before_base() || start.is_some_and(|place| place.offset == found.offset);
                    if let Some(part) = Part::decode(found.sequence, body).filter(|_| begins || chain.missing > Some(0))
                    {
                        let is_signed = |base: &LedgerBase| public_key.is_some_and(|key| base.is_signed(key, &of));
                        chain.part(&part, begins, is_signed, |state| {
                            part.open(&mut unsealer.tries, &keys, &hash, state)
                        });
                    }
                }
                Kind::Record | Kind::Boxed | Kind::Manifest | Kind::Payload => {}
            }
            if chain.broken.is_some() {
                return Ok(());
            }
        }
    }
}

/// Splits what stands first from the bytes of that length behind it.
fn split_plain(plain: &[u8]) -> Option<([u8; 32], Zeroizing<Vec<u8>>)> {
    let mut read = Reader(plain);
    let first = read.array()?;
    let length = usize::try_from(read.u32()?).ok()?;
    Some((first, Zeroizing::new(read.bytes(length)?.to_vec())))
}

struct Unsealed {
    leaf: Hash,
    commitment: Hash,
    statement: Zeroizing<Vec<u8>>,
    payload: Option<Payload>,
}

/// An entry whose payload was erased has none; one whose payload does not fit is damaged.
fn read_entry(unsealer: &mut Unsealer, keys: &RunKeys, hash: &Hash, sequence: u64, body: &[u8]) -> Option<Unsealed> {
    let mut read = Reader(body);
    let leaf = read.array()?;
    let length = usize::try_from(read.u32()?).ok()?;
    let statement: Result<_, Unsealing> = unsealer.open(Kind::Entry, sequence, read.bytes(length)?);
    let (commitment, statement) = split_plain(&statement.ok()?)?;
    let payload = match &keys.erasable {
        None => None,
        Some(LedgerRun { payload: key, .. }) => {
            let aad = segment::aad(hash, Kind::Payload, sequence, read.0.len());
            let (salt, bytes) =
                split_plain(&unsealer.tries.open(key, sequence.checked_sub(keys.first)?, &aad, read.0).ok()?)?;
            Some(Payload { salt, bytes }).filter(|payload| payload.commitment() == commitment)
        }
    };
    if keys.erasable.is_some() && payload.is_none() {
        return None;
    }
    Some(Unsealed { leaf, commitment, statement, payload })
}

impl Chain {
    pub(super) fn base_size(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.size)
    }

    fn base_tree(&self) -> Frontier {
        self.base.as_ref().map(LedgerBase::tree).unwrap_or_default()
    }

    fn base_leaf(&self) -> Hash {
        self.base.as_ref().map_or([0; 32], |base| base.leaf)
    }

    pub(super) fn size(&self) -> u64 {
        self.base_size() + self.entries.len() as u64
    }

    pub(super) fn broken_at(&self) -> Option<u64> {
        self.broken
    }

    /// The tree under the last head, and the last leaf in it.
    pub(super) fn signed(&self) -> (Frontier, Hash) {
        let tree = self.heads.last().cloned().unwrap_or_else(|| self.base_tree());
        let last = self.signed_entries().checked_sub(1).and_then(|at| self.entries.get(at));
        (tree, last.map_or(self.base_leaf(), |entry| entry.leaf))
    }

    pub(super) fn last_head(&self) -> Option<Head> {
        let of_base = || self.base.as_ref().map(|base| base.head.clone());
        self.entries.last().map_or_else(of_base, |entry| entry.head.clone())
    }

    fn signed_entries(&self) -> usize {
        let size = self.heads.last().map_or(self.base_size(), |tree| tree.size);
        usize::try_from(size - self.base_size()).unwrap_or(usize::MAX)
    }

    pub(super) fn cut_to(&mut self, size: u64) {
        let keep = size.saturating_sub(self.base_size());
        self.entries.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        self.heads.retain(|tree| tree.size <= size);
    }

    fn root_at(&self, size: u64) -> Option<Hash> {
        let count = usize::try_from(size.checked_sub(self.base_size())?).ok()?;
        let mut tree = self.base_tree();
        self.entries.get(..count)?.iter().for_each(|entry| tree.push(entry.leaf));
        Some(tree.root())
    }

    /// Entries that no head covers do not count. What was pruned without a checkpoint behind it is missing.
    fn end(&mut self) {
        self.entries.truncate(self.signed_entries());
        if self.is_before_base() {
            self.broken = self.broken.or(Some(0));
        }
    }

    /// Whether what is met belongs to the rest of what was pruned.
    fn is_before_base(&self) -> bool {
        self.base.is_none() && self.first > Some(0)
    }

    /// Takes in a part of a checkpoint: the first one is the base.
    fn part(
        &mut self,
        part: &Part<'_>,
        begins: bool,
        is_signed: impl FnOnce(&LedgerBase) -> bool,
        open: impl FnOnce(&mut Zeroizing<Vec<u8>>) -> bool,
    ) {
        if begins {
            if !is_signed(&part.base) {
                return;
            }
            self.base = Some(part.base.clone());
            // One whose first part is damaged still is the base.
            self.missing = (part.part == 0).then_some(part.parts);
        }
        let Some(missing) = self.missing else { return };
        let is_next = part.parts - part.part == missing && self.base.as_ref() == Some(&part.base);
        self.missing = if is_next && open(&mut self.state) { Some(missing - 1) } else { None };
    }

    /// Whether it goes on from a state that is there.
    pub(super) fn begins_with_state(&self) -> bool {
        self.missing == Some(0)
    }

    fn take_checkpoint(&mut self) -> Option<LedgerCheckpoint> {
        let size = self.base.as_ref().filter(|_| self.missing == Some(0))?.size;
        Some(LedgerCheckpoint { size, state: std::mem::take(&mut self.state) })
    }

    fn entry(&mut self, of: &LedgerName, sequence: u64, entry: Option<Unsealed>) {
        let at = sequence.checked_sub(self.base_size()).and_then(|at| usize::try_from(at).ok());
        if let Some(torn) = self.torn {
            if torn.run == self.run && !torn.has_head {
                return;
            }
            if torn.run == self.run || at != Some(self.signed_entries()) {
                self.broken = Some(torn.sequence);
                return;
            }
            self.torn = None;
        }
        let Some(at) = at else {
            self.broken = Some(self.size());
            return;
        };
        if at > self.entries.len() {
            self.tear(self.size());
            return;
        }
        if at < self.entries.len() && self.runs.get(at) == Some(&self.run) {
            self.unreadable(self.size());
            return;
        }
        // A later run that counts from here supersedes a batch that was not finished.
        self.entries.truncate(at);
        self.runs.truncate(at);
        self.heads.retain(|tree| tree.size <= sequence);
        let before = self.entries.last().map_or(self.base_leaf(), |entry| entry.leaf);
        let whole =
            |entry: &Unsealed| leaf_of(of, sequence, &before, &entry.commitment, &entry.statement) == entry.leaf;
        let Some(entry) = entry.filter(whole) else {
            self.unreadable(sequence);
            return;
        };
        let Unsealed { leaf, commitment, statement, payload } = entry;
        self.entries.push(LedgerEntry { sequence, statement, payload, commitment, leaf, signed: false, head: None });
        self.runs.push(self.run);
    }

    fn tear(&mut self, sequence: u64) {
        self.torn = Some(Torn { sequence, run: self.run, has_head: false });
    }

    /// Where the header of an entry's run may be among what was damaged, its batch is torn with it.
    fn unreadable(&mut self, sequence: u64) {
        if self.damaged {
            self.tear(sequence);
        } else {
            self.broken = Some(sequence);
        }
    }

    fn head(&mut self, of: &LedgerName, sequence: u64, body: &[u8], key: Option<&[u8; 32]>) {
        if self.torn.is_none() && sequence >= self.size() {
            self.tear(self.size());
        }
        if let Some(torn) = &mut self.torn {
            torn.has_head = true;
            if torn.run != self.run {
                self.broken = Some(torn.sequence);
            }
            return;
        }
        let (mut tree, _) = self.signed();
        let from = self.signed_entries();
        self.entries.iter().skip(from).for_each(|entry| tree.push(entry.leaf));
        let head = Head::decode(sequence, body).filter(|head| (head.size, head.root) == (tree.size, tree.root()));
        let (Some(head), Some(key)) = (head, key) else {
            self.broken = Some(self.size());
            return;
        };
        // The second copy says nothing new.
        let is_known = self.entries.last().is_some_and(|entry| entry.head.as_ref() == Some(&head));
        if !is_known && !self.is_brief && !head.is_signed(key, of) {
            self.broken = Some(sequence);
            return;
        }
        for entry in self.entries.iter_mut().skip(from) {
            entry.signed = true;
        }
        if self.heads.last().is_none_or(|last| last.size < tree.size) {
            self.heads.push(tree);
        }
        if let Some(last) = self.entries.last_mut() {
            last.head = Some(head);
        }
    }
}
