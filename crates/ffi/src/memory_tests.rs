//! What a process that uses the bridge still holds in memory: it reads all that it may write to, and looks for bodies that
//! it handed over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use super::BridgeSession;
use super::flow_tests::{open, say_yes};
use crate::answers::BridgeDeliveryResult;

/// So many bytes of a body in a row are a copy of it.
const WINDOW: usize = 16;
const BODY: usize = 200;

/// Held while memory is searched: a search copies what it looks at, and another one would find that.
static SEARCHING: Mutex<()> = Mutex::new(());

/// One byte of a body: never are two of what is looked for side by side but in a body.
fn letter(body: u8, at: usize) -> u8 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ u64::from(body) << 17);
    b'!' + u8::try_from((mixed >> 40) % 90).unwrap()
}

fn body(number: u8) -> Vec<u8> {
    (0..BODY).map(|at| letter(number, at)).collect()
}

/// How many parts of a body of 16 bytes are in what this process may write to.
fn found(number: u8) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut piece = vec![0; 1 << 20];
    let own = piece.as_ptr() as u64..piece.as_ptr() as u64 + piece.len() as u64;
    let parts = || (0..BODY - WINDOW).step_by(WINDOW);
    let mut firsts = [false; 256];
    parts().for_each(|part| firsts[usize::from(letter(number, part))] = true);
    let (mut count, mut seen) = (0, 0);
    for line in maps.lines() {
        let mut fields = line.split(' ');
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let Some((start, end)) = range.split_once('-').filter(|_| rights.starts_with("rw")) else { continue };
        let [mut start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        while start < end {
            let Ok(length @ 1..) = memory.read_at(&mut piece, start) else { break };
            let length = length.min(usize::try_from(end - start).unwrap_or(usize::MAX));
            seen += length;
            for at in 0..length.saturating_sub(WINDOW) {
                // Most bytes begin no part.
                if firsts.get(usize::from(piece[at])) != Some(&true) {
                    continue;
                }
                let window = &piece[at..at + WINDOW];
                let is_whole =
                    |part: usize| window.iter().enumerate().all(|(n, byte)| *byte == letter(number, part + n));
                if !own.contains(&(start + at as u64)) && parts().any(is_whole) {
                    count += 1;
                }
            }
            // The parts overlap, so that none is cut in two.
            start += (length as u64).saturating_sub(WINDOW as u64).max(1);
            if length <= WINDOW {
                break;
            }
        }
    }
    assert!(seen > 100_000, "the memory of this process was not read");
    count
}

#[test]
fn what_is_freed_is_wiped() {
    let _alone = SEARCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let held = body(1);
    assert!(found(1) > 0, "the search does not find what is there");
    drop(held);
    assert_eq!(found(1), 0);
}

fn agreed() -> (Arc<BridgeSession>, super::flow_tests::Opened) {
    let opened = open();
    say_yes(&opened.session.first_launch().unwrap());
    let session = Arc::clone(&opened.session);
    (session, opened)
}

#[test]
fn no_body_stays_in_memory_once_it_was_sealed_delivered_or_withdrawn() {
    let _alone = SEARCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let (session, _opened) = agreed();
    for number in [2, 3] {
        session.outbox_put("usage-statistics".into(), "maker".into(), 60_000, body(number)).unwrap();
        assert_eq!(found(number), 0, "sealed");
    }
    let delivery = session.next_delivery().unwrap().unwrap();
    assert!(found(2) > 0, "the search does not find what is there");
    session.delivery_finished(delivery.id, BridgeDeliveryResult::Delivered).unwrap();
    drop(delivery);
    assert_eq!(found(2), 0, "delivered");
    session.withdraw("usage-statistics".into()).unwrap();
    assert_eq!(found(3), 0, "withdrawn");
}
