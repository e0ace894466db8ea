//! Checkpoints of a ledger: states of any length, what stands in where one is damaged, and what is left of a ledger that
//! was pruned behind one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use menshen_journal::{
    Domain, Error, Journal, Label, LabelKind, LedgerContents, MAX_STATE_BYTES, Verdict, is_consistent, is_included,
    verify_behind,
};
use support::*;

fn ledger(bench: &Bench) -> (Journal, Label) {
    let journal = bench.open().unwrap();
    let account = journal.label(LabelKind::Account, "guest").unwrap();
    let essential = Domain { account, purpose: Label::ESSENTIAL, epoch: 1 };
    if journal.alias(&essential).is_none() {
        journal.create_domain(&essential).unwrap();
    }
    (journal, account)
}

fn enter(journal: &Journal, account: Label, count: usize) {
    for _ in 0..count {
        journal.ledger_append(account, &entries([&[7; 300][..]])).unwrap();
    }
}

fn state(number: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 251) as u8 ^ number).collect()
}

fn state_of(contents: &LedgerContents) -> Option<(u64, Vec<u8>)> {
    contents.checkpoint.as_ref().map(|checkpoint| (checkpoint.size, checkpoint.state.to_vec()))
}

fn segments(bench: &Bench) -> usize {
    bench.disk.names().iter().filter(|name| name.starts_with("segments/")).count()
}

/// Turns a bit in each frame of a checkpoint in a file; how many there were.
fn damage_checkpoints(bench: &Bench, name: &str) -> usize {
    let mut contents = bench.disk.contents(name).unwrap();
    let (mut at, mut damaged) = (128, 0);
    while contents.get(at) == Some(&0xD6) {
        let length = u32::from_le_bytes(contents[at + 10..at + 14].try_into().unwrap()) as usize;
        if contents[at + 1] == 0x43 {
            contents[at + 60] ^= 1;
            damaged += 1;
        }
        at += 18 + length;
    }
    bench.disk.put(name, &contents);
    damaged
}

#[test]
fn a_state_of_any_length_comes_back_as_it_was() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    for length in [0, 1, 60, 61, 16 * 1024, 64 * 1024, 64 * 1024 + 1, 600_000, MAX_STATE_BYTES] {
        enter(&journal, account, 1);
        journal.ledger_checkpoint(account, &state(3, length)).unwrap();
        let tail = journal.ledger_tail(account).unwrap();
        assert_eq!(tail.verdict, Verdict::Sound);
        assert!(tail.checkpoint.unwrap().state.as_slice() == state(3, length), "{length} bytes");
    }
    let longer = journal.ledger_checkpoint(account, &vec![0; MAX_STATE_BYTES + 1]);
    assert_eq!(longer, Err(Error::TooLarge { limit: MAX_STATE_BYTES }));
    drop(journal);
    let (journal, account) = ledger(&bench);
    assert_eq!(journal.ledger_tail(account).unwrap().checkpoint.unwrap().state.len(), MAX_STATE_BYTES);
    assert_eq!(journal.ledger_read(account).unwrap().entries.len(), 9);
}

#[test]
fn long_states_do_not_pile_up_and_no_entry_goes_with_an_old_one() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    for number in 0..20 {
        enter(&journal, account, 2);
        journal.ledger_checkpoint(account, &state(number, 300_000)).unwrap();
    }
    // The two newest, and those between that hold entries; each of them took 300,000 bytes before.
    assert!(journal.health().bytes < 1_000_000, "{} bytes", journal.health().bytes);
    let whole = journal.ledger_read(account).unwrap();
    assert_eq!((whole.verdict, whole.entries.len(), whole.base), (Verdict::Sound, 40, None));
    assert_eq!(state_of(&journal.ledger_tail(account).unwrap()), Some((40, state(19, 300_000))));
}

#[test]
fn a_part_that_is_damaged_costs_its_checkpoint_and_the_one_before_stands_in() {
    for length in [100, 200_000] {
        let bench = Bench::new();
        let (journal, account) = ledger(&bench);
        for number in 0..3 {
            enter(&journal, account, 70);
            journal.ledger_checkpoint(account, &state(number, length)).unwrap();
        }
        enter(&journal, account, 3);
        drop(journal);
        let with_checkpoint = |name: &String| {
            let contents = bench.disk.contents(name).unwrap();
            contents.windows(10).any(|ten| ten == [0xD6, 0x43, 210, 0, 0, 0, 0, 0, 0, 0])
        };
        let name = bench.disk.names().into_iter().filter(|n| n.starts_with("segments/")).find(with_checkpoint).unwrap();
        assert!(damage_checkpoints(&bench, &name) > 0);
        let (journal, _) = ledger(&bench);
        let tail = journal.ledger_tail(account).unwrap();
        assert_eq!(state_of(&tail), Some((140, state(1, length))), "{length} bytes");
        assert_eq!((tail.entries.len(), tail.verdict), (73, Verdict::Sound));
        // The ledger goes on.
        enter(&journal, account, 1);
        assert_eq!(journal.ledger_read(account).unwrap().entries.len(), 214);
    }
}

#[test]
fn a_ledger_that_was_pruned_goes_on_from_its_base_and_proves_what_is_left() {
    for length in [100, 200_000] {
        let bench = Bench::new();
        let (journal, account) = ledger(&bench);
        enter(&journal, account, 300);
        let first = journal.ledger_read(account).unwrap().head.unwrap();
        assert_eq!(journal.prune_ledger(account), Ok(0), "without a checkpoint nothing goes");
        journal.ledger_checkpoint(account, &state(1, length)).unwrap();
        assert_eq!(journal.prune_ledger(account), Ok(0), "nor with one, which has nothing to stand in for it");
        enter(&journal, account, 200);
        journal.ledger_checkpoint(account, &state(2, length)).unwrap();
        let before = (segments(&bench), journal.ledger_read(account).unwrap());
        assert_eq!(journal.prune_ledger(account), Ok(300));
        assert!(segments(&bench) < before.0);
        enter(&journal, account, 50);
        drop(journal);
        let (journal, _) = ledger(&bench);
        let left = journal.ledger_read(account).unwrap();
        let base = left.base.clone().unwrap();
        assert_eq!((left.verdict, base.size, left.entries.len()), (Verdict::Sound, 300, 250));
        assert_eq!(base.head, first);
        assert_eq!(left.entries[..200], before.1.entries[300..]);
        let key = left.public_key.unwrap();
        assert_eq!(verify_behind(&key, &left.name, &base, &left.entries), Ok(550));
        let mut other = base.clone();
        other.leaf[0] ^= 1;
        assert!(verify_behind(&key, &left.name, &other, &left.entries).is_err());
        other = base.clone();
        other.roots[0][0] ^= 1;
        assert_eq!(verify_behind(&key, &left.name, &other, &left.entries).unwrap_err().why, "base");
        // What is left still proves itself under the head of all, and that head goes on from the one before.
        let head = left.head.clone().unwrap();
        let proof = left.inclusion_proof(420).unwrap();
        assert!(is_included(&head.root, head.size, 420, &left.entries[120].leaf, &proof));
        assert_eq!(left.inclusion_proof(12), None, "of what was pruned nothing is known");
        for known in left.entries.iter().filter_map(|entry| entry.head.as_ref()).chain([&first]) {
            let proof = left.consistency_proof(known.size).unwrap();
            assert!(is_consistent((known.size, &known.root), (head.size, &head.root), &proof));
            assert!(!is_consistent((known.size, &key), (head.size, &head.root), &proof));
        }
        // Further pruning goes on from there.
        journal.ledger_checkpoint(account, &state(3, length)).unwrap();
        assert_eq!(journal.prune_ledger(account), Ok(200));
        let left = journal.ledger_read(account).unwrap();
        assert_eq!((left.verdict, left.base.unwrap().size, left.entries.len()), (Verdict::Sound, 500, 50));
    }
}

#[test]
fn a_pruned_ledger_is_read_without_its_manifest_and_after_its_payloads_were_erased() {
    for length in [100, 200_000] {
        let bench = Bench::new();
        let (journal, account) = ledger(&bench);
        for number in 0..3 {
            enter(&journal, account, 150);
            journal.ledger_checkpoint(account, &state(number, length)).unwrap();
        }
        assert_eq!(journal.prune_ledger(account), Ok(300));
        enter(&journal, account, 1);
        drop(journal);
        for name in bench.disk.names().into_iter().filter(|name| name.starts_with("manifest.")) {
            bench.disk.delete(&name);
        }
        let (journal, _) = ledger(&bench);
        let left = journal.ledger_read(account).unwrap();
        assert_eq!((left.verdict, left.base.unwrap().size, left.entries.len()), (Verdict::Sound, 300, 151));
        journal.erase_payloads(account).unwrap();
        let left = journal.ledger_tail(account).unwrap();
        assert_eq!((left.verdict, left.checkpoint, left.entries.len()), (Verdict::Sound, None, 151));
        assert!(left.entries.iter().all(|entry| entry.payload.is_none()));
        enter(&journal, account, 1);
        assert_eq!(journal.ledger_read(account).unwrap().entries.len(), 152);
    }
}

#[test]
fn the_first_part_of_a_ledger_that_is_lost_is_no_pruning() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    for number in 0..2 {
        enter(&journal, account, 150);
        journal.ledger_checkpoint(account, &state(number, 100)).unwrap();
    }
    drop(journal);
    let first = bench.disk.names().into_iter().find(|name| name.starts_with("segments/")).unwrap();
    let whole = bench.disk.contents(&first).unwrap();
    // A file that is missing although the manifest lists it.
    bench.disk.delete(&first);
    let (journal, _) = ledger(&bench);
    assert_eq!(journal.ledger_read(account).unwrap().verdict, Verdict::Truncated);
    drop(journal);
    // Its beginning, both copies of the run's header with it, overwritten.
    let mut damaged = whole;
    damaged[128..1024].fill(0xAA);
    bench.disk.put(&first, &damaged);
    let (journal, _) = ledger(&bench);
    assert!(matches!(journal.ledger_read(account).unwrap().verdict, Verdict::Broken { .. }));
}

#[test]
fn a_full_disk_takes_a_denial_although_a_long_checkpoint_was_never_synced() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    enter(&journal, account, 2);
    journal.ledger_checkpoint(account, &state(1, 500_000)).unwrap();
    drop(journal);
    // The mark behind it is lost, so that the next process takes it for unsynced.
    bench.disk.kill();
    let name = bench.disk.names().into_iter().find(|name| name.starts_with("manifest.")).unwrap();
    let contents = bench.disk.contents(&name).unwrap();
    bench.disk.put(&name, &contents[..contents.len() - 60]);
    let (journal, _) = ledger(&bench);
    journal.unlock().unwrap();
    bench.disk.set_capacity(Some(bench.disk.used()));
    journal.ledger_append_denial(account, &entries([b"withdrawn"])).unwrap();
    assert_eq!(journal.ledger_read(account).unwrap().entries.len(), 3);
}

#[test]
fn a_checkpoint_that_loses_power_at_any_operation_leaves_the_ledger_as_it_was() {
    for operation in 0..40 {
        let bench = Bench::new();
        let (journal, account) = ledger(&bench);
        for number in 0..3 {
            enter(&journal, account, 2);
            journal.ledger_checkpoint(account, &state(number, 150_000)).unwrap();
        }
        enter(&journal, account, 2);
        journal.sync().unwrap();
        bench.disk.set_fault(Some(menshen_journal::simulated::Fault::From(operation, menshen_journal::DiskError::Io)));
        let written = journal.ledger_checkpoint(account, &state(9, 150_000));
        drop(journal);
        bench.disk.lose_power(menshen_journal::simulated::PowerLoss::Torn(operation * 31));
        let (journal, _) = ledger(&bench);
        let tail = journal.ledger_tail(account).unwrap();
        let found = state_of(&tail).unwrap();
        assert!(
            found == (8, state(9, 150_000)) || (written.is_err() && found == (6, state(2, 150_000))),
            "{operation}"
        );
        assert_eq!(journal.ledger_read(account).unwrap().entries.len(), 8);
        enter(&journal, account, 1);
    }
}
