//! Carries out the steps of a vector. The format stands in `tests/vectors/README.md`.

#[path = "places.rs"]
pub(crate) mod places;
#[path = "scripted_keys.rs"]
mod scripted_keys;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use menshen::{
    Answer, DeliveryResult, Denial, DeviceClock, Error, Exercised, FeatureUse, FileKeys, Flow, Identifier,
    IdentifierAnswer, IdentifierReader, KeyProvider, LedgerVerdict, Menshen, Now, Outcome, Permission, PermissionState,
    PermissionStatus, Permit, Platform, Policy, Put, Recorded, RightRequest, Session, Step, Store, TransportReply,
    Trigger, UploadOutcome, Withdrawal, verify_ledger,
};
use places::{AnotherProcess, SmallDisk};
use scripted_keys::ScriptedKeys;
use serde_json::{Map, Value, json};

/// What running a vector gave.
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    /// This machine lacks something that the vector needs.
    NotRun,
}

/// A vector's verdict, and the codes of the errors that it met.
pub(crate) struct Run {
    pub(crate) verdict: Verdict,
    pub(crate) codes: BTreeSet<&'static str>,
}

const START_MS: i64 = 1_800_000_000_000;

struct FakePlatform {
    states: Mutex<BTreeMap<Permission, PermissionState>>,
    reads: AtomicU64,
}

impl PermissionStatus for FakePlatform {
    fn state(&self, permission: Permission) -> PermissionState {
        self.states.lock().unwrap().get(&permission).copied().unwrap_or(PermissionState::NotAsked)
    }
}

fn raw(identifier: Identifier) -> String {
    if identifier == Identifier::IpAddress { "203.0.113.77".into() } else { format!("raw-{}", identifier.id()) }
}

impl IdentifierReader for FakePlatform {
    fn read(&self, identifier: Identifier) -> Option<String> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Some(raw(identifier))
    }
}

struct FakeClock {
    wall: AtomicI64,
    up: AtomicI64,
}

impl DeviceClock for FakeClock {
    fn now(&self) -> Now {
        Now {
            wall_ms: self.wall.load(Ordering::SeqCst),
            since_boot_ms: self.up.load(Ordering::SeqCst).unsigned_abs(),
            boot: 1,
        }
    }
}

struct World {
    root: tempfile::TempDir,
    policy: Value,
    platform: Arc<FakePlatform>,
    clock: Arc<FakeClock>,
    /// The store's folder as it was given last.
    store: PathBuf,
    menshen: Option<Menshen>,
    session: Option<Session>,
    permit: Option<Permit>,
    using: Option<FeatureUse>,
    held: Option<u64>,
    cap: Option<u64>,
    keys: Arc<ScriptedKeys>,
    /// The folder of the file keys as it was given last.
    keys_folder: PathBuf,
    disk: Option<SmallDisk>,
}

/// A step failed in the runner itself: the vector is broken.
type Broken = String;

pub(crate) fn run(policy: &str, vector: &Value) -> Run {
    let mut codes = BTreeSet::new();
    let verdict = run_steps(policy, vector, &mut codes);
    Run { verdict, codes }
}

fn run_steps(policy: &str, vector: &Value, codes: &mut BTreeSet<&'static str>) -> Verdict {
    let name = vector["name"].as_str().unwrap_or("a vector without a name");
    if vector["needs"].as_str() == Some("small-disk") && !SmallDisk::is_there() {
        return Verdict::NotRun;
    }
    let mut world = World::new(policy);
    for (number, step) in vector["steps"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{name}, step {}", number + 1);
        let got = match world.step(step) {
            Ok(Ok(got)) => got,
            Ok(Err(error)) => {
                codes.insert(error.code());
                if !is_told(&error) {
                    return Verdict::Failed(format!("{at}: an error without words: {error:?}"));
                }
                error_json(&error, &world.store, &world.keys_folder)
            }
            Err(broken) => return Verdict::Failed(format!("{at}: {broken}")),
        };
        let expected = step.get("expect").cloned().unwrap_or(json!({}));
        // A step without an expectation must at least not fail.
        let unexpected_error = step.get("expect").is_none() && got.get("error").is_some();
        if unexpected_error || !matches(&expected, &got) {
            return Verdict::Failed(format!("{at}: {step}\n  expected {expected}\n  got      {got}"));
        }
    }
    Verdict::Passed
}

/// Whether an error says in words what is wrong, and where in the document or which folder if it is about one.
fn is_told(error: &Error) -> bool {
    let is_sentence = |text: &str| text.split_whitespace().count() >= 2;
    let problems_told = match error {
        Error::Policy(errors) => {
            errors.iter().count() > 0
                && errors.iter().all(|e| is_sentence(&e.message) && e.position.line > 0 && e.position.column > 0)
        }
        _ => true,
    };
    let mut fields = error.fields().into_iter();
    let folder_told = fields.all(|(name, folder)| name != "folder" || error.to_string().contains(&folder));
    is_sentence(&error.to_string()) && folder_told && problems_told
}

/// Every key of an expected object must match; everything else is equal.
fn matches(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            expected.iter().all(|(key, value)| got.get(key).is_some_and(|found| matches(value, found)))
        }
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len() && expected.iter().zip(got).all(|(e, g)| matches(e, g))
        }
        (expected, got) => expected == got,
    }
}

fn error_json(error: &Error, store: &Path, keys: &Path) -> Value {
    let value = |name: &str, value: String| {
        let is = |folder: &Path| name == "folder" && Path::new(&value) == folder;
        if is(store) {
            json!("given")
        } else if is(keys) {
            json!("keys")
        } else {
            json!(value)
        }
    };
    let fields: Map<String, Value> =
        error.fields().into_iter().map(|(name, text)| (name.to_owned(), value(name, text))).collect();
    let mut problems = Vec::new();
    if let Error::Policy(errors) = error {
        problems.extend(errors.iter().map(
            |e| json!({ "code": e.code(), "pointer": e.pointer, "line": e.position.line, "column": e.position.column }),
        ));
    }
    json!({ "error": { "code": error.code(), "fields": fields, "problems": problems } })
}

fn denial_json(denial: &Denial) -> Value {
    json!({
        "code": denial.code, "subject": denial.subject, "rule": denial.rule, "source": denial.source,
        "until_ms": denial.until_ms, "remedy": denial.remedy.code(), "text": denial.text,
    })
}

fn optional_denial(denial: Option<Denial>) -> Value {
    json!({ "denial": denial.as_ref().map(denial_json) })
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn permission_state(text: &str) -> Result<PermissionState, Broken> {
    Ok(match text {
        "not-asked" => PermissionState::NotAsked,
        "granted" => PermissionState::Granted,
        "limited" => PermissionState::Limited,
        "denied" => PermissionState::Denied,
        "blocked" => PermissionState::Blocked,
        other => return Err(format!("unknown permission state {other}")),
    })
}

fn right_request(step: &Value) -> Result<RightRequest, Broken> {
    let purpose = || text(step, "purpose").map(str::to_owned);
    let words = || text(step, "text").map(str::to_owned);
    Ok(match text(step, "right")? {
        "access" => RightRequest::Access,
        "report" => RightRequest::Report,
        "copy" => RightRequest::Copy,
        "portability" => RightRequest::Portability,
        "correct" => RightRequest::Correct { text: words()? },
        "delete" => RightRequest::Delete,
        "restrict" => RightRequest::Restrict { purpose: purpose()? },
        "object" => RightRequest::Object { purpose: purpose()? },
        "withdraw" => RightRequest::WithdrawAll,
        "refuse-marketing" => RightRequest::RefuseMarketing,
        "refuse-sale" => RightRequest::RefuseSale,
        "human-review" => RightRequest::HumanReview { purpose: purpose()?, text: words()? },
        "close-account" => RightRequest::CloseAccount,
        "disclosure-records" => RightRequest::DisclosureRecords,
        "complain" => RightRequest::Complain { text: words()? },
        other => return Err(format!("unknown right {other}")),
    })
}

fn withdrawal_json(done: &Withdrawal) -> Value {
    match done {
        Withdrawal::Done { in_flight } => json!({ "withdrawal": "done", "in_flight": in_flight.len() }),
        Withdrawal::Pending { code } => json!({ "withdrawal": "pending", "code": code }),
    }
}

fn exercised_json(exercised: &Exercised) -> Value {
    match exercised {
        Exercised::Done { in_flight, .. } => json!({ "kind": "done", "in_flight": in_flight.len() }),
        Exercised::Refused { ground, source, .. } => json!({ "kind": "refused", "ground": ground, "source": source }),
        Exercised::Pending { code } => json!({ "kind": "pending", "code": code }),
    }
}

fn text<'a>(step: &'a Value, key: &str) -> Result<&'a str, Broken> {
    step[key].as_str().ok_or_else(|| format!("`{key}` is missing"))
}

impl World {
    fn new(policy: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut world = Self {
            store: root.path().join("store"),
            root,
            policy: serde_json::from_str(policy).unwrap(),
            platform: Arc::new(FakePlatform { states: Mutex::default(), reads: AtomicU64::new(0) }),
            clock: Arc::new(FakeClock { wall: AtomicI64::new(START_MS), up: AtomicI64::new(3_600_000) }),
            menshen: None,
            session: None,
            permit: None,
            using: None,
            held: None,
            cap: None,
            keys: Arc::new(ScriptedKeys::new()),
            keys_folder: PathBuf::new(),
            disk: None,
        };
        let bytes = world.policy.to_string().into_bytes();
        let keys = world.path("keys");
        world.open(&bytes, Some(keys)).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Opens a store with the file key of a folder, or with the scripted key store.
    fn open(&mut self, policy: &[u8], keys: Option<PathBuf>) -> Result<Value, Error> {
        self.keys_folder = keys.clone().unwrap_or_default();
        let policy = Policy::read(policy)?;
        let store = Store::at(&self.store)?
            .marking_denials_in(&[self.path("markers")])?
            .with_clock(Arc::clone(&self.clock) as Arc<dyn DeviceClock>);
        let store = match self.cap {
            Some(cap) => store.with_cap(cap),
            None => store,
        };
        let platform =
            Platform { permissions: Arc::clone(&self.platform) as _, identifiers: Arc::clone(&self.platform) as _ };
        let keys: Arc<dyn KeyProvider> = match keys {
            Some(folder) => Arc::new(FileKeys::at(folder).map_err(Error::from)?),
            None => Arc::clone(&self.keys) as _,
        };
        let menshen = Menshen::open_on(policy, store, keys, platform)?;
        let session = menshen.guest()?;
        session.set_locale("en");
        session.set_strict(true);
        self.session = Some(session);
        self.menshen = Some(menshen);
        Ok(json!({ "ok": true }))
    }

    fn policy_bytes(&self, step: &Value) -> Vec<u8> {
        let Some(policy) = step.get("policy") else { return self.policy.to_string().into_bytes() };
        if let Some(text) = policy["text"].as_str() {
            return text.as_bytes().to_vec();
        }
        if let Some(hex) = policy["hex"].as_str() {
            return unhex(hex);
        }
        if let Some(path) = policy["document"].as_str() {
            return fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)).unwrap();
        }
        let mut document = self.policy.clone();
        merge(&mut document, &policy["patch"]);
        document.to_string().into_bytes()
    }

    fn session(&self) -> Result<Session, Broken> {
        self.session.clone().ok_or_else(|| "no session is open".to_owned())
    }

    fn step(&mut self, step: &Value) -> Result<Result<Value, Error>, Broken> {
        let what = text(step, "do")?;
        let ok = || json!({ "ok": true });
        Ok(match what {
            "check" => Policy::read(&self.policy_bytes(step)).map(|_| ok()).map_err(Error::from),
            "spoil" => self.spoil(&self.policy_bytes(step))?,
            "open" => self.reopen(step)?,
            "key-store" => {
                self.keys.answer(text(step, "answers")?)?;
                Ok(ok())
            }
            "fill" => {
                self.disk.as_ref().ok_or("no disk is in use")?.fill();
                Ok(ok())
            }
            "free" => {
                self.disk.as_ref().ok_or("no disk is in use")?.free();
                Ok(ok())
            }
            "offer" => {
                let bytes = self.policy_bytes(step);
                match Policy::read(&bytes) {
                    Ok(policy) => self.session()?.offer_policy(policy).map(|()| ok()),
                    Err(errors) => Err(errors.into()),
                }
            }
            "launch" => self.flow(self.session()?.first_launch(), step)?,
            "changed" => self.flow(self.session()?.changed_policy(), step)?,
            "request" => {
                let tapped = step["tapped"].as_bool().unwrap_or(true);
                let trigger = if tapped { Trigger::Tap } else { Trigger::App };
                self.flow(self.session()?.request(text(step, "feature")?, trigger), step)?
            }
            "settings" => self.flow(self.session()?.request_purpose(text(step, "purpose")?), step)?,
            "use" => match self.permit.take() {
                Some(permit) => self.session()?.begin(permit, None).map(|using| {
                    self.using = Some(using);
                    ok()
                }),
                None => Err(Error::PermitEnded),
            },
            "read" => match &self.using {
                Some(using) => using.read(|| ()).map(|()| ok()),
                None => Err(Error::PermitEnded),
            },
            "end" => {
                self.using.iter().for_each(FeatureUse::end);
                Ok(ok())
            }
            "allowed" => Ok(json!({ "allowed": self.session()?.is_allowed(text(step, "feature")?) })),
            "why" => self.session()?.why_not(text(step, "feature")?).map(optional_denial),
            "start" => self.session()?.why_not_start(text(step, "recipient")?).map(optional_denial),
            "record" => self.record(step)?,
            "strict" => {
                self.session()?.set_strict(step["on"].as_bool().unwrap_or(true));
                Ok(ok())
            }
            "dropped" => Ok(json!({ "fields": self.session()?.counts().dropped_fields })),
            "waiting" => self.session()?.waiting_records(text(step, "purpose")?).map(|n| json!({ "records": n })),
            "put" => {
                let ttl = step["ttl_ms"].as_i64().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
                let put = self.session()?.outbox_put(
                    text(step, "purpose")?,
                    text(step, "recipient")?,
                    ttl,
                    text(step, "text")?.as_bytes(),
                );
                put.map(|put| match put {
                    Put::Held => json!({ "stored": "held" }),
                    Put::Buffered => json!({ "stored": "buffered" }),
                    Put::Denied(denial) => json!({ "stored": "denied", "denial": denial_json(&denial) }),
                })
            }
            "deliver" => self.deliver(step)?,
            "delivery" => {
                let id = step["id"].as_u64().ok_or("`id` is missing")?;
                self.session()?.delivery_finished(id, delivery_result(&step["result"])?).map(|()| ok())
            }
            "identifier" => self.identifier(step)?,
            "sign-in" | "sign-out" => {
                let menshen = self.menshen.clone().ok_or("no store is open")?;
                let opened = match what {
                    "sign-in" => menshen.sign_in(text(step, "account")?),
                    _ => menshen.sign_out(),
                };
                opened.map(|opened| {
                    opened.set_locale("en");
                    opened.set_strict(true);
                    let same = self.session.as_ref().is_some_and(|before| before.is_same(&opened));
                    let is_current = menshen.current().is_ok_and(|current| current.is_same(&opened));
                    self.session = Some(opened);
                    json!({ "same": same && is_current })
                })
            }
            "exercise" => {
                let flow = self.session()?.exercise(right_request(step)?);
                self.flow(flow, step)?
            }
            "object" => self.session()?.object_to(text(step, "purpose")?).map(|done| exercised_json(&done)),
            "restrict" => self.session()?.restrict(text(step, "purpose")?).map(|done| exercised_json(&done)),
            "rights" => Ok(json!({ "rights": self.session()?.rights().iter().map(|one| one.right.id()).collect::<Vec<_>>() })),
            "used-rights" => self.session()?.right_records().map(|records| {
                let records = records.iter().map(|one| json!({
                    "right": one.right.id(), "purpose": one.purpose, "due": one.due, "overdue": one.is_overdue,
                    "state": one.state.code(), "text": one.text, "letter": one.letter.as_ref().map(|letter| letter.to.as_str()),
                }));
                json!({ "used": records.collect::<Vec<_>>() })
            }),
            "copy" => match (self.session()?.copy_json(), self.session()?.copy_html()) {
                (Ok(copy), Ok(page)) => {
                    let copy: Value = serde_json::from_str(&copy).map_err(|_| "the copy is no JSON")?;
                    let count = |key: &str| copy[key].as_array().map_or(0, Vec::len);
                    Ok(json!({
                        "records": count("records"), "items": count("items"), "requests": count("requests"),
                        "unreadable": copy["unreadable"], "page": page.starts_with("<!doctype html>"),
                    }))
                }
                (Err(error), _) | (_, Err(error)) => Err(error),
            },
            "withdraw" => self.session()?.withdraw(text(step, "purpose")?).map(|done| withdrawal_json(&done)),
            "revocations" => self.flow(self.session()?.confirm_revocations(), step)?,
            "revoked" => {
                let permission = Permission::from_id(text(step, "permission")?).ok_or("unknown permission")?;
                self.session()?.revoked_by_person(permission).map(|done| withdrawal_json(&done))
            }
            "maintain" => self
                .session()?
                .maintain()
                .map(|done| json!({ "shredded": done.shredded, "expired_records": done.expired_records })),
            "replace-lost-key" => self.session()?.replace_lost_key().map(|replaced| json!({ "replaced": replaced })),
            "purposes" => self.session()?.purposes().map(|purposes| {
                let allowed: Vec<_> = purposes.into_iter().filter(|p| p.allowed).map(|p| p.purpose).collect();
                json!({ "allowed": allowed })
            }),
            "upload" => self.upload(step)?,
            "answer" => match self.held.take() {
                Some(id) => self.session()?.upload_finished(id, &reply(step)?).map(|outcome| outcome_json(&outcome)),
                None => Err(Error::UnknownExchange { id: 0 }),
            },
            "cancelled" => Ok(json!({ "uploads": self.session()?.cancelled_uploads().len() })),
            "advance" | "wall" => {
                let ms = step["ms"].as_i64().ok_or("`ms` is missing")?;
                self.clock.wall.fetch_add(ms, Ordering::SeqCst);
                if what == "advance" {
                    self.clock.up.fetch_add(ms, Ordering::SeqCst);
                }
                Ok(ok())
            }
            "permission" => {
                let permission = Permission::from_id(text(step, "permission")?).ok_or("unknown permission")?;
                self.platform.states.lock().unwrap().insert(permission, permission_state(text(step, "state")?)?);
                self.session()?.refresh().map(|()| ok())
            }
            "subject" => self.session()?.supply_subject(text(step, "born")?, text(step, "place")?).map(|()| ok()),
            "damage" => {
                let folder = match text(step, "what")? {
                    "keys" => self.path("keys"),
                    "segments" => self.path("store/segments"),
                    other => return Err(format!("unknown damage {other}")),
                };
                for entry in fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    let mut bytes = fs::read(&path).unwrap();
                    // In the middle of what was written: files may end in zeros.
                    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
                    bytes[written / 2] ^= 1;
                    fs::write(path, bytes).unwrap();
                }
                Ok(ok())
            }
            "version" => {
                let session = self.session()?;
                Ok(json!({ "version": session.policy_version(), "changed": session.has_changed_policy() }))
            }
            "locale" => {
                self.session()?.set_locale(text(step, "locale")?);
                Ok(ok())
            }
            "ledger" => self.session()?.verify_own_ledger().map(verdict_json),
            "tamper" => self.session()?.export_ledger().map(|export| {
                let at = export.find("\\\"type\\\":\\\"").unwrap() + "\\\"type\\\":\\\"".len();
                let mut bytes = export.into_bytes();
                bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
                verdict_json(verify_ledger(&String::from_utf8(bytes).unwrap()))
            }),
            "receipts" => self.session()?.receipts().map(|receipts| {
                let receipts: Vec<Value> = serde_json::from_str(&receipts).unwrap();
                json!({ "purposes": receipts.iter().map(|r| r["purpose"].clone()).collect::<Vec<_>>() })
            }),
            other => return Err(format!("unknown step {other}")),
        })
    }

    fn reopen(&mut self, step: &Value) -> Result<Result<Value, Error>, Broken> {
        self.using = None;
        self.permit = None;
        self.held = None;
        let kind = step["store"].as_str().unwrap_or("same");
        let held = if kind == "busy" { (self.menshen.take(), self.session.take()) } else { (None, None) };
        self.menshen = None;
        self.session = None;
        let other = if kind == "locked" { Some(AnotherProcess::holding(self.root.path())?) } else { None };
        self.store = match kind {
            "same" | "busy" | "locked" => self.path("store"),
            "disk" => self.disk.get_or_insert_with(SmallDisk::take).store(),
            "disk-read-only" => self.disk.get_or_insert_with(SmallDisk::take).read_only_store(),
            other => places::folder(self.root.path(), other)?,
        };
        let keys = match step["keys"].as_str().unwrap_or("same") {
            "same" => Some(self.path("keys")),
            "other" => Some(self.path("other-keys")),
            "the-store" => Some(self.store.clone()),
            "in-store" => Some(self.store.join("platform-keys")),
            "file" => Some(places::folder(self.root.path(), "file")?),
            "scripted" => None,
            other => return Err(format!("unknown keys {other}")),
        };
        self.cap = step["cap"].as_u64();
        let bytes = self.policy_bytes(step);
        let result = self.open(&bytes, keys);
        drop((held, other));
        Ok(result)
    }

    /// Offers the document cut at every byte, and checks it with two bits of every byte flipped.
    fn spoil(&self, document: &[u8]) -> Result<Result<Value, Error>, Broken> {
        let session = self.session()?;
        let told = |error: Error| error.code() == "policy" && is_told(&error);
        let whole = document.trim_ascii_end();
        for at in 0..whole.len() {
            let cut = Policy::read(&whole[..at]).map_err(Error::from);
            if !cut.and_then(|policy| session.offer_policy(policy)).is_err_and(told) {
                return Ok(Ok(json!({ "cut_at": at })));
            }
            for bit in [0x01, 0x80] {
                let mut flipped = whole.to_vec();
                flipped[at] ^= bit;
                // A letter of a text may turn into another one, which is no error.
                if Policy::read(&flipped).is_err_and(|errors| !told(errors.into())) {
                    return Ok(Ok(json!({ "flipped_at": at })));
                }
            }
        }
        Ok(Policy::read(whole).map(|_| json!({ "ok": true })).map_err(Error::from))
    }

    fn flow(&mut self, flow: Result<Flow, Error>, step: &Value) -> Result<Result<Value, Error>, Broken> {
        let mut flow = match flow {
            Ok(flow) => flow,
            Err(error) => return Ok(Err(error)),
        };
        let answers = step["answers"].as_array().cloned().unwrap_or_default();
        let mut answers = answers.iter();
        let (mut steps, mut kinds) = (Vec::new(), Vec::new());
        loop {
            if matches!(flow.step(), Step::Done(_)) {
                break;
            }
            steps.push(flow.step().name());
            if let Step::Show(prompt) = flow.step() {
                kinds.push(match prompt.kind {
                    menshen::PromptKind::Notice => "notice",
                    menshen::PromptKind::Purpose => "purpose",
                    menshen::PromptKind::SeparateConsent => "separate-consent",
                    menshen::PromptKind::ChangedPolicy => "changed-policy",
                    menshen::PromptKind::Right => "right",
                    menshen::PromptKind::Revocation(_) => "revocation",
                    _ => "other",
                });
            }
            let Some(answer) = answers.next() else {
                let waiting = flow.step().name();
                return Ok(Ok(json!({ "steps": steps, "kinds": kinds, "waiting": waiting })));
            };
            let answer = self.answer(answer, flow.step())?;
            if let Err(error) = flow.answer(answer) {
                return Ok(Err(error));
            }
        }
        if answers.next().is_some() {
            return Err("more answers than steps".to_owned());
        }
        let mut result = json!({ "steps": steps, "kinds": kinds });
        match flow.into_outcome().map_err(|_| "the flow is not done")? {
            Outcome::Allowed(permit) => {
                self.permit = Some(permit);
                result["outcome"] = json!("allowed");
            }
            Outcome::Denied(denial) => {
                result["outcome"] = json!("denied");
                result["denial"] = denial_json(&denial);
            }
            Outcome::Exercised(exercised) => {
                result["outcome"] = json!("exercised");
                result["exercised"] = exercised_json(&exercised);
            }
            Outcome::Finished { asks_again } => {
                result["outcome"] = json!("finished");
                result["asks_again"] = json!(asks_again);
            }
            _ => return Err("unknown outcome".to_owned()),
        }
        Ok(Ok(result))
    }

    fn answer(&self, answer: &Value, step: &Step) -> Result<Answer, Broken> {
        if let Some(word) = answer.as_str() {
            return match word {
                "yes" => Ok(Answer::Yes),
                "no" => Ok(Answer::No),
                other => Err(format!("unknown answer {other}")),
            };
        }
        if let Some(on) = answer["switches"].as_array() {
            return Ok(Answer::Switches(on.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()));
        }
        if let Some(state) = answer["system"].as_str() {
            let state = permission_state(state)?;
            if let Step::AskSystem { permission, .. } = step {
                self.platform.states.lock().unwrap().insert(*permission, state);
            }
            return Ok(Answer::System(state));
        }
        let subject = &answer["subject"];
        Ok(Answer::Subject { born: text(subject, "born")?.into(), place: text(subject, "place")?.into() })
    }

    fn record(&self, step: &Value) -> Result<Result<Value, Error>, Broken> {
        let (session, event) = (self.session()?, text(step, "event")?);
        let recorded = if let Some(json) = step["json"].as_str() {
            session.record_json(event, json.as_bytes())
        } else if let Some(hex) = step["hex"].as_str() {
            session.record_json(event, &unhex(hex))
        } else if let Some(depth) = step["nested"].as_u64() {
            let depth = usize::try_from(depth).unwrap();
            let json = format!("{{\"page\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            session.record_json(event, json.as_bytes())
        } else if let Some(length) = step["long"].as_u64() {
            let long = "x".repeat(usize::try_from(length).unwrap());
            session.record(event, menshen::fields! { "page" => long })
        } else {
            let fields = step["fields"].as_object().into_iter().flatten().map(|(name, value)| {
                let value = match value {
                    Value::String(text) => menshen::Value::String(text.clone()),
                    Value::Bool(flag) => menshen::Value::Boolean(*flag),
                    Value::Number(number) => number
                        .as_i64()
                        .map(menshen::Value::Integer)
                        .or_else(|| number.as_f64().map(menshen::Value::Number))
                        .unwrap(),
                    _ => panic!("a field of a vector is flat"),
                };
                (name.clone(), value)
            });
            session.record(event, fields.collect())
        };
        Ok(recorded.map(|recorded| match recorded {
            Recorded::Held => json!({ "stored": "held" }),
            Recorded::Buffered => json!({ "stored": "buffered" }),
            Recorded::Denied(denial) => json!({ "stored": "denied", "denial": denial_json(&denial) }),
        }))
    }

    fn deliver(&mut self, step: &Value) -> Result<Result<Value, Error>, Broken> {
        let session = self.session()?;
        let item = match session.next_delivery() {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(Ok(json!({ "none": true }))),
            Err(error) => return Ok(Err(error)),
        };
        let told = json!({
            "text": String::from_utf8_lossy(&item.bytes), "purpose": item.purpose, "recipient": item.recipient,
        });
        Ok(session.delivery_finished(item.id, delivery_result(&step["result"])?).map(|()| told))
    }

    fn identifier(&self, step: &Value) -> Result<Result<Value, Error>, Broken> {
        let identifier = Identifier::from_id(text(step, "identifier")?).ok_or("unknown identifier")?;
        let answer = self.session()?.identifier(text(step, "recipient")?, identifier);
        let reads = self.platform.reads.load(Ordering::SeqCst);
        Ok(answer.map(|answer| match answer {
            IdentifierAnswer::Handed(handed) => json!({
                "form": handed.form.id(), "raw": handed.value.contains(&raw(identifier)), "reads": reads,
            }),
            IdentifierAnswer::Denied(denial) => json!({ "denial": denial_json(&denial), "reads": reads }),
        }))
    }

    fn upload(&mut self, step: &Value) -> Result<Result<Value, Error>, Broken> {
        let session = self.session()?;
        let request = match session.next_upload() {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(Ok(json!({ "none": true }))),
            Err(error) => return Ok(Err(error)),
        };
        if step["reply"].as_str() == Some("hold") {
            self.held = Some(request.id);
            return Ok(Ok(json!({ "url": request.url })));
        }
        Ok(session.upload_finished(request.id, &reply(step)?).map(|outcome| {
            let mut told = outcome_json(&outcome);
            told["url"] = json!(request.url);
            told
        }))
    }
}

fn delivery_result(result: &Value) -> Result<DeliveryResult, Broken> {
    if let Some(ms) = result["later"].as_u64() {
        return Ok(DeliveryResult::Later { after_ms: ms });
    }
    match result.as_str() {
        Some("delivered") => Ok(DeliveryResult::Delivered),
        Some("refused") => Ok(DeliveryResult::Refused),
        _ => Err("unknown delivery result".to_owned()),
    }
}

fn reply(step: &Value) -> Result<TransportReply, Broken> {
    let reply = &step["reply"];
    if reply.as_str() == Some("failed") {
        return Ok(TransportReply::Failed { code: "host" });
    }
    let status = reply["status"].as_u64().and_then(|s| u16::try_from(s).ok()).ok_or("`status` is missing")?;
    let headers = reply["headers"].as_object().into_iter().flatten();
    Ok(TransportReply::Response {
        status,
        headers: headers.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect(),
        body: unhex(reply["hex"].as_str().unwrap_or_default()),
        complete: reply["complete"].as_bool().unwrap_or(true),
    })
}

fn outcome_json(outcome: &UploadOutcome) -> Value {
    match outcome {
        UploadOutcome::Acknowledged { records } => json!({ "kind": "acknowledged", "records": records }),
        UploadOutcome::Later { code, .. } => json!({ "kind": "later", "code": code }),
        UploadOutcome::Quarantined { records, code } => {
            json!({ "kind": "quarantined", "records": records, "code": code })
        }
        UploadOutcome::Cancelled { .. } => json!({ "kind": "cancelled" }),
        _ => json!({ "kind": "other" }),
    }
}

fn verdict_json(verdict: LedgerVerdict) -> Value {
    match verdict {
        LedgerVerdict::Sound { .. } => json!({ "verdict": "sound" }),
        LedgerVerdict::Broken { sequence, .. } => json!({ "verdict": "broken", "number": sequence }),
        LedgerVerdict::Unreadable => json!({ "verdict": "unreadable" }),
    }
}
