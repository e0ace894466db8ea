//! The rules that hold for people who live in one place, compiled: what remains to decide is age and consent.

use std::sync::Arc;

use crate::decide::Reason;
use crate::document::{
    Abroad, Condition, ConsentKind, Document, Effect, Giver, Id, LegalBasis, Place, Purpose, SubjectMode,
};
use crate::identity::{Identity, PackIdentity};
use crate::packs::{self, Demand, Pack, Then};
use crate::policy::{CompiledPurpose, Policy, PurposeId};

/// The rules of one policy and of the law packs that hold for people who live in one place, or whose place is
/// unknown. Compile it once for a person with [`Policy::rules_in_force`], then decide with it: that takes
/// interned ids and allocates nothing.
#[derive(Clone, Debug)]
pub struct RulesInForce {
    identity: Arc<Identity>,
    pub(crate) purposes: Vec<PurposeRules>,
    /// Whether an unknown age counts as an adult's.
    pub(crate) unknown_is_adult: bool,
    re_ask: ReAsk,
}

/// What can be said about one purpose.
#[derive(Clone, Debug)]
pub(crate) struct PurposeRules {
    pub(crate) basis: LegalBasis,
    /// Whether the basis is stricter than it may be only because the place is unknown.
    pub(crate) basis_is_unsure: bool,
    pub(crate) kind: ConsentKind,
    pub(crate) giver: Giver,
    pub(crate) clauses: Vec<Clause>,
}

/// One rule that can speak about a purpose in this place. Only the age is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clause {
    /// What it does; `None` if it only asks for a stronger consent where one is asked for.
    pub(crate) effect: Option<Effect>,
    /// The kind of consent that it asks for, where that is more than the purpose's own.
    pub(crate) kind: Option<ConsentKind>,
    pub(crate) below: Option<u8>,
    pub(crate) from: Option<u8>,
    /// Whether the place is known to be one in which it speaks; it may be, where the place is unknown.
    pub(crate) is_here: bool,
    pub(crate) reason: Reason,
}

/// How long a refused system permission rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReAsk {
    /// From the refusal, in milliseconds.
    pub wait_ms: i64,
    /// Whether a tap of the person on the feature lifts it.
    pub tap_exception: bool,
    /// The pack whose rule made the wait strict; `None` for the library's own rule.
    pub pack: Option<&'static str>,
}

impl Policy {
    /// Compiles the rules in force for people who live in `place`: the policy's own, those of the law packs that
    /// it names for everyone, and those of the packs of the place; of every pack while the place is unknown.
    #[must_use]
    pub fn rules_in_force(&self, place: Option<&Place>) -> RulesInForce {
        let packs: Vec<(u8, &Pack, bool)> = (0_u8..)
            .zip(&self.packs)
            .filter_map(|(at, pack)| {
                let everywhere = self.document.jurisdictions.contains(&pack.id);
                let is_here = everywhere || place.is_some_and(|place| pack.covers(place));
                (is_here || place.is_none()).then_some((at, pack, is_here))
            })
            .collect();
        let document = &self.document;
        let law_packs = packs.iter().map(|(_, pack, _)| PackIdentity {
            id: pack.id.to_string(),
            as_of: pack.as_of.to_string(),
            hash: pack.hash.clone(),
        });
        let identity = Identity {
            policy_id: document.id.to_string(),
            policy_version: document.version.to_string(),
            policy_hash: self.hash().to_owned(),
            law_packs: law_packs.collect(),
        };
        let purposes = self.purposes.iter().map(|purpose| self.purpose_rules(purpose, place, &packs)).collect();
        let re_ask = re_ask(packs.iter().map(|(_, pack, _)| *pack));
        let treats_as_child =
            |pack: &Pack| pack.rules.values().any(|rule| matches!(rule.demand, Demand::UnknownSubject));
        let unknown_is_adult = document.subject.age_and_place == SubjectMode::GeneralAudience
            && !packs.iter().any(|(_, pack, _)| treats_as_child(pack));
        RulesInForce { identity: Arc::new(identity), purposes, unknown_is_adult, re_ask }
    }

    /// The legal bases that a purpose may have under some packs: the one that is sure first, then those that it has if
    /// the unknown place is in the territory of a pack.
    fn bases(purpose: &Purpose, packs: &[(u8, &Pack, bool)]) -> Vec<LegalBasis> {
        let named = |here: bool| {
            let packs = packs.iter().filter(move |(_, _, is_here)| *is_here == here);
            packs.filter_map(|(_, pack, _)| purpose.legal_basis_in.get(&pack.id).copied())
        };
        let sure = named(true).max().unwrap_or(purpose.legal_basis);
        std::iter::once(sure).chain(named(false)).collect()
    }

    fn purpose_rules(
        &self,
        compiled: &CompiledPurpose,
        place: Option<&Place>,
        packs: &[(u8, &Pack, bool)],
    ) -> PurposeRules {
        let document = &self.document;
        let purpose = &compiled.purpose;
        let bases = Self::bases(purpose, packs);
        let sure = bases.first().copied().unwrap_or(purpose.legal_basis);
        let basis = bases.iter().copied().max().unwrap_or(sure);
        let mut clauses = Vec::new();
        for (at, (_, rule)) in (0_u16..).zip(&self.rules) {
            if let (true, Some(is_here)) =
                (rule.when.holds(document, &compiled.id, purpose, &bases), self.speaks_in(&rule.when, place))
            {
                let (below, from) = (rule.when.age_below, rule.when.age_from);
                let (effect, kind) = (Some(rule.effect), rule.kind);
                clauses.push(Clause { effect, kind, below, from, is_here, reason: Reason::Rule(at) });
            }
        }
        if document.hands_abroad(purpose) {
            let (effect, kind) = (Some(Effect::Ask), Some(ConsentKind::Separate));
            clauses.push(Clause { effect, kind, below: None, from: None, is_here: true, reason: Reason::Abroad });
        }
        for (pack_at, pack, is_here) in packs {
            for (rule_at, rule) in (0_u8..).zip(pack.rules.values()) {
                let Demand::Needs { when, then, consent } = &rule.demand else { continue };
                if !when.holds(document, purpose, &bases, &pack.territory) {
                    continue;
                }
                let effect = then.map(|then| match then {
                    Then::Guardian => Effect::Guardian,
                    Then::Ask => Effect::Ask,
                });
                let below = place.and_then(|place| when.places.get(place)).copied().or(when.age_below);
                let reason = Reason::Law { pack: *pack_at, rule: rule_at };
                clauses.push(Clause { effect, kind: *consent, below, from: None, is_here: *is_here, reason });
            }
        }
        let giver = match basis {
            LegalBasis::Instruction => Giver::Administrator,
            _ => purpose.consent.as_ref().map_or(Giver::Subject, |terms| terms.given_by),
        };
        PurposeRules {
            basis,
            basis_is_unsure: basis > sure,
            kind: purpose.consent.as_ref().map_or(ConsentKind::General, |terms| terms.kind),
            giver,
            clauses,
        }
    }

    /// Whether a condition holds in a place; `None` where it surely does not, `Some(false)` where that is unknown.
    fn speaks_in(&self, condition: &Condition, place: Option<&Place>) -> Option<bool> {
        let covers = |place: &Place| {
            self.packs.iter().any(|pack| condition.jurisdictions.contains(&pack.id) && pack.covers(place))
        };
        match place {
            _ if condition.jurisdictions.is_empty() => Some(true),
            None => Some(false),
            Some(place) => covers(place).then_some(true),
        }
    }
}

impl Condition {
    /// Whether it holds for a purpose on one of the legal bases that it may have; age and place are left open.
    pub(crate) fn holds(&self, document: &Document, id: &Id, purpose: &Purpose, bases: &[LegalBasis]) -> bool {
        let mut recipients = purpose.recipients.iter();
        let has_type = |id: &Id| document.recipients.get(id).is_some_and(|r| self.recipient_types.contains(&r.kind));
        (self.purposes.is_empty() || self.purposes.contains(id))
            && (self.legal_bases.is_empty() || bases.iter().any(|basis| self.legal_bases.contains(basis)))
            && (self.uses.is_empty() || self.uses.iter().any(|whole| purpose.data_use.is_part_of(whole)))
            && (self.categories.is_empty()
                || purpose.categories.iter().any(|id| self.categories.iter().any(|whole| id.is_part_of(whole))))
            && (self.recipients.is_empty() || recipients.clone().any(|id| self.recipients.contains(id)))
            && (self.recipient_types.is_empty() || recipients.any(has_type))
    }
}

impl Document {
    /// Whether a purpose hands data to a recipient outside the residency, where that needs a separate consent.
    pub(crate) fn hands_abroad(&self, purpose: &Purpose) -> bool {
        let Some(residency) = self.residency.as_ref().filter(|r| r.abroad == Abroad::SeparateConsent) else {
            return false;
        };
        let places = purpose.recipients.iter().filter_map(|id| self.recipients.get(id)?.place.as_ref());
        places.into_iter().any(|place| !residency.stored_in.iter().any(|whole| packs::within(place, whole)))
    }
}

impl RulesInForce {
    /// Which policy and which law packs these rules are.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// What makes a purpose lawful here; `None` if the policy has no such purpose.
    #[must_use]
    pub fn basis(&self, purpose: PurposeId) -> Option<LegalBasis> {
        self.purposes.get(usize::from(purpose.0)).map(|rules| rules.basis)
    }

    /// How long a refused system permission rests: the strictest of the packs in force and the library's own rule
    /// of 48 hours, which a tap of the person lifts.
    #[must_use]
    pub fn re_ask(&self) -> ReAsk {
        self.re_ask
    }
}

fn re_ask<'a>(packs: impl Iterator<Item = &'a Pack>) -> ReAsk {
    let mut strictest = ReAsk { wait_ms: 48 * 3_600_000, tap_exception: true, pack: None };
    for pack in packs {
        for rule in pack.rules.values() {
            if let Demand::ReAsk { wait, tap_exception } = &rule.demand {
                let wait_ms = i64::try_from(wait.seconds()).unwrap_or(i64::MAX).saturating_mul(1000);
                if wait_ms > strictest.wait_ms || (!tap_exception && strictest.tap_exception) {
                    strictest.pack = packs::IDS.iter().copied().find(|id| *id == pack.id.as_str());
                }
                strictest.wait_ms = strictest.wait_ms.max(wait_ms);
                strictest.tap_exception &= *tap_exception;
            }
        }
    }
    strictest
}
