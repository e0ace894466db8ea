//! Verifying a ledger that was exported, with nothing but its entries and the public key.

use std::fmt;

use super::checkpoint::LedgerBase;
use super::head::LedgerName;
use super::tree::{Frontier, Hash};
use super::{LedgerEntry, leaf_of};

/// Where a ledger fails to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The first bad entry.
    pub sequence: u64,
    /// What is wrong with it: `out-of-order`, `leaf`, `payload`, `head`, `signature`, `unsigned`,
    /// `base`.
    pub why: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of the ledger does not verify: {}", self.sequence, self.why)
    }
}

impl std::error::Error for Broken {}

/// Verifies a ledger that was exported: every entry chained to the one before, every payload that is there committed
/// to, every head signed over the tree, the last entry under one. Says how many entries there are.
///
/// # Errors
/// The first entry that does not verify.
pub fn verify<'a>(
    public_key: &[u8; 32],
    of: &LedgerName,
    entries: impl IntoIterator<Item = &'a LedgerEntry>,
) -> Result<u64, Broken> {
    go_through(public_key, of, (Frontier::default(), [0; 32]), entries)
}

/// As [`verify`], for what is left of a ledger that was pruned, or was read from a checkpoint on.
///
/// # Errors
/// As there; `base` where its head is not of this tree, or not signed by this key.
pub fn verify_behind<'a>(
    public_key: &[u8; 32],
    of: &LedgerName,
    base: &LedgerBase,
    entries: impl IntoIterator<Item = &'a LedgerEntry>,
) -> Result<u64, Broken> {
    if !base.is_signed(public_key, of) {
        return Err(Broken { sequence: base.size, why: "base" });
    }
    go_through(public_key, of, (base.tree(), base.leaf), entries)
}

fn go_through<'a>(
    public_key: &[u8; 32],
    of: &LedgerName,
    (mut tree, mut before): (Frontier, Hash),
    entries: impl IntoIterator<Item = &'a LedgerEntry>,
) -> Result<u64, Broken> {
    let mut covered = tree.size;
    for entry in entries {
        let sequence = tree.size;
        let broken = |why| Broken { sequence, why };
        if entry.sequence != sequence {
            return Err(broken("out-of-order"));
        }
        if leaf_of(of, sequence, &before, &entry.commitment, &entry.statement) != entry.leaf {
            return Err(broken("leaf"));
        }
        if entry.payload.as_ref().is_some_and(|payload| payload.commitment() != entry.commitment) {
            return Err(broken("payload"));
        }
        before = entry.leaf;
        tree.push(entry.leaf);
        if let Some(head) = &entry.head {
            if (head.size, head.root) != (tree.size, tree.root()) {
                return Err(broken("head"));
            }
            if !head.is_signed(public_key, of) {
                return Err(broken("signature"));
            }
            covered = tree.size;
        }
    }
    if covered == tree.size { Ok(covered) } else { Err(Broken { sequence: covered, why: "unsigned" }) }
}
