//! What every record store has to keep, a sentence each, over the journal in a folder, the journal on a disk in memory,
//! and the twin in a folder; and over twins with a fault, each of which breaks a sentence.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use menshen_conformance::{
    Appended, Devices, Fault, Faulty, Found, JournalInFolder, JournalOnSimulatedDisk, Place, Read, Record, RecordStore,
    SqliteInFolder,
};
use menshen_journal::{DeviceClock, Domain, Error, KeyError, KeyState, Label, Lane, OpenError, Shredding};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// How long records live where a sentence does not say it.
const LIFE_MS: u64 = 8 * DAY_MS;
const LANES: [Lane; 3] = [Lane::Essential, Lane::Outbox, Lane::Telemetry];

fn domain(purpose: u64) -> Domain {
    Domain { account: Label::from_number(1), purpose: Label::from_number(purpose), epoch: 1 }
}

fn analytics() -> Domain {
    domain(2)
}

fn crashes() -> Domain {
    domain(3)
}

fn endpoint(number: u64) -> Label {
    Label::from_number(20 + number)
}

type Id<P> = <<P as Place>::Store as RecordStore>::Id;

/// A place with a store in it that is open, and two domains.
struct Bench<P: Place> {
    store: Option<P::Store>,
    place: P,
}

impl<P: Place> Bench<P> {
    fn at(place: P) -> Self {
        let mut store = place.open().unwrap();
        store.create_domain(&analytics()).unwrap();
        store.create_domain(&crashes()).unwrap();
        Self { store: Some(store), place }
    }

    fn store(&mut self) -> &mut P::Store {
        self.store.as_mut().unwrap()
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(self.place.open().unwrap());
    }

    /// Opened anew, with a key store in this state: no domain is unlocked.
    fn reopen_with_keys(&mut self, state: KeyState) {
        self.reopen();
        self.place.devices().keys.set_state(state);
    }

    /// The store as it would be found now, had the process just ended.
    fn killed(&self) -> Self {
        let place = self.place.copy(self.place.devices().clone());
        Self { store: Some(place.open().unwrap()), place }
    }

    fn append(&mut self, domain: Domain, body: &[u8]) -> Result<Appended<Id<P>>, Error> {
        self.store().append(&Record { domain, lane: Lane::Telemetry, lives_ms: Some(LIFE_MS), body })
    }

    fn put(&mut self, domain: Domain, body: &[u8]) -> Id<P> {
        self.put_in(Lane::Telemetry, Some(LIFE_MS), domain, body)
    }

    fn put_in(&mut self, lane: Lane, lives_ms: Option<u64>, domain: Domain, body: &[u8]) -> Id<P> {
        match self.store().append(&Record { domain, lane, lives_ms, body }).unwrap() {
            Appended::Buffered(id) | Appended::Synced(id) => id,
            Appended::Held => panic!("held"),
        }
    }

    /// One record for each byte.
    fn put_each(&mut self, bytes: std::ops::Range<u8>) -> Vec<Id<P>> {
        bytes.map(|byte| self.put(analytics(), &[byte])).collect()
    }

    fn batch(&mut self, lane: Lane, max_records: usize, max_bytes: usize, skip: &HashSet<Id<P>>) -> Vec<Found<Id<P>>> {
        let domains = [analytics(), crashes()];
        let read = Read { endpoint: endpoint(1), lane, domains: &domains, max_records, max_bytes, skip };
        self.store().read(&read).unwrap()
    }

    fn read(&mut self) -> Vec<Vec<u8>> {
        self.read_for(endpoint(1))
    }

    fn read_for(&mut self, endpoint: Label) -> Vec<Vec<u8>> {
        let (domains, skip) = ([analytics(), crashes()], HashSet::new());
        let all = |lane| {
            let (max_records, max_bytes) = (usize::MAX, usize::MAX);
            Read { endpoint, lane, domains: &domains, max_records, max_bytes, skip: &skip }
        };
        LANES.iter().flat_map(|lane| self.store().read(&all(*lane)).unwrap()).map(|found| found.body).collect()
    }

    fn retire(&mut self, endpoints: &[u64]) {
        self.store().retire(&|_, _| endpoints.iter().map(|number| endpoint(*number)).collect()).unwrap();
    }

    fn wait(&self, ms: u64) {
        self.place.devices().clock.advance(ms);
    }

    fn keys(&self, state: KeyState) {
        self.place.devices().keys.set_state(state);
    }

    fn finds(&self, bytes: &[u8]) -> bool {
        self.place.files().iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
    }
}

fn each(bytes: impl IntoIterator<Item = u8>) -> Vec<Vec<u8>> {
    bytes.into_iter().map(|byte| vec![byte]).collect()
}

fn small() -> Devices {
    Devices { cap_bytes: 40_000, ..Devices::new() }
}

/// Every sentence as a function of a place's kind, as tests of the three implementations, and as a list.
macro_rules! sentences {
    ($(fn $name:ident($bench:ident: $devices:expr) $body:block)*) => {
        $(
            #[allow(unused_mut, reason = "some only look")]
            fn $name<P: Place>(new: &dyn Fn(Devices) -> P) {
                let mut $bench = Bench::at(new($devices));
                $body
            }
        )*

        const COUNT: usize = [$(stringify!($name)),*].len();

        type Sentence<P> = (&'static str, fn(&dyn Fn(Devices) -> P));

        fn all<P: Place>() -> [Sentence<P>; COUNT] {
            [$((stringify!($name), $name::<P>)),*]
        }

        mod journal_in_a_folder {
            $(#[test] fn $name() { super::$name(&super::JournalInFolder::new) })*
        }

        mod journal_on_a_simulated_disk {
            $(#[test] fn $name() { super::$name(&super::JournalOnSimulatedDisk::new) })*
        }

        mod sqlite_in_a_folder {
            $(#[test] fn $name() { super::$name(&super::SqliteInFolder::new) })*
        }
    };
}

sentences! {
    fn records_come_back_in_the_order_of_their_append_after_reopening(bench: Devices::new()) {
        let bodies: Vec<Vec<u8>> = (0..60_u8).map(|n| vec![n; usize::from(n) * 3]).collect();
        for half in bodies.chunks(30) {
            for body in half {
                bench.put(analytics(), body);
            }
            bench.reopen();
        }
        assert_eq!(bench.read(), bodies);
    }

    fn a_batch_has_no_more_than_was_asked_for_and_the_next_goes_on_behind_it(bench: Devices::new()) {
        bench.put_each(0..10);
        let mut numbers = Vec::new();
        for expected in [4, 4, 2, 0] {
            let batch = bench.batch(Lane::Telemetry, 4, usize::MAX, &HashSet::new());
            assert_eq!(batch.len(), expected);
            numbers.extend(batch.iter().map(|found| found.body[0]));
            let ids: Vec<_> = batch.iter().map(|found| found.id).collect();
            bench.store().acknowledge(endpoint(1), &ids).unwrap();
        }
        assert_eq!(numbers, Vec::from_iter(0..10));
    }

    fn a_batch_keeps_to_its_bytes_but_has_one_record_however_large(bench: Devices::new()) {
        for length in [100, 30, 30, 50] {
            bench.put(analytics(), &vec![1; length]);
        }
        let mut skip = HashSet::new();
        let lengths = [(); 4].map(|()| {
            let batch = bench.batch(Lane::Telemetry, 10, 60, &skip);
            skip.extend(batch.iter().map(|found| found.id));
            batch.iter().map(|found| found.body.len()).collect::<Vec<_>>()
        });
        assert_eq!(lengths, [vec![100], vec![30, 30], vec![50], vec![]]);
    }

    fn what_is_under_way_is_not_read_again(bench: Devices::new()) {
        let ids = bench.put_each(0..6);
        let skip = HashSet::from([ids[1], ids[4]]);
        let found = bench.batch(Lane::Telemetry, usize::MAX, usize::MAX, &skip);
        assert_eq!(found.iter().map(|found| found.body[0]).collect::<Vec<_>>(), [0, 2, 3, 5]);
        assert_eq!(bench.read().len(), 6);
    }

    fn only_the_lane_and_the_domains_that_were_asked_for_are_read(bench: Devices::new()) {
        for (byte, lane) in (0..3).zip(LANES) {
            bench.put_in(lane, Some(LIFE_MS), analytics(), &[byte]);
        }
        bench.put(crashes(), &[3]);
        let outbox = bench.batch(Lane::Outbox, usize::MAX, usize::MAX, &HashSet::new());
        assert_eq!(outbox.iter().map(|found| (found.domain, found.body[0])).collect::<Vec<_>>(), [(analytics(), 1)]);
        let (domains, skip) = ([crashes()], HashSet::new());
        let (max_records, max_bytes) = (usize::MAX, usize::MAX);
        let (endpoint, lane) = (endpoint(1), Lane::Telemetry);
        let read = Read { endpoint, lane, domains: &domains, max_records, max_bytes, skip: &skip };
        let found = bench.store().read(&read).unwrap();
        assert_eq!(found.iter().map(|found| (found.domain, found.body[0])).collect::<Vec<_>>(), [(crashes(), 3)]);
    }

    fn a_record_says_when_it_ends(bench: Devices::new()) {
        bench.put(analytics(), b"x");
        let ends = bench.place.devices().clock.now().wall_ms + LIFE_MS as i64;
        let found = bench.batch(Lane::Telemetry, 1, 1, &HashSet::new());
        assert_eq!(found[0].expires_ms, ends);
    }

    fn an_acknowledged_record_is_not_read_again_in_whatever_order(bench: Devices::new()) {
        let ids = bench.put_each(0..50);
        let odd: Vec<_> = ids.iter().skip(1).step_by(2).copied().collect();
        bench.store().acknowledge(endpoint(1), &odd).unwrap();
        bench.store().acknowledge(endpoint(1), &ids[..3]).unwrap();
        for _ in 0..2 {
            assert_eq!(bench.read(), each((4..50).step_by(2)));
            bench.reopen();
        }
        bench.store().acknowledge(endpoint(1), &ids).unwrap();
        bench.reopen();
        assert_eq!(bench.read(), each([]));
    }

    fn each_endpoint_has_its_own_progress(bench: Devices::new()) {
        let ids = bench.put_each(0..6);
        bench.store().acknowledge(endpoint(1), &ids[..4]).unwrap();
        bench.store().acknowledge(endpoint(2), &ids[5..]).unwrap();
        bench.reopen();
        assert_eq!(bench.read_for(endpoint(1)), each(4..6));
        assert_eq!(bench.read_for(endpoint(2)), each(0..5));
        assert_eq!(bench.read_for(endpoint(3)), each(0..6));
    }

    fn an_acknowledgement_said_twice_or_of_what_is_gone_changes_nothing(bench: Devices::new()) {
        let ids = bench.put_each(0..3);
        bench.store().acknowledge(endpoint(1), &ids).unwrap();
        bench.store().acknowledge(endpoint(1), &ids).unwrap();
        bench.retire(&[1]);
        bench.store().acknowledge(endpoint(1), &ids).unwrap();
        bench.store().quarantine(endpoint(1), &ids).unwrap();
        bench.put(analytics(), b"next");
        bench.reopen();
        assert_eq!(bench.read(), [b"next"]);
        assert_eq!(bench.store().health().quarantined, 0);
    }

    fn a_refused_record_is_kept_and_counted_and_not_read_again(bench: Devices::new()) {
        let ids = bench.put_each(0..4);
        bench.store().quarantine(endpoint(1), &ids[1..2]).unwrap();
        for _ in 0..2 {
            assert_eq!(bench.read(), each([0, 2, 3]));
            assert_eq!(bench.read_for(endpoint(2)).len(), 4);
            assert_eq!((bench.store().health().quarantined, bench.store().count(&analytics())), (1, 4));
            bench.reopen();
        }
    }

    fn pending_is_what_an_endpoint_has_neither_acknowledged_nor_refused(bench: Devices::new()) {
        let ids = bench.put_each(0..10);
        bench.put(crashes(), b"c");
        bench.store().acknowledge(endpoint(1), &[ids[0], ids[5], ids[9]]).unwrap();
        bench.store().quarantine(endpoint(1), &[ids[6]]).unwrap();
        for _ in 0..2 {
            let store = bench.store();
            let pending = [1, 2].map(|number| store.pending(endpoint(number), &analytics()));
            assert_eq!((pending, store.pending(endpoint(1), &crashes())), ([6, 10], 1));
            bench.reopen();
        }
    }

    fn what_every_endpoint_has_goes_and_what_one_lacks_stays(bench: Devices::new()) {
        let ids = bench.put_each(0..5);
        bench.store().acknowledge(endpoint(1), &ids).unwrap();
        bench.store().acknowledge(endpoint(2), &ids[..4]).unwrap();
        bench.retire(&[]);
        assert_eq!(bench.store().count(&analytics()), 5, "nobody is named");
        bench.retire(&[1, 2]);
        assert_eq!(bench.read_for(endpoint(2)), each([4]));
        bench.store().acknowledge(endpoint(2), &ids[4..]).unwrap();
        bench.retire(&[1, 2]);
        assert_eq!(bench.store().count(&analytics()), 0);
        bench.reopen();
        assert_eq!(bench.read_for(endpoint(3)), each([]));
    }

    fn a_refused_record_stays_until_it_ends(bench: Devices::new()) {
        let id = bench.put(analytics(), b"x");
        bench.store().quarantine(endpoint(1), &[id]).unwrap();
        bench.store().acknowledge(endpoint(2), &[id]).unwrap();
        bench.retire(&[2]);
        bench.retire(&[1, 2]);
        assert_eq!(bench.store().count(&analytics()), 1);
        bench.wait(LIFE_MS * 9 / 8);
        assert_eq!(bench.store().expire(), Ok(1));
        assert_eq!((bench.store().count(&analytics()), bench.store().health().quarantined), (0, 0));
    }

    fn a_record_ends_at_its_age_to_the_millisecond(bench: Devices::new()) {
        bench.put(analytics(), b"old");
        bench.wait(HOUR_MS);
        bench.put(analytics(), b"young");
        bench.wait(LIFE_MS - HOUR_MS - 1);
        assert_eq!(bench.read(), [&b"old"[..], b"young"]);
        bench.wait(1);
        assert_eq!(bench.read(), [b"young"]);
        assert_eq!(bench.store().pending(endpoint(1), &analytics()), 1);
        bench.reopen();
        assert_eq!(bench.read(), [b"young"]);
    }

    fn a_clock_that_is_set_back_gives_no_record_a_longer_life(bench: Devices::new()) {
        let began = bench.place.devices().clock.now().wall_ms;
        bench.put(analytics(), b"x");
        bench.wait(LIFE_MS - 1);
        bench.place.devices().clock.set_wall(began);
        assert_eq!(bench.read(), [b"x"]);
        bench.wait(1);
        assert_eq!(bench.read().len(), 0);
        bench.reopen();
        assert_eq!(bench.read().len(), 0);
    }

    fn after_a_restart_of_the_device_the_wall_clock_decides(bench: Devices::new()) {
        bench.wait(DAY_MS);
        bench.put(analytics(), b"x");
        bench.store = None;
        bench.place.devices().clock.reboot();
        bench.reopen();
        bench.wait(LIFE_MS - 1);
        assert_eq!(bench.read(), [b"x"]);
        bench.wait(1);
        assert_eq!(bench.read().len(), 0);
    }

    fn what_has_ended_is_removed_an_eighth_of_its_life_later_at_most(bench: Devices::new()) {
        for n in 0..8 {
            bench.put(analytics(), &[n]);
            bench.wait(DAY_MS);
        }
        bench.wait(3 * DAY_MS);
        bench.store().expire().unwrap();
        // Four have ended, and three of them more than a day ago.
        assert!((4..=5).contains(&bench.store().count(&analytics())));
        assert_eq!(bench.read(), each(4..8));
        bench.wait(6 * DAY_MS);
        bench.store().expire().unwrap();
        assert_eq!((bench.store().count(&analytics()), bench.store().expire()), (0, Ok(0)));
    }

    fn what_never_ends_stays(bench: Devices::new()) {
        bench.put_in(Lane::Outbox, None, analytics(), b"for ever");
        bench.wait(100_000 * DAY_MS);
        assert_eq!(bench.store().expire(), Ok(0));
        bench.reopen();
        assert_eq!(bench.read(), [b"for ever"]);
    }

    fn a_closed_domain_is_neither_read_nor_written_until_it_is_unlocked(bench: Devices::new()) {
        bench.put(analytics(), b"a");
        bench.put(crashes(), b"c");
        bench.store().close_domain(&analytics());
        assert!(!bench.store().is_open(&analytics()));
        assert_eq!(bench.append(analytics(), b"b"), Err(Error::Closed));
        assert_eq!(bench.read(), [b"c"]);
        bench.store().unlock_domain(&analytics()).unwrap();
        bench.put(analytics(), b"b");
        assert_eq!(bench.read().len(), 3);
        bench.store().close_domain(&analytics());
        bench.reopen();
        assert_eq!(bench.read().len(), 3);
    }

    fn a_shredded_domain_is_gone_and_the_others_are_not(bench: Devices::new()) {
        bench.put(analytics(), b"a");
        bench.put(crashes(), b"c");
        assert_eq!(bench.store().shred(&analytics()), Ok(Shredding::Done));
        assert_eq!(bench.store().shred(&analytics()), Ok(Shredding::Done));
        assert_eq!((bench.store().count(&analytics()), bench.read()), (0, vec![b"c".to_vec()]));
        assert_eq!(bench.append(analytics(), b"late"), Err(Error::Closed));
        assert_eq!(bench.store().unlock_domain(&analytics()), Err(KeyError::NotFound));
        bench.reopen();
        assert_eq!(bench.append(analytics(), b"late"), Err(Error::Key(KeyError::NotFound)));
        assert_eq!(bench.read(), [b"c"]);
    }

    fn a_shredded_domain_does_not_open_in_a_copy_from_before(bench: Devices::new()) {
        bench.put(analytics(), b"a");
        bench.store().sync().unwrap();
        let devices = bench.place.devices().clone();
        let keys_before = devices.keys.snapshot();
        let (now, then) = (bench.place.copy(devices.clone()), bench.place.copy(Devices { keys: keys_before, ..devices }));
        assert_eq!(bench.store().shred(&analytics()), Ok(Shredding::Done));
        let mut now = Bench { store: Some(now.open().unwrap()), place: now };
        assert_eq!((now.read().len(), now.store().is_open(&analytics())), (0, false));
        // With the keys of that time it does.
        let mut then = Bench { store: Some(then.open().unwrap()), place: then };
        assert_eq!(then.read(), [b"a"]);
    }

    fn a_shredding_waits_for_the_key_store_but_the_records_do_not(bench: Devices::new()) {
        bench.put(analytics(), b"a");
        bench.keys(KeyState::NotYet);
        assert_eq!(bench.store().shred(&analytics()), Ok(Shredding::Pending));
        assert_eq!(bench.store().count(&analytics()), 0);
        bench.keys(KeyState::Ready);
        bench.reopen();
        assert_eq!(bench.store().shred(&analytics()), Ok(Shredding::Done));
        assert_eq!(bench.store().unlock_domain(&analytics()), Err(KeyError::NotFound));
    }

    fn a_domain_has_one_key_until_it_is_shredded(bench: Devices::new()) {
        bench.put(analytics(), b"old");
        assert_eq!(bench.store().create_domain(&analytics()), Err(Error::AlreadyExists));
        assert_eq!(bench.store().shred(&analytics()), Ok(Shredding::Done));
        bench.store().create_domain(&analytics()).unwrap();
        bench.put(analytics(), b"new");
        bench.reopen();
        assert_eq!(bench.read(), [b"new"]);
    }

    fn nothing_is_kept_without_a_key(bench: Devices::new()) {
        assert_eq!(bench.append(domain(9), b"x"), Err(Error::Key(KeyError::NotFound)));
        assert_eq!(bench.store().unlock_domain(&domain(9)), Err(KeyError::NotFound));
        bench.keys(KeyState::NotYet);
        assert_eq!(bench.store().create_domain(&domain(9)), Err(Error::Key(KeyError::NotYet)));
        assert_eq!(bench.append(domain(9), b"x"), Err(Error::Key(KeyError::NotFound)));
        assert_eq!((bench.store().health().held, bench.store().count(&domain(9))), (0, 0));
    }

    fn records_are_held_while_the_key_store_is_not_ready_and_keep_their_order(bench: Devices::new()) {
        bench.put(analytics(), &[0]);
        bench.reopen_with_keys(KeyState::NotYet);
        assert_eq!(bench.append(analytics(), &[1]), Ok(Appended::Held));
        bench.keys(KeyState::Suspect);
        assert_eq!(bench.append(analytics(), &[2]), Ok(Appended::Held));
        assert_eq!((bench.store().health().held, bench.store().append_held()), (2, Ok(2)));
        assert_eq!(bench.read().len(), 0);
        bench.keys(KeyState::Ready);
        bench.put(analytics(), &[3]);
        assert_eq!((bench.read(), bench.store().health().held), (each(0..4), 0));
    }

    fn what_is_held_is_kept_when_somebody_asks_for_it(bench: Devices::new()) {
        bench.reopen_with_keys(KeyState::NotYet);
        for domain in [analytics(), crashes(), analytics()] {
            assert_eq!(bench.append(domain, b"x"), Ok(Appended::Held));
        }
        bench.keys(KeyState::Ready);
        assert_eq!(bench.store().append_held(), Ok(0));
        bench.reopen();
        assert_eq!((bench.store().count(&analytics()), bench.store().count(&crashes())), (2, 1));
    }

    fn what_is_held_goes_with_the_process_and_is_in_no_file(bench: Devices::new()) {
        bench.reopen_with_keys(KeyState::NotYet);
        assert_eq!(bench.append(analytics(), b"a body nobody may read"), Ok(Appended::Held));
        assert!(!bench.finds(b"a body nobody may read"));
        bench.keys(KeyState::Ready);
        let mut killed = bench.killed();
        assert_eq!((killed.store().append_held(), killed.read().len()), (Ok(0), 0));
    }

    fn closing_a_domain_and_losing_its_key_wipes_what_is_held(bench: Devices::new()) {
        bench.reopen_with_keys(KeyState::NotYet);
        for domain in [analytics(), crashes()] {
            assert_eq!(bench.append(domain, b"x"), Ok(Appended::Held));
        }
        bench.store().close_domain(&analytics());
        assert_eq!(bench.store().health().held, 1);
        bench.keys(KeyState::Lost);
        assert_eq!((bench.store().append_held(), bench.store().health().held), (Ok(0), 0));
    }

    fn what_ended_while_it_was_held_is_never_kept(bench: Devices::new()) {
        bench.reopen_with_keys(KeyState::NotYet);
        assert_eq!(bench.append(analytics(), b"x"), Ok(Appended::Held));
        bench.wait(LIFE_MS);
        bench.keys(KeyState::Ready);
        assert_eq!((bench.store().append_held(), bench.store().count(&analytics())), (Ok(0), 0));
    }

    fn what_was_appended_survives_the_end_of_the_process(bench: Devices::new()) {
        let ids = bench.put_each(0..20);
        bench.store().acknowledge(endpoint(1), &ids[..5]).unwrap();
        let mut killed = bench.killed();
        assert_eq!(killed.read(), each(5..20));
        killed.put(analytics(), &[20]);
        assert_eq!(killed.killed().read(), each(5..21));
    }

    fn a_synced_append_says_what_it_reached(bench: Devices::new()) {
        let record = Record { domain: analytics(), lane: Lane::Outbox, lives_ms: None, body: b"x" };
        assert!(matches!(bench.store().append_synced(&record), Ok(Appended::Synced(_))));
        bench.reopen_with_keys(KeyState::NotYet);
        assert_eq!(bench.store().append_synced(&record), Ok(Appended::Held));
        bench.store().sync().unwrap();
        bench.keys(KeyState::Ready);
        assert!(matches!(bench.store().append_synced(&record), Ok(Appended::Synced(_))));
        assert_eq!(bench.read().len(), 3);
    }

    fn telemetry_drops_its_oldest_and_counts_them(bench: small()) {
        for n in 0..200_u8 {
            bench.wait(DAY_MS / 10);
            bench.put_in(Lane::Telemetry, Some(1000 * DAY_MS), analytics(), &[n; 400]);
        }
        let health = bench.store().health();
        assert!(health.bytes <= 40_000 && health.dropped > 100, "{health:?}");
        bench.reopen();
        let left: Vec<u8> = bench.read().iter().map(|body| body[0]).collect();
        assert!(left.len() > 20);
        assert_eq!(left, Vec::from_iter(bench.store().health().dropped as u8..200));
    }

    fn the_outbox_takes_telemetrys_room_then_is_full_and_loses_nothing(bench: small()) {
        bench.put_in(Lane::Telemetry, Some(LIFE_MS), analytics(), &[0; 1000]);
        let item = |body| Record { domain: analytics(), lane: Lane::Outbox, lives_ms: None, body };
        let mut ids = Vec::new();
        let full = loop {
            match bench.store().append(&item(&[1; 1000])) {
                Ok(Appended::Buffered(id) | Appended::Synced(id)) => ids.push(id),
                other => break other,
            }
            assert!(ids.len() < 100);
        };
        assert_eq!(full, Err(Error::Full));
        assert_eq!(bench.read(), vec![vec![1; 1000]; ids.len()]);
        assert_eq!(bench.store().health().dropped, 1);
        bench.store().acknowledge(endpoint(1), &ids).unwrap();
        bench.retire(&[1]);
        assert!(bench.store().append(&item(&[2; 1000])).is_ok());
        assert_eq!(bench.read(), [vec![2; 1000]]);
    }

    fn a_second_opener_is_told_that_the_store_is_busy(bench: Devices::new()) {
        bench.put(analytics(), b"x");
        assert_eq!(bench.place.open().err(), Some(OpenError::Busy));
        assert_eq!(bench.read(), [b"x"]);
        bench.reopen();
        assert_eq!(bench.read(), [b"x"]);
    }

    fn a_body_has_a_mebibyte_at_most_and_may_be_empty(bench: Devices::new()) {
        let limit = 1024 * 1024;
        let large = vec![7; limit + 1];
        assert_eq!(bench.append(analytics(), &large), Err(Error::TooLarge { limit }));
        bench.put(analytics(), &large[1..]);
        bench.put(analytics(), b"");
        bench.reopen();
        assert_eq!(bench.read().iter().map(Vec::len).collect::<Vec<_>>(), [limit, 0]);
    }

    fn nothing_of_a_body_stands_in_a_file(bench: Devices::new()) {
        bench.put(analytics(), b"canary-4711");
        bench.store().sync().unwrap();
        assert!(!bench.finds(b"canary-4711"));
        assert!(bench.finds(P::IN_CLEAR), "the search finds nothing at all");
        bench.store = None;
        assert!(!bench.finds(b"canary-4711"));
    }
}

#[test]
fn every_sentence_ran_over_every_implementation() {
    println!("conformance: {COUNT} behaviours × 3 implementations");
}

#[test]
fn a_twin_with_a_fault_breaks_a_sentence() {
    let broken = |fault: Fault| -> Vec<&str> {
        let new = |devices| Faulty::new(devices, fault);
        let is_broken =
            |sentence: fn(&dyn Fn(Devices) -> Faulty)| catch_unwind(AssertUnwindSafe(|| sentence(&new))).is_err();
        all().into_iter().filter(|(_, sentence)| is_broken(*sentence)).map(|(name, _)| name).collect()
    };
    assert_eq!(broken(Fault::None), Vec::<&str>::new(), "the wrapper itself");
    for fault in Fault::ALL {
        let broken = broken(fault);
        assert!(!broken.is_empty(), "{fault:?} was not found");
        println!("{fault:?}: {}", broken.join(", "));
    }
    println!("conformance: {0} of {0} faults found by sentences", Fault::ALL.len());
}
