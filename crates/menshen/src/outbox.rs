//! The sealed outbox: the app's own opaque payloads, kept in order, decided anew, sent by the app itself.

use menshen_journal::{Append, Appended, Expiry, Label, LabelKind, Lane, Now, Read};

use crate::core::Core;
use crate::denial::{Denial, Remedy};
use crate::error::Error;
use crate::exchange_state::Delivering;
use crate::sdk::Shared;
use crate::sealed::Header;
use crate::session::Session;

/// The largest item, in bytes.
pub const MAX_ITEM_BYTES: usize = 1024 * 1024 - 1024;

/// How many items are looked at together, of at most [`MAX_ITEM_BYTES`].
const LOOKED_AT: usize = 512;

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// In memory only, as [`Recorded::Held`](crate::Recorded::Held).
    Held,
    /// Sealed; the operating system has it.
    Buffered,
    /// Not stored, because it is not allowed now, and why.
    Denied(Denial),
}

/// An item for the app to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names it when its result comes back.
    pub id: u64,
    /// The purpose that it serves.
    pub purpose: String,
    /// Who is to receive it.
    pub recipient: String,
    /// The bytes as they were put in.
    pub bytes: Vec<u8>,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: i64,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("id", &self.id).field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// What came of sending an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryResult {
    /// It arrived, or is with somebody who keeps it.
    Delivered,
    /// Not now; offer it again after so many milliseconds.
    Later {
        /// In milliseconds.
        after_ms: u64,
    },
    /// Never: it is not offered again, and goes when it expires.
    Refused,
}

impl Session {
    /// Seals an item for a recipient of a purpose, to live for `ttl_ms` milliseconds at most.
    ///
    /// # Errors
    /// An unknown purpose or recipient, an item too large, a time to live of zero or beyond the purpose's
    /// retention, or a full or failing store.
    pub fn outbox_put(&self, purpose: &str, recipient: &str, ttl_ms: u64, bytes: &[u8]) -> Result<Put, Error> {
        if bytes.len() > MAX_ITEM_BYTES {
            return Err(Error::TooLarge { bytes: bytes.len(), limit: MAX_ITEM_BYTES });
        }
        self.work(|core, shared| {
            let Some(declared) = core.policy.purpose(purpose) else {
                return Err(core.unknown("purpose", purpose, |policy| policy.purpose(purpose).is_some()));
            };
            if core.policy.recipient(recipient).is_none() {
                return Err(core.unknown("recipient", recipient, |policy| policy.recipient(recipient).is_some()));
            }
            if !declared.recipients.iter().any(|id| id.as_str() == recipient) {
                let (purpose, recipient) = (purpose.to_owned(), recipient.to_owned());
                return Err(Error::RecipientNotOfPurpose { purpose, recipient });
            }
            let now = shared.clock.now();
            let in_force = core.in_force(&now);
            let limit_ms = in_force.kept_for_ms(purpose);
            if ttl_ms == 0 || ttl_ms > limit_ms {
                return Err(Error::BadTimeToLive { limit_ms });
            }
            if let Some(denial) = core.denial_to_store(purpose, &now)? {
                return Ok(Put::Denied(denial));
            }
            if !in_force.has_recipient(purpose, recipient) {
                let name = core.policy.recipient(recipient).map(|r| core.local(&r.name)).unwrap_or_default();
                return Ok(Put::Denied(core.denials(recipient, name).build("ended-by-policy", Remedy::Nothing)));
            }
            let domain = core.domain_for_record(shared, purpose)?;
            let shape = core.shape_of_item(shared, purpose, &now)?;
            let body = seal_body(Header { shape, sealed_ms: now.wall_ms }, recipient, bytes);
            let expiry = Expiry::after(&now, ttl_ms);
            Ok(match shared.journal.append(&Append { domain, lane: Lane::Outbox, expiry, body: &body })? {
                Appended::Held => Put::Held,
                Appended::Buffered(_) | Appended::Synced(_) => Put::Buffered,
            })
        })
    }

    /// The next item that is allowed and due, or `None`. What has expired or lost its leave is never returned.
    ///
    /// # Errors
    /// The store failed.
    pub fn next_delivery(&self) -> Result<Option<Delivery>, Error> {
        self.work(|core, shared| {
            core.load(shared)?;
            let now = shared.clock.now();
            next_delivery(core, shared, &now)
        })
    }

    /// Takes the result of an item. A delivered one leaves a tombstone and is never offered again.
    ///
    /// # Errors
    /// No such delivery is under way, or the store failed.
    pub fn delivery_finished(&self, id: u64, result: DeliveryResult) -> Result<(), Error> {
        self.work(|core, shared| {
            let delivering = core.exchanges.deliveries.remove(&id).ok_or(Error::UnknownExchange { id })?;
            let purpose = shared.journal.label_name(delivering.domain.purpose).unwrap_or_default();
            // What was withdrawn meanwhile is gone; what was only restricted has arrived or has not.
            if delivering.cancelled && core.domain(&shared.journal, &purpose)? != Some(delivering.domain) {
                return Ok(());
            }
            let outbox = outbox_label(shared)?;
            match result {
                DeliveryResult::Delivered => shared.journal.acknowledge(outbox, &[delivering.record])?,
                DeliveryResult::Refused => shared.journal.quarantine(outbox, &[delivering.record])?,
                DeliveryResult::Later { after_ms } => {
                    let after = i64::try_from(after_ms).unwrap_or(i64::MAX);
                    let again = shared.clock.now().wall_ms.saturating_add(after);
                    core.exchanges.resting.insert(delivering.record, again);
                }
            }
            let account = core.account;
            shared.journal.retire_delivered(&|domain, lane| {
                if domain.account == account && lane == Lane::Outbox { vec![outbox] } else { Vec::new() }
            })?;
            Ok(())
        })
    }
}

fn outbox_label(shared: &Shared) -> Result<Label, Error> {
    Ok(shared.journal.label(LabelKind::Endpoint, "outbox")?)
}

fn next_delivery(core: &mut Core, shared: &Shared, now: &Now) -> Result<Option<Delivery>, Error> {
    let mut domains = Vec::new();
    for (at, purpose, _) in core.policy.purposes() {
        if core.gate(at, purpose.as_str(), now).closed.is_none()
            && let Some(domain) = core.domain(&shared.journal, purpose.as_str())?
        {
            domains.push(domain);
        }
    }
    core.exchanges.resting.retain(|_, again| *again > now.wall_ms);
    let outbox = outbox_label(shared)?;
    let mut skip: std::collections::HashSet<_> = core.exchanges.deliveries.values().map(|d| d.record).collect();
    skip.extend(core.exchanges.resting.keys().copied());
    // One is enough, unless it may not leave: then many are looked at together.
    let (mut max_records, mut max_bytes) = (1, usize::MAX);
    loop {
        let batch = shared.journal.read_batch(&Read {
            endpoint: outbox,
            lane: Lane::Outbox,
            domains: &domains,
            max_records,
            max_bytes,
            skip: &skip,
        })?;
        if batch.records.is_empty() {
            return Ok(None);
        }
        for record in &batch.records {
            skip.insert(record.id);
            let Some((header, recipient, bytes)) = read_body(&record.body) else { continue };
            let purpose = shared.journal.label_name(record.domain.purpose).unwrap_or_default();
            if !may_deliver(core, &purpose, recipient, header, now) {
                continue;
            }
            let delivery = Delivery {
                id: core.exchanges.next_id(),
                purpose,
                recipient: recipient.to_owned(),
                bytes: bytes.to_vec(),
                expires_ms: record.expires_ms,
            };
            let delivering = Delivering { record: record.id, domain: record.domain, cancelled: false };
            core.exchanges.deliveries.insert(delivery.id, delivering);
            return Ok(Some(delivery));
        }
        (max_records, max_bytes) = (LOOKED_AT, MAX_ITEM_BYTES);
    }
}

/// Whether an item may still go to its recipient, by what it carries and how old it is.
fn may_deliver(core: &Core, purpose: &str, recipient: &str, header: Header, now: &Now) -> bool {
    let in_force = core.in_force(now);
    let shape = core.state.shapes.get(&header.shape);
    in_force.has_recipient(purpose, recipient)
        && !header.is_older_than(in_force.kept_for_ms(purpose), now)
        && shape.is_some_and(|shape| shape.purpose == purpose && in_force.ended_fields(shape).is_some())
}

/// The header, the recipient's id, then the payload.
fn seal_body(header: Header, recipient: &str, bytes: &[u8]) -> Vec<u8> {
    // A recipient's name is an id, so at most 64 bytes.
    let length = u8::try_from(recipient.len()).unwrap_or(u8::MAX);
    header.write(&[&[length], recipient.as_bytes(), bytes])
}

pub(crate) fn read_body(body: &[u8]) -> Option<(Header, &str, &[u8])> {
    let (header, rest) = Header::read(body)?;
    let (length, rest) = rest.split_first()?;
    let (recipient, bytes) = rest.split_at_checked(usize::from(*length))?;
    Some((header, std::str::from_utf8(recipient).ok()?, bytes))
}
