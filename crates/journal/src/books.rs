//! Whether the store's bookkeeping is believed: manifest and cursors are proven under the store's own key before
//! anything is acknowledged, given out or removed because of them.

use crate::cipher::CodeKey;
use crate::error::{At, Error};
use crate::journal::{Files, Inner, Journal};
use crate::manifest::{self, Manifest};
use crate::names::{Domain, Label};
use crate::segment;
use std::sync::MutexGuard;

impl Journal {
    /// The store with its bookkeeping proven, in the process that opened it: a forked child would seal with the
    /// same keys and the same nonces.
    pub(crate) fn proven(&self) -> Result<MutexGuard<'_, Inner>, Error> {
        self.proven_with(&[])
    }

    /// As [`Journal::proven`], with the keys of these domains where the key store gives them.
    pub(crate) fn proven_with(&self, domains: &[Domain]) -> Result<MutexGuard<'_, Inner>, Error> {
        let mut inner = self.inner();
        if inner.process != std::process::id() {
            return Err(Error::Busy);
        }
        let is_known = |domain: &Domain| inner.domains.contains_key(domain) || inner.closed.contains(domain);
        if !(inner.trusted || is_known(&Domain::STORE)) || !domains.iter().all(is_known) {
            drop(inner);
            self.unlock()?;
            self.ask_for(domains);
            inner = self.inner();
        }
        inner.prove()?;
        Ok(inner)
    }

    /// As [`Journal::proven`], with the key of an account's ledger.
    pub(crate) fn proven_with_ledger(&self, account: Label) -> Result<MutexGuard<'_, Inner>, Error> {
        let domain = self.inner().ledger_domain(account)?;
        self.proven_with(&[domain])
    }
}

impl Inner {
    /// Proves manifest and cursors, once. What does not hold counts as never written: cursors start at zero, so that
    /// records are sent again, and segments are taken in from their own headers.
    pub(crate) fn prove(&mut self) -> Result<(), Error> {
        if self.trusted {
            return Ok(());
        }
        let key = CodeKey::new(&self.derive(&Domain::STORE, b"menshen/0/bookkeeping")?);
        let loaded = manifest::load(self.disk.as_ref(), Some((&key, &self.store))).at("read the manifest")?;
        let is_fresh = self.segments.is_empty() && self.manifest.state.store.is_none();
        let damaged = loaded.damaged;
        if self.unsettled || (!is_fresh && !self.manifest.is_as(&loaded)) {
            // Where this fails half-way, the next proof does it again.
            self.unsettled = true;
            self.manifest = Manifest::from_loaded(&self.disk, self.store, loaded);
            self.take_in_anew(damaged)?;
        }
        // Cursors are held against the segments as they are proven now.
        let label_of = |id| self.segments.get(&id).map(|segment| segment.header.label);
        let is_gone = |id| self.manifest.state.retired.contains(&id);
        let foreign = self.cursors.verify(key.clone(), &self.store, label_of, is_gone).at("write the cursors")?;
        if foreign > 0 {
            self.unsettled = true;
            self.take_in_anew(damaged && !is_fresh)?;
            self.report.foreign_cursors = foreign;
        }
        self.unsettled = false;
        self.manifest.set_key(key);
        self.table.scrub().at("write the keys")?;
        // Removals that were decided and did not come to their end. What cannot go now goes next time.
        for id in &self.manifest.state.retired {
            let _ = self.disk.remove(&segment::name(*id));
        }
        self.trusted = true;
        self.fill_reserve();
        Ok(())
    }

    /// What was proven under another key is to be proven again.
    pub(crate) fn distrust(&mut self) {
        (self.trusted, self.unsettled) = (false, true);
    }

    fn take_in_anew(&mut self, damaged_manifest: bool) -> Result<(), Error> {
        let files = Files::look(self.disk.as_ref()).at("read the segments")?;
        self.segments.clear();
        self.active.clear();
        self.bytes = 0;
        self.report = crate::OpenReport {
            damaged_keys: self.report.damaged_keys,
            manifest_damaged: damaged_manifest,
            quarantined: files.unknown,
            ..crate::OpenReport::default()
        };
        self.take_in(files, damaged_manifest).at("read the segments")
    }
}
