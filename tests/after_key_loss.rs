//! A no outlives the loss of the key of its ledger, and what was held before it is never stored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, agree, record};
use menshen::journal::DiskError;
use menshen::journal::simulated::Fault;
use menshen::{Alias, Answer, KeyProvider, KeyState, Recorded, Session, Step, Withdrawal};

/// The same device, from here on another one.
fn copy(bench: &Bench) -> Bench {
    Bench {
        keys: bench.keys.snapshot(),
        disk: bench.disk.snapshot(),
        outside: bench.outside.snapshot(),
        anchor: Default::default(),
        ..bench.clone()
    }
}

/// The key of the account's ledger, and the device on which it was lost and replaced: the one whose loss has the ledger
/// begun anew.
fn ledger_key(bench: &Bench) -> (Alias, Bench) {
    let mut all = bench.keys.list().unwrap().into_iter();
    let found = all.find_map(|alias| {
        let copy = copy(bench);
        copy.keys.destroy(&alias).unwrap();
        let menshen = copy.open();
        let session = menshen.guest().unwrap();
        let is_it = session.replace_lost_key().is_ok_and(|replaced| replaced) && is_begun_anew(&session);
        drop((session, menshen));
        is_it.then_some((alias, copy))
    });
    found.expect("a key of the ledger")
}

fn is_begun_anew(session: &Session) -> bool {
    session.export_ledger().unwrap().contains("begun-anew")
}

/// The person agrees to the notice and switches nothing on.
fn agree_to_the_notice_only(session: &Session) {
    let screen = &mut |step: &Step| match step {
        Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
        Step::Offer(_) => Answer::Switches(Vec::new()),
        _ => Answer::Yes,
    };
    session.first_launch().unwrap().drive(screen).unwrap();
}

/// Takes back a purpose, loses the ledger's key where it says so, begins anew and agrees to the notice; whether the
/// purpose is open then.
fn is_open_after(purpose: &str, loses_the_key: bool, is_pending: bool) -> bool {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    let (essential, _) = ledger_key(&bench);
    if is_pending {
        bench.keys.set_state(KeyState::NotYet);
    }
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    bench.keys.set_state(KeyState::NotYet);
    let withdrawal = session.withdraw(purpose).unwrap();
    assert_eq!(matches!(withdrawal, Withdrawal::Pending { .. }), is_pending, "{withdrawal:?}");
    drop((session, menshen));
    bench.disk.kill();
    bench.outside.kill();
    bench.keys.set_state(KeyState::Ready);
    if loses_the_key {
        bench.keys.destroy(&essential).unwrap();
    }
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert_eq!(session.replace_lost_key().unwrap(), loses_the_key);
    agree_to_the_notice_only(&session);
    session.is_purpose_allowed(purpose)
}

#[test]
fn a_no_that_stands_in_clear_outlives_the_ledger() {
    for loses_the_key in [false, true] {
        for is_pending in [false, true] {
            for purpose in ["messaging", "statistics"] {
                let is_open = is_open_after(purpose, loses_the_key, is_pending);
                assert!(!is_open, "{purpose}, the key lost: {loses_the_key}, pending: {is_pending}");
            }
        }
    }
    // Without a no, what rests on a contract opens with the notice.
    let bench = Bench::new();
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    agree_to_the_notice_only(&session);
    assert!(session.is_purpose_allowed("messaging"));
}

#[test]
fn what_was_held_before_a_no_is_never_stored() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    bench.keys.set_state(KeyState::NotYet);
    session.refresh().unwrap();
    assert_eq!(record(&session), Recorded::Held);
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Full)));
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Pending { .. }));
    bench.disk.set_fault(None);
    bench.keys.set_state(KeyState::Ready);
    session.refresh().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert_eq!(session.waiting_records("statistics").unwrap(), 0, "stored after the no");
}

#[test]
fn that_a_ledger_was_begun_anew_is_noted_whatever_interrupts_it() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    bench.keys.destroy(&ledger_key(&bench).0).unwrap();
    let mut failed = 0;
    for at in 0..60 {
        let bench = copy(&bench);
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        bench.disk.set_fault(Some(Fault::From(at, DiskError::Io)));
        let is_done = session.replace_lost_key().is_ok();
        failed += u32::from(!is_done);
        drop((session, menshen));
        bench.disk.kill();
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        session.replace_lost_key().unwrap();
        assert!(is_begun_anew(&session), "cut at operation {at}");
        if is_done {
            break;
        }
    }
    assert!(failed > 5, "only {failed} cuts struck");
}

#[test]
fn a_withdrawal_in_clear_is_shredded_although_its_ledger_is_lost() {
    for loses_the_key in [false, true] {
        let bench = Bench::new();
        let (menshen, session) = bench.agreed();
        let before = bench.keys.list().unwrap();
        bench.keys.set_state(KeyState::NotYet);
        assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Done { .. }));
        drop((session, menshen));
        bench.disk.kill();
        bench.keys.set_state(KeyState::Ready);
        // Shredded on another copy, it shows which key the purpose's was.
        let shredded = copy(&bench);
        shredded.open().guest().unwrap().maintain().unwrap();
        let left = shredded.keys.list().unwrap();
        let alias = before.into_iter().find(|alias| !left.contains(alias)).expect("a key that was destroyed");
        assert_eq!(bench.keys.exists(&alias), Ok(true));
        if loses_the_key {
            bench.keys.destroy(&ledger_key(&bench).0).unwrap();
        }
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        assert_eq!(session.replace_lost_key().unwrap(), loses_the_key);
        session.maintain().unwrap();
        assert_eq!(bench.keys.exists(&alias), Ok(false), "the ledger's key lost: {loses_the_key}");
    }
}

#[test]
fn a_planted_key_slot_does_not_lose_a_no() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert!(session.is_purpose_allowed("messaging"));
    assert!(matches!(session.withdraw("messaging").unwrap(), Withdrawal::Done { .. }));
    session.maintain().unwrap();
    drop((session, menshen));
    // Somebody who can only write files adds a slot of a later ledger, whose key is not on this device.
    let (_, elsewhere) = ledger_key(&bench);
    bench.disk.put("keys", &elsewhere.disk.contents("keys").unwrap());
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(session.replace_lost_key().is_err(), "the ledger's own key is there");
    agree(&session);
    assert!(!session.is_purpose_allowed("messaging"));
}
