//! What is recorded while the key store is not ready waits in memory, in order, and never longer than it may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use menshen_journal::{Append, Appended, Error, Expiry, KeyState, Lane};
use support::*;

#[test]
fn records_are_held_and_appended_in_their_order_once_the_key_is_there() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    assert_eq!(append(&bench, &journal, analytics, b"one"), Ok(Appended::Held));
    bench.keys.set_state(KeyState::Suspect);
    assert_eq!(append(&bench, &journal, analytics, b"two"), Ok(Appended::Held));
    assert_eq!((journal.health().held, journal.append_held()), (2, Ok(2)));
    bench.keys.set_state(KeyState::Ready);
    assert!(matches!(append(&bench, &journal, analytics, b"three"), Ok(Appended::Buffered(_))));
    assert_eq!(journal.health().held, 0);
    let expected = [&b"before"[..], b"one", b"two", b"three"];
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics])), expected);
}

#[test]
fn what_is_held_is_sealed_by_no_later_call_than_the_one_that_asks_for_it() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    assert_eq!(append(&bench, &journal, analytics, b"one"), Ok(Appended::Held));
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(journal.append_held(), Ok(0));
    assert_eq!(journal.count(&analytics), 2);
}

#[test]
fn nothing_of_what_is_held_is_on_disk() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let before = bench.disk.used();
    assert_eq!(append(&bench, &journal, analytics, b"a body nobody may read"), Ok(Appended::Held));
    let found = |disk: &menshen_journal::simulated::SimulatedDisk| {
        let files = disk.names().into_iter().filter_map(|name| disk.contents(&name));
        files.filter(|bytes| bytes.windows(22).any(|window| window == b"a body nobody may read")).count()
    };
    assert_eq!((bench.disk.used(), found(&bench.disk)), (before, 0));
    // The search finds what is there.
    bench.disk.put("plain", b"a body nobody may read");
    assert_eq!(found(&bench.disk), 1);
}

#[test]
fn a_closed_domain_and_a_lost_key_wipe_what_is_held() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    assert_eq!(append(&bench, &journal, analytics, b"one"), Ok(Appended::Held));
    journal.close_domain(&analytics);
    assert_eq!(journal.health().held, 0);

    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    assert_eq!(append(&bench, &journal, analytics, b"one"), Ok(Appended::Held));
    bench.keys.set_state(KeyState::Lost);
    assert_eq!(journal.append_held(), Ok(0));
}

#[test]
fn what_ended_while_it_was_held_is_never_sealed() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    assert_eq!(append(&bench, &journal, analytics, b"one"), Ok(Appended::Held));
    bench.clock.advance(8 * DAY_MS);
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(journal.append_held(), Ok(0));
    assert_eq!(journal.count(&analytics), 1, "only what was there before");
}

#[test]
fn memory_is_bounded_telemetry_loses_its_oldest_and_the_outbox_is_full() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    for n in 0..5_u8 {
        assert_eq!(append(&bench, &journal, analytics, &vec![n; 60 * 1024]), Ok(Appended::Held));
    }
    let health = journal.health();
    assert_eq!((health.held, health.dropped), (4, 1));
    let item = Append { domain: analytics, lane: Lane::Outbox, expiry: Expiry::never(), body: &[9; 20 * 1024] };
    assert_eq!(journal.append(&item), Err(Error::Full));
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(journal.append_held(), Ok(0));
    let found = bodies(&read(&journal, endpoint(&journal), &[analytics]));
    assert_eq!(found.iter().map(|body| body[0]).collect::<Vec<_>>(), [b'b', 1, 2, 3, 4]);
}

#[test]
fn what_the_disk_does_not_take_goes_on_waiting() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    for body in [b"one", b"two"] {
        assert_eq!(append(&bench, &journal, analytics, body), Ok(Appended::Held));
    }
    bench.keys.set_state(KeyState::Ready);
    bench.disk.set_fault(Some(menshen_journal::simulated::Fault::From(0, menshen_journal::DiskError::Io)));
    assert!(journal.append_held().is_err());
    assert_eq!(journal.health().held, 2);
    bench.disk.set_fault(None);
    assert_eq!(journal.append_held(), Ok(0));
    let expected = [&b"before"[..], b"one", b"two"];
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics])), expected);
}

#[test]
fn a_synced_append_says_what_it_reached() {
    let bench = Bench::new();
    let (journal, analytics) = not_ready(&bench);
    let record = Append { domain: analytics, lane: Lane::Telemetry, expiry: bench.expiry(), body: b"one" };
    assert_eq!(journal.append_synced(&record), Ok(Appended::Held));
    bench.keys.set_state(KeyState::Ready);
    assert!(matches!(journal.append_synced(&record), Ok(Appended::Synced(_))));
    drop(journal);
    bench.disk.lose_power(menshen_journal::simulated::PowerLoss::LosesAll);
    let journal = bench.open().unwrap();
    assert_eq!(read(&journal, endpoint(&journal), &[analytics]).records.len(), 3);
}
