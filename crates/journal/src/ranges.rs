//! A set of sequence numbers kept as ranges, so that a long run costs as little as a single number.

use std::collections::BTreeMap;

/// The most ranges that are written in one frame.
const MOST_WRITTEN: usize = 4096;

/// Ranges that neither touch nor overlap: start → end (exclusive).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(crate) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut start, mut end) = (start, end);
        let touching: Vec<u64> = self
            .0
            .range(..=end)
            .rev()
            .take_while(|(_, known_end)| **known_end >= start)
            .map(|(known_start, _)| *known_start)
            .collect();
        for known in touching {
            if let Some(known_end) = self.0.remove(&known) {
                start = start.min(known);
                end = end.max(known_end);
            }
        }
        self.0.insert(start, end);
    }

    /// Where the range that holds the number ends.
    pub(crate) fn end_of(&self, number: u64) -> Option<u64> {
        self.0.range(..=number).next_back().filter(|(_, end)| **end > number).map(|(_, end)| *end)
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.end_of(number).is_some()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().map(|(start, end)| (*start, *end))
    }

    /// The same set in parts that fit a frame each.
    pub(crate) fn parts(&self) -> Vec<Self> {
        let all: Vec<(u64, u64)> = self.iter().collect();
        all.chunks(MOST_WRITTEN).map(|part| Self(part.iter().copied().collect())).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count_within(0, u64::MAX)
    }

    /// How many numbers of `start..end` are in the set.
    pub(crate) fn count_within(&self, start: u64, end: u64) -> u64 {
        self.iter().map(|(from, to)| to.min(end).saturating_sub(from.max(start))).sum()
    }

    pub(crate) fn end(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(_, end)| *end)
    }

    /// Forgets everything below a number.
    pub(crate) fn forget_below(&mut self, number: u64) {
        let kept = self.iter().filter(|(_, end)| *end > number).map(|(start, end)| (start.max(number), end));
        self.0 = kept.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_ranges_become_one() {
        let mut ranges = Ranges::default();
        for (start, end) in [(5, 6), (1, 3), (3, 4), (8, 9), (4, 5)] {
            ranges.insert(start, end);
        }
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(1, 6), (8, 9)]);
        assert_eq!(ranges.end_of(1), Some(6));
        assert!(!ranges.contains(6));
        assert_eq!(ranges.count_within(5, 100), 2);
        assert_eq!(ranges.parts(), [ranges.clone()]);
        ranges.forget_below(4);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(4, 6), (8, 9)]);
    }
}
