//! The Merkle tree of RFC 6962, section 2.1, over a ledger's leaves: one root vouches for all of them, and a short
//! proof shows one without the others.

use crate::cipher;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf.
pub(crate) fn leaf(parts: &[&[u8]]) -> Hash {
    let mut all: Vec<&[u8]> = vec![&[0]];
    all.extend(parts);
    cipher::hash(&all)
}

fn node(left: &Hash, right: &Hash) -> Hash {
    cipher::hash(&[&[1], left, right])
}

/// The largest power of two below a size that is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// What of a tree is needed to grow it: the roots of its perfect subtrees, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frontier {
    pub(crate) size: u64,
    pub(crate) roots: Vec<Hash>,
}

impl Frontier {
    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut root = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            let Some(left) = self.roots.pop() else { break };
            root = node(&left, &root);
            size >>= 1;
        }
        self.roots.push(root);
        self.size += 1;
    }

    pub(crate) fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return cipher::hash(&[]) };
        roots.fold(*last, |right, left| node(left, &right))
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.roots.len() == self.size.count_ones() as usize
    }
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// The proof that the leaf at `index` is in the tree of these leaves, or `None` where there is no such leaf.
#[must_use]
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Option<Vec<Hash>> {
    let size = leaves.len() as u64;
    if index >= size {
        return None;
    }
    if size == 1 {
        return Some(Vec::new());
    }
    let middle = split(size);
    let (left, right) = leaves.split_at_checked(usize::try_from(middle).ok()?)?;
    let (mut proof, other) = if index < middle {
        (inclusion_proof(left, index)?, root(right))
    } else {
        (inclusion_proof(right, index - middle)?, root(left))
    };
    proof.push(other);
    Some(proof)
}

/// Whether a proof shows that a leaf is at `index` in the tree of `size` leaves with this root.
#[must_use]
pub fn is_included(root: &Hash, size: u64, index: u64, leaf: &Hash, proof: &[Hash]) -> bool {
    // Beyond that no ledger goes, and the sums below stay small.
    if index >= size || size > 1 << 48 {
        return false;
    }
    // Which side each step of the proof is on, from the root down.
    let (mut sides, mut at, mut left) = (Vec::new(), index, size);
    while left > 1 {
        let middle = split(left);
        let is_right = at >= middle;
        sides.push(is_right);
        (at, left) = if is_right { (at - middle, left - middle) } else { (at, middle) };
    }
    if sides.len() != proof.len() {
        return false;
    }
    let hash = proof
        .iter()
        .zip(sides.iter().rev())
        .fold(*leaf, |hash, (other, is_right)| if *is_right { node(other, &hash) } else { node(&hash, other) });
    cipher::same(&hash, root)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => cipher::hash(&[]),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|n| leaf(&[&[n]])).collect()
    }

    #[test]
    fn a_tree_that_grew_has_the_root_of_the_definition() {
        for count in 0..=130 {
            assert_eq!(root(&leaves(count)), by_definition(&leaves(count)), "{count} leaves");
        }
    }

    /// The test vectors of RFC 9162 section 2.1.5 have no published bytes; these roots are of the well-known test
    /// data of the Certificate Transparency implementations.
    #[test]
    fn known_roots_come_out() {
        let inputs: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let hex = |hash: Hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let leaves: Vec<Hash> = inputs.iter().map(|input| leaf(&[input])).collect();
        assert_eq!(hex(root(&leaves[..1])), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex(root(&leaves[..2])), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(hex(root(&leaves)), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    #[test]
    fn every_leaf_proves_itself_and_nothing_else() {
        for count in 1..=40_u8 {
            let leaves = leaves(count);
            let root = root(&leaves);
            for index in 0..u64::from(count) {
                let proof = inclusion_proof(&leaves, index).unwrap();
                let own = &leaves[index as usize];
                assert!(is_included(&root, u64::from(count), index, own, &proof));
                assert!(!is_included(&root, u64::from(count), index, &leaf(&[b"other"]), &proof));
                assert!(!is_included(&root, u64::from(count), u64::from(count), own, &proof));
                let other = (index + 1) % u64::from(count);
                assert!(other == index || !is_included(&root, u64::from(count), other, own, &proof));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!is_included(&root, u64::from(count), index, own, shorter));
                }
            }
        }
        assert_eq!(inclusion_proof(&leaves(3), 3), None);
    }
}
