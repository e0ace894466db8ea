//! The law packs: every rule of them is in the table of `packs/README.md`, what the engine does about it, and what the
//! checker finds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use std::collections::BTreeSet;
use std::path::Path;

use menshen_policy::document::{ConsentKind, Giver, Place};
use menshen_policy::{AgeBand, Consent, Finding, Month, Policy, Question, Verdict, packs};
use serde_json::{Value, json};

const NOW_MS: i64 = 1_800_000_000_000;
const TABLE: &str = include_str!("../packs/README.md");

fn policy(change: impl Fn(&mut Value)) -> Policy {
    let mut document: Value = serde_json::from_slice(include_bytes!("../../../tests/vectors/policy.json")).unwrap();
    change(&mut document);
    Policy::read(document.to_string().as_bytes()).unwrap()
}

/// Whom the policy asks at a place, for a person born in a month, when nobody answered yet.
fn asked(policy: &Policy, purpose: &str, at: &str, born: &str) -> (Verdict, Giver, ConsentKind) {
    let question = Question {
        purpose: policy.purpose_id(purpose).unwrap(),
        age: Some(AgeBand::of(Month::parse(born).unwrap(), Month::at(NOW_MS), policy.thresholds())),
        notice_agreed: true,
        consent: Consent::NotAsked,
        restricted: false,
        now_ms: NOW_MS,
    };
    let rules = policy.rules_in_force(Place::parse(at).ok().as_ref());
    let decision = rules.decide(&question);
    (decision.verdict, decision.asked, decision.kind)
}

/// The rows of the table: its first cell, and the names of tests in its last one.
fn table() -> Vec<(&'static str, Vec<&'static str>)> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| ") && line.chars().nth(3) == Some('-'));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 7, "{line}");
        (cells[0], cells[6].split('`').skip(1).step_by(2).collect())
    })
    .collect()
}

/// The numbers that a first cell stands for: `P-12 to P-15, P-17`.
fn numbers(cell: &str) -> Vec<String> {
    let one = |text: &str| {
        let (letter, number) = text.trim().split_once('-').unwrap();
        (letter.to_owned(), number.parse::<u32>().unwrap())
    };
    cell.split(',')
        .flat_map(|part| {
            let (first, last) = part.split_once(" to ").unwrap_or((part, part));
            let ((letter, first), (_, last)) = (one(first), one(last));
            (first..=last).map(move |number| format!("{letter}-{number:02}"))
        })
        .collect()
}

/// Every Rust source and every file of vectors under a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "target" | "policies" | "golden") {
            sources(&path, text);
        } else if name.ends_with(".rs") || (name.ends_with(".json") && folder.ends_with("vectors")) {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_rule_of_the_packs_stands_in_the_table_and_every_test_of_the_table_exists() {
    let rows: BTreeSet<String> = table().iter().flat_map(|(cell, _)| numbers(cell)).collect();
    let expected = [("C", 16), ("P", 20), ("I", 13), ("R", 19)];
    let expected = expected.iter().flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}-{n:02}")));
    assert_eq!(rows, expected.collect());
    for pack in packs::built_in().unwrap() {
        for (id, rule) in &pack.rules {
            assert!(!rule.rows.is_empty() && rule.rows.iter().all(|row| rows.contains(row)), "{}/{id}", pack.id);
            assert!(rule.statement.ends_with('.') && rule.source.len() > 5, "{}/{id}", pack.id);
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut text = String::new();
    for folder in ["crates", "tests", "examples"] {
        sources(&root.join(folder), &mut text);
    }
    for (row, tests) in table() {
        for test in tests {
            let names = [format!("fn {test}("), format!("\"name\": \"{test}\", \"steps\"")];
            assert!(names.iter().any(|name| text.contains(name)), "{row}: there is no test `{test}`");
        }
    }
}

#[test]
fn below_fourteen_a_guardian_consents_separately_in_china() {
    let policy = policy(|document| document["rules"] = json!({}));
    // Thirteen and fourteen; now is January 2027.
    let separately = (Verdict::Ask, Giver::Guardian, ConsentKind::Separate);
    assert_eq!(asked(&policy, "messaging", "CN", "2013-06"), separately);
    assert_eq!(asked(&policy, "messaging", "CN", "2012-06").0, Verdict::Allow);
    assert_eq!(asked(&policy, "messaging", "JP", "2013-06").0, Verdict::Allow);
}

#[test]
fn below_thirteen_a_parent_consents_in_the_united_states() {
    let policy = policy(|document| {
        document["rules"] = json!({});
        document["recipients"]["friends"]["type"] = json!("public");
    });
    assert_eq!(asked(&policy, "voice-notes", "US-NY", "2014-06").1, Giver::Guardian);
    assert_eq!(asked(&policy, "voice-notes", "US-NY", "2013-06").1, Giver::Subject);
    let disclosed = (Verdict::Ask, Giver::Guardian, ConsentKind::Separate);
    assert_eq!(asked(&policy, "messaging", "US-NY", "2014-06"), disclosed);
}

#[test]
fn below_sixteen_nothing_is_sold_in_california_without_a_yes() {
    let policy = policy(|document| {
        document["rules"] = json!({});
        document["purposes"]["messaging"]["use"] = json!("third_party_sharing");
    });
    let who = |born| asked(&policy, "messaging", "US-CA", born);
    assert_eq!((who("2014-06").0, who("2014-06").1), (Verdict::Ask, Giver::Guardian), "twelve");
    assert_eq!((who("2012-06").0, who("2012-06").1), (Verdict::Ask, Giver::Subject), "fourteen");
    assert_eq!(who("2009-06").0, Verdict::Allow, "seventeen");
}

#[test]
fn a_contract_carries_no_marketing() {
    let policy = policy(|document| {
        document["purposes"]["messaging"]["use"] = json!("marketing.communications");
        document["purposes"]["messaging"]["necessity"] = json!("additional");
    });
    for (at, verdict) in [("CN", Verdict::Ask), ("DE", Verdict::Ask), ("JP", Verdict::Allow)] {
        assert_eq!(asked(&policy, "messaging", at, "1990-05").0, verdict, "{at}");
    }
}

#[test]
fn reading_the_device_asks_in_europe_whatever_the_interest() {
    let policy = policy(|document| {
        let statistics = &mut document["purposes"]["statistics"];
        statistics["legal_basis"] = json!("legitimate-interest");
        statistics.as_object_mut().unwrap().remove("consent");
        statistics["categories"].as_array_mut().unwrap().push(json!("user.device"));
        document["categories"]["user.device"] = json!({ "name": { "en": "Your device", "zh-Hans": "您的设备" } });
    });
    assert_eq!(asked(&policy, "statistics", "DE", "1990-05").0, Verdict::Ask);
    assert_eq!(asked(&policy, "statistics", "JP", "1990-05").0, Verdict::Allow);
}

#[test]
fn the_strictest_wait_after_a_refusal_counts() {
    let policy = policy(|_| {});
    let at = |place: Option<Place>| {
        let rest = policy.rules_in_force(place.as_ref()).re_ask();
        (rest.wait_ms / 3_600_000, rest.tap_exception, rest.pack)
    };
    assert_eq!(at(Place::parse("JP").ok()), (48, true, None));
    assert_eq!(at(Place::parse("CN").ok()), (48, false, Some("cn")));
    assert_eq!(at(None), (48, false, Some("cn")));
}

fn found(change: impl Fn(&mut Value)) -> Vec<Finding> {
    let mut document: Value = serde_json::from_slice(include_bytes!("../../../tests/policies/complete.json")).unwrap();
    change(&mut document);
    Policy::read(document.to_string().as_bytes()).unwrap().findings(None)
}

/// The findings that a change of a policy adds and takes away, by their ids and pointers.
fn changed(change: impl Fn(&mut Value)) -> (Vec<String>, Vec<String>) {
    let names = |found: Vec<Finding>| -> BTreeSet<String> {
        found.into_iter().map(|finding| format!("{} {}", finding.id, finding.pointer)).collect()
    };
    let (before, after) = (names(found(|_| {})), names(found(change)));
    (after.difference(&before).cloned().collect(), before.difference(&after).cloned().collect())
}

#[track_caller]
fn adds(expected: &[&str], change: impl Fn(&mut Value)) {
    assert_eq!(changed(change).0, expected);
}

#[track_caller]
fn takes_away(expected: &[&str], change: impl Fn(&mut Value)) {
    assert_eq!(changed(change).1, expected);
}

#[test]
fn a_finding_for_each_demand() {
    let continued = ["cn/explicit-acceptance /acceptance/changes", "eu/explicit-acceptance /acceptance/changes"];
    adds(&continued, |document| document["acceptance"]["changes"] = json!("continued-use"));
    adds(&["cn/separate-third-party /purposes/usage-statistics/consent"], |document| {
        document["purposes"]["usage-statistics"]["consent"]["kind"] = json!("general");
    });
    takes_away(&["cn/third-party-particulars /recipients/umeng"], |document| {
        document["recipients"]["umeng"]["contact"] = json!("privacy@umeng.example");
    });
    adds(&["cn/hardware-identifiers /recipients/umeng/identifiers/imei"], |document| {
        document["recipients"]["umeng"]["identifiers"]["imei"]["form"] = json!("keyed-hash");
    });
    adds(&["cn/exceptions-to-rights /exceptions/court-order"], |document| {
        document["exceptions"]["court-order"]["ground"] = json!("vital-interest");
    });
    adds(
        &[
            "cn/exceptions-to-rights /exceptions/court-order",
            "cn/exceptions-to-separate-consent /exceptions/court-order",
        ],
        |document| document["exceptions"]["court-order"]["ground"] = json!("own-interest"),
    );
    adds(&["cn/rights /rights/access", "eu/rights /rights/access"], |document| {
        document["rights"]["access"]["due"] = json!({ "count": 60, "unit": "days", "from": "request" });
    });
    adds(&["cn/breach-notice /inbound_notices", "eu/breach-notice /inbound_notices"], |document| {
        document["inbound_notices"] = json!({});
    });
    let sold = [
        "us-ca/opt-out-signal /purposes/keep-logs",
        "us-ca/sale-below-13 /rules",
        "us-ca/sale-below-16 /purposes/keep-logs/legal_basis",
    ];
    adds(&sold, |document| document["purposes"]["keep-logs"]["use"] = json!("third_party_sharing"));
    adds(
        &[
            "cn/automated-decisions /purposes/usage-statistics/automated",
            "eu/automated-decisions /purposes/usage-statistics/automated",
        ],
        |document| document["purposes"]["usage-statistics"]["automated"]["human_review"] = json!(false),
    );
    adds(&["cn/necessary-data /purposes/usage-statistics/necessity"], |document| {
        document["purposes"]["usage-statistics"]["necessity"] = json!("basic");
    });
    let marketing = |document: &mut Value| {
        document["purposes"]["usage-statistics"]["use"] = json!("marketing.communications");
        document["channels"]["news"].as_object_mut().unwrap().remove("opt_out");
    };
    adds(
        &[
            "cn/marketing-can-be-refused /channels/news",
            "cn/marketing-can-be-refused /purposes/usage-statistics/objection",
            "eu/marketing-can-be-refused /channels/news",
            "eu/marketing-can-be-refused /purposes/usage-statistics/objection",
        ],
        marketing,
    );
    adds(&["cn/no-legitimate-interest /purposes/keep-logs/legal_basis"], |document| {
        document["purposes"]["keep-logs"]["legal_basis"] = json!("legitimate-interest");
        document["purposes"]["keep-logs"]["legal_basis_in"] =
            json!({ "us-ca": "contract", "eu": "contract", "us-coppa": "legal-duty" });
        document["rules"]["under-14"]["when"].as_object_mut().unwrap().remove("purposes");
        document["rules"]["under-14"]["when"].as_object_mut().unwrap().remove("legal_bases");
    });
    let audience = [
        "cn/unknown-subject /subject/age_and_place",
        "eu/unknown-subject /subject/age_and_place",
        "policy/general-audience /subject/age_and_place",
        "us-ca/unknown-subject /subject/age_and_place",
        "us-coppa/unknown-subject /subject/age_and_place",
    ];
    adds(&audience, |document| document["subject"]["age_and_place"] = json!("general-audience"));
}

#[test]
fn a_policy_that_brings_together_what_it_promises_to_keep_apart_is_told() {
    adds(&["policy/never-combine /purposes/share-location"], |document| {
        document["purposes"]["share-location"]["categories"] = json!(["user.location.precise", "user.behavior"]);
    });
}

#[test]
fn a_guardian_who_is_not_asked_for_is_told_and_rules_that_join_are_enough() {
    let without = found(|document| document["rules"] = json!({}));
    let mine = |found: &[Finding]| {
        let told = found.iter().filter(|f| f.pointer == "/rules" && f.message.contains("`usage-statistics`"));
        told.map(|finding| finding.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        mine(&without),
        ["cn/under-14", "eu/digital-consent", "us-coppa/disclosure-under-13", "us-coppa/under-13"]
    );
    let joined = found(|document| {
        let rule = |from: Option<u8>, below: u8, effect: &str| {
            let mut when = json!({ "age_below": below });
            if let Some(from) = from {
                when["age_from"] = json!(from);
            }
            json!({ "effect": effect, "when": when, "text": { "en": "no", "zh-Hans": "否" }, "source": "999 ¶9" })
        };
        document["rules"] = json!({ "under-13": rule(None, 13, "deny"), "teens": rule(Some(13), 16, "guardian") });
    });
    assert_eq!(mine(&joined), Vec::<String>::new());
}

#[test]
fn a_finding_is_drawn_beside_its_line() {
    let text = include_str!("../../../tests/policies/complete.json");
    let policy = Policy::read(text.as_bytes()).unwrap();
    let found = policy.findings(Some(&["cn"]));
    let finding = found.iter().find(|finding| finding.id == "cn/third-party-particulars").unwrap();
    let drawn = finding.render(text, "policy.json");
    let first: Vec<&str> = drawn.lines().take(2).collect();
    assert_eq!(
        first[0],
        "finding[cn/third-party-particulars]: `umeng` decides for itself and is named without a contact (PIPL art. 23)"
    );
    assert!(first[1].ends_with("/recipients/umeng") && drawn.contains("\"umeng\": {"), "{drawn}");
    assert!(found.iter().all(|finding| finding.id.starts_with("cn/") || finding.id.starts_with("policy/")));
}
