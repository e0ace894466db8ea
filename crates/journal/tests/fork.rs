//! A forked child has the parent's keys and counters: it seals nothing, so that no nonce is used twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use fork::{Fork, fork, waitpid};
use menshen_journal::{Error, Label};
use support::*;

// Alone in its file: a child of a process with other threads could find locks held by nobody.
#[test]
fn a_forked_child_is_told_that_the_store_is_busy_and_the_parent_goes_on() {
    let bench = Bench::new();
    let journal = bench.open().unwrap();
    let analytics = domain(&journal, "analytics").unwrap();
    put(&bench, &journal, analytics, b"before").unwrap();
    match fork().unwrap() {
        Fork::Child => {
            let busy = [
                put(&bench, &journal, analytics, b"child").err(),
                journal.ledger_append(Label::ESSENTIAL, &entries(["child"])).err(),
                try_read(&journal, Label::ESSENTIAL, &[analytics]).err(),
            ];
            std::process::exit(if busy == [Some(Error::Busy); 3] { 0 } else { 1 });
        }
        Fork::Parent(child) => {
            assert_eq!(waitpid(child).unwrap(), 0, "the child sealed or read something");
        }
    }
    put(&bench, &journal, analytics, b"after").unwrap();
    assert_eq!(bodies(&read(&journal, endpoint(&journal), &[analytics])), [&b"before"[..], b"after"]);
}
