//! The question that everything asks: is this purpose open now, and if not, why.

use std::sync::Arc;

use menshen_journal::Now;
use menshen_policy::document::{ConsentKind, Feature, Giver, Id, LegalBasis, Permission, SubjectMode};
use menshen_policy::{Consent, Decision, Identity, Policy, PurposeId, Question, Reason, RulesInForce, Verdict};

use crate::account::Status;
use crate::core::Core;
use crate::denial::{Denial, DenialBuilder, Remedy};
use crate::error::Error;
use crate::in_force::InForce;
use crate::platform::PermissionState;
use crate::sdk::Closing;

/// The answer about one purpose. It says nothing about system permissions.
pub(crate) struct Gate<'a> {
    /// Why it is closed; `None` while it is open.
    pub(crate) closed: Option<Closed<'a>>,
    /// When the answer may change by itself, in milliseconds since 1970.
    pub(crate) valid_until_ms: Option<i64>,
}

/// Why a gate is closed, before it is put into words.
pub(crate) enum Closed<'a> {
    /// The person signed out, or the evidence cannot be read.
    Session { code: &'static str, remedy: Remedy },
    /// A newer version in effect has it no more.
    EndedByPolicy,
    /// A no holds, whatever the legal basis.
    Withdrawn,
    /// An objection holds that the ledger does not have yet.
    Restricted,
    /// Its key cannot be looked up.
    KeyNotReady,
    /// Its key is gone, or was never made for this account.
    KeyMissing,
    /// The rules of a version say so.
    Decided { decision: Decision<'a>, by: &'a Policy, purpose: PurposeId },
}

/// The reason that the person can do something about: a no of theirs outweighs the rule that made their answer
/// necessary, and so does an answer that is over, unless somebody else has to give it.
fn decisive(decision: &Decision<'_>) -> Option<Reason> {
    let last = decision.reasons.iter().last();
    let is_answer = match last {
        Some(Reason::ConsentRefused | Reason::ConsentWithdrawn) => true,
        Some(Reason::ConsentExpired | Reason::ConsentOutdated) => decision.asked == Giver::Subject,
        _ => false,
    };
    if is_answer { last } else { decision.reasons.first() }
}

impl Core {
    /// The accepted version, and the newer one where its day has begun.
    pub(crate) fn in_force(&self, now: &Now) -> InForce<'_> {
        InForce { accepted: &self.policy, waiting: &self.waiting, at_ms: now.wall_ms.max(self.state.latest_ms) }
    }

    /// The decision of the accepted version alone.
    pub(crate) fn decide(&self, purpose: PurposeId, id: &str, now: &Now) -> Decision<'_> {
        self.decide_by(&self.policy, &self.rules, purpose, id, now)
    }

    /// The kind of consent that a purpose needs from the person now.
    pub(crate) fn kind_needed(&self, purpose: &str, now: &Now) -> ConsentKind {
        let decided = self.policy.purpose_id(purpose).map(|at| self.decide(at, purpose, now).kind);
        decided.unwrap_or(ConsentKind::Separate)
    }

    fn decide_by<'a>(
        &self,
        policy: &Policy,
        rules: &'a RulesInForce,
        purpose: PurposeId,
        id: &str,
        now: &Now,
    ) -> Decision<'a> {
        let consent = match policy.terms(purpose) {
            Some(terms) if !self.missing_keys.contains(id) => self.state.consent(id, terms, now),
            _ => Consent::NotAsked,
        };
        rules.decide(&Question {
            purpose,
            age: self.state.subject.age,
            notice_agreed: self.state.notice_agreed(),
            consent,
            restricted: self.state.is_restricted(id),
            now_ms: now.wall_ms,
        })
    }

    /// The gate of one purpose of the accepted version. Allocates nothing.
    pub(crate) fn gate(&self, purpose: PurposeId, id: &str, now: &Now) -> Gate<'_> {
        let decision = self.decide(purpose, id, now);
        let mut gate = Gate { closed: None, valid_until_ms: decision.valid_until_ms };
        gate.closed = self.closed_before_rules(id, now).or_else(|| {
            let prohibited = self.prohibited_by_newer(id, now, &mut gate.valid_until_ms);
            prohibited.or_else(|| self.closed_by_rules(decision, purpose, id))
        });
        // Last, so that it is the only thing in the way of what is held in memory until the key is there.
        gate.closed = gate.closed.or_else(|| self.unknown_keys.contains(id).then_some(Closed::KeyNotReady));
        gate
    }

    fn closed_before_rules(&self, id: &str, now: &Now) -> Option<Closed<'_>> {
        if let Some((code, remedy)) = self.closed_whole() {
            return Some(Closed::Session { code, remedy });
        }
        if !self.in_force(now).has_purpose(id) {
            return Some(Closed::EndedByPolicy);
        }
        match self.denied.of(id) {
            Some(Closing::Withdrawn) => return Some(Closed::Withdrawn),
            Some(Closing::Restricted(_)) => return Some(Closed::Restricted),
            None => {}
        }
        // A no holds on every legal basis but a legal duty; only consent weighs it among its own reasons.
        let weighs =
            matches!(self.basis(id), Some(LegalBasis::Consent | LegalBasis::Instruction | LegalBasis::LegalDuty));
        (self.said_no(id) && !weighs).then_some(Closed::Withdrawn)
    }

    /// What a newer version in effect forbids ends like what it takes away: without anyone's agreement.
    fn prohibited_by_newer(&self, id: &str, now: &Now, valid_until_ms: &mut Option<i64>) -> Option<Closed<'_>> {
        self.newer_in_effect(now).find_map(|newer| {
            let purpose = newer.policy.purpose_id(id)?;
            let decision = self.decide_by(&newer.policy, &newer.rules, purpose, id, now);
            if let Some(until) = decision.valid_until_ms {
                *valid_until_ms = Some(valid_until_ms.map_or(until, |other| other.min(until)));
            }
            let is_rule = matches!(decision.reasons.first(), Some(Reason::Rule(_)));
            let forbids = decision.verdict == Verdict::Deny && is_rule;
            forbids.then_some(Closed::Decided { decision, by: &newer.policy, purpose })
        })
    }

    fn closed_by_rules<'a>(&'a self, decision: Decision<'a>, purpose: PurposeId, id: &str) -> Option<Closed<'a>> {
        let lost = self.missing_keys.contains(id);
        if decision.verdict == Verdict::Deny || (decision.verdict == Verdict::Ask && !lost) {
            return Some(Closed::Decided { decision, by: &self.policy, purpose });
        }
        // An allowed purpose without a key has not been opened for this account, or its key is gone. A legal duty
        // opens with its first record.
        let has_key = self.state.purposes.get(id).is_some_and(|state| state.alias.is_some());
        let needs_key = !self.is_statutory(id) || has_key;
        (lost || (needs_key && !has_key)).then_some(Closed::KeyMissing)
    }

    /// Why everything is closed.
    pub(crate) fn closed_whole(&self) -> Option<(&'static str, Remedy)> {
        match self {
            Self { signed_out: true, .. } => Some(("signed-out", Remedy::Nothing)),
            Self { state, .. } if state.closed => Some(("account-closed", Remedy::Nothing)),
            _ => self.ledger.closed(),
        }
    }

    /// What makes a purpose of the accepted version lawful where the person lives.
    pub(crate) fn basis(&self, purpose: &str) -> Option<LegalBasis> {
        self.rules.basis(self.policy.purpose_id(purpose)?)
    }

    /// Whether a statute demands a purpose where the person lives.
    pub(crate) fn is_statutory(&self, purpose: &str) -> bool {
        self.basis(purpose) == Some(LegalBasis::LegalDuty)
    }

    pub(crate) fn said_no(&self, purpose: &str) -> bool {
        let status = self.state.purposes.get(purpose).map(|state| &state.status);
        matches!(status, Some(Status::Marked | Status::Withdrawn | Status::Refused))
    }

    /// The gate of one purpose in words: `None` while it is open.
    pub(crate) fn denial(&self, purpose: &str, now: &Now) -> Result<Option<Denial>, Error> {
        let (at, id) = self.find_purpose(purpose)?;
        Ok(self.gate(at, id.as_str(), now).closed.map(|closed| self.in_words(&closed, id.as_str())))
    }

    /// As [`Core::denial`] for what is to be stored: while only the key is not ready, it is held in memory.
    pub(crate) fn denial_to_store(&self, purpose: &str, now: &Now) -> Result<Option<Denial>, Error> {
        let (at, id) = self.find_purpose(purpose)?;
        let closed = self.gate(at, id.as_str(), now).closed;
        let closed = closed.filter(|closed| !matches!(closed, Closed::KeyNotReady));
        Ok(closed.map(|closed| self.in_words(&closed, id.as_str())))
    }

    pub(crate) fn find_purpose(&self, purpose: &str) -> Result<(PurposeId, &Id), Error> {
        if let (Some(at), Some((id, _))) =
            (self.policy.purpose_id(purpose), self.policy.document().purposes.get_key_value(purpose))
        {
            return Ok((at, id));
        }
        Err(self.unknown("purpose", purpose, |policy| policy.purpose(purpose).is_some()))
    }

    /// Denials about something, in the session's locale.
    pub(crate) fn denials<'a>(&'a self, subject: &'a str, name: &'a str) -> DenialBuilder<'a> {
        DenialBuilder { locale: self.locale(), name, subject, identity: self.identity() }
    }

    /// The policy and the law packs in force.
    pub(crate) fn identity(&self) -> &Arc<Identity> {
        self.rules.identity()
    }

    pub(crate) fn in_words(&self, closed: &Closed<'_>, purpose: &str) -> Denial {
        let name = self.policy.purpose(purpose).map(|p| self.local(&p.name)).unwrap_or_default();
        let build = self.denials(purpose, name);
        match closed {
            Closed::Session { code, remedy } => build.build(code, *remedy),
            Closed::EndedByPolicy => build.build("ended-by-policy", Remedy::Nothing),
            Closed::Withdrawn => build.build("consent-withdrawn", Remedy::Settings),
            Closed::Restricted => build.build("restricted", Remedy::Settings),
            Closed::KeyNotReady => build.build("key-not-ready", Remedy::Wait),
            Closed::KeyMissing => build.build("key-missing", Remedy::Request),
            Closed::Decided { decision, by, purpose } => self.explain(decision, by, *purpose, build),
        }
    }

    fn explain<'a>(
        &'a self,
        decision: &'a Decision<'_>,
        by: &Policy,
        purpose: PurposeId,
        build: DenialBuilder<'a>,
    ) -> Denial {
        let build = DenialBuilder { identity: decision.identity, ..build };
        let Some(reason) = decisive(decision) else { return build.build("not-declared", Remedy::Nothing) };
        let explanation = by.explain(reason, Some(purpose));
        let code = match self.policy.document().subject.age_and_place {
            _ if !decision.missing.decisive => explanation.code,
            SubjectMode::Supplied => "subject-not-supplied",
            _ => "subject-unknown",
        };
        let remedy = match (code, reason) {
            // The person cannot help it: the app has to tell.
            ("subject-not-supplied", _) => Remedy::Nothing,
            ("subject-unknown", _) | (_, Reason::NoticeNotAgreed) => Remedy::Request,
            ("guardian-needed", _) => Remedy::Guardian,
            // Only an administrator can, outside this flow.
            ("assurance-needed", _) => Remedy::Nothing,
            _ if decision.verdict == Verdict::Ask => Remedy::Request,
            (_, Reason::ConsentRefused | Reason::ConsentWithdrawn | Reason::Restricted) => Remedy::Settings,
            _ => Remedy::Nothing,
        };
        let rule = explanation.rule.map(|rule| match explanation.pack {
            Some(pack) => format!("{pack}/{rule}"),
            None => rule.to_string(),
        });
        let mut denial = build.build(code, remedy);
        if let (Some(text), "policy-rule") = (explanation.text, code) {
            self.local(text).clone_into(&mut denial.text);
        }
        denial.rule = rule;
        denial.source = explanation.source.map(str::to_owned);
        denial.until_ms = decision.valid_until_ms.filter(|_| code == "policy-rule" || code == "guardian-needed");
        denial
    }

    /// The gate of a recipient: every purpose that names it must be open.
    pub(crate) fn recipient_denial(&self, recipient: &str, now: &Now) -> Result<Option<Denial>, Error> {
        let Some(declared) = self.policy.recipient(recipient) else {
            return Err(self.unknown("recipient", recipient, |policy| policy.recipient(recipient).is_some()));
        };
        let build = self.denials(recipient, self.local(&declared.name));
        let in_force = self.in_force(now);
        if in_force.never_starts(recipient) {
            let mut denial = build.build("never-started", Remedy::Nothing);
            denial.source = Some(declared.source.to_string());
            return Ok(Some(denial));
        }
        let mut named = false;
        for (at, purpose) in self.policy.purposes_of_recipient(recipient) {
            named = true;
            if !in_force.has_recipient(purpose.as_str(), recipient) {
                return Ok(Some(build.build("ended-by-policy", Remedy::Nothing)));
            }
            if let Some(closed) = self.gate(at, purpose.as_str(), now).closed {
                let denial = self.in_words(&closed, purpose.as_str());
                return Ok(Some(Denial { subject: recipient.to_owned(), ..denial }));
            }
        }
        Ok((!named).then(|| build.build("not-declared", Remedy::Nothing)))
    }

    /// Why a feature is closed: the first of its purposes or permissions that is.
    pub(crate) fn feature_denial(&self, id: &str, feature: &Feature, now: &Now) -> Result<Option<Denial>, Error> {
        for purpose in &feature.purposes {
            if let Some(denial) = self.denial(purpose.as_str(), now)? {
                return Ok(Some(denial));
            }
        }
        let build = self.denials(id, self.local(&feature.name));
        Ok(feature.permissions.keys().find_map(|permission| match self.permission(*permission) {
            PermissionState::Granted | PermissionState::Limited => None,
            PermissionState::NotAsked => Some(build.build("permission-not-asked", Remedy::Request)),
            PermissionState::Denied => Some(build.build("permission-refused", Remedy::Request)),
            PermissionState::Blocked => Some(build.build("permission-blocked", Remedy::SystemSettings)),
        }))
    }

    /// A system permission at the latest look; one that was not looked at is not there.
    pub(crate) fn permission(&self, permission: Permission) -> PermissionState {
        self.look.states.get(&permission).copied().unwrap_or(PermissionState::Blocked)
    }

    /// Whether a system permission is there, in whatever form.
    pub(crate) fn is_permitted(&self, permission: Permission) -> bool {
        matches!(self.permission(permission), PermissionState::Granted | PermissionState::Limited)
    }
}
