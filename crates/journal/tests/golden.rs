//! The golden stores are read as they always were, and this version still writes the same bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

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
