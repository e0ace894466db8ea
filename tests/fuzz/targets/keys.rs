//! The file of keys and names, under good checksums.
#![no_main]

use libfuzzer_sys::fuzz_target;
use menshen_fuzz::store::BASE;
use menshen_fuzz::{planted, seeds};

fuzz_target!(init: seeds::write("keys"), |data: &[u8]| {
    let Some((mode, content)) = data.split_first() else { return };
    let forged = if *mode == 0 { content.to_vec() } else { BASE.forge.keys(content) };
    let Some(readings) = BASE.with("keys", &forged) else { return };
    planted(|| readings.records.records.is_empty() && readings.report.segments > 0);
});
