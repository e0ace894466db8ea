//! A new key in the place of one that the key store lost: never because of an error, only when somebody asks for it and
//! the key store says that the old one is gone. What was sealed under it stays where it is, unread.

use crate::effects::{KeyError, KeyState};
use crate::error::{At, Error};
use crate::journal::{Inner, Journal};
use crate::keys::Slot;
use crate::ledger::{AnchoredHead, LedgerName, last_anchored};
use crate::names::{Alias, Domain, Label};

impl Journal {
    /// Gives the store a new key of its own where the old one is gone, and says whether it was. Manifest and cursors were
    /// coded under the old one, so segments are taken in from their own headers and their records are offered again; a marker
    /// of before proves nothing any more and still denies.
    ///
    /// # Errors
    /// The key store is not ready or does not say whether the key is gone; the disk failed.
    pub fn replace_lost_store_key(&self) -> Result<bool, Error> {
        let old = self.alias(&Domain::STORE).ok_or(Error::Key(KeyError::NotFound))?;
        if !self.is_lost(&old)? {
            return Ok(false);
        }
        let spare = self.make_spare()?;
        let mut inner = self.inner();
        if inner.process != std::process::id() {
            return Err(Error::Busy);
        }
        inner.give_key(&Domain::STORE, spare)?;
        inner.forget_domain(&Domain::STORE, &old)?;
        inner.distrust();
        inner.prove().map(|()| true)
    }

    /// Begins an account's ledger anew, under a new essential domain of the next epoch, where the keys of all before are
    /// gone. What those say nobody can read any more; [`Journal::last_head_before`] is for the first entry of the new one
    /// to cite.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where a key is not gone: what somebody wrote into the key file must not have a ledger
    /// abandoned that still verifies; else as [`Journal::replace_lost_store_key`].
    pub fn begin_ledger_anew(&self, account: Label) -> Result<(), Error> {
        let (old, aliases) = {
            let inner = self.proven()?;
            (inner.ledger_domain(account)?, inner.essential_aliases(account))
        };
        for alias in aliases {
            if !self.is_lost(&alias)? {
                return Err(Error::AlreadyExists);
            }
        }
        // An epoch that the anchor knows is never given again, whatever the files say.
        let anchored = last_anchored(&self.effects, account, u64::MAX).map_or(0, |head| head.epoch);
        let epoch = old.epoch.max(anchored).saturating_add(1);
        self.create_domain(&Domain { epoch, ..old })?;
        self.inner().ledgers.remove(&account);
        Ok(())
    }

    /// The last head that the anchor has of the account's ledgers before this one.
    #[must_use]
    pub fn last_head_before(&self, ledger: &LedgerName) -> Option<AnchoredHead> {
        last_anchored(&self.effects, ledger.account, ledger.epoch)
    }

    /// The domain of an account's newest ledger; the one that its first would have, where it has none.
    #[must_use]
    pub fn essential_domain(&self, account: Label) -> Domain {
        let first = Domain { account, purpose: Label::ESSENTIAL, epoch: 1 };
        self.inner().ledger_domain(account).unwrap_or(first)
    }

    /// Whether the key store, which works, says that a key is gone.
    fn is_lost(&self, alias: &Alias) -> Result<bool, Error> {
        let keys = &self.effects.keys;
        match keys.state() {
            KeyState::Ready => Ok(!keys.exists(alias)?),
            KeyState::NotYet => Err(KeyError::NotYet.into()),
            KeyState::Suspect | KeyState::Mismatch | KeyState::Lost => Err(KeyError::Suspect.into()),
        }
    }
}

impl Inner {
    /// The keys that the key file names for an account's ledgers.
    fn essential_aliases(&self, account: Label) -> Vec<Alias> {
        let of_account = self.table.live().filter_map(|slot| match slot {
            Slot::Domain { domain, alias, .. } if (domain.account, domain.purpose) == (account, Label::ESSENTIAL) => {
                Some(alias.clone())
            }
            _ => None,
        });
        of_account.collect()
    }

    /// Destroys the slot in which a domain has an alias.
    fn forget_domain(&mut self, domain: &Domain, alias: &Alias) -> Result<(), Error> {
        let is_it = |slot: &Slot| matches!(slot, Slot::Domain { domain: d, alias: a, .. } if (d, a) == (domain, alias));
        self.table.destroy(is_it).at("write the keys").map(|_| ())
    }
}
