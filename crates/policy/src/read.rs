//! Reads a policy document: all of it is right, or everything that is wrong with it is told at once.

use serde::Deserialize as _;

use crate::document::Document;
use crate::error::{Cursor, Errors, Position, Problems, Span};
use crate::json::{self, Node};
use crate::{canonical, check, packs, schema};

/// A document that was read and found right, and its identity.
#[derive(Clone, Debug)]
pub struct Read {
    /// The document.
    pub document: Document,
    /// The bytes that the hash is taken over (RFC 8785, without `$schema`).
    pub canonical: Vec<u8>,
    /// The SHA-256 of the canonical bytes, in lower-case hexadecimal.
    pub hash: String,
}

impl Document {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once and in the order of the text; for a file that is not JSON,
    /// the first place where it is not.
    pub fn read(bytes: &[u8]) -> Result<Read, Errors> {
        let mut problems = Problems::default();
        let (text, root) = json::read(bytes, &mut problems);
        if let Some(root) = &root {
            let texts = schema::check(root, &mut problems);
            check::check(root, &texts, &packs::IDS, &mut problems);
        }
        let Some(root) = root.filter(|_| problems.is_empty()) else {
            return Err(problems.finish(text));
        };
        let value = root.to_json();
        let canonical = canonical::bytes(&value);
        let hash = canonical::hash_bytes(&canonical);
        let document = Self::deserialize(value)
            .map_err(|error| Errors::internal(format!("the types refuse what the schema allows: {error}")))?;
        Ok(Read { document, canonical, hash })
    }
}

/// Finds the place in a policy's text that a JSON pointer (RFC 6901) names: the key of a member, or an item
/// of an array. `None` if there is no such place or the text is not JSON.
#[must_use]
pub fn locate(text: &str, pointer: &str) -> Option<Position> {
    let (_, root) = json::read(text.as_bytes(), &mut Problems::default());
    let mut node: &Node = &root?;
    let mut span = Span { start: node.span.start, end: node.span.start + 1 };
    for token in pointer.split('/').skip(1) {
        if let Some(item) = token.parse().ok().and_then(|index: usize| node.items().get(index)) {
            (node, span) = (item, item.span);
        } else {
            let member = node.get(&token.replace("~1", "/").replace("~0", "~"))?;
            (node, span) = (&member.node, member.key_span);
        }
    }
    Some(Cursor::new(text).position(span))
}
