//! Reads a policy document: all of it is right, or everything that is wrong with it is told at once.

use serde::Deserialize as _;

use crate::document::Document;
use crate::error::{Cursor, ErrorCode, Errors, Path, Position, Problems, Span};
use crate::json::{self, Node};
use crate::{canonical, check, packs, schema};

/// The longest policy that can be kept as evidence of what was agreed to, in bytes of its canonical form written as a
/// JSON string. The ledger takes entries of 256 KiB, and the rest of the entry needs some of that.
const MAX_KEPT_BYTES: usize = 250_000;

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
        let kept = serde_json::to_string(&String::from_utf8_lossy(&canonical)).map_or(usize::MAX, |kept| kept.len());
        if kept > MAX_KEPT_BYTES {
            let message = format!("the policy takes {kept} bytes of evidence; at most {MAX_KEPT_BYTES} can be kept");
            let help = Some("shorten the texts, or give fewer locales".to_owned());
            problems.add(ErrorCode::TooLarge, Span { start: 0, end: 1 }, Path::Root, message, help);
            return Err(problems.finish(text));
        }
        let hash = canonical::hash_bytes(&canonical);
        let document = Self::deserialize(value)
            .map_err(|error| Errors::internal(format!("the types refuse what the schema allows: {error}")))?;
        Ok(Read { document, canonical, hash })
    }
}

impl Document {
    /// Reads a document that was checked when it was accepted: by its shape alone, because what is checked grows
    /// stricter from release to release.
    ///
    /// # Errors
    /// It has another shape, or is no JSON.
    pub(crate) fn read_kept(canonical: &[u8]) -> Result<Read, Errors> {
        // By way of a value, as a document is read: one reader of the types in the library, not two.
        let document = serde_json::from_slice::<serde_json::Value>(canonical)
            .and_then(Self::deserialize)
            .map_err(|error| Errors::internal(format!("a kept policy has another shape: {error}")))?;
        Ok(Read { document, canonical: canonical.to_vec(), hash: canonical::hash_bytes(canonical) })
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
