//! What a flow asks next: it follows from the account's state and from what this flow asked so far.

use std::collections::BTreeSet;

use menshen_journal::Now;
use menshen_policy::document::{ConsentKind, Giver, LegalBasis, Permission, SubjectMode, Text};
use menshen_policy::{Consent, Decision, Terms, Verdict};

use crate::account::Answer as NoticeAnswer;
use crate::core::Core;
use crate::denial::{Denial, DenialBuilder, Remedy};
use crate::error::Error;
use crate::gate::Closed;
use crate::platform::PermissionState;
use crate::prompt::{Offer, Prompt};
use crate::rights::RightRequest;
use crate::step::{Step, Trigger};

/// What a flow is for.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    Feature { feature: String, trigger: Trigger },
    FirstLaunch,
    ChangedPolicy,
    Purpose { purpose: String },
    Right { request: RightRequest },
    Revocations,
}

/// What follows.
pub(crate) enum Next {
    Step(Step),
    Denied(Denial),
    Open,
}

enum Asking {
    Open,
    Prompt,
    /// What rests on another basis than consent lost its key: the notice, agreed again, opens it anew.
    Notice,
    Subject,
    Denied(Denial),
}

/// Something that a flow asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    Notice,
    Subject,
    ChangedPolicy,
    Right,
    Permission(Permission),
    /// By its id.
    Purpose(String),
}

/// The account as it is, and what the flow asked so far.
pub(crate) struct Inquiry<'a> {
    pub(crate) core: &'a Core,
    pub(crate) now: Now,
    pub(crate) asked: &'a BTreeSet<Asked>,
}

impl Inquiry<'_> {
    /// What stands next between now and the goal.
    pub(crate) fn next(&self, goal: &Goal) -> Result<Next, Error> {
        match goal {
            Goal::Feature { feature, trigger } => self.for_feature(feature, *trigger),
            Goal::FirstLaunch => self.for_first_launch(),
            Goal::ChangedPolicy => self.for_changed_policy(),
            Goal::Purpose { purpose } => self.for_purpose(purpose),
            Goal::Right { request } if request.offers_copy() && !self.asked.contains(&Asked::Right) => {
                Ok(Next::Step(Step::Show(Prompt::right(self.core, request))))
            }
            Goal::Right { .. } => Ok(Next::Open),
            Goal::Revocations => Ok(match self.core.next_revocation() {
                Some((permission, purposes)) => {
                    Next::Step(Step::Show(Prompt::revocation(self.core, permission, &purposes)))
                }
                None => Next::Open,
            }),
        }
    }

    fn for_feature(&self, feature: &str, trigger: Trigger) -> Result<Next, Error> {
        let core = self.core;
        let Some(declared) = core.policy.feature(feature) else {
            if core.pending().is_some_and(|pending| pending.policy.feature(feature).is_some()) {
                let build = core.denials(feature, feature);
                return Ok(Next::Denied(build.build("not-accepted-yet", Remedy::AcceptPolicy)));
            }
            return Err(core.unknown("feature", feature, |policy| policy.feature(feature).is_some()));
        };
        let build = core.denials(feature, core.local(&declared.name));
        if let Some((code, remedy)) = core.closed_whole() {
            return Ok(Next::Denied(build.build(code, remedy)));
        }
        if let Some(next) = self.notice_first(&build) {
            return Ok(next);
        }
        // No earlier prompt is shown when a later step would be suppressed: the outcome is the reason.
        if let Some(denial) = self.suppressed_permission(declared.permissions.keys().copied(), trigger, &build) {
            return Ok(Next::Denied(denial));
        }
        let mut to_ask = None;
        for id in &declared.purposes {
            match self.ask_for_purpose(id.as_str(), trigger == Trigger::Tap, &build)? {
                Asking::Open => {}
                Asking::Subject => return Ok(Next::Step(Step::AskSubject)),
                Asking::Notice => return Ok(Next::Step(Step::Show(Prompt::notice(core, &core.policy)))),
                Asking::Denied(denial) => return Ok(Next::Denied(denial)),
                Asking::Prompt => to_ask = to_ask.or(Some(id)),
            }
        }
        if let Some(id) = to_ask {
            let permissions: Vec<(Permission, &Text)> = declared
                .permissions
                .iter()
                .filter(|(permission, _)| !core.is_permitted(**permission))
                .map(|(permission, used)| (*permission, &used.text))
                .collect();
            return Ok(self.purpose_prompt(id.as_str(), Some(&declared.refused), &permissions));
        }
        for (permission, used) in &declared.permissions {
            if !core.is_permitted(*permission) {
                let text = core.local(&used.text).to_owned();
                return Ok(Next::Step(Step::AskSystem { permission: *permission, text }));
            }
        }
        Ok(Next::Open)
    }

    fn notice_first(&self, build: &DenialBuilder<'_>) -> Option<Next> {
        let core = self.core;
        if core.state.notice == Some(NoticeAnswer::Agreed) {
            return None;
        }
        if self.asked.contains(&Asked::Notice) {
            return Some(Next::Denied(build.build("notice-not-agreed", Remedy::Request)));
        }
        Some(Next::Step(Step::Show(Prompt::notice(core, &core.policy))))
    }

    fn suppressed_permission(
        &self,
        permissions: impl Iterator<Item = Permission>,
        trigger: Trigger,
        build: &DenialBuilder<'_>,
    ) -> Option<Denial> {
        let (core, now) = (self.core, &self.now);
        for permission in permissions {
            match core.permission(permission) {
                PermissionState::Granted | PermissionState::Limited => continue,
                PermissionState::Blocked => {
                    return Some(build.build("permission-blocked", Remedy::SystemSettings));
                }
                PermissionState::NotAsked | PermissionState::Denied => {}
            }
            let asked_now = self.asked.contains(&Asked::Permission(permission));
            let Some(last) = core.state.permissions.get(&permission) else { continue };
            // A dialog that was shown and given back later (a one-time grant) is no refusal; one without an answer is.
            if last.granted == Some(true) && !asked_now {
                continue;
            }
            let rest = core.rules.re_ask();
            let left = rest.wait_ms.saturating_sub(core.state.since_asked(last, now));
            if asked_now || (left > 0 && !(trigger == Trigger::Tap && rest.tap_exception)) {
                let until = now.wall_ms.saturating_add(left);
                let mut denial = build.until("permission-resting", Remedy::Wait, until);
                denial.rule = rest.pack.map(|pack| format!("{pack}/re-ask"));
                return Some(denial);
            }
        }
        None
    }

    fn ask_for_purpose(&self, purpose: &str, may_ask_again: bool, build: &DenialBuilder<'_>) -> Result<Asking, Error> {
        let (core, now) = (self.core, &self.now);
        let (at, id) = core.find_purpose(purpose)?;
        let Some(declared) = core.policy.purpose(purpose) else {
            return Ok(Asking::Denied(build.build("not-declared", Remedy::Nothing)));
        };
        let Some(closed) = core.gate(at, id.as_str(), now).closed else { return Ok(Asking::Open) };
        let mut denial = core.in_words(&closed, purpose);
        denial.subject = build.subject.to_owned();
        let decision = core.decide(at, id.as_str(), now);
        let rests_on_unknown =
            |decision: &Decision<'_>| decision.missing.decisive && (decision.missing.age || decision.missing.place);
        let is_unknown = matches!(&closed, Closed::Decided { decision, .. } if rests_on_unknown(decision));
        if is_unknown || rests_on_unknown(&decision) {
            // What the app knows is the app's to tell; the person is not asked for it.
            if core.policy.document().subject.age_and_place == SubjectMode::Supplied {
                return Ok(Asking::Denied(denial));
            }
            if !self.asked.contains(&Asked::Subject) {
                return Ok(Asking::Subject);
            }
        }
        let retry =
            matches!(core.state.consent(purpose, &Terms::of(declared), now), Consent::Refused | Consent::Withdrawn)
                && may_ask_again
                && !matches!(denial.code, "policy-rule" | "ended-by-policy" | "key-not-ready" | "restricted");
        if denial.code == "key-missing" && decision.verdict == Verdict::Allow && !self.asked.contains(&Asked::Notice) {
            return Ok(Asking::Notice);
        }
        let askable = decision.verdict == Verdict::Ask
            || (denial.code == "key-missing" && core.basis(purpose) == Some(LegalBasis::Consent))
            || retry;
        if !askable || self.asked.contains(&Asked::Purpose(purpose.to_owned())) {
            return Ok(Asking::Denied(denial));
        }
        if decision.asked == Giver::Administrator {
            return Ok(Asking::Denied(Denial { code: "assurance-needed", remedy: Remedy::Nothing, ..denial }));
        }
        if decision.asked != Giver::Subject {
            return Ok(Asking::Denied(Denial { code: "guardian-needed", remedy: Remedy::Guardian, ..denial }));
        }
        Ok(Asking::Prompt)
    }

    fn asked_for(&self, purpose: &str) -> bool {
        self.asked.contains(&Asked::Purpose(purpose.to_owned()))
    }

    fn purpose_prompt(&self, purpose: &str, refused: Option<&Text>, permissions: &[(Permission, &Text)]) -> Next {
        let core = self.core;
        match core.policy.purpose(purpose) {
            Some(declared) => {
                let separate = core.kind_needed(purpose, &self.now) != ConsentKind::General;
                Next::Step(Step::Show(Prompt::purpose(core, purpose, declared, separate, refused, permissions)))
            }
            None => Next::Open,
        }
    }

    fn for_purpose(&self, purpose: &str) -> Result<Next, Error> {
        let core = self.core;
        let name = core.policy.purpose(purpose).map(|p| core.local(&p.name)).unwrap_or(purpose);
        let build = core.denials(purpose, name);
        if let Some((code, remedy)) = core.closed_whole() {
            return Ok(Next::Denied(build.build(code, remedy)));
        }
        if let Some(next) = self.notice_first(&build) {
            return Ok(next);
        }
        Ok(match self.ask_for_purpose(purpose, true, &build)? {
            Asking::Open => Next::Open,
            Asking::Subject => Next::Step(Step::AskSubject),
            Asking::Notice => Next::Step(Step::Show(Prompt::notice(core, &core.policy))),
            // In the settings an objection can be taken back, by the same yes as a withdrawal.
            Asking::Denied(denial) if denial.code == "restricted" && !self.asked_for(purpose) => {
                self.purpose_prompt(purpose, None, &[])
            }
            Asking::Denied(denial) => Next::Denied(denial),
            Asking::Prompt => self.purpose_prompt(purpose, None, &[]),
        })
    }

    fn for_first_launch(&self) -> Result<Next, Error> {
        let core = self.core;
        let name = core.local(&core.policy.document().controller.name);
        let build = core.denials("notice", name);
        if let Some((code, remedy)) = core.closed_whole() {
            return Ok(Next::Denied(build.build(code, remedy)));
        }
        if let Some(next) = self.notice_first(&build) {
            return Ok(next);
        }
        self.offered()
    }

    /// The purposes that no feature uses: the general ones together as switches, then each separate one alone.
    fn offered(&self) -> Result<Next, Error> {
        let core = self.core;
        let mut general = Vec::new();
        let mut separate = None;
        for (_, id, purpose) in core.policy.offered_purposes() {
            let build = core.denials(id.as_str(), core.local(&purpose.name));
            match self.ask_for_purpose(id.as_str(), false, &build)? {
                Asking::Subject => return Ok(Next::Step(Step::AskSubject)),
                Asking::Notice => return Ok(Next::Step(Step::Show(Prompt::notice(core, &core.policy)))),
                Asking::Open | Asking::Denied(_) => {}
                Asking::Prompt => {
                    if core.kind_needed(id.as_str(), &self.now) == ConsentKind::General {
                        general.push(Offer::of(core, id.as_str(), purpose));
                    } else {
                        separate = separate.or(Some(id));
                    }
                }
            }
        }
        if !general.is_empty() {
            return Ok(Next::Step(Step::Offer(general)));
        }
        Ok(separate.map_or(Next::Open, |id| self.purpose_prompt(id.as_str(), None, &[])))
    }

    fn for_changed_policy(&self) -> Result<Next, Error> {
        let core = self.core;
        if self.asked.contains(&Asked::ChangedPolicy) {
            return if core.pending().is_some() { Ok(Next::Open) } else { self.offered() };
        }
        Ok(match core.pending() {
            Some(pending) => Next::Step(Step::Show(Prompt::changed_policy(core, pending))),
            None => Next::Open,
        })
    }
}
