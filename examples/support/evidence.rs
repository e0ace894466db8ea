//! Step 11: the ledger verifies, receipts are exported, and a flipped byte is found.

use menshen::{LedgerVerdict, verify_ledger};
use serde_json::Value;

use super::{Failure, Story};

impl Story<'_> {
    pub(super) fn evidence(&mut self) -> Result<(), Failure> {
        let export = self.session.export_ledger()?;
        let entries = match verify_ledger(&export) {
            LedgerVerdict::Sound { entries } => entries,
            _ => 0,
        };
        let receipts = self.path("receipts.json");
        std::fs::write(&receipts, self.session.receipts()?)?;
        let receipts: Vec<Value> = serde_json::from_slice(&std::fs::read(&receipts)?)?;
        // In the middle of the copy, in whatever entry stands there.
        let mut copy = export.into_bytes();
        let middle = copy.len() / 2;
        copy[middle] ^= 1;
        let verdict = verify_ledger(&String::from_utf8_lossy(&copy));
        let found = matches!(verdict, LedgerVerdict::Broken { .. } | LedgerVerdict::Unreadable);

        let report = &mut self.report;
        let ledger = if entries > 0 { "verified" } else { "broken" };
        report.step(
            11,
            "evidence",
            &format!("ledger {ledger}, {entries} entries; {} receipts as JSON", receipts.len()),
        );
        report.note(&format!("one flipped byte in a copy: {}", if found { "found" } else { "missed" }));
        report.must(entries > 0, "the ledger verifies");
        report.must(found, "a flipped byte is found");
        report.must(receipts.iter().all(|receipt| receipt["purpose"].is_string()), "each receipt names its purpose");
        report.figure("ledger_ok", entries > 0);
        report.figure("ledger_entries", entries);
        report.figure("tamper_found", found);
        report.figure("receipts", receipts.len());
        Ok(())
    }
}
