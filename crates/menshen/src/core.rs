//! One account behind its lock: the fold of its ledger, and the policies that govern it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use menshen_journal::{Alias, Domain, Journal, KeyError, Label, LabelKind, NewEntry, Now, Verdict as LedgerVerdict};
use menshen_policy::document::{Permission, Text};
use menshen_policy::{Change, Identity, Policy, RulesInForce};

use crate::account::{Account, PurposeState, Status};
use crate::consent::Refusal;
use crate::denial::Remedy;
use crate::entry::{Entry, What};
use crate::error::Error;
use crate::exchange_state::Exchanges;
use crate::identifier::IdentifierCache;
use crate::platform::PermissionState;
use crate::sdk::{Denied, Shared};

/// The states of all permissions that the policy's features need, at one look at the platform.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// Grows with every look, in the order in which they began.
    pub(crate) ticket: u64,
    pub(crate) states: BTreeMap<Permission, PermissionState>,
}

pub(crate) struct Core {
    pub(crate) account: Label,
    /// The app's own id of it, by which the controller knows the person; `None` for the guest.
    pub(crate) known_as: Option<String>,
    /// The account that takes over this ledger of a guest.
    pub(crate) owner: Option<String>,
    pub(crate) ledger: Ledger,
    pub(crate) state: Account,
    /// The accepted policy; the app's own one before anything was accepted.
    pub(crate) policy: Arc<Policy>,
    /// Its rules where the person lives.
    pub(crate) rules: RulesInForce,
    /// Versions newer than the accepted one, the oldest first. What any of them takes away has ended once its day began; the
    /// person is asked about the last.
    pub(crate) waiting: Vec<Pending>,
    pub(crate) locale: Option<String>,
    pub(crate) strict: bool,
    /// Set when the person signed out: everything is closed, and only what is owed is sent.
    pub(crate) signed_out: bool,
    /// The latest look at the platform.
    pub(crate) look: Look,
    /// What a denial closed, until the ledger says so too.
    pub(crate) denied: Denied,
    /// Purposes whose grant names a key that is not there.
    pub(crate) missing_keys: BTreeSet<String>,
    /// Purposes whose key could not be looked up; closed until it can.
    pub(crate) unknown_keys: BTreeSet<String>,
    /// Numbers the permits, so that one doesn't outlive its decision.
    pub(crate) generation: u64,
    pub(crate) exchanges: Exchanges,
    pub(crate) identifiers: IdentifierCache,
    pub(crate) dropped_fields: u64,
    pub(crate) not_stored: u64,
}

/// Whether the evidence can be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ledger {
    Ready,
    /// The key store is not ready.
    KeyNotReady,
    /// The key is gone, or another one answers.
    KeyBad,
    /// It could not be read to its end this time; the next call tries again.
    Unreadable,
    /// It belongs to another account than the one that asks for it.
    Foreign,
    /// It does not verify, or an anchor knows a later head.
    Broken {
        sequence: Option<u64>,
    },
}

impl Ledger {
    /// Why it closes every gate.
    pub(crate) fn closed(self) -> Option<(&'static str, Remedy)> {
        match self {
            Self::Ready => None,
            Self::KeyNotReady => Some(("key-not-ready", Remedy::Wait)),
            Self::KeyBad => Some(("account-key-lost", Remedy::Nothing)),
            Self::Unreadable => Some(("ledger-unreadable", Remedy::Wait)),
            Self::Foreign | Self::Broken { .. } => Some(("ledger-broken", Remedy::Nothing)),
        }
    }
}

/// Keys that grants name, by purpose.
pub(crate) struct NamedKeys(Vec<(String, Alias)>);

/// Whether the key of one purpose exists.
pub(crate) struct LookedUp {
    purpose: String,
    alias: Alias,
    exists: Result<bool, KeyError>,
}

impl NamedKeys {
    /// Asks the key store, which may take its time.
    pub(crate) fn look_up(self, shared: &Shared) -> Vec<LookedUp> {
        let look = |(purpose, alias)| LookedUp { exists: shared.keys.exists(&alias), purpose, alias };
        self.0.into_iter().map(look).collect()
    }
}

/// A policy version that waits for the person.
pub(crate) struct Pending {
    pub(crate) policy: Arc<Policy>,
    pub(crate) rules: RulesInForce,
    pub(crate) change: Change,
}

impl Pending {
    pub(crate) fn is_newer_than(&self, policy: &Policy) -> bool {
        self.policy.document().version.numbers() > policy.document().version.numbers()
    }

    /// Whether what it takes away has ended at a moment, in milliseconds since 1970.
    pub(crate) fn is_effective(&self, at_ms: i64) -> bool {
        // The day starts when it starts in UTC. One that cannot be told has started: nothing stays open for it.
        self.policy.document().effective_from.start_ms().is_none_or(|start| start <= at_ms)
    }
}

/// A version that the ledger vouches for: it was checked when it arrived, and no stricter release takes it back.
fn kept_policy(document: &str) -> Result<Policy, Error> {
    // What has no shape of a policy any more is damage of the ledger, not a mistake of the app's own document.
    Policy::read_kept(document.as_bytes()).map_err(|_| Error::LedgerBroken { sequence: None })
}

/// The epoch of a denial marker that was written before the ledger could be read.
pub(crate) const ANY_EPOCH: u64 = u64::MAX;

impl Core {
    /// Opens an account: reads its ledger if the key is there, else with every gate closed.
    pub(crate) fn open(
        shared: &Shared,
        account: Label,
        known_as: Option<&str>,
        owner: Option<String>,
    ) -> Result<Self, Error> {
        let mut core = Self {
            account,
            known_as: known_as.map(str::to_owned),
            owner,
            ledger: Ledger::KeyNotReady,
            state: Account::default(),
            policy: Arc::clone(&shared.bundled),
            rules: shared.bundled.rules_in_force(None),
            waiting: Vec::new(),
            locale: None,
            strict: shared.strict,
            signed_out: false,
            look: Look::default(),
            denied: shared.denied(account),
            missing_keys: BTreeSet::new(),
            unknown_keys: BTreeSet::new(),
            generation: 0,
            exchanges: Exchanges::new(shared.randomness.as_ref())?,
            identifiers: IdentifierCache::default(),
            dropped_fields: 0,
            not_stored: 0,
        };
        match core.load(shared) {
            Ok(()) | Err(Error::KeyNotReady | Error::WrongKey | Error::KeyLost | Error::LedgerBroken { .. }) => {
                Ok(core)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the ledger, if that was not possible before. An account without one gets its key here.
    pub(crate) fn load(&mut self, shared: &Shared) -> Result<(), Error> {
        match self.ledger {
            Ledger::Ready => return Ok(()),
            Ledger::Broken { sequence } => return Err(Error::LedgerBroken { sequence }),
            Ledger::Foreign => return Err(Error::LedgerBroken { sequence: None }),
            Ledger::KeyNotReady | Ledger::KeyBad | Ledger::Unreadable => {}
        }
        let journal = &shared.journal;
        let essential = journal.essential_domain(self.account);
        let unlocked = journal.unlock().and_then(|()| match journal.alias(&essential) {
            Some(_) => journal.unlock_domain(&essential),
            None => Ok(()),
        });
        if let Err(error) = unlocked {
            let error = Error::from(error);
            self.ledger = if matches!(error, Error::KeyNotReady) { Ledger::KeyNotReady } else { Ledger::KeyBad };
            return Err(error);
        }
        // Whatever stops the reading from here on, it is not the key.
        self.ledger = Ledger::Unreadable;
        if journal.alias(&essential).is_none() {
            journal.create_domain(&essential)?;
        }
        let contents = journal.ledger_read(self.account)?;
        if contents.verdict != LedgerVerdict::Sound {
            let sequence = match contents.verdict {
                LedgerVerdict::Broken { sequence } => Some(sequence),
                _ => None,
            };
            self.ledger = Ledger::Broken { sequence };
            return Err(Error::LedgerBroken { sequence });
        }
        let mut state = Account::default();
        for entry in contents.entries.iter().filter(|entry| entry.signed) {
            // What was erased grants nothing.
            let Some(payload) = &entry.payload else { continue };
            let entry = Entry::join(&entry.statement, &payload.bytes)
                .ok_or(Error::LedgerBroken { sequence: Some(entry.sequence) })?;
            state.apply(&entry);
        }
        self.state = state;
        self.ledger = Ledger::Ready;
        if contents.entries.is_empty() && contents.name.epoch > 1 {
            // The first entry of a ledger that follows a lost one says so, whenever it comes to be written.
            let last = journal.last_head_before(&contents.name).map(Into::into);
            if let Err(error) = self.commit(shared, vec![What::BegunAnew { last }]) {
                self.ledger = Ledger::Unreadable;
                return Err(error);
            }
        }
        let adopted = self
            .take_over(shared)
            .and_then(|()| self.adopt_policies(shared))
            .and_then(|()| self.take_in_markers(shared));
        if let Err(error) = adopted {
            // Half of it would open what the other half closes.
            if self.ledger != Ledger::Foreign {
                self.ledger = Ledger::Unreadable;
            }
            return Err(error);
        }
        self.look_up_keys(shared);
        Ok(())
    }

    /// Whoever opens this ledger must be who it belongs to. The names that lead an account to a guest's ledger stand in
    /// clear, so only the signed entry counts.
    pub(crate) fn take_over(&mut self, shared: &Shared) -> Result<(), Error> {
        match (&self.owner, &self.state.owner) {
            (None, None) => Ok(()),
            (Some(ours), Some(theirs)) if ours == theirs => Ok(()),
            (Some(ours), None) => {
                let account = ours.clone();
                self.commit(shared, vec![What::TakenOver { account }])
            }
            _ => {
                self.ledger = Ledger::Foreign;
                self.state = Account::default();
                Err(Error::LedgerBroken { sequence: None })
            }
        }
    }

    /// Begins anew where the key store lost the store's own key or the account's; whether one was replaced.
    pub(crate) fn replace_lost_key(&mut self, shared: &Shared) -> Result<bool, Error> {
        match self.load(shared) {
            Ok(()) => return Ok(false),
            Err(Error::KeyLost) => {}
            Err(error) => return Err(error),
        }
        use menshen_journal::{Error as Failed, KeyError};
        let replaced = shared.journal.replace_lost_store_key()?;
        match shared.journal.begin_ledger_anew(self.account) {
            Ok(()) => {}
            // Its key is there, or it never had one.
            Err(Failed::AlreadyExists | Failed::Key(KeyError::NotFound)) if replaced => {}
            Err(Failed::AlreadyExists | Failed::Key(KeyError::NotFound)) => return Err(Error::KeyLost),
            Err(error) => return Err(error.into()),
        }
        self.ledger = Ledger::Unreadable;
        self.load(shared).map(|()| true)
    }

    /// The accepted document governs; the app's own is pending where it is newer.
    fn adopt_policies(&mut self, shared: &Shared) -> Result<(), Error> {
        self.waiting.clear();
        let accepted = self.state.accepted.clone().filter(|accepted| accepted.hash != shared.bundled.hash());
        self.govern(match accepted {
            None => Arc::clone(&shared.bundled),
            Some(accepted) => Arc::new(kept_policy(&accepted.document)?),
        });
        if self.state.accepted.is_none() {
            return Ok(());
        }
        // What a version that arrived takes away stays away, whether or not this build brings it along.
        for arrived in self.state.arrived.clone() {
            self.offer_if_newer(Arc::new(kept_policy(&arrived.document)?), shared)?;
        }
        self.offer_if_newer(Arc::clone(&shared.bundled), shared)
    }

    /// Lets a version of the policy decide from now on.
    pub(crate) fn govern(&mut self, policy: Arc<Policy>) {
        self.rules = policy.rules_in_force(self.state.subject.place.as_ref());
        self.policy = policy;
    }

    /// An older build than the accepted version is no failure: the accepted version governs.
    fn offer_if_newer(&mut self, policy: Arc<Policy>, shared: &Shared) -> Result<(), Error> {
        match self.offer(policy, shared) {
            Err(Error::OlderPolicy { .. }) => Ok(()),
            offered => offered,
        }
    }

    /// Takes a newer version as pending.
    pub(crate) fn offer(&mut self, policy: Arc<Policy>, shared: &Shared) -> Result<(), Error> {
        if policy.hash() == self.policy.hash() {
            return Ok(());
        }
        let (ours, theirs) = (self.policy.document(), policy.document());
        if ours.id != theirs.id {
            return Err(Error::ForeignPolicy { accepted: ours.id.to_string(), given: theirs.id.to_string() });
        }
        if theirs.version.numbers() <= ours.version.numbers() {
            return Err(Error::OlderPolicy { accepted: ours.version.to_string(), given: theirs.version.to_string() });
        }
        if self.state.accepted.is_none() {
            self.govern(policy);
            return Ok(());
        }
        if self.pending().is_some_and(|pending| pending.is_newer_than(&policy)) {
            return Ok(());
        }
        let is_known = self.state.arrived.iter().any(|one| one.hash == policy.hash());
        if !is_known && self.ledger == Ledger::Ready {
            let what = What::PolicyArrived {
                policy: policy.hash().to_owned(),
                version: theirs.version.to_string(),
                effective_from: theirs.effective_from.to_string(),
                document: String::from_utf8(policy.canonical().to_vec())
                    .map_err(|_| Error::Internal { what: "canonical policy" })?,
            };
            self.commit(shared, vec![what])?;
        }
        if self.waiting.iter().all(|one| one.policy.hash() != policy.hash()) {
            let rules = policy.rules_in_force(self.state.subject.place.as_ref());
            self.waiting.push(Pending { change: Change::between(&self.policy, &policy), rules, policy });
        }
        Ok(())
    }

    /// A denial marker closes its epoch even where the entry could not be written. One without proof destroys nothing:
    /// a planted file must not destroy what the person agreed to keep. It stays while the key of its epoch may be there, because files put back from an older
    /// copy know nothing of the denial.
    fn take_in_markers(&mut self, shared: &Shared) -> Result<(), Error> {
        let account = self.account;
        let denied: Vec<Domain> =
            shared.journal.denied()?.into_iter().filter(|domain| domain.account == account).collect();
        let known = self.policy.purposes().map(|(_, id, _)| id.to_string());
        let known: BTreeSet<String> = known.chain(self.state.purposes.keys().cloned()).collect();
        for purpose in known {
            // By every label of its name: the file with the names is in clear, and one more name must not hide a no.
            let labels = shared.journal.labels(LabelKind::Purpose, &purpose);
            for domain in denied.iter().filter(|domain| labels.contains(&domain.purpose)) {
                self.take_in_marker(shared, &purpose, *domain)?;
            }
        }
        Ok(())
    }

    fn take_in_marker(&mut self, shared: &Shared, purpose: &str, domain: Domain) -> Result<(), Error> {
        let state = self.state.purposes.get(purpose).cloned().unwrap_or_default();
        let is_any = domain.epoch == ANY_EPOCH;
        let means = Domain { epoch: if is_any { state.epoch } else { domain.epoch }, ..domain };
        // A statute lets nobody close what it demands.
        let is_statutory = self.is_statutory(purpose);
        let is_live = means.epoch == state.epoch && matches!(state.status, Status::Given { .. } | Status::Opened);
        // A ledger that was begun anew knows of no no: what stands in clear still says it.
        let is_unknown = matches!(state.status, Status::NotAsked) && (is_any || means.epoch > state.epoch);
        if is_unknown && !is_statutory {
            let epoch = means.epoch;
            self.commit(shared, vec![What::DeniedByMarker { purpose: purpose.to_owned(), epoch }])?;
        } else if is_live && !is_statutory {
            if !is_any && shared.journal.is_denial_proven(&domain) {
                // This store wrote it while its key was there: the withdrawal is completed without a question.
                self.deny(shared, purpose, Refusal::Withdrawn)?;
            } else {
                // One for whichever epoch lived then may be of an earlier one: it closes, and the person is asked.
                let epoch = means.epoch;
                self.commit(shared, vec![What::DeniedByMarker { purpose: purpose.to_owned(), epoch }])?;
            }
        }
        let state = self.state.purposes.get(purpose).cloned().unwrap_or_default();
        let may_have_key = means.epoch > state.epoch
            || (means.epoch == state.epoch && state.alias.is_some())
            || self.state.to_shred.contains_key(&(purpose.to_owned(), means.epoch));
        let stays = may_have_key && !is_statutory;
        // One that cannot be removed now says the same again next time.
        if !stays || (is_any && shared.journal.mark_denied_unproven(&means).is_ok()) {
            let _ = shared.journal.clear_mark(&domain);
        }
        Ok(())
    }

    /// A grant counts only while the key that its entry names exists.
    fn look_up_keys(&mut self, shared: &Shared) {
        let looked = self.named_keys().look_up(shared);
        self.take_in_keys(shared, &looked);
    }

    /// The keys that grants name, to be looked up without the session's lock.
    pub(crate) fn named_keys(&self) -> NamedKeys {
        let named = |(purpose, state): (&String, &PurposeState)| Some((purpose.clone(), state.alias.clone()?));
        NamedKeys(self.state.purposes.iter().filter_map(named).collect())
    }

    /// Takes in which keys are there. Of what changed meanwhile the look says nothing.
    pub(crate) fn take_in_keys(&mut self, shared: &Shared, looked: &[LookedUp]) {
        let keyless = |purpose: &String| self.state.purposes.get(purpose).is_none_or(|state| state.alias.is_none());
        self.missing_keys.retain(|purpose| !keyless(purpose));
        self.unknown_keys.retain(|purpose| !keyless(purpose));
        for LookedUp { purpose, alias, exists } in looked {
            if self.state.purposes.get(purpose).and_then(|state| state.alias.as_ref()) != Some(alias) {
                continue;
            }
            // The names of labels stand in clear: a domain counts only with the key that the signed entry names.
            let is_its_own = self.domain(&shared.journal, purpose).is_ok_and(|domain| {
                domain.and_then(|domain| shared.journal.alias(&domain)).is_some_and(|known| known == *alias)
            });
            self.missing_keys.remove(purpose);
            self.unknown_keys.remove(purpose);
            match exists {
                Ok(true) if is_its_own => {}
                Ok(_) => {
                    self.missing_keys.insert(purpose.clone());
                }
                Err(_) => {
                    self.unknown_keys.insert(purpose.clone());
                }
            }
        }
        // What the disk does not take now it takes next time.
        let _ = shared.journal.append_held();
    }

    /// Writes entries, synced, and takes them in.
    pub(crate) fn commit(&mut self, shared: &Shared, what: Vec<What>) -> Result<(), Error> {
        let now = shared.clock.now();
        let entries: Vec<Entry> = what
            .into_iter()
            .map(|what| Entry { at: now.wall_ms, up: now.since_boot_ms, boot: now.boot, what })
            .collect();
        let halves = entries.iter().map(Entry::split).collect::<Option<Vec<_>>>();
        let halves = halves.ok_or(Error::Internal { what: "ledger entry" })?;
        let new: Vec<NewEntry<'_>> =
            halves.iter().map(|(statement, payload)| NewEntry { statement, payload }).collect();
        // Only a denial may use up the room that is kept for one.
        let written = if entries.iter().any(|entry| entry.what.is_denial()) {
            shared.journal.ledger_append_denial(self.account, &new)
        } else {
            shared.journal.ledger_append(self.account, &new)
        };
        written.map_err(|error| match error {
            menshen_journal::Error::TooLarge { limit } => {
                let bytes = halves.iter().map(|(statement, payload)| statement.len().max(payload.len())).max();
                Error::TooLarge { bytes: bytes.unwrap_or_default(), limit }
            }
            error => error.into(),
        })?;
        let place = self.state.subject.place.clone();
        for entry in &entries {
            self.state.apply(entry);
        }
        if self.state.subject.place != place {
            let place = self.state.subject.place.as_ref();
            self.rules = self.policy.rules_in_force(place);
            for waiting in &mut self.waiting {
                waiting.rules = waiting.policy.rules_in_force(place);
            }
        }
        Ok(())
    }

    /// The newest version, which the person is asked about.
    pub(crate) fn pending(&self) -> Option<&Pending> {
        self.waiting.last()
    }

    /// The newer versions whose day has begun. A clock set back does not end them: the ledger remembers a later time.
    pub(crate) fn newer_in_effect(&self, now: &Now) -> impl Iterator<Item = &Pending> {
        let at_ms = now.wall_ms.max(self.state.latest_ms);
        self.waiting.iter().filter(move |waiting| waiting.is_effective(at_ms))
    }

    /// Takes in a look at the platform, unless one that began later is known.
    pub(crate) fn see(&mut self, look: Look) {
        if look.ticket > self.look.ticket {
            self.look = look;
        }
    }

    /// The index of the rules under which something is decided, and the entry that introduces them if they are new.
    pub(crate) fn context(&self, identity: &Identity) -> (u32, Option<What>) {
        if let Some((index, _)) = self.state.contexts.iter().find(|(_, known)| *known == identity) {
            return (*index, None);
        }
        let index = self.state.next_context();
        (index, Some(What::Context { index, context: identity.clone() }))
    }

    pub(crate) fn label(&self, journal: &Journal, purpose: &str) -> Result<Label, Error> {
        Ok(journal.label(LabelKind::Purpose, purpose)?)
    }

    /// The domain of a purpose's live epoch.
    pub(crate) fn domain(&self, journal: &Journal, purpose: &str) -> Result<Option<Domain>, Error> {
        let Some(state) = self.state.purposes.get(purpose).filter(|state| state.alias.is_some()) else {
            return Ok(None);
        };
        let purpose = self.label(journal, purpose)?;
        Ok(Some(Domain { account: self.account, purpose, epoch: state.epoch }))
    }

    /// The error for a name that the governing policy lacks.
    pub(crate) fn unknown(&self, what: &'static str, name: &str, in_policy: impl Fn(&Policy) -> bool) -> Error {
        let name = name.to_owned();
        if self.pending().is_some_and(|pending| in_policy(&pending.policy)) {
            Error::NotAcceptedYet { what, name }
        } else {
            Error::Undeclared { what, name }
        }
    }

    /// A text in the session's locale, else in the policy's first.
    pub(crate) fn local<'a>(&self, text: &'a Text) -> &'a str {
        text.get(self.locale()).or_else(|| text.values().next()).map_or("", String::as_str)
    }

    /// The policy's locale that fits the wished one best; its first without a wish.
    pub(crate) fn locale(&self) -> &str {
        let locales = &self.policy.document().locales;
        let wish = self.locale.as_deref().unwrap_or("");
        let exact = locales.iter().find(|locale| locale.as_str().eq_ignore_ascii_case(wish));
        let prefix = || {
            locales.iter().find(|locale| {
                let (locale, wish) = (locale.as_str().to_ascii_lowercase(), wish.to_ascii_lowercase());
                !wish.is_empty() && (wish.starts_with(&format!("{locale}-")) || locale.starts_with(&format!("{wish}-")))
            })
        };
        exact.or_else(prefix).or(locales.first()).map_or("en", |locale| locale.as_str())
    }
}
