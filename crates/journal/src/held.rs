//! Records that wait in memory for a key store that is not ready: appended as soon as the key is there, gone with the
//! process.

use std::collections::{HashSet, VecDeque};

use zeroize::Zeroizing;

use crate::append::Append;
use crate::effects::{KeyError, Now};
use crate::error::Error;
use crate::journal::{Inner, Journal};
use crate::names::{Domain, Expiry, Lane, RecordId};

/// The most bytes of bodies that wait. Beyond it telemetry loses its oldest, and the other lanes are full.
const MAX_HELD_BYTES: usize = 256 * 1024;
/// What one counts beside its body.
const EACH: usize = 128;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Appended {
    /// In memory only, because the key store is not ready for its domain: lost with the process, appended before the
    /// domain's next record once the key is there.
    Held,
    /// Sealed, and the operating system has it: it survives the end of the process.
    Buffered(RecordId),
    /// Sealed and synced: it survives a power loss, if the device honours a sync.
    Synced(RecordId),
}

impl Appended {
    /// The record's id, once it has one.
    #[must_use]
    pub fn id(self) -> Option<RecordId> {
        match self {
            Self::Held => None,
            Self::Buffered(id) | Self::Synced(id) => Some(id),
        }
    }
}

/// One that waits.
struct Waiting {
    domain: Domain,
    lane: Lane,
    expiry: Expiry,
    body: Zeroizing<Vec<u8>>,
}

/// Those that wait, in their order.
#[derive(Default)]
pub(crate) struct Held {
    waiting: VecDeque<Waiting>,
    /// Those that found no room, ended, or were for a key that is gone.
    pub(crate) dropped: u64,
}

impl Held {
    pub(crate) fn count(&self) -> u64 {
        self.waiting.len() as u64
    }

    pub(crate) fn has(&self, domain: &Domain) -> bool {
        self.waiting.iter().any(|waiting| waiting.domain == *domain)
    }

    /// Wipes those of a domain.
    pub(crate) fn forget(&mut self, domain: &Domain) {
        self.waiting.retain(|waiting| waiting.domain != *domain);
    }

    fn bytes(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.body.len() + EACH).sum()
    }

    fn push(&mut self, append: &Append<'_>, now: &Now) -> Result<(), Error> {
        if append.body.len() + EACH > MAX_HELD_BYTES {
            return Err(Error::Full);
        }
        let before = self.waiting.len();
        self.waiting.retain(|waiting| !waiting.expiry.is_over(now));
        self.dropped += (before - self.waiting.len()) as u64;
        while self.bytes() + append.body.len() + EACH > MAX_HELD_BYTES {
            let oldest = self.waiting.iter().position(|waiting| waiting.lane == Lane::Telemetry);
            let dropped = oldest.filter(|_| append.lane == Lane::Telemetry).and_then(|at| self.waiting.remove(at));
            dropped.ok_or(Error::Full)?;
            self.dropped += 1;
        }
        let body = Zeroizing::new(append.body.to_vec());
        self.waiting.push_back(Waiting { domain: append.domain, lane: append.lane, expiry: append.expiry, body });
        Ok(())
    }
}

impl Journal {
    /// Appends what was held whose keys are there by now; how many records still wait. What has ended meanwhile, and
    /// what is of a domain that was closed or whose key is gone, is wiped.
    ///
    /// # Errors
    /// The disk failed; what was not appended still waits.
    pub fn append_held(&self) -> Result<u64, Error> {
        let domains: HashSet<Domain> = self.inner().held.waiting.iter().map(|waiting| waiting.domain).collect();
        let domains: Vec<Domain> = domains.into_iter().collect();
        let mut inner = self.proven_with(&domains)?;
        let appended: Vec<_> = domains.iter().map(|domain| inner.append_held(domain)).collect();
        appended.into_iter().collect::<Result<(), _>>()?;
        Ok(inner.held.count())
    }
}

impl Inner {
    /// Whether the key store is not ready for a domain that has a key: not now, or it failed. One that is gone is
    /// neither.
    pub(crate) fn is_waiting(&self, domain: &Domain) -> bool {
        matches!(self.key_of(domain), Err(Error::Key(KeyError::NotYet | KeyError::Suspect)))
    }

    pub(crate) fn hold(&mut self, append: &Append<'_>) -> Result<Appended, Error> {
        let now = self.effects.clock.now();
        self.held.push(append, &now).map(|()| Appended::Held)
    }

    /// Appends what is held of a domain, in its order, if its key is there.
    pub(crate) fn append_held(&mut self, domain: &Domain) -> Result<(), Error> {
        if !self.held.has(domain) || self.is_waiting(domain) {
            return Ok(());
        }
        if self.key_of(domain).is_err() {
            let before = self.held.count();
            self.held.forget(domain);
            self.held.dropped += before - self.held.count();
            return Ok(());
        }
        let now = self.effects.clock.now();
        let (mut of_domain, others): (VecDeque<Waiting>, VecDeque<Waiting>) =
            std::mem::take(&mut self.held.waiting).into_iter().partition(|waiting| waiting.domain == *domain);
        self.held.waiting = others;
        let mut appended = Ok(());
        while let Some(Waiting { lane, expiry, body, .. }) = of_domain.front() {
            if expiry.is_over(&now) {
                self.held.dropped += 1;
            } else {
                appended =
                    self.seal_and_append(&Append { domain: *domain, lane: *lane, expiry: *expiry, body }).map(|_| ());
            }
            if appended.is_err() {
                break;
            }
            of_domain.pop_front();
        }
        // What is left goes before what the others wait for: its place among them does not matter.
        of_domain.append(&mut self.held.waiting);
        self.held.waiting = of_domain;
        appended
    }
}
