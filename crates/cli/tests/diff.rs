//! `menshen diff`, as its users run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{POLICIES, Run, menshen, menshen_with, read};

const MINIMAL: &str = "tests/policies/minimal.json";

/// The minimal policy against an edited one.
fn diff(edit: impl Fn(&mut Value), more: &[&str]) -> Run {
    let mut policy: Value = serde_json::from_str(&read(MINIMAL)).unwrap();
    edit(&mut policy);
    menshen_with(&[&["diff", MINIMAL, "-"], more].concat(), &policy.to_string())
}

#[test]
fn a_policy_against_itself_is_the_same() {
    for policy in POLICIES {
        let run = menshen(&["diff", policy, policy]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{policy}");
        assert!(run.out.starts_with("same  "), "{}", run.out);
        assert_eq!(run.out.lines().count(), 1, "{}", run.out);
    }
    // Layout, the order of keys and the schema are no part of it.
    let run = diff(|policy| drop(policy.as_object_mut().unwrap().remove("$schema")), &[]);
    assert_eq!(run.code, 0, "{}", run.out);
}

#[test]
fn other_words_are_editorial() {
    let run = diff(
        |policy| {
            policy["version"] = json!("1.0.1");
            policy["purposes"]["usage-statistics"]["text"]["en"] = json!("Counts calls.");
        },
        &[],
    );
    assert_eq!(run.code, 10);
    let expected = "\
editorial  minimal 1.0.0 to 1.0.1, in effect from 2026-01-01

2 editorial changes
  purpose `usage-statistics`: text has other words (en)
    /purposes/usage-statistics/text
  the version is now `1.0.1`, was `1.0.0`
    /version
";
    assert_eq!(run.out, expected);
}

#[test]
fn a_longer_retention_is_material_and_asks_again() {
    let run = diff(
        |policy| {
            policy["version"] = json!("2.0.0");
            policy["purposes"]["usage-statistics"]["retention"]["duration"] = json!("P90D");
        },
        &[],
    );
    assert_eq!(run.code, 20);
    assert!(run.out.starts_with("material  minimal 1.0.0 to 2.0.0"), "{}", run.out);
    assert!(
        run.out.contains("  purpose `usage-statistics`: time on the device is now `P90D`, was `P30D`\n"),
        "{}",
        run.out
    );
    assert!(run.out.contains("\n  usage-statistics  again, everywhere"), "{}", run.out);
    assert!(!run.out.contains("refuses"), "{}", run.out);
}

#[test]
fn the_same_rules_written_in_another_way_are_a_new_version() {
    let run = diff(|policy| policy["categories"]["user.behavior"]["sensitive"] = json!(false), &[]);
    assert_eq!(run.code, 10, "{}", run.out);
    assert!(run.out.contains("the same rules, written in another way: the policy has another hash"), "{}", run.out);
}

#[test]
fn a_version_that_the_library_would_refuse_is_told() {
    let run = diff(|policy| policy["notice"]["title"]["en"] = json!("Privacy, briefly"), &[]);
    assert!(run.out.ends_with("\nthe library refuses it: version 1.0.0 does not come after 1.0.0\n"), "{}", run.out);
    let run = menshen(&["diff", POLICIES[0], POLICIES[1]]);
    assert_eq!(run.code, 20);
    assert!(run.out.contains("it is the policy `huirongke`, not a version of `generic`"), "{}", run.out);
}

#[test]
fn json_says_the_same() {
    let run = diff(
        |policy| {
            policy["version"] = json!("2.0.0");
            policy["purposes"]["usage-statistics"]["retention"]["duration"] = json!("P90D");
        },
        &["--format", "json"],
    );
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &answer["verdict"], &answer["refused"]), (20, &json!("material"), &Value::Null));
    assert_eq!(answer["differences"][0]["weight"], "material");
    assert_eq!(answer["differences"][0]["pointer"], "/purposes/usage-statistics/retention/duration");
    assert_eq!(answer["asking"][0]["purpose"], "usage-statistics");
    assert_eq!(answer["asking"][0]["again"], true);
    assert_ne!(answer["old"]["hash"], answer["new"]["hash"]);
}

#[test]
fn a_wrong_version_is_compared_with_nothing() {
    let run = menshen_with(&["diff", MINIMAL, "-"], "{");
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("`stdin` is not a right policy\nerror[syntax]"), "{}", run.err);
}
