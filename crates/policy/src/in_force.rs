//! The rules that hold for people who live in one place, compiled: what remains to decide is age and consent.

use std::sync::Arc;

use crate::decide::Reason;
use crate::document::{Condition, ConsentKind, Effect, Giver, LegalBasis, Place};
use crate::identity::{Identity, PackIdentity};
use crate::packs::{self, Demand, Otherwise, Pack, Then};
use crate::policy::{CompiledPurpose, Policy};

/// The rules of one policy and of the law packs that hold for people who live in one place, or whose place is
/// unknown. Compile it once for a person with [`Policy::rules_in_force`], then decide with it: that takes
/// interned ids and allocates nothing.
#[derive(Clone, Debug)]
pub struct RulesInForce {
    identity: Arc<Identity>,
    pub(crate) purposes: Vec<PurposeRules>,
    re_ask: ReAsk,
}

/// What can be said about one purpose.
#[derive(Clone, Debug)]
pub(crate) struct PurposeRules {
    pub(crate) basis: LegalBasis,
    pub(crate) kind: ConsentKind,
    pub(crate) giver: Giver,
    pub(crate) clauses: Vec<Clause>,
}

/// One rule that can speak about a purpose in this place. Only the age is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clause {
    pub(crate) effect: Effect,
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
        RulesInForce { identity: Arc::new(identity), purposes, re_ask }
    }

    fn purpose_rules(
        &self,
        compiled: &CompiledPurpose,
        place: Option<&Place>,
        packs: &[(u8, &Pack, bool)],
    ) -> PurposeRules {
        let purpose = &compiled.purpose;
        let basis = purpose.legal_basis;
        let mut clauses = Vec::new();
        for (at, (_, rule)) in (0_u16..).zip(&self.rules) {
            let when = &rule.when;
            let speaks = (when.purposes.is_empty() || when.purposes.contains(&compiled.id))
                && (when.legal_bases.is_empty() || when.legal_bases.contains(&basis));
            if let (true, Some(is_here)) = (speaks, self.speaks_in(when, place)) {
                let (below, from) = (when.age_below, when.age_from);
                clauses.push(Clause { effect: rule.effect, below, from, is_here, reason: Reason::Rule(at) });
            }
        }
        for (pack_at, pack, is_here) in packs {
            for (rule_at, rule) in (0_u8..).zip(pack.rules.values()) {
                let (effect, below) = match &rule.demand {
                    Demand::AgeThreshold { age_below, places, legal_bases, then: Then::Guardian }
                        if legal_bases.is_empty() || legal_bases.contains(&basis) =>
                    {
                        let below = place.and_then(|place| places.get(place)).unwrap_or(age_below);
                        (Effect::Guardian, Some(*below))
                    }
                    Demand::NoLegalBasis { legal_bases, then: Otherwise::Ask } if legal_bases.contains(&basis) => {
                        (Effect::Ask, None)
                    }
                    _ => continue,
                };
                let reason = Reason::Law { pack: *pack_at, rule: rule_at };
                clauses.push(Clause { effect, below, from: None, is_here: *is_here, reason });
            }
        }
        PurposeRules {
            basis,
            kind: purpose.consent.as_ref().map_or(ConsentKind::General, |terms| terms.kind),
            giver: purpose.consent.as_ref().map_or(Giver::Subject, |terms| terms.given_by),
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

impl RulesInForce {
    /// Which policy and which law packs these rules are.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
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
