//! The flow: a small state machine that says what to show or ask next, and takes the answers. It does no
//! input or output of its own; the next step follows from the account's state and what this flow asked so far.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use menshen_policy::document::{ConsentKind, Giver, LegalBasis, Permission, Place, Text};
use menshen_policy::{AgeBand, Consent, Decision, Month, Terms, Verdict};

use crate::account::Answer as NoticeAnswer;
use crate::consent::Refusal;
use crate::core::Core;
use crate::denial::{Denial, DenialBuilder, Remedy};
use crate::entry::{SubjectKnownBy, What};
use crate::error::Error;
use crate::feature_use::Permit;
use crate::gate::Closed;
use crate::platform::PermissionState;
use crate::prompt::{Offer, Prompt, PromptKind};
use crate::session::Session;

/// Whether the person tapped for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The person tapped the feature.
    Tap,
    /// The app wants it by itself.
    App,
}

/// What is to be done next. Its `Debug` form is its name: a step may show a birth month.
#[non_exhaustive]
pub enum Step {
    /// Show this question; answer with [`Answer::Yes`] or [`Answer::No`].
    Show(Prompt),
    /// Show these switches, all off, with *agree to all* and *refuse all* alike; answer with [`Answer::Switches`].
    Offer(Vec<Offer>),
    /// Ask for birth month and place, without a hint of what they decide; answer with [`Answer::Subject`].
    AskSubject,
    /// Show the answer back once; [`Answer::Yes`] if it is right, [`Answer::No`] to change it.
    ConfirmSubject {
        /// The birth month, `2014-03`.
        born: String,
        /// The place, ISO 3166.
        place: String,
    },
    /// Ask the system for a permission, with this text beside the dialog; answer with [`Answer::System`].
    AskSystem {
        /// The permission.
        permission: Permission,
        /// Why, in the session's locale.
        text: String,
    },
    /// Nothing more to do.
    Done(Outcome),
}

impl Step {
    /// A stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Show(_) => "show",
            Self::Offer(_) => "offer",
            Self::AskSubject => "ask-subject",
            Self::ConfirmSubject { .. } => "confirm-subject",
            Self::AskSystem { .. } => "ask-system",
            Self::Done(_) => "done",
        }
    }
}

/// What the person or the system answered. Its `Debug` form says nothing of the answer.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Yes to what is shown.
    Yes,
    /// No to what is shown.
    No,
    /// The switches that are on; every other one was left off, which is a no.
    Switches(Vec<String>),
    /// The answer to the neutral question.
    Subject {
        /// The birth month, `2014-03`.
        born: String,
        /// The residence, ISO 3166: `DE`, `US-CA`.
        place: String,
    },
    /// What the system answered.
    System(PermissionState),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// How a flow ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The feature is open.
    Allowed(Permit),
    /// It is not, and why.
    Denied(Denial),
    /// The first-launch or changed-policy flow is through.
    Finished {
        /// Purposes that ask again because the accepted version added something to them.
        asks_again: Vec<String>,
    },
}

/// What a flow is for.
#[derive(Clone, Debug)]
enum Goal {
    Feature { feature: String, trigger: Trigger },
    FirstLaunch,
    ChangedPolicy,
    Purpose { purpose: String },
}

/// One run through the questions for a goal. Dropping it leaves everything as it is.
#[derive(Debug)]
pub struct Flow {
    session: Session,
    goal: Goal,
    step: Step,
    /// What this flow has already asked; nothing is asked twice in one flow.
    asked: BTreeSet<String>,
    asks_again: Vec<String>,
    /// The policies under which the step was computed: an answer to another text does not count.
    shown_under: String,
}

impl Flow {
    pub(crate) fn feature(session: Session, feature: &str, trigger: Trigger) -> Result<Self, Error> {
        Self::start(session, Goal::Feature { feature: feature.to_owned(), trigger })
    }

    pub(crate) fn first_launch(session: Session) -> Result<Self, Error> {
        Self::start(session, Goal::FirstLaunch)
    }

    pub(crate) fn changed_policy(session: Session) -> Result<Self, Error> {
        Self::start(session, Goal::ChangedPolicy)
    }

    pub(crate) fn purpose(session: Session, purpose: &str) -> Result<Self, Error> {
        Self::start(session, Goal::Purpose { purpose: purpose.to_owned() })
    }

    fn start(session: Session, goal: Goal) -> Result<Self, Error> {
        let mut flow = Self {
            session,
            goal,
            step: Step::AskSubject,
            asked: BTreeSet::new(),
            asks_again: Vec::new(),
            shown_under: String::new(),
        };
        flow.advance()?;
        Ok(flow)
    }

    /// What is to be done next.
    #[must_use]
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// The outcome, once the step is [`Step::Done`]; the flow itself while it is not.
    ///
    /// # Errors
    /// The flow is not done.
    pub fn into_outcome(self) -> Result<Outcome, Box<Self>> {
        match self.step {
            Step::Done(outcome) => Ok(outcome),
            _ => Err(Box::new(self)),
        }
    }

    /// Goes through the flow with a screen that performs each step.
    ///
    /// # Errors
    /// Those of [`Flow::answer`].
    pub fn drive(mut self, screen: &mut dyn Screen) -> Result<Outcome, Error> {
        loop {
            let answer = match &self.step {
                Step::Done(_) => break,
                step => screen.perform(step),
            };
            self.answer(answer)?;
        }
        self.into_outcome().map_err(|_| Error::Internal { what: "flow" })
    }

    /// Takes the answer to the current step and moves on. An answer counts when this returned.
    ///
    /// # Errors
    /// The answer does not fit the step, or it could not be written; the step then stays.
    pub fn answer(&mut self, answer: Answer) -> Result<&Step, Error> {
        let shared = Arc::clone(self.session.shared());
        if self.session.read(|core, _| policies(core)) != self.shown_under {
            // Another version came meanwhile: what is asked now may be another question.
            self.advance()?;
            return Ok(&self.step);
        }
        match (&self.step, answer) {
            (Step::Show(prompt), answer @ (Answer::Yes | Answer::No)) => {
                let prompt = prompt.clone();
                self.answer_prompt(&prompt, answer == Answer::Yes)?;
            }
            (Step::Offer(offers), Answer::Switches(on)) => {
                if on.iter().any(|id| !offers.iter().any(|offer| offer.purpose == *id)) {
                    return Err(Error::UnexpectedAnswer { step: "offer" });
                }
                let offers = offers.clone();
                for offer in &offers {
                    let yes = on.contains(&offer.purpose);
                    self.answer_purpose(&offer.purpose, yes, ConsentKind::General, offer)?;
                    self.asked.insert(offer.purpose.clone());
                }
            }
            (Step::AskSubject, Answer::Subject { born, place }) => {
                Month::parse(&born)
                    .filter(|month| *month <= Month::at(shared.clock.now().wall_ms))
                    .ok_or(Error::BadSubject { field: "birth month" })?;
                Place::parse(&place).map_err(|_| Error::BadSubject { field: "place" })?;
                self.step = Step::ConfirmSubject { born, place };
                return Ok(&self.step);
            }
            (Step::ConfirmSubject { born, place }, Answer::Yes) => {
                let (born, place) = (born.clone(), place.clone());
                self.session.know_subject(&born, &place, SubjectKnownBy::Asked)?;
                self.asked.insert("subject".to_owned());
            }
            (Step::ConfirmSubject { .. }, Answer::No) => {
                self.step = Step::AskSubject;
                return Ok(&self.step);
            }
            (Step::AskSystem { permission, .. }, Answer::System(state)) => {
                let permission = *permission;
                let granted = matches!(state, PermissionState::Granted | PermissionState::Limited);
                self.session.with_core(|core, shared| {
                    core.commit(shared, vec![What::PermissionAnswered { permission, granted }])
                })?;
                self.asked.insert(permission_key(permission));
            }
            (step, _) => return Err(Error::UnexpectedAnswer { step: step.name() }),
        }
        self.advance()?;
        Ok(&self.step)
    }

    fn answer_prompt(&mut self, prompt: &Prompt, yes: bool) -> Result<(), Error> {
        let shown = prompt.shown();
        match prompt.kind {
            PromptKind::Notice if yes => {
                self.session.with_core(|core, shared| {
                    let policy = Arc::clone(&core.policy);
                    core.accept_policy(shared, &policy, shown)
                })?;
                self.asked.insert("notice".to_owned());
            }
            PromptKind::Notice => {
                self.session.with_core(|core, shared| {
                    let policy = core.policy.hash().to_owned();
                    core.commit(shared, vec![What::NoticeDeclined { policy, shown }])
                })?;
                self.asked.insert("notice".to_owned());
            }
            PromptKind::ChangedPolicy => {
                self.asks_again =
                    self.session.with_core(|core, shared| answer_changed_policy(core, shared, yes, shown))?;
                self.asked.insert("changed-policy".to_owned());
            }
            PromptKind::Purpose | PromptKind::SeparateConsent => {
                let purpose = prompt.purpose.clone().unwrap_or_default();
                self.session.with_core(|core, shared| {
                    if yes {
                        let kind = core
                            .policy
                            .purpose(&purpose)
                            .and_then(|p| p.consent.as_ref())
                            .map_or(ConsentKind::Separate, |terms| terms.kind);
                        core.grant(shared, &purpose, kind, Giver::Subject, shown)
                    } else {
                        core.deny(shared, &purpose, Refusal::Refused(shown)).map(|_| ())
                    }
                })?;
                self.asked.insert(purpose);
            }
        }
        Ok(())
    }

    fn answer_purpose(&self, purpose: &str, yes: bool, kind: ConsentKind, offer: &Offer) -> Result<(), Error> {
        self.session.with_core(|core, shared| {
            let shown = offer.shown(core.locale());
            if yes {
                core.grant(shared, purpose, kind, Giver::Subject, shown)
            } else {
                core.deny(shared, purpose, Refusal::Refused(shown)).map(|_| ())
            }
        })
    }

    fn advance(&mut self) -> Result<(), Error> {
        let goal = self.goal.clone();
        let asked = &self.asked;
        let next = self.session.with_core(|core, shared| {
            // The ledger may have become readable since the session opened.
            match core.load(shared) {
                Ok(()) | Err(Error::KeyNotReady | Error::WrongKey | Error::KeyLost | Error::LedgerBroken { .. }) => {}
                Err(error) => return Err(error),
            }
            let now = shared.clock.now();
            let next = match &goal {
                Goal::Feature { feature, trigger } => next_for_feature(core, &now, feature, *trigger, asked)?,
                Goal::FirstLaunch => next_for_first_launch(core, &now, asked)?,
                Goal::ChangedPolicy => next_for_changed_policy(core, &now, asked)?,
                Goal::Purpose { purpose } => next_for_purpose(core, &now, purpose, asked)?,
            };
            // The ask is counted before the dialog shows, so that a kill while it shows is no free second ask.
            if let Next::Step(Step::AskSystem { permission, .. }) = &next {
                let feature = match &goal {
                    Goal::Feature { feature, .. } => feature.clone(),
                    _ => String::new(),
                };
                core.commit(shared, vec![What::PermissionAsked { permission: *permission, feature }])?;
            }
            Ok(next)
        })?;
        self.shown_under = self.session.read(|core, _| policies(core));
        self.step = match next {
            Next::Step(step) => step,
            Next::Denied(denial) => Step::Done(Outcome::Denied(denial)),
            Next::Open => match &self.goal {
                Goal::Feature { feature, .. } => Step::Done(Outcome::Allowed(self.session.permit(feature))),
                _ => Step::Done(Outcome::Finished { asks_again: std::mem::take(&mut self.asks_again) }),
            },
        };
        Ok(())
    }
}

/// Performs the steps of a flow for a person.
pub trait Screen {
    /// Shows or asks what the step says, and returns the answer.
    fn perform(&mut self, step: &Step) -> Answer;
}

impl<F: FnMut(&Step) -> Answer> Screen for F {
    fn perform(&mut self, step: &Step) -> Answer {
        self(step)
    }
}

enum Next {
    Step(Step),
    Denied(Denial),
    Open,
}

/// The policies that a step depends on, by their hashes.
fn policies(core: &Core) -> String {
    let pending = core.pending.as_ref().map_or("", |pending| pending.policy.hash());
    format!("{} {pending}", core.policy.hash())
}

fn permission_key(permission: Permission) -> String {
    format!("permission {permission:?}")
}

type Now = menshen_journal::Now;

fn next_for_feature(
    core: &Core,
    now: &Now,
    feature: &str,
    trigger: Trigger,
    asked: &BTreeSet<String>,
) -> Result<Next, Error> {
    let Some(declared) = core.policy.feature(feature) else {
        if core.pending.as_ref().is_some_and(|pending| pending.policy.feature(feature).is_some()) {
            let build = core.denials(feature, feature);
            return Ok(Next::Denied(build.build("not-accepted-yet", Remedy::AcceptPolicy)));
        }
        return Err(core.unknown("feature", feature, |policy| policy.feature(feature).is_some()));
    };
    let build = core.denials(feature, core.local(&declared.name));
    if let Some((code, remedy)) = core.closed_whole() {
        return Ok(Next::Denied(build.build(code, remedy)));
    }
    if let Some(next) = notice_first(core, asked, &build) {
        return Ok(next);
    }
    // No earlier prompt is shown when a later step would be suppressed: the outcome is the reason.
    if let Some(denial) = suppressed_permission(core, now, declared.permissions.keys().copied(), trigger, asked, &build)
    {
        return Ok(Next::Denied(denial));
    }
    let mut to_ask = None;
    for id in &declared.purposes {
        match ask_for_purpose(core, now, id.as_str(), trigger == Trigger::Tap, asked, &build)? {
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
        return Ok(purpose_prompt(core, id.as_str(), Some(&declared.refused), &permissions));
    }
    for (permission, used) in &declared.permissions {
        if !core.is_permitted(*permission) {
            let text = core.local(&used.text).to_owned();
            return Ok(Next::Step(Step::AskSystem { permission: *permission, text }));
        }
    }
    Ok(Next::Open)
}

fn notice_first(core: &Core, asked: &BTreeSet<String>, build: &DenialBuilder<'_>) -> Option<Next> {
    if core.state.notice == Some(NoticeAnswer::Agreed) {
        return None;
    }
    if asked.contains("notice") {
        return Some(Next::Denied(build.build("notice-not-agreed", Remedy::Request)));
    }
    Some(Next::Step(Step::Show(Prompt::notice(core, &core.policy))))
}

fn suppressed_permission(
    core: &Core,
    now: &Now,
    permissions: impl Iterator<Item = Permission>,
    trigger: Trigger,
    asked: &BTreeSet<String>,
    build: &DenialBuilder<'_>,
) -> Option<Denial> {
    for permission in permissions {
        match core.permission(permission) {
            PermissionState::Granted | PermissionState::Limited => continue,
            PermissionState::Blocked => {
                return Some(build.build("permission-blocked", Remedy::SystemSettings));
            }
            PermissionState::NotAsked | PermissionState::Denied => {}
        }
        let asked_now = asked.contains(&permission_key(permission));
        let Some(last) = core.state.permissions.get(&permission) else { continue };
        // A dialog that was shown and given back later (a one-time grant) is no refusal; one without an answer is.
        if last.granted == Some(true) && !asked_now {
            continue;
        }
        let rest = core.rules.re_ask(permission);
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

enum Asking {
    Open,
    Prompt,
    /// What rests on another basis than consent lost its key: the notice, agreed again, opens it anew.
    Notice,
    Subject,
    Denied(Denial),
}

fn ask_for_purpose(
    core: &Core,
    now: &Now,
    purpose: &str,
    may_ask_again: bool,
    asked: &BTreeSet<String>,
    build: &DenialBuilder<'_>,
) -> Result<Asking, Error> {
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
    if (is_unknown || rests_on_unknown(&decision)) && !asked.contains("subject") {
        return Ok(Asking::Subject);
    }
    let retry = matches!(core.state.consent(purpose, &Terms::of(declared)), Consent::Refused | Consent::Withdrawn)
        && may_ask_again
        && !matches!(denial.code, "policy-rule" | "ended-by-policy" | "key-not-ready" | "restricted");
    if denial.code == "key-missing" && decision.verdict == Verdict::Allow && !asked.contains("notice") {
        return Ok(Asking::Notice);
    }
    let askable = decision.verdict == Verdict::Ask
        || (denial.code == "key-missing" && declared.legal_basis == LegalBasis::Consent)
        || retry;
    if !askable || asked.contains(purpose) {
        return Ok(Asking::Denied(denial));
    }
    if decision.asked != Giver::Subject {
        return Ok(Asking::Denied(Denial { code: "guardian-needed", remedy: Remedy::Guardian, ..denial }));
    }
    Ok(Asking::Prompt)
}

fn purpose_prompt(core: &Core, purpose: &str, refused: Option<&Text>, permissions: &[(Permission, &Text)]) -> Next {
    match core.policy.purpose(purpose) {
        Some(declared) => {
            let separate = declared.consent.as_ref().is_some_and(|terms| terms.kind != ConsentKind::General);
            Next::Step(Step::Show(Prompt::purpose(core, purpose, declared, separate, refused, permissions)))
        }
        None => Next::Open,
    }
}

fn next_for_purpose(core: &Core, now: &Now, purpose: &str, asked: &BTreeSet<String>) -> Result<Next, Error> {
    let name = core.policy.purpose(purpose).map(|p| core.local(&p.name)).unwrap_or(purpose);
    let build = core.denials(purpose, name);
    if let Some((code, remedy)) = core.closed_whole() {
        return Ok(Next::Denied(build.build(code, remedy)));
    }
    if let Some(next) = notice_first(core, asked, &build) {
        return Ok(next);
    }
    Ok(match ask_for_purpose(core, now, purpose, true, asked, &build)? {
        Asking::Open => Next::Open,
        Asking::Subject => Next::Step(Step::AskSubject),
        Asking::Notice => Next::Step(Step::Show(Prompt::notice(core, &core.policy))),
        Asking::Denied(denial) => Next::Denied(denial),
        Asking::Prompt => purpose_prompt(core, purpose, None, &[]),
    })
}

fn next_for_first_launch(core: &Core, now: &Now, asked: &BTreeSet<String>) -> Result<Next, Error> {
    let name = core.local(&core.policy.document().controller.name);
    let build = core.denials("notice", name);
    if let Some((code, remedy)) = core.closed_whole() {
        return Ok(Next::Denied(build.build(code, remedy)));
    }
    if let Some(next) = notice_first(core, asked, &build) {
        return Ok(next);
    }
    offered(core, now, asked)
}

/// The purposes that no feature uses: the general ones together as switches, then each separate one alone.
fn offered(core: &Core, now: &Now, asked: &BTreeSet<String>) -> Result<Next, Error> {
    let mut general = Vec::new();
    let mut separate = None;
    for (_, id, purpose) in core.policy.offered_purposes() {
        let build = core.denials(id.as_str(), core.local(&purpose.name));
        match ask_for_purpose(core, now, id.as_str(), false, asked, &build)? {
            Asking::Subject => return Ok(Next::Step(Step::AskSubject)),
            Asking::Notice => return Ok(Next::Step(Step::Show(Prompt::notice(core, &core.policy)))),
            Asking::Open | Asking::Denied(_) => {}
            Asking::Prompt => {
                if purpose.consent.as_ref().is_some_and(|terms| terms.kind == ConsentKind::General) {
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
    Ok(separate.map_or(Next::Open, |id| purpose_prompt(core, id.as_str(), None, &[])))
}

fn next_for_changed_policy(core: &Core, now: &Now, asked: &BTreeSet<String>) -> Result<Next, Error> {
    if asked.contains("changed-policy") {
        return if core.pending.is_some() { Ok(Next::Open) } else { offered(core, now, asked) };
    }
    Ok(match &core.pending {
        Some(pending) => Next::Step(Step::Show(Prompt::changed_policy(core, pending))),
        None => Next::Open,
    })
}

fn answer_changed_policy(
    core: &mut Core,
    shared: &crate::sdk::Shared,
    yes: bool,
    shown: crate::entry::Shown,
) -> Result<Vec<String>, Error> {
    let Some(pending) = core.pending.take() else { return Ok(Vec::new()) };
    if !yes {
        let document = pending.policy.document();
        let what = What::PolicyDeclined {
            policy: pending.policy.hash().to_owned(),
            version: document.version.to_string(),
            shown,
        };
        core.pending = Some(pending);
        core.commit(shared, vec![what])?;
        return Ok(Vec::new());
    }
    let policy = Arc::clone(&pending.policy);
    let touched: Vec<String> =
        pending.change.added.iter().chain(&pending.change.widened).map(ToString::to_string).collect();
    if let Err(error) = core.accept_policy(shared, &policy, shown) {
        core.pending = Some(pending);
        return Err(error);
    }
    let now = shared.clock.now();
    let mut asks = Vec::new();
    for id in touched {
        let Some(at) = policy.purpose_id(&id) else { continue };
        if core.decide(at, &id, &now).verdict == Verdict::Ask {
            asks.push(id);
        }
    }
    asks.sort();
    Ok(asks)
}

impl Session {
    /// Keeps what a birth month and a place mean for the rules; the month itself is not kept.
    pub(crate) fn know_subject(&self, born: &str, place: &str, source: SubjectKnownBy) -> Result<(), Error> {
        let born = Month::parse(born).ok_or(Error::BadSubject { field: "birth month" })?;
        Place::parse(place).map_err(|_| Error::BadSubject { field: "place" })?;
        self.with_core(|core, shared| {
            let now = Month::at(shared.clock.now().wall_ms);
            let pending = core.pending.as_ref().map(|pending| pending.policy.thresholds());
            let thresholds = [core.policy.thresholds(), pending.unwrap_or_default()].concat();
            let band = AgeBand::of(born, now, &thresholds);
            // Asked again, nobody is older than they surely were not: that takes a guardian, or the host's support.
            let known = core.state.subject.age.and_then(|age| age.below).filter(|next| now < next.month);
            if source == SubjectKnownBy::Asked && known.is_some_and(|next| band.from >= next.age) {
                return Ok(());
            }
            let below = band.below.map(|threshold| (threshold.age, threshold.month.to_string()));
            let known = What::SubjectKnown { place: place.to_owned(), from: band.from, below, source };
            core.commit(shared, vec![known])
        })
    }
}
