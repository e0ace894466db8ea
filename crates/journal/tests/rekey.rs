//! What a lost key of the store's own costs, and what a new one in its place may do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use menshen_journal::{Alias, Error, KeyError, KeyProvider, KeyState, Verdict};
use support::*;

/// A store with two records, one of them acknowledged, a ledger of two batches, and everything synced.
fn used(bench: &Bench) -> (Alias, Alias) {
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    let store = bench.keys.list().unwrap().remove(0);
    let analytics = domain(&journal, "analytics").unwrap();
    put(bench, &journal, analytics, b"one").unwrap();
    put(bench, &journal, analytics, b"two").unwrap();
    let first = read(&journal, endpoint(&journal), &[analytics]).records[0].id;
    journal.acknowledge(endpoint(&journal), &[first]).unwrap();
    let essential = essential(&journal);
    for _ in 0..2 {
        journal.ledger_append(essential.account, &entries([b"entry"])).unwrap();
    }
    (store, journal.alias(&essential).unwrap())
}

#[test]
fn a_new_key_of_the_store_loses_no_record_and_the_accounts_ledger_still_verifies() {
    let bench = Bench::new();
    let (store, _) = used(&bench);
    bench.keys.destroy(&store).unwrap();
    let journal = bench.open().unwrap();
    assert_eq!(journal.unlock(), Err(KeyError::NotFound), "no key is made because of an error");
    assert_eq!(journal.replace_lost_store_key(), Ok(true));
    assert_eq!(journal.replace_lost_store_key(), Ok(false), "the new one is there");
    drop(journal);
    let journal = bench.open().unwrap();
    let analytics = domain_of(&journal, "analytics").unwrap();
    let found = bodies(&read(&journal, endpoint(&journal), &[analytics]));
    assert_eq!(
        found,
        [b"one".to_vec(), b"two".to_vec()],
        "what was acknowledged is offered again: who did is not known"
    );
    let account = essential(&journal).account;
    assert_eq!(journal.ledger_read(account).unwrap().verdict, Verdict::Sound);
    journal.ledger_append(account, &entries([b"entry"])).unwrap();
    put(&bench, &journal, analytics, b"three").unwrap();
}

#[test]
fn an_interrupted_new_key_of_the_store_is_finished_by_the_next_try() {
    use menshen_journal::DiskError;
    use menshen_journal::simulated::Fault;
    for at in 0..25 {
        let bench = Bench::new();
        let (store, _) = used(&bench);
        bench.keys.destroy(&store).unwrap();
        let journal = bench.open().unwrap();
        bench.disk.set_fault(Some(Fault::From(at, DiskError::Io)));
        let _ = journal.replace_lost_store_key();
        drop(journal);
        bench.disk.kill();
        let journal = bench.open().unwrap();
        if journal.unlock().is_err() {
            assert_eq!(journal.replace_lost_store_key(), Ok(true), "cut at operation {at}");
        }
        let analytics = domain_of(&journal, "analytics").unwrap();
        let found = bodies(&read(&journal, endpoint(&journal), &[analytics]));
        assert_eq!(found, [b"one".to_vec(), b"two".to_vec()], "cut at operation {at}");
    }
}

#[test]
fn a_lost_key_of_a_ledger_costs_what_it_says_and_the_new_one_cites_its_last_head() {
    let bench = Bench::new();
    let (_, alias) = used(&bench);
    let journal = bench.open().unwrap();
    let account = essential(&journal).account;
    let head = journal.ledger_read(account).unwrap().head.unwrap();
    assert_eq!(journal.begin_ledger_anew(account), Err(Error::AlreadyExists), "its key is there");
    drop(journal);
    bench.keys.destroy(&alias).unwrap();
    let journal = bench.open().unwrap();
    assert!(journal.ledger_read(account).is_err());
    journal.begin_ledger_anew(account).unwrap();
    journal.ledger_append(account, &entries([b"re-key"])).unwrap();
    let name = journal.ledger_read(account).unwrap().name;
    let last = journal.last_head_before(&name).unwrap();
    assert_eq!((last.epoch, last.size, last.root), (1, head.size, head.root));
    drop(journal);
    let journal = bench.open().unwrap();
    let contents = journal.ledger_read(account).unwrap();
    assert_eq!((contents.verdict, contents.name.epoch, contents.entries.len()), (Verdict::Sound, 2, 1));
    let analytics = domain_of(&journal, "analytics").unwrap();
    assert_eq!(journal.count(&analytics), 2, "nothing is deleted because a key is gone");
}

#[test]
fn while_nobody_knows_whether_a_key_is_gone_none_takes_its_place() {
    let bench = Bench::new();
    let (store, essential_alias) = used(&bench);
    bench.keys.destroy(&store).unwrap();
    bench.keys.destroy(&essential_alias).unwrap();
    let journal = bench.open().unwrap();
    for state in [KeyState::NotYet, KeyState::Suspect, KeyState::Mismatch, KeyState::Lost] {
        bench.keys.set_state(state);
        assert!(journal.replace_lost_store_key().is_err(), "{state:?}");
        assert!(journal.begin_ledger_anew(essential(&journal).account).is_err(), "{state:?}");
    }
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(journal.replace_lost_store_key(), Ok(true));
}

#[test]
fn an_epoch_that_the_anchor_knows_is_never_given_again() {
    let bench = Bench::new();
    let before = {
        let (_, alias) = used(&bench);
        let before = bench.disk.snapshot();
        bench.keys.destroy(&alias).unwrap();
        before
    };
    let journal = bench.open().unwrap();
    let account = essential(&journal).account;
    journal.begin_ledger_anew(account).unwrap();
    journal.ledger_append(account, &entries([b"re-key"])).unwrap();
    drop(journal);
    // The files come back as they were before, without the ledger of epoch 2.
    let bench = Bench { disk: before, ..bench };
    let journal = bench.open().unwrap();
    journal.begin_ledger_anew(account).unwrap();
    journal.ledger_append(account, &entries([b"re-key"])).unwrap();
    assert_eq!(journal.ledger_read(account).unwrap().name.epoch, 3);
}
