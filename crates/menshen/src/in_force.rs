//! What holds now: the accepted version of the policy, less what any newer version in effect takes away.

use std::collections::BTreeSet;

use menshen_policy::Policy;
use menshen_policy::document::{Endpoint, Event, FieldForm, Identifier, IdentifierUse, SdkStart};

use crate::core::Pending;
use crate::entry::{Content, Shape};

/// The accepted version and every newer one that waits and whose day has begun. What counts is what all of them have.
#[derive(Clone, Copy)]
pub(crate) struct InForce<'a> {
    pub(crate) accepted: &'a Policy,
    /// Versions newer than the accepted one.
    pub(crate) waiting: &'a [Pending],
    /// The latest moment that is known, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

impl<'a> InForce<'a> {
    fn versions(self) -> impl Iterator<Item = &'a Policy> {
        let newer = self.waiting.iter().filter(move |waiting| waiting.is_effective(self.at_ms));
        std::iter::once(self.accepted).chain(newer.map(|waiting| waiting.policy.as_ref()))
    }

    pub(crate) fn has_purpose(self, purpose: &str) -> bool {
        self.versions().all(|policy| policy.purpose(purpose).is_some())
    }

    pub(crate) fn has_recipient(self, purpose: &str, recipient: &str) -> bool {
        let named = |policy: &Policy| {
            policy.purpose(purpose).is_some_and(|p| p.recipients.iter().any(|id| id.as_str() == recipient))
        };
        self.versions().all(named)
    }

    fn has_category(self, purpose: &str, category: &str) -> bool {
        let named = |policy: &Policy| {
            policy.purpose(purpose).is_some_and(|p| p.categories.iter().any(|id| id.as_str() == category))
        };
        self.versions().all(named)
    }

    /// The categories that a purpose holds in every version.
    pub(crate) fn categories(self, purpose: &'a str) -> impl Iterator<Item = &'a str> {
        let declared = self.accepted.purpose(purpose).map_or(&[][..], |p| p.categories.as_slice());
        declared.iter().map(|id| id.as_str()).filter(move |category| self.has_category(purpose, category))
    }

    pub(crate) fn has_event(self, event: &str, purpose: &str) -> bool {
        self.versions().all(|policy| event_of(policy, event, purpose).is_some())
    }

    /// The strictest form of a field; `None` where it or its category has ended.
    pub(crate) fn field_form(self, event: &str, purpose: &str, field: &str) -> Option<FieldForm> {
        self.versions().try_fold(FieldForm::Plain, |strictest, policy| {
            let declared = event_of(policy, event, purpose)?.fields.get(field)?;
            self.has_category(purpose, declared.category.as_str()).then_some(strictest.max(declared.form))
        })
    }

    /// How long content of a purpose is kept at most, in milliseconds, where every version has the purpose.
    pub(crate) fn kept_for_ms(self, purpose: &str) -> u64 {
        let declared = self.versions().filter_map(|policy| policy.purpose(purpose));
        declared.map(|p| p.retention.duration.seconds()).min().unwrap_or(0).saturating_mul(1000)
    }

    /// The endpoints of the accepted version that every newer one still has, for the same recipient.
    pub(crate) fn endpoints(self) -> impl Iterator<Item = (&'a str, &'a Endpoint)> {
        self.accepted.document().endpoints.iter().filter_map(move |(id, endpoint)| {
            let kept = |policy: &Policy| {
                policy.document().endpoints.get(id).is_some_and(|other| other.recipient == endpoint.recipient)
            };
            self.versions().all(kept).then_some((id.as_str(), endpoint))
        })
    }

    /// How an identifier is handed to a recipient: in the strictest form of all versions.
    pub(crate) fn identifier(self, recipient: &str, identifier: Identifier) -> Option<&'a IdentifierUse> {
        let declared = |policy: &'a Policy| policy.recipient(recipient)?.identifiers.get(&identifier);
        self.versions().map(declared).reduce(|one, other| {
            let (one, other) = (one?, other?);
            Some(if other.form.strictness() > one.form.strictness() { other } else { one })
        })?
    }

    /// Whether a recipient's SDK is never started.
    pub(crate) fn never_starts(self, recipient: &str) -> bool {
        let never = |policy: &Policy| {
            policy.recipient(recipient).and_then(|r| r.sdk.as_ref()).is_some_and(|sdk| sdk.start == SdkStart::Never)
        };
        self.versions().any(never)
    }

    /// The fields of what was sealed in a shape that have ended; `None` where nothing of it may leave.
    pub(crate) fn ended_fields(self, shape: &Shape) -> Option<BTreeSet<String>> {
        let purpose = shape.purpose.as_str();
        match &shape.content {
            Content::Event { event, fields } => self.has_event(event, purpose).then(|| {
                let ended = fields.iter().filter(|(name, sealed)| {
                    let form = self.field_form(event, purpose, name);
                    form.is_none_or(|form| form > sealed.form) || !self.has_category(purpose, &sealed.category)
                });
                ended.map(|(name, _)| name.clone()).collect()
            }),
            Content::Item { categories } => {
                categories.iter().all(|category| self.has_category(purpose, category)).then(BTreeSet::new)
            }
        }
    }
}

fn event_of<'a>(policy: &'a Policy, event: &str, purpose: &str) -> Option<&'a Event> {
    policy.event(event).filter(|declared| declared.purpose.as_str() == purpose)
}
