//! What keeps the uses of one key apart, and where secrets are compared: read from the source itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every source file by its name.
fn sources() -> BTreeMap<String, String> {
    fn under(folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                under(&path, found);
            } else {
                found.insert(path.display().to_string(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

/// Each label with how often it stands in the source.
fn labels() -> BTreeMap<String, usize> {
    let mut labels = BTreeMap::new();
    for source in sources().values() {
        for (at, _) in source.match_indices("b\"menshen/0/") {
            let label = source[at + 2..].split('"').next().unwrap();
            *labels.entry(label.to_owned()).or_default() += 1;
        }
    }
    labels
}

#[test]
fn every_label_stands_in_one_place_and_the_format_names_it() {
    let format = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).unwrap();
    let labels = labels();
    assert!(labels.len() >= 20, "{labels:?}");
    for (label, count) in &labels {
        assert_eq!(*count, 1, "`{label}` has {count} uses");
        assert!(format.contains(label), "FORMAT.md does not name `{label}`");
    }
}

#[test]
fn no_label_that_anything_follows_begins_another_one() {
    let labels: Vec<String> = labels().into_keys().collect();
    // Nothing follows this one, so that no other info can be the same; and its key is the domain's, theirs are not.
    let alone = ["menshen/0/payload"];
    for one in labels.iter().filter(|label| !alone.contains(&label.as_str())) {
        let longer = labels.iter().find(|other| *other != one && other.starts_with(one.as_str()));
        let is_apart = longer.is_none() || *one == "menshen/0/ledger";
        assert!(is_apart, "`{one}` begins `{longer:?}`");
    }
    // The one exception: an AAD of 64 bytes, which is never an info.
    let source: String = sources().into_values().collect();
    assert_eq!(source.matches("b\"menshen/0/ledger\"").count(), 1);
}

#[test]
fn ring_compares_what_is_secret_and_only_in_the_module_of_the_cipher() {
    let mut verified = 0;
    for (name, source) in sources() {
        assert!(!source.contains("constant_time"), "{name}: a comparison that ring deprecates");
        let is_cipher = name.ends_with("/cipher.rs");
        assert!(is_cipher || !source.contains("hmac::"), "{name}: codes belong to cipher.rs");
        verified += source.matches("hmac::verify").count();
        for line in source.lines().filter(|line| line.contains("_commitment(") || line.contains(".code(")) {
            assert!(!line.contains("==") && !line.contains("!="), "{name}: `{}` compares with ==", line.trim());
        }
    }
    assert_eq!(verified, 1, "the one comparison is in cipher.rs");
}
