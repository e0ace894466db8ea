//! Everything sealed is decided anew when it is sent: what a version of the policy took away meanwhile stays here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, agree_to_change, is_denied, next_version, record, send_all};
use menshen::{Identifier, IdentifierAnswer, Policy, Put, Recorded, Session, fields};
use serde_json::json;

const DAY_MS: u64 = 86_400_000;

fn viewed(session: &Session) -> Recorded {
    session.record("page_viewed", fields! { "page" => "start", "seconds" => 3, "account" => "me" }).unwrap()
}

/// The fields of every record that is sent now, the records one after another.
fn fields_sent(session: &Session) -> Vec<Vec<String>> {
    send_all(session).into_iter().flat_map(|sent| sent.fields).collect()
}

fn without_account() -> Policy {
    next_version(json!({
        "purposes": { "statistics": { "categories": ["user.behavior"] } },
        "events": { "page_viewed": { "fields": { "account": null } } },
    }))
}

#[test]
fn a_category_that_a_version_in_effect_takes_away_leaves_no_more_with_records_sealed_before() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(viewed(&session), Recorded::Buffered);
    session.offer_policy(without_account()).unwrap();
    assert_eq!(viewed(&session), Recorded::Buffered);
    assert_eq!(fields_sent(&session), [["page", "seconds"], ["page", "seconds"]]);
}

#[test]
fn a_category_that_the_accepted_version_took_away_leaves_no_more_with_records_sealed_before() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(viewed(&session), Recorded::Buffered);
    session.offer_policy(without_account()).unwrap();
    agree_to_change(&session);
    assert_eq!(session.policy_version(), "1.1.0");
    assert_eq!(fields_sent(&session), [["page", "seconds"]]);
}

#[test]
fn what_a_version_takes_away_later_is_sent_until_its_day_and_not_after() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    let mut later: serde_json::Value = serde_json::from_slice(without_account().canonical()).unwrap();
    later["effective_from"] = "2027-01-17".into();
    session.offer_policy(Policy::read(later.to_string().as_bytes()).unwrap()).unwrap();
    assert_eq!(viewed(&session), Recorded::Buffered);
    assert_eq!(fields_sent(&session), [["page", "seconds", "account"]]);
    assert_eq!(viewed(&session), Recorded::Buffered);
    bench.clock.advance(2 * DAY_MS);
    assert_eq!(fields_sent(&session), [["page", "seconds"]]);
}

#[test]
fn a_field_that_a_version_takes_away_alone_stays_here_and_one_that_was_not_recorded_costs_nothing() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(viewed(&session), Recorded::Buffered);
    assert_eq!(session.record("page_viewed", fields! { "page" => "start" }).unwrap(), Recorded::Buffered);
    session
        .offer_policy(next_version(json!({ "events": { "page_viewed": { "fields": { "seconds": null } } } })))
        .unwrap();
    assert_eq!(fields_sent(&session), [vec!["page", "account"], vec!["page"]]);
}

#[test]
fn a_value_sealed_under_a_form_that_is_now_stricter_stays_here_and_new_ones_take_the_stricter_form() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(viewed(&session), Recorded::Buffered);
    let stricter = json!({ "events": { "page_viewed": { "fields": { "page": { "form": "keyed-hash" } } } } });
    session.offer_policy(next_version(stricter)).unwrap();
    assert_eq!(viewed(&session), Recorded::Buffered);
    assert_eq!(fields_sent(&session), [vec!["seconds", "account"], vec!["page", "seconds", "account"]]);
}

#[test]
fn a_value_sealed_under_a_stricter_form_than_now_is_sent() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(viewed(&session), Recorded::Buffered);
    let laxer = json!({ "events": { "page_viewed": { "fields": { "account": { "form": "plain" } } } } });
    session.offer_policy(next_version(laxer)).unwrap();
    assert_eq!(fields_sent(&session), [["page", "seconds", "account"]]);
}

#[test]
fn an_event_that_a_version_takes_away_is_neither_stored_nor_sent() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(viewed(&session), Recorded::Buffered);
    session.offer_policy(next_version(json!({ "events": { "page_viewed": null } }))).unwrap();
    assert!(is_denied(&viewed(&session), "ended-by-policy"));
    assert!(fields_sent(&session).is_empty());
}

#[test]
fn records_older_than_a_retention_that_was_shortened_stay_here() {
    for accepted in [false, true] {
        let bench = Bench::new();
        let (_menshen, session) = bench.agreed();
        assert_eq!(viewed(&session), Recorded::Buffered);
        bench.clock.advance(2 * DAY_MS);
        assert_eq!(session.record("page_viewed", fields! { "page" => "later" }).unwrap(), Recorded::Buffered);
        let shorter = next_version(json!({ "purposes": { "statistics": { "retention": { "duration": "P1D" } } } }));
        session.offer_policy(shorter).unwrap();
        if accepted {
            agree_to_change(&session);
        }
        assert_eq!(fields_sent(&session), [["page"]], "accepted: {accepted}");
    }
}

fn put(session: &Session, purpose: &str, recipient: &str) -> Put {
    session.outbox_put(purpose, recipient, DAY_MS, b"hello").unwrap()
}

#[test]
fn an_outbox_item_carries_all_that_its_purpose_held_when_it_was_put_in() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(put(&session, "messaging", "friends"), Put::Buffered);
    let narrower = json!({
        "purposes": { "messaging": { "categories": ["user.content"] } },
        "events": { "message_sent": null },
    });
    session.offer_policy(next_version(narrower)).unwrap();
    assert_eq!(session.next_delivery().unwrap(), None, "its bytes may hold what was taken away");
    assert_eq!(put(&session, "messaging", "friends"), Put::Buffered);
    assert!(session.next_delivery().unwrap().is_some());
}

#[test]
fn an_outbox_item_older_than_a_shortened_retention_is_not_delivered() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    assert_eq!(session.outbox_put("messaging", "friends", 10 * DAY_MS, b"hello").unwrap(), Put::Buffered);
    bench.clock.advance(2 * DAY_MS);
    let shorter = next_version(json!({ "purposes": { "messaging": { "retention": { "duration": "P1D" } } } }));
    session.offer_policy(shorter).unwrap();
    assert_eq!(session.next_delivery().unwrap(), None);
    let too_long = session.outbox_put("messaging", "friends", 10 * DAY_MS, b"hello");
    assert_eq!(too_long.unwrap_err().code(), "bad-time-to-live");
}

#[test]
fn nothing_is_put_in_for_a_recipient_that_a_version_takes_away() {
    let (_menshen, session) = Bench::new().agreed();
    session.offer_policy(next_version(json!({ "purposes": { "messaging": { "recipients": ["maker"] } } }))).unwrap();
    assert!(matches!(put(&session, "messaging", "friends"), Put::Denied(denial) if denial.code == "ended-by-policy"));
}

#[test]
fn nothing_goes_to_an_endpoint_that_a_version_takes_away() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(viewed(&session), Recorded::Buffered);
    session.offer_policy(next_version(json!({ "endpoints": { "own": null } }))).unwrap();
    assert!(fields_sent(&session).is_empty());
}

#[test]
fn a_prohibition_of_a_version_in_effect_needs_nobodys_agreement() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    let text = json!({ "en": "Not for adults.", "zh-Hans": "不适用于成年人。" });
    let rule = json!({ "effect": "deny", "when": { "age_from": 16, "purposes": ["statistics"] }, "text": text, "source": "999 ¶30" });
    session.offer_policy(next_version(json!({ "rules": { "no-adults": rule } }))).unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert!(is_denied(&record(&session), "policy-rule"));
    assert!(fields_sent(&session).is_empty());
}

#[test]
fn an_identifier_takes_the_stricter_form_and_an_sdk_the_stricter_start_of_two_versions() {
    let (_menshen, session) = Bench::new().agreed();
    let form = |identifier| match session.identifier("meter", identifier).unwrap() {
        IdentifierAnswer::Handed(handed) => handed.form.id(),
        IdentifierAnswer::Denied(denial) => denial.code,
    };
    assert_eq!([form(Identifier::AndroidId), form(Identifier::Guid)], ["keyed-hash", "pseudonym"]);
    let stricter = json!({ "recipients": { "meter": { "identifiers": {
        "android-id": { "form": "pseudonym" }, "guid": null, "ip-address": { "form": "refused" },
    } } } });
    session.offer_policy(next_version(stricter)).unwrap();
    let forms = [Identifier::AndroidId, Identifier::Guid, Identifier::IpAddress].map(form);
    assert_eq!(forms, ["pseudonym", "identifier-undeclared", "identifier-refused"]);

    let (_menshen, session) = Bench::new().agreed();
    assert!(session.why_not_start("meter").unwrap().is_none());
    let never = json!({ "recipients": { "meter": { "sdk": { "start": "never" }, "identifiers": {} } } });
    session.offer_policy(next_version(never)).unwrap();
    assert_eq!(session.why_not_start("meter").unwrap().unwrap().code, "never-started");
}

#[test]
fn a_clock_set_back_gives_nothing_back_that_a_version_took_away() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    let mut later: serde_json::Value = serde_json::from_slice(without_account().canonical()).unwrap();
    later["effective_from"] = "2027-01-17".into();
    session.offer_policy(Policy::read(later.to_string().as_bytes()).unwrap()).unwrap();
    bench.clock.advance(2 * DAY_MS);
    assert_eq!(viewed(&session), Recorded::Buffered);
    assert_eq!(fields_sent(&session), [["page", "seconds"]]);
    bench.clock.set_wall(bench::START_MS);
    assert_eq!(viewed(&session), Recorded::Buffered);
    assert_eq!(fields_sent(&session), [["page", "seconds"]]);
}

#[test]
fn records_that_may_not_leave_hold_up_none_that_may() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    for _ in 0..600 {
        assert_eq!(session.record("page_viewed", fields! { "page" => "old" }).unwrap(), Recorded::Buffered);
    }
    bench.clock.advance(2 * DAY_MS);
    assert_eq!(session.record("page_viewed", fields! { "seconds" => 1 }).unwrap(), Recorded::Buffered);
    session
        .offer_policy(next_version(json!({ "purposes": { "statistics": { "retention": { "duration": "P1D" } } } })))
        .unwrap();
    assert_eq!(fields_sent(&session), [["seconds"]]);
}

#[test]
fn a_field_that_only_the_version_that_waits_knows_is_dropped_and_is_no_strict_error() {
    let (_menshen, session) = Bench::new().agreed();
    session.set_strict(true);
    let mood = json!({ "type": "string", "category": "user.behavior" });
    session.offer_policy(next_version(json!({ "events": { "page_viewed": { "fields": { "mood": mood } } } }))).unwrap();
    let recorded = session.record("page_viewed", fields! { "page" => "start", "mood" => "fine" });
    assert_eq!(recorded.unwrap(), Recorded::Buffered);
    assert_eq!(session.counts().dropped_fields, 1);
    assert_eq!(fields_sent(&session), [["page"]]);
}

#[test]
fn items_that_may_not_leave_hold_up_none_that_may() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    let put = |bytes: &[u8]| {
        assert_eq!(session.outbox_put("messaging", "friends", 10 * DAY_MS, bytes).unwrap(), Put::Buffered)
    };
    for _ in 0..2000 {
        put(b"old");
    }
    bench.clock.advance(2 * DAY_MS);
    put(b"new");
    session
        .offer_policy(next_version(json!({ "purposes": { "messaging": { "retention": { "duration": "P1D" } } } })))
        .unwrap();
    let began = std::time::Instant::now();
    let item = session.next_delivery().unwrap().unwrap();
    assert_eq!(item.bytes, b"new");
    // Read one by one, each from the beginning, they take seconds.
    assert!(began.elapsed() < std::time::Duration::from_millis(500), "{:?}", began.elapsed());
}
