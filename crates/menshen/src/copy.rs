//! Everything that the device keeps of the person, as one document for them: made here, without network.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use menshen_journal::{Domain, Label, Lane, Read, Record};
use serde::Serialize;

use crate::account::Status;
use crate::copy_page;
use crate::core::Core;
use crate::entry::{Content, Entry, RestrictedBy, What};
use crate::error::Error;
use crate::otlp::{RECORD_UID, ReadRecord, Value};
use crate::outbox::read_body;
use crate::sdk::Shared;
use crate::sealed::Header;
use crate::session::Session;

/// All of it.
#[derive(Serialize)]
pub(crate) struct Copy {
    format: &'static str,
    pub(crate) made_at_ms: i64,
    pub(crate) language: String,
    pub(crate) controller: Named,
    pub(crate) policy: PolicyVersion,
    pub(crate) person: Person,
    pub(crate) purposes: Vec<PurposeCopy>,
    pub(crate) records: Vec<RecordCopy>,
    pub(crate) items: Vec<ItemCopy>,
    pub(crate) requests: Vec<RequestCopy>,
    pub(crate) history: Vec<HistoryEntry>,
    /// Records that are here and could not be read, because their key does not answer or their bytes are damaged.
    pub(crate) unreadable: u64,
    #[serde(skip)]
    pub(crate) labels: crate::texts::CopyWords,
}

#[derive(Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) contact: String,
}

#[derive(Serialize)]
pub(crate) struct PolicyVersion {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
}

/// What is kept of age and place. A birth month is not.
#[derive(Serialize)]
pub(crate) struct Person {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age_from: Option<u8>,
    /// The month in which the person is surely past the next threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_threshold: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct PurposeCopy {
    pub(crate) purpose: String,
    pub(crate) name: String,
    pub(crate) answer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restricted_by: Option<RestrictedBy>,
    pub(crate) allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why_not: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct RecordCopy {
    pub(crate) purpose: String,
    pub(crate) event: String,
    pub(crate) recorded_at_ms: i64,
    pub(crate) kept_until_ms: i64,
    pub(crate) fields: BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize)]
pub(crate) struct ItemCopy {
    pub(crate) purpose: String,
    pub(crate) recipient: String,
    pub(crate) recipient_name: String,
    pub(crate) put_at_ms: i64,
    pub(crate) kept_until_ms: i64,
    pub(crate) content: ItemContent,
}

/// The app's own bytes: as they are where they are text.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ItemContent {
    Text(String),
    Base64(String),
}

#[derive(Serialize)]
pub(crate) struct RequestCopy {
    pub(crate) id: String,
    pub(crate) right: &'static str,
    pub(crate) made_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due: Option<String>,
    pub(crate) state: &'static str,
    pub(crate) text: String,
}

/// One entry of the ledger.
#[derive(Serialize)]
pub(crate) struct HistoryEntry {
    pub(crate) at_ms: i64,
    pub(crate) r#type: String,
    pub(crate) details: BTreeMap<String, serde_json::Value>,
}

/// What of an entry is no data of the person, or stands elsewhere: whole policies, names of keys, numbers of shapes.
const LEFT_OUT: [&str; 4] = ["document", "alias", "shape", "context"];

impl HistoryEntry {
    fn of(entry: &Entry) -> Option<Self> {
        let serde_json::Value::Object(mut all) = serde_json::to_value(entry).ok()? else { return None };
        for key in ["at", "up", "boot"].iter().chain(&LEFT_OUT) {
            all.remove(*key);
        }
        let r#type = all.remove("type")?.as_str()?.to_owned();
        if matches!(entry.what, What::Context { .. } | What::Shape { .. }) {
            return None;
        }
        Some(Self { at_ms: entry.at, r#type, details: all.into_iter().collect() })
    }
}

fn json(value: Value<'_>) -> serde_json::Value {
    match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Number(number) => number.into(),
        Value::Boolean(flag) => flag.into(),
    }
}

impl Session {
    /// Everything that the device keeps of this account, as one JSON document: the answers, what is recorded and not yet
    /// gone, what the app put in the outbox, the rights that were used, the history. Made without network; it takes its
    /// time, so call it from a background thread.
    ///
    /// # Errors
    /// The ledger or the store cannot be read.
    pub fn copy_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(&self.copy()?).map_err(|_| Error::Internal { what: "copy" })
    }

    /// The same as [`Session::copy_json`] as one readable HTML page, in the session's locale. It holds everything
    /// it shows: it loads nothing and runs nothing.
    ///
    /// # Errors
    /// As [`Session::copy_json`].
    pub fn copy_html(&self) -> Result<String, Error> {
        Ok(copy_page::render(&self.copy()?))
    }

    fn copy(&self) -> Result<Copy, Error> {
        let requests = self.right_records()?;
        let (mut copy, domains) = self.work(|core, shared| {
            core.load(shared)?;
            Ok::<_, Error>((core.copy_of_answers(shared)?, core.kept_domains(shared)?))
        })?;
        copy.requests = requests
            .into_iter()
            .map(|record| RequestCopy {
                id: record.id,
                right: record.right.id(),
                made_at_ms: record.made_ms,
                due: record.due,
                state: record.state.code(),
                text: record.text,
            })
            .collect();
        for (purpose, domain) in domains {
            for lane in [Lane::Telemetry, Lane::Outbox] {
                // Without the session's lock: whoever asks meanwhile waits for nothing.
                let read = read_all(self.shared(), domain, lane)?;
                copy.unreadable += read.unreadable;
                self.read(|core, _| copy.take_in(core, &purpose, lane, &read.records));
            }
        }
        Ok(copy)
    }
}

struct ReadAll {
    records: Vec<Record>,
    unreadable: u64,
}

fn read_all(shared: &Shared, domain: Domain, lane: Lane) -> Result<ReadAll, Error> {
    // Nobody is called so, so that nothing counts as delivered.
    let endpoint = Label::from_number(0);
    let mut skip = HashSet::new();
    let mut all = ReadAll { records: Vec::new(), unreadable: 0 };
    loop {
        let batch = shared.journal.read_batch(&Read {
            endpoint,
            lane,
            domains: &[domain],
            max_records: 512,
            max_bytes: usize::MAX,
            skip: &skip,
        })?;
        if batch.records.is_empty() {
            all.unreadable += batch.damaged + batch.wrong_key;
            if batch.locked > 0 {
                all.unreadable += shared.journal.count(&domain);
            }
            return Ok(all);
        }
        skip.extend(batch.records.iter().map(|record| record.id));
        all.records.extend(batch.records);
    }
}

impl Copy {
    fn take_in(&mut self, core: &Core, purpose: &str, lane: Lane, records: &[Record]) {
        for record in records {
            let taken = match lane {
                Lane::Outbox => self.take_in_item(core, purpose, record),
                _ => self.take_in_record(core, purpose, record),
            };
            self.unreadable += u64::from(taken.is_none());
        }
    }

    fn take_in_record(&mut self, core: &Core, purpose: &str, record: &Record) -> Option<()> {
        let (header, wire) = Header::read(&record.body)?;
        let Content::Event { event, .. } = &core.state.shapes.get(&header.shape)?.content else { return None };
        let read = ReadRecord::of(wire).ok()?;
        let attributes = read.attributes.into_iter().filter(|(name, _)| *name != RECORD_UID);
        let fields = attributes.map(|(name, value)| (name.to_owned(), json(value)));
        self.records.push(RecordCopy {
            purpose: purpose.to_owned(),
            event: event.clone(),
            recorded_at_ms: header.sealed_ms,
            kept_until_ms: record.expires_ms,
            fields: fields.collect(),
        });
        Some(())
    }

    fn take_in_item(&mut self, core: &Core, purpose: &str, record: &Record) -> Option<()> {
        let (header, recipient, bytes) = read_body(&record.body)?;
        let content = match std::str::from_utf8(bytes) {
            Ok(text) => ItemContent::Text(text.to_owned()),
            Err(_) => ItemContent::Base64(BASE64.encode(bytes)),
        };
        self.items.push(ItemCopy {
            purpose: purpose.to_owned(),
            recipient: recipient.to_owned(),
            recipient_name: core.policy.recipient(recipient).map_or(recipient, |r| core.local(&r.name)).to_owned(),
            put_at_ms: header.sealed_ms,
            kept_until_ms: record.expires_ms,
            content,
        });
        Some(())
    }
}

impl Core {
    fn kept_domains(&self, shared: &Shared) -> Result<Vec<(String, Domain)>, Error> {
        let mut domains = Vec::new();
        for purpose in self.state.purposes.keys() {
            if let Some(domain) = self.domain(&shared.journal, purpose)? {
                domains.push((purpose.clone(), domain));
            }
        }
        Ok(domains)
    }

    fn copy_of_answers(&self, shared: &Shared) -> Result<Copy, Error> {
        let now = shared.clock.now();
        let document = self.policy.document();
        let purposes = document.purposes.iter().map(|(id, purpose)| {
            let denial = self.denial(id.as_str(), &now)?;
            let state = self.state.purposes.get(id.as_str());
            Ok(PurposeCopy {
                purpose: id.to_string(),
                name: self.local(&purpose.name).to_owned(),
                answer: answer(state.map(|state| &state.status)),
                restricted_by: state.and_then(|state| state.restricted.as_ref()).map(|restricted| restricted.by),
                allowed: denial.is_none(),
                why_not: denial.map(|denial| denial.text),
            })
        });
        let contents = shared.journal.ledger_read(self.account)?;
        let entries = contents
            .entries
            .iter()
            .filter_map(|entry| HistoryEntry::of(&Entry::join(&entry.statement, &entry.payload.as_ref()?.bytes)?));
        let age = self.state.subject.age;
        Ok(Copy {
            format: "menshen/copy/0",
            made_at_ms: now.wall_ms,
            language: self.locale().to_owned(),
            controller: Named {
                name: self.local(&document.controller.name).to_owned(),
                contact: self.local(&document.controller.contact).to_owned(),
            },
            policy: PolicyVersion {
                id: document.id.to_string(),
                version: document.version.to_string(),
                sha256: self.policy.hash().to_owned(),
            },
            person: Person {
                account: self.known_as.clone(),
                place: self.state.subject.place.as_ref().map(ToString::to_string),
                age_from: age.map(|age| age.from),
                next_threshold: age.and_then(|age| age.below).map(|next| next.month.to_string()),
            },
            purposes: purposes.collect::<Result<_, Error>>()?,
            records: Vec::new(),
            items: Vec::new(),
            requests: Vec::new(),
            history: entries.collect(),
            unreadable: 0,
            labels: crate::texts::copy_words(self.locale()),
        })
    }
}

fn answer(status: Option<&Status>) -> &'static str {
    match status {
        None | Some(Status::NotAsked) => "not-asked",
        Some(Status::Given { .. }) => "given",
        Some(Status::Opened) => "opened",
        Some(Status::Refused) => "refused",
        Some(Status::Withdrawn) => "withdrawn",
        Some(Status::Marked) => "denied-by-marker",
        Some(Status::Ended) => "ended",
    }
}
