//! `menshen test`: the scenarios of the five policies, what they would miss, and what is said of wrong ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use support::{Run, menshen, read, root};

const FOLDERS: [&str; 5] = ["generic", "huirongke", "jingdigital", "joinchat", "justalk-family"];

/// Plays a file with these scenarios, about the generic policy.
fn play(scenarios: &str, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenarios.json");
    let policy = root().canonicalize().unwrap().join("examples/policies/generic.json");
    fs::write(&path, format!("{{ \"policy\": {policy:?},\n  \"scenarios\": [\n{scenarios}\n] }}")).unwrap();
    let mut arguments = vec!["test", path.to_str().unwrap()];
    arguments.extend_from_slice(more);
    let run = menshen(&arguments);
    let strip = |text: &str| text.replace(&path.display().to_string(), "scenarios.json");
    Run { code: run.code, out: strip(&run.out), err: strip(&run.err) }
}

/// The numbers in the last line: passed, failed, waiting.
fn sums(out: &str) -> [usize; 3] {
    let line = out.lines().rfind(|line| line.contains(" passed, ")).unwrap();
    let mut numbers = line.split(", ").map(|part| part.split(' ').next().unwrap().parse().unwrap());
    [numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap()]
}

#[test]
fn every_scenario_of_the_five_policies_gives_what_it_says() {
    for folder in FOLDERS {
        let run = menshen(&["test", &format!("tests/scenarios/{folder}")]);
        assert_eq!(run.code, 0, "{}", run.out);
        let [passed, _, waiting] = sums(&run.out);
        assert!(passed >= 20, "{folder}: {passed}");
        assert!(!run.out.contains("remove the mark"), "{}", run.out);
        println!("scenarios of {folder}: {passed} passed, {waiting} waiting");
    }
}

#[test]
fn no_rule_of_the_five_policies_can_be_deleted_unnoticed() {
    let run = menshen(&["test", "tests/scenarios", "--mutate"]);
    assert_eq!(run.code, 0, "{}", run.out);
    let counts: Vec<&str> = run.out.lines().filter(|line| line.contains("deleted: ")).collect();
    assert_eq!(counts.len(), FOLDERS.len(), "{}", run.out);
    print!("{}", run.out);
}

/// The control of the run over all rules: with fewer scenarios, some rules are missed by nobody.
#[test]
fn a_rule_that_no_scenario_speaks_of_is_told() {
    let run = menshen(&["test", "tests/scenarios/generic", "--mutate", "--filter", "blocked"]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("not missed /events/ad_shown\n"), "{}", run.out);
    assert!(!run.out.contains("not missed /features/services-near-you\n"), "{}", run.out);
}

#[test]
fn a_failed_step_is_told_with_its_line_and_what_differs() {
    let run = play(
        r#"{ "scenario": "the wrong way round", "person": { "born": "1990-05", "in": "JP", "agrees": ["notice"] },
  "steps": [
    { "app": "launches", "prompts": ["notice", "confirm"] } ] },
{ "scenario": "right", "steps": [ { "is_allowed": "sign-in", "effect": "asked" } ] }"#,
        &[],
    );
    assert_eq!(run.code, 1);
    assert_eq!(sums(&run.out), [1, 1, 0]);
    assert!(run.out.contains("FAILED  the wrong way round\n      --> scenarios.json:5\n"), "{}", run.out);
    assert!(run.out.contains("      prompts:\n          \"notice\"\n        + \"age-and-place\"\n"), "{}", run.out);
}

#[test]
fn an_error_that_nobody_expected_fails_the_step() {
    let run = play(r#"{ "scenario": "a typing error", "steps": [ { "request": "sign-inn" } ] }"#, &[]);
    assert_eq!(run.code, 1);
    let told = "      an error that no step expected, `undeclared`: the policy declares no feature `sign-inn`";
    assert!(run.out.contains(told), "{}", run.out);
}

#[test]
fn what_the_library_cannot_do_yet_waits_and_is_counted() {
    let waiting = r#"{ "scenario": "later", "waiting": "rights", "steps": [ { "right": "access" } ] }"#;
    let run = play(waiting, &[]);
    assert_eq!((run.code, sums(&run.out)), (0, [0, 0, 1]));
    assert!(run.out.contains("waiting later\n          for rights, at scenarios.json:3\n"), "{}", run.out);

    let unmarked = play(&waiting.replace(r#""waiting": "rights", "#, ""), &[]);
    assert_eq!(unmarked.code, 1);
    assert!(unmarked.out.contains("cannot do `right` yet"), "{}", unmarked.out);

    let passes = play(&waiting.replace(r#"{ "right": "access" }"#, r#"{ "is_allowed": "sign-in" }"#), &[]);
    assert_eq!(passes.code, 0);
    assert!(passes.out.contains("1 marked as waiting and passed: remove the mark"), "{}", passes.out);
}

#[test]
fn the_same_scenarios_play_under_another_version_of_the_policy() {
    let policy = read("examples/policies/generic.json");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.json");
    fs::write(&path, policy.replacen("\"form\": \"keyed-hash\"", "\"form\": \"plain\"", 1)).unwrap();
    let folder = "tests/scenarios/generic";
    let run = menshen(&["test", folder, "--filter", "logs", "--policy", path.to_str().unwrap()]);
    assert_eq!((run.code, sums(&run.out)), (1, [1, 1, 0]), "{}", run.out);
    assert!(run.out.contains("203.0.113.9"), "{}", run.out);
}

#[test]
fn a_wrong_file_is_told_with_its_line_and_the_way_out() {
    let steps = |steps: &str| format!("{{ \"scenario\": \"a\",\n \"steps\": [\n {steps} ] }}");
    for (scenarios, told) in [
        (steps(r#"{ "reqest": "sign-in" }"#), "scenarios.json:5: `reqest` is not a step; did you mean `request`?"),
        (
            steps(r#"{ "request": "a", "efect": "x" }"#),
            "scenarios.json:5: `efect` is not a key here; did you mean `effect`?",
        ),
        (steps(r#"{ "request": "a", "record": "b" }"#), "scenarios.json:5: `request` and `record` are two steps"),
        (steps(r#"{ "request": "a", "by": "tab" }"#), "`tab` is not a value here; did you mean `tap`?"),
        (steps(r#"{ "app": "lanches" }"#), "`lanches` is not a value here; did you mean `launches`?"),
        (steps(r#"{ "advance": "2 days" }"#), "`2 days` is not a duration such as `P2D` or `PT48H`"),
        (steps(r#"{ "advance": "P1M" }"#), "`P1M` is not a duration"),
        (steps(r#"{ "upload": 42 }"#), "a status is a number from 100 to 599"),
        (steps(r#"{ "put": "a", "to": "b", "for": "P1D" }"#), "scenarios.json:5: `bytes` is missing"),
        (steps(r#"{ "request": "a", "request": "b" }"#), "the key `request` is there twice"),
        (steps(r#"{ "request": 3 }"#), "expected a text, found `3`"),
        (r#"{ "scenario": "a", "steps": [] }"#.to_owned(), "a scenario without a step shows nothing"),
        (r#"{ "scenario": "a", "stepps": [] }"#.to_owned(), "`steps` is missing"),
        (r#"{ "scenario": }"#.to_owned(), "scenarios.json:3: no JSON"),
    ] {
        let run = play(&scenarios, &[]);
        assert_eq!(run.code, 2, "{scenarios}");
        assert!(run.err.contains(told), "{scenarios}\n{}", run.err);
    }
    let twice = r#"{ "scenario": "a", "steps": [{ "app": "restarts" }] }"#;
    let run = play(&format!("{twice},\n{twice}"), &[]);
    assert!(run.err.contains("scenarios.json:4: another scenario of this file is called `a`, too"), "{}", run.err);
}

#[test]
fn the_verdicts_are_written_as_junit_xml() {
    let folder = tempfile::tempdir().unwrap();
    let report: PathBuf = folder.path().join("report.xml");
    let run = play(
        r#"{ "scenario": "1 < 2 & \"so on\"", "steps": [ { "is_allowed": "sign-in", "effect": "allowed" } ] },
{ "scenario": "later", "waiting": "rights", "steps": [ { "right": "access" } ] },
{ "scenario": "right", "steps": [ { "is_allowed": "sign-in", "effect": "asked" } ] }"#,
        &["--junit", report.to_str().unwrap()],
    );
    assert_eq!(run.code, 1);
    let xml = fs::read_to_string(report).unwrap();
    assert!(xml.contains(r#"<testsuite name="menshen" tests="3" failures="1" errors="0" skipped="1""#), "{xml}");
    assert!(xml.contains(r#"name="1 &lt; 2 &amp; &quot;so on&quot;""#), "{xml}");
    assert!(xml.contains("<failure message=") && xml.contains(r#"<skipped message="rights"/>"#), "{xml}");
    assert!(!xml.contains('\u{1b}'), "{xml}");
}

#[test]
fn the_format_page_has_an_example_that_plays() {
    let page = read("crates/cli/SCENARIOS.md");
    let example = page.split("```json\n").nth(1).unwrap().split("\n```").next().unwrap();
    let folder = tempfile::tempdir_in(root().join("target")).unwrap();
    let path = folder.path().join("example.json");
    let policies = root().canonicalize().unwrap().join("examples/policies");
    let here = example.replace("../../../examples/policies", &policies.display().to_string());
    assert_ne!(here, example);
    fs::write(&path, here).unwrap();
    let run = menshen(&["test", path.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
}

/// The rows of a table of `tests/scenarios/README.md`, each as its cells.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let table = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    table.map(|row| row.trim_matches(['|', ' ']).split(" | ").map(str::trim).collect()).collect()
}

/// Whether a policy's folder has a scenario, written as `file: name`.
fn has_scenario(policy: &str, scenario: &str) -> bool {
    let (file, name) = scenario.split_once(": ").unwrap();
    let file: Value = serde_json::from_str(&read(&format!("tests/scenarios/{policy}/{file}.json"))).unwrap();
    file["scenarios"].as_array().unwrap().iter().any(|one| one["scenario"] == name)
}

#[test]
fn every_phrase_of_the_tables_has_its_place_in_the_document_and_its_scenario() {
    let page = read("tests/scenarios/README.md");
    let sections: Vec<(&str, &str)> = page.split("\n## ").skip(1).filter_map(|one| one.split_once('\n')).collect();
    let (mut phrases, mut stories) = (0, BTreeSet::new());
    for (title, section) in sections {
        if title == "Thirteen stories" {
            for row in rows(section) {
                stories.insert(row[0]);
                assert!(has_scenario(row[1], row[2]), "{row:?}");
            }
            continue;
        }
        let document: Value = serde_json::from_str(&read(&format!("examples/policies/{title}.json"))).unwrap();
        for row in rows(section) {
            phrases += 1;
            for place in row[1].split(", ") {
                let place = place.trim_matches('`');
                assert!(document.pointer(&format!("/{place}")).is_some(), "{title}: {place}");
            }
            for scenario in row[2].split("<br>") {
                assert!(has_scenario(title, scenario), "{title}: {scenario}");
            }
        }
    }
    assert_eq!(stories.len(), 13);
    assert!(phrases >= 60, "{phrases}");
    println!("phrases of the five policies: {phrases}, each with its scenario");
}
