//! An error, then another process, then a power loss: nobody takes for durable what only the system's memory had.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use menshen_journal::simulated::{Fault, PowerLoss};
use menshen_journal::{DiskError, Error, Verdict};
use support::*;

#[test]
fn a_record_of_a_segment_that_was_being_written_anew_is_there_once() {
    // The copy is cut short at each of its operations, the process ends, and the next one reads.
    let (mut suspects, mut copies) = (0, 0);
    for at in 0..12 {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        let analytics = domain(&journal, "analytics").unwrap();
        put(&bench, &journal, analytics, b"first").unwrap();
        journal.sync().unwrap();
        put(&bench, &journal, analytics, b"second").unwrap();
        bench.disk.set_fault(Some(Fault::From(0, DiskError::Io)));
        assert!(journal.sync().is_err());
        suspects += journal.health().suspect;
        bench.disk.set_fault(Some(Fault::From(at, DiskError::Io)));
        let _ = journal.sync();
        copies += bench.disk.names().iter().filter(|name| name.ends_with(".copy")).count();
        drop(journal);
        bench.disk.kill();
        let journal = bench.open().unwrap();
        let found = read(&journal, endpoint(&journal), &[analytics]);
        assert_eq!(bodies(&found), [b"first".to_vec(), b"second".to_vec()], "cut at operation {at}");
        let ids: Vec<_> = found.records.iter().map(|record| record.id).collect();
        journal.acknowledge(endpoint(&journal), &ids).unwrap();
        assert!(read(&journal, endpoint(&journal), &[analytics]).records.is_empty(), "cut at operation {at}");
        assert!(!bench.disk.names().iter().any(|name| name.ends_with(".copy")), "cut at operation {at}");
    }
    assert!(suspects > 0 && copies > 0, "{suspects} suspect segments, {copies} copies cut");
}

#[test]
fn a_segment_written_anew_survives_the_power_loss_that_its_failed_sync_would_not_have() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, analytics, b"first").unwrap();
    journal.sync().unwrap();
    let before = put(&bench, &journal, analytics, b"kept").unwrap();
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Io)));
    assert!(journal.sync().is_err());
    assert_eq!(journal.health().suspect, 1);
    bench.disk.set_fault(None);
    journal.sync().unwrap();
    put(&bench, &journal, analytics, b"after").unwrap();
    let found = read(&journal, endpoint(&journal), &[analytics]);
    assert_eq!(found.records[1].id, before, "its number is its own after as before");
    journal.sync().unwrap();
    drop(journal);
    bench.disk.lose_power(PowerLoss::LosesAll);
    let journal = bench.open().unwrap();
    let found = read(&journal, endpoint(&journal), &[analytics]);
    assert_eq!(bodies(&found), [b"first".to_vec(), b"kept".to_vec(), b"after".to_vec()]);
}

#[test]
fn a_manifest_that_could_not_be_synced_is_not_taken_over_by_the_next_process() {
    let mut met = 0;
    for at in 0..30 {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        let analytics = domain(&journal, "analytics").unwrap();
        put(&bench, &journal, analytics, b"refused").unwrap();
        journal.sync().unwrap();
        let ids: Vec<_> =
            read(&journal, endpoint(&journal), &[analytics]).records.iter().map(|record| record.id).collect();
        // A failed sync of the manifest has it written anew; the next error strikes that.
        bench.disk.set_fault(Some(Fault::From(1, DiskError::Io)));
        let _ = journal.quarantine(endpoint(&journal), &ids);
        bench.disk.set_fault(Some(Fault::Once(at, DiskError::Io)));
        let _ = journal.quarantine(endpoint(&journal), &ids);
        drop(journal);
        bench.disk.kill();
        let journal = bench.open().unwrap();
        journal.quarantine(endpoint(&journal), &ids).unwrap();
        met += u32::from(bench.disk.names().iter().any(|name| name == "manifest.2"));
        drop(journal);
        bench.disk.lose_power(PowerLoss::LosesAll);
        let journal = bench.open().unwrap();
        let found = read(&journal, endpoint(&journal), &[analytics]);
        assert!(found.records.is_empty(), "an error at operation {at}: a refused record is offered again");
    }
    assert!(met > 0, "no manifest was written anew");
}

#[test]
fn a_manifest_that_cannot_be_read_is_an_error_and_no_missing_file() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, analytics, b"acknowledged").unwrap();
    put(&bench, &journal, analytics, b"next").unwrap();
    let found = read(&journal, endpoint(&journal), &[analytics]);
    journal.acknowledge(endpoint(&journal), &[found.records[1].id]).unwrap();
    drop(journal);
    let journal = bench.open().unwrap();
    bench.disk.set_failed_reads(Some(DiskError::NotFound));
    assert!(try_read(&journal, endpoint(&journal), &[analytics]).is_err());
    bench.disk.set_failed_reads(None);
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics])), [b"acknowledged".to_vec()]);
}

#[test]
fn a_batch_of_the_ledger_goes_behind_the_newest_segment_even_where_an_older_one_is_whole() {
    let mut met = 0;
    for at in 0..20 {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        let account = essential(&journal).account;
        journal.ledger_append(account, &entries([b"one", b"two"])).unwrap();
        drop(journal);
        // Where the run of this opening cannot be begun, its batch has a segment of its own.
        let journal = bench.open().unwrap();
        journal.unlock().unwrap();
        bench.disk.set_fault(Some(Fault::Once(at, DiskError::Io)));
        let failed = journal.ledger_append(account, &entries([b"lost"]));
        bench.disk.set_fault(None);
        if failed != Err(Error::Io { operation: "append a run" }) {
            continue;
        }
        met += 1;
        journal.ledger_append(account, &entries([b"three"])).unwrap();
        drop(journal);
        // A later batch was being written when the power went: the newest segment ends in noise.
        let newest = bench.disk.names().into_iter().rfind(|name| name.starts_with("segments/")).unwrap();
        let mut contents = bench.disk.contents(&newest).unwrap();
        contents.truncate(end_of_frames(&contents));
        contents.extend_from_slice(&[0xD6, 0x45, 9, 9, 9]);
        bench.disk.put(&newest, &contents);
        let journal = bench.open().unwrap();
        journal.ledger_append(account, &entries([b"four"])).unwrap();
        drop(journal);
        let journal = bench.open().unwrap();
        let contents = journal.ledger_read(account).unwrap();
        assert_eq!((contents.verdict, contents.entries.len()), (Verdict::Sound, 4));
    }
    assert!(met > 0, "every run was begun");
}

#[test]
fn nothing_is_chained_to_entries_that_a_power_loss_could_take() {
    // A batch is written and not synced when its process ends; the next process puts another behind it.
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
        journal.ledger_append(account, &entries([b"three"])).unwrap();
        drop(journal);
        bench.disk.lose_power(PowerLoss::LosesAll);
        let journal = bench.open().unwrap();
        assert_eq!(journal.ledger_read(account).unwrap().verdict, Verdict::Sound, "an error at operation {at}");
    }
}

#[test]
fn a_ledger_that_was_left_whole_and_marked_is_not_written_anew() {
    let bench = Bench::new();
    let account = essential(&bench.open().unwrap()).account;
    let mut written = Vec::new();
    for _ in 0..6 {
        let before = bench.disk.totals().0;
        let journal = bench.open().unwrap();
        journal.ledger_append(account, &entries([&[7; 2000]])).unwrap();
        journal.ledger_checkpoint(account, b"state").unwrap();
        written.push(bench.disk.totals().0 - before);
    }
    // The first also keeps room for a denial; each later one writes its own batch and no more.
    assert!(written[1..].iter().all(|bytes| *bytes < 12_000), "{written:?}");
}
