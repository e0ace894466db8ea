//! Everything under a store in hand, for tests of a session.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::{Arc, Mutex};

use menshen::journal::simulated::{MemoryAnchor, SimulatedClock, SimulatedDisk};
use menshen::{
    Answer, Error, Identifier, IdentifierReader, MemoryKeys, Menshen, Permission, PermissionState, PermissionStatus,
    Platform, Policy, Recorded, Session, Step, Store, TransportReply, UploadRequest, fields,
};
use prost::Message as _;
use serde_json::Value;

pub(crate) const POLICY: &[u8] = include_bytes!("../vectors/policy.json");
pub(crate) const START_MS: i64 = 1_800_000_000_000;

/// Everything under a store, in hand.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) disk: SimulatedDisk,
    pub(crate) outside: SimulatedDisk,
    pub(crate) keys: MemoryKeys,
    pub(crate) clock: SimulatedClock,
    pub(crate) anchor: MemoryAnchor,
    pub(crate) phone: Phone,
    /// The policy that the app brings along.
    pub(crate) policy: Value,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            disk: SimulatedDisk::new(),
            outside: SimulatedDisk::new(),
            keys: MemoryKeys::new(),
            clock: SimulatedClock::at(START_MS),
            anchor: MemoryAnchor::new(),
            phone: Phone::default(),
            policy: serde_json::from_slice(POLICY).unwrap(),
        }
    }

    /// Under the tests' policy with a JSON merge patch (RFC 7386) on it.
    pub(crate) fn under(patch: Value) -> Self {
        let mut bench = Self::new();
        merge(&mut bench.policy, &patch);
        bench
    }

    pub(crate) fn try_open(&self) -> Result<Menshen, Error> {
        let phone = Arc::new(self.phone.clone());
        self.open_on(Platform { permissions: Arc::clone(&phone) as _, identifiers: phone })
    }

    pub(crate) fn open_on(&self, platform: Platform) -> Result<Menshen, Error> {
        self.open_with(Arc::new(self.keys.clone()), platform)
    }

    pub(crate) fn open_with(&self, keys: Arc<dyn menshen::KeyProvider>, platform: Platform) -> Result<Menshen, Error> {
        let store = Store::on(Arc::new(self.disk.clone()))
            .marking_denials_on(Arc::new(self.outside.clone()))
            .with_clock(Arc::new(self.clock.clone()))
            .with_anchor(Arc::new(self.anchor.clone()));
        Menshen::open_on(Policy::read(self.policy.to_string().as_bytes())?, store, keys, platform)
    }

    pub(crate) fn open(&self) -> Menshen {
        self.try_open().unwrap()
    }

    /// The store open, with a guest who agreed to everything.
    pub(crate) fn agreed(&self) -> (Menshen, Session) {
        let menshen = self.open();
        let session = menshen.guest().unwrap();
        agree(&session);
        (menshen, session)
    }

    /// Destroys the platform key that the purpose's latest grant names.
    pub(crate) fn lose_key_of(&self, session: &Session, purpose: &str) {
        let ledger: serde_json::Value = serde_json::from_str(&session.export_ledger().unwrap()).unwrap();
        let entries = ledger["entries"].as_array().unwrap().iter();
        let entries =
            entries.map(|e| serde_json::from_str::<serde_json::Value>(e["payload"]["text"].as_str().unwrap()).unwrap());
        let grant = entries.rev().find(|e| e["purpose"] == purpose && e["alias"].is_string()).unwrap();
        let alias = menshen::Alias::parse(grant["alias"].as_str().unwrap()).unwrap();
        menshen::KeyProvider::destroy(&self.keys, &alias).unwrap();
    }
}

/// Agrees to everything.
pub(crate) fn agree(session: &Session) {
    session
        .first_launch()
        .unwrap()
        .drive(&mut |step: &Step| match step {
            Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
            Step::Offer(offers) => Answer::Switches(offers.iter().map(|o| o.purpose.clone()).collect()),
            _ => Answer::Yes,
        })
        .unwrap();
}

pub(crate) fn record(session: &Session) -> Recorded {
    session.record("page_viewed", fields! { "page" => "start", "seconds" => 3 }).unwrap()
}

pub(crate) fn is_denied(recorded: &Recorded, code: &str) -> bool {
    matches!(recorded, Recorded::Denied(denial) if denial.code == code)
}

/// A platform whose permissions are refused for good until a test sets one, and whose identifiers read as their names.
#[derive(Clone, Default)]
pub(crate) struct Phone(Arc<Mutex<std::collections::BTreeMap<Permission, PermissionState>>>);

impl Phone {
    pub(crate) fn set(&self, permission: Permission, state: PermissionState) {
        self.0.lock().unwrap().insert(permission, state);
    }
}

impl PermissionStatus for Phone {
    fn state(&self, permission: Permission) -> PermissionState {
        self.0.lock().unwrap().get(&permission).copied().unwrap_or(PermissionState::Blocked)
    }
}

impl IdentifierReader for Phone {
    fn read(&self, identifier: Identifier) -> Option<String> {
        Some(format!("raw-{}", identifier.id()))
    }
}

/// The tests' policy as its version 1.1.0 with a JSON merge patch (RFC 7386) on it.
pub(crate) fn next_version(patch: Value) -> Policy {
    let mut document: Value = serde_json::from_slice(POLICY).unwrap();
    document["version"] = "1.1.0".into();
    merge(&mut document, &patch);
    Policy::read(document.to_string().as_bytes()).unwrap()
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

/// Agrees to the version that waits.
pub(crate) fn agree_to_change(session: &Session) {
    session
        .changed_policy()
        .unwrap()
        .drive(&mut |step: &Step| match step {
            Step::Offer(_) => Answer::Switches(Vec::new()),
            _ => Answer::Yes,
        })
        .unwrap();
}

/// A reply that takes everything.
pub(crate) fn taken() -> TransportReply {
    TransportReply::Response { status: 200, headers: Vec::new(), body: Vec::new(), complete: true }
}

/// A request that was sent, and the names of the fields in each of its records.
pub(crate) struct Sent {
    pub(crate) request: UploadRequest,
    pub(crate) fields: Vec<Vec<String>>,
}

/// Sends whatever is due.
pub(crate) fn send_all(session: &Session) -> Vec<Sent> {
    let mut sent = Vec::new();
    while let Some(request) = session.next_upload().unwrap() {
        session.upload_finished(request.id, &taken()).unwrap();
        let is_owed = request.url.ends_with("/erase") || request.url.ends_with("/rights");
        let fields = if is_owed { Vec::new() } else { fields_in(&request) };
        sent.push(Sent { request, fields });
    }
    sent
}

fn fields_in(request: &UploadRequest) -> Vec<Vec<String>> {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    let mut body = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(request.body.as_slice()), &mut body).unwrap();
    let logs = ExportLogsServiceRequest::decode(body.as_slice()).unwrap().resource_logs;
    let records = logs.into_iter().flat_map(|of| of.scope_logs).flat_map(|of| of.log_records);
    let names = |record: opentelemetry_proto::tonic::logs::v1::LogRecord| {
        record.attributes.into_iter().map(|pair| pair.key).filter(|key| key != "log.record.uid").collect()
    };
    records.map(names).collect()
}

/// The bodies of all requests to erase among these, each with where it went.
pub(crate) fn erases(sent: &[Sent]) -> Vec<(String, Value)> {
    let erases = sent.iter().map(|sent| &sent.request).filter(|request| request.url.ends_with("/erase"));
    erases.map(|request| (request.url.clone(), serde_json::from_slice(&request.body).unwrap())).collect()
}
