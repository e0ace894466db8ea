//! How each part of a policy is compared: one row for each, by its path.

use super::Weight::{self, Editorial, Material};

/// How a part is compared, and what it is called.
pub(super) struct Row {
    /// The path: keys, `*` for an id.
    path: &'static str,
    /// What the part is called behind the thing that it belongs to; empty for the thing itself.
    label: &'static str,
    pub(super) rule: Rule,
}

/// What makes a change of a part material.
pub(super) enum Rule {
    /// That it comes or goes; what is inside has its own rows.
    Presence { added: Weight, removed: Weight },
    /// Every change weighs the same.
    Any(Weight),
    /// Something said for the person: adding it is editorial, dropping it material.
    Kept { changed: Weight },
    /// An id; a part of what it was is narrower.
    Part,
    /// Words from what is best for the person to what is worst.
    Scale { words: &'static [&'static str], absent: &'static str },
    /// Yes or no; the other one lessens the person. Absent is no.
    Flag { better: bool },
    /// A number, and what more of it weighs.
    Number { more: Weight, absent: u64 },
    /// A time: longer is material, absent is without end.
    Longer,
    /// A due time: later is material.
    Due,
    /// A web address: another host is material.
    Address,
    /// A list without order. `empty_is_all`: an empty one stands for everything.
    Set { added: Weight, removed: Weight, empty_is_all: bool },
    /// Words for people.
    Text,
    /// Words for people that bind: names of companies, limits of a right.
    BindingText,
}

const ANY: Rule = Rule::Any(Material);
const WORDING: Rule = Rule::Any(Editorial);
/// What the controller may do: more is material.
const USE: Rule = Rule::Presence { added: Material, removed: Editorial };
/// What protects the person: less is material.
const PROTECTION: Rule = Rule::Presence { added: Editorial, removed: Material };
const USES: Rule = Rule::Set { added: Material, removed: Editorial, empty_is_all: false };
const PROTECTIONS: Rule = Rule::Set { added: Editorial, removed: Material, empty_is_all: false };
const REACH: Rule = Rule::Set { added: Editorial, removed: Material, empty_is_all: true };
const ACCEPTANCE: Rule = Rule::Scale { words: &["explicit", "login", "continued-use"], absent: "explicit" };
const KIND: Rule = Rule::Scale { words: &["written", "separate", "general"], absent: "general" };
const FORM: Rule = Rule::Scale { words: &["refused", "pseudonym", "keyed-hash", "truncated"], absent: "refused" };

const fn row(path: &'static str, label: &'static str, rule: Rule) -> Row {
    Row { path, label, rule }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("id", "the id of the policy", ANY),
    row("version", "the version", WORDING),
    row("effective_from", "the day of effect", WORDING),
    row("locales", "the locales", PROTECTIONS),
    row("jurisdictions", "the law packs for everyone", PROTECTIONS),
    row("controller/name", "the controller's name", Rule::BindingText),
    row("controller/address", "the controller's address", Rule::Text),
    row("controller/contact", "the controller's contact", Rule::Text),
    row("app_class", "the class of the app", WORDING),
    row("acceptance/mode", "what counts as agreement", ACCEPTANCE),
    row("acceptance/changes", "what counts as agreement to a change", ACCEPTANCE),
    row("subject/age_and_place", "how age and place become known", ANY),
    row("subject/guardian_wait", "the wait for a guardian", Rule::Longer),
    row("notice/title", "the title of the notice", Rule::Text),
    row("notice/body", "the notice", Rule::Text),
    row("residency", "the residency", PROTECTION),
    row("residency/stored_in", "the places of storage", USES),
    row("residency/abroad", "storage abroad", Rule::Scale { words: &["never", "separate-consent"], absent: "" }),

    row("categories/*", "", WORDING_PRESENCE),
    row("categories/*/name", "name", Rule::Text),
    row("categories/*/sensitive", "sensitive", Rule::Flag { better: true }),
    row("categories/*/special", "special", Rule::Flag { better: true }),

    row("purposes/*", "", USE),
    row("purposes/*/name", "name", Rule::Text),
    row("purposes/*/text", "text", Rule::Text),
    row("purposes/*/use", "use", Rule::Part),
    row("purposes/*/necessity", "necessity", Rule::Scale { words: &["additional", "basic"], absent: "" }),
    row("purposes/*/legal_basis", "legal basis", ANY),
    row("purposes/*/legal_basis_in/*", "legal basis by place", ANY),
    row("purposes/*/consent", "consent", Rule::Presence { added: Material, removed: Material }),
    row("purposes/*/consent/kind", "kind of consent", ANY),
    row("purposes/*/consent/given_by", "who consents", ANY),
    row("purposes/*/consent/valid_for", "time that a consent holds", Rule::Longer),
    row("purposes/*/statute", "statute", ANY),
    row("purposes/*/categories", "categories", USES),
    row("purposes/*/recipients", "recipients", USES),
    row("purposes/*/retention/duration", "time on the device", Rule::Longer),
    row("purposes/*/retention/until", "event that ends the time on the device", Rule::Kept { changed: Material }),
    row("purposes/*/retention/elsewhere", "promise about the recipients' copy", PROTECTION),
    row("purposes/*/retention/elsewhere/start", "start of the recipients' time", ANY),
    row("purposes/*/retention/elsewhere/duration", "recipients' time", Rule::Longer),
    row("purposes/*/retention/elsewhere/until", "event that ends the recipients' time", Rule::Kept { changed: Material }),
    row("purposes/*/retention/elsewhere/action", "what recipients do then",
        Rule::Scale { words: &["delete", "delete-or-anonymise"], absent: "" }),
    row("purposes/*/objection/effect", "effect of an objection",
        Rule::Scale { words: &["withdraw", "restrict", "refused"], absent: "restrict" }),
    row("purposes/*/objection/ground", "ground for refusing an objection", Rule::BindingText),
    row("purposes/*/automated", "automated decision", USE),
    row("purposes/*/automated/text", "words about the automated decision", Rule::Text),
    row("purposes/*/automated/significant", "significance of the automated decision", Rule::Flag { better: false }),
    row("purposes/*/automated/human_review", "review by a person", Rule::Flag { better: true }),
    row("purposes/*/on_revocation", "what a lost system permission does",
        Rule::Scale { words: &["withdraw", "suspend"], absent: "suspend" }),

    row("features/*", "", USE),
    row("features/*/name", "name", Rule::Text),
    row("features/*/purposes", "purposes", USES),
    row("features/*/permissions/*", "", USE),
    row("features/*/permissions/*/text", "text", Rule::Text),
    row("features/*/refused", "what refusing means", Rule::Text),

    row("events/*", "", USE),
    row("events/*/purpose", "purpose", ANY),
    row("events/*/fields/*", "", USE),
    row("events/*/fields/*/type", "type", ANY),
    row("events/*/fields/*/category", "category", Rule::Part),
    row("events/*/fields/*/form", "form", Rule::Scale { words: &["keyed-hash", "plain"], absent: "plain" }),

    row("recipients/*", "", USE),
    row("recipients/*/name", "name", Rule::BindingText),
    row("recipients/*/type", "type", ANY),
    row("recipients/*/contact", "contact", Rule::Kept { changed: Editorial }),
    row("recipients/*/place", "place of storage", ANY),
    row("recipients/*/sdk", "SDK", USE),
    row("recipients/*/sdk/start", "start of the SDK", Rule::Scale { words: &["never", "after-consent"], absent: "never" }),
    row("recipients/*/sdk/native_defaults/android/*", "", Rule::Kept { changed: Material }),
    row("recipients/*/sdk/native_defaults/ios/*", "", Rule::Kept { changed: Material }),
    row("recipients/*/identifiers/*/form", "form", FORM),

    row("endpoints/*", "", USE),
    row("endpoints/*/url", "address", Rule::Address),
    row("endpoints/*/recipient", "recipient", ANY),
    row("endpoints/*/encoding", "encoding", WORDING),

    row("rules/*", "", PROTECTION),
    row("rules/*/effect", "effect", Rule::Scale { words: &["deny", "guardian", "ask"], absent: "" }),
    row("rules/*/kind", "kind of consent", KIND),
    row("rules/*/when/age_below", "age below which it speaks", Rule::Number { more: Editorial, absent: u64::MAX }),
    row("rules/*/when/age_from", "age from which it speaks", Rule::Number { more: Material, absent: 0 }),
    row("rules/*/when/jurisdictions", "territories", REACH),
    row("rules/*/when/purposes", "purposes", REACH),
    row("rules/*/when/uses", "uses", REACH),
    row("rules/*/when/categories", "categories", REACH),
    row("rules/*/when/recipients", "recipients", REACH),
    row("rules/*/when/recipient_types", "types of recipients", REACH),
    row("rules/*/when/legal_bases", "legal bases", REACH),
    row("rules/*/discovered", "what follows when a child is discovered", Rule::Kept { changed: Material }),
    row("rules/*/text", "text", Rule::Text),

    row("never_combine/*", "", PROTECTION),
    row("never_combine/*/purposes", "purposes", PROTECTIONS),
    row("never_combine/*/categories", "categories", PROTECTIONS),
    row("never_combine/*/text", "text", Rule::Text),

    row("exceptions/*", "", USE),
    row("exceptions/*/text", "text", Rule::Text),
    row("exceptions/*/ground", "ground", ANY),
    row("exceptions/*/lifts", "what it is claimed for", USES),
    row("exceptions/*/law", "law", WORDING),

    row("rights/*", "", PROTECTION),
    row("rights/*/jurisdictions", "territories", REACH),
    row("rights/*/way", "way", Rule::Text),
    row("rights/*/limits", "limits", Rule::BindingText),
    row("rights/*/months_back", "months back", Rule::Number { more: Editorial, absent: u64::MAX }),
    row("rights/*/verification", "verification of the person", Rule::Flag { better: false }),
    row("rights/*/due", "answer", Rule::Due),
    row("rights/*/refused_on", "grounds for refusal", USES),

    row("disclosures", "the records of disclosures", PROTECTION),
    row("disclosures/recorded", "what is recorded of a disclosure", PROTECTIONS),
    row("disclosures/exceptions", "the grounds for disclosures", USES),
    row("disclosures/readable", "whether the person can read the records of disclosures", Rule::Flag { better: true }),

    row("channels/*", "", USE),
    row("channels/*/name", "name", Rule::Text),
    row("channels/*/medium", "medium", ANY),
    row("channels/*/purpose", "purpose", ANY),
    row("channels/*/opt_out", "way out", PROTECTION),
    row("channels/*/opt_out/way", "words about the way out", Rule::Text),
    row("channels/*/opt_out/asks_controller", "asking the controller's list", Rule::Flag { better: true }),

    row("inbound_notices/*", "", PROTECTION),
    row("inbound_notices/*/media", "media", PROTECTIONS),
    row("inbound_notices/*/text", "text", Rule::Text),

    row("signals/*", "", PROTECTION),
    row("signals/*/purposes", "purposes", PROTECTIONS),

    row("cookies/*", "", USE),
    row("cookies/*/name", "name", Rule::Text),
    row("cookies/*/purpose", "purpose", ANY),
    row("cookies/*/third_party", "set by others", Rule::Flag { better: false }),

    row("upstream/*", "", USE),
    row("upstream/*/name", "name", Rule::BindingText),
    row("upstream/*/policy", "policy", ANY),
    row("upstream/*/version", "version of its policy", ANY),
    row("upstream/*/must_show", "text that must be shown", Rule::BindingText),
    row("upstream/*/purposes", "purposes", ANY),

    row("integrators", "the duties of integrating apps", PROTECTION),
    row("integrators/must_show", "the text that integrating apps must show", Rule::BindingText),
    row("integrators/consent", "the consent that integrating apps must obtain", KIND),
];

/// A kind of data that is declared and used by nothing does nothing; what uses it has its own row.
const WORDING_PRESENCE: Rule = Rule::Presence { added: Editorial, removed: Editorial };

/// Where a statement comes from is no statement.
const SOURCE: Row = row("source", "source", WORDING);

/// The maps of a document whose keys are ids, and what one of their members is called.
const MAPS: &[(&str, &str)] = &[
    ("categories", "category"),
    ("purposes", "purpose"),
    ("features", "feature"),
    ("events", "event"),
    ("recipients", "recipient"),
    ("endpoints", "endpoint"),
    ("rules", "rule"),
    ("never_combine", "separation"),
    ("exceptions", "exception"),
    ("rights", "right"),
    ("channels", "channel"),
    ("inbound_notices", "notice"),
    ("signals", "signal"),
    ("cookies", "cookies"),
    ("upstream", "supplier"),
    ("fields", "field"),
    ("permissions", "permission"),
    ("identifiers", "identifier"),
    ("legal_basis_in", "law pack"),
    ("android", "Android default"),
    ("ios", "iOS default"),
];

impl Row {
    /// The row of a path.
    pub(super) fn of(path: &[String]) -> Option<&'static Self> {
        let matches = |row: &&Self| {
            let mut keys = row.path.split('/');
            path.iter().all(|key| keys.next().is_some_and(|known| known == "*" || known == key))
                && keys.next().is_none()
        };
        let is_source = || path.len() > 1 && path.last().is_some_and(|key| key == "source");
        ROWS.iter().find(matches).or_else(|| is_source().then_some(&SOURCE))
    }
}

/// What a path speaks of, in words: "purpose `ads`: recipients".
pub(super) fn subject(path: &[String]) -> String {
    let mut things = Vec::new();
    let mut rest = path.iter();
    while let Some(key) = rest.next() {
        // The lists of a thing have the names of maps: only a key that an id follows is a map.
        let Some((_, one)) = MAPS.iter().find(|(map, _)| map == key) else { continue };
        if let Some(id) = rest.next() {
            things.push(format!("{one} `{id}`"));
        }
    }
    let label = Row::of(path).map_or_else(|| path.last().map_or("", String::as_str), |row| row.label);
    match (things.join(", "), label) {
        (things, "") => things,
        (things, "source") if things.is_empty() => {
            format!("the source of the {}", path.first().map_or("", String::as_str))
        }
        (things, label) if things.is_empty() => label.to_owned(),
        (things, label) => format!("{things}: {label}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Every path of a document down to what a row speaks of.
    fn paths(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        let row = Row::of(path);
        if row.is_some_and(|row| !matches!(row.rule, Rule::Presence { .. })) || !value.is_object() {
            found.push(path.clone());
            return;
        }
        if row.is_some() {
            found.push(path.clone());
        }
        for (key, inner) in value.as_object().into_iter().flatten() {
            path.push(key.clone());
            paths(inner, path, found);
            path.pop();
        }
    }

    #[test]
    fn every_part_of_a_policy_has_a_row_and_every_row_a_part() {
        let complete: crate::Document =
            serde_json::from_str(include_str!("../../../../tests/policies/complete.json")).unwrap();
        let mut found = Vec::new();
        paths(&serde_json::to_value(&complete).unwrap(), &mut Vec::new(), &mut found);
        let without: Vec<_> = found.iter().filter(|path| Row::of(path).is_none() && *path != &["$schema"]).collect();
        assert!(without.is_empty(), "without a row: {without:?}");
        let used: BTreeSet<&str> = found.iter().filter_map(|path| Some(Row::of(path)?.path)).collect();
        let unused: Vec<_> = ROWS.iter().map(|row| row.path).filter(|path| !used.contains(path)).collect();
        assert!(unused.is_empty(), "rows about nothing: {unused:?}");
    }

    #[test]
    fn a_subject_is_told_in_words() {
        let of = |path: &str| subject(&path.split('/').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("purposes/ads"), "purpose `ads`");
        assert_eq!(of("purposes/ads/recipients"), "purpose `ads`: recipients");
        assert_eq!(of("events/e/fields/f/form"), "event `e`, field `f`: form");
        assert_eq!(of("notice/body"), "the notice");
        assert_eq!(of("controller/source"), "the source of the controller");
    }
}
