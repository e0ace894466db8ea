//! One account behind its lock: the fold of its ledger, the policies that govern it, and the acts that change them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use menshen_journal::{Alias, Domain, Journal, Label, LabelKind, NewEntry, Now, Shredding, Verdict as LedgerVerdict};
use menshen_policy::document::{ConsentKind, Giver, Id, LegalBasis, Permission, Text};
use menshen_policy::{Change, Decision, Policy, PurposeId, Question, Reason, Terms, Verdict};

use crate::account::{Account, Status};
use crate::denial::{Denial, DenialBuilder, Remedy};
use crate::entry::{Context, Entry, Shown, What};
use crate::error::Error;
use crate::exchange_state::Exchanges;
use crate::identifier::IdentifierCache;
use crate::platform::PermissionState;
use crate::sdk::Shared;

/// The states of all permissions that the policy's features need, read before the lock was taken.
pub(crate) type PermissionStates = BTreeMap<Permission, PermissionState>;

pub(crate) struct Core {
    pub(crate) account: Label,
    pub(crate) ledger: Ledger,
    pub(crate) state: Account,
    /// The accepted policy; the app's own one before anything was accepted.
    pub(crate) policy: Arc<Policy>,
    /// A newer version than the accepted one.
    pub(crate) pending: Option<Pending>,
    pub(crate) locale: Option<String>,
    pub(crate) strict: bool,
    /// Purposes that a withdrawal closed, until the ledger says so too.
    closed: BTreeSet<String>,
    /// Purposes whose grant names a key that is not there.
    missing_keys: BTreeSet<String>,
    /// Purposes whose key could not be looked up; closed until it can.
    unknown_keys: BTreeSet<String>,
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
    /// It does not verify, or an anchor knows a later head.
    Broken {
        sequence: Option<u64>,
    },
}

/// A policy version that waits for the person.
pub(crate) struct Pending {
    pub(crate) policy: Arc<Policy>,
    pub(crate) change: Change,
}

impl Pending {
    /// Whether what it takes away has ended.
    pub(crate) fn is_effective(&self, now: &Now) -> bool {
        // The day starts when it starts in UTC. One that cannot be told has started: nothing stays open for it.
        starts_ms(self.policy.document().effective_from.as_str()).is_none_or(|start| start <= now.wall_ms)
    }
}

/// The first moment of a day in UTC, in milliseconds since 1970. The day is written `2024-06-12`.
fn starts_ms(day: &str) -> Option<i64> {
    let month = menshen_policy::Month::parse(day.get(..7)?)?;
    let days = day.get(8..)?.parse::<i64>().ok()?;
    Some(month.start_ms().saturating_add((days - 1).saturating_mul(86_400_000)))
}

/// The epoch of a denial marker that was written before the ledger could be read.
const ANY_EPOCH: u64 = u64::MAX;

impl Core {
    /// Opens an account: reads its ledger if the key is there, else with every gate closed.
    pub(crate) fn open(shared: &Shared, account: Label) -> Result<Self, Error> {
        let mut core = Self {
            account,
            ledger: Ledger::KeyNotReady,
            state: Account::default(),
            policy: Arc::clone(&shared.bundled),
            pending: None,
            locale: None,
            strict: shared.strict,
            closed: BTreeSet::new(),
            missing_keys: BTreeSet::new(),
            unknown_keys: BTreeSet::new(),
            generation: 0,
            exchanges: Exchanges::default(),
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
            Ledger::KeyNotReady | Ledger::KeyBad => {}
        }
        let journal = &shared.journal;
        let essential = Domain { account: self.account, purpose: Label::ESSENTIAL, epoch: 1 };
        let unlocked = journal.unlock().and_then(|()| match journal.alias(&essential) {
            Some(_) => journal.unlock_domain(&essential),
            None => Ok(()),
        });
        if let Err(error) = unlocked {
            let error = Error::from(error);
            self.ledger = if matches!(error, Error::KeyNotReady) { Ledger::KeyNotReady } else { Ledger::KeyBad };
            return Err(error);
        }
        if journal.alias(&essential).is_none() {
            journal.create_domain(&essential, &Alias::random(shared.randomness.as_ref())?)?;
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
        let adopted = self.adopt_policies(shared).and_then(|()| self.take_in_markers(shared));
        if let Err(error) = adopted {
            // Half of it would open what the other half closes.
            self.ledger = Ledger::KeyNotReady;
            return Err(error);
        }
        self.look_up_keys(shared);
        Ok(())
    }

    /// The accepted document governs; the app's own is pending where it is newer.
    fn adopt_policies(&mut self, shared: &Shared) -> Result<(), Error> {
        self.pending = None;
        let Some(accepted) = &self.state.accepted else {
            self.policy = Arc::clone(&shared.bundled);
            return Ok(());
        };
        self.policy = if accepted.hash == shared.bundled.hash() {
            Arc::clone(&shared.bundled)
        } else {
            // The store kept what the ledger vouches for; it was checked when it was accepted.
            Arc::new(Policy::read(accepted.document.as_bytes())?)
        };
        // What a version that arrived takes away stays away, whether or not this build brings it along.
        if let Some(arrived) = self.state.arrived_document.clone()
            && let Ok(policy) = Policy::read(arrived.as_bytes())
        {
            self.offer_if_newer(Arc::new(policy), shared)?;
        }
        self.offer_if_newer(Arc::clone(&shared.bundled), shared)
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
            self.policy = policy;
            return Ok(());
        }
        let newer = |pending: &Pending| pending.policy.document().version.numbers() > theirs.version.numbers();
        if self.pending.as_ref().is_some_and(newer) {
            return Ok(());
        }
        if self.state.arrived.as_deref() != Some(policy.hash()) && self.ledger == Ledger::Ready {
            let what = What::PolicyArrived {
                policy: policy.hash().to_owned(),
                version: theirs.version.to_string(),
                effective_from: theirs.effective_from.to_string(),
                document: String::from_utf8(policy.canonical().to_vec())
                    .map_err(|_| Error::Internal { what: "canonical policy" })?,
            };
            self.commit(shared, vec![what])?;
        }
        self.pending = Some(Pending { change: Change::between(&self.policy, &policy), policy });
        Ok(())
    }

    /// A denial marker closes its epoch even where the entry could not be written. It has no proof, so it
    /// destroys nothing.
    fn take_in_markers(&mut self, shared: &Shared) -> Result<(), Error> {
        let account = self.account;
        for domain in shared.journal.denied().into_iter().filter(|domain| domain.account == account) {
            let Some(purpose) = shared.journal.label_name(domain.purpose) else { continue };
            let state = self.state.purposes.get(&purpose);
            let live = state.is_some_and(|state| {
                (state.epoch == domain.epoch || domain.epoch == ANY_EPOCH)
                    && matches!(state.status, Status::Given { .. } | Status::Opened)
            });
            if live {
                let newly = self.closed.insert(purpose.clone());
                let state = self.state.purposes.get(&purpose);
                let epoch = state.map_or(domain.epoch, |state| state.epoch);
                self.commit(shared, vec![What::DeniedByMarker { purpose: purpose.clone(), epoch }])?;
                if newly {
                    self.closed.remove(&purpose);
                }
            }
            // One that cannot be removed now says the same again next time.
            let _ = shared.journal.clear_mark(&domain);
        }
        Ok(())
    }

    /// A grant counts only while the key that its entry names exists.
    pub(crate) fn look_up_keys(&mut self, shared: &Shared) {
        self.missing_keys.clear();
        self.unknown_keys.clear();
        for (purpose, state) in &self.state.purposes {
            let Some(alias) = state.alias.as_deref().and_then(|alias| Alias::parse(alias).ok()) else { continue };
            match shared.keys.exists(&alias) {
                Ok(true) => {}
                Ok(false) => {
                    self.missing_keys.insert(purpose.clone());
                }
                Err(_) => {
                    self.unknown_keys.insert(purpose.clone());
                }
            }
        }
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
        if entries.iter().any(|entry| entry.what.is_denial()) {
            shared.journal.ledger_append_denial(self.account, &new)?;
        } else {
            shared.journal.ledger_append(self.account, &new)?;
        }
        for entry in &entries {
            self.state.apply(entry);
        }
        Ok(())
    }

    /// The index of the context under which things are decided now, and the entry that introduces it if it is new.
    pub(crate) fn context(&self, policy: &Policy) -> (u32, Option<What>) {
        let context = Context {
            policy_id: policy.document().id.to_string(),
            policy_version: policy.document().version.to_string(),
            policy_hash: policy.hash().to_owned(),
            law_packs: policy.pack_identities(&self.state.subject).into_iter().map(Into::into).collect(),
        };
        if let Some(at) = self.state.contexts.iter().position(|known| *known == context) {
            return (u32::try_from(at).unwrap_or(u32::MAX), None);
        }
        let index = u32::try_from(self.state.contexts.len()).unwrap_or(u32::MAX);
        (index, Some(What::Context { index, context }))
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

    /// The domain to seal a record of an allowed purpose in. A legal duty needs nobody's leave, so its first
    /// record opens it.
    pub(crate) fn domain_for_record(&mut self, shared: &Shared, purpose: &str) -> Result<Domain, Error> {
        if let Some(domain) = self.domain(&shared.journal, purpose)? {
            return Ok(domain);
        }
        let policy = Arc::clone(&self.policy);
        let Some(declared) = policy.purpose(purpose).filter(|p| p.legal_basis == LegalBasis::LegalDuty) else {
            return Err(Error::KeyLost);
        };
        self.load(shared)?;
        let (epoch, alias) = self.key_for(shared, purpose)?;
        let (context, introduced) = self.context(&policy);
        let opened = What::Opened {
            purpose: purpose.to_owned(),
            epoch,
            alias: alias.as_str().to_owned(),
            basis: LegalBasis::LegalDuty,
            terms: (&Terms::of(declared)).into(),
            context,
        };
        self.commit(shared, introduced.into_iter().chain([opened]).collect())?;
        self.opened(purpose);
        self.domain(&shared.journal, purpose)?.ok_or(Error::KeyLost)
    }

    pub(crate) fn decide(&self, policy: &Policy, purpose: PurposeId, id: &Id, now: &Now) -> Decision {
        let terms = policy.purpose(id.as_str()).map(Terms::of);
        let consent = if self.missing_keys.contains(id.as_str()) {
            menshen_policy::Consent::NotAsked
        } else {
            terms.map(|terms| self.state.consent(id.as_str(), &terms)).unwrap_or_default()
        };
        policy.decide(&Question {
            purpose,
            subject: &self.state.subject,
            notice_agreed: self.state.notice_agreed(),
            consent,
            restricted: false,
            now_ms: now.wall_ms,
        })
    }

    /// The gate of one purpose: open, or why not. Says nothing about system permissions.
    pub(crate) fn gate(&self, purpose: &str, now: &Now) -> Result<Option<Denial>, Error> {
        let (at, id) = self.find_purpose(purpose)?;
        let declared = self.policy.purpose(purpose);
        let name = declared.map(|p| self.local(&p.name)).unwrap_or_default();
        let build = DenialBuilder { locale: self.locale(), name, subject: purpose };
        if let Some(denial) = self.ledger_denial(&build) {
            return Ok(Some(denial));
        }
        if self.ended(purpose, now) {
            return Ok(Some(build.build("ended-by-policy", Remedy::Nothing)));
        }
        if self.closed.contains(purpose) {
            return Ok(Some(build.build("consent-withdrawn", Remedy::Settings)));
        }
        if self.unknown_keys.contains(purpose) {
            return Ok(Some(build.build("key-not-ready", Remedy::Wait)));
        }
        // A no holds on every legal basis but a legal duty; only consent weighs it among its own reasons.
        let basis = declared.map(|p| p.legal_basis);
        if self.said_no(purpose) && !matches!(basis, Some(LegalBasis::Consent | LegalBasis::LegalDuty)) {
            return Ok(Some(build.build("consent-withdrawn", Remedy::Settings)));
        }
        let decision = self.decide(&self.policy, at, id, now);
        let lost = self.missing_keys.contains(purpose);
        if decision.verdict == Verdict::Deny || (decision.verdict == Verdict::Ask && !lost) {
            return Ok(Some(self.explain(&decision, at, &build)));
        }
        // An allowed purpose without a key has not been opened for this account, or its key is gone.
        let has_key = self.state.purposes.get(purpose).is_some_and(|state| state.alias.is_some());
        let needs_key = declared.is_some_and(|p| p.legal_basis != LegalBasis::LegalDuty) || has_key;
        if lost || (needs_key && !has_key) {
            return Ok(Some(build.build("key-missing", Remedy::Request)));
        }
        Ok(None)
    }

    fn said_no(&self, purpose: &str) -> bool {
        let status = self.state.purposes.get(purpose).map(|state| &state.status);
        matches!(status, Some(Status::Marked | Status::Withdrawn | Status::Refused))
    }

    pub(crate) fn ledger_denial(&self, build: &DenialBuilder<'_>) -> Option<Denial> {
        match self.ledger {
            Ledger::Ready => None,
            Ledger::KeyNotReady => Some(build.build("key-not-ready", Remedy::Wait)),
            Ledger::KeyBad => Some(build.build("key-missing", Remedy::Nothing)),
            Ledger::Broken { .. } => Some(build.build("ledger-broken", Remedy::Nothing)),
        }
    }

    fn find_purpose(&self, purpose: &str) -> Result<(PurposeId, &Id), Error> {
        if let (Some(at), Some((id, _))) =
            (self.policy.purpose_id(purpose), self.policy.document().purposes.get_key_value(purpose))
        {
            return Ok((at, id));
        }
        Err(self.unknown("purpose", purpose, |policy| policy.purpose(purpose).is_some()))
    }

    /// The error for a name that the governing policy lacks.
    pub(crate) fn unknown(&self, what: &'static str, name: &str, in_policy: impl Fn(&Policy) -> bool) -> Error {
        let name = name.to_owned();
        if self.pending.as_ref().is_some_and(|pending| in_policy(&pending.policy)) {
            Error::NotAcceptedYet { what, name }
        } else {
            Error::Undeclared { what, name }
        }
    }

    /// Whether a newer version, already effective, takes the purpose away.
    pub(crate) fn ended(&self, purpose: &str, now: &Now) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            pending.is_effective(now) && pending.change.removed.iter().any(|id| id.as_str() == purpose)
        })
    }

    /// Whether a newer version, already effective, takes a recipient away from a purpose.
    pub(crate) fn recipient_ended(&self, purpose: &str, recipient: &str, now: &Now) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            let gone = |(p, r): &(Id, Id)| p.as_str() == purpose && r.as_str() == recipient;
            pending.is_effective(now) && pending.change.removed_recipients.iter().any(gone)
        })
    }

    /// Whether a newer version, already effective, takes a category away from a purpose.
    pub(crate) fn category_ended(&self, purpose: &str, category: &str, now: &Now) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            let gone = |(p, c): &(Id, Id)| p.as_str() == purpose && c.as_str() == category;
            pending.is_effective(now) && pending.change.removed_categories.iter().any(gone)
        })
    }

    pub(crate) fn explain(&self, decision: &Decision, purpose: PurposeId, build: &DenialBuilder<'_>) -> Denial {
        let Some(reason) = decision.reasons.first() else { return build.build("not-declared", Remedy::Nothing) };
        let explanation = self.policy.explain(reason, Some(purpose));
        let code = if decision.missing.decisive { "subject-unknown" } else { explanation.code };
        let remedy = match (code, reason) {
            ("subject-unknown", _) | (_, Reason::NoticeNotAgreed) => Remedy::Request,
            ("guardian-needed", _) => Remedy::Guardian,
            (
                _,
                Reason::ConsentNotAsked | Reason::ConsentExpired | Reason::ConsentOutdated | Reason::ConsentTooWeak,
            ) => Remedy::Request,
            (_, Reason::ConsentRefused | Reason::ConsentWithdrawn | Reason::Restricted) => Remedy::Settings,
            _ => Remedy::Nothing,
        };
        let rule = explanation.rule.map(|rule| match explanation.pack {
            Some(pack) => format!("{pack}/{rule}"),
            None => rule.to_string(),
        });
        let mut denial = build.build(code, remedy);
        if let (Some(text), "policy-rule") = (explanation.text, code) {
            self.local(text).clone_into(&mut denial.text);
        }
        denial.rule = rule;
        denial.source = explanation.source.map(str::to_owned);
        denial.until_ms = decision.valid_until_ms.filter(|_| code == "policy-rule" || code == "guardian-needed");
        denial
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

    /// A yes: the key first, then the entry that names it.
    pub(crate) fn grant(
        &mut self,
        shared: &Shared,
        purpose: &str,
        kind: ConsentKind,
        by: Giver,
        shown: Shown,
    ) -> Result<(), Error> {
        let policy = Arc::clone(&self.policy);
        let Some(declared) = policy.purpose(purpose) else {
            return Err(self.unknown("purpose", purpose, |p| p.purpose(purpose).is_some()));
        };
        let (epoch, alias) = self.key_for(shared, purpose)?;
        let until = declared.consent.as_ref().and_then(|terms| terms.valid_for.as_ref()).map(|valid| {
            let length = i64::try_from(valid.seconds()).unwrap_or(i64::MAX).saturating_mul(1000);
            shared.clock.now().wall_ms.saturating_add(length)
        });
        let (context, introduced) = self.context(&policy);
        let granted = What::Granted {
            purpose: purpose.to_owned(),
            epoch,
            alias: alias.as_str().to_owned(),
            kind,
            by,
            until,
            terms: (&Terms::of(declared)).into(),
            context,
            shown,
        };
        self.commit(shared, introduced.into_iter().chain([granted]).collect())?;
        self.opened(purpose);
        Ok(())
    }

    fn opened(&mut self, purpose: &str) {
        self.closed.remove(purpose);
        self.missing_keys.remove(purpose);
        self.unknown_keys.remove(purpose);
    }

    /// The live key of a purpose, or a new one under the next epoch.
    fn key_for(&mut self, shared: &Shared, purpose: &str) -> Result<(u64, Alias), Error> {
        let live = self
            .state
            .purposes
            .get(purpose)
            .filter(|state| matches!(state.status, Status::Given { .. } | Status::Opened))
            .filter(|_| !self.missing_keys.contains(purpose) && !self.closed.contains(purpose))
            .and_then(|state| Some((state.epoch, Alias::parse(state.alias.as_deref()?).ok()?)));
        if let Some(live) = live {
            return Ok(live);
        }
        let label = self.label(&shared.journal, purpose)?;
        let mut epoch = self.state.next_epoch(purpose);
        // A crash between key and entry leaves a key that no grant names; its epoch is passed over.
        while shared.journal.alias(&Domain { account: self.account, purpose: label, epoch }).is_some() {
            epoch = epoch.saturating_add(1);
        }
        let alias = Alias::random(shared.randomness.as_ref())?;
        shared.journal.create_domain(&Domain { account: self.account, purpose: label, epoch }, &alias)?;
        Ok((epoch, alias))
    }

    /// Agreeing to the notice, or to a new version: purposes on other bases than consent open with it.
    pub(crate) fn accept_policy(&mut self, shared: &Shared, policy: &Arc<Policy>, shown: Shown) -> Result<(), Error> {
        let document =
            String::from_utf8(policy.canonical().to_vec()).map_err(|_| Error::Internal { what: "canonical policy" })?;
        let first = self.state.notice != Some(crate::account::Answer::Agreed);
        let mut what = Vec::new();
        let (context, introduced) = self.context(policy);
        what.extend(introduced);
        if first {
            what.push(What::NoticeAgreed { policy: policy.hash().to_owned(), shown: shown.clone() });
        }
        what.push(What::PolicyAccepted {
            policy: policy.hash().to_owned(),
            version: policy.document().version.to_string(),
            document,
            shown,
        });
        let mut opened = Vec::new();
        for (_, id, purpose) in policy.purposes() {
            if matches!(purpose.legal_basis, LegalBasis::Consent) || self.closed.contains(id.as_str()) {
                continue;
            }
            // Agreeing to a version takes back no answer that the person gave to this purpose.
            let given = self.state.purposes.get(id.as_str()).is_some_and(|s| matches!(s.status, Status::Given { .. }));
            if self.said_no(id.as_str()) || (given && !self.missing_keys.contains(id.as_str())) {
                continue;
            }
            let (epoch, alias) = self.key_for(shared, id.as_str())?;
            opened.push(id.to_string());
            what.push(What::Opened {
                purpose: id.to_string(),
                epoch,
                alias: alias.as_str().to_owned(),
                basis: purpose.legal_basis,
                terms: (&Terms::of(purpose)).into(),
                context,
            });
        }
        let gone: Vec<(String, u64)> = self
            .state
            .purposes
            .iter()
            .filter(|(id, state)| policy.purpose(id).is_none() && !matches!(state.status, Status::Ended))
            .map(|(id, state)| (id.clone(), state.epoch))
            .collect();
        for (purpose, epoch) in &gone {
            let (purpose, policy) = (purpose.clone(), policy.hash().to_owned());
            what.push(What::Ended { purpose, epoch: *epoch, policy });
        }
        self.commit(shared, what)?;
        for purpose in &opened {
            self.opened(purpose);
        }
        self.policy = Arc::clone(policy);
        self.pending = None;
        self.identifiers = IdentifierCache::default();
        for (purpose, epoch) in gone {
            self.close_domain(shared, &purpose, epoch);
        }
        Ok(())
    }

    /// A no that takes back a yes, or a first no. The gate is closed when this is called, whatever it returns.
    pub(crate) fn deny(&mut self, shared: &Shared, purpose: &str, denial: Refusal) -> Result<Vec<u64>, Error> {
        self.close_in_memory(purpose);
        let label = self.label(&shared.journal, purpose)?;
        if self.ledger != Ledger::Ready {
            // Which epoch it is stands in the ledger, so the marker means whichever one lives.
            let any = Domain { account: self.account, purpose: label, epoch: ANY_EPOCH };
            let _ = shared.journal.mark_denied(&any);
            self.load(shared)?;
            // What was just read opens nothing: the marker or this denial closes it.
            self.close_in_memory(purpose);
        }
        let epoch = self.state.purposes.get(purpose).map_or(0, |state| state.epoch);
        let domain = Domain { account: self.account, purpose: label, epoch };
        // Where the marker cannot be written the entry may be; the gate is closed either way.
        let marked = shared.journal.mark_denied(&domain).is_ok();
        let had_key = self.state.purposes.get(purpose).is_some_and(|state| state.alias.is_some());
        let mut what = Vec::new();
        if had_key {
            what.extend(self.erase_requests(shared, purpose, &domain));
        }
        what.push(match denial {
            Refusal::Refused(shown) => What::Refused { purpose: purpose.to_owned(), epoch, shown },
            Refusal::Withdrawn => What::Withdrawn { purpose: purpose.to_owned(), epoch },
        });
        let in_flight = self.exchanges.cancel(&domain);
        self.commit(shared, what)
            .map_err(|error| if marked { error } else { Error::Io { operation: "mark a denial" } })?;
        self.opened(purpose);
        self.close_domain(shared, purpose, epoch);
        // The entry is the proof now; a marker that stays is cleared at the next opening.
        let _ = shared.journal.clear_mark(&domain);
        let _ = shared.journal.clear_mark(&Domain { epoch: ANY_EPOCH, ..domain });
        Ok(in_flight)
    }

    /// Closes a gate whatever follows; only the ledger opens it again.
    pub(crate) fn close_in_memory(&mut self, purpose: &str) {
        self.closed.insert(purpose.to_owned());
    }

    fn close_domain(&mut self, shared: &Shared, purpose: &str, epoch: u64) {
        if let Ok(label) = self.label(&shared.journal, purpose) {
            shared.journal.close_domain(&Domain { account: self.account, purpose: label, epoch });
        }
        self.identifiers.forget(&self.policy, purpose);
    }

    /// Every endpoint that may have received records of the purpose is asked to erase them.
    fn erase_requests(&self, shared: &Shared, purpose: &str, domain: &Domain) -> Vec<What> {
        let Some(declared) = self.policy.purpose(purpose) else { return Vec::new() };
        self.policy
            .document()
            .endpoints
            .iter()
            .filter(|(_, endpoint)| declared.recipients.contains(&endpoint.recipient))
            .filter_map(|(id, endpoint)| {
                let pseudonym =
                    crate::identifier::pseudonym(&shared.journal, domain, endpoint.recipient.as_str()).ok()?;
                let request = shared.random_id().ok()?;
                Some(What::EraseRequested {
                    id: request,
                    purpose: purpose.to_owned(),
                    endpoint: id.to_string(),
                    pseudonym,
                })
            })
            .collect()
    }

    /// Destroys the keys of ended epochs, expires what is old, takes up what an earlier try could not finish.
    pub(crate) fn maintain(&mut self, shared: &Shared) -> Result<Maintained, Error> {
        self.load(shared)?;
        self.look_up_keys(shared);
        let mut done = Maintained::default();
        // First what frees space: on a full disk it is what lets the rest go on.
        let expired = shared.journal.expire()?;
        done.expired_segments = expired.segments;
        done.expired_records = expired.records;
        for purpose in self.closed.clone() {
            self.deny(shared, &purpose, Refusal::Withdrawn)?;
        }
        for (purpose, epoch) in self.state.to_shred.clone() {
            let label = self.label(&shared.journal, &purpose)?;
            let domain = Domain { account: self.account, purpose: label, epoch };
            if shared.journal.shred(&domain)? == Shredding::Done {
                self.commit(shared, vec![What::Shredded { purpose: purpose.clone(), epoch }])?;
                done.shredded.push(purpose);
            } else {
                done.waiting.push(purpose);
            }
        }
        Ok(done)
    }
}

/// How a person said no.
pub(crate) enum Refusal {
    /// To a prompt.
    Refused(Shown),
    /// To what they had allowed.
    Withdrawn,
}

/// What a call of [`Session::maintain`](crate::Session::maintain) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Maintained {
    /// Purposes whose keys are gone now.
    pub shredded: Vec<String>,
    /// Purposes whose keys the key store has not destroyed yet.
    pub waiting: Vec<String>,
    /// Segments removed because everything in them had expired.
    pub expired_segments: u64,
    /// Records in them.
    pub expired_records: u64,
}
