//! The names of the store: random labels, domains, lanes, records, aliases.

use std::fmt;

use crate::effects::{Now, Randomness, RandomnessError};

/// A random name of an account, a purpose or an endpoint, of this install only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(u64);

impl Label {
    /// The purpose of an essential domain.
    pub const ESSENTIAL: Self = Self(0);

    /// The label with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number behind it.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What a label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LabelKind {
    /// An account.
    Account,
    /// A purpose.
    Purpose,
    /// An endpoint.
    Endpoint,
}

impl LabelKind {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Account => 1,
            Self::Purpose => 2,
            Self::Endpoint => 3,
        }
    }

    pub(crate) fn from_number(byte: u8) -> Option<Self> {
        [Self::Account, Self::Purpose, Self::Endpoint].into_iter().find(|kind| kind.number() == byte)
    }
}

/// What one platform key seals: one consent epoch of one purpose of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain {
    /// The account.
    pub account: Label,
    /// The purpose, or [`Label::ESSENTIAL`].
    pub purpose: Label,
    /// The consent epoch, from 1.
    pub epoch: u64,
}

impl Domain {
    /// The store's own, which outlives accounts.
    pub(crate) const STORE: Self = Self { account: Label::ESSENTIAL, purpose: Label::ESSENTIAL, epoch: 1 };
}

/// How a record is treated when space is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Evidence and requests: never dropped.
    Essential,
    /// The app's own items: never dropped.
    Outbox,
    /// Events: the oldest are dropped, counted.
    Telemetry,
}

impl Lane {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Essential => 1,
            Self::Outbox => 2,
            Self::Telemetry => 3,
        }
    }

    pub(crate) fn from_number(byte: u8) -> Option<Self> {
        [Self::Essential, Self::Outbox, Self::Telemetry].into_iter().find(|lane| lane.number() == byte)
    }
}

/// When a record ends, and how coarse the bucket is whose key goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// From this moment on the record is neither read nor sent; milliseconds since 1970.
    pub at_ms: i64,
    /// The width of the bucket in milliseconds: the key goes at most that much later. 0: never.
    pub bucket_ms: u64,
    /// When it was made. Since a boot nobody can set that clock back.
    pub(crate) made: Now,
    /// How long it lives, in milliseconds, by whichever clock is stricter.
    pub(crate) lives_ms: u64,
}

/// One hour, the narrowest bucket.
const HOUR_MS: u64 = 3_600_000;

impl Expiry {
    /// A record that lives for `duration_ms` from now, in a bucket of an eighth of that, an hour at least.
    #[must_use]
    pub fn after(now: &Now, duration_ms: u64) -> Self {
        let duration = i64::try_from(duration_ms).unwrap_or(i64::MAX);
        let at_ms = now.wall_ms.saturating_add(duration);
        Self { at_ms, bucket_ms: (duration_ms / 8).max(HOUR_MS), made: *now, lives_ms: duration_ms }
    }

    /// Whether it has ended: by the wall clock, or by the clock since boot while the device was not started anew. The
    /// stricter counts.
    pub(crate) fn is_over(&self, now: &Now) -> bool {
        let lived = now.since_boot_ms.saturating_sub(self.made.since_boot_ms);
        self.at_ms <= now.wall_ms || (self.made.boot == now.boot && lived >= self.lives_ms)
    }

    /// What never ends by time.
    #[must_use]
    pub fn never() -> Self {
        let made = Now { wall_ms: 0, since_boot_ms: 0, boot: 0 };
        Self { at_ms: i64::MAX, bucket_ms: 0, made, lives_ms: u64::MAX }
    }
}

/// Domain, lane and expiry bucket: what one slice key protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slice {
    pub(crate) domain: Domain,
    pub(crate) lane: Lane,
    /// Width of the bucket in milliseconds; 0 never ends.
    pub(crate) width: u64,
    pub(crate) bucket: u64,
    /// Counts the keys of one bucket: a new one follows after 64 MiB or 2^20 records.
    pub(crate) generation: u32,
}

impl Slice {
    pub(crate) fn of(domain: Domain, lane: Lane, expiry: Expiry) -> Self {
        let mut width = expiry.bucket_ms;
        if lane == Lane::Outbox && width > HOUR_MS {
            // Every item brings its own time to live. Widths in powers of two keep the number of files down, and
            // a narrower bucket only ends sooner.
            width = (1 << (width / HOUR_MS).ilog2()) * HOUR_MS;
        }
        let at = u64::try_from(expiry.at_ms).unwrap_or(0);
        let bucket = at.saturating_sub(1).checked_div(width).unwrap_or(0);
        Self { domain, lane, width, bucket, generation: 0 }
    }

    /// Whether its bucket is over and its key has to go.
    pub(crate) fn has_ended(&self, now: &Now) -> bool {
        let end = self.bucket.saturating_add(1).saturating_mul(self.width);
        self.width > 0 && u64::try_from(now.wall_ms).unwrap_or(0) >= end
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    pub(crate) segment: u64,
    pub(crate) sequence: u64,
}

/// The name of a platform key: the beginning of the store's random id, then random, so that it says nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(String);

impl Alias {
    /// A new one of a store, with 96 random bits.
    pub(crate) fn random(store: &[u8; 16], randomness: &dyn Randomness) -> Result<Self, RandomnessError> {
        let mut bytes = [0; 12];
        randomness.fill(&mut bytes)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(Self::beginning(store) + &digits))
    }

    fn beginning([a, b, c, d, ..]: &[u8; 16]) -> String {
        format!("menshen-{a:02x}{b:02x}{c:02x}{d:02x}")
    }

    /// Whether a store made it.
    pub(crate) fn is_of(&self, store: &[u8; 16]) -> bool {
        self.0.starts_with(&Self::beginning(store))
    }

    /// Reads one: `menshen-` and 32 hexadecimal digits.
    ///
    /// # Errors
    /// The text is not of that form.
    pub fn parse(text: &str) -> Result<Self, BadAlias> {
        let digits = text.strip_prefix("menshen-").ok_or(BadAlias)?;
        let good = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if good { Ok(Self(text.to_owned())) } else { Err(BadAlias) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no alias of this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAlias;

impl fmt::Display for BadAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `menshen-` and 32 hexadecimal digits")
    }
}

impl std::error::Error for BadAlias {}
