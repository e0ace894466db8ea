//! Checks what a document means: that its names lead somewhere, its texts are complete, and its parts agree.
//!
//! It works on the tree rather than on the types, so that it also speaks where the shape is wrong elsewhere.

use std::collections::BTreeSet;

use crate::document::{Id, Locale, Place, USES};
use crate::error::{ErrorCode, Path, Problems, Span, did_you_mean, quoted};
use crate::json::{Node, Value};
use crate::schema::{FoundText, unknown_value};

/// Every place that names something the policy defines elsewhere, and where that is.
const REFERENCES: [(&[&str], &str, &str); 14] = [
    (&["purposes", "*", "categories", "*"], "categories", "a category"),
    (&["purposes", "*", "recipients", "*"], "recipients", "a recipient"),
    (&["features", "*", "purposes", "*"], "purposes", "a purpose"),
    (&["events", "*", "purpose"], "purposes", "a purpose"),
    (&["endpoints", "*", "recipient"], "recipients", "a recipient"),
    (&["rules", "*", "when", "purposes", "*"], "purposes", "a purpose"),
    (&["rules", "*", "when", "recipients", "*"], "recipients", "a recipient"),
    (&["never_combine", "*", "purposes", "*"], "purposes", "a purpose"),
    (&["rights", "*", "refused_on", "*"], "exceptions", "an exception"),
    (&["disclosures", "exceptions", "*"], "exceptions", "an exception"),
    (&["channels", "*", "purpose"], "purposes", "a purpose"),
    (&["signals", "*", "purposes", "*"], "purposes", "a purpose"),
    (&["cookies", "*", "purpose"], "purposes", "a purpose"),
    (&["upstream", "*", "purposes", "*"], "purposes", "a purpose"),
];

/// Every place that names a law pack.
const LAW_PACKS: [&[&str]; 4] = [
    &["jurisdictions", "*"],
    &["rules", "*", "when", "jurisdictions", "*"],
    &["rights", "*", "jurisdictions", "*"],
    &["purposes", "*", "legal_basis_in", "*"],
];

/// Lists in which every entry stands once and which, where they are given and the flag is set, are not empty.
const LISTS: [(&[&str], bool); 23] = [
    (&["locales"], true),
    (&["jurisdictions"], false),
    (&["residency", "stored_in"], true),
    (&["purposes", "*", "categories"], true),
    (&["purposes", "*", "recipients"], true),
    (&["features", "*", "purposes"], true),
    (&["rules", "*", "when", "jurisdictions"], true),
    (&["rules", "*", "when", "purposes"], true),
    (&["rules", "*", "when", "legal_bases"], true),
    (&["rules", "*", "when", "uses"], true),
    (&["rules", "*", "when", "categories"], true),
    (&["rules", "*", "when", "recipients"], true),
    (&["rules", "*", "when", "recipient_types"], true),
    (&["never_combine", "*", "purposes"], true),
    (&["never_combine", "*", "categories"], true),
    (&["exceptions", "*", "lifts"], true),
    (&["rights", "*", "jurisdictions"], true),
    (&["rights", "*", "refused_on"], true),
    (&["disclosures", "recorded"], true),
    (&["disclosures", "exceptions"], false),
    (&["inbound_notices", "*", "media"], true),
    (&["signals", "*", "purposes"], true),
    (&["upstream", "*", "purposes"], true),
];

/// Checks what the document means. `law_packs` are the ids that `jurisdictions` may name.
pub(crate) fn check(root: &Node, texts: &[FoundText<'_>], law_packs: &[&str], problems: &mut Problems) {
    let mut checker = Checker { root, problems };
    checker.lists();
    checker.references();
    checker.jurisdictions(law_packs);
    checker.texts(texts);
    checker.roots();
    checker.purposes();
    checker.events();
    checker.recipients();
    checker.endpoints();
    checker.rules();
    checker.prohibitions();
    checker.never_combine();
    checker.upstream();
}

/// A value that a pattern found.
struct Found<'n> {
    node: &'n Node,
    pointer: String,
    /// The last key on the way to it.
    name: &'n str,
    /// Its key, or the item itself in an array.
    anchor: Span,
}

impl<'n> Found<'n> {
    /// A member of what was found.
    fn get(&self, key: &'n str) -> Option<Self> {
        let member = self.node.get(key)?;
        let pointer = format!("{}{}", self.pointer, Path::Key(&Path::Root, key));
        Some(Self { node: &member.node, pointer, name: &member.key, anchor: member.key_span })
    }

    fn text(&self, key: &str) -> Option<&'n str> {
        self.node.get(key)?.node.as_str()
    }
}

/// Everything that a pattern of keys leads to; `*` stands for every key and every item.
fn select<'n>(root: &'n Node, pattern: &[&str]) -> Vec<Found<'n>> {
    let mut found = vec![Found { node: root, pointer: String::new(), name: "", anchor: root.span }];
    for step in pattern {
        let mut next = Vec::new();
        for from in found {
            for member in from.node.members().iter().filter(|member| *step == "*" || member.key == *step) {
                let pointer = format!("{}{}", from.pointer, Path::Key(&Path::Root, &member.key));
                next.push(Found { node: &member.node, pointer, name: &member.key, anchor: member.key_span });
            }
            if *step == "*" {
                for (index, item) in from.node.items().iter().enumerate() {
                    let pointer = format!("{}/{index}", from.pointer);
                    next.push(Found { node: item, pointer, name: from.name, anchor: item.span });
                }
            }
        }
        found = next;
    }
    found
}

/// Whether a place lies in another one: the same, or a part of that country.
fn lies_in(place: &str, whole: &str) -> bool {
    place.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

struct Checker<'n, 'p> {
    root: &'n Node,
    problems: &'p mut Problems,
}

impl<'n> Checker<'n, '_> {
    fn report(&mut self, kind: ErrorCode, at: &Found<'_>, message: String, help: Option<String>) {
        self.problems.add(kind, at.anchor, &at.pointer, message, help);
    }

    /// The names that a map of the policy defines, such as its `purposes`.
    fn names(&self, map: &str) -> Vec<&'n str> {
        let members = self.root.get(map).map_or(&[][..], |member| member.node.members());
        members.iter().map(|member| member.key.as_str()).collect()
    }

    fn lists(&mut self) {
        for (pattern, must_not_be_empty) in LISTS {
            for list in select(self.root, pattern) {
                let Value::Array(items) = &list.node.value else { continue };
                if items.is_empty() && must_not_be_empty {
                    let message = format!("{} names nothing", quoted(list.name));
                    let help = list.pointer.contains("/when/").then(|| "leave it out to set no condition".to_owned());
                    self.report(ErrorCode::EmptyList, &list, message, help);
                }
                let mut seen = BTreeSet::new();
                for (index, item) in items.iter().enumerate() {
                    // Locales are equal whatever their case (RFC 5646, section 2.1.1); ids have no upper case.
                    let Some(text) = item.as_str() else { continue };
                    if !seen.insert(text.to_ascii_lowercase()) {
                        let pointer = format!("{}/{index}", list.pointer);
                        let message = format!("{} is there twice", quoted(text));
                        let help = Some("remove one of them".to_owned());
                        self.problems.add(ErrorCode::DuplicateEntry, item.span, pointer, message, help);
                    }
                }
            }
        }
    }

    fn references(&mut self) {
        for (pattern, map, kind) in REFERENCES {
            let names = self.names(map);
            let known: BTreeSet<&str> = names.iter().copied().collect();
            for place in select(self.root, pattern) {
                let Some(name) = place.node.as_str() else { continue };
                // A name of a wrong form was reported as such.
                if known.contains(name) || Id::parse(name).is_err() {
                    continue;
                }
                let help = self.problems.closest(name, names.iter().copied()).map(did_you_mean);
                let help = help.or_else(|| Some(format!("define it under `{map}`")));
                let message = format!("{} is not {kind} of this policy", quoted(name));
                self.problems.add(ErrorCode::DanglingId, place.node.span, &place.pointer, message, help);
            }
        }
    }

    fn jurisdictions(&mut self, law_packs: &[&str]) {
        for place in LAW_PACKS.iter().flat_map(|pattern| select(self.root, pattern)) {
            // In `legal_basis_in` the pack is the key, elsewhere the value.
            let by_key = place.pointer.contains("/legal_basis_in/");
            let name = if by_key { Some(place.name) } else { place.node.as_str() };
            let span = if by_key { place.anchor } else { place.node.span };
            if let Some(name) = name.filter(|name| Id::parse(name).is_ok()) {
                unknown_value(self.problems, name, law_packs, span, &place.pointer);
            }
        }
    }

    /// Uses and kinds of data begin with a word of fideslang.
    fn roots(&mut self) {
        const CATEGORIES: [&str; 2] = ["system", "user"];
        let uses = [&["purposes", "*", "use"][..], &["rules", "*", "when", "uses", "*"]];
        let categories = [
            &["categories", "*"][..],
            &["rules", "*", "when", "categories", "*"],
            &["never_combine", "*", "categories", "*"],
        ];
        let uses = uses.iter().map(|pattern| (pattern, &USES[..], "a use"));
        let categories = categories.iter().map(|pattern| (pattern, &CATEGORIES[..], "a kind of data"));
        for (pattern, roots, noun) in uses.chain(categories) {
            for place in select(self.root, pattern) {
                let by_key = place.node.as_str().is_none();
                let name = place.node.as_str().unwrap_or(place.name);
                let root = name.split('.').next().unwrap_or_default();
                if Id::parse(name).is_err() || roots.contains(&root) {
                    continue;
                }
                let span = if by_key { place.anchor } else { place.node.span };
                let known: Vec<String> = roots.iter().map(|root| format!("`{root}`")).collect();
                let message = format!("{} is not {noun}: none begins with {}", quoted(name), quoted(root));
                let help = self.problems.closest(root, roots.iter().copied()).map(did_you_mean);
                let help = help.or_else(|| Some(format!("begin with {}", known.join(", "))));
                self.problems.add(ErrorCode::UnknownValue, span, &place.pointer, message, help);
            }
        }
    }

    fn texts(&mut self, texts: &[FoundText<'_>]) {
        let mut seen = BTreeSet::new();
        let locales: BTreeSet<&str> = select(self.root, &["locales", "*"])
            .into_iter()
            .filter_map(|place| place.node.as_str())
            // A locale that is there twice or has a wrong form was reported as such.
            .filter(|locale| Locale::parse(locale).is_ok() && seen.insert(locale.to_ascii_lowercase()))
            .collect();
        for text in texts {
            let missing: Vec<&str> = locales.iter().copied().filter(|locale| text.node.get(locale).is_none()).collect();
            for locale in &missing {
                let message = format!("there is no text in `{locale}`");
                self.problems.add(ErrorCode::MissingText, text.anchor, &text.pointer, message, None);
            }
            for member in text.node.members() {
                let pointer = format!("{}{}", text.pointer, Path::Key(&Path::Root, &member.key));
                if Locale::parse(&member.key).is_ok() && !locales.is_empty() && !locales.contains(&*member.key) {
                    let message = format!("{} is not among the policy's locales", quoted(&member.key));
                    let help = self.problems.closest(&member.key, missing.iter().copied()).map(did_you_mean);
                    let help = help.or_else(|| Some("remove it, or add it to `locales`".to_owned()));
                    self.problems.add(ErrorCode::ExtraText, member.key_span, &pointer, message, help);
                }
                self.empty_text(&member.node, &pointer);
            }
        }
        for pattern in [["purposes", "*", "statute"], ["recipients", "*", "contact"], ["exceptions", "*", "law"]] {
            for place in select(self.root, &pattern) {
                self.empty_text(place.node, &place.pointer);
            }
        }
    }

    fn empty_text(&mut self, node: &Node, pointer: &str) {
        let Some(text) = node.as_str() else { return };
        if text.trim().is_empty() {
            self.problems.add(ErrorCode::EmptyText, node.span, pointer, "the text is empty".to_owned(), None);
        }
        if let Some(tag) = markup(text) {
            let message = format!("the text holds markup: {}", quoted(tag));
            let help = Some("texts are shown as they are written: say it in words".to_owned());
            self.problems.add(ErrorCode::Markup, node.span, pointer, message, help);
        }
    }

    fn purposes(&mut self) {
        const TERMS: [(&str, &str, &str); 2] = [
            ("consent", "consent", r#"add "consent": { "kind": "general", "given_by": "subject" }"#),
            ("legal-duty", "statute", r#"add "statute" with the law that demands it"#),
        ];
        for purpose in select(self.root, &["purposes", "*"]) {
            let Some(basis) = purpose.get("legal_basis") else { continue };
            let elsewhere = purpose.get("legal_basis_in");
            let elsewhere = elsewhere.iter().flat_map(|map| map.node.members()).filter_map(|m| m.node.as_str());
            let given: Vec<&str> = basis.node.as_str().into_iter().chain(elsewhere).collect();
            if given.is_empty() {
                continue;
            }
            for (needed_by, key, way_out) in TERMS {
                match purpose.get(key) {
                    None if given.contains(&needed_by) => {
                        let message = format!("a purpose on the legal basis `{needed_by}` needs `{key}`");
                        self.report(ErrorCode::BasisMismatch, &basis, message, Some(way_out.to_owned()));
                    }
                    Some(terms) if !given.contains(&needed_by) => {
                        let given: BTreeSet<String> = given.iter().map(|basis| quoted(basis)).collect();
                        let given = given.into_iter().collect::<Vec<_>>().join(", ");
                        let message = format!("`{key}` belongs to the legal basis `{needed_by}`, not to {given}");
                        self.report(ErrorCode::BasisMismatch, &terms, message, Some("remove it".to_owned()));
                    }
                    _ => {}
                }
            }
            let on_instruction = given.iter().filter(|basis| **basis == "instruction").count();
            if on_instruction > 0 && on_instruction < given.len() {
                let message = "business data is processed on instruction everywhere or nowhere".to_owned();
                let help = Some("make two purposes of it".to_owned());
                self.report(ErrorCode::BasisMismatch, &basis, message, help);
            }
            if select(purpose.node, &["consent", "given_by"]).iter().any(|by| by.node.as_str() == Some("administrator"))
                && let Some(consent) = purpose.get("consent")
            {
                let message = "an administrator does not consent for the people whom the data is about".to_owned();
                let help = Some("use the legal basis `instruction`".to_owned());
                self.report(ErrorCode::BasisMismatch, &consent, message, help);
            }
            self.objection(&purpose);
            self.retention(&purpose);
        }
    }

    fn objection(&mut self, purpose: &Found<'n>) {
        let Some(objection) = purpose.get("objection") else { return };
        let is_refused = objection.text("effect") == Some("refused");
        match objection.get("ground") {
            None if is_refused => {
                let message = "an objection is refused only on a compelling ground, which is told".to_owned();
                self.report(ErrorCode::Mismatch, &objection, message, Some("add `ground`".to_owned()));
            }
            Some(ground) if !is_refused => {
                let message = "`ground` belongs to an objection that is refused".to_owned();
                self.report(ErrorCode::Mismatch, &ground, message, Some("remove it".to_owned()));
            }
            _ => {}
        }
    }

    fn retention(&mut self, purpose: &Found<'n>) {
        let elsewhere = purpose.get("retention").and_then(|retention| retention.get("elsewhere"));
        let Some(elsewhere) = elsewhere.filter(|found| !found.node.members().is_empty()) else { return };
        if elsewhere.get("duration").is_none() && elsewhere.get("until").is_none() {
            let message = "what is kept elsewhere needs an end: a `duration`, an event in `until`, or both".to_owned();
            let help = Some("remove `elsewhere` if the policy does not say".to_owned());
            self.report(ErrorCode::Mismatch, &elsewhere, message, help);
        }
    }

    /// The fields of an event hold what its purpose declares.
    fn events(&mut self) {
        let categories = self.names("categories");
        for event in select(self.root, &["events", "*"]) {
            let purpose = event.text("purpose").unwrap_or_default();
            let declared = self.root.get("purposes").and_then(|purposes| purposes.node.get(purpose));
            let declared: Option<Vec<&str>> = declared
                .and_then(|purpose| purpose.node.get("categories"))
                .map(|list| list.node.items().iter().filter_map(Node::as_str).collect());
            for field in select(event.node, &["fields", "*", "category"]) {
                let Some(name) = field.node.as_str().filter(|name| Id::parse(name).is_ok()) else { continue };
                let pointer = format!("{}{}", event.pointer, field.pointer);
                match &declared {
                    Some(declared) if !declared.contains(&name) => {
                        let message =
                            format!("{} is not among the categories of the purpose `{purpose}`", quoted(name));
                        let help = self.problems.closest(name, declared.iter().copied()).map(did_you_mean);
                        let help = help.or_else(|| Some("the purpose must declare what its events carry".to_owned()));
                        self.problems.add(ErrorCode::UndeclaredCategory, field.node.span, pointer, message, help);
                    }
                    None if !categories.contains(&name) => {
                        let message = format!("{} is not a category of this policy", quoted(name));
                        let help = self.problems.closest(name, categories.iter().copied()).map(did_you_mean);
                        self.problems.add(ErrorCode::DanglingId, field.node.span, pointer, message, help);
                    }
                    _ => {}
                }
            }
        }
    }

    fn recipients(&mut self) {
        let allowed = select(self.root, &["residency", "stored_in", "*"]);
        let may_be_abroad = select(self.root, &["residency", "abroad"])
            .iter()
            .any(|word| word.node.as_str() == Some("separate-consent"));
        let allowed: Vec<&str> =
            allowed.iter().filter(|_| !may_be_abroad).filter_map(|place| place.node.as_str()).collect();
        for recipient in select(self.root, &["recipients", "*"]) {
            // A place of a wrong form was reported as such.
            if let Some(member) = recipient.get("place")
                && let Some(place) = member.node.as_str().filter(|place| Place::parse(place).is_ok())
                && !allowed.is_empty()
                && !allowed.iter().any(|whole| lies_in(place, whole))
            {
                let places: Vec<String> = allowed.iter().map(|place| quoted(place)).collect();
                let message = format!(
                    "{} stores in {}, outside the places that `residency` allows: {}",
                    quoted(recipient.name),
                    quoted(place),
                    places.join(", ")
                );
                self.problems.add(ErrorCode::OutsideResidency, member.node.span, &member.pointer, message, None);
            }
            let Some(identifiers) = recipient.get("identifiers") else { continue };
            if !identifiers.node.members().is_empty() && recipient.get("sdk").is_none() {
                let message =
                    format!("{} does not run inside the app, so no identifier can reach it", quoted(recipient.name));
                let help = Some("remove them, or add `sdk`".to_owned());
                self.report(ErrorCode::IdentifiersWithoutSdk, &identifiers, message, help);
            }
            for identifier in select(identifiers.node, &["*"]) {
                if identifier.text("form") == Some("truncated") && identifier.name != "ip-address" {
                    let at = Found { pointer: format!("{}{}", identifiers.pointer, identifier.pointer), ..identifier };
                    let message = format!("{} cannot be truncated; only `ip-address` can", quoted(at.name));
                    let help = Some("use `refused`, `keyed-hash` or `pseudonym`".to_owned());
                    self.report(ErrorCode::UnfitForm, &at, message, help);
                }
            }
        }
    }

    fn endpoints(&mut self) {
        let recipients = self.names("recipients");
        let named: BTreeSet<&str> = select(self.root, &["purposes", "*", "recipients", "*"])
            .iter()
            .filter_map(|place| place.node.as_str())
            .collect();
        for place in select(self.root, &["endpoints", "*", "recipient"]) {
            let Some(name) = place.node.as_str() else { continue };
            if recipients.contains(&name) && !named.contains(name) {
                let message = format!("no purpose names the recipient {}, so nothing may be sent here", quoted(name));
                let help = Some("add it to the `recipients` of a purpose, or remove the endpoint".to_owned());
                self.problems.add(ErrorCode::UnusedEndpoint, place.node.span, &place.pointer, message, help);
            }
        }
    }

    fn rules(&mut self) {
        for rule in select(self.root, &["rules", "*"]) {
            let when = rule.get("when");
            let age = |key| match when.as_ref()?.node.get(key)?.node.value {
                Value::Integer(age) => Some(age),
                _ => None,
            };
            if let (Some(when), Some(from), Some(below)) = (&when, age("age_from"), age("age_below"))
                && from >= below
            {
                let message = format!("nobody is {from} or older and younger than {below}: the rule can never speak");
                self.report(ErrorCode::EmptyCondition, when, message, None);
            }
            let speaks_of_age = age("age_from").is_some() || age("age_below").is_some();
            if let Some(discovered) = rule.get("discovered").filter(|_| !speaks_of_age) {
                let message = "`discovered` belongs to a rule about an age".to_owned();
                self.report(ErrorCode::Mismatch, &discovered, message, Some("remove it".to_owned()));
            }
            if let (Some(kind), Some("deny")) = (rule.get("kind"), rule.text("effect")) {
                let message = "a rule that denies asks for no consent".to_owned();
                self.report(ErrorCode::Mismatch, &kind, message, Some("remove it".to_owned()));
            }
            let conditions = when.as_ref().map_or(&[][..], |when| when.node.members());
            let is_set = |value: &Value| !matches!(value, Value::Array(items) if items.is_empty());
            let unconditional = !conditions.iter().any(|condition| is_set(&condition.node.value));
            if rule.text("effect") == Some("deny") && unconditional {
                let message =
                    format!("the rule {} has no condition, so it denies everything to everyone", quoted(rule.name));
                let help = Some("say in `when` where it speaks".to_owned());
                self.report(ErrorCode::DeniesEverything, &rule, message, help);
            }
        }
    }
}

/// What the checks of contradictions need of a purpose.
struct Declared<'n> {
    data_use: &'n str,
    basis: &'n str,
    categories: Vec<&'n str>,
    recipients: Vec<&'n str>,
    recipient_types: Vec<&'n str>,
}

impl<'n> Checker<'n, '_> {
    fn declared(&self, id: &str) -> Option<Declared<'n>> {
        let purpose = &self.root.get("purposes")?.node.get(id)?.node;
        let list = |key: &str| -> Vec<&'n str> {
            let items = purpose.get(key).map_or(&[][..], |list| list.node.items());
            items.iter().filter_map(Node::as_str).collect()
        };
        let text = |key: &str| purpose.get(key).and_then(|member| member.node.as_str()).unwrap_or_default();
        let recipients = list("recipients");
        let recipient_type = |id: &&str| self.root.get("recipients")?.node.get(id)?.node.get("type")?.node.as_str();
        let recipient_types = recipients.iter().filter_map(recipient_type).collect();
        let (data_use, basis) = (text("use"), text("legal_basis"));
        Some(Declared { data_use, basis, categories: list("categories"), recipients, recipient_types })
    }

    /// A prohibition for everybody leaves no purpose that it forbids: the policy would say yes and no to it.
    fn prohibitions(&mut self) {
        for rule in select(self.root, &["rules", "*"]).into_iter().filter(|rule| rule.text("effect") == Some("deny")) {
            let Some(when) = rule.get("when") else { continue };
            // A rule about some people only, or about nothing at all, is no contradiction.
            let about_some = ["age_below", "age_from", "jurisdictions"];
            let conditions = when.node.members();
            if conditions.is_empty() || conditions.iter().any(|condition| about_some.contains(&&*condition.key)) {
                continue;
            }
            let wanted = |key: &str| -> Option<Vec<&str>> {
                let list: Vec<&str> = when.node.get(key)?.node.items().iter().filter_map(Node::as_str).collect();
                (!list.is_empty()).then_some(list)
            };
            let any = |key: &str, held: &[&str]| {
                wanted(key)
                    .is_none_or(|wanted| wanted.iter().any(|whole| held.iter().any(|held| is_part_of(held, whole))))
            };
            for name in self.names("purposes") {
                let Some(declared) = self.declared(name) else { continue };
                let hits = any("purposes", &[name])
                    && any("uses", &[declared.data_use])
                    && any("legal_bases", &[declared.basis])
                    && any("categories", &declared.categories)
                    && any("recipients", &declared.recipients)
                    && any("recipient_types", &declared.recipient_types);
                if hits {
                    let message =
                        format!("the rule {} forbids the purpose {} to everybody", quoted(rule.name), quoted(name));
                    let help = Some("remove the purpose, or narrow the rule".to_owned());
                    self.report(ErrorCode::Contradiction, &rule, message, help);
                }
            }
        }
    }

    /// A purpose whose data stays apart from some kinds of data holds none of them itself.
    fn never_combine(&mut self) {
        for rule in select(self.root, &["never_combine", "*"]) {
            let list = |key: &str| -> Vec<&'n str> {
                let list = rule.node.get(key).map_or(&[][..], |list| list.node.items());
                list.iter().filter_map(Node::as_str).collect()
            };
            for purpose in list("purposes") {
                let Some(declared) = self.declared(purpose) else { continue };
                for whole in list("categories") {
                    if let Some(held) = declared.categories.iter().find(|held| is_part_of(held, whole)) {
                        let message = format!("`{purpose}` holds {} and must never be combined with it", quoted(held));
                        let help = Some("take it out of the purpose, or out of this rule".to_owned());
                        self.report(ErrorCode::Contradiction, &rule, message, help);
                    }
                }
            }
        }
    }

    /// A policy does not stand on itself.
    fn upstream(&mut self) {
        let own = self.root.get("id").and_then(|id| id.node.as_str());
        for policy in select(self.root, &["upstream", "*", "policy"]) {
            if policy.node.as_str() == own && own.is_some() {
                let message = format!("{} is this policy: a policy cannot stand on itself", quoted(own.unwrap_or("")));
                self.problems.add(ErrorCode::Cycle, policy.node.span, &policy.pointer, message, None);
            }
        }
    }
}

/// Whether a name is another one or a part of it: `user.location.precise` is a part of `user.location`.
fn is_part_of(name: &str, whole: &str) -> bool {
    name.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The first tag, comment or entity of a markup language in a text.
fn markup(text: &str) -> Option<&str> {
    text.char_indices().filter(|(_, c)| *c == '<').find_map(|(at, _)| tag(text.get(at..)?))
}

/// The tag that a text begins with.
fn tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('<')?;
    let first = inner.strip_prefix('/').unwrap_or(inner).chars().next()?;
    let end = inner.find('>')?;
    text.get(..end + 2).filter(|_| first.is_ascii_alphabetic() || first == '!')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_leads_somewhere_in_a_complete_policy() {
        let source = include_bytes!("../../../tests/policies/complete.json");
        let (_, root) = crate::json::read(source, &mut Problems::default());
        let root = root.unwrap();
        let patterns = REFERENCES.iter().map(|(pattern, ..)| pattern).chain(LISTS.iter().map(|(pattern, _)| pattern));
        for pattern in patterns.chain(&LAW_PACKS) {
            assert!(!select(&root, pattern).is_empty(), "{pattern:?}");
        }
        for (_, map, _) in REFERENCES {
            assert!(root.get(map).is_some(), "{map}");
        }
    }
}
