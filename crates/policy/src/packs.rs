//! Law packs: the statutory minimum of a territory, as data. The stricter of policy and law holds.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::canonical;
use crate::document::{Date, Duration, Id, LegalBasis, Place};

const SOURCES: [&str; 4] = [
    include_str!("../packs/cn.json"),
    include_str!("../packs/eu.json"),
    include_str!("../packs/us-ca.json"),
    include_str!("../packs/us-coppa.json"),
];

/// The ids of the law packs that this library contains, in order.
pub const IDS: [&str; 4] = ["cn", "eu", "us-ca", "us-coppa"];

/// The statutory minimum of one territory.
#[derive(Clone, Debug)]
pub struct Pack {
    /// The pack's id, as a policy's `jurisdictions` name it.
    pub id: Id,
    /// The day on which its rules were compared with their sources.
    pub as_of: Date,
    /// The SHA-256 of its canonical bytes, in lower-case hexadecimal.
    pub hash: String,
    /// Where it holds.
    pub territory: Vec<Place>,
    /// What it demands.
    pub rules: BTreeMap<Id, PackRule>,
}

/// One demand of a law pack.
#[derive(Clone, Debug)]
pub struct PackRule {
    /// What is demanded, in one sentence.
    pub statement: String,
    /// The law or practice it comes from.
    pub source: String,
    /// The part that the engine carries out.
    pub demand: Demand,
}

/// The part of a law pack's rule that the engine carries out.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Demand {
    /// Unknown age is a child, unknown place the strictest.
    UnknownSubject,
    /// Younger people need a guardian.
    AgeThreshold {
        /// The age in full years.
        age_below: u8,
        /// Other ages for parts of the territory.
        #[serde(default)]
        places: BTreeMap<Place, u8>,
        /// For purposes on these legal bases; empty for all.
        #[serde(default)]
        legal_bases: Vec<LegalBasis>,
        /// What is needed.
        then: Then,
    },
    /// These legal bases do not exist here.
    NoLegalBasis {
        /// Which ones.
        legal_bases: Vec<LegalBasis>,
        /// What is needed instead.
        then: Otherwise,
    },
    /// A refused system permission rests.
    ReAsk {
        /// For how long, from the refusal.
        wait: Duration,
        /// Whether a tap of the person on the feature lifts it.
        tap_exception: bool,
    },
}

/// What an age threshold demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Then {
    /// A guardian's yes.
    Guardian,
}

/// What is needed where a legal basis does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Otherwise {
    /// The person's own yes.
    Ask,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackFile {
    id: Id,
    as_of: Date,
    territory: Vec<Place>,
    rules: BTreeMap<Id, serde_json::Value>,
}

/// Reads the packs built into the library.
///
/// # Errors
/// A pack is damaged; a test reads them all, so this does not happen in a released library.
pub fn built_in() -> Result<Vec<Pack>, serde_json::Error> {
    SOURCES.iter().map(|source| read(source)).collect()
}

fn read(source: &str) -> Result<Pack, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_str(source)?;
    let hash = canonical::hash(&value);
    let file = PackFile::deserialize(value)?;
    let rules = file
        .rules
        .into_iter()
        .map(|(id, mut rule)| {
            let mut take = |key: &str| {
                let taken = rule.as_object_mut().and_then(|object| object.remove(key));
                String::deserialize(taken.unwrap_or_default())
            };
            let (statement, source) = (take("statement")?, take("source")?);
            Ok((id, PackRule { statement, source, demand: Demand::deserialize(rule)? }))
        })
        .collect::<Result<_, serde_json::Error>>()?;
    Ok(Pack { id: file.id, as_of: file.as_of, hash, territory: file.territory, rules })
}

impl Pack {
    /// Whether its territory holds this place.
    #[must_use]
    pub fn covers(&self, place: &Place) -> bool {
        self.territory.iter().any(|territory| within(place, territory))
    }
}

/// Whether a place lies in a territory: the same place, or a part of that country.
fn within(place: &Place, territory: &Place) -> bool {
    let (place, territory) = (place.as_str(), territory.as_str());
    place == territory || place.strip_prefix(territory).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_pack_reads_and_is_listed() {
        let packs = built_in().unwrap();
        let ids: Vec<_> = packs.iter().map(|pack| pack.id.as_str()).collect();
        assert_eq!(ids, IDS);
        assert!(packs.iter().all(|pack| pack.hash.len() == 64));
    }

    #[test]
    fn a_state_lies_in_its_country_but_not_the_reverse() {
        let packs = built_in().unwrap();
        let covering = |place: &str| {
            let place = Place::parse(place).unwrap();
            packs.iter().filter(|p| p.covers(&place)).map(|p| p.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(covering("US-CA"), ["us-ca", "us-coppa"]);
        assert_eq!(covering("US"), ["us-coppa"]);
        assert_eq!(covering("CN"), ["cn"]);
        assert_eq!(covering("DE"), ["eu"]);
        assert!(covering("JP").is_empty());
    }
}
