//! Tests of the OTLP wire form against the generated code of `opentelemetry-proto`.

use std::io::Read;

use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::{KeyValue, any_value},
    logs::v1::LogRecord as Decoded,
};
use prost::Message;

use super::*;

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn text(&mut self) -> String {
        // Long enough now and then to need a length of two bytes.
        let bound = if self.below(8) == 0 { 300 } else { 12 };
        (0..self.below(bound)).filter_map(|_| char::from_u32(self.below(0x11_0000) as u32)).collect()
    }

    fn bytes(&mut self, bound: u64) -> Vec<u8> {
        (0..self.below(bound)).map(|_| self.next() as u8).collect()
    }
}

fn encode(uid: &str, attributes: &[(&str, Value<'_>)]) -> Vec<u8> {
    encode_record(&LogRecord {
        uid,
        event: "message.sent",
        time_unix_nano: 1_700_000_000_000_000_001,
        observed_time_unix_nano: u64::MAX,
        attributes,
    })
}

fn decode(record: &[u8]) -> Decoded {
    Decoded::decode(record).expect("a record decodes")
}

/// The attributes as pairs; doubles by their bits, so that NaN equals itself and -0 is not 0.
fn pairs(attributes: &[KeyValue]) -> Vec<(String, String)> {
    attributes
        .iter()
        .map(|pair| {
            let value = match pair.value.clone().and_then(|value| value.value) {
                Some(any_value::Value::StringValue(text)) => format!("string {text}"),
                Some(any_value::Value::IntValue(number)) => format!("integer {number}"),
                Some(any_value::Value::DoubleValue(number)) => {
                    format!("number {}", number.to_bits())
                }
                Some(any_value::Value::BoolValue(flag)) => format!("boolean {flag}"),
                other => panic!("unexpected value {other:?}"),
            };
            (pair.key.clone(), value)
        })
        .collect()
}

fn expected(uid: Option<&str>, attributes: &[(&str, Value<'_>)]) -> Vec<(String, String)> {
    uid.map(|uid| (RECORD_UID, Value::String(uid)))
        .iter()
        .chain(attributes)
        .map(|&(key, value)| {
            let value = match value {
                Value::String(text) => format!("string {text}"),
                Value::Integer(number) => format!("integer {number}"),
                Value::Number(number) => format!("number {}", number.to_bits()),
                Value::Boolean(flag) => format!("boolean {flag}"),
            };
            (key.to_owned(), value)
        })
        .collect()
}

fn request(body: Body) -> ExportLogsServiceRequest {
    let len = body.encoded_len();
    let bytes = body.finish();
    assert_eq!(bytes.len(), len);
    ExportLogsServiceRequest::decode(bytes.as_slice()).expect("a body decodes")
}

#[test]
fn a_record_keeps_its_name_times_and_every_extreme_value() {
    let attributes = [
        ("empty", Value::String("")),
        ("chinese", Value::String("门神")),
        ("beyond the first plane", Value::String("𠮷\u{0}🙂")),
        ("smallest", Value::Integer(i64::MIN)),
        ("minus one", Value::Integer(-1)),
        ("zero", Value::Integer(0)),
        ("largest", Value::Integer(i64::MAX)),
        ("most negative", Value::Number(f64::MIN)),
        ("most positive", Value::Number(f64::MAX)),
        ("tiniest", Value::Number(f64::from_bits(1))),
        ("minus zero", Value::Number(-0.0)),
        ("infinity", Value::Number(f64::INFINITY)),
        ("not a number", Value::Number(f64::NAN)),
        ("no", Value::Boolean(false)),
        ("yes", Value::Boolean(true)),
        ("", Value::String("an empty key")),
    ];
    let record = decode(&encode("uid-1", &attributes));
    assert_eq!(record.event_name, "message.sent");
    assert_eq!(record.time_unix_nano, 1_700_000_000_000_000_001);
    assert_eq!(record.observed_time_unix_nano, u64::MAX);
    assert_eq!(pairs(&record.attributes), expected(Some("uid-1"), &attributes));
}

#[test]
fn an_empty_record_has_its_uid_and_nothing_else() {
    let record = decode(&encode_record(&LogRecord {
        uid: "",
        event: "",
        time_unix_nano: 0,
        observed_time_unix_nano: 0,
        attributes: &[],
    }));
    assert_eq!(pairs(&record.attributes), expected(Some(""), &[]));
    let attributes = record.attributes.clone();
    assert_eq!(record, Decoded { attributes, ..Decoded::default() });
}

#[test]
fn any_attribute_list_decodes_equal() {
    let mut random = Random(10);
    for _ in 0..2_000 {
        let texts: Vec<(String, String)> = (0..random.below(20)).map(|_| (random.text(), random.text())).collect();
        let attributes: Vec<(&str, Value<'_>)> = texts
            .iter()
            .map(|(key, text)| {
                let value = match random.below(4) {
                    0 => Value::String(text),
                    // Shifted, so that every length of a varint occurs.
                    1 => Value::Integer((random.next() >> random.below(64)).cast_signed()),
                    2 => Value::Number(f64::from_bits(random.next())),
                    _ => Value::Boolean(random.below(2) == 1),
                };
                (key.as_str(), value)
            })
            .collect();
        let uid = random.text();
        let record = decode(&encode(&uid, &attributes));
        assert_eq!(pairs(&record.attributes), expected(Some(&uid), &attributes));
    }
}

#[test]
fn a_record_without_some_attributes_keeps_every_other_byte_and_a_cut_one_is_refused() {
    let mut random = Random(7);
    for _ in 0..500 {
        let texts: Vec<String> = (0..random.below(6)).map(|_| random.text()).collect();
        let names: Vec<String> = (0..texts.len()).map(|at| format!("field_{at}")).collect();
        let all: Vec<(&str, Value<'_>)> =
            names.iter().zip(&texts).map(|(name, text)| (name.as_str(), Value::String(text))).collect();
        let ended = |name: &str| name.ends_with(['1', '3']);
        let left: Vec<(&str, Value<'_>)> = all.iter().copied().filter(|(name, _)| !ended(name)).collect();
        let record = encode("u", &all);
        assert_eq!(without_attributes(&record, ended), Ok(encode("u", &left)));
        let cut = usize::try_from(random.below(record.len() as u64)).unwrap_or(0);
        if let Ok(shorter) = without_attributes(&record[..cut], |_| false) {
            assert_eq!(shorter, record[..cut], "cut between two fields");
        }
    }
}

#[test]
fn a_body_names_its_resource_and_scope_once() {
    let resource = [("service.name", Value::String("门神")), ("privacy.policy.version", Value::String(""))];
    let request = request(Body::new(&resource, "menshen", "0.1.0"));
    let [logs] = request.resource_logs.as_slice() else {
        panic!("one resource");
    };
    let [scope_logs] = logs.scope_logs.as_slice() else {
        panic!("one scope");
    };
    let attributes = &logs.resource.as_ref().expect("a resource").attributes;
    assert_eq!(pairs(attributes), expected(None, &resource));
    let scope = scope_logs.scope.as_ref().expect("a scope");
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("menshen", "0.1.0"));
    assert!(scope_logs.log_records.is_empty());
}

#[test]
fn records_arrive_in_order_whatever_their_number() {
    for count in [0, 1, 2, 127, 128, 1_000] {
        let records: Vec<Vec<u8>> =
            (0..count).map(|index| encode(&format!("uid-{index}"), &[("index", Value::Integer(index))])).collect();
        let mut body = Body::new(&[], "", "");
        records.iter().for_each(|record| body.push(record));
        let decoded: Vec<Decoded> = request(body)
            .resource_logs
            .into_iter()
            .flat_map(|logs| logs.scope_logs)
            .flat_map(|logs| logs.log_records)
            .collect();
        let stored: Vec<Decoded> = records.iter().map(|record| decode(record)).collect();
        assert_eq!(decoded, stored);
    }
}

#[test]
fn gzip_gives_back_what_went_in_and_always_the_same_bytes() {
    let mut random = Random(11);
    for input in [Vec::new(), b"menshen".repeat(10_000), random.bytes(100_000)] {
        let packed = gzip(&input).expect("memory takes every write");
        assert_eq!(packed, gzip(&input).expect("memory takes every write"));
        assert_eq!(packed.get(4..8), Some([0_u8; 4].as_slice()), "no time stamp");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).expect("it is gzip");
        assert_eq!(unpacked, input);
    }
}

fn response(rejected: i64, message: &str) -> Vec<u8> {
    ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess {
            rejected_log_records: rejected,
            error_message: message.to_owned(),
        }),
    }
    .encode_to_vec()
}

fn read(body: &[u8]) -> Result<Reply, BadReply> {
    read_reply(Some(CONTENT_TYPE), body)
}

#[test]
fn an_empty_reply_of_any_type_is_full_success() {
    for content_type in [None, Some(CONTENT_TYPE), Some("text/plain")] {
        assert_eq!(read_reply(content_type, b""), Ok(Reply::default()));
    }
}

#[test]
fn an_empty_partial_success_is_full_success() {
    assert_eq!(read(&[0x0a, 0x00]), Ok(Reply::default()));
}

#[test]
fn rejected_records_and_the_reason_are_read() {
    for (rejected, message) in [(1, "too old"), (0, "a warning"), (i64::MAX, "磁盘已满"), (3, "")] {
        let reply = read(&response(rejected, message)).expect("it decodes");
        assert_eq!(reply.rejected, rejected.cast_unsigned());
        assert_eq!(reply.message, message);
    }
}

#[test]
fn the_type_may_have_parameters_and_any_case() {
    let body = response(2, "");
    let reply = read_reply(Some("Application/X-Protobuf ; charset=utf-8"), &body);
    assert_eq!(reply.map(|reply| reply.rejected), Ok(2));
}

#[test]
fn a_body_of_another_type_or_of_none_is_no_acknowledgement() {
    let page = b"<!DOCTYPE html><html><body>Sign in</body></html>";
    for content_type in [None, Some("text/html"), Some("application/json"), Some("")] {
        assert_eq!(read_reply(content_type, page), Err(BadReply::WrongType));
        assert_eq!(read_reply(content_type, &response(0, "")), Err(BadReply::WrongType));
    }
}

#[test]
fn html_that_claims_the_right_type_is_no_acknowledgement() {
    for page in ["<!DOCTYPE html><html></html>", "<html>", "OK", "\n", "{\"partialSuccess\":{}}"] {
        assert!(read(page.as_bytes()).is_err(), "{page:?}");
    }
}

#[test]
fn a_reply_cut_anywhere_is_no_acknowledgement() {
    let body = response(300, "only some of them");
    for len in 1..body.len() {
        assert_eq!(read(&body[..len]), Err(BadReply::Cut), "cut at {len}");
    }
}

#[test]
fn trailing_garbage_is_no_acknowledgement() {
    for garbage in [&b"\0"[..], b"\0\0\0\0", b"\xff", b"<html>", b"\r\n", b"\x0a\x00"] {
        let mut body = response(0, "");
        body.extend_from_slice(garbage);
        assert!(read(&body).is_err(), "{garbage:?}");
    }
}

#[test]
fn a_count_that_no_receiver_writes_is_no_acknowledgement() {
    assert_eq!(read(&response(-1, "")), Err(BadReply::Malformed));
    // The count first as 5, then as 0: protobuf would keep the second.
    assert_eq!(read(&[0x0a, 4, 0x08, 5, 0x08, 0]), Err(BadReply::Malformed));
    // The same through two messages.
    assert_eq!(read(&[0x0a, 2, 0x08, 5, 0x0a, 0]), Err(BadReply::Malformed));
}

#[test]
fn a_reply_longer_than_the_bound_is_refused() {
    let longest = response(1, &"x".repeat(MAX_REPLY_BYTES - 10));
    assert!(longest.len() <= MAX_REPLY_BYTES && read(&longest).is_ok());
    assert_eq!(read(&response(1, &"x".repeat(MAX_REPLY_BYTES))), Err(BadReply::TooLong));
}

#[test]
fn fields_of_a_newer_receiver_are_skipped() {
    // Field 15: a varint, eight bytes, a string, four bytes; then one rejected record.
    let body = [
        &[0x78, 1][..],
        &[0x79, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x7a, 2, b'o', b'k'],
        &[0x7d, 1, 2, 3, 4],
        &[0x0a, 2, 0x08, 1],
    ]
    .concat();
    assert_eq!(read(&body).map(|reply| reply.rejected), Ok(1));
}

#[test]
fn random_bytes_never_panic_and_never_read_differently_than_protobuf_does() {
    let mut random = Random(12);
    let (mut read_well, mut refused) = (0, 0);
    for _ in 0..200_000 {
        let body = if random.below(2) == 0 {
            random.bytes(24)
        } else {
            // A valid reply with one to three bytes changed: these get further.
            let mut body = response(random.below(1_000).cast_signed(), "reason");
            for _ in 0..=random.below(3) {
                let index = random.below(body.len() as u64) as usize;
                body[index] = random.next() as u8;
            }
            body
        };
        match read(&body) {
            Err(_) => refused += 1,
            Ok(reply) => {
                read_well += 1;
                let decoded = ExportLogsServiceResponse::decode(body.as_slice())
                    .expect("what is read here is valid protobuf")
                    .partial_success
                    .unwrap_or_default();
                assert_eq!(reply.rejected.cast_signed(), decoded.rejected_log_records);
                assert_eq!(reply.message, decoded.error_message);
            }
        }
    }
    assert!(read_well > 1_000 && refused > 1_000, "{read_well} read, {refused} refused");
}

#[test]
fn every_bad_reply_has_its_own_code() {
    let all = [BadReply::WrongType, BadReply::TooLong, BadReply::Cut, BadReply::Malformed];
    let codes: std::collections::BTreeSet<&str> = all.iter().map(|bad| bad.code()).collect();
    assert_eq!(codes.len(), all.len());
}
