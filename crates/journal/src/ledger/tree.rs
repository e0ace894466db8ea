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

/// The leaves of a tree, from what stands for the first of them on.
pub(crate) struct Leaves<'a> {
    pub(crate) base: &'a Frontier,
    pub(crate) leaves: &'a [Hash],
}

impl Leaves<'_> {
    fn size(&self) -> u64 {
        self.base.size + self.leaves.len() as u64
    }

    /// The root over the leaves from `start` to before `end`, if it can be told.
    fn root(&self, start: u64, end: u64) -> Option<Hash> {
        if start >= self.base.size {
            let at = |number: u64| usize::try_from(number - self.base.size).ok();
            let mut tree = Frontier::default();
            self.leaves.get(at(start)?..at(end)?)?.iter().for_each(|leaf| tree.push(*leaf));
            return Some(tree.root());
        }
        let mut before = 0;
        for (bit, root) in (0..u64::BITS).rev().filter(|bit| self.base.size >> bit & 1 == 1).zip(&self.base.roots) {
            if (start, end) == (before, before + (1 << bit)) {
                return Some(*root);
            }
            before += 1 << bit;
        }
        if end - start < 2 {
            return None;
        }
        let middle = start + split(end - start);
        Some(node(&self.root(start, middle)?, &self.root(middle, end)?))
    }

    /// The proof that the leaf at `index` is among them.
    pub(crate) fn inclusion_proof(&self, index: u64) -> Option<Vec<Hash>> {
        let (mut start, mut end, mut proof) = (0, self.size(), Vec::new());
        if index >= end {
            return None;
        }
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                proof.push(self.root(middle, end)?);
                end = middle;
            } else {
                proof.push(self.root(start, middle)?);
                start = middle;
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// The proof that the first `size` of them were there before the others.
    pub(crate) fn consistency_proof(&self, size: u64) -> Option<Vec<Hash>> {
        let (mut start, mut end, mut proof) = (0, self.size(), Vec::new());
        if size > end {
            return None;
        }
        if size == 0 || size == end {
            return Some(proof);
        }
        while size < end {
            let middle = start + split(end - start);
            if size <= middle {
                proof.push(self.root(middle, end)?);
                end = middle;
            } else {
                proof.push(self.root(start, middle)?);
                start = middle;
            }
        }
        if start > 0 {
            proof.push(self.root(start, end)?);
        }
        proof.reverse();
        Some(proof)
    }
}

/// The proof that the leaf at `index` is in the tree of these leaves, or `None` where there is no such leaf.
#[must_use]
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Option<Vec<Hash>> {
    Leaves { base: &Frontier::default(), leaves }.inclusion_proof(index)
}

/// The proof that the tree of the first `size` of these leaves is the beginning of the tree of all of them (RFC 6962,
/// section 2.1.2), or `None` where there are not as many.
#[must_use]
pub fn consistency_proof(leaves: &[Hash], size: u64) -> Option<Vec<Hash>> {
    Leaves { base: &Frontier::default(), leaves }.consistency_proof(size)
}

/// Whether a proof shows that the tree with the first size and root is the beginning of the one with the second: nothing
/// that was there was changed or taken away (RFC 9162, section 2.1.4.2).
#[must_use]
pub fn is_consistent(first: (u64, &Hash), second: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((first_size, first_root), (second_size, second_root)) = (first, second);
    if first_size == second_size || first_size == 0 {
        let is_empty = first_size > 0 || cipher::same(first_root, &cipher::hash(&[]));
        let is_equal = first_size < second_size || cipher::same(first_root, second_root);
        return proof.is_empty() && is_empty && is_equal;
    }
    if first_size > second_size {
        return false;
    }
    let mut proof = proof.iter();
    let (mut at, mut last) = (first_size - 1, second_size - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    // A first tree that is perfect is a node of the second: its root need not be sent.
    let begin = if first_size.is_power_of_two() { Some(first_root) } else { proof.next() };
    let Some(begin) = begin else { return false };
    let (mut old, mut new) = (*begin, *begin);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            (old, new) = (node(hash, &old), node(hash, &new));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new = node(&new, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && cipher::same(&old, first_root) && cipher::same(&new, second_root)
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

    fn root(leaves: &[Hash]) -> Hash {
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        frontier.root()
    }

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
    fn a_tree_proves_that_it_goes_on_from_each_before_it_and_from_no_other() {
        for count in 0..=40_u8 {
            let leaves = leaves(count);
            let whole = (u64::from(count), &root(&leaves));
            for size in 0..=count {
                let first = (u64::from(size), &root(&leaves[..usize::from(size)]));
                let proof = consistency_proof(&leaves, first.0).unwrap();
                assert!(is_consistent(first, whole, &proof), "{size} of {count}");
                assert!(!is_consistent((first.0, &[9; 32]), whole, &proof));
                assert!(size == 0 || !is_consistent(first, (whole.0, &[9; 32]), &proof));
                assert!(!is_consistent(first, whole, &[&proof[..], &[[9; 32]]].concat()));
                assert!(size == count || !is_consistent(whole, first, &proof));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!is_consistent(first, whole, shorter));
                }
                for at in 0..proof.len() {
                    let mut other = proof.clone();
                    other[at][7] ^= 1;
                    assert!(!is_consistent(first, whole, &other));
                }
            }
            assert_eq!(consistency_proof(&leaves, u64::from(count) + 1), None);
        }
    }

    #[test]
    fn what_is_behind_a_base_is_proven_without_the_leaves_before_it() {
        for count in 1..=33_u8 {
            let all = leaves(count);
            for before in 0..=count {
                let (old, new) = all.split_at(usize::from(before));
                let mut base = Frontier::default();
                old.iter().for_each(|leaf| base.push(*leaf));
                let behind = Leaves { base: &base, leaves: new };
                for index in u64::from(before)..u64::from(count) {
                    assert_eq!(behind.inclusion_proof(index), inclusion_proof(&all, index), "{before}, {index}");
                }
                for size in u64::from(before)..=u64::from(count) {
                    assert_eq!(behind.consistency_proof(size), consistency_proof(&all, size), "{before}, {size}");
                }
            }
        }
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
