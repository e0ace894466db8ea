//! The twin with a fault planted in it, to show that the suite and the walk find what they are for.

use std::sync::Arc;

use menshen_journal::{DeviceClock, Domain, Error, KeyError, Label, Lane, Now, OpenError, Shredding};

use crate::place::{Devices, Place};
use crate::sqlite::{SqliteInFolder, SqliteStore};
use crate::store::{Appended, Found, Health, Read, Record, RecordStore};

/// What the twin does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None: the wrapper itself changes nothing.
    None,
    ForgetsTheLastAcknowledgement,
    SharesProgressBetweenEndpoints,
    OffersRefusedRecords,
    GivesTheNewestFirst,
    GivesMoreThanAsked,
    IgnoresWhatIsUnderWay,
    BelievesTheWallClockOnly,
    NeverExpires,
    RetiresWhatOneEndpointHas,
    StaysOpen,
    ShredsNothing,
    SaysThatAShreddingIsDone,
    LosesWhatIsHeld,
    CountsWhatIsAcknowledged,
    GrowsForEver,
    DropsUncounted,
    OpensTwice,
}

impl Fault {
    pub const ALL: [Self; 17] = [
        Self::ForgetsTheLastAcknowledgement,
        Self::SharesProgressBetweenEndpoints,
        Self::OffersRefusedRecords,
        Self::GivesTheNewestFirst,
        Self::GivesMoreThanAsked,
        Self::IgnoresWhatIsUnderWay,
        Self::BelievesTheWallClockOnly,
        Self::NeverExpires,
        Self::RetiresWhatOneEndpointHas,
        Self::StaysOpen,
        Self::ShredsNothing,
        Self::SaysThatAShreddingIsDone,
        Self::LosesWhatIsHeld,
        Self::CountsWhatIsAcknowledged,
        Self::GrowsForEver,
        Self::DropsUncounted,
        Self::OpensTwice,
    ];

    fn endpoint(self, endpoint: Label) -> Label {
        if self == Self::SharesProgressBetweenEndpoints { Label::from_number(1) } else { endpoint }
    }
}

/// A place for the faulty twin.
pub struct Faulty {
    twin: SqliteInFolder,
    fault: Fault,
}

impl Faulty {
    #[must_use]
    pub fn new(mut devices: Devices, fault: Fault) -> Self {
        if fault == Fault::GrowsForEver {
            devices.cap_bytes = u64::MAX;
        }
        Self { twin: SqliteInFolder::in_memory(devices), fault }
    }
}

/// A device that was started this very moment, all the time.
struct WallClock(Arc<dyn DeviceClock>);

impl DeviceClock for WallClock {
    fn now(&self) -> Now {
        Now { since_boot_ms: 0, ..self.0.now() }
    }
}

impl Place for Faulty {
    type Store = FaultyStore;
    const IN_CLEAR: &'static [u8] = SqliteInFolder::IN_CLEAR;

    fn devices(&self) -> &Devices {
        self.twin.devices()
    }

    fn open(&self) -> Result<FaultyStore, OpenError> {
        let mut clock: Arc<dyn DeviceClock> = Arc::new(self.devices().clock.clone());
        if self.fault == Fault::BelievesTheWallClockOnly {
            clock = Arc::new(WallClock(clock));
        }
        let twin = match self.twin.open_with(clock) {
            Err(OpenError::Busy) if self.fault == Fault::OpensTwice => self.twin.copy(self.devices().clone()).open(),
            opened => opened,
        };
        Ok(FaultyStore { twin: twin?, fault: self.fault })
    }

    fn copy(&self, devices: Devices) -> Self {
        Self { twin: self.twin.copy(devices), fault: self.fault }
    }

    fn files(&self) -> Vec<Vec<u8>> {
        self.twin.files()
    }
}

pub struct FaultyStore {
    twin: SqliteStore,
    fault: Fault,
}

impl FaultyStore {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

impl RecordStore for FaultyStore {
    type Id = u64;

    fn create_domain(&mut self, domain: &Domain) -> Result<(), Error> {
        self.twin.create_domain(domain)
    }

    fn unlock_domain(&mut self, domain: &Domain) -> Result<(), KeyError> {
        self.twin.unlock_domain(domain)
    }

    fn is_open(&mut self, domain: &Domain) -> bool {
        self.twin.is_open(domain)
    }

    fn close_domain(&mut self, domain: &Domain) {
        if !self.has(Fault::StaysOpen) {
            self.twin.close_domain(domain);
        }
    }

    fn shred(&mut self, domain: &Domain) -> Result<Shredding, Error> {
        if self.has(Fault::ShredsNothing) {
            self.twin.close_domain(domain);
            return Ok(Shredding::Done);
        }
        let shredding = self.twin.shred(domain)?;
        Ok(if self.has(Fault::SaysThatAShreddingIsDone) { Shredding::Done } else { shredding })
    }

    fn append(&mut self, record: &Record<'_>) -> Result<Appended<u64>, Error> {
        self.twin.append(record)
    }

    fn append_synced(&mut self, record: &Record<'_>) -> Result<Appended<u64>, Error> {
        self.twin.append_synced(record)
    }

    fn append_held(&mut self) -> Result<u64, Error> {
        if self.has(Fault::LosesWhatIsHeld) { Ok(0) } else { self.twin.append_held() }
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.twin.sync()
    }

    fn read(&mut self, read: &Read<'_, u64>) -> Result<Vec<Found<u64>>, Error> {
        let mut read = Read { endpoint: self.fault.endpoint(read.endpoint), ..*read };
        let nothing = std::collections::HashSet::new();
        match self.fault {
            Fault::GivesMoreThanAsked => read.max_records = usize::MAX,
            Fault::IgnoresWhatIsUnderWay => read.skip = &nothing,
            _ => {}
        }
        let mut found = self.twin.read(&read)?;
        if self.has(Fault::GivesTheNewestFirst) {
            found.reverse();
        }
        Ok(found)
    }

    fn acknowledge(&mut self, endpoint: Label, records: &[u64]) -> Result<(), Error> {
        let kept = match records.split_last() {
            Some((_, others)) if self.has(Fault::ForgetsTheLastAcknowledgement) => others,
            _ => records,
        };
        self.twin.acknowledge(self.fault.endpoint(endpoint), kept)
    }

    fn quarantine(&mut self, endpoint: Label, records: &[u64]) -> Result<(), Error> {
        if self.has(Fault::OffersRefusedRecords) {
            return Ok(());
        }
        self.twin.quarantine(self.fault.endpoint(endpoint), records)
    }

    fn retire(&mut self, endpoints: &dyn Fn(&Domain, Lane) -> Vec<Label>) -> Result<(), Error> {
        let fault = self.fault;
        let named = |domain: &Domain, lane| {
            let mut named = endpoints(domain, lane);
            named.iter_mut().for_each(|label| *label = fault.endpoint(*label));
            named.truncate(if fault == Fault::RetiresWhatOneEndpointHas { 1 } else { usize::MAX });
            named
        };
        self.twin.retire(&named)
    }

    fn expire(&mut self) -> Result<u64, Error> {
        if self.has(Fault::NeverExpires) { Ok(0) } else { self.twin.expire() }
    }

    fn pending(&self, endpoint: Label, domain: &Domain) -> u64 {
        if self.has(Fault::CountsWhatIsAcknowledged) {
            return self.twin.count(domain);
        }
        self.twin.pending(self.fault.endpoint(endpoint), domain)
    }

    fn count(&self, domain: &Domain) -> u64 {
        self.twin.count(domain)
    }

    fn health(&self) -> Health {
        let health = self.twin.health();
        if self.has(Fault::DropsUncounted) { Health { dropped: 0, ..health } } else { health }
    }
}
