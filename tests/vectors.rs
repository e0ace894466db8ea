//! Runs the vectors that Rust, Kotlin and Swift share, through the public API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/vector_runner.rs"]
mod vector_runner;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vector_runner::{Verdict, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn vectors() -> Vec<Value> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json") && path.file_name().unwrap() != "policy.json")
        .collect();
    files.sort();
    files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let read: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            read["vectors"].as_array().unwrap().clone()
        })
        .collect()
}

#[test]
fn every_vector_gives_what_it_says() {
    let policy = fs::read_to_string(folder().join("policy.json")).unwrap();
    let mut failures = Vec::new();
    let vectors = vectors();
    for vector in &vectors {
        if let Verdict::Failed(text) = run(&policy, vector) {
            failures.push(text);
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("vectors executed: {}", vectors.len());
}

#[test]
fn a_spoiled_vector_is_found() {
    let policy = fs::read_to_string(folder().join("policy.json")).unwrap();
    let mut spoiled = 0;
    for mut vector in vectors() {
        let steps = vector["steps"].as_array_mut().unwrap();
        let Some(step) = steps.iter_mut().find(|step| step.get("expect").is_some()) else { continue };
        step["expect"] = serde_json::json!({ "spoiled": true });
        assert!(matches!(run(&policy, &vector), Verdict::Failed(_)), "{}", vector["name"]);
        spoiled += 1;
        if spoiled == 5 {
            break;
        }
    }
    assert_eq!(spoiled, 5);
}

#[test]
fn every_error_code_stands_in_a_vector_or_has_its_own_test() {
    // Codes that no host can bring about through the public API alone.
    const APART: [&str; 4] = ["io", "internal", "transport", "key-not-ready"];
    const ALL: [&str; 28] = [
        "policy",
        "foreign-policy",
        "older-policy",
        "undeclared",
        "not-accepted-yet",
        "undeclared-field",
        "field-type",
        "too-large",
        "bad-fields",
        "unexpected-answer",
        "bad-subject",
        "bad-time-to-live",
        "recipient-not-of-purpose",
        "legal-duty",
        "unknown-exchange",
        "permit-ended",
        "key-not-ready",
        "wrong-key",
        "key-lost",
        "store-busy",
        "store-read-only",
        "store-full",
        "not-a-folder",
        "not-a-store",
        "io",
        "ledger-broken",
        "internal",
        "transport",
    ];
    let text = serde_json::to_string(&vectors()).unwrap();
    let missing: Vec<&str> = ALL
        .into_iter()
        .filter(|code| !APART.contains(code) && !text.contains(&format!("\"code\":\"{code}\"")))
        .collect();
    assert!(missing.is_empty(), "no vector for {missing:?}");
}
