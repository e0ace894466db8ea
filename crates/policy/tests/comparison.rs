//! What a new version changes: nothing is overlooked, and what lessens the person is never called editorial.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use menshen_policy::{Asking, Change, Document, Policy, Territory, Weight, differences};
use serde_json::{Value, json};

const MINIMAL: &str = include_str!("../../../tests/policies/minimal.json");
const COMPLETE: &str = include_str!("../../../tests/policies/complete.json");
const EXAMPLES: [&str; 5] = [
    include_str!("../../../examples/policies/generic.json"),
    include_str!("../../../examples/policies/huirongke.json"),
    include_str!("../../../examples/policies/jingdigital.json"),
    include_str!("../../../examples/policies/joinchat.json"),
    include_str!("../../../examples/policies/justalk-family.json"),
];

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn document(value: &Value) -> Document {
    serde_json::from_value(value.clone()).unwrap()
}

/// The complete policy with a value put at a pointer, or taken away with `Value::Null`.
fn edited(pointer: &str, put: &Value) -> Value {
    let mut policy = value(COMPLETE);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let parent = policy.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match (parent, put) {
        (Value::Object(object), Value::Null) => drop(object.remove(&key).unwrap_or_else(|| panic!("{pointer}"))),
        (Value::Object(object), put) => drop(object.insert(key, put.clone())),
        (Value::Array(list), put) => list.push(put.clone()),
        _ => panic!("{pointer}"),
    }
    policy
}

/// What the complete policy changes by an edit, and by taking it back.
fn both_ways(pointer: &str, put: &Value) -> [(Weight, String); 2] {
    let (before, after) = (document(&value(COMPLETE)), document(&edited(pointer, put)));
    [differences(&before, &after), differences(&after, &before)].map(|found| {
        let told = found.iter().map(|difference| difference.what.as_str()).collect::<Vec<_>>().join("; ");
        (Weight::of(&found).unwrap_or_else(|| panic!("{pointer}")), told)
    })
}

#[test]
fn a_document_against_itself_is_no_change() {
    for text in EXAMPLES.into_iter().chain([MINIMAL, COMPLETE]) {
        let policy = document(&value(text));
        assert_eq!(differences(&policy, &policy), []);
        let with_schema = edited_text(text, "$schema", json!("another.schema.json"));
        assert_eq!(differences(&policy, &document(&with_schema)), []);
        let read = Policy::read(text.as_bytes()).unwrap();
        assert_eq!(Asking::between(&read, &Policy::read(text.as_bytes()).unwrap()), []);
    }
}

fn edited_text(text: &str, key: &str, put: Value) -> Value {
    let mut policy = value(text);
    policy[key] = put;
    policy
}

/// Every single edit of a document that the types may allow: something taken away, put in, or said with another word.
fn edits(policy: &Value, words: &[BTreeSet<String>], see: &mut dyn FnMut(&str, &Value)) {
    let mut changed = policy.clone();
    let mut pending = vec![String::new()];
    while let Some(pointer) = pending.pop() {
        let here = policy.pointer(&pointer).unwrap();
        let mut edit = |change: &dyn Fn(&mut Value)| {
            change(changed.pointer_mut(&pointer).unwrap());
            see(&pointer, &changed);
            *changed.pointer_mut(&pointer).unwrap() = here.clone();
        };
        match here {
            Value::Object(object) => {
                for key in object.keys() {
                    edit(&|value| drop(value.as_object_mut().unwrap().remove(key)));
                    // A second one of the same kind.
                    edit(&|value| drop(value.as_object_mut().unwrap().insert("one-more".into(), object[key].clone())));
                }
            }
            Value::Array(list) => {
                for at in 0..list.len() {
                    edit(&|value| drop(value.as_array_mut().unwrap().remove(at)));
                }
                edit(&|value| value.as_array_mut().unwrap().push(json!("one-more")));
                if list.len() > 1 {
                    edit(&|value| value.as_array_mut().unwrap().reverse());
                }
            }
            Value::String(text) => {
                edit(&|value| *value = json!(format!("{text}x")));
                for word in words.iter().filter(|set| set.contains(text)).flatten() {
                    edit(&|value| *value = json!(word));
                }
            }
            Value::Bool(is) => edit(&|value| *value = json!(!is)),
            Value::Number(number) => {
                edit(&|value| *value = json!(number.as_u64().unwrap() + 1));
                edit(&|value| *value = json!(number.as_u64().unwrap() - 1));
            }
            Value::Null => {}
        }
        let keys = here.as_object().into_iter().flatten().map(|(key, _)| key.replace('~', "~0").replace('/', "~1"));
        let indexes = (0..here.as_array().map_or(0, Vec::len)).map(|at| at.to_string());
        pending.extend(keys.chain(indexes).map(|key| format!("{pointer}/{key}")));
    }
}

/// The closed sets of words: those of the schema, and one for each form.
fn words() -> Vec<BTreeSet<String>> {
    let forms = [
        ["P400D", "P1D", "P30D", "P7D", "P15D"],
        ["CN", "US", "CN-11", "SG", "DE"],
        ["1.0.0", "9.9.9", "0.0.1", "1.1.0", "2.0.0"],
        ["2030-01-01", "2024-06-12", "2020-01-01", "2026-01-01", "2027-01-01"],
        ["https://collector.example/v1/logs", "https://other.example/v1", "https://collector.example/", "a", "b"],
    ];
    let mut words: Vec<BTreeSet<String>> = forms.map(|form| form.map(str::to_owned).into()).into();
    let mut pending = vec![value(menshen_policy::SCHEMA)];
    while let Some(schema) = pending.pop() {
        let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        let described = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let consts = described.filter_map(|one| one.get("const"));
        words.push(listed.chain(consts).filter_map(Value::as_str).map(str::to_owned).collect());
        match schema {
            Value::Object(object) => pending.extend(object.into_iter().map(|(_, inner)| inner)),
            Value::Array(list) => pending.extend(list),
            _ => {}
        }
    }
    words
}

/// The document as it is written, without what is for editors only.
fn without_schema(document: &Document) -> Value {
    let mut value = serde_json::to_value(document).unwrap();
    value.as_object_mut().unwrap().remove("$schema");
    value
}

/// One edit of so many is looked at: `cargo test --release -p menshen-policy --test comparison` looks at all.
const ONE_OF: usize = if cfg!(debug_assertions) { 5 } else { 1 };

#[test]
fn no_single_edit_of_a_policy_is_overlooked() {
    let words = words();
    assert!(words.iter().map(BTreeSet::len).sum::<usize>() > 100, "{words:?}");
    let mut counts: BTreeMap<Option<Weight>, usize> = BTreeMap::new();
    for text in EXAMPLES.into_iter().chain([COMPLETE]) {
        let policy = value(text);
        let before = document(&policy);
        let written = without_schema(&before);
        let mut number = 0;
        edits(&policy, &words, &mut |pointer, changed| {
            number += 1;
            if number % ONE_OF != 0 {
                return;
            }
            let Ok(after) = serde_json::from_value::<Document>(changed.clone()) else { return };
            let same = without_schema(&after) == written;
            let found = differences(&before, &after);
            assert_eq!(found.is_empty(), same, "{pointer}\n{found:?}");
            *counts.entry(Weight::of(&found)).or_default() += 1;
        });
    }
    println!("{counts:?}");
    assert!(counts[&Some(Weight::Editorial)] > 500 && counts[&Some(Weight::Material)] > 500, "{counts:?}");
}

#[test]
fn what_is_new_longer_or_wider_is_material_and_the_way_back_is_not() {
    let policy = value(COMPLETE);
    let mut purposes = policy["purposes"].as_object().unwrap().iter();
    let (purpose, _) = purposes.find(|(_, purpose)| purpose["necessity"] == "additional").unwrap();
    let at = |rest: &str| format!("/purposes/{purpose}/{rest}");
    let one = policy["purposes"][purpose].clone();
    let recipient = value(COMPLETE)["recipients"].as_object().unwrap().keys().next().unwrap().clone();
    for (pointer, put) in [
        (at("categories/-"), json!("user.more")),
        (at("recipients/-"), json!("somebody-else")),
        (at("retention/duration"), json!("P3650D")),
        (at("necessity"), json!("basic")),
        ("/purposes/one-more".to_owned(), one),
        ("/recipients/one-more".to_owned(), value(COMPLETE)["recipients"][&recipient].clone()),
        ("/residency/stored_in/-".to_owned(), json!("US")),
    ] {
        let [forth, back] = both_ways(&pointer, &put);
        assert_eq!(forth.0, Weight::Material, "{pointer}: {}", forth.1);
        assert_eq!(back.0, Weight::Editorial, "{pointer}: {}", back.1);
    }
}

#[test]
fn whatever_lessens_the_person_is_material_and_the_way_back_is_not() {
    let policy = value(COMPLETE);
    let first = |map: &str| policy[map].as_object().unwrap().keys().next().unwrap().clone();
    let (right, rule) = (first("rights"), first("rules"));
    for (pointer, put) in [
        (format!("/rights/{right}"), Value::Null),
        (format!("/rights/{right}/due"), json!({ "count": 200, "unit": "days", "from": "verification" })),
        (format!("/rights/{right}/refused_on/-"), json!("one-more")),
        (format!("/rules/{rule}"), Value::Null),
        ("/residency".to_owned(), Value::Null),
        ("/disclosures".to_owned(), Value::Null),
        ("/locales".to_owned(), json!(["en"])),
        ("/jurisdictions".to_owned(), json!([])),
    ] {
        let [forth, back] = both_ways(&pointer, &put);
        assert_eq!(forth.0, Weight::Material, "{pointer}: {}", forth.1);
        assert_eq!(back.0, Weight::Editorial, "{pointer}: {}", back.1);
    }
}

#[test]
fn a_basis_to_or_from_consent_is_material_both_ways() {
    let before = value(MINIMAL);
    let mut after = before.clone();
    let purpose = &mut after["purposes"]["usage-statistics"];
    purpose["legal_basis"] = json!("contract");
    purpose.as_object_mut().unwrap().remove("consent");
    let (before, after) = (document(&before), document(&after));
    assert_eq!(Weight::of(&differences(&before, &after)), Some(Weight::Material));
    assert_eq!(Weight::of(&differences(&after, &before)), Some(Weight::Material));
}

#[test]
fn an_identifier_in_a_weaker_form_is_material() {
    let mut after = value(MINIMAL);
    after["recipients"]["umeng"]["identifiers"]["imei"]["form"] = json!("keyed-hash");
    after["recipients"]["umeng"]["identifiers"]["oaid"] = json!({ "form": "refused", "source": "999 ¶10" });
    let found = differences(&document(&value(MINIMAL)), &document(&after));
    let told: Vec<(Weight, &str)> = found.iter().map(|f| (f.weight, f.what.as_str())).collect();
    let expected = [
        (Weight::Material, "recipient `umeng`, identifier `imei`: form is now `keyed-hash`, was `refused`"),
        (Weight::Editorial, "recipient `umeng`, identifier `oaid`: form is now `refused`, was not there"),
        (Weight::Editorial, "recipient `umeng`, identifier `oaid`: source is now `999 ¶10`, was not there"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn other_words_are_editorial_unless_they_bind() {
    let with = |pointer: &str, put: &str| {
        let mut after = value(MINIMAL);
        *after.pointer_mut(pointer).unwrap() = json!(put);
        Weight::of(&differences(&document(&value(MINIMAL)), &document(&after)))
    };
    assert_eq!(with("/purposes/usage-statistics/text/en", "Counts."), Some(Weight::Editorial));
    assert_eq!(with("/notice/title/zh-Hans", "隐私"), Some(Weight::Editorial));
    assert_eq!(with("/recipients/umeng/name/en", "Somebody else"), Some(Weight::Material));
    assert_eq!(with("/controller/name/en", "Another Ltd"), Some(Weight::Material));
    assert_eq!(with("/endpoints/own/url", "https://collector.example/v2/logs"), Some(Weight::Editorial));
    assert_eq!(with("/endpoints/own/url", "https://elsewhere.example/v1/logs"), Some(Weight::Material));
}

#[test]
fn a_new_locale_is_told_once_and_not_at_every_text() {
    let mut after = value(MINIMAL);
    after["locales"].as_array_mut().unwrap().push(json!("de"));
    let mut pending = vec![&mut after];
    while let Some(value) = pending.pop() {
        if let Value::Object(object) = value {
            if let Some(english) = object.get("en").cloned() {
                object.insert("de".to_owned(), english);
            } else {
                pending.extend(object.values_mut());
            }
        }
    }
    let found = differences(&document(&value(MINIMAL)), &document(&after));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].what, "the locales `de` added");
}

fn asking(edit: impl Fn(&mut Value)) -> Vec<Asking> {
    let mut after = value(MINIMAL);
    edit(&mut after);
    after["version"] = json!("1.1.0");
    let [before, after] = [&value(MINIMAL), &after]
        .map(|policy| Policy::read(policy.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}")));
    Asking::between(&before, &after)
}

#[test]
fn a_wider_purpose_asks_again_everywhere_and_a_narrower_one_nowhere() {
    let longer = asking(|policy| policy["purposes"]["usage-statistics"]["retention"]["duration"] = json!("P60D"));
    assert_eq!(longer.len(), 1);
    assert_eq!((longer[0].purpose.as_str(), longer[0].again), ("usage-statistics", true));
    assert!(longer[0].of.contains_key(&Territory::Elsewhere) && longer[0].of.len() >= 4, "{longer:?}");
    assert!(longer[0].of.values().all(|every_age| *every_age), "{longer:?}");
    let shorter = asking(|policy| policy["purposes"]["usage-statistics"]["retention"]["duration"] = json!("P3D"));
    assert_eq!(shorter, []);
}

#[test]
fn a_recipient_that_decides_for_itself_from_now_on_asks_again_only_where_the_law_wants_it() {
    let before = |policy: &mut Value| {
        policy["recipients"]["umeng"]["type"] = json!("processor");
        policy["purposes"]["usage-statistics"]["consent"]["kind"] = json!("general");
        policy["jurisdictions"] = json!([]);
    };
    let mut policies = [value(MINIMAL), value(MINIMAL)];
    for policy in &mut policies {
        before(policy);
    }
    policies[1]["recipients"]["umeng"]["type"] = json!("controller");
    let [old, new] = policies.map(|policy| Policy::read(policy.to_string().as_bytes()).unwrap());
    let asking = Asking::between(&old, &new);
    let usage = asking.iter().find(|asking| asking.purpose.as_str() == "usage-statistics").unwrap();
    assert!(usage.again);
    assert!(usage.of.contains_key(&Territory::Packs("cn".to_owned())), "{usage:?}");
    assert!(!usage.of.contains_key(&Territory::Elsewhere), "{usage:?}");
}

#[test]
fn a_new_purpose_asks_for_the_first_time() {
    let asking = asking(|policy| {
        policy["purposes"]["ads"] = policy["purposes"]["usage-statistics"].clone();
    });
    let ads = asking.iter().find(|asking| asking.purpose.as_str() == "ads").unwrap();
    assert!(!ads.again && asking.len() == 1, "{asking:?}");
}

/// What makes the library ask again is never called editorial.
#[test]
fn a_purpose_whose_terms_are_no_longer_covered_is_a_material_change() {
    let words = words();
    let before = Policy::read(MINIMAL.as_bytes()).unwrap();
    let mut widened = 0;
    edits(&value(MINIMAL), &words, &mut |pointer, changed| {
        let Ok(after) = Policy::read(changed.to_string().as_bytes()) else { return };
        let change = Change::between(&before, &after);
        if !change.widened.is_empty() || !change.added.is_empty() {
            let found = differences(before.document(), after.document());
            assert_eq!(Weight::of(&found), Some(Weight::Material), "{pointer}: {found:?}");
            widened += 1;
        }
    });
    assert!(widened > 5, "{widened}");
}
