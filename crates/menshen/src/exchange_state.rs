//! What is under way with a transport or with the app's own sender, and when each endpoint may be tried again.

use std::collections::{BTreeMap, HashSet};

use menshen_journal::{Domain, Randomness, RandomnessError, RecordId};
use menshen_policy::document::Encoding;

/// Everything under way for one account.
pub(crate) struct Exchanges {
    /// Begins anywhere: a reply that comes after a restart must not fit something else.
    last_id: u64,
    pub(crate) uploads: BTreeMap<u64, InFlight>,
    pub(crate) deliveries: BTreeMap<u64, Delivering>,
    pub(crate) endpoints: BTreeMap<String, EndpointState>,
    /// How long each request to erase, and each part of another one, rests by its id. It never makes records of its
    /// endpoint wait.
    pub(crate) owed: BTreeMap<String, Rest>,
    /// Outbox items that the app could not deliver yet, and when to offer them again.
    pub(crate) resting: BTreeMap<RecordId, i64>,
}

/// An upload that is with the transport.
pub(crate) struct InFlight {
    pub(crate) endpoint: String,
    pub(crate) what: Payload,
    /// Set when a purpose in it was withdrawn meanwhile.
    pub(crate) cancelled: bool,
}

pub(crate) enum Payload {
    Records(Vec<(RecordId, Domain)>, Encoding),
    Erase {
        id: String,
    },
    /// A part of a request of the person.
    Right {
        part: String,
    },
}

/// An outbox item that is with the app's own sender.
pub(crate) struct Delivering {
    pub(crate) record: RecordId,
    pub(crate) domain: Domain,
    pub(crate) cancelled: bool,
}

/// How long something that failed is not tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    pub(crate) not_before_ms: i64,
    failures: u32,
}

/// How an endpoint has answered so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndpointState {
    pub(crate) rest: Rest,
    pub(crate) max_records: usize,
}

/// The most records in one upload.
pub(crate) const MAX_RECORDS: usize = 512;

impl Default for Rest {
    fn default() -> Self {
        Self { not_before_ms: i64::MIN, failures: 0 }
    }
}

impl Default for EndpointState {
    fn default() -> Self {
        Self { rest: Rest::default(), max_records: MAX_RECORDS }
    }
}

impl EndpointState {
    pub(crate) fn succeed(&mut self) {
        self.rest = Rest::default();
        self.max_records = (self.max_records * 2).min(MAX_RECORDS);
    }
}

impl Rest {
    /// Waits as long as the receiver says, else twice as long as last time; 1 second to 1 hour, a day if told so.
    pub(crate) fn fail(&mut self, now_ms: i64, told_ms: Option<i64>) {
        let own = 1000_i64.saturating_mul(1 << self.failures.min(12)).min(3_600_000);
        self.failures = self.failures.saturating_add(1);
        self.not_before_ms = now_ms.saturating_add(told_ms.unwrap_or(own).clamp(1000, 86_400_000));
    }
}

impl Exchanges {
    pub(crate) fn new(randomness: &dyn Randomness) -> Result<Self, RandomnessError> {
        let mut bytes = [0; 8];
        randomness.fill(&mut bytes)?;
        Ok(Self {
            // 52 bits: a number that every language and JSON hold.
            last_id: u64::from_le_bytes(bytes) >> 12,
            uploads: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            owed: BTreeMap::new(),
            resting: BTreeMap::new(),
        })
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Records that are under way and must not be offered a second time.
    pub(crate) fn uploading(&self, endpoint: &str) -> HashSet<RecordId> {
        self.uploads
            .values()
            .filter(|upload| upload.endpoint == endpoint)
            .flat_map(|upload| match &upload.what {
                Payload::Records(records, _) => records.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
                Payload::Erase { .. } | Payload::Right { .. } => Vec::new(),
            })
            .collect()
    }

    /// Cancels what carries records of a domain. The ids are the uploads that the host must stop.
    pub(crate) fn cancel(&mut self, domain: &Domain) -> Vec<u64> {
        for delivery in self.deliveries.values_mut().filter(|delivery| delivery.domain == *domain) {
            delivery.cancelled = true;
        }
        let mut cancelled = Vec::new();
        for (id, upload) in &mut self.uploads {
            if let Payload::Records(records, _) = &upload.what
                && records.iter().any(|(_, of)| of == domain)
            {
                upload.cancelled = true;
                cancelled.push(*id);
            }
        }
        cancelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_rests_longer_each_time_and_obeys_a_told_wait_within_bounds() {
        let mut endpoint = EndpointState::default();
        let mut waits = Vec::new();
        for _ in 0..4 {
            endpoint.rest.fail(0, None);
            waits.push(endpoint.rest.not_before_ms);
        }
        assert_eq!(waits, [1000, 2000, 4000, 8000]);
        endpoint.rest.fail(0, Some(120_000));
        assert_eq!(endpoint.rest.not_before_ms, 120_000);
        endpoint.rest.fail(0, Some(i64::MAX));
        assert_eq!(endpoint.rest.not_before_ms, 86_400_000);
        endpoint.rest.fail(0, Some(-5));
        assert_eq!(endpoint.rest.not_before_ms, 1000);
        for _ in 0..100 {
            endpoint.rest.fail(0, None);
        }
        assert_eq!(endpoint.rest.not_before_ms, 3_600_000);
        endpoint.succeed();
        assert_eq!(endpoint.rest.not_before_ms, i64::MIN);
    }
}
