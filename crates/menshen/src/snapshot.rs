//! The answers of a session at one moment, immutable, for the question that is asked most often.

use std::cmp::Ordering;
use std::sync::Arc;

use menshen_journal::Now;

use menshen_policy::Identity;
use menshen_policy::document::Id;

use crate::core::Core;

/// The answers of a session at one moment. An expired one denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    generation: u64,
    valid_until_ms: i64,
    features: Answers,
    purposes: Answers,
    /// For each open feature the generation in which it opened: what began before does not outlive a closing.
    opened: Vec<(String, u64)>,
    identity: Arc<Identity>,
}

/// A snapshot is taken anew at least this often, so that nothing depends on an old look at the system.
const LONGEST_MS: i64 = 24 * 3_600_000;

impl Snapshot {
    pub(crate) fn closed(identity: &Arc<Identity>) -> Self {
        Self {
            generation: 0,
            valid_until_ms: i64::MIN,
            features: Answers::default(),
            purposes: Answers::default(),
            opened: Vec::new(),
            identity: Arc::clone(identity),
        }
    }

    pub(crate) fn take(core: &mut Core, now: &Now, before: &Self) -> Self {
        let mut valid_until_ms = now.wall_ms.saturating_add(LONGEST_MS);
        let purposes: Answers = core
            .policy
            .purposes()
            .map(|(at, id, _)| {
                let gate = core.gate(at, id.as_str(), now);
                valid_until_ms = valid_until_ms.min(gate.valid_until_ms.unwrap_or(i64::MAX));
                (id.to_string(), gate.closed.is_none())
            })
            .collect();
        if core.newer_in_effect(now).count() < core.waiting.len() {
            // A day begins in at most so long; looking again at midnight UTC closes what ends then.
            let midnight = (now.wall_ms.div_euclid(86_400_000) + 1).saturating_mul(86_400_000);
            valid_until_ms = valid_until_ms.min(midnight);
        }
        let features: Answers = core
            .policy
            .document()
            .features
            .iter()
            .map(|(id, feature)| {
                let permitted = feature.permissions.keys().all(|permission| core.is_permitted(*permission));
                let open = |purpose: &Id| purposes.is_open(purpose.as_str());
                (id.to_string(), permitted && feature.purposes.iter().all(open))
            })
            .collect();
        core.generation += 1;
        let generation = core.generation;
        let opened = features.open().map(|id| (id.to_owned(), before.open_since(id).unwrap_or(generation))).collect();
        Self { generation, valid_until_ms, features, purposes, opened, identity: Arc::clone(core.identity()) }
    }

    /// Whether a feature is open. `now_ms` is the wall clock in milliseconds since 1970.
    #[must_use]
    pub fn is_allowed(&self, feature: &str, now_ms: i64) -> bool {
        now_ms < self.valid_until_ms && self.features.is_open(feature)
    }

    /// The generation in which an open feature opened.
    pub(crate) fn open_since(&self, feature: &str) -> Option<u64> {
        let at = self.opened.binary_search_by(|(id, _)| id.as_str().cmp(feature)).ok()?;
        self.opened.get(at).map(|(_, since)| *since)
    }

    /// Whether a purpose is allowed.
    #[must_use]
    pub fn is_purpose_allowed(&self, purpose: &str, now_ms: i64) -> bool {
        now_ms < self.valid_until_ms && self.purposes.is_open(purpose)
    }

    /// A number that grows with every new snapshot of the session.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When the answers end, in milliseconds since 1970.
    #[must_use]
    pub fn valid_until_ms(&self) -> i64 {
        self.valid_until_ms
    }

    /// The policy and the law packs that the answers rest on.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The open features.
    pub fn open_features(&self) -> impl Iterator<Item = &str> {
        self.features.open()
    }

    /// The allowed purposes.
    pub fn open_purposes(&self) -> impl Iterator<Item = &str> {
        self.purposes.open()
    }

    /// Whether another snapshot gives the same answers.
    pub(crate) fn answers_as(&self, other: &Self) -> bool {
        self.features == other.features && self.purposes == other.purposes
    }
}

/// Open or not, by id. Sorted by length first, so that a search compares numbers more often than texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Answers(Vec<(String, bool)>);

impl FromIterator<(String, bool)> for Answers {
    fn from_iter<T: IntoIterator<Item = (String, bool)>>(answers: T) -> Self {
        let mut answers: Vec<(String, bool)> = answers.into_iter().collect();
        answers.sort_by(|(one, _), (other, _)| by_length(one, other));
        Self(answers)
    }
}

impl Answers {
    /// One that is not there is not open.
    fn is_open(&self, id: &str) -> bool {
        let at = self.0.binary_search_by(|(one, _)| by_length(one, id)).ok();
        at.and_then(|at| self.0.get(at)).is_some_and(|(_, open)| *open)
    }

    /// The open ones in the order of their ids.
    fn open(&self) -> impl Iterator<Item = &str> {
        let mut ids: Vec<&str> = self.0.iter().filter(|(_, open)| *open).map(|(id, _)| id.as_str()).collect();
        ids.sort_unstable();
        ids.into_iter()
    }
}

fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}
