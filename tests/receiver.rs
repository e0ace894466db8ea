//! The examples' receiver, driven byte by byte over a plain socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../examples/support/receiver.rs"]
mod receiver;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;
use receiver::{Behaviour, Receiver};

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

fn record(uid: &str, purpose: &str, pseudonym: &str) -> LogRecord {
    LogRecord {
        event_name: "message.sent".to_owned(),
        attributes: vec![
            attribute("log.record.uid", text(uid)),
            attribute("privacy.purpose", text(purpose)),
            attribute("enduser.pseudo.id", text(pseudonym)),
        ],
        ..LogRecord::default()
    }
}

fn logs(records: Vec<LogRecord>) -> Vec<u8> {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }],
    }
    .encode_to_vec()
}

fn uids(receiver: &Receiver) -> Vec<String> {
    receiver.records().into_iter().map(|record| record.uid).collect()
}

/// What came back: the status, the head in lower case and the body. `None` if nothing did.
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn rejected(&self) -> i64 {
        ExportLogsServiceResponse::decode(self.body.as_slice())
            .expect("an OTLP reply")
            .partial_success
            .map_or(0, |partial| partial.rejected_log_records)
    }

    fn declared_length(&self) -> usize {
        let value = self.head.split("content-length: ").nth(1).expect("a length");
        value.split("\r\n").next().unwrap().parse().unwrap()
    }
}

fn raw(receiver: &Receiver, bytes: &[u8]) -> Option<Reply> {
    let url = receiver.url();
    let host = url.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(host).expect("the receiver listens");
    stream.write_all(bytes).expect("the receiver reads");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("the receiver closes");
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(reply[..end].to_vec()).expect("text").to_lowercase();
    Some(Reply { status: head.split(' ').nth(1)?.parse().expect("a status"), head, body: reply[end..].to_vec() })
}

fn post(receiver: &Receiver, path: &str, headers: &str, body: &[u8]) -> Option<Reply> {
    let mut bytes =
        format!("POST {path} HTTP/1.1\r\nHost: receiver\r\n{headers}Content-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    raw(receiver, &bytes)
}

fn upload(receiver: &Receiver, records: Vec<LogRecord>) -> Option<Reply> {
    let headers = "Content-Type: application/x-protobuf\r\n";
    post(receiver, "/v1/logs", headers, &logs(records))
}

fn erase(receiver: &Receiver, body: &str) -> Reply {
    let headers = "Content-Type: application/json\r\n";
    post(receiver, "/v1/logs/erase", headers, body.as_bytes()).expect("a reply")
}

fn receiver(behaviours: Vec<Behaviour>) -> Receiver {
    let receiver = Receiver::start().expect("a loopback port");
    receiver.script(behaviours);
    receiver
}

#[test]
fn plain_and_compressed_bodies_are_stored_alike() {
    let receiver = receiver(vec![]);
    let mut value = record("uid-2", "analytics", "p");
    value.attributes.extend([
        attribute("integer", Value::IntValue(i64::MIN)),
        attribute("number", Value::DoubleValue(0.5)),
        attribute("flag", Value::BoolValue(true)),
        attribute("empty", text("")),
        attribute("chinese", text("门神")),
    ]);
    assert_eq!(upload(&receiver, vec![record("uid-1", "core", "p")]).unwrap().status, 200);

    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&logs(vec![value])).unwrap();
    let packed = encoder.finish().unwrap();
    let headers = "content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\n";
    let reply = post(&receiver, "/v1/logs", headers, &packed).unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, [0x0a, 0x00].as_slice()));

    assert_eq!(uids(&receiver), ["uid-1", "uid-2"]);
    let stored = &receiver.records()[1];
    assert_eq!((stored.event.as_str(), stored.purpose.as_str()), ("message.sent", "analytics"));
    let shown = ["integer", "number", "flag", "empty", "chinese"].map(|key| &stored.attributes[key]);
    assert_eq!(shown, ["-9223372036854775808", "0.5", "true", "", "门神"]);
    assert_eq!(receiver.requests()[1].body_bytes, packed.len());
}

#[test]
fn a_record_that_arrives_again_is_counted_and_dropped() {
    let receiver = receiver(vec![]);
    for _ in 0..3 {
        upload(&receiver, vec![record("uid-1", "core", "p"), record("uid-2", "core", "p")]);
    }
    assert_eq!(uids(&receiver), ["uid-1", "uid-2"]);
    assert_eq!(receiver.duplicates(), 4);
}

#[test]
fn bytes_are_counted_for_each_purpose_even_when_the_upload_is_refused() {
    let receiver = receiver(vec![Behaviour::Status(500)]);
    let (core, analytics) = (record("uid-1", "core", "p"), record("uid-2", "analytics", "p"));
    let lengths = [core.encoded_len() as u64, analytics.encoded_len() as u64];
    let status = upload(&receiver, vec![core, analytics]).unwrap().status;
    assert_eq!(status, 500);
    assert!(receiver.records().is_empty());
    assert_eq!([receiver.bytes("core"), receiver.bytes("analytics")], lengths);
    assert_eq!(receiver.bytes("other"), 0);
}

#[test]
fn a_script_is_followed_one_request_each_and_then_all_is_well() {
    let retry_after = Duration::from_secs(3);
    let receiver = receiver(vec![
        Behaviour::Unavailable { retry_after },
        Behaviour::CommitAndDrop,
        Behaviour::Html200,
        Behaviour::Status(429),
        Behaviour::Status(201),
    ]);
    let upload = |uid| upload(&receiver, vec![record(uid, "core", "p")]);

    let unavailable = upload("uid-1").unwrap();
    assert_eq!(unavailable.status, 503);
    assert!(unavailable.head.contains("retry-after: 3\r\n"));
    assert!(receiver.records().is_empty());

    assert!(upload("uid-2").is_none());
    assert_eq!(uids(&receiver), ["uid-2"]);

    let page = upload("uid-3").unwrap();
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-type: text/html"));

    assert_eq!(upload("uid-4").unwrap().status, 429);
    assert_eq!(upload("uid-5").unwrap().status, 201);
    assert_eq!(upload("uid-6").unwrap().status, 200);
    assert_eq!(uids(&receiver), ["uid-2", "uid-5", "uid-6"]);

    let statuses: Vec<_> = receiver.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(503), None, Some(200), Some(429), Some(201), Some(200)]);
}

#[test]
fn a_cut_reply_is_shorter_than_it_says_although_the_records_are_stored() {
    let receiver = receiver(vec![Behaviour::CutBody]);
    let reply = upload(&receiver, vec![record("uid-1", "core", "p")]).unwrap();
    assert_eq!(reply.status, 200);
    assert!(reply.body.len() < reply.declared_length());
    assert_eq!(uids(&receiver), ["uid-1"]);
}

#[test]
fn rejected_records_are_reported_and_may_come_again() {
    let receiver = receiver(vec![Behaviour::Reject { count: 1 }, Behaviour::Reject { count: 9 }]);
    let both = || vec![record("uid-1", "core", "p"), record("uid-2", "core", "p")];
    assert_eq!(upload(&receiver, both()).unwrap().rejected(), 1);
    assert_eq!(uids(&receiver), ["uid-1"]);
    assert_eq!(upload(&receiver, both()).unwrap().rejected(), 1, "never more than were new");
    assert_eq!(upload(&receiver, both()).unwrap().rejected(), 0);
    assert_eq!(uids(&receiver), ["uid-1", "uid-2"]);
    assert_eq!(receiver.duplicates(), 2);
}

#[test]
fn a_delay_holds_the_reply_back() {
    let time = Duration::from_millis(150);
    let receiver = receiver(vec![Behaviour::Delay(time)]);
    let started = Instant::now();
    assert_eq!(upload(&receiver, vec![record("uid-1", "core", "p")]).unwrap().status, 200);
    assert!(started.elapsed() >= time);
}

#[test]
fn an_erase_request_removes_that_purpose_under_those_pseudonyms_only() {
    let receiver = receiver(vec![]);
    upload(
        &receiver,
        vec![
            record("uid-1", "analytics", "p-1"),
            record("uid-2", "analytics", "p-2"),
            record("uid-3", "analytics", "p-3"),
            record("uid-4", "core", "p-1"),
        ],
    );
    let body = r#"{"type":"erase","purpose":"analytics","pseudonyms":["p-1","p-2"],"policy":"justalk-family"}"#;
    let reply = erase(&receiver, body);
    assert_eq!((reply.status, reply.body.as_slice()), (200, br#"{"erased":2}"#.as_slice()));
    assert_eq!(uids(&receiver), ["uid-3", "uid-4"]);
    assert_eq!(erase(&receiver, body).body, br#"{"erased":0}"#);

    let requests = receiver.erase_requests();
    assert_eq!(requests.len(), 2);
    assert_eq!((requests[0].purpose.as_str(), requests[0].policy.as_str()), ("analytics", "justalk-family"));
    assert!(requests[0].pseudonyms.contains("p-2"));
}

#[test]
fn an_erase_request_follows_the_script_too() {
    let receiver = receiver(vec![Behaviour::Status(503)]);
    let body = r#"{"type":"erase","purpose":"core","pseudonyms":[],"policy":"p"}"#;
    assert_eq!(erase(&receiver, body).status, 503);
    assert!(receiver.erase_requests().is_empty());
    assert_eq!(erase(&receiver, body).status, 200);
    assert_eq!(receiver.erase_requests().len(), 1);
}

#[test]
fn a_malformed_erase_request_erases_nothing() {
    let receiver = receiver(vec![]);
    upload(&receiver, vec![record("uid-1", "core", "p")]);
    for body in [
        "",
        "{",
        r#"{"purpose":"core","pseudonyms":["p"],"policy":"p"}"#,
        r#"{"type":"forget","purpose":"core","pseudonyms":["p"],"policy":"p"}"#,
        r#"{"type":"erase","purpose":"core","policy":"p"}"#,
        r#"{"type":"erase","purpose":"core","pseudonyms":["p"],"policy":"p","extra":1}"#,
    ] {
        assert_eq!(erase(&receiver, body).status, 400, "{body}");
    }
    assert_eq!(uids(&receiver), ["uid-1"]);
}

#[test]
fn malformed_requests_are_answered_as_a_collector_does_and_use_up_no_script() {
    let receiver = receiver(vec![Behaviour::Status(418)]);
    let protobuf = "content-type: application/x-protobuf\r\n";
    let gzip = "content-type: application/x-protobuf\r\ncontent-encoding: gzip\r\n";
    let body = logs(vec![record("uid-1", "core", "p")]);
    let nameless = logs(vec![LogRecord::default()]);
    let status = |path, headers, body: &[u8]| post(&receiver, path, headers, body).unwrap().status;
    assert_eq!(status("/v1/logs", protobuf, b"garbage"), 400);
    assert_eq!(status("/v1/logs", protobuf, &body[..body.len() - 1]), 400);
    assert_eq!(status("/v1/logs", gzip, &body), 400);
    assert_eq!(status("/v1/logs", "content-encoding: br\r\ncontent-type: application/x-protobuf\r\n", &body), 400);
    assert_eq!(status("/v1/logs", protobuf, &nameless), 400);
    assert_eq!(status("/v1/logs", "content-type: text/plain\r\n", &body), 415);
    assert_eq!(status("/v1/logs", "", &body), 415);
    assert_eq!(status("/v1/traces", protobuf, &body), 404);
    let get = b"GET /v1/logs HTTP/1.1\r\nhost: receiver\r\n\r\n";
    assert_eq!(raw(&receiver, get).unwrap().status, 405);
    let chunked = b"POST /v1/logs HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(raw(&receiver, chunked).unwrap().status, 411);
    assert!(receiver.records().is_empty());
    assert_eq!(status("/v1/logs", protobuf, &body), 418);
}

#[test]
fn a_request_that_ends_early_or_is_no_http_is_dropped_and_the_next_one_served() {
    let receiver = receiver(vec![]);
    let url = receiver.url();
    let host = url.trim_start_matches("http://").split('/').next().unwrap();
    for bytes in [&b""[..], b"\0\xff\r\n\r\n", b"POST", b"POST /v1/logs HTTP/1.1\r\ncontent-length: 9\r\n\r\nshort"] {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).ok();
        assert!(reply.is_empty(), "{bytes:?}");
    }
    assert_eq!(upload(&receiver, vec![record("uid-1", "core", "p")]).unwrap().status, 200);
}

#[test]
fn dropping_the_receiver_closes_its_port_at_once() {
    let receiver = receiver(vec![]);
    let url = receiver.url();
    let host = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let idle = TcpStream::connect(&host).unwrap();
    let started = Instant::now();
    drop(receiver);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(&host).is_err());
    drop(idle);
}
