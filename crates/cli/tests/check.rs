//! `menshen check`, as its users run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::Value;
use support::{POLICIES, damaged_policies, menshen, menshen_with, read};

/// The line of the first policy that holds a word, counted from 1.
fn line_of(word: &str) -> usize {
    read(POLICIES[0]).lines().position(|line| line.contains(word)).unwrap() + 1
}

/// How many findings the first policy is known to have.
fn known_findings() -> usize {
    read("examples/policies/generic.findings.txt").matches("finding[").count()
}

#[test]
fn a_right_policy_ends_with_what_was_found() {
    let run = menshen(&["check", "examples/policies/generic.json"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.starts_with("finding[cn/breach-notice]: the policy promises no `breach` notice (PIPL art. 57)\n"));
    let line = line_of("\"inbound_notices\"");
    let place = format!("   --> examples/policies/generic.json:{line}:3   /inbound_notices\n");
    assert!(run.out.contains(&place), "{}", run.out);
    assert!(run.out.ends_with(&format!("\n0 errors, {} findings\n", known_findings())), "{}", run.out);
}

#[test]
fn findings_fail_only_where_they_are_denied() {
    let policy = POLICIES[0];
    assert_eq!(menshen(&["check", policy]).code, 0);
    assert_eq!(menshen(&["check", "--deny", "findings", policy]).code, 1);
    // A policy without findings passes even so.
    let right = read("tests/policies/minimal.json")
        .replace(", \"purposes\": [\"share-location\"], \"legal_bases\": [\"consent\"]", "");
    let run = menshen_with(&["check", "--deny", "findings", "--law", "us-coppa", "-"], &right);
    assert_eq!((run.code, run.out.as_str()), (0, "0 errors, 0 findings\n"));
}

#[test]
fn law_packs_are_chosen_and_a_misspelt_one_is_told_its_name() {
    let ids = |law: &[&str]| {
        let run = menshen(&[&["check", "--format", "json", POLICIES[0]], law].concat());
        let answer: Value = serde_json::from_str(&run.out).unwrap();
        let findings = answer["files"][0]["findings"].as_array().unwrap().iter();
        findings
            .map(|finding| finding["id"].as_str().unwrap().split('/').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(ids(&["--law", "eu"]).iter().all(|pack| pack == "eu" || pack == "policy"));
    let both = ids(&["--law", "cn,eu"]);
    assert!(both.iter().any(|pack| pack == "cn") && both.iter().any(|pack| pack == "eu"));
    assert!(!both.iter().any(|pack| pack == "us-ca"));

    let run = menshen(&["check", "--law", "cn,euu", POLICIES[0]]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert_eq!(run.err, "menshen: `euu` is not a law pack; did you mean `eu`?\n");
    let run = menshen(&["check", "--law", "atlantis", POLICIES[0]]);
    assert_eq!(run.err, "menshen: `atlantis` is not a law pack; there are `cn`, `eu`, `us-ca`, `us-coppa`\n");
}

#[test]
fn a_wrong_policy_is_told_all_of_it_with_the_way_out() {
    let policy = read("tests/policies/minimal.json");
    let wrong = policy.replacen("\"recipients\": [\"maker\", \"umeng\"]", "\"recipient\": [\"umeng\"]", 1);
    let run = menshen_with(&["check", "-"], &wrong);
    assert_eq!(run.code, 1);
    let expected = "\
error[unknown-key]: `recipient` is not a key of a purpose
  --> stdin:36:7   /purposes/usage-statistics/recipient
   |
36 |       \"recipient\": [\"umeng\"],
   |       ^^^^^^^^^^^ did you mean `recipients`?

1 error, 0 findings
";
    assert_eq!(run.out, expected);
}

#[test]
fn every_damaged_policy_is_an_error_in_every_format_and_never_a_panic() {
    let damaged = damaged_policies();
    assert!(damaged.len() >= 100, "{}", damaged.len());
    for (title, policy) in damaged {
        let text = menshen_with(&["check", "-"], &policy);
        assert_eq!((text.code, text.err.as_str()), (1, ""), "{title}");
        assert!(text.out.starts_with("error["), "{title}: {}", text.out);
        let json = menshen_with(&["check", "--format", "json", "-"], &policy);
        let answer: Value = serde_json::from_str(&json.out).unwrap();
        assert!(answer["errors"].as_u64() >= Some(1), "{title}");
        let sarif = menshen_with(&["check", "--format", "sarif", "-"], &policy);
        let log: Value = serde_json::from_str(&sarif.out).unwrap();
        assert_eq!(log["runs"][0]["results"][0]["level"], "error", "{title}");
    }
}

#[test]
fn several_policies_are_checked_at_once_and_counted_together() {
    let run = menshen(&[&["check"], &POLICIES[..]].concat());
    let single = |policy: &&str| {
        let answer: Value = serde_json::from_str(&menshen(&["check", "--format", "json", policy]).out).unwrap();
        answer["findings"].as_u64().unwrap()
    };
    let sum: u64 = POLICIES.iter().map(single).sum();
    assert!(run.out.ends_with(&format!("\n0 errors, {sum} findings in 5 files\n")), "{}", run.out);
}

#[test]
fn json_says_what_the_text_says() {
    let run = menshen(&["check", "--format", "json", POLICIES[0]]);
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(answer["format"], "menshen/check/0");
    assert_eq!((&answer["errors"], &answer["findings"]), (&0.into(), &known_findings().into()));
    let first = &answer["files"][0]["findings"][0];
    assert_eq!(first["id"], "cn/breach-notice");
    assert_eq!(first["pointer"], "/inbound_notices");
    assert_eq!(
        (&first["line"], &first["column"], &first["width"]),
        (&line_of("\"inbound_notices\"").into(), &3.into(), &17.into())
    );
}

#[test]
fn sarif_names_the_rule_the_file_and_the_place_of_each_result() {
    let run = menshen(&["check", "--format", "sarif", POLICIES[0], POLICIES[1]]);
    let log: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let driver = &log["runs"][0]["tool"]["driver"];
    assert_eq!(driver["name"], "menshen");
    let rules = driver["rules"].as_array().unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() > 20);
    for result in results {
        let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[at]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert!(POLICIES[..2].contains(&place["artifactLocation"]["uri"].as_str().unwrap()));
        let column = |key: &str| place["region"][key].as_u64().unwrap();
        assert!(column("startLine") >= 1 && column("endColumn") > column("startColumn"));
        assert_eq!(result["level"], "warning");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
    }
    // A rule of law says what it demands.
    let breach = rules.iter().find(|rule| rule["id"] == "cn/breach-notice").unwrap();
    assert!(breach["shortDescription"]["text"].as_str().unwrap().len() > 20);
}

#[test]
fn a_file_that_is_not_there_is_a_failure_and_not_a_finding() {
    let run = menshen(&["check", "no/such.json"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert_eq!(run.err, "menshen: `no/such.json` cannot be read: there is no such file\n");
    let run = menshen(&["check", "examples"]);
    assert_eq!((run.code, run.err.as_str()), (2, "menshen: `examples` cannot be read: it is a folder\n"));
}

#[test]
fn colours_come_only_where_they_are_wanted() {
    let plain = menshen(&["check", POLICIES[0]]).out;
    let coloured = menshen(&["--color", "always", "check", POLICIES[0]]).out;
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[1m\u{1b}[33mfinding[cn/breach-notice]\u{1b}[0m"));
    // Without its colours it is the same text.
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    assert_eq!(stripped + rest, plain);
}
