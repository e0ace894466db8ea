//! What stands before content inside its seal, so that it can be decided anew when it is sent.

use std::collections::BTreeMap;

use menshen_journal::Now;
use menshen_policy::document::Event;

use crate::core::Core;
use crate::entry::{Carried, Content, Shape, What};
use crate::error::Error;
use crate::sdk::Shared;

const VERSION: u8 = 1;

/// What stands before a record's wire form or an item's bytes inside the seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The number under which the ledger says what the content carries.
    pub(crate) shape: u32,
    /// The wall clock when it was sealed, in milliseconds since 1970.
    pub(crate) sealed_ms: i64,
}

impl Header {
    /// The header and the content as they are sealed.
    pub(crate) fn write(self, content: &[&[u8]]) -> Vec<u8> {
        let length = content.iter().map(|part| part.len()).sum::<usize>();
        let mut body = Vec::with_capacity(13 + length);
        body.push(VERSION);
        body.extend_from_slice(&self.shape.to_le_bytes());
        body.extend_from_slice(&self.sealed_ms.to_le_bytes());
        content.iter().for_each(|part| body.extend_from_slice(part));
        body
    }

    /// The header, and the content behind it.
    pub(crate) fn read(body: &[u8]) -> Option<(Self, &[u8])> {
        let (version, rest) = body.split_first()?;
        let (shape, rest) = rest.split_first_chunk::<4>()?;
        let (sealed, content) = rest.split_first_chunk::<8>()?;
        let header = Self { shape: u32::from_le_bytes(*shape), sealed_ms: i64::from_le_bytes(*sealed) };
        (*version == VERSION).then_some((header, content))
    }

    /// Whether the content is older than it may be kept.
    pub(crate) fn is_older_than(self, kept_for_ms: u64, now: &Now) -> bool {
        u64::try_from(now.wall_ms.saturating_sub(self.sealed_ms)).is_ok_and(|age| age >= kept_for_ms)
    }
}

impl Core {
    /// The number of what records of an event carry now. A new one is in the ledger before it is used.
    pub(crate) fn shape_of_event(
        &mut self,
        shared: &Shared,
        name: &str,
        event: &Event,
        now: &Now,
    ) -> Result<u32, Error> {
        let purpose = event.purpose.as_str();
        let in_force = self.in_force(now);
        let carried = event.fields.iter().filter_map(|(field, declared)| {
            let form = in_force.field_form(name, purpose, field.as_str())?;
            Some((field.to_string(), Carried { category: declared.category.to_string(), form }))
        });
        let content = Content::Event { event: name.to_owned(), fields: carried.collect::<BTreeMap<_, _>>() };
        self.shape(shared, purpose, content)
    }

    /// The number of what an outbox item of a purpose may carry now. Its bytes are the app's own, so that is
    /// everything that the purpose holds.
    pub(crate) fn shape_of_item(&mut self, shared: &Shared, purpose: &str, now: &Now) -> Result<u32, Error> {
        let categories = self.in_force(now).categories(purpose).map(str::to_owned).collect();
        self.shape(shared, purpose, Content::Item { categories })
    }

    fn shape(&mut self, shared: &Shared, purpose: &str, content: Content) -> Result<u32, Error> {
        let (context, introduced) = self.context(self.rules.identity());
        let shape = Shape { context, purpose: purpose.to_owned(), content };
        if let Some((index, _)) = self.state.shapes.iter().find(|(_, known)| **known == shape) {
            return Ok(*index);
        }
        let index = self.state.next_shape();
        self.commit(shared, introduced.into_iter().chain([What::Shape { index, shape }]).collect())?;
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_a_cut_one_does_not() {
        let header = Header { shape: 7, sealed_ms: -5 };
        let body = header.write(&[b"wi", b"re"]);
        assert_eq!(Header::read(&body).unwrap(), (header, b"wire".as_slice()));
        for cut in 0..body.len() - b"wire".len() {
            assert!(Header::read(&body[..cut]).is_none());
        }
    }

    #[test]
    fn content_is_too_old_exactly_at_its_age() {
        let header = Header { shape: 0, sealed_ms: 1000 };
        let at = |wall_ms| header.is_older_than(500, &Now { wall_ms, since_boot_ms: 0, boot: 0 });
        assert!(!at(0) && !at(1499) && at(1500));
    }
}
