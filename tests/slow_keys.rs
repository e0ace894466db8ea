//! A key store that takes 600 ms for every call holds up nobody who asks or records meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/observed_keys.rs"]
mod observed_keys;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bench::{Bench, agree, record};
use menshen::{Platform, Recorded, Withdrawal};
use observed_keys::{Call, ObservedKeys};

/// How long the key store takes.
const SLOW: Duration = Duration::from_millis(600);
/// What the main thread may take for all that it does meanwhile.
const SHORT: Duration = Duration::from_millis(400);

#[test]
fn a_look_for_the_keys_holds_up_nobody() {
    let bench = Bench::new();
    let (keys, is_slow) = ObservedKeys::slow(Arc::new(bench.keys.clone()), SLOW);
    let menshen = bench.open_with(keys, Platform::default()).unwrap();
    let session = menshen.guest().unwrap();
    agree(&session);
    is_slow.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let began = Instant::now();
        let refresh = scope.spawn(|| session.refresh().unwrap());
        thread::sleep(Duration::from_millis(50));
        for _ in 0..20 {
            assert!(session.is_allowed("messages"));
            assert_eq!(record(&session), Recorded::Buffered);
        }
        assert!(began.elapsed() < SHORT, "{:?}", began.elapsed());
        assert!(!refresh.is_finished(), "it was slow");
    });
    bench.lose_key_of(&session, "statistics");
    session.refresh().unwrap();
    assert!(bench::is_denied(&record(&session), "key-missing"), "the look counts");
}

#[test]
fn destroying_a_key_holds_up_nobody_who_asks() {
    let bench = Bench::new();
    let (tell, told) = mpsc::channel();
    let keys = ObservedKeys::telling(Arc::new(bench.keys.clone()), move |call| {
        if matches!(call, Call::Destroy) {
            tell.send(()).unwrap();
            thread::sleep(SLOW);
        }
    });
    let menshen = bench.open_with(keys, Platform::default()).unwrap();
    let session = menshen.guest().unwrap();
    agree(&session);
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Done { .. }));
    thread::scope(|scope| {
        let maintained = scope.spawn(|| session.maintain().unwrap());
        told.recv().unwrap();
        let began = Instant::now();
        for _ in 0..20 {
            assert!(session.is_allowed("messages"));
            assert!(session.purposes().unwrap().iter().any(|state| state.allowed));
            assert!(bench::is_denied(&record(&session), "consent-withdrawn"));
            // What another purpose allows is sealed meanwhile.
            let sent = session.record("message_sent", menshen::fields! { "length" => 5 }).unwrap();
            assert_eq!(sent, Recorded::Buffered);
        }
        assert!(began.elapsed() < SHORT, "{:?}", began.elapsed());
        assert!(!maintained.is_finished(), "it was slow");
        assert_eq!(maintained.join().unwrap().shredded, ["statistics"]);
    });
}

#[test]
fn a_key_that_comes_late_holds_up_only_who_needs_it() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    let (tell, told) = mpsc::channel();
    let is_slow = Arc::new(AtomicBool::new(false));
    let slow = Arc::clone(&is_slow);
    let keys = ObservedKeys::telling(Arc::new(bench.keys.clone()), move |call| {
        if matches!(call, Call::Unwrap) && slow.swap(false, Ordering::SeqCst) {
            tell.send(()).unwrap();
            thread::sleep(SLOW);
        }
    });
    let menshen = bench.open_with(keys, Platform::default()).unwrap();
    let session = menshen.guest().unwrap();
    assert_eq!(session.record("message_sent", menshen::fields! { "length" => 5 }).unwrap(), Recorded::Buffered);
    is_slow.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let recording = scope.spawn(|| record(&session));
        told.recv().unwrap();
        let began = Instant::now();
        for _ in 0..20 {
            assert!(session.is_allowed("messages"));
        }
        assert!(began.elapsed() < SHORT, "{:?}", began.elapsed());
        assert!(!recording.is_finished(), "it was slow");
        assert_eq!(recording.join().unwrap(), Recorded::Buffered);
    });
}
