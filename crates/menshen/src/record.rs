//! Recording events: declared or refused, minimised, sealed.

use std::collections::HashSet;
use std::fmt;

use menshen_journal::{Append, Appended, Expiry, Lane};
use menshen_policy::document::{FieldForm, FieldType};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::core::Core;
use crate::denial::{Denial, Remedy};
use crate::error::Error;
use crate::identifier::keyed_hash;
use crate::otlp::{LogRecord, Value as Otlp, encode_record};
use crate::sdk::Shared;
use crate::sealed::Header;
use crate::session::Session;

/// The largest event, in bytes: of its names and texts as they are given, and eight for each other value.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;

/// The value of one field.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
}

impl std::fmt::Debug for Value {
    /// What it says is the person's, and no log's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::String(_) => "String(…)",
            Self::Integer(_) => "Integer(…)",
            Self::Number(_) => "Number(…)",
            Self::Boolean(_) => "Boolean(…)",
        })
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}
impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Integer(i64::from(value))
    }
}
impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(i64::from(value))
    }
}
impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

/// The fields of one event, by name.
pub type Fields = Vec<(String, Value)>;

/// Writes the fields of an event.
///
/// ```
/// use menshen::{fields, Value};
/// let fields = fields! { "seconds" => 42, "video" => true };
/// assert_eq!(fields[0], ("seconds".to_owned(), Value::Integer(42)));
/// ```
#[macro_export]
macro_rules! fields {
    ($($name:expr => $value:expr),* $(,)?) => {
        vec![$((::std::string::String::from($name), $crate::Value::from($value))),*]
    };
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Recorded {
    /// In memory only, because the key store is not ready: it goes with the process. It is sealed as soon as the key is
    /// there, and destroyed if the key is gone or the person says no first.
    Held,
    /// Sealed; the operating system has it, so it survives the end of the process.
    Buffered,
    /// Not stored, because it is not allowed now, and why.
    Denied(Denial),
}

impl Session {
    /// Records an event that the policy declares. Without leave it is not stored, which is no error.
    ///
    /// # Errors
    /// The policy declares no such event; a field is of the wrong type, there twice, or undeclared in strict mode; it is
    /// too large; or the store is full or failed.
    pub fn record(&self, event: &str, fields: Fields) -> Result<Recorded, Error> {
        self.work(|core, shared| record(core, shared, event, fields))
    }

    /// As [`Session::record`], with the fields as one flat JSON object in UTF-8.
    ///
    /// # Errors
    /// As [`Session::record`]; they are no such object.
    pub fn record_json(&self, event: &str, fields: &[u8]) -> Result<Recorded, Error> {
        let fields = read_fields(fields)?;
        self.record(event, fields)
    }

    /// Fields dropped because the policy does not declare them, and events not stored for want of leave, since
    /// the session was opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.read(|core, _| Counts { dropped_fields: core.dropped_fields, denied_events: core.not_stored })
    }
}

/// What a session dropped instead of storing it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Fields that the policy does not declare.
    pub dropped_fields: u64,
    /// Events that were not allowed.
    pub denied_events: u64,
}

fn record(core: &mut Core, shared: &Shared, event: &str, fields: Fields) -> Result<Recorded, Error> {
    let now = shared.clock.now();
    let policy = std::sync::Arc::clone(&core.policy);
    let Some(declared) = policy.event(event) else {
        return Err(core.unknown("event", event, |policy| policy.event(event).is_some()));
    };
    let purpose = declared.purpose.as_str();
    let size = fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if size > MAX_EVENT_BYTES {
        return Err(Error::TooLarge { bytes: size, limit: MAX_EVENT_BYTES });
    }
    if has_name_twice(&fields) {
        return Err(Error::BadFields { why: "duplicate-key" });
    }
    let mut kept = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let Some(field) = declared.fields.get(name.as_str()) else {
            let known_later = || {
                let later = core.pending().and_then(|pending| pending.policy.event(event));
                later.is_some_and(|event| event.fields.contains_key(name.as_str()))
            };
            if core.strict && !known_later() {
                return Err(Error::UndeclaredField { event: event.to_owned(), field: name });
            }
            core.dropped_fields += 1;
            continue;
        };
        let value = value.fit(field.kind).ok_or_else(|| Error::FieldType {
            event: event.to_owned(),
            field: name.clone(),
            expected: type_name(field.kind),
        })?;
        kept.push((name, value));
    }
    let in_force = core.in_force(&now);
    let denial = match core.denial_to_store(purpose, &now)? {
        None if !in_force.has_event(event, purpose) => {
            let name = policy.purpose(purpose).map(|p| core.local(&p.name)).unwrap_or_default();
            Some(core.denials(purpose, name).build("ended-by-policy", Remedy::Nothing))
        }
        denial => denial,
    };
    // A field that a newer version in effect takes away is not stored; one whose form it tightens takes that form.
    let kept: Vec<(String, Value, FieldForm)> = kept
        .into_iter()
        .filter_map(|(name, value)| Some((in_force.field_form(event, purpose, &name)?, name, value)))
        .map(|(form, name, value)| (name, value, form))
        .collect();
    let kept_for = in_force.kept_for_ms(purpose);
    if let Some(denial) = denial {
        core.not_stored += 1;
        return Ok(Recorded::Denied(denial));
    }
    let domain = core.domain_for_record(shared, purpose)?;
    let shape = core.shape_of_event(shared, event, declared, &now)?;
    let mut minimised = Vec::with_capacity(kept.len());
    for (name, value, form) in kept {
        let value = match form {
            FieldForm::KeyedHash => {
                let label = format!("menshen/field/{event}/{name}");
                Value::String(keyed_hash(&shared.journal, &domain, &label, &value.as_text())?)
            }
            _ => value,
        };
        minimised.push((name, value));
    }
    let nanos = u64::try_from(now.wall_ms).unwrap_or(0).saturating_mul(1_000_000);
    let attributes: Vec<(&str, Otlp<'_>)> =
        minimised.iter().map(|(name, value)| (name.as_str(), value.otlp())).collect();
    let uid = shared.random_id()?;
    let wire = encode_record(&LogRecord {
        uid: &uid,
        event,
        time_unix_nano: nanos,
        observed_time_unix_nano: nanos,
        attributes: &attributes,
    });
    let body = Header { shape, sealed_ms: now.wall_ms }.write(&[&wire]);
    let expiry = Expiry::after(&now, kept_for);
    Ok(match shared.journal.append(&Append { domain, lane: Lane::Telemetry, expiry, body: &body })? {
        Appended::Held => Recorded::Held,
        Appended::Buffered(_) | Appended::Synced(_) => Recorded::Buffered,
    })
}

/// Whether two fields have the same name, so that nobody can say which value holds.
fn has_name_twice(fields: &Fields) -> bool {
    let mut seen = HashSet::with_capacity(fields.len());
    !fields.iter().all(|(name, _)| seen.insert(name.as_str()))
}

fn type_name(kind: FieldType) -> &'static str {
    match kind {
        FieldType::String => "string",
        FieldType::Integer => "integer",
        FieldType::Number => "number",
        FieldType::Boolean => "boolean",
        _ => "declared",
    }
}

impl Value {
    /// The value as the declared type; an integer is a number too.
    fn fit(self, kind: FieldType) -> Option<Self> {
        match (kind, self) {
            (FieldType::String, value @ Self::String(_))
            | (FieldType::Integer, value @ Self::Integer(_))
            | (FieldType::Boolean, value @ Self::Boolean(_)) => Some(value),
            (FieldType::Number, Self::Number(value)) if value.is_finite() => Some(Self::Number(value)),
            // Only what a double holds exactly is taken for one.
            (FieldType::Number, Self::Integer(value)) if value.unsigned_abs() <= 1 << 53 => {
                i32::try_from(value).map(f64::from).ok().or_else(|| value.to_string().parse().ok()).map(Self::Number)
            }
            _ => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            _ => 8,
        }
    }

    fn as_text(&self) -> String {
        match self {
            Self::String(text) => text.clone(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Boolean(value) => value.to_string(),
        }
    }

    fn otlp(&self) -> Otlp<'_> {
        match self {
            Self::String(text) => Otlp::String(text),
            Self::Integer(value) => Otlp::Integer(*value),
            Self::Number(value) => Otlp::Number(*value),
            Self::Boolean(value) => Otlp::Boolean(*value),
        }
    }
}

/// The members of one JSON object as they stand there, a name that stands twice included.
struct Members(Vec<(String, serde_json::Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// How many objects and arrays of a JSON text stand in one another at most. What stands within a text counts nothing.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => open += 1,
            b'}' | b']' if !in_text => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// Reads one flat JSON object. A number without fraction and exponent is an integer.
fn read_fields(bytes: &[u8]) -> Result<Fields, Error> {
    if bytes.len() > MAX_EVENT_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len(), limit: MAX_EVENT_BYTES });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Error::BadFields { why: "not-utf8" })?;
    let members = serde_json::from_str::<Members>(text).map_err(|error| Error::BadFields {
        why: match error.classify() {
            // Another value than an object.
            serde_json::error::Category::Data => "not-flat",
            // The parser stops at its own limit of depth; everything it stops at is unreadable here.
            serde_json::error::Category::Syntax if depth(text) > 100 => "too-deep",
            _ => "syntax",
        },
    })?;
    members
        .0
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                serde_json::Value::String(text) => Value::String(text),
                serde_json::Value::Bool(flag) => Value::Boolean(flag),
                serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                    (Some(whole), _) => Value::Integer(whole),
                    (None, Some(fraction)) => Value::Number(fraction),
                    (None, None) => return Err(Error::BadFields { why: "not-flat" }),
                },
                _ => return Err(Error::BadFields { why: "not-flat" }),
            };
            Ok((name, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_one_flat_object_in_utf8() {
        let code = |bytes: &[u8]| match read_fields(bytes) {
            Err(Error::BadFields { why }) => why,
            Err(_) => "other",
            Ok(_) => "ok",
        };
        assert_eq!(code(br#"{"a":1,"b":1.5,"c":"x","d":true}"#), "ok");
        assert_eq!(code(b"{\"a\":\"\xff\"}"), "not-utf8");
        assert_eq!(code(br#"{"a":"#), "syntax");
        assert_eq!(code(br#"{"a":{}}"#), "not-flat");
        assert_eq!(code(format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)).as_bytes()), "too-deep");
        assert_eq!(code(br#"{"a":null}"#), "not-flat");
        let braces = format!("{{\"a\":\"{}\",}}", "{".repeat(200));
        assert_eq!(code(braces.as_bytes()), "syntax", "a brace within a text is no depth");
    }

    #[test]
    fn a_name_that_stands_twice_is_told() {
        let twice = read_fields(br#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(twice.len(), 3);
        assert!(has_name_twice(&twice));
        assert!(!has_name_twice(&crate::fields! { "a" => 1, "b" => 1 }));
    }

    #[test]
    fn an_integer_is_a_number_only_where_a_double_holds_it() {
        assert_eq!(Value::Integer(3).fit(FieldType::Number), Some(Value::Number(3.0)));
        assert_eq!(Value::Integer(1 << 53).fit(FieldType::Number), Some(Value::Number(9_007_199_254_740_992.0)));
        assert_eq!(Value::Integer(i64::MAX).fit(FieldType::Number), None);
        assert_eq!(Value::Number(f64::NAN).fit(FieldType::Number), None);
        assert_eq!(Value::Number(1.0).fit(FieldType::Integer), None);
    }
}
