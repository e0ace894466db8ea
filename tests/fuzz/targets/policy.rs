//! A policy document: reading, the canonical form, what is in force.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use menshen::Policy;
use menshen_fuzz::{planted, seeds};

/// The policies that it begins with.
static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    seeds::of("policy").iter().filter_map(|seed| Some(Policy::read(seed).ok()?.hash().into())).collect()
});

fuzz_target!(init: seeds::write("policy"), |data: &[u8]| {
    let Ok(policy) = Policy::read(data) else { return };
    let kept = Policy::read_kept(policy.canonical()).expect("the canonical form of a policy is read");
    assert_eq!(kept.hash(), policy.hash(), "and is the same policy");
    for (id, _, _) in policy.purposes() {
        let _ = policy.terms(id);
    }
    planted(|| !SEEDS.iter().any(|seed| seed == policy.hash()));
});
