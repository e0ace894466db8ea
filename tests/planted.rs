//! Somebody writes into the store's files, a portal answers for the receiver, a clock was wrong once: nothing opens, leaves
//! or is destroyed because of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/bench.rs"]
mod bench;

use bench::*;
use menshen::journal::simulated::{Fault, MemoryAnchor, SimulatedDisk};
use menshen::journal::{DiskError, Domain};
use menshen::{Answer, KeyProvider, Recorded, Session, Step, TransportReply, UploadOutcome, Withdrawal};

fn yes(session: &Session, purpose: &str) {
    session.request_purpose(purpose).unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
}

fn with_sum(mut slot: Vec<u8>) -> Vec<u8> {
    slot.resize(508, 0);
    let sum = crc32c::crc32c(&slot);
    slot.extend(sum.to_le_bytes());
    slot
}

/// Puts a slot, in both copies, into the first free place of the key file.
fn plant_slot(disk: &SimulatedDisk, slot: &[u8]) {
    let mut keys = disk.contents("keys").unwrap();
    keys.resize(keys.len() + 8192, 0);
    let mut places = (0..keys.len() / 512).filter(|place| place % 16 < 8);
    let free = places.find(|place| keys[place * 512..place * 512 + 512].iter().all(|byte| *byte == 0)).unwrap();
    for at in [free * 512, free * 512 + 4096] {
        keys[at..at + 512].copy_from_slice(slot);
    }
    disk.put("keys", &keys);
}

/// The name of a purpose, in clear as the key file has it.
fn plant_name(disk: &SimulatedDisk, generation: u64, label: u64, name: &str) {
    let mut slot = vec![4];
    slot.extend(generation.to_le_bytes());
    slot.push(2);
    slot.extend(label.to_le_bytes());
    slot.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    slot.extend(name.as_bytes());
    plant_slot(disk, &with_sum(slot));
}

fn marker_name(bench: &Bench, domain: &Domain, epoch: u64) -> String {
    let keys = bench.disk.contents("keys").unwrap();
    let store = keys.chunks(512).find(|slot| slot[0] == 1).unwrap();
    let short = u32::from_be_bytes(store[9..13].try_into().unwrap());
    format!("denied-{short:08x}-{:016x}-{:016x}-{epoch:016x}", domain.account.number(), domain.purpose.number())
}

#[test]
fn another_name_for_a_label_hides_no_marker() {
    for generation in [0, 1 << 40] {
        let bench = Bench::new();
        let (menshen, session) = bench.agreed();
        assert_eq!(record(&session), Recorded::Buffered);
        let domain = session.domain("statistics").unwrap().unwrap();
        bench.disk.set_fault(Some(Fault::From(0, DiskError::Full)));
        assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Pending { .. }));
        bench.disk.set_fault(None);
        drop((session, menshen));
        plant_name(&bench.disk, generation, domain.purpose.number(), "zzz");
        let session = bench.open().guest().unwrap();
        assert!(!session.is_purpose_allowed("statistics"));
        assert!(matches!(record(&session), Recorded::Denied(_)));
        assert!(!send_all(&session).iter().any(|upload| !upload.request.url.ends_with("/erase")));
    }
}

#[test]
fn a_name_that_leads_to_another_purpose_destroys_only_the_key_that_was_withdrawn() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    let (ended, kept) = (session.domain("statistics").unwrap().unwrap(), session.domain("messaging").unwrap().unwrap());
    session.withdraw("statistics").unwrap();
    drop((session, menshen));
    let before = bench.keys.list().unwrap();
    plant_name(&bench.disk, 1 << 40, kept.purpose.number(), "statistics");
    let session = bench.open().guest().unwrap();
    let _ = session.maintain();
    let gone: Vec<_> = before.iter().filter(|alias| bench.keys.exists(alias) == Ok(false)).collect();
    assert!(gone.len() <= 1, "{gone:?}");
    drop(session);
    // Label 0 is nobody's name: the account's ledger stays.
    plant_name(&bench.disk, 1 << 41, 0, "statistics");
    let session = bench.open().guest().unwrap();
    let _ = session.maintain();
    assert!(session.verify_own_ledger().is_ok());
    assert_ne!(ended, kept);
}

#[test]
fn a_yes_after_an_unproven_no_keeps_what_was_kept() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    for _ in 0..5 {
        assert_eq!(record(&session), Recorded::Buffered);
    }
    let domain = session.domain("statistics").unwrap().unwrap();
    drop((session, menshen));
    for epoch in [domain.epoch, u64::MAX] {
        bench.disk.put(&marker_name(&bench, &domain, epoch), b"x");
        let session = bench.open().guest().unwrap();
        assert!(!session.is_purpose_allowed("statistics"), "a marker closes, whoever wrote it");
        yes(&session, "statistics");
        assert!(session.is_purpose_allowed("statistics"));
        assert_eq!(session.maintain().unwrap().shredded, [""; 0]);
        assert_eq!(session.waiting_records("statistics").unwrap(), 5);
        drop(session);
        assert!(bench.open().guest().unwrap().is_purpose_allowed("statistics"), "the yes was the last word");
    }
}

#[test]
fn a_marker_for_whichever_epoch_lives_never_destroys_a_key() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    let domain = session.domain("statistics").unwrap().unwrap();
    let any = Domain { epoch: u64::MAX, ..domain };
    drop((session, menshen));
    // Written by this store itself, with its key there; kept, and put back after a later yes.
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    session.withdraw("statistics").unwrap();
    session.maintain().unwrap();
    yes(&session, "statistics");
    assert_eq!(record(&session), Recorded::Buffered);
    drop((session, menshen));
    bench.outside.put(&marker_name(&bench, &any, u64::MAX), b"menshen denied");
    let session = bench.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert_eq!(session.maintain().unwrap().shredded, [""; 0]);
    drop(session);
    // The marker that it was rewritten as proves nothing either, in a copy of the store from before.
    assert_eq!(bench.open().guest().unwrap().maintain().unwrap().shredded, [""; 0]);
}

#[test]
fn a_portals_page_confirms_no_erasure() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1);
    session.withdraw("statistics").unwrap();
    let request = session.next_upload().unwrap().unwrap();
    assert!(request.url.ends_with("/erase"));
    let page = TransportReply::Response {
        status: 200,
        headers: vec![("content-type".into(), "text/html".into())],
        body: b"<html>log in to the network</html>".to_vec(),
        complete: true,
    };
    assert!(matches!(session.upload_finished(request.id, &page).unwrap(), UploadOutcome::Later { .. }));
    bench.clock.advance(2 * 3_600_000);
    let again = session.next_upload().unwrap().unwrap();
    assert!(again.url.ends_with("/erase"), "it is asked again");
}

#[test]
fn a_reply_that_comes_after_a_restart_fits_nothing_else() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1);
    assert_eq!(record(&session), Recorded::Buffered);
    let upload = session.next_upload().unwrap().unwrap();
    drop((session, menshen));
    let session = bench.open().guest().unwrap();
    session.withdraw("statistics").unwrap();
    let erase = session.next_upload().unwrap().unwrap();
    assert_ne!(upload.id, erase.id);
    let empty = TransportReply::Response { status: 200, headers: Vec::new(), body: Vec::new(), complete: true };
    assert_eq!(session.upload_finished(upload.id, &empty).unwrap_err().code(), "unknown-exchange");
}

#[test]
fn a_clock_that_was_ahead_once_ends_no_later_yes() {
    let bench = Bench::new();
    bench.clock.set_wall(4_100_000_000_000);
    let (menshen, session) = bench.agreed();
    session.withdraw("statistics").unwrap();
    bench.clock.set_wall(START_MS);
    yes(&session, "statistics");
    assert!(session.is_purpose_allowed("statistics"));
    drop((session, menshen));
    assert!(bench.open().guest().unwrap().is_purpose_allowed("statistics"));
}

#[test]
fn a_key_file_rolled_back_gives_no_key_to_two_purposes() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    session.withdraw("statistics").unwrap();
    session.withdraw("advertising").unwrap();
    session.maintain().unwrap();
    let with_spares = bench.disk.contents("keys").unwrap();
    yes(&session, "statistics");
    let first = session.export_ledger().unwrap();
    drop((session, menshen));
    bench.disk.put("keys", &with_spares);
    let bench = Bench { anchor: MemoryAnchor::new(), ..bench };
    let session = bench.open().guest().unwrap();
    let _ = session.maintain();
    yes(&session, "advertising");
    let aliases = |export: &str| -> Vec<String> {
        let export: serde_json::Value = serde_json::from_str(export).unwrap();
        let texts = export["entries"].as_array().unwrap().iter().filter_map(|entry| entry["payload"]["text"].as_str());
        let payloads = texts.map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
        payloads.filter_map(|payload| payload["alias"].as_str().map(str::to_owned)).collect()
    };
    let before = aliases(&first);
    let after = aliases(&session.export_ledger().unwrap());
    let given = after.last().unwrap();
    assert!(after.len() > before.len() && !before.contains(given), "an alias was given twice");
}
