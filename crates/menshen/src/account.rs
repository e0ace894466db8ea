//! What an account's ledger adds up to: a pure fold over its entries. Nothing else is state.

use std::collections::{BTreeMap, BTreeSet};

use menshen_journal::{Alias, Now};
use menshen_policy::document::{ConsentKind, Giver, Permission, Place, Right};
use menshen_policy::{AgeBand, Consent, Identity, Month, Subject, Terms, Threshold};

use crate::entry::{Entry, RestrictedBy, RightPart, Shape, What};
use crate::revocation::Lost;

/// The answers of one account, as its ledger has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) subject: Subject,
    pub(crate) notice: Option<Answer>,
    pub(crate) purposes: BTreeMap<String, PurposeState>,
    /// Denied or ended epochs whose keys are not yet known to be gone.
    pub(crate) to_shred: BTreeMap<(String, u64), Alias>,
    pub(crate) permissions: BTreeMap<Permission, Asked>,
    /// By the number that their entries give them: an entry whose words are erased moves no other one.
    pub(crate) contexts: BTreeMap<u32, Identity>,
    pub(crate) shapes: BTreeMap<u32, Shape>,
    /// The canonical document of the accepted policy.
    pub(crate) accepted: Option<Accepted>,
    /// The newest version that was shown and declined.
    pub(crate) declined_version: Option<String>,
    /// The versions that arrived and wait, each the canonical document by its hash, in the order in which they came.
    pub(crate) arrived: Vec<Accepted>,
    /// Where records of each purpose went that nobody was asked to erase.
    pub(crate) sent: BTreeMap<String, BTreeSet<Destination>>,
    pub(crate) erases: BTreeMap<String, Erase>,
    /// The rights that the person used, by the id of the request.
    pub(crate) rights: BTreeMap<String, UsedRight>,
    /// The account that took the guest's answers over.
    pub(crate) owner: Option<String>,
    /// Set when the person closed the account.
    pub(crate) closed: bool,
    /// The latest wall clock that an entry was written at, in milliseconds since 1970.
    pub(crate) latest_ms: i64,
    uptime: Uptime,
}

/// The policy version that the person agreed to.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) hash: String,
    pub(crate) document: String,
}

/// The last answer to the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Agreed,
    Declined,
}

/// One purpose of one account.
#[derive(Clone, Debug, Default)]
pub(crate) struct PurposeState {
    /// The current epoch, or the last one; 0 before the first.
    pub(crate) epoch: u64,
    /// The key of the current epoch. One whose name cannot be read is not there, so that nothing opens with it.
    pub(crate) alias: Option<Alias>,
    pub(crate) status: Status,
    /// There while an objection or a restriction stands.
    pub(crate) restricted: Option<Restriction>,
}

/// What keeps a purpose from being used, and the request that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restriction {
    pub(crate) by: RestrictedBy,
    pub(crate) request: String,
}

/// A right that the person used.
#[derive(Clone, Debug)]
pub(crate) struct UsedRight {
    pub(crate) right: Right,
    pub(crate) purpose: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) made_ms: i64,
    pub(crate) due: Option<String>,
    pub(crate) policy: String,
    /// Those that the controller has not confirmed.
    pub(crate) unconfirmed: Vec<RightPart>,
    pub(crate) refused: Option<String>,
}

/// Where a purpose stands.
#[derive(Clone, Debug, Default)]
pub(crate) enum Status {
    #[default]
    NotAsked,
    Given {
        kind: ConsentKind,
        by: Giver,
        until: Option<i64>,
        terms: Terms,
        /// The latest wall clock that the ledger saw before it was given.
        before_ms: i64,
        given: Moment,
    },
    Opened,
    Refused,
    Withdrawn,
    /// Denied by a marker alone: the person is asked to confirm.
    Marked,
    Ended,
}

/// When something happened, by two clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) wall: i64,
    pub(crate) uptime: u64,
}

/// When a system permission was last asked for, and the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Moment,
    /// `None` if the dialog was shown and no answer came.
    pub(crate) granted: Option<bool>,
    /// There while a granted one is gone.
    pub(crate) lost: Option<Lost>,
}

/// Where records went, and under which pseudonym.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Destination {
    pub(crate) endpoint: String,
    /// Its address at that time.
    pub(crate) url: String,
    pub(crate) pseudonym: String,
}

/// A request to erase that a recipient has not confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Erase {
    pub(crate) purpose: String,
    pub(crate) to: Destination,
}

/// Time that surely passed, whatever the wall clock says: the parts of each boot that were seen, summed.
#[derive(Clone, Copy, Debug, Default)]
struct Uptime {
    total: u64,
    boot: u32,
    since_boot: u64,
}

impl Uptime {
    fn at(self, up: u64, boot: u32) -> u64 {
        let passed = if boot == self.boot { up.saturating_sub(self.since_boot) } else { up };
        self.total.saturating_add(passed)
    }

    fn see(&mut self, up: u64, boot: u32) {
        self.total = self.at(up, boot);
        (self.boot, self.since_boot) = (boot, if boot == self.boot { up.max(self.since_boot) } else { up });
    }
}

impl Account {
    /// Takes in the next entry.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        self.uptime.see(entry.up, entry.boot);
        let before_ms = self.latest_ms;
        self.latest_ms = before_ms.max(entry.at);
        let at = Moment { wall: entry.at, uptime: self.uptime.total };
        match &entry.what {
            What::NoticeAgreed { .. } => self.notice = Some(Answer::Agreed),
            // Once taken over, nobody takes it over again.
            What::TakenOver { account } => {
                self.owner.get_or_insert_with(|| account.clone());
            }
            What::NoticeDeclined { .. } => self.notice = Some(Answer::Declined),
            What::SubjectKnown { place, from, below, .. } => {
                let below =
                    below.as_ref().and_then(|(age, month)| Some(Threshold { age: *age, month: Month::parse(month)? }));
                self.subject = Subject { age: Some(AgeBand { from: *from, below }), place: Place::parse(place).ok() };
            }
            What::Granted { purpose, epoch, alias, kind, by, until, terms, .. } => {
                let (kind, by, until, terms) = (*kind, *by, *until, terms.terms());
                let status = Status::Given { kind, by, until, terms, before_ms, given: at };
                self.open(purpose, *epoch, alias, status);
            }
            What::Opened { purpose, epoch, alias, .. } => self.open(purpose, *epoch, alias, Status::Opened),
            What::Refused { purpose, .. } => self.close(purpose, Status::Refused),
            What::Withdrawn { purpose, .. } => self.close(purpose, Status::Withdrawn),
            What::Ended { purpose, .. } => self.close(purpose, Status::Ended),
            What::DeniedByMarker { purpose, .. } => {
                self.purposes.entry(purpose.clone()).or_default().status = Status::Marked;
            }
            What::Restricted { purpose, by, request } => {
                let restriction = Restriction { by: *by, request: request.clone() };
                self.purposes.entry(purpose.clone()).or_default().restricted = Some(restriction);
            }
            What::RestrictionLifted { purpose, .. } => {
                self.purposes.entry(purpose.clone()).or_default().restricted = None;
            }
            What::Shredded { purpose, epoch } => {
                self.to_shred.remove(&(purpose.clone(), *epoch));
            }
            What::PermissionAsked { permission, .. } => {
                self.permissions.insert(*permission, Asked { at, granted: None, lost: None });
            }
            What::PermissionAnswered { permission, granted } => {
                self.permissions.insert(*permission, Asked { at, granted: Some(*granted), lost: None });
            }
            What::PermissionLost { permission } => self.lose(*permission, Some(Lost::Unexplained)),
            What::PermissionLossExplained { permission, .. } => self.lose(*permission, Some(Lost::Explained)),
            What::PermissionRegained { permission } => self.lose(*permission, None),
            // What a number means never changes.
            What::Context { index, context } => {
                self.contexts.entry(*index).or_insert_with(|| context.clone());
            }
            What::Shape { index, shape } => {
                self.shapes.entry(*index).or_insert_with(|| shape.clone());
            }
            What::PolicyArrived { policy, document, .. } => {
                self.arrived.push(Accepted { hash: policy.clone(), document: document.clone() });
            }
            What::PolicyAccepted { policy, document, .. } => {
                // Those before it are over with it; one that came later still waits.
                if let Some(at) = self.arrived.iter().position(|one| one.hash == *policy) {
                    self.arrived.drain(..=at);
                }
                self.accepted = Some(Accepted { hash: policy.clone(), document: document.clone() });
            }
            What::PolicyDeclined { version, .. } => self.declined_version = Some(version.clone()),
            What::SendingStarted { purpose, endpoint, url, pseudonym, .. } => {
                self.sent.entry(purpose.clone()).or_default().insert(Destination {
                    endpoint: endpoint.clone(),
                    url: url.clone(),
                    pseudonym: pseudonym.clone(),
                });
            }
            What::EraseRequested { id, purpose, endpoint, url, pseudonym } => {
                let to = Destination { endpoint: endpoint.clone(), url: url.clone(), pseudonym: pseudonym.clone() };
                if let Some(sent) = self.sent.get_mut(purpose) {
                    sent.remove(&to);
                }
                self.erases.insert(id.clone(), Erase { purpose: purpose.clone(), to });
            }
            What::EraseAcknowledged { id } => {
                self.erases.remove(id);
            }
            What::RightRequested { id, right, purpose, text, due, policy, parts, refused } => {
                self.closed |= *right == Right::CloseAccount;
                let used = UsedRight {
                    right: *right,
                    purpose: purpose.clone(),
                    text: text.clone(),
                    made_ms: entry.at,
                    due: due.clone(),
                    policy: policy.clone(),
                    unconfirmed: parts.clone(),
                    refused: refused.clone(),
                };
                self.rights.insert(id.clone(), used);
            }
            What::RightAcknowledged { part } => {
                for used in self.rights.values_mut() {
                    used.unconfirmed.retain(|one| one.id != *part);
                }
            }
            What::BegunAnew { .. }
            | What::IdentifierHanded { .. }
            | What::SdkStarted { .. }
            | What::SdkStopped { .. }
            | What::FeatureStarted { .. }
            | What::FeatureEnded { .. }
            | What::InFlightAtWithdrawal { .. } => {}
        }
    }

    fn lose(&mut self, permission: Permission, lost: Option<Lost>) {
        if let Some(asked) = self.permissions.get_mut(&permission) {
            asked.lost = lost;
        }
    }

    fn open(&mut self, purpose: &str, epoch: u64, alias: &str, status: Status) {
        let state = self.purposes.entry(purpose.to_owned()).or_default();
        // An epoch that ended never comes back: a replayed grant opens nothing.
        let renewed = epoch == state.epoch && state.alias.is_some();
        if epoch <= state.epoch && !renewed {
            return;
        }
        if let Some(ended) = state.alias.take().filter(|_| epoch > state.epoch) {
            self.to_shred.insert((purpose.to_owned(), state.epoch), ended);
        }
        // A new key is no answer to an objection.
        (state.epoch, state.alias, state.status) = (epoch, Alias::parse(alias).ok(), status);
    }

    fn close(&mut self, purpose: &str, status: Status) {
        let state = self.purposes.entry(purpose.to_owned()).or_default();
        if let Some(ended) = state.alias.take() {
            self.to_shred.insert((purpose.to_owned(), state.epoch), ended);
        }
        state.status = status;
        state.restricted = None;
    }

    /// Whether an objection or a restriction to a purpose stands.
    pub(crate) fn is_restricted(&self, purpose: &str) -> bool {
        self.purposes.get(purpose).is_some_and(|state| state.restricted.is_some())
    }

    /// Milliseconds that surely passed since a system permission was last refused, by the stricter of two clocks.
    pub(crate) fn since_asked(&self, asked: &Asked, now: &Now) -> i64 {
        now.wall_ms.saturating_sub(asked.at.wall).min(self.uptime_since(asked.at, now)).max(0)
    }

    /// Milliseconds that surely passed, whatever the wall clock says.
    fn uptime_since(&self, then: Moment, now: &Now) -> i64 {
        let up = self.uptime.at(now.since_boot_ms, now.boot).saturating_sub(then.uptime);
        i64::try_from(up).unwrap_or(i64::MAX)
    }

    /// The consent to one purpose, weighed against the terms that the policy has now.
    pub(crate) fn consent(&self, purpose: &str, terms_now: &Terms, now: &Now) -> Consent {
        match self.purposes.get(purpose).map(|state| &state.status) {
            None | Some(Status::NotAsked | Status::Opened | Status::Ended) => Consent::NotAsked,
            Some(Status::Given { terms, .. }) if !terms.cover(terms_now) => Consent::Outdated,
            Some(Status::Given { kind, by, until, before_ms, given, .. }) => {
                // One whose time was over at any moment that the ledger saw is over, whatever the clock says now, and so
                // is one whose time surely passed. A clock that was far ahead before it was given says nothing.
                let seen_ms = if self.latest_ms > *before_ms { self.latest_ms } else { i64::MIN };
                let passed_ms = given.wall.saturating_add(self.uptime_since(*given, now));
                let until_ms = until.map(|until| if until <= seen_ms.max(passed_ms) { i64::MIN } else { until });
                Consent::Given { kind: *kind, by: *by, until_ms }
            }
            Some(Status::Refused) => Consent::Refused,
            Some(Status::Withdrawn | Status::Marked) => Consent::Withdrawn,
        }
    }

    /// The epoch that follows the last one.
    pub(crate) fn next_epoch(&self, purpose: &str) -> u64 {
        self.purposes.get(purpose).map_or(0, |state| state.epoch).saturating_add(1)
    }

    /// The number of the next context.
    pub(crate) fn next_context(&self) -> u32 {
        self.contexts.last_key_value().map_or(0, |(last, _)| last.saturating_add(1))
    }

    /// The number of the next shape.
    pub(crate) fn next_shape(&self) -> u32 {
        self.shapes.last_key_value().map_or(0, |(last, _)| last.saturating_add(1))
    }

    pub(crate) fn notice_agreed(&self) -> bool {
        self.notice == Some(Answer::Agreed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Shown, TermsRecord};
    use menshen_policy::document::LegalBasis;

    const NOW: Now = Now { wall_ms: 0, since_boot_ms: 0, boot: 0 };

    fn entry(what: What) -> Entry {
        Entry { at: 0, up: 0, boot: 0, what }
    }

    fn terms() -> TermsRecord {
        TermsRecord {
            basis: LegalBasis::Consent,
            kind: Some(ConsentKind::General),
            categories: vec!["user.behavior".into()],
            recipients: vec!["maker".into()],
            retention_seconds: 60,
        }
    }

    fn granted(epoch: u64) -> What {
        What::Granted {
            purpose: "statistics".into(),
            epoch,
            alias: format!("menshen-{epoch:032x}"),
            kind: ConsentKind::General,
            by: Giver::Subject,
            until: None,
            terms: terms(),
            context: 0,
            shown: Shown { locale: "en".into(), text: String::new() },
        }
    }

    #[test]
    fn a_replayed_grant_does_not_reopen_a_withdrawn_epoch() {
        let mut account = Account::default();
        account.apply(&entry(granted(1)));
        account.apply(&entry(What::Withdrawn { purpose: "statistics".into(), epoch: 1 }));
        account.apply(&entry(granted(1)));
        assert_eq!(account.consent("statistics", &terms().terms(), &NOW), Consent::Withdrawn);
        account.apply(&entry(What::Shredded { purpose: "statistics".into(), epoch: 1 }));
        account.apply(&entry(granted(1)));
        assert_eq!(account.consent("statistics", &terms().terms(), &NOW), Consent::Withdrawn);
        assert_eq!(account.next_epoch("statistics"), 2);
    }

    #[test]
    fn a_grant_whose_key_has_no_name_has_no_key() {
        let mut account = Account::default();
        let What::Granted { purpose, epoch, kind, by, until, terms, context, shown, .. } = granted(1) else { return };
        let alias = "no name of a key".into();
        account.apply(&entry(What::Granted { purpose, epoch, alias, kind, by, until, terms, context, shown }));
        assert_eq!(account.purposes["statistics"].alias, None);
        assert!(matches!(account.purposes["statistics"].status, Status::Given { .. }));
    }

    #[test]
    fn what_is_numbered_is_found_under_its_number_whatever_came_before_it() {
        let mut account = Account::default();
        let shape = |purpose: &str| Shape {
            context: 0,
            purpose: purpose.into(),
            content: crate::entry::Content::Item { categories: std::collections::BTreeSet::new() },
        };
        account.apply(&entry(What::Shape { index: 2, shape: shape("statistics") }));
        assert_eq!(account.shapes.get(&2), Some(&shape("statistics")));
        account.apply(&entry(What::Shape { index: 2, shape: shape("advertising") }));
        assert_eq!(account.shapes.get(&2), Some(&shape("statistics")), "a number never comes to mean something else");
        assert_eq!(account.next_shape(), 3);
    }

    #[test]
    fn wider_terms_make_a_consent_outdated_and_narrower_ones_do_not() {
        let mut account = Account::default();
        account.apply(&entry(granted(1)));
        let mut wider = terms();
        wider.recipients.push("umeng".into());
        assert_eq!(account.consent("statistics", &wider.terms(), &NOW), Consent::Outdated);
        let mut narrower = terms();
        narrower.retention_seconds = 30;
        assert!(matches!(account.consent("statistics", &narrower.terms(), &NOW), Consent::Given { .. }));
    }

    #[test]
    fn neither_a_clock_set_forward_nor_a_restart_shortens_the_wait_after_a_refusal() {
        const HOUR: u64 = 3_600_000;
        let mut account = Account::default();
        let refused = What::PermissionAnswered { permission: Permission::Camera, granted: false };
        account.apply(&Entry { at: 0, up: 10 * HOUR, boot: 1, what: refused });
        let asked = account.permissions[&Permission::Camera];
        let since = |wall_ms: i64, since_boot_ms: u64, boot: u32| {
            account.since_asked(&asked, &Now { wall_ms, since_boot_ms, boot })
        };
        let hours = |n: i64| n * 3_600_000;
        assert_eq!(since(hours(90), 11 * HOUR, 1), hours(1), "the clock was set forward");
        assert_eq!(since(hours(90), HOUR, 2), hours(1), "the device was restarted");
        assert_eq!(since(hours(-90), 60 * HOUR, 1), 0, "the clock was set back");
        assert_eq!(since(hours(50), 60 * HOUR, 1), hours(50));
    }
}
