//! The whole policy in one locale, as the person reads it.

use maud::{Markup, html};
use menshen::policy::document::{Document, Id, Place, Text};

use super::words::Words;

/// Everything that the document says to the person, each with its clause.
pub(super) fn policy_text(document: &Document, locale: &str) -> Markup {
    let reader = Reader { document, locale, words: Words::of(locale) };
    html! {
        (reader.notice())
        (reader.purposes())
        (reader.features())
        (reader.recipients())
        (reader.kept_apart())
        (reader.exceptions())
        (reader.rights())
        (reader.notices())
        (reader.upstream())
    }
}

struct Reader<'a> {
    document: &'a Document,
    locale: &'a str,
    words: &'static Words,
}

impl Reader<'_> {
    fn local<'t>(&self, text: &'t Text) -> &'t str {
        let own = text.iter().find(|(locale, _)| locale.as_str() == self.locale);
        own.or_else(|| text.iter().next()).map_or("", |(_, text)| text.as_str())
    }

    fn clause(&self, source: impl std::fmt::Display) -> Markup {
        html! { p.clause { (self.words.clause) " " (source) } }
    }

    fn row(&self, label: &str, text: impl maud::Render) -> Markup {
        html! { div.row { dt { (label) } dd { (text) } } }
    }

    fn notice(&self) -> Markup {
        let (notice, controller) = (&self.document.notice, &self.document.controller);
        html! {
            h4 { (self.local(&notice.title)) }
            p { (self.local(&notice.body)) }
            (self.clause(&notice.source))
            h4 { (self.words.who_answers) }
            dl {
                (self.row(self.local(&controller.name), self.local(&controller.address)))
                (self.row(self.words.contact, self.local(&controller.contact)))
                @if let Some(residency) = &self.document.residency {
                    (self.row(self.words.stored_in, places(&residency.stored_in)))
                }
            }
            (self.clause(&controller.source))
        }
    }

    fn categories(&self, ids: &[Id]) -> String {
        let name = |id: &Id| {
            let category = self.document.categories.get(id)?;
            let mark = if category.sensitive || category.special { self.words.sensitive } else { "" };
            let name = self.local(&category.name);
            Some(if mark.is_empty() { name.to_owned() } else { format!("{name} ({mark})") })
        };
        ids.iter().filter_map(name).collect::<Vec<_>>().join(" · ")
    }

    fn purposes(&self) -> Markup {
        let recipient = |id: &Id| self.document.recipients.get(id).map(|one| self.local(&one.name));
        html! {
            h4 { (self.words.purposes) }
            @for purpose in self.document.purposes.values() {
                h5 { (self.local(&purpose.name)) }
                p { (self.local(&purpose.text)) }
                dl {
                    (self.row(self.words.why_allowed, self.words.basis(purpose.legal_basis)))
                    (self.row(self.words.used, self.categories(&purpose.categories)))
                    (self.row(self.words.receivers, purpose.recipients.iter().filter_map(recipient).collect::<Vec<_>>().join(" · ")))
                    (self.row(self.words.kept, format!("{} {}", purpose.retention.duration.seconds().div_ceil(86_400), self.words.days)))
                    @if let Some(decision) = &purpose.automated { (self.row("", self.local(&decision.text))) }
                    @if let Some(ground) = purpose.objection.as_ref().and_then(|one| one.ground.as_ref()) {
                        (self.row("", self.local(ground)))
                    }
                }
                (self.clause(&purpose.source))
            }
        }
    }

    fn features(&self) -> Markup {
        html! {
            h4 { (self.words.features) }
            @for feature in self.document.features.values() {
                h5 { (self.local(&feature.name)) }
                dl {
                    @for (permission, terms) in &feature.permissions {
                        (self.row(&format!("{} {}", self.words.permissions, permission.id()), self.local(&terms.text)))
                    }
                    (self.row(self.words.if_refused, self.local(&feature.refused)))
                }
                (self.clause(&feature.source))
            }
            @for rule in self.document.rules.values() {
                p { (self.local(&rule.text)) }
                (self.clause(&rule.source))
            }
        }
    }

    fn recipients(&self) -> Markup {
        html! {
            h4 { (self.words.receivers) }
            @for recipient in self.document.recipients.values() {
                h5 { (self.local(&recipient.name)) }
                dl {
                    (self.row("", self.words.role(recipient.kind)))
                    @if let Some(contact) = &recipient.contact { (self.row(self.words.contact, contact.as_str())) }
                    (self.row(self.words.stored_in, recipient.place.as_ref().map_or(self.words.not_stated, Place::as_str)))
                    @for (identifier, terms) in &recipient.identifiers {
                        (self.row(identifier.id(), crate::words::word(&terms.form)))
                    }
                }
                (self.clause(&recipient.source))
            }
        }
    }

    fn kept_apart(&self) -> Markup {
        html! {
            @if !self.document.never_combine.is_empty() {
                h4 { (self.words.apart) }
                @for one in self.document.never_combine.values() {
                    p { (self.local(&one.text)) }
                    (self.clause(&one.source))
                }
            }
        }
    }

    fn exceptions(&self) -> Markup {
        html! {
            @if !self.document.exceptions.is_empty() {
                h4 { (self.words.exceptions) }
                @for one in self.document.exceptions.values() {
                    p { (self.local(&one.text)) }
                    (self.clause(&one.source))
                }
            }
        }
    }

    fn rights(&self) -> Markup {
        html! {
            @if !self.document.rights.is_empty() {
                h4 { (self.words.rights) }
                @for (right, terms) in &self.document.rights {
                    h5 { (self.words.right(*right)) }
                    p { (self.local(&terms.way)) }
                    dl {
                        @if let Some(limits) = &terms.limits { (self.row(self.words.limits, self.local(limits))) }
                        @if let Some(due) = &terms.due {
                            (self.row(self.words.due, self.words.due(due.count, due.unit, due.from)))
                        }
                    }
                    (self.clause(&terms.source))
                }
            }
        }
    }

    fn notices(&self) -> Markup {
        html! {
            @if !self.document.inbound_notices.is_empty() {
                h4 { (self.words.told) }
                @for notice in self.document.inbound_notices.values() {
                    p { (self.local(&notice.text)) }
                    (self.clause(&notice.source))
                }
            }
        }
    }

    fn upstream(&self) -> Markup {
        html! {
            @if !self.document.upstream.is_empty() {
                h4 { (self.words.others) }
                @for supplier in self.document.upstream.values() {
                    h5 { (self.local(&supplier.name)) }
                    p { (self.local(&supplier.must_show)) }
                    (self.clause(&supplier.source))
                }
            }
        }
    }
}

fn places(places: &[Place]) -> String {
    places.iter().map(Place::as_str).collect::<Vec<_>>().join(" · ")
}
