//! The rights of the person: what they close here, how the controller hears of them, and how they stand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, agree, erases, is_denied, record, send_all};
use menshen::journal::DiskError;
use menshen::journal::simulated::Fault;
use menshen::{
    Answer, Exercised, Outcome, PromptKind, Recorded, Right, RightRequest, RightState, Session, Step, TransportReply,
    fields,
};
use serde_json::{Value, json};

/// The tests' policy with rights, an account's among them.
fn bench() -> Bench {
    let right = |due: Value| {
        json!({
            "way": { "en": "In the settings.", "zh-Hans": "在设置中。" }, "verification": false,
            "due": due, "source": "999 ¶30",
        })
    };
    let soon = json!({ "count": 15, "unit": "days", "from": "request" });
    Bench::under(json!({
        "rights": {
            "access": right(soon.clone()), "correct": right(soon.clone()), "delete": right(soon.clone()),
            "withdraw": right(soon.clone()), "close-account": right(soon.clone()), "complain": right(Value::Null),
            "human-review": right(soon),
        },
        "purposes": { "statistics": { "automated": {
            "text": { "en": "A program counts.", "zh-Hans": "程序统计。" },
            "significant": true, "human_review": true, "source": "999 ¶31",
        } } },
    }))
}

fn use_right(session: &Session, request: RightRequest) -> Exercised {
    match session.exercise(request).unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap() {
        Outcome::Exercised(exercised) => exercised,
        other => panic!("{other:?}"),
    }
}

/// The demands that go to the controller now.
fn demands(session: &Session) -> Vec<Value> {
    let rights = send_all(session).into_iter().filter(|sent| sent.request.url.ends_with("/rights"));
    rights.map(|sent| serde_json::from_slice(&sent.request.body).unwrap()).collect()
}

#[test]
fn a_demand_goes_to_the_controller_with_its_due_date_and_stands_as_acknowledged() {
    let bench = bench();
    let menshen = bench.open();
    let session = menshen.session("u-1").unwrap();
    agree(&session);
    let _ = use_right(&session, RightRequest::Access);
    let standing = session.right_records().unwrap().remove(0);
    assert_eq!((standing.state, standing.due.as_deref()), (RightState::Waiting, Some("2027-01-30")));
    assert_eq!(standing.text, "Your request (access to my data) is not sent yet; uninstalling the app loses it.");
    let letter = standing.letter.unwrap();
    assert_eq!(letter.to, "privacy@example.com");
    assert!(letter.body.contains("Account: u-1") && letter.body.contains(&standing.id), "{}", letter.body);

    let told = demands(&session);
    assert_eq!(
        told,
        [json!({
            "type": "right", "right": "access", "account": "u-1", "due": "2027-01-30", "policy": menshen.policy().hash(),
        })]
    );
    let standing = session.right_records().unwrap().remove(0);
    assert_eq!((standing.state, standing.letter), (RightState::Acknowledged, None));
    assert_eq!(standing.text, "Your request (access to my data) was received. The answer is due by 2027-01-30.");
}

#[test]
fn two_names_of_a_person_are_never_in_one_message() {
    let bench = bench();
    let menshen = bench.open();
    let session = menshen.session("u-1").unwrap();
    agree(&session);
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(session.record("message_sent", fields! { "length" => 5 }).unwrap(), Recorded::Buffered);
    send_all(&session);
    let _ = use_right(&session, RightRequest::Access);
    let told = demands(&session);
    let named = |key: &str| told.iter().filter(|one| one.get(key).is_some()).count();
    assert_eq!((told.len(), named("account"), named("pseudonym")), (3, 1, 2));
    assert!(told.iter().all(|one| one.get("account").is_none() || one.get("pseudonym").is_none()));
}

#[test]
fn deleting_offers_a_copy_first_and_reaches_everything_but_what_a_statute_demands() {
    let bench = bench();
    let menshen = bench.open();
    let session = menshen.session("u-1").unwrap();
    agree(&session);
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(session.record("log_kept", fields! { "code" => 1 }).unwrap(), Recorded::Buffered);
    send_all(&session);
    let mut shown = Vec::new();
    let outcome = session.exercise(RightRequest::Delete).unwrap().drive(&mut |step: &Step| {
        if let Step::Show(prompt) = step {
            shown.push(prompt.clone());
        }
        Answer::Yes
    });
    assert!(matches!(outcome.unwrap(), Outcome::Exercised(Exercised::Done { .. })));
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].kind, PromptKind::Right);
    let told: Vec<&str> = shown[0].particulars.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(told[1], "Logs that the law demands (Example Act s. 1)");
    assert!(told[0].contains("copy"), "{told:?}");

    let allowed: Vec<String> =
        session.purposes().unwrap().into_iter().filter(|one| one.allowed).map(|one| one.purpose).collect();
    assert_eq!(allowed, ["keep-logs"]);
    let sent = send_all(&session);
    assert_eq!(erases(&sent).len(), 1, "the receiver of the statistics is asked to erase them");
    let rights: Vec<_> = sent.iter().filter(|sent| sent.request.url.ends_with("/rights")).collect();
    assert_eq!(rights.len(), 1);
    let shredded: std::collections::BTreeSet<String> = session.maintain().unwrap().shredded.into_iter().collect();
    assert!(shredded.contains("statistics") && shredded.contains("messaging") && !shredded.contains("keep-logs"));
    assert_eq!(session.record("log_kept", fields! { "code" => 2 }).unwrap(), Recorded::Buffered);
}

#[test]
fn a_demand_survives_the_deletion_that_it_asks_for_and_a_restart() {
    let bench = bench();
    let menshen = bench.open();
    let session = menshen.session("u-1").unwrap();
    agree(&session);
    let _ = use_right(&session, RightRequest::Delete);
    session.maintain().unwrap();
    drop((session, menshen));
    let session = bench.open().session("u-1").unwrap();
    let refuse = TransportReply::Response { status: 500, headers: Vec::new(), body: Vec::new(), complete: true };
    let upload = session.next_upload().unwrap().unwrap();
    session.upload_finished(upload.id, &refuse).unwrap();
    assert_eq!(session.right_records().unwrap()[0].state, RightState::Waiting);
    bench.clock.advance(60_000);
    let told = demands(&session);
    assert_eq!((told.len(), &told[0]["right"]), (1, &json!("delete")));
    assert_eq!(session.right_records().unwrap()[0].state, RightState::Acknowledged);
}

#[test]
fn somebody_who_cancels_has_deleted_nothing() {
    let (_menshen, session) = bench().agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    let outcome = session.exercise(RightRequest::Delete).unwrap().drive(&mut |_: &Step| Answer::No).unwrap();
    assert!(matches!(outcome, Outcome::Finished { .. }));
    assert_eq!(session.waiting_records("statistics").unwrap(), 1);
    assert!(session.right_records().unwrap().is_empty());
}

#[test]
fn withdrawing_everything_ends_every_consent_and_leaves_what_rests_on_a_contract() {
    let (_menshen, session) = bench().agreed();
    let _ = use_right(&session, RightRequest::WithdrawAll);
    let allowed: Vec<String> =
        session.purposes().unwrap().into_iter().filter(|one| one.allowed).map(|one| one.purpose).collect();
    assert_eq!(allowed, ["keep-logs", "messaging"]);
}

#[test]
fn refusing_marketing_closes_it_also_where_nobody_asked_yet() {
    let bench = bench();
    let session = bench.open().guest().unwrap();
    session
        .first_launch()
        .unwrap()
        .drive(&mut |step: &Step| match step {
            Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
            Step::Offer(_) => Answer::Switches(vec!["statistics".into()]),
            _ => Answer::Yes,
        })
        .unwrap();
    assert!(session.is_purpose_allowed("advertising"));
    let _ = use_right(&session, RightRequest::RefuseMarketing);
    assert!(!session.is_purpose_allowed("advertising"));
    assert!(session.is_purpose_allowed("statistics"));
}

#[test]
fn a_closed_account_is_closed_whole_and_still_sends_what_it_owes() {
    let bench = bench();
    let menshen = bench.open();
    let session = menshen.session("u-1").unwrap();
    agree(&session);
    assert_eq!(record(&session), Recorded::Buffered);
    send_all(&session);
    let _ = use_right(&session, RightRequest::CloseAccount);
    assert!(is_denied(&record(&session), "account-closed"));
    assert!(is_denied(&session.record("log_kept", fields! { "code" => 1 }).unwrap(), "account-closed"));
    let sent: Vec<String> = send_all(&session).into_iter().map(|sent| sent.request.url).collect();
    assert_eq!(sent, ["https://collector.example/v1/logs/erase", "https://collector.example/v1/logs/rights"]);
    drop((session, menshen));
    let menshen = bench.open();
    let session = menshen.session("u-1").unwrap();
    assert!(is_denied(&record(&session), "account-closed"));
    // The guest and other accounts are not touched, and a guest has no account to close.
    let guest = menshen.guest().unwrap();
    agree(&guest);
    assert_eq!(record(&guest), Recorded::Buffered);
    assert_eq!(guest.exercise(RightRequest::CloseAccount).unwrap_err().code(), "undeclared");
}

#[test]
fn what_neither_policy_nor_law_gives_cannot_be_used_but_a_no_always_can() {
    let (_menshen, session) = Bench::new().agreed();
    let undeclared = |request| session.exercise(request).unwrap_err().code();
    assert_eq!(undeclared(RightRequest::Access), "undeclared");
    let review = RightRequest::HumanReview { purpose: "statistics".into(), text: "Why?".into() };
    assert_eq!(undeclared(review), "undeclared");
    let _ = use_right(&session, RightRequest::RefuseSale);
    let _ = use_right(&session, RightRequest::Restrict { purpose: "statistics".into() });
    let _ = use_right(&session, RightRequest::Object { purpose: "messaging".into() });
    let _ = use_right(&session, RightRequest::WithdrawAll);
    let _ = use_right(&session, RightRequest::Delete);
}

#[test]
fn a_law_gives_rights_that_the_policy_forgot_with_the_time_that_it_demands() {
    let bench = Bench::new();
    let session = bench.open().guest().unwrap();
    session.supply_subject("1990-05", "DE").unwrap();
    agree(&session);
    let rights: Vec<(Right, Option<String>)> = session.rights().into_iter().map(|one| (one.right, one.due)).collect();
    assert!(rights.contains(&(Right::Access, Some("2027-02-15".into()))), "{rights:?}");
    assert!(!rights.iter().any(|(right, _)| *right == Right::RefuseSale), "California's is not Germany's");
    let _ = use_right(&session, RightRequest::Access);
    assert_eq!(session.right_records().unwrap()[0].due.as_deref(), Some("2027-02-15"));
}

#[test]
fn the_sooner_of_promise_and_law_is_when_an_answer_is_due() {
    let bench = bench();
    let session = bench.open().guest().unwrap();
    session.supply_subject("1990-05", "DE").unwrap();
    agree(&session);
    let _ = use_right(&session, RightRequest::Correct { text: "My name is Ann.".into() });
    assert_eq!(session.right_records().unwrap()[0].due.as_deref(), Some("2027-01-30"), "15 days, not a month");
}

#[test]
fn the_persons_own_words_reach_the_controller_and_no_log() {
    let (_menshen, session) = bench().agreed();
    let request = RightRequest::Complain { text: "canary".into() };
    assert!(!format!("{request:?}").contains("canary"));
    let _ = use_right(&session, request);
    assert!(!format!("{:?}", session.right_records().unwrap()).contains("canary"));
    assert_eq!(demands(&session)[0]["text"], "canary");
}

#[test]
fn deleting_while_the_disk_fails_closes_everything_and_a_restart_opens_nothing() {
    let bench = bench();
    let (menshen, session) = bench.agreed();
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Io)));
    assert!(matches!(use_right(&session, RightRequest::Delete), Exercised::Pending { code: "io" }));
    assert!(!session.is_purpose_allowed("statistics") && !session.is_purpose_allowed("messaging"));
    bench.disk.set_fault(None);
    drop((session, menshen));
    let session = bench.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics") && !session.is_purpose_allowed("messaging"));
    let _ = use_right(&session, RightRequest::Delete);
    assert_eq!(session.right_records().unwrap().len(), 1, "used again, it is written");
}

#[test]
fn a_controller_without_an_address_is_reached_by_the_letter() {
    let bench = Bench::under(json!({
        "endpoints": null,
        "rights": { "access": {
            "way": { "en": "Write to us.", "zh-Hans": "写信给我们。" }, "verification": false, "source": "999 ¶30",
        } },
    }));
    let (_menshen, session) = bench.agreed();
    let _ = use_right(&session, RightRequest::Access);
    assert!(session.next_upload().unwrap().is_none());
    let standing = session.right_records().unwrap().remove(0);
    assert_eq!(standing.state, RightState::Waiting);
    assert!(standing.letter.is_some());
    session.set_locale("zh-Hans");
    let standing = session.right_records().unwrap().remove(0);
    assert!(standing.letter.unwrap().body.starts_with("致：示例公司"));
}
