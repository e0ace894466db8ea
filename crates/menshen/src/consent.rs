//! The acts that open and close purposes: a yes, a no, agreeing to a policy, destroying what ended.

use std::sync::Arc;

use menshen_journal::{Alias, Domain, Now};
use menshen_policy::document::{ConsentKind, Giver, LegalBasis};
use menshen_policy::{AgeBand, Month, Policy, Terms, Verdict};

use crate::account::Status;
use crate::core::{ANY_EPOCH, Core, Ledger};
use crate::entry::{Shown, SubjectKnownBy, What};
use crate::error::Error;
use crate::identifier::IdentifierCache;
use crate::sdk::{Closing, Shared};

impl Core {
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
        let (context, introduced) = self.context(self.rules.identity());
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
        // A marker that closed this epoch without proof is answered by the person now.
        let label = self.label(&shared.journal, purpose)?;
        for epoch in [epoch, ANY_EPOCH] {
            let _ = shared.journal.clear_mark(&Domain { account: self.account, purpose: label, epoch });
        }
        Ok(())
    }

    /// The domain to seal a record of an allowed purpose in. A legal duty needs nobody's leave, so its first
    /// record opens it.
    pub(crate) fn domain_for_record(&mut self, shared: &Shared, purpose: &str) -> Result<Domain, Error> {
        if let Some(domain) = self.domain(&shared.journal, purpose)? {
            return Ok(domain);
        }
        let policy = Arc::clone(&self.policy);
        let Some(declared) = policy.purpose(purpose).filter(|_| self.is_statutory(purpose)) else {
            return Err(Error::KeyLost);
        };
        self.load(shared)?;
        let (epoch, alias) = self.key_for(shared, purpose)?;
        let (context, introduced) = self.context(self.rules.identity());
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

    pub(crate) fn opened(&mut self, purpose: &str) {
        self.denied.remove(purpose);
        self.missing_keys.remove(purpose);
        self.unknown_keys.remove(purpose);
    }

    /// The live key of a purpose, or a new one under the next epoch.
    fn key_for(&mut self, shared: &Shared, purpose: &str) -> Result<(u64, Alias), Error> {
        let live = self
            .state
            .purposes
            .get(purpose)
            .filter(|state| matches!(state.status, Status::Given { .. } | Status::Opened | Status::Marked))
            .filter(|_| !self.missing_keys.contains(purpose) && !self.denied.contains(purpose))
            .and_then(|state| Some((state.epoch, state.alias.clone()?)));
        if let Some(live) = live {
            return Ok(live);
        }
        let label = self.label(&shared.journal, purpose)?;
        let mut epoch = self.state.next_epoch(purpose);
        let denied = shared.journal.denied()?;
        let taken = |epoch| {
            let domain = Domain { account: self.account, purpose: label, epoch };
            shared.journal.alias(&domain).is_some() || denied.contains(&domain)
        };
        // A crash between key and entry leaves a key that no grant names, and a marker may know of a denial that
        // this copy of the files does not: such an epoch is passed over.
        while taken(epoch) {
            epoch = epoch.saturating_add(1);
        }
        let named = |alias: &Alias| {
            let live = self.state.purposes.values().any(|state| state.alias.as_ref() == Some(alias));
            live || self.state.to_shred.values().any(|ended| ended == alias)
        };
        loop {
            let alias = shared.journal.create_domain(&Domain { account: self.account, purpose: label, epoch })?;
            // A key file that was rolled back offers a spare again that a grant has: one key never serves two.
            if !named(&alias) {
                return Ok((epoch, alias));
            }
            epoch = epoch.saturating_add(1);
        }
    }

    /// Agreeing to the notice, or to a new version: purposes on other bases than consent open with it.
    pub(crate) fn accept_policy(&mut self, shared: &Shared, policy: &Arc<Policy>, shown: Shown) -> Result<(), Error> {
        let document =
            String::from_utf8(policy.canonical().to_vec()).map_err(|_| Error::Internal { what: "canonical policy" })?;
        let first = self.state.notice != Some(crate::account::Answer::Agreed);
        let mut what = Vec::new();
        let rules = policy.rules_in_force(self.state.subject.place.as_ref());
        let (context, introduced) = self.context(rules.identity());
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
        for (at, id, purpose) in policy.purposes() {
            let needs_an_answer = [None, Some(LegalBasis::Consent), Some(LegalBasis::Instruction)];
            let Some(basis) = rules.basis(at).filter(|basis| !needs_an_answer.contains(&Some(*basis))) else {
                continue;
            };
            if self.denied.contains(id.as_str()) {
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
                basis,
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
        self.govern(Arc::clone(policy));
        // Agreeing to one version forgets no later one: what that takes away stays away.
        self.waiting.retain(|waiting| waiting.is_newer_than(policy));
        self.identifiers = IdentifierCache::default();
        for (purpose, epoch) in gone {
            let label = self.label(&shared.journal, &purpose)?;
            self.exchanges.cancel(&Domain { account: self.account, purpose: label, epoch });
            self.close_domain(shared, &purpose, epoch);
        }
        Ok(())
    }

    /// The answer to a version that waits; a yes gives the purposes that ask anew because of it.
    pub(crate) fn answer_changed_policy(
        &mut self,
        shared: &Shared,
        yes: bool,
        shown: Shown,
    ) -> Result<Vec<String>, Error> {
        let Some(pending) = self.pending() else { return Ok(Vec::new()) };
        let policy = Arc::clone(&pending.policy);
        if !yes {
            let version = policy.document().version.to_string();
            self.commit(shared, vec![What::PolicyDeclined { policy: policy.hash().to_owned(), version, shown }])?;
            return Ok(Vec::new());
        }
        let touched: Vec<String> =
            pending.change.added.iter().chain(&pending.change.widened).map(ToString::to_string).collect();
        self.accept_policy(shared, &policy, shown)?;
        let now = shared.clock.now();
        let mut asks = Vec::new();
        for id in touched {
            let Some(at) = policy.purpose_id(&id) else { continue };
            if self.decide(at, &id, &now).verdict == Verdict::Ask {
                asks.push(id);
            }
        }
        asks.sort();
        Ok(asks)
    }

    /// Keeps what a birth month and a place mean for the rules; the month itself is not kept.
    pub(crate) fn know_subject(
        &mut self,
        shared: &Shared,
        born: Month,
        place: &str,
        source: SubjectKnownBy,
    ) -> Result<(), Error> {
        let now = Month::at(shared.clock.now().wall_ms);
        let policies = std::iter::once(&self.policy).chain(self.waiting.iter().map(|waiting| &waiting.policy));
        let thresholds: Vec<u8> = policies.flat_map(|policy| policy.thresholds().iter().copied()).collect();
        let band = AgeBand::of(born, now, &thresholds);
        // Asked again, nobody is older than they surely were not: that takes a guardian, or the host's support.
        let known = self.state.subject.age.and_then(|age| age.below).filter(|next| now < next.month);
        if source == SubjectKnownBy::Asked && known.is_some_and(|next| band.from >= next.age) {
            return Ok(());
        }
        let below = band.below.map(|threshold| (threshold.age, threshold.month.to_string()));
        let known = What::SubjectKnown { place: place.to_owned(), from: band.from, below, source };
        self.commit(shared, vec![known])
    }

    /// A no that takes back a yes, or a first no. The gate is closed when this is called, whatever it returns.
    pub(crate) fn deny(&mut self, shared: &Shared, purpose: &str, denial: Refusal) -> Result<Vec<u64>, Error> {
        self.deny_all(shared, vec![(purpose.to_owned(), denial)], Vec::new())
    }

    /// One no or several, and what belongs to them, as one step: the ledger has all of it, or nothing.
    pub(crate) fn deny_all(
        &mut self,
        shared: &Shared,
        denials: Vec<(String, Refusal)>,
        mut what: Vec<What>,
    ) -> Result<Vec<u64>, Error> {
        let any_of = |core: &Self, purpose: &str| -> Result<Domain, Error> {
            let purpose = core.label(&shared.journal, purpose)?;
            Ok(Domain { account: core.account, purpose, epoch: ANY_EPOCH })
        };
        for (purpose, _) in &denials {
            self.close_in_memory(purpose, Closing::Withdrawn);
        }
        if self.ledger != Ledger::Ready {
            // Which epochs they are stands in the ledger, so each marker means whichever one lives.
            for (purpose, _) in &denials {
                let _ = shared.journal.mark_denied(&any_of(self, purpose)?);
            }
            self.load(shared)?;
        }
        for (purpose, _) in &denials {
            if let Err(error) = self.may_withdraw(purpose, &shared.clock.now()) {
                self.opened(purpose);
                let _ = shared.journal.clear_mark(&any_of(self, purpose)?);
                return Err(error);
            }
        }
        let mut in_flight = Vec::new();
        let mut ended = Vec::new();
        let mut marked = true;
        for (purpose, denial) in denials {
            let any = any_of(self, &purpose)?;
            let epoch = self.state.purposes.get(&purpose).map_or(0, |state| state.epoch);
            let domain = Domain { epoch, ..any };
            in_flight.extend(self.exchanges.cancel(&domain));
            // Its keys, and what is held for them, go from memory whatever follows.
            shared.journal.close_domain(&domain);
            // Where the marker cannot be written the entry may be; the gate is closed either way.
            marked &= shared.journal.mark_denied(&domain).is_ok();
            what.extend(self.erase_requests(shared, &purpose)?);
            what.push(match denial {
                Refusal::Refused(shown) => What::Refused { purpose: purpose.clone(), epoch, shown },
                Refusal::Withdrawn => What::Withdrawn { purpose: purpose.clone(), epoch },
            });
            ended.push((purpose, domain, any));
        }
        in_flight.sort_unstable();
        in_flight.dedup();
        self.commit(shared, what)
            .map_err(|error| if marked { error } else { Error::Io { operation: "mark a denial" } })?;
        for (purpose, domain, any) in ended {
            self.opened(&purpose);
            self.close_domain(shared, &purpose, domain.epoch);
            // The entry is the proof now, and the marker of the epoch stays until its key is gone. One that is not
            // needed and stays is cleared at the next opening.
            if !self.state.to_shred.contains_key(&(purpose, domain.epoch)) {
                let _ = shared.journal.clear_mark(&domain);
            }
            let _ = shared.journal.clear_mark(&any);
        }
        Ok(in_flight)
    }

    /// Whether a no counts: what a statute demands cannot be withdrawn. Before the ledger can be read, nobody knows
    /// which version governs.
    pub(crate) fn may_withdraw(&self, purpose: &str, now: &Now) -> Result<(), Error> {
        let declared = self.policy.purpose(purpose).filter(|_| self.is_statutory(purpose));
        match declared {
            Some(declared) if self.ledger == Ledger::Ready && self.in_force(now).has_purpose(purpose) => {
                let statute = declared.statute.clone().unwrap_or_default();
                Err(Error::LegalDuty { purpose: purpose.to_owned(), statute })
            }
            _ => Ok(()),
        }
    }

    /// Closes a gate whatever follows, for as long as the store is open; only the ledger opens it again.
    pub(crate) fn close_in_memory(&self, purpose: &str, closing: Closing) {
        self.denied.insert(purpose, closing);
    }

    fn close_domain(&mut self, shared: &Shared, purpose: &str, epoch: u64) {
        if let Ok(label) = self.label(&shared.journal, purpose) {
            shared.journal.close_domain(&Domain { account: self.account, purpose: label, epoch });
        }
        self.identifiers.forget(&self.policy, purpose);
    }

    /// Every receiver of records of the purpose that was not asked yet is asked to erase them, also those that went
    /// out under an earlier key or to an endpoint that the policy has no more.
    fn erase_requests(&self, shared: &Shared, purpose: &str) -> Result<Vec<What>, Error> {
        let sent = self.state.sent.get(purpose).into_iter().flatten();
        sent.map(|to| {
            Ok(What::EraseRequested {
                id: shared.random_id()?,
                purpose: purpose.to_owned(),
                endpoint: to.endpoint.clone(),
                url: to.url.clone(),
                pseudonym: to.pseudonym.clone(),
            })
        })
        .collect()
    }

    /// How many grants may follow: as many as there are purposes that wait for one.
    pub(crate) fn consents(&self) -> usize {
        let waits = |id: &str| self.state.purposes.get(id).is_none_or(|state| state.alias.is_none());
        self.policy.purposes().filter(|(_, id, _)| waits(id.as_str())).count()
    }

    /// Expires what is old, and takes up denials that an earlier try could not finish.
    pub(crate) fn tidy(&mut self, shared: &Shared) -> Result<Maintained, Error> {
        let mut done = Maintained::default();
        // First what frees space: on a full disk it is what lets the rest go on.
        let expired = shared.journal.expire()?;
        done.expired_segments = expired.segments;
        done.expired_records = expired.records;
        for (purpose, closing) in self.denied.all() {
            let denied = match closing {
                Closing::Withdrawn => self.deny(shared, &purpose, Refusal::Withdrawn),
                Closing::Restricted(by) => self.restrict(shared, &purpose, by).map(|(_, in_flight)| in_flight),
            };
            match denied {
                // Only now it was known that a statute demands it.
                Ok(_) | Err(Error::LegalDuty { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // An objection that nobody answered in time is a withdrawal.
        for purpose in self.unanswered_objections(shared.clock.now().wall_ms) {
            self.deny(shared, &purpose, Refusal::Withdrawn)?;
        }
        Ok(done)
    }

    /// Ended epochs whose keys are not known to be gone, each with its purpose.
    pub(crate) fn ended(&self, shared: &Shared) -> Result<Vec<(String, Domain, Alias)>, Error> {
        let ended = self.state.to_shred.iter().map(|((purpose, epoch), alias)| {
            let label = self.label(&shared.journal, purpose)?;
            Ok((purpose.clone(), Domain { account: self.account, purpose: label, epoch: *epoch }, alias.clone()))
        });
        let mut ended = ended.collect::<Result<Vec<_>, Error>>()?;
        // Proven denials of a ledger whose key is gone: this one does not know their epochs.
        for domain in shared.journal.denied()?.into_iter().filter(|domain| domain.account == self.account) {
            let purpose = shared.journal.label_name(domain.purpose).unwrap_or_default();
            let epoch = self.state.purposes.get(&purpose).map_or(0, |state| state.epoch);
            let is_known = self.state.to_shred.contains_key(&(purpose.clone(), domain.epoch));
            let is_later = domain.epoch > epoch && domain.epoch != ANY_EPOCH;
            if let Some(alias) = shared.journal.alias(&domain)
                && is_later
                && !is_known
                && shared.journal.is_denial_proven(&domain)
            {
                ended.push((purpose, domain, alias));
            }
        }
        Ok(ended)
    }

    /// Notes that the key of an ended epoch is gone, unless that is noted already.
    pub(crate) fn shredded(&mut self, shared: &Shared, purpose: &str, domain: &Domain) -> Result<(), Error> {
        let epoch = domain.epoch;
        if self.state.to_shred.contains_key(&(purpose.to_owned(), epoch)) {
            self.commit(shared, vec![What::Shredded { purpose: purpose.to_owned(), epoch }])?;
        }
        let _ = shared.journal.clear_mark(domain);
        Ok(())
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
