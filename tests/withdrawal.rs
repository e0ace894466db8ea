//! What a no reaches: the receivers that have records, files rolled back to before it, and what a statute keeps from it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

#[path = "support/bench.rs"]
mod bench;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bench::{Bench, agree_to_change, erases, next_version, record, send_all};
use menshen::journal::simulated::{Fault, MemoryAnchor, SimulatedDisk};
use menshen::journal::{Disk, DiskError, DiskFile, DiskLock};
use menshen::{
    Answer, ChangeListener, KeyState, Menshen, Policy, Recorded, Session, Step, Store, TransportReply, Trigger,
    Withdrawal, fields,
};
use serde_json::json;

const OWN: &str = "https://collector.example/v1/logs/erase";

/// Where the requests to erase go that are due now, each with its pseudonym.
fn asked_to_erase(session: &Session) -> Vec<(String, String)> {
    let pseudonym = |body: &serde_json::Value| body["pseudonyms"][0].as_str().unwrap().to_owned();
    erases(&send_all(session)).into_iter().map(|(url, body)| (url, pseudonym(&body))).collect()
}

#[test]
fn a_key_that_is_busy_at_the_withdrawal_loses_no_request_to_erase() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1);
    drop((session, menshen));

    let session = bench.open().guest().unwrap();
    bench.keys.set_state(KeyState::NotYet);
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Done { .. }));
    bench.keys.set_state(KeyState::Ready);
    let asked = asked_to_erase(&session);
    assert_eq!(asked.iter().map(|(url, _)| url.as_str()).collect::<Vec<_>>(), [OWN]);
}

#[test]
fn every_endpoint_that_records_went_to_is_asked_to_erase_at_the_address_it_had_then() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1);
    let moved = json!({ "endpoints": {
        "own": null, "new": { "url": "https://new.example/v1/logs", "recipient": "maker", "encoding": "otlp" },
    } });
    session.offer_policy(next_version(moved)).unwrap();
    agree_to_change(&session);
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1);
    session.withdraw("statistics").unwrap();
    let mut asked: Vec<String> = asked_to_erase(&session).into_iter().map(|(url, _)| url).collect();
    asked.sort();
    assert_eq!(asked, [OWN, "https://new.example/v1/logs/erase"]);
}

#[test]
fn a_receiver_that_got_nothing_is_told_nothing() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    session.withdraw("statistics").unwrap();
    assert_eq!(asked_to_erase(&session), []);
}

#[test]
fn records_that_went_out_under_an_earlier_key_are_erased_too() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    let send_one = || {
        assert_eq!(record(&session), Recorded::Buffered);
        assert_eq!(send_all(&session).len(), 1);
    };
    send_one();
    bench.lose_key_of(&session, "statistics");
    session.refresh().unwrap();
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    send_one();
    session.withdraw("statistics").unwrap();
    let asked = asked_to_erase(&session);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_ne!(asked[0].1, asked[1].1, "a pseudonym for each consent");
    // Asked once, not again.
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    session.withdraw("statistics").unwrap();
    assert_eq!(asked_to_erase(&session), []);
}

#[test]
fn an_upload_whose_pseudonym_cannot_be_noted_is_not_handed_out() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    assert_eq!(session.record("message_sent", fields! { "length" => 5 }).unwrap(), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1, "the endpoint is known");
    assert_eq!(record(&session), Recorded::Buffered);
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Full)));
    assert_eq!(session.next_upload().unwrap_err().code(), "store-full");
    bench.disk.set_fault(None);
    assert_eq!(send_all(&session).len(), 1, "nothing is lost by it");
}

#[test]
fn files_rolled_back_to_before_a_withdrawal_stay_closed_while_the_key_is_still_there() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    drop((session, menshen));
    let old = bench.disk.snapshot();
    let session = bench.open().guest().unwrap();
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Done { .. }));
    drop(session);

    for _ in 0..2 {
        // Not once only: the copy can be put back again.
        let rolled_back = Bench { disk: old.snapshot(), anchor: MemoryAnchor::new(), ..bench.clone() };
        let session = rolled_back.open().guest().unwrap();
        assert!(!session.is_purpose_allowed("statistics"), "the marker outside says no");
        assert!(session.is_purpose_allowed("advertising"));
    }
    // Once the key is gone, nothing needs the marker.
    let session = bench.open().guest().unwrap();
    assert!(!bench.outside.names().is_empty());
    assert_eq!(session.maintain().unwrap().shredded, ["statistics"]);
    assert!(bench.outside.names().is_empty(), "{:?}", bench.outside.names());
    let rolled_back = Bench { disk: old, anchor: MemoryAnchor::new(), ..bench.clone() };
    assert!(!rolled_back.open().guest().unwrap().is_purpose_allowed("statistics"), "its key is gone");
}

#[test]
fn a_marker_of_an_earlier_no_does_not_close_a_later_yes() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    session.withdraw("statistics").unwrap();
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(session.is_purpose_allowed("statistics"));
    drop((session, menshen));
    let session = bench.open().guest().unwrap();
    assert!(session.is_purpose_allowed("statistics"));
    assert_eq!(session.maintain().unwrap().shredded, ["statistics"]);
    assert!(session.is_purpose_allowed("statistics"));
    assert!(bench.outside.names().is_empty());
}

#[test]
fn a_yes_never_takes_the_number_of_an_epoch_that_a_marker_denied() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    session.withdraw("statistics").unwrap();
    session.maintain().unwrap();
    drop((session, menshen));
    let before_the_second_yes = bench.disk.snapshot();
    let session = bench.open().guest().unwrap();
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    session.withdraw("statistics").unwrap();
    drop(session);

    let rolled_back = Bench { disk: before_the_second_yes, anchor: MemoryAnchor::new(), ..bench };
    let menshen = rolled_back.open();
    let session = menshen.guest().unwrap();
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    drop((session, menshen));
    assert!(rolled_back.open().guest().unwrap().is_purpose_allowed("statistics"), "a third yes is a third epoch");
}

#[test]
fn a_pending_withdrawal_holds_although_no_marker_could_be_written_and_the_session_was_let_go() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Full)));
    bench.outside.set_fault(Some(Fault::From(0, DiskError::Full)));
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Pending { .. }));
    bench.disk.set_fault(None);
    bench.outside.set_fault(None);
    drop(session);
    let session = menshen.guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert_eq!(session.maintain().unwrap().shredded, ["statistics"]);
}

#[test]
fn what_a_statute_demands_cannot_be_withdrawn_and_keeps_its_key() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    let log = |session: &Session| session.record("log_kept", fields! { "code" => 1 }).unwrap();
    assert_eq!(log(&session), Recorded::Buffered);
    let domain = session.domain("keep-logs").unwrap();
    let error = session.withdraw("keep-logs").unwrap_err();
    assert_eq!(error.code(), "legal-duty");
    assert!(error.to_string().contains("Example Act s. 1"), "{error}");
    assert!(session.is_purpose_allowed("keep-logs"));
    drop((session, menshen));

    // Asked before the ledger can be read, it is not answered until it can be known.
    bench.keys.set_state(KeyState::NotYet);
    let menshen = bench.open();
    let session = menshen.guest().unwrap();
    assert!(matches!(session.withdraw("keep-logs").unwrap(), Withdrawal::Pending { .. }));
    bench.keys.set_state(KeyState::Ready);
    session.maintain().unwrap();
    assert_eq!(log(&session), Recorded::Buffered);
    assert_eq!(session.domain("keep-logs").unwrap(), domain);
    drop((session, menshen));
    let session = bench.open().guest().unwrap();
    assert_eq!(log(&session), Recorded::Buffered);
    assert_eq!(session.domain("keep-logs").unwrap(), domain);
}

#[test]
fn a_statute_that_a_version_took_away_keeps_nothing_from_a_withdrawal() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(session.record("log_kept", fields! { "code" => 1 }).unwrap(), Recorded::Buffered);
    session
        .offer_policy(next_version(json!({ "purposes": { "keep-logs": null }, "events": { "log_kept": null } })))
        .unwrap();
    assert!(matches!(session.withdraw("keep-logs").unwrap(), Withdrawal::Done { .. }));
    assert_eq!(session.maintain().unwrap().shredded, ["keep-logs"]);
}

#[test]
fn a_request_to_erase_waits_for_what_is_still_under_way_to_its_receiver() {
    let (_menshen, session) = Bench::new().agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    let upload = session.next_upload().unwrap().unwrap();
    let Withdrawal::Done { in_flight } = session.withdraw("statistics").unwrap() else { panic!() };
    assert_eq!(in_flight, [upload.id]);
    assert_eq!(asked_to_erase(&session), [], "what arrives after it would stay there");
    session.upload_finished(upload.id, &bench::taken()).unwrap();
    assert_eq!(asked_to_erase(&session).len(), 1);
}

#[test]
fn a_withdrawal_that_was_cut_off_is_completed_at_the_next_opening_if_its_marker_proves_itself() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1);
    drop((session, menshen));
    let before = bench.disk.snapshot();
    let session = bench.open().guest().unwrap();
    session.withdraw("statistics").unwrap();
    drop(session);
    // The process ended after the marker and before the entry.
    let cut = Bench { disk: before, anchor: MemoryAnchor::new(), ..bench.clone() };
    let session = cut.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert_eq!(asked_to_erase(&session).len(), 1, "what went out is asked back");
    assert_eq!(session.maintain().unwrap().shredded, ["statistics"]);
    // Planted by somebody else, it closes and destroys nothing.
    let other = Bench::new();
    let (menshen, session) = other.agreed();
    drop((session, menshen));
    let genuine = cut_marker(&other);
    other.outside.put(&genuine, b"menshen denied\n");
    let session = other.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert_eq!(session.maintain().unwrap().shredded, [""; 0]);
}

/// The name of the marker that a withdrawal of statistics writes in this store.
fn cut_marker(bench: &Bench) -> String {
    let copy = Bench { disk: bench.disk.snapshot(), outside: Default::default(), ..bench.clone() };
    let copy = Bench { keys: bench.keys.snapshot(), anchor: MemoryAnchor::new(), ..copy };
    copy.open().guest().unwrap().withdraw("statistics").unwrap();
    copy.outside.names().into_iter().find(|name| name.starts_with("denied-")).unwrap()
}

#[test]
fn a_grant_after_maintenance_needs_no_key_store() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    session.withdraw("statistics").unwrap();
    session.maintain().unwrap();
    let keys = menshen::KeyProvider::list(&bench.keys).unwrap().len();
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(session.is_purpose_allowed("statistics"));
    assert_eq!(menshen::KeyProvider::list(&bench.keys).unwrap().len(), keys, "a spare was taken, none was made");
}

#[test]
fn names_that_were_swapped_in_the_key_file_open_nothing() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    session.withdraw("advertising").unwrap();
    assert_eq!(record(&session), Recorded::Buffered);
    drop((session, menshen));
    // The names of labels stand in clear in `keys`: somebody with the files exchanges two of them.
    let mut keys = bench.disk.contents("keys").unwrap();
    for slot in keys.chunks_mut(512) {
        let swapped = |from: &[u8], to: &[u8], slot: &mut [u8]| {
            let at = slot
                .windows(from.len() + 2)
                .position(|w| w[..2] == (from.len() as u16).to_le_bytes() && w[2..] == *from);
            at.filter(|_| slot[0] == 4).map(|at| {
                slot[at..at + 2].copy_from_slice(&(to.len() as u16).to_le_bytes());
                slot[at + 2..508].fill(0);
                slot[at + 2..at + 2 + to.len()].copy_from_slice(to);
            })
        };
        if swapped(b"statistics", b"messaging", slot).is_some() || swapped(b"messaging", b"statistics", slot).is_some()
        {
            let sum = crc32c::crc32c(&slot[..508]);
            slot[508..].copy_from_slice(&sum.to_le_bytes());
        }
    }
    bench.disk.put("keys", &keys);
    let session = bench.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics"));
    assert!(!session.is_purpose_allowed("messaging"));
    assert!(session.next_upload().unwrap().is_none(), "no record goes out under another purpose's leave");
}

#[test]
fn a_request_to_erase_that_a_receiver_cannot_answer_holds_up_no_records() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    assert_eq!(record(&session), Recorded::Buffered);
    assert_eq!(send_all(&session).len(), 1);
    session.withdraw("statistics").unwrap();
    session.request_purpose("statistics").unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert_eq!(record(&session), Recorded::Buffered);

    let not_found = TransportReply::Response { status: 404, headers: Vec::new(), body: Vec::new(), complete: true };
    let (mut erases, mut records) = (0, 0);
    // One at a time, as a host with one connection sends.
    for _ in 0..200 {
        if let Some(request) = session.next_upload().unwrap() {
            let is_erase = request.url.ends_with("/erase");
            session.upload_finished(request.id, &if is_erase { not_found.clone() } else { bench::taken() }).unwrap();
            *(if is_erase { &mut erases } else { &mut records }) += 1;
        }
        bench.clock.advance(60_000);
    }
    assert_eq!(records, 1, "the records went out");
    assert!((5..20).contains(&erases), "it is tried again, ever more rarely: {erases} times");
    assert!(session.next_upload_at().is_some(), "it is still owed");
}

/// A host that fails when it is told that something changed.
struct FailingHost;

impl ChangeListener for FailingHost {
    fn changed(&self, _: u64) {
        panic!("the host failed");
    }
}

#[test]
fn a_host_that_fails_when_it_is_told_takes_nothing_from_a_withdrawal() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    session.listen(Arc::new(FailingHost));
    let withdraws = session.clone();
    assert!(std::thread::spawn(move || withdraws.withdraw("statistics")).join().is_err(), "the host did not fail");
    drop((session, menshen));
    assert!(!bench.open().guest().unwrap().is_purpose_allowed("statistics"));
}

#[test]
fn a_withdrawal_is_on_the_disk_before_an_sdk_is_stopped() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    // What a process leaves that is killed while the app stops the SDK.
    let left = Arc::new(Mutex::new(None));
    let (leaves, disks) = (Arc::clone(&left), bench.clone());
    let stop = move || *leaves.lock().unwrap() = Some((disks.disk.fork(), disks.outside.fork()));
    session.when_allowed("meter", || (), stop).unwrap();
    session.withdraw("statistics").unwrap();
    let (disk, outside) = left.lock().unwrap().take().expect("the SDK was stopped");
    let killed = Bench { disk, outside, anchor: MemoryAnchor::new(), ..bench };
    assert!(!killed.open().guest().unwrap().is_purpose_allowed("statistics"));
}

#[test]
fn agreeing_to_the_notice_anew_forgets_no_version_that_waits() {
    let bench = Bench::new();
    let (_menshen, session) = bench.agreed();
    session
        .offer_policy(next_version(json!({
            "purposes": { "advertising": null }, "recipients": { "ads": null }, "rules": { "no-ads-under-16": null },
        })))
        .unwrap();
    let closed = session.is_purpose_allowed("advertising");
    // A purpose on contract whose key is gone opens with the notice, shown again.
    bench.lose_key_of(&session, "messaging");
    session.refresh().unwrap();
    session.request("messages", Trigger::Tap).unwrap().drive(&mut |_: &Step| Answer::Yes).unwrap();
    assert!(session.is_allowed("messages"));
    assert_eq!((closed, session.is_purpose_allowed("advertising")), (false, false));
    assert!(session.has_changed_policy());
}

/// A version without advertising, that holds from a day.
fn without_advertising(version: &str, effective_from: &str) -> Policy {
    next_version(json!({
        "version": version, "effective_from": effective_from,
        "purposes": { "advertising": null }, "recipients": { "ads": null }, "rules": { "no-ads-under-16": null },
    }))
}

#[test]
fn what_a_version_took_away_stays_away_when_a_later_one_arrives_that_does_not_hold_yet() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    assert!(session.is_purpose_allowed("advertising"));
    session.offer_policy(without_advertising("1.1.0", "2026-06-01")).unwrap();
    assert!(!session.is_purpose_allowed("advertising"), "it has ended");
    // The day is the fifteenth of January 2027.
    for later in [without_advertising("1.2.0", "2027-02-20"), next_version(json!({ "version": "1.3.0" }))] {
        session.offer_policy(later).unwrap();
        assert!(!session.is_purpose_allowed("advertising"));
        assert!(session.why_not_start("ads").unwrap().is_some());
    }
    drop((session, menshen));
    let session = bench.open().guest().unwrap();
    assert!(!session.is_purpose_allowed("advertising"), "after a restart");
    // The last one has it again, and asks about it once it is agreed to.
    agree_to_change(&session);
    assert_eq!((session.policy_version().as_str(), session.has_changed_policy()), ("1.3.0", false));
}

/// A folder of markers that cannot be listed for a while.
struct Unlisted {
    disk: SimulatedDisk,
    fails: Arc<AtomicBool>,
}

impl Disk for Unlisted {
    fn lock(&self) -> Result<Box<dyn DiskLock>, DiskError> {
        self.disk.lock()
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        if self.fails.load(Ordering::SeqCst) { Err(DiskError::Io) } else { self.disk.list(folder) }
    }
    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.disk.open(name)
    }
    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.disk.create(name)
    }
    fn create_folder(&self, name: &str) -> Result<(), DiskError> {
        self.disk.create_folder(name)
    }
    fn sync_folder(&self, name: &str) -> Result<(), DiskError> {
        self.disk.sync_folder(name)
    }
    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.disk.remove(name)
    }
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.disk.rename(from, to)
    }
}

#[test]
fn a_folder_of_markers_that_cannot_be_listed_is_not_an_empty_one() {
    let bench = Bench::new();
    let (menshen, session) = bench.agreed();
    bench.disk.set_fault(Some(Fault::From(0, DiskError::Io)));
    assert!(matches!(session.withdraw("statistics").unwrap(), Withdrawal::Pending { .. }), "marked outside only");
    drop((session, menshen));
    bench.disk.set_fault(None);

    let fails = Arc::new(AtomicBool::new(true));
    let outside = Unlisted { disk: bench.outside.clone(), fails: Arc::clone(&fails) };
    let store = Store::on(Arc::new(bench.disk.clone()))
        .marking_denials_on(Arc::new(outside))
        .with_clock(Arc::new(bench.clock.clone()));
    let policy = Policy::read(bench.policy.to_string().as_bytes()).unwrap();
    let menshen = Menshen::open(policy, store, bench.keys.clone()).unwrap();
    assert_eq!(menshen.guest().err().map(|error| error.code()), Some("io"), "nobody knows what is denied");
    fails.store(false, Ordering::SeqCst);
    let session = menshen.guest().unwrap();
    assert!(!session.is_purpose_allowed("statistics") && session.is_purpose_allowed("advertising"));
}
