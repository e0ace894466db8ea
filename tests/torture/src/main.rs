//! One test programme of the store: `menshen-torture run S2 --from 0 --count 1000 --seed 1`. `cargo xtask torture` runs
//! them all and keeps the books.
//!
//! Lines on standard output: `total N`, `progress N`, `failure CASE MESSAGE`, `done RUN FAILED`, `not run WHY`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test: what does not hold is a panic, and a panic is a failure of its case"
)]

mod canaries;
mod damage;
mod days;
mod errors;
mod folder;
mod full_disk;
mod key_store;
mod kill;
mod known_answers;
mod limits;
mod memory;
mod model;
mod nonces;
#[path = "../../support/observed_keys.rs"]
mod observed_keys;
mod planted;
mod power;
mod power_cut;
mod programme;
mod random;
mod soak;
mod structure;
mod timing;
mod workload;
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => {
            programme::list();
            ExitCode::SUCCESS
        }
        ["run", id, options @ ..] => programme::run(id, options),
        ["child", "memory", folder, seed] => {
            memory::child(folder.as_ref(), seed.parse().unwrap_or(0));
            ExitCode::SUCCESS
        }
        ["child", role, folder, seed] => kill::child(role, folder, seed.parse().unwrap_or(0)),
        _ => {
            eprintln!(
                "usage: menshen-torture list | run PROGRAMME [--from N] [--count N] [--seed N] [--threads N] [--first]"
            );
            ExitCode::FAILURE
        }
    }
}
