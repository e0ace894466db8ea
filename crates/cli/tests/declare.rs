//! `menshen declare`, as its users run it. Each file is read back by a reader of its format that is not ours: Python's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{POLICIES, Run, menshen, menshen_with, read, root};

const FAMILY: &str = "examples/policies/justalk-family.json";
const EXPORT: &str = "crates/cli/tests/play/export.csv";

fn declare(policy: &str, folder: &Path, more: &[&str]) -> Run {
    let run = menshen(&[&["declare", policy, "-o", folder.to_str().unwrap()], more].concat());
    assert_eq!(run.err, "");
    run
}

/// What a Python program prints as JSON about a file.
fn python(program: &str, file: &Path) -> Value {
    let mut child = Command::new("python3")
        .args(["-c", program])
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 reads the formats back");
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const READ_PLIST: &str = "import sys,json,plistlib; print(json.dumps(plistlib.load(open(sys.argv[1],'rb'))))";
const READ_CSV: &str =
    "import sys,json,csv; print(json.dumps(list(csv.reader(open(sys.argv[1],encoding='utf-8',newline='')))))";
const READ_XML: &str = "
import sys,json,xml.etree.ElementTree as tree
def plain(element):
    return {'tag': element.tag, 'attributes': element.attrib, 'children': [plain(child) for child in element]}
print(json.dumps(plain(tree.parse(sys.argv[1]).getroot())))";
/// Counts the cells of each row of a page's table, and finds tags that are not closed.
const READ_HTML: &str = "
import sys,json
from html.parser import HTMLParser
class Page(HTMLParser):
    def __init__(self):
        super().__init__(); self.open=[]; self.rows=[]; self.bad=[]; self.lang=None
    def handle_starttag(self, tag, attributes):
        if tag == 'html': self.lang = dict(attributes).get('lang')
        if tag == 'meta': return
        self.open.append(tag)
        if tag == 'tr': self.rows.append(0)
        if tag in ('td', 'th'): self.rows[-1] += 1
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag: self.bad.append(tag)
page = Page(); page.feed(open(sys.argv[1], encoding='utf-8').read())
print(json.dumps({'rows': page.rows, 'bad': page.bad, 'open': page.open, 'lang': page.lang}))";

fn attributes<'a>(element: &'a Value, tag: &str) -> Vec<&'a Value> {
    let children = element["children"].as_array().unwrap().iter();
    children.filter(|child| child["tag"] == tag).map(|child| &child["attributes"]).collect()
}

#[test]
fn the_android_manifest_has_the_permissions_of_the_features_and_no_others() {
    for policy in POLICIES {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(declare(policy, folder.path(), &["--android"]).code, 0);
        let manifest = python(READ_XML, &folder.path().join("android/AndroidManifest.xml"));
        assert_eq!(manifest["tag"], "manifest");
        let name = |attributes: &Value| attributes["{http://schemas.android.com/apk/res/android}name"].clone();
        let wanted = attributes(&manifest, "uses-permission")
            .into_iter()
            .filter(|attributes| attributes.get("{http://schemas.android.com/tools}node").is_none());
        let wanted: Vec<String> = wanted.map(|attributes| name(attributes).as_str().unwrap().to_owned()).collect();
        assert_eq!(wanted.len(), wanted.iter().collect::<BTreeSet<_>>().len(), "each once");
        let document: Value = serde_json::from_str(&read(policy)).unwrap();
        let features = document["features"].as_object().unwrap().values();
        let asked: BTreeSet<&str> = features
            .filter_map(|feature| feature.get("permissions")?.as_object())
            .flat_map(|permissions| permissions.keys().map(String::as_str))
            .collect();
        let has = |name: &str| wanted.iter().any(|wanted| wanted == &format!("android.permission.{name}"));
        for (permission, name) in [
            ("camera", "CAMERA"),
            ("microphone", "RECORD_AUDIO"),
            ("contacts.read", "READ_CONTACTS"),
            ("contacts.write", "WRITE_CONTACTS"),
            ("location.precise", "ACCESS_FINE_LOCATION"),
            ("notifications", "POST_NOTIFICATIONS"),
            ("sms", "READ_SMS"),
            ("phone-state", "READ_PHONE_STATE"),
        ] {
            assert_eq!(has(name), asked.contains(permission), "{policy}: {name}");
        }
        assert_eq!(wanted.is_empty(), asked.is_empty(), "{policy}: {wanted:?}");
    }
}

#[test]
fn the_switches_that_keep_an_sdk_still_stand_in_both_systems_files() {
    let folder = tempfile::tempdir().unwrap();
    declare(FAMILY, folder.path(), &["--android", "--ios"]);
    let manifest = python(READ_XML, &folder.path().join("android/AndroidManifest.xml"));
    let application =
        manifest["children"].as_array().unwrap().iter().find(|child| child["tag"] == "application").unwrap();
    let switches = attributes(application, "meta-data");
    let android = "{http://schemas.android.com/apk/res/android}";
    let of = |name: &str| {
        switches.iter().find(|s| s[format!("{android}name")] == name).unwrap()[format!("{android}value")].clone()
    };
    assert_eq!(of("firebase_analytics_collection_enabled"), "false");
    assert_eq!(of("com.google.android.gms.ads.DELAY_APP_MEASUREMENT_INIT"), "true");
    let info = python(READ_PLIST, &folder.path().join("ios/Info.plist"));
    assert_eq!(info["FIREBASE_ANALYTICS_COLLECTION_ENABLED"], false);
    assert_eq!(info["GADDelayAppMeasurementInit"], true);
}

#[test]
fn every_locale_has_the_same_usage_texts_in_its_own_words() {
    for policy in POLICIES {
        let folder = tempfile::tempdir().unwrap();
        declare(policy, folder.path(), &["--ios"]);
        let info = python(READ_PLIST, &folder.path().join("ios/Info.plist"));
        let usages: Vec<&String> =
            info.as_object().unwrap().keys().filter(|key| key.ends_with("UsageDescription")).collect();
        let document: Value = serde_json::from_str(&read(policy)).unwrap();
        for locale in document["locales"].as_array().unwrap() {
            let path = folder.path().join(format!("ios/{}.lproj/InfoPlist.strings", locale.as_str().unwrap()));
            let Ok(strings) = std::fs::read_to_string(path) else {
                assert!(usages.is_empty(), "{policy}: {locale}");
                continue;
            };
            let mut keys = Vec::new();
            for line in strings.lines().filter(|line| !line.starts_with("/*")) {
                let (key, text) = line.strip_prefix('"').unwrap().split_once("\" = \"").unwrap();
                let text = text.strip_suffix("\";").unwrap();
                assert!(!text.is_empty() && !text.replace("\\\"", "").contains('"'), "{line}");
                keys.push(key.to_owned());
            }
            assert_eq!(keys.iter().collect::<Vec<_>>(), usages, "{policy}: {locale}");
        }
    }
}

/// Apple's words (App privacy: describing data use in privacy manifests).
const DATA_TYPES: &str = "Name EmailAddress PhoneNumber PhysicalAddress OtherUserContactInfo Health Fitness PaymentInfo \
    CreditInfo OtherFinancialInfo PreciseLocation CoarseLocation SensitiveInfo Contacts EmailsOrTextMessages PhotosorVideos \
    AudioData GameplayContent CustomerSupport OtherUserContent BrowsingHistory SearchHistory UserID DeviceID PurchaseHistory \
    ProductInteraction AdvertisingData OtherUsageData CrashData PerformanceData OtherDiagnosticData EnvironmentScanning \
    Hands Head OtherDataTypes";
const PURPOSES: &str =
    "ThirdPartyAdvertising DeveloperAdvertising Analytics ProductPersonalization AppFunctionality Other";

#[test]
fn the_privacy_manifest_uses_only_apples_words() {
    for policy in POLICIES {
        let folder = tempfile::tempdir().unwrap();
        declare(policy, folder.path(), &["--ios"]);
        let manifest = python(READ_PLIST, &folder.path().join("ios/PrivacyInfo.xcprivacy"));
        let keys: Vec<&str> = manifest.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "NSPrivacyAccessedAPITypes",
            "NSPrivacyCollectedDataTypes",
            "NSPrivacyTracking",
            "NSPrivacyTrackingDomains",
        ];
        assert_eq!(keys, expected);
        assert!(manifest["NSPrivacyTracking"].is_boolean());
        let types = manifest["NSPrivacyCollectedDataTypes"].as_array().unwrap();
        assert!(!types.is_empty());
        let mut seen = BTreeSet::new();
        for of_type in types {
            let word = |value: &Value, prefix: &str| value.as_str().unwrap().strip_prefix(prefix).unwrap().to_owned();
            let data_type = word(&of_type["NSPrivacyCollectedDataType"], "NSPrivacyCollectedDataType");
            assert!(DATA_TYPES.split_whitespace().any(|known| known == data_type), "{data_type}");
            assert!(seen.insert(data_type), "each type once");
            assert!(of_type["NSPrivacyCollectedDataTypeLinked"].is_boolean());
            assert!(of_type["NSPrivacyCollectedDataTypeTracking"].is_boolean());
            let purposes = of_type["NSPrivacyCollectedDataTypePurposes"].as_array().unwrap();
            assert!(!purposes.is_empty());
            for purpose in purposes {
                let purpose = word(purpose, "NSPrivacyCollectedDataTypePurpose");
                assert!(PURPOSES.split_whitespace().any(|known| known == purpose), "{purpose}");
            }
        }
    }
}

#[test]
fn what_only_chosen_people_receive_is_not_declared_as_collected() {
    // The family messenger's message bodies go to the people written to, and to nobody else.
    let folder = tempfile::tempdir().unwrap();
    declare(FAMILY, folder.path(), &["--ios", "--play", EXPORT]);
    let manifest = std::fs::read_to_string(folder.path().join("ios/PrivacyInfo.xcprivacy")).unwrap();
    assert!(!manifest.contains("EmailsOrTextMessages"));
    assert!(manifest.contains("NSPrivacyCollectedDataTypePreciseLocation"), "the control: others are");
    let form = python(READ_CSV, &folder.path().join("play/data-safety.csv"));
    let value = |response: &str| form.as_array().unwrap().iter().find(|row| row[1] == response).unwrap()[2].clone();
    assert_eq!((value("PSL_OTHER_MESSAGES"), value("PSL_PRECISE_LOCATION")), ("".into(), "true".into()));
}

#[test]
fn the_play_form_keeps_its_rows_its_ids_and_the_developers_own_answers() {
    let before = python(READ_CSV, &root().join(EXPORT));
    let before = before.as_array().unwrap();
    assert_eq!(before.len(), 783);
    for policy in POLICIES {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(declare(policy, folder.path(), &["--play", EXPORT]).code, 0);
        let after = python(READ_CSV, &folder.path().join("play/data-safety.csv"));
        let after = after.as_array().unwrap();
        assert_eq!(after.len(), before.len());
        let mut filled = 0;
        for (was, is) in before.iter().zip(after) {
            for column in [0, 1, 3, 4] {
                assert_eq!(was[column], is[column]);
            }
            filled += usize::from(was[2] != is[2]);
            assert!(["", "true", "false"].contains(&is[2].as_str().unwrap()) || was[2] == is[2], "{is}");
        }
        assert!(filled > 10, "{policy}: {filled}");
        let answer = |question: &str| after.iter().find(|row| row[0] == question).unwrap()[2].clone();
        assert_eq!(answer("PSL_ACCOUNT_DELETION_URL"), "https://app.example/delete, or write");
        // A type that is not collected has no answers at all, one that is has one of each kind.
        let types = after.iter().filter(|row| row[0].as_str().unwrap().starts_with("PSL_DATA_TYPES_"));
        for row in types {
            let usage = format!("PSL_DATA_USAGE_RESPONSES:{}:", row[1].as_str().unwrap());
            let answers = |question: &str| {
                let of = format!("{usage}{question}");
                let rows = after.iter().filter(|row| row[0].as_str().unwrap().starts_with(&of));
                rows.filter(|row| row[2] == "true").count()
            };
            if row[2] == "true" {
                assert!(answers("PSL_DATA_USAGE_COLLECTION_AND_SHARING") >= 1, "{usage}");
                assert_eq!(answers("DATA_USAGE_USER_CONTROL"), 1, "{usage}");
                assert!(answers("DATA_USAGE_COLLECTION_PURPOSE") >= 1, "{usage}");
            } else {
                assert_eq!(answers(""), 0, "{usage}");
            }
        }
    }
}

#[test]
fn a_form_without_a_row_that_is_needed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let short: Vec<String> =
        read(EXPORT).lines().filter(|line| !line.contains("PSL_NAME")).map(str::to_owned).collect();
    let export = folder.path().join("short.csv");
    std::fs::write(&export, short.join("\n")).unwrap();
    let run = declare(FAMILY, &folder.path().join("out"), &["--play", export.to_str().unwrap()]);
    assert_eq!(run.code, 1);
    assert!(
        run.out.contains("no place for it  the form has no row `PSL_DATA_TYPES_PERSONAL`, `PSL_NAME`"),
        "{}",
        run.out
    );
    std::fs::write(&export, "a,b,c\n1,2,3\n").unwrap();
    let run = menshen(&["declare", FAMILY, "--play", export.to_str().unwrap(), "-o", folder.path().to_str().unwrap()]);
    assert_eq!(run.code, 2);
    assert!(run.err.ends_with("its first line does not begin with `Question ID`\n"), "{}", run.err);
}

#[test]
fn a_form_keeps_its_line_ends_and_its_mark() {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("windows.csv");
    std::fs::write(&export, format!("\u{feff}{}", read(EXPORT).replace('\n', "\r\n"))).unwrap();
    declare(FAMILY, folder.path(), &["--play", export.to_str().unwrap()]);
    let form = std::fs::read_to_string(folder.path().join("play/data-safety.csv")).unwrap();
    assert!(form.starts_with("\u{feff}Question ID") && form.matches("\r\n").count() == 783);
    assert_eq!(form.matches('\n').count(), 783);
}

#[test]
fn the_lists_say_the_same_in_every_form() {
    for policy in POLICIES {
        let folder = tempfile::tempdir().unwrap();
        declare(policy, folder.path(), &["--cn", "--register"]);
        let document: Value = serde_json::from_str(&read(policy)).unwrap();
        let purposes = document["purposes"].as_object().unwrap().len();
        for list in ["cn/collected", "cn/shared", "cn/permissions", "gdpr/processing-register"] {
            let path = |end: &str| folder.path().join(format!("{list}.{end}"));
            let json: Value = serde_json::from_slice(&std::fs::read(path("json")).unwrap()).unwrap();
            let rows = json["rows"].as_array().unwrap();
            let page = python(READ_HTML, &path("html"));
            assert_eq!(
                (&page["bad"], &page["open"]),
                (&serde_json::json!([]), &serde_json::json!([])),
                "{policy} {list}"
            );
            let counts = page["rows"].as_array().unwrap();
            assert_eq!(counts.len(), rows.len() + 1, "{policy} {list}");
            assert!(counts.iter().all(|count| count == &counts[0]), "{policy} {list}");
            let markdown = std::fs::read_to_string(path("md")).unwrap();
            let lines: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| ")).collect();
            assert_eq!(lines.len(), rows.len() + 2, "{policy} {list}");
            let cells = |line: &str| line.replace("\\|", "").matches(" | ").count() + 1;
            assert!(lines.iter().all(|line| u64::try_from(cells(line)).ok() == counts[0].as_u64()), "{markdown}");
            if list == "cn/collected" || list == "gdpr/processing-register" {
                assert_eq!(rows.len(), purposes, "{policy} {list}");
            }
        }
        let register: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("gdpr/processing-register.json")).unwrap())
                .unwrap();
        for row in register["rows"].as_array().unwrap() {
            for column in ["activity", "purpose", "legal_basis", "subjects", "categories", "recipients", "erasure"] {
                assert!(!row[column].as_str().unwrap().is_empty(), "{policy}: {row}");
            }
        }
    }
}

#[test]
fn the_list_of_third_parties_has_each_that_may_start_and_no_chosen_people() {
    let folder = tempfile::tempdir().unwrap();
    declare(FAMILY, folder.path(), &["--cn"]);
    let list: Value = serde_json::from_slice(&std::fs::read(folder.path().join("cn/shared.json")).unwrap()).unwrap();
    let named: BTreeSet<&str> =
        list["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in ["AdMob", "Facebook", "Firebase", "MobTech", "MoPub", "友盟+（Umeng+）"] {
        assert!(named.contains(name), "{named:?}");
    }
    let document: Value = serde_json::from_str(&read(FAMILY)).unwrap();
    let people = document["recipients"]["chosen-contacts"]["name"]["zh-Hans"].as_str().unwrap();
    assert!(!named.contains(people));
    // An identifier that is refused is shared with nobody; one in a minimised form is named with it.
    let umeng = list["rows"].as_array().unwrap().iter().find(|row| row["name"] == "友盟+（Umeng+）").unwrap();
    let kinds = umeng["kinds"].as_str().unwrap();
    assert!(kinds.contains("android-id（密钥哈希）") && !kinds.contains("imei"), "{kinds}");
}

#[test]
fn a_text_that_looks_like_markup_stays_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let policy =
        read("tests/policies/minimal.json").replacen("Your family sees where you are.", "\\\"A\\\" & B | 3 < 4", 1);
    let run = menshen_with(
        &["declare", "-", "--android", "--ios", "--cn", "--register", "-o", folder.path().to_str().unwrap()],
        &policy,
    );
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let info = python(READ_PLIST, &folder.path().join("ios/Info.plist"));
    assert_eq!(info["NSLocationWhenInUseUsageDescription"], "\"A\" & B | 3 < 4");
    let strings = std::fs::read_to_string(folder.path().join("ios/en.lproj/InfoPlist.strings")).unwrap();
    assert!(strings.contains(r#"= "\"A\" & B | 3 < 4";"#), "{strings}");
}

#[test]
fn what_is_there_and_differs_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    declare(FAMILY, folder.path(), &["--android"]);
    let again = declare(FAMILY, folder.path(), &["--android"]);
    assert!(again.out.starts_with("unchanged  "), "{}", again.out);
    let path = folder.path().join("android/AndroidManifest.xml");
    std::fs::write(&path, "mine").unwrap();
    let output = folder.path().to_str().unwrap();
    let run = menshen(&["declare", FAMILY, "--android", "--ios", "-o", output]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("these files are there and differ") && run.err.contains("`--overwrite`"), "{}", run.err);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    assert!(!folder.path().join("ios").exists(), "nothing else was written either");
    assert_eq!(declare(FAMILY, folder.path(), &["--android", "--overwrite"]).code, 0);
    assert!(std::fs::read_to_string(&path).unwrap().contains("<manifest"));
}

#[test]
fn nothing_is_declared_unless_it_is_said_what() {
    let run = menshen(&["declare", FAMILY]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("--android") && run.err.contains("required"), "{}", run.err);
}
