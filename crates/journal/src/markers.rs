//! Denial markers: small files in clear that say no, kept in the store's folder and outside it. A denial needs no
//! proof, so that no full disk and no missing key can lose it.

use std::sync::Arc;

use crate::bytes::Writer;
use crate::effects::{Disk, DiskError};
use crate::error::Error;
use crate::journal::Journal;
use crate::keys::write_domain;
use crate::names::{Domain, Label};

const PREFIX: &str = "denied-";

/// The file's name says it all; its content only repeats it for whoever looks.
fn name(store: &[u8; 16], domain: &Domain) -> String {
    let [a, b, c, d, ..] = *store;
    let store = u32::from_be_bytes([a, b, c, d]);
    format!(
        "{PREFIX}{store:08x}-{:016x}-{:016x}-{:016x}",
        domain.account.number(),
        domain.purpose.number(),
        domain.epoch
    )
}

/// The store's short id and the domain that a marker's name says.
pub(crate) fn domain_of(name: &str) -> Option<(u32, Domain)> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let store = u32::from_str_radix(parts.next()?, 16).ok()?;
    let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
    let domain =
        Domain { account: Label::from_number(number()?), purpose: Label::from_number(number()?), epoch: number()? };
    parts.next().is_none().then_some((store, domain))
}

fn write(disk: &dyn Disk, name: &str, store: &[u8; 16], domain: &Domain) -> Result<(), DiskError> {
    let mut out = Writer::default();
    out.bytes(b"menshen denied\n").bytes(store);
    write_domain(&mut out, domain);
    out.checksum();
    let file = match disk.create(name) {
        Err(DiskError::AlreadyExists) => disk.open(name)?,
        other => other?,
    };
    file.write_at(0, &out.0)?;
    file.sync()?;
    disk.sync_folder("")
}

impl Journal {
    fn marker_disks(&self) -> impl Iterator<Item = &Arc<dyn Disk>> {
        std::iter::once(&self.effects.disk).chain(&self.effects.marker_disks)
    }

    /// Marks a domain as denied, synced, in the store's folder and in every marker folder.
    ///
    /// # Errors
    /// No folder took the marker.
    pub fn mark_denied(&self, domain: &Domain) -> Result<(), Error> {
        let store = self.store_id();
        let name = name(&store, domain);
        let mut first = None;
        let mut written = false;
        for disk in self.marker_disks() {
            match write(disk.as_ref(), &name, &store, domain) {
                Ok(()) => written = true,
                Err(error) => first = first.or(Some(error)),
            }
        }
        match first {
            Some(error) if !written => Err(Error::from_disk(error, "write a denial marker")),
            _ => Ok(()),
        }
    }

    /// The domains marked as denied, wherever a marker was found. A name is enough: what is damaged still denies.
    #[must_use]
    pub fn denied(&self) -> Vec<Domain> {
        let [a, b, c, d, ..] = self.store_id();
        let store = u32::from_be_bytes([a, b, c, d]);
        let names = self.marker_disks().flat_map(|disk| disk.list("").unwrap_or_default());
        let ours = names.filter_map(|name| domain_of(&name)).filter(|(of, _)| *of == store);
        let mut domains: Vec<Domain> = ours.map(|(_, domain)| domain).collect();
        domains.sort_unstable();
        domains.dedup();
        domains
    }

    /// Removes the markers of a domain.
    ///
    /// # Errors
    /// One could not be removed; it still denies.
    pub fn clear_mark(&self, domain: &Domain) -> Result<(), Error> {
        let name = name(&self.store_id(), domain);
        let mut failed = None;
        for disk in self.marker_disks() {
            match disk.remove(&name).and_then(|()| disk.sync_folder("")) {
                Ok(()) | Err(DiskError::NotFound) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), |error| Err(Error::from_disk(error, "remove a denial marker")))
    }
}
