//! Where a policy alone would be laxer than the law, or says two things at once. The engine is stricter all the same.

use std::fmt;

use crate::document::{
    ConsentKind, Document, Effect, Giver, Id, Identifier, IdentifierForm, LegalBasis, Necessity, ObjectionEffect,
    Purpose, RecipientType, SubjectMode,
};
use crate::packs::{Demand, Pack, PackRule, Scope, Then};
use crate::policy::Policy;
use crate::{Drawing, Position, due, locate};

/// Something about a right policy that its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable id: the pack and its rule, such as `cn/separate-sensitive`, or `policy/…` where the policy says two
    /// things at once.
    pub id: String,
    /// What it is, in one line.
    pub message: String,
    /// Where in the document, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The law it comes from, or the clause that says the other thing.
    pub source: String,
    /// What the library does all the same, or what to write.
    pub help: String,
}

impl Finding {
    /// Draws it with the line of the policy's text that it speaks of.
    #[must_use]
    pub fn drawing(&self, source: &str, file: &str) -> Drawing {
        let label = format!("finding[{}]", self.id);
        let message = format!("{} ({})", self.message, self.source);
        let nowhere = Position { line: 1, column: 1, width: 1 };
        let position = locate(source, &self.pointer).unwrap_or(nowhere);
        Drawing::of(&label, &message, source, file, position, &self.pointer, &self.help)
    }

    /// The text of its drawing.
    #[must_use]
    pub fn render(&self, source: &str, file: &str) -> String {
        self.drawing(source, file).to_string()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "finding[{}]: {} ({})", self.id, self.message, self.source)?;
        write!(f, "\n  --> {}\n  = {}", self.pointer, self.help)
    }
}

const ASKS_ALL_THE_SAME: &str = "the engine asks all the same";

impl Policy {
    /// What the author of a policy should know: each place where the policy alone would be laxer than one of these law
    /// packs, and where it contradicts itself. `None` stands for all packs. In the order of packs, rules and ids.
    #[must_use]
    pub fn findings(&self, law_packs: Option<&[&str]>) -> Vec<Finding> {
        let mut found = Vec::new();
        for pack in self.packs.iter().filter(|pack| law_packs.is_none_or(|ids| ids.contains(&pack.id.as_str()))) {
            for (id, rule) in &pack.rules {
                let mut finder = Finder { document: &self.document, pack, id, rule, found: &mut found };
                finder.look();
            }
        }
        self.contradictions(&mut found);
        found
    }

    fn contradictions(&self, found: &mut Vec<Finding>) {
        let document = &self.document;
        if document.subject.age_and_place == SubjectMode::GeneralAudience {
            let speaks_of_age = |rule: &crate::document::Rule| rule.when.age_below.is_some();
            if let Some((id, rule)) = document.rules.iter().find(|(_, rule)| speaks_of_age(rule)) {
                found.push(Finding {
                    id: "policy/general-audience".to_owned(),
                    message: format!("an unknown age is taken as an adult's, so the rule `{id}` does not reach it"),
                    pointer: "/subject/age_and_place".to_owned(),
                    source: rule.source.to_string(),
                    help: "ask, or have the app supply the age".to_owned(),
                });
            }
        }
        for (rule, terms) in &document.never_combine {
            for (id, purpose) in &document.purposes {
                if terms.purposes.contains(id) {
                    continue;
                }
                let apart = terms.purposes.iter().filter_map(|id| document.purposes.get(id));
                let of_them = |id: &&Id| apart.clone().any(|purpose| purpose.categories.contains(id));
                let kept_apart = |id: &&Id| terms.categories.iter().any(|whole| id.is_part_of(whole));
                let joined = purpose.categories.iter().find(|id| of_them(id) && !kept_apart(id));
                if let (Some(one), Some(other)) = (joined, purpose.categories.iter().find(kept_apart)) {
                    found.push(Finding {
                        id: "policy/never-combine".to_owned(),
                        message: format!("`{id}` brings together `{one}` and `{other}`, against `{rule}`"),
                        pointer: format!("/purposes/{id}"),
                        source: format!("{} against {}", purpose.source, terms.source),
                        help: "records of different purposes stay apart on the device and on the way; the recipient \
                               must keep them so"
                            .to_owned(),
                    });
                }
            }
        }
    }
}

struct Finder<'a> {
    document: &'a Document,
    pack: &'a Pack,
    id: &'a Id,
    rule: &'a PackRule,
    found: &'a mut Vec<Finding>,
}

impl Finder<'_> {
    fn add(&mut self, pointer: impl Into<String>, message: String, help: impl Into<String>) {
        self.found.push(Finding {
            id: format!("{}/{}", self.pack.id, self.id),
            message,
            pointer: pointer.into(),
            source: self.rule.source.clone(),
            help: help.into(),
        });
    }

    fn look(&mut self) {
        let document = self.document;
        match &self.rule.demand {
            Demand::UnknownSubject => {
                if document.subject.age_and_place == SubjectMode::GeneralAudience {
                    let message = "an unknown age is taken as an adult's".to_owned();
                    self.add("/subject/age_and_place", message, "the engine takes it as a child's all the same");
                }
            }
            Demand::Needs { when, then, consent } => self.needs(when, *then, *consent),
            Demand::Acceptance { refused } => {
                for (key, mode) in [("mode", document.acceptance.mode), ("changes", document.acceptance.changes)] {
                    if refused.contains(&mode) {
                        let what = if key == "mode" { "the policy" } else { "a changed policy" };
                        let message = format!("continued use is taken as agreement to {what}");
                        self.add(format!("/acceptance/{key}"), message, ASKS_ALL_THE_SAME);
                    }
                }
            }
            Demand::Exceptions { lifts, grounds } => {
                for (id, exception) in &document.exceptions {
                    if exception.lifts.contains(lifts) && !grounds.contains(&exception.ground) {
                        let message = format!("the exception `{id}` is wider than the law");
                        let help = "on the device no exception opens a gate";
                        self.add(format!("/exceptions/{id}"), message, help);
                    }
                }
            }
            Demand::Rights { rights, due: demanded } => {
                let missing = rights.iter().filter(|right| !document.rights.contains_key(right)).map(word);
                if let Some(names) = list(missing) {
                    self.add("/rights", format!("not offered: {names}"), "add it, with the way to use it");
                }
                for right in rights {
                    let name = word(right);
                    let promised = document.rights.get(right).and_then(|terms| terms.due.as_ref());
                    let (Some(promised), Some(demanded)) = (promised, demanded) else { continue };
                    if due::may_be_later(promised, demanded) {
                        let (promised, demanded) = (due::in_words(promised), due::in_words(demanded));
                        let message = format!("`{name}` is answered in {promised}; the law demands {demanded}");
                        self.add(format!("/rights/{name}"), message, "the sooner day counts");
                    }
                }
            }
            Demand::Notices { needed } => {
                for notice in needed.iter().filter(|notice| !document.inbound_notices.contains_key(notice)) {
                    let message = format!("the policy promises no `{}` notice", word(notice));
                    self.add("/inbound_notices", message, "add it, with how it reaches the person");
                }
            }
            Demand::Signal { signal, uses, .. } => {
                let named = document.signals.get(signal).map_or(&[][..], |terms| terms.purposes.as_slice());
                for (id, purpose) in &document.purposes {
                    let concerned = uses.iter().any(|whole| purpose.data_use.is_part_of(whole));
                    if concerned && !named.contains(id) {
                        let message = format!("the signal `{}` does not close `{id}`", word(signal));
                        self.add(format!("/purposes/{id}"), message, "name the purpose under `signals`");
                    }
                }
            }
            Demand::AutomatedDecisions => self.automated_decisions(),
            Demand::NecessaryData { classes } => {
                let Some(necessary) = document.app_class.and_then(|class| classes.get(&class)) else { return };
                for (id, purpose) in &document.purposes {
                    let needs_no_leave = purpose.necessity == Necessity::Basic;
                    let is_beyond = |id: &&Id| !necessary.iter().any(|whole| id.is_part_of(whole));
                    let beyond = purpose.categories.iter().filter(is_beyond).map(ToString::to_string);
                    if let (true, Some(names)) = (needs_no_leave, list(beyond)) {
                        let message =
                            format!("`{id}` is called basic and holds what this class of app can do without: {names}");
                        let help = "the app may not be refused for it: make it `additional`, or ask for less";
                        self.add(format!("/purposes/{id}/necessity"), message, help);
                    }
                }
            }
            Demand::RefusableMarketing => self.marketing(),
            Demand::Particulars => {
                for (id, recipient) in &document.recipients {
                    let contact = recipient.contact.as_deref().unwrap_or("not stated");
                    if recipient.kind == RecipientType::Controller && contact == "not stated" {
                        let message = format!("`{id}` decides for itself and is named without a contact");
                        self.add(format!("/recipients/{id}"), message, "add `contact`");
                    }
                }
            }
            Demand::ReAsk { .. } => {}
            Demand::Library { .. } if self.id.as_str() == "hardware-identifiers" => self.hardware_identifiers(),
            Demand::Library { .. } => {}
        }
    }

    /// What the law asks for and the policy does not ask for by itself.
    fn needs(&mut self, when: &Scope, then: Option<Then>, consent: Option<ConsentKind>) {
        let document = self.document;
        let mut without_guardian = Vec::new();
        for (id, purpose) in &document.purposes {
            let basis = purpose.legal_basis_in.get(&self.pack.id).copied().unwrap_or(purpose.legal_basis);
            if basis == LegalBasis::LegalDuty || !when.holds(document, purpose, &[basis], &self.pack.territory) {
                continue;
            }
            let asks = matches!(basis, LegalBasis::Consent | LegalBasis::Instruction);
            match then {
                Some(Then::Guardian) if !self.asks_guardian(id, purpose, basis, when) => {
                    without_guardian.push(id.to_string());
                }
                Some(Then::Ask) if !asks => {
                    let message = format!("`{id}` rests on `{}`, which does not carry it here", word(&basis));
                    let help = format!("{ASKS_ALL_THE_SAME}; say so with `legal_basis_in`");
                    self.add(format!("/purposes/{id}/legal_basis"), message, help);
                }
                _ => {}
            }
            let kind = purpose.consent.as_ref().map(|terms| terms.kind);
            if let (None, true, Some(needed), Some(kind)) = (then, asks, consent, kind)
                && kind < needed
            {
                let message = format!("consent to `{id}` is `{}`; the law asks for `{}`", word(&kind), word(&needed));
                let help = format!("the engine asks for it all the same; say so with \"kind\": \"{}\"", word(&needed));
                self.add(format!("/purposes/{id}/consent"), message, help);
            }
        }
        if let Some(names) = list(without_guardian) {
            let age = when.places.values().copied().chain(when.age_below).max().unwrap_or(0);
            self.add("/rules", format!("no guardian is asked below {age} for {names}"), ASKS_ALL_THE_SAME);
        }
    }

    /// Whether the policy's own rules keep everybody out, or ask a guardian, whom the law wants a guardian for.
    fn asks_guardian(&self, id: &Id, purpose: &Purpose, basis: LegalBasis, when: &Scope) -> bool {
        let age = when.places.values().copied().chain(when.age_below).max().unwrap_or(0);
        let by_terms = purpose.consent.as_ref().is_some_and(|terms| terms.given_by != Giver::Subject);
        // Rules may join: none below 13, a guardian from 13 to 16.
        let rules = || {
            self.document.rules.values().filter(|rule| {
                let here = &rule.when.jurisdictions;
                rule.effect != Effect::Ask
                    && (here.is_empty() || here.contains(&self.pack.id))
                    && rule.when.holds(self.document, id, purpose, &[basis])
            })
        };
        let covers = |year: u8| {
            rules().any(|rule| {
                rule.when.age_below.is_none_or(|below| year < below)
                    && rule.when.age_from.is_none_or(|from| year >= from)
            })
        };
        by_terms || (0..age).all(covers)
    }

    fn automated_decisions(&mut self) {
        for (id, purpose) in &self.document.purposes {
            let Some(decision) = purpose.automated.as_ref().filter(|decision| decision.significant) else { continue };
            if !decision.human_review {
                let message = format!("nobody looks again at what a program decides by `{id}`");
                self.add(format!("/purposes/{id}/automated"), message, "offer it, and say so with `human_review`");
            }
            if purpose.objection.as_ref().is_some_and(|objection| objection.effect == ObjectionEffect::Refused) {
                let message = format!("an objection to what a program decides by `{id}` is refused");
                self.add(format!("/purposes/{id}/objection"), message, "restrict it, or have a person decide");
            }
        }
    }

    fn marketing(&mut self) {
        let is_marketing = |purpose: &Purpose| purpose.data_use.as_str().split('.').next() == Some("marketing");
        for (id, channel) in &self.document.channels {
            let of_marketing = self.document.purposes.get(&channel.purpose).is_some_and(is_marketing);
            if of_marketing && channel.opt_out.is_none() {
                let message = format!("the policy offers no way out of the marketing by `{id}`");
                self.add(format!("/channels/{id}"), message, "the purpose can be refused all the same; add `opt_out`");
            }
        }
        for (id, purpose) in self.document.purposes.iter().filter(|(_, purpose)| is_marketing(purpose)) {
            if let Some(objection) = &purpose.objection
                && objection.effect != ObjectionEffect::Withdraw
            {
                let message = format!("an objection to the marketing of `{id}` does not end it");
                self.add(format!("/purposes/{id}/objection"), message, "an objection to marketing is a withdrawal");
            }
        }
    }

    fn hardware_identifiers(&mut self) {
        const HARDWARE: [Identifier; 3] = [Identifier::Imei, Identifier::Imsi, Identifier::Mac];
        for (id, recipient) in &self.document.recipients {
            for identifier in HARDWARE {
                let terms = recipient.identifiers.get(&identifier);
                if terms.is_some_and(|terms| terms.form != IdentifierForm::Refused) {
                    let message = format!("`{id}` is handed `{}`, which outlives a withdrawal", identifier.id());
                    self.add(format!("/recipients/{id}/identifiers/{}", identifier.id()), message, "refuse it");
                }
            }
        }
    }
}

/// Names in backticks; `None` if there is none.
fn list(names: impl IntoIterator<Item = String>) -> Option<String> {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A word as the document writes it.
fn word<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
