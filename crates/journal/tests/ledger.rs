//! The ledger proves itself: what was changed, dropped, moved, cut or rolled back is found, and what was erased is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use menshen_journal::{
    Domain, Error, Journal, Label, LabelKind, LedgerContents, LedgerEntry, NewEntry, Verdict, inclusion_proof,
    is_included, verify,
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

fn payloads(contents: &LedgerContents) -> Vec<Option<Vec<u8>>> {
    contents.entries.iter().map(|entry| entry.payload.as_ref().map(|payload| payload.bytes.to_vec())).collect()
}

fn check(contents: &LedgerContents, entries: &[LedgerEntry]) -> Result<u64, (u64, &'static str)> {
    let key = contents.public_key.unwrap();
    verify(&key, &contents.name, entries).map_err(|broken| (broken.sequence, broken.why))
}

fn file_of_ledger(bench: &Bench) -> String {
    bench.disk.names().into_iter().find(|name| name.starts_with("segments/")).unwrap()
}

#[test]
fn a_ledger_is_a_signed_chain_that_goes_on_after_reopening() {
    let bench = Bench::new();
    for round in 0..3_u8 {
        let (journal, account) = ledger(&bench);
        journal.ledger_append(account, &entries([&[round][..], b"second"])).unwrap();
    }
    let (journal, account) = ledger(&bench);
    let contents = journal.ledger_read(account).unwrap();
    assert_eq!(contents.verdict, Verdict::Sound);
    assert!(!contents.manifest_rolled_back);
    let second = || Some(b"second".to_vec());
    assert_eq!(payloads(&contents), [Some(vec![0]), second(), Some(vec![1]), second(), Some(vec![2]), second()]);
    assert!(contents.entries.iter().all(|entry| entry.signed && *entry.statement == b"statement"));
    assert_eq!(check(&contents, &contents.entries), Ok(6));
}

#[test]
fn an_exported_ledger_that_was_changed_in_any_way_does_not_verify() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    for round in 0..4_u8 {
        journal.ledger_append(account, &entries([&[round]])).unwrap();
    }
    let contents = journal.ledger_read(account).unwrap();
    let changed = |change: &dyn Fn(&mut Vec<LedgerEntry>)| {
        let mut entries = contents.entries.clone();
        change(&mut entries);
        check(&contents, &entries)
    };
    assert_eq!(changed(&|_| {}), Ok(4));
    assert_eq!(changed(&|entries| entries[2].statement = b"no".to_vec().into()), Err((2, "leaf")));
    assert_eq!(changed(&|entries| entries[2].payload.as_mut().unwrap().bytes[0] ^= 1), Err((2, "payload")));
    assert_eq!(changed(&|entries| entries[2].payload = None), Ok(4));
    assert_eq!(changed(&|entries| entries[1].leaf[0] ^= 1), Err((1, "leaf")));
    assert_eq!(changed(&|entries| drop(entries.remove(2))), Err((2, "out-of-order")));
    assert_eq!(changed(&|entries| entries.swap(1, 2)), Err((1, "out-of-order")));
    assert_eq!(changed(&|entries| entries.truncate(3)), Ok(3), "a cut at a head is for the anchor to find");
    assert_eq!(changed(&|entries| entries[3].head = None), Err((3, "unsigned")));
    assert_eq!(changed(&|entries| entries[1].head = entries[2].head.clone()), Err((1, "head")));
    assert_eq!(changed(&|entries| entries[1].head.as_mut().unwrap().signature[5] ^= 1), Err((1, "signature")));
    assert_eq!(changed(&|entries| entries[1].head.as_mut().unwrap().manifest.number += 1), Err((1, "signature")));
}

#[test]
fn one_entry_proves_itself_under_the_head_without_the_others() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    journal.ledger_append(account, &entries(["a", "b", "c", "d", "e", "f", "g"])).unwrap();
    let contents = journal.ledger_read(account).unwrap();
    let leaves: Vec<_> = contents.entries.iter().map(|entry| entry.leaf).collect();
    let head = contents.head.unwrap();
    let proof = inclusion_proof(&leaves, 4).unwrap();
    assert!(is_included(&head.root, head.size, 4, &leaves[4], &proof));
    assert!(!is_included(&head.root, head.size, 4, &leaves[3], &proof));
}

#[test]
fn a_ledger_rolled_back_or_cut_is_found() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    journal.ledger_append(account, &entries([b"granted"])).unwrap();
    let first = bench.disk.contents(&file_of_ledger(&bench)).unwrap();
    let before = bench.disk.snapshot();
    journal.ledger_append(account, &entries([b"withdrawn"])).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let (journal, _) = ledger(&Bench { disk: before, ..bench.clone() });
    assert_eq!(journal.ledger_read(account).unwrap().verdict, Verdict::RolledBack);
    drop(journal);
    // Without an anchor the manifest knows how far the ledger went.
    let bench = Bench { anchor: Default::default(), ..bench };
    bench.disk.put(&file_of_ledger(&bench), &first);
    let (journal, _) = ledger(&bench);
    let contents = journal.ledger_read(account).unwrap();
    assert_eq!((contents.entries.len(), contents.verdict), (1, Verdict::Truncated));
    let more = journal.ledger_append(account, &entries([b"more"]));
    assert_eq!(more.unwrap_err(), Error::LedgerBroken { sequence: None });
    drop(journal);
    bench.disk.delete(&file_of_ledger(&bench));
    let (journal, _) = ledger(&bench);
    assert_eq!(journal.ledger_read(account).unwrap().verdict, Verdict::Truncated);
}

#[test]
fn a_manifest_older_than_the_last_head_is_told() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    journal.ledger_append(account, &entries([b"granted"])).unwrap();
    let old = bench.disk.contents("manifest.1").unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, analytics, b"x").unwrap();
    journal.ledger_append(account, &entries([b"after"])).unwrap();
    assert!(!journal.ledger_read(account).unwrap().manifest_rolled_back);
    drop(journal);
    bench.disk.put("manifest.1", &old);
    let (journal, account) = ledger(&bench);
    assert!(journal.ledger_read(account).unwrap().manifest_rolled_back);
    assert!(journal.ledger_tail(account).unwrap().manifest_rolled_back);
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics])), [b"x"], "and costs nothing");
}

#[test]
fn an_erased_payload_is_gone_and_the_chain_still_verifies() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    journal.ledger_append(account, &entries(["who", "what"])).unwrap();
    journal.ledger_checkpoint(account, b"who did what").unwrap();
    let before = bench.snapshot();
    journal.erase_payloads(account).unwrap();
    journal.ledger_append(account, &entries(["later"])).unwrap();
    drop(journal);
    let (journal, _) = ledger(&bench);
    let contents = journal.ledger_read(account).unwrap();
    assert_eq!(contents.verdict, Verdict::Sound);
    assert_eq!(payloads(&contents), [None, None, Some(b"later".to_vec())]);
    assert_eq!(*contents.entries[0].statement, b"statement");
    assert_eq!(check(&contents, &contents.entries), Ok(3));
    assert_eq!(journal.ledger_tail(account).unwrap().checkpoint, None, "no checkpoint remembers it");
    drop(journal);
    // The same reading finds them in a copy from before.
    let (journal, _) = ledger(&before);
    assert_eq!(payloads(&journal.ledger_read(account).unwrap()).iter().flatten().count(), 2);
    drop(journal);
    // With the old files and the key file as it is now nothing is to be had.
    before.disk.put("keys", &bench.disk.contents("keys").unwrap());
    let (journal, _) = ledger(&before);
    assert_eq!(payloads(&journal.ledger_read(account).unwrap()), [None, None]);
    assert_eq!(journal.ledger_tail(account).unwrap().checkpoint, None, "nor from the checkpoint, which said the same");
}

#[test]
fn a_checkpoint_stands_for_what_is_before_it() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    journal.ledger_checkpoint(account, b"of nothing").unwrap();
    assert_eq!(journal.ledger_tail(account).unwrap().checkpoint, None);
    for number in 0..50_u8 {
        journal.ledger_append(account, &entries([&[number]])).unwrap();
        if number == 29 || number == 39 {
            journal.ledger_checkpoint(account, &[number; 100]).unwrap();
            journal.ledger_checkpoint(account, b"a second one at the same place changes nothing").unwrap();
        }
    }
    assert_eq!(journal.entries_since_checkpoint(account), 10);
    drop(journal);
    let (journal, _) = ledger(&bench);
    let tail = journal.ledger_tail(account).unwrap();
    assert_eq!(tail.verdict, Verdict::Sound);
    let checkpoint = tail.checkpoint.unwrap();
    assert_eq!((checkpoint.size, checkpoint.state.as_slice()), (40, &[39; 100][..]));
    assert_eq!(tail.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), (40..50).collect::<Vec<_>>());
    let whole = journal.ledger_read(account).unwrap();
    assert_eq!(whole.entries.len(), 50);
    assert_eq!(whole.head, tail.head);
    // The ledger goes on from it.
    journal.ledger_append(account, &entries([b"next"])).unwrap();
    let whole = journal.ledger_read(account).unwrap();
    assert_eq!(check(&whole, &whole.entries), Ok(51));
}

#[test]
fn a_damaged_checkpoint_costs_time_and_nothing_else() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    for number in 0..5_u8 {
        journal.ledger_append(account, &entries([&[number]])).unwrap();
    }
    journal.ledger_checkpoint(account, &[1; 500]).unwrap();
    journal.ledger_append(account, &[NewEntry { statement: b"s", payload: b"last" }]).unwrap();
    drop(journal);
    let name = file_of_ledger(&bench);
    let mut contents = bench.disk.contents(&name).unwrap();
    let at = contents.windows(2).position(|two| two == [0xD6, 0x43]).unwrap();
    contents[at + 100] ^= 1;
    bench.disk.put(&name, &contents);
    let (journal, _) = ledger(&bench);
    let tail = journal.ledger_tail(account).unwrap();
    assert_eq!((tail.checkpoint, tail.entries.len(), tail.verdict), (None, 6, Verdict::Sound));
}

#[test]
fn a_checkpoint_at_the_end_still_tells_the_head_below_it() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    let head = journal.ledger_append(account, &entries([b"granted"])).unwrap();
    journal.ledger_checkpoint(account, b"state").unwrap();
    drop(journal);
    let (journal, _) = ledger(&bench);
    let tail = journal.ledger_tail(account).unwrap();
    assert_eq!((tail.checkpoint.unwrap().size, tail.entries.len()), (1, 0));
    assert_eq!(tail.head, Some(head));
}

#[test]
fn a_copy_of_an_old_run_does_not_cut_the_ledger_back() {
    let bench = Bench::new();
    let (journal, account) = ledger(&bench);
    journal.ledger_append(account, &entries([b"granted"])).unwrap();
    drop(journal);
    let (journal, _) = ledger(&bench);
    journal.ledger_append(account, &entries([b"withdrawn"])).unwrap();
    drop(journal);
    let name = file_of_ledger(&bench);
    let mut contents = bench.disk.contents(&name).unwrap();
    let used = end_of_frames(&contents);
    contents.truncate(used);
    let runs: Vec<usize> = (0..used - 1).filter(|at| contents[*at..*at + 2] == [0xD6, 0x52]).collect();
    let first = contents[runs[0]..runs[2]].to_vec();
    contents.extend(first);
    bench.disk.put(&name, &contents);
    // Neither the anchor nor the marks of the manifest are needed to find it.
    let bench = Bench { anchor: Default::default(), ..bench };
    bench.disk.delete("manifest.1");
    let (journal, _) = ledger(&bench);
    assert!(matches!(journal.ledger_read(account).unwrap().verdict, Verdict::Broken { .. }));
}
