//! The page: every distinct set of screens by locale, and the policy in full. Self-contained, without scripts.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use menshen::policy::document::Text;
use menshen::{Label, Offer, Particular, Policy, Prompt};

use super::policy_text::policy_text;
use super::walk::{Path, Screen, Walk};
use super::words::Words;

const STYLE: &str = include_str!("style.css");

/// The walks of one locale, each with the place of its walker.
pub(crate) struct Localised<'a> {
    pub(crate) locale: &'a str,
    pub(crate) walks: Vec<(&'a str, Walk)>,
}

/// Draws the page.
pub(crate) fn page(policy: &Policy, born: &str, locales: &[Localised<'_>]) -> String {
    let document = policy.document();
    let title = format!("{} {}", document.id, document.version);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) ": every prompt" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p {
                        "Every screen that this policy shows somebody born in " (born) ", as the library asks it. Where places "
                        "differ, each stands by itself. Policy " code { (policy.hash()) }
                    }
                    nav aria-label="Locales" {
                        @for one in locales { a href={ "#" (one.locale) } { (one.locale) } }
                    }
                }
                main { @for one in locales { (localised(policy, one)) } }
            }
        }
    };
    markup.into_string()
}

fn localised(policy: &Policy, of: &Localised<'_>) -> Markup {
    let document = policy.document();
    let name = |text: &Text| {
        let own = text.iter().find(|(locale, _)| locale.as_str() == of.locale);
        own.or_else(|| text.iter().next()).map_or_else(String::new, |(_, text)| text.clone())
    };
    let paths = |get: &dyn Fn(&Walk) -> Option<&Path>| by_place(&of.walks, get);
    html! {
        section.locale id=(of.locale) {
            h2 { (of.locale) }
            h3 { "First launch" }
            (flows(of.locale, &paths(&|walk| Some(&walk.first_launch))))
            @let changed = paths(&|walk| walk.changed.as_ref());
            @if !changed.is_empty() {
                h3 { "A changed policy" }
                (flows(of.locale, &changed))
            }
            @for (id, feature) in &document.features {
                h3 { span lang=(of.locale) { (name(&feature.name)) } " " code { (id) } }
                (flows(of.locale, &paths(&|walk| walk.features.get(id.as_str()))))
            }
            h3 { "The policy in full" }
            article.policy lang=(of.locale) { (policy_text(document, of.locale)) }
        }
    }
}

/// The distinct paths, each with the places where it is walked.
fn by_place<'w>(
    walks: &'w [(&str, Walk)],
    get: &dyn Fn(&'w Walk) -> Option<&'w Path>,
) -> Vec<(Vec<&'w str>, &'w Path)> {
    let mut distinct: Vec<(Vec<&str>, &Path)> = Vec::new();
    for (place, walk) in walks {
        let Some(path) = get(walk) else { continue };
        match distinct.iter_mut().find(|(_, other)| *other == path) {
            Some((places, _)) => places.push(place),
            None => distinct.push((vec![place], path)),
        }
    }
    distinct
}

fn flows(locale: &str, distinct: &[(Vec<&str>, &Path)]) -> Markup {
    html! {
        @for (places, path) in distinct {
            div.flow data-accept=(path.taps_to_accept) data-refuse=(path.taps_to_refuse) {
                p.where { strong { (places.join(", ")) } " — " (in_words(path)) }
                div.screens { @for one in &path.screens { (screen(locale, one)) } }
                @if let Some(told) = &path.told {
                    p.told { (if path.opens { "After a no: " } else { "Stays closed: " }) q lang=(locale) { (told) } }
                }
            }
        }
    }
}

fn in_words(path: &Path) -> String {
    let taps = |count: usize| format!("{count} tap{}", if count == 1 { "" } else { "s" });
    match (path.screens.len(), path.opens) {
        (0, true) => "opens without a question".to_owned(),
        (0, false) => "asks nothing".to_owned(),
        _ if path.taps_to_accept == 0 => "nothing but the system's own dialog".to_owned(),
        _ => format!("{} to say yes to everything, {} to say no", taps(path.taps_to_accept), taps(path.taps_to_refuse)),
    }
}

fn screen(locale: &str, screen: &Screen) -> Markup {
    let words = Words::of(locale);
    match screen {
        Screen::Prompt(prompt) => prompt_screen(prompt),
        Screen::Switches(offers) => switches(locale, offers),
        Screen::AgeAndPlace => phone(
            locale,
            "age-and-place",
            &html! {
                label { (words.born) input type="text" inputmode="numeric" placeholder="YYYY-MM" autocomplete="off"; }
                label { (words.place) input type="text" autocomplete="off"; }
                div.buttons { button type="button" { (words.ready) } }
            },
        ),
        Screen::Confirmation => phone(
            locale,
            "confirmation",
            &html! {
                h4 { (words.is_this_right) }
                p { "YYYY-MM · …" }
                (two(locale, Label::Confirm, Label::Correct))
            },
        ),
        Screen::System { permission, text } => html! {
            div.phone.system lang=(locale) {
                p.kind { (words.system_dialog) }
                p { code { (permission.id()) } }
                p { (text) }
            }
        },
    }
}

fn prompt_screen(prompt: &Prompt) -> Markup {
    let locale = prompt.locale.as_str();
    phone(
        locale,
        "prompt",
        &html! {
            h4 { (prompt.title) }
            p { (prompt.body) }
            (particulars(&prompt.particulars))
            p.clause { (prompt.source) }
            (two(locale, prompt.yes, prompt.no))
        },
    )
}

fn switches(locale: &str, offers: &[Offer]) -> Markup {
    phone(
        locale,
        "switches",
        &html! {
            @for offer in offers {
                label.switch {
                    input type="checkbox" role="switch";
                    span { (offer.name) }
                }
                p { (offer.text) }
                (particulars(&offer.particulars))
                p.clause { (offer.source) }
            }
            (two(locale, Label::AgreeToAll, Label::RefuseAll))
        div.buttons { button type="button" { (Words::of(locale).as_set) } }
        },
    )
}

fn phone(locale: &str, kind: &str, content: &Markup) -> Markup {
    html! { div.phone.(kind) lang=(locale) { (content) } }
}

fn particulars(lines: &[Particular]) -> Markup {
    html! {
        @if !lines.is_empty() {
            dl { @for line in lines { div.row { @if !line.label.is_empty() { dt { (line.label) } } dd { (line.text) } } } }
        }
    }
}

/// Two answers of equal weight.
fn two(locale: &str, yes: Label, no: Label) -> Markup {
    html! {
        div.buttons.choice {
            button type="button" { (no.text(locale)) }
            button type="button" { (yes.text(locale)) }
        }
    }
}
