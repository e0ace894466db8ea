//! What a new version of a policy adds and takes away.

use std::collections::BTreeSet;

use crate::document::{ConsentKind, Id, LegalBasis, Purpose};
use crate::policy::Policy;

/// The parts of a purpose that a person agrees to. A consent holds for these terms and for narrower ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What makes it lawful.
    pub legal_basis: LegalBasis,
    /// The kind of consent, where it rests on consent.
    pub kind: Option<ConsentKind>,
    /// The kinds of data.
    pub categories: BTreeSet<String>,
    /// Who receives them.
    pub recipients: BTreeSet<String>,
    /// How long a record is kept, in seconds.
    pub retention_seconds: u64,
}

impl Terms {
    /// The terms of a purpose.
    #[must_use]
    pub fn of(purpose: &Purpose) -> Self {
        let names = |ids: &[Id]| ids.iter().map(ToString::to_string).collect();
        Self {
            legal_basis: purpose.legal_basis,
            kind: purpose.consent.as_ref().map(|terms| terms.kind),
            categories: names(&purpose.categories),
            recipients: names(&purpose.recipients),
            retention_seconds: purpose.retention.duration.seconds(),
        }
    }

    /// Whether somebody who agreed to `self` has agreed to `now` too: nothing new, nothing longer, the same basis.
    #[must_use]
    pub fn cover(&self, now: &Self) -> bool {
        self.legal_basis == now.legal_basis
            && self.kind >= now.kind
            && self.categories.is_superset(&now.categories)
            && self.recipients.is_superset(&now.recipients)
            && self.retention_seconds >= now.retention_seconds
    }
}

/// What a new version changes, seen from the accepted one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Purposes that only the new version has.
    pub added: Vec<Id>,
    /// Purposes that the new version has no more.
    pub removed: Vec<Id>,
    /// Purposes whose terms became wider: a new category or recipient, longer retention, another basis or kind.
    pub widened: Vec<Id>,
}

impl Change {
    /// What `next` changes about `accepted`.
    #[must_use]
    pub fn between(accepted: &Policy, next: &Policy) -> Self {
        let mut change = Self::default();
        for (_, id, purpose) in next.purposes() {
            let Some(before) = accepted.purpose(id.as_str()) else {
                change.added.push(id.clone());
                continue;
            };
            if !Terms::of(before).cover(&Terms::of(purpose)) {
                change.widened.push(id.clone());
            }
        }
        change.removed = accepted
            .purposes()
            .filter(|(_, id, _)| next.purpose(id.as_str()).is_none())
            .map(|(_, id, _)| id.clone())
            .collect();
        change
    }
}
