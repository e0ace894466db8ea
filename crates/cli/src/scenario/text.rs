//! Strict reading of JSON whose values keep their line, so that a wrong key or a failed step can be pointed at.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::words::instead_of;

/// What is wrong with a file of scenarios, and where.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) line: usize,
    pub(crate) message: String,
}

pub(crate) type Read<T> = Result<T, Wrong>;

/// A file's text, in which places are told as lines.
#[derive(Clone, Copy)]
pub(crate) struct Source<'t>(pub(crate) &'t str);

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Node<'t> {
    source: Source<'t>,
    raw: &'t RawValue,
}

/// An object whose keys are taken one by one; what is left over is unknown.
pub(crate) struct Object<'t> {
    line: usize,
    members: Vec<(String, Node<'t>)>,
    asked: Vec<&'static str>,
}

/// The members of an object in their order, duplicates included.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl<'t> Source<'t> {
    /// The whole file as one value.
    pub(crate) fn root(self) -> Read<Node<'t>> {
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(raw) => Ok(Node { source: self, raw }),
            Err(error) => Err(Wrong { line: error.line(), message: format!("no JSON: {error}") }),
        }
    }

    /// The line on which a part of the text begins, counted from 1.
    fn line_of(self, part: &str) -> usize {
        let at = (part.as_ptr() as usize).saturating_sub(self.0.as_ptr() as usize);
        1 + self.0.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

impl<'t> Node<'t> {
    pub(crate) fn line(self) -> usize {
        self.source.line_of(self.raw.get())
    }

    /// As it is written, in one line.
    pub(crate) fn in_one_line(self) -> String {
        self.value().map_or_else(|_| self.raw.get().to_owned(), |value| value.to_string())
    }

    pub(crate) fn wrong(self, message: impl Into<String>) -> Wrong {
        Wrong { line: self.line(), message: message.into() }
    }

    fn read<T: Deserialize<'t>>(self, expected: &str) -> Read<T> {
        serde_json::from_str(self.raw.get()).map_err(|_| {
            let found: String = self.raw.get().chars().take(40).collect();
            self.wrong(format!("expected {expected}, found `{found}`"))
        })
    }

    pub(crate) fn value(self) -> Read<Value> {
        self.read("a value")
    }

    pub(crate) fn string(self) -> Read<String> {
        self.read("a text")
    }

    pub(crate) fn number(self) -> Read<u64> {
        self.read("a whole number")
    }

    pub(crate) fn items(self) -> Read<Vec<Self>> {
        let items: Vec<&RawValue> = self.read("a list")?;
        Ok(items.into_iter().map(|raw| Node { source: self.source, raw }).collect())
    }

    pub(crate) fn strings(self) -> Read<Vec<String>> {
        self.items()?.into_iter().map(Self::string).collect()
    }

    pub(crate) fn members(self) -> Read<Vec<(String, Self)>> {
        let members: Members<'t> = self.read("an object")?;
        let members: Vec<_> =
            members.0.into_iter().map(|(key, raw)| (key, Self { source: self.source, raw })).collect();
        for (at, (key, node)) in members.iter().enumerate() {
            if members.iter().take(at).any(|(before, _)| before == key) {
                return Err(node.wrong(format!("the key `{key}` is there twice")));
            }
        }
        Ok(members)
    }

    pub(crate) fn object(self) -> Read<Object<'t>> {
        Ok(Object { line: self.line(), members: self.members()?, asked: Vec::new() })
    }
}

impl<'t> Object<'t> {
    /// Takes a key that may be missing.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Node<'t>> {
        self.asked.push(key);
        let at = self.members.iter().position(|(name, _)| name == key)?;
        Some(self.members.remove(at).1)
    }

    /// Takes a key that must be there.
    pub(crate) fn need(&mut self, key: &'static str) -> Read<Node<'t>> {
        let line = self.line;
        self.take(key).ok_or_else(|| Wrong { line, message: format!("`{key}` is missing") })
    }

    pub(crate) fn take_string(&mut self, key: &'static str) -> Read<Option<String>> {
        self.take(key).map(Node::string).transpose()
    }

    pub(crate) fn take_strings(&mut self, key: &'static str) -> Read<Vec<String>> {
        self.take(key).map(Node::strings).transpose().map(Option::unwrap_or_default)
    }

    /// Does not name the keys that were taken so far where one is misspelt.
    pub(crate) fn forget_asked(&mut self) {
        self.asked.clear();
    }

    /// Says that everything was taken; a key that is left is unknown.
    pub(crate) fn finish(self) -> Read<()> {
        match self.members.first() {
            None => Ok(()),
            Some((key, node)) => {
                let way_out = instead_of(key, self.asked.iter().copied());
                Err(node.wrong(format!("`{key}` is not a key here; {way_out}")))
            }
        }
    }
}
