//! Uploads as values: what to send next, decided anew for every record, and what a reply means.

use std::collections::BTreeMap;

use menshen_journal::{Domain, LabelKind, Lane, Now, RecordId};
use menshen_policy::document::{Encoding, Endpoint, Right};
use serde::Serialize;

use crate::account::{Erase, UsedRight};
use crate::batch::Batch;
use crate::core::Core;
use crate::entry::{About, What};
use crate::error::Error;
use crate::exchange::{TransportReply, UploadRequest};
use crate::exchange_state::{InFlight, Payload};
use crate::ndjson;
use crate::otlp::{self, BadReply, Reply, gzip};
use crate::sdk::Shared;
use crate::session::Session;

/// What a reply meant for the records.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UploadOutcome {
    /// The receiver has them; so many are acknowledged.
    Acknowledged {
        /// Records.
        records: usize,
    },
    /// Nothing is acknowledged; they are offered again, not before `not_before_ms`.
    Later {
        /// What stood in the way: `unavailable`, `refused`, `transport`, or a reply that acknowledges nothing:
        /// `reply-cut`, `reply-wrong-type`, `reply-too-long`, `reply-malformed`.
        code: &'static str,
        /// In milliseconds since 1970.
        not_before_ms: i64,
    },
    /// The receiver refused them for good. They are kept and not offered again, until they expire.
    Quarantined {
        /// Records.
        records: usize,
        /// What the receiver answered: `records-rejected`, `request-rejected`.
        code: &'static str,
    },
    /// The upload was cancelled by a withdrawal. `delivered` tells whether the receiver has it all the same.
    Cancelled {
        /// Whether the receiver confirmed it.
        delivered: bool,
    },
}

#[derive(Serialize)]
struct EraseBody<'a> {
    r#type: &'static str,
    purpose: &'a str,
    pseudonyms: [&'a str; 1],
    policy: &'a str,
}

#[derive(Serialize)]
struct RightBody<'a> {
    r#type: &'static str,
    right: Right,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pseudonym: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<&'a str>,
    policy: &'a str,
}

impl Session {
    /// The next upload that is allowed and due, or `None`. Requests to erase come first, then what the person
    /// demands; one that fails rests by itself and holds up no records.
    ///
    /// # Errors
    /// The store failed.
    pub fn next_upload(&self) -> Result<Option<UploadRequest>, Error> {
        self.work(|core, shared| {
            core.load(shared)?;
            let now = shared.clock.now();
            if let Some(upload) = next_owed(core, &now)? {
                return Ok(Some(upload));
            }
            let endpoints: Vec<(String, Endpoint)> =
                core.in_force(&now).endpoints().map(|(id, e)| (id.to_owned(), e.clone())).collect();
            for (id, endpoint) in endpoints {
                if let Some(upload) = next_records(core, shared, &now, &id, &endpoint)? {
                    return Ok(Some(upload));
                }
            }
            Ok(None)
        })
    }

    /// When the next upload may be due, in milliseconds since 1970, if an endpoint or something owed to the person is resting.
    #[must_use]
    pub fn next_upload_at(&self) -> Option<i64> {
        self.read(|core, shared| {
            let now = shared.clock.now().wall_ms;
            let endpoints = core.exchanges.endpoints.values().map(|endpoint| endpoint.rest.not_before_ms);
            let owed = core.exchanges.owed.values().map(|rest| rest.not_before_ms);
            endpoints.chain(owed).filter(|at| *at > now).min()
        })
    }

    /// Takes the reply to an upload. Records are acknowledged only by a complete reply of the right type that
    /// rejects nothing.
    ///
    /// # Errors
    /// No such upload is under way, or the store failed; the records are then offered again.
    pub fn upload_finished(&self, id: u64, reply: &TransportReply) -> Result<UploadOutcome, Error> {
        self.work(|core, shared| {
            let upload = core.exchanges.uploads.remove(&id).ok_or(Error::UnknownExchange { id })?;
            finish(core, shared, id, &upload, reply)
        })
    }

    /// Uploads that are with the transport and must be stopped, because a purpose in them was withdrawn.
    #[must_use]
    pub fn cancelled_uploads(&self) -> Vec<u64> {
        self.read(|core, _| {
            core.exchanges.uploads.iter().filter(|(_, upload)| upload.cancelled).map(|(id, _)| *id).collect()
        })
    }

    /// Records of a purpose that wait for an endpoint.
    ///
    /// # Errors
    /// The store failed.
    pub fn waiting_records(&self, purpose: &str) -> Result<u64, Error> {
        self.read(|core, shared| {
            Ok(core.domain(&shared.journal, purpose)?.map_or(0, |domain| shared.journal.count(&domain)))
        })
    }
}

/// What is owed to the person: requests to erase first, then what they demand.
fn next_owed(core: &mut Core, now: &Now) -> Result<Option<UploadRequest>, Error> {
    let Some((id, owed)) = due(core, now) else { return Ok(None) };
    let id = id.to_owned();
    let (url, what, body) = match owed {
        Owed::Erase(Erase { purpose, to }) => {
            let body = EraseBody { r#type: "erase", purpose, pseudonyms: [&to.pseudonym], policy: core.policy.hash() };
            (format!("{}/erase", to.url.trim_end_matches('/')), Payload::Erase { id: id.clone() }, to_json(&body)?)
        }
        Owed::Right { used, about, url, .. } => {
            let (account, pseudonym, purpose) = match about {
                About::Account { account } => (Some(account.as_str()), None, used.purpose.as_deref()),
                About::Records { pseudonym, purpose, .. } => (None, Some(pseudonym.as_str()), Some(purpose.as_str())),
                About::Nobody => (None, None, used.purpose.as_deref()),
            };
            let body = RightBody {
                r#type: "right",
                right: used.right,
                account,
                pseudonym,
                purpose,
                text: used.text.as_deref(),
                due: used.due.as_deref(),
                policy: &used.policy,
            };
            (format!("{}/rights", url.trim_end_matches('/')), Payload::Right { part: id.clone() }, to_json(&body)?)
        }
    };
    let endpoint = owed.endpoint().to_owned();
    let number = core.exchanges.next_id();
    core.exchanges.uploads.insert(number, InFlight { endpoint, what, cancelled: false });
    let headers = vec![("content-type".to_owned(), "application/json".to_owned()), ("idempotency-key".to_owned(), id)];
    Ok(Some(UploadRequest { id: number, url, headers, body }))
}

/// Something that waits to be sent for the person.
#[derive(Clone, Copy)]
enum Owed<'a> {
    Erase(&'a Erase),
    Right { used: &'a UsedRight, about: &'a About, endpoint: &'a str, url: &'a str },
}

impl<'a> Owed<'a> {
    fn endpoint(self) -> &'a str {
        match self {
            Self::Erase(erase) => &erase.to.endpoint,
            Self::Right { endpoint, .. } => endpoint,
        }
    }
}

/// The next thing owed that is not under way and does not rest, with its id.
fn due<'a>(core: &'a Core, now: &Now) -> Option<(&'a str, Owed<'a>)> {
    let under_way: Vec<&str> = core
        .exchanges
        .uploads
        .values()
        .filter_map(|upload| match &upload.what {
            Payload::Erase { id } | Payload::Right { part: id } => Some(id.as_str()),
            Payload::Records(..) => None,
        })
        .collect();
    let erases = core.state.erases.iter().map(|(id, erase)| (id.as_str(), Owed::Erase(erase)));
    let makers = core.policy.makers_endpoint().map(|(id, endpoint)| (id.as_str(), endpoint.url.as_str()));
    let rights = core.state.rights.values().flat_map(|used| {
        used.unconfirmed.iter().filter_map(move |part| {
            let (endpoint, url) = match &part.about {
                About::Records { endpoint, url, .. } => (endpoint.as_str(), url.as_str()),
                About::Account { .. } | About::Nobody => makers?,
            };
            Some((part.id.as_str(), Owed::Right { used, about: &part.about, endpoint, url }))
        })
    });
    erases.chain(rights).find(|(id, owed)| {
        let endpoint = core.exchanges.endpoints.get(owed.endpoint()).map(|endpoint| &endpoint.rest);
        let mut rests = endpoint.into_iter().chain(core.exchanges.owed.get(*id));
        // Records that arrive after the request would stay there.
        let mut uploads = core.exchanges.uploads.values();
        let outrun = uploads.any(|upload| upload.cancelled && upload.endpoint == owed.endpoint());
        !under_way.contains(id) && !outrun && rests.all(|rest| rest.not_before_ms <= now.wall_ms)
    })
}

fn to_json(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|_| Error::Internal { what: "request body" })
}

fn next_records(
    core: &mut Core,
    shared: &Shared,
    now: &Now,
    id: &str,
    endpoint: &Endpoint,
) -> Result<Option<UploadRequest>, Error> {
    let state = core.exchanges.endpoints.get(id).copied().unwrap_or_default();
    if state.rest.not_before_ms > now.wall_ms {
        return Ok(None);
    }
    let Some(batch) = Batch::next(core, shared, now, id, endpoint, state.max_records)? else { return Ok(None) };
    let body = gzip(&batch.body).map_err(|_| Error::Internal { what: "gzip" })?;
    let number = core.exchanges.next_id();
    let in_flight = InFlight {
        endpoint: id.to_owned(),
        what: Payload::Records(batch.records, endpoint.encoding),
        cancelled: false,
    };
    core.exchanges.uploads.insert(number, in_flight);
    let content_type = match endpoint.encoding {
        Encoding::Ndjson => ndjson::CONTENT_TYPE,
        _ => otlp::CONTENT_TYPE,
    };
    let headers =
        vec![("content-type".to_owned(), content_type.to_owned()), ("content-encoding".to_owned(), "gzip".to_owned())];
    Ok(Some(UploadRequest { id: number, url: endpoint.url.to_string(), headers, body }))
}

/// What the transport's reply says about the request, before it is weighed for the records.
enum Answer {
    Taken,
    RejectedRecords,
    TooLarge,
    RejectedRequest,
    Later { code: &'static str, told_ms: Option<i64> },
}

fn is_json(reply: &TransportReply) -> bool {
    let kind = reply.header("content-type").and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn read_answer(reply: &TransportReply, what: &Payload) -> Answer {
    let TransportReply::Response { status, body, complete, .. } = reply else {
        return Answer::Later { code: "transport", told_ms: None };
    };
    match status {
        200..=299 if !complete => Answer::Later { code: "reply-cut", told_ms: None },
        200..=299 => match read_taken(reply, body, what) {
            Ok(reply) if reply.rejected == 0 => Answer::Taken,
            Ok(_) => Answer::RejectedRecords,
            Err(bad) => Answer::Later { code: bad.code(), told_ms: None },
        },
        413 => Answer::TooLarge,
        400 | 422 => Answer::RejectedRequest,
        429 | 500..=599 => {
            let told = reply.header("retry-after").and_then(|text| text.trim().parse::<i64>().ok());
            Answer::Later { code: "unavailable", told_ms: told.map(|seconds| seconds.saturating_mul(1000)) }
        }
        _ => Answer::Later { code: "refused", told_ms: None },
    }
}

/// What a complete 2xx reply says, by what was asked.
fn read_taken(reply: &TransportReply, body: &[u8], what: &Payload) -> Result<Reply, BadReply> {
    match what {
        // A page of a portal in between confirms nothing.
        Payload::Erase { .. } | Payload::Right { .. } if !body.is_empty() && !is_json(reply) => {
            Err(BadReply::WrongType)
        }
        Payload::Erase { .. } | Payload::Right { .. } => Ok(Reply::default()),
        Payload::Records(_, Encoding::Ndjson) => ndjson::read_reply(is_json(reply), body),
        Payload::Records(..) => otlp::read_reply(reply.header("content-type"), body),
    }
}

fn finish(
    core: &mut Core,
    shared: &Shared,
    id: u64,
    upload: &InFlight,
    reply: &TransportReply,
) -> Result<UploadOutcome, Error> {
    let now = shared.clock.now().wall_ms;
    let (records, is_owed) = match &upload.what {
        Payload::Erase { .. } | Payload::Right { .. } => (Vec::new(), true),
        Payload::Records(records, _) => (records.clone(), false),
    };
    let answer = read_answer(reply, &upload.what);
    let label = shared.journal.label(LabelKind::Endpoint, &upload.endpoint)?;
    if upload.cancelled {
        return finish_cancelled(core, shared, id, &records, matches!(answer, Answer::Taken), label);
    }
    let ids: Vec<RecordId> = records.iter().map(|(id, _)| *id).collect();
    match answer {
        Answer::Taken => {
            match &upload.what {
                Payload::Erase { id } => {
                    core.commit(shared, vec![What::EraseAcknowledged { id: id.clone() }])?;
                    core.exchanges.owed.remove(id);
                }
                Payload::Right { part } => {
                    core.commit(shared, vec![What::RightAcknowledged { part: part.clone() }])?;
                    core.exchanges.owed.remove(part);
                }
                Payload::Records(..) => {
                    shared.journal.acknowledge(label, &ids)?;
                    retire(core, shared)?;
                    core.exchanges.endpoints.entry(upload.endpoint.clone()).or_default().succeed();
                }
            }
            Ok(UploadOutcome::Acknowledged { records: ids.len() })
        }
        Answer::RejectedRecords => {
            // The receiver does not say which ones, and asks not to be sent the batch again (OTLP partial success).
            shared.journal.quarantine(label, &ids)?;
            Ok(UploadOutcome::Quarantined { records: ids.len(), code: "records-rejected" })
        }
        Answer::TooLarge | Answer::RejectedRequest if ids.len() > 1 => {
            // One bad record must not hold up the others: halve until it stands alone.
            let state = core.exchanges.endpoints.entry(upload.endpoint.clone()).or_default();
            state.max_records = (ids.len() / 2).max(1);
            Ok(UploadOutcome::Later { code: "refused", not_before_ms: now })
        }
        Answer::TooLarge | Answer::RejectedRequest if !is_owed => {
            shared.journal.quarantine(label, &ids)?;
            Ok(UploadOutcome::Quarantined { records: ids.len(), code: "request-rejected" })
        }
        Answer::TooLarge | Answer::RejectedRequest => Ok(rest(core, upload, now, "refused", None)),
        Answer::Later { code, told_ms } => Ok(rest(core, upload, now, code, told_ms)),
    }
}

fn rest(core: &mut Core, upload: &InFlight, now: i64, code: &'static str, told_ms: Option<i64>) -> UploadOutcome {
    let rest = match &upload.what {
        // A receiver that cannot erase may take records all the same.
        Payload::Erase { id } | Payload::Right { part: id } => core.exchanges.owed.entry(id.clone()).or_default(),
        Payload::Records(..) => &mut core.exchanges.endpoints.entry(upload.endpoint.clone()).or_default().rest,
    };
    rest.fail(now, told_ms);
    UploadOutcome::Later { code, not_before_ms: rest.not_before_ms }
}

/// What was on its way when a purpose was withdrawn is recorded either way; what else was in it counts as sent
/// only if the receiver has it.
fn finish_cancelled(
    core: &mut Core,
    shared: &Shared,
    id: u64,
    records: &[(RecordId, Domain)],
    delivered: bool,
    label: menshen_journal::Label,
) -> Result<UploadOutcome, Error> {
    let mut withdrawn = Vec::new();
    let mut live = Vec::new();
    for (record, domain) in records {
        let name = shared.journal.label_name(domain.purpose).unwrap_or_default();
        if core.domain(&shared.journal, &name)? == Some(*domain) {
            live.push(*record);
        } else if !withdrawn.contains(&name) {
            withdrawn.push(name);
        }
    }
    if delivered && !live.is_empty() {
        shared.journal.acknowledge(label, &live)?;
    }
    let entries =
        withdrawn.into_iter().map(|purpose| What::InFlightAtWithdrawal { purpose, upload: id, delivered }).collect();
    core.commit(shared, entries)?;
    Ok(UploadOutcome::Cancelled { delivered })
}

/// Removes segments that every endpoint of their purpose has passed.
fn retire(core: &Core, shared: &Shared) -> Result<(), Error> {
    let mut endpoints = BTreeMap::new();
    for (_, id, purpose) in core.policy.purposes() {
        let mut labels = Vec::new();
        for (endpoint_id, endpoint) in &core.policy.document().endpoints {
            if purpose.recipients.contains(&endpoint.recipient) {
                labels.push(shared.journal.label(LabelKind::Endpoint, endpoint_id.as_str())?);
            }
        }
        endpoints.insert(core.label(&shared.journal, id.as_str())?, labels);
    }
    let account = core.account;
    shared.journal.retire_delivered(&|domain, lane| {
        let known = (domain.account == account && lane == Lane::Telemetry).then(|| endpoints.get(&domain.purpose));
        known.flatten().cloned().unwrap_or_default()
    })?;
    Ok(())
}
