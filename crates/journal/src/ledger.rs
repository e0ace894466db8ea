//! The ledger: one chain of sealed entries for each account, under heads signed with Ed25519.
//!
//! A batch is its entries and a head, twice, in one write. Sequence and hash of an entry stand in clear, so that the
//! chain verifies without the key. A batch without a head is unfinished and does not count.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::append::{MAX_RECORD_BYTES, padded};
use crate::bytes::{Reader, Writer};
use crate::cipher::{self, Algorithm, SealingKey, TAG};
use crate::effects::KeyError;
use crate::error::{At, Error};
use crate::frame::{self, FrameReader, Kind, Step};
use crate::journal::{Inner, Journal};
use crate::keys::Slot;
use crate::manifest::Entry as ManifestEntry;
use crate::names::{Domain, Label, Lane, Slice};
use crate::read::{Unsealer, Unsealing};
use crate::segment::{self, Mark, Segment, aad};

/// The most accounts that the anchor remembers.
const MAX_ANCHORED: usize = 64;
/// Bytes of one head in the anchor: account, sequence, hash.
const ANCHORED: usize = 48;

/// A signed statement of how far a ledger goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last entry it covers, from 0.
    pub sequence: u64,
    /// That entry's hash, which covers all before it.
    pub hash: [u8; 32],
    /// Ed25519 over store, account, sequence and hash.
    pub signature: [u8; 64],
}

/// An entry, unsealed.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its place, from 0.
    pub sequence: u64,
    /// Its content, wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Chains it to the entry before.
    pub hash: [u8; 32],
    /// Whether a valid head covers it.
    pub signed: bool,
    /// The head that ends its batch, on the batch's last entry.
    pub head: Option<Head>,
}

impl fmt::Debug for LedgerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("LedgerEntry");
        debug.field("sequence", &self.sequence).field("signed", &self.signed).finish_non_exhaustive()
    }
}

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
    /// The entries under the last head, in order.
    pub entries: Vec<LedgerEntry>,
    /// The key that signs the heads.
    pub public_key: Option<[u8; 32]>,
    /// The last head.
    pub head: Option<Head>,
    /// Whether to believe it.
    pub verdict: Verdict,
}

/// Where a ledger fails to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The first bad entry.
    pub sequence: u64,
    /// What is wrong with it: `out-of-order`, `hash`, `head`, `signature`, `unsigned`.
    pub why: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of the ledger does not verify: {}", self.sequence, self.why)
    }
}

impl std::error::Error for Broken {}

fn entry_hash(store: &[u8; 16], account: u64, before: &[u8; 32], sequence: u64, bytes: &[u8]) -> [u8; 32] {
    let (account, sequence) = (account.to_le_bytes(), sequence.to_le_bytes());
    cipher::hash(&[b"menshen/0/entry", store, &account, &sequence, before, bytes])
}

fn head_message(store: &[u8; 16], account: u64, sequence: u64, hash: &[u8; 32]) -> Vec<u8> {
    [&b"menshen/0/head"[..], store, &account.to_le_bytes(), &sequence.to_le_bytes(), hash].concat()
}

fn is_signed(public_key: &[u8; 32], store: &[u8; 16], account: u64, head: &Head) -> bool {
    let message = head_message(store, account, head.sequence, &head.hash);
    UnparsedPublicKey::new(&ED25519, public_key).verify(&message, &head.signature).is_ok()
}

/// Verifies a ledger that was exported: every entry chained to the one before, every head signed, the last entry
/// under one. Says how many entries there are.
///
/// # Errors
/// The first entry that does not verify.
pub fn verify<'a>(
    public_key: &[u8; 32],
    store: &[u8; 16],
    account: u64,
    entries: impl IntoIterator<Item = &'a LedgerEntry>,
) -> Result<u64, Broken> {
    let mut before = [0; 32];
    let mut count = 0;
    let mut covered = 0;
    for entry in entries {
        let broken = |why| Broken { sequence: count, why };
        if entry.sequence != count {
            return Err(broken("out-of-order"));
        }
        if entry_hash(store, account, &before, count, &entry.bytes) != entry.hash {
            return Err(broken("hash"));
        }
        if let Some(head) = &entry.head {
            if head.sequence != count || head.hash != entry.hash {
                return Err(broken("head"));
            }
            if !is_signed(public_key, store, account, head) {
                return Err(broken("signature"));
            }
            covered = count + 1;
        }
        before = entry.hash;
        count += 1;
    }
    if covered == count { Ok(count) } else { Err(Broken { sequence: covered, why: "unsigned" }) }
}

/// Where the next batch goes.
pub(crate) struct LedgerTail {
    domain: Domain,
    count: u64,
    hash: [u8; 32],
    pair: Ed25519KeyPair,
}

impl Segment {
    /// Whether it holds a ledger rather than records.
    pub(crate) fn is_ledger(&self) -> bool {
        let slice = &self.header.slice;
        slice.width == 0 && slice.bucket == 1
    }
}

fn ledger_slice(domain: Domain) -> Slice {
    Slice { domain, lane: Lane::Essential, width: 0, bucket: 1, generation: 0 }
}

impl Journal {
    /// Appends entries as one batch under one head, synced: all of them count, or none.
    ///
    /// # Errors
    /// The account's essential domain has no key or cannot be unlocked; the ledger does not verify; the disk
    /// failed. Nothing of the batch counts then.
    pub fn ledger_append(&self, account: Label, entries: &[&[u8]]) -> Result<Head, Error> {
        self.append_with(account, entries, |inner| inner.ledger_append(account, entries))
    }

    /// [`Journal::ledger_append`] for a denial: on a full disk the store's reserve is given up for it.
    ///
    /// # Errors
    /// As there.
    pub fn ledger_append_denial(&self, account: Label, entries: &[&[u8]]) -> Result<Head, Error> {
        self.append_with(account, entries, |inner| inner.with_reserve(|inner| inner.ledger_append(account, entries)))
    }

    fn append_with(
        &self,
        account: Label,
        entries: &[&[u8]],
        append: impl FnOnce(&mut Inner) -> Result<Head, Error>,
    ) -> Result<Head, Error> {
        if entries.iter().any(|entry| entry.len() > MAX_RECORD_BYTES) {
            return Err(Error::TooLarge { limit: MAX_RECORD_BYTES });
        }
        let head = append(&mut *self.proven()?)?;
        self.anchor_head(account, &head);
        Ok(head)
    }

    /// Reads and verifies the ledger of an account. An unfinished batch at its end does not count.
    ///
    /// # Errors
    /// The account's essential domain cannot be unlocked, or the disk failed.
    pub fn ledger_read(&self, account: Label) -> Result<LedgerContents, Error> {
        let anchored = self.anchored();
        self.proven()?.ledger_read(account, &anchored)
    }

    /// The heads in the anchor. One that cannot be read says nothing.
    fn anchored(&self) -> Vec<(u64, u64, [u8; 32])> {
        let anchor = self.effects.anchor.as_ref();
        let bytes = anchor.and_then(|anchor| anchor.read().ok().flatten()).unwrap_or_default();
        let one = |bytes: &[u8]| {
            let mut read = Reader(bytes);
            Some((read.u64()?, read.u64()?, read.array()?))
        };
        bytes.chunks_exact(ANCHORED).filter_map(one).collect()
    }

    /// The head is durable already; an anchor that is out of reach only shows less.
    fn anchor_head(&self, account: Label, head: &Head) {
        let Some(anchor) = &self.effects.anchor else { return };
        let mut heads = self.anchored();
        heads.retain(|(of, _, _)| *of != account.number());
        heads.push((account.number(), head.sequence, head.hash));
        let mut out = Writer::default();
        for (account, sequence, hash) in heads.iter().rev().take(MAX_ANCHORED).rev() {
            out.u64(*account).u64(*sequence).bytes(hash);
        }
        let _ = anchor.write(&out.0);
    }
}

/// What is read of a ledger before its verdict.
#[derive(Default)]
struct Chain {
    entries: Vec<LedgerEntry>,
    /// The run that wrote each entry.
    runs: Vec<usize>,
    run: usize,
    signed: usize,
    broken: Option<u64>,
}

impl Inner {
    /// The domain in which an account's ledger is sealed.
    fn ledger_domain(&self, account: Label) -> Result<Domain, Error> {
        let essential = self.table.live().filter_map(|slot| match slot {
            Slot::Domain { domain, .. } if domain.account == account && domain.purpose == Label::ESSENTIAL => {
                Some(*domain)
            }
            _ => None,
        });
        essential.max_by_key(|domain| domain.epoch).ok_or(Error::Key(KeyError::NotFound))
    }

    fn seed_key(&mut self, domain: &Domain, public_key: &[u8]) -> Result<SealingKey, Error> {
        let key = self.derive(domain, &[&b"menshen/0/ledger-seed"[..], public_key].concat())?;
        SealingKey::new(Algorithm::default(), &key).ok_or(Error::Key(KeyError::Suspect))
    }

    fn ledger_slot(&self, domain: &Domain) -> Option<([u8; 32], Vec<u8>)> {
        let of_domain = self.table.live().filter_map(|slot| match slot {
            Slot::Ledger { domain: d, public_key, sealed_seed } if d == domain => {
                Some((*public_key, sealed_seed.clone()))
            }
            _ => None,
        });
        of_domain.last()
    }

    /// The pair that signs heads; made with the first entry.
    fn signing_pair(&mut self, domain: &Domain) -> Result<Ed25519KeyPair, Error> {
        if let Some((public_key, sealed_seed)) = self.ledger_slot(domain) {
            let key = self.seed_key(domain, &public_key)?;
            let seed = key.open(0, &public_key, &sealed_seed).ok_or(Error::Key(KeyError::Refused))?;
            let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public_key);
            return pair.map_err(|_| Error::Key(KeyError::Refused));
        }
        let mut seed = Zeroizing::new(self.fill::<32>()?);
        let suspect = |_| Error::Key(KeyError::Suspect);
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(suspect)?;
        let public_key: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_| Error::Key(KeyError::Suspect))?;
        let key = self.seed_key(domain, &public_key)?;
        let tag = key.seal(0, &public_key, seed.as_mut()).ok_or(Error::Key(KeyError::Suspect))?;
        let sealed_seed = [seed.as_ref(), &tag[..]].concat();
        let slot = Slot::Ledger { domain: *domain, public_key, sealed_seed };
        self.table.put(slot).at("write the keys")?;
        Ok(pair)
    }

    fn ledger_read(&mut self, account: Label, anchored: &[(u64, u64, [u8; 32])]) -> Result<LedgerContents, Error> {
        let domain = self.ledger_domain(account)?;
        let (mut contents, chain_ok) = self.read_chain(&domain)?;
        if let Some(tail) = self.ledgers.get(&account) {
            // A batch whose append failed does not count, whatever the disk kept of it.
            contents.entries.truncate(usize::try_from(tail.count).unwrap_or(usize::MAX));
            contents.head = contents.entries.last().and_then(|entry| entry.head.clone());
        }
        if !chain_ok {
            return Ok(contents);
        }
        let count = contents.entries.len() as u64;
        let of_ledger = self.manifest.state.listed.values().filter(|(header, _)| header.slice == ledger_slice(domain));
        let cut = of_ledger.clone().any(|(header, mark)| {
            !self.segments.contains_key(&header.id) || mark.is_some_and(|mark| mark.place.sequence > count)
        });
        let later = anchored.iter().filter(|(of, _, _)| *of == account.number()).any(|(_, sequence, hash)| {
            let entry = usize::try_from(*sequence).ok().and_then(|at| contents.entries.get(at));
            entry.is_none_or(|entry| entry.hash != *hash)
        });
        if later {
            contents.verdict = Verdict::RolledBack;
        } else if cut {
            contents.verdict = Verdict::Truncated;
        }
        Ok(contents)
    }

    /// Reads all segments of a ledger; whether chain and heads hold.
    fn read_chain(&mut self, domain: &Domain) -> Result<(LedgerContents, bool), Error> {
        let slot = self.ledger_slot(domain);
        let public_key = slot.as_ref().map(|(public_key, _)| *public_key);
        // The key in clear counts only if the sealed seed is its own.
        let genuine = if slot.is_some() { self.signing_pair(domain).is_ok() } else { true };
        self.key_of(domain)?;
        let mut chain = Chain::default();
        let ids: Vec<u64> = self
            .segments
            .iter()
            .filter(|(_, segment)| segment.is_ledger() && segment.header.slice.domain == *domain)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.read_ledger_segment(id, public_key.as_ref(), &mut chain)?;
            if chain.broken.is_some() {
                break;
            }
        }
        chain.entries.truncate(chain.signed);
        let head = chain.entries.last().and_then(|entry| entry.head.clone());
        let broken = chain.broken.or((!genuine).then_some(0));
        let verdict = broken.map_or(Verdict::Sound, |sequence| Verdict::Broken { sequence });
        Ok((LedgerContents { entries: chain.entries, public_key, head, verdict }, broken.is_none()))
    }

    fn read_ledger_segment(&mut self, id: u64, public_key: Option<&[u8; 32]>, chain: &mut Chain) -> Result<(), Error> {
        let Some(segment) = self.segments.get(&id) else { return Ok(()) };
        let (slice, label) = (segment.header.slice, segment.header.label);
        let account = slice.domain.account.number();
        let Some(key) = self.slice_key(&slice, label)? else {
            chain.broken = Some(chain.entries.len() as u64);
            return Ok(());
        };
        let Some(segment) = self.segments.get(&id) else { return Ok(()) };
        let mut unsealer = Unsealer::new(key, segment);
        let file = self.disk.open(&segment::name(id)).at("read the ledger")?;
        let mut reader = FrameReader::new(file.as_ref(), segment::HEADER as u64).at("read the ledger")?;
        loop {
            let found = match reader.next().at("read the ledger")? {
                Step::Frame(found) => found,
                Step::Damage => continue,
                Step::End { .. } => return Ok(()),
            };
            let body = reader.body(&found);
            match found.kind {
                Kind::Run => {
                    let before = unsealer.run_offset();
                    unsealer.enter(found.offset, found.sequence, body);
                    chain.run += usize::from(unsealer.run_offset() != before);
                }
                Kind::Entry => {
                    let opened = body
                        .split_first_chunk::<32>()
                        .ok_or(Unsealing::Damaged)
                        .and_then(|(hash, sealed)| Ok((*hash, unsealer.open(Kind::Entry, found.sequence, sealed)?)));
                    chain.entry(&self.store, account, found.sequence, opened.ok());
                }
                Kind::Head => chain.head(&self.store, account, found.sequence, body, public_key),
                Kind::Record | Kind::Manifest => {}
            }
            if chain.broken.is_some() {
                return Ok(());
            }
        }
    }

    fn ledger_append(&mut self, account: Label, entries: &[&[u8]]) -> Result<Head, Error> {
        if !self.ledgers.contains_key(&account) {
            let contents = self.ledger_read(account, &[])?;
            match contents.verdict {
                Verdict::Sound => {}
                Verdict::Broken { sequence } => return Err(Error::LedgerBroken { sequence: Some(sequence) }),
                Verdict::RolledBack | Verdict::Truncated => return Err(Error::LedgerBroken { sequence: None }),
            }
            let domain = self.ledger_domain(account)?;
            let pair = self.signing_pair(&domain)?;
            let hash = contents.head.map_or([0; 32], |head| head.hash);
            let count = contents.entries.len() as u64;
            self.ledgers.insert(account, LedgerTail { domain, count, hash, pair });
        }
        let Some(mut tail) = self.ledgers.remove(&account) else { return Err(Error::LedgerBroken { sequence: None }) };
        let appended = self.append_batch(account, &mut tail, entries);
        self.ledgers.insert(account, tail);
        appended
    }

    fn append_batch(&mut self, account: Label, tail: &mut LedgerTail, entries: &[&[u8]]) -> Result<Head, Error> {
        self.key_of(&tail.domain)?;
        let id = self.ledger_segment(tail)?;
        let Some(segment) = self.segments.get_mut(&id) else { return Err(Error::Io { operation: "append" }) };
        let (Some(run), Some(file)) = (&segment.run, &segment.file) else {
            return Err(Error::Io { operation: "append" });
        };
        let mut out = Vec::new();
        let (mut hash, mut sequence) = (tail.hash, tail.count);
        for entry in entries {
            hash = entry_hash(&self.store, account.number(), &hash, sequence, entry);
            let mut plain = Zeroizing::new(vec![0; padded(4 + entry.len())]);
            let length = u32::try_from(entry.len()).unwrap_or(u32::MAX).to_le_bytes();
            for (to, from) in plain.iter_mut().zip(length.iter().chain(entry.iter())) {
                *to = *from;
            }
            let aad = aad(&segment.hash, Kind::Entry, sequence, plain.len() + TAG);
            let sealed = run.key.seal(sequence - run.first, &aad, &mut plain);
            let tag = sealed.ok_or(Error::Key(KeyError::Suspect))?;
            frame::push(&mut out, Kind::Entry, sequence, &[&hash[..], &plain, &tag].concat());
            sequence += 1;
        }
        let last = sequence.saturating_sub(1);
        let signature = tail.pair.sign(&head_message(&self.store, account.number(), last, &hash));
        let signature: [u8; 64] = signature.as_ref().try_into().map_err(|_| Error::Key(KeyError::Suspect))?;
        let head = Head { sequence: last, hash, signature };
        if entries.is_empty() {
            return Ok(head);
        }
        for _ in 0..2 {
            frame::push(&mut out, Kind::Head, last, &[&hash[..], &signature].concat());
        }
        let written = self.manifest.sync().and_then(|()| file.write_at(segment.end, &out)).and_then(|()| file.sync());
        if let Err(error) = written {
            // The next batch begins a file of its own. What was written is cut off where that still works, and is
            // superseded by the next batch where it does not.
            let _ = file.set_length(segment.end).and_then(|()| file.sync());
            segment.allocated = segment.end;
            segment.run = None;
            segment.clean = false;
            return Err(Error::from_disk(error, "append to the ledger"));
        }
        segment.end += out.len() as u64;
        segment.records += entries.len() as u64;
        segment.next = sequence;
        segment.unsynced = false;
        self.bytes += out.len() as u64;
        (tail.count, tail.hash) = (sequence, hash);
        let mark = Mark { records: segment.records, ..segment.mark() };
        // Only a help to find a cut: the batch is durable without it.
        let _ = self.manifest.append(&ManifestEntry::Mark { segment: id, mark });
        self.extend_tail(id);
        Ok(head)
    }

    /// The segment for the next batch, with a run that begins at or before it.
    fn ledger_segment(&mut self, tail: &LedgerTail) -> Result<u64, Error> {
        let slice = ledger_slice(tail.domain);
        if let Some(id) = self.active.get(&slice).copied()
            && let Some(segment) = self.segments.get(&id)
            && segment.clean
            && segment.end < self.options.segment_bytes
        {
            if segment.run.is_none() || segment.file.is_none() {
                self.begin_run(id, tail.count)?;
            }
            return Ok(id);
        }
        let id = self.create_segment(slice, tail.count)?;
        self.manifest_added(id)?;
        self.active.insert(slice, id);
        Ok(id)
    }
}

impl Chain {
    fn entry(&mut self, store: &[u8; 16], account: u64, sequence: u64, opened: Option<([u8; 32], Zeroizing<Vec<u8>>)>) {
        let at = usize::try_from(sequence).unwrap_or(usize::MAX);
        if at > self.entries.len() || (at < self.entries.len() && self.runs.get(at) == Some(&self.run)) {
            self.broken = Some(self.entries.len() as u64);
            return;
        }
        // A later run that counts from here supersedes a batch that was not finished.
        self.entries.truncate(at);
        self.runs.truncate(at);
        self.signed = self.signed.min(at);
        let before = self.entries.last().map_or([0; 32], |entry| entry.hash);
        let read = opened.and_then(|(hash, plain)| {
            let mut read = Reader(&plain);
            let length = usize::try_from(read.u32()?).ok()?;
            let bytes = Zeroizing::new(read.bytes(length)?.to_vec());
            (entry_hash(store, account, &before, sequence, &bytes) == hash).then_some((hash, bytes))
        });
        let Some((hash, bytes)) = read else {
            self.broken = Some(sequence);
            return;
        };
        self.entries.push(LedgerEntry { sequence, bytes, hash, signed: false, head: None });
        self.runs.push(self.run);
    }

    fn head(&mut self, store: &[u8; 16], account: u64, sequence: u64, body: &[u8], key: Option<&[u8; 32]>) {
        let mut read = Reader(body);
        let head = (|| Some(Head { sequence, hash: read.array()?, signature: read.array()? }))();
        let last = self.entries.last().filter(|entry| entry.sequence == sequence);
        let (Some(head), Some(last), Some(key)) = (head, last, key) else {
            self.broken = Some(self.entries.len() as u64);
            return;
        };
        if last.hash != head.hash || !is_signed(key, store, account, &head) {
            self.broken = Some(sequence);
            return;
        }
        for entry in self.entries.iter_mut().skip(self.signed) {
            entry.signed = true;
        }
        self.signed = self.entries.len();
        if let Some(last) = self.entries.last_mut() {
            last.head = Some(head);
        }
    }
}
