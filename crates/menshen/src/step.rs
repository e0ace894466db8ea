//! The values of a flow: what is to be shown or asked, what was answered, how it ended.

use std::fmt;

use menshen_policy::document::Permission;

use crate::denial::Denial;
use crate::feature_use::Permit;
use crate::platform::PermissionState;
use crate::prompt::{Offer, Prompt};
use crate::rights::Exercised;

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
    /// The first-launch, changed-policy or settings flow is through, or the person did not use the right after all.
    Finished {
        /// Purposes that ask again because the accepted version added something to them.
        asks_again: Vec<String>,
    },
    /// A right was used.
    Exercised(Exercised),
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
