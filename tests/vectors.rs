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

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use vector_runner::places::AnotherProcess;
use vector_runner::{Run, Verdict, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn policy() -> String {
    fs::read_to_string(folder().join("policy.json")).unwrap()
}

/// Every vector, with the name of its file.
fn vectors() -> Vec<(String, Value)> {
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
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            read["vectors"].as_array().unwrap().iter().map(move |one| (name.clone(), one.clone())).collect::<Vec<_>>()
        })
        .collect()
}

/// Every vector with what running it gave; run once for all tests.
fn runs() -> &'static [(String, Value, Run)] {
    static RUNS: OnceLock<Vec<(String, Value, Run)>> = OnceLock::new();
    RUNS.get_or_init(|| {
        let policy = policy();
        let executed = vectors().into_iter().map(|(file, vector)| {
            let run = run(&policy, &vector);
            (file, vector, run)
        });
        executed.collect()
    })
}

#[test]
fn every_vector_gives_what_it_says() {
    if AnotherProcess::is_this(&policy()) {
        return;
    }
    let (mut executed, mut failures) = (0, Vec::new());
    for (file, vector, run) in runs() {
        let verdict = match &run.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed(text) => {
                failures.push(text.as_str());
                "FAILED"
            }
            Verdict::NotRun(_) => "NOT RUN",
        };
        executed += usize::from(verdict != "NOT RUN");
        if file == "bad-input" {
            println!("bad input: {}: {verdict}", vector["name"].as_str().unwrap());
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    println!("vectors executed: {executed}");
}

#[test]
fn a_spoiled_vector_is_found() {
    let policy = policy();
    let mut spoiled = 0;
    for (_, mut vector) in vectors() {
        let steps = vector["steps"].as_array_mut().unwrap();
        let Some(step) = steps.iter_mut().find(|step| step.get("expect").is_some()) else { continue };
        step["expect"] = serde_json::json!({ "spoiled": true });
        assert!(matches!(run(&policy, &vector).verdict, Verdict::Failed(_)), "{}", vector["name"]);
        spoiled += 1;
        if spoiled == 5 {
            break;
        }
    }
    assert_eq!(spoiled, 5);
}

#[test]
fn the_vectors_meet_every_error_code_that_is_declared() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/menshen/src/error.rs")).unwrap();
    // The arms of `code`, which the compiler keeps complete: `Self::Variant … => "code",`.
    let arms = source.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""));
    let declared: BTreeSet<&str> = arms.filter_map(|(_, code)| code.strip_suffix("\",")).collect();
    let met: BTreeSet<&str> = runs().iter().flat_map(|(_, _, run)| run.codes.iter().copied()).collect();
    assert!(!declared.is_empty());
    assert_eq!(met, declared);
}
