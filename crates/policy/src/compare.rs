//! What a new version of a policy changes, all of it, in words, and whether each change is material.
//!
//! Material is what is new, longer or wider, a basis to or from consent, and whatever lessens the person. Everything else
//! is editorial: other words, and what is taken away, which ends without anyone's agreement.

mod rows;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::document::{Document, Due, Duration, Id};
use crate::due;
use rows::{Row, Rule};

/// How much a change weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// A notice is enough.
    Editorial,
    /// The person is to agree to it first.
    Material,
}

/// One thing that a new version says in another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, as a JSON pointer (RFC 6901): into the new version, or into the old one for what is gone.
    pub pointer: String,
    /// How much it weighs.
    pub weight: Weight,
    /// What it is, in words.
    pub what: String,
}

/// Every difference between two versions of a policy, in the order of their pointers.
#[must_use]
pub fn differences(before: &Document, after: &Document) -> Vec<Difference> {
    let tree = |document| serde_json::to_value(document).unwrap_or_default();
    let mut comparison = Comparison { before, after, found: Vec::new() };
    comparison.walk(&mut Vec::new(), Some(&tree(before)), Some(&tree(after)));
    comparison.found
}

impl Weight {
    /// The heaviest of some differences; `None` if there is none.
    #[must_use]
    pub fn of(differences: &[Difference]) -> Option<Self> {
        differences.iter().map(|difference| difference.weight).max()
    }
}

const fn material_if(is: bool) -> Weight {
    if is { Weight::Material } else { Weight::Editorial }
}

struct Comparison<'a> {
    before: &'a Document,
    after: &'a Document,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn walk(&mut self, path: &mut Vec<String>, before: Option<&Value>, after: Option<&Value>) {
        if before == after || path.as_slice() == ["$schema"] {
            return;
        }
        let row = Row::of(path);
        match row {
            Some(Row { rule: Rule::Presence { added, removed }, .. }) => match (before, after) {
                (None, _) => self.add(path, *added, "is new"),
                (_, None) => self.add(path, *removed, "is gone"),
                _ => self.into(path, before, after),
            },
            Some(row) => self.judge(path, &row.rule, before, after),
            // What is inside of an object that is not there is as good as not there.
            None if [before, after].into_iter().flatten().all(Value::is_object) => self.into(path, before, after),
            // What no row speaks of is taken for material.
            None => self.changed(path, Weight::Material, before, after),
        }
    }

    fn into(&mut self, path: &mut Vec<String>, before: Option<&Value>, after: Option<&Value>) {
        let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let (before, after) = (object(before), object(after));
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            path.push(key.clone());
            self.walk(path, before.get(key), after.get(key));
            path.pop();
        }
    }

    fn judge(&mut self, path: &[String], rule: &Rule, before: Option<&Value>, after: Option<&Value>) {
        match rule {
            Rule::Presence { .. } => {}
            Rule::Any(weight) => self.changed(path, *weight, before, after),
            Rule::Kept { changed } => {
                let weight = if before.is_none() { Weight::Editorial } else { *changed };
                self.changed(path, if after.is_none() { Weight::Material } else { weight }, before, after);
            }
            Rule::Part => {
                let id = |value: Option<&Value>| value.and_then(Value::as_str).and_then(|text| Id::parse(text).ok());
                let narrower = matches!((id(before), id(after)), (Some(was), Some(is)) if is.is_part_of(&was));
                self.changed(path, material_if(!narrower), before, after);
            }
            Rule::Scale { words, absent } => {
                let at = |value: Option<&Value>| {
                    let word = value.and_then(Value::as_str).unwrap_or(absent);
                    words.iter().position(|known| *known == word)
                };
                // A word that is not on the scale is taken for the weakest.
                let weaker = match (at(before), at(after)) {
                    (Some(was), Some(is)) => is > was,
                    _ => true,
                };
                self.changed(path, material_if(weaker), before, after);
            }
            Rule::Flag { better } => {
                let is = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(false);
                self.changed(path, material_if(is(after) != *better), before, after);
            }
            Rule::Number { more, absent } => {
                let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(*absent);
                let grown = number(after) > number(before);
                self.changed(path, if grown { *more } else { opposite(*more) }, before, after);
            }
            Rule::Longer => {
                let seconds = |value: Option<&Value>| {
                    let duration = value.and_then(Value::as_str).and_then(|text| Duration::parse(text).ok());
                    duration.map_or(u64::MAX, |duration| duration.seconds())
                };
                let (was, is) = (seconds(before), seconds(after));
                self.changed(path, material_if(is > was), before, after);
            }
            Rule::Due => self.due(path, before, after),
            Rule::Address => {
                let origin = |value: Option<&Value>| {
                    let url = value.and_then(Value::as_str).unwrap_or_default();
                    let end = url.find("://").and_then(|at| url.get(at + 3..)?.find('/').map(|slash| at + 3 + slash));
                    end.and_then(|end| url.get(..end)).unwrap_or(url).to_owned()
                };
                self.changed(path, material_if(origin(before) != origin(after)), before, after);
            }
            Rule::Set { added, removed, empty_is_all } => {
                self.set(path, [*added, *removed], *empty_is_all, before, after);
            }
            Rule::Text => self.text(path, Weight::Editorial, before, after),
            Rule::BindingText => self.text(path, Weight::Material, before, after),
        }
    }

    fn due(&mut self, path: &[String], before: Option<&Value>, after: Option<&Value>) {
        let due = |value: Option<&Value>| value.and_then(|value| serde_json::from_value::<Due>(value.clone()).ok());
        let (was, is) = (due(before), due(after));
        let later = match (&was, &is) {
            (Some(was), Some(is)) => due::may_be_later(is, was),
            (Some(_), None) => true,
            _ => false,
        };
        let words = |due: &Option<Due>| due.as_ref().map_or_else(|| "at no stated time".to_owned(), due::in_words);
        self.add(path, material_if(later), &format!("is now {}, was {}", words(&is), words(&was)));
    }

    fn set(
        &mut self,
        path: &[String],
        [added, removed]: [Weight; 2],
        empty_is_all: bool,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        let members = |value: Option<&Value>| -> Vec<String> {
            let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (was, is) = (members(before), members(after));
        let list = |of: &[String], but: &[String]| {
            let names = of.iter().filter(|name| !but.contains(name)).map(|name| format!("`{name}`"));
            names.collect::<Vec<_>>().join(", ")
        };
        let (new, gone) = (list(&is, &was), list(&was, &is));
        match (empty_is_all, was.is_empty(), is.is_empty()) {
            // From everything to something, or back.
            (true, true, false) => return self.add(path, removed, &format!("only {new} now, was every one")),
            (true, false, true) => return self.add(path, added, &format!("every one now, was {gone}")),
            _ => {}
        }
        if !new.is_empty() {
            self.add(path, added, &format!("{new} added"));
        }
        if !gone.is_empty() {
            self.add(path, removed, &format!("{gone} removed"));
        }
        if new.is_empty() && gone.is_empty() {
            self.add(path, Weight::Editorial, "stand in another order");
        }
    }

    /// Texts by locale. A locale that the whole policy gained or lost is told once, and not at each text.
    fn text(&mut self, path: &[String], reworded: Weight, before: Option<&Value>, after: Option<&Value>) {
        let (was, is) = match (before, after) {
            (None, _) => return self.add(path, reworded, "is new"),
            (_, None) => return self.add(path, Weight::Editorial, "is gone"),
            (Some(before), Some(after)) => (before, after),
        };
        let keys = |value: &Value| value.as_object().map(|texts| texts.keys().cloned().collect()).unwrap_or_default();
        let (keys_before, keys_after): (BTreeSet<String>, BTreeSet<String>) = (keys(was), keys(is));
        let declares = |document: &Document, locale: &str| document.locales.iter().any(|one| one.as_str() == locale);
        let came_or_went = |locale: &str| declares(self.before, locale) != declares(self.after, locale);
        let differs = |locale: &&String| is.get(locale.as_str()) != was.get(locale.as_str()) && !came_or_went(locale);
        let other: Vec<&str> = keys_before.union(&keys_after).filter(differs).map(String::as_str).collect();
        if !other.is_empty() {
            self.add(path, reworded, &format!("has other words ({})", other.join(", ")));
        }
    }

    fn changed(&mut self, path: &[String], weight: Weight, before: Option<&Value>, after: Option<&Value>) {
        let shown = |value: Option<&Value>| match value {
            None => "not there".to_owned(),
            Some(Value::String(text)) => format!("`{}`", text.chars().take(80).collect::<String>()),
            Some(Value::Array(items)) => {
                let names = items.iter().filter_map(Value::as_str).map(|name| format!("`{name}`"));
                names.collect::<Vec<_>>().join(", ")
            }
            Some(other) => other.to_string(),
        };
        self.add(path, weight, &format!("is now {}, was {}", shown(after), shown(before)));
    }

    fn add(&mut self, path: &[String], weight: Weight, what: &str) {
        let pointer = path.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect();
        self.found.push(Difference { pointer, weight, what: format!("{} {what}", rows::subject(path)) });
    }
}

const fn opposite(weight: Weight) -> Weight {
    match weight {
        Weight::Editorial => Weight::Material,
        Weight::Material => Weight::Editorial,
    }
}
