//! The journal and its twin on the same random walks, and a twin with a fault, whose walks end early.

use std::panic::{AssertUnwindSafe, catch_unwind};

use menshen_conformance::{
    Devices, Fault, Faulty, Grain, JournalOnSimulatedDisk, Place, SqliteInFolder, Step, Walk, compare, walks,
};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

const STEPS: usize = 60;

/// A number from the environment: `CONFORMANCE_WALKS`, `CONFORMANCE_SEED`.
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

fn devices(grain: Grain) -> Devices {
    Devices { grain, ..Devices::new() }
}

/// Walks with the journal and another, so often; the shortest walk on which they differ.
fn differ<P: Place>(count: u64, grain: Grain, shrinks: u32, other: impl Fn(Devices) -> P) -> Result<(), String> {
    let config = Config {
        cases: count as u32,
        rng_seed: RngSeed::Fixed(setting("CONFORMANCE_SEED", 1)),
        failure_persistence: None,
        max_shrink_iters: shrinks,
        ..Config::default()
    };
    let walked = TestRunner::new(config).run(&walks(STEPS), |walk: Walk| {
        let journal = JournalOnSimulatedDisk::new(devices(grain));
        let twin = other(devices(grain));
        let compared = catch_unwind(AssertUnwindSafe(|| compare(&walk, journal, twin)));
        let compared = compared.unwrap_or_else(|panic| Err(said(panic.as_ref())));
        compared.map_err(TestCaseError::fail)
    });
    match walked {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, mut walk)) => {
            walk.steps.retain(|step| !matches!(step, Step::Rest));
            Err(format!("{reason}, in {walk:#?}"))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").to_owned()
}

fn they_agree(grain: Grain) {
    let count = setting("CONFORMANCE_WALKS", 1000);
    if let Err(difference) = differ(count, grain, 2000, SqliteInFolder::in_memory) {
        panic!("{difference}");
    }
    println!("conformance: {count} walks × {STEPS} steps agree, grain {grain:?}");
}

#[test]
fn the_journal_and_its_twin_agree_when_segments_have_many_records() {
    they_agree(Grain::Segment);
}

#[test]
fn the_journal_and_its_twin_agree_to_the_record_when_a_segment_has_one() {
    they_agree(Grain::Record);
}

/// What no walk can show: it never fills a store, and has one opener.
const NEEDS_A_SENTENCE: [Fault; 3] = [Fault::GrowsForEver, Fault::DropsUncounted, Fault::OpensTwice];

#[test]
fn a_walk_with_a_twin_that_has_a_fault_ends_with_a_difference() {
    let agrees = |fault: Fault| differ(100, Grain::Record, 0, |devices| Faulty::new(devices, fault));
    assert_eq!(agrees(Fault::None), Ok(()), "the wrapper itself");
    let planted = || Fault::ALL.into_iter().filter(|fault| !NEEDS_A_SENTENCE.contains(fault));
    for fault in planted() {
        let difference = agrees(fault).expect_err(&format!("{fault:?} was not found"));
        let first = difference.split(", in Walk").next().unwrap_or_default();
        println!("{fault:?}: {}", first.chars().take(160).collect::<String>());
    }
    println!("conformance: {0} of {0} faults found by walks", planted().count());
}
