//! What attackers found once: each a promise of the store that they broke, kept since.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod support;
use menshen_journal::simulated::{Fault, PowerLoss};
use menshen_journal::*;
use std::collections::HashSet;
use std::sync::Arc;
use support::*;

#[test]
fn a_sync_in_between_does_not_make_a_ledger_durable_that_an_earlier_process_may_not_have_synced() {
    let mut bad = Vec::new();
    for control in [true, false] {
        for at in 0..8 {
            let bench = Bench::new();
            let journal = bench.open().unwrap();
            let account = essential(&journal).account;
            journal.ledger_append(account, &entries([b"one"])).unwrap();
            bench.disk.set_fault(Some(Fault::From(at, DiskError::Io)));
            let _ = journal.ledger_append(account, &entries([b"two"]));
            drop(journal);
            bench.disk.kill();
            let journal = bench.open().unwrap();
            if !control {
                journal.unlock().unwrap();
                journal.sync().unwrap();
            }
            journal.ledger_append(account, &entries([b"three"])).unwrap();
            drop(journal);
            bench.disk.lose_power(PowerLoss::LosesAll);
            let journal = bench.open().unwrap();
            let v = journal.ledger_read(account).unwrap().verdict;
            if v != Verdict::Sound {
                bad.push((control, at, v));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn a_body_that_is_too_large_to_be_held_drops_nothing() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    for n in 0..3u8 {
        assert_eq!(append(&bench, &journal, analytics, &[n; 10]), Ok(Appended::Held));
    }
    let r = append(&bench, &journal, analytics, &vec![9; 300 * 1024]);
    let h = journal.health();
    assert_eq!((r.is_ok(), h.held, h.dropped), (false, 3, 0), "{r:?}");
}

#[test]
fn what_ended_while_it_was_held_takes_no_room() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let e = Expiry::after(&bench.clock.now(), 60_000);
    for _ in 0..3 {
        let _ = journal
            .append(&Append { domain: analytics, lane: Lane::Outbox, expiry: e, body: &[7; 64 * 1024] })
            .unwrap();
    }
    bench.clock.advance(DAY_MS);
    journal.expire().ok();
    let _ = journal.append_held();
    let r = journal.append(&Append { domain: analytics, lane: Lane::Outbox, expiry: bench.expiry(), body: b"small" });
    assert_eq!((r, journal.health().held), (Ok(Appended::Held), 1));
}

#[test]
fn what_was_held_for_a_lost_key_is_counted() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    for _ in 0..3 {
        let _ = append(&bench, &journal, analytics, b"x").unwrap();
    }
    bench.keys.set_state(KeyState::Lost);
    assert_eq!(journal.append_held(), Ok(0));
    let h = journal.health();
    assert!(h.dropped + h.damaged == 3, "{h:?}");
}

#[test]
fn a_held_record_that_does_not_fit_is_in_nobodys_way() {
    let mut bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let bytes = journal.health().bytes;
    drop(journal);
    bench.keys.set_state(KeyState::Ready);
    bench.options.cap_bytes = bytes + 150 * 1024;
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    let other = domain(&journal, "other").unwrap();
    bench.keys.set_state(KeyState::NotYet);
    let body = vec![7; 100 * 1024];
    let item = |domain| Append { domain, lane: Lane::Outbox, expiry: Expiry::never(), body: &body };
    assert_eq!(journal.append(&item(analytics)), Ok(Appended::Held));
    assert!(matches!(journal.append(&item(other)), Ok(Appended::Buffered(_))), "control: the other key is there");
    bench.keys.set_state(KeyState::Ready);
    let mut rs = Vec::new();
    for _ in 0..3 {
        rs.push(append(&bench, &journal, analytics, b"small"));
    }
    let room = bench.options.cap_bytes - journal.health().bytes;
    assert!(
        rs.iter().all(|r| matches!(r, Ok(Appended::Buffered(_)))),
        "{rs:?} with {room} bytes of room {:?}",
        journal.health()
    );
}

#[test]
fn a_planted_generation_is_an_error_and_no_panic() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let a = domain(&journal, "a").unwrap();
    put(&bench, &journal, a, b"x").unwrap();
    drop(journal);
    let mut keys = bench.disk.contents("keys").unwrap();
    let mut slice = None;
    for at in (0..keys.len()).step_by(512) {
        if keys[at] == 3 {
            keys[at + 9 + 24 + 1 + 16..at + 9 + 24 + 1 + 20].copy_from_slice(&u32::MAX.to_le_bytes());
            let sum = crc32c::crc32c(&keys[at..at + 508]);
            keys[at + 508..at + 512].copy_from_slice(&sum.to_le_bytes());
            slice = Some(at);
        }
    }
    assert!(slice.is_some());
    bench.disk.put("keys", &keys);
    let name = bench.disk.names().into_iter().find(|n| n.starts_with("segments/")).unwrap();
    let mut file = bench.disk.contents(&name).unwrap()[..128].to_vec();
    file[28..36].copy_from_slice(&50u64.to_le_bytes());
    file[76..80].copy_from_slice(&u32::MAX.to_le_bytes());
    let sum = crc32c::crc32c(&file[..124]);
    file[124..128].copy_from_slice(&sum.to_le_bytes());
    let mut frame = vec![0xD6, 0x44];
    frame.extend_from_slice(&(1u64 << 20).to_le_bytes());
    frame.extend_from_slice(&0u32.to_le_bytes());
    let sum = crc32c::crc32c(&frame);
    frame.extend_from_slice(&sum.to_le_bytes());
    file.extend_from_slice(&frame);
    file.extend_from_slice(&[1, 2, 3]);
    bench.disk.put("segments/0000000000000032", &file);
    let journal = bench.open().unwrap();
    assert_eq!(put(&bench, &journal, a, b"y"), Err(Error::Full));
}

#[test]
fn a_segment_written_anew_repeats_no_nonce() {
    let mut runs = HashSet::new();
    for at in 0..25 {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        let a = domain(&journal, "a").unwrap();
        put(&bench, &journal, a, b"one").unwrap();
        journal.sync().unwrap();
        put(&bench, &journal, a, b"two").unwrap();
        bench.disk.set_fault(Some(Fault::Once(at, DiskError::Io)));
        let _ = journal.sync();
        bench.disk.set_fault(None);
        put(&bench, &journal, a, b"three").unwrap();
        let _ = journal.sync();
        let fork = bench.disk.fork();
        put(&bench, &journal, a, b"four").unwrap();
        drop(journal);
        let copy = Bench { disk: fork, ..bench.clone() };
        let journal = copy.open().unwrap();
        put(&copy, &journal, a, b"other four").unwrap();
        drop(journal);
        let mut seen: std::collections::HashMap<(Vec<u8>, u64), Vec<u8>> = Default::default();
        for disk in [&bench.disk, &copy.disk] {
            for name in disk.names().iter().filter(|n| n.starts_with("segments/")) {
                let c = disk.contents(name).unwrap();
                let (mut p, mut salt) = (128, vec![]);
                while c.len() >= p + 18 && c[p] == 0xD6 {
                    let len = u32::from_le_bytes(c[p + 10..p + 14].try_into().unwrap()) as usize;
                    let seq = u64::from_le_bytes(c[p + 2..p + 10].try_into().unwrap());
                    let body = c[p + 18..p + 18 + len].to_vec();
                    if c[p + 1] == 0x52 {
                        salt = body[..32].to_vec();
                        runs.insert(salt.clone());
                    } else if let Some(other) = seen.insert((salt.clone(), seq), body.clone()) {
                        assert_eq!(other, body, "nonce twice, at {at}");
                    }
                    p += 18 + len;
                }
            }
        }
    }
    assert!(runs.len() > 50);
}

#[test]
fn a_box_is_for_one_endpoint_and_its_segment_goes_when_that_one_has_it() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, server(1).1);
    let other = journal.label(LabelKind::Endpoint, "other").unwrap();
    let id = append_or_box(&bench, &journal, analytics, b"x", &to).unwrap().id().unwrap();
    let pending_other = journal.pending(other, &analytics);
    journal.acknowledge(to.endpoint, &[id]).unwrap();
    let before = journal.health().segments;
    journal.retire_delivered(&|_, _| vec![to.endpoint, other]).unwrap();
    assert_eq!(
        (journal.health().segments, pending_other),
        (before - 1, 1),
        "left, pending for the other (1 is the record sealed here)"
    );
}

#[test]
fn a_box_that_ended_stays_ended_when_the_clock_is_set_back() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, server(1).1);
    let _ = append_or_box(&bench, &journal, analytics, b"x", &to).unwrap();
    bench.clock.advance(20 * DAY_MS);
    assert_eq!(read_boxed(&journal, to.endpoint, analytics).boxes.len(), 0);
    bench.clock.set_wall(START_MS);
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(read(&journal, to.endpoint, &[analytics]).records.len(), 0, "control: a record sealed here stays ended");
    assert_eq!(read_boxed(&journal, to.endpoint, analytics).boxes.len(), 0, "20 days old, lives 8");
}

#[test]
fn a_closed_domain_offers_no_boxes() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, server(1).1);
    let _ = append_or_box(&bench, &journal, analytics, b"x", &to).unwrap();
    journal.close_domain(&analytics);
    assert_eq!(read_boxed(&journal, to.endpoint, analytics).boxes.len(), 0);
}

#[test]
fn a_planted_key_slot_has_no_ledger_abandoned_that_still_verifies() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    let e = essential(&journal);
    journal.ledger_append(e.account, &entries([b"one"])).unwrap();
    drop(journal);
    let copy = bench.snapshot();
    let journal = copy.open().unwrap();
    journal.unlock().unwrap();
    journal.create_domain(&Domain { epoch: 7, ..e }).unwrap();
    drop(journal);
    bench.disk.put("keys", &copy.disk.contents("keys").unwrap());
    let journal = bench.open().unwrap();
    let r = journal.begin_ledger_anew(e.account);
    assert_eq!(r, Err(Error::AlreadyExists), "the key of the ledger of epoch 1 is there");
}

#[test]
fn a_denial_is_written_on_a_full_disk_after_a_power_loss() {
    let mut out = Vec::new();
    for (name, power) in [("control: no power loss", false), ("power loss", true)] {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        journal.unlock().unwrap();
        let account = essential(&journal).account;
        let big = vec![5u8; 20_000];
        for _ in 0..20 {
            journal.ledger_append(account, &[NewEntry { statement: b"s", payload: &big }]).unwrap();
        }
        drop(journal);
        if power {
            bench.disk.lose_power(PowerLoss::LosesAll);
        } else {
            bench.disk.kill();
        }
        let journal = bench.open().unwrap();
        journal.unlock().unwrap();
        bench.disk.set_capacity(Some(bench.disk.used()));
        let r = journal.ledger_append_denial(account, &entries([b"no"]));
        out.push((name, r.map(|_| ())));
    }
    assert!(out.iter().all(|(_, r)| r.is_ok()), "{out:?}");
}

#[test]
fn a_segment_that_cannot_be_written_anew_holds_up_no_other() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let a = domain(&journal, "a").unwrap();
    let b = domain(&journal, "b").unwrap();
    put(&bench, &journal, a, &vec![1; 50_000]).unwrap();
    put(&bench, &journal, b, b"begun").unwrap();
    journal.sync().unwrap();
    for _ in 0..10 {
        put(&bench, &journal, a, &vec![1; 50_000]).unwrap();
    }
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Io)));
    assert!(journal.sync().is_err());
    bench.disk.set_fault(None);
    assert!(journal.health().suspect >= 1, "{:?}", journal.health());
    put(&bench, &journal, b, b"of the other").unwrap();
    bench.disk.set_capacity(Some(bench.disk.used()));
    let r: Vec<_> = (0..3).map(|_| journal.sync()).collect();
    drop(journal);
    bench.disk.lose_power(PowerLoss::LosesAll);
    bench.disk.set_capacity(None);
    let journal = bench.open().unwrap();
    let found = bodies(&read(&journal, endpoint(&journal), &[b]));
    assert_eq!(found, [b"begun".to_vec(), b"of the other".to_vec()], "{r:?}");
}

#[test]
fn a_file_that_only_looks_like_a_copy_is_left_alone() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    drop(journal);
    bench.disk.put("segments/notes", b"somebody's");
    bench.disk.put("segments/notes.copy", b"somebody's");
    let _journal = bench.open().unwrap();
    assert!(bench.disk.names().contains(&"segments/notes.copy".to_owned()));
}

#[test]
fn a_copy_goes_with_its_segment() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let a = domain(&journal, "a").unwrap();
    let _id = put(&bench, &journal, a, b"x").unwrap();
    journal.sync().unwrap();
    let name = bench.disk.names().into_iter().find(|n| n.starts_with("segments/")).unwrap();
    bench.disk.put(&format!("{name}.copy"), &bench.disk.contents(&name).unwrap());
    assert_eq!(journal.shred(&a), Ok(Shredding::Done));
    drop(journal);
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    let _ = journal.expire();
    assert!(
        !bench.disk.names().iter().any(|n| n.ends_with(".copy")),
        "{:?} {:?}",
        bench.disk.names(),
        journal.report()
    );
}

#[test]
fn no_room_is_made_for_what_is_only_held() {
    let mut bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let bytes = journal.health().bytes;
    drop(journal);
    bench.keys.set_state(KeyState::Ready);
    bench.options.cap_bytes = bytes + 100;
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    bench.keys.set_state(KeyState::NotYet);
    let r = append(&bench, &journal, analytics, &[1; 200]);
    assert_eq!((journal.count(&analytics), journal.health().dropped), (1, 0), "{r:?}");
}

#[test]
fn a_copy_cut_short_at_any_operation_doubles_and_loses_nothing() {
    let mut copies = 0;
    for power in
        [None, Some(PowerLoss::LosesAll), Some(PowerLoss::KeepsAll), Some(PowerLoss::Torn(3)), Some(PowerLoss::Torn(4))]
    {
        for at in 0..14 {
            let bench = Bench::new();
            let journal = bench.open().unwrap();
            let analytics = domain(&journal, "analytics").unwrap();
            put(&bench, &journal, analytics, b"first").unwrap();
            journal.sync().unwrap();
            put(&bench, &journal, analytics, b"second").unwrap();
            bench.disk.set_fault(Some(Fault::From(0, DiskError::Io)));
            assert!(journal.sync().is_err());
            assert_eq!(journal.health().suspect, 1);
            bench.disk.set_fault(Some(Fault::From(at, DiskError::Io)));
            let r = journal.sync();
            copies += bench.disk.names().iter().filter(|n| n.ends_with(".copy")).count();
            drop(journal);
            match power {
                None => bench.disk.kill(),
                Some(p) => bench.disk.lose_power(p),
            }
            let journal = bench.open().unwrap();
            let found = bodies(&read(&journal, endpoint(&journal), &[analytics]));
            let all = [b"first".to_vec(), b"second".to_vec()];
            if r.is_ok() || power.is_none() {
                assert_eq!(found, all, "{power:?} {at}");
            } else {
                assert!(all.starts_with(&found) && !found.is_empty(), "{power:?} {at} {found:?}");
            }
            let ids: Vec<_> = read(&journal, endpoint(&journal), &[analytics]).records.iter().map(|r| r.id).collect();
            journal.acknowledge(endpoint(&journal), &ids).unwrap();
            assert!(read(&journal, endpoint(&journal), &[analytics]).records.is_empty());
            assert!(!bench.disk.names().iter().any(|n| n.ends_with(".copy")), "{power:?} {at}");
        }
    }
    assert!(copies > 0);
}

#[test]
fn a_folder_in_the_place_of_a_file_is_no_store_and_an_empty_path_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    let effects = Effects {
        disk: Arc::new(Folder::at(folder.path()).unwrap()),
        keys: Arc::new(MemoryKeys::new()),
        clock: Arc::new(SystemClock::new()),
        randomness: Arc::new(SystemRandomness::new()),
        anchor: None,
        marker_disks: Vec::new(),
    };
    assert_eq!(Journal::open(effects, Options::default()).err(), Some(OpenError::NotAStore));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing of ours stays in it");
    assert_eq!(Folder::at("").err().map(OpenError::from), Some(OpenError::NotAFolder));
}

#[test]
fn a_key_file_that_was_cut_is_another_key_and_nothing_that_comes_back_by_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let keys = FileKeys::at(folder.path()).unwrap();
    let alias = Alias::parse("menshen-00112233445566778899aabbccddeeff").unwrap();
    keys.create(&alias).unwrap();
    let sealed = keys.wrap(&alias, &[7; 32], b"context").unwrap();
    assert_eq!(keys.unwrap(&alias, &sealed, b"context").unwrap()[..], [7; 32]);
    for length in [0, 31] {
        std::fs::write(folder.path().join(alias.as_str()), vec![1; length]).unwrap();
        assert_eq!(keys.unwrap(&alias, &sealed, b"context"), Err(KeyError::Refused));
    }
}

#[test]
fn a_folder_of_keys_that_is_away_says_nothing_about_its_keys() {
    let place = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (place.path().join("keys"), place.path().join("elsewhere"));
    let keys = FileKeys::at(&folder).unwrap();
    let alias = Alias::parse("menshen-00112233445566778899aabbccddeeff").unwrap();
    keys.create(&alias).unwrap();
    std::fs::rename(&folder, &elsewhere).unwrap();
    assert_eq!(keys.exists(&alias), Err(KeyError::Suspect));
    assert_eq!(keys.destroy(&alias), Err(KeyError::Suspect));
    assert_eq!(keys.list(), Err(KeyError::Suspect));
    assert_eq!(keys.wrap(&alias, b"secret", b""), Err(KeyError::Suspect));
    assert_eq!(keys.state(), KeyState::Suspect);
    std::fs::rename(&elsewhere, &folder).unwrap();
    assert_eq!(keys.exists(&alias), Ok(true));
    keys.destroy(&alias).unwrap();
    assert_eq!(keys.exists(&alias), Ok(false));
}

#[test]
fn a_link_in_the_place_of_a_file_overwrites_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (folder, target) = (place.path().join("markers"), place.path().join("photo"));
    std::fs::write(&target, b"the app's own").unwrap();
    let disk = Folder::at(&folder).unwrap();
    for name in ["lock", "marker"] {
        std::os::unix::fs::symlink(&target, folder.join(name)).unwrap();
    }
    assert!(disk.open("marker").is_err() && disk.create("marker").is_err() && disk.lock().is_err());
    assert_eq!(std::fs::read(&target).unwrap(), b"the app's own");
}

#[test]
fn somebody_elses_file_named_as_one_of_ours_is_no_store_and_stays_as_it_is() {
    let effects = |folder: &std::path::Path| Effects {
        disk: Arc::new(Folder::at(folder).unwrap()),
        keys: Arc::new(MemoryKeys::new()),
        clock: Arc::new(SystemClock::new()),
        randomness: Arc::new(SystemRandomness::new()),
        anchor: None,
        marker_disks: Vec::new(),
    };
    for name in ["keys", "manifest.1", "cursor", "reserve"] {
        for length in [1, 511, 512, 513, 3_600, 4_096, 5_000, 8_192, 20_000] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(name);
            let content = vec![b'x'; length];
            std::fs::write(&file, &content).unwrap();
            let opened = Journal::open(effects(folder.path()), Options::default());
            let kept = std::fs::read(&file).unwrap() == content;
            assert!(kept, "{name} of {length} bytes: {:?}", opened.err());
        }
    }
}
