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
use menshen::{Answer, Session, Step};
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
