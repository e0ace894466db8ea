//! The planted bugs are found, and then nothing else is.

use std::cell::RefCell;

use menshen_machine::{Fault, Seen, run, sequence};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

const LONGEST: usize = 40;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

fn runner(cases: u64) -> TestRunner {
    TestRunner::new(Config {
        cases: u32::try_from(cases).expect("a number of sequences"),
        rng_seed: RngSeed::Fixed(number("MACHINE_SEED", 1)),
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn every_planted_bug_is_found() {
    for fault in [
        Fault::StaleAnswer,
        Fault::SentAfterWithdrawal,
        Fault::ForgottenClock,
        Fault::ReadTooEarly,
        Fault::OldIdentifier,
    ] {
        let tried = RefCell::new(0_u32);
        let found = runner(20_000).run(&sequence(LONGEST), |steps| {
            *tried.borrow_mut() += 1;
            run(&steps, Some(fault), &mut Seen::default()).map_err(|found| TestCaseError::fail(found.what))
        });
        match found {
            Err(TestError::Fail(why, steps)) => {
                println!("machine: planted {fault:?}: found, shortest sequence {} steps: {why}", steps.len());
            }
            other => panic!("planted {fault:?} is not found in {} sequences: {other:?}", tried.borrow()),
        }
    }
}

#[test]
fn whatever_happens_nothing_happens_without_leave() {
    let sequences = number("MACHINE_SEQUENCES", 2_000);
    let seen = RefCell::new(Seen::default());
    let held = runner(sequences).run(&sequence(LONGEST), |steps| {
        run(&steps, None, &mut seen.borrow_mut())
            .map_err(|found| TestCaseError::fail(format!("step {}: {}", found.at, found.what)))
    });
    if let Err(found) = held {
        panic!("{found}");
    }
    let seen = seen.into_inner();
    let controls = [seen.allowed, seen.handed_out, seen.uploads, seen.dialogs];
    assert!(
        controls.iter().all(|count| *count > 0),
        "nothing was ever allowed, handed out, sent or asked: {controls:?}"
    );
    println!(
        "machine: {sequences} sequences, {} steps, {} distinct states; allowed {}, identifiers {}, uploads {}, dialogs {}",
        seen.steps,
        seen.states.len(),
        seen.allowed,
        seen.handed_out,
        seen.uploads,
        seen.dialogs
    );
}
