//! A system permission that is lost: it suspends, and withdraws only where the policy says so and the person did it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, send_all};
use menshen::{
    Answer, Menshen, Outcome, Permission, PermissionState, PromptKind, Put, Session, Step, Trigger, Withdrawal,
};
use serde_json::json;

/// Voice notes end with the microphone; a second feature without it may keep them.
fn bench(patch: serde_json::Value) -> Bench {
    let mut all = json!({ "purposes": { "voice-notes": { "on_revocation": "withdraw" } } });
    all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    Bench::under(all)
}

fn ask(bench: &Bench, session: &Session) -> Outcome {
    bench.phone.set(Permission::Microphone, PermissionState::NotAsked);
    let phone = bench.phone.clone();
    session
        .request("voice-notes", Trigger::Tap)
        .unwrap()
        .drive(&mut move |step: &Step| match step {
            Step::AskSystem { permission, .. } => {
                phone.set(*permission, PermissionState::Granted);
                Answer::System(PermissionState::Granted)
            }
            _ => Answer::Yes,
        })
        .unwrap()
}

/// Somebody who uses voice notes, and whose microphone is then lost.
fn lost(bench: &Bench) -> (Menshen, Session) {
    let (menshen, session) = bench.agreed();
    assert!(matches!(ask(bench, &session), Outcome::Allowed(_)));
    assert_eq!(session.outbox_put("voice-notes", "maker", 60_000, b"hello").unwrap(), Put::Buffered);
    bench.phone.set(Permission::Microphone, PermissionState::Denied);
    session.refresh().unwrap();
    (menshen, session)
}

fn answer(session: &Session, answer: &Answer) -> usize {
    let mut shown = 0;
    let outcome = session.confirm_revocations().unwrap().drive(&mut |step: &Step| {
        let Step::Show(prompt) = step else { panic!("{step:?}") };
        assert_eq!(prompt.kind, PromptKind::Revocation(Permission::Microphone));
        assert_eq!(prompt.title, "The system permission for Voice notes is off");
        shown += 1;
        answer.clone()
    });
    assert!(matches!(outcome.unwrap(), Outcome::Finished { .. }));
    shown
}

#[test]
fn a_lost_permission_suspends_and_what_is_sealed_still_goes() {
    let bench = bench(json!({}));
    let (_menshen, session) = lost(&bench);
    assert!(!session.is_allowed("voice-notes"));
    assert!(session.is_purpose_allowed("voice-notes"));
    assert_eq!(session.next_delivery().unwrap().unwrap().bytes, b"hello");
    bench.phone.set(Permission::Microphone, PermissionState::Granted);
    session.refresh().unwrap();
    assert!(session.is_allowed("voice-notes"), "given back, the suspension ends by itself");
    assert!(!session.has_revocations());
}

#[test]
fn the_persons_own_act_is_a_withdrawal_once_they_say_so() {
    let bench = bench(json!({}));
    let (menshen, session) = lost(&bench);
    assert!(session.has_revocations());
    drop((session, menshen));
    // At the next opening, too.
    let session = bench.open().guest().unwrap();
    assert_eq!(answer(&session, &Answer::Yes), 1);
    assert!(!session.is_purpose_allowed("voice-notes"));
    assert!(session.next_delivery().unwrap().is_none());
    assert_eq!(session.maintain().unwrap().shredded, ["voice-notes"]);
    assert_eq!(answer(&session, &Answer::Yes), 0, "asked once");
    // Given back, the next tap asks for consent again.
    bench.phone.set(Permission::Microphone, PermissionState::Granted);
    session.refresh().unwrap();
    assert!(!session.is_allowed("voice-notes"));
    assert!(matches!(ask(&bench, &session), Outcome::Allowed(_)));
}

#[test]
fn somebody_elses_act_leaves_it_suspended_and_is_not_asked_about_again() {
    let bench = bench(json!({}));
    let (_menshen, session) = lost(&bench);
    assert_eq!(answer(&session, &Answer::No), 1);
    assert!(session.is_purpose_allowed("voice-notes") && !session.is_allowed("voice-notes"));
    assert_eq!(answer(&session, &Answer::No), 0);
    // Another loss is another question.
    bench.phone.set(Permission::Microphone, PermissionState::Granted);
    session.refresh().unwrap();
    bench.phone.set(Permission::Microphone, PermissionState::Blocked);
    session.refresh().unwrap();
    assert_eq!(answer(&session, &Answer::No), 1);
}

#[test]
fn unanswered_it_stays_as_it_is() {
    let bench = bench(json!({}));
    let (_menshen, session) = lost(&bench);
    drop(session.confirm_revocations().unwrap());
    assert!(session.is_purpose_allowed("voice-notes") && session.has_revocations());
}

#[test]
fn what_the_system_tells_to_be_the_persons_act_needs_no_question() {
    let bench = bench(json!({}));
    let (_menshen, session) = lost(&bench);
    assert!(matches!(session.revoked_by_person(Permission::Microphone).unwrap(), Withdrawal::Done { .. }));
    assert!(!session.is_purpose_allowed("voice-notes") && !session.has_revocations());
}

#[test]
fn without_the_policys_word_nothing_is_asked_and_nothing_ends() {
    let bench = Bench::new();
    let (_menshen, session) = lost(&bench);
    assert!(!session.has_revocations());
    assert_eq!(answer(&session, &Answer::Yes), 0);
    session.revoked_by_person(Permission::Microphone).unwrap();
    assert!(session.is_purpose_allowed("voice-notes"));
}

#[test]
fn what_a_feature_without_the_permission_needs_stays() {
    let text = json!({ "en": "Play notes", "zh-Hans": "播放留言" });
    let bench = bench(json!({ "features": { "play-notes": {
        "name": text, "purposes": ["voice-notes"], "refused": text, "source": "999 ¶10",
    } } }));
    let (_menshen, session) = lost(&bench);
    assert!(!session.has_revocations());
    assert!(session.is_allowed("play-notes"));
}

#[test]
fn a_lost_permission_starts_no_wait_before_it_may_be_asked_for_again() {
    let bench = bench(json!({}));
    let (_menshen, session) = lost(&bench);
    let Outcome::Allowed(_) = ask(&bench, &session) else { panic!("it rests") };
    assert!(send_all(&session).is_empty());
}
