//! The proof that a feature is open, and the use of it that is bounded in time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use menshen_journal::Now;
use menshen_policy::Identity;

use crate::entry::What;
use crate::error::Error;
use crate::session::Session;
use crate::snapshot::Snapshot;

/// The proof that a feature was open when the person's request ended. Only the library makes one, it is used
/// once, and it doesn't outlive its decision.
pub struct Permit {
    session: Session,
    feature: String,
    generation: u64,
    identity: Arc<Identity>,
}

impl Permit {
    pub(crate) fn new(session: Session, feature: &str, snapshot: &Snapshot) -> Self {
        let identity = Arc::clone(snapshot.identity());
        Self { session, feature: feature.to_owned(), generation: snapshot.generation(), identity }
    }

    /// The policy and the law packs that allow it.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The feature.
    #[must_use]
    pub fn feature(&self) -> &str {
        &self.feature
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("feature", &self.feature).field("generation", &self.generation).finish()
    }
}

/// A use of a feature that is going on. Protected data is readable through it and only while it lasts.
#[derive(Debug)]
pub struct FeatureUse {
    session: Session,
    feature: String,
    generation: u64,
    began: Now,
    limit_ms: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ended: bool,
    reads: u64,
}

impl Session {
    /// Begins a use of a feature that ends with [`FeatureUse::end`], when it is dropped, or after `limit_ms`.
    ///
    /// # Errors
    /// The permit is of another session, the feature is closed meanwhile, or the ledger could not be written.
    pub fn begin(&self, permit: Permit, limit_ms: Option<u64>) -> Result<FeatureUse, Error> {
        if !self.is_same(&permit.session) || !self.is_allowed_since(&permit.feature, permit.generation) {
            return Err(Error::PermitEnded);
        }
        let feature = permit.feature.clone();
        self.work(|core, shared| core.commit(shared, vec![What::FeatureStarted { feature }]))?;
        let began = self.shared().clock.now();
        let state = Mutex::new(State { ended: false, reads: 0 });
        let generation = permit.generation;
        Ok(FeatureUse { session: self.clone(), feature: permit.feature, generation, began, limit_ms, state })
    }

    /// Runs something within a use of a feature.
    ///
    /// # Errors
    /// As [`Session::begin`].
    pub fn with_feature<T>(&self, permit: Permit, act: impl FnOnce(&FeatureUse) -> T) -> Result<T, Error> {
        let using = self.begin(permit, None)?;
        let result = act(&using);
        using.end();
        Ok(result)
    }
}

impl FeatureUse {
    /// Reads protected data, if the use is still going on and its gates are still open.
    ///
    /// # Errors
    /// The use ended, its time is over, or a gate or permission closed meanwhile; `reader` was not called.
    pub fn read<T>(&self, reader: impl FnOnce() -> T) -> Result<T, Error> {
        self.check()?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).reads += 1;
        Ok(reader())
    }

    /// Whether data may be read now; counts as no read.
    ///
    /// # Errors
    /// As [`FeatureUse::read`].
    pub fn check(&self) -> Result<(), Error> {
        let ended = self.state.lock().unwrap_or_else(PoisonError::into_inner).ended;
        let late = self.limit_ms.is_some_and(|limit| is_over(&self.began, limit, &self.session.shared().clock.now()));
        if ended || late || !self.session.is_allowed_since(&self.feature, self.generation) {
            return Err(Error::PermitEnded);
        }
        Ok(())
    }

    /// The feature.
    #[must_use]
    pub fn feature(&self) -> &str {
        &self.feature
    }

    /// Ends the use; nothing is readable through it afterwards.
    pub fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut state.ended, true) {
            return;
        }
        let reads = state.reads;
        drop(state);
        let what = What::FeatureEnded { feature: self.feature.clone(), reads };
        // The use has ended even if the entry about it cannot be written.
        let _ = self.session.work(|core, shared| core.commit(shared, vec![what]));
    }
}

/// Whether so much time passed, by the stricter of wall clock and time since boot. Over a restart nobody can tell.
fn is_over(began: &Now, limit_ms: u64, now: &Now) -> bool {
    let wall = u64::try_from(now.wall_ms.saturating_sub(began.wall_ms)).unwrap_or(0);
    let up = now.since_boot_ms.saturating_sub(began.since_boot_ms);
    now.boot != began.boot || wall.max(up) >= limit_ms
}

impl Drop for FeatureUse {
    fn drop(&mut self) {
        self.end();
    }
}
