//! The library under the model.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use menshen::journal::simulated::{MemoryAnchor, SimulatedDisk};
use menshen::{
    Answer, DeviceClock, Exercised, Identifier, IdentifierAnswer, IdentifierReader, MemoryKeys, Menshen, Now, Outcome,
    Permission, PermissionState, PermissionStatus, Platform, Policy, Recorded, RightRequest, Session, Step as Shown,
    Store, TransportReply, Trigger, Withdrawal, fields,
};

use crate::step::{PURPOSES, Step};

const HOUR_MS: i64 = 3_600_000;
const START_MS: i64 = 1_800_000_000_000;

/// A bug that is planted between the library and the checker, which has to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer from before the last change is given once more.
    StaleAnswer,
    /// An upload that was cancelled is handed to the transport all the same.
    SentAfterWithdrawal,
    /// The clock that counts while the device runs follows the wall clock.
    ForgottenClock,
    /// The identifier is read before the gate is asked.
    ReadTooEarly,
    /// A value handed out before a withdrawal is handed out after it.
    OldIdentifier,
}

/// What must never happen, and happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub at: usize,
    pub what: String,
}

/// What a run met.
#[derive(Default)]
pub struct Seen {
    /// Distinct states of the model.
    pub states: HashSet<u64>,
    pub steps: u64,
    pub allowed: u64,
    pub handed_out: u64,
    pub uploads: u64,
    pub dialogs: u64,
}

#[derive(Clone)]
struct Clock(Arc<Mutex<Now>>, bool);

impl Clock {
    fn pass(&self, hours: i64) {
        let mut now = self.0.lock().unwrap();
        now.wall_ms += hours * HOUR_MS;
        now.since_boot_ms += (hours * HOUR_MS).unsigned_abs();
    }

    fn jump(&self, days: i32) {
        let mut now = self.0.lock().unwrap();
        now.wall_ms += i64::from(days) * 24 * HOUR_MS;
        if self.1 && days > 0 {
            now.since_boot_ms += u64::from(days.unsigned_abs()) * 24 * HOUR_MS.unsigned_abs();
        }
    }
}

impl DeviceClock for Clock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap()
    }
}

#[derive(Clone)]
struct Phone {
    microphone: Arc<Mutex<PermissionState>>,
    reads: Arc<AtomicU64>,
}

impl PermissionStatus for Phone {
    fn state(&self, permission: Permission) -> PermissionState {
        match permission {
            Permission::Microphone => *self.microphone.lock().unwrap(),
            _ => PermissionState::Blocked,
        }
    }
}

impl IdentifierReader for Phone {
    fn read(&self, _: Identifier) -> Option<String> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Some("raw".to_owned())
    }
}

/// What was answered, as simply as it can be said.
#[derive(Clone, Default, Hash)]
struct Model {
    agreed: bool,
    /// What a yes opened, or the notice where no yes is needed.
    open: BTreeSet<usize>,
    said_no: BTreeSet<usize>,
    restricted: BTreeSet<usize>,
    permitted: bool,
    under_way: usize,
}

impl Model {
    fn may(&self, purpose: usize) -> bool {
        self.agreed && self.open.contains(&purpose) && !self.restricted.contains(&purpose)
    }

    fn give(&mut self, purpose: usize) {
        if self.agreed {
            self.open.insert(purpose);
            self.said_no.remove(&purpose);
            self.restricted.remove(&purpose);
        }
    }

    fn end(&mut self, purpose: usize) {
        self.open.remove(&purpose);
        self.said_no.insert(purpose);
        self.restricted.remove(&purpose);
    }
}

struct World {
    disk: SimulatedDisk,
    outside: SimulatedDisk,
    keys: MemoryKeys,
    anchor: MemoryAnchor,
    clock: Clock,
    phone: Phone,
    policy: String,
    session: Option<(Menshen, Session)>,
    fault: Option<Fault>,
    model: Model,
    /// Time that truly passed, in hours, and when the microphone was last refused.
    passed_hours: i64,
    refused_at: Option<i64>,
    /// Uploads with the transport, each with the purposes in it.
    under_way: Vec<(u64, BTreeSet<usize>)>,
    /// Under how many consents each purpose was, and the values that each handed out.
    consents: BTreeMap<usize, u64>,
    handed: BTreeMap<u64, BTreeSet<String>>,
    last_handed: Option<String>,
    stale: Option<bool>,
}

impl World {
    fn session(&self) -> Session {
        self.session.as_ref().map(|(_, session)| session.clone()).expect("a session is open")
    }

    fn open(&mut self) {
        self.session = None;
        let store = Store::on(Arc::new(self.disk.clone()))
            .marking_denials_on(Arc::new(self.outside.clone()))
            .with_clock(Arc::new(self.clock.clone()))
            .with_anchor(Arc::new(self.anchor.clone()));
        let phone = Arc::new(self.phone.clone());
        let platform = Platform { permissions: Arc::clone(&phone) as _, identifiers: phone };
        let policy = Policy::read(self.policy.as_bytes()).expect("the policy is right");
        let menshen = Menshen::open_on(policy, store, Arc::new(self.keys.clone()), platform).expect("the store opens");
        let session = menshen.guest().expect("the session opens");
        self.session = Some((menshen, session));
    }

    fn step(&mut self, step: Step, seen: &mut Seen) -> Result<(), String> {
        let session = self.session();
        match step {
            Step::Launch(yes) => {
                let mut answered = Vec::new();
                let flow = session.first_launch().map_err(text)?;
                flow.drive(&mut |shown: &Shown| match shown {
                    Shown::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
                    Shown::Offer(offers) => {
                        answered.extend(offers.iter().map(|offer| offer.purpose.clone()));
                        Answer::Switches(if yes {
                            offers.iter().map(|o| o.purpose.clone()).collect()
                        } else {
                            Vec::new()
                        })
                    }
                    Shown::Show(prompt) => {
                        answered.extend(prompt.purpose.clone());
                        if prompt.kind == menshen::PromptKind::Notice {
                            answered.push("notice".to_owned());
                        }
                        if yes { Answer::Yes } else { Answer::No }
                    }
                    _ => Answer::Yes,
                })
                .map_err(text)?;
                if answered.iter().any(|one| one == "notice") {
                    self.agree(yes);
                }
                for (at, purpose) in PURPOSES.iter().enumerate() {
                    if answered.iter().any(|one| one == purpose) {
                        self.answer(at, yes);
                    }
                }
            }
            Step::Ask(at, yes) => {
                let (mut notice, mut asked) = (false, false);
                let flow = session.request_purpose(PURPOSES[at]).map_err(text)?;
                flow.drive(&mut |shown: &Shown| match shown {
                    Shown::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
                    Shown::Show(prompt) if prompt.kind == menshen::PromptKind::Notice => {
                        notice = true;
                        Answer::Yes
                    }
                    Shown::Show(_) => {
                        asked = true;
                        if yes { Answer::Yes } else { Answer::No }
                    }
                    _ => Answer::Yes,
                })
                .map_err(text)?;
                if notice {
                    self.agree(true);
                }
                if asked {
                    self.answer(at, yes);
                }
            }
            Step::Withdraw(at) => {
                self.stale = Some(session.is_purpose_allowed(PURPOSES[at]));
                match session.withdraw(PURPOSES[at]).map_err(text)? {
                    Withdrawal::Done { .. } => self.model.end(at),
                    Withdrawal::Pending { code } => return Err(format!("a withdrawal waits: {code}")),
                }
            }
            Step::Object(at) => {
                done(session.object_to(PURPOSES[at]).map_err(text)?)?;
                if PURPOSES[at] == "advertising" {
                    self.model.end(at);
                } else {
                    self.model.restricted.insert(at);
                }
            }
            Step::Restrict(at) => {
                done(session.restrict(PURPOSES[at]).map_err(text)?)?;
                self.model.restricted.insert(at);
            }
            Step::WithdrawAll => {
                self.exercise(&session, RightRequest::WithdrawAll)?;
                for at in [0, 1, 2] {
                    if self.model.open.contains(&at) {
                        self.model.end(at);
                    }
                }
            }
            Step::Delete => {
                self.exercise(&session, RightRequest::Delete)?;
                (0..PURPOSES.len()).for_each(|at| {
                    self.model.open.remove(&at);
                });
            }
            Step::Record(at) => {
                let recorded = match at {
                    0 => session.record("page_viewed", fields! { "seconds" => 1 }),
                    3 => session.record("message_sent", fields! { "length" => 1 }),
                    _ => return Ok(()),
                };
                let stored = !matches!(recorded.map_err(text)?, Recorded::Denied(_));
                if stored && !self.model.may(at) {
                    return Err(format!("`{}` was stored without leave", PURPOSES[at]));
                }
            }
            Step::Send => self.send(&session, seen)?,
            Step::Reply(taken) => {
                if !self.under_way.is_empty() {
                    let (id, _) = self.under_way.remove(0);
                    let reply = if taken {
                        TransportReply::Response { status: 200, headers: Vec::new(), body: Vec::new(), complete: true }
                    } else {
                        TransportReply::Failed { code: "test" }
                    };
                    session.upload_finished(id, &reply).map_err(text)?;
                }
            }
            Step::Identifier => self.identifier(&session, seen)?,
            Step::Request { tap, granted } => self.request(&session, tap, granted, seen)?,
            Step::Permission(there) => {
                let state = if there { PermissionState::Granted } else { PermissionState::Denied };
                *self.phone.microphone.lock().unwrap() = state;
                self.model.permitted = there;
                session.refresh().map_err(text)?;
            }
            Step::Revoked => {
                session.confirm_revocations().map_err(text)?.drive(&mut |_: &Shown| Answer::Yes).map_err(text)?;
                if !session.is_purpose_allowed("voice-notes") && self.model.may(2) {
                    self.model.end(2);
                }
            }
            Step::Pass(hours) => {
                self.clock.pass(i64::from(hours));
                self.passed_hours += i64::from(hours);
            }
            Step::Jump(days) => self.clock.jump(days),
            Step::Restart => {
                drop(session);
                self.under_way.clear();
                let now = *self.clock.0.lock().unwrap();
                *self.clock.0.lock().unwrap() = Now { since_boot_ms: 1, boot: now.boot + 1, ..now };
                self.open();
            }
            Step::Maintain => {
                session.maintain().map_err(text)?;
            }
        }
        self.check(seen)
    }

    fn agree(&mut self, yes: bool) {
        self.model.agreed |= yes;
        // The contract opens with the notice, unless there was a no before.
        if yes && !self.model.said_no.contains(&3) {
            self.model.open.insert(3);
        }
    }

    fn answer(&mut self, at: usize, yes: bool) {
        if !yes {
            // A no to the question whether an objection is taken back leaves a no.
            self.model.end(at);
            return;
        }
        if !self.model.open.contains(&at) {
            *self.consents.entry(at).or_default() += 1;
        }
        self.model.give(at);
    }

    fn exercise(&mut self, session: &Session, request: RightRequest) -> Result<(), String> {
        let flow = session.exercise(request).map_err(text)?;
        match flow.drive(&mut |_: &Shown| Answer::Yes).map_err(text)? {
            Outcome::Exercised(exercised) => done(exercised),
            other => Err(format!("a right was not used: {other:?}")),
        }
    }

    fn send(&mut self, session: &Session, seen: &mut Seen) -> Result<(), String> {
        let cancelled: BTreeSet<u64> = session.cancelled_uploads().into_iter().collect();
        if self.fault == Some(Fault::SentAfterWithdrawal)
            && let Some((_, purposes)) = self.under_way.iter().find(|(id, _)| cancelled.contains(id))
        {
            return self.may_leave(&purposes.clone());
        }
        for (id, purposes) in &self.under_way {
            let ended = purposes.iter().any(|at| !self.model.may(*at));
            if ended && !cancelled.contains(id) && !self.was_over(purposes) {
                return Err("an upload of what ended goes on".to_owned());
            }
        }
        let Some(upload) = session.next_upload().map_err(text)? else { return Ok(()) };
        seen.uploads += 1;
        let purposes = purposes_in(&upload.url, &upload.body);
        self.may_leave(&purposes)?;
        self.under_way.push((upload.id, purposes));
        Ok(())
    }

    /// A consent whose time is over by the clock ends without a withdrawal, and cancels nothing.
    fn was_over(&self, purposes: &BTreeSet<usize>) -> bool {
        purposes.iter().all(|at| !self.model.said_no.contains(at) && !self.model.restricted.contains(at))
    }

    fn may_leave(&self, purposes: &BTreeSet<usize>) -> Result<(), String> {
        match purposes.iter().find(|at| !self.model.may(**at)) {
            Some(at) => Err(format!("records of `{}` are handed to a transport without leave", PURPOSES[*at])),
            None => Ok(()),
        }
    }

    fn identifier(&mut self, session: &Session, seen: &mut Seen) -> Result<(), String> {
        let before = self.phone.reads.load(Ordering::SeqCst);
        if self.fault == Some(Fault::ReadTooEarly) {
            self.phone.read(Identifier::AndroidId);
        }
        let answer = session.identifier("meter", Identifier::AndroidId).map_err(text)?;
        if self.phone.reads.load(Ordering::SeqCst) > before && !self.model.may(0) {
            return Err("an identifier was read without leave".to_owned());
        }
        let IdentifierAnswer::Handed(handed) = answer else { return Ok(()) };
        seen.handed_out += 1;
        let consent = self.consents.get(&0).copied().unwrap_or_default();
        let mut value = handed.value;
        if self.fault == Some(Fault::OldIdentifier) {
            value = self.last_handed.get_or_insert(value).clone();
        }
        let of_another = self.handed.iter().any(|(other, values)| *other != consent && values.contains(&value));
        self.handed.entry(consent).or_default().insert(value);
        if of_another {
            Err("an identifier outlived the consent under which it was handed out".to_owned())
        } else {
            Ok(())
        }
    }

    fn request(&mut self, session: &Session, tap: bool, granted: bool, seen: &mut Seen) -> Result<(), String> {
        let trigger = if tap { Trigger::Tap } else { Trigger::App };
        let phone = self.phone.clone();
        let (mut notice, mut asked, mut dialog) = (false, false, false);
        let flow = session.request("voice-notes", trigger).map_err(text)?;
        let outcome = flow.drive(&mut |shown: &Shown| match shown {
            Shown::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
            Shown::AskSystem { .. } => {
                dialog = true;
                let state = if granted { PermissionState::Granted } else { PermissionState::Denied };
                *phone.microphone.lock().unwrap() = state;
                Answer::System(state)
            }
            Shown::Show(prompt) if prompt.kind == menshen::PromptKind::Notice => {
                notice = true;
                Answer::Yes
            }
            Shown::Show(_) => {
                asked = true;
                Answer::Yes
            }
            _ => Answer::Yes,
        });
        let outcome = outcome.map_err(text)?;
        if notice {
            self.agree(true);
        }
        if asked {
            if !tap && self.model.said_no.contains(&2) {
                return Err("the app asked again by itself after a no".to_owned());
            }
            self.answer(2, true);
        }
        if dialog {
            seen.dialogs += 1;
            let waited = self.refused_at.map(|at| self.passed_hours - at);
            self.model.permitted = granted;
            self.refused_at = (!granted).then_some(self.passed_hours);
            // The library's own wait, which a tap of the person lifts.
            if let (false, Some(waited)) = (tap, waited)
                && waited < 48
            {
                return Err(format!("the system's dialog came again by itself after {waited} hours"));
            }
        }
        if matches!(outcome, Outcome::Allowed(_)) && !(self.model.may(2) && self.model.permitted) {
            return Err("a feature opened without both keys".to_owned());
        }
        Ok(())
    }

    fn check(&mut self, seen: &mut Seen) -> Result<(), String> {
        let session = self.session();
        for (at, purpose) in PURPOSES.iter().enumerate() {
            let mut allowed = session.is_purpose_allowed(purpose);
            if self.fault == Some(Fault::StaleAnswer) {
                allowed |= self.stale.take().unwrap_or_default();
            }
            seen.allowed += u64::from(allowed);
            if allowed && !self.model.may(at) {
                return Err(format!("`{purpose}` is allowed without leave"));
            }
        }
        if session.is_allowed("voice-notes") && !(self.model.may(2) && self.model.permitted) {
            return Err("a feature is open without both keys".to_owned());
        }
        self.model.under_way = self.under_way.len().min(2);
        let mut hasher = DefaultHasher::new();
        self.model.hash(&mut hasher);
        (self.refused_at.map(|at| (self.passed_hours - at).min(49)), self.consents.values().collect::<Vec<_>>())
            .hash(&mut hasher);
        seen.states.insert(hasher.finish());
        Ok(())
    }
}

fn text(error: menshen::Error) -> String {
    format!("an error: {}", error.code())
}

fn done(exercised: Exercised) -> Result<(), String> {
    match exercised {
        Exercised::Done { .. } => Ok(()),
        other => Err(format!("a right was not used: {other:?}")),
    }
}

/// The purposes whose records are in a request. What is owed to the person carries none.
fn purposes_in(url: &str, body: &[u8]) -> BTreeSet<usize> {
    if !url.ends_with("/logs") {
        return BTreeSet::new();
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain).expect("an upload is gzip");
    // A resource names its purpose as a text of its own, behind its length.
    let has = |purpose: &str| {
        plain.windows(purpose.len() + 1).any(|at| at[0] == purpose.len() as u8 && at[1..] == *purpose.as_bytes())
    };
    (0..PURPOSES.len()).filter(|at| has(PURPOSES[*at])).collect()
}

/// Goes through a sequence, with a bug planted or without one.
///
/// # Errors
/// What must never happen, and happened.
pub fn run(steps: &[Step], fault: Option<Fault>, seen: &mut Seen) -> Result<(), Violation> {
    let mut policy: serde_json::Value =
        serde_json::from_slice(include_bytes!("../../vectors/policy.json")).expect("it is JSON");
    policy["purposes"]["voice-notes"]["on_revocation"] = "withdraw".into();
    let now = Now { wall_ms: START_MS, since_boot_ms: 1, boot: 1 };
    let mut world = World {
        disk: SimulatedDisk::new(),
        outside: SimulatedDisk::new(),
        keys: MemoryKeys::new(),
        anchor: MemoryAnchor::new(),
        clock: Clock(Arc::new(Mutex::new(now)), fault == Some(Fault::ForgottenClock)),
        phone: Phone { microphone: Arc::new(Mutex::new(PermissionState::NotAsked)), reads: Arc::default() },
        policy: policy.to_string(),
        session: None,
        fault,
        model: Model::default(),
        passed_hours: 0,
        refused_at: None,
        under_way: Vec::new(),
        consents: BTreeMap::new(),
        handed: BTreeMap::new(),
        last_handed: None,
        stale: None,
    };
    world.open();
    for (at, step) in steps.iter().enumerate() {
        seen.steps += 1;
        world.step(*step, seen).map_err(|what| Violation { at, what })?;
    }
    Ok(())
}
