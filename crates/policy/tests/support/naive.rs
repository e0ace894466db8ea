//! Deciding word by word from the document and the law packs: nothing is compiled, nothing is shared with the engine but
//! the types that are read. Slow and plain.

use std::collections::BTreeSet;

use menshen_policy::document::{
    Abroad, ConsentKind, Document, Effect, Giver, Id, LegalBasis, Place, Purpose, SubjectMode,
};
use menshen_policy::packs::{Demand, Pack, Scope, Then};
use menshen_policy::{AgeBand, Consent, Month, Verdict};

use crate::random::Asked;

/// What the naive evaluation says.
#[derive(Debug)]
pub struct Naive {
    pub verdict: Verdict,
    /// Who is asked; only where somebody is, or a consent was weighed.
    pub asked: Option<Giver>,
    pub kind: Option<ConsentKind>,
    /// The rules that forbid, that want a guardian, that want to ask: `r1` of the policy, `cn/under-14` of a pack.
    pub denying: BTreeSet<String>,
    pub guardian: BTreeSet<String>,
    pub asking: BTreeSet<String>,
}

fn part_of(name: &Id, whole: &Id) -> bool {
    name.as_str() == whole.as_str() || name.as_str().starts_with(&format!("{whole}."))
}

fn any_part(names: &[Id], wholes: &[Id]) -> bool {
    wholes.is_empty() || names.iter().any(|name| wholes.iter().any(|whole| part_of(name, whole)))
}

fn inside(place: &Place, whole: &Place) -> bool {
    place == whole || place.as_str().starts_with(&format!("{whole}-"))
}

/// The ages that a person may have, lowest and highest.
pub fn ages(band: Option<AgeBand>, now: Month, unknown_is_adult: bool) -> (u8, u8) {
    match band {
        None if unknown_is_adult => (120, 120),
        None => (0, 120),
        Some(band) => {
            let most = band.below.filter(|next| now < next.month).map_or(120, |next| next.age - 1);
            (band.at_least(now), most)
        }
    }
}

pub struct World<'a> {
    pub document: &'a Document,
    pub packs: &'a [Pack],
}

impl World<'_> {
    /// The packs that are surely in force, and those that may be.
    pub fn in_force(&self, place: Option<&Place>) -> (Vec<&Pack>, Vec<&Pack>) {
        let surely = |pack: &&Pack| {
            let named = self.document.jurisdictions.contains(&pack.id);
            named || place.is_some_and(|place| pack.territory.iter().any(|whole| inside(place, whole)))
        };
        let sure: Vec<&Pack> = self.packs.iter().filter(surely).collect();
        let maybe = if place.is_none() { self.packs.iter().filter(|pack| !surely(pack)).collect() } else { Vec::new() };
        (sure, maybe)
    }

    pub fn bases(&self, purpose: &Purpose, place: Option<&Place>) -> (LegalBasis, Vec<LegalBasis>) {
        let (sure, maybe) = self.in_force(place);
        let of = |packs: Vec<&Pack>| -> Vec<LegalBasis> {
            packs.iter().filter_map(|pack| purpose.legal_basis_in.get(&pack.id).copied()).collect()
        };
        let strictness = |basis: &LegalBasis| match basis {
            LegalBasis::LegalDuty => 0,
            LegalBasis::Contract => 1,
            LegalBasis::LegitimateInterest => 2,
            LegalBasis::Instruction => 3,
            _ => 4,
        };
        let sure = of(sure).into_iter().max_by_key(strictness).unwrap_or(purpose.legal_basis);
        let mut possible = of(maybe);
        possible.push(sure);
        (possible.iter().copied().max_by_key(strictness).unwrap(), possible)
    }

    fn scope_holds(&self, scope: &Scope, pack: &Pack, purpose: &Purpose, bases: &[LegalBasis]) -> bool {
        let recipients: Vec<_> = purpose.recipients.iter().map(|id| &self.document.recipients[id]).collect();
        let categories: Vec<_> = purpose.categories.iter().map(|id| &self.document.categories[id]).collect();
        let abroad = recipients
            .iter()
            .any(|r| r.place.as_ref().is_some_and(|place| !pack.territory.iter().any(|whole| inside(place, whole))));
        [
            scope.legal_bases.is_empty() || bases.iter().any(|basis| scope.legal_bases.contains(basis)),
            any_part(std::slice::from_ref(&purpose.data_use), &scope.uses),
            any_part(&purpose.categories, &scope.categories),
            scope.recipient_types.is_empty() || recipients.iter().any(|r| scope.recipient_types.contains(&r.kind)),
            scope.necessity.is_none() || scope.necessity == Some(purpose.necessity),
            !scope.sensitive || categories.iter().any(|c| c.sensitive || c.special),
            !scope.special || categories.iter().any(|c| c.special),
            !scope.abroad || abroad,
        ]
        .iter()
        .all(|holds| *holds)
    }

    /// Whether a person of unknown age counts as an adult.
    pub fn takes_unknown_as_adult(&self, place: Option<&Place>) -> bool {
        let (sure, maybe) = self.in_force(place);
        let child_by_law = sure
            .iter()
            .chain(&maybe)
            .any(|pack| pack.rules.values().any(|rule| matches!(rule.demand, Demand::UnknownSubject)));
        self.document.subject.age_and_place == SubjectMode::GeneralAudience && !child_by_law
    }

    pub fn decide(&self, asked: &Asked, band: Option<AgeBand>) -> Naive {
        let document = self.document;
        let (id, purpose) = document.purposes.get_key_value(asked.purpose.as_str()).unwrap();
        let place = asked.place.as_ref();
        let (sure, maybe) = self.in_force(place);
        let (basis, bases) = self.bases(purpose, place);
        let adult = self.takes_unknown_as_adult(place);
        let (youngest, oldest) = ages(band, Month::at(asked.now_ms), adult);

        // What fires at all, and what fires for certain.
        let mut denying = BTreeSet::new();
        let mut surely_denied = false;
        let (mut guardian, mut asking) = (BTreeSet::new(), BTreeSet::new());
        let mut kind = purpose.consent.as_ref().map_or(ConsentKind::General, |terms| terms.kind);
        for (rule_id, rule) in &document.rules {
            let when = &rule.when;
            let packs_named = self.packs.iter().filter(|pack| when.jurisdictions.contains(&pack.id));
            let here = when.jurisdictions.is_empty()
                || place.is_none_or(|place| {
                    packs_named.clone().any(|p| p.territory.iter().any(|whole| inside(place, whole)))
                });
            let kinds: Vec<_> = purpose.recipients.iter().map(|id| document.recipients[id].kind).collect();
            let may_hold = here
                && when.age_below.is_none_or(|age| youngest < age)
                && when.age_from.is_none_or(|age| oldest >= age)
                && (when.purposes.is_empty() || when.purposes.contains(id))
                && any_part(std::slice::from_ref(&purpose.data_use), &when.uses)
                && any_part(&purpose.categories, &when.categories)
                && (when.recipients.is_empty() || purpose.recipients.iter().any(|id| when.recipients.contains(id)))
                && (when.recipient_types.is_empty() || kinds.iter().any(|kind| when.recipient_types.contains(kind)))
                && (when.legal_bases.is_empty() || bases.iter().any(|basis| when.legal_bases.contains(basis)));
            if !may_hold {
                continue;
            }
            let surely = (when.jurisdictions.is_empty() || place.is_some())
                && when.age_below.is_none_or(|age| oldest < age)
                && when.age_from.is_none_or(|age| youngest >= age);
            match rule.effect {
                Effect::Deny => {
                    denying.insert(rule_id.to_string());
                    surely_denied |= surely;
                }
                Effect::Guardian => drop(guardian.insert(rule_id.to_string())),
                _ => drop(asking.insert(rule_id.to_string())),
            }
            kind = kind.max(rule.kind.unwrap_or(ConsentKind::General));
        }
        for pack in sure.iter().chain(&maybe) {
            for (rule_id, rule) in &pack.rules {
                let Demand::Needs { when, then, consent } = &rule.demand else { continue };
                let age = place.and_then(|place| when.places.get(place)).copied().or(when.age_below);
                if !self.scope_holds(when, pack, purpose, &bases) || age.is_some_and(|age| youngest >= age) {
                    continue;
                }
                let name = format!("{}/{rule_id}", pack.id);
                match then {
                    Some(Then::Guardian) => drop(guardian.insert(name)),
                    Some(Then::Ask) => drop(asking.insert(name)),
                    _ => {}
                }
                kind = kind.max(consent.unwrap_or(ConsentKind::General));
            }
        }
        if let Some(residency) = document.residency.as_ref().filter(|r| r.abroad == Abroad::SeparateConsent) {
            let places = purpose.recipients.iter().filter_map(|id| document.recipients[id].place.as_ref());
            if places.into_iter().any(|place| !residency.stored_in.iter().any(|whole| inside(place, whole))) {
                asking.insert("abroad".to_owned());
                kind = kind.max(ConsentKind::Separate);
            }
        }

        let closed =
            |verdict, denying, guardian, asking| Naive { verdict, asked: None, kind: None, denying, guardian, asking };
        if basis == LegalBasis::LegalDuty {
            let verdict = if surely_denied { Verdict::Deny } else { Verdict::Allow };
            return closed(verdict, denying, guardian, asking);
        }
        if !asked.notice_agreed || !denying.is_empty() || asked.restricted {
            return closed(Verdict::Deny, denying, guardian, asking);
        }
        if basis == LegalBasis::Instruction && !guardian.is_empty() {
            return closed(Verdict::Deny, denying, guardian, asking);
        }
        let rests_on_yes = matches!(basis, LegalBasis::Consent | LegalBasis::Instruction);
        if !rests_on_yes && guardian.is_empty() && asking.is_empty() {
            return closed(Verdict::Allow, denying, guardian, asking);
        }
        let declared = purpose.consent.as_ref().map_or(Giver::Subject, |terms| terms.given_by);
        let who = match basis {
            LegalBasis::Instruction => Giver::Administrator,
            _ if declared == Giver::Subject && !guardian.is_empty() => Giver::Guardian,
            _ => declared,
        };
        let verdict = match asked.consent {
            Consent::Refused | Consent::Withdrawn => Verdict::Deny,
            Consent::Given { kind: given, by, until_ms } => {
                let in_time = until_ms.is_none_or(|until| until > asked.now_ms);
                let by_them = match who {
                    Giver::Subject => by != Giver::Administrator,
                    Giver::Guardian => matches!(by, Giver::Guardian | Giver::Both),
                    Giver::Both => by == Giver::Both,
                    _ => by == Giver::Administrator,
                };
                if in_time && by_them && given >= kind { Verdict::Allow } else { Verdict::Ask }
            }
            _ => Verdict::Ask,
        };
        Naive { verdict, asked: Some(who), kind: Some(kind), denying, guardian, asking }
    }
}
