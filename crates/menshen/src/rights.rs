//! The rights of the person: what they demand, what it closes here at once, and how the controller hears of it.

use std::collections::BTreeSet;

use menshen_policy::document::{Date, LegalBasis, Right};

use crate::account::{Status, UsedRight};
use crate::consent::Refusal;
use crate::core::{Core, Ledger};
use crate::entry::{About, RestrictedBy, RightPart, What};
use crate::error::Error;
use crate::flow::Flow;
use crate::restriction::{ObjectionTo, is_use};
use crate::sdk::{Closing, Shared};
use crate::session::Session;
use crate::texts::{self, Letter};

/// What the person demands.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RightRequest {
    /// To see the data.
    Access,
    /// A report of what was collected, from where, for what and for whom.
    Report,
    /// A copy of what the controller holds. That of what is on the device is [`Session::copy_html`].
    Copy,
    /// The data in a form that another service can take in.
    Portability,
    /// To have something corrected.
    Correct {
        /// What, in the person's words.
        text: String,
    },
    /// To have everything deleted, here and there.
    Delete,
    /// To have the use for a purpose stopped while something is clarified.
    Restrict {
        /// The purpose.
        purpose: String,
    },
    /// To object to a purpose.
    Object {
        /// The purpose.
        purpose: String,
    },
    /// To take every consent back.
    WithdrawAll,
    /// To be left out of direct marketing.
    RefuseMarketing,
    /// To keep data from being sold, or shared for advertising.
    RefuseSale,
    /// To have a person look at a program's decision.
    HumanReview {
        /// The purpose in which the program decides.
        purpose: String,
        /// Which decision and why, in the person's words.
        text: String,
    },
    /// To close the account. Everything stays closed afterwards; only what is owed is still sent.
    CloseAccount,
    /// To read the records of disclosures. Those that this device knows are in [`Session::copy_html`].
    DisclosureRecords,
    /// To complain.
    Complain {
        /// About what, in the person's words.
        text: String,
    },
}

impl std::fmt::Debug for RightRequest {
    /// The words are the person's, and no log's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RightRequest").field("right", &self.right()).finish_non_exhaustive()
    }
}

impl RightRequest {
    /// The right that is used.
    #[must_use]
    pub fn right(&self) -> Right {
        match self {
            Self::Access => Right::Access,
            Self::Report => Right::Report,
            Self::Copy => Right::Copy,
            Self::Portability => Right::Portability,
            Self::Correct { .. } => Right::Correct,
            Self::Delete => Right::Delete,
            Self::Restrict { .. } => Right::Restrict,
            Self::Object { .. } => Right::Object,
            Self::WithdrawAll => Right::Withdraw,
            Self::RefuseMarketing => Right::RefuseMarketing,
            Self::RefuseSale => Right::RefuseSale,
            Self::HumanReview { .. } => Right::HumanReview,
            Self::CloseAccount => Right::CloseAccount,
            Self::DisclosureRecords => Right::DisclosureRecords,
            Self::Complain { .. } => Right::Complain,
        }
    }

    fn purpose(&self) -> Option<&str> {
        match self {
            Self::Restrict { purpose } | Self::Object { purpose } | Self::HumanReview { purpose, .. } => Some(purpose),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Correct { text } | Self::Complain { text } | Self::HumanReview { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it destroys what the person may want a copy of first.
    #[must_use]
    pub fn offers_copy(&self) -> bool {
        matches!(self, Self::Delete | Self::WithdrawAll | Self::CloseAccount)
    }

    /// Whether it is a no, which needs neither a promise of the policy nor a law.
    fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::Delete
                | Self::Restrict { .. }
                | Self::Object { .. }
                | Self::WithdrawAll
                | Self::RefuseMarketing
                | Self::RefuseSale
        )
    }

    /// Whether the controller looks up what it has, for which it needs the pseudonyms of the records. What is
    /// to be erased under them it is asked for each by itself.
    fn looks_up(&self) -> bool {
        !matches!(
            self,
            Self::Delete | Self::WithdrawAll | Self::RefuseMarketing | Self::RefuseSale | Self::CloseAccount
        )
    }
}

/// What came of using a right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Exercised {
    /// It is in the ledger, and the controller is told with the next uploads.
    Done {
        /// The request.
        request: String,
        /// Uploads that carry what is closed now and are with the transport: the host must stop them.
        in_flight: Vec<u64>,
    },
    /// The policy itself refuses it, on a ground that it states. The purpose goes on.
    Refused {
        /// The request, which stays in the ledger.
        request: String,
        /// The ground, in the session's locale.
        ground: String,
        /// The clause of the policy.
        source: String,
    },
    /// What it closes is closed, and stays so over a restart, but the request could not be written: use the right again.
    Pending {
        /// The code of what stood in the way.
        code: &'static str,
    },
}

/// A right that the person used, and how it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct RightRecord {
    /// The request.
    pub id: String,
    /// The right.
    pub right: Right,
    /// The purpose it is about, where it is one.
    pub purpose: Option<String>,
    /// When it was used, in milliseconds since 1970.
    pub made_ms: i64,
    /// The last day on which an answer is in time, ISO 8601, by policy and law, whichever is sooner; absent where
    /// neither names a time.
    pub due: Option<String>,
    /// Whether that day is over without an answer.
    pub is_overdue: bool,
    /// How it stands.
    pub state: RightState,
    /// How it stands, in the session's locale.
    pub text: String,
    /// A ready text for the controller's contact, while the controller has not confirmed the request.
    pub letter: Option<Letter>,
}

impl std::fmt::Debug for RightRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, right, state, .. } = self;
        f.debug_struct("RightRecord")
            .field("id", id)
            .field("right", right)
            .field("state", state)
            .finish_non_exhaustive()
    }
}

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RightState {
    /// The controller has not confirmed it: uninstalling the app loses it.
    Waiting,
    /// The controller has it.
    Acknowledged,
    /// It was refused, with the reason.
    Refused,
}

impl RightState {
    /// A stable code in kebab-case.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
        }
    }
}

/// A right that the person has, for a settings screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedRight {
    /// The right.
    pub right: Right,
    /// The way that the policy describes, in the session's locale; absent where only a law gives the right.
    pub way: Option<String>,
    /// What the policy limits it to.
    pub limits: Option<String>,
    /// The last day on which an answer to a request of today would be in time.
    pub due: Option<String>,
    /// The clause of the policy.
    pub source: Option<String>,
}

impl UsedRight {
    /// Whether the last day for an answer is over without one.
    pub(crate) fn is_overdue(&self, at_ms: i64) -> bool {
        let last = self.due.as_deref().and_then(|due| Date::parse(due).ok()?.start_ms());
        // The day ends last twelve hours behind UTC.
        self.refused.is_none() && last.is_some_and(|start| at_ms >= start.saturating_add((24 + 12) * 3_600_000))
    }

    fn state(&self) -> RightState {
        match self {
            Self { refused: Some(_), .. } => RightState::Refused,
            Self { unconfirmed, .. } if unconfirmed.is_empty() => RightState::Acknowledged,
            _ => RightState::Waiting,
        }
    }
}

/// What a request does on the device.
enum Plan {
    Nothing,
    Restrict(String, RestrictedBy),
    Withdraw(BTreeSet<String>),
    Refuse { ground: String, source: String },
}

impl Session {
    /// Uses a right. What destroys something shows one prompt first, on which a copy is offered; everything else is
    /// done when this returns. A no always works: deleting, restricting, objecting and refusing need no promise of the policy.
    ///
    /// # Errors
    /// The policy has no such purpose, neither policy nor law gives the right here, a statute demands the purpose, or the
    /// ledger could not be written.
    pub fn exercise(&self, request: RightRequest) -> Result<Flow, Error> {
        Flow::exercise(self.clone(), request)
    }

    /// Objects to a purpose: nothing is read or sent for it from now on, and nothing is destroyed. An objection to marketing
    /// is a withdrawal, and one that the policy refuses on a compelling ground changes nothing.
    ///
    /// # Errors
    /// As [`Session::exercise`].
    pub fn object_to(&self, purpose: &str) -> Result<Exercised, Error> {
        self.carry_out(&RightRequest::Object { purpose: purpose.to_owned() })
    }

    /// Has the use for a purpose stopped until the person takes that back. Nothing is destroyed.
    ///
    /// # Errors
    /// As [`Session::exercise`].
    pub fn restrict(&self, purpose: &str) -> Result<Exercised, Error> {
        self.carry_out(&RightRequest::Restrict { purpose: purpose.to_owned() })
    }

    pub(crate) fn check_right(&self, request: &RightRequest) -> Result<(), Error> {
        self.read(|core, _| core.check_right(request))
    }

    pub(crate) fn carry_out(&self, request: &RightRequest) -> Result<Exercised, Error> {
        let close = |core: &mut Core, shared: &Shared| {
            // Which version governs stands in the ledger. Where it cannot be read the gates close all the same.
            let _ = core.load(shared);
            core.check_right(request)?;
            match core.plan(request) {
                Plan::Withdraw(purposes) => {
                    purposes.iter().for_each(|purpose| core.close_in_memory(purpose, Closing::Withdrawn));
                }
                Plan::Restrict(purpose, by) => core.close_in_memory(&purpose, Closing::Restricted(by)),
                Plan::Nothing | Plan::Refuse { .. } => {}
            }
            Ok(())
        };
        let exercised = self.close_and_prove(close, |core, shared| core.exercise(shared, request));
        self.wait_for_switches();
        exercised
    }

    /// Every right that the person used, the latest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn right_records(&self) -> Result<Vec<RightRecord>, Error> {
        self.work(|core, shared| {
            core.load(shared)?;
            let now_ms = shared.clock.now().wall_ms.max(core.state.latest_ms);
            let mut records: Vec<RightRecord> =
                core.state.rights.iter().map(|(id, used)| core.right_record(id, used, now_ms)).collect();
            records.sort_by(|one, other| other.made_ms.cmp(&one.made_ms).then_with(|| one.id.cmp(&other.id)));
            Ok(records)
        })
    }

    /// The rights that policy and law give the person where they live.
    #[must_use]
    pub fn rights(&self) -> Vec<OfferedRight> {
        self.read(|core, shared| {
            let today = Date::at(shared.clock.now().wall_ms);
            let place = core.state.subject.place.as_ref();
            let given = Right::ALL.iter().copied().filter(|right| core.policy.has_right(*right, place));
            let offered = given.map(|right| {
                let promised = core.policy.promised(right, place);
                let due = today.as_ref().and_then(|today| core.policy.due(right, place, today));
                OfferedRight {
                    right,
                    way: promised.map(|terms| core.local(&terms.way).to_owned()),
                    limits: promised.and_then(|terms| terms.limits.as_ref()).map(|text| core.local(text).to_owned()),
                    due: due.map(|due| due.to_string()),
                    source: promised.map(|terms| terms.source.to_string()),
                }
            });
            offered.collect()
        })
    }
}

impl Core {
    fn check_right(&self, request: &RightRequest) -> Result<(), Error> {
        if let Some(purpose) = request.purpose()
            && self.policy.purpose(purpose).is_none()
            && !self.state.purposes.contains_key(purpose)
        {
            return Err(self.unknown("purpose", purpose, |policy| policy.purpose(purpose).is_some()));
        }
        let right = request.right();
        let known = match request {
            RightRequest::CloseAccount if self.known_as.is_none() => false,
            RightRequest::HumanReview { purpose, .. } => {
                let automated = self.policy.purpose(purpose).and_then(|purpose| purpose.automated.as_ref());
                automated.is_some_and(|decision| decision.human_review || decision.significant)
            }
            _ => request.is_denial() || self.policy.has_right(right, self.state.subject.place.as_ref()),
        };
        if known { Ok(()) } else { Err(Error::Undeclared { what: "right", name: right.id().to_owned() }) }
    }

    fn plan(&self, request: &RightRequest) -> Plan {
        let of_use = |uses: &[&str]| {
            let purposes =
                self.policy.purposes().filter(|(_, _, purpose)| uses.iter().any(|whole| is_use(purpose, whole)));
            Plan::Withdraw(self.without_statutory(purposes.map(|(_, id, _)| id.to_string())))
        };
        match request {
            RightRequest::Object { purpose } => match self.policy.purpose(purpose).map(ObjectionTo::of) {
                Some(ObjectionTo::Withdraws) => Plan::Withdraw(BTreeSet::from([purpose.clone()])),
                Some(ObjectionTo::Refused) => self.stated_ground(purpose),
                Some(ObjectionTo::Restricts) | None => Plan::Restrict(purpose.clone(), RestrictedBy::Objection),
            },
            RightRequest::Restrict { purpose } => Plan::Restrict(purpose.clone(), RestrictedBy::Restriction),
            RightRequest::RefuseMarketing => of_use(&["marketing"]),
            // Cal. Civ. Code 1798.120: selling, and sharing for advertising across contexts.
            RightRequest::RefuseSale => of_use(&["third_party_sharing", "sales", "marketing.advertising.third_party"]),
            RightRequest::WithdrawAll => {
                let is_given = |id: &str| {
                    let status = self.state.purposes.get(id).map(|state| &state.status);
                    matches!(status, Some(Status::Given { .. } | Status::Marked))
                };
                // Before the ledger can be read, everything that is asked for may have been given.
                let may_be_given = |id: &str| match self.ledger {
                    Ledger::Ready => is_given(id),
                    _ => self.basis(id) == Some(LegalBasis::Consent),
                };
                let given = self.policy.purposes().filter(|(_, id, _)| may_be_given(id.as_str()));
                Plan::Withdraw(self.without_statutory(given.map(|(_, id, _)| id.to_string())))
            }
            RightRequest::Delete | RightRequest::CloseAccount => {
                let declared = self.policy.purposes().map(|(_, id, _)| id.to_string());
                let known = self.state.purposes.iter().filter(|(_, state)| !matches!(state.status, Status::Ended));
                let known: BTreeSet<String> = known.map(|(id, _)| id.clone()).collect();
                let all = declared.filter(|id| self.ledger != Ledger::Ready || known.contains(id)).chain(known.clone());
                Plan::Withdraw(self.without_statutory(all))
            }
            _ => Plan::Nothing,
        }
    }

    /// What a statute demands stays, whatever is asked.
    fn without_statutory(&self, purposes: impl Iterator<Item = String>) -> BTreeSet<String> {
        purposes.filter(|purpose| !self.is_statutory(purpose)).collect()
    }

    fn stated_ground(&self, purpose: &str) -> Plan {
        let objection = self.policy.purpose(purpose).and_then(|purpose| purpose.objection.as_ref());
        Plan::Refuse {
            ground: objection.and_then(|o| o.ground.as_ref()).map_or("", |ground| self.local(ground)).to_owned(),
            source: objection.map(|objection| objection.source.to_string()).unwrap_or_default(),
        }
    }

    fn exercise(&mut self, shared: &Shared, request: &RightRequest) -> Result<Exercised, Error> {
        let plan = self.plan(request);
        let closes = matches!(plan, Plan::Restrict(..) | Plan::Withdraw(..));
        match self.exercise_plan(shared, request, plan) {
            Err(error @ (Error::LegalDuty { .. } | Error::Undeclared { .. })) => Err(error),
            Err(error) if closes => Ok(Exercised::Pending { code: error.code() }),
            exercised => exercised,
        }
    }

    fn exercise_plan(&mut self, shared: &Shared, request: &RightRequest, plan: Plan) -> Result<Exercised, Error> {
        if let Plan::Restrict(purpose, by) = &plan {
            let (request, in_flight) = self.restrict(shared, purpose, *by)?;
            return Ok(Exercised::Done { request, in_flight });
        }
        if let Plan::Withdraw(purposes) = plan {
            let denials = || purposes.iter().map(|purpose| (purpose.clone(), Refusal::Withdrawn)).collect();
            if self.ledger != Ledger::Ready {
                self.deny_all(shared, denials(), Vec::new())?;
            }
            let (id, requested) = self.right_requested(shared, request, None)?;
            let in_flight = self.deny_all(shared, denials(), vec![requested])?;
            return Ok(Exercised::Done { request: id, in_flight });
        }
        self.load(shared)?;
        let refused = match &plan {
            Plan::Refuse { ground, .. } => Some(ground.clone()),
            _ => None,
        };
        let (id, requested) = self.right_requested(shared, request, refused)?;
        self.commit(shared, vec![requested])?;
        Ok(match plan {
            Plan::Refuse { ground, source } => Exercised::Refused { request: id, ground, source },
            _ => Exercised::Done { request: id, in_flight: Vec::new() },
        })
    }

    /// The entry that says a right is used, with its id.
    pub(crate) fn right_requested(
        &self,
        shared: &Shared,
        request: &RightRequest,
        refused: Option<String>,
    ) -> Result<(String, What), Error> {
        let id = shared.random_id()?;
        let right = request.right();
        let today = Date::at(shared.clock.now().wall_ms);
        let due = today.and_then(|today| self.policy.due(right, self.state.subject.place.as_ref(), &today));
        let parts = if refused.is_some() { Vec::new() } else { self.right_parts(shared, request)? };
        let what = What::RightRequested {
            id: id.clone(),
            right,
            purpose: request.purpose().map(str::to_owned),
            text: request.text().map(str::to_owned),
            due: due.map(|due| due.to_string()),
            policy: self.policy.hash().to_owned(),
            parts,
            refused,
        };
        Ok((id, what))
    }

    /// By which names the controller finds the person, each in a message of its own: together they would tell the
    /// controller that records under different pseudonyms are of one person.
    fn right_parts(&self, shared: &Shared, request: &RightRequest) -> Result<Vec<RightPart>, Error> {
        let mut about: Vec<About> =
            self.known_as.iter().map(|account| About::Account { account: account.clone() }).collect();
        if request.looks_up() {
            let sent = self.state.sent.iter().filter(|(id, _)| request.purpose().is_none_or(|purpose| purpose == *id));
            let sent = sent.flat_map(|(purpose, all)| all.iter().map(move |to| (purpose, to)));
            about.extend(sent.filter(|(_, to)| self.is_makers(&to.endpoint)).map(|(purpose, to)| About::Records {
                purpose: purpose.clone(),
                endpoint: to.endpoint.clone(),
                url: to.url.clone(),
                pseudonym: to.pseudonym.clone(),
            }));
        }
        if about.is_empty() {
            about.push(About::Nobody);
        }
        about.into_iter().map(|about| Ok(RightPart { id: shared.random_id()?, about })).collect()
    }

    fn is_makers(&self, endpoint: &str) -> bool {
        self.policy.makers_endpoint().is_some_and(|(id, _)| id.as_str() == endpoint)
    }

    fn right_record(&self, id: &str, used: &UsedRight, now_ms: i64) -> RightRecord {
        let state = used.state();
        let document = self.policy.document();
        let (locale, controller) = (self.locale(), self.local(&document.controller.name));
        let letter = (state == RightState::Waiting).then(|| {
            let name = used.purpose.as_deref().and_then(|id| self.policy.purpose(id)).map(|p| self.local(&p.name));
            texts::letter(
                locale,
                &texts::Request {
                    right: used.right,
                    controller,
                    contact: self.local(&document.controller.contact),
                    policy: document.id.as_str(),
                    version: document.version.as_str(),
                    number: id,
                    account: self.known_as.as_deref(),
                    purpose: name,
                    words: used.text.as_deref(),
                    due: used.due.as_deref(),
                },
            )
        });
        let is_overdue = used.is_overdue(now_ms);
        RightRecord {
            id: id.to_owned(),
            right: used.right,
            purpose: used.purpose.clone(),
            made_ms: used.made_ms,
            due: used.due.clone(),
            is_overdue,
            state,
            text: match &used.refused {
                Some(ground) => texts::right_refused(locale, used.right, ground),
                None => texts::right_state(locale, used.right, state, used.due.as_deref(), is_overdue),
            },
            letter,
        }
    }
}
