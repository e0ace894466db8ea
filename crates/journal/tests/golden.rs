//! The golden stores are read as they always were, and this version still writes the same bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

#[path = "../examples/golden.rs"]
mod golden;

use std::fs;

use serde_json::Value;

/// A checked-in store with the zeros at the end of its files, and what a reader finds in it.
fn checked_in(name: &str) -> (golden::Files, Value) {
    let folder = golden::folder().join(name);
    let expected: Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let files = expected["files"].as_object().unwrap().iter().map(|(name, length)| {
        let mut content = fs::read(folder.join(name)).unwrap();
        content.resize(usize::try_from(length.as_u64().unwrap()).unwrap(), 0);
        (name.clone(), content)
    });
    (files.collect(), expected["found"].clone())
}

#[test]
fn every_golden_store_is_read_as_expected() {
    let mut names: Vec<String> = fs::read_dir(golden::folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), golden::stores().len(), "{names:?}");
    for name in names {
        let (files, expected) = checked_in(&name);
        let found = golden::found(&files);
        for (what, value) in expected.as_object().unwrap() {
            assert_eq!(&found[what], value, "{name}: {what}");
        }
    }
}

#[test]
fn this_version_writes_the_same_bytes() {
    for (name, written) in golden::stores() {
        let (files, _) = checked_in(name);
        assert_eq!(written.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>(), "{name}: the files");
        for (file, bytes) in &written {
            let differs = bytes.iter().zip(&files[file]).position(|(new, old)| new != old);
            assert_eq!(differs, None, "{name}/{file}: the first byte that differs");
            assert_eq!(bytes.len(), files[file].len(), "{name}/{file}: the length");
        }
    }
}

/// A file of a vector: some bytes in the place of others, or none at all.
fn changed(file: Option<&Vec<u8>>, change: &Value) -> Option<Vec<u8>> {
    if change["gone"] == true {
        return None;
    }
    let number = |key: &str| usize::try_from(change[key].as_u64().unwrap()).unwrap();
    let (at, instead_of) = (number("at"), number("instead_of"));
    let text = change["bytes"].as_str().unwrap();
    let bytes = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap());
    let mut content = file.cloned().unwrap_or_default();
    content.splice(at..at + instead_of, bytes);
    Some(content)
}

/// Of a ledger the verdict and how many entries; only the verdict of one that is not sound.
fn short(found: &Value) -> Value {
    let Some(verdict) = found.get("verdict").and_then(Value::as_str) else { return found.clone() };
    if verdict != "Sound" {
        let word = verdict.split(' ').next().unwrap();
        return serde_json::json!({ "verdict": word });
    }
    let mut found = found.clone();
    if let Some(entries) = found["entries"].as_array() {
        found["entries"] = entries.len().into();
    }
    found
}

/// They are made by `tests/reader/vectors.py`, an implementation of its own, with the secrets of the golden stores.
#[test]
fn every_vector_of_the_independent_implementation_gives_what_it_says() {
    let path = golden::folder().join("../vectors/0.json");
    let vectors: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut failures = Vec::new();
    for vector in &vectors {
        let (mut files, mut expected) = checked_in(vector["store"].as_str().unwrap());
        for (name, change) in vector["files"].as_object().unwrap() {
            match changed(files.get(name), change) {
                Some(content) => _ = files.insert(name.clone(), content),
                None => _ = files.remove(name),
            }
        }
        for (what, value) in vector["found"].as_object().unwrap() {
            expected[what] = value.clone();
        }
        let name = vector["what"].as_str().unwrap();
        let Ok(found) = std::panic::catch_unwind(|| golden::found(&files)) else {
            failures.push(format!("{name}: cannot be read"));
            continue;
        };
        for (what, value) in expected.as_object().unwrap() {
            let is_unsaid = vector["unsaid"].as_array().unwrap().iter().any(|unsaid| unsaid == what);
            if !is_unsaid && short(&found[what]) != short(value) {
                failures.push(format!("{} ({}): {what}: {} for {value}", vector["what"], vector["class"], found[what]));
            }
        }
    }
    println!("store vectors: {}, {} failures", vectors.len(), failures.len());
    let telling = vectors.iter().filter(|vector| !vector["found"].as_object().unwrap().is_empty()).count();
    assert!(telling >= 150, "only {telling} vectors differ from their golden stores");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
