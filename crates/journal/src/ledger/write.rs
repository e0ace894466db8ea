//! Appending to a ledger: batches under a head, checkpoints, and the end of payloads.

use zeroize::Zeroizing;

use super::head::{Head, LedgerName};
use super::read::{From, Verdict};
use super::tree::{Frontier, Hash};
use super::{NewEntry, Payload, leaf_of, ledger_slice};
use crate::append::{MAX_RECORD_BYTES, padded};
use crate::cipher::{self, SigningKey, TAG};
use crate::effects::KeyError;
use crate::error::{At, Error};
use crate::frame::{self, Kind};
use crate::journal::{Inner, Journal};
use crate::keys::Slot;
use crate::manifest::Entry as ManifestEntry;
use crate::names::{Domain, Label, Slice};
use crate::segment::{Mark, aad};

/// A ledger's segment that is as long is followed by another: one that has to be written anew fits into the reserve.
const LEDGER_BYTES: u64 = 64 * 1024;
/// The longest statement or payload.
const MAX_HALF: usize = MAX_RECORD_BYTES / 4;

/// Where the next batch goes.
pub(crate) struct LedgerTail {
    pub(super) domain: Domain,
    pub(super) tree: Frontier,
    pub(super) leaf: Hash,
    pub(super) key: SigningKey,
    pub(super) head: Option<Head>,
    /// Entries behind the last checkpoint.
    pub(super) since_checkpoint: u64,
}

/// Pads to hide the length: the length in 4 bytes and the bytes behind what comes first.
fn padded_plain(first: &[u8; 32], bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(padded(36 + bytes.len())));
    plain.extend_from_slice(first);
    plain.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    plain.extend_from_slice(bytes);
    plain.resize(padded(36 + bytes.len()), 0);
    plain
}

impl Journal {
    /// Appends entries as one batch under one head, synced: all of them count, or none.
    ///
    /// # Errors
    /// The account's essential domain has no key or cannot be unlocked; the ledger does not verify; an entry is too
    /// large; the disk failed. Nothing of the batch counts then.
    pub fn ledger_append(&self, account: Label, entries: &[NewEntry<'_>]) -> Result<Head, Error> {
        self.append_with(account, entries, |inner| inner.ledger_append(account, entries))
    }

    /// [`Journal::ledger_append`] for a denial: on a full disk the store's reserve is given up for it.
    ///
    /// # Errors
    /// As there.
    pub fn ledger_append_denial(&self, account: Label, entries: &[NewEntry<'_>]) -> Result<Head, Error> {
        self.append_with(account, entries, |inner| inner.with_reserve(|inner| inner.ledger_append(account, entries)))
    }

    fn append_with(
        &self,
        account: Label,
        entries: &[NewEntry<'_>],
        append: impl FnOnce(&mut Inner) -> Result<(LedgerName, Head), Error>,
    ) -> Result<Head, Error> {
        if entries.iter().any(|entry| entry.statement.len().max(entry.payload.len()) > MAX_HALF) {
            return Err(Error::TooLarge { limit: MAX_HALF });
        }
        let _scrubbed = cipher::Scrubbed;
        let (of, head) = append(&mut *self.proven_with_ledger(account)?)?;
        self.anchor_head(&of, &head);
        Ok(head)
    }

    /// Erases the payloads of all entries so far, and the checkpoints, by destroying the secret they were sealed under.
    /// The statements stay, and chain and tree still verify.
    ///
    /// # Errors
    /// The account has no ledger, or the disk failed.
    pub fn erase_payloads(&self, account: Label) -> Result<(), Error> {
        let _scrubbed = cipher::Scrubbed;
        let mut inner = self.proven()?;
        let domain = inner.ledger_domain(account)?;
        for id in inner.ledger_segments(&domain) {
            if let Some(segment) = inner.segments.get_mut(&id) {
                segment.run = None;
            }
        }
        let is_payload = |slot: &Slot| matches!(slot, Slot::Payload { domain: d, .. } if *d == domain);
        inner.table.destroy(is_payload).at("write the keys").map(|_| ())
    }
}

impl Inner {
    pub(super) fn ledger_tail(&mut self, account: Label) -> Result<LedgerTail, Error> {
        if let Some(tail) = self.ledgers.remove(&account) {
            return Ok(tail);
        }
        let domain = self.ledger_domain(account)?;
        let chain = self.read_chain(&domain, From::Checkpoint)?;
        match self.verdict_of(&chain, &domain) {
            Verdict::Sound => {}
            Verdict::Broken { sequence } => return Err(Error::LedgerBroken { sequence: Some(sequence) }),
            Verdict::RolledBack | Verdict::Truncated => return Err(Error::LedgerBroken { sequence: None }),
        }
        let since_checkpoint = chain.entries.len() as u64;
        let (tree, leaf) = chain.signed();
        let head = chain.last_head();
        Ok(LedgerTail { domain, tree, leaf, key: self.signing_key(&domain)?, head, since_checkpoint })
    }

    fn ledger_append(&mut self, account: Label, entries: &[NewEntry<'_>]) -> Result<(LedgerName, Head), Error> {
        self.settle_ledger(account)?;
        let mut tail = self.ledger_tail(account)?;
        let of = self.ledger_name(&tail.domain);
        let appended = self.append_batch(&of, &mut tail, entries);
        self.ledgers.insert(account, tail);
        Ok((of, appended?))
    }

    fn append_batch(
        &mut self,
        of: &LedgerName,
        tail: &mut LedgerTail,
        entries: &[NewEntry<'_>],
    ) -> Result<Head, Error> {
        self.key_of(&tail.domain)?;
        let salts = entries.iter().map(|_| self.fill::<32>()).collect::<Result<Vec<_>, _>>()?;
        let id = self.ledger_segment(tail)?;
        // What the head says of the manifest is durable before the head is.
        self.manifest.sync().at("sync the manifest")?;
        let manifest = self.manifest.state_of();
        let Some(segment) = self.segments.get_mut(&id) else { return Err(Error::Io { operation: "append" }) };
        let (Some(run), Some(file)) = (&segment.run, &segment.file) else {
            return Err(Error::Io { operation: "append" });
        };
        let Some(keys) = &run.ledger else { return Err(Error::Io { operation: "append" }) };
        let (mut out, mut tree, mut leaf) = (Vec::new(), tail.tree.clone(), tail.leaf);
        for (entry, salt) in entries.iter().zip(salts) {
            let sequence = tree.size;
            let payload = Payload { salt, bytes: Zeroizing::new(entry.payload.to_vec()) };
            let commitment = payload.commitment();
            leaf = leaf_of(of, sequence, &leaf, &commitment, entry.statement);
            let seal = |key: &cipher::SealingKey, kind, mut plain: Zeroizing<Vec<u8>>| {
                let aad = aad(&segment.hash, kind, sequence, plain.len() + TAG);
                let tag = key.seal(sequence - run.first, &aad, &mut plain).ok_or(Error::Key(KeyError::Suspect))?;
                Ok::<_, Error>([&plain[..], &tag].concat())
            };
            let statement = seal(&run.key, Kind::Entry, padded_plain(&commitment, entry.statement))?;
            let payload = seal(&keys.payload, Kind::Payload, padded_plain(&salt, entry.payload))?;
            let length = u32::try_from(statement.len()).unwrap_or(u32::MAX).to_le_bytes();
            frame::push(&mut out, Kind::Entry, sequence, &[&leaf[..], &length, &statement, &payload].concat());
            tree.push(leaf);
        }
        let unsigned = Head { size: tree.size, root: tree.root(), manifest, signature: [0; 64] };
        let head = unsigned.signed(&tail.key, of).ok_or(Error::Key(KeyError::Suspect))?;
        let Some(last) = tree.size.checked_sub(1).filter(|_| !entries.is_empty()) else { return Ok(head) };
        for _ in 0..2 {
            frame::push(&mut out, Kind::Head, last, &head.encode());
        }
        let written = file.write_at(segment.end, &out).and_then(|()| file.sync());
        if let Err(error) = written {
            // The next batch begins a file of its own. What was written is cut off where that still works, and is
            // superseded by the next batch where it does not.
            let _ = file.set_length(segment.end).and_then(|()| file.sync());
            segment.allocated = segment.end;
            // With it may go what an earlier process left to be synced.
            (segment.run, segment.clean, segment.suspect) = (None, false, true);
            return Err(Error::from_disk(error, "append to the ledger"));
        }
        segment.end += out.len() as u64;
        segment.records += entries.len() as u64;
        segment.next = tree.size;
        segment.unsynced = false;
        self.bytes += out.len() as u64;
        tail.since_checkpoint += entries.len() as u64;
        (tail.tree, tail.leaf, tail.head) = (tree, leaf, Some(head.clone()));
        let mark = Mark { records: segment.records, ..segment.mark() };
        // Only a help to find a cut: the batch is durable without it.
        let _ = self.manifest.append(&ManifestEntry::Mark { segment: id, mark });
        self.extend_tail(id);
        Ok(head)
    }

    /// Nothing is chained to entries that a power loss could take: what an earlier process or a failed sync left is made
    /// durable first.
    pub(super) fn settle_ledger(&mut self, account: Label) -> Result<(), Error> {
        let domain = self.ledger_domain(account)?;
        let mut rewritten = false;
        for id in self.ledger_segments(&domain) {
            let Some(segment) = self.segments.get_mut(&id) else { continue };
            // Whether an earlier process's sync failed nobody knows, and another one would prove nothing.
            let is_inherited = segment.unsynced && segment.run.is_none();
            if segment.holds_no_entry() {
                // A checkpoint is only a help, and nothing is chained to it.
                continue;
            }
            if segment.suspect || is_inherited {
                self.rewrite(id)?;
                rewritten = true;
            }
        }
        let Some(tail) = self.ledgers.get(&account).filter(|_| rewritten) else { return Ok(()) };
        let (size, tree) = (tail.tree.size, tail.tree.clone());
        let mut chain = self.read_chain(&domain, From::Checkpoint)?;
        chain.cut_to(size);
        if chain.signed().0 == tree {
            return Ok(());
        }
        // Entries that were read are gone: the next call judges what is left.
        self.ledgers.remove(&account);
        Err(Error::LedgerBroken { sequence: Some(chain.size()) })
    }

    /// The segment for the next batch, with a run that begins at or before it.
    pub(super) fn ledger_segment(&mut self, tail: &LedgerTail) -> Result<u64, Error> {
        let slice = ledger_slice(tail.domain);
        if let Some(id) = self.active.get(&(slice, None)).copied()
            && let Some(segment) = self.segments.get(&id)
            && segment.clean
            && !segment.suspect
            && segment.end < LEDGER_BYTES.min(self.options.segment_bytes)
        {
            if segment.run.is_none() || segment.file.is_none() {
                self.begin_run(id, tail.tree.size)?;
            }
            return Ok(id);
        }
        self.follow_with(slice, tail.tree.size)
    }

    /// A new segment of a ledger. The room behind the end of the one before is given back: every opening would read it.
    pub(super) fn follow_with(&mut self, slice: Slice, first: u64) -> Result<u64, Error> {
        let before = self.active.get(&(slice, None)).copied();
        let id = self.create_segment(slice, first)?;
        self.manifest_added(id)?;
        self.active.insert((slice, None), id);
        if let Some(segment) = before.and_then(|id| self.segments.get_mut(&id))
            && let Some(file) = &segment.file
            && segment.clean
            && segment.allocated > segment.end
            && file.set_length(segment.end).is_ok()
        {
            segment.allocated = segment.end;
        }
        Ok(id)
    }
}
