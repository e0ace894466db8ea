//! The ledger: for each account a chain of sealed entries, a Merkle tree over the same leaves, and signed heads.
//!
//! An entry is a statement, which stays, and a payload, which can be erased: the statement's leaf commits to the payload
//! with a salt, so that chain and tree verify when the payload is gone. A batch is its entries and a head, twice, in
//! one write; a batch without a head is unfinished and does not count. Sequence and leaf stand in clear, so that the
//! tree verifies without any key.

mod checkpoint;
mod head;
mod read;
mod tree;
mod verify;
mod write;

pub use checkpoint::{LedgerBase, LedgerCheckpoint, MAX_STATE_BYTES};
pub(crate) use head::last_anchored;
pub use head::{AnchoredHead, Head, LedgerName, ManifestState};
pub use read::{LedgerContents, Verdict};
pub use tree::{Hash, consistency_proof, inclusion_proof, is_consistent, is_included};
pub use verify::{Broken, verify, verify_behind};
pub(crate) use write::LedgerTail;

use std::fmt;

use zeroize::Zeroizing;

use crate::bytes::MAX_COUNT;
use crate::cipher::{self, Algorithm, SealingKey, SigningKey};
use crate::effects::KeyError;
use crate::error::{At, Error};
use crate::journal::Inner;
use crate::keys::Slot;
use crate::names::{Domain, Label, Lane, Slice};
use crate::segment::Segment;

/// What to enter.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    /// What stays, for as long as the ledger does: nothing that says who a person is or what they do.
    pub statement: &'a [u8],
    /// What can be erased.
    pub payload: &'a [u8],
}

/// The erasable half of an entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// Random, so that nobody can guess the bytes from the commitment.
    pub salt: [u8; 32],
    /// Its content, wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Payload {
    /// What the statement's leaf holds of it.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        cipher::hash(&[&self.salt, &self.bytes])
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// An entry, unsealed.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its place, from 0.
    pub sequence: u64,
    /// What stays, wiped when dropped.
    pub statement: Zeroizing<Vec<u8>>,
    /// What can be erased; `None` where it was.
    pub payload: Option<Payload>,
    /// SHA-256 of the payload's salt and bytes.
    pub commitment: Hash,
    /// Chains it to the entry before, and is its leaf in the tree.
    pub leaf: Hash,
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

/// The leaf of an entry: bound to its ledger, its place, and all entries before.
pub(crate) fn leaf_of(of: &LedgerName, sequence: u64, before: &Hash, commitment: &Hash, statement: &[u8]) -> Hash {
    let (account, epoch, sequence) =
        (of.account.number().to_le_bytes(), of.epoch.to_le_bytes(), sequence.to_le_bytes());
    tree::leaf(&[b"menshen/0/entry", &of.store, &account, &epoch, &sequence, before, commitment, statement])
}

impl Segment {
    /// Whether it holds a ledger rather than records.
    pub(crate) fn is_ledger(&self) -> bool {
        let slice = &self.header.slice;
        slice.width == 0 && slice.bucket == 1
    }

    /// Whether it is a ledger's and holds a checkpoint at most.
    pub(crate) fn holds_no_entry(&self) -> bool {
        self.is_ledger() && self.records == 0
    }
}

fn ledger_slice(domain: Domain) -> Slice {
    Slice { domain, lane: Lane::Essential, width: 0, bucket: 1, generation: 0 }
}

impl Inner {
    fn ledger_name(&self, domain: &Domain) -> LedgerName {
        LedgerName { store: self.store, account: domain.account, epoch: domain.epoch }
    }

    /// The domain in which an account's ledger is sealed.
    pub(crate) fn ledger_domain(&self, account: Label) -> Result<Domain, Error> {
        let essential = self.table.live().filter_map(|slot| match slot {
            // An epoch that nobody counts to was planted.
            Slot::Domain { domain, .. }
                if (domain.account, domain.purpose) == (account, Label::ESSENTIAL) && domain.epoch < MAX_COUNT =>
            {
                Some(*domain)
            }
            _ => None,
        });
        essential.max_by_key(|domain| domain.epoch).ok_or(Error::Key(KeyError::NotFound))
    }

    /// The key of the payloads that one payload secret protects; `None` where the secret was erased.
    pub(crate) fn payload_key(&mut self, domain: &Domain, label: u64) -> Result<Option<cipher::Secret>, Error> {
        let secret = self.table.live().find_map(|slot| match slot {
            Slot::Payload { domain: d, label: l, secret } if (d, *l) == (domain, label) => Some(secret.clone()),
            _ => None,
        });
        let Some(secret) = secret else { return Ok(None) };
        let key = self.key_of(domain)?;
        Ok(cipher::derive(&*secret, &**key, &[b"menshen/0/payload"]))
    }

    /// The newest payload secret of a ledger; made where there is none.
    pub(crate) fn payload_label(&mut self, domain: &Domain) -> Result<u64, Error> {
        let of_domain = self.table.live().filter_map(|slot| match slot {
            Slot::Payload { domain: d, label, .. } if d == domain => Some(*label),
            _ => None,
        });
        if let Some(label) = of_domain.last() {
            return Ok(label);
        }
        let label = u64::from_le_bytes(self.fill()?).max(1);
        let secret = self.secret()?;
        self.table.put(Slot::Payload { domain: *domain, label, secret }).at("write the keys")?;
        Ok(label)
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

    /// The key that signs heads; made with the first entry.
    fn signing_key(&mut self, domain: &Domain) -> Result<SigningKey, Error> {
        if let Some((public_key, sealed_seed)) = self.ledger_slot(domain) {
            let key = self.seed_key(domain, &public_key)?;
            let seed = key.open(0, &public_key, &sealed_seed).ok_or(Error::Key(KeyError::Refused))?;
            let signing = SigningKey::from_seed(&seed).filter(|signing| signing.public_key() == Some(public_key));
            return signing.ok_or(Error::Key(KeyError::Refused));
        }
        let seed = self.secret()?;
        let suspect = Error::Key(KeyError::Suspect);
        let signing = SigningKey::from_seed(&*seed).ok_or(suspect)?;
        let public_key = signing.public_key().ok_or(suspect)?;
        let key = self.seed_key(domain, &public_key)?;
        let mut sealed_seed = Vec::with_capacity(seed.len() + cipher::TAG);
        sealed_seed.extend_from_slice(&*seed);
        let tag = key.seal(0, &public_key, &mut sealed_seed).ok_or(suspect)?;
        sealed_seed.extend_from_slice(&tag);
        let slot = Slot::Ledger { domain: *domain, public_key, sealed_seed };
        self.table.put(slot).at("write the keys")?;
        Ok(signing)
    }
}
