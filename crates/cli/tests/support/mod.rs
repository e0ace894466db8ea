//! Runs the built tool, as a shell does.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the tool left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `menshen` in the repository, with nothing on standard input.
pub(crate) fn menshen(arguments: &[&str]) -> Run {
    menshen_with(arguments, "")
}

/// The same, with a text on standard input.
pub(crate) fn menshen_with(arguments: &[&str], input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_menshen"))
        .args(arguments)
        .current_dir(root())
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone before it is told anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let run = Run {
        code: output.status.code().expect("the tool ends by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!run.err.contains("panicked"), "{}", run.err);
    run
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The five published policies.
pub(crate) const POLICIES: [&str; 5] = [
    "examples/policies/generic.json",
    "examples/policies/huirongke.json",
    "examples/policies/jingdigital.json",
    "examples/policies/joinchat.json",
    "examples/policies/justalk-family.json",
];

/// The damaged policies of `tests/policies/bad`: the edits of each section made to the policy that they are about.
pub(crate) fn damaged_policies() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (file, policy) in [("entities", "complete"), ("json", "minimal"), ("meaning", "minimal"), ("shape", "minimal")]
    {
        let policy = read(&format!("tests/policies/{policy}.json"));
        let sections = read(&format!("tests/policies/bad/{file}.txt"));
        for section in sections.split("=== ").skip(1) {
            let question = section.split("\n---\n").next().unwrap();
            let (title, lines) = question.split_once('\n').unwrap();
            found.push((title.to_owned(), edited(&policy, lines)));
        }
    }
    found
}

/// Lines to find (`- `), followed by lines to put in their place (`+ `), once or several times.
fn edited(policy: &str, lines: &str) -> String {
    let mut edits: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for line in lines.lines().filter(|line| !line.is_empty()) {
        if let Some(found) = line.strip_prefix("- ") {
            if edits.last().is_none_or(|(_, put)| !put.is_empty()) {
                edits.push((Vec::new(), Vec::new()));
            }
            edits.last_mut().unwrap().0.push(found);
        } else {
            let put = line.strip_prefix("+ ").or_else(|| line.strip_prefix('+')).unwrap();
            edits.last_mut().unwrap().1.push(put);
        }
    }
    edits.iter().fold(policy.to_owned(), |text, (find, put)| text.replacen(&find.join("\n"), &put.join("\n"), 1))
}
