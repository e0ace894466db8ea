//! The second wire form of logs: one JSON object on a line for each record (NDJSON). Pure: no I/O.
//!
//! A record is sealed in its OTLP form; here it is read again and written with the names that OTLP gives its parts. A line
//! says all about its record, the resource too, so that lines can be split, sorted and loaded one by one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::otlp::{BadReply, MAX_REPLY_BYTES, ReadRecord, Reply, Value};

/// The content type of requests.
pub(crate) const CONTENT_TYPE: &str = "application/x-ndjson";

/// The lines of one request in the making.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

#[derive(Serialize)]
struct Line<'a> {
    event_name: &'a str,
    /// In decimal digits, as OTLP writes 64-bit integers in JSON.
    time_unix_nano: String,
    observed_time_unix_nano: String,
    resource: Map<String, Json>,
    attributes: Map<String, Json>,
}

impl Lines {
    /// Adds a record as [`encode_record`](crate::otlp::encode_record) made it, under its resource.
    ///
    /// # Errors
    /// It is no such record, or holds a number that JSON does not have.
    pub(crate) fn push(&mut self, resource: &[(&str, String)], record: &[u8]) -> Result<(), BadReply> {
        let record = ReadRecord::of(record)?;
        let attributes = record.attributes.into_iter().map(|(name, value)| Some((name.to_owned(), json(value)?)));
        let line = Line {
            event_name: record.event,
            time_unix_nano: record.time_unix_nano.to_string(),
            observed_time_unix_nano: record.observed_time_unix_nano.to_string(),
            resource: resource.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect(),
            attributes: attributes.collect::<Option<_>>().ok_or(BadReply::Malformed)?,
        };
        // A line that failed half-way must not stay.
        let line = serde_json::to_vec(&line).map_err(|_| BadReply::Malformed)?;
        self.0.extend_from_slice(&line);
        self.0.push(b'\n');
        Ok(())
    }

    /// The finished request, before compression.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

fn json(value: Value<'_>) -> Option<Json> {
    Some(match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Number(number) => serde_json::Number::from_f64(number)?.into(),
        Value::Boolean(flag) => flag.into(),
    })
}

/// What a receiver of lines says in a body. Other members may stand beside it; the same one twice is refused.
#[derive(Deserialize)]
struct Told {
    rejected: u64,
    #[serde(default)]
    message: String,
}

/// Reads the body of a 2xx reply. An empty body is full success; any other says in JSON how many records were rejected. A
/// JSON body that does not say it may be anybody's, and acknowledges nothing.
///
/// # Errors
/// See [`BadReply`]; none of them acknowledges anything.
pub(crate) fn read_reply(is_json: bool, body: &[u8]) -> Result<Reply, BadReply> {
    if body.is_empty() {
        return Ok(Reply::default());
    }
    if !is_json {
        return Err(BadReply::WrongType);
    }
    if body.len() > MAX_REPLY_BYTES {
        return Err(BadReply::TooLong);
    }
    let told: Told = serde_json::from_slice(body).map_err(|_| BadReply::Malformed)?;
    Ok(Reply { rejected: told.rejected, message: told.message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{LogRecord, encode_record};

    fn line(attributes: &[(&str, Value<'_>)]) -> Result<Json, BadReply> {
        let record = encode_record(&LogRecord {
            uid: "01-ab",
            event: "call_ended",
            time_unix_nano: 1_800_000_000_000_000_001,
            observed_time_unix_nano: u64::MAX,
            attributes,
        });
        let mut lines = Lines::default();
        lines.push(&[("privacy.purpose", "statistics".to_owned())], &record)?;
        let text = String::from_utf8(lines.finish()).unwrap();
        assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text}");
        Ok(serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_line_says_exactly_what_the_record_says() {
        let attributes = [
            ("text", Value::String("a\n\"b\" 门神 \u{2028}")),
            ("empty", Value::String("")),
            ("low", Value::Integer(i64::MIN)),
            ("high", Value::Integer(i64::MAX)),
            ("half", Value::Number(0.1)),
            ("yes", Value::Boolean(true)),
            ("no", Value::Boolean(false)),
        ];
        let expected = serde_json::json!({
            "event_name": "call_ended",
            "time_unix_nano": "1800000000000000001",
            "observed_time_unix_nano": "18446744073709551615",
            "resource": { "privacy.purpose": "statistics" },
            "attributes": {
                "log.record.uid": "01-ab", "text": "a\n\"b\" 门神 \u{2028}", "empty": "", "low": i64::MIN,
                "high": i64::MAX, "half": 0.1, "yes": true, "no": false,
            },
        });
        assert_eq!(line(&attributes).unwrap(), expected);
    }

    #[test]
    fn a_number_that_json_does_not_have_is_no_line() {
        assert_eq!(line(&[("x", Value::Number(f64::NAN))]).unwrap_err(), BadReply::Malformed);
        assert!(Lines::default().push(&[], b"nonsense").is_err());
    }

    #[test]
    fn only_what_says_that_nothing_was_rejected_acknowledges() {
        let read = |body: &str| read_reply(true, body.as_bytes()).map(|reply| reply.rejected);
        assert_eq!(read(""), Ok(0));
        assert_eq!(read(r#"{"rejected": 0}"#), Ok(0));
        assert_eq!(read(r#"{"rejected": 3, "message": "why", "took": 5}"#), Ok(3));
        for body in
            ["{}", "[]", "null", r#"{"rejected": -1}"#, r#"{"rejected": 5, "rejected": 0}"#, r#"{"rejected": 0"#]
        {
            assert_eq!(read(body), Err(BadReply::Malformed), "{body}");
        }
        assert_eq!(read_reply(false, br#"{"rejected": 0}"#), Err(BadReply::WrongType));
        let long = format!("{{\"rejected\": 0, \"message\": \"{}\"}}", "x".repeat(MAX_REPLY_BYTES));
        assert_eq!(read(&long), Err(BadReply::TooLong));
    }
}
