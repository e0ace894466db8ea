//! A segment of records: its frames, runs and what is behind their seals.
#![no_main]

use libfuzzer_sys::fuzz_target;
use menshen_fuzz::store::BASE;
use menshen_fuzz::{planted, seeds};

fuzz_target!(init: seeds::write("segment"), |data: &[u8]| {
    let Some((mode, content)) = data.split_first() else { return };
    let name = &BASE.records;
    let forged = if *mode == 0 { content.to_vec() } else { BASE.forge.segment(&BASE.header(name), content) };
    let Some(readings) = BASE.with(name, &forged) else { return };
    planted(|| readings.records.records.iter().any(|record| record.body.iter().any(|byte| *byte != record.body[0])));
});
