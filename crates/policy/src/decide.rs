//! The decision: may this purpose run for this person now, must somebody be asked, or is it denied, and why.
//!
//! deny > ask > allow > default deny; rules have no order. A missing input is unknown: deny and ask rules
//! fire on it, nothing allows on it.

use std::fmt;
use std::sync::Arc;

use crate::document::{ConsentKind, Effect, Giver, Id, LegalBasis, Source, Text};
use crate::identity::Identity;
use crate::in_force::{Clause, RulesInForce};
use crate::packs::Demand;
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
    /// Consent was given.
    ConsentGiven,
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
            reasons: Reasons::new(),
            missing: Missing::default(),
            valid_until_ms: None,
        };
        let Some(rules) = self.purposes.get(usize::from(question.purpose.0)) else {
            decision.reasons.push(Reason::NotDeclared);
            return decision;
        };
        let basis = rules.basis;
        if !question.notice_agreed && basis != LegalBasis::LegalDuty {
            decision.reasons.push(Reason::NoticeNotAgreed);
            return decision;
        }
        let finding = find(&rules.clauses, question);
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
        let giver =
            if finding.guardian.is_some() && rules.giver == Giver::Subject { Giver::Guardian } else { rules.giver };
        decision.asked = giver;
        let must_ask = finding.guardian.or(finding.asked);
        if basis != LegalBasis::Consent {
            match must_ask {
                None => {
                    decision.verdict = Verdict::Allow;
                    decision.reasons.push(match basis {
                        LegalBasis::LegitimateInterest => Reason::LegitimateInterest,
                        _ => Reason::Contract,
                    });
                    return decision;
                }
                Some((reason, _)) => decision.reasons.push(reason),
            }
        } else if let Some((reason, _)) = finding.guardian {
            decision.reasons.push(reason);
        }
        decision.weigh_consent(question, rules.kind, giver);
        // The rule that made an already given consent necessary is no reason against it.
        if decision.verdict != Verdict::Allow {
            decision.missing.decisive =
                must_ask.is_some_and(|(_, certain)| !certain) && decision.verdict == Verdict::Ask;
        }
        decision
    }
}

impl Decision<'_> {
    fn weigh_consent(&mut self, question: &Question, kind: ConsentKind, giver: Giver) {
        let (verdict, reason) = match question.consent {
            Consent::NotAsked => (Verdict::Ask, Reason::ConsentNotAsked),
            Consent::Outdated => (Verdict::Ask, Reason::ConsentOutdated),
            Consent::Refused => (Verdict::Deny, Reason::ConsentRefused),
            Consent::Withdrawn => (Verdict::Deny, Reason::ConsentWithdrawn),
            Consent::Given { until_ms: Some(until), .. } if until <= question.now_ms => {
                (Verdict::Ask, Reason::ConsentExpired)
            }
            Consent::Given { kind: given, by, .. } if given < kind || !covers(by, giver) => {
                (Verdict::Ask, Reason::ConsentTooWeak)
            }
            Consent::Given { until_ms, .. } => {
                self.valid_until_ms = earlier(self.valid_until_ms, until_ms);
                (Verdict::Allow, Reason::ConsentGiven)
            }
        };
        self.verdict = verdict;
        self.reasons.push(reason);
    }
}

fn find(clauses: &[Clause], question: &Question) -> Finding {
    let now = Month::at(question.now_ms);
    let next_threshold = question
        .age
        .and_then(|age| age.below)
        .map(|threshold| threshold.month.start_ms())
        .filter(|start| *start > question.now_ms);
    let mut finding = Finding {
        denied: None,
        asked: None,
        guardian: None,
        missing: Missing::default(),
        valid_until_ms: next_threshold,
    };
    for clause in clauses {
        let below = clause.below.map_or(Truth::True, |age| younger(question.age, age, now));
        let from = clause.from.map_or(Truth::True, |age| !younger(question.age, age, now));
        let here = if clause.is_here { Truth::True } else { Truth::Unknown };
        let truth = below.and(from).and(here);
        if truth == Truth::Unknown {
            // A band that is not cut at this age is as good as none: it was asked under other rules.
            finding.missing.age |= below == Truth::Unknown || from == Truth::Unknown;
            finding.missing.place |= !clause.is_here;
        }
        let slot = match clause.effect {
            Effect::Deny => &mut finding.denied,
            Effect::Guardian => &mut finding.guardian,
            Effect::Ask => &mut finding.asked,
        };
        raise(slot, truth, clause.reason);
    }
    finding
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
                        code: match rule.demand {
                            Demand::NoLegalBasis { .. } => "no-legitimate-interest",
                            _ => "guardian-needed",
                        },
                        rule: Some(id),
                        pack: Some(&pack.id),
                        source: Some(rule.source.as_str()),
                        text: None,
                    },
                    None => own("not-declared"),
                }
            }
            Reason::ConsentNotAsked => own("consent-not-asked"),
            Reason::ConsentRefused => own("consent-refused"),
            Reason::ConsentWithdrawn => own("consent-withdrawn"),
            Reason::ConsentExpired => own("consent-expired"),
            Reason::ConsentOutdated => own("consent-outdated"),
            Reason::ConsentTooWeak => own("consent-too-weak"),
            Reason::Restricted => own("restricted"),
            Reason::ConsentGiven => own("consent-given"),
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

/// Whether an answer by `given` satisfies a demand for `needed`.
fn covers(given: Giver, needed: Giver) -> bool {
    given == Giver::Both || given == needed
}

fn younger(band: Option<AgeBand>, age: u8, now: Month) -> Truth {
    match band {
        None => Truth::Unknown,
        Some(band) if band.at_least(now) >= age => Truth::False,
        Some(band) if band.surely_below(age, now) => Truth::True,
        Some(_) => Truth::Unknown,
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
