//! How a session behaves when keys, disks and clocks misbehave, and when calls race.
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
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bench::{Bench, POLICY, agree, is_denied, record};
use menshen::journal::DiskError;
use menshen::journal::simulated::{Fault, MemoryAnchor, SimulatedDisk};
use menshen::{Answer, Error, KeyState, LedgerVerdict, Policy, Recorded, Session, Step, TransportReply, Withdrawal};

#[test]
fn while_the_key_store_is_not_ready_everything_is_closed_and_nothing_is_lost() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    drop((session, menshen));

    bench.keys.set_state(KeyState::NotYet);
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert!(is_denied(&record(&session), "key-not-ready"));
    assert!(matches!(session.maintain(), Err(Error::KeyNotReady)));

    bench.keys.set_state(KeyState::Ready);
    session.refresh().unwrap();
    assert!(session.is_purpose_allowed("statistics"));
    assert_eq!(session.waiting_records("statistics").unwrap(), 1);
}

#[test]
fn what_is_recorded_while_only_the_key_is_not_ready_is_held_and_a_no_destroys_it() {
    for says_no in [false, true] {
        let bench = Bench::new();
        let (menshen, session) = bench.agreed();
        drop((session, menshen));
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        bench.keys.set_state(KeyState::NotYet);
        session.refresh().unwrap();
        // Nothing is read or sent while nobody knows whether the key is there.
        assert!(!session.is_purpose_allowed("statistics"));
        assert_eq!(record(&session), Recorded::Held);
        assert_eq!(session.waiting_records("statistics").unwrap(), 0);
        if says_no {
            let _ = session.withdraw("statistics").unwrap();
        }
        bench.keys.set_state(KeyState::Ready);
        session.maintain().unwrap();
        assert_eq!(session.waiting_records("statistics").unwrap(), u64::from(!says_no));
        assert_eq!(session.is_purpose_allowed("statistics"), !says_no);
    }
}

#[test]
fn a_withdrawal_that_cannot_be_written_is_pending_closed_and_stays_closed_over_a_restart() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Full)));
    let withdrawal = session.withdraw("statistics").unwrap();
    assert!(matches!(withdrawal, Withdrawal::Pending { .. }), "{withdrawal:?}");
    assert!(!session.is_purpose_allowed("statistics"));
    bench.disk.set_fault(None);
    drop((session, menshen));

    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics"), "only the marker outside the store says no");
    assert!(session.is_purpose_allowed("advertising"));
    // It proves itself, so the withdrawal is completed without a question.
    assert_eq!(session.maintain().unwrap().shredded, ["statistics"]);
}

#[test]
fn a_withdrawal_before_the_key_is_there_holds_over_a_restart() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));

    bench.keys.set_state(KeyState::NotYet);
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Pending { code: "key-not-ready" }));
    drop((session, menshen));
    bench.disk.kill();

    bench.keys.set_state(KeyState::Ready);
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert!(session.is_purpose_allowed("advertising"));
}

#[test]
fn a_withdrawal_before_the_key_is_there_is_completed_by_its_process() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));

    bench.keys.set_state(KeyState::NotYet);
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Pending { .. }));
    bench.keys.set_state(KeyState::Ready);
    assert_eq!(session.maintain().unwrap().shredded, ["statistics"]);
    assert!(!session.is_purpose_allowed("statistics"));
}

#[test]
fn a_permit_does_not_outlive_a_closing_of_its_feature_nor_serve_another_account() {
    let bench = Bench::new();
    let menshen = bench.open();
    let (session, other) = (menshen.guest().unwrap(), menshen.session("other").unwrap());
    agree(&session);
    agree(&other);
    let permit = |session: &Session| {
        let flow = session.request("messages", menshen::Trigger::Tap).unwrap();
        match flow.drive(&mut |_: &Step| Answer::Yes).unwrap() {
            menshen::Outcome::Allowed(permit) => permit,
            outcome => panic!("{outcome:?}"),
        }
    };
    assert!(matches!(other.begin(permit(&session), None), Err(Error::PermitEnded)));
    let (old, used) = (permit(&session), session.begin(permit(&session), None).unwrap());
    assert!(used.check().is_ok());
    bench.lose_key_of(&session, "messaging");
    session.refresh().unwrap();
    assert!(used.check().is_err());
    assert!(session.begin(permit(&session), None).is_ok(), "the notice agreed again opens the feature");
    assert!(used.check().is_err(), "what began before the closing has ended");
    assert!(matches!(session.begin(old, None), Err(Error::PermitEnded)));
}

#[test]
fn a_marker_on_a_contract_closes_it_over_a_restart_and_a_new_version_does_not_reopen_it() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Full)));
    assert!(matches!(session.withdraw("messaging").unwrap(), Withdrawal::Pending { .. }));
    bench.disk.set_fault(None);
    drop((session, menshen));

    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(!session.is_allowed("messages"));
    let text = String::from_utf8(POLICY.to_vec()).unwrap().replace("\"version\": \"1.0.0\"", "\"version\": \"1.0.1\"");
    session.offer_policy(Policy::read(text.as_bytes()).unwrap()).unwrap();
    session.changed_policy().unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert_eq!(session.policy_version(), "1.0.1");
    assert!(!session.is_allowed("messages"), "agreeing to a version takes back no answer");
    // The person's own tap asks again.
    let outcome =
        session.request("messages", menshen::Trigger::Tap).unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(matches!(outcome, menshen::Outcome::Allowed(_)), "{outcome:?}");
}

#[test]
fn what_an_offered_version_took_away_stays_away_over_a_restart() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    let mut next: serde_json::Value = serde_json::from_slice(POLICY).unwrap();
    next["version"] = "1.1.0".into();
    next["purposes"].as_object_mut().unwrap().remove("voice-notes");
    next["features"].as_object_mut().unwrap().remove("voice-notes");
    session.request("voice-notes", menshen::Trigger::Tap).unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    session.request_purpose("voice-notes").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(session.is_purpose_allowed("voice-notes"));
    session.offer_policy(Policy::read(next.to_string().as_bytes()).unwrap()).unwrap();
    assert!(!session.is_purpose_allowed("voice-notes"));
    drop((session, menshen));
    let session = bench.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("voice-notes"));
    assert!(session.has_changed_policy());
}

#[test]
fn an_answer_to_a_text_that_another_version_replaced_does_not_count() {
    let bench = Bench::new();
    let session = bench.open().guest().unwrap();
    agree(&session);
    session.withdraw("statistics").unwrap();
    let mut asking = session.request_purpose("statistics").unwrap();
    assert_eq!(asking.step().name(), "show");
    let text = String::from_utf8(POLICY.to_vec()).unwrap().replace("\"version\": \"1.0.0\"", "\"version\": \"1.0.1\"");
    session.offer_policy(Policy::read(text.as_bytes()).unwrap()).unwrap();
    session.changed_policy().unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    asking.answer(Answer::Yes).unwrap();
    assert!(!session.is_purpose_allowed("statistics"), "the yes was to the old text");
    asking.answer(Answer::Yes).unwrap();
    assert!(session.is_purpose_allowed("statistics"), "shown anew, it counts");
}

#[test]
fn a_pending_withdrawal_is_completed_without_a_question_once_the_disk_works() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Full)));
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Pending { .. }));
    bench.disk.set_fault(None);
    assert_eq!(session.maintain().unwrap().shredded, ["statistics"]);
    assert!(is_denied(&record(&session), "consent-withdrawn"));
}

#[test]
fn a_withdrawal_interrupted_at_any_operation_never_leaves_the_gate_open_once_it_answered() {
    let mut done = 0;
    for at in 0..40 {
        let bench = Bench::new();
        let (menshen, session) = bench.agreed();
        bench.disk.set_fault(Some(Fault::HalfThenNothing(at)));
        let answer = session.withdraw("statistics").unwrap();
        assert!(!session.is_purpose_allowed("statistics"), "operation {at}: {answer:?}");
        done += u32::from(matches!(answer, Withdrawal::Done { .. }));
        bench.disk.set_fault(None);
        drop((session, menshen));
        bench.disk.kill();
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        assert!(!session.is_purpose_allowed("statistics"), "operation {at}, reopened: {answer:?}");
    }
    assert!(done > 0, "some operation was late enough");
}

#[test]
fn a_ledger_rolled_back_behind_its_anchor_opens_nothing() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    let old = bench.disk.snapshot();
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    session.withdraw("advertising").unwrap();
    drop((session, menshen));

    let rolled_back = Bench { disk: old.snapshot(), ..bench.clone() };
    let session = rolled_back.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("advertising"));
    assert!(!session.is_purpose_allowed("statistics"), "a stale head proves no grant");
    // The control: with an anchor of its own time the same copy opens.
    let in_time = Bench { disk: old, anchor: MemoryAnchor::new(), outside: SimulatedDisk::new(), ..bench };
    assert!(in_time.open().guest().unwrap().is_purpose_allowed("statistics"));
}

#[test]
fn a_lost_purpose_key_is_a_denial_until_the_person_is_asked_again() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    let domain = session.domain("statistics").unwrap().unwrap();
    bench.lose_key_of(&session, "statistics");
    drop((session, menshen));

    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(is_denied(&record(&session), "key-missing"));
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(session.is_purpose_allowed("statistics"));
    assert_ne!(session.domain("statistics").unwrap().unwrap(), domain, "a new epoch, with a key of its own");
    assert_eq!(session.waiting_records("statistics").unwrap(), 0);
}

#[test]
fn what_rests_on_a_contract_and_lost_its_key_opens_with_the_notice_agreed_again() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    bench.lose_key_of(&session, "messaging");
    session.refresh().unwrap();
    assert!(!session.is_allowed("messages"));
    let mut shown = Vec::new();
    let outcome = session
        .request("messages", menshen::Trigger::Tap)
        .unwrap()
        .drive(&mut |step: &Step| {
            shown.push(step.name());
            Answer::Yes
        })
        .unwrap();
    assert!(matches!(outcome, menshen::Outcome::Allowed(_)), "{outcome:?}");
    assert_eq!(shown, ["show"]);
    assert!(session.is_allowed("messages"));
}

#[test]
fn accounts_share_neither_answers_nor_records() {
    let bench = Bench::new();
    let menshen = bench.open();
    let (guest, anna) = (menshen.guest().unwrap(), menshen.session("anna").unwrap());
    agree(&anna);
    assert_eq!(record(&anna), Recorded::Buffered);
    assert!(!guest.is_purpose_allowed("statistics"));
    assert!(is_denied(&record(&guest), "notice-not-agreed"));
    assert!(guest.next_upload().unwrap().is_none());
    assert!(anna.next_upload().unwrap().is_some());
    // Asked for again, it is the same session; a second name is another account.
    assert!(menshen.session("anna").unwrap().is_purpose_allowed("statistics"));
    assert!(!menshen.session("Anna").unwrap().is_purpose_allowed("statistics"));
}

#[test]
fn a_third_party_sdk_runs_exactly_while_its_purposes_are_allowed() {
    let bench = Bench::new();
    let session = bench.open().guest().unwrap();
    let (running, starts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (on, count, off) = (Arc::clone(&running), Arc::clone(&starts), Arc::clone(&running));
    session
        .when_allowed(
            "meter",
            move || {
                on.store(true, Ordering::SeqCst);
                count.fetch_add(1, Ordering::SeqCst);
            },
            move || off.store(false, Ordering::SeqCst),
        )
        .unwrap();
    assert!(!running.load(Ordering::SeqCst), "not before consent");
    agree(&session);
    assert!(running.load(Ordering::SeqCst));
    session.withdraw("statistics").unwrap();
    assert!(!running.load(Ordering::SeqCst));
    assert_eq!(starts.load(Ordering::SeqCst), 1);
    let ledger = session.export_ledger().unwrap();
    assert!(ledger.contains("sdk-started") && ledger.contains("sdk-stopped"));
    assert!(matches!(session.verify_own_ledger().unwrap(), LedgerVerdict::Sound { .. }));
}

#[test]
fn the_ledger_of_somebody_who_was_asked_nothing_yet_is_sound() {
    let session = Bench::new().open().guest().unwrap();
    assert_eq!(session.verify_own_ledger().unwrap(), LedgerVerdict::Sound { entries: 0 });
}

#[test]
fn a_withdrawal_from_within_a_start_stops_the_sdk_again() {
    let bench = Bench::new();
    let session = bench.open().guest().unwrap();
    let stops = Arc::new(AtomicU32::new(0));
    let (own, count) = (session.clone(), Arc::clone(&stops));
    session
        .when_allowed(
            "meter",
            move || {
                own.withdraw("statistics").unwrap();
            },
            move || {
                count.fetch_add(1, Ordering::SeqCst);
            },
        )
        .unwrap();
    agree(&session);
    assert_eq!(stops.load(Ordering::SeqCst), 1);
    assert!(session.why_not_start("meter").unwrap().is_some());
}

#[test]
fn a_snapshot_denies_once_its_time_is_over() {
    let bench = Bench::new();
    let session = bench.open().guest().unwrap();
    agree(&session);
    assert!(session.is_purpose_allowed("statistics"));
    bench.clock.advance(365 * 86_400_000);
    assert!(!session.is_purpose_allowed("statistics"), "the snapshot is older than its validity");
    session.refresh().unwrap();
    assert!(session.is_purpose_allowed("messaging"), "a new look opens what still holds");
    assert!(!session.is_purpose_allowed("statistics"), "the consent was for a year");
}

#[test]
fn nothing_of_a_withdrawn_purpose_is_handed_out_after_the_call_returned_whatever_runs_beside_it() {
    for _ in 0..50 {
        let bench = Bench::new();
        let (_menshen, session) = bench.agreed();
        for _ in 0..20 {
            assert_eq!(record(&session), Recorded::Buffered);
        }
        let returned = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let uploader = scope.spawn(|| {
                let mut late = 0;
                for _ in 0..50 {
                    let was_over = returned.load(Ordering::SeqCst);
                    let Some(upload) = session.next_upload().unwrap() else { continue };
                    let is_erase = upload.url.ends_with("/erase");
                    late += u32::from(was_over && !is_erase);
                    let status = if is_erase { 200 } else { 503 };
                    let reply =
                        TransportReply::Response { status, headers: Vec::new(), body: Vec::new(), complete: true };
                    session.upload_finished(upload.id, &reply).unwrap();
                    bench.clock.advance(3_600_000);
                }
                late
            });
            let recorder = scope.spawn(|| {
                let mut late = 0;
                for _ in 0..200 {
                    let was_over = returned.load(Ordering::SeqCst);
                    late += u32::from(was_over && record(&session) == Recorded::Buffered);
                }
                late
            });
            session.withdraw("statistics").unwrap();
            returned.store(true, Ordering::SeqCst);
            assert_eq!(uploader.join().unwrap(), 0, "handed to a transport");
            assert_eq!(recorder.join().unwrap(), 0, "stored");
        });
        session.maintain().unwrap();
        assert_eq!(session.waiting_records("statistics").unwrap(), 0);
    }
}

#[test]
fn a_limit_on_a_use_counts_by_the_stricter_of_two_clocks_and_ends_with_the_boot() {
    let use_for_an_hour = |bench: &Bench| {
        let (menshen, session) = bench.agreed();
        let flow = session.request("messages", menshen::Trigger::Tap).unwrap();
        let menshen::Outcome::Allowed(permit) = flow.drive(&mut |_: &Step| Answer::Yes).unwrap() else { panic!() };
        let using = session.begin(permit, Some(3_600_000)).unwrap();
        assert!(using.check().is_ok());
        (menshen, using)
    };
    let bench = Bench::new();
    let (_menshen, using) = use_for_an_hour(&bench);
    bench.clock.advance(3_599_000);
    assert!(using.check().is_ok());
    bench.clock.set_wall(bench::START_MS - 3_600_000);
    assert!(using.check().is_ok());
    bench.clock.advance(1000);
    assert!(using.check().is_err(), "an hour passed, whatever the wall clock says");

    let bench = Bench::new();
    let (_menshen, using) = use_for_an_hour(&bench);
    bench.clock.set_wall(bench::START_MS + 3_600_000);
    assert!(using.check().is_err(), "the wall clock says an hour");

    let bench = Bench::new();
    let (_menshen, using) = use_for_an_hour(&bench);
    bench.clock.reboot();
    assert!(using.check().is_err(), "how much of the hour passed cannot be told");
}

#[test]
fn an_older_reading_of_the_permissions_never_replaces_a_newer_one() {
    use menshen::{Permission, PermissionState, PermissionStatus, Platform};
    use std::sync::{Barrier, Mutex};

    /// Answers as a script says; a reading of the first thread waits until it may go on.
    struct Slow {
        states: Mutex<PermissionState>,
        stop_next: AtomicBool,
        began: Barrier,
        go_on: Barrier,
    }
    impl PermissionStatus for Slow {
        fn state(&self, permission: Permission) -> PermissionState {
            let state = *self.states.lock().unwrap();
            if permission == Permission::Microphone && self.stop_next.swap(false, Ordering::SeqCst) {
                self.began.wait();
                self.go_on.wait();
            }
            state
        }
    }

    let bench = Bench::new();
    let slow = Arc::new(Slow {
        states: Mutex::new(PermissionState::Granted),
        stop_next: AtomicBool::new(false),
        began: Barrier::new(2),
        go_on: Barrier::new(2),
    });
    let platform = Platform { permissions: Arc::clone(&slow) as _, ..Platform::default() };
    let menshen = bench.open_on(platform).unwrap();
    let session = menshen.guest().unwrap();
    agree(&session);
    session.request("voice-notes", menshen::Trigger::Tap).unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(session.is_allowed("voice-notes"));
    slow.stop_next.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| session.refresh().unwrap());
        slow.began.wait();
        *slow.states.lock().unwrap() = PermissionState::Denied;
        session.refresh().unwrap();
        assert!(!session.is_allowed("voice-notes"));
        slow.go_on.wait();
        first.join().unwrap();
        assert!(!session.is_allowed("voice-notes"), "what was read before the change says nothing after it");
    });
}

#[test]
fn a_new_age_limit_asks_the_age_again_and_nobody_grows_older_by_being_asked() {
    let limit = serde_json::json!({ "effect": "deny", "when": { "age_below": 21, "purposes": ["statistics"] },
        "text": { "en": "Not below 21.", "zh-Hans": "21岁以下不可用。" }, "source": "999 ¶30" });
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    let version = bench::next_version(serde_json::json!({ "rules": { "not-below-21": limit } }));
    session.offer_policy(version).unwrap();
    assert!(!session.is_purpose_allowed("statistics"), "how old somebody of 16 or more is was not kept");
    let ask = |born: &str| {
        session
            .request_purpose("statistics")
            .unwrap()
            .drive(&mut |step: &Step| match step {
                Step::AskSubject => Answer::Subject { born: born.to_owned(), place: "JP".into() },
                _ => Answer::Yes,
            })
            .unwrap();
        session.is_purpose_allowed("statistics")
    };
    assert!(!ask("2010-01"), "too young for it");
    assert!(!ask("1990-05"), "the first answer stands");
    session.supply_subject("1990-05", "JP").unwrap();
    assert!(session.is_purpose_allowed("statistics"), "the host's support may correct it");
}

#[test]
fn every_answer_names_the_policy_and_the_law_packs_that_it_rests_on() {
    let bench = Bench::new();
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    let Recorded::Denied(denial) = record(&session) else { panic!() };
    assert_eq!(denial.identity.policy_hash, menshen.policy().hash());
    assert_eq!(denial.identity.law_packs.len(), 4, "the place is unknown");
    agree(&session);
    let snapshot = session.snapshot();
    assert_eq!((snapshot.identity().policy_version.as_str(), snapshot.identity().law_packs.len()), ("1.0.0", 0));
    session.supply_subject("1990-05", "DE").unwrap();
    let flow = session.request("messages", menshen::Trigger::Tap).unwrap();
    let menshen::Outcome::Allowed(permit) = flow.drive(&mut |_: &Step| Answer::Yes).unwrap() else { panic!() };
    assert_eq!(permit.identity().law_packs[0].id, "eu");
    // A later version changes no receipt of what was agreed under this one.
    session.offer_policy(bench::next_version(serde_json::json!({}))).unwrap();
    bench::agree_to_change(&session);
    assert_eq!(session.snapshot().identity().policy_version, "1.1.0");
    let receipts: serde_json::Value = serde_json::from_str(&session.receipts().unwrap()).unwrap();
    let of = |purpose: &str| receipts.as_array().unwrap().iter().find(|r| r["purpose"] == purpose).unwrap().clone();
    assert_eq!(of("statistics")["policy"]["version"], "1.0.0");
    assert_eq!(of("statistics")["retention_seconds"], 30 * 86_400);
}

#[test]
fn signing_out_closes_everything_but_what_is_owed_and_signing_in_again_opens_what_was_agreed() {
    let bench = Bench::new();
    let menshen = bench.open();
    let anna = menshen.session("anna").unwrap();
    agree(&anna);
    let running = Arc::new(AtomicBool::new(false));
    let (on, off) = (Arc::clone(&running), Arc::clone(&running));
    anna.when_allowed("meter", move || on.store(true, Ordering::SeqCst), move || off.store(false, Ordering::SeqCst))
        .unwrap();
    assert_eq!(record(&anna), Recorded::Buffered);
    assert_eq!(bench::send_all(&anna).len(), 1);
    assert_eq!(anna.record("message_sent", menshen::fields! { "length" => 5 }).unwrap(), Recorded::Buffered);
    anna.withdraw("statistics").unwrap();
    anna.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    let flow = anna.request("messages", menshen::Trigger::Tap).unwrap();
    let menshen::Outcome::Allowed(permit) = flow.drive(&mut |_: &Step| Answer::Yes).unwrap() else { panic!() };
    let using = anna.begin(permit, None).unwrap();
    assert!(running.load(Ordering::SeqCst) && using.check().is_ok());

    anna.sign_out();
    assert!(!running.load(Ordering::SeqCst));
    assert!(using.check().is_err());
    assert!(!anna.is_purpose_allowed("messaging") && !anna.is_allowed("messages"));
    assert!(is_denied(&record(&anna), "signed-out"));
    let outcome =
        anna.request("messages", menshen::Trigger::Tap).unwrap().drive(&mut |_: &Step| panic!("asked")).unwrap();
    assert!(matches!(outcome, menshen::Outcome::Denied(denial) if denial.code == "signed-out"));
    let sent = bench::send_all(&anna);
    assert_eq!(bench::erases(&sent).len(), sent.len(), "the queue waits");
    assert_eq!(sent.len(), 1, "the request to erase is owed");

    let again = menshen.session("anna").unwrap();
    assert!(again.is_purpose_allowed("statistics") && again.is_allowed("messages"));
    assert!(running.load(Ordering::SeqCst));
    assert_eq!(bench::send_all(&again).len(), 1);
}

#[test]
fn a_withdrawal_and_a_sign_out_wait_for_no_answer_of_the_platform() {
    use menshen::{Permission, PermissionState, PermissionStatus, Platform};

    struct Broken(AtomicBool);
    impl PermissionStatus for Broken {
        fn state(&self, _: Permission) -> PermissionState {
            assert!(!self.0.load(Ordering::SeqCst), "looked at the platform before closing");
            PermissionState::Granted
        }
    }

    let bench = Bench::new();
    let broken = Arc::new(Broken(AtomicBool::new(false)));
    let platform = Platform { permissions: Arc::clone(&broken) as _, ..Platform::default() };
    let menshen = bench.open_on(platform).unwrap();
    let session = menshen.guest().unwrap();
    agree(&session);
    broken.0.store(true, Ordering::SeqCst);
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Done { .. }));
    assert!(!session.is_purpose_allowed("statistics"));
    session.sign_out();
    assert!(!session.is_purpose_allowed("messaging"));
}

#[test]
fn a_consent_that_was_over_is_over_although_the_clock_was_set_back() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    bench.clock.advance(366 * 86_400_000);
    session.refresh().unwrap();
    assert!(is_denied(&record(&session), "consent-expired"));
    // Anything that the ledger notes meanwhile keeps the time in mind.
    let flow = session.request("messages", menshen::Trigger::Tap).unwrap();
    let menshen::Outcome::Allowed(permit) = flow.drive(&mut |_: &Step| Answer::Yes).unwrap() else { panic!() };
    session.with_feature(permit, |_| ()).unwrap();
    bench.clock.set_wall(bench::START_MS);
    assert!(is_denied(&record(&session), "consent-expired"));
    session.refresh().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
}

#[test]
fn a_withdrawal_returns_only_after_an_sdk_that_is_just_starting_has_started_and_was_stopped() {
    let (_menshen, session) = Bench::new().agreed();
    let (begun, begins) = std::sync::mpsc::channel();
    let (started, stopped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (slow, on_start, on_stop) = (session.clone(), Arc::clone(&started), Arc::clone(&stopped));
    let other = std::thread::spawn(move || {
        let start = move || {
            begun.send(()).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(200));
            on_start.store(true, Ordering::SeqCst);
        };
        slow.when_allowed("meter", start, move || on_stop.store(true, Ordering::SeqCst)).unwrap();
    });
    begins.recv().unwrap();
    session.withdraw("statistics").unwrap();
    assert!(started.load(Ordering::SeqCst), "nothing starts after the withdrawal");
    assert!(stopped.load(Ordering::SeqCst));
    other.join().unwrap();
}

#[test]
fn a_receipt_speaks_the_language_and_names_the_names_of_what_was_agreed_to() {
    let (_menshen, session) = Bench::new().agreed();
    let receipt = |session: &Session| {
        let receipts: serde_json::Value = serde_json::from_str(&session.receipts().unwrap()).unwrap();
        receipts.as_array().unwrap().iter().find(|one| one["purpose"] == "statistics").unwrap().clone()
    };
    let given = receipt(&session);
    assert_eq!((&given["language"], &given["purpose_name"]), (&"en".into(), &"Statistics".into()));
    session.set_locale("zh-Hans");
    assert_eq!(receipt(&session), given, "what the person reads now changes no receipt");
    let renamed = serde_json::json!({ "en": "Counting", "zh-Hans": "计数" });
    let renamed = serde_json::json!({
        "purposes": { "statistics": { "name": renamed, "source": "999 ¶99" } },
        "controller": { "name": renamed },
        "recipients": { "maker": { "name": renamed } },
    });
    session.offer_policy(bench::next_version(renamed)).unwrap();
    bench::agree_to_change(&session);
    assert_eq!(session.policy_version(), "1.1.0");
    assert_eq!(receipt(&session), given, "nor does a later version");

    let menshen = Bench::new().open();
    let session = menshen.guest().unwrap();
    session.set_locale("zh-Hans");
    agree(&session);
    assert_eq!(receipt(&session)["withdrawal"], "在应用的设置中");
}

#[test]
fn a_consent_whose_time_passed_stays_over_when_the_clock_is_set_back() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    let _ = record(&session);
    let year_ms = 365 * 86_400_000;
    bench.clock.advance(year_ms - 1);
    assert!(matches!(record(&session), Recorded::Buffered), "until its last moment");
    bench.clock.advance(1);
    assert!(is_denied(&record(&session), "consent-expired"), "{:?}", record(&session));
    // Nothing was written meanwhile, so the ledger saw no later time.
    bench.clock.set_wall(bench::START_MS);
    assert!(is_denied(&record(&session), "consent-expired"), "the device was on for the whole year");
    session.refresh().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
}
