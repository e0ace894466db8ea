//! What left the device, read from the requests as a receiver reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use flate2::read::GzDecoder;
use menshen::policy::document::FieldForm;
use menshen::{Policy, UploadRequest};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use serde_json::{Map, Value, json};

/// The attribute that names a record; it is random.
const RECORD_UID: &str = "log.record.uid";

/// Everything in a request: `{"to", "event", "fields"}` for each record, `{"to", "erase"}` for a request to erase.
///
/// A field that the policy declares as hashed reads `#`, unless it holds what was recorded in clear.
///
/// # Errors
/// The request is not in the form that a receiver reads.
pub(super) fn contents(
    request: &UploadRequest,
    policies: &[Policy],
    in_clear: &BTreeSet<String>,
) -> Result<Vec<Value>, String> {
    let to = endpoint(&request.url, policies).unwrap_or_else(|| request.url.clone());
    if request.url.ends_with("/erase") {
        let body: Value = serde_json::from_slice(&request.body).map_err(|_| "a request to erase that is no JSON")?;
        return Ok(vec![json!({ "to": to, "erase": body.get("purpose") })]);
    }
    let mut body = Vec::new();
    GzDecoder::new(request.body.as_slice()).read_to_end(&mut body).map_err(|_| "a body that is not gzip")?;
    let logs = ExportLogsServiceRequest::decode(body.as_slice()).map_err(|_| "a body that is no OTLP request")?;
    let records = logs.resource_logs.into_iter().flat_map(|of| of.scope_logs).flat_map(|of| of.log_records);
    let told = records.map(|record| {
        let hashed: BTreeSet<&str> = hashed_fields(&record.event_name, policies);
        let mut fields = Map::new();
        for pair in record.attributes.into_iter().filter(|pair| pair.key != RECORD_UID) {
            let value = match pair.value.and_then(|value| value.value) {
                Some(Any::StringValue(text)) if hashed.contains(pair.key.as_str()) && !in_clear.contains(&text) => {
                    json!("#")
                }
                Some(Any::StringValue(text)) => json!(text),
                Some(Any::BoolValue(flag)) => json!(flag),
                Some(Any::IntValue(number)) => json!(number),
                Some(Any::DoubleValue(number)) => json!(number),
                _ => Value::Null,
            };
            fields.insert(pair.key, value);
        }
        json!({ "to": to, "event": record.event_name, "fields": fields })
    });
    Ok(told.collect())
}

fn endpoint(url: &str, policies: &[Policy]) -> Option<String> {
    let base = url.strip_suffix("/erase").unwrap_or(url);
    let all = policies.iter().rev().flat_map(|policy| &policy.document().endpoints);
    let by_url: BTreeMap<&str, &str> =
        all.map(|(id, endpoint)| (endpoint.url.as_str().trim_end_matches('/'), id.as_str())).collect();
    by_url.get(base.trim_end_matches('/')).map(|id| (*id).to_owned())
}

fn hashed_fields<'p>(event: &str, policies: &'p [Policy]) -> BTreeSet<&'p str> {
    let declared = policies.iter().filter_map(|policy| policy.event(event)).flat_map(|event| &event.fields);
    declared.filter(|(_, field)| field.form == FieldForm::KeyedHash).map(|(name, _)| name.as_str()).collect()
}
