//! A full disk: a denial still finds room, what was promised stays, and the store goes on when there is space again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use menshen_journal::{Domain, Error, Journal, Label, LabelKind, Shredding, Verdict};
use support::*;

fn essential(journal: &Journal) -> Label {
    let account = journal.label(LabelKind::Account, "guest").unwrap();
    let domain = Domain { account, purpose: Label::ESSENTIAL, epoch: 1 };
    if journal.alias(&domain).is_none() {
        journal.create_domain(&domain).unwrap();
    }
    account
}

/// Appends until the disk is full, record by record in ever smaller ones, so that no gap is left.
fn fill(bench: &Bench, journal: &Journal, domain: Domain) -> usize {
    let mut count = 0;
    for size in [60_000, 8_000, 1_000, 100, 1] {
        loop {
            match put(bench, journal, domain, &vec![7; size]) {
                Ok(_) => count += 1,
                Err(Error::Full) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    count
}

#[test]
fn a_withdrawal_works_on_a_disk_without_a_free_byte() {
    // With and without the reserve: a ledger's written tail alone is enough for the first denials.
    for has_reserve in [true, false] {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        let account = essential(&journal);
        let analytics = domain(&journal, "analytics").unwrap();
        let crashes = domain(&journal, "crashes").unwrap();
        journal.ledger_append(account, &entries([b"granted"])).unwrap();
        put(&bench, &journal, crashes, b"kept").unwrap();
        if !has_reserve {
            bench.disk.delete("reserve");
        }
        bench.disk.set_capacity(Some(bench.disk.used() + 300_000));
        assert!(fill(&bench, &journal, analytics) > 4);
        journal.sync().unwrap();
        bench.disk.set_capacity(Some(bench.disk.used()));
        assert_eq!(put(&bench, &journal, analytics, &[0; 1000]), Err(Error::Full));
        // Outside there is room for the marker; in the store there need not be.
        journal.mark_denied(&analytics).unwrap();
        journal.ledger_append_denial(account, &entries([b"withdrawn"])).unwrap();
        assert_eq!(journal.shred(&analytics).unwrap(), Shredding::Done);
        journal.ledger_append(account, &entries([b"shredded"])).unwrap();
        drop(journal);
        bench.disk.set_capacity(None);
        let journal = bench.open().unwrap();
        let contents = journal.ledger_read(account).unwrap();
        assert_eq!((contents.entries.len(), contents.verdict), (3, Verdict::Sound));
        assert_eq!(journal.count(&analytics), 0);
        assert_eq!(bodies(&read(&journal, endpoint(&journal), &[crashes])), [b"kept"]);
    }
}

#[test]
fn what_was_uploaded_is_acknowledged_on_a_full_disk_and_gives_its_room_back() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    let one = endpoint(&journal);
    journal.acknowledge(one, &[put(&bench, &journal, analytics, b"first").unwrap()]).unwrap();
    bench.disk.set_capacity(Some(bench.disk.used() + 200_000));
    let count = fill(&bench, &journal, analytics);
    bench.disk.set_capacity(Some(bench.disk.used()));
    let batch = read(&journal, one, &[analytics]);
    assert_eq!(batch.records.len(), count);
    let ids: Vec<_> = batch.records.iter().map(|record| record.id).collect();
    journal.acknowledge(one, &ids[1..]).unwrap();
    journal.acknowledge(one, &ids[..1]).unwrap();
    let before = bench.disk.used();

    assert_eq!(journal.retire_delivered(&|_, _| vec![one]).unwrap(), 1);
    assert!(bench.disk.used() < before - 150_000);
    // The reserve comes back with the room.
    journal.expire().unwrap();
    assert_eq!(bench.disk.contents("reserve").unwrap().len(), 128 * 1024);
    put(&bench, &journal, analytics, b"again").unwrap();
}

#[test]
fn a_ledger_keeps_a_written_tail_behind_its_newest_segment_alone() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let account = essential(&journal);
    for round in 0..100_u32 {
        journal.ledger_append(account, &entries([&round.to_le_bytes().repeat(200)])).unwrap();
        let segments = bench.disk.names().into_iter().filter(|name| name.starts_with("segments/"));
        let tails: Vec<usize> = segments
            .map(|name| {
                let contents = bench.disk.contents(&name).unwrap();
                contents.len() - contents.iter().rposition(|byte| *byte != 0).unwrap() - 1
            })
            .collect();
        let (newest, full) = tails.split_last().unwrap();
        assert!(*newest >= 16 * 1024, "{newest} bytes of tail");
        // A tag may end in a zero.
        assert!(full.iter().all(|tail| *tail < 4), "{full:?} bytes behind segments that are full");
    }
}

#[test]
fn a_store_opens_and_withdraws_in_a_new_process_on_a_full_disk() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let account = essential(&journal);
    let analytics = domain(&journal, "analytics").unwrap();
    journal.ledger_append(account, &entries([b"granted"])).unwrap();
    put(&bench, &journal, analytics, b"sealed").unwrap();
    journal.sync().unwrap();
    drop(journal);
    bench.disk.set_capacity(Some(bench.disk.used()));
    let journal = bench.open().unwrap();
    let account = essential(&journal);
    assert_eq!(journal.ledger_read(account).unwrap().entries.len(), 1);
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics])), [b"sealed"]);
    journal.mark_denied(&analytics).unwrap();
    journal.ledger_append_denial(account, &entries([b"withdrawn"])).unwrap();
    assert_eq!(journal.shred(&analytics).unwrap(), Shredding::Done);
}
