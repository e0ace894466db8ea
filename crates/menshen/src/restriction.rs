//! Objection and restriction: the use of a purpose stops, and nothing of it is destroyed.

use menshen_journal::Domain;
use menshen_policy::document::{ObjectionEffect, Purpose};

use crate::core::{ANY_EPOCH, Core, Ledger};
use crate::entry::{RestrictedBy, Shown, What};
use crate::error::Error;
use crate::rights::RightRequest;
use crate::sdk::{Closing, Shared};

/// What an objection to a purpose does.
pub(crate) enum ObjectionTo {
    Restricts,
    Withdraws,
    /// The policy cites a compelling ground.
    Refused,
}

/// Whether a purpose's use is this one or an extension of it.
pub(crate) fn is_use(purpose: &Purpose, whole: &str) -> bool {
    purpose.data_use.as_str().strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl ObjectionTo {
    pub(crate) fn of(purpose: &Purpose) -> Self {
        // An objection to marketing needs no reason and meets none (GDPR art. 21(3)).
        if is_use(purpose, "marketing") {
            return Self::Withdraws;
        }
        match purpose.objection.as_ref().map(|objection| objection.effect) {
            Some(ObjectionEffect::Withdraw) => Self::Withdraws,
            Some(ObjectionEffect::Refused) => Self::Refused,
            _ => Self::Restricts,
        }
    }
}

impl Core {
    /// Stops the use of a purpose for as long as an objection or a restriction stands. The gate is closed when this is
    /// called, whatever it returns. Gives the request's id and the uploads that the host must stop.
    pub(crate) fn restrict(
        &mut self,
        shared: &Shared,
        purpose: &str,
        by: RestrictedBy,
    ) -> Result<(String, Vec<u64>), Error> {
        self.close_in_memory(purpose, Closing::Restricted(by));
        let label = self.label(&shared.journal, purpose)?;
        let any = Domain { account: self.account, purpose: label, epoch: ANY_EPOCH };
        if self.ledger != Ledger::Ready
            && let Err(error) = self.load(shared)
        {
            // A marker that proves nothing closes and destroys nothing, which is what is asked for.
            let _ = shared.journal.mark_denied_unproven(&any);
            return Err(error);
        }
        if let Err(error) = self.may_withdraw(purpose, &shared.clock.now()) {
            self.denied.remove(purpose);
            return Err(error);
        }
        let request = match by {
            RestrictedBy::Objection => RightRequest::Object { purpose: purpose.to_owned() },
            RestrictedBy::Restriction => RightRequest::Restrict { purpose: purpose.to_owned() },
        };
        let (id, requested) = self.right_requested(shared, &request, None)?;
        let domain = self.domain(&shared.journal, purpose)?;
        let mut in_flight = Vec::new();
        let mut marked = true;
        if let Some(domain) = &domain {
            in_flight = self.exchanges.cancel(domain);
            marked = shared.journal.mark_denied_unproven(domain).is_ok();
        }
        let restricted = What::Restricted { purpose: purpose.to_owned(), by, request: id.clone() };
        self.commit(shared, vec![requested, restricted])
            .map_err(|error| if marked { error } else { Error::Io { operation: "mark a denial" } })?;
        self.denied.remove(purpose);
        self.identifiers.forget(&self.policy, purpose);
        // The entry says it now.
        for marker in domain.iter().chain([&any]) {
            let _ = shared.journal.clear_mark(marker);
        }
        Ok((id, in_flight))
    }

    /// The person takes an objection or a restriction back.
    pub(crate) fn lift_restriction(&mut self, shared: &Shared, purpose: &str, shown: Shown) -> Result<(), Error> {
        if !self.state.is_restricted(purpose) {
            return Ok(());
        }
        self.commit(shared, vec![What::RestrictionLifted { purpose: purpose.to_owned(), shown }])
    }

    /// A yes to a purpose that is restricted takes the restriction back. Whether the purpose has to be given besides.
    pub(crate) fn answers_restriction(&mut self, shared: &Shared, purpose: &str, shown: &Shown) -> Result<bool, Error> {
        if !self.state.is_restricted(purpose) {
            return Ok(true);
        }
        self.lift_restriction(shared, purpose, shown.clone())?;
        let now = shared.clock.now();
        Ok(self.denial(purpose, &now)?.is_some())
    }

    /// Objections that nobody answered in time.
    pub(crate) fn unanswered_objections(&self, now_ms: i64) -> Vec<String> {
        let restricted = self.state.purposes.iter().filter_map(|(id, state)| Some((id, state.restricted.as_ref()?)));
        let unanswered = restricted.filter(|(_, restriction)| {
            let request = self.state.rights.get(&restriction.request);
            restriction.by == RestrictedBy::Objection
                && request.is_some_and(|used| used.is_overdue(now_ms.max(self.state.latest_ms)))
        });
        unanswered.map(|(id, _)| id.clone()).collect()
    }
}
