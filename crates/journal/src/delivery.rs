//! What became of records: acknowledged, refused, delivered everywhere, ended.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{At, Error};
use crate::journal::{Inner, Journal};
use crate::keys::Slot;
use crate::manifest::Entry;
use crate::names::{Domain, Label, Lane, RecordId};
use crate::ranges::Ranges;

/// What expiry removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expired {
    /// Segments.
    pub segments: u64,
    /// Whole records in them, those delivered before included.
    pub records: u64,
}

impl Journal {
    /// Notes that an endpoint has these records, for good: when this returns it survives a power loss. Records that
    /// are gone meanwhile are passed over.
    ///
    /// # Errors
    /// The disk failed; the records may be offered again.
    pub fn acknowledge(&self, endpoint: Label, records: &[RecordId]) -> Result<(), Error> {
        self.proven()?.with_reserve(|inner| inner.acknowledge(endpoint, records))
    }

    /// Notes that an endpoint refused these records: they are not offered to it again, are kept and counted, and
    /// go when they expire.
    ///
    /// # Errors
    /// The disk failed; the records may be offered again.
    pub fn quarantine(&self, endpoint: Label, records: &[RecordId]) -> Result<(), Error> {
        let mut inner = self.proven()?;
        for (segment, ranges) in inner.by_segment(records) {
            for ranges in ranges.parts() {
                let refused = Entry::Refused { segment, endpoint, ranges };
                inner.manifest.append(&refused).at("write the manifest")?;
            }
        }
        inner.manifest.sync().at("sync the manifest")
    }

    /// Removes the segments that every endpoint which `endpoints` names for them has passed. A segment for which it
    /// names none stays. It is called without a lock held.
    ///
    /// # Errors
    /// The disk failed; what was not removed is removed by the next call or at the next opening.
    pub fn retire_delivered(&self, endpoints: &dyn Fn(&Domain, Lane) -> Vec<Label>) -> Result<u64, Error> {
        let kinds: BTreeSet<(Domain, Lane)> = {
            let inner = self.proven()?;
            let of = |segment: &crate::segment::Segment| (segment.header.slice.domain, segment.header.slice.lane);
            inner.segments.values().filter(|segment| !segment.is_ledger()).map(of).collect()
        };
        let named: BTreeMap<(Domain, Lane), Vec<Label>> =
            kinds.into_iter().map(|(domain, lane)| ((domain, lane), endpoints(&domain, lane))).collect();
        let mut inner = self.inner();
        let done = inner.segments.iter().filter(|(id, segment)| {
            let slice = &segment.header.slice;
            let boxed_for = segment.header.boxed_for();
            let named = named.get(&(slice.domain, slice.lane)).map_or(&[][..], Vec::as_slice);
            // A box is for one endpoint.
            let endpoints = boxed_for.as_ref().filter(|of| named.contains(of)).map_or(named, std::slice::from_ref);
            let refused = inner.manifest.state.refused.keys().any(|(of, _)| of == *id);
            let passed = |endpoint: &Label| inner.pending_of(**id, segment, *endpoint) == 0;
            !segment.is_ledger()
                && !refused
                && segment.records > 0
                && !endpoints.is_empty()
                && endpoints.iter().all(passed)
        });
        let ids: Vec<u64> = done.map(|(id, _)| *id).collect();
        inner.remove(&ids, false)
    }

    /// Destroys the secrets of slices whose bucket has ended by the clock, and removes their segments.
    ///
    /// # Errors
    /// The disk failed; the next call goes on.
    pub fn expire(&self) -> Result<Expired, Error> {
        let mut inner = self.inner();
        let now = inner.effects.clock.now();
        // What a slot says of itself needs no proof and no key; what nothing uses is known once the files are.
        let ended = |slot: &Slot| matches!(slot, Slot::Slice { slice, .. } if slice.has_ended(&now));
        inner.table.destroy(ended).at("write the keys")?;
        drop(inner);
        let mut inner = self.proven()?;
        let mut used: BTreeSet<u64> = inner.segments.values().map(|segment| segment.header.label).collect();
        if inner.report.quarantined > 0 {
            // A file left alone may need a secret that nothing else does.
            used.extend(inner.table.live().filter_map(|slot| match slot {
                Slot::Slice { label, .. } => Some(*label),
                _ => None,
            }));
        }
        let unused = |slot: &Slot| matches!(slot, Slot::Slice { label, .. } if !used.contains(label));
        inner.table.destroy(unused).at("write the keys")?;
        let gone = inner.segments.iter().filter(|(_, segment)| segment.header.slice.has_ended(&now));
        let (ids, records): (Vec<u64>, Vec<u64>) = gone.map(|(id, segment)| (*id, segment.records)).unzip();
        let segments = inner.remove(&ids, false)?;
        inner.fill_reserve();
        Ok(Expired { segments, records: records.iter().sum() })
    }
}

impl Inner {
    /// The records that are still there, as ranges.
    fn by_segment(&self, records: &[RecordId]) -> BTreeMap<u64, Ranges> {
        let mut out: BTreeMap<u64, Ranges> = BTreeMap::new();
        for record in records {
            if self.segments.get(&record.segment).is_some_and(|known| record.sequence < known.next) {
                out.entry(record.segment).or_default().insert(record.sequence, record.sequence + 1);
            }
        }
        out
    }

    fn acknowledge(&mut self, endpoint: Label, records: &[RecordId]) -> Result<(), Error> {
        let mut advanced = Vec::new();
        for (id, acknowledged) in self.by_segment(records) {
            let key = (id, endpoint);
            let Some(segment) = self.segments.get(&id) else { continue };
            let mut passed = segment.gaps.clone();
            let state = &self.manifest.state;
            let known = [Some(&acknowledged), state.delivered.get(&key), state.refused.get(&key)];
            for ranges in known.into_iter().flatten() {
                ranges.iter().for_each(|(start, end)| passed.insert(start, end));
            }
            let named = (id, segment.header.label);
            let before = self.cursors.up_to(id, endpoint);
            let up_to = passed.end_of(before).unwrap_or(before).min(segment.next);
            // What the cursor cannot say goes into the manifest.
            let mut apart = acknowledged.clone();
            apart.forget_below(up_to);
            for ranges in apart.parts() {
                let delivered = Entry::Delivered { segment: id, endpoint, ranges };
                self.manifest.append(&delivered).at("write the manifest")?;
            }
            if up_to > before {
                self.cursors.advance(&self.store, named, endpoint, up_to).at("write the cursors")?;
                advanced.push((key, up_to));
            }
        }
        self.manifest.sync().at("sync the manifest")?;
        self.cursors.sync(&self.store).at("sync the cursors")?;
        // Only now: a manifest that is written anew before must still say what no durable cursor does.
        for (key, up_to) in advanced {
            if let Some(ranges) = self.manifest.state.delivered.get_mut(&key) {
                ranges.forget_below(up_to);
            }
        }
        Ok(())
    }
}
