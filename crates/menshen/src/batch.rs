//! The records of one upload: read, each decided anew by what it carries, and put into blocks.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use menshen_journal::{Domain, LabelKind, Lane, Now, Read, Record, RecordId};
use menshen_policy::document::{Encoding, Endpoint};

use crate::account::Destination;
use crate::core::Core;
use crate::entry::What;
use crate::error::Error;
use crate::identifier::pseudonym;
use crate::in_force::InForce;
use crate::ndjson::Lines;
use crate::otlp::{BadReply, Body, Value, without_attributes};
use crate::sdk::Shared;
use crate::sealed::Header;

/// The most bytes of records in one upload, before compression.
const MAX_BYTES: usize = 256 * 1024;

/// Records that may go to an endpoint now.
pub(crate) struct Batch {
    pub(crate) records: Vec<(RecordId, Domain)>,
    /// The request that carries them, before compression.
    pub(crate) body: Vec<u8>,
}

impl Batch {
    /// The next records for an endpoint. What may not leave is passed over for good and kept until it expires.
    pub(crate) fn next(
        core: &mut Core,
        shared: &Shared,
        now: &Now,
        id: &str,
        endpoint: &Endpoint,
        max_records: usize,
    ) -> Result<Option<Self>, Error> {
        let recipient = endpoint.recipient.as_str();
        let domains = open_domains(core, shared, now, recipient)?;
        if domains.is_empty() {
            return Ok(None);
        }
        let label = shared.journal.label(LabelKind::Endpoint, id)?;
        let order: Vec<Domain> = domains.keys().copied().collect();
        let skip = core.exchanges.uploading(id);
        loop {
            let read = shared.journal.read_batch(&Read {
                endpoint: label,
                lane: Lane::Telemetry,
                domains: &order,
                max_records,
                max_bytes: MAX_BYTES,
                skip: &skip,
            })?;
            if read.records.is_empty() {
                return Ok(None);
            }
            let encoding = endpoint.encoding;
            let mut sorting =
                Sorting { core, shared, now, recipient, encoding, domains: &domains, sending: BTreeMap::new() };
            let (batch, refused) = sorting.sort(&read.records)?;
            if !refused.is_empty() {
                shared.journal.quarantine(label, &refused)?;
            }
            if !batch.records.is_empty() {
                note_destinations(core, shared, &batch.records, &domains, id, endpoint)?;
                return Ok(Some(batch));
            }
        }
    }
}

/// The live epochs whose records may go to a recipient. Decided by consent, policy and law now; the system permission
/// of the moment does not matter here.
fn open_domains(core: &Core, shared: &Shared, now: &Now, recipient: &str) -> Result<BTreeMap<Domain, String>, Error> {
    let in_force = core.in_force(now);
    let mut domains = BTreeMap::new();
    for (at, purpose) in core.policy.purposes_of_recipient(recipient) {
        let purpose = purpose.as_str();
        if in_force.has_recipient(purpose, recipient)
            && core.gate(at, purpose, now).closed.is_none()
            && let Some(domain) = core.domain(&shared.journal, purpose)?
        {
            domains.insert(domain, purpose.to_owned());
        }
    }
    Ok(domains)
}

struct Sorting<'a> {
    core: &'a Core,
    shared: &'a Shared,
    now: &'a Now,
    recipient: &'a str,
    encoding: Encoding,
    domains: &'a BTreeMap<Domain, String>,
    /// What was found out about each shape met; `None` where nothing of it may leave.
    sending: BTreeMap<(Domain, u32), Option<Sending>>,
}

impl Sorting<'_> {
    /// The records that may leave, in blocks, and those whose event, category or time has ended.
    fn sort(&mut self, records: &[Record]) -> Result<(Batch, Vec<RecordId>), Error> {
        let mut taken = Vec::with_capacity(records.len());
        let mut refused = Vec::new();
        // What holds for a whole block stands once, on its resource: purpose, pseudonym, policy, law packs.
        let mut blocks: BTreeMap<(Domain, u32), Block> = BTreeMap::new();
        for record in records {
            let Some((context, wire)) = self.decide(record) else {
                refused.push(record.id);
                continue;
            };
            let block = match blocks.entry((record.domain, context)) {
                Entry::Occupied(block) => block.into_mut(),
                Entry::Vacant(place) => place.insert(self.block(&record.domain, context)?),
            };
            match block.push(&wire) {
                Ok(()) => taken.push((record.id, record.domain)),
                Err(_) => refused.push(record.id),
            }
        }
        // A request is its blocks one after another, in OTLP too: the field is repeated (Protocol Buffers encoding).
        let body = blocks.into_values().flat_map(Block::finish).collect();
        Ok((Batch { records: taken, body }, refused))
    }

    /// The context of a record and what of it may leave.
    fn decide<'r>(&mut self, record: &'r Record) -> Option<(u32, Cow<'r, [u8]>)> {
        let (header, wire) = Header::read(&record.body)?;
        let purpose = self.domains.get(&record.domain)?;
        let (core, now) = (self.core, self.now);
        let sending = self
            .sending
            .entry((record.domain, header.shape))
            .or_insert_with(|| Sending::of(core, core.in_force(now), purpose, header.shape));
        let sending = sending.as_ref().filter(|of| !header.is_older_than(of.kept_for_ms, now))?;
        Some((sending.context, sending.wire(wire)?))
    }

    fn block(&self, domain: &Domain, context: u32) -> Result<Block, Error> {
        let purpose = self.domains.get(domain).map_or("", String::as_str);
        let resource = resource(self.core, self.shared, domain, purpose, self.recipient, context)?;
        if self.encoding == Encoding::Ndjson {
            return Ok(Block::Ndjson(resource, Lines::default()));
        }
        let attributes: Vec<(&str, Value<'_>)> =
            resource.iter().map(|(name, value)| (*name, Value::String(value))).collect();
        Ok(Block::Otlp(Body::new(&attributes, "menshen", env!("CARGO_PKG_VERSION"))))
    }
}

/// Records with the same resource, as the endpoint wants them written.
enum Block {
    Otlp(Body),
    Ndjson(Vec<(&'static str, String)>, Lines),
}

impl Block {
    fn push(&mut self, wire: &[u8]) -> Result<(), BadReply> {
        match self {
            Self::Otlp(body) => body.push(wire),
            Self::Ndjson(resource, lines) => lines.push(resource, wire)?,
        }
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Otlp(body) => body.finish(),
            Self::Ndjson(_, lines) => lines.finish(),
        }
    }
}

/// What records of one shape may say now.
struct Sending {
    context: u32,
    kept_for_ms: u64,
    ended: BTreeSet<String>,
}

impl Sending {
    /// `None` where nothing of it may leave.
    fn of(core: &Core, in_force: InForce<'_>, purpose: &str, shape: u32) -> Option<Self> {
        let shape = core.state.shapes.get(&shape).filter(|shape| shape.purpose == purpose)?;
        let ended = in_force.ended_fields(shape)?;
        Some(Self { context: shape.context, kept_for_ms: in_force.kept_for_ms(purpose), ended })
    }

    /// A record's wire form without the fields that ended.
    fn wire<'a>(&self, wire: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if self.ended.is_empty() {
            return Some(Cow::Borrowed(wire));
        }
        without_attributes(wire, |name| self.ended.contains(name)).ok().map(Cow::Owned)
    }
}

/// Before the first record of an epoch goes to an endpoint, the ledger says where and under which pseudonym: a later
/// request to erase needs neither the purpose's key nor the policy that named the endpoint.
fn note_destinations(
    core: &mut Core,
    shared: &Shared,
    taken: &[(RecordId, Domain)],
    domains: &BTreeMap<Domain, String>,
    id: &str,
    endpoint: &Endpoint,
) -> Result<(), Error> {
    let sending: BTreeSet<Domain> = taken.iter().map(|(_, domain)| *domain).collect();
    let mut what = Vec::new();
    for domain in sending {
        let Some(purpose) = domains.get(&domain) else { continue };
        let to = Destination {
            endpoint: id.to_owned(),
            url: endpoint.url.to_string(),
            pseudonym: pseudonym(&shared.journal, &domain, endpoint.recipient.as_str())?,
        };
        if core.state.sent.get(purpose).is_some_and(|sent| sent.contains(&to)) {
            continue;
        }
        let (purpose, epoch) = (purpose.clone(), domain.epoch);
        what.push(What::SendingStarted { purpose, epoch, endpoint: to.endpoint, url: to.url, pseudonym: to.pseudonym });
    }
    if what.is_empty() { Ok(()) } else { core.commit(shared, what) }
}

fn resource(
    core: &Core,
    shared: &Shared,
    domain: &Domain,
    purpose: &str,
    recipient: &str,
    context: u32,
) -> Result<Vec<(&'static str, String)>, Error> {
    let mut resource = vec![
        ("privacy.purpose", purpose.to_owned()),
        ("enduser.pseudo.id", pseudonym(&shared.journal, domain, recipient)?),
        ("privacy.recipient", recipient.to_owned()),
    ];
    if let Some(context) = core.state.contexts.get(&context) {
        let packs: Vec<String> =
            context.law_packs.iter().map(|pack| format!("{} {} {}", pack.id, pack.as_of, pack.hash)).collect();
        resource.extend([
            ("privacy.policy.id", context.policy_id.clone()),
            ("privacy.policy.version", context.policy_version.clone()),
            ("privacy.policy.hash", context.policy_hash.clone()),
            ("privacy.law_packs", packs.join(", ")),
        ]);
    }
    Ok(resource)
}
