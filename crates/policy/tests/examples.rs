//! The example policies: each is right, is told only what it deserves, and its table covers its published text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test stops at what it did not expect"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use menshen_policy::Policy;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/policies")
}

/// The policies: name, text.
fn examples() -> Vec<(String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn each_policy_is_right_and_told_only_what_it_deserves() {
    for (name, text) in examples() {
        let policy = Policy::read(text.as_bytes()).unwrap_or_else(|errors| panic!("{}", errors.render(&text, &name)));
        assert_eq!(policy.document().id.as_str(), name);
        let mut told = String::new();
        for finding in policy.findings(None) {
            writeln!(told, "{finding}").unwrap();
        }
        let path = folder().join(format!("{name}.findings.txt"));
        if std::env::var_os("UPDATE_ANSWERS").is_some() {
            std::fs::write(&path, &told).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == told, "{name}: to accept these: UPDATE_ANSWERS=1 cargo test -p menshen-policy\n{told}");
    }
}

/// One row of a coverage table: the paragraph, what expresses it, what does not and why.
struct Row {
    paragraph: String,
    expressed: String,
    rest: String,
}

/// A row of the table has a number, its head has none.
fn is_row(line: &str) -> bool {
    line.strip_prefix("| ¶").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn coverage(name: &str) -> (String, Vec<Row>) {
    let text = std::fs::read_to_string(folder().join(format!("{name}.coverage.md"))).unwrap();
    let rows = text.lines().filter(|line| is_row(line)).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (expressed, rest) = (cells[cells.len() - 2], cells[cells.len() - 1]);
        Row { paragraph: cells[0].to_owned(), expressed: expressed.to_owned(), rest: rest.to_owned() }
    });
    let rows = rows.collect();
    (text, rows)
}

/// The number of the published text, from the first source.
fn number(text: &str) -> String {
    let at = text.find("\"source\": \"").unwrap() + "\"source\": \"".len();
    text[at..at + 3].to_owned()
}

#[test]
fn every_paragraph_of_a_published_text_is_expressed_or_has_its_reason() {
    const REASONS: [&str; 3] = ["client cannot", "still to come", "no rule"];
    for (name, text) in examples() {
        let clauses = std::fs::read_to_string(folder().join(format!("clauses/{}.txt", number(&text)))).unwrap();
        let numbered: Vec<&str> = clauses.lines().map(|line| line.split('\t').next().unwrap()).collect();
        let (table, rows) = coverage(&name);
        let covered: Vec<&str> = rows.iter().map(|row| row.paragraph.as_str()).collect();
        assert_eq!(covered, numbered, "{name}: each paragraph once, in its order");
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &rows {
            let reason = REASONS.iter().copied().filter(|reason| row.rest.contains(reason));
            let first = reason.min_by_key(|reason| row.rest.find(reason));
            assert!(!row.expressed.is_empty() || first.is_some(), "{name} {}: neither", row.paragraph);
            assert!(row.rest.is_empty() || first.is_some(), "{name} {}: `{}` is no reason", row.paragraph, row.rest);
            let kind = match (row.expressed.is_empty(), first) {
                (false, None) => "expressed whole",
                (false, Some(_)) => "expressed in part",
                (true, reason) => reason.unwrap(),
            };
            *counts.entry(kind).or_default() += 1;
        }
        counts.insert("all", rows.len());
        for (kind, count) in counts {
            assert!(table.contains(&format!("| {kind} | {count} |")), "{name}: {kind} is {count}");
        }
    }
}

#[test]
fn every_name_in_a_coverage_table_leads_somewhere_in_its_policy() {
    for (name, text) in examples() {
        let policy: Value = serde_json::from_str(&text).unwrap();
        for row in coverage(&name).1 {
            for word in row.expressed.split('`').skip(1).step_by(2).filter(|word| word.contains('/')) {
                let pointer = format!("/{word}");
                assert!(policy.pointer(&pointer).is_some(), "{name} {}: `{word}` is not there", row.paragraph);
            }
        }
    }
}

#[test]
fn every_source_in_a_policy_is_one_of_its_clauses() {
    for (name, text) in examples() {
        let clauses = std::fs::read_to_string(folder().join(format!("clauses/{}.txt", number(&text)))).unwrap();
        let numbered: BTreeSet<&str> = clauses.lines().map(|line| line.split('\t').next().unwrap()).collect();
        let table = coverage(&name).0;
        let policy: Value = serde_json::from_str(&text).unwrap();
        let mut pending = vec![&policy];
        while let Some(value) = pending.pop() {
            pending.extend(value.as_object().into_iter().flatten().map(|(_, inner)| inner));
            pending.extend(value.as_array().into_iter().flatten());
            let Some(source) = value.get("source").and_then(Value::as_str).filter(|s| *s != "not stated") else {
                continue;
            };
            for clause in source[4..].split(", ") {
                let paragraph = clause.rfind('¶').map(|at| &clause[at..]);
                let known = match paragraph {
                    Some(paragraph) => numbered.contains(paragraph),
                    // A clause with a printed number stands in the second column.
                    None => table.contains(&format!("| {clause} |")),
                };
                assert!(known, "{name}: {source}");
            }
        }
    }
}
