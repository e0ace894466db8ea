//! Denial markers: small files in clear that say no, kept in the store's folder and outside it. A denial needs no
//! proof, so that no full disk and no missing key can lose it.

use std::sync::Arc;

use crate::bytes::{Writer, checked};
use crate::cipher::{CODE, CodeKey, same};
use crate::effects::{Disk, DiskError};
use crate::error::Error;
use crate::journal::{Inner, Journal};
use crate::keys::write_domain;
use crate::names::{Domain, Label};

const PREFIX: &str = "denied-";
const MAGIC: &[u8] = b"menshen denied\n";

/// The beginning of a store's id, as names say it.
fn short([a, b, c, d, ..]: &[u8; 16]) -> u32 {
    u32::from_be_bytes([*a, *b, *c, *d])
}

/// The file's name says it all; its content only repeats it for whoever looks.
fn name(store: u32, domain: &Domain) -> String {
    format!(
        "{PREFIX}{store:08x}-{:016x}-{:016x}-{:016x}",
        domain.account.number(),
        domain.purpose.number(),
        domain.epoch
    )
}

/// The store's short id and the domain that a marker's name says. A name in any other form could not be cleared.
pub(crate) fn domain_of(name: &str) -> Option<(u32, Domain)> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let store = u32::from_str_radix(parts.next()?, 16).ok()?;
    let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
    let domain =
        Domain { account: Label::from_number(number()?), purpose: Label::from_number(number()?), epoch: number()? };
    (self::name(store, &domain) == name).then_some((store, domain))
}

/// What stands in a marker before its code: a magic, the store, the domain.
fn fields(store: &[u8; 16], domain: &Domain) -> Writer {
    let mut out = Writer::default();
    out.bytes(MAGIC).bytes(store);
    write_domain(&mut out, domain);
    out
}

fn write(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let file = match disk.create(name) {
        Err(DiskError::AlreadyExists) => disk.open(name)?,
        other => other?,
    };
    file.write_at(0, bytes)?;
    file.sync()?;
    disk.sync_folder("")
}

impl Journal {
    fn marker_disks(&self) -> impl Iterator<Item = &Arc<dyn Disk>> {
        std::iter::once(&self.effects.disk).chain(&self.effects.marker_disks)
    }

    /// Marks a domain as denied, synced, in the store's folder and in every marker folder. Where the store's key is
    /// in memory the marker proves that it is this store's own.
    ///
    /// # Errors
    /// No folder took the marker.
    pub fn mark_denied(&self, domain: &Domain) -> Result<(), Error> {
        let store = self.store_id();
        let code = self.inner().marker_code(&store, domain);
        self.mark(domain, code.unwrap_or([0; CODE]))
    }

    /// Marks a domain as denied on the word of a marker that proves nothing itself: neither does this one.
    ///
    /// # Errors
    /// As [`Journal::mark_denied`].
    pub fn mark_denied_unproven(&self, domain: &Domain) -> Result<(), Error> {
        self.mark(domain, [0; CODE])
    }

    fn mark(&self, domain: &Domain, code: [u8; CODE]) -> Result<(), Error> {
        let store = self.store_id();
        let name = name(short(&store), domain);
        let mut bytes = fields(&store, domain);
        bytes.bytes(&code).checksum();
        let mut first = None;
        let mut written = false;
        for disk in self.marker_disks() {
            let mut wrote = write(disk.as_ref(), &name, &bytes.0);
            if wrote == Err(DiskError::Full) && self.inner().release_reserve() {
                wrote = write(disk.as_ref(), &name, &bytes.0);
            }
            match wrote {
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
    ///
    /// # Errors
    /// A folder could not be listed: nobody knows which denials are marked there.
    pub fn denied(&self) -> Result<Vec<Domain>, Error> {
        let store = short(&self.store_id());
        let mut domains = Vec::new();
        for disk in self.marker_disks() {
            let names = disk.list("").map_err(|error| Error::from_disk(error, "list the denial markers"))?;
            let ours = names.iter().filter_map(|name| domain_of(name)).filter(|(of, _)| *of == store);
            domains.extend(ours.map(|(_, domain)| domain));
        }
        domains.sort_unstable();
        domains.dedup();
        Ok(domains)
    }

    /// Whether a marker of a domain was written by this store while its key was there, and not planted. Until the
    /// store's own key is there again nothing is proven.
    #[must_use]
    pub fn is_denial_proven(&self, domain: &Domain) -> bool {
        let store = self.store_id();
        let name = name(short(&store), domain);
        let Some(code) = self.inner().marker_code(&store, domain) else { return false };
        self.marker_disks().any(|disk| {
            let length = MAGIC.len() + 16 + 24 + CODE + 4;
            let mut bytes = vec![0; length];
            let read = disk.open(&name).and_then(|file| file.read_at(0, &mut bytes));
            let content = if read == Ok(length) { checked(&bytes) } else { None };
            content.and_then(|content| content.split_last_chunk::<CODE>()).is_some_and(|(_, own)| same(own, &code))
        })
    }

    /// Removes the markers of a domain.
    ///
    /// # Errors
    /// One could not be removed; it still denies.
    pub fn clear_mark(&self, domain: &Domain) -> Result<(), Error> {
        let name = name(short(&self.store_id()), domain);
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

impl Inner {
    /// The code of a marker, where the store's key is in memory: a denial waits for no key store.
    fn marker_code(&mut self, store: &[u8; 16], domain: &Domain) -> Option<[u8; CODE]> {
        self.domains.contains_key(&Domain::STORE).then_some(())?;
        let key = CodeKey::new(&self.derive(&Domain::STORE, b"menshen/0/marker").ok()?);
        Some(key.code(&[&fields(store, domain).0]))
    }
}
