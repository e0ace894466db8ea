//! A segment of the ledger: entries, statements, payloads, heads under signatures made anew.
#![no_main]

use libfuzzer_sys::fuzz_target;
use menshen_fuzz::store::BASE;
use menshen_fuzz::{planted, seeds};

fuzz_target!(init: seeds::write("ledger"), |data: &[u8]| {
    let Some((mode, content)) = data.split_first() else { return };
    let name = &BASE.ledger;
    let forged = if *mode == 0 { content.to_vec() } else { BASE.forge.segment(&BASE.header(name), content) };
    let Some(readings) = BASE.with(name, &forged) else { return };
    let entries = readings.ledger.map_or(Vec::new(), |ledger| ledger.entries);
    planted(|| entries.iter().any(|entry| *entry.statement != b"statement"[..] && entry.head.is_some()));
});
