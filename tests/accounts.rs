//! Guest and accounts: what the first account takes over, what signing out closes, who the current session is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bench::{Bench, agree, erases, is_denied, record, send_all};
use menshen::journal::DiskError;
use menshen::journal::simulated::{Fault, MemoryAnchor};
use menshen::{KeyState, Recorded, Session};

fn entries_of(session: &Session, kind: &str) -> usize {
    let ledger: serde_json::Value = serde_json::from_str(&session.export_ledger().unwrap()).unwrap();
    let statements = ledger["entries"].as_array().unwrap().iter().map(|entry| entry["statement"].as_str().unwrap());
    statements.filter(|statement| statement.contains(&format!("\"type\":\"{kind}\""))).count()
}

#[test]
fn the_first_account_takes_over_what_the_guest_answered_and_recorded_by_one_entry() {
    let bench = Bench::new();
    let (menshen, guest) = bench.agreed();
    assert_eq!(record(&guest), Recorded::Buffered);
    let anna = menshen.session("anna").unwrap();
    assert!(anna.is_same(&guest), "what the app holds as the guest's session is the account's now");
    assert!(anna.is_purpose_allowed("statistics"));
    assert_eq!(anna.waiting_records("statistics").unwrap(), 1);
    assert_eq!(entries_of(&anna, "taken-over"), 1);
    drop((guest, anna, menshen));
    let menshen = bench.open();
    let anna = menshen.session("anna").unwrap();
    assert!(anna.is_purpose_allowed("statistics"), "and after a restart");
    assert_eq!(entries_of(&anna, "taken-over"), 1, "once");
    assert_eq!(send_all(&anna).len(), 1);
}

#[test]
fn every_other_account_and_the_next_guest_start_unasked() {
    let bench = Bench::new();
    let (menshen, guest) = bench.agreed();
    let anna = menshen.session("anna").unwrap();
    drop(guest);
    for _ in 0..2 {
        let (next_guest, bert) = (menshen.guest().unwrap(), menshen.session("bert").unwrap());
        for session in [&next_guest, &bert] {
            assert!(!session.is_same(&anna));
            assert!(is_denied(&record(session), "notice-not-agreed"));
        }
    }
    // A later guest's answers are nobody else's either.
    agree(&menshen.guest().unwrap());
    assert!(is_denied(&record(&menshen.session("carl").unwrap()), "notice-not-agreed"));
}

#[test]
fn an_account_opened_before_the_guest_answered_anything_takes_nothing_over() {
    let menshen = Bench::new().open();
    let guest = menshen.guest().unwrap();
    let anna = menshen.session("anna").unwrap();
    assert!(!anna.is_same(&guest));
    agree(&guest);
    assert!(is_denied(&record(&menshen.session("anna").unwrap()), "notice-not-agreed"));
    // The first account opened from the guest's session is another one.
    assert!(menshen.session("bert").unwrap().is_purpose_allowed("statistics"));
}

#[test]
fn a_withdrawal_after_the_take_over_reaches_what_the_guest_recorded() {
    let (menshen, guest) = Bench::new().agreed();
    assert_eq!(record(&guest), Recorded::Buffered);
    assert_eq!(send_all(&guest).len(), 1);
    let anna = menshen.session("anna").unwrap();
    anna.withdraw("statistics").unwrap();
    assert!(!guest.is_purpose_allowed("statistics"));
    assert_eq!(erases(&send_all(&anna)).len(), 1);
}

#[test]
fn a_take_over_that_cannot_be_written_gives_nobody_the_others_answers_and_is_done_later() {
    let bench = Bench::new();
    let (menshen, guest) = bench.agreed();
    drop((guest, menshen));
    let before = bench.disk.snapshot();
    let mut owners = Vec::new();
    for operation in 0..24 {
        let bench = Bench { disk: before.snapshot(), anchor: MemoryAnchor::new(), ..bench.clone() };
        let menshen = bench.open();
        bench.disk.set_fault(Some(Fault::From(operation, DiskError::Io)));
        let first = menshen.session("anna").is_ok();
        bench.disk.set_fault(None);
        drop(menshen);
        let menshen = bench.open();
        let (bert, anna) = (menshen.session("bert").unwrap(), menshen.session("anna").unwrap());
        let has_answers = |session: &Session| session.is_purpose_allowed("statistics");
        assert!(!has_answers(&anna) || !has_answers(&bert), "operation {operation}: one of them, never both");
        assert!(has_answers(&anna) || has_answers(&bert), "operation {operation}: nothing is lost");
        assert!(!first || has_answers(&anna), "operation {operation}: what was answered holds");
        assert!(is_denied(&record(&menshen.guest().unwrap()), "notice-not-agreed"), "operation {operation}");
        owners.push(has_answers(&anna));
    }
    assert!(owners.contains(&true) && owners.contains(&false), "{owners:?}");
}

#[test]
fn what_may_have_to_be_taken_over_waits_for_the_key() {
    let bench = Bench::new();
    let (menshen, guest) = bench.agreed();
    drop((guest, menshen));
    bench.keys.set_state(KeyState::NotYet);
    let menshen = bench.open();
    assert_eq!(menshen.session("anna").unwrap_err().code(), "key-not-ready");
    bench.keys.set_state(KeyState::Ready);
    assert!(menshen.session("anna").unwrap().is_purpose_allowed("statistics"));
}

#[test]
fn signing_out_closes_everything_stops_the_sdks_and_still_sends_what_is_owed() {
    let bench = Bench::new();
    let menshen = bench.open();
    let anna = menshen.sign_in("anna").unwrap();
    agree(&anna);
    assert!(menshen.current().unwrap().is_same(&anna));
    let runs = Arc::new(AtomicBool::new(false));
    let (start, stop) = (Arc::clone(&runs), Arc::clone(&runs));
    anna.when_allowed(
        "meter",
        move || start.store(true, Ordering::SeqCst),
        move || stop.store(false, Ordering::SeqCst),
    )
    .unwrap();
    assert!(runs.load(Ordering::SeqCst));
    assert_eq!(record(&anna), Recorded::Buffered);
    assert_eq!(send_all(&anna).len(), 1);
    assert_eq!(record(&anna), Recorded::Buffered);
    anna.withdraw("advertising").unwrap();
    let _ = anna.restrict("messaging").unwrap();
    let guest = menshen.sign_out().unwrap();
    assert!(menshen.current().unwrap().is_same(&guest));
    assert!(!runs.load(Ordering::SeqCst), "the SDK was stopped");
    assert!(is_denied(&record(&anna), "signed-out"));
    let sent: Vec<String> = send_all(&anna).into_iter().map(|sent| sent.request.url).collect();
    assert!(!sent.is_empty() && sent.iter().all(|url| url.ends_with("/rights")), "{sent:?}");
    assert_eq!(anna.waiting_records("statistics").unwrap(), 1, "the queue waits sealed");
    let again = menshen.sign_in("anna").unwrap();
    assert!(again.is_same(&anna) && runs.load(Ordering::SeqCst));
    assert_eq!(send_all(&anna).len(), 1);
}

#[test]
fn switching_accounts_closes_the_one_before_and_the_guest() {
    let menshen = Bench::new().open();
    let guest = menshen.current().unwrap();
    let anna = menshen.sign_in("anna").unwrap();
    agree(&anna);
    assert!(is_denied(&record(&guest), "signed-out"));
    let bert = menshen.sign_in("bert").unwrap();
    agree(&bert);
    assert!(is_denied(&record(&anna), "signed-out"));
    assert_eq!(record(&bert), Recorded::Buffered);
    menshen.sign_in("anna").unwrap();
    assert!(is_denied(&record(&bert), "signed-out"));
    assert_eq!(record(&anna), Recorded::Buffered);
    assert_eq!(anna.waiting_records("statistics").unwrap(), 1, "nothing of the other account");
}

#[test]
fn signing_out_after_the_take_over_leaves_a_new_guest_and_none_of_the_answers() {
    let bench = Bench::new();
    let menshen = bench.open();
    agree(&menshen.current().unwrap());
    let anna = menshen.sign_in("anna").unwrap();
    assert!(anna.is_purpose_allowed("statistics"));
    let guest = menshen.sign_out().unwrap();
    assert!(!guest.is_same(&anna));
    assert!(is_denied(&record(&guest), "notice-not-agreed"));
    assert!(is_denied(&record(&anna), "signed-out"));
}
