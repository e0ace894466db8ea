//! One account of one app on one device: what may happen now, and everything that changes it.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use arc_swap::ArcSwap;
use menshen_journal::{Domain, Label, Shredding};
use menshen_policy::document::{Permission, Place};
use menshen_policy::{Month, Policy};

use crate::consent::{Maintained, Refusal};
use crate::core::{Core, Ledger, Look};
use crate::denial::Denial;
use crate::entry::{SubjectKnownBy, What};
use crate::error::Error;
use crate::feature_use::Permit;
use crate::flow::Flow;
use crate::identifier::IdentifierCache;
use crate::platform::ChangeListener;
use crate::sdk::{Closing, Shared};
use crate::snapshot::Snapshot;
use crate::step::Trigger;

/// One account of one app on one device. Cheap to clone; every clone is the same session.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

/// A session that does not keep its store open.
pub(crate) struct WeakSession(Weak<Inner>);

impl WeakSession {
    pub(crate) fn upgrade(&self) -> Option<Session> {
        self.0.upgrade().map(|inner| Session { inner })
    }
}

struct Inner {
    shared: Arc<Shared>,
    core: Mutex<Core>,
    snapshot: ArcSwap<Snapshot>,
    switches: Mutex<Vec<Switch>>,
    turns: AtomicU64,
    /// The thread that turns the switches now.
    turner: Mutex<Option<ThreadId>>,
    turned: Condvar,
    looks: AtomicU64,
    /// Held while the key store is asked which keys exist.
    looking_up: Mutex<()>,
    listener: Mutex<Option<Arc<dyn ChangeListener>>>,
}

/// A third-party SDK under the gate of its recipient.
struct Switch {
    recipient: String,
    running: bool,
    start: Box<dyn FnMut() + Send>,
    stop: Box<dyn FnMut() + Send>,
}

/// How long what closes a gate waits for an SDK that is just being started or stopped by another thread. A start that
/// takes longer, or itself waits for the thread that closes, is stopped as soon as it returns.
const LONGEST_TURN: Duration = Duration::from_secs(2);

/// What a withdrawal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// It is durable. The purpose's keys are gone from memory; destroying them in the key store is
    /// [`Session::maintain`]'s work.
    Done {
        /// Uploads that carry records of the purpose and are with the transport: the host must stop them.
        in_flight: Vec<u64>,
    },
    /// The gate is closed and marked, but the entry could not be written. [`Session::maintain`] tries again,
    /// and no restart opens the gate.
    Pending {
        /// The code of what stood in the way. `io` may mean that not even the marker could be written; then only this
        /// process holds the gate closed, and the app should say so.
        code: &'static str,
    },
}

/// The state of one purpose, for a settings screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurposeState {
    /// The purpose.
    pub purpose: String,
    /// Its name in the session's locale.
    pub name: String,
    /// Whether it is allowed now.
    pub allowed: bool,
    /// Why not.
    pub denial: Option<Denial>,
}

impl Session {
    pub(crate) fn open(
        shared: Arc<Shared>,
        account: Label,
        known_as: Option<&str>,
        owner: Option<String>,
    ) -> Result<Self, Error> {
        let core = Core::open(&shared, account, known_as, owner)?;
        let closed = Snapshot::closed(core.identity());
        let session = Self {
            inner: Arc::new(Inner {
                shared,
                core: Mutex::new(core),
                snapshot: ArcSwap::from_pointee(closed),
                switches: Mutex::new(Vec::new()),
                turns: AtomicU64::new(0),
                turner: Mutex::new(None),
                turned: Condvar::new(),
                looks: AtomicU64::new(0),
                looking_up: Mutex::new(()),
                listener: Mutex::new(None),
            }),
        };
        Ok(session)
    }

    /// The first account takes over what was answered and recorded before anyone signed in.
    pub(crate) fn take_over(&self, known_as: &str, owner: String) -> Result<(), Error> {
        self.change(|core, shared| {
            if core.owner.is_some() {
                return Ok(());
            }
            core.known_as = Some(known_as.to_owned());
            core.owner = Some(owner);
            // Before the ledger can be read, reading it takes over.
            let taken = if core.ledger == Ledger::Ready { core.take_over(shared) } else { Ok(()) };
            if taken.is_err() {
                core.ledger = Ledger::Unreadable;
            }
            taken
        })
    }

    /// Whether this is the session of an account that took the guest's over.
    pub(crate) fn is_of(&self, owner: &str) -> bool {
        self.read(|core, _| core.ledger != Ledger::Foreign && core.owner.as_deref() == Some(owner))
    }

    /// Whether anything was answered yet.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) fn has_answers(&self) -> Result<bool, Error> {
        self.with_core(|core, shared| {
            core.load(shared)?;
            Ok(core.state.notice.is_some() || !core.state.purposes.is_empty())
        })
    }

    /// Whether this is the same session as another: a session of the guest is that of the account that took it over.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether a feature is open and has been since a snapshot.
    pub(crate) fn is_allowed_since(&self, feature: &str, generation: u64) -> bool {
        let now = self.inner.shared.wall_ms();
        let snapshot = self.inner.snapshot.load();
        snapshot.is_allowed(feature, now) && snapshot.open_since(feature).is_some_and(|since| since <= generation)
    }

    pub(crate) fn downgrade(&self) -> WeakSession {
        WeakSession(Arc::downgrade(&self.inner))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Runs something that may change the answers. The snapshot is new before this returns; listeners and
    /// SDKs are told after the lock is free.
    pub(crate) fn with_core<T>(&self, act: impl FnOnce(&mut Core, &Shared) -> Result<T, Error>) -> Result<T, Error> {
        let look = self.look();
        self.change(|core, shared| {
            core.see(look);
            act(core, shared)
        })
    }

    /// As [`Session::with_core`], without a look at the platform: what closes something waits for no host.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut Core, &Shared) -> T) -> T {
        let (result, changed) = self.change_untold(act);
        self.tell(changed);
        result
    }

    /// Closes something in memory and then proves it. The host is told after both: its code may take its time or
    /// panic, and a no must be on the disk by then.
    pub(crate) fn close_and_prove<T>(
        &self,
        close: impl FnOnce(&mut Core, &Shared) -> Result<(), Error>,
        prove: impl FnOnce(&mut Core, &Shared) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (closed, changed) = self.change_untold(close);
        // The snapshot is closed by now, and whoever asks it waits for no disk.
        let (proven, changed_again) = match closed {
            Ok(()) => self.change_untold(prove),
            Err(error) => (Err(error), false),
        };
        self.tell(changed || changed_again);
        proven
    }

    fn change_untold<T>(&self, act: impl FnOnce(&mut Core, &Shared) -> T) -> (T, bool) {
        let mut core = self.lock();
        let result = act(&mut core, &self.inner.shared);
        let changed = self.swap_snapshot(&mut core);
        (result, changed)
    }

    /// Reads without a change of the answers.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Core, &Shared) -> T) -> T {
        read(&self.lock(), &self.inner.shared)
    }

    /// Runs something that does not change the answers: recording, uploading.
    pub(crate) fn work<T>(&self, act: impl FnOnce(&mut Core, &Shared) -> T) -> T {
        act(&mut self.lock(), &self.inner.shared)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Core> {
        // A panic cannot leave the state half applied: entries are taken in only after they are written.
        self.inner.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swap_snapshot(&self, core: &mut Core) -> bool {
        let now = self.inner.shared.clock.now();
        let next = Snapshot::take(core, &now, &self.inner.snapshot.load());
        if self.inner.snapshot.load().answers_as(&next) {
            self.inner.snapshot.store(Arc::new(next));
            return false;
        }
        self.inner.snapshot.store(Arc::new(next));
        true
    }

    fn tell(&self, changed: bool) {
        // A recipient may end while every purpose and feature answers as before, so the switches always look.
        self.run_switches();
        if !changed {
            return;
        }
        let generation = self.inner.snapshot.load().generation();
        let listener = self.inner.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(listener) = listener {
            listener.changed(generation);
        }
    }

    /// Looks at the permissions that the features of the policy and of one that waits need. The host's code runs with
    /// nothing locked, so looks may overlap: the one that began last is at least as new as its beginning, and counts.
    fn look(&self) -> Look {
        let ticket = self.inner.looks.fetch_add(1, Ordering::SeqCst) + 1;
        let needed: BTreeSet<Permission> = self.read(|core, _| {
            let policies = [Some(&core.policy), core.pending().map(|pending| &pending.policy)];
            let features = policies.into_iter().flatten().flat_map(|policy| policy.document().features.values());
            features.flat_map(|feature| feature.permissions.keys().copied()).collect()
        });
        let permissions = &self.inner.shared.platform.permissions;
        Look { ticket, states: needed.into_iter().map(|one| (one, permissions.state(one))).collect() }
    }

    /// Whether a feature is open: all its purposes allowed, all its permissions there. Answers from a snapshot:
    /// no lock, no input or output. A name that the policy lacks is not allowed.
    #[must_use]
    pub fn is_allowed(&self, feature: &str) -> bool {
        self.inner.snapshot.load().is_allowed(feature, self.inner.shared.wall_ms())
    }

    /// Whether a purpose is allowed, from the same snapshot.
    #[must_use]
    pub fn is_purpose_allowed(&self, purpose: &str) -> bool {
        self.inner.snapshot.load().is_purpose_allowed(purpose, self.inner.shared.wall_ms())
    }

    /// The snapshot itself, for a binding that keeps its own copy.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.load_full()
    }

    /// Requests a feature: the questions that stand between now and its use, one at a time.
    ///
    /// # Errors
    /// The policy has no such feature, or the store failed.
    pub fn request(&self, feature: &str, trigger: Trigger) -> Result<Flow, Error> {
        Flow::feature(self.clone(), feature, trigger)
    }

    /// The notice, and after it the switches for purposes that no feature uses.
    ///
    /// # Errors
    /// The store failed.
    pub fn first_launch(&self) -> Result<Flow, Error> {
        Flow::first_launch(self.clone())
    }

    /// Asks for one purpose from a settings screen.
    ///
    /// # Errors
    /// The policy has no such purpose, or the store failed.
    pub fn request_purpose(&self, purpose: &str) -> Result<Flow, Error> {
        Flow::purpose(self.clone(), purpose)
    }

    /// Shows a changed policy, where one waits, and asks for what it adds.
    ///
    /// # Errors
    /// The store failed.
    pub fn changed_policy(&self) -> Result<Flow, Error> {
        Flow::changed_policy(self.clone())
    }

    /// Whether a changed policy waits for the person.
    #[must_use]
    pub fn has_changed_policy(&self) -> bool {
        self.read(|core, _| core.pending().is_some())
    }

    /// Takes a newer version of the policy. What it takes away ends on its day, what it adds waits for the person.
    ///
    /// # Errors
    /// The document is wrong, of another policy, or older than the accepted one.
    pub fn offer_policy(&self, policy: Policy) -> Result<(), Error> {
        let policy = Arc::new(policy);
        self.with_core(|core, shared| {
            core.load(shared)?;
            core.offer(policy, shared)
        })
    }

    /// The version of the policy that governs now.
    #[must_use]
    pub fn policy_version(&self) -> String {
        self.read(|core, _| core.policy.document().version.to_string())
    }

    /// The age band and place that the app knows. They are kept instead of asked.
    ///
    /// # Errors
    /// A month or place that cannot be, or the store failed.
    pub fn supply_subject(&self, born: &str, place: &str) -> Result<(), Error> {
        Place::parse(place).map_err(|_| Error::BadSubject { field: "place" })?;
        self.with_core(|core, shared| core.load(shared))?;
        self.know_subject(born, place, SubjectKnownBy::Supplied)
    }

    pub(crate) fn know_subject(&self, born: &str, place: &str, source: SubjectKnownBy) -> Result<(), Error> {
        let born = Month::parse(born).ok_or(Error::BadSubject { field: "birth month" })?;
        Place::parse(place).map_err(|_| Error::BadSubject { field: "place" })?;
        self.with_core(|core, shared| core.know_subject(shared, born, place, source))
    }

    /// The locale in which the person reads; the policy's first one without it.
    pub fn set_locale(&self, locale: &str) {
        self.work(|core, _| core.locale = Some(locale.to_owned()));
    }

    /// Whether undeclared event fields are errors, or are dropped and counted.
    pub fn set_strict(&self, strict: bool) {
        self.work(|core, _| core.strict = strict);
    }

    /// The listener that is told of every change, in place of an earlier one.
    pub fn listen(&self, listener: Arc<dyn ChangeListener>) {
        *self.inner.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// Looks again at what the system may have changed: call it when the app comes to the front.
    ///
    /// # Errors
    /// The store failed.
    pub fn refresh(&self) -> Result<(), Error> {
        let was_ready = self.with_core(|core, shared| {
            let was_ready = core.ledger == Ledger::Ready;
            match core.load(shared) {
                Ok(()) => {
                    // What cannot be noted now is noted at the next look.
                    let _ = core.note_permissions(shared);
                    Ok(was_ready)
                }
                Err(Error::KeyNotReady | Error::WrongKey | Error::KeyLost | Error::LedgerBroken { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        })?;
        // What was only read now has looked already.
        if was_ready {
            self.look_up_keys();
        }
        Ok(())
    }

    /// Looks whether the keys of all grants exist. A key store may take its time, so nobody who asks or records waits for
    /// it: only another look does, because the later one counts.
    fn look_up_keys(&self) {
        let _alone = self.inner.looking_up.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = self.read(|core, _| core.named_keys()).look_up(self.shared());
        self.change(|core, shared| core.take_in_keys(shared, &looked));
    }

    /// Withdraws a purpose. The gate is closed when this returns, whatever it returns, but for an error. An SDK that
    /// another thread is just starting has then started and was stopped again, unless its start takes longer than two
    /// seconds.
    ///
    /// # Errors
    /// The policy has no such purpose, or a statute demands it.
    pub fn withdraw(&self, purpose: &str) -> Result<Withdrawal, Error> {
        let close = |core: &mut Core, shared: &Shared| {
            // Which version governs stands in the ledger. Where it cannot be read the gate closes all the same.
            let _ = core.load(shared);
            if core.policy.purpose(purpose).is_none() && !core.state.purposes.contains_key(purpose) {
                return Err(core.unknown("purpose", purpose, |policy| policy.purpose(purpose).is_some()));
            }
            core.may_withdraw(purpose, &shared.clock.now())?;
            core.close_in_memory(purpose, Closing::Withdrawn);
            Ok(())
        };
        let withdrawn =
            self.close_and_prove(close, |core, shared| match core.deny(shared, purpose, Refusal::Withdrawn) {
                Ok(in_flight) => Ok(Withdrawal::Done { in_flight }),
                Err(error @ Error::LegalDuty { .. }) => Err(error),
                Err(error) => Ok(Withdrawal::Pending { code: error.code() }),
            });
        self.wait_for_switches();
        withdrawn
    }

    /// Signs the person out: closes every gate, ends every use and stops the SDKs. What is sealed waits for
    /// [`Menshen::session`](crate::Menshen::session) to open the account again; only requests to erase are still sent.
    pub fn sign_out(&self) {
        self.change(|core, _| {
            core.signed_out = true;
            core.identifiers = IdentifierCache::default();
        });
        self.wait_for_switches();
    }

    pub(crate) fn is_signed_out(&self) -> bool {
        self.read(|core, _| core.signed_out)
    }

    pub(crate) fn sign_in(&self) {
        self.work(|core, _| core.signed_out = false);
    }

    /// Does what may take time: destroys the keys of what was withdrawn, removes what expired, takes up what an
    /// earlier call could not finish. Call it from a background thread, after a withdrawal and now and then.
    ///
    /// # Errors
    /// The store or the key store failed; what is left is done by a later call.
    pub fn maintain(&self) -> Result<Maintained, Error> {
        self.with_core(|core, shared| core.load(shared))?;
        self.look_up_keys();
        let mut done = self.with_core(|core, shared| core.tidy(shared))?;
        // With a slow key store, and without holding up anybody who asks meanwhile.
        for (purpose, domain, alias) in self.read(|core, shared| core.ended(shared))? {
            if self.shared().journal.shred_key(&domain, &alias)? == Shredding::Done {
                self.work(|core, shared| core.shredded(shared, &purpose, &domain))?;
                done.shredded.push(purpose);
            } else {
                done.waiting.push(purpose);
            }
        }
        let consents = self.read(|core, _| core.consents());
        let prepared = self.shared().journal.fill_spares(consents);
        match prepared {
            // What is prepared for later may wait until later.
            Ok(()) | Err(menshen_journal::Error::Key(_) | menshen_journal::Error::Full) => Ok(done),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins this account anew where the key store lost the store's own key or the account's, as on a new device to which
    /// the files were restored; whether that was so. What was sealed under a lost key stays unread; every purpose is asked
    /// again, what is denied in clear stays denied, and the new ledger cites the last head of the old one that the anchor has.
    /// Call it when the person wants to go on after [`Error::KeyLost`]: a key store that is only not ready loses nothing.
    ///
    /// # Errors
    /// The key store is not ready, does not say whether the key is gone, or has another key; the store failed.
    pub fn replace_lost_key(&self) -> Result<bool, Error> {
        let replaced = self.change(|core, shared| core.replace_lost_key(shared));
        self.wait_for_switches();
        replaced
    }

    /// Every purpose with its state, for a settings screen.
    ///
    /// # Errors
    /// The store failed.
    pub fn purposes(&self) -> Result<Vec<PurposeState>, Error> {
        self.read(|core, shared| {
            let now = shared.clock.now();
            core.policy
                .document()
                .purposes
                .iter()
                .map(|(id, purpose)| {
                    let denial = core.denial(id.as_str(), &now)?;
                    Ok(PurposeState {
                        purpose: id.to_string(),
                        name: core.local(&purpose.name).to_owned(),
                        allowed: denial.is_none(),
                        denial,
                    })
                })
                .collect()
        })
    }

    /// Why a feature is not open; `None` if it is.
    ///
    /// # Errors
    /// The policy has no such feature.
    pub fn why_not(&self, feature: &str) -> Result<Option<Denial>, Error> {
        self.with_core(|core, shared| {
            let Some(declared) = core.policy.feature(feature) else {
                return Err(core.unknown("feature", feature, |policy| policy.feature(feature).is_some()));
            };
            core.feature_denial(feature, declared, &shared.clock.now())
        })
    }

    /// Why a third-party SDK may not run; `None` if it may, because every purpose that names it is allowed.
    ///
    /// # Errors
    /// The policy has no such recipient.
    pub fn why_not_start(&self, recipient: &str) -> Result<Option<Denial>, Error> {
        self.read(|core, shared| core.recipient_denial(recipient, &shared.clock.now()))
    }

    /// Notes in the ledger that a third-party SDK is about to start, or was told to stop. For a host that runs its
    /// own switches; [`Session::when_allowed`] does it by itself. What cannot be noted must not start.
    ///
    /// # Errors
    /// The policy has no such recipient, its gate is closed (for a start), or the ledger could not be written.
    pub fn note_sdk(&self, recipient: &str, starts: bool) -> Result<(), Error> {
        self.work(|core, shared| {
            if starts && core.recipient_denial(recipient, &shared.clock.now())?.is_some() {
                return Err(Error::PermitEnded);
            }
            let recipient = recipient.to_owned();
            let what = if starts { What::SdkStarted { recipient } } else { What::SdkStopped { recipient } };
            core.commit(shared, vec![what])
        })
    }

    /// Puts a third-party SDK under its gate: `start` runs as soon as every purpose that names it is allowed, now
    /// or later; `stop` when that ends. An SDK that ignores its stop can only be kept from starting next time.
    ///
    /// # Errors
    /// The policy has no such recipient.
    pub fn when_allowed(
        &self,
        recipient: &str,
        start: impl FnMut() + Send + 'static,
        stop: impl FnMut() + Send + 'static,
    ) -> Result<(), Error> {
        self.why_not_start(recipient)?;
        let switch =
            Switch { recipient: recipient.to_owned(), running: false, start: Box::new(start), stop: Box::new(stop) };
        self.inner.switches.lock().unwrap_or_else(PoisonError::into_inner).push(switch);
        self.run_switches();
        Ok(())
    }

    /// One thread at a time turns the switches; a change that comes meanwhile, also from a switch itself, makes that
    /// thread look once more.
    fn run_switches(&self) {
        if self.inner.turns.fetch_add(1, Ordering::SeqCst) != 0 {
            return;
        }
        let this = thread::current().id();
        *self.inner.turner.lock().unwrap_or_else(PoisonError::into_inner) = Some(this);
        let turned = catch_unwind(AssertUnwindSafe(|| self.turn_all()));
        // Another thread may have begun meanwhile, and is then the one to wait for.
        let mut turner = self.inner.turner.lock().unwrap_or_else(PoisonError::into_inner);
        if *turner == Some(this) {
            *turner = None;
        }
        drop(turner);
        self.inner.turned.notify_all();
        // A panic of the host's own code goes on to the host.
        if let Err(panic) = turned {
            resume_unwind(panic);
        }
    }

    /// Waits until no other thread is between its look at a gate and the start that followed from it.
    pub(crate) fn wait_for_switches(&self) {
        let this = thread::current().id();
        let turner = self.inner.turner.lock().unwrap_or_else(PoisonError::into_inner);
        let is_another = |turner: &mut Option<ThreadId>| turner.is_some_and(|turner| turner != this);
        // Late or not, what is left to do is done by that thread.
        drop(self.inner.turned.wait_timeout_while(turner, LONGEST_TURN, is_another));
    }

    fn turn_all(&self) {
        loop {
            let seen = self.inner.turns.load(Ordering::SeqCst);
            // Taken out while they run, so that none is called with a lock held.
            let mut switches = std::mem::take(&mut *self.inner.switches.lock().unwrap_or_else(PoisonError::into_inner));
            // Also after a panic of the host's own code the switches go back to their place.
            let turned = catch_unwind(AssertUnwindSafe(|| switches.iter_mut().for_each(|switch| self.turn(switch))));
            self.inner.switches.lock().unwrap_or_else(PoisonError::into_inner).append(&mut switches);
            let last = self.inner.turns.fetch_sub(seen, Ordering::SeqCst) == seen;
            if let Err(panic) = turned {
                self.inner.turns.store(0, Ordering::SeqCst);
                resume_unwind(panic);
            }
            if last {
                return;
            }
        }
    }

    fn turn(&self, switch: &mut Switch) {
        let allowed = matches!(self.why_not_start(&switch.recipient), Ok(None));
        if allowed == switch.running {
            return;
        }
        let written = self.note_sdk(&switch.recipient, allowed);
        if allowed && written.is_ok() {
            switch.running = true;
            (switch.start)();
        } else if !allowed {
            switch.running = false;
            (switch.stop)();
        }
    }

    pub(crate) fn permit(&self, feature: &str) -> Permit {
        Permit::new(self.clone(), feature, &self.inner.snapshot.load())
    }

    /// The domain of a purpose's live epoch; for tests and tools that look into the store.
    ///
    /// # Errors
    /// The store failed.
    pub fn domain(&self, purpose: &str) -> Result<Option<Domain>, Error> {
        self.read(|core, shared| core.domain(&shared.journal, purpose))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
