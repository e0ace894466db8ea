//! The canonical bytes of a document (RFC 8785) and their hash: its identity, whatever its layout.

use std::fmt::Write as _;

use ring::digest;
use serde_json::Value;

/// The canonical bytes, without the top-level `$schema`, which is for editors and no part of the document.
pub(crate) fn bytes(document: &Value) -> Vec<u8> {
    let mut text = String::new();
    match document.as_object() {
        Some(object) => write_object(&mut text, object.iter().filter(|(key, _)| *key != "$schema")),
        None => write_value(&mut text, document),
    }
    text.into_bytes()
}

/// The SHA-256 of the canonical bytes, in lower-case hexadecimal.
pub(crate) fn hash(document: &Value) -> String {
    hash_bytes(&bytes(document))
}

/// The SHA-256 of bytes, in lower-case hexadecimal.
pub(crate) fn hash_bytes(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        // Whole numbers only: neither a policy nor a law pack has others.
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(object) => write_object(text, object.iter()),
    }
}

fn write_object<'v>(text: &mut String, members: impl Iterator<Item = (&'v String, &'v Value)>) {
    let mut members: Vec<_> = members.collect();
    // The order of UTF-16 code units, which is not that of UTF-8 beyond the basic plane.
    members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    text.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_string(text, key);
        text.push(':');
        write_value(text, value);
    }
    text.push('}');
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{C}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            '\0'..='\u{1F}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            _ => text.push(character),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(source: &str) -> String {
        String::from_utf8(bytes(&serde_json::from_str(source).unwrap())).unwrap()
    }

    #[test]
    fn keys_are_sorted_as_in_the_example_of_the_standard() {
        // RFC 8785, section 3.2.3.
        let source = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
            "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        let sorted = canonical(source);
        let places: Vec<_> = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
            .iter()
            .map(|name| sorted.find(name).unwrap())
            .collect();
        assert!(places.is_sorted(), "{sorted}");
    }

    #[test]
    fn strings_are_escaped_as_in_the_example_of_the_standard() {
        // RFC 8785, section 3.2.2.2.
        let source = r#"["\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", null, true, false, 10]"#;
        assert_eq!(canonical(source), "[\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\",null,true,false,10]");
    }

    #[test]
    fn the_schema_key_is_left_out_at_the_top_only() {
        assert_eq!(canonical(r#"{"$schema": "x", "a": {"$schema": "y"}}"#), r#"{"a":{"$schema":"y"}}"#);
    }

    #[test]
    fn the_hash_is_sha_256_in_hexadecimal() {
        // FIPS 180-4, the one-block example "abc".
        assert_eq!(hash_bytes(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
