//! Opening: one policy, one store, one key provider, one platform.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use menshen_journal::{
    Anchor, DeviceClock, Disk, Effects, Folder, Health, Journal, KeyProvider, Label, LabelKind, OpenError, OpenReport,
    Options, Randomness, SystemClock, SystemRandomness,
};
use menshen_policy::Policy;
use ring::digest::{Context, SHA256};

use crate::entry::RestrictedBy;
use crate::error::Error;
use crate::platform::Platform;
use crate::prompt::hex;
use crate::session::{Session, WeakSession};

/// The store and the effects under a [`Menshen`]. Everything but the folder and the keys has a default.
#[derive(Clone)]
pub struct Store {
    disk: Arc<dyn Disk>,
    /// Where the disk is one, for whoever has to be told.
    folder: Option<PathBuf>,
    marker_disks: Vec<Arc<dyn Disk>>,
    cap_bytes: u64,
    clock: Option<Arc<dyn DeviceClock>>,
    randomness: Arc<dyn Randomness>,
    anchor: Option<Arc<dyn Anchor>>,
}

impl Store {
    /// The store in a folder, which is created with its first content. One process at a time has it open.
    ///
    /// # Errors
    /// The path is there and is no folder, or the folder cannot be created.
    pub fn at(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        Ok(Self { folder: Some(folder.to_owned()), ..Self::on(open_folder(folder)?) })
    }

    /// The store on any disk, a simulated one among them.
    #[must_use]
    pub fn on(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            folder: None,
            marker_disks: Vec::new(),
            cap_bytes: Options::default().cap_bytes,
            clock: None,
            randomness: Arc::new(SystemRandomness::new()),
            anchor: None,
        }
    }

    /// Further folders outside the store in which a denial is marked, so that it holds where the store's own folder cannot be written.
    ///
    /// # Errors
    /// A path is there and is no folder, the folder cannot be created, or it is in the store's own.
    pub fn marking_denials_in(mut self, folders: &[PathBuf]) -> Result<Self, Error> {
        for folder in folders {
            self.marker_disks.push(open_folder(folder)?);
            is_outside(self.folder.as_deref(), folder)?;
        }
        Ok(self)
    }

    /// As [`Store::marking_denials_in`], on any disk.
    #[must_use]
    pub fn marking_denials_on(mut self, disk: Arc<dyn Disk>) -> Self {
        self.marker_disks.push(disk);
        self
    }

    /// The most bytes that the store takes; 64 MiB without this.
    #[must_use]
    pub fn with_cap(mut self, bytes: u64) -> Self {
        self.cap_bytes = bytes;
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn DeviceClock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Another source of randomness than the system's.
    #[must_use]
    pub fn with_randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.randomness = randomness;
        self
    }

    /// A small value kept outside the store that shows a rolled-back ledger.
    #[must_use]
    pub fn with_anchor(mut self, anchor: Arc<dyn Anchor>) -> Self {
        self.anchor = Some(anchor);
        self
    }
}

fn open_folder(folder: &Path) -> Result<Arc<dyn Disk>, Error> {
    Ok(Arc::new(Folder::at(folder)?))
}

/// Whoever copies a store's folder, or puts an older copy back, must not have with it what has to be elsewhere.
fn is_outside(store: Option<&Path>, folder: &Path) -> Result<(), Error> {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (Some(store), inner) = (store.map(real), real(folder)) else { return Ok(()) };
    if !inner.starts_with(&store) {
        return Ok(());
    }
    // It was made a moment ago; an empty folder left behind would be something foreign in a store that has yet to begin.
    for made in inner.ancestors().take_while(|made| *made != store) {
        if fs::remove_dir(made).is_err() {
            break;
        }
    }
    Err(Error::Open { folder: Some(folder.to_owned()), cause: OpenError::InsideStore })
}

/// A policy at work over one store.
#[derive(Clone)]
pub struct Menshen {
    shared: Arc<Shared>,
    /// The session of the account that is signed in.
    current: Arc<Mutex<Option<Session>>>,
}

/// The names of the guest's ledgers: the first may be taken over by an account, the later one never is.
const GUEST: &str = "guest";
const LATER_GUEST: &str = "guest-later";
/// There once an account took the first guest over.
const GUEST_TAKEN: &str = "guest-taken";

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) bundled: Arc<Policy>,
    pub(crate) journal: Journal,
    pub(crate) keys: Arc<dyn KeyProvider>,
    pub(crate) clock: Arc<dyn DeviceClock>,
    uses_system_clock: bool,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) platform: Platform,
    pub(crate) strict: bool,
    /// Weak, so that the store is closed with the last session.
    sessions: Mutex<HashMap<Label, WeakSession>>,
    denied: Mutex<HashMap<Label, Denied>>,
}

/// Purposes of one account that were denied, until its ledger says so too. They outlive the session that took them.
#[derive(Clone, Default)]
pub(crate) struct Denied(Arc<Mutex<BTreeMap<String, Closing>>>);

/// What a denial is to become in the ledger. Of two the greater counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closing {
    Restricted(RestrictedBy),
    Withdrawn,
}

impl Denied {
    fn purposes(&self) -> MutexGuard<'_, BTreeMap<String, Closing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, purpose: &str) -> Option<Closing> {
        self.purposes().get(purpose).copied()
    }

    pub(crate) fn contains(&self, purpose: &str) -> bool {
        self.of(purpose).is_some()
    }

    pub(crate) fn insert(&self, purpose: &str, closing: Closing) {
        let mut purposes = self.purposes();
        let kept = purposes.entry(purpose.to_owned()).or_insert(closing);
        *kept = closing.max(*kept);
    }

    pub(crate) fn remove(&self, purpose: &str) {
        self.purposes().remove(purpose);
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Closing> {
        self.purposes().clone()
    }
}

impl Shared {
    /// The wall clock alone, in milliseconds since 1970. The system's is asked without the other clocks, because that
    /// is most of what an answer from a snapshot costs.
    pub(crate) fn wall_ms(&self) -> i64 {
        if !self.uses_system_clock {
            return self.clock.now().wall_ms;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        seconds.saturating_mul(1000).saturating_add(i64::from(since.subsec_millis()))
    }

    /// The denials of an account, the same for each of its sessions.
    pub(crate) fn denied(&self, account: Label) -> Denied {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).entry(account).or_default().clone()
    }

    /// 128 random bits in hexadecimal.
    pub(crate) fn random_id(&self) -> Result<String, Error> {
        let mut bytes = [0; 16];
        self.randomness.fill(&mut bytes).map_err(|_| Error::Internal { what: "randomness" })?;
        Ok(hex(&bytes))
    }
}

impl Menshen {
    /// Opens the store under a policy, on a platform without permissions and identifiers.
    ///
    /// ```no_run
    /// use menshen::{FileKeys, Menshen, Policy, Store};
    /// # fn main() -> Result<(), menshen::Error> {
    /// let policy = Policy::read(include_bytes!("../../../tests/policies/minimal.json"))?;
    /// let keys = FileKeys::at("app/keys")?;
    /// let menshen = Menshen::open(policy, Store::at("app/store")?, keys)?;
    /// let session = menshen.guest()?;
    /// assert!(!session.is_allowed("share-location"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The store is in use, read-only, full, or no store, or the keys' folder is in it; nothing in it was changed then.
    pub fn open(policy: Policy, store: Store, keys: impl KeyProvider + 'static) -> Result<Self, Error> {
        Self::open_on(policy, store, Arc::new(keys), Platform::default())
    }

    /// Opens the store under a policy, on a platform. Undeclared event fields are errors in debug builds and
    /// are dropped and counted in release builds; [`Session::set_strict`] changes that.
    ///
    /// # Errors
    /// As [`Menshen::open`].
    pub fn open_on(
        policy: Policy,
        store: Store,
        keys: Arc<dyn KeyProvider>,
        platform: Platform,
    ) -> Result<Self, Error> {
        keys.folder().map_or(Ok(()), |keys| is_outside(store.folder.as_deref(), keys))?;
        let uses_system_clock = store.clock.is_none();
        let clock = store.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let effects = Effects {
            disk: store.disk,
            keys: Arc::clone(&keys),
            clock: Arc::clone(&clock),
            randomness: Arc::clone(&store.randomness),
            anchor: store.anchor,
            marker_disks: store.marker_disks,
        };
        let options = Options { cap_bytes: store.cap_bytes, ..Options::default() };
        let journal = Journal::open(effects, options).map_err(|cause| Error::Open { folder: store.folder, cause })?;
        let shared = Shared {
            bundled: Arc::new(policy),
            journal,
            keys,
            clock,
            uses_system_clock,
            randomness: store.randomness,
            platform,
            strict: cfg!(debug_assertions),
            sessions: Mutex::new(HashMap::new()),
            denied: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), current: Arc::default() })
    }

    /// The session of nobody in particular: the app before anyone signed in.
    ///
    /// # Errors
    /// The store failed. A key store that is not ready is no error: every gate is closed until it is.
    pub fn guest(&self) -> Result<Session, Error> {
        let name = if self.has_name(GUEST_TAKEN) { LATER_GUEST } else { GUEST };
        self.session_of(name, None, None)
    }

    /// The session of an account, signed in. The first one takes over what the guest answered and recorded: their session
    /// is the account's from then on, and the next guest begins unasked, as every other account does. The name is the
    /// app's own opaque id; it should not be a phone number or an address, because somebody who has the store's files can
    /// confirm a guess of it.
    ///
    /// # Errors
    /// As [`Menshen::guest`]. What may have to be taken over waits for the key store.
    pub fn session(&self, account: &str) -> Result<Session, Error> {
        let mut context = Context::new(&SHA256);
        context.update(&self.shared.journal.store_id());
        context.update(account.as_bytes());
        let id = hex(context.finish().as_ref());
        let (own, taken) = (format!("account-{id}"), format!("guest-of-{id}"));
        if self.has_name(&taken) {
            let session = self.session_of(GUEST, Some(account), Some(id.clone()))?;
            // Where the entry could not be written, another account may have been first.
            if session.is_of(&id) {
                return Ok(session);
            }
        }
        let may_take_over = self.has_name(GUEST) && !self.has_name(GUEST_TAKEN) && !self.has_name(&own);
        if may_take_over && self.guest()?.has_answers()? {
            // The names first: they lead to the ledger, whose entry counts.
            for name in [&taken, GUEST_TAKEN] {
                self.shared.journal.label(LabelKind::Account, name)?;
            }
            return self.session_of(GUEST, Some(account), Some(id));
        }
        self.session_of(&own, Some(account), None)
    }

    /// The session of whoever uses the app now: of the account that signed in last, else of the guest.
    ///
    /// # Errors
    /// As [`Menshen::guest`].
    pub fn current(&self) -> Result<Session, Error> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        current.map_or_else(|| self.guest(), Ok)
    }

    /// Signs an account in: its session is the current one, and that of an account before, or of the guest, is signed
    /// out.
    ///
    /// # Errors
    /// As [`Menshen::session`].
    pub fn sign_in(&self, account: &str) -> Result<Session, Error> {
        let session = self.session(account)?;
        self.become_current(Some(session.clone()));
        Ok(session)
    }

    /// Signs the current account out ([`Session::sign_out`]); the guest's session is the current one.
    ///
    /// # Errors
    /// As [`Menshen::guest`]. The account is signed out all the same.
    pub fn sign_out(&self) -> Result<Session, Error> {
        self.become_current(None);
        self.guest()
    }

    fn become_current(&self, session: Option<Session>) {
        let before = {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, session.clone())
        };
        let others: Vec<Session> = match &session {
            Some(session) => self.open_sessions().into_iter().filter(|other| !other.is_same(session)).collect(),
            None => before.into_iter().collect(),
        };
        // The SDKs stop with nothing locked.
        others.iter().for_each(Session::sign_out);
    }

    fn open_sessions(&self) -> Vec<Session> {
        let sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.values().filter_map(WeakSession::upgrade).collect()
    }

    fn has_name(&self, name: &str) -> bool {
        !self.shared.journal.labels(LabelKind::Account, name).is_empty()
    }

    fn session_of(&self, name: &str, known_as: Option<&str>, owner: Option<String>) -> Result<Session, Error> {
        let account = self.shared.journal.label(LabelKind::Account, name)?;
        let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, is_new) = match sessions.get(&account).and_then(WeakSession::upgrade) {
            Some(session) => (session, false),
            None => {
                let session = Session::open(Arc::clone(&self.shared), account, known_as, owner.clone())?;
                sessions.insert(account, session.downgrade());
                (session, true)
            }
        };
        drop(sessions);
        let was_signed_out = session.is_signed_out();
        if was_signed_out {
            session.sign_in();
        }
        if let (false, Some(known_as), Some(owner)) = (is_new, known_as, owner) {
            session.take_over(known_as, owner)?;
        }
        if is_new || was_signed_out {
            // The first look at the platform is the host's code, so it runs with nothing locked.
            session.refresh()?;
        }
        Ok(session)
    }

    /// The policy that the app brought along.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.shared.bundled
    }

    /// What was found when the store was opened.
    #[must_use]
    pub fn opened(&self) -> OpenReport {
        self.shared.journal.report()
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.journal.health()
    }

    /// Makes everything recorded so far survive a power loss, if the device honours a sync.
    ///
    /// # Errors
    /// The disk failed; what was not synced before stays unsynced and is reported.
    pub fn sync(&self) -> Result<(), Error> {
        Ok(self.shared.journal.sync()?)
    }
}

impl std::fmt::Debug for Menshen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Menshen").field("policy", &self.shared.bundled).finish_non_exhaustive()
    }
}
