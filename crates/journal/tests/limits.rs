//! Where something ends: a name, a segment, a count, what one key tells.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
mod support;

use menshen_journal::{Error, LabelKind};
use support::*;

#[test]
fn a_name_of_256_bytes_is_taken_and_a_longer_one_refused() {
    let journal = Bench::new().open().unwrap();
    journal.label(LabelKind::Purpose, &"n".repeat(256)).unwrap();
    for longer in [257, 1000] {
        let refused = journal.label(LabelKind::Purpose, &"n".repeat(longer));
        assert!(matches!(refused, Err(Error::TooLarge { limit: 256 })), "{refused:?}");
    }
}

#[test]
fn a_keyed_hash_tells_the_same_bytes_again_in_one_store_and_nothing_in_another() {
    let (bench, other) = (Bench::new(), Bench::new());
    let journal = bench.open().unwrap();
    let hash = journal.keyed_hash(b"a").unwrap();
    assert_ne!(hash, journal.keyed_hash(b"b").unwrap());
    assert_ne!(hash, other.open().unwrap().keyed_hash(b"a").unwrap());
    drop(journal);
    assert_eq!(hash, bench.open().unwrap().keyed_hash(b"a").unwrap());
}

#[test]
fn the_records_of_a_domain_are_counted_without_those_of_another() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let (one, two) = (domain(&journal, "one").unwrap(), domain(&journal, "two").unwrap());
    (0..3).for_each(|_| _ = put(&bench, &journal, one, b"of one").unwrap());
    put(&bench, &journal, two, b"of two").unwrap();
    assert_eq!((journal.count(&one), journal.count(&two)), (3, 1));
}

#[test]
fn a_full_segment_is_followed_by_another_one() {
    let mut bench = Bench::new();
    bench.options.segment_bytes = 1024;
    let journal = bench.open().unwrap();
    let one = domain(&journal, "one").unwrap();
    for _ in 0..20 {
        put(&bench, &journal, one, &[7; 200]).unwrap();
        journal.sync().unwrap();
    }
    let segments = bench.disk.names().into_iter().filter(|name| name.starts_with("segments/")).count();
    // Each record takes 18 bytes of frame, 32 of fields, 200, padded, and 16 of tag: four fit into one.
    assert!((4..=10).contains(&segments), "{segments} segments");
    assert_eq!(read(&journal, endpoint(&journal), &[one]).records.len(), 20);
}

#[test]
fn what_is_printed_of_a_record_says_which_it_is_and_not_what_is_in_it() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let one = domain(&journal, "one").unwrap();
    put(&bench, &journal, one, b"secret body").unwrap();
    let printed = format!("{:?}", read(&journal, endpoint(&journal), &[one]).records[0]);
    assert!(printed.contains("sequence") && !printed.contains("secret"), "{printed}");
}
