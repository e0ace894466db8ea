//! The flow: a small state machine that says what to show or ask next, and takes the answers. It does no
//! input or output of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use menshen_policy::Month;
use menshen_policy::document::{ConsentKind, Giver, Place};

use crate::consent::Refusal;
use crate::core::Core;
use crate::entry::{SubjectKnownBy, What};
use crate::error::Error;
use crate::next::{Asked, Goal, Inquiry, Next};
use crate::platform::PermissionState;
use crate::prompt::{Offer, Prompt, PromptKind};
use crate::rights::{Exercised, RightRequest};
use crate::session::Session;
use crate::step::{Answer, Outcome, Screen, Step, Trigger};

/// One run through the questions for a goal. Dropping it leaves everything as it is.
#[derive(Debug)]
pub struct Flow {
    session: Session,
    goal: Goal,
    step: Step,
    /// What this flow has already asked; nothing is asked twice in one flow.
    asked: BTreeSet<Asked>,
    asks_again: Vec<String>,
    /// What came of using a right.
    exercised: Option<Exercised>,
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

    pub(crate) fn revocations(session: Session) -> Result<Self, Error> {
        Self::start(session, Goal::Revocations)
    }

    pub(crate) fn exercise(session: Session, request: RightRequest) -> Result<Self, Error> {
        session.check_right(&request)?;
        Self::start(session, Goal::Right { request })
    }

    fn start(session: Session, goal: Goal) -> Result<Self, Error> {
        let mut flow = Self {
            session,
            goal,
            step: Step::AskSubject,
            asked: BTreeSet::new(),
            asks_again: Vec::new(),
            exercised: None,
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

    /// Takes the answer to the current step and moves on. An answer counts when this returned, unless another version of
    /// the policy came since the step was shown: it was to another question then, is dropped, and the step is a new one.
    ///
    /// # Errors
    /// The answer does not fit the step, or it could not be written; the step then stays. Of several switches those that
    /// could not be written stay.
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
                let mut left = offers.clone();
                while let Some(offer) = left.first().cloned() {
                    let yes = on.contains(&offer.purpose);
                    if let Err(error) = self.answer_purpose(&offer.purpose, yes, ConsentKind::General, &offer) {
                        // What was written counts; what was not is asked again.
                        self.step = Step::Offer(left);
                        return Err(error);
                    }
                    self.asked.insert(Asked::Purpose(offer.purpose));
                    left.remove(0);
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
                self.asked.insert(Asked::Subject);
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
                self.asked.insert(Asked::Permission(permission));
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
                self.asked.insert(Asked::Notice);
            }
            PromptKind::Notice => {
                self.session.with_core(|core, shared| {
                    let policy = core.policy.hash().to_owned();
                    core.commit(shared, vec![What::NoticeDeclined { policy, shown }])
                })?;
                self.asked.insert(Asked::Notice);
            }
            PromptKind::ChangedPolicy => {
                self.asks_again =
                    self.session.with_core(|core, shared| core.answer_changed_policy(shared, yes, shown))?;
                self.asked.insert(Asked::ChangedPolicy);
            }
            PromptKind::Revocation(permission) => {
                self.session.with_core(|core, shared| {
                    if yes {
                        core.revoke(shared, permission, Some(shown)).map(|_| ())
                    } else {
                        core.not_revoked(shared, permission, shown)
                    }
                })?;
            }
            PromptKind::Right => {
                self.asked.insert(Asked::Right);
                if yes {
                    self.carry_out()?;
                }
            }
            PromptKind::Purpose | PromptKind::SeparateConsent => {
                let Some(purpose) = prompt.purpose.clone() else {
                    return Err(Error::Internal { what: "a prompt without its purpose" });
                };
                self.session.with_core(|core, shared| {
                    if yes {
                        if !core.answers_restriction(shared, &purpose, &shown)? {
                            return Ok(());
                        }
                        // A prompt of its own is no weaker than a separate consent, and as strong as what was needed.
                        let needed = core.kind_needed(&purpose, &shared.clock.now());
                        let kind = if prompt.kind == PromptKind::Purpose { ConsentKind::General } else { needed };
                        core.grant(shared, &purpose, kind, Giver::Subject, shown)
                    } else {
                        core.deny(shared, &purpose, Refusal::Refused(shown)).map(|_| ())
                    }
                })?;
                self.asked.insert(Asked::Purpose(purpose));
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

    fn carry_out(&mut self) -> Result<(), Error> {
        if let Goal::Right { request } = &self.goal {
            self.exercised = Some(self.session.carry_out(request)?);
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), Error> {
        if matches!(&self.goal, Goal::Right { request } if !request.offers_copy())
            && !self.asked.contains(&Asked::Right)
        {
            // A right whose use destroys nothing needs no second yes.
            self.carry_out()?;
            self.asked.insert(Asked::Right);
        }
        let goal = self.goal.clone();
        let asked = &self.asked;
        let next = self.session.with_core(|core, shared| {
            // The ledger may have become readable since the session opened.
            match core.load(shared) {
                Ok(()) | Err(Error::KeyNotReady | Error::WrongKey | Error::KeyLost | Error::LedgerBroken { .. }) => {}
                Err(error) => return Err(error),
            }
            let next = Inquiry { core, now: shared.clock.now(), asked }.next(&goal)?;
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
                _ => Step::Done(match self.exercised.take() {
                    Some(exercised) => Outcome::Exercised(exercised),
                    None => Outcome::Finished { asks_again: std::mem::take(&mut self.asks_again) },
                }),
            },
        };
        Ok(())
    }
}

/// The policies that a step depends on, by their hashes.
fn policies(core: &Core) -> String {
    let pending = core.pending().map_or("", |pending| pending.policy.hash());
    format!("{} {pending}", core.policy.hash())
}
