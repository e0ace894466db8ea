//! What the flows ask, and what they leave to the app.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, POLICY};
use menshen::journal::DiskError;
use menshen::journal::simulated::Fault;
use menshen::{Answer, Outcome, Remedy, Session, Step, Trigger};
use serde_json::{Value, json};

/// Goes through the first launch with a yes to everything, and gives the names of the steps and of what was offered.
fn launch(session: &Session) -> Vec<String> {
    let mut seen = Vec::new();
    let flow = session.first_launch().unwrap();
    flow.drive(&mut |step: &Step| {
        seen.push(step.name().to_owned());
        match step {
            Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
            Step::Offer(offers) => {
                seen.extend(offers.iter().map(|offer| offer.purpose.clone()));
                Answer::Switches(offers.iter().map(|offer| offer.purpose.clone()).collect())
            }
            _ => Answer::Yes,
        }
    })
    .unwrap();
    seen
}

#[test]
fn a_purpose_may_be_named_as_the_flow_names_its_own_questions() {
    let policy: Value = serde_json::from_slice(POLICY).unwrap();
    let like = policy["purposes"]["statistics"].clone();
    let bench = Bench::under(json!({ "purposes": { "notice": like, "subject": like } }));
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    let seen = launch(&session);
    assert!(seen.contains(&"notice".to_owned()) && seen.contains(&"subject".to_owned()), "{seen:?}");
    assert!(session.is_purpose_allowed("notice") && session.is_purpose_allowed("subject"));
}

#[test]
fn an_age_and_place_that_the_app_supplies_are_not_asked_for() {
    let menshen = Bench::under(json!({ "subject": { "age_and_place": "supplied" } })).open();
    let session = menshen.guest().unwrap();
    let seen = launch(&session);
    assert!(!seen.contains(&"ask-subject".to_owned()), "{seen:?}");
    let Outcome::Denied(denial) = session.request("messages", Trigger::Tap).unwrap().into_outcome().unwrap() else {
        panic!("nobody knows the age yet");
    };
    assert_eq!((denial.code, denial.remedy), ("subject-not-supplied", Remedy::Nothing));
    assert_eq!(denial.text, "Messages is off until the app knows your age and place.");
    assert_eq!(session.why_not("messages").unwrap().unwrap().code, "subject-not-supplied");

    session.supply_subject("1990-05", "JP").unwrap();
    assert!(session.is_allowed("messages"));
}

#[test]
fn a_policy_that_takes_signing_in_or_use_as_agreement_is_asked_for_all_the_same() {
    for mode in ["login", "continued-use"] {
        let menshen = Bench::under(json!({ "acceptance": { "mode": mode } })).open();
        let session = menshen.guest().unwrap();
        assert!(!session.is_allowed("messages"), "{mode}");
        let flow = session.request("messages", Trigger::Tap).unwrap();
        assert!(matches!(flow.step(), Step::Show(prompt) if prompt.kind == menshen::PromptKind::Notice), "{mode}");
    }
}

/// A text of so many characters in place of the notice's.
fn long_notice(characters: usize) -> Value {
    json!({ "notice": { "body": { "en": "a".repeat(characters) } } })
}

#[test]
fn a_policy_that_can_be_read_can_be_agreed_to_and_a_longer_one_is_refused_when_it_is_read() {
    let menshen = Bench::under(long_notice(230_000)).open();
    let session = menshen.guest().unwrap();
    launch(&session);
    assert!(session.is_allowed("messages"));

    let Err(menshen::Error::Policy(errors)) = Bench::under(long_notice(300_000)).try_open() else { panic!("too long") };
    assert_eq!(errors.iter().map(|error| error.code()).collect::<Vec<_>>(), ["too-large"]);
}

#[test]
fn what_china_asks_for_beyond_the_policy_is_said_and_can_be_asked() {
    let statistics = json!({ "legal_basis": "legitimate-interest", "consent": null });
    let menshen = Bench::under(json!({ "jurisdictions": ["cn"], "purposes": { "statistics": statistics } })).open();
    let session = menshen.guest().unwrap();
    launch(&session);
    let denial = |session: &Session| {
        let purposes = session.purposes().unwrap();
        purposes.into_iter().find(|purpose| purpose.purpose == "statistics").unwrap().denial.unwrap()
    };
    let before = denial(&session);
    assert_eq!((before.code, before.remedy), ("no-legitimate-interest", Remedy::Request));
    assert_eq!(before.text, "Statistics needs your consent where you live. It asks when you use it.");

    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::No).unwrap();
    let refused = denial(&session);
    assert_eq!((refused.code, refused.remedy), ("consent-withdrawn", Remedy::Settings));
}

#[test]
fn a_lost_key_of_the_account_is_not_told_as_one_that_is_asked_for_again() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    for alias in menshen::KeyProvider::list(&bench.keys).unwrap() {
        menshen::KeyProvider::destroy(&bench.keys, &alias).unwrap();
    }
    let Ok(menshen) = bench.try_open() else { return };
    let session = menshen.guest().unwrap();
    let denial = session.why_not("messages").unwrap().unwrap();
    assert_eq!((denial.code, denial.remedy), ("account-key-lost", Remedy::Nothing));
    assert_eq!(denial.text, "Messages is off because the key to your answers is gone from this device.");
}

#[test]
fn switches_that_could_not_be_written_are_shown_again_and_the_written_ones_are_not() {
    let policy: Value = serde_json::from_slice(POLICY).unwrap();
    let like = policy["purposes"]["statistics"].clone();
    let bench = Bench::under(json!({ "purposes": { "first": like, "second": like } }));
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    let mut flow = session.first_launch().unwrap();
    loop {
        let answer = match flow.step() {
            Step::Offer(_) => break,
            Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
            _ => Answer::Yes,
        };
        flow.answer(answer).unwrap();
    }
    let offered = |flow: &menshen::Flow| match flow.step() {
        Step::Offer(offers) => offers.iter().map(|offer| offer.purpose.clone()).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let all = offered(&flow);
    assert!(all.len() >= 3);
    let mut left = all.clone();
    for operations in 0.. {
        bench.disk.set_fault(Some(Fault::From(operations, DiskError::Full)));
        let answered = flow.answer(Answer::Switches(Vec::new())).map(|_| ());
        bench.disk.set_fault(None);
        if answered.is_ok() {
            break;
        }
        let now = offered(&flow);
        assert!(left.ends_with(&now), "{now:?} of {left:?}");
        left = now;
    }
    assert!(left.len() < all.len(), "some were written before the disk was full");
}

#[test]
fn a_consent_that_the_law_wants_separate_is_asked_for_on_a_sheet_of_its_own() {
    let general = json!({ "consent": { "kind": "general", "given_by": "subject" } });
    let advertising = |place: &str| {
        let bench = Bench::under(json!({
            "purposes": { "advertising": general }, "recipients": { "ads": { "type": "controller" } }
        }));
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        session.supply_subject("1990-05", place).unwrap();
        let mut kinds = Vec::new();
        let flow = session.first_launch().unwrap();
        flow.drive(&mut |step: &Step| match step {
            Step::Show(prompt) => {
                kinds.push((prompt.purpose.clone(), prompt.kind));
                Answer::Yes
            }
            Step::Offer(offers) => Answer::Switches(offers.iter().map(|offer| offer.purpose.clone()).collect()),
            _ => Answer::No,
        })
        .unwrap();
        assert!(session.is_purpose_allowed("advertising"), "{place}");
        kinds.into_iter().any(|(purpose, kind)| {
            purpose.as_deref() == Some("advertising") && kind == menshen::PromptKind::SeparateConsent
        })
    };
    assert!(!advertising("JP"), "a switch does");
    assert!(advertising("CN"), "its own sheet, and the yes counts");
}
