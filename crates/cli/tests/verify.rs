//! `menshen verify`, on what the library exports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};

use menshen::{Answer, FileKeys, Menshen, Policy, Session, Step, Store, Withdrawal};
use serde_json::{Value, json};
use support::{Run, menshen, read};

/// What an app exported: its ledger and its receipts, in a folder of their own.
struct Exported {
    folder: tempfile::TempDir,
    menshen: Menshen,
    session: Session,
}

impl Exported {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy::read(read("examples/policies/justalk-family.json").as_bytes()).unwrap();
        let keys = FileKeys::at(folder.path().join("keys")).unwrap();
        let menshen = Menshen::open(policy, Store::at(folder.path().join("store")).unwrap(), keys).unwrap();
        let session = menshen.session("account-7").unwrap();
        let agree = &mut |step: &Step| match step {
            Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "DE".into() },
            Step::Offer(offers) => Answer::Switches(offers.iter().map(|offer| offer.purpose.clone()).collect()),
            _ => Answer::Yes,
        };
        session.first_launch().unwrap().drive(agree).unwrap();
        let exported = Self { folder, menshen, session };
        exported.write("receipts.json", &exported.session.receipts().unwrap());
        exported.export();
        exported
    }

    fn export(&self) {
        self.write("ledger.json", &self.session.export_ledger().unwrap());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn value(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// The ledger after an edit.
    fn edited(&self, edit: impl FnOnce(&mut Value)) -> Run {
        let mut ledger = self.value("ledger.json");
        edit(&mut ledger);
        self.write("edited.json", &ledger.to_string());
        verify(&[&self.path("edited.json")])
    }
}

fn verify(files: &[&Path]) -> Run {
    let mut arguments = vec!["verify"];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    menshen(&arguments)
}

#[test]
fn a_ledger_that_is_right_is_told_with_its_counts() {
    let exported = Exported::new();
    let run = verify(&[&exported.path("ledger.json")]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    let ledger = exported.value("ledger.json");
    let entries = ledger["entries"].as_array().unwrap().len();
    assert!(run.out.starts_with("ok      "), "{}", run.out);
    assert!(run.out.contains(&format!("ledger.json: {entries} entries (")), "{}", run.out);
    assert!(run.out.contains("1 notice-agreed") && run.out.contains(" 0 payloads erased, "), "{}", run.out);
    assert!(run.out.trim_end().ends_with(&format!("signed with {}", ledger["public_key"].as_str().unwrap())));
}

#[test]
fn every_way_to_change_a_ledger_is_told_with_its_first_bad_entry() {
    let exported = Exported::new();
    let last = exported.value("ledger.json")["entries"].as_array().unwrap().len() - 1;
    let told = |run: Run, line: &str| {
        assert_eq!(run.code, 1, "{}", run.out);
        assert!(run.out.starts_with("broken  ") && run.out.contains(line), "{line}: {}", run.out);
    };
    let entries = |ledger: &mut Value, edit: &dyn Fn(&mut Vec<Value>)| edit(ledger["entries"].as_array_mut().unwrap());
    told(
        exported.edited(|l| entries(l, &|list| drop(list.remove(2)))),
        "entry 2: it is not the next one: an entry is missing, or stands in another order",
    );
    told(exported.edited(|l| entries(l, &|list| list.swap(1, 3))), "entry 1: it is not the next one");
    told(
        exported.edited(|l| entries(l, &|list| list[1]["statement"] = json!("{\"at\":0}"))),
        "entry 1: it is not chained to the entry before",
    );
    told(
        exported.edited(|l| entries(l, &|list| list[3]["payload"]["text"] = json!("{}"))),
        "entry 3: its payload is not the one that was committed to",
    );
    told(
        exported.edited(|l| entries(l, &|list| list[4]["leaf"] = json!("zz"))),
        "entry 4: a value is not in hexadecimal",
    );
    told(
        exported.edited(|l| {
            entries(l, &|list| {
                let head = list.iter_mut().rev().find_map(|entry| entry.get_mut("head")).unwrap();
                head["signature"] = json!("00".repeat(64));
            });
        }),
        "its head is not signed with the key of the ledger",
    );
    told(
        exported.edited(|l| entries(l, &|list| drop(list.last_mut().unwrap().as_object_mut().unwrap().remove("head")))),
        "no head is signed over it",
    );
    told(exported.edited(|l| l["public_key"] = json!("00".repeat(32))), "not signed with the key of the ledger");
    told(exported.edited(|l| l["format"] = json!("menshen/ledger/9")), "its format `menshen/ledger/9` is not known");
    assert!(last > 4);
}

#[test]
fn an_erased_payload_is_no_fault_and_is_counted() {
    let exported = Exported::new();
    let run = exported.edited(|ledger| {
        drop(ledger["entries"][1].as_object_mut().unwrap().remove("payload"));
    });
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains(" 1 payload erased, "), "{}", run.out);
}

#[test]
fn a_ledger_under_another_key_than_the_one_given_is_not_right() {
    let exported = Exported::new();
    let path = exported.path("ledger.json");
    let key = exported.value("ledger.json")["public_key"].as_str().unwrap().to_owned();
    let with = |key: &str| menshen(&["verify", "--key", key, path.to_str().unwrap()]);
    assert_eq!(with(&key).code, 0);
    assert_eq!(with(&key.to_uppercase()).code, 0);
    let other = with(&"ab".repeat(32));
    assert_eq!(other.code, 1);
    assert!(other.out.contains(&format!("it is signed with another key: {key}")), "{}", other.out);
    assert_eq!(with("short").code, 2);
}

#[test]
fn receipts_are_checked_against_the_ledger_beside_them() {
    let exported = Exported::new();
    let (ledger, receipts) = (exported.path("ledger.json"), exported.path("receipts.json"));
    let run = verify(&[&receipts, &ledger]);
    assert_eq!(run.code, 0, "{}", run.out);
    let made = exported.value("receipts.json").as_array().unwrap().len();
    assert!(made > 3);
    assert_eq!(run.out.lines().filter(|line| line.contains(": receipt for `")).count(), made);
    assert!(run.out.contains("receipts.json: receipt for `usage-statistics`: as entry "), "{}", run.out);
    // Alone it shows nothing.
    let run = verify(&[&receipts]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("a receipt can only be checked against the ledger that it is from"), "{}", run.out);
}

#[test]
fn any_field_of_a_receipt_that_was_changed_is_found() {
    let exported = Exported::new();
    let receipts = exported.value("receipts.json");
    let receipt = receipts.as_array().unwrap().iter().find(|one| one["purpose"] == "usage-statistics").unwrap();
    let ledger = exported.path("ledger.json");
    let check = |receipt: &Value| {
        exported.write("one.json", &receipt.to_string());
        verify(&[&exported.path("one.json"), &ledger])
    };
    assert_eq!(check(receipt).code, 0);
    for key in receipt.as_object().unwrap().keys() {
        let mut changed = receipt.clone();
        changed[key] = match &receipt[key] {
            Value::String(text) => json!(format!("{text}0")),
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            Value::Array(_) => json!([]),
            _ => json!({}),
        };
        // The ledger of a place without law packs has none in the receipt either.
        if changed != *receipt {
            let run = check(&changed);
            assert_eq!(run.code, 1, "{key}: {}", run.out);
        }
    }
}

#[test]
fn a_receipt_of_what_was_withdrawn_since_says_so() {
    let exported = Exported::new();
    assert!(matches!(exported.session.withdraw("usage-statistics").unwrap(), Withdrawal::Done { .. }));
    exported.export();
    let run = verify(&[&exported.path("receipts.json"), &exported.path("ledger.json")]);
    assert_eq!(run.code, 0, "{}", run.out);
    let line = run.out.lines().find(|line| line.contains("`usage-statistics`")).unwrap();
    assert!(line.starts_with("ended   ") && line.contains(", until entry "), "{line}");
    assert_eq!(run.out.lines().filter(|line| line.starts_with("ended ")).count(), 1);
}

#[test]
fn what_is_neither_a_ledger_nor_a_receipt_is_told() {
    let exported = Exported::new();
    for text in ["", "{}", "nonsense", "\"x\"", "{\"entries\": 3}"] {
        exported.write("other.json", text);
        let run = verify(&[&exported.path("other.json")]);
        assert_eq!(run.code, 1, "{text}: {}", run.out);
        assert!(run.out.starts_with("broken  "), "{}", run.out);
    }
    let run = menshen(&["verify", "no/such.json"]);
    assert_eq!((run.code, run.err.as_str()), (2, "menshen: `no/such.json` cannot be read: there is no such file\n"));
}

#[test]
fn a_ledger_without_an_entry_yet_is_right_and_has_no_key() {
    let exported = Exported::new();
    let session = exported.menshen.session("account-8").unwrap();
    exported.write("empty.json", &session.export_ledger().unwrap());
    let run = verify(&[&exported.path("empty.json")]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains("0 entries, and no key yet"), "{}", run.out);
}
