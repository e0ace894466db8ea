//! What must stay apart: the data of some purposes, and data of some kinds.

use crate::document::{Id, NeverCombine};
use crate::policy::Policy;

/// Why two purposes' data must stay apart.
#[derive(Clone, Copy, Debug)]
pub struct Barrier<'a> {
    /// The id of the rule.
    pub rule: &'a Id,
    /// What it says.
    pub terms: &'a NeverCombine,
    /// The kind of data that one of the two holds.
    pub category: &'a Id,
}

impl Policy {
    /// What forbids bringing the data of two purposes together: in one record, under one identifier, in one answer.
    /// `None` if they may be.
    ///
    /// ```
    /// # let text = include_bytes!("../../../tests/policies/complete.json");
    /// let policy = menshen_policy::Policy::read(text)?;
    /// assert!(policy.barrier("usage-statistics", "share-location").is_some());
    /// assert!(policy.barrier("usage-statistics", "keep-logs").is_none());
    /// # Ok::<(), menshen_policy::Errors>(())
    /// ```
    #[must_use]
    pub fn barrier(&self, one: &str, other: &str) -> Option<Barrier<'_>> {
        self.barrier_from(one, other).or_else(|| self.barrier_from(other, one))
    }

    fn barrier_from(&self, apart: &str, other: &str) -> Option<Barrier<'_>> {
        let categories = &self.purpose(other)?.categories;
        let rules = self.document().never_combine.iter();
        rules.filter(|(_, terms)| terms.purposes.iter().any(|id| id.as_str() == apart)).find_map(|(rule, terms)| {
            let held = |id: &&Id| terms.categories.iter().any(|whole| id.is_part_of(whole));
            categories.iter().find(held).map(|category| Barrier { rule, terms, category })
        })
    }
}
