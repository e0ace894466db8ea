//! Heads: signed statements of how far a ledger goes, and the anchor that keeps the last of them outside the store.
//!
//! What is signed is the text of a checkpoint as c2sp.org/tlog-checkpoint has it: origin, size, root, and in a line
//! of its own how far the manifest went. A witness that understands such checkpoints can countersign it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::tree::Hash;
use crate::bytes::{Reader, Writer};
use crate::cipher::{CODE, SigningKey};
use crate::effects::Effects;
use crate::journal::Journal;
use crate::names::Label;

/// The most ledgers that the anchor remembers.
const MAX_ANCHORED: usize = 64;
/// Bytes of a head in a segment: root, manifest, signature.
pub(super) const ENCODED: usize = 120;
/// Bytes of one head in the anchor: account, epoch, size, root.
const ANCHORED: usize = 56;

/// Which ledger: of which store, account and epoch of the account's own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerName {
    /// The store's id.
    pub store: [u8; 16],
    /// The account's label.
    pub account: Label,
    /// 1, and one more after each loss of the account's own key.
    pub epoch: u64,
}

/// How far the store's manifest went when a head was signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ManifestState {
    /// The number in its file's name.
    pub number: u64,
    /// The code of its last frame.
    pub code: [u8; CODE],
}

/// A signed statement of how far a ledger goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The entries that it covers.
    pub size: u64,
    /// The root of the Merkle tree over their leaves.
    pub root: Hash,
    /// How far the manifest went.
    pub manifest: ManifestState,
    /// Ed25519 over [`Head::text`].
    pub signature: [u8; 64],
}

impl Head {
    /// What is signed.
    #[must_use]
    pub fn text(&self, of: &LedgerName) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!(
            "menshen/{}/{:016x}/{}\n{}\n{}\nmanifest {} {}\n",
            hex(&of.store),
            of.account.number(),
            of.epoch,
            self.size,
            STANDARD.encode(self.root),
            self.manifest.number,
            hex(&self.manifest.code)
        )
    }

    /// Whether the signature is of this key.
    #[must_use]
    pub fn is_signed(&self, public_key: &[u8; 32], of: &LedgerName) -> bool {
        UnparsedPublicKey::new(&ED25519, public_key).verify(self.text(of).as_bytes(), &self.signature).is_ok()
    }

    pub(super) fn signed(self, key: &SigningKey, of: &LedgerName) -> Option<Self> {
        let signature = key.sign(self.text(of).as_bytes())?;
        Some(Self { signature, ..self })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(&self.root).u64(self.manifest.number).bytes(&self.manifest.code).bytes(&self.signature);
        out.0
    }

    /// Reads the head that stands behind the entry with this sequence number.
    pub(super) fn decode(sequence: u64, body: &[u8]) -> Option<Self> {
        let mut read = Reader(body);
        let root = read.array()?;
        let manifest = ManifestState { number: read.u64()?, code: read.array()? };
        Some(Self { size: sequence.checked_add(1)?, root, manifest, signature: read.array()? })
    }
}

/// A head as the anchor keeps it.
#[derive(Clone, Copy)]
pub(super) struct Anchored {
    account: u64,
    epoch: u64,
    pub(super) size: u64,
    pub(super) root: Hash,
}

impl Anchored {
    pub(super) fn is_of(&self, of: &LedgerName) -> bool {
        (self.account, self.epoch) == (of.account.number(), of.epoch)
    }
}

/// A head of an account's ledger as the anchor has it: what is left of a ledger whose key is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnchoredHead {
    /// The epoch of the ledger.
    pub epoch: u64,
    /// How many entries it covers.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// The last head that the anchor has of an account's ledgers below an epoch.
pub(crate) fn last_anchored(effects: &Effects, account: Label, below: u64) -> Option<AnchoredHead> {
    let is_it = |head: &Anchored| head.account == account.number() && head.epoch < below;
    let of_account = anchored(effects).into_iter().filter(is_it);
    let last = of_account.max_by_key(|head| head.epoch)?;
    Some(AnchoredHead { epoch: last.epoch, size: last.size, root: last.root })
}

/// The heads in the anchor. One that cannot be read says nothing.
pub(super) fn anchored(effects: &Effects) -> Vec<Anchored> {
    read_anchor(effects).unwrap_or_default()
}

/// The heads in the anchor; `None` where it cannot be read now.
fn read_anchor(effects: &Effects) -> Option<Vec<Anchored>> {
    let bytes = effects.anchor.as_ref()?.read().ok()?.unwrap_or_default();
    let one = |bytes: &[u8]| {
        let mut read = Reader(bytes);
        Some(Anchored { account: read.u64()?, epoch: read.u64()?, size: read.u64()?, root: read.array()? })
    };
    Some(bytes.chunks_exact(ANCHORED).filter_map(one).collect())
}

impl Journal {
    /// The head is durable already; an anchor that is out of reach only shows less.
    pub(super) fn anchor_head(&self, of: &LedgerName, head: &Head) {
        let Some(anchor) = &self.effects.anchor else { return };
        // What cannot be read is not replaced: it holds the heads of other accounts, too.
        let Some(mut heads) = read_anchor(&self.effects) else { return };
        heads.retain(|anchored| !anchored.is_of(of));
        heads.push(Anchored { account: of.account.number(), epoch: of.epoch, size: head.size, root: head.root });
        let mut out = Writer::default();
        for head in heads.iter().rev().take(MAX_ANCHORED).rev() {
            out.u64(head.account).u64(head.epoch).u64(head.size).bytes(&head.root);
        }
        let _ = anchor.write(&out.0);
    }
}
