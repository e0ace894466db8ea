//! Objection and restriction: the use of a purpose stops at once, and nothing of it is destroyed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, erases, is_denied, record, send_all};
use menshen::journal::DiskError;
use menshen::journal::simulated::Fault;
use menshen::{
    Answer, DeliveryResult, Exercised, KeyState, Outcome, Put, Recorded, RightState, Session, Step, TransportReply,
    UploadOutcome, fields,
};
use serde_json::{Value, json};

const DAY_MS: u64 = 86_400_000;

fn done(exercised: Exercised) -> (String, Vec<u64>) {
    match exercised {
        Exercised::Done { request, in_flight } => (request, in_flight),
        other => panic!("{other:?}"),
    }
}

fn sent_message(session: &Session) -> Recorded {
    session.record("message_sent", fields! { "length" => 5 }).unwrap()
}

/// The requests that go to the controller now, apart from those to erase.
fn demands(session: &Session) -> Vec<Value> {
    let rights = send_all(session).into_iter().filter(|sent| sent.request.url.ends_with("/rights"));
    rights.map(|sent| serde_json::from_slice(&sent.request.body).unwrap()).collect()
}

/// A policy whose answers to objections are due in 15 days.
fn with_objections(effect: Value) -> Bench {
    Bench::under(json!({
        "purposes": { "messaging": { "legal_basis": "legitimate-interest", "objection": effect } },
        "rights": { "object": {
            "way": { "en": "In the settings.", "zh-Hans": "在设置中。" }, "verification": false,
            "due": { "count": 15, "unit": "days", "from": "request" }, "source": "999 ¶20",
        } },
    }))
}

#[test]
fn an_objection_stops_the_use_at_once_and_destroys_nothing() {
    let bench = with_objections(Value::Null);
    let (_menshen, session) = bench.agreed();
    assert_eq!(sent_message(&session), Recorded::Buffered);
    done(session.object_to("messaging").unwrap());
    assert!(!session.is_allowed("messages"));
    assert!(is_denied(&sent_message(&session), "restricted"));
    assert_eq!(session.waiting_records("messaging").unwrap(), 1, "nothing is destroyed");
    let sent = send_all(&session);
    assert!(sent.iter().all(|sent| sent.fields.is_empty()), "no record is sent");
    assert!(session.maintain().unwrap().shredded.is_empty());
    assert!(session.is_purpose_allowed("statistics"), "nothing else is touched");
}

#[test]
fn an_objection_holds_over_a_restart_and_the_controller_hears_of_it_once() {
    let bench = with_objections(Value::Null);
    let (menshen, session) = bench.agreed();
    let (request, _) = done(session.object_to("messaging").unwrap());
    drop((session, menshen));
    let session = bench.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("messaging"));
    let told = demands(&session);
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["right"], &told[0]["purpose"]), (&json!("object"), &json!("messaging")));
    assert_eq!(told[0]["due"], "2027-01-30");
    assert_eq!(demands(&session), Vec::<Value>::new());
    let records = session.right_records().unwrap();
    assert_eq!((records[0].id.as_str(), records[0].state), (request.as_str(), RightState::Acknowledged));
}

#[test]
fn the_same_yes_that_gives_a_purpose_takes_an_objection_back_and_its_records_go_on() {
    let (_menshen, session) = with_objections(Value::Null).agreed();
    assert_eq!(sent_message(&session), Recorded::Buffered);
    done(session.object_to("messaging").unwrap());
    assert_eq!(demands(&session).len(), 1);
    // A tap on the feature does not ask about it: the person said no, and can change that in the settings.
    let Outcome::Denied(denial) = session.request("messages", menshen::Trigger::Tap).unwrap().into_outcome().unwrap()
    else {
        panic!("open")
    };
    assert_eq!((denial.code, denial.remedy.code()), ("restricted", "settings"));
    session.request_purpose("messaging").unwrap().drive(&mut |_: &Step| Answer::No).unwrap();
    assert!(!session.is_purpose_allowed("messaging"), "a no leaves it as it is");
    session.request_purpose("messaging").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(session.is_purpose_allowed("messaging"));
}

#[test]
fn a_consent_that_was_restricted_is_as_it_was_when_the_restriction_is_lifted() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    done(session.restrict("statistics").unwrap());
    assert!(is_denied(&record(&session), "restricted"));
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert_eq!(record(&session), Recorded::Buffered);
    let fields: usize = send_all(&session).iter().map(|sent| sent.fields.len()).sum();
    assert_eq!(fields, 2, "the record from before and the one from after");
}

#[test]
fn an_objection_to_marketing_is_a_withdrawal_whatever_the_policy_says() {
    let refused =
        json!({ "effect": "refused", "ground": { "en": "We like it.", "zh-Hans": "我们喜欢。" }, "source": "999 ¶8" });
    let bench = Bench::under(json!({ "purposes": { "advertising": { "objection": refused } } }));
    let (_menshen, session) = bench.agreed();
    assert!(session.is_purpose_allowed("advertising"));
    done(session.object_to("advertising").unwrap());
    assert!(!session.is_purpose_allowed("advertising"));
    assert_eq!(session.maintain().unwrap().shredded, ["advertising"]);
}

#[test]
fn an_objection_that_the_policy_refuses_on_a_compelling_ground_changes_nothing_and_says_why() {
    let ground = json!({ "effect": "refused", "ground": { "en": "It stops fraud.", "zh-Hans": "用于防止欺诈。" }, "source": "999 ¶21" });
    let (_menshen, session) = with_objections(ground).agreed();
    let Exercised::Refused { ground, source, .. } = session.object_to("messaging").unwrap() else {
        panic!("not refused")
    };
    assert_eq!((ground.as_str(), source.as_str()), ("It stops fraud.", "999 ¶21"));
    assert!(session.is_purpose_allowed("messaging"));
    let records = session.right_records().unwrap();
    assert_eq!(records[0].state, RightState::Refused);
    assert_eq!(records[0].text, "Your request (an objection) is refused: It stops fraud.");
    // A restriction is another right, and is not refused by it.
    done(session.restrict("messaging").unwrap());
    assert!(!session.is_purpose_allowed("messaging"));
}

#[test]
fn an_objection_that_is_unanswered_when_due_is_a_withdrawal_and_a_restriction_never_is() {
    let bench = with_objections(Value::Null);
    let (_menshen, session) = bench.agreed();
    done(session.object_to("messaging").unwrap());
    done(session.restrict("statistics").unwrap());
    bench.clock.advance(15 * DAY_MS);
    assert!(session.maintain().unwrap().shredded.is_empty(), "the last day is not over");
    bench.clock.advance(2 * DAY_MS);
    assert!(session.right_records().unwrap().iter().any(|record| record.is_overdue));
    assert_eq!(session.maintain().unwrap().shredded, ["messaging"]);
    assert!(is_denied(&record(&session), "restricted"));
    assert_eq!(session.why_not("messages").unwrap().unwrap().code, "consent-withdrawn");
}

#[test]
fn what_is_with_the_transport_when_a_purpose_is_restricted_is_cancelled_and_counts_if_it_arrives() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    let upload = session.next_upload().unwrap().unwrap();
    let (_, in_flight) = done(session.restrict("statistics").unwrap());
    assert_eq!(in_flight, [upload.id]);
    assert_eq!(session.cancelled_uploads(), [upload.id]);
    let arrived = TransportReply::Response {
        status: 200,
        headers: vec![("content-type".into(), "application/x-protobuf".into())],
        body: Vec::new(),
        complete: true,
    };
    assert_eq!(session.upload_finished(upload.id, &arrived).unwrap(), UploadOutcome::Cancelled { delivered: true });
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(send_all(&session).iter().all(|sent| sent.fields.is_empty()), "it is not sent a second time");
}

#[test]
fn an_item_that_was_delivered_while_its_purpose_was_restricted_is_not_delivered_again() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(session.outbox_put("messaging", "friends", 60_000, b"hello").unwrap(), Put::Buffered);
    let delivery = session.next_delivery().unwrap().unwrap();
    done(session.restrict("messaging").unwrap());
    assert!(session.next_delivery().unwrap().is_none());
    session.delivery_finished(delivery.id, DeliveryResult::Delivered).unwrap();
    session.request_purpose("messaging").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(session.next_delivery().unwrap().is_none());
}

#[test]
fn what_a_statute_demands_cannot_be_objected_to() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(session.object_to("keep-logs").unwrap_err().code(), "legal-duty");
    assert_eq!(session.restrict("keep-logs").unwrap_err().code(), "legal-duty");
    assert_eq!(session.record("log_kept", fields! { "code" => 1 }).unwrap(), Recorded::Buffered);
    assert_eq!(session.object_to("nothing").unwrap_err().code(), "undeclared");
}

#[test]
fn an_objection_whose_entry_cannot_be_written_closes_all_the_same_and_a_restart_opens_nothing() {
    let bench = with_objections(Value::Null);
    let (menshen, session) = bench.agreed();
    assert_eq!(sent_message(&session), Recorded::Buffered);
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Io)));
    assert!(matches!(session.object_to("messaging").unwrap(), Exercised::Pending { code: "io" }));
    assert!(!session.is_purpose_allowed("messaging"));
    bench.disk.set_fault(None);
    drop((session, menshen));
    let session = bench.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("messaging"), "the marker outside says no");
    assert!(session.maintain().unwrap().shredded.is_empty(), "and destroys nothing");
    assert_eq!(session.waiting_records("messaging").unwrap(), 1);
}

#[test]
fn an_objection_that_waits_for_the_key_is_completed_by_the_process_that_took_it() {
    let bench = with_objections(Value::Null);
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    bench.keys.set_state(KeyState::NotYet);
    let session = bench.open().guest().unwrap();
    assert!(matches!(session.object_to("messaging").unwrap(), Exercised::Pending { code: "key-not-ready" }));
    bench.keys.set_state(KeyState::Ready);
    session.maintain().unwrap();
    assert!(!session.is_purpose_allowed("messaging"));
    assert!(session.is_purpose_allowed("statistics"));
    assert_eq!(session.right_records().unwrap().len(), 1);
    assert!(session.maintain().unwrap().shredded.is_empty(), "an objection destroys nothing");
}

#[test]
fn a_new_version_that_is_accepted_lifts_no_objection() {
    let bench = with_objections(Value::Null);
    let (_menshen, session) = bench.agreed();
    done(session.object_to("messaging").unwrap());
    let mut next = bench.policy.clone();
    next["version"] = json!("1.1.0");
    next["purposes"]["messaging"]["retention"]["duration"] = json!("P20D");
    session.offer_policy(menshen::Policy::read(next.to_string().as_bytes()).unwrap()).unwrap();
    bench::agree_to_change(&session);
    assert_eq!(session.policy_version(), "1.1.0");
    assert_eq!(session.why_not("messages").unwrap().unwrap().code, "restricted");
}

#[test]
fn what_was_sent_before_an_objection_is_not_asked_back_until_it_is_a_withdrawal() {
    let bench = with_objections(Value::Null);
    let (_menshen, session) = bench.agreed();
    assert_eq!(sent_message(&session), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1);
    done(session.object_to("messaging").unwrap());
    assert!(erases(&send_all(&session)).is_empty());
    bench.clock.advance(40 * DAY_MS);
    session.maintain().unwrap();
    assert_eq!(erases(&send_all(&session)).len(), 1);
}
