//! A policy ready to decide with: the checked document, its identity, and its law packs, interned.

use std::fmt;

use crate::change::Terms;
use crate::document::{Document, Endpoint, Event, Feature, Id, Purpose, Recipient, RecipientType, Rule};
use crate::error::Errors;
use crate::packs::{self, Demand, Pack};

/// A purpose of one policy, interned. It means nothing to another policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PurposeId(pub(crate) u16);

/// A policy that was read and checked whole. It is immutable.
///
/// ```
/// # let text = include_bytes!("../../../tests/policies/minimal.json");
/// let policy = menshen_policy::Policy::read(text)?;
/// assert_eq!(policy.document().version.as_str(), "1.0.0");
/// # Ok::<(), menshen_policy::Errors>(())
/// ```
pub struct Policy {
    pub(crate) document: Document,
    pub(crate) packs: Vec<Pack>,
    pub(crate) purposes: Vec<CompiledPurpose>,
    pub(crate) rules: Vec<(Id, Rule)>,
    canonical: Vec<u8>,
    hash: String,
    thresholds: Vec<u8>,
}

pub(crate) struct CompiledPurpose {
    pub(crate) id: Id,
    pub(crate) purpose: Purpose,
    terms: Terms,
}

impl Policy {
    /// Reads, checks and compiles a policy document.
    ///
    /// # Errors
    /// Everything that is wrong with the document, at once.
    pub fn read(bytes: &[u8]) -> Result<Self, Errors> {
        let read = Document::read(bytes)?;
        Self::compile(read.document, read.canonical, read.hash).map_err(Errors::internal)
    }

    /// Reads the canonical bytes of a policy that was read and checked before, perhaps by an earlier release.
    ///
    /// # Errors
    /// The bytes do not have the shape of a policy.
    pub fn read_kept(canonical: &[u8]) -> Result<Self, Errors> {
        let read = Document::read_kept(canonical)?;
        Self::compile(read.document, read.canonical, read.hash).map_err(Errors::internal)
    }

    fn compile(document: Document, canonical: Vec<u8>, hash: String) -> Result<Self, String> {
        let packs = packs::built_in().map_err(|error| format!("law packs: {error}"))?;
        let rules: Vec<(Id, Rule)> = document.rules.iter().map(|(id, rule)| (id.clone(), rule.clone())).collect();
        let purposes: Vec<CompiledPurpose> = document
            .purposes
            .iter()
            .map(|(id, purpose)| CompiledPurpose {
                id: id.clone(),
                purpose: purpose.clone(),
                terms: Terms::of(purpose),
            })
            .collect();
        let mut thresholds: Vec<u8> = rules
            .iter()
            .flat_map(|(_, rule)| [rule.when.age_below, rule.when.age_from])
            .flatten()
            .chain(packs.iter().flat_map(pack_thresholds))
            .collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        Ok(Self { document, packs, purposes, rules, canonical, hash, thresholds })
    }

    /// The document as it was read.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The bytes that the hash is taken over (RFC 8785, without `$schema`).
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The policy's identity: the SHA-256 of its canonical bytes, in lower-case hexadecimal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Every age at which some rule of the policy or of a law pack changes, rising.
    #[must_use]
    pub fn thresholds(&self) -> &[u8] {
        &self.thresholds
    }

    /// The purpose with this id.
    #[must_use]
    pub fn purpose_id(&self, id: &str) -> Option<PurposeId> {
        let at = self.purposes.binary_search_by(|purpose| purpose.id.as_str().cmp(id)).ok()?;
        u16::try_from(at).ok().map(PurposeId)
    }

    /// Every purpose, in the order of their ids.
    pub fn purposes(&self) -> impl Iterator<Item = (PurposeId, &Id, &Purpose)> {
        (0_u16..).zip(&self.purposes).map(|(i, p)| (PurposeId(i), &p.id, &p.purpose))
    }

    /// The terms of a purpose, against which a recorded consent is weighed.
    #[must_use]
    pub fn terms(&self, purpose: PurposeId) -> Option<&Terms> {
        self.compiled(purpose).map(|compiled| &compiled.terms)
    }

    /// The purpose with this id, as the document has it.
    #[must_use]
    pub fn purpose(&self, id: &str) -> Option<&Purpose> {
        self.document.purposes.get(id)
    }

    /// The feature with this id, as the document has it.
    #[must_use]
    pub fn feature(&self, id: &str) -> Option<&Feature> {
        self.document.features.get(id)
    }

    /// The event with this name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&Event> {
        self.document.events.get(name)
    }

    /// The recipient with this id.
    #[must_use]
    pub fn recipient(&self, id: &str) -> Option<&Recipient> {
        self.document.recipients.get(id)
    }

    /// The purposes that name a recipient: all of them must be allowed before its SDK starts.
    pub fn purposes_of_recipient<'a>(&'a self, recipient: &'a str) -> impl Iterator<Item = (PurposeId, &'a Id)> {
        self.purposes()
            .filter(move |(_, _, purpose)| purpose.recipients.iter().any(|r| r.as_str() == recipient))
            .map(|(at, id, _)| (at, id))
    }

    /// Where the controller itself is reached: the first endpoint of a recipient that is the maker. `None` if it has none.
    #[must_use]
    pub fn makers_endpoint(&self) -> Option<(&Id, &Endpoint)> {
        let is_makers = |endpoint: &Endpoint| {
            self.document.recipients.get(&endpoint.recipient).is_some_and(|r| r.kind == RecipientType::Maker)
        };
        self.document.endpoints.iter().find(|(_, endpoint)| is_makers(endpoint))
    }

    /// The purposes that no feature needs. They are offered once after the notice, a switch each.
    pub fn offered_purposes(&self) -> impl Iterator<Item = (PurposeId, &Id, &Purpose)> {
        let features = &self.document.features;
        self.purposes().filter(|(_, id, purpose)| {
            purpose.consent.is_some() && !features.values().any(|feature| feature.purposes.contains(id))
        })
    }

    pub(crate) fn compiled(&self, purpose: PurposeId) -> Option<&CompiledPurpose> {
        self.purposes.get(usize::from(purpose.0))
    }
}

fn pack_thresholds(pack: &Pack) -> Vec<u8> {
    let ages = |demand: &Demand| match demand {
        Demand::Needs { when, .. } => when.places.values().copied().chain(when.age_below).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    pack.rules.values().flat_map(|rule| ages(&rule.demand)).collect()
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({} {})", self.document.id, self.document.version)
    }
}
