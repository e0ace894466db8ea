//! What a server answers to an upload, its status, headers and body.
#![no_main]

use std::cell::RefCell;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use menshen::journal::simulated::{MemoryAnchor, SimulatedClock, SimulatedDisk};
use menshen::{
    Answer, MemoryKeys, Menshen, Platform, Policy, Session, Step, Store, TransportReply, UploadOutcome, Value,
};
use menshen_fuzz::{planted, seeds};

/// One app for every case: a record is put in, uploaded, and answered by the fuzzer.
struct App {
    clock: SimulatedClock,
    session: Session,
    _menshen: Menshen,
}

impl App {
    fn new() -> Self {
        let clock = SimulatedClock::at(1_800_000_000_000);
        let store = Store::on(Arc::new(SimulatedDisk::new()))
            .with_clock(Arc::new(clock.clone()))
            .with_anchor(Arc::new(MemoryAnchor::new()));
        let policy = Policy::read(include_bytes!("../../vectors/policy.json")).unwrap();
        let menshen = Menshen::open_on(policy, store, Arc::new(MemoryKeys::new()), Platform::default()).unwrap();
        let session = menshen.guest().unwrap();
        let flow = session.first_launch().unwrap();
        flow.drive(&mut |step: &Step| match step {
            Step::AskSubject => Answer::Subject { born: "1990-05".into(), place: "JP".into() },
            Step::Offer(offers) => Answer::Switches(offers.iter().map(|offer| offer.purpose.clone()).collect()),
            _ => Answer::Yes,
        })
        .unwrap();
        Self { clock, session, _menshen: menshen }
    }
}

thread_local! {
    static APP: RefCell<App> = RefCell::new(App::new());
}

/// `status` as two bytes, a byte of flags, headers up to an empty line, a body.
fn reply(data: &[u8]) -> Option<TransportReply> {
    let (start, rest) = data.split_first_chunk::<3>()?;
    let text = String::from_utf8_lossy(rest);
    let at = text.find("\n\n").unwrap_or(text.len());
    let headers = text[..at].lines().filter_map(|line| line.split_once(": "));
    let body = rest.windows(2).position(|two| two == b"\n\n").map_or(&[][..], |at| &rest[at + 2..]);
    Some(TransportReply::Response {
        status: u16::from_le_bytes([start[0], start[1]]),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: body.to_vec(),
        complete: start[2] % 2 == 0,
    })
}

fuzz_target!(init: seeds::write("reply"), |data: &[u8]| {
    let Some(reply) = reply(data) else { return };
    let (status, is_complete) = match &reply {
        TransportReply::Response { status, complete, .. } => (*status, *complete),
        _ => return,
    };
    APP.with_borrow_mut(|app| {
        let fields = [("seconds".to_owned(), Value::Integer(1))].into_iter().collect();
        let _ = app.session.record("page_viewed", fields);
        let upload = match app.session.next_upload() {
            Ok(Some(upload)) => upload,
            _ => {
                app.clock.advance(90_000_000);
                match app.session.next_upload() {
                    Ok(Some(upload)) => upload,
                    _ => {
                        // Retention or a quarantine took everything.
                        *app = App::new();
                        return;
                    }
                }
            }
        };
        let outcome = app.session.upload_finished(upload.id, &reply).expect("every reply has an outcome");
        if let UploadOutcome::Acknowledged { .. } = outcome {
            assert!((200..300).contains(&status) && is_complete, "a reply that says nothing acknowledged records");
        }
        planted(|| matches!(outcome, UploadOutcome::Acknowledged { .. }) && status != 200);
    });
});
