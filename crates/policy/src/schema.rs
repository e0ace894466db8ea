//! Checks a document's shape against the JSON Schema that editors use, and reports every difference at once.

use std::sync::LazyLock;

use serde_json::Value as Json;

use crate::document::{BadForm, Date, Duration, Id, Locale, NativeKey, Place, Source, Url, Version};
use crate::error::{ErrorCode, Path, Problems, Span, did_you_mean, quoted};
use crate::json::{Member, Node, Value};

/// The JSON Schema of a policy, generated from the types of [`crate::document`].
pub const SCHEMA: &str = include_str!("../policy.schema.json");

/// The schema, parsed. A test proves that it parses; were it not to, the types would still check the document.
static PARSED: LazyLock<Json> = LazyLock::new(|| serde_json::from_str(SCHEMA).unwrap_or_default());

/// A text for people that the schema found: one entry for each locale.
pub(crate) struct FoundText<'n> {
    pub(crate) node: &'n Node,
    pub(crate) pointer: String,
    /// Its key, where something is said about the text as a whole.
    pub(crate) anchor: Span,
}

/// Checks the shape of a document. Returns the texts that it holds.
pub(crate) fn check<'n>(root: &'n Node, problems: &mut Problems) -> Vec<FoundText<'n>> {
    let mut checker = Checker { problems, texts: Vec::new() };
    let anchor = Span { start: root.span.start, end: root.span.start + 1 };
    checker.value(
        root,
        &PARSED,
        Path::Root,
        &Owner { title: "the policy".to_owned(), kind: "the policy".to_owned(), anchor },
    );
    checker.texts
}

/// What an object is called when something is wrong in it.
struct Owner {
    /// This one: "the purpose `x`".
    title: String,
    /// One of its kind: "a purpose".
    kind: String,
    anchor: Span,
}

impl Owner {
    fn property(member: &Member) -> Self {
        let title = quoted(&member.key);
        Self { kind: title.clone(), title, anchor: member.key_span }
    }

    fn entry(member: &Member, definition: &str) -> Self {
        let noun = noun(definition);
        let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        Self {
            title: format!("the {noun} {}", quoted(&member.key)),
            kind: format!("{article} {noun}"),
            anchor: member.key_span,
        }
    }
}

/// `PermissionUse` is about a permission.
fn noun(definition: &str) -> String {
    let stem = definition.strip_suffix("Use").unwrap_or(definition);
    let mut noun = String::new();
    for character in stem.chars() {
        if character.is_uppercase() && !noun.is_empty() {
            noun.push(' ');
        }
        noun.extend(character.to_lowercase());
    }
    noun
}

/// Checks that a string has the form of its type.
type Form = fn(&str) -> Result<(), BadForm>;

/// The check of a string type that has a form; `None` for every other definition.
fn form(definition: &str) -> Option<Form> {
    Some(match definition {
        "Id" => |text| Id::parse(text).map(drop),
        "Locale" => |text| Locale::parse(text).map(drop),
        "Place" => |text| Place::parse(text).map(drop),
        "NativeKey" => |text| NativeKey::parse(text).map(drop),
        "Source" => |text| Source::parse(text).map(drop),
        "Date" => |text| Date::parse(text).map(drop),
        "Version" => |text| Version::parse(text).map(drop),
        "Duration" => |text| Duration::parse(text).map(drop),
        "Url" => |text| Url::parse(text).map(drop),
        _ => return None,
    })
}

/// The name of the definition that a schema refers to.
fn reference(schema: &Json) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

/// The words that a schema allows, if it allows words only.
fn words(schema: &Json) -> Option<Vec<&str>> {
    schema.get("oneOf")?.as_array()?.iter().map(|word| word.get("const")?.as_str()).collect()
}

struct Checker<'n, 'p> {
    problems: &'p mut Problems,
    texts: Vec<FoundText<'n>>,
}

impl<'n> Checker<'n, '_> {
    fn value(&mut self, node: &'n Node, schema: &Json, path: Path<'_>, owner: &Owner) {
        if matches!(node.value, Value::Refused) {
            return;
        }
        if let Some(name) = reference(schema) {
            if form(name).is_some() {
                self.string(node, name, path);
            } else if let Some(definition) = PARSED.get("$defs").and_then(|all| all.get(name)) {
                self.value(node, definition, path, owner);
            }
            return;
        }
        if let Some(words) = words(schema) {
            if let Some(text) = self.text(node, path) {
                self.word(text, &words, node.span, path);
            }
            return;
        }
        match (schema.get("type").and_then(Json::as_str), &node.value) {
            (Some("object"), Value::Object(members)) if schema.get("properties").is_some() => {
                self.record(node, members, schema, path, owner);
            }
            (Some("object"), Value::Object(members)) => self.map(node, members, schema, path, owner),
            (Some("array"), Value::Array(items)) => {
                if let Some(schema) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.value(item, schema, Path::Index(&path, index), owner);
                    }
                }
            }
            (Some("integer"), Value::Integer(number)) => {
                let limit = |key: &str, default| schema.get(key).and_then(Json::as_i64).unwrap_or(default);
                let (least, most) = (limit("minimum", i64::MIN), limit("maximum", i64::MAX));
                if !(least..=most).contains(number) {
                    let message = format!("expected a whole number from {least} to {most}, found {number}");
                    self.problems.add(ErrorCode::OutOfRange, node.span, path, message, None);
                }
            }
            (Some("string"), Value::String(_)) | (Some("boolean"), Value::Boolean(_)) => {}
            (Some(expected), _) => self.wrong_type(node, expected, path),
            // A schema without a type allows everything; the generated one has none.
            (None, _) => {}
        }
    }

    /// An object with a fixed set of keys.
    fn record(&mut self, node: &'n Node, members: &'n [Member], schema: &Json, path: Path<'_>, owner: &Owner) {
        let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return };
        let required = schema.get("required").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let absent: Vec<&str> = properties.keys().map(String::as_str).filter(|key| node.get(key).is_none()).collect();
        let mut missing: Vec<&str> =
            required.iter().filter_map(Json::as_str).filter(|key| absent.contains(key)).collect();
        for member in members {
            let path = Path::Key(&path, &member.key);
            if let Some(schema) = properties.get(&member.key) {
                self.value(&member.node, schema, path, &Owner::property(member));
                continue;
            }
            let meant = self.problems.closest(&member.key, absent.iter().copied());
            // A misspelt key is one mistake, not also a missing one.
            missing.retain(|key| Some(*key) != meant);
            let message = format!("{} is not a key of {}", quoted(&member.key), owner.kind);
            let help = meant.map(did_you_mean).or_else(|| Some("remove it".to_owned()));
            self.problems.add(ErrorCode::UnknownKey, member.key_span, path, message, help);
        }
        for key in missing {
            let description = properties.get(key).and_then(|p| p.get("description")).and_then(Json::as_str);
            let first = description.and_then(|text| text.split(". ").next()).unwrap_or_default();
            let help = format!("add `{key}`: {}", first.trim_end_matches('.'));
            let message = format!("{} lacks `{key}`", owner.title);
            self.problems.add(ErrorCode::MissingKey, owner.anchor, path, message, Some(help));
        }
    }

    /// An object whose keys are chosen by the author.
    fn map(&mut self, node: &'n Node, members: &'n [Member], schema: &Json, path: Path<'_>, owner: &Owner) {
        let (Some(keys), Some(values)) = (schema.get("propertyNames"), schema.get("additionalProperties")) else {
            return;
        };
        let key_type = reference(keys).unwrap_or_default();
        if key_type == "Locale" {
            self.texts.push(FoundText { node, pointer: path.to_string(), anchor: owner.anchor });
        }
        let words = PARSED.get("$defs").and_then(|all| all.get(key_type)).and_then(words);
        for member in members {
            let path = Path::Key(&path, &member.key);
            if let Some(words) = &words {
                self.word(&member.key, words, member.key_span, path);
            }
            self.form(&member.key, key_type, member.key_span, path);
            let owner = reference(values).map_or_else(|| Owner::property(member), |name| Owner::entry(member, name));
            self.value(&member.node, values, path, &owner);
        }
    }

    fn string(&mut self, node: &Node, definition: &str, path: Path<'_>) {
        if let Some(text) = self.text(node, path) {
            self.form(text, definition, node.span, path);
        }
    }

    fn text<'a>(&mut self, node: &'a Node, path: Path<'_>) -> Option<&'a str> {
        let text = node.as_str();
        if text.is_none() {
            self.wrong_type(node, "string", path);
        }
        text
    }

    fn form(&mut self, text: &str, definition: &str, span: Span, path: Path<'_>) {
        if let Some(Err(problem)) = form(definition).map(|check| check(text)) {
            let message = format!("{problem}; found {}", quoted(text));
            self.problems.add(ErrorCode::BadForm, span, path, message, None);
        }
    }

    fn word(&mut self, text: &str, words: &[&str], span: Span, path: Path<'_>) {
        unknown_value(self.problems, text, words, span, path);
    }

    fn wrong_type(&mut self, node: &Node, expected: &str, path: Path<'_>) {
        let with_article = |name: &str| match name {
            "object" => "an object",
            "array" => "an array",
            "integer" => "a whole number",
            "boolean" => "`true` or `false`",
            _ => "a string",
        };
        let (found, help) = match &node.value {
            Value::Null => ("`null`", Some("leave the key out where it may be absent")),
            Value::Boolean(_) => ("`true` or `false`", None),
            Value::Integer(_) => ("a number", None),
            Value::String(_) if expected == "array" => ("a string", Some("put it in `[` and `]`")),
            Value::String(_) => ("a string", None),
            Value::Array(_) => ("an array", None),
            Value::Object(_) => ("an object", None),
            Value::Refused => return,
        };
        let message = format!("expected {}, found {found}", with_article(expected));
        self.problems.add(ErrorCode::WrongType, node.span, path, message, help.map(str::to_owned));
    }
}

/// Reports a word that is none of those that are possible.
pub(crate) fn unknown_value(
    problems: &mut Problems,
    text: &str,
    words: &[&str],
    span: Span,
    path: impl std::fmt::Display,
) {
    if words.contains(&text) {
        return;
    }
    let all: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let message = format!("{} is none of {}", quoted(text), all.join(", "));
    let help = problems.closest(text, words.iter().copied()).map(did_you_mean);
    problems.add(ErrorCode::UnknownValue, span, path, message, help);
}

/// Generates the schema from the types.
#[cfg(all(test, feature = "schema"))]
fn generate() -> String {
    let schema = schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<crate::document::Document>();
    let mut schema = Json::from(schema);
    let patterns: Vec<(String, String)> = schema
        .get("$defs")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, definition)| Some((definition.get("pattern")?.as_str()?.to_owned(), name.clone())))
        .collect();
    simplify(&mut schema, &patterns);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Removes `null` (what is absent is left out, the only way to say it), names the type of keys, and joins the
/// lines of descriptions.
#[cfg(all(test, feature = "schema"))]
fn simplify(schema: &mut Json, patterns: &[(String, String)]) {
    if let Some(object) = schema.as_object_mut() {
        if let Some(Json::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            let only = types.first().cloned();
            object.extend(only.map(|only| ("type".to_owned(), only)));
        }
        let optional = object.remove("anyOf").and_then(|choices| choices.get(0).cloned());
        object.extend(optional.and_then(|schema| schema.as_object().cloned()).into_iter().flatten());
        if let Some(Json::Object(by_pattern)) = object.remove("patternProperties") {
            for (pattern, values) in by_pattern {
                let name = patterns.iter().find(|(known, _)| *known == pattern).map(|(_, name)| name);
                let keys = name.map(|name| serde_json::json!({ "$ref": format!("#/$defs/{name}") }));
                object.extend(keys.map(|keys| ("propertyNames".to_owned(), keys)));
                object.insert("additionalProperties".to_owned(), values);
            }
        }
        if let Some(Json::String(description)) = object.get_mut("description") {
            *description = description.replace('\n', " ");
        }
        object.values_mut().for_each(|inner| simplify(inner, patterns));
    } else if let Some(array) = schema.as_array_mut() {
        array.iter_mut().for_each(|inner| simplify(inner, patterns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every schema inside a schema.
    fn all(schema: &Json) -> Vec<&Json> {
        let mut found = vec![schema];
        match schema {
            Json::Object(object) => found.extend(object.values().flat_map(all)),
            Json::Array(array) => found.extend(array.iter().flat_map(all)),
            _ => {}
        }
        found
    }

    #[test]
    fn the_schema_uses_only_what_the_checker_knows() {
        const KNOWN: [&str; 17] = [
            "$schema",
            "$defs",
            "$ref",
            "title",
            "description",
            "default",
            "format",
            "pattern",
            "type",
            "properties",
            "required",
            "additionalProperties",
            "propertyNames",
            "items",
            "oneOf",
            "minimum",
            "maximum",
        ];
        let definitions = PARSED["$defs"].as_object().unwrap();
        for schema in definitions.values().chain([&*PARSED]) {
            let mut pending = vec![schema];
            while let Some(schema) = pending.pop() {
                for (key, inner) in schema.as_object().into_iter().flatten() {
                    assert!(KNOWN.contains(&key.as_str()), "{key}");
                    match key.as_str() {
                        "properties" => pending.extend(inner.as_object().unwrap().values()),
                        "items" | "propertyNames" | "additionalProperties" => pending.push(inner),
                        "oneOf" => assert!(words(schema).is_some()),
                        "type" => assert!(inner.is_string()),
                        _ => {}
                    }
                }
            }
        }
        for schema in all(&PARSED) {
            if let Some(name) = reference(schema) {
                assert!(definitions.contains_key(name), "{name}");
            }
        }
    }

    #[test]
    fn every_object_is_closed_and_every_form_has_its_check() {
        for schema in all(&PARSED) {
            if schema.get("properties").is_some_and(Json::is_object) && schema.get("type").is_some() {
                assert_eq!(schema["additionalProperties"], false);
            } else if schema.get("type").is_some_and(|name| name == "object") {
                assert!(reference(&schema["propertyNames"]).is_some(), "{schema}");
            }
        }
        for (name, definition) in PARSED["$defs"].as_object().unwrap() {
            assert_eq!(form(name).is_some(), definition.get("pattern").is_some(), "{name}");
        }
    }

    #[test]
    #[cfg(feature = "schema")]
    fn the_published_schema_is_what_the_types_say() {
        let generated = generate();
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/policy.schema.json"), &generated).unwrap();
            return;
        }
        assert!(
            generated == SCHEMA,
            "policy.schema.json is out of date; to update it: UPDATE_SCHEMA=1 cargo test -p menshen-policy --features schema"
        );
    }
}
