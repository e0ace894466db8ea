//! Boxes: records sealed to a server's key, which nobody on this device can open. They are written where a domain's own key
//! is not ready, survive its loss, and are decided anew by what their segment's header says in clear.

use zeroize::Zeroizing;

use crate::append::{Append, MAX_RECORD_BYTES, padded};
use crate::bytes::{Reader, Writer};
use crate::cipher::{self, TAG};
use crate::effects::{DiskError, Now};
use crate::error::{At, Error};
use crate::frame::{self, Kind};
use crate::held::Appended;
use crate::journal::{Inner, Journal};
use crate::names::{Domain, Label, LabelKind, RecordId, Slice};
use crate::read::{Read, Room, Visit, Visitor, Walked};
use crate::segment::{Sealing, Segment};

/// Bytes of an encapsulated key.
const ENCAPSULATED: usize = 32;
const INFO: &[u8] = b"menshen/0/box";

/// A server's public key: X25519, for HPKE (RFC 9180).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKey(pub [u8; 32]);

impl ServerKey {
    /// The first 16 bytes of its SHA-256: says which key it was.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = cipher::hash(&[&self.0]);
        id
    }
}

/// For whom a record may be boxed.
#[derive(Clone, Copy, Debug)]
pub struct BoxTo {
    /// The endpoint to which it alone goes.
    pub endpoint: Label,
    /// What of a purpose it is: the label of an event. It stands in clear, as it decides whether the box is sent.
    pub event: Label,
    /// The server's key.
    pub key: ServerKey,
}

/// [`BoxTo`] as a segment's header says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BoxTarget {
    pub(crate) endpoint: Label,
    pub(crate) event: Label,
    pub(crate) key: [u8; 16],
}

/// A record that only a server can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boxed {
    /// Names it when it is acknowledged.
    pub id: RecordId,
    /// Whose it is.
    pub domain: Domain,
    /// What it is.
    pub event: Label,
    /// Which key of the server's opens it: [`ServerKey::id`].
    pub key: [u8; 16],
    /// SHA-256 of the segment's header, to which it is bound.
    pub header: [u8; 32],
    /// SHA-256 of the names of purpose, endpoint and event, as the key file says them now: it opens only under those that it
    /// was sealed with.
    pub names: [u8; 32],
    /// Its number, to which it is bound.
    pub sequence: u64,
    /// The encapsulated key.
    pub encapsulated: [u8; 32],
    /// The ciphertext, with its tag.
    pub sealed: Vec<u8>,
}

impl Boxed {
    /// Opens it with the server's secret key: for receivers written in Rust. `None` where it is another's, or changed.
    #[must_use]
    pub fn open(&self, secret: &[u8; 32]) -> Option<Zeroizing<Vec<u8>>> {
        let info = [INFO, &self.header, &self.names].concat();
        let mut plain =
            cipher::open_with(secret, &self.encapsulated, &info, &self.sequence.to_le_bytes(), &self.sealed)?;
        let mut read = Reader(&plain);
        let length = usize::try_from(read.u32()?).ok()?;
        read.bytes(length)?;
        plain.copy_within(4..4 + length, 0);
        plain.truncate(length);
        Some(plain)
    }
}

/// What a read of boxes gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BoxedBatch {
    /// The boxes, oldest segment first, in their order.
    pub boxes: Vec<Boxed>,
    /// Boxes met that are damaged and were not known to be.
    pub damaged: u64,
    /// Segments passed over because their boxes may have ended.
    pub expired: u64,
}

impl Journal {
    /// As [`Journal::append`]; where the domain's key is not ready the record is sealed to the server's key in place of
    /// being held. It then survives the process, and the loss of the domain's key. One that would end with its first
    /// bucket is held all the same.
    ///
    /// # Errors
    /// As there; [`Error::BadServerKey`] where the key is none.
    pub fn append_or_box(&self, append: &Append<'_>, to: &BoxTo) -> Result<Appended, Error> {
        if append.body.len() > MAX_RECORD_BYTES {
            return Err(Error::TooLarge { limit: MAX_RECORD_BYTES });
        }
        let mut inner = self.proven_with(&[append.domain])?;
        let slice = Slice::of(append.domain, append.lane, append.expiry);
        if !inner.is_waiting(&append.domain) || may_have_ended(&slice, &inner.effects.clock.now(), &inner.opened) {
            return inner.append(append);
        }
        inner.append_boxed(append, to).map(Appended::Buffered)
    }

    /// The next boxes for an endpoint: none was acknowledged or refused for it, or is of a domain that is closed. No key of
    /// theirs is needed. As nobody can read when one ends, all of a segment count as ended where its bucket begins, which is
    /// up to a bucket's width too early.
    ///
    /// # Errors
    /// The disk failed, or the store's own domain cannot be unlocked.
    pub fn read_boxed(&self, read: &Read<'_>) -> Result<BoxedBatch, Error> {
        self.proven()?.read_boxed(read)
    }
}

impl Inner {
    fn append_boxed(&mut self, append: &Append<'_>, to: &BoxTo) -> Result<RecordId, Error> {
        let slice = Slice::of(append.domain, append.lane, append.expiry);
        let target = BoxTarget { endpoint: to.endpoint, event: to.event, key: to.key.id() };
        let plain = padded(4 + append.body.len());
        self.make_room(&slice, (frame::HEADER + ENCAPSULATED + plain + TAG) as u64)?;
        let id = self.writable(slice, Some(target))?;
        let Some(segment) = self.segments.get(&id) else { return Err(Error::Io { operation: "append" }) };
        let sequence = segment.next;
        let mut bytes = Zeroizing::new(Vec::with_capacity(plain));
        bytes.extend_from_slice(&u32::try_from(append.body.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(append.body);
        bytes.resize(plain, 0);
        let info = [INFO, &segment.hash, &self.names_of(&append.domain, &target)].concat();
        let randomness = self.effects.randomness.as_ref();
        let sealed = cipher::seal_to(&to.key.0, &info, &sequence.to_le_bytes(), &bytes, randomness);
        let (encapsulated, sealed) = sealed.ok_or(Error::BadServerKey)?;
        let mut out = Vec::new();
        frame::push(&mut out, Kind::Boxed, sequence, &[&encapsulated[..], &sealed].concat());
        let Some(segment) = self.segments.get_mut(&id) else { return Err(Error::Io { operation: "append" }) };
        let Some(file) = &segment.file else { return Err(Error::Io { operation: "append" }) };
        if let Err(error) = file.write_at(segment.end, &out) {
            segment.clean &= error == DiskError::Full;
            return Err(Error::from_disk(error, "append a record"));
        }
        self.appends += 1;
        self.bytes += out.len() as u64;
        Ok(segment.took(out.len() as u64, self.appends))
    }

    /// The names that stand for a box's labels: labels are in its header, and the map to names is in clear.
    fn names_of(&self, domain: &Domain, target: &BoxTarget) -> [u8; 32] {
        let mut names = Writer::default();
        let (purpose, endpoint) = (LabelKind::Purpose, LabelKind::Endpoint);
        names.short(self.name_of(purpose, domain.purpose).as_bytes());
        names.short(self.name_of(endpoint, target.endpoint).as_bytes());
        names.short(self.name_of_any(target.event).as_bytes());
        cipher::hash(&[&names.0])
    }

    fn read_boxed(&mut self, read: &Read<'_>) -> Result<BoxedBatch, Error> {
        let now = self.effects.clock.now();
        let mut boxes = Boxes { batch: BoxedBatch::default(), room: Room::of(read), names: [0; 32] };
        let ids: Vec<u64> = self.segments.keys().copied().collect();
        for id in ids {
            let Some(segment) = self.segments.get(&id) else { continue };
            let slice = segment.header.slice;
            let Sealing::Boxed(target) = segment.header.sealing else { continue };
            let is_wanted = target.endpoint == read.endpoint
                && slice.lane == read.lane
                && read.domains.contains(&slice.domain)
                && !self.closed.contains(&slice.domain);
            if !is_wanted {
                continue;
            }
            if may_have_ended(&slice, &now, &self.opened) {
                boxes.batch.expired += 1;
                continue;
            }
            boxes.names = self.names_of(&slice.domain, &target);
            let walked = self.walk(id, read, &mut boxes).at("read a segment")?;
            let Some(Walked { damaged, is_whole }) = walked else { continue };
            boxes.batch.damaged = boxes.batch.damaged.saturating_add(damaged);
            if !is_whole {
                break;
            }
        }
        self.damaged += boxes.batch.damaged;
        Ok(boxes.batch)
    }
}

/// Takes boxes into a batch as they are.
struct Boxes {
    batch: BoxedBatch,
    room: Room,
    /// Those of the segment that is read.
    names: [u8; 32],
}

impl Visitor for Boxes {
    const KIND: Kind = Kind::Boxed;

    fn record(&mut self, segment: &Segment, id: RecordId, body: &[u8]) -> Visit {
        let Sealing::Boxed(target) = segment.header.sealing else { return Visit::Lost };
        let Some((encapsulated, sealed)) = body.split_first_chunk::<ENCAPSULATED>() else { return Visit::Lost };
        if !self.room.take(sealed.len()) {
            return Visit::Enough;
        }
        self.batch.boxes.push(Boxed {
            id,
            domain: segment.header.slice.domain,
            event: target.event,
            key: target.key,
            header: segment.hash,
            names: self.names,
            sequence: id.sequence,
            encapsulated: *encapsulated,
            sealed: sealed.to_vec(),
        });
        Visit::Passed
    }
}

/// Whether a record of the slice may have ended: the earliest that its bucket takes. A wall clock that was set back while
/// the store is open counts from where it stood.
fn may_have_ended(slice: &Slice, now: &Now, opened: &Now) -> bool {
    let passed = if now.boot == opened.boot { now.since_boot_ms.saturating_sub(opened.since_boot_ms) } else { 0 };
    let wall = now.wall_ms.max(opened.wall_ms.saturating_add_unsigned(passed));
    slice.width > 0 && u64::try_from(wall).unwrap_or(0) >= slice.bucket.saturating_mul(slice.width)
}
