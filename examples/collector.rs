//! Uploads the story's events to an OTLP/HTTP receiver and prints what was recorded, one JSON object a line, for
//! `cargo xtask collector-test` to compare with what a real OpenTelemetry Collector wrote.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an example stops at what it did not expect"
)]
#![allow(missing_docs, dead_code, reason = "the stage offers more than this example needs")]

#[path = "support/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use menshen::{Fields, FileKeys, Menshen, Policy, Recorded, Step, Store, Transport, UploadOutcome, Value, fields};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
use prost::Message as _;
use serde_json::json;
use stage::{FakePlatform, Person};

type Failure = Box<dyn std::error::Error>;

/// The uid, event and number of a record on the wire.
type Sent = (String, String, i64);

fn main() -> Result<(), Failure> {
    let url = std::env::args().nth(1).ok_or("give the receiver's address: http://127.0.0.1:4318/v1/logs")?;
    let mut policy: serde_json::Value = serde_json::from_str(include_str!("policies/justalk-family.json"))?;
    policy["endpoints"]["own"]["url"] = json!(url);
    let folder = tempfile::tempdir()?;
    let platform = FakePlatform::new();
    let keys = Arc::new(FileKeys::at(folder.path().join("keys")).map_err(menshen::Error::from)?);
    let store = Store::at(folder.path().join("store"))?;
    let menshen = Menshen::open_on(Policy::read(policy.to_string().as_bytes())?, store, keys, platform.platform())?;
    let session = menshen.guest()?;
    let mut person = Person {
        born: "1990-05".to_owned(),
        place: "DE",
        yes: vec!["usage-statistics", "crash-diagnostics"],
        interactive: false,
        platform,
        log: Vec::new(),
    };
    session.first_launch()?.drive(&mut |step: &Step| person.answer(step))?;

    // One field of every event is unlike in all of them, so that the record on the wire finds what was recorded.
    let mut recorded: BTreeMap<String, (&str, Fields)> = BTreeMap::new();
    let numbers = [i64::MIN, i64::MAX, -1].into_iter().chain(0..);
    for (number, (event, mut fields)) in numbers.zip(events()) {
        fields.push((distinct(event).to_owned(), Value::Integer(number)));
        assert!(matches!(session.record(event, fields.clone())?, Recorded::Buffered));
        recorded.insert(format!("{event} {number}"), (event, fields));
    }
    let transport = Transport::new()?;
    while let Some(request) = session.next_upload()? {
        for (uid, event, number) in on_the_wire(&request.body)? {
            let (_, fields) = &recorded[&format!("{event} {number}")];
            let attributes: serde_json::Map<_, _> = fields.iter().map(|(k, v)| (k.clone(), plain(v))).collect();
            println!("{}", json!({ "uid": uid, "event": event, "attributes": attributes }));
        }
        let reply = transport.send(&request);
        match session.upload_finished(request.id, &reply)? {
            UploadOutcome::Acknowledged { .. } => {}
            other => return Err(format!("the receiver did not take the records: {other:?}").into()),
        }
    }
    Ok(())
}

/// The whole number that tells the events of a name apart.
fn distinct(event: &str) -> &'static str {
    match event {
        "call_ended" => "seconds",
        "app_crashed" => "signal",
        _ => "times",
    }
}

/// Ordinary values, and those at the edges.
fn events() -> Vec<(&'static str, Fields)> {
    let mut events = Vec::new();
    for text in ["", "plain", "門神 · 门神 · é · \u{1f6aa}", "a\tb\nc", "\u{0}", "\"quoted\" \\ back"] {
        for first in [true, false] {
            events.push(("feature_used", fields! { "feature" => text, "first_time" => first }));
        }
    }
    for number in [0.0, -0.5, 1.0 / 3.0, f64::MAX, f64::MIN_POSITIVE, 1e21, 123_456_789.125] {
        events.push(("feature_used", fields! { "feature" => "number", "seconds" => number }));
    }
    for number in 0..100 {
        let text = format!("trace {number}");
        events.push(("app_crashed", fields! { "trace" => text, "foreground" => true, "free_memory_mb" => 512.5 }));
        events.push(("call_ended", fields! { "video" => number % 2 == 0, "packet_loss" => 0.01, "codec" => "opus" }));
    }
    for number in 0..200 {
        events.push((
            "feature_used",
            fields! { "feature" => format!("feature {number}"), "seconds" => f64::from(number) },
        ));
    }
    events
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::String(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Number(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        other => panic!("{other:?} has no plain form"),
    }
}

fn on_the_wire(body: &[u8]) -> Result<Vec<Sent>, Failure> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut bytes)?;
    let request = ExportLogsServiceRequest::decode(bytes.as_slice())?;
    let records = request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records);
    Ok(records
        .map(|record| {
            let value =
                |key: &str| record.attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.clone();
            let Some(Wire::StringValue(uid)) = value("log.record.uid") else { panic!("a record has no uid") };
            let Some(Wire::IntValue(number)) = value(distinct(&record.event_name)) else {
                panic!("a record has no number")
            };
            (uid, record.event_name.clone(), number)
        })
        .collect())
}
