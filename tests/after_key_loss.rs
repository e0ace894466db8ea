//! A no outlives the loss of the key of its ledger, and what was held before it is never stored.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

#[path = "support/bench.rs"]
mod bench;
use bench::*;
use menshen::journal::DiskError;
use menshen::journal::simulated::Fault;
use menshen::{Answer, Error, KeyProvider, KeyState, Recorded, Session, Step, Withdrawal};

fn held_then_a_no_that_cannot_be_written() -> (Bench, menshen::Menshen, Session) {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    bench.keys.set_state(KeyState::NotYet);
    session.refresh().unwrap();
    assert_eq!(record(&session), Recorded::Held);
    assert_eq!(session.waiting_records("statistics").unwrap(), 0);
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Full)));
    let w = session.withdraw("statistics").unwrap();
    assert!(matches!(w, Withdrawal::Pending { .. }), "{w:?}");
    bench.disk.set_fault(None);
    bench.keys.set_state(KeyState::Ready);
    (bench, menshen, session)
}

#[test]
fn what_was_held_before_a_no_is_never_stored() {
    let (_b, _m, session) = held_then_a_no_that_cannot_be_written();
    session.refresh().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert_eq!(session.waiting_records("statistics").unwrap(), 0, "stored after the no");
}

#[test]
fn that_a_ledger_was_begun_anew_is_noted_whatever_interrupts_it() {
    let mut bad = Vec::new();
    let mut done = 0;
    for at in 0..60 {
        let bench = Bench::new();
        let menshen = bench.open();
        let _before = bench.keys.list().unwrap();
        let session = menshen.guest().unwrap();
        agree(&session);
        drop(session);
        drop(menshen);
        // Every key that no grant names and that opening the guest made: the essential one among them.
        let all = bench.keys.list().unwrap();
        // Lost: every key but the store's own.
        let store: Vec<_> = all
            .iter()
            .filter(|a| {
                let k = bench.keys.snapshot();
                k.destroy(a).unwrap();
                let b = Bench { keys: k, disk: bench.disk.snapshot(), ..bench.clone() };
                let m = b.open();

                m.guest().is_ok_and(|s| matches!(s.maintain(), Err(Error::KeyLost)))
            })
            .cloned()
            .collect();
        if at == 0 {
            println!("keys whose loss is KeyLost: {} of {}", store.len(), all.len());
        }
        let essential: Vec<_> = store
            .iter()
            .filter(|a| {
                let k = bench.keys.snapshot();
                k.destroy(a).unwrap();
                let b = Bench { keys: k, disk: bench.disk.snapshot(), ..bench.clone() };
                let m = b.open();
                let s = m.guest().unwrap();
                s.replace_lost_key().is_ok_and(|r| r && s.export_ledger().unwrap().contains("begun-anew"))
            })
            .cloned()
            .collect();
        if at == 0 {
            println!("essential: {}", essential.len());
        }
        bench.keys.destroy(&essential[0]).unwrap();
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        bench.disk.set_fault(Some(Fault::From(at, DiskError::Io)));
        let r = session.replace_lost_key();
        let finished = bench.disk.operations() <= at;
        drop((session, menshen));
        bench.disk.kill();
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        let again = session.replace_lost_key();
        let noted = session.export_ledger().unwrap().contains("begun-anew");
        if !noted {
            bad.push((at, r.map_err(|e| e.code()), again.map_err(|e| e.code())));
        }
        done += 1;
        if finished {
            break;
        }
    }
    assert!(bad.is_empty(), "{done} cuts: {bad:?}");
}

#[test]
fn a_withdrawal_in_clear_is_shredded_although_its_ledger_is_lost() {
    let mut out = Vec::new();
    for lose in [false, true] {
        let bench = Bench::new();
        let (menshen, session) = bench.agreed();
        assert_eq!(record(&session), Recorded::Buffered);
        let ledger: serde_json::Value = serde_json::from_str(&session.export_ledger().unwrap()).unwrap();
        let grant = ledger["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| serde_json::from_str::<serde_json::Value>(e["payload"]["text"].as_str().unwrap()).unwrap())
            .rev()
            .find(|e| e["purpose"] == "statistics" && e["alias"].is_string())
            .unwrap();
        let alias = menshen::Alias::parse(grant["alias"].as_str().unwrap()).unwrap();
        bench.keys.set_state(KeyState::NotYet);
        let w = session.withdraw("statistics").unwrap();
        assert!(!matches!(w, Withdrawal::Pending { .. }), "{w:?}");
        drop((session, menshen));
        bench.disk.kill();
        bench.keys.set_state(KeyState::Ready);
        if lose {
            // The key of the ledger goes; it is the second one that was made.
            let all = bench.keys.list().unwrap();
            let essential: Vec<_> = all
                .iter()
                .filter(|a| {
                    let k = bench.keys.snapshot();
                    k.destroy(a).unwrap();
                    let b = Bench {
                        keys: k,
                        disk: bench.disk.snapshot(),
                        outside: bench.outside.snapshot(),
                        ..bench.clone()
                    };
                    let m = b.open();
                    let s = m.guest().unwrap();
                    matches!(s.replace_lost_key(), Ok(true)) && s.export_ledger().unwrap().contains("begun-anew")
                })
                .cloned()
                .collect();
            bench.keys.destroy(&essential[0]).unwrap();
        }
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        if lose {
            assert!(session.replace_lost_key().unwrap());
        }
        let _ = session.maintain().unwrap();
        let _ = session.maintain().unwrap();
        out.push((lose, bench.keys.exists(&alias).unwrap(), menshen.health()));
    }
    assert!(out.iter().all(|(_, there, _)| !there), "{out:#?}");
}

#[test]
fn a_planted_key_slot_does_not_lose_a_no() {
    for plant in [false, true] {
        let bench = Bench::new();
        let (menshen, session) = bench.agreed();
        let bases: Vec<(String, String)> = bench.policy["purposes"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| (k.clone(), v["legal_basis"].to_string()))
            .collect();
        let other: Vec<String> = bases
            .iter()
            .filter(|(k, b)| !b.contains("consent") && !b.contains("duty") && session.is_purpose_allowed(k))
            .map(|(k, _)| k.clone())
            .collect();
        let purpose = other[0].clone();
        let _ = session.withdraw(&purpose).unwrap();
        session.maintain().unwrap();
        assert!(!session.is_purpose_allowed(&purpose));
        drop((session, menshen));
        if plant {
            // A copy of the files, with another key store: one key slot more.
            let k = bench.keys.snapshot();
            let b = Bench {
                keys: k,
                disk: bench.disk.snapshot(),
                outside: bench.outside.snapshot(),
                anchor: Default::default(),
                ..bench.clone()
            };
            let all = b.keys.list().unwrap();
            for alias in &all {
                let k = b.keys.snapshot();
                k.destroy(alias).unwrap();
                let c = Bench { keys: k, disk: b.disk.snapshot(), outside: b.outside.snapshot(), ..b.clone() };
                let m = c.open();
                let s = m.guest().unwrap();
                if matches!(s.replace_lost_key(), Ok(true)) && s.export_ledger().unwrap().contains("begun-anew") {
                    bench.disk.put("keys", &c.disk.contents("keys").unwrap());
                }
            }
        }
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        agree(&session);
        assert!(
            !session.is_purpose_allowed(&purpose),
            "plant {plant}: `{purpose}` is open again after a no, by agreeing to the notice"
        );
    }
}

fn essential_of(bench: &Bench) -> menshen::Alias {
    let all = bench.keys.list().unwrap();
    all.iter()
        .find(|a| {
            let k = bench.keys.snapshot();
            k.destroy(a).unwrap();
            let b = Bench {
                keys: k,
                disk: bench.disk.snapshot(),
                outside: bench.outside.snapshot(),
                anchor: Default::default(),
                ..bench.clone()
            };
            let m = b.open();
            let s = m.guest().unwrap();
            matches!(s.replace_lost_key(), Ok(true)) && s.export_ledger().unwrap().contains("begun-anew")
        })
        .unwrap()
        .clone()
}

#[test]
fn a_pending_no_in_clear_outlives_the_ledger() {
    let mut out = Vec::new();
    for purpose in ["messaging", "statistics"] {
        for lose in [false, true] {
            let bench = Bench::new();
            let (menshen, session) = bench.agreed();
            drop((session, menshen));
            let essential = essential_of(&bench);
            bench.keys.set_state(KeyState::NotYet);
            let menshen = bench.open();
            let session = menshen.guest().unwrap();
            let w = session.withdraw(purpose).unwrap();
            assert!(matches!(w, Withdrawal::Pending { code: "key-not-ready" }), "{w:?}");
            drop((session, menshen));
            bench.disk.kill();
            bench.outside.kill();
            bench.keys.set_state(KeyState::Ready);
            let markers =
                |b: &Bench| b.disk.names().into_iter().filter(|n| n.starts_with("denied-")).collect::<Vec<_>>();
            let before = markers(&bench);
            if lose {
                bench.keys.destroy(&essential).unwrap();
            }
            let menshen = bench.open();
            let session = menshen.guest().unwrap();
            if lose {
                assert!(session.replace_lost_key().unwrap());
            }
            let after = markers(&bench);
            // The person agrees to the notice and to nothing else.
            session
                .first_launch()
                .unwrap()
                .drive(&mut |step: &Step| match step {
                    Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
                    Step::Offer(_) => Answer::Switches(Vec::new()),
                    _ => Answer::Yes,
                })
                .unwrap();
            out.push((purpose, lose, session.is_purpose_allowed(purpose), before, after));
        }
    }
    assert!(out.iter().all(|(_, _, open, ..)| !open), "{out:#?}");
}

#[test]
fn a_written_no_whose_marker_stands_outlives_the_ledger() {
    let mut out = Vec::new();
    for lose in [false, true] {
        let bench = Bench::new();
        let (menshen, session) = bench.agreed();
        drop((session, menshen));
        let essential = essential_of(&bench);
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        bench.keys.set_state(KeyState::NotYet);
        let w = session.withdraw("messaging").unwrap();
        assert!(!matches!(w, Withdrawal::Pending { .. }), "{w:?}");
        drop((session, menshen));
        bench.disk.kill();
        bench.outside.kill();
        bench.keys.set_state(KeyState::Ready);
        if lose {
            bench.keys.destroy(&essential).unwrap();
        }
        let menshen = bench.open();
        let session = menshen.guest().unwrap();
        if lose {
            assert!(session.replace_lost_key().unwrap());
        }
        let markers = bench.disk.names().into_iter().filter(|n| n.starts_with("denied-")).collect::<Vec<_>>();
        session
            .first_launch()
            .unwrap()
            .drive(&mut |step: &Step| match step {
                Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
                Step::Offer(_) => Answer::Switches(Vec::new()),
                _ => Answer::Yes,
            })
            .unwrap();
        out.push((lose, session.is_purpose_allowed("messaging"), markers));
    }
    assert!(out.iter().all(|(_, open, _)| !open), "{out:#?}");
}
