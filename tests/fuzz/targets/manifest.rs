//! The bookkeeping: a manifest, or cursors, under good checksums and codes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use menshen_fuzz::store::BASE;
use menshen_fuzz::{planted, seeds};

fuzz_target!(init: seeds::write("manifest"), |data: &[u8]| {
    let Some((mode, content)) = data.split_first() else { return };
    let (name, forged) = match mode {
        0 => ("manifest.1", content.to_vec()),
        1..128 => ("manifest.1", BASE.forge.manifest(content)),
        _ => {
            let label = &BASE.header(&BASE.records)[80..88];
            ("cursor", BASE.forge.cursor(content, u64::from_le_bytes(label.try_into().unwrap())))
        }
    };
    let Some(readings) = BASE.with(name, &forged) else { return };
    // Something forged was believed.
    planted(|| readings.records.records.len() != 5 && !readings.report.manifest_damaged);
});
