//! What crosses the bridge from Kotlin and Swift: the bytes that every record and enum of the host is read from.
#![no_main]

#[path = "../../../crates/ffi/src/answers.rs"]
pub mod answers;
#[path = "../../../crates/ffi/src/condition.rs"]
pub mod condition;
#[path = "../../../crates/ffi/src/error.rs"]
pub mod error;
#[path = "../../../crates/ffi/src/foreign.rs"]
pub mod foreign;
#[path = "../../../crates/ffi/src/open.rs"]
pub mod open;
#[path = "../../../crates/ffi/src/rights.rs"]
pub mod rights;
#[path = "../../../crates/ffi/src/session.rs"]
pub mod session;

uniffi::setup_scaffolding!();

use answers::{BridgeAnswer, BridgeDeliveryResult, BridgeField, BridgeReply};
use libfuzzer_sys::fuzz_target;
use menshen_fuzz::{planted, seeds};
use open::BridgeConfiguration;
use rights::BridgeRightRequest;
use uniffi::{Lift, RustBuffer};

/// Whether the list that begins here claims more items than there are bytes.
fn claims_too_much(bytes: &[u8], at: usize) -> bool {
    let count = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    count.is_some_and(|count| usize::try_from(i32::from_be_bytes(*count)).is_ok_and(|count| count > bytes.len()))
}

/// Reads one value as the bridge does.
///
/// What claims a list longer than its bytes is left out: uniffi makes room for the count that it is told. Both sides of
/// the bridge are written by uniffi and in one process, so nobody else writes that count.
fn lifted<T: Lift<UniFfiTag>>(bytes: &[u8]) -> Option<T> {
    T::try_lift_from_rust_buffer(RustBuffer::from_vec(bytes.to_vec())).ok()
}

fuzz_target!(init: seeds::write("bridge"), |data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let text = |at: usize| {
        let four = bytes.get(at..)?.first_chunk::<4>()?;
        Some(at + 4 + usize::try_from(i32::from_be_bytes(*four)).ok()?)
    };
    // Where the list begins in a configuration: behind two texts and one that may be missing.
    let markers = text(0).and_then(text).and_then(|at| match bytes.get(at)? {
        0 => Some(at + 1),
        _ => text(at + 1),
    });
    let lists = [markers, Some(0), Some(4), Some(8), None, None];
    if lists[usize::from(kind % 6)].is_some_and(|at| claims_too_much(bytes, at)) {
        return;
    }
    match kind % 6 {
        0 => drop(lifted::<BridgeConfiguration>(bytes)),
        1 => {
            let fields = lifted::<Vec<BridgeField>>(bytes);
            planted(|| fields.is_some_and(|fields| fields.iter().any(|field| field.name != "page")));
        }
        2 => drop(lifted::<BridgeAnswer>(bytes)),
        3 => drop(lifted::<BridgeReply>(bytes)),
        4 => drop(lifted::<BridgeDeliveryResult>(bytes)),
        _ => drop(lifted::<BridgeRightRequest>(bytes)),
    }
});
