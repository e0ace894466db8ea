//! The bookkeeping is believed only where the store's own key proves it: nothing forged acknowledges, hides or removes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use menshen_journal::{Domain, Error, Expiry, KeyError, KeyState, Label, Lane, Shredding};
use ring::hmac;
use support::*;

/// A frame as anybody can make it: whole, but without the store's key.
fn frame(sequence: u64, entry: &[u8]) -> Vec<u8> {
    let body = [&[0; 32][..], entry].concat();
    let mut out = vec![0xD6, 0x4D];
    out.extend(sequence.to_le_bytes());
    out.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&out), &body);
    out.extend(sum.to_le_bytes());
    out.extend(body);
    out
}

fn segments(bench: &Bench) -> Vec<String> {
    bench.disk.names().into_iter().filter(|name| name.starts_with("segments/")).collect()
}

/// A store with ten records, closed.
fn ten() -> (Bench, Domain) {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    for number in 0..10_u8 {
        put(&bench, &journal, analytics, &[number]).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    (bench, analytics)
}

#[test]
fn a_forged_cursor_counts_as_zero_and_is_told() {
    let (bench, analytics) = ten();
    let journal = bench.open().unwrap();
    let batch = read(&journal, endpoint(&journal), &[analytics]);
    journal.acknowledge(endpoint(&journal), &[batch.records[0].id, batch.records[1].id]).unwrap();
    drop(journal);
    let mut cursors = bench.disk.contents("cursor").unwrap();
    let used = [0, cursors.len() / 2].into_iter().find(|at| cursors[*at] == 1).unwrap();
    let slot = &mut cursors[used..used + 53];
    assert_eq!(slot[25], 2, "the cursor stands at 2");
    slot[25] = 9;
    let sum = crc32c::crc32c(&slot[..49]);
    slot[49..].copy_from_slice(&sum.to_le_bytes());
    bench.disk.put("cursor", &cursors);
    let journal = bench.open().unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 10, "all are sent again");
    assert_eq!(journal.report().foreign_cursors, 1);
    // It goes on from there.
    let batch = read(&journal, endpoint(&journal), &[analytics]);
    journal.acknowledge(endpoint(&journal), &[batch.records[0].id]).unwrap();
    drop(journal);
    let journal = bench.open().unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 9);
    assert_eq!(journal.report().foreign_cursors, 0);
}

#[test]
fn a_forged_removal_removes_nothing() {
    let (bench, analytics) = ten();
    let id = u64::from_str_radix(segments(&bench)[0].strip_prefix("segments/").unwrap(), 16).unwrap();
    let retired = [&[3][..], &id.to_le_bytes(), &0_u64.to_le_bytes()].concat();
    for forged in [
        // Behind the frames that are there.
        [bench.disk.contents("manifest.1").unwrap(), frame(5, &retired)].concat(),
        // A manifest of its own.
        [frame(0, &[&[1][..], &[7; 16], &9_u64.to_le_bytes()].concat()), frame(1, &retired), frame(2, &[9])].concat(),
    ] {
        let copy = Bench { disk: bench.disk.snapshot(), ..bench.clone() };
        copy.disk.put("manifest.1", &forged);
        let journal = copy.open().unwrap();
        assert_eq!(segments(&copy), segments(&bench));
        assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 10);
        assert!(journal.report().manifest_damaged);
        drop(journal);
        let journal = copy.open().unwrap();
        assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 10);
    }
}

#[test]
fn a_frame_moved_to_another_place_is_none() {
    let (bench, analytics) = ten();
    let journal = bench.open().unwrap();
    let one = endpoint(&journal);
    let batch = read(&journal, one, &[analytics]);
    // Out of order, so that it is a frame of the manifest that says it.
    journal.acknowledge(one, &[batch.records[4].id]).unwrap();
    drop(journal);
    let manifest = bench.disk.contents("manifest.1").unwrap();
    let mut starts: Vec<usize> = (0..manifest.len() - 1).filter(|at| manifest[*at..*at + 2] == [0xD6, 0x4D]).collect();
    let last = starts.pop().unwrap();
    let first = [&manifest[last..], &manifest[..last]].concat();
    bench.disk.put("manifest.1", &first);
    let journal = bench.open().unwrap();
    assert!(journal.report().manifest_damaged);
    assert_eq!(bodies(&read(&journal, one, &[analytics])).len(), 9, "it still says what it said");
}

#[test]
fn forged_numbers_beyond_all_counting_count_for_nothing() {
    let (bench, analytics) = ten();
    let header = bench.disk.contents(&segments(&bench)[0]).unwrap()[..128].to_vec();
    let (store, id, most) = (&header[12..28], &header[28..36], &u64::MAX.to_le_bytes()[..]);
    let entries = [
        [&[1], store, most].concat(),
        [&[8], most].concat(),
        [&[8], most].concat(),
        [&[2], &header[..]].concat(),
        // At the segment's beginning, of a run that begins nowhere.
        [&[6], id, &5_u64.to_le_bytes(), &128_u64.to_le_bytes(), most, most].concat(),
        [&[4], id, most, &0_u64.to_le_bytes(), most].concat(),
        vec![9],
    ];
    let forged: Vec<u8> = entries.iter().zip(0..).flat_map(|(entry, sequence)| frame(sequence, entry)).collect();
    for name in ["manifest.1", &format!("manifest.{}", u64::MAX)] {
        let copy = Bench { disk: bench.disk.snapshot(), ..bench.clone() };
        copy.disk.put(name, &forged);
        let journal = copy.open().unwrap();
        let _ = (journal.health(), journal.count(&analytics), journal.pending(endpoint(&journal), &analytics));
        assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 10, "{name}");
        put(&copy, &journal, analytics, b"more").unwrap();
        journal.sync().unwrap();
        drop(journal);
        let journal = copy.open().unwrap();
        assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 11, "{name}");
    }
}

#[test]
fn before_the_stores_key_is_there_nothing_is_removed_or_acknowledged() {
    let (bench, analytics) = ten();
    let files = segments(&bench);
    bench.keys.set_state(KeyState::NotYet);
    let journal = bench.open().unwrap();
    let busy = Error::Key(KeyError::NotYet);
    assert_eq!(journal.retire_delivered(&|_, _| panic!("nobody is asked")), Err(busy));
    bench.clock.advance(20 * DAY_MS);
    assert_eq!(journal.expire(), Err(busy));
    assert_eq!(journal.shred(&analytics).unwrap(), Shredding::Pending);
    assert_eq!(segments(&bench), files);
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(journal.expire().unwrap().segments, 1, "its secret was gone already");
    assert_eq!(segments(&bench), [""; 0]);
}

#[test]
fn every_algorithm_seals_and_a_store_may_hold_both() {
    let bench = Bench::new();
    let aes = menshen_journal::Options { algorithm: menshen_journal::Algorithm::Aes256Gcm, ..bench.options.clone() };
    let aes = Bench { options: aes, ..bench.clone() };
    for (bench, purpose) in [(&bench, "one"), (&aes, "two")] {
        let journal = bench.open().unwrap();
        let domain = domain(&journal, purpose).unwrap();
        let never = menshen_journal::Append { domain, lane: Lane::Telemetry, expiry: Expiry::never(), body: b"sealed" };
        assert!(journal.append(&never).unwrap().id().is_some());
    }
    let journal = bench.open().unwrap();
    let both = [domain(&journal, "one").unwrap(), domain(&journal, "two").unwrap()];
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &both)), [b"sealed", b"sealed"]);
    let algorithms: Vec<u8> = segments(&bench).iter().map(|name| bench.disk.contents(name).unwrap()[9]).collect();
    assert_eq!(algorithms, [1, 2]);
}

#[test]
fn a_marker_proves_itself_only_if_it_was_written_here() {
    let (bench, analytics) = ten();
    let journal = bench.open().unwrap();
    let other = domain(&journal, "other").unwrap();
    journal.mark_denied(&analytics).unwrap();
    let marker = bench.outside.names().into_iter().find(|name| name.starts_with("denied-")).unwrap();
    let content = bench.outside.contents(&marker).unwrap();
    drop(journal);
    bench.disk.delete(&marker);
    let journal = bench.open().unwrap();
    assert_eq!(journal.denied().unwrap(), [analytics]);
    assert!(!journal.is_denial_proven(&analytics), "no key, no proof");
    journal.unlock().unwrap();
    assert!(journal.is_denial_proven(&analytics), "one outside is enough");
    // A copy under the name of another domain denies, and proves nothing.
    let planted =
        marker.replace(&format!("{:016x}", analytics.purpose.number()), &format!("{:016x}", other.purpose.number()));
    bench.outside.put(&planted, &content);
    assert_eq!(journal.denied().unwrap().len(), 2);
    assert!(!journal.is_denial_proven(&other));
    // Written before the key is there, it denies and proves nothing.
    drop(journal);
    let journal = bench.open().unwrap();
    journal.clear_mark(&analytics).unwrap();
    journal.mark_denied(&analytics).unwrap();
    journal.unlock().unwrap();
    assert!(!journal.is_denial_proven(&analytics));
}

#[test]
fn only_a_name_that_the_store_would_write_is_a_markers() {
    let (bench, analytics) = ten();
    let journal = bench.open().unwrap();
    journal.mark_denied(&analytics).unwrap();
    let marker = bench.outside.names().into_iter().find(|name| name.starts_with("denied-")).unwrap();
    // What cannot be cleared must not deny.
    for planted in [marker.replace("-0000000000000001", "-1"), marker.replace("-0000000000000001", "-+000000000000001")]
    {
        bench.outside.put(&planted, b"");
    }
    journal.clear_mark(&analytics).unwrap();
    assert_eq!(journal.denied().unwrap(), []);
}

#[test]
fn a_slice_whose_secret_is_damaged_goes_on_under_a_new_one() {
    let (bench, analytics) = ten();
    let mut keys = bench.disk.contents("keys").unwrap();
    for slot in keys.chunks_mut(512).filter(|slot| slot[0] == 3) {
        slot[80] ^= 1;
    }
    bench.disk.put("keys", &keys);
    let journal = bench.open().unwrap();
    assert_eq!(journal.report().damaged_keys, 1);
    put(&bench, &journal, analytics, b"after the damage").unwrap();
    let batch = read(&journal, endpoint(&journal), &[analytics]);
    assert_eq!((bodies(&batch), batch.locked), (vec![b"after the damage".to_vec()], 1));
}

#[test]
fn more_ranges_than_one_frame_holds_are_kept_in_several() {
    let mut bench = Bench::new();
    bench.options.segment_bytes = 64 * 1024 * 1024;
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    let ids: Vec<_> = (0..140_000).map(|_| put(&bench, &journal, analytics, b"").unwrap()).collect();
    // Every other one: as many ranges.
    let odd: Vec<_> = ids.iter().skip(1).step_by(2).copied().collect();
    let (one, two) = (endpoint(&journal), Label::from_number(2));
    journal.acknowledge(one, &odd).unwrap();
    journal.quarantine(two, &odd).unwrap();
    drop(journal);
    for round in 0..2 {
        let journal = bench.open().unwrap();
        assert!(!journal.report().manifest_damaged);
        assert_eq!(journal.pending(one, &analytics), 70_000, "{round}");
        assert_eq!(journal.pending(two, &analytics), 70_000, "{round}");
        // The manifest is long enough to be written anew.
        journal.acknowledge(Label::from_number(3), &odd[..1]).unwrap();
    }
}

#[test]
fn a_label_under_another_name_opens_nothing() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let crashes = domain(&journal, "crashes").unwrap();
    let tracker = domain(&journal, "tracker").unwrap();
    put(&bench, &journal, crashes, b"given for crashes only").unwrap();
    drop(journal);
    let mut keys = bench.disk.contents("keys").unwrap();
    let swap = |name: &[u8]| if name == b"crashes" { b"tracker" } else { b"crashes" };
    for slot in keys.chunks_mut(512).filter(|slot| slot[0] == 4 && slot[9] == 2) {
        let name = swap(&slot[20..27]);
        slot[20..27].copy_from_slice(name);
        let sum = crc32c::crc32c(&slot[..508]);
        slot[508..].copy_from_slice(&sum.to_le_bytes());
    }
    bench.disk.put("keys", &keys);
    let journal = bench.open().unwrap();
    let now = domain_of(&journal, "tracker").unwrap();
    assert_eq!((now, domain_of(&journal, "crashes").unwrap()), (crashes, tracker), "the names are swapped");
    assert_eq!(journal.unlock_domain(&now), Err(KeyError::Refused));
    let batch = read(&journal, endpoint(&journal), &[now]);
    assert_eq!((batch.records.len(), batch.locked), (0, 1));
}

#[test]
fn the_bookkeepings_key_is_not_given_out() {
    let (bench, analytics) = ten();
    let journal = bench.open().unwrap();
    let batch = read(&journal, endpoint(&journal), &[analytics]);
    journal.acknowledge(endpoint(&journal), &[batch.records[0].id]).unwrap();
    let own = Domain { account: Label::ESSENTIAL, purpose: Label::ESSENTIAL, epoch: 1 };
    let given = journal.derive(&own, b"menshen/0/bookkeeping").unwrap();
    let store = journal.store_id();
    drop(journal);
    let mut cursors = bench.disk.contents("cursor").unwrap();
    let used = [0, cursors.len() / 2].into_iter().find(|at| cursors[*at] == 1).unwrap();
    let slot = &mut cursors[used..used + 53];
    slot[25] = 9;
    let key = hmac::Key::new(hmac::HMAC_SHA256, given.as_ref());
    let code = hmac::sign(&key, &[b"menshen/0/cursor", &store[..], &slot[..33]].concat());
    slot[33..49].copy_from_slice(&code.as_ref()[..16]);
    let sum = crc32c::crc32c(&slot[..49]);
    slot[49..].copy_from_slice(&sum.to_le_bytes());
    bench.disk.put("cursor", &cursors);
    let journal = bench.open().unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 10);
    assert_eq!(journal.report().foreign_cursors, 1);
}

#[test]
fn a_file_made_of_beginnings_of_frames_keeps_nobody_busy() {
    let (bench, analytics) = ten();
    let name = segments(&bench)[0].clone();
    let mut contents = bench.disk.contents(&name).unwrap();
    // One frame behind the other, each said to be as long as can be: every one of them has to be checked.
    let beginning = [&[0xD6, 0x44][..], &7_u64.to_le_bytes(), &1_048_576_u32.to_le_bytes(), &[1; 4]].concat();
    contents.extend(beginning.repeat(4 * 1024 * 1024 / beginning.len()));
    bench.disk.put(&name, &contents);
    let began = std::time::Instant::now();
    let journal = bench.open().unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 10);
    let took = began.elapsed();
    println!("opened and read in {took:?}");
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let (bench, _) = ten();
    let mut keys = bench.disk.contents("keys").unwrap();
    for at in [0, 4096] {
        let slot = &mut keys[at..at + 512];
        assert_eq!((slot[0], slot[25]), (1, 0), "the store's slot, and its format");
        slot[25] = 9;
        let sum = crc32c::crc32c(&slot[..508]);
        slot[508..].copy_from_slice(&sum.to_le_bytes());
    }
    bench.disk.put("keys", &keys);
    let before = bench.disk.snapshot();
    assert_eq!(bench.open().err(), Some(menshen_journal::OpenError::NotAStore));
    for name in before.names() {
        assert_eq!(bench.disk.contents(&name), before.contents(&name), "{name}");
    }
}

#[test]
fn a_bit_flipped_in_a_free_slot_is_overwritten_and_blocks_nothing() {
    let (bench, analytics) = ten();
    let mut keys = bench.disk.contents("keys").unwrap();
    let free = keys.chunks(512).rposition(|slot| slot.iter().all(|byte| *byte == 0)).unwrap();
    keys[free * 512 + 40] ^= 4;
    bench.disk.put("keys", &keys);
    let journal = bench.open().unwrap();
    assert_eq!(journal.report().damaged_keys, 0);
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 10);
    assert_eq!(journal.sweep_keys(&|_| false).unwrap(), 0);
    assert_eq!(bench.disk.contents("keys").unwrap()[free * 512 + 40], 0);
}

/// A segment's header as anybody can make it from one that is there.
fn header_like(contents: &[u8], change: &dyn Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut header = contents[..124].to_vec();
    change(&mut header);
    let sum = crc32c::crc32c(&header);
    header.extend(sum.to_le_bytes());
    header
}

#[test]
fn a_planted_segment_of_a_slice_without_a_secret_is_left_alone_and_drops_nothing() {
    let (bench, analytics) = ten();
    let name = segments(&bench)[0].clone();
    let contents = bench.disk.contents(&name).unwrap();
    let planted = header_like(&contents, &|header| {
        header[28..36].copy_from_slice(&50_u64.to_le_bytes());
        // Another epoch of the same purpose, under the same label.
        header[52..60].copy_from_slice(&9_u64.to_le_bytes());
    });
    bench.disk.put("segments/0000000000000032", &[planted, vec![7; 2 * 1024 * 1024]].concat());
    let bench =
        Bench { options: menshen_journal::Options { cap_bytes: 1024 * 1024, ..bench.options.clone() }, ..bench };
    let journal = bench.open().unwrap();
    assert_eq!(journal.report().quarantined, 1);
    put(&bench, &journal, analytics, &[10]).unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 11);
    assert!(bench.disk.names().contains(&"segments/0000000000000032".to_owned()));
}

#[test]
fn planted_names_and_numbers_use_up_nothing() {
    let (bench, analytics) = ten();
    bench.disk.put("segments/0000ffffffffffff", b"x");
    bench.disk.put("segments/0000000000000002", b"not ours");
    bench.disk.put("manifest.281474976710655", b"not ours either");
    // A frame with the highest number at the end of the only segment.
    let name = segments(&bench)[0].clone();
    let mut contents = bench.disk.contents(&name).unwrap();
    contents.truncate(end_of_frames(&contents));
    let mut planted = frame((1 << 48) - 1, &[0; 64]);
    planted[1] = 0x44;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&planted[..14]), &planted[18..]);
    planted[14..18].copy_from_slice(&sum.to_le_bytes());
    contents.extend(planted);
    bench.disk.put(&name, &contents);
    for round in 0..2 {
        let journal = bench.open().unwrap();
        let other = domain(&journal, &format!("other {round}")).unwrap();
        for domain in [analytics, other] {
            put(&bench, &journal, domain, b"after").unwrap();
        }
        journal.sync().unwrap();
    }
    let journal = bench.open().unwrap();
    let mut found = bodies(&read(&journal, endpoint(&journal), &[analytics]));
    found.sort();
    assert_eq!(found.len(), 12, "ten and two");
}

#[test]
fn an_anchor_that_cannot_be_read_is_not_overwritten() {
    use menshen_journal::{Anchor, AnchorError, Effects, Journal, Label, LabelKind, SystemRandomness};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    struct Moody(menshen_journal::simulated::MemoryAnchor, AtomicBool);
    impl Anchor for Moody {
        fn read(&self) -> Result<Option<Vec<u8>>, AnchorError> {
            if self.1.load(Ordering::Relaxed) { Err(AnchorError) } else { self.0.read() }
        }
        fn write(&self, value: &[u8]) -> Result<(), AnchorError> {
            self.0.write(value)
        }
    }
    let bench = Bench::new();
    let moody = Arc::new(Moody(bench.anchor.clone(), AtomicBool::new(false)));
    let effects = Effects {
        disk: Arc::new(bench.disk.clone()),
        keys: Arc::new(bench.keys.clone()),
        clock: Arc::new(bench.clock.clone()),
        randomness: Arc::new(SystemRandomness::new()),
        anchor: Some(Arc::clone(&moody) as _),
        marker_disks: Vec::new(),
    };
    let journal = Journal::open(effects, bench.options.clone()).unwrap();
    let account = |name| {
        let account = journal.label(LabelKind::Account, name).unwrap();
        let essential = menshen_journal::Domain { account, purpose: Label::ESSENTIAL, epoch: 1 };
        journal.create_domain(&essential).unwrap();
        account
    };
    let (one, two) = (account("one"), account("two"));
    journal.ledger_append(one, &entries(["a"])).unwrap();
    let before = bench.anchor.read().unwrap();
    moody.1.store(true, Ordering::Relaxed);
    journal.ledger_append(two, &entries(["b"])).unwrap();
    assert_eq!(bench.anchor.read().unwrap(), before);
}
