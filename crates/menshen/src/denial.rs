//! A refusal that helps: a stable code, the clause, and a sentence for the person with what can be done.

use std::sync::Arc;

use menshen_policy::Identity;

use crate::texts;

/// Why something is not allowed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// A stable code in kebab-case.
    pub code: &'static str,
    /// What was refused: the id of a feature, purpose or recipient, or an identifier.
    pub subject: String,
    /// The rule, purpose or law-pack rule that decided, as `id` or `pack/id`.
    pub rule: Option<String>,
    /// The clause of the policy, or the law's source.
    pub source: Option<String>,
    /// When it may change by itself, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// What can be done.
    pub remedy: Remedy,
    /// The policy and the law packs that decided.
    pub identity: Arc<Identity>,
    /// The same in one or two sentences, in the session's locale.
    pub text: String,
}

/// What can be done about a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// Nothing here and now.
    Nothing,
    /// Request the feature, so that the person is asked.
    Request,
    /// The person can change their answer in the settings of the app.
    Settings,
    /// The person can change it in the settings of the system.
    SystemSettings,
    /// Wait until `until_ms`.
    Wait,
    /// A guardian must answer.
    Guardian,
    /// The changed policy must be accepted first.
    AcceptPolicy,
}

impl Remedy {
    /// A stable code in kebab-case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Request => "request",
            Self::Settings => "settings",
            Self::SystemSettings => "system-settings",
            Self::Wait => "wait",
            Self::Guardian => "guardian",
            Self::AcceptPolicy => "accept-policy",
        }
    }
}

/// Builds denials in one locale.
pub(crate) struct DenialBuilder<'a> {
    pub(crate) locale: &'a str,
    /// What it is called on screen.
    pub(crate) name: &'a str,
    /// Its id.
    pub(crate) subject: &'a str,
    /// The policy and the law packs in force.
    pub(crate) identity: &'a Arc<Identity>,
}

impl DenialBuilder<'_> {
    pub(crate) fn build(&self, code: &'static str, remedy: Remedy) -> Denial {
        Denial {
            code,
            subject: self.subject.to_owned(),
            rule: None,
            source: None,
            until_ms: None,
            remedy,
            identity: Arc::clone(self.identity),
            text: texts::denial(self.locale, code, self.name, None),
        }
    }

    pub(crate) fn until(&self, code: &'static str, remedy: Remedy, until_ms: i64) -> Denial {
        let text = texts::denial(self.locale, code, self.name, Some(until_ms));
        Denial { until_ms: Some(until_ms), text, ..self.build(code, remedy) }
    }
}
