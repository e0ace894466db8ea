//! What is sealed to a server's key: nobody here opens it, it outlives a lost key, and a no takes it like everything else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::HashSet;

use menshen_journal::simulated::PowerLoss;
use menshen_journal::{Append, Appended, BoxTo, Boxed, Error, Expiry, KeyState, LabelKind, Lane, ServerKey, Shredding};
use support::*;

fn opened(boxes: &[Boxed], secret: &[u8; 32]) -> Vec<Vec<u8>> {
    boxes.iter().map(|boxed| boxed.open(secret).unwrap().to_vec()).collect()
}

#[test]
fn a_record_is_boxed_only_while_its_key_is_not_ready() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let (secret, key) = server(1);
    let to = box_to(&journal, key);
    assert!(matches!(append_or_box(&bench, &journal, analytics, b"boxed", &to), Ok(Appended::Buffered(_))));
    bench.keys.set_state(KeyState::Ready);
    assert!(matches!(append_or_box(&bench, &journal, analytics, b"sealed here", &to), Ok(Appended::Buffered(_))));
    let boxes = read_boxed(&journal, to.endpoint, analytics).boxes;
    assert_eq!(opened(&boxes, &secret), [b"boxed"]);
    assert_eq!((boxes[0].event, boxes[0].key), (to.event, key.id()));
    let here = bodies(&read(&journal, to.endpoint, &[analytics]));
    assert_eq!(here, [b"before".to_vec(), b"sealed here".to_vec()], "no box is read as a record");
}

#[test]
fn a_box_opens_for_its_server_only_and_only_as_it_was_written() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let (secret, key) = server(1);
    let to = box_to(&journal, key);
    append_or_box(&bench, &journal, analytics, b"for one server", &to).unwrap().id().unwrap();
    let boxed = read_boxed(&journal, to.endpoint, analytics).boxes.remove(0);
    assert!(boxed.open(&secret).is_some());
    assert!(boxed.open(&server(2).0).is_none());
    let mut header = boxed.clone();
    header.header[0] ^= 1;
    let mut sequence = boxed.clone();
    sequence.sequence += 1;
    let mut encapsulated = boxed.clone();
    encapsulated.encapsulated[5] ^= 1;
    for changed in [header, sequence, encapsulated] {
        assert!(changed.open(&secret).is_none());
    }
    for at in 0..boxed.sealed.len() {
        let mut changed = boxed.clone();
        changed.sealed[at] ^= 1;
        assert!(changed.open(&secret).is_none(), "byte {at}");
    }
}

#[test]
fn a_box_survives_power_loss_and_the_loss_of_the_key() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let (secret, key) = server(1);
    let to = box_to(&journal, key);
    for body in [&b"one"[..], b"two"] {
        append_or_box(&bench, &journal, analytics, body, &to).unwrap().id().unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    bench.disk.lose_power(PowerLoss::LosesAll);
    bench.keys.set_state(KeyState::Ready);
    let journal = bench.open().unwrap();
    journal.unlock().unwrap();
    menshen_journal::KeyProvider::destroy(&bench.keys, &journal.alias(&analytics).unwrap()).unwrap();
    let boxes = read_boxed(&journal, to.endpoint, analytics).boxes;
    assert_eq!(opened(&boxes, &secret), [b"one", b"two"]);
    assert_eq!(read(&journal, to.endpoint, &[analytics]).records.len(), 0, "what was sealed here is lost with its key");
}

#[test]
fn nothing_on_the_device_opens_a_box() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let (_, key) = server(1);
    let to = box_to(&journal, key);
    append_or_box(&bench, &journal, analytics, b"a value that only the server reads", &to).unwrap().id().unwrap();
    drop(journal);
    bench.keys.set_state(KeyState::Ready);
    // Whoever has every file and every key of the device reads what was sealed here, and not the box.
    let journal = bench.open().unwrap();
    assert_eq!(bodies(&read(&journal, to.endpoint, &[analytics])), [b"before"]);
    let boxed = read_boxed(&journal, to.endpoint, analytics).boxes.remove(0);
    let plain = b"a value that only the server reads";
    let found = |bytes: &[u8]| bytes.windows(plain.len()).any(|window| window == plain);
    assert!(!bench.disk.names().iter().any(|name| found(&bench.disk.contents(name).unwrap())));
    assert!(!found(&boxed.sealed));
    let (secret, _) = server(1);
    assert!(found(&boxed.open(&secret).unwrap()), "the search finds what is there");
}

#[test]
fn two_boxes_of_the_same_content_share_no_key() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, server(1).1);
    for _ in 0..50 {
        append_or_box(&bench, &journal, analytics, b"the same", &to).unwrap().id().unwrap();
    }
    let boxes = read_boxed(&journal, to.endpoint, analytics).boxes;
    let keys: HashSet<[u8; 32]> = boxes.iter().map(|boxed| boxed.encapsulated).collect();
    let sealed: HashSet<&[u8]> = boxes.iter().map(|boxed| &boxed.sealed[..]).collect();
    assert_eq!((boxes.len(), keys.len(), sealed.len()), (50, 50, 50));
}

#[test]
fn boxes_of_other_endpoints_events_and_keys_stand_in_segments_of_their_own() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, server(1).1);
    let other_key = BoxTo { key: server(2).1, ..to };
    let other_event = BoxTo { event: journal.label(LabelKind::Purpose, "another event").unwrap(), ..to };
    let other_endpoint = BoxTo { endpoint: journal.label(LabelKind::Endpoint, "another").unwrap(), ..to };
    let segments = journal.health().segments;
    for target in [to, other_key, other_event, other_endpoint, to] {
        append_or_box(&bench, &journal, analytics, b"one", &target).unwrap().id().unwrap();
    }
    assert_eq!(journal.health().segments, segments + 4);
    assert_eq!(read_boxed(&journal, to.endpoint, analytics).boxes.len(), 4);
    assert_eq!(read_boxed(&journal, other_endpoint.endpoint, analytics).boxes.len(), 1);
}

#[test]
fn an_acknowledged_box_is_not_offered_again_and_its_segment_goes() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, server(1).1);
    let ids: Vec<_> = [&b"one"[..], b"two", b"three"]
        .iter()
        .map(|body| append_or_box(&bench, &journal, analytics, body, &to).unwrap().id().unwrap())
        .collect();
    journal.acknowledge(to.endpoint, &[ids[1]]).unwrap();
    drop(journal);
    let journal = {
        bench.keys.set_state(KeyState::Ready);
        bench.open().unwrap()
    };
    assert_eq!(read_boxed(&journal, to.endpoint, analytics).boxes.len(), 2);
    journal.acknowledge(to.endpoint, &ids).unwrap();
    assert!(read_boxed(&journal, to.endpoint, analytics).boxes.is_empty());
    let segments = journal.health().segments;
    journal.retire_delivered(&|_, _| vec![to.endpoint]).unwrap();
    assert_eq!(journal.health().segments, segments - 1, "the record sealed here is not delivered");
}

#[test]
fn a_no_takes_the_boxes_too() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, server(1).1);
    append_or_box(&bench, &journal, analytics, b"one", &to).unwrap().id().unwrap();
    journal.close_domain(&analytics);
    assert_eq!(append_or_box(&bench, &journal, analytics, b"two", &to), Err(Error::Closed));
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(journal.shred(&analytics), Ok(Shredding::Done));
    assert!(read_boxed(&journal, to.endpoint, analytics).boxes.is_empty());
    assert_eq!(journal.health().segments, 0);
}

#[test]
fn a_box_is_not_sent_once_it_may_have_ended_and_one_that_would_end_at_once_is_held() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, server(1).1);
    append_or_box(&bench, &journal, analytics, b"eight days", &to).unwrap().id().unwrap();
    bench.clock.advance(6 * DAY_MS);
    assert_eq!(read_boxed(&journal, to.endpoint, analytics).boxes.len(), 1);
    bench.clock.advance(2 * DAY_MS - 1);
    let batch = read_boxed(&journal, to.endpoint, analytics);
    assert_eq!((batch.boxes.len(), batch.expired), (0, 1));
    use menshen_journal::DeviceClock;
    let expiry = Expiry::after(&bench.clock.now(), 60_000);
    let short = Append { domain: analytics, lane: Lane::Telemetry, expiry, body: b"a minute" };
    assert_eq!(journal.append_or_box(&short, &to), Ok(Appended::Held));
    assert_eq!(journal.expire().unwrap().segments, 0, "a bucket's width after that");
}

#[test]
fn a_server_key_that_is_none_seals_nothing() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let to = box_to(&journal, ServerKey([0; 32]));
    assert_eq!(append_or_box(&bench, &journal, analytics, b"one", &to), Err(Error::BadServerKey));
    assert!(read_boxed(&journal, to.endpoint, analytics).boxes.is_empty());
}

#[test]
fn a_flipped_byte_costs_one_box() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let (secret, key) = server(1);
    let to = box_to(&journal, key);
    for body in [&b"one"[..], b"two", b"three"] {
        append_or_box(&bench, &journal, analytics, body, &to).unwrap().id().unwrap();
    }
    drop(journal);
    bench.keys.set_state(KeyState::Ready);
    let name = bench.disk.names().into_iter().rfind(|name| name.starts_with("segments/")).unwrap();
    let contents = bench.disk.contents(&name).unwrap();
    for at in (0..end_of_frames(&contents)).step_by(17) {
        let mut changed = contents.clone();
        changed[at] ^= 4;
        let copy = Bench { disk: bench.disk.snapshot(), ..bench.clone() };
        copy.disk.put(&name, &changed);
        let journal = copy.open().unwrap();
        let boxes = read_boxed(&journal, to.endpoint, analytics).boxes;
        // The header has a second copy in the manifest.
        assert!(boxes.len() >= if at < 128 { 3 } else { 2 }, "byte {at}: {} left", boxes.len());
        for body in boxes.iter().filter_map(|boxed| boxed.open(&secret)) {
            assert!([&b"one"[..], b"two", b"three"].contains(&&body[..]), "byte {at}");
        }
    }
}

#[test]
fn a_box_opens_under_no_other_names_than_those_it_was_sealed_with() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let (secret, key) = server(1);
    let to = box_to(&journal, key);
    append_or_box(&bench, &journal, analytics, b"for one purpose", &to).unwrap().id().unwrap();
    assert!(read_boxed(&journal, to.endpoint, analytics).boxes[0].open(&secret).is_some());
    drop(journal);
    bench.keys.set_state(KeyState::Ready);
    // Somebody gives the purpose the name of another one, under a checksum made anew.
    let mut keys = bench.disk.contents("keys").unwrap();
    for slot in keys.chunks_mut(512).filter(|slot| slot[0] == 4) {
        if let Some(at) = slot.windows(9).position(|nine| nine == b"analytics") {
            slot[at..at + 9].copy_from_slice(b"messaging");
            let sum = crc32c::crc32c(&slot[..508]).to_le_bytes();
            slot[508..].copy_from_slice(&sum);
        }
    }
    bench.disk.put("keys", &keys);
    let journal = bench.open().unwrap();
    let renamed = journal.label(LabelKind::Purpose, "messaging").unwrap();
    assert_eq!(renamed, analytics.purpose);
    let boxes = read_boxed(&journal, to.endpoint, analytics).boxes;
    assert_eq!(boxes.len(), 1);
    assert!(boxes[0].open(&secret).is_none());
}
