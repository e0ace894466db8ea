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

#[path = "support/events.rs"]
mod events;
#[path = "support/person.rs"]
mod person;
#[path = "support/stage.rs"]
mod stage;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "support/words.rs"]
mod words;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use menshen::{Fields, FileKeys, Menshen, Policy, Recorded, Store, Transport, UploadOutcome, Value};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Wire;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use person::Person;
use prost::Message as _;
use serde_json::json;
use stage::FakePlatform;

type Failure = Box<dyn std::error::Error>;

/// The story's events, each with the field that is unlike in all events of its name, so that the record on the wire
/// finds what was recorded.
const EVENTS: [(&str, &str); 4] =
    [("feature_used", "times"), ("app_crashed", "signal"), ("call_ended", "seconds"), ("purchase_made", "price")];
const EACH: u32 = 150;

const TEXTS: [&str; 7] =
    ["", "plain", "門神 · 门神 · é · \u{1f6aa}", "a\tb\nc", "\u{0}", "\"quoted\" \\ back", "\u{feff}\u{202e}e\u{301}"];
const INTEGERS: [i64; 5] = [i64::MIN, i64::MAX, i64::MIN + 1, i64::MAX - 1, -1];
const NUMBERS: [f64; 7] = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.5, 1.0 / 3.0, 1e21, 123_456_789.125];

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
    let mut person = Person::scripted(&platform, "en", "1990-05", "DE", &["usage-statistics", "crash-diagnostics"]);
    person.go_through(session.first_launch()?)?;

    let mut recorded: BTreeMap<String, Fields> = BTreeMap::new();
    for (event, mark) in EVENTS {
        for index in 0..EACH {
            let fields = fields_of(event, mark, index);
            if !matches!(session.record(event, fields.clone())?, Recorded::Buffered) {
                return Err(format!("`{event}` is not allowed").into());
            }
            let value = fields.iter().find(|(name, _)| name == mark).map(|(_, value)| plain(value));
            if recorded.insert(format!("{event} {}", value.unwrap()), fields).is_some() {
                return Err(format!("two events of `{event}` have the same `{mark}`").into());
            }
        }
    }
    let transport = Transport::new()?;
    while let Some(request) = session.next_upload()? {
        for record in on_the_wire(&request.body)? {
            let (_, mark) = EVENTS.iter().find(|(name, _)| *name == record.event_name).ok_or("another event")?;
            let value = attribute(&record, mark).ok_or("a record without its mark")?;
            let fields = &recorded[&format!("{} {value}", record.event_name)];
            let mut attributes: serde_json::Map<_, _> = fields.iter().map(|(k, v)| (k.clone(), plain(v))).collect();
            // The one field that menshen changes: what leaves the device is a hash under a key of the purpose.
            if let Some(account) = attributes.get_mut("account") {
                let hash = attribute(&record, "account").ok_or("a record without its account")?;
                assert_ne!(hash, *account, "the account must not leave the device in clear");
                *account = hash;
            }
            let purpose = policy["events"][&record.event_name]["purpose"].clone();
            attributes.insert("privacy.purpose".to_owned(), purpose);
            let uid = attribute(&record, "log.record.uid").ok_or("a record without an id")?;
            println!("{}", json!({ "uid": uid, "event": record.event_name, "attributes": attributes }));
        }
        let reply = transport.send(&request);
        match session.upload_finished(request.id, &reply)? {
            UploadOutcome::Acknowledged { .. } => {}
            other => return Err(format!("the receiver did not take the records: {other:?}").into()),
        }
    }
    Ok(())
}

/// Ordinary values, and those at the edges.
fn fields_of(event: &str, mark: &str, index: u32) -> Fields {
    let at = usize::try_from(index).unwrap();
    let mut fields = events::fields_of(event, u64::from(index), TEXTS[at % TEXTS.len()]);
    let number = Value::Number(NUMBERS.get(at).copied().unwrap_or_else(|| f64::from(index) / 4.0));
    let integer = Value::Integer(INTEGERS.get(at).copied().unwrap_or_else(|| i64::from(index)));
    let marked = if mark == "price" { number.clone() } else { integer };
    fields.retain(|(name, _)| name != mark && (mark != "times" || name != "seconds"));
    fields.push((mark.to_owned(), marked));
    if mark == "times" {
        fields.push(("seconds".to_owned(), number));
    }
    fields
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

fn on_the_wire(body: &[u8]) -> Result<Vec<LogRecord>, Failure> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut bytes)?;
    let request = ExportLogsServiceRequest::decode(bytes.as_slice())?;
    Ok(request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records).collect())
}

fn attribute(record: &LogRecord, key: &str) -> Option<serde_json::Value> {
    match record.attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()? {
        Wire::StringValue(text) => Some(json!(text)),
        Wire::IntValue(number) => Some(json!(number)),
        Wire::DoubleValue(number) => Some(json!(number)),
        _ => None,
    }
}
