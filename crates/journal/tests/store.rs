//! How a store behaves when nothing goes wrong, and when somebody withdraws, forgets or tampers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use menshen_journal::{
    Append, Error, Expiry, Folder, KeyError, KeyProvider, KeyState, LabelKind, Lane, OpenError, Shredding,
    SystemRandomness,
};
use support::*;

#[test]
fn records_come_back_in_order_after_reopening() {
    let bench = Bench::new();
    let bodies_in: Vec<Vec<u8>> = (0..500_u32).map(|n| n.to_le_bytes().repeat(n as usize % 70)).collect();
    for half in bodies_in.chunks(250) {
        let journal = bench.open().unwrap();
        let domain = domain(&journal, "analytics").unwrap();
        for body in half {
            put(&bench, &journal, domain, body).unwrap();
        }
        journal.sync().unwrap();
    }
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    assert_eq!(journal.report().records, 500);
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[domain])), bodies_in);
    // One file serves both runs.
    assert_eq!(journal.report().segments, 1);
}

#[test]
fn nothing_of_a_body_or_a_purpose_stands_in_a_segment() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, domain, b"canary-4711").unwrap();
    let found = |needle: &[u8]| {
        let names = bench.disk.names();
        let segments = names.iter().filter(|name| name.starts_with("segments/"));
        segments.filter(|n| bench.disk.contents(n).unwrap().windows(needle.len()).any(|w| w == needle)).count()
    };
    assert_eq!(found(b"canary-4711"), 0);
    assert_eq!(found(b"analytics"), 0);
    // The search can find: the magic of a segment is in each.
    assert_eq!(found(b"menshen"), 1);
}

#[test]
fn an_acknowledged_record_is_not_offered_again_even_out_of_order() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    let endpoint_one = endpoint(&journal);
    let ids: Vec<_> = (0..200_u8).map(|n| put(&bench, &journal, domain, &[n]).unwrap()).collect();
    journal.sync().unwrap();
    let odd: Vec<_> = ids.iter().skip(1).step_by(2).copied().collect();
    journal.acknowledge(endpoint_one, &odd).unwrap();
    journal.acknowledge(endpoint_one, &ids[..3]).unwrap();
    drop(journal);
    let journal = bench.open().unwrap();
    let left: Vec<Vec<u8>> = (4..200_u8).step_by(2).map(|n| vec![n]).collect();
    assert_eq!(bodies(&read(&journal, endpoint_one, &[domain])), left);
    assert_eq!(journal.pending(endpoint_one, &domain), left.len() as u64);
    // Another endpoint has its own progress.
    let other = journal.label(LabelKind::Endpoint, "other").unwrap();
    assert_eq!(read(&journal, other, &[domain]).records.len(), 200);
}

#[test]
fn a_segment_goes_only_when_every_endpoint_has_passed_it() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    let one = endpoint(&journal);
    let two = journal.label(LabelKind::Endpoint, "two").unwrap();
    let ids: Vec<_> = (0..10_u8).map(|n| put(&bench, &journal, domain, &[n]).unwrap()).collect();
    journal.acknowledge(one, &ids).unwrap();
    assert_eq!(journal.retire_delivered(&|_, _| vec![one, two]).unwrap(), 0);
    assert_eq!(journal.retire_delivered(&|_, _| Vec::new()).unwrap(), 0);
    journal.quarantine(two, &ids[..1]).unwrap();
    journal.acknowledge(two, &ids[1..]).unwrap();
    assert_eq!(journal.retire_delivered(&|_, _| vec![one, two]).unwrap(), 0, "a refused record is kept");
    assert_eq!(journal.health().quarantined, 1);
    assert_eq!(read(&journal, two, &[domain]).records.len(), 0);
    assert_eq!(journal.retire_delivered(&|_, _| vec![one]).unwrap(), 0);
    bench.clock.advance(10 * DAY_MS);
    assert_eq!(journal.expire().unwrap().records, 10);
    assert_eq!(journal.count(&domain), 0);
}

#[test]
fn a_retired_segment_does_not_come_back_when_its_file_does() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    let one = endpoint(&journal);
    let id = put(&bench, &journal, domain, b"once").unwrap();
    let name = bench.disk.names().into_iter().find(|name| name.starts_with("segments/")).unwrap();
    let file = bench.disk.contents(&name).unwrap();
    journal.acknowledge(one, &[id]).unwrap();
    assert_eq!(journal.retire_delivered(&|_, _| vec![one]).unwrap(), 1);
    assert!(!bench.disk.names().contains(&name));
    put(&bench, &journal, domain, b"next").unwrap();
    drop(journal);
    bench.disk.put(&name, &file);
    let journal = bench.open().unwrap();
    assert_eq!(bodies(&read(&journal, one, &[domain])), [b"next"]);
}

#[test]
fn a_record_ends_exactly_and_its_key_with_its_bucket() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, domain, b"for eight days").unwrap();
    bench.clock.advance(8 * DAY_MS - 1);
    assert_eq!(read(&journal, endpoint(&journal), &[domain]).records.len(), 1);
    bench.clock.advance(1);
    let batch = read(&journal, endpoint(&journal), &[domain]);
    assert_eq!((batch.records.len(), batch.expired), (0, 1));
    let before = bench.snapshot();
    bench.clock.advance(DAY_MS);
    let expired = journal.expire().unwrap();
    assert_eq!((expired.segments, expired.records), (1, 1));
    assert!(!bench.disk.names().iter().any(|name| name.starts_with("segments/")));
    // The old segment with the keys as they are now opens no more, even with the clock set back.
    let segment = before.disk.names().into_iter().find(|name| name.starts_with("segments/")).unwrap();
    drop(journal);
    bench.disk.put(&segment, &before.disk.contents(&segment).unwrap());
    bench.disk.delete("manifest.1");
    bench.clock.set_wall(START_MS);
    let journal = bench.open().unwrap();
    let batch = read(&journal, endpoint(&journal), &[domain]);
    let report = journal.report();
    assert_eq!((batch.records.len(), report.adopted, report.quarantined), (0, 0, 1));
}

#[test]
fn a_shredded_domain_is_gone_from_every_copy() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    let crashes = domain(&journal, "crashes").unwrap();
    put(&bench, &journal, analytics, b"a").unwrap();
    put(&bench, &journal, crashes, b"c").unwrap();
    journal.sync().unwrap();
    let before = bench.disk.snapshot();
    let keys_before = bench.keys.snapshot();
    assert_eq!(journal.shred(&analytics).unwrap(), Shredding::Done);
    assert_eq!(journal.shred(&analytics).unwrap(), Shredding::Done, "again is right");
    assert_eq!(journal.alias(&analytics), None);
    assert_eq!(put(&bench, &journal, analytics, b"late").unwrap_err(), Error::Closed);
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics, crashes])), [b"c"]);

    let rolled_back = Bench { disk: before.snapshot(), ..bench.clone() };
    let journal = rolled_back.open().unwrap();
    assert_eq!(journal.unlock_domain(&analytics), Err(KeyError::NotFound));
    let batch = read(&journal, endpoint(&journal), &[analytics, crashes]);
    assert_eq!((bodies(&batch), batch.locked), (vec![b"c".to_vec()], 1));
    assert_eq!(journal.create_domain(&analytics), Err(Error::AlreadyExists));

    // The same copy with the keys of that time does open: the search above could find something.
    let then = Bench { disk: before, keys: keys_before, ..bench };
    let journal = then.open().unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[analytics, crashes]).records.len(), 2);
}

#[test]
fn a_shredding_waits_for_the_key_store() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, domain, b"x").unwrap();
    bench.keys.set_state(KeyState::NotYet);
    assert_eq!(journal.shred(&domain).unwrap(), Shredding::Pending);
    assert_eq!(journal.count(&domain), 0);
    bench.keys.set_state(KeyState::Ready);
    drop(journal);
    let journal = bench.open().unwrap();
    assert_eq!(bench.keys.list().unwrap().len(), 2);
    assert_eq!(journal.shred(&domain).unwrap(), Shredding::Done);
    assert_eq!(bench.keys.list().unwrap().len(), 1, "the store's own key stays");
}

#[test]
fn a_wrong_key_is_told_and_loses_nothing() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, domain, b"x").unwrap();
    drop(journal);
    let other = bench.snapshot();
    other.keys.replace_all();
    let journal = other.open().unwrap();
    assert_eq!(journal.unlock(), Err(KeyError::Refused));
    assert_eq!(journal.unlock_domain(&domain), Err(KeyError::Refused));
    assert_eq!(put(&bench, &journal, domain, b"y"), Err(Error::Key(KeyError::Refused)));
    assert_eq!(try_read(&journal, endpoint(&journal), &[domain]), Err(Error::Key(KeyError::Refused)));
    drop(journal);
    let journal = Bench { keys: bench.keys.clone(), ..other }.open().unwrap();
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[domain])), [b"x"]);
}

#[test]
fn the_stores_own_key_is_never_made_anew() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    bench.keys.set_state(KeyState::NotYet);
    assert_eq!(journal.unlock(), Err(KeyError::NotYet));
    bench.keys.set_state(KeyState::Ready);
    journal.unlock().unwrap();
    let hash = journal.keyed_hash(b"name").unwrap();
    drop(journal);
    let journal = bench.open().unwrap();
    assert_eq!(journal.keyed_hash(b"name").unwrap(), hash);
    drop(journal);
    for alias in bench.keys.list().unwrap() {
        bench.keys.destroy(&alias).unwrap();
    }
    assert_eq!(bench.open().unwrap().unlock(), Err(KeyError::NotFound));
    assert_eq!(bench.keys.list().unwrap(), []);
}

#[test]
fn a_closed_domain_opens_only_when_it_is_unlocked_again() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, domain, b"x").unwrap();
    journal.close_domain(&domain);
    assert_eq!(put(&bench, &journal, domain, b"y"), Err(Error::Closed));
    assert_eq!(journal.derive(&domain, b"z"), Err(Error::Closed));
    assert_eq!(read(&journal, endpoint(&journal), &[domain]).records.len(), 0);
    journal.unlock_domain(&domain).unwrap();
    put(&bench, &journal, domain, b"y").unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[domain]).records.len(), 2);
}

#[test]
fn telemetry_drops_its_oldest_and_the_outbox_is_full() {
    let mut bench = Bench::new();
    bench.options.cap_bytes = 40_000;
    bench.options.segment_bytes = 4_000;
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    for n in 0..300_u32 {
        bench.clock.advance(DAY_MS / 10);
        put(&bench, &journal, domain, &n.to_le_bytes().repeat(100)).unwrap();
    }
    let health = journal.health();
    assert!(health.bytes <= 40_000 && health.dropped > 100, "{health:?}");
    let batch = read(&journal, endpoint(&journal), &[domain]);
    assert_eq!(batch.records.last().unwrap().body[..4], 299_u32.to_le_bytes());
    let outbox = |n: u8| Append { domain, lane: Lane::Outbox, expiry: Expiry::never(), body: &[0; 4000][n as usize..] };
    let full = (0..20).find_map(|n| journal.append(&outbox(n)).err());
    assert_eq!(full, Some(Error::Full));
}

#[test]
fn limits_are_refused_with_types() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    let large = vec![1; 1024 * 1024];
    put(&bench, &journal, domain, &large).unwrap();
    let limit = large.len();
    assert_eq!(put(&bench, &journal, domain, &[&large[..], &[1]].concat()), Err(Error::TooLarge { limit }));
    assert_eq!(read(&journal, endpoint(&journal), &[domain]).records[0].body.len(), limit);
    assert_eq!(journal.create_domain(&domain), Err(Error::AlreadyExists));
    assert!(bench.open().is_err_and(|error| error == OpenError::Busy));
}

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    let bench = Bench::new();
    bench.disk.put("holiday.jpg", b"beach");
    assert_eq!(bench.open().err(), Some(OpenError::NotAStore));
    assert_eq!(bench.disk.names(), ["holiday.jpg"]);
    for name in ["keys", "manifest.1", "segments/0000000000000001"] {
        let bench = Bench::new();
        bench.disk.put(name, &[0xA5; 5000]);
        assert_eq!(bench.open().err(), Some(OpenError::NotAStore), "{name}");
        assert_eq!(bench.disk.contents(name).unwrap(), vec![0xA5; 5000]);
    }
}

#[test]
fn denial_markers_outlive_the_store_folder() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain_of(&journal, "analytics").unwrap();
    let before = bench.disk.snapshot();
    journal.mark_denied(&domain).unwrap();
    drop(journal);
    let journal = Bench { disk: before, ..bench.clone() }.open().unwrap();
    assert_eq!(journal.denied().unwrap(), [domain]);
    journal.clear_mark(&domain).unwrap();
    assert_eq!(journal.denied().unwrap(), []);
    drop(journal);
    let journal = bench.open().unwrap();
    assert_eq!(journal.denied().unwrap(), [domain], "the folder's own marker is still there");
}

#[test]
fn a_real_folder_works_and_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let keys = std::sync::Arc::new(menshen_journal::FileKeys::at(folder.path().join("keys")).unwrap());
    let effects = |path: &str| menshen_journal::Effects {
        disk: std::sync::Arc::new(Folder::at(folder.path().join(path)).unwrap()),
        keys: keys.clone(),
        clock: std::sync::Arc::new(menshen_journal::SystemClock::new()),
        randomness: std::sync::Arc::new(SystemRandomness::new()),
        anchor: None,
        marker_disks: Vec::new(),
    };
    let open = |path: &str| menshen_journal::Journal::open(effects(path), menshen_journal::Options::default());
    let bench = Bench::new();
    bench.clock.set_wall(4_000_000_000_000);
    let journal = open("store").unwrap();
    journal.unlock().unwrap();
    let one = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, one, b"kept").unwrap();
    assert_eq!(open("store").err(), Some(OpenError::Busy));
    journal.sync().unwrap();
    drop(journal);
    let journal = open("store").unwrap();
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[one])), [b"kept"]);
    assert_eq!(journal.shred(&one).unwrap(), Shredding::Done);
    assert_eq!(keys.list().unwrap().len(), 1);
    std::fs::write(folder.path().join("file"), b"x").unwrap();
    assert_eq!(Folder::at(folder.path().join("file")).err().map(OpenError::from), Some(OpenError::NotAFolder));
    assert_eq!(Folder::at(folder.path().join("file/below")).err().map(OpenError::from), Some(OpenError::NotAFolder));
}

#[test]
fn threads_that_sync_at_the_same_time_share_flushes_and_lose_nothing() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, analytics, &[255, 255]).unwrap();
    journal.sync().unwrap();
    let (_, before) = bench.disk.totals();
    bench.disk.set_sync_time(std::time::Duration::from_micros(300));
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let (bench, journal) = (&bench, &journal);
            scope.spawn(move || {
                for number in 0..50_u8 {
                    put(bench, journal, analytics, &[thread, number]).unwrap();
                    journal.sync().unwrap();
                }
            });
        }
    });
    let (_, after) = bench.disk.totals();
    println!("{} flushes for 400 synced records", after - before);
    assert!((after - before) * 2 < 400, "{} flushes", after - before);
    drop(journal);
    bench.disk.lose_power(menshen_journal::simulated::PowerLoss::LosesAll);
    let journal = bench.open().unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 401);
}
