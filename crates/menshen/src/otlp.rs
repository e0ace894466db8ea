//! The OTLP wire form of logs: records and bodies out, receiver replies in. Pure: no I/O.
//!
//! Field numbers follow `opentelemetry/proto/logs/v1/logs.proto` and
//! `opentelemetry/proto/collector/logs/v1/logs_service.proto`. A record is encoded once, when it is
//! stored; a body only concatenates such records, so an upload builds no structs again.

use std::{fmt, io, io::Write};

use flate2::{Compression, GzBuilder};

/// The content type of requests and of replies that have a body.
pub(crate) const CONTENT_TYPE: &str = "application/x-protobuf";

/// The attribute that names a record; a receiver drops a record whose uid it already has.
pub(crate) const RECORD_UID: &str = "log.record.uid";

/// The longest reply that is decoded, in bytes. A full success takes two.
pub(crate) const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The value of one attribute. There is no lossy form: what is put in is what a receiver decodes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// Text, empty too.
    String(&'a str),
    /// Any 64-bit integer.
    Integer(i64),
    /// Any double, infinities and NaN too.
    Number(f64),
    /// A flag.
    Boolean(bool),
}

/// One log record before it is encoded.
pub(crate) struct LogRecord<'a> {
    /// Unique for ever: a second arrival under the same uid is a duplicate.
    pub(crate) uid: &'a str,
    /// The declared name of the event.
    pub(crate) event: &'a str,
    /// When it happened, in nanoseconds since 1970 UTC; 0 is unknown.
    pub(crate) time_unix_nano: u64,
    /// When it was recorded, in nanoseconds since 1970 UTC.
    pub(crate) observed_time_unix_nano: u64,
    /// The rest, in order. The uid is added and must not be among them.
    pub(crate) attributes: &'a [(&'a str, Value<'a>)],
}

// Every field number used here is below 16, so every tag is one byte.
const fn varint_tag(field: u8) -> u8 {
    field << 3
}
const fn fixed64_tag(field: u8) -> u8 {
    field << 3 | 1
}
const fn bytes_tag(field: u8) -> u8 {
    field << 3 | 2
}

fn varint_len(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// The length of a field of `len` bytes with its tag and its length prefix.
fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_head(out: &mut Vec<u8>, field: u8, len: usize) {
    out.push(bytes_tag(field));
    put_varint(out, len as u64);
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    put_head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_fixed64(out: &mut Vec<u8>, field: u8, value: [u8; 8]) {
    out.push(fixed64_tag(field));
    out.extend_from_slice(&value);
}

impl Value<'_> {
    /// The length of the `AnyValue` message.
    fn len(self) -> usize {
        match self {
            Self::String(text) => field_len(text.len()),
            Self::Boolean(_) => 2,
            Self::Integer(number) => 1 + varint_len(number.cast_unsigned()),
            Self::Number(_) => 9,
        }
    }

    // A default value is written too: in a `oneof`, leaving it out would mean "no value".
    fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::String(text) => put_bytes(out, 1, text.as_bytes()),
            Self::Boolean(flag) => out.extend_from_slice(&[varint_tag(2), u8::from(flag)]),
            Self::Integer(number) => {
                out.push(varint_tag(3));
                put_varint(out, number.cast_unsigned());
            }
            Self::Number(number) => put_fixed64(out, 4, number.to_le_bytes()),
        }
    }
}

/// The length of the `KeyValue` message.
fn attribute_len(key: &str, value: Value<'_>) -> usize {
    field_len(key.len()) + field_len(value.len())
}

fn put_attribute(out: &mut Vec<u8>, field: u8, key: &str, value: Value<'_>) {
    put_head(out, field, attribute_len(key, value));
    put_bytes(out, 1, key.as_bytes());
    put_head(out, 2, value.len());
    value.put(out);
}

/// Encodes one `LogRecord`, without a length prefix: the form in which a record is stored.
pub(crate) fn encode_record(record: &LogRecord<'_>) -> Vec<u8> {
    let uid = (RECORD_UID, Value::String(record.uid));
    let attributes = || std::iter::once(&uid).chain(record.attributes);
    let len = 2 * 9
        + field_len(record.event.len())
        + attributes().map(|&(key, value)| field_len(attribute_len(key, value))).sum::<usize>();
    let mut out = Vec::with_capacity(len);
    put_fixed64(&mut out, 1, record.time_unix_nano.to_le_bytes());
    for &(key, value) in attributes() {
        put_attribute(&mut out, 6, key, value);
    }
    put_fixed64(&mut out, 11, record.observed_time_unix_nano.to_le_bytes());
    put_bytes(&mut out, 12, record.event.as_bytes());
    debug_assert_eq!(out.len(), len);
    out
}

/// A record as [`encode_record`] made it, read again.
pub(crate) struct ReadRecord<'a> {
    pub(crate) event: &'a str,
    pub(crate) time_unix_nano: u64,
    pub(crate) observed_time_unix_nano: u64,
    /// In their order, the uid among them.
    pub(crate) attributes: Vec<(&'a str, Value<'a>)>,
}

impl<'a> ReadRecord<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// It is no such record.
    pub(crate) fn of(record: &'a [u8]) -> Result<Self, BadReply> {
        let (mut time, mut observed, mut event, mut attributes) = (None, None, None, Vec::new());
        let mut fields = Fields(record);
        while let Some((number, field)) = fields.next_field()? {
            match (number, field) {
                (1, Field::Fixed64(nanos)) => set_once(&mut time, nanos)?,
                (11, Field::Fixed64(nanos)) => set_once(&mut observed, nanos)?,
                (12, Field::Bytes(name)) => set_once(&mut event, utf8(name)?)?,
                (6, Field::Bytes(pair)) => attributes.push(read_attribute(pair)?),
                _ => return Err(BadReply::Malformed),
            }
        }
        match (time, observed, event) {
            (Some(time_unix_nano), Some(observed_time_unix_nano), Some(event)) => {
                Ok(Self { event, time_unix_nano, observed_time_unix_nano, attributes })
            }
            _ => Err(BadReply::Malformed),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, BadReply> {
    str::from_utf8(bytes).map_err(|_| BadReply::Malformed)
}

/// The fields of a `KeyValue`.
fn read_attribute(pair: &[u8]) -> Result<(&str, Value<'_>), BadReply> {
    let mut fields = Fields(pair);
    let (Some((1, Field::Bytes(name))), Some((2, Field::Bytes(value))), None) =
        (fields.next_field()?, fields.next_field()?, fields.next_field()?)
    else {
        return Err(BadReply::Malformed);
    };
    let mut fields = Fields(value);
    let value = match (fields.next_field()?, fields.next_field()?) {
        (Some((1, Field::Bytes(text))), None) => Value::String(utf8(text)?),
        (Some((2, Field::Varint(flag @ 0..=1))), None) => Value::Boolean(flag == 1),
        (Some((3, Field::Varint(number))), None) => Value::Integer(number.cast_signed()),
        (Some((4, Field::Fixed64(bits))), None) => Value::Number(f64::from_bits(bits)),
        _ => return Err(BadReply::Malformed),
    };
    Ok((utf8(name)?, value))
}

/// A record as [`encode_record`] made it, without the attributes of some names.
///
/// # Errors
/// It is no such record.
pub(crate) fn without_attributes(record: &[u8], ended: impl Fn(&str) -> bool) -> Result<Vec<u8>, BadReply> {
    let mut out = Vec::with_capacity(record.len());
    let mut fields = Fields(record);
    let mut rest = record;
    while let Some((number, field)) = fields.next_field()? {
        let length = rest.len() - fields.0.len();
        let (whole, behind) = rest.split_at_checked(length).ok_or(BadReply::Cut)?;
        rest = behind;
        let is_ended = match (number, field) {
            (6, Field::Bytes(attribute)) => match Fields(attribute).next_field()? {
                Some((1, Field::Bytes(name))) => ended(str::from_utf8(name).map_err(|_| BadReply::Malformed)?),
                _ => return Err(BadReply::Malformed),
            },
            _ => false,
        };
        if !is_ended {
            out.extend_from_slice(whole);
        }
    }
    Ok(out)
}

/// An `ExportLogsServiceRequest` in the making: one resource, one scope, any number of records.
pub(crate) struct Body {
    /// The `resource` field of `ResourceLogs`, with its tag.
    resource: Vec<u8>,
    /// `ScopeLogs`: its scope, then the records.
    scope_logs: Vec<u8>,
}

impl Body {
    /// Starts a body without records. `resource` says who sends: attributes common to all records.
    pub(crate) fn new(resource: &[(&str, Value<'_>)], scope_name: &str, scope_version: &str) -> Self {
        let mut attributes = Vec::new();
        for &(key, value) in resource {
            put_attribute(&mut attributes, 1, key, value);
        }
        let mut scope = Vec::new();
        put_bytes(&mut scope, 1, scope_name.as_bytes());
        put_bytes(&mut scope, 2, scope_version.as_bytes());

        let mut body = Self { resource: Vec::new(), scope_logs: Vec::new() };
        put_bytes(&mut body.resource, 1, &attributes);
        put_bytes(&mut body.scope_logs, 1, &scope);
        body
    }

    /// Adds a record as [`encode_record`] made it. Its bytes are copied, not looked at.
    pub(crate) fn push(&mut self, record: &[u8]) {
        put_bytes(&mut self.scope_logs, 2, record);
    }

    /// The length of the finished body in bytes, before compression.
    pub(crate) fn encoded_len(&self) -> usize {
        field_len(self.resource_logs_len())
    }

    /// The finished request, before compression.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        put_head(&mut out, 1, self.resource_logs_len());
        out.extend_from_slice(&self.resource);
        put_bytes(&mut out, 2, &self.scope_logs);
        out
    }

    fn resource_logs_len(&self) -> usize {
        self.resource.len() + field_len(self.scope_logs.len())
    }
}

/// Compresses a body. The same input gives the same bytes: no time stamp, no host.
///
/// # Errors
/// None is known, since memory takes every write; but an error that went unseen would send an empty
/// body, which a receiver accepts.
pub(crate) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// What a receiver says about a body that it answered with a 2xx.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// How many records it refused. 0 is full success; which ones is not said.
    pub(crate) rejected: u64,
    /// Its own words: a reason, or with nothing rejected a warning. Not for logs.
    pub(crate) message: String,
}

/// Why a reply is no acknowledgement although its status was 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadReply {
    /// It has a body of another type, or of none.
    WrongType,
    /// It is longer than [`MAX_REPLY_BYTES`].
    TooLong,
    /// It ends inside a field.
    Cut,
    /// It does not say what became of the records, or says it in another form than the encoding has.
    Malformed,
}

impl BadReply {
    /// A stable name for programs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::WrongType => "reply-wrong-type",
            Self::TooLong => "reply-too-long",
            Self::Cut => "reply-cut",
            Self::Malformed => "reply-malformed",
        }
    }
}

impl fmt::Display for BadReply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongType => write!(
                formatter,
                "the receiver's reply is of another type than its endpoint's encoding has, so something else answered; \
                 check the endpoint's url, or sign in to the network"
            ),
            Self::TooLong => write!(
                formatter,
                "the receiver's reply is longer than {MAX_REPLY_BYTES} bytes; check the endpoint's url"
            ),
            Self::Cut => formatter.write_str("the receiver's reply ends early; the records are sent again later"),
            Self::Malformed => formatter.write_str(
                "the receiver's reply does not say what became of the records; check that the endpoint speaks the \
                 encoding that the policy gives it",
            ),
        }
    }
}

impl std::error::Error for BadReply {}

/// Decodes the body of a 2xx reply. An empty body of any type is full success.
///
/// Unknown fields are skipped, since receivers may be newer than this code. What protobuf lets pass
/// but no receiver writes (a field given twice, a negative count) is refused: to take it for an
/// acknowledgement could lose records.
///
/// # Errors
/// See [`BadReply`]; none of them acknowledges anything.
pub(crate) fn read_reply(content_type: Option<&str>, body: &[u8]) -> Result<Reply, BadReply> {
    if body.is_empty() {
        return Ok(Reply::default());
    }
    let media_type = content_type.and_then(|value| value.split(';').next());
    if !media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case(CONTENT_TYPE)) {
        return Err(BadReply::WrongType);
    }
    if body.len() > MAX_REPLY_BYTES {
        return Err(BadReply::TooLong);
    }
    let mut partial_success = None;
    let mut fields = Fields(body);
    while let Some((number, field)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => set_once(&mut partial_success, bytes)?,
            (1, _) => return Err(BadReply::Malformed),
            _ => {}
        }
    }
    partial_success.map_or_else(|| Ok(Reply::default()), read_partial_success)
}

fn read_partial_success(bytes: &[u8]) -> Result<Reply, BadReply> {
    let (mut rejected, mut message) = (None, None);
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Varint(count)) => set_once(&mut rejected, count)?,
            (2, Field::Bytes(text)) => set_once(&mut message, text)?,
            (1 | 2, _) => return Err(BadReply::Malformed),
            _ => {}
        }
    }
    let rejected = rejected.unwrap_or(0);
    // The field is an int64.
    if i64::try_from(rejected).is_err() {
        return Err(BadReply::Malformed);
    }
    let message = str::from_utf8(message.unwrap_or_default()).map_err(|_| BadReply::Malformed)?;
    Ok(Reply { rejected, message: message.to_owned() })
}

fn set_once<T>(place: &mut Option<T>, value: T) -> Result<(), BadReply> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(BadReply::Malformed),
    }
}

enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

/// The fields of one message that were not read yet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next_field(&mut self) -> Result<Option<(u64, Field<'a>)>, BadReply> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || tag > u64::from(u32::MAX) {
            return Err(BadReply::Malformed);
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?.first_chunk().ok_or(BadReply::Cut)?;
                Field::Fixed64(u64::from_le_bytes(*bytes))
            }
            2 => {
                let len = self.varint()?;
                Field::Bytes(self.take(usize::try_from(len).map_err(|_| BadReply::Cut)?)?)
            }
            5 => {
                self.take(4)?;
                Field::Fixed32
            }
            _ => return Err(BadReply::Malformed),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Result<u64, BadReply> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(BadReply::Cut)?;
            self.0 = rest;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                return Err(BadReply::Malformed);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(BadReply::Malformed)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], BadReply> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(BadReply::Cut)?;
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "otlp_tests.rs"]
mod tests;
