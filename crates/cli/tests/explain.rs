//! `menshen explain`, as its users run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::Value;
use support::{POLICIES, menshen, read};

const FAMILY: &str = "examples/policies/justalk-family.json";

fn explain(arguments: &[&str]) -> String {
    let run = menshen(&[&["explain"], arguments, &["--on", "2026-11-25"]].concat());
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    run.out
}

fn verdict(arguments: &[&str]) -> String {
    let answer: Value = serde_json::from_str(&explain(&[arguments, &["--format", "json"]].concat())).unwrap();
    answer["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn a_denial_names_every_rule_that_spoke_its_clause_and_how_long_it_holds() {
    let answer = explain(&[FAMILY, "--feature", "share-location", "--born", "2014-03", "--in", "DE"]);
    let as_of = menshen_policy_date("eu");
    let expected = format!(
        "\
deny  share-location                                    until 2027-04, when the person is surely 13
      deny      under-13            age 12 < 13         001 ¶101
      guardian  eu/digital-consent  age 12 < 16         GDPR art. 8; where a member state's age is not listed here, 16 holds
      ask       share-location      consent: not asked  001 ¶12, ¶22 · GDPR art. 6(1)(a)
      and the system permission for location.precise, asked after the purposes are allowed
justalk-family 1.0.0 with law packs eu of {as_of}, decided for 2026-11-25
"
    );
    assert_eq!(answer, expected);
}

/// The day of a law pack.
fn menshen_policy_date(pack: &str) -> String {
    let pack: Value = serde_json::from_str(&read(&format!("crates/policy/packs/{pack}.json"))).unwrap();
    pack["as_of"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_not_told_is_unknown_and_said_to_be() {
    let answer = explain(&[FAMILY, "--feature", "share-location"]);
    assert!(answer.starts_with("deny  share-location\n"), "{answer}");
    assert!(answer.contains("age unknown, < 13, place unknown"), "{answer}");
    assert!(answer.contains("the age and the place are unknown; the person is asked first"), "{answer}");
    // With both of them known, nothing is.
    let answer = explain(&[FAMILY, "--feature", "share-location", "--born", "1990-01", "--in", "DE"]);
    assert!(answer.starts_with("ask  share-location") && !answer.contains("unknown"), "{answer}");
    assert!(answer.contains("the person is asked, kind of consent: separate"), "{answer}");
}

#[test]
fn an_answer_changes_the_decision_as_far_as_it_may() {
    let about = [FAMILY, "--purpose", "advertising", "--born", "1990-01", "--in", "CN"];
    let with = |more: &[&str]| verdict(&[&about[..], more].concat());
    assert_eq!(with(&[]), "ask");
    assert_eq!(with(&["--answered", "yes"]), "allow");
    assert_eq!(with(&["--answered", "no"]), "deny");
    assert_eq!(with(&["--answered", "withdrawn"]), "deny");
    assert_eq!(with(&["--answered", "yes", "--objected"]), "deny");
    assert_eq!(with(&["--answered", "yes", "--before-notice"]), "deny");
    // A child's own yes is not a guardian's.
    let child = ["tests/policies/minimal.json", "--purpose", "share-location", "--born", "2014-03", "--in", "CN"];
    assert_eq!(verdict(&[&child[..], &["--answered", "yes"]].concat()), "ask");
    assert_eq!(verdict(&[&child[..], &["--answered", "yes", "--by", "guardian"]].concat()), "allow");
}

#[test]
fn a_feature_is_as_strict_as_its_strictest_purpose() {
    let answer = explain(&[FAMILY, "--feature", "sign-up", "--born", "1990-01", "--in", "DE"]);
    assert!(answer.starts_with("allow  sign-up\n  allow  account\n"), "{answer}");
    assert!(answer.contains("\n  allow  public-profile\n"), "{answer}");
}

#[test]
fn an_event_is_decided_by_its_purpose() {
    let answer = explain(&["tests/policies/minimal.json", "--event", "call_ended", "--born", "1990-01", "--in", "DE"]);
    assert!(answer.starts_with("ask  call_ended\n  ask  usage-statistics\n"), "{answer}");
}

#[test]
fn a_consent_that_ends_by_itself_says_when() {
    let about = ["tests/policies/minimal.json", "--purpose", "usage-statistics", "--born", "1990-01", "--in", "CN"];
    let answer = explain(&[&about[..], &["--answered", "yes"]].concat());
    let first = answer.lines().next().unwrap();
    assert!(first.starts_with("allow  usage-statistics  "), "{answer}");
    assert!(first.ends_with("  until 2027-11-25, when the consent ends"), "{answer}");
}

#[test]
fn json_has_the_same_rules_with_the_identity_of_what_decided() {
    let out = explain(&[FAMILY, "--feature", "share-location", "--born", "2014-03", "--in", "DE", "--format", "json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["about"]["feature"], "share-location");
    assert_eq!(answer["valid_until"], "2027-04-01");
    let rules = answer["purposes"][0]["rules"].as_array().unwrap();
    let names: Vec<&str> = rules.iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    assert_eq!(names, ["under-13", "eu/digital-consent", "share-location"]);
    assert_eq!(answer["identity"]["policy_hash"].as_str().unwrap().len(), 64);
    assert_eq!(answer["identity"]["law_packs"][0]["id"], "eu");
}

#[test]
fn everything_in_the_five_policies_can_be_explained() {
    for policy in POLICIES {
        let document: Value = serde_json::from_str(&read(policy)).unwrap();
        let mut asked = 0;
        for (group, option) in [("features", "--feature"), ("purposes", "--purpose"), ("events", "--event")] {
            for id in document[group].as_object().into_iter().flatten().map(|(id, _)| id) {
                let answer = explain(&[policy, option, id, "--in", "CN"]);
                assert!(answer.contains(id), "{policy}: {answer}");
                asked += 1;
            }
        }
        assert!(asked > 10, "{policy}");
    }
}

#[test]
fn a_misspelt_name_is_told_the_right_one() {
    let run = menshen(&["explain", FAMILY, "--feature", "share-locaton"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    let expected = "menshen: the policy has no feature `share-locaton`; did you mean `share-location`?\n";
    assert_eq!(run.err, expected);
    for (arguments, complaint) in [
        (["--in", "EU"], "expected a place such as `DE` or `US-CA`"),
        (["--born", "2014"], "expected a month such as 2014-03"),
        (["--on", "1.1.2026"], "expected a day such as 2026-12-01"),
    ] {
        let run = menshen(&[&["explain", FAMILY, "--purpose", "calls"], &arguments[..]].concat());
        assert_eq!(run.code, 2);
        assert!(run.err.contains(complaint), "{}", run.err);
    }
}

#[test]
fn a_wrong_policy_explains_nothing() {
    let run = support::menshen_with(&["explain", "-", "--feature", "x"], "{}");
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.starts_with("menshen: `stdin` is not a right policy\nerror[missing-key]"), "{}", run.err);
}
