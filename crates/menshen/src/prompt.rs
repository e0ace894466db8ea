//! What is shown to the person. The types have no place for a pre-ticked choice, a prompt without a way to
//! refuse, or an author's own button.

use std::collections::BTreeSet;

use menshen_policy::Policy;
use menshen_policy::document::{Permission, Purpose, Text};
use ring::digest::{SHA256, digest};

use crate::core::{Core, Pending};
use crate::entry::Shown;
use crate::rights::RightRequest;
use crate::texts::{self, Label};

/// A question to the person. It is answered with [`Answer::Yes`](crate::Answer::Yes) or
/// [`Answer::No`](crate::Answer::No); both buttons have equal weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What it asks for.
    pub kind: PromptKind,
    /// The purpose asked for, where it is one.
    pub purpose: Option<String>,
    /// The locale of the texts.
    pub locale: String,
    /// One line.
    pub title: String,
    /// Why, in a few sentences.
    pub body: String,
    /// What is used, who receives it, how long it is kept, what a no means.
    pub particulars: Vec<Particular>,
    /// The clause of the policy.
    pub source: String,
    /// The word on the button that says yes.
    pub yes: Label,
    /// The word on the button that says no.
    pub no: Label,
}

/// What a prompt asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PromptKind {
    /// Agreement to the notice at first launch.
    Notice,
    /// Consent to one purpose.
    Purpose,
    /// A consent on a sheet of its own.
    SeparateConsent,
    /// Agreement to a changed policy.
    ChangedPolicy,
    /// Whether it was the person who took a system permission away, which ends a consent.
    Revocation(Permission),
    /// The use of a right that destroys something. The screen offers a copy first
    /// ([`Session::copy_html`](crate::Session::copy_html)).
    Right,
}

/// One labelled line of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particular {
    /// What it is about.
    pub label: String,
    /// What it says.
    pub text: String,
}

/// A switch offered after the notice: off, until the person turns it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The purpose.
    pub purpose: String,
    /// Its name.
    pub name: String,
    /// Why, in a few sentences.
    pub text: String,
    /// What is used, who receives it, how long it is kept.
    pub particulars: Vec<Particular>,
    /// The clause of the policy.
    pub source: String,
}

impl Prompt {
    pub(crate) fn notice(core: &Core, policy: &Policy) -> Self {
        let document = policy.document();
        Self {
            kind: PromptKind::Notice,
            purpose: None,
            locale: core.locale().to_owned(),
            title: core.local(&document.notice.title).to_owned(),
            body: core.local(&document.notice.body).to_owned(),
            particulars: Vec::new(),
            source: document.notice.source.to_string(),
            yes: Label::Agree,
            no: Label::Decline,
        }
    }

    /// The question for one purpose. The system permission that the same request needs stands on the same screen.
    pub(crate) fn purpose(
        core: &Core,
        id: &str,
        purpose: &Purpose,
        separate: bool,
        refused: Option<&Text>,
        permissions: &[(Permission, &Text)],
    ) -> Self {
        let words = texts::prompt_words(core.locale());
        let mut particulars = particulars(core, purpose);
        for (_, text) in permissions {
            particulars.push(Particular { label: String::new(), text: core.local(text).to_owned() });
        }
        if let Some(refused) = refused {
            let text = core.local(refused).to_owned();
            particulars.push(Particular { label: words.refusing.to_owned(), text });
        }
        Self {
            kind: if separate { PromptKind::SeparateConsent } else { PromptKind::Purpose },
            purpose: Some(id.to_owned()),
            locale: core.locale().to_owned(),
            title: core.local(&purpose.name).to_owned(),
            body: core.local(&purpose.text).to_owned(),
            particulars,
            source: purpose.source.to_string(),
            yes: Label::Accept,
            no: Label::Refuse,
        }
    }

    pub(crate) fn changed_policy(core: &Core, pending: &Pending) -> Self {
        let words = texts::prompt_words(core.locale());
        let document = pending.policy.document();
        let mut particulars = Vec::new();
        let names = |ids: Vec<&menshen_policy::document::Id>, policy: &Policy| {
            let named = |id: &&menshen_policy::document::Id| {
                policy.purpose(id.as_str()).map(|p| core.local(&p.name).to_owned())
            };
            let names: Vec<String> = ids.iter().filter_map(named).collect();
            texts::list(core.locale(), names.iter().map(String::as_str))
        };
        let change = &pending.change;
        let added = names(change.added.iter().chain(&change.widened).collect(), &pending.policy);
        if !added.is_empty() {
            particulars.push(Particular { label: words.adds.to_owned(), text: added });
        }
        let removed = names(change.removed.iter().collect(), &core.policy);
        if !removed.is_empty() {
            particulars.push(Particular { label: words.ends.to_owned(), text: removed });
        }
        Self {
            kind: PromptKind::ChangedPolicy,
            purpose: None,
            locale: core.locale().to_owned(),
            title: words.changed.to_owned(),
            body: core.local(&document.notice.body).to_owned(),
            particulars,
            source: document.notice.source.to_string(),
            yes: Label::Agree,
            no: Label::Decline,
        }
    }

    pub(crate) fn revocation(core: &Core, permission: Permission, purposes: &BTreeSet<String>) -> Self {
        let words = texts::revocation_words(core.locale());
        let features = core.policy.document().features.values();
        let names = features.filter(|one| one.permissions.contains_key(&permission)).map(|one| core.local(&one.name));
        let names = texts::list(core.locale(), names);
        let ending = purposes.iter().filter_map(|id| Some((id, core.policy.purpose(id)?)));
        let ends = ending.map(|(_, purpose)| Particular {
            label: words.ends.to_owned(),
            text: core.local(&purpose.name).to_owned(),
        });
        Self {
            kind: PromptKind::Revocation(permission),
            purpose: None,
            locale: core.locale().to_owned(),
            title: words.title.replace("{name}", &names),
            body: words.body.to_owned(),
            particulars: ends.collect(),
            source: purposes
                .first()
                .and_then(|id| core.policy.purpose(id))
                .map(|purpose| purpose.source.to_string())
                .unwrap_or_default(),
            yes: Label::WasMe,
            no: Label::WasNotMe,
        }
    }

    pub(crate) fn right(core: &Core, request: &RightRequest) -> Self {
        let words = texts::right_prompt(core.locale(), request.right());
        let statutory = core.policy.purposes().filter(|(_, id, _)| core.is_statutory(id.as_str()));
        let stays = statutory.map(|(_, _, purpose)| {
            let statute = purpose.statute.as_deref().unwrap_or_default();
            Particular { label: words.stays.to_owned(), text: format!("{} ({statute})", core.local(&purpose.name)) }
        });
        let copy = Particular { label: words.copy_label.to_owned(), text: words.copy.to_owned() };
        Self {
            kind: PromptKind::Right,
            purpose: None,
            locale: core.locale().to_owned(),
            title: words.title.to_owned(),
            body: words.body.to_owned(),
            particulars: std::iter::once(copy).chain(stays).collect(),
            source: core
                .policy
                .document()
                .rights
                .get(&request.right())
                .map(|terms| terms.source.to_string())
                .unwrap_or_default(),
            yes: Label::Proceed,
            no: Label::Cancel,
        }
    }

    /// What the ledger keeps of it: locale and hash, not the words.
    pub(crate) fn shown(&self) -> Shown {
        let particulars = self.particulars.iter().flat_map(|one| [one.label.as_str(), one.text.as_str()]);
        shown(&self.locale, [self.title.as_str(), self.body.as_str()].into_iter().chain(particulars))
    }
}

impl Offer {
    pub(crate) fn of(core: &Core, id: &str, purpose: &Purpose) -> Self {
        Self {
            purpose: id.to_owned(),
            name: core.local(&purpose.name).to_owned(),
            text: core.local(&purpose.text).to_owned(),
            particulars: particulars(core, purpose),
            source: purpose.source.to_string(),
        }
    }

    pub(crate) fn shown(&self, locale: &str) -> Shown {
        let particulars = self.particulars.iter().flat_map(|one| [one.label.as_str(), one.text.as_str()]);
        shown(locale, [self.name.as_str(), self.text.as_str()].into_iter().chain(particulars))
    }
}

fn particulars(core: &Core, purpose: &Purpose) -> Vec<Particular> {
    let words = texts::prompt_words(core.locale());
    let document = core.policy.document();
    let list = |names: Vec<&Text>| texts::list(core.locale(), names.into_iter().map(|text| core.local(text)));
    let categories = purpose.categories.iter().filter_map(|id| document.categories.get(id)).map(|c| &c.name).collect();
    let recipients = purpose.recipients.iter().filter_map(|id| document.recipients.get(id)).map(|r| &r.name).collect();
    let kept = texts::span(core.locale(), purpose.retention.duration.seconds());
    [(words.collected, list(categories)), (words.recipients, list(recipients)), (words.kept, kept)]
        .into_iter()
        .map(|(label, text)| Particular { label: label.to_owned(), text })
        .collect()
}

fn shown<'a>(locale: &str, texts: impl Iterator<Item = &'a str>) -> Shown {
    let mut all = Vec::new();
    for text in texts {
        // Lengths keep two texts from reading as one.
        all.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    Shown { locale: locale.to_owned(), text: hex(digest(&SHA256, &all).as_ref()) }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
