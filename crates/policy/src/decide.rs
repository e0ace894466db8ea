//! The decision: may this purpose run for this person now, must somebody be asked, or is it denied, and why.
//!
//! deny > ask > allow > default deny; rules have no order. A missing input is unknown: deny and ask rules
//! fire on it, nothing allows on it.

use std::fmt;
use std::sync::Arc;

use crate::document::{ConsentKind, Effect, Giver, Id, LegalBasis, Source, Text};
use crate::identity::Identity;
use crate::in_force::{Clause, RulesInForce};
use crate::packs::{Demand, Then};
use crate::policy::{Policy, PurposeId};
use crate::subject::{AgeBand, Month};

/// Everything that a decision about one purpose depends on, besides the rules in force.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The purpose.
    pub purpose: PurposeId,
    /// The person's age; `None` while it is unknown.
    pub age: Option<AgeBand>,
    /// Whether the person agreed to the policy's notice.
    pub notice_agreed: bool,
    /// What is recorded of the person's consent to this purpose.
    pub consent: Consent,
    /// Whether the person objected to this purpose or asked to restrict it.
    pub restricted: bool,
    /// The wall clock, in milliseconds since 1970, UTC.
    pub now_ms: i64,
}

/// What is recorded of a consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// Nobody was asked, or nobody answered.
    #[default]
    NotAsked,
    /// Yes.
    Given {
        /// The kind of the prompt that was answered.
        kind: ConsentKind,
        /// Who answered.
        by: Giver,
        /// When it ends by itself, in milliseconds since 1970.
        until_ms: Option<i64>,
    },
    /// Yes, to narrower terms than the policy has now.
    Outdated,
    /// No.
    Refused,
    /// Yes once, taken back.
    Withdrawn,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It may run.
    Allow,
    /// Somebody must be asked first.
    Ask,
    /// It must not run.
    Deny,
}

/// The answer to a [`Question`], and the rules that it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The policy and the law packs that decided.
    pub identity: &'a Arc<Identity>,
    /// What may happen.
    pub verdict: Verdict,
    /// Who is to be asked, where the verdict is to ask.
    pub asked: Giver,
    /// The kind of consent that is to be asked for, or was needed.
    pub kind: ConsentKind,
    /// The decisive reasons; at most [`Reasons::CAPACITY`] are kept.
    pub reasons: Reasons,
    /// The unknowns that made a rule fire: when they are known the answer may be another.
    pub missing: Missing,
    /// When the answer may change by itself, in milliseconds since 1970.
    pub valid_until_ms: Option<i64>,
}

/// Unknown inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// The age.
    pub age: bool,
    /// The place.
    pub place: bool,
    /// Whether the verdict is worse than it could be only because of an unknown.
    pub decisive: bool,
}

/// One reason of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The policy has no such purpose.
    NotDeclared,
    /// The notice was not agreed yet.
    NoticeNotAgreed,
    /// A rule of the policy.
    Rule(u16),
    /// A rule of a law pack.
    Law {
        /// The pack.
        pack: u8,
        /// The rule within it.
        rule: u8,
    },
    /// A recipient stores outside the policy's residency.
    Abroad,
    /// Nobody was asked for consent yet.
    ConsentNotAsked,
    /// The consent was refused.
    ConsentRefused,
    /// The consent was withdrawn.
    ConsentWithdrawn,
    /// The consent's time is over.
    ConsentExpired,
    /// The consent was given to narrower terms.
    ConsentOutdated,
    /// The consent is of a weaker kind, or not by the one who must give it.
    ConsentTooWeak,
    /// The person objected.
    Restricted,
    /// No administrator assured yet that the people were told and agreed.
    AssuranceNeeded,
    /// Consent was given.
    ConsentGiven,
    /// A guardian gave consent for a person who has come of age since, and is to be asked at next use.
    ConsentByGuardian,
    /// An administrator assured it, and gave the instruction.
    Instruction,
    /// A contract that the person asked for needs it.
    Contract,
    /// A statute demands it.
    LegalDuty,
    /// A legitimate interest.
    LegitimateInterest,
}

/// A small fixed list of reasons, so that deciding allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reasons {
    items: [Reason; Self::CAPACITY],
    len: u8,
}

impl Reasons {
    /// The most reasons that a decision names.
    pub const CAPACITY: usize = 8;

    const fn new() -> Self {
        Self { items: [Reason::NotDeclared; Self::CAPACITY], len: 0 }
    }

    fn push(&mut self, reason: Reason) {
        if let Some(place) = self.items.get_mut(usize::from(self.len)) {
            *place = reason;
            self.len += 1;
        }
    }

    /// The reasons, the first one found first.
    pub fn iter(&self) -> impl Iterator<Item = Reason> + '_ {
        self.items.iter().take(usize::from(self.len)).copied()
    }

    /// The first reason.
    #[must_use]
    pub fn first(&self) -> Option<Reason> {
        self.iter().next()
    }
}

impl fmt::Debug for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Three-valued truth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// What the rules that spoke add up to.
struct Finding {
    denied: Option<(Reason, bool)>,
    asked: Option<(Reason, bool)>,
    guardian: Option<(Reason, bool)>,
    /// The strongest kind of consent that a rule asks for.
    kind: Option<(ConsentKind, Reason)>,
    /// The same, by the rules that hold for certain.
    sure_kind: Option<ConsentKind>,
    missing: Missing,
    valid_until_ms: Option<i64>,
}

impl RulesInForce {
    /// Decides one purpose for one person at one moment. Allocates nothing.
    #[must_use]
    pub fn decide(&self, question: &Question) -> Decision<'_> {
        let mut decision = Decision {
            identity: self.identity(),
            verdict: Verdict::Deny,
            asked: Giver::Subject,
            kind: ConsentKind::General,
            reasons: Reasons::new(),
            missing: Missing::default(),
            valid_until_ms: None,
        };
        let Some(rules) = self.purposes.get(usize::from(question.purpose.0)) else {
            decision.reasons.push(Reason::NotDeclared);
            return decision;
        };
        let basis = rules.basis;
        decision.kind = rules.kind;
        if !question.notice_agreed && basis != LegalBasis::LegalDuty {
            decision.reasons.push(Reason::NoticeNotAgreed);
            return decision;
        }
        let finding = self.find(&rules.clauses, question);
        if basis == LegalBasis::LegalDuty {
            // A certain deny of the policy's own wins over everything; nothing else asks a legal duty.
            match finding.denied {
                Some((reason, true)) => decision.reasons.push(reason),
                _ => {
                    decision.reasons.push(Reason::LegalDuty);
                    decision.verdict = Verdict::Allow;
                }
            }
            // A deny that an age ends or begins holds until then.
            decision.valid_until_ms = finding.valid_until_ms;
            return decision;
        }
        decision.missing = finding.missing;
        decision.valid_until_ms = finding.valid_until_ms;
        if let Some((reason, certain)) = finding.denied {
            decision.reasons.push(reason);
            decision.missing.decisive = !certain && !question.restricted && question.consent != Consent::Refused;
            return decision;
        }
        if question.restricted {
            decision.reasons.push(Reason::Restricted);
            return decision;
        }
        if let (LegalBasis::Instruction, Some((reason, certain))) = (basis, finding.guardian) {
            // Who needs a guardian gives no assurance about others, and nobody gives it for them.
            decision.reasons.push(reason);
            decision.missing.decisive = !certain && question.consent != Consent::Refused;
            return decision;
        }
        let giver = match rules.giver {
            Giver::Subject if finding.guardian.is_some() => Giver::Guardian,
            giver => giver,
        };
        decision.asked = giver;
        decision.kind = finding.kind.map_or(rules.kind, |(kind, _)| kind.max(rules.kind));
        let must_ask = finding.guardian.or(finding.asked);
        match (basis, must_ask) {
            (LegalBasis::Consent | LegalBasis::Instruction, _) => {
                // A wish to ask adds nothing where asking is the basis; that it is a guardian who is asked does.
                if let Some((reason, _)) = finding.guardian {
                    decision.reasons.push(reason);
                }
            }
            (_, Some((reason, _))) => decision.reasons.push(reason),
            (_, None) => {
                decision.verdict = Verdict::Allow;
                decision.reasons.push(match basis {
                    LegalBasis::LegitimateInterest => Reason::LegitimateInterest,
                    _ => Reason::Contract,
                });
                return decision;
            }
        }
        decision.weigh_consent(question, finding.kind.map(|(_, reason)| reason));
        if rules.basis_is_unsure {
            decision.missing.place = true;
        }
        // The rule that made an already given consent necessary is no reason against it.
        if decision.verdict == Verdict::Ask {
            let sure_kind = finding.sure_kind.map_or(rules.kind, |kind| kind.max(rules.kind));
            let too_weak_for_unknown = match question.consent {
                Consent::Given { kind, .. } => kind >= sure_kind && kind < decision.kind,
                _ => false,
            };
            decision.missing.decisive =
                must_ask.is_some_and(|(_, certain)| !certain) || rules.basis_is_unsure || too_weak_for_unknown;
        }
        decision
    }
}

impl Decision<'_> {
    /// Weighs what is recorded of the consent against who and what kind is needed. `by` is the rule that needs more
    /// than the purpose's own kind.
    fn weigh_consent(&mut self, question: &Question, by: Option<Reason>) {
        let assured = self.asked == Giver::Administrator;
        let (verdict, reason) = match question.consent {
            Consent::NotAsked if assured => (Verdict::Ask, Reason::AssuranceNeeded),
            Consent::NotAsked => (Verdict::Ask, Reason::ConsentNotAsked),
            Consent::Outdated => (Verdict::Ask, Reason::ConsentOutdated),
            Consent::Refused => (Verdict::Deny, Reason::ConsentRefused),
            Consent::Withdrawn => (Verdict::Deny, Reason::ConsentWithdrawn),
            Consent::Given { until_ms: Some(until), .. } if until <= question.now_ms => {
                (Verdict::Ask, Reason::ConsentExpired)
            }
            Consent::Given { kind, by, .. } if kind < self.kind || !covers(by, self.asked) => {
                (Verdict::Ask, Reason::ConsentTooWeak)
            }
            Consent::Given { until_ms, by, .. } => {
                self.valid_until_ms = earlier(self.valid_until_ms, until_ms);
                let reason = match by {
                    Giver::Administrator => Reason::Instruction,
                    Giver::Guardian if self.asked == Giver::Subject => Reason::ConsentByGuardian,
                    _ => Reason::ConsentGiven,
                };
                (Verdict::Allow, reason)
            }
        };
        self.verdict = verdict;
        self.reasons.push(reason);
        if let (Reason::ConsentTooWeak, Some(by)) = (reason, by) {
            self.reasons.push(by);
        }
    }
}

/// A rule that speaks about a purpose for a person, whether or not the decision rests on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleThatSpeaks {
    /// The rule, as a reason names it.
    pub reason: Reason,
    /// What it does; `None` if it only asks for a stronger consent where one is asked for.
    pub effect: Option<Effect>,
    /// The kind of consent that it asks for, where that is more than the purpose's own.
    pub kind: Option<ConsentKind>,
    /// The age below which it speaks, in full years.
    pub age_below: Option<u8>,
    /// The age from which it speaks, in full years.
    pub age_from: Option<u8>,
    /// Whether it speaks for certain; otherwise because the age, or the place, is unknown.
    pub certain: bool,
}

impl RulesInForce {
    /// Every rule of the policy and of the law packs in force that speaks about a question, those of the policy first,
    /// each in the order of their ids.
    pub fn rules_that_speak(&self, question: &Question) -> impl Iterator<Item = RuleThatSpeaks> + '_ {
        let ages = Ages::of(question.age, Month::at(question.now_ms), self.unknown_is_adult);
        let rules = self.purposes.get(usize::from(question.purpose.0));
        rules.into_iter().flat_map(|rules| &rules.clauses).filter_map(move |clause| {
            let truth = clause.truth(&ages);
            (truth != Truth::False).then_some(RuleThatSpeaks {
                reason: clause.reason,
                effect: clause.effect,
                kind: clause.kind,
                age_below: clause.below,
                age_from: clause.from,
                certain: truth == Truth::True,
            })
        })
    }

    fn find(&self, clauses: &[Clause], question: &Question) -> Finding {
        let now = Month::at(question.now_ms);
        let mut finding = Finding {
            denied: None,
            asked: None,
            guardian: None,
            kind: None,
            sure_kind: None,
            missing: Missing::default(),
            valid_until_ms: question.age.and_then(|band| band.next_change(now)).map(Month::start_ms),
        };
        let ages = Ages::of(question.age, now, self.unknown_is_adult);
        for clause in clauses {
            let truth = clause.truth(&ages);
            if truth == Truth::Unknown {
                // A band that is not cut at this age is as good as none: it was asked under other rules.
                finding.missing.age |= clause.truth_of_age(&ages) == Truth::Unknown;
                finding.missing.place |= !clause.is_here;
            }
            if let (Some(kind), true) = (clause.kind, truth != Truth::False) {
                if finding.kind.is_none_or(|(other, _)| kind > other) {
                    finding.kind = Some((kind, clause.reason));
                }
                if truth == Truth::True {
                    finding.sure_kind = finding.sure_kind.max(Some(kind));
                }
            }
            let slot = match clause.effect {
                Some(Effect::Deny) => &mut finding.denied,
                Some(Effect::Guardian) => &mut finding.guardian,
                Some(Effect::Ask) => &mut finding.asked,
                None => continue,
            };
            raise(slot, truth, clause.reason);
        }
        finding
    }
}

impl Clause {
    fn truth(&self, ages: &Ages) -> Truth {
        let here = if self.is_here { Truth::True } else { Truth::Unknown };
        self.truth_of_age(ages).and(here)
    }

    fn truth_of_age(&self, ages: &Ages) -> Truth {
        let below = self.below.map_or(Truth::True, |age| ages.younger(age));
        let from = self.from.map_or(Truth::True, |age| !ages.younger(age));
        below.and(from)
    }
}

impl Policy {
    /// What a reason means: a stable code, the rule and the clause.
    #[must_use]
    pub fn explain(&self, reason: Reason, purpose: Option<PurposeId>) -> Explanation<'_> {
        let compiled = purpose.and_then(|purpose| self.compiled(purpose));
        let own = |code| Explanation {
            code,
            rule: compiled.map(|c| &c.id),
            pack: None,
            source: compiled.map(|c| c.purpose.source.as_str()),
            text: None,
        };
        match reason {
            Reason::NotDeclared => own("not-declared"),
            Reason::NoticeNotAgreed => Explanation {
                source: Some(self.document.notice.source.as_str()),
                rule: None,
                ..own("notice-not-agreed")
            },
            Reason::Rule(at) => match self.rules.get(usize::from(at)) {
                Some((id, rule)) => Explanation {
                    code: match rule.effect {
                        Effect::Deny => "policy-rule",
                        Effect::Guardian => "guardian-needed",
                        Effect::Ask => "consent-not-asked",
                    },
                    rule: Some(id),
                    pack: None,
                    source: Some(rule.source.as_str()),
                    text: Some(&rule.text),
                },
                None => own("not-declared"),
            },
            Reason::Law { pack, rule } => {
                let pack = self.packs.get(usize::from(pack));
                let found = pack.and_then(|pack| Some((pack, pack.rules.iter().nth(usize::from(rule))?)));
                match found {
                    Some((pack, (id, rule))) => Explanation {
                        code: match &rule.demand {
                            Demand::Needs { then: Some(Then::Guardian), .. } => "guardian-needed",
                            Demand::Needs { when, .. } if when.legal_bases == [LegalBasis::LegitimateInterest] => {
                                "no-legitimate-interest"
                            }
                            _ => "law-demands-consent",
                        },
                        rule: Some(id),
                        pack: Some(&pack.id),
                        source: Some(rule.source.as_str()),
                        text: None,
                    },
                    None => own("not-declared"),
                }
            }
            Reason::Abroad => Explanation {
                source: self.document.residency.as_ref().map(|residency| residency.source.as_str()),
                ..own("consent-not-asked")
            },
            Reason::ConsentNotAsked => own("consent-not-asked"),
            Reason::AssuranceNeeded => own("assurance-needed"),
            Reason::Instruction => own("instruction"),
            Reason::ConsentRefused => own("consent-refused"),
            Reason::ConsentWithdrawn => own("consent-withdrawn"),
            Reason::ConsentExpired => own("consent-expired"),
            Reason::ConsentOutdated => own("consent-outdated"),
            Reason::ConsentTooWeak => own("consent-too-weak"),
            Reason::Restricted => own("restricted"),
            Reason::ConsentGiven => own("consent-given"),
            Reason::ConsentByGuardian => own("consent-by-guardian"),
            Reason::Contract => own("contract"),
            Reason::LegalDuty => own("legal-duty"),
            Reason::LegitimateInterest => own("legitimate-interest"),
        }
    }
}

/// What a [`Reason`] means.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'a> {
    /// A stable code in kebab-case.
    pub code: &'static str,
    /// The rule or purpose it speaks of.
    pub rule: Option<&'a Id>,
    /// The law pack, where a law speaks.
    pub pack: Option<&'a Id>,
    /// The clause, or the law's source.
    pub source: Option<&'a str>,
    /// The rule's text for the person, where it has one.
    pub text: Option<&'a Text>,
}

impl Explanation<'_> {
    /// The clause as a policy's source, if it is one.
    #[must_use]
    pub fn clause(&self) -> Option<Source> {
        Source::parse(self.source?).ok()
    }
}

/// Whether an answer by `given` satisfies a demand for `needed`. On coming of age a guardian's yes holds until the person
/// answers.
fn covers(given: Giver, needed: Giver) -> bool {
    match needed {
        Giver::Subject => given != Giver::Administrator,
        Giver::Guardian => matches!(given, Giver::Guardian | Giver::Both),
        Giver::Both | Giver::Administrator => given == needed,
    }
}

/// The ages that the person may have, in full years.
struct Ages {
    youngest: u8,
    oldest: u8,
}

impl Ages {
    fn of(band: Option<AgeBand>, now: Month, unknown_is_adult: bool) -> Self {
        match band {
            Some(band) => Self { youngest: band.at_least(now), oldest: band.at_most(now) },
            None if unknown_is_adult => Self { youngest: u8::MAX, oldest: u8::MAX },
            None => Self { youngest: 0, oldest: u8::MAX },
        }
    }

    fn younger(&self, age: u8) -> Truth {
        if self.youngest >= age {
            Truth::False
        } else if self.oldest < age {
            Truth::True
        } else {
            Truth::Unknown
        }
    }
}

/// A rule that holds for certain outweighs one that fired on an unknown.
fn raise(slot: &mut Option<(Reason, bool)>, truth: Truth, reason: Reason) {
    let certain = truth == Truth::True;
    if truth != Truth::False && slot.is_none_or(|(_, already)| certain && !already) {
        *slot = Some((reason, certain));
    }
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
