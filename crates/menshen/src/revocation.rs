//! A system permission that was there and is lost: it suspends, and where the policy says so it withdraws, once the person
//! says that it was their act.

use std::collections::BTreeSet;

use menshen_policy::document::{OnRevocation, Permission};

use crate::consent::Refusal;
use crate::core::Core;
use crate::entry::{Shown, What};
use crate::error::Error;
use crate::flow::Flow;
use crate::sdk::Shared;
use crate::session::{Session, Withdrawal};

impl Session {
    /// Asks the person, for each system permission that was lost, whether they took it away themselves, where that ends a
    /// consent by the policy. Call it when the app comes to the front and [`Session::has_revocations`] says so. Unanswered
    /// or answered with no, everything stays as it is: suspended until the permission is back.
    ///
    /// # Errors
    /// The store failed.
    pub fn confirm_revocations(&self) -> Result<Flow, Error> {
        Flow::revocations(self.clone())
    }

    /// Whether a permission was lost whose loss may end a consent, and nobody said yet whose act it was.
    #[must_use]
    pub fn has_revocations(&self) -> bool {
        self.read(|core, _| core.next_revocation().is_some())
    }

    /// The system told that the person took a permission away: what cannot run without it, and whose policy says so, is
    /// withdrawn. A permission that the system took away by itself, as hibernation does, is none.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn revoked_by_person(&self, permission: Permission) -> Result<Withdrawal, Error> {
        let done = self.with_core(|core, shared| {
            core.load(shared)?;
            match core.revoke(shared, permission, None) {
                Ok(in_flight) => Ok(Withdrawal::Done { in_flight }),
                Err(error) => Ok(Withdrawal::Pending { code: error.code() }),
            }
        });
        self.wait_for_switches();
        done
    }
}

impl Core {
    /// Notes what was lost and what is back, since the look before.
    pub(crate) fn note_permissions(&mut self, shared: &Shared) -> Result<(), Error> {
        let mut what = Vec::new();
        for (permission, asked) in &self.state.permissions {
            let (permission, is_there) = (*permission, self.is_permitted(*permission));
            if asked.granted == Some(true) && asked.lost.is_none() && !is_there {
                what.push(What::PermissionLost { permission });
            } else if asked.lost.is_some() && is_there {
                what.push(What::PermissionRegained { permission });
            }
        }
        if what.is_empty() { Ok(()) } else { self.commit(shared, what) }
    }

    /// The next permission about whose loss the person is asked, and the purposes that may end with it.
    pub(crate) fn next_revocation(&self) -> Option<(Permission, BTreeSet<String>)> {
        let lost = self.state.permissions.iter().filter(|(_, asked)| asked.lost == Some(Lost::Unexplained));
        lost.map(|(permission, _)| (*permission, self.ended_by_revocation(*permission)))
            .find(|(_, purposes)| !purposes.is_empty())
    }

    /// The open purposes that cannot run without a permission, and whose consent ends with it. What another purpose holds
    /// on its own basis stays.
    fn ended_by_revocation(&self, permission: Permission) -> BTreeSet<String> {
        let open = self.policy.purposes().filter(|(_, id, purpose)| {
            let has_key = self.state.purposes.get(id.as_str()).is_some_and(|state| state.alias.is_some());
            purpose.on_revocation == OnRevocation::Withdraw && has_key && !self.is_statutory(id.as_str())
        });
        let needs_it = |id: &menshen_policy::document::Id| {
            let features = self.policy.document().features.values();
            let mut users = features.filter(|feature| feature.purposes.contains(id)).peekable();
            users.peek().is_some() && users.all(|feature| feature.permissions.contains_key(&permission))
        };
        open.filter(|(_, id, _)| needs_it(id)).map(|(_, id, _)| id.to_string()).collect()
    }

    /// The person took a permission away.
    pub(crate) fn revoke(
        &mut self,
        shared: &Shared,
        permission: Permission,
        shown: Option<Shown>,
    ) -> Result<Vec<u64>, Error> {
        let denials = self.ended_by_revocation(permission);
        let denials = denials.into_iter().map(|purpose| (purpose, Refusal::Withdrawn)).collect();
        self.deny_all(shared, denials, vec![What::PermissionLossExplained { permission, by_person: true, shown }])
    }

    /// It was not the person: nothing ends, and nobody asks about this loss again.
    pub(crate) fn not_revoked(&mut self, shared: &Shared, permission: Permission, shown: Shown) -> Result<(), Error> {
        let shown = Some(shown);
        self.commit(shared, vec![What::PermissionLossExplained { permission, by_person: false, shown }])
    }
}

/// What is known about the loss of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nobody said whose act it was.
    Unexplained,
    /// Somebody did.
    Explained,
}
