//! Law packs: the statutory minimum of a territory, as data. The stricter of policy and law holds.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::canonical;
use crate::document::{
    AcceptanceMode, AppClass, ConsentKind, Date, Document, Due, Duration, Ground, Id, InboundNotice, LegalBasis,
    Lifted, Necessity, Place, Purpose, RecipientType, Right, Signal,
};

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
    /// The rows of the table in `packs/README.md` that it stands for.
    pub rows: Vec<String>,
    /// What is demanded, in one sentence.
    pub statement: String,
    /// The number in it, where there is one.
    pub number: Option<String>,
    /// The law or practice it comes from.
    pub source: String,
    /// What is done about it.
    pub demand: Demand,
}

/// What is done about a law pack's rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Demand {
    /// Unknown age is a child, unknown place the strictest. The engine does it.
    UnknownSubject,
    /// Some purposes need somebody's yes, or a stronger one. The engine asks for it.
    Needs {
        /// Which purposes, for whom.
        when: Scope,
        /// Whose yes, whatever the legal basis; without it, only the kind of a consent that is asked anyway.
        #[serde(default)]
        then: Option<Then>,
        /// The kind of consent.
        #[serde(default)]
        consent: Option<ConsentKind>,
    },
    /// A refused system permission rests. The permission gate does it.
    ReAsk {
        /// For how long, from the refusal.
        wait: Duration,
        /// Whether a tap of the person on the feature lifts it.
        tap_exception: bool,
    },
    /// These are no agreement to a policy. The engine asks explicitly everywhere; the checker tells.
    Acceptance {
        /// What is none.
        refused: Vec<AcceptanceMode>,
    },
    /// The only grounds on which something is lifted. On the device none lifts anything; the checker tells.
    Exceptions {
        /// What they lift.
        lifts: Lifted,
        /// All grounds that the law knows.
        grounds: Vec<Ground>,
    },
    /// Rights that a policy must offer, and when the answer is due at the latest.
    Rights {
        /// Which ones.
        rights: Vec<Right>,
        /// When.
        #[serde(default)]
        due: Option<Due>,
    },
    /// Messages that the controller must be able to send.
    Notices {
        /// Which ones.
        needed: Vec<InboundNotice>,
    },
    /// A signal that counts as an objection to these uses.
    Signal {
        /// Which one.
        signal: Signal,
        /// To which uses.
        uses: Vec<Id>,
        /// How long nobody is asked to say yes again.
        quiet: Duration,
    },
    /// A program's decision can be looked at by a person, and objected to.
    AutomatedDecisions,
    /// All that the basic functions of an app of a class may demand; categories, each with its parts.
    NecessaryData {
        /// By the class of the app.
        classes: BTreeMap<AppClass, Vec<Id>>,
    },
    /// Marketing can be refused, each channel of it.
    RefusableMarketing,
    /// Who decides for itself about the data is named with a contact.
    Particulars,
    /// The library does it for everyone, whatever the place.
    Library {
        /// Which part of it.
        by: LibraryPart,
    },
}

/// The purposes and people of whom a demand speaks. All of it must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// People younger than this, in full years.
    #[serde(default)]
    pub age_below: Option<u8>,
    /// Other ages for parts of the territory.
    #[serde(default)]
    pub places: BTreeMap<Place, u8>,
    /// Purposes on one of these bases.
    #[serde(default)]
    pub legal_bases: Vec<LegalBasis>,
    /// Purposes of one of these uses or an extension of one.
    #[serde(default)]
    pub uses: Vec<Id>,
    /// Purposes that hold data of one of these kinds or a part of one.
    #[serde(default)]
    pub categories: Vec<Id>,
    /// Purposes that hand data to a recipient of one of these types.
    #[serde(default)]
    pub recipient_types: Vec<RecipientType>,
    /// Purposes that are basic, or that are not.
    #[serde(default)]
    pub necessity: Option<Necessity>,
    /// Purposes that hold sensitive or special data.
    #[serde(default)]
    pub sensitive: bool,
    /// Purposes that hold data of a special category.
    #[serde(default)]
    pub special: bool,
    /// Purposes with a recipient that is stated to store outside the territory.
    #[serde(default)]
    pub abroad: bool,
}

impl Scope {
    /// Whether a purpose on one of the legal bases that it may have is one of those; the age is left open.
    pub(crate) fn holds(
        &self,
        document: &Document,
        purpose: &Purpose,
        bases: &[LegalBasis],
        territory: &[Place],
    ) -> bool {
        let recipients = || purpose.recipients.iter().filter_map(|id| document.recipients.get(id));
        let categories = || purpose.categories.iter();
        let is_sensitive = |id: &Id| document.categories.get(id).is_some_and(|c| c.sensitive || c.special);
        let is_special = |id: &Id| document.categories.get(id).is_some_and(|c| c.special);
        let is_abroad = |place: &Place| !territory.iter().any(|whole| within(place, whole));
        (self.legal_bases.is_empty() || bases.iter().any(|basis| self.legal_bases.contains(basis)))
            && (self.uses.is_empty() || self.uses.iter().any(|whole| purpose.data_use.is_part_of(whole)))
            && (self.categories.is_empty()
                || categories().any(|id| self.categories.iter().any(|whole| id.is_part_of(whole))))
            && (self.recipient_types.is_empty() || recipients().any(|r| self.recipient_types.contains(&r.kind)))
            && self.necessity.is_none_or(|necessity| purpose.necessity == necessity)
            && (!self.sensitive || categories().any(is_sensitive))
            && (!self.special || categories().any(is_special))
            && (!self.abroad || recipients().filter_map(|r| r.place.as_ref()).any(is_abroad))
    }
}

/// What is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Then {
    /// A guardian's yes.
    Guardian,
    /// The person's own yes.
    Ask,
}

/// A part of the library that does something for everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LibraryPart {
    /// The decision and the gates.
    Engine,
    /// The types of what is shown.
    Prompts,
    /// What stands before a system permission.
    Permissions,
    /// What stands before an identifier.
    Identifiers,
    /// The sealed store and the ledger.
    Store,
    /// What is checked when a policy is read.
    Checker,
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
            let mut take = |key: &str| rule.as_object_mut().and_then(|object| object.remove(key)).unwrap_or_default();
            let rows = Vec::deserialize(take("rows"))?;
            let statement = String::deserialize(take("statement"))?;
            let number = Option::deserialize(take("number"))?;
            let source = String::deserialize(take("source"))?;
            Ok((id, PackRule { rows, statement, number, source, demand: Demand::deserialize(rule)? }))
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
pub(crate) fn within(place: &Place, territory: &Place) -> bool {
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
