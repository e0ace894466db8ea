//! What a wrong policy is told: small edits of a right one, and the whole of the answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use menshen_policy::{Document, locate};

const MINIMAL: &str = include_str!("../../../tests/policies/minimal.json");
/// Has everything that a policy can have.
const COMPLETE: &str = include_str!("../../../tests/policies/complete.json");

fn render(source: &[u8]) -> String {
    let text = String::from_utf8_lossy(source);
    Document::read(source).expect_err("the policy is wrong").render(&text, "policy.json")
}

fn display(source: &[u8]) -> String {
    Document::read(source).expect_err("the policy is wrong").to_string()
}

/// One section of a file under `tests/policies/bad`, about the complete policy in `entities.txt` and about the minimal
/// one elsewhere: a title, lines to find (`- `), lines to put in their
/// place (`+ `), and after `---` the answer.
struct Case<'t> {
    title: &'t str,
    edits: Vec<(String, String)>,
    question: &'t str,
    answer: &'t str,
}

fn cases(file: &str) -> Vec<Case<'_>> {
    file.split("=== ").skip(1).map(case).collect()
}

fn case(section: &str) -> Case<'_> {
    let (question, answer) = section.split_once("\n---\n").unwrap_or((section, ""));
    let (title, lines) = question.split_once('\n').unwrap();
    let mut edits: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for line in lines.lines().filter(|line| !line.is_empty()) {
        if let Some(found) = line.strip_prefix("- ") {
            if edits.last().is_none_or(|(_, put)| !put.is_empty()) {
                edits.push((Vec::new(), Vec::new()));
            }
            edits.last_mut().unwrap().0.push(found);
        } else {
            let put = line.strip_prefix("+ ").or_else(|| line.strip_prefix('+')).unwrap_or_else(|| panic!("{line}"));
            edits.last_mut().unwrap().1.push(put);
        }
    }
    let edits = edits.into_iter().map(|(find, put)| (find.join("\n"), put.join("\n"))).collect();
    Case { title, edits, question, answer: answer.trim_end() }
}

fn edited(case: &Case<'_>, policy: &str) -> String {
    case.edits.iter().fold(policy.to_owned(), |text, (find, put)| {
        assert_eq!(text.matches(find).count(), 1, "{}: `{find}` stands once in the policy", case.title);
        text.replacen(find, put, 1)
    })
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/policies/bad");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_wrong_policy_is_told_all_of_it() {
    let mut count = 0;
    for path in files() {
        let file = std::fs::read_to_string(&path).unwrap();
        let is_complete = path.file_stem().is_some_and(|name| name == "entities");
        let policy = if is_complete { COMPLETE } else { MINIMAL };
        let mut written = String::new();
        let mut different = Vec::new();
        for case in cases(&file) {
            let answer = render(edited(&case, policy).as_bytes());
            if answer.trim_end() != case.answer {
                different.push(format!("{}\nexpected:\n{}\nfound:\n{answer}", case.title, case.answer));
            }
            write!(written, "=== {}\n---\n{}\n\n", case.question.trim_end(), answer.trim_end()).unwrap();
            count += 1;
        }
        if std::env::var_os("UPDATE_ANSWERS").is_some() {
            std::fs::write(&path, written.trim_end().to_owned() + "\n").unwrap();
        } else {
            assert!(
                different.is_empty(),
                "{}\nto accept these answers: UPDATE_ANSWERS=1 cargo test -p menshen-policy",
                different.join("\n")
            );
        }
    }
    assert!(count >= 100, "{count} cases");
}

#[test]
fn the_complete_policy_has_nothing_wrong() {
    let value: serde_json::Value = serde_json::from_str(COMPLETE).unwrap();
    let schema: serde_json::Value = serde_json::from_str(menshen_policy::SCHEMA).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&value), keys(&schema["properties"]), "it has every key that a policy can have");
    Document::read(COMPLETE.as_bytes()).unwrap();
}

#[test]
fn the_right_policy_has_nothing_wrong() {
    let read = Document::read(MINIMAL.as_bytes()).unwrap();
    assert_eq!(read.document.purposes.len(), 3);
    assert_eq!(read.hash.len(), 64);
    assert!(!String::from_utf8(read.canonical).unwrap().contains("$schema"));
}

#[test]
fn what_is_optional_may_be_left_out() {
    let mut policy: serde_json::Value = serde_json::from_str(MINIMAL).unwrap();
    for key in ["$schema", "residency", "events", "endpoints", "rules"] {
        policy.as_object_mut().unwrap().remove(key);
    }
    assert!(Document::read(policy.to_string().as_bytes()).is_ok());
}

#[test]
fn without_colours_an_error_is_still_readable() {
    let wrong = MINIMAL.replacen("\"recipients\": [\"maker\", \"umeng\"]", "\"recipient\": [\"umeng\"]", 1);
    assert_eq!(
        display(wrong.as_bytes()),
        "error[unknown-key]: `recipient` is not a key of a purpose\n  \
         --> 36:7 /purposes/usage-statistics/recipient\n  \
         = did you mean `recipients`?"
    );
    let errors = Document::read(wrong.as_bytes()).unwrap_err();
    assert_eq!(errors.as_slice()[0].code(), "unknown-key");
}

#[test]
fn a_file_that_is_not_utf_8_is_told_where() {
    let mut wrong = MINIMAL.as_bytes().to_vec();
    let at = MINIMAL.find("隐私").unwrap();
    wrong.truncate(at + 2);
    wrong.extend(b"\"}");
    assert_eq!(
        display(&wrong),
        format!("error[not-utf8]: the file is not UTF-8 at byte {at} (0xe9)\n  --> 17:52\n  = save the file as UTF-8")
    );
}

#[test]
fn a_byte_order_mark_is_refused() {
    assert_eq!(
        display(format!("\u{FEFF}{MINIMAL}").as_bytes()),
        "error[syntax]: expected JSON, found U+FEFF\n  --> 1:1\n  = save the file without a byte order mark"
    );
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let long = vec![b' '; 4 * 1024 * 1024 + 1];
    assert_eq!(display(&long), "error[too-large]: the file has 4194305 bytes; a policy has at most 4194304\n  --> 1:1");
    assert!(display(&long[1..]).starts_with("error[syntax]: expected a value, found the end of the file"));
}

#[test]
fn sixty_four_levels_are_read_and_one_more_is_not() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(display(nested(64).as_bytes()), "error[wrong-type]: expected an object, found an array\n  --> 1:1");
    let pointer = "/0".repeat(64);
    assert_eq!(
        display(nested(65).as_bytes()),
        format!("error[too-deep]: more than 64 objects and arrays in one another\n  --> 1:65 {pointer}")
    );
    assert!(display("[".repeat(1_000_000).as_bytes()).starts_with("error[too-deep]"));
}

#[test]
fn a_hopeless_file_is_told_a_thousand_errors_and_how_many_more() {
    let keys: Vec<String> = (0..5000).map(|index| format!("\"k{index}\": 1")).collect();
    let errors = Document::read(format!("{{{}}}", keys.join(",")).as_bytes()).unwrap_err();
    assert_eq!(errors.as_slice().len(), 1000);
    assert!(errors.omitted() > 4000);
    assert!(errors.to_string().ends_with(&format!("and {} more", errors.omitted())));
}

#[test]
fn several_mistakes_are_told_together_in_the_order_of_the_text() {
    let wrong = MINIMAL
        .replacen("\"mode\": \"explicit\"", "\"mode\": \"implicit\"", 1)
        .replacen("\"under-14\"", "\"Under-14\"", 1)
        .replacen("\"zh-Hans\": \"统计\"", "\"zh-Hans\": \"\"", 1)
        .replacen("[\"user.location.precise\"]", "[\"user.location\"]", 1);
    let errors = Document::read(wrong.as_bytes()).unwrap_err();
    let codes: Vec<_> = errors.iter().map(|error| error.code()).collect();
    assert_eq!(codes, ["unknown-value", "empty-text", "dangling-id", "bad-form"]);
    assert!(errors.iter().is_sorted_by_key(|error| (error.position.line, error.position.column)));
}

#[test]
fn every_truncation_is_an_error_with_a_place() {
    let end = MINIMAL.trim_end().len();
    for length in 0..end {
        let errors = Document::read(&MINIMAL.as_bytes()[..length]).expect_err("a truncated policy is wrong");
        let [error] = errors.as_slice() else { panic!("{length}: {errors}") };
        assert!(matches!(error.code(), "syntax" | "not-utf8"), "{length}: {error}");
        let before = String::from_utf8_lossy(&MINIMAL.as_bytes()[..length]).matches('\n').count();
        assert_eq!(error.position.line, before + 1, "{length}: {error}");
        assert!(!errors.render(MINIMAL, "policy.json").is_empty());
    }
}

#[test]
fn no_change_of_a_byte_makes_the_reader_panic() {
    let original = Document::read(MINIMAL.as_bytes()).unwrap().hash;
    let mut bytes = MINIMAL.as_bytes().to_vec();
    let (mut right, mut wrong) = (0, 0);
    for at in 0..bytes.len() {
        let before = bytes[at];
        let others = [b'"', b'\\', b'{', b'}', b'[', b',', b'0', b' ', 0, before ^ 0x20, before ^ 0x01, before ^ 0x80];
        // Three of them at each byte, in turn.
        for other in others.into_iter().cycle().skip(at * 3 % 12).take(3) {
            bytes[at] = other;
            match Document::read(&bytes) {
                Ok(_) => {
                    right += 1;
                    assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(), "{at}: {other}");
                }
                Err(errors) => {
                    wrong += 1;
                    // A second reader of JSON agrees on what is not JSON.
                    if errors.iter().any(|error| matches!(error.code(), "syntax" | "not-utf8")) {
                        assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_err(), "{at}: {errors}");
                    }
                    for error in &errors {
                        assert!(error.position.line >= 1 && error.position.column >= 1 && error.position.width >= 1);
                        assert_ne!(error.code(), "internal", "{error}");
                    }
                }
            }
        }
        bytes[at] = before;
    }
    assert_eq!(Document::read(&bytes).unwrap().hash, original);
    assert!(right > 0 && wrong > right, "{right} right, {wrong} wrong");
}

#[test]
fn layout_and_order_of_keys_leave_the_hash_alone() {
    let read = Document::read(MINIMAL.as_bytes()).unwrap();
    let value: serde_json::Value = serde_json::from_str(MINIMAL).unwrap();
    let compact = Document::read(value.to_string().as_bytes()).unwrap();
    assert_eq!(read.hash, compact.hash);
    let swapped = MINIMAL.replacen(
        "\"id\": \"minimal\",\n  \"version\": \"1.0.0\"",
        "\"version\": \"1.0.0\",\n  \"id\": \"\\u006dinimal\"",
        1,
    );
    assert_ne!(swapped, MINIMAL);
    assert_eq!(Document::read(swapped.as_bytes()).unwrap().hash, read.hash);
    let elsewhere = MINIMAL.replacen("../../crates/policy/policy.schema.json", "policy.schema.json", 1);
    assert_ne!(elsewhere, MINIMAL);
    assert_eq!(Document::read(elsewhere.as_bytes()).unwrap().hash, read.hash);
}

#[test]
fn an_escaped_text_is_the_text_that_it_stands_for() {
    let escaped = MINIMAL.replacen("\"Statistics\"", r#""\ud83d\ude00\u00e9\/\"\\\n\u7EDF""#, 1);
    let document = Document::read(escaped.as_bytes()).unwrap().document;
    let name = &document.purposes["usage-statistics"].name["en"];
    assert_eq!(name, "😀é/\"\\\n统");
}

#[test]
fn any_change_of_a_text_changes_the_hash() {
    let value: serde_json::Value = serde_json::from_str(MINIMAL).unwrap();
    let original = Document::read(MINIMAL.as_bytes()).unwrap().hash;
    let mut texts = Vec::new();
    collect_texts(&value, String::new(), &mut texts);
    assert!(texts.len() > 30);
    for pointer in texts {
        let mut changed = value.clone();
        let text = changed.pointer_mut(&pointer).unwrap();
        *text = format!("{} ", text.as_str().unwrap()).into();
        assert_ne!(Document::read(changed.to_string().as_bytes()).unwrap().hash, original, "{pointer}");
    }
}

/// The pointers of all texts in a locale.
fn collect_texts(value: &serde_json::Value, pointer: String, texts: &mut Vec<String>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        let pointer = format!("{pointer}/{key}");
        if matches!(key.as_str(), "en" | "zh-Hans") {
            texts.push(pointer);
        } else {
            collect_texts(inner, pointer, texts);
        }
    }
}

#[test]
fn a_pointer_leads_back_to_its_place() {
    let place = |pointer| locate(MINIMAL, pointer).map(|place| (place.line, place.column, place.width));
    assert_eq!(place(""), Some((1, 1, 1)));
    assert_eq!(place("/id"), Some((3, 3, 4)));
    assert_eq!(place("/locales/1"), Some((6, 21, 9)));
    assert_eq!(place("/purposes/share-location"), Some((39, 5, 16)));
    assert_eq!(place("/purposes/nobody"), None);
    assert_eq!(locate("{", ""), None);
}
