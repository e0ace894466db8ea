//! The copy of everything that the device keeps, for the person.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, agree, record, send_all};
use menshen::{Put, Recorded, Session, fields};
use serde_json::{Value, json};

fn copy(session: &Session) -> Value {
    serde_json::from_str(&session.copy_json().unwrap()).unwrap()
}

#[test]
fn the_copy_holds_what_was_recorded_put_answered_and_used() {
    let bench = Bench::new();
    let menshen = bench.open();
    let session = menshen.session("u-1").unwrap();
    agree(&session);
    let fields = fields! { "page" => "start", "seconds" => 3, "share" => 0.5, "first" => true };
    assert_eq!(session.record("page_viewed", fields).unwrap(), Recorded::Buffered);
    assert_eq!(session.outbox_put("messaging", "friends", 60_000, b"hello").unwrap(), Put::Buffered);
    assert_eq!(session.outbox_put("messaging", "friends", 60_000, &[0xff, 0]).unwrap(), Put::Buffered);
    let _ = session.restrict("statistics").unwrap();
    let copy = copy(&session);
    assert_eq!(copy["records"][0]["fields"], json!({ "page": "start", "seconds": 3, "share": 0.5, "first": true }));
    assert_eq!(copy["records"][0]["kept_until_ms"], 1_800_000_000_000_i64 + 30 * 86_400_000);
    assert_eq!(copy["items"][0]["content"], json!({ "text": "hello" }));
    assert_eq!(copy["items"][1]["content"], json!({ "base64": "/wA=" }));
    assert_eq!(copy["person"], json!({ "account": "u-1", "place": "JP", "age_from": 16 }));
    let statistics = copy["purposes"].as_array().unwrap().iter().find(|one| one["purpose"] == "statistics").unwrap();
    assert_eq!((&statistics["answer"], &statistics["restricted_by"]), (&json!("given"), &json!("restriction")));
    assert_eq!(copy["requests"][0]["right"], "restrict");
    assert_eq!(copy["unreadable"], 0);
    let types: Vec<&str> =
        copy["history"].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert!(["notice-agreed", "granted", "restricted"].iter().all(|wanted| types.contains(wanted)), "{types:?}");
}

#[test]
fn making_a_copy_delivers_nothing() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(session.outbox_put("messaging", "friends", 60_000, b"hello").unwrap(), Put::Buffered);
    copy(&session);
    assert_eq!(send_all(&session).len(), 1);
    assert_eq!(session.next_delivery().unwrap().unwrap().bytes, b"hello");
}

#[test]
fn nothing_of_a_withdrawn_purpose_and_nothing_of_another_account_is_in_the_copy() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(copy(&session)["records"].as_array().unwrap().len(), 1, "control");
    session.withdraw("statistics").unwrap();
    assert_eq!(copy(&session)["records"], json!([]));
    let session = menshen.session("u-1").unwrap();
    let other = menshen.session("u-2").unwrap();
    agree(&other);
    assert_eq!(record(&other), Recorded::Buffered);
    assert_eq!(copy(&session)["records"], json!([]));
    assert!(!session.copy_json().unwrap().contains("u-2"));
}

#[test]
fn the_page_is_whole_in_itself_and_what_it_shows_cannot_become_a_part_of_it() {
    let (_menshen, session) = Bench::new().agreed();
    let hostile = "<script src=\"https://evil.example\">\u{202e}' & ]]>";
    assert_eq!(session.record("page_viewed", fields! { "page" => hostile }).unwrap(), Recorded::Buffered);
    let item = b"<img src=x onerror=alert(1)>";
    assert_eq!(session.outbox_put("messaging", "friends", 60_000, item).unwrap(), Put::Buffered);
    let page = session.copy_html().unwrap();
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">") && page.ends_with("</html>\n"));
    assert!(page.contains("default-src 'none'"));
    let tags: std::collections::BTreeSet<&str> = page
        .split('<')
        .skip(1)
        .map(|rest| {
            rest.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric() && c != '!').next().unwrap()
        })
        .collect();
    let known = [
        "!doctype", "html", "head", "meta", "style", "title", "body", "h1", "h2", "dl", "dt", "dd", "div", "table",
        "tr", "th", "td", "p",
    ];
    assert!(tags.iter().all(|tag| known.contains(tag)), "{tags:?}");
    assert!(page.contains("&lt;script src=&quot;https://evil.example&quot;&gt;"));
    assert!(!page.contains("src=\"http") && !page.contains("href="));
}

#[test]
fn the_page_speaks_the_persons_language() {
    let (_menshen, session) = Bench::new().agreed();
    session.set_locale("zh-Hans");
    let page = session.copy_html().unwrap();
    assert!(page.contains("<html lang=\"zh-Hans\">") && page.contains("本设备上保存的您的信息"));
}

#[test]
fn a_copy_says_how_much_it_could_not_read() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    drop((session, menshen));
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    bench.lose_key_of(&session, "statistics");
    let copy = copy(&session);
    assert_eq!((&copy["records"], &copy["unreadable"]), (&json!([]), &json!(1)));
}
