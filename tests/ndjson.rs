//! Lines of JSON as the second encoding of an endpoint, from the record to the receiver and back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;
#[path = "../examples/support/receiver.rs"]
mod receiver;

use std::collections::BTreeMap;
use std::io::Read as _;

use bench::Bench;
use menshen::{Recorded, Session, Transport, TransportReply, UploadOutcome, UploadRequest, fields};
use receiver::{Behaviour, Receiver};
use serde_json::{Value, json};

/// A store under a policy whose one endpoint takes lines.
fn taking_lines() -> Bench {
    Bench::under(json!({ "endpoints": { "own": { "encoding": "ndjson" } } }))
}

fn record(session: &Session) {
    let fields = fields! {
        "page" => "a \"start\"\n门神", "seconds" => i64::MIN, "share" => 0.25, "first" => true, "account" => "somebody"
    };
    assert_eq!(session.record("page_viewed", fields).unwrap(), Recorded::Buffered);
}

fn upload(session: &Session) -> UploadRequest {
    session.next_upload().unwrap().expect("something is due")
}

fn lines(request: &UploadRequest) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(request.body.as_slice()).read_to_string(&mut text).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn answer(status: u16, content_type: &str, body: &str) -> TransportReply {
    TransportReply::Response {
        status,
        headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
        body: body.as_bytes().to_vec(),
        complete: true,
    }
}

#[test]
fn each_record_is_one_line_that_says_all_about_it() {
    let bench = taking_lines();
    let (_menshen, session) = bench.agreed();
    for _ in 0..3 {
        record(&session);
    }
    let request = upload(&session);
    let headers: BTreeMap<_, _> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("content-encoding", "gzip"), ("content-type", "application/x-ndjson")].into());
    let lines = lines(&request);
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert_eq!(line["event_name"], "page_viewed");
        assert_eq!(line["resource"]["privacy.purpose"], "statistics");
        assert_eq!(line["resource"]["privacy.policy.hash"].as_str().unwrap().len(), 64);
        assert_eq!(line["attributes"]["page"], "a \"start\"\n门神");
        assert_eq!(line["attributes"]["seconds"], i64::MIN);
        assert_eq!(line["attributes"]["share"], 0.25);
        assert_eq!(line["attributes"]["first"], true);
        // A field in a minimised form stays in it.
        assert!(!line["attributes"]["account"].as_str().unwrap().contains("somebody"));
        assert!(line["observed_time_unix_nano"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    }
    let uids: std::collections::BTreeSet<_> =
        lines.iter().map(|line| line["attributes"]["log.record.uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), 3);
}

#[test]
fn two_endpoints_with_two_encodings_receive_the_same_records() {
    let (protobuf, json_lines) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    let bench = Bench::under(json!({ "endpoints": {
        "own": { "url": protobuf.url() },
        "lines": { "url": json_lines.url(), "recipient": "maker", "encoding": "ndjson" },
    } }));
    let (_menshen, session) = bench.agreed();
    for _ in 0..50 {
        record(&session);
    }
    let transport = Transport::new().unwrap();
    let mut acknowledged = 0;
    while let Some(request) = session.next_upload().unwrap() {
        match session.upload_finished(request.id, &transport.send(&request)).unwrap() {
            UploadOutcome::Acknowledged { records } => acknowledged += records,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(acknowledged, 100);
    let by_uid = |receiver: &Receiver| -> BTreeMap<String, _> {
        let records = receiver.records().into_iter();
        records.map(|record| (record.uid, (record.event, record.purpose, record.attributes))).collect()
    };
    let (one, other) = (by_uid(&protobuf), by_uid(&json_lines));
    assert_eq!(one.len(), 50);
    assert_eq!(one, other);
}

#[test]
fn a_receiver_of_lines_may_fail_as_one_of_protobuf_may_and_nothing_is_lost() {
    let receiver = Receiver::start().unwrap();
    receiver.script(vec![
        Behaviour::Html200,
        Behaviour::CutBody,
        Behaviour::CommitAndDrop,
        Behaviour::Unavailable { retry_after: std::time::Duration::from_secs(2) },
    ]);
    let bench = Bench::under(json!({ "endpoints": { "own": { "url": receiver.url(), "encoding": "ndjson" } } }));
    let (_menshen, session) = bench.agreed();
    record(&session);
    let transport = Transport::new().unwrap();
    let mut codes = Vec::new();
    loop {
        let Some(request) = session.next_upload().unwrap() else {
            let Some(at) = session.next_upload_at() else { break };
            bench.clock.advance((at - menshen::DeviceClock::now(&bench.clock).wall_ms).try_into().unwrap());
            continue;
        };
        match session.upload_finished(request.id, &transport.send(&request)).unwrap() {
            UploadOutcome::Later { code, .. } => codes.push(code),
            UploadOutcome::Acknowledged { records } => assert_eq!(records, 1),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(codes, ["reply-wrong-type", "reply-cut", "transport", "unavailable"]);
    assert_eq!((receiver.records().len(), receiver.duplicates()), (1, 2));
    assert_eq!(session.waiting_records("statistics").unwrap(), 0);
}

#[test]
fn a_body_acknowledges_only_if_it_says_that_nothing_was_rejected() {
    for (content_type, body, code) in [
        ("application/json", "{}", "reply-malformed"),
        ("application/json", "[]", "reply-malformed"),
        ("application/json", "{\"error\":\"sign in\"}", "reply-malformed"),
        ("application/json", "{\"rejected\":1,\"rejected\":0}", "reply-malformed"),
        ("text/html", "{\"rejected\":0}", "reply-wrong-type"),
        ("application/x-protobuf", "\n", "reply-wrong-type"),
    ] {
        let bench = taking_lines();
        let (_menshen, session) = bench.agreed();
        record(&session);
        let outcome = session.upload_finished(upload(&session).id, &answer(200, content_type, body)).unwrap();
        assert!(matches!(outcome, UploadOutcome::Later { code: told, .. } if told == code), "{body}: {outcome:?}");
        assert_eq!(session.waiting_records("statistics").unwrap(), 1, "{body}");
    }
    for (content_type, body) in [("application/json; charset=utf-8", "{\"rejected\":0}"), ("text/plain", "")] {
        let bench = taking_lines();
        let (_menshen, session) = bench.agreed();
        record(&session);
        let outcome = session.upload_finished(upload(&session).id, &answer(200, content_type, body)).unwrap();
        assert_eq!(outcome, UploadOutcome::Acknowledged { records: 1 }, "{body}");
        assert_eq!(session.waiting_records("statistics").unwrap(), 0, "{body}");
    }
}

#[test]
fn what_a_receiver_of_lines_rejects_is_kept_and_not_sent_again() {
    let bench = taking_lines();
    let (_menshen, session) = bench.agreed();
    record(&session);
    let outcome = session
        .upload_finished(
            upload(&session).id,
            &answer(200, "application/json", "{\"rejected\":1,\"message\":\"too old\"}"),
        )
        .unwrap();
    assert_eq!(outcome, UploadOutcome::Quarantined { records: 1, code: "records-rejected" });
    assert!(session.next_upload().unwrap().is_none());
}

#[test]
fn a_field_that_a_version_took_away_is_on_no_line() {
    let bench = taking_lines();
    let (menshen, session) = bench.agreed();
    record(&session);
    drop((session, menshen));
    let mut later = bench.clone();
    later.policy["version"] = json!("9.0.0");
    later.policy["effective_from"] = json!("2020-01-01");
    later.policy["events"]["page_viewed"]["fields"].as_object_mut().unwrap().remove("page");
    let menshen = later.open();
    let session = menshen.guest().unwrap();
    session.refresh().unwrap();
    let lines = lines(&upload(&session));
    assert_eq!(lines.len(), 1);
    assert!(lines[0]["attributes"].get("page").is_none() && lines[0]["attributes"]["first"] == true, "{lines:?}");
}
