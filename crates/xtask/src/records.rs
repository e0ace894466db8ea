//! Records as the program sent them and as the collector wrote them, compared one by one.

use crate::failure::{During, Failure, Result};
use serde_json::{Map, Number, Value, json};
use std::collections::BTreeMap;

/// The attribute that carries a record's identity on the wire.
const UID: &str = "log.record.uid";
/// What menshen adds to an event's own attributes on the wire; compared only where the program names it.
const ADDED: [&str; 5] = [UID, "privacy.", "audit.", "enduser.", "menshen."];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) event: String,
    pub(crate) attributes: Map<String, Value>,
}

/// Records by uid; a record that came twice is there twice.
pub(crate) type Records = BTreeMap<String, Vec<Record>>;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) sent: usize,
    pub(crate) equal: usize,
    /// One sentence for each record that is missing, came twice, or differs.
    pub(crate) different: Vec<String>,
}

/// What the program says it sent: `{"uid", "event", "attributes"}`, one JSON object a line. Other lines are its talk.
pub(crate) fn sent(output: &str) -> Result<Records> {
    let mut records = Records::new();
    for line in output.lines().filter(|line| line.starts_with('{')) {
        let value: Value = serde_json::from_str(line).during("the program's output")?;
        let record = (|| {
            Some((
                value.get("uid")?.as_str()?.to_owned(),
                Record {
                    event: value.get("event")?.as_str()?.to_owned(),
                    attributes: value.get("attributes")?.as_object()?.clone(),
                },
            ))
        })();
        let (uid, record) =
            record.ok_or_else(|| Failure::new(format!("not a record with uid, event and attributes: `{line}`")))?;
        records.entry(uid).or_default().push(record);
    }
    Ok(records)
}

/// What the collector's file exporter wrote: one OTLP request in JSON a line.
pub(crate) fn received(file: &str) -> Result<Records> {
    let mut records = Records::new();
    for line in file.lines() {
        let request: Value = serde_json::from_str(line).during("the collector's file")?;
        for block in leaves(&request, &["resourceLogs"]) {
            // What holds for all records of a block stands once, on its resource.
            let shared = key_values(block.get("resource").and_then(|resource| resource.get("attributes")))?;
            for log in leaves(block, &["scopeLogs", "logRecords"]) {
                let mut attributes = key_values(log.get("attributes"))?;
                attributes.extend(shared.clone());
                let uid = match attributes.get(UID) {
                    Some(Value::String(uid)) => uid.clone(),
                    _ => return Err(Failure::new(format!("a record without `{UID}`: `{log}`"))),
                };
                attributes.retain(|_, value| !value.is_null());
                let event = log.get("eventName").and_then(Value::as_str).unwrap_or_default().to_owned();
                records.entry(uid).or_default().push(Record { event, attributes });
            }
        }
    }
    Ok(records)
}

pub(crate) fn compare(sent: &Records, received: &Records) -> Comparison {
    let mut result = Comparison { sent: sent.values().map(Vec::len).sum(), ..Comparison::default() };
    for (uid, sent) in sent {
        let [expected] = sent.as_slice() else {
            result.different.push(format!("{uid}: sent {} times", sent.len()));
            continue;
        };
        match received.get(uid).map(Vec::as_slice) {
            None => result.different.push(format!("{uid}: did not arrive")),
            Some([one]) => match difference(expected, one) {
                None => result.equal += 1,
                Some(difference) => result.different.push(format!("{uid}: {difference}")),
            },
            Some(many) => result.different.push(format!("{uid}: arrived {} times", many.len())),
        }
    }
    for uid in received.keys().filter(|uid| !sent.contains_key(*uid)) {
        result.different.push(format!("{uid}: arrived and was not sent"));
    }
    result
}

fn difference(sent: &Record, received: &Record) -> Option<String> {
    if sent.event != received.event {
        return Some(format!("event `{}` arrived as `{}`", sent.event, received.event));
    }
    for (key, value) in &sent.attributes {
        match received.attributes.get(key) {
            Some(arrived) if arrived == value => {}
            Some(arrived) => return Some(format!("`{key}` {value} arrived as {arrived}")),
            None => return Some(format!("`{key}` did not arrive")),
        }
    }
    let is_added = |key: &str| ADDED.iter().any(|prefix| key.starts_with(prefix));
    let extra = received.attributes.keys().find(|key| !sent.attributes.contains_key(*key) && !is_added(key));
    extra.map(|key| format!("`{key}` arrived and was not sent"))
}

/// The objects at the end of a path of arrays.
fn leaves<'a>(value: &'a Value, path: &[&str]) -> Vec<&'a Value> {
    let Some((first, rest)) = path.split_first() else {
        return vec![value];
    };
    let children = value.get(first).and_then(Value::as_array);
    children.into_iter().flatten().flat_map(|child| leaves(child, rest)).collect()
}

fn key_values(list: Option<&Value>) -> Result<Map<String, Value>> {
    let mut map = Map::new();
    for pair in list.and_then(Value::as_array).into_iter().flatten() {
        let key = pair.get("key").and_then(Value::as_str).unwrap_or_default();
        let value = pair.get("value").map(any_value).transpose()?.unwrap_or(Value::Null);
        if map.insert(key.to_owned(), value).is_some() {
            return Err(Failure::new(format!("the attribute `{key}` is there twice")));
        }
    }
    Ok(map)
}

/// An OTLP value in its JSON form, where a 64-bit integer is a string, as plain JSON.
fn any_value(value: &Value) -> Result<Value> {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return Ok(Value::Null);
    };
    let unreadable = || Failure::new(format!("not an OTLP value: `{value}`"));
    Ok(match kind.as_str() {
        "stringValue" | "boolValue" => inner.clone(),
        "doubleValue" => inner.as_f64().and_then(Number::from_f64).ok_or_else(unreadable)?.into(),
        "intValue" => match inner {
            Value::String(digits) => Value::from(digits.parse::<i64>().map_err(|_| unreadable())?),
            other => other.clone(),
        },
        "bytesValue" => json!({ "base64": inner }),
        "arrayValue" => {
            let items = inner.get("values").and_then(Value::as_array).into_iter().flatten();
            Value::Array(items.map(any_value).collect::<Result<_>>()?)
        }
        "kvlistValue" => Value::Object(key_values(inner.get("values"))?),
        _ => return Err(unreadable()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = r#"talk
{"uid":"a","event":"page","attributes":{"n":-9223372036854775808,"s":"","x":0.5,"list":[1,"二"],"b":true}}"#;

    fn written(n: &str) -> String {
        let resource = json!({"attributes": [{"key": "privacy.purpose", "value": {"stringValue": "analytics"}}]});
        json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [{"eventName": "page", "attributes": [
            {"key": "log.record.uid", "value": {"stringValue": "a"}},
            {"key": "n", "value": {"intValue": n}},
            {"key": "s", "value": {"stringValue": ""}},
            {"key": "x", "value": {"doubleValue": 0.5}},
            {"key": "b", "value": {"boolValue": true}},
            {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "二"}]}}},
        ]}]}]}]})
        .to_string()
    }

    #[test]
    fn equal_records_are_equal_whatever_the_spelling() {
        let received = received(&written("-9223372036854775808")).unwrap();
        let result = compare(&sent(SENT).unwrap(), &received);
        assert_eq!(result, Comparison { sent: 1, equal: 1, different: Vec::new() });
    }

    #[test]
    fn an_integer_that_lost_its_last_digit_is_different() {
        let received = received(&written("-9223372036854775807")).unwrap();
        assert_eq!(compare(&sent(SENT).unwrap(), &received).different.len(), 1);
    }

    #[test]
    fn what_stands_on_the_resource_is_compared_where_the_program_names_it() {
        let received = received(&written("-9223372036854775808")).unwrap();
        let named = |purpose| SENT.replace("\"n\"", &format!("\"privacy.purpose\":\"{purpose}\",\"n\""));
        assert_eq!(compare(&sent(&named("analytics")).unwrap(), &received).different.len(), 0);
        assert_eq!(compare(&sent(&named("another")).unwrap(), &received).different.len(), 1);
    }

    #[test]
    fn a_record_that_is_missing_twice_there_or_unknown_is_different() {
        let sent = sent(SENT).unwrap();
        let line = written("-9223372036854775808");
        assert_eq!(compare(&sent, &Records::new()).different, ["a: did not arrive"]);
        let twice = received(&format!("{line}\n{line}")).unwrap();
        assert_eq!(compare(&sent, &twice).different, ["a: arrived 2 times"]);
        let result = compare(&Records::new(), &received(&line).unwrap());
        assert_eq!(result.different, ["a: arrived and was not sent"]);
    }
}
