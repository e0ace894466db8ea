//! Spare keys: made beforehand, so that a grant never waits for a slow key store; and keys that nothing names, swept up.

use std::sync::Arc;

use crate::cipher::{self, Secret};
use crate::effects::{KeyError, KeyState};
use crate::error::{At, Error};
use crate::journal::{Inner, Journal};
use crate::keys::{MAX_WRAPPED, Slot};
use crate::names::Alias;

/// A key in the key store and the secret wrapped with it.
#[derive(Clone)]
pub(crate) struct Spare {
    pub(crate) alias: Alias,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) secret: Secret,
}

impl Journal {
    /// Sees to it that `count` spare keys are there, unlocked. The key store is called without the store's lock, so
    /// that nobody waits for it: call this from a background thread, after opening and before a flow.
    ///
    /// # Errors
    /// The key store or the disk failed; the spares that are there stay.
    pub fn fill_spares(&self, count: usize) -> Result<(), Error> {
        let _scrubbed = cipher::Scrubbed;
        let keys = Arc::clone(&self.effects.keys);
        self.unlock()?;
        let (mut there, locked) = {
            let inner = self.inner();
            (inner.spares.len(), inner.locked_spares())
        };
        for (alias, wrapped, commitment) in locked {
            let aad = self.inner().wrapping_context(&alias);
            let unwrapped = keys.unwrap(&alias, &wrapped, &aad);
            let mut inner = self.inner();
            match unwrapped.map(|secret| Secret::of(&secret)) {
                Ok(Some(secret)) if inner.is_committed(&alias, &secret, &commitment) => {
                    inner.spares.push(Spare { alias, wrapped, secret });
                    there += 1;
                }
                // It protects nothing yet, so nothing is lost with it.
                Ok(_) | Err(KeyError::NotFound | KeyError::Refused) => {
                    inner.forget_spare(&alias)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        while there < count {
            let spare = self.make_spare()?;
            let mut inner = self.inner();
            let commitment =
                inner.spare_commitment(&spare.alias, &spare.secret).ok_or(Error::Key(KeyError::Suspect))?;
            let slot = Slot::Spare { alias: spare.alias.clone(), wrapped: spare.wrapped.clone(), commitment };
            inner.table.put(slot).at("write the keys")?;
            inner.spares.push(spare);
            there += 1;
        }
        Ok(())
    }

    /// A new key, without the store's lock. One that is then not used is swept up by a later process.
    pub(crate) fn make_spare(&self) -> Result<Spare, Error> {
        let (alias, secret, aad) = {
            let mut inner = self.inner();
            let alias = Alias::random(&inner.store, inner.effects.randomness.as_ref())?;
            // Until a slot names it, nobody may sweep it up.
            inner.unnamed.insert(alias.clone());
            let aad = inner.wrapping_context(&alias);
            (alias, inner.secret()?, aad)
        };
        let keys = &self.effects.keys;
        keys.create(&alias)?;
        let wrapped = keys.wrap(&alias, &*secret, &aad)?;
        if wrapped.len() > MAX_WRAPPED {
            return Err(Error::TooLarge { limit: MAX_WRAPPED });
        }
        Ok(Spare { alias, wrapped, secret })
    }

    /// Destroys the keys of this store that neither it nor `named` knows: what a crash left behind. Call it only when
    /// every ledger verifies, and name every alias in them. Says how many went.
    ///
    /// # Errors
    /// The key store is not ready, or the disk failed.
    pub fn sweep_keys(&self, named: &dyn Fn(&Alias) -> bool) -> Result<u64, Error> {
        let keys = Arc::clone(&self.effects.keys);
        if keys.state() != KeyState::Ready {
            return Err(KeyError::NotYet.into());
        }
        let store = self.store_id();
        let mut swept = 0;
        for alias in keys.list()?.into_iter().filter(|alias| alias.is_of(&store) && !named(alias)) {
            // Looked at one by one: a domain may have been made meanwhile.
            self.unlock()?;
            let is_nobodys = {
                let inner = self.inner();
                inner.table.damaged() == 0 && !inner.names_alias(&alias)
            };
            // Nobody will name it: a key that is made now has a new alias.
            if is_nobodys {
                keys.destroy(&alias)?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

impl Inner {
    /// What a domain's secret is wrapped with beside its alias. The domain itself is bound by the commitment, as a
    /// spare knows none yet.
    pub(crate) fn wrapping_context(&self, alias: &Alias) -> Vec<u8> {
        [&b"menshen/0/domain-secret"[..], &self.store, alias.as_str().as_bytes()].concat()
    }

    fn is_committed(&self, alias: &Alias, secret: &Secret, commitment: &[u8; 32]) -> bool {
        self.spare_commitment(alias, secret).is_some_and(|own| cipher::same(&own, commitment))
    }

    fn spare_commitment(&self, alias: &Alias, secret: &Secret) -> Option<[u8; 32]> {
        let info = [&b"menshen/0/spare-commitment"[..], &self.store, alias.as_str().as_bytes()];
        cipher::derive(&[], &**secret, &info).map(|commitment| *commitment)
    }

    /// Spares that an earlier process made. One that a domain names as well was claimed just before a crash.
    fn locked_spares(&self) -> Vec<(Alias, Vec<u8>, [u8; 32])> {
        let known = |alias: &Alias| self.spares.iter().any(|spare| spare.alias == *alias);
        let spares = self.table.live().filter_map(|slot| match slot {
            Slot::Spare { alias, wrapped, commitment } => Some((alias.clone(), wrapped.clone(), *commitment)),
            _ => None,
        });
        spares.filter(|(alias, ..)| !known(alias) && !self.is_claimed(alias)).collect()
    }

    fn is_claimed(&self, alias: &Alias) -> bool {
        self.table.live().any(|slot| matches!(slot, Slot::Domain { alias: a, .. } if a == alias))
    }

    fn names_alias(&self, alias: &Alias) -> bool {
        self.unnamed.contains(alias)
            || self.is_claimed(alias)
            || self.table.live().any(|slot| matches!(slot, Slot::Spare { alias: a, .. } if a == alias))
    }

    /// Takes a spare out of its slot, for good.
    pub(crate) fn forget_spare(&mut self, alias: &Alias) -> Result<(), Error> {
        let is_it = |slot: &Slot| matches!(slot, Slot::Spare { alias: a, .. } if a == alias);
        self.table.destroy(is_it).at("write the keys").map(|_| ())
    }
}
