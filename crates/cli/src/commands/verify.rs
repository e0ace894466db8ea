//! `menshen verify`: checks exported ledgers, and receipts against them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use menshen::{LedgerVerdict, ReceiptVerdict, verify_ledger, verify_receipt};
use serde_json::Value;

use crate::failure::Result;
use crate::output::{self, BAD, GOOD, NOTE, styled};
use crate::policy_file::unreadable;
use crate::words::count;

/// Check exported ledgers, and receipts against them
///
/// A ledger is right if every entry is chained to the one before, every payload that was not erased is the one that was
/// committed to, and the last entry stands under a signature: nobody without the key changed, dropped, inserted or
/// reordered anything. Whose key it is only you can say: compare it, or give it with `--key`.
///
/// A receipt is right if one of the ledgers has the entry that it names, and says the same.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Verify {
    /// Ledgers and receipts, as an app exports them, in any order
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The public key that every ledger must be signed with, 64 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = key)]
    key: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  menshen verify ledger.json
  menshen verify receipts.json ledger.json
  menshen verify --key 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29 ledger.json

Exit codes: 0 all of them are right, 1 one is not, 2 a file can't be read.";

fn key(text: &str) -> std::result::Result<String, String> {
    let is_key = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_key { Ok(text.to_lowercase()) } else { Err("expected 64 hexadecimal digits".to_owned()) }
}

/// A file, by what it holds.
struct Evidence {
    name: String,
    text: String,
    kind: Kind,
}

enum Kind {
    Ledger(Value),
    Receipts(Vec<Value>),
    Neither,
}

impl Verify {
    pub(crate) fn run(self) -> Result {
        let read = |path: &PathBuf| {
            let name = path.display().to_string();
            let bytes = std::fs::read(path).map_err(|error| unreadable(&name, &error))?;
            Ok(Evidence::of(name, String::from_utf8_lossy(&bytes).into_owned()))
        };
        let files = self.files.iter().map(read).collect::<Result<Vec<_>>>()?;
        let ledgers: Vec<&Evidence> = files.iter().filter(|file| matches!(file.kind, Kind::Ledger(_))).collect();
        let mut told = String::new();
        let mut all_right = true;
        for file in &files {
            let lines = match &file.kind {
                Kind::Ledger(ledger) => vec![self.ledger(&file.text, ledger)],
                Kind::Receipts(receipts) => receipts.iter().map(|receipt| of_receipt(receipt, &ledgers)).collect(),
                Kind::Neither => vec![Err("it is neither an exported ledger nor a receipt".to_owned())],
            };
            for line in lines {
                let (style, word, line) = match line {
                    Ok(Sound { line, ended: false }) => (GOOD, "ok    ", line),
                    Ok(Sound { line, ended: true }) => (NOTE, "ended ", line),
                    Err(line) => (BAD, "broken", line),
                };
                all_right &= word != "broken";
                // Writing to a string cannot fail.
                let _ = writeln!(told, "{}  {}: {line}", styled(style, word), file.name);
            }
        }
        output::print(&told)?;
        Ok(ExitCode::from(u8::from(!all_right)))
    }

    fn ledger(&self, text: &str, ledger: &Value) -> std::result::Result<Sound, String> {
        let signed_with = ledger.get("public_key").and_then(Value::as_str).unwrap_or_default();
        match verify_ledger(text) {
            LedgerVerdict::Sound { .. } if self.key.as_deref().is_some_and(|key| key != signed_with) => {
                Err(format!("it is signed with another key: {signed_with}"))
            }
            LedgerVerdict::Sound { .. } if signed_with.is_empty() => {
                Ok(Sound { line: "0 entries, and no key yet".to_owned(), ended: false })
            }
            LedgerVerdict::Sound { entries } => {
                Ok(Sound { line: format!("{}, signed with {signed_with}", counted(entries, ledger)), ended: false })
            }
            LedgerVerdict::Broken { sequence, why } => Err(format!("entry {sequence}: {}", in_words(why))),
            LedgerVerdict::Unreadable => Err(unreadable_ledger(ledger)),
        }
    }
}

/// What a right file says, and whether what it gave is over.
struct Sound {
    line: String,
    ended: bool,
}

impl Evidence {
    fn of(name: String, text: String) -> Self {
        let kind = match serde_json::from_str::<Value>(&text) {
            Ok(value) if value.get("entries").is_some() => Kind::Ledger(value),
            Ok(Value::Array(receipts)) => Kind::Receipts(receipts),
            Ok(value) if value.get("schema_version").is_some() => Kind::Receipts(vec![value]),
            _ => Kind::Neither,
        };
        Self { name, text, kind }
    }
}

/// `214 entries (3 granted, 1 withdrawn, …), 12 signed heads, 2 payloads erased`.
fn counted(entries: u64, ledger: &Value) -> String {
    let list = ledger.get("entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    for entry in list {
        let statement = entry.get("statement").and_then(Value::as_str).unwrap_or_default();
        let statement: Value = serde_json::from_str(statement).unwrap_or_default();
        *types.entry(statement.get("type").and_then(Value::as_str).unwrap_or("other").to_owned()).or_default() += 1;
    }
    let types: Vec<String> = types.iter().map(|(name, number)| format!("{number} {name}")).collect();
    let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
    let with = |key: &str| list.iter().filter(|entry| entry.get(key).is_some_and(|value| !value.is_null())).count();
    let (heads, erased) = (count(with("head"), "signed head"), list.len() - with("payload"));
    let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    format!("{entries}{types}, {heads}, {} erased", count(erased, "payload"))
}

fn unreadable_ledger(ledger: &Value) -> String {
    match ledger.get("format").and_then(Value::as_str) {
        Some("menshen/ledger/0") => "it is no whole ledger: a key, a label or an entry has another shape".to_owned(),
        Some(format) => {
            format!("its format `{}` is not known to this version", format.chars().take(40).collect::<String>())
        }
        None => "it has no format".to_owned(),
    }
}

fn in_words(why: &str) -> &str {
    match why {
        "out-of-order" => "it is not the next one: an entry is missing, or stands in another order",
        "leaf" => "it is not chained to the entry before: its statement was changed, or it is of another ledger",
        "payload" => "its payload is not the one that was committed to",
        "head" => "its head is of another tree",
        "signature" => "its head is not signed with the key of the ledger",
        "unsigned" => "no head is signed over it: the end of the ledger was cut off, or added",
        "malformed" => "a value is not in hexadecimal digits, or of another length",
        other => other,
    }
}

/// A receipt against the ledgers that were given beside it.
fn of_receipt(receipt: &Value, ledgers: &[&Evidence]) -> std::result::Result<Sound, String> {
    let purpose = receipt.get("purpose").and_then(Value::as_str).unwrap_or("?");
    let named = format!("receipt for `{}`", purpose.chars().take(64).collect::<String>());
    if ledgers.is_empty() {
        return Err(format!("{named}: a receipt can only be checked against the ledger that it is from; name it, too"));
    }
    let verdicts = ledgers.iter().map(|ledger| verify_receipt(&receipt.to_string(), &ledger.text));
    // The ledger that has the entry decides; one that is broken says nothing.
    let rank = |verdict: &ReceiptVerdict| match verdict {
        ReceiptVerdict::Sound { .. } => 0,
        ReceiptVerdict::Different { .. } | ReceiptVerdict::Erased { .. } => 1,
        ReceiptVerdict::Unreadable => 2,
        ReceiptVerdict::Ledger(_) => 3,
        ReceiptVerdict::Unknown => 4,
    };
    match verdicts.min_by_key(rank).unwrap_or(ReceiptVerdict::Unknown) {
        ReceiptVerdict::Sound { sequence, ended: None } => {
            Ok(Sound { line: format!("{named}: as entry {sequence} says"), ended: false })
        }
        ReceiptVerdict::Sound { sequence, ended: Some(end) } => {
            Ok(Sound { line: format!("{named}: as entry {sequence} said, until entry {end} ended it"), ended: true })
        }
        ReceiptVerdict::Different { sequence } => Err(format!("{named}: entry {sequence} says something else")),
        ReceiptVerdict::Erased { sequence } => {
            Err(format!("{named}: what entry {sequence} said was erased, so that nothing can be compared"))
        }
        ReceiptVerdict::Unreadable => Err(format!("{named}: it has not the form of a receipt")),
        ReceiptVerdict::Ledger(_) => Err(format!("{named}: the ledger beside it is broken")),
        ReceiptVerdict::Unknown => Err(format!("{named}: no ledger here has the entry that it names")),
    }
}
