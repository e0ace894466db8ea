//! `menshen preview`: what stands on the page. How it looks in a browser is checked by `cargo xtask preview`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{menshen, menshen_with, read};

const MINIMAL: &str = "tests/policies/minimal.json";

fn preview(arguments: &[&str]) -> String {
    let run = menshen(&[&["preview"], arguments].concat());
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    run.out
}

fn minimal() -> Value {
    serde_json::from_str(&read(MINIMAL)).unwrap()
}

#[test]
fn every_purpose_that_asks_stands_on_the_page_in_every_locale_and_the_policy_in_full() {
    let (page, policy) = (preview(&[MINIMAL]), minimal());
    let texts = |keyed: &str| policy[keyed].as_object().unwrap().values().cloned().collect::<Vec<Value>>();
    for purpose in texts("purposes").iter().filter(|purpose| purpose["legal_basis"] == "consent") {
        for text in purpose["text"].as_object().unwrap().values() {
            // Once where it is asked for, once in the policy.
            assert!(page.matches(text.as_str().unwrap()).count() >= 2, "{text}");
        }
    }
    for text in texts("features").iter().flat_map(|feature| feature["refused"].as_object().unwrap().values()) {
        assert!(page.contains(text.as_str().unwrap()), "{text}");
    }
    assert!(
        page.contains(r#"<section class="locale" id="zh-Hans">"#) && page.contains("允许") && page.contains("不允许")
    );
}

#[test]
fn the_page_is_the_same_each_time_fetches_nothing_and_runs_nothing() {
    let page = preview(&[MINIMAL]);
    assert_eq!(page, preview(&[MINIMAL]));
    assert!(page.contains("default-src 'none'"));
    for outside in ["<script", "<link", "<img", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_text_of_the_policy_is_shown_and_never_run() {
    let mut policy = minimal();
    let hostile = r#"5 > 3 & "so" on"#;
    policy["notice"]["body"]["en"] = json!(hostile);
    let run = menshen_with(&["preview", "-"], &policy.to_string());
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("5 &gt; 3 &amp; &quot;so&quot; on") && !run.out.contains(hostile));
}

#[test]
fn a_no_never_takes_more_taps_than_a_yes() {
    for policy in support::POLICIES {
        let page = preview(&[policy, "--in", "CN", "--in", "DE"]);
        let taps = |of: &str, flow: &str| -> usize {
            flow.split_once(&format!("data-{of}=\"")).unwrap().1.split('"').next().unwrap().parse().unwrap()
        };
        let flows: Vec<&str> = page.split("class=\"flow\"").skip(1).collect();
        assert!(flows.len() > 3, "{policy}");
        for flow in flows {
            assert!(taps("refuse", flow) <= taps("accept", flow).max(1), "{policy}: {}", flow.lines().next().unwrap());
        }
    }
}

#[test]
fn whoever_agreed_to_an_earlier_version_is_shown_what_changed() {
    let mut next = minimal();
    next["version"] = json!("2.0.0");
    next["effective_from"] = json!("2026-02-01");
    let purpose = next["purposes"]["usage-statistics"].clone();
    next["purposes"]["crash-reports"] = purpose;
    next["purposes"]["crash-reports"]["name"]["en"] = json!("Crash reports");
    let run = menshen_with(&["preview", "-", "--before", MINIMAL, "--in", "DE"], &next.to_string());
    assert_eq!(run.code, 0, "{}", run.err);
    let changed = run.out.split("A changed policy").nth(1).expect("the prompt");
    assert!(changed.contains("Crash reports"));
    assert!(!preview(&[MINIMAL]).contains("A changed policy"));
}

#[test]
fn a_policy_that_is_not_right_is_told_and_nothing_is_written() {
    let page = std::env::temp_dir().join(format!("menshen-preview-{}.html", std::process::id()));
    let run = menshen_with(&["preview", "-", "-o", page.to_str().unwrap()], "{}");
    assert_eq!(run.code, 2);
    assert!(run.err.contains("is not a right policy") && !page.exists(), "{}", run.err);
}
