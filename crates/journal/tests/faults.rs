//! What survives when the process, the power, the disk or single bits give way, at every place where they can.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use menshen_journal::simulated::{Fault, PowerLoss};
use menshen_journal::{DiskError, Domain, Error, Journal, KeyError, KeyProvider, Label, LabelKind, OpenError, Verdict};
use support::*;

/// What the store promised during a workload.
#[derive(Default)]
struct Promises {
    attempted: BTreeSet<Vec<u8>>,
    buffered: BTreeSet<Vec<u8>>,
    synced: BTreeSet<Vec<u8>>,
    /// Acknowledgements begun, and those that returned.
    acknowledging: BTreeSet<Vec<u8>>,
    acknowledged: BTreeSet<Vec<u8>>,
    entries_attempted: u64,
    entries: u64,
    shredding: bool,
    shredded: bool,
}

impl Promises {
    fn append(&mut self, bench: &Bench, journal: &Journal, domain: Domain, numbers: std::ops::Range<u8>) {
        for number in numbers {
            let body = vec![number; 40 + usize::from(number)];
            self.attempted.insert(body.clone());
            if put(bench, journal, domain, &body).is_ok() {
                self.buffered.insert(body);
            }
        }
    }

    fn sync(&mut self, journal: &Journal) {
        let buffered = self.buffered.clone();
        if journal.sync().is_ok() {
            self.synced.extend(buffered);
        }
    }

    fn enter(&mut self, journal: &Journal, account: Label) {
        self.entries_attempted += 1;
        if journal.ledger_append(account, &entries(["entry", "of two"])).is_ok() {
            self.entries = self.entries_attempted;
        }
    }
}

fn essential(journal: &Journal) -> Result<Label, Error> {
    let account = journal.label(LabelKind::Account, "guest")?;
    let domain = Domain { account, purpose: Label::ESSENTIAL, epoch: 1 };
    if journal.alias(&domain).is_none() {
        journal.create_domain(&domain)?;
    }
    Ok(account)
}

/// Two openings with everything that a store does; every step that the disk lets through counts.
fn work(bench: &Bench, promises: &mut Promises) -> Result<(), Error> {
    for round in 0..2_u8 {
        let Ok(journal) = bench.open() else { continue };
        let _ = journal.unlock();
        let account = essential(&journal)?;
        let analytics = domain(&journal, "analytics")?;
        let crashes = domain(&journal, "crashes")?;
        let base = round * 20;
        promises.enter(&journal, account);
        promises.append(bench, &journal, analytics, base..base + 4);
        promises.sync(&journal);
        promises.append(bench, &journal, analytics, base + 4..base + 7);
        if round == 0 {
            let _ = put(bench, &journal, crashes, b"crash");
        }
        let endpoint = journal.label(LabelKind::Endpoint, "collector")?;
        let batch = read(&journal, endpoint, &[analytics]);
        for chosen in batch.records.iter().step_by(2).take(2) {
            promises.acknowledging.insert(chosen.body.to_vec());
            if journal.acknowledge(endpoint, &[chosen.id]).is_ok() {
                promises.acknowledged.insert(chosen.body.to_vec());
            }
        }
        promises.enter(&journal, account);
        if round == 1 {
            promises.shredding = true;
            promises.shredded = journal.shred(&crashes) == Ok(menshen_journal::Shredding::Done);
        }
        promises.append(bench, &journal, analytics, base + 7..base + 9);
        if round == 0 {
            promises.sync(&journal);
        }
        let _ = journal.retire_delivered(&|_, _| vec![endpoint]);
        let _ = journal.expire();
    }
    Ok(())
}

fn operations() -> u64 {
    let bench = Bench::new();
    bench.disk.set_fault(None);
    work(&bench, &mut Promises::default()).unwrap();
    bench.disk.operations()
}

/// Opens what is left and holds it against the promises.
fn check(bench: &Bench, promises: &Promises, kept: &BTreeSet<Vec<u8>>, at: &str) {
    // Nothing was promised yet, and noise may be where the first file was being written.
    if promises.buffered.is_empty() && promises.entries == 0 && bench.open().err() == Some(OpenError::NotAStore) {
        return;
    }
    // Recovery twice is recovery once.
    drop(bench.open().unwrap_or_else(|error| panic!("{at}: {error:?}")));
    let journal = bench.open().unwrap_or_else(|error| panic!("{at}: {error:?}"));
    let Ok(analytics) = domain_of(&journal, "analytics") else { panic!("{at}: labels") };
    let found: BTreeSet<Vec<u8>> = bodies(&read(&journal, endpoint(&journal), &[analytics])).into_iter().collect();
    for body in &found {
        assert!(promises.attempted.contains(body), "{at}: invented {body:?}");
        assert!(!promises.acknowledged.contains(body), "{at}: {} was acknowledged and came back", body[0]);
    }
    for body in kept {
        let gone = promises.acknowledging.contains(body);
        assert!(gone || found.contains(body), "{at}: {} is lost; {:?}", body[0], journal.report());
    }
    let account = journal.label(LabelKind::Account, "guest").unwrap();
    match journal.ledger_read(account) {
        Ok(contents) => {
            assert_eq!(contents.verdict, Verdict::Sound, "{at}");
            let batches = contents.entries.len() as u64 / 2;
            assert_eq!(contents.entries.len() % 2, 0, "{at}: half a batch");
            let bounds = promises.entries.min(batches)..=promises.entries_attempted;
            assert!(bounds.contains(&batches) && batches > 0 || promises.entries == 0, "{at}: {batches} batches");
        }
        Err(error) => assert_eq!(promises.entries, 0, "{at}: {error:?}"),
    }
    if promises.shredded {
        let crashes = domain_of(&journal, "crashes").unwrap();
        assert_eq!(read(&journal, endpoint(&journal), &[crashes]).records.len(), 0, "{at}");
    }
    // It goes on working.
    if let Ok(domain) = domain(&journal, "afterwards") {
        put(bench, &journal, domain, b"afterwards").unwrap();
        journal.sync().unwrap();
        assert_eq!(bodies(&read(&journal, endpoint(&journal), &[domain])), [b"afterwards"], "{at}");
    }
}

#[test]
fn every_buffered_record_survives_a_kill_at_every_operation() {
    for at in 0..operations() {
        for fault in [Fault::From(at, DiskError::Io), Fault::HalfThenNothing(at)] {
            let bench = Bench::new();
            bench.disk.set_fault(Some(fault));
            let mut promises = Promises::default();
            let _ = work(&bench, &mut promises);
            bench.disk.kill();
            check(&bench, &promises, &promises.buffered, &format!("{fault:?}"));
        }
    }
}

#[test]
fn every_synced_record_survives_a_power_loss_at_every_operation() {
    for at in 0..operations() {
        let losses = [PowerLoss::LosesAll, PowerLoss::KeepsAll].into_iter().chain((0..6).map(PowerLoss::Torn));
        for loss in losses {
            let bench = Bench::new();
            bench.disk.set_fault(Some(Fault::HalfThenNothing(at)));
            let mut promises = Promises::default();
            let _ = work(&bench, &mut promises);
            bench.disk.lose_power(loss);
            check(&bench, &promises, &promises.synced, &format!("{at} {loss:?}"));
        }
    }
}

#[test]
fn an_error_at_any_operation_loses_nothing_that_was_promised() {
    for at in 0..operations() {
        for error in [DiskError::Io, DiskError::Full] {
            for lose_power in [false, true] {
                let bench = Bench::new();
                bench.disk.set_fault(Some(Fault::Once(at, error)));
                let mut promises = Promises::default();
                let _ = work(&bench, &mut promises);
                let kept = if lose_power {
                    bench.disk.lose_power(PowerLoss::LosesAll);
                    &promises.synced
                } else {
                    bench.disk.kill();
                    &promises.buffered
                };
                check(&bench, &promises, kept, &format!("{error:?} at {at}, power lost: {lose_power}"));
            }
        }
    }
}

#[test]
fn a_disk_that_is_full_or_read_only_is_a_type_and_loses_nothing() {
    let bench = Bench::new();
    for (error, expected) in [(DiskError::Full, OpenError::Full), (DiskError::ReadOnly, OpenError::ReadOnly)] {
        bench.disk.set_fault(Some(Fault::From(0, error)));
        assert_eq!(bench.open().err(), Some(expected));
        bench.disk.set_fault(None);
    }
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, domain, b"before").unwrap();
    for (error, expected) in [(DiskError::Full, Error::Full), (DiskError::ReadOnly, Error::ReadOnly)] {
        bench.disk.set_fault(Some(Fault::From(0, error)));
        assert_eq!(put(&bench, &journal, domain, b"refused"), Err(expected));
        bench.disk.set_fault(None);
    }
    put(&bench, &journal, domain, b"after").unwrap();
    journal.sync().unwrap();
    drop(journal);
    let journal = bench.open().unwrap();
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[domain])), [&b"before"[..], b"after"]);
    assert_eq!(journal.report().damaged_records, 0);
}

#[test]
fn a_failed_sync_writes_the_records_anew_and_their_ids_go_on() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let domain = domain(&journal, "analytics").unwrap();
    let one = endpoint(&journal);
    let ids: Vec<_> = (0..5_u8).map(|n| put(&bench, &journal, domain, &[n]).unwrap()).collect();
    journal.sync().unwrap();
    journal.acknowledge(one, &ids[..1]).unwrap();
    let late = put(&bench, &journal, domain, &[5]).unwrap();
    // The sync of the segment is the first operation; the manifest has nothing to sync.
    bench.disk.set_fault(Some(Fault::Once(0, DiskError::Io)));
    journal.sync().unwrap();
    journal.acknowledge(one, &[late]).unwrap();
    drop(journal);
    bench.disk.lose_power(PowerLoss::LosesAll);
    let journal = bench.open().unwrap();
    assert_eq!(bodies(&read(&journal, one, &[domain])), [[1], [2], [3], [4]]);
    assert_eq!(journal.report().segments, 1);
}

fn small_store() -> (Bench, Vec<Vec<u8>>) {
    let bench = Bench::new();
    let mut all = Vec::new();
    for round in 0..2_u8 {
        let journal = bench.open().unwrap();
        journal.unlock().unwrap();
        let account = essential(&journal).unwrap();
        journal.ledger_append(account, &entries(["one", "two"])).unwrap();
        let analytics = domain(&journal, "analytics").unwrap();
        for number in 0..3_u8 {
            all.push(vec![round, number]);
            put(&bench, &journal, analytics, &[round, number]).unwrap();
        }
        if round == 0 {
            let crashes = domain(&journal, "crashes").unwrap();
            let id = put(&bench, &journal, crashes, b"crash").unwrap();
            journal.acknowledge(endpoint(&journal), &[id]).unwrap();
            journal
                .retire_delivered(&|domain, _| {
                    if *domain == crashes {
                        vec![journal.label(LabelKind::Endpoint, "collector").unwrap()]
                    } else {
                        vec![]
                    }
                })
                .unwrap();
        }
        journal.sync().unwrap();
    }
    (bench, all)
}

#[test]
fn any_single_flipped_bit_costs_at_most_the_record_it_hit() {
    let (bench, all) = small_store();
    let keys = bench.keys.list().unwrap().len();
    let (mut flips, mut harmed, mut reported) = (0_u32, 0_u32, 0_u32);
    for name in bench.disk.names().into_iter().filter(|name| name != "lock") {
        let contents = bench.disk.contents(&name).unwrap();
        let used = contents.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 65).min(contents.len());
        // A stride that is prime meets every bit of a byte and keeps the time bounded.
        let stride = if used > 4096 { 331 } else { 37 };
        for bit in (0..used * 8).step_by(stride) {
            let mut flipped = contents.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let copy = Bench { disk: bench.disk.snapshot(), ..bench.clone() };
            copy.disk.put(&name, &flipped);
            let at = format!("{name} bit {bit}");
            let journal = copy.open().unwrap_or_else(|error| panic!("{at}: {error:?}"));
            flips += 1;
            let domain = domain_of(&journal, "analytics").unwrap();
            let batch = read(&journal, endpoint(&journal), &[domain]);
            let found = bodies(&batch);
            assert!(found.iter().all(|body| all.contains(body)), "{at}: wrong data");
            assert!(found.len() + 1 >= all.len(), "{at}: {} of {} left", found.len(), all.len());
            let report = journal.report();
            let told = report.damaged_records + report.torn_bytes + batch.damaged > 0;
            if found.len() < all.len() {
                harmed += 1;
                assert!(told, "{at}: lost in silence");
            }
            reported += u32::from(told || report.damaged_keys > 0 || report.manifest_damaged);
            let account = journal.label(LabelKind::Account, "guest").unwrap();
            let contents = journal.ledger_read(account).unwrap();
            let whole = contents.entries.len() == 4 && contents.verdict == Verdict::Sound;
            assert!(whole || matches!(contents.verdict, Verdict::Broken { .. }), "{at}: {:?}", contents.verdict);
        }
    }
    println!("{flips} flips, {harmed} cost a record, {reported} reported at opening or reading, {keys} keys");
    assert!(harmed > 10 && reported > harmed);
}

#[test]
fn any_cut_of_any_file_opens_and_invents_nothing() {
    let (bench, all) = small_store();
    for name in bench.disk.names().into_iter().filter(|name| name != "lock") {
        let contents = bench.disk.contents(&name).unwrap();
        for length in (0..contents.len()).step_by(if contents.len() > 4096 { 997 } else { 31 }) {
            let copy = Bench { disk: bench.disk.snapshot(), ..bench.clone() };
            copy.disk.put(&name, &contents[..length]);
            let at = format!("{name} cut at {length}");
            let journal = copy.open().unwrap_or_else(|error| panic!("{at}: {error:?}"));
            let Ok(domain) = domain_of(&journal, "analytics") else { continue };
            match try_read(&journal, endpoint(&journal), &[domain]) {
                Ok(batch) => assert!(bodies(&batch).iter().all(|body| all.contains(body)), "{at}"),
                Err(error) => assert!(name == "keys" && matches!(error, Error::Key(_)), "{at}: {error}"),
            }
        }
    }
}

#[test]
fn losing_any_file_but_a_segment_or_the_keys_loses_no_record() {
    let (bench, all) = small_store();
    for name in bench.disk.names() {
        let copy = Bench { disk: bench.disk.snapshot(), ..bench.clone() };
        copy.disk.delete(&name);
        let journal = copy.open().unwrap();
        let domain = domain_of(&journal, "analytics").unwrap();
        let found = try_read(&journal, endpoint(&journal), &[domain]);
        if name == "keys" {
            assert_eq!(found, Err(Error::Key(KeyError::NotFound)));
            assert!(journal.unlock().is_err(), "no key is made in the place of a lost one");
            continue;
        }
        let found = bodies(&found.unwrap());
        if !name.starts_with("segments/") {
            assert_eq!(found, all, "{name}");
        }
    }
}

#[test]
fn a_second_error_while_a_suspect_segment_is_copied_offers_nothing_twice() {
    let mut tried = 0;
    for second in 0..60 {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        let domain = domain(&journal, "analytics").unwrap();
        for n in 0..20_u8 {
            put(&bench, &journal, domain, &[n]).unwrap();
        }
        // The sync fails, the segment is suspect; then the disk fails again at the n-th operation of the copying.
        bench.disk.set_fault(Some(Fault::From(0, DiskError::Io)));
        assert!(journal.sync().is_err());
        bench.disk.set_fault(Some(Fault::Once(second, DiskError::Io)));
        let failed = journal.sync().is_err();
        tried += u32::from(failed);
        bench.disk.set_fault(None);
        let _ = journal.sync();
        let mut seen = bodies(&read(&journal, endpoint(&journal), &[domain]));
        seen.sort();
        let expected: Vec<Vec<u8>> = (0..20_u8).map(|n| vec![n]).collect();
        assert_eq!(seen, expected, "second error at operation {second}");
    }
    assert!(tried > 0, "no second error was met");
}

#[test]
fn a_key_slot_whose_sync_failed_is_not_believed_by_the_next_process() {
    // The system's memory still shows the slot, and no later sync writes it.
    for at in 0..12 {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        journal.unlock().unwrap();
        bench.disk.set_fault(Some(Fault::Once(at, DiskError::Io)));
        let _ = domain(&journal, "analytics");
        drop(journal);
        bench.disk.kill();
        let journal = bench.open().unwrap();
        let analytics = domain(&journal, "analytics").unwrap();
        put(&bench, &journal, analytics, b"kept").unwrap();
        journal.sync().unwrap();
        drop(journal);
        bench.disk.lose_power(PowerLoss::LosesAll);
        let journal = bench.open().unwrap();
        let analytics = domain_of(&journal, "analytics").unwrap();
        let found = try_read(&journal, endpoint(&journal), &[analytics]);
        assert_eq!(found.map(|batch| bodies(&batch)), Ok(vec![b"kept".to_vec()]), "error at operation {at}");
    }
}

#[test]
fn a_sync_that_lost_records_says_so() {
    let bench = Bench::new();
    bench.disk.set_failed_sync_drops(true);
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, analytics, b"synced").unwrap();
    journal.sync().unwrap();
    put(&bench, &journal, analytics, b"dropped").unwrap();
    bench.disk.set_fault(Some(Fault::Once(0, DiskError::Io)));
    assert_eq!(journal.sync(), Err(Error::Io { operation: "sync a segment" }));
    assert_eq!(journal.health().damaged, 1);
    put(&bench, &journal, analytics, b"after").unwrap();
    journal.sync().unwrap();
    drop(journal);
    bench.disk.lose_power(PowerLoss::LosesAll);
    let journal = bench.open().unwrap();
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics])), [&b"synced"[..], b"after"]);
}

#[test]
fn a_batch_of_the_ledger_that_a_power_loss_tore_is_unfinished_whatever_is_left_of_it() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let account = essential(&journal).unwrap();
    journal.ledger_append(account, &entries([b"whole"])).unwrap();
    journal.sync().unwrap();
    bench.disk.record();
    journal.ledger_append(account, &entries([&[7; 1_500], &[8; 1_500], &[9; 1_500]])).unwrap();
    drop(journal);
    for (at, disk) in bench.disk.recorded().into_iter().enumerate() {
        for seed in 0..100 {
            // The batch did not return, so that no anchor knows it.
            let bench = Bench { disk: disk.fork(), anchor: Default::default(), ..bench.clone() };
            bench.disk.lose_power(PowerLoss::Torn(seed));
            let journal = bench.open().unwrap();
            let contents = journal.ledger_read(account).unwrap();
            assert_eq!(contents.verdict, Verdict::Sound, "at operation {at}, seed {seed}");
            assert!([1, 4].contains(&contents.entries.len()), "at operation {at}, seed {seed}");
            let size = contents.entries.len() + 1;
            journal.ledger_append(account, &entries([b"next"])).unwrap();
            drop(journal);
            let journal = bench.open().unwrap();
            let contents = journal.ledger_read(account).unwrap();
            assert_eq!((contents.verdict, contents.entries.len()), (Verdict::Sound, size), "seed {seed}");
        }
    }
}

#[test]
fn damage_in_a_finished_batch_of_the_ledger_is_never_taken_for_an_unfinished_one() {
    for has_anchor in [true, false] {
        let mut bench = Bench::new();
        let journal = bench.open().unwrap();
        let account = essential(&journal).unwrap();
        journal.ledger_append(account, &entries(["one", "two"])).unwrap();
        journal.ledger_append(account, &entries(["three", "four"])).unwrap();
        journal.sync().unwrap();
        drop(journal);
        if !has_anchor {
            bench.anchor = Default::default();
        }
        let name = bench.disk.names().into_iter().find(|name| name.starts_with("segments/")).unwrap();
        let contents = bench.disk.contents(&name).unwrap();
        let is_frame = |at: &usize| {
            let kind = [contents[*at], contents[at + 1]];
            [[0xD6, 0x45], [0xD6, 0x48]].contains(&kind) && contents[at + 3..at + 10] == [0; 7]
        };
        let starts: Vec<usize> = (0..contents.len() - 10).filter(is_frame).collect();
        // Entries one and two, two heads, entries three and four, two heads.
        assert_eq!(starts.len(), 8);
        for (damaged, at) in starts.iter().enumerate() {
            let copy = Bench { disk: bench.disk.snapshot(), ..bench.clone() };
            let mut contents = contents.clone();
            contents[at + 30] ^= 1;
            copy.disk.put(&name, &contents);
            let journal = copy.open().unwrap();
            let found = journal.ledger_read(account).unwrap();
            let whole = found.entries.len() == 4 && found.verdict == Verdict::Sound;
            let is_head = [2, 3, 6, 7].contains(&damaged);
            assert_eq!(whole, is_head, "frame {damaged}, anchor: {has_anchor}");
            assert!(whole || matches!(found.verdict, Verdict::Broken { .. }), "frame {damaged}: {:?}", found.verdict);
        }
    }
}

#[test]
fn what_was_acknowledged_out_of_order_stays_so_when_the_sync_behind_a_cursor_fails() {
    for at in 0..6 {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        let analytics = domain(&journal, "analytics").unwrap();
        let one = endpoint(&journal);
        let ids: Vec<_> = (0..4_u8).map(|n| put(&bench, &journal, analytics, &[n]).unwrap()).collect();
        journal.sync().unwrap();
        journal.acknowledge(one, &ids[2..3]).unwrap();
        // The cursor passes it now, and is not synced where the manifest's own sync fails before.
        let other = domain(&journal, "other").unwrap();
        put(&bench, &journal, other, b"x").unwrap();
        bench.disk.set_fault(Some(Fault::Once(at, DiskError::Io)));
        let _ = journal.acknowledge(one, &ids[..2]);
        bench.disk.set_fault(None);
        // The manifest is written anew.
        let third = domain(&journal, "third").unwrap();
        put(&bench, &journal, third, b"x").unwrap();
        drop(journal);
        bench.disk.lose_power(PowerLoss::LosesAll);
        let journal = bench.open().unwrap();
        let found = bodies(&read(&journal, one, &[analytics]));
        assert!(!found.contains(&vec![2]), "error at operation {at}: {found:?}");
    }
}

#[test]
fn a_secret_that_is_half_destroyed_protects_nothing_new() {
    for at in 0..12 {
        let bench = Bench::new();
        let journal = bench.open().unwrap();
        let analytics = domain(&journal, "analytics").unwrap();
        let one = endpoint(&journal);
        let id = put(&bench, &journal, analytics, b"delivered").unwrap();
        journal.acknowledge(one, &[id]).unwrap();
        bench.disk.set_fault(Some(Fault::Once(at, DiskError::Io)));
        let _ = journal.retire_delivered(&|_, _| vec![one]);
        bench.disk.set_fault(None);
        put(&bench, &journal, analytics, b"new").unwrap();
        journal.sync().unwrap();
        drop(journal);
        bench.disk.kill();
        let journal = bench.open().unwrap();
        assert_eq!(bodies(&read(&journal, one, &[analytics])), [b"new"], "error at operation {at}");
    }
}

#[test]
fn a_sync_that_cannot_open_one_segment_leaves_the_others_to_the_next() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let (first, second) = (domain(&journal, "first").unwrap(), domain(&journal, "second").unwrap());
    put(&bench, &journal, first, b"first").unwrap();
    put(&bench, &journal, second, b"second").unwrap();
    drop(journal);
    let journal = bench.open().unwrap();
    put(&bench, &journal, first, b"more").unwrap();
    let file = bench.disk.names().into_iter().rfind(|name| name.starts_with("segments/")).unwrap();
    let contents = bench.disk.contents(&file).unwrap();
    bench.disk.delete(&file);
    assert!(journal.sync().is_err());
    bench.disk.put(&file, &contents);
    journal.sync().unwrap();
    drop(journal);
    bench.disk.lose_power(PowerLoss::LosesAll);
    let journal = bench.open().unwrap();
    let found = bodies(&read(&journal, endpoint(&journal), &[first, second]));
    assert_eq!(found, [&b"first"[..], b"more", b"second"]);
}

/// A key store whose sealed secrets are longer than a slot of the key file.
struct LongKeys(menshen_journal::MemoryKeys);

impl KeyProvider for LongKeys {
    fn create(&self, alias: &menshen_journal::Alias) -> Result<(), KeyError> {
        self.0.create(alias)
    }

    fn wrap(&self, _: &menshen_journal::Alias, _: &[u8], _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(vec![1; 400])
    }

    fn unwrap(
        &self,
        alias: &menshen_journal::Alias,
        blob: &[u8],
        aad: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyError> {
        self.0.unwrap(alias, blob, aad)
    }

    fn exists(&self, alias: &menshen_journal::Alias) -> Result<bool, KeyError> {
        self.0.exists(alias)
    }

    fn list(&self) -> Result<Vec<menshen_journal::Alias>, KeyError> {
        self.0.list()
    }

    fn destroy(&self, alias: &menshen_journal::Alias) -> Result<(), KeyError> {
        self.0.destroy(alias)
    }

    fn state(&self) -> menshen_journal::KeyState {
        self.0.state()
    }
}

#[test]
fn a_sealed_secret_that_fits_no_slot_is_refused_for_the_stores_own_key_too() {
    let bench = Bench::new();
    let effects = menshen_journal::Effects {
        disk: std::sync::Arc::new(bench.disk.clone()),
        keys: std::sync::Arc::new(LongKeys(bench.keys.clone())),
        clock: std::sync::Arc::new(bench.clock.clone()),
        randomness: std::sync::Arc::new(menshen_journal::SystemRandomness::new()),
        anchor: None,
        marker_disks: Vec::new(),
    };
    let journal = Journal::open(effects, bench.options.clone()).unwrap();
    assert_eq!(journal.unlock(), Err(KeyError::Suspect));
    drop(journal);
    bench.open().unwrap().unlock().unwrap();
}

#[test]
fn a_disk_that_fails_to_open_anything_for_ever_keeps_nobody_waiting() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, analytics, b"before").unwrap();
    bench.disk.set_failed_opens(true);
    let other = domain(&journal, "other").unwrap();
    assert_eq!(put(&bench, &journal, other, b"refused"), Err(Error::Io { operation: "create a segment" }));
    bench.disk.set_failed_opens(false);
    put(&bench, &journal, other, b"after").unwrap();
}
