//! Which purposes a new version of a policy asks about again, and of whom: decided by both versions, and compared.

use std::collections::BTreeMap;

use crate::decide::{Consent, Question, Verdict};
use crate::document::{Id, Place};
use crate::in_force::RulesInForce;
use crate::policy::{Policy, PurposeId};
use crate::subject::{AgeBand, Month};

/// A question that a new version of a policy puts to people who agreed to all that the old one asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The purpose.
    pub purpose: Id,
    /// Whether they were asked before, under the old version.
    pub again: bool,
    /// Where they live, and whether people of every age that is not kept out are asked there; elsewhere nobody is.
    pub of: BTreeMap<Territory, bool>,
}

/// Where people live, as far as the law differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Territory {
    /// Where these packs are in force, joined by ` and `.
    Packs(String),
    /// Anywhere else.
    Elsewhere,
}

impl Asking {
    /// The purposes about which `after` asks people who said yes to everything that `before` asked them, by id. People of
    /// every age that some rule names, in every place whose law is known here and in one whose law is not.
    #[must_use]
    pub fn between(before: &Policy, after: &Policy) -> Vec<Self> {
        let now = Month::parse(after.document.effective_from.as_str().get(..7).unwrap_or_default());
        let now_ms = now.map_or(0, Month::start_ms);
        let mut ages: Vec<u8> = before.thresholds().iter().chain(after.thresholds()).copied().chain([0]).collect();
        ages.sort_unstable();
        ages.dedup();
        let mut asked: BTreeMap<&Id, Self> = BTreeMap::new();
        for (territory, place) in territories(before, after) {
            let rules = [before.rules_in_force(place.as_ref()), after.rules_in_force(place.as_ref())];
            for (purpose, id, _) in after.purposes() {
                let answers =
                    ages.iter().map(|age| Asked { policies: [before, after], rules: &rules, now_ms, age: *age });
                let answers: Vec<Reached> = answers.map(|asked| asked.about(purpose, id)).collect();
                let again = answers.contains(&Reached::Again);
                if !again && !answers.contains(&Reached::First) {
                    continue;
                }
                let everybody = !answers.contains(&Reached::Open);
                let entry = asked.entry(id).or_insert_with(|| Self { purpose: id.clone(), again, of: BTreeMap::new() });
                entry.again |= again;
                // Of several places of one territory, such as the countries of the EU, some may differ.
                entry.of.entry(territory.clone()).and_modify(|of| *of &= everybody).or_insert(everybody);
            }
        }
        asked.into_values().collect()
    }
}

/// The places to look at: all of every pack, and one outside.
fn territories(before: &Policy, after: &Policy) -> Vec<(Territory, Option<Place>)> {
    let mut places: Vec<&Place> = after.packs.iter().flat_map(|pack| &pack.territory).collect();
    places.sort();
    places.dedup();
    let named = |place: &Place| {
        let packs = after.packs.iter().filter(|pack| pack.covers(place)).map(|pack| pack.id.as_str());
        Territory::Packs(packs.collect::<Vec<_>>().join(" and "))
    };
    let mut found: Vec<_> = places.into_iter().map(|place| (named(place), Some(place.clone()))).collect();
    // A territory that no pack knows: one of the codes that has no pack here.
    let outside = ["JP", "BR", "CH", "AQ"].into_iter().filter_map(|code| Place::parse(code).ok());
    let is_outside = |place: &Place| ![before, after].iter().any(|policy| policy.packs.iter().any(|p| p.covers(place)));
    found.extend(outside.filter(is_outside).take(1).map(|place| (Territory::Elsewhere, Some(place))));
    found
}

/// How a new version reaches a person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// It asks about what was asked and answered with a yes before.
    Again,
    /// It asks about what was not asked before.
    First,
    /// It goes on, or begins, without a question.
    Open,
    /// It keeps them out.
    KeptOut,
}

/// A person of an age, in a place.
struct Asked<'a> {
    policies: [&'a Policy; 2],
    rules: &'a [RulesInForce; 2],
    now_ms: i64,
    age: u8,
}

impl Asked<'_> {
    /// How the new version reaches a person with a purpose.
    fn about(&self, purpose: PurposeId, id: &Id) -> Reached {
        let ([before, after], [rules_before, rules_after]) = (self.policies, self.rules);
        let unasked = |policy: &Policy, purpose| Question {
            purpose,
            age: Some(self.band(policy)),
            notice_agreed: true,
            consent: Consent::NotAsked,
            restricted: false,
            now_ms: self.now_ms,
        };
        let old = before.purpose_id(id.as_str()).map(|old| (old, rules_before.decide(&unasked(before, old))));
        let answered = old.as_ref().filter(|(_, decision)| decision.verdict == Verdict::Ask);
        let consent = match answered {
            None => Consent::NotAsked,
            Some((old, decision)) => match (before.terms(*old), after.terms(purpose)) {
                (Some(was), Some(is)) if was.cover(is) => {
                    Consent::Given { kind: decision.kind, by: decision.asked, until_ms: None }
                }
                _ => Consent::Outdated,
            },
        };
        let decision = rules_after.decide(&Question { consent, ..unasked(after, purpose) });
        match decision.verdict {
            Verdict::Ask if answered.is_some() => Reached::Again,
            Verdict::Ask => Reached::First,
            Verdict::Allow => Reached::Open,
            Verdict::Deny => Reached::KeptOut,
        }
    }

    /// The band of a person who has just surely reached this age.
    fn band(&self, policy: &Policy) -> AgeBand {
        let now = Month::at(self.now_ms);
        let born = now.plus(-(i32::from(self.age) * 12 + 1));
        AgeBand::of(born, now, policy.thresholds())
    }
}
