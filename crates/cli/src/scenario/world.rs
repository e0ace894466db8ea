//! The simulated world that a scenario plays in: a store in memory, a clock moved by hand, a platform and a receiver
//! that answer as they are told. Everything between is the library itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use menshen::journal::simulated::{MemoryAnchor, SeededRandomness, SimulatedClock, SimulatedDisk};
use menshen::policy::document::{Date, Place, Right};
use menshen::{
    Answer, DeliveryResult, Denial, DeviceClock, Error, Errors, FeatureUse, Flow, Identifier, IdentifierAnswer,
    LedgerVerdict, MemoryKeys, Menshen, Outcome, PermissionState, Permit, Policy, Put, Recorded, Remedy, Session,
    Step as FlowStep, Store, TransportReply, UploadOutcome, Withdrawal,
};
use serde_json::{Map, Value, json};

use crate::phone::{Phone, raw};

use super::format::{Action, Answers, App, NewPolicy, Person, Reply};
use super::sent;

/// What a step gave.
pub(super) type Got = Map<String, Value>;

/// Why a step gave nothing.
pub(super) enum Stop {
    /// The library cannot do this yet.
    NotYet(&'static str),
    /// The step makes no sense here.
    Broken(String),
}

/// More prompts or requests than this in one step go round in circles.
const MOST: usize = 200;

pub(super) struct World {
    person: Person,
    policies: Vec<Policy>,
    /// The latest policy as JSON, which patches are made to.
    latest: Value,
    bundled: Vec<u8>,
    disk: SimulatedDisk,
    markers: SimulatedDisk,
    keys: MemoryKeys,
    anchor: MemoryAnchor,
    clock: SimulatedClock,
    randomness: SeededRandomness,
    phone: Phone,
    open: Option<Open>,
    offline: bool,
    in_clear: BTreeSet<String>,
}

/// What is gone when the app is killed.
struct Open {
    menshen: Menshen,
    session: Session,
    running: BTreeMap<String, Arc<AtomicBool>>,
    permit: Option<Permit>,
    using: Option<FeatureUse>,
}

fn broken(message: impl Into<String>) -> Stop {
    Stop::Broken(message.into())
}

fn got<const N: usize>(pairs: [(&str, Value); N]) -> Got {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn effect(word: &str) -> Got {
    got([("effect", json!(word))])
}

fn moment(ms: i64) -> Value {
    Timestamp::from_millisecond(ms).map_or(Value::Null, |at| json!(at.to_string()))
}

fn denied(word: &str, denial: &Denial) -> Got {
    got([
        ("effect", json!(word)),
        ("reason", json!(denial.code)),
        ("rule", json!(denial.rule)),
        ("source", json!(denial.source)),
        ("remedy", json!(denial.remedy.code())),
        ("until", denial.until_ms.map_or(Value::Null, moment)),
        ("text", json!(denial.text)),
    ])
}

fn failed(error: &Error) -> Got {
    let mut told =
        got([("effect", json!("error")), ("error", json!(error.code())), ("text", json!(error.to_string()))]);
    if let Error::Policy(errors) = error {
        told.insert("errors".to_owned(), places(errors));
    }
    told
}

fn places(errors: &Errors) -> Value {
    errors.iter().map(|error| json!(format!("{} {}", error.code(), error.pointer))).collect()
}

/// A name in capitals as the format writes it: `SeparateConsent` is `separate-consent`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// A JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

impl World {
    /// A device on which the app was just installed, with a policy that was checked, in its canonical form.
    pub(super) fn new(policy: &[u8], person: &Person, start_ms: i64) -> Result<Self, Stop> {
        let latest = serde_json::from_slice(policy).map_err(|_| broken("the policy is no JSON"))?;
        let mut world = Self {
            person: person.clone(),
            policies: vec![Policy::read_kept(policy).map_err(|_| broken("the policy has not the shape of one"))?],
            latest,
            bundled: policy.to_vec(),
            disk: SimulatedDisk::new(),
            markers: SimulatedDisk::new(),
            keys: MemoryKeys::new(),
            anchor: MemoryAnchor::new(),
            clock: SimulatedClock::at(start_ms),
            randomness: SeededRandomness::new(1),
            phone: Phone::default(),
            open: None,
            offline: false,
            in_clear: BTreeSet::new(),
        };
        world.reopen().map_err(|error| broken(format!("the store does not open: {error}")))?;
        Ok(world)
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.open = None;
        self.disk.kill();
        let policy = Policy::read_kept(&self.bundled)?;
        let store = Store::on(Arc::new(self.disk.clone()))
            .marking_denials_on(Arc::new(self.markers.clone()))
            .with_clock(Arc::new(self.clock.clone()))
            .with_randomness(Arc::new(self.randomness.clone()))
            .with_anchor(Arc::new(self.anchor.clone()));
        let platform = self.phone.platform();
        let menshen = Menshen::open_on(policy, store, Arc::new(self.keys.clone()), platform)?;
        let session = self.begin(menshen.guest()?);
        self.open = Some(Open { menshen, session, running: BTreeMap::new(), permit: None, using: None });
        Ok(())
    }

    fn begin(&self, session: Session) -> Session {
        if let Some(locale) = &self.person.locale {
            session.set_locale(locale);
        }
        session.set_strict(true);
        session
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().wall_ms
    }

    fn opened(&mut self) -> Result<&mut Open, Stop> {
        self.open.as_mut().ok_or_else(|| broken("the store did not open again"))
    }

    fn session(&self) -> Result<Session, Stop> {
        self.open.as_ref().map(|open| open.session.clone()).ok_or_else(|| broken("the store did not open again"))
    }

    /// Does a step. A failure of the library is an answer like any other.
    pub(super) fn act(&mut self, action: &Action) -> Result<Got, Stop> {
        let session = self.session()?;
        let answer = match action {
            Action::NotYet { verb } => return Err(Stop::NotYet(verb)),
            Action::App(app) => return self.app(app),
            Action::Request { feature, trigger, answers } => {
                return self.flow(session.request(feature, *trigger), answers);
            }
            Action::Settings { purpose, answers } => return self.flow(session.request_purpose(purpose), answers),
            Action::IsAllowed { feature } => return is_allowed(&session, feature),
            Action::Record { event, fields, times } => return self.record(&session, event, fields, *times),
            Action::Withdraw { purpose } => session.withdraw(purpose).map(|done| match done {
                Withdrawal::Done { .. } => effect("withdrawn"),
                Withdrawal::Pending { code } => got([("effect", json!("pending")), ("reason", json!(code))]),
            }),
            Action::Advance { ms } => {
                self.clock.advance(*ms);
                session.refresh().map(|()| Got::new())
            }
            Action::SetClock { ms } => {
                self.clock.set_wall(*ms);
                session.refresh().map(|()| Got::new())
            }
            Action::Policy { policy } => {
                let document = self.document(policy)?;
                let read = Policy::read(document.to_string().as_bytes()).map_err(Error::from);
                let offered = read.and_then(|policy| {
                    let again = Policy::read_kept(policy.canonical())?;
                    session.offer_policy(policy).map(|()| again)
                });
                offered.map(|policy| {
                    self.policies.push(policy);
                    self.latest = document;
                    effect("arrived")
                })
            }
            Action::Check { policy } => {
                return Ok(match Policy::read(self.document(policy)?.to_string().as_bytes()) {
                    Ok(_) => effect("right"),
                    Err(errors) => got([("effect", json!("wrong")), ("errors", places(&errors))]),
                });
            }
            Action::Permission { permission, state } => {
                self.phone.set(*permission, *state);
                session.refresh().map(|()| Got::new())
            }
            Action::Upload { reply } => return self.upload(&session, *reply),
            Action::Identifier { identifier, recipient } => return identify(&session, identifier, recipient),
            Action::Start { recipient } => return self.start(&session, recipient),
            Action::Supply { born, place } => session.supply_subject(born, place).map(|()| Got::new()),
            Action::SignIn { account } => {
                let open = self.opened()?;
                match open.menshen.session(account) {
                    Ok(session) => {
                        let session = self.begin(session);
                        self.opened()?.session = session;
                        Ok(Got::new())
                    }
                    Err(error) => Err(error),
                }
            }
            Action::Put { purpose, recipient, text, ttl_ms } => {
                session.outbox_put(purpose, recipient, *ttl_ms, text.as_bytes()).map(|put| match put {
                    Put::Held => effect("held"),
                    Put::Buffered => effect("stored"),
                    Put::Denied(denial) => denied("denied", &denial),
                })
            }
            Action::Deliver { result } => return deliver(&session, result),
            Action::Use { feature } => {
                let open = self.opened()?;
                let Some(permit) = open.permit.take().filter(|permit| permit.feature() == feature) else {
                    return Err(broken(format!("nothing allowed `{feature}` just before")));
                };
                match session.begin(permit, None) {
                    Ok(using) => {
                        open.using = Some(using);
                        Ok(effect("begun"))
                    }
                    Err(error) => Err(error),
                }
            }
            Action::Due { right } => return self.due(right),
            Action::PolicySays { parts } => return self.policy_says(parts),
        };
        Ok(answer.unwrap_or_else(|error| failed(&error)))
    }

    fn app(&mut self, app: &App) -> Result<Got, Stop> {
        let session = self.session()?;
        let answer = match app {
            App::Launches(answers) => return self.flow(session.first_launch(), answers),
            App::ShowsChanges(answers) => return self.flow(session.changed_policy(), answers),
            App::Restarts => {
                drop(session);
                self.reopen().map(|()| Got::new())
            }
            App::GoesOffline | App::GoesOnline => {
                self.offline = matches!(app, App::GoesOffline);
                Ok(Got::new())
            }
            App::Tidies => session.maintain().map(|_| Got::new()),
            App::SignsOut => {
                session.sign_out();
                Ok(Got::new())
            }
            App::Reads => match &self.opened()?.using {
                Some(using) => using.read(|| ()).map(|()| effect("read")),
                None => return Err(broken("no feature is in use")),
            },
            App::StopsUsing => {
                self.opened()?.using.iter().for_each(FeatureUse::end);
                Ok(Got::new())
            }
        };
        Ok(answer.unwrap_or_else(|error| failed(&error)))
    }

    fn document(&self, policy: &NewPolicy) -> Result<Value, Stop> {
        match policy {
            NewPolicy::Patch(patch) => {
                let mut document = self.latest.clone();
                merge(&mut document, patch);
                Ok(document)
            }
            NewPolicy::File(path) => {
                let name = path.display();
                let bytes = std::fs::read(path).map_err(|error| broken(format!("`{name}` cannot be read: {error}")))?;
                serde_json::from_slice(&bytes).map_err(|_| broken(format!("`{name}` is no JSON")))
            }
        }
    }

    fn flow(&mut self, flow: Result<Flow, Error>, answers: &Answers) -> Result<Got, Stop> {
        let mut flow = match flow {
            Ok(flow) => flow,
            Err(error) => return Ok(failed(&error)),
        };
        let mut prompts = Vec::new();
        let with = |mut told: Got, prompts: Vec<String>| {
            told.insert("prompts".to_owned(), json!(prompts));
            Ok(told)
        };
        while !matches!(flow.step(), FlowStep::Done(_)) {
            let prompt = name_of(flow.step());
            let leaves = answers.leaves_at.as_deref() == Some(prompt.as_str());
            prompts.push(prompt);
            let answer = if leaves { None } else { self.answer(flow.step(), answers) };
            let Some(answer) = answer else { return with(effect("left"), prompts) };
            if let Err(error) = flow.answer(answer) {
                return with(failed(&error), prompts);
            }
            if prompts.len() > MOST {
                return Err(broken(format!("the prompts never end: {prompts:?}")));
            }
        }
        let told = match flow.into_outcome().map_err(|_| broken("the flow is not done"))? {
            Outcome::Allowed(permit) => {
                self.opened()?.permit = Some(permit);
                effect("allowed")
            }
            Outcome::Denied(denial) => denied("denied", &denial),
            Outcome::Finished { .. } => effect("finished"),
            _ => return Err(broken("the flow ended in a way that this tool does not know")),
        };
        with(told, prompts)
    }

    /// What the person answers; `None` if they walk away.
    fn answer(&self, step: &FlowStep, answers: &Answers) -> Option<Answer> {
        let says_yes = |to: &str| {
            let listed = |list: &[String]| list.iter().any(|one| one == to);
            !listed(&answers.refuses) && (listed(&answers.agrees) || listed(&self.person.agrees))
        };
        Some(match step {
            FlowStep::Show(prompt) => {
                let kind = kebab(&format!("{:?}", prompt.kind));
                let about = prompt.purpose.as_deref().unwrap_or(&kind);
                if says_yes(about) { Answer::Yes } else { Answer::No }
            }
            FlowStep::Offer(offers) => {
                Answer::Switches(offers.iter().map(|offer| offer.purpose.clone()).filter(|id| says_yes(id)).collect())
            }
            FlowStep::AskSubject => {
                Answer::Subject { born: self.person.born.clone()?, place: self.person.place.clone()? }
            }
            FlowStep::ConfirmSubject { .. } => Answer::Yes,
            FlowStep::AskSystem { permission, .. } => {
                let state = self.person.system.get(permission).copied().unwrap_or(PermissionState::Denied);
                self.phone.set(*permission, state);
                Answer::System(state)
            }
            _ => return None,
        })
    }

    fn record(&mut self, session: &Session, event: &str, fields: &[(String, Value)], times: u64) -> Result<Got, Stop> {
        let mut values = Vec::new();
        for (name, value) in fields {
            let value = match value {
                Value::String(text) => {
                    self.in_clear.insert(text.clone());
                    menshen::Value::String(text.clone())
                }
                Value::Bool(flag) => menshen::Value::Boolean(*flag),
                Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                    (Some(whole), _) => menshen::Value::Integer(whole),
                    (None, Some(number)) => menshen::Value::Number(number),
                    (None, None) => return Err(broken(format!("`{number}` is too large for a field"))),
                },
                _ => return Err(broken(format!("the field `{name}` is no text, number or yes or no"))),
            };
            values.push((name.clone(), value));
        }
        let mut recorded = session.record(event, values.clone());
        for _ in 1..times {
            recorded = session.record(event, values.clone());
        }
        Ok(match recorded {
            Ok(Recorded::Held) => effect("held"),
            Ok(Recorded::Buffered) => effect("stored"),
            Ok(Recorded::Denied(denial)) => denied("denied", &denial),
            Err(error) => failed(&error),
        })
    }

    fn upload(&mut self, session: &Session, reply: Reply) -> Result<Got, Stop> {
        let mut left = Vec::new();
        let mut told = "nothing";
        for _ in 0..MOST {
            let request = match session.next_upload() {
                Ok(Some(request)) => request,
                Ok(None) => {
                    left.sort_by_key(Value::to_string);
                    return Ok(got([("effect", json!(told)), ("sent", Value::Array(left))]));
                }
                Err(error) => return Ok(failed(&error)),
            };
            let reply = match reply {
                _ if self.offline => TransportReply::Failed { code: "offline" },
                Reply::Lost => TransportReply::Failed { code: "lost" },
                Reply::Status(status) => {
                    TransportReply::Response { status, headers: Vec::new(), body: Vec::new(), complete: true }
                }
            };
            if !self.offline {
                left.extend(sent::contents(&request, &self.policies, &self.in_clear).map_err(Stop::Broken)?);
            }
            told = match session.upload_finished(request.id, &reply) {
                Ok(UploadOutcome::Acknowledged { .. }) => "acknowledged",
                Ok(UploadOutcome::Later { .. }) => "later",
                Ok(UploadOutcome::Quarantined { .. }) => "quarantined",
                Ok(UploadOutcome::Cancelled { .. }) => "cancelled",
                Ok(_) => return Err(broken("an upload ended in a way that this tool does not know")),
                Err(error) => return Ok(failed(&error)),
            };
        }
        Err(broken("the uploads never end"))
    }

    fn start(&mut self, session: &Session, recipient: &str) -> Result<Got, Stop> {
        let why_not = match session.why_not_start(recipient) {
            Ok(why_not) => why_not,
            Err(error) => return Ok(failed(&error)),
        };
        let open = self.opened()?;
        if !open.running.contains_key(recipient) {
            let runs = Arc::new(AtomicBool::new(false));
            let (started, stopped) = (Arc::clone(&runs), Arc::clone(&runs));
            let put = session.when_allowed(
                recipient,
                move || started.store(true, Ordering::SeqCst),
                move || stopped.store(false, Ordering::SeqCst),
            );
            if let Err(error) = put {
                return Ok(failed(&error));
            }
            open.running.insert(recipient.to_owned(), runs);
        }
        let runs = open.running.get(recipient).is_some_and(|runs| runs.load(Ordering::SeqCst));
        match why_not {
            None if runs => Ok(effect("allowed")),
            Some(denial) if !runs => Ok(denied("denied", &denial)),
            None => Err(broken(format!("`{recipient}` is allowed and does not run"))),
            Some(denial) => Err(broken(format!("`{recipient}` runs and is denied: {}", denial.text))),
        }
    }

    fn due(&self, right: &str) -> Result<Got, Stop> {
        let right: Right =
            serde_json::from_value(json!(right)).map_err(|_| broken(format!("`{right}` is not a right")))?;
        let place = self.person.place.as_deref().and_then(|place| Place::parse(place).ok());
        let now = Timestamp::from_millisecond(self.now_ms()).map_err(|_| broken("a day beyond the calendar"))?;
        let today = now.to_string().get(..10).and_then(|day| Date::parse(day).ok());
        let today = today.ok_or_else(|| broken("a day beyond the calendar"))?;
        let policy = self.policies.last().ok_or_else(|| broken("no policy"))?;
        let day = policy.due(right, place.as_ref(), &today);
        Ok(got([("day", day.map_or(Value::Null, |day| json!(day.to_string())))]))
    }

    /// Reads parts of the policy as the app shows them: a text stands for the clause, an object for what must be in the part.
    fn policy_says(&self, parts: &[(String, Value)]) -> Result<Got, Stop> {
        for (part, expected) in parts {
            let pointer = format!("/{}", part.replace(' ', "/"));
            let found = self.latest.pointer(&pointer);
            let found = match expected {
                Value::String(_) => found.and_then(|found| found.get("source")),
                _ => found,
            };
            let says = found.unwrap_or(&Value::Null);
            if !is_part(expected, says) {
                return Err(broken(format!("of `{part}` the policy says\n    {says}\n    and not {expected}")));
            }
        }
        Ok(Got::new())
    }

    /// What can be looked at after any step.
    pub(super) fn look(&self, what: &str) -> Result<Option<Value>, Stop> {
        let session = self.session()?;
        let told = |error: Error| broken(format!("looking at `{what}`: {error}"));
        Ok(Some(match what {
            "open" => {
                let purposes = session.purposes().map_err(told)?;
                purposes.into_iter().filter(|one| one.allowed).map(|one| json!(one.purpose)).collect()
            }
            "running" => {
                let running = self.open.iter().flat_map(|open| &open.running);
                running.filter(|(_, runs)| runs.load(Ordering::SeqCst)).map(|(id, _)| json!(id)).collect()
            }
            "stored" => {
                let purposes: BTreeSet<&str> =
                    self.policies.iter().flat_map(|policy| policy.purposes()).map(|(_, id, _)| id.as_str()).collect();
                let mut stored = Map::new();
                for purpose in purposes {
                    let records = session.waiting_records(purpose).map_err(told)?;
                    if records > 0 {
                        stored.insert(purpose.to_owned(), json!(records));
                    }
                }
                Value::Object(stored)
            }
            "receipts" => {
                let receipts = session.receipts().map_err(told)?;
                let receipts: Vec<Value> =
                    serde_json::from_str(&receipts).map_err(|_| broken("a receipt is no JSON"))?;
                receipts.iter().filter_map(|receipt| receipt.get("purpose").cloned()).collect()
            }
            "version" => json!(session.policy_version()),
            _ => return Ok(None),
        }))
    }

    /// The entries of the ledger, each as its kind and what it is about.
    pub(super) fn ledger(&self) -> Result<Vec<String>, Stop> {
        let session = self.session()?;
        let export = session.export_ledger().map_err(|error| broken(format!("the ledger: {error}")))?;
        if !matches!(menshen::verify_ledger(&export), LedgerVerdict::Sound { .. }) {
            return Err(broken("the ledger does not verify"));
        }
        let export: Value = serde_json::from_str(&export).map_err(|_| broken("the ledger is no JSON"))?;
        let inner = |entry: &Value, pointer: &str| {
            entry.pointer(pointer).and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok())
        };
        let entries = export.get("entries").and_then(Value::as_array).into_iter().flatten();
        Ok(entries
            .map(|entry| {
                let statement: Value = inner(entry, "/statement").unwrap_or_default();
                let payload: Value = inner(entry, "/payload/text").unwrap_or_default();
                let about = ["purpose", "permission", "recipient", "feature", "version"];
                let about = about.iter().find_map(|key| payload.get(key)).and_then(Value::as_str);
                let kind = statement.get("type").and_then(Value::as_str).unwrap_or_default();
                about.map_or_else(|| kind.to_owned(), |about| format!("{kind} {about}"))
            })
            .collect())
    }
}

/// Every key of an expected object is there and fits; everything else is equal.
fn is_part(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| is_part(value, found)))
        }
        (expected, found) => expected == found,
    }
}

/// What a scenario calls a prompt.
fn name_of(step: &FlowStep) -> String {
    match step {
        FlowStep::Show(prompt) => {
            let kind = kebab(&format!("{:?}", prompt.kind));
            prompt.purpose.as_ref().map_or_else(|| kind.clone(), |purpose| format!("{kind} {purpose}"))
        }
        FlowStep::Offer(offers) => {
            let purposes: Vec<&str> = offers.iter().map(|offer| offer.purpose.as_str()).collect();
            format!("offer {}", purposes.join(" "))
        }
        FlowStep::AskSubject => "age-and-place".to_owned(),
        FlowStep::ConfirmSubject { .. } => "confirm".to_owned(),
        FlowStep::AskSystem { permission, .. } => format!("system {}", permission.id()),
        other => other.name().to_owned(),
    }
}

fn is_allowed(session: &Session, feature: &str) -> Result<Got, Stop> {
    let open = session.is_allowed(feature);
    Ok(match session.why_not(feature) {
        Ok(None) if open => effect("allowed"),
        Ok(Some(denial)) if !open => {
            let asked = denial.remedy == Remedy::Request;
            denied(if asked { "asked" } else { "denied" }, &denial)
        }
        Ok(_) => return Err(broken(format!("the snapshot and the reason differ about `{feature}`"))),
        Err(error) => failed(&error),
    })
}

fn identify(session: &Session, identifier: &str, recipient: &str) -> Result<Got, Stop> {
    let id = Identifier::from_id(identifier).ok_or_else(|| broken(format!("`{identifier}` is not an identifier")))?;
    match session.identifier(recipient, id) {
        Ok(IdentifierAnswer::Handed(handed)) if handed.value.contains(&raw(id)) => {
            Err(broken(format!("`{recipient}` was handed the raw `{identifier}`")))
        }
        Ok(IdentifierAnswer::Handed(handed)) => {
            Ok(got([("effect", json!("handed")), ("form", json!(handed.form.id()))]))
        }
        Ok(IdentifierAnswer::Denied(denial)) => Ok(denied("denied", &denial)),
        Err(error) => Ok(failed(&error)),
    }
}

fn deliver(session: &Session, result: &str) -> Result<Got, Stop> {
    let item = match session.next_delivery() {
        Ok(Some(item)) => item,
        Ok(None) => return Ok(effect("nothing")),
        Err(error) => return Ok(failed(&error)),
    };
    let told = got([
        ("effect", json!("offered")),
        ("text", json!(String::from_utf8_lossy(&item.bytes))),
        ("sent", json!([{ "to": item.recipient, "for": item.purpose }])),
    ]);
    let result = match result {
        "delivered" => DeliveryResult::Delivered,
        "refused" => DeliveryResult::Refused,
        _ => DeliveryResult::Later { after_ms: 60_000 },
    };
    Ok(match session.delivery_finished(item.id, result) {
        Ok(()) => told,
        Err(error) => failed(&error),
    })
}
