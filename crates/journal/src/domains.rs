//! Domains: their keys, made, unlocked, closed and shredded; and the labels that stand for names.

use zeroize::Zeroizing;

use crate::bytes::Writer;
use crate::cipher::{self, Secret};
use crate::effects::KeyError;
use crate::error::{At, Error};
use crate::journal::{Inner, Journal};
use crate::keys::{MAX_NAME, Slot, write_domain};
use crate::names::{Alias, Domain, Label, LabelKind, Slice};
use crate::spares::Spare;

/// What unlocks a domain: its alias, its wrapped secret, and what is authenticated with it.
type Locked = (Alias, Vec<u8>, Vec<u8>);

/// What became of a shredding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Shredding {
    /// The key store says that the key is gone.
    Done,
    /// The key store does not answer yet; try again at the next opening.
    Pending,
}

impl Journal {
    /// Unlocks the store's own domain. Its key is made in a store that holds nothing yet, never because of an
    /// error. Calling it again is cheap.
    ///
    /// # Errors
    /// The key store is not ready, or has another key or none for a store that was used before.
    pub fn unlock(&self) -> Result<(), KeyError> {
        let _scrubbed = cipher::Scrubbed;
        {
            let inner = self.inner();
            if inner.domains.contains_key(&Domain::STORE) {
                return Ok(());
            }
            if inner.wrapped(&Domain::STORE).is_some() {
                drop(inner);
                return self.unlock_domain(&Domain::STORE);
            }
            inner.may_begin()?;
        }
        let known = |error| if let Error::Key(error) = error { error } else { KeyError::Suspect };
        let spare = self.make_spare().map_err(known)?;
        let mut inner = self.inner();
        if inner.wrapped(&Domain::STORE).is_some() {
            // Another thread was first.
            drop(inner);
            return self.unlock_domain(&Domain::STORE);
        }
        inner.may_begin()?;
        inner.give_key(&Domain::STORE, spare).map(|_| ()).map_err(known)
    }

    /// HMAC-SHA-256 under a key of the store's own domain: tells the same bytes again and nothing else.
    ///
    /// # Errors
    /// The store's own domain cannot be unlocked.
    pub fn keyed_hash(&self, bytes: &[u8]) -> Result<[u8; 32], Error> {
        let _scrubbed = cipher::Scrubbed;
        self.unlock()?;
        let key = self.inner().derive(&Domain::STORE, b"menshen/0/keyed-hash")?;
        Ok(cipher::keyed_hash(&key, bytes))
    }

    /// The label of a name, made on first use and kept, synced. The map can be read without a key.
    ///
    /// # Errors
    /// The name is longer than 256 bytes, or the disk failed.
    pub fn label(&self, kind: LabelKind, name: &str) -> Result<Label, Error> {
        if name.len() > MAX_NAME {
            return Err(Error::TooLarge { limit: MAX_NAME });
        }
        let mut inner = self.inner();
        let known = inner.table.live().filter_map(|slot| match slot {
            Slot::Label { kind: k, label, name: n } if *k == kind && n == name => Some(*label),
            _ => None,
        });
        if let Some(label) = known.last() {
            return Ok(label);
        }
        let label = Label::from_number(u64::from_le_bytes(inner.fill()?).max(1));
        let slot = Slot::Label { kind, label, name: name.to_owned() };
        inner.table.put(slot).at("write the keys")?;
        Ok(label)
    }

    /// The name that a label stands for.
    #[must_use]
    pub fn label_name(&self, label: Label) -> Option<String> {
        let inner = self.inner();
        inner.table.live().find_map(|slot| match slot {
            Slot::Label { label: l, name, .. } if *l == label => Some(name.clone()),
            _ => None,
        })
    }

    /// Gives a domain its key, synced, and names the key's alias. A spare is taken where there is one; else the key
    /// store is called, without the store's lock.
    ///
    /// # Errors
    /// The domain has a key, or had one and records of it are still there; the key store is not ready; the disk
    /// failed.
    pub fn create_domain(&self, domain: &Domain) -> Result<Alias, Error> {
        let _scrubbed = cipher::Scrubbed;
        self.unlock()?;
        let spare = {
            let mut inner = self.inner();
            inner.may_create(domain)?;
            inner.spares.pop()
        };
        let spare = match spare {
            Some(spare) => spare,
            None => self.make_spare()?,
        };
        let mut inner = self.inner();
        inner.may_create(domain)?;
        inner.give_key(domain, spare)
    }

    /// The alias that protects a domain.
    #[must_use]
    pub fn alias(&self, domain: &Domain) -> Option<Alias> {
        let inner = self.inner();
        inner.wrapped(domain).map(|(alias, _, _)| alias)
    }

    /// Unlocks a domain, one that was closed, too.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] where the alias is absent, [`KeyError::Refused`] where it is another key.
    pub fn unlock_domain(&self, domain: &Domain) -> Result<(), KeyError> {
        let _scrubbed = cipher::Scrubbed;
        // A key store may take its time: nobody else waits for it.
        let locked = self.inner().locked(domain)?;
        if let Some((alias, wrapped, aad)) = locked {
            let secret = self.effects.keys.unwrap(&alias, &wrapped, &aad)?;
            self.inner().take_secret(domain, &secret)?;
        }
        self.inner().closed.remove(domain);
        Ok(())
    }

    /// 32 bytes that only this domain's key and this `info` give.
    ///
    /// # Errors
    /// The domain is closed or cannot be unlocked.
    pub fn derive(&self, domain: &Domain, info: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        let _scrubbed = cipher::Scrubbed;
        if !self.inner().domains.contains_key(domain) {
            self.ask_for(&[*domain]);
        }
        let derived = self.inner().derive(domain, &[b"menshen/0/derive", info].concat())?;
        Ok(Zeroizing::new(*derived))
    }

    /// Asks the key store for the keys of domains, without the store's lock: a slow one holds up nobody else. What it
    /// answers is what [`Inner::key_of`] says from then on.
    pub(crate) fn ask_for(&self, domains: &[Domain]) {
        for domain in domains {
            let locked = {
                let inner = self.inner();
                if inner.closed.contains(domain) {
                    continue;
                }
                inner.locked(domain)
            };
            let unwrapped = match locked {
                Ok(None) => continue,
                Ok(Some((alias, wrapped, aad))) => self.effects.keys.unwrap(&alias, &wrapped, &aad),
                Err(error) => Err(error),
            };
            let mut inner = self.inner();
            // It may have been closed meanwhile; nothing of it comes back to memory then.
            if !inner.closed.contains(domain)
                && let Err(error) = unwrapped.and_then(|secret| inner.take_secret(domain, &secret))
            {
                inner.answers.insert(*domain, error);
            }
        }
    }

    /// Wipes a domain's keys from memory. It is neither read nor written until it is unlocked again.
    pub fn close_domain(&self, domain: &Domain) {
        let _scrubbed = cipher::Scrubbed;
        self.inner().close(domain);
    }

    /// Destroys a domain: its key first, then its slices' secrets and its files. Calling it again is right, and
    /// needed while it answers [`Shredding::Pending`].
    ///
    /// # Errors
    /// The disk failed; the domain stays closed.
    pub fn shred(&self, domain: &Domain) -> Result<Shredding, Error> {
        let alias = self.alias(domain);
        self.shred_with(domain, alias.as_ref())
    }

    /// As [`Journal::shred`], for whoever knows the domain's alias from signed evidence. That key is destroyed whatever
    /// the key file says; the files only go where it says nothing else, as it is in clear.
    ///
    /// # Errors
    /// As there, and [`Error::Closed`] for an essential domain.
    pub fn shred_key(&self, domain: &Domain, alias: &Alias) -> Result<Shredding, Error> {
        if domain.purpose == Label::ESSENTIAL {
            return Err(Error::Closed);
        }
        self.shred_with(domain, Some(alias))
    }

    fn shred_with(&self, domain: &Domain, alias: Option<&Alias>) -> Result<Shredding, Error> {
        let _scrubbed = cipher::Scrubbed;
        self.close_domain(domain);
        let keys = &self.effects.keys;
        let gone = alias.is_none_or(|alias| {
            // Whatever this answers, only `exists` decides.
            let _ = keys.destroy(alias);
            keys.exists(alias) == Ok(false)
        });
        // The files go once the bookkeeping is proven; without their key they are noise already.
        let _ = self.unlock();
        self.inner().shred(domain, alias, gone)
    }

    /// Every label that the key file has for a name. There is one, unless somebody else wrote into the file.
    #[must_use]
    pub fn labels(&self, kind: LabelKind, name: &str) -> Vec<Label> {
        let inner = self.inner();
        let of_name = inner.table.live().filter_map(|slot| match slot {
            Slot::Label { kind: k, label, name: n } if *k == kind && n == name => Some(*label),
            _ => None,
        });
        of_name.collect()
    }
}

impl Inner {
    /// Whether the store may have its first key made now: never because of an error.
    fn may_begin(&self) -> Result<(), KeyError> {
        let keyless = |slot: &Slot| matches!(slot, Slot::Store(_) | Slot::Label { .. });
        let is_unused = self.segments.is_empty() && self.report.quarantined == 0 && self.manifest.is_unwritten();
        if is_unused && self.table.live().all(keyless) { Ok(()) } else { Err(KeyError::NotFound) }
    }

    fn wrapped(&self, domain: &Domain) -> Option<(Alias, Vec<u8>, [u8; 32])> {
        let of_domain = self.table.live().filter_map(|slot| match slot {
            Slot::Domain { domain: d, alias, wrapped, commitment } if d == domain => {
                Some((alias.clone(), wrapped.clone(), *commitment))
            }
            _ => None,
        });
        of_domain.last()
    }

    fn context(&self, label: &[u8], domain: &Domain) -> Writer {
        let mut out = Writer::default();
        out.bytes(label).bytes(&self.store);
        write_domain(&mut out, domain);
        out
    }

    /// Whether a domain may have a key made for it now.
    fn may_create(&self, domain: &Domain) -> Result<(), Error> {
        if self.wrapped(domain).is_some() {
            return Err(Error::AlreadyExists);
        }
        // Records sealed under a key that is gone are never a reason to make another in its place.
        if self.segments.values().any(|segment| segment.header.slice.domain == *domain) {
            return Err(Error::Key(KeyError::NotFound));
        }
        Ok(())
    }

    /// Gives a domain a key that nothing else has. After a failed write nobody knows whether the slot is there, so the
    /// key stays in the key store.
    pub(crate) fn give_key(&mut self, domain: &Domain, spare: Spare) -> Result<Alias, Error> {
        let Spare { alias, wrapped, secret } = spare;
        let (key, commitment) = self.domain_key(domain, &secret).ok_or(KeyError::Suspect)?;
        let slot = Slot::Domain { domain: *domain, alias: alias.clone(), wrapped, commitment };
        self.table.put(slot).at("write the keys")?;
        self.closed.remove(domain);
        self.domains.insert(*domain, key);
        // A claimed spare that keeps its slot is known by the domain that has its alias, too.
        let _ = self.forget_spare(&alias);
        Ok(alias)
    }

    /// The names are in it, too: the map from labels to names is readable and writable without a key, and a purpose's
    /// records must not open under the name of another.
    fn domain_key(&self, domain: &Domain, secret: &Secret) -> Option<(Secret, [u8; 32])> {
        let derive = |label| {
            let mut info = self.context(label, domain);
            info.short(self.name_of(LabelKind::Account, domain.account).as_bytes());
            info.short(self.name_of(LabelKind::Purpose, domain.purpose).as_bytes());
            cipher::derive(&[], &**secret, &[&info.0])
        };
        Some((derive(b"menshen/0/domain-key")?, *derive(b"menshen/0/domain-commitment")?))
    }

    /// The name of a label; empty where it has none.
    pub(crate) fn name_of(&self, kind: LabelKind, label: Label) -> String {
        let names = self.table.live().filter_map(|slot| match slot {
            Slot::Label { kind: k, label: l, name } if (*k, *l) == (kind, label) => Some(name),
            _ => None,
        });
        names.last().cloned().unwrap_or_default()
    }

    /// The name of a label, whatever it is of; empty where it has none.
    pub(crate) fn name_of_any(&self, label: Label) -> String {
        let names = self.table.live().filter_map(|slot| match slot {
            Slot::Label { label: l, name, .. } if *l == label => Some(name),
            _ => None,
        });
        names.last().cloned().unwrap_or_default()
    }

    /// What unlocks a domain that is not unlocked.
    fn locked(&self, domain: &Domain) -> Result<Option<Locked>, KeyError> {
        if self.is_forged(domain) {
            return Err(KeyError::Refused);
        }
        if self.domains.contains_key(domain) {
            return Ok(None);
        }
        let (alias, wrapped, _) = self.wrapped(domain).ok_or(KeyError::NotFound)?;
        let aad = self.wrapping_context(&alias);
        Ok(Some((alias, wrapped, aad)))
    }

    /// Takes a domain's unwrapped secret, if it is the one that the domain committed to.
    fn take_secret(&mut self, domain: &Domain, secret: &[u8]) -> Result<(), KeyError> {
        let (_, _, committed) = self.wrapped(domain).ok_or(KeyError::NotFound)?;
        let secret = Secret::of(secret).ok_or(KeyError::Refused)?;
        let (key, commitment) = self.domain_key(domain, &secret).ok_or(KeyError::Suspect)?;
        if !cipher::same(&commitment, &committed) {
            return Err(KeyError::Refused);
        }
        self.domains.insert(*domain, key);
        self.answers.remove(domain);
        Ok(())
    }

    /// The key of a domain, if it is in memory; else what the key store answered last. Whoever needs it has it asked for
    /// before the lock is taken.
    pub(crate) fn key_of(&self, domain: &Domain) -> Result<&Secret, Error> {
        if self.is_forged(domain) {
            return Err(Error::TooManyForgeries);
        }
        if self.closed.contains(domain) {
            return Err(Error::Closed);
        }
        self.domains.get(domain).ok_or_else(|| {
            let is_there = self.wrapped(domain).is_some();
            let answered = self.answers.get(domain).copied().unwrap_or(KeyError::NotYet);
            Error::Key(if is_there { answered } else { KeyError::NotFound })
        })
    }

    /// The store's own derivations. What it derives for others begins with a word that none of these does.
    pub(crate) fn derive(&self, domain: &Domain, info: &[u8]) -> Result<Secret, Error> {
        let key = self.key_of(domain)?;
        cipher::derive(&[], &**key, &[info]).ok_or(Error::Key(KeyError::Suspect))
    }

    /// The key of a slice; `None` where its secret is gone.
    pub(crate) fn slice_key(&self, slice: &Slice, label: u64) -> Result<Option<Secret>, Error> {
        let secret = self.table.live().find_map(|slot| match slot {
            Slot::Slice { label: l, secret, slice: s } if *l == label && s == slice => Some(secret.clone()),
            _ => None,
        });
        let Some(secret) = secret else { return Ok(None) };
        let mut info = self.context(b"menshen/0/slice-key", &slice.domain);
        info.u8(slice.lane.number()).u64(slice.width).u64(slice.bucket).u32(slice.generation).u64(label);
        let key = self.key_of(&slice.domain)?;
        Ok(cipher::derive(&*secret, &**key, &[&info.0]))
    }

    pub(crate) fn close(&mut self, domain: &Domain) {
        self.domains.remove(domain);
        self.held.forget(domain);
        self.closed.insert(*domain);
        if domain.purpose == Label::ESSENTIAL {
            self.ledgers.remove(&domain.account);
        }
        for segment in self.segments.values_mut().filter(|segment| segment.header.slice.domain == *domain) {
            segment.run = None;
        }
    }

    fn shred(&mut self, domain: &Domain, alias: Option<&Alias>, gone: bool) -> Result<Shredding, Error> {
        // It may have been unlocked meanwhile.
        self.close(domain);
        let is_other =
            |slot: &Slot| matches!(slot, Slot::Domain { domain: d, alias: a, .. } if d == domain && Some(a) != alias);
        if self.table.live().any(is_other) {
            return Ok(if gone { Shredding::Done } else { Shredding::Pending });
        }
        // Proven while the secrets are still there: without its secret a file that no manifest lists is nobody's.
        let proven = self.prove();
        let destroyed = self.table.destroy(|slot| matches!(slot, Slot::Slice { slice, .. } if slice.domain == *domain));
        destroyed.at("write the keys")?;
        let of_domain = self.segments.iter().filter(|(_, segment)| segment.header.slice.domain == *domain);
        let ids: Vec<u64> = of_domain.map(|(id, _)| *id).collect();
        // The files go once the bookkeeping is proven; without their key they are noise already.
        match proven {
            Ok(()) => self.remove(&ids, false).map(|_| ())?,
            Err(Error::Key(_)) => return Ok(Shredding::Pending),
            Err(error) => return Err(error),
        }
        if !gone {
            return Ok(Shredding::Pending);
        }
        let destroyed = self.table.destroy(|slot| match slot {
            Slot::Domain { domain: d, .. } | Slot::Ledger { domain: d, .. } | Slot::Payload { domain: d, .. } => {
                d == domain
            }
            _ => false,
        });
        destroyed.at("write the keys")?;
        Ok(Shredding::Done)
    }
}
